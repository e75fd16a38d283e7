"""The stage `pivot`: each cell once, or by a measure that is named."""

from typing import Any

import pytest

from dhis2sh.errors import PipelineError
from dhis2sh.rows.rows import Provenance, Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.verbs.piping import compile_tail

VALUES = [
    {"ouName": "Bo", "dx": "a", "pe": "202502", "peName": "February 2025", "value": 2},
    {"ouName": "Bo", "dx": "a", "pe": "202501", "peName": "January 2025", "value": 1},
    {"ouName": "Kono", "dx": "a", "pe": "202502", "peName": "February 2025", "value": 7.5},
]


async def piped(tail: str, items: list[dict[str, Any]] = VALUES) -> Any:
    return await compile_tail(tail).run(Rows(items), {})


async def test_values_of_a_field_are_columns_periods_in_order_of_time():
    table = await piped("pivot(ouName, peName)")
    assert table.columns == ("ouName", "January 2025", "February 2025")
    assert table.plain() == [
        {"ouName": "Bo", "January 2025": 1, "February 2025": 2},
        {"ouName": "Kono", "January 2025": None, "February 2025": 7.5},
    ]


async def test_several_fields_down_and_across():
    table = await piped("pivot([ouName, dx], [dx, pe])".replace("[dx, pe]", "pe"))
    assert table.plain()[0] == {"ouName": "Bo", "dx": "a", "202501": 1, "202502": 2}
    across = await piped("pivot(ouName, [dx, pe])")
    assert across.columns == ("ouName", "a / 202501", "a / 202502")
    assert Rows(VALUES).pivot(["ouName", "dx"], "pe").plain() == table.plain()


@pytest.mark.parametrize(("measure", "value"), [
    ("sum(value)", 10), ("mean(value)", 5), ("max(value)", 8), ("min(value)", 2), ("count()", 2), ("median(value)", 5),
])  # fmt: skip
async def test_two_rows_for_a_cell_want_a_measure(measure: str, value: float):
    twice = [*VALUES, {**VALUES[0], "dx": "b", "value": 8}]
    with pytest.raises(
        PipelineError,
        match=r"2 rows for one cell \(ouName = Bo, peName = February 2025\): rows 1 and 4; they differ in dx, value",
    ) as told:
        await piped("pivot(ouName, peName)", twice)
    assert told.value.hint == "pivot(ouName, peName, sum(value))"
    table = await piped(f"pivot(ouName, peName, {measure})", twice)
    assert table.plain()[0]["February 2025"] == value


async def test_equal_rows_are_not_one():
    with pytest.raises(PipelineError, match="2 rows for one cell"):
        await piped("pivot(ouName, peName)", [VALUES[0], VALUES[0]])


@pytest.mark.parametrize(("tail", "why"), [
    ("pivot(ouName, ouName)", "cannot be rows and columns"),
    ("pivot(ouNam, peName)", "ouNam"),
    ("pivot(ouName, peName, valeu)", "valeu"),
    ("pivot(ouName, peName, summ(value))", "summ"),
    ("pivot(ouName)", "argument"),
])  # fmt: skip
async def test_what_cannot_be_is_refused(tail: str, why: str):
    with pytest.raises(PipelineError, match=why):
        await piped(tail)


async def test_columns_of_one_name_are_refused():
    with pytest.raises(PipelineError, match="two columns would be called '1'"):
        await piped("pivot(ouName, dx)", [{**VALUES[0], "dx": 1}, {**VALUES[1], "dx": "1"}])


async def test_a_field_without_a_value_has_a_column_of_its_own():
    table = await piped("pivot(ouName, dx)", [{**VALUES[0], "dx": None}, VALUES[1]])
    assert table.columns == ("ouName", "a", "(none)")


async def test_a_stream_is_collected():
    async def batches():
        yield VALUES[:2]
        yield VALUES[2:]

    table = await compile_tail("pivot(ouName, peName)").run(Stream(batches()), {})
    assert len(table) == 2


def test_a_head_is_told_what_pivot_reads():
    wants = compile_tail("pivot(ouName, [dx, peName], sum(value))").wants()
    assert set(wants.fields) == {"ouName", "dx", "peName", "value"}
    assert set(compile_tail("pivot(ouName, peName)").wants().fields) == {"ouName", "peName", "value"}


NAMED = [{name: row[name] for name in ("ouName", "peName", "value")} for row in VALUES]
TIMES = {"janvier 2025": "202501", "février 2025": "202502", "mars 2025": "202503"}


async def test_rows_of_periods_stand_in_time_where_their_identifiers_are_known():
    table = await piped("pivot(peName, ouName)")
    assert [row["peName"] for row in table.items] == ["January 2025", "February 2025"]
    assert [row["Bo"] for row in table.items] == [1, 2]
    table = await piped("pivot([ouName, peName], dx)", [VALUES[2], *VALUES[:2]])
    assert [(row["ouName"], row["a"]) for row in table.items] == [("Kono", 7.5), ("Bo", 1), ("Bo", 2)]


async def test_names_of_periods_in_any_language_stand_in_time_where_the_answer_has_told_them():
    items = [{"peName": name, "ouName": "Bo", "value": at} for at, name in enumerate(reversed(TIMES))]
    rows = Rows(items, provenance=Provenance(times=TIMES))
    down = await compile_tail("group(peName, ouName, n=sum(value)) | pivot(peName, ouName, n)").run(rows, {})
    assert [row["peName"] for row in down.items] == list(TIMES)
    across = await compile_tail("select(peName, ouName, value) | pivot(ouName, peName)").run(rows, {})
    assert across.columns == ("ouName", *TIMES)
    unknown = await piped("pivot(peName, ouName)", NAMED)
    assert [row["peName"] for row in unknown.items] == ["February 2025", "January 2025"]
