"""Streams: the stages that take them, the sinks that write them as they come, and what they never lose."""

from __future__ import annotations

import json
import warnings
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import Dhis2Error, PipelineError
from dhis2sh.rows import stream as streams
from dhis2sh.rows.registry import stages
from dhis2sh.rows.rows import Rows, to_json
from dhis2sh.rows.stream import Stream
from dhis2sh.verbs.piping import compile_tail

VALUES: list[dict[str, Any]] = [
    {"id": f"v{n}", "value": n, "level": 1 + n % 3, "unit": {"name": "Bo" if n % 2 else "Kono"}} for n in range(10)
]


@pytest.fixture
def work() -> Path:
    """The empty folder that every test runs in."""
    return Path.cwd()


class Source:
    """Batches of two rows, and how much of them was taken."""

    def __init__(self, rows: list[dict[str, Any]] | None = None, size: int = 2) -> None:
        self.rows = VALUES if rows is None else rows
        self.size = size
        self.read = 0
        self.closed = False

    async def batches(self) -> AsyncGenerator[list[dict[str, Any]]]:
        try:
            for start in range(0, len(self.rows), self.size):
                self.read = start + self.size
                yield [dict(row) for row in self.rows[start : start + self.size]]
        finally:
            self.closed = True

    def stream(self, **how: Any) -> Any:
        return Stream(self.batches(), **how)


def stream_of(rows: list[dict[str, Any]] | None = None, **how: Any) -> Any:
    return Source(rows).stream(**how)


async def run(tail: str, value: Any, **names: object) -> Any:
    return await compile_tail(tail, names=names).run(value, names)


@pytest.mark.parametrize(
    "tail",
    [
        "where(value > 3)",
        "where(unit.name == 'Bo' and level == limit)",
        "select(id, name=unit.name)",
        "drop(value, unit)",
        "rename(number=value)",
        "derive(double=value * 2)",
        "head(3)",
        "head(0)",
        "where(level == 2) | derive(half=value / 2) | select(id, half) | head(2)",
        "explode(level)",
        "where(value > 99)",
    ],
)
async def test_batches_give_what_all_rows_give(tail: str):
    stream = await run(tail, stream_of(), limit=2)
    assert isinstance(stream, Stream)
    found = await stream.collect()
    wanted = await run(tail, Rows(VALUES), limit=2)
    assert (found.plain(), stream.columns) == (wanted.plain(), wanted.columns)


@pytest.mark.parametrize(
    "tail",
    [
        "sort(-value)", "tail(2)", "group(level, total=sum(value))", "stats(value)", "sum(value)", "count(level)",
        "uniq(level)", "count", "len", "get(3)", "get(id)", "join(other)", "sample(3, seed=1)", "collect", "head(-1)",
        "json", "ndjson", "csv", "tsv", "yaml", "md", "clip",
    ],
)  # fmt: skip
async def test_what_wants_every_row_gets_them(tail: str):
    other = Rows([{"id": "v1", "owner": "Kim"}])
    if tail == "head(-1)":
        with pytest.raises(PipelineError, match=r"head\(-1\) wants every row"):
            await (await run(tail, stream_of())).collect()
        tail = "collect | head(-1)"
    assert to_json(await run(tail, stream_of(), other=other)) == to_json(await run(tail, Rows(VALUES), other=other))


async def test_a_frame_holds_every_row():
    assert (await stream_of().pl()).to_dicts() == VALUES
    assert len(await stream_of().df()) == 10


async def test_a_head_that_has_enough_closes_the_source():
    source = Source()
    found = await run("where(value >= 0) | head(3) | select(id)", source.stream())
    assert to_json(await found.collect()) == [{"id": "v0"}, {"id": "v1"}, {"id": "v2"}]
    assert (source.read, source.closed) == (4, True)


async def test_a_stream_is_read_once():
    stream = stream_of()
    assert len(await stream.collect()) == 10
    with pytest.raises(PipelineError, match="can be read once"):
        await stream.where("value > 3").collect()


async def test_a_peek_reads_no_further_than_it_must_and_loses_nothing():
    source = Source()
    stream = await source.stream().peek(3)
    assert (source.read, source.closed, len(stream.ahead)) == (4, False, 4)
    assert [row["value"] async for row in stream] == list(range(10))
    assert source.closed


async def test_who_leaves_a_stream_closes_its_source():
    source = Source()
    async with source.stream() as stream:
        async for row in stream:
            assert row["id"] == "v0"
            break
    assert (source.read, source.closed) == (2, True)


async def test_a_pipeline_that_fails_closes_the_source():
    source = Source()
    with pytest.raises(PipelineError, match="'Bo' is not a number"):
        await run("sum(unit.name)", await Source([{"unit": {"name": "Bo"}}]).stream().peek())
    with pytest.raises(PipelineError, match="there is no `nope`"):
        await run("head(2) | csv(nope)", await source.stream().peek(1))
    assert source.closed


async def test_provenance_goes_along():
    stream = stream_of(resource="dataElements").with_provenance(verb="trial values", profile="play")
    found = await run("where(value > 3) | head(2)", stream)
    assert (found.provenance.verb, found.provenance.profile, found.resource) == ("trial values", "play", "dataElements")
    assert (await found.collect()).provenance.verb == "trial values"


# Fields that come late ----------------------------------------------------------------------------------------------

LATE = [{"id": "a", "value": 1}, {"id": "b", "value": 2}, {"id": "c", "value": 3, "comment": "checked"}]


@pytest.mark.parametrize("sink", ["csv", "tsv", "md", "xlsx"])
async def test_a_field_without_a_column_is_an_error_and_no_file(sink: str, work: Path):
    target = work / f"rows.{sink}"
    with pytest.raises(PipelineError, match="`comment` comes first in row 3") as caught:
        await getattr(stream_of(LATE), sink)(str(target))
    assert "select(id, value, comment)" in str(caught.value.hint)
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("sink", ["json", "ndjson", "yaml"])
async def test_objects_take_a_field_where_it_comes(sink: str, work: Path):
    import yaml

    target = work / "rows"
    await getattr(stream_of(LATE), sink)(str(target))
    text = target.read_text()
    found = [json.loads(line) for line in text.splitlines()] if sink == "ndjson" else yaml.safe_load(text)
    assert found == LATE


async def test_parquet_takes_a_late_field_as_one_more_column(work: Path, monkeypatch: pytest.MonkeyPatch):
    import polars

    monkeypatch.setattr("dhis2sh.rows.formats.SPOOLED", 2)
    target = work / "rows.parquet"
    rows = [*LATE, {"id": "d", "value": 2.5}, {"id": "e", "value": None}]
    assert str(await stream_of(rows).parquet(str(target))).endswith("5 rows")
    assert polars.read_parquet(target).to_dicts() == [{"comment": None, **row} for row in rows]


async def test_a_declared_field_is_null_where_it_is_missing(work: Path):
    columns = ["id", "comment"]
    stream = stream_of(LATE, columns=columns).where("comment is not None")
    assert (await stream.collect()).plain() == LATE[2:]
    assert str(await stream_of(LATE, columns=columns).csv()) == "id,comment\na,\nb,\nc,checked\n"
    late = stream_of([{"id": "x"}, {"id": "y"}, *LATE], columns=["id", "value", "comment"])
    assert str(await late.select("comment").head(5).csv()) == 'comment\n""\n""\n""\n""\nchecked\n'


async def test_an_undeclared_field_that_the_first_rows_lack_is_refused():
    with pytest.raises(PipelineError, match="`comment` is missing in the first 2 rows") as caught:
        await stream_of(LATE).where("comment is not None").collect()
    assert "collect | ..." in str(caught.value.hint)
    assert len(await run("collect | where(comment is not None)", stream_of(LATE))) == 1
    with pytest.raises(PipelineError, match="`valeu` is missing in the first 2 rows") as caught:
        await stream_of().drop("valeu").collect()
    assert "did you mean value" in str(caught.value.hint)


async def test_a_variable_that_turns_out_to_be_a_field_is_refused():
    with pytest.raises(PipelineError, match="`comment` is a field from row 3 on, and was a variable before"):
        await (await run("where(value == 9 or comment == 'x')", stream_of(LATE), comment="x")).collect()


# Sinks --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sink", ["csv", "tsv", "ndjson", "json", "yaml", "md", "xlsx", "parquet"])
@pytest.mark.parametrize("rows", [VALUES, []], ids=["rows", "no rows"])
async def test_a_file_of_a_stream_is_that_of_its_rows(
    sink: str, rows: list[dict[str, Any]], work: Path, monkeypatch: pytest.MonkeyPatch
):
    import polars

    monkeypatch.setattr("dhis2sh.rows.formats.SPOOLED", 4)
    columns = ["id", "value", "level"]
    few = [{name: row[name] for name in columns} for row in rows]
    one, other = work / f"stream.{sink}", work / f"rows.{sink}"
    told = await getattr(stream_of(few, columns=columns), sink)(str(one))
    assert str(told).replace("stream.", "rows.") == str(getattr(Rows(few, columns=columns), sink)(str(other)))
    if sink == "parquet":
        assert polars.read_parquet(one).to_dicts() == polars.read_parquet(other).to_dicts() == few
    elif sink == "xlsx" and rows:
        assert polars.read_excel(one).to_dicts() == polars.read_excel(other).to_dicts() == few
    elif sink != "xlsx":
        assert one.read_text() == other.read_text()
    assert sorted(work.iterdir()) == [other, one]


async def test_a_file_is_written_as_rows_come_and_appears_when_it_is_whole(work: Path):
    target = work / "rows.ndjson"
    seen: list[int] = []

    async def batches() -> AsyncGenerator[list[dict[str, Any]]]:
        for n in range(40):
            seen.append(sum(path.stat().st_size for path in work.iterdir()))
            assert not target.exists()
            yield [{"id": n, "text": "x" * 1000}]
        raise Dhis2Error("the server has gone away")

    with pytest.raises(Dhis2Error, match="gone away"):
        await Stream(batches()).ndjson(str(target))  # type: ignore[misc]
    assert 0 < seen[20] < seen[-1], "not held until the end"
    assert list(work.iterdir()) == []


def test_a_sheet_has_an_end(work: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dhis2sh.rows.formats.SHEET_ROWS", 4)
    with pytest.raises(Dhis2Error, match="a sheet takes 3 rows"):
        Rows(VALUES).xlsx(str(work / "rows.xlsx"))
    assert list(work.iterdir()) == []


async def test_who_holds_many_rows_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "MANY", 4)
    monkeypatch.setattr("dhis2sh.rows.sinks.MANY", 4)
    heard: list[str] = []
    stream = stream_of()
    stream.warn = heard.append
    await run("where(value > 1) | sort(value)", stream)
    assert heard == ["sort holds every row in memory: 4 so far; where, select and head before it make it less"]
    with pytest.warns(UserWarning, match="csv without a file holds every row in memory: 4 so far"):
        await stream_of().csv()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await stream_of().head(3).sort("value")
        assert await stream_of().len() == 10


async def test_a_function_of_the_user_gets_every_row():
    assert await run("where(value > 3) | mine", stream_of(), mine=lambda rows: len(rows.items)) == 6


@pytest.mark.parametrize(
    "tail", ["where(level = 2)", "head('x')", "csv(nope)", "sample(-1)", "head(1, 2, 3)", "select(1/0)"]
)
async def test_wrong_arguments_are_errors_of_the_pipeline(tail: str):
    with pytest.raises(PipelineError):
        await (await run(tail, stream_of())).collect()


async def test_a_stream_says_what_it_is_not():
    stream = stream_of()
    with pytest.raises(TypeError, match="`async for`"):
        list(stream)
    with pytest.raises(PipelineError, match="has to be read first"):
        to_json(stream)
    with pytest.raises(AttributeError, match="no attribute or stage"):
        _ = stream.nope
    assert set(stages()) <= set(dir(stream))
    assert await (stream | (lambda found: found.len())) == 10
