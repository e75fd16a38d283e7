"""Aggregate analytics by name, whole and in pieces."""

import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.analytics import pieces
from dhis2sh.client.data_values import DataValues
from dhis2sh.errors import AccessError, NotFound, Refused, ServerFault, TimedOut, UsageError
from dhis2sh.sandbox.analytics import build
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load_file
from dhis2sh.session import Session
from dhis2sh.types import Row
from tests.fakes.person import Somebody
from tests.metadata.calls import call, do
from tests.shared import needs_shared, shared


async def rows(s: Session, *dimensions: str, **more: object) -> list[dict[str, Any]]:
    stream = await call(s, "analytics query", dimensions=list(dimensions), **more)
    return (await stream.collect()).plain()


async def test_rows_have_names_and_numbers(s: Session):
    found = await rows(s, "dx=Visits", "pe=202501", "ou=LEVEL-District")
    assert {(row["dxName"], row["ouName"]): row["value"] for row in found} == {
        ("Visits", "North"): 35,
        ("Visits", "South"): 1,
    }


async def test_every_kind_of_name(s: Session):
    (row,) = await rows(s, "dx=Share of women", "pe=202501", "ou=Clinic A")
    assert row["value"] == pytest.approx(66.67)
    found = await rows(s, "dx=Visits", "pe=202501..202502", filter=["ou=OU_GROUP-Urban;Nation"])
    assert {row["pe"]: row["value"] for row in found} == {"202501": 31, "202502": 42}
    found = await rows(s, "dx=Visits", "Place=Urban;Rural", filter=["pe=202501", "ou=Nation"])
    assert {row["value"] for row in found} == {31, 5}


@pytest.mark.parametrize(("dimensions", "error", "why"), [
    (["dx=Visits", "pe=202501"], UsageError, r"no organisation units \(ou\)"),
    (["dx=Visits", "ou=Nation"], UsageError, r"no time \(pe\)"),
    (["pe=202501", "ou=Nation"], UsageError, r"no data \(dx\)"),
    (["dx=Visits", "pe=202501_202503", "ou=Nation"], UsageError, "'202501_202503' is not a period"),
    (["dx=Vists", "pe=202501", "ou=Nation"], NotFound, "'Vists'"),
    (["Visits"], UsageError, "'Visits' is no dimension"),
])  # fmt: skip
async def test_what_a_server_would_answer_with_nothing_or_with_everything_is_refused(
    s: Session, dimensions: list[str], error: type[Exception], why: str
):
    with pytest.raises(error, match=why):
        await rows(s, *dimensions)


@pytest.mark.parametrize(
    "units",
    ["Nation;LEVEL-3", "LEVEL-Clinic", "Nation;North;LEVEL-3", "USER_ORGUNIT;LEVEL-3", "USER_ORGUNIT_CHILDREN;North"],
)
async def test_a_question_that_is_too_large_is_asked_in_pieces(s: Session, monkeypatch: pytest.MonkeyPatch, units: str):
    """The rows are those of the whole, whichever way it is cut, and none comes twice: of a unit below another neither."""
    asked = ("dx=Visits;Stock;Temperature", "pe=202501..202503", f"ou={units}")
    whole = await rows(s, *asked)
    query = s.client.analytics.query
    sizes: list[int] = []

    async def limited(dimensions: Any, **more: Any) -> Any:
        grid = await query(dimensions, **more)
        if len(grid.rows) > 1:
            raise Refused(
                "Number of rows produced by query is larger than the max limit: `1`", code="E7128", status=409
            )
        sizes.append(len(grid.rows))
        return grid

    monkeypatch.setattr(s.client.analytics, "query", limited)
    pieces = await rows(s, *asked)
    assert Counter(map(repr, pieces)) == Counter(map(repr, whole))
    assert max(sizes) <= 1


async def test_what_cannot_be_cut_is_refused_in_the_servers_words(s: Session, monkeypatch: pytest.MonkeyPatch):
    async def never(*_: Any, **__: Any) -> Any:
        raise Refused("Number of rows is larger than the max limit: `0`", code="E7128", status=409)

    monkeypatch.setattr(s.client.analytics, "query", never)
    with pytest.raises(Refused, match="E7128"):
        await rows(s, "dx=Visits", "pe=202501..202502", "ou=Nation")


@needs_shared
async def test_totals_by_district_equal_a_plain_sum_over_the_recorded_values(real_home: Path):
    store = open_store(real_home / "data" / "sandbox.db")
    load_file(store, shared("real", "v42", "dataValues.json.gz"))
    store.close()
    metadata = json.loads(gzip.decompress(shared("real", "v42", "metadata.json.gz").read_bytes()))
    paths = {unit["id"]: unit["path"].split("/") for unit in metadata["organisationUnits"]}
    element = next(item["id"] for item in metadata["dataElements"] if item["name"] == "BCG doses given")
    plain: Counter[str] = Counter()
    for value in json.loads(gzip.decompress(shared("real", "v42", "dataValues.json.gz").read_bytes()))["dataValues"]:
        if value["dataElement"] == element and value["period"].startswith("2025"):
            plain[paths[value["orgUnit"]][2]] += float(value["value"])
    session = Session("sandbox")
    try:
        found = await rows(session, "dx=BCG doses given", "pe=2025", "ou=LEVEL-2")
    finally:
        await session.aclose()
    assert {row["ou"]: row["value"] for row in found} == dict(plain)


@pytest.mark.parametrize(("error", "cut"), [
    (Refused("Query result set exceeded max limit: `50000`", code="E7128", status=409), True),
    (Refused("Query result set exceeded max limit: `50000`", code="E7129", status=409), True),
    (Refused("Program is specified but does not exist: `abc`", code="E7129", status=409), False),
    (Refused("Query failed, likely because the query timed out", code="E7131", status=409), True),
    (Refused("too large", status=413), True),
    (ServerFault("Gateway Time-out", status=504), True),
    (ServerFault("it broke", status=500), False),
    (TimedOut("no answer within 60 s"), True),
    (UsageError("no"), False),
])  # fmt: skip
def test_what_a_smaller_question_may_help(error: Exception, cut: bool):
    assert pieces.too_much(error) is cut


async def test_tables_that_were_never_built_are_said_with_what_builds_them(country: Session):
    with pytest.raises(Refused, match="E7144") as told:
        await rows(country, "dx=Penta vials used", "pe=202501", "ou=LEVEL-2")
    assert told.value.hint is not None
    assert "maintenance refresh analytics" in told.value.hint


def test_rates_without_a_registration_want_one_before_the_tables_are_built():
    """Recorded of 2.43 (analytics-dx 5): it builds no table of completeness where nothing is registered."""
    error = Refused("a referenced table does not exist", code="E7144", status=409)
    assert "dhis2 data complete" in str(pieces.with_advice(error, ["abcdefghijk.REPORTING_RATE"]).hint)
    for data in (["abcdefghijk.EXPECTED_REPORTS"], ["abcdefghijk"], []):
        assert pieces.with_advice(error, data).hint == pieces.HOW_TO_BUILD


NEVER_COUNTED = [
    "name=Never counted", "shortName=Never counted", "valueType=INTEGER", "domainType=AGGREGATE", "aggregationType=SUM",
]  # fmt: skip


NONE = "the analytics tables have nothing for this: "


async def none_of(s: Session, *dimensions: str, **more: object) -> str:
    """What is said of a question that has no numbers."""
    s.person = heard = Somebody()
    assert await rows(s, *dimensions, **more) == []
    (said,) = heard.notes
    return said


async def test_a_question_without_an_answer_says_for_when_there_are_numbers(s: Session):
    """The numbers of the sandbox end in 2025."""
    said = await none_of(s, "dx=Visits", "pe=203001;203002", "ou=Nation")
    assert said == f"{NONE}these data have numbers in these units from 2025 to 202502"
    said = await none_of(s, "dx=Visits", "pe=2025W1;20250115", "ou=LEVEL-2")
    assert (
        said
        == f"{NONE}2025W1 and 20250115 are Weekly and Daily, and these data are Monthly: they begin in 202412, 202501"
    )


async def test_data_of_longer_periods_are_told_by_theirs(s: Session):
    """A quarter has no months, and the last one with a number is a quarter; a financial year belongs to no calendar year."""
    for at, (kind, period) in enumerate((("Quarterly", "2025Q2"), ("FinancialJuly", "2024July"))):
        element = {"id": f"deOther000{at}", "name": kind, "shortName": kind, "domainType": "AGGREGATE",
                   "valueType": "NUMBER", "aggregationType": "SUM"}  # fmt: skip
        body = {"id": f"dsOther000{at}", "name": f"By {kind}", "shortName": f"By {kind}", "periodType": kind,
                "dataSetElements": [{"dataElement": {"id": element["id"]}}], "organisationUnits": [{"id": "ouClinicA01"}]}  # fmt: skip
        await s.client.post("metadata", {"dataElements": [element], "dataSets": [body]})
        row = {"dataElement": str(element["id"]), "period": period, "orgUnit": "ouClinicA01", "value": "7"}
        await s.client.data_values.stream_in([row])
    build.build(s.sandbox_store())
    said = await none_of(s, "dx=Quarterly", "pe=202504", "ou=Nation")
    assert said == f"{NONE}202504 is Monthly, and these data are Quarterly: it begins in 2025Q2"
    said = await none_of(s, "dx=Quarterly", "pe=2024", "ou=Nation")
    assert said == f"{NONE}these data have numbers in these units from 2025 to 2025Q2"
    said = await none_of(s, "dx=FinancialJuly", "pe=2026July", "ou=Nation")
    assert said == f"{NONE}these data have numbers in these units for 2024July"


async def test_what_narrows_a_question_is_named_where_it_leaves_nothing(s: Session):
    said = await none_of(s, "dx=Visits", "pe=2025", "ou=Clinic A", filter=["Place=Rural"])
    assert said == f"{NONE}there are numbers without 'Place'"
    said = await none_of(s, "dx=Visits", "pe=2025", "ou=Nation", measure_criteria="GT:99999999")
    assert said == f"{NONE}there are numbers without the conditions"


async def test_a_question_about_nothing_at_all_says_what_was_looked_up(s: Session):
    await do(s, "metadata create", type="dataElements", set=NEVER_COUNTED)
    said = await none_of(s, "dx=Never counted", "pe=2025", "ou=Nation")
    assert said == f"{NONE}of these data in these units there is nothing in this year and the ten before it"
    await do(
        s,
        "metadata create",
        type="dataElements",
        set=[*NEVER_COUNTED[2:], "name=Seen", "shortName=Seen", "domainType=TRACKER"],
    )
    said = await none_of(s, "dx=Seen", "pe=2025", "ou=Nation")
    assert said.startswith(f"{NONE}'Seen' is collected in programs alone: dhis2 analytics events  and  dhis2 analytics")


async def test_values_that_are_newer_than_the_tables_are_not_nothing(s: Session):
    """Of an element that has no number at all, and of one that has some for other periods; in whatever units."""
    fresh = "entered and not aggregated yet: dhis2 maintenance refresh analytics --watch"
    said = await none_of(s, "dx=Visits", "pe=202506", "ou=LEVEL-3")
    assert said == f"{NONE}these data have numbers in these units from 2025 to 202502"
    await do(s, "metadata create", type="dataElements", set=[*NEVER_COUNTED, "id=deNever0001"])
    for element in ("deNever0001", "deVisits001"):
        row = {"dataElement": element, "period": "202506", "orgUnit": "ouClinicA01", "value": "7"}
        await s.client.data_values.stream_in([row])
    for data in ("Visits", "Never counted"):
        for units in ("Nation", "LEVEL-3", "USER_ORGUNIT"):
            said = await none_of(s, f"dx={data}", "pe=202506", f"ou={units}")
            assert said == f"{NONE}there are values such as of 202506, {fresh}"
    said = await none_of(s, "dx=Never counted", "pe=202401", "ou=Nation")
    assert said == f"{NONE}there are values such as of 202506, {fresh}"
    said = await none_of(s, "dx=Never counted", "pe=202506", "ou=Clinic B")
    assert said == f"{NONE}of these data in these units there is nothing in this year and the ten before it"


async def test_what_was_entered_is_nothing_said_of_where_it_may_not_be_read(
    s: Session, monkeypatch: pytest.MonkeyPatch
):
    row = {"dataElement": "deVisits001", "period": "202506", "orgUnit": "ouClinicA01", "value": "7"}
    await s.client.data_values.stream_in([row])

    async def refused(*_: object, **__: object) -> AsyncIterator[list[Row]]:
        raise AccessError("you may not read them")
        yield []

    monkeypatch.setattr(DataValues, "batches", refused)
    said = await none_of(s, "dx=Visits", "pe=202506", "ou=Nation")
    assert said == f"{NONE}these data have numbers in these units from 2025 to 202502"


async def test_an_indicator_without_a_value_is_told_with_the_command_that_says_why(s: Session):
    """No data may be the reason, or a denominator of 0: which of them it is, is looked up for one number."""
    (row,) = (await s.client.list_page("indicators", {"filter": "name:eq:Share of women", "fields": ":owner"})).rows
    await s.client.put(f"indicators/{row['id']}", {**row, "denominator": "#{deVisits001} - #{deVisits001}"})
    said = await none_of(s, "dx=Share of women", "pe=202501", "ou=Clinic A")
    assert said == (
        f"{NONE}of 'Share of women' in these units there is nothing in this year and the ten before it, which a denominator "
        f"of 0 leaves too: dhis2 analytics explain {row['id']} --org-unit ouClinicA01 --period 202501  says why of one number"
    )


async def test_rates_of_periods_that_have_no_report_are_no_plain_zero(s: Session):
    s.person = heard = Somebody()
    await rows(s, "dx=Monthly.REPORTING_RATE", "pe=2025W3", "ou=Nation")
    assert heard.warnings == [
        "rates of these periods say nothing: 2025W3 is Weekly, and these data are Monthly: it begins in 202501"
    ]


async def test_a_data_set_in_place_of_data_is_told_by_its_rates(s: Session):
    with pytest.raises(NotFound) as told:
        await rows(s, "dx=Monthly", "pe=202501", "ou=LEVEL-2")
    assert told.value.hint == "'Monthly' is a data set, which has rates: dx='Monthly.REPORTING_RATE'"
    with pytest.raises(UsageError, match="'Facility Type' is no dimension") as bare:
        await rows(s, "dx=Visits", "pe=202501", "ou=LEVEL-2", "Facility Type")
    assert "'Facility Type=' for all of a dimension" in str(bare.value.hint)


async def test_a_level_that_there_is_not_comes_with_where_the_levels_are(s: Session):
    with pytest.raises(Refused, match="E7143") as told:
        await rows(s, "dx=Visits", "pe=2025", "ou=LEVEL-9")
    assert "organisationUnitLevels" in str(told.value.hint)


async def test_further_parameters(s: Session):
    found = await rows(s, "dx=Visits", "pe=202501", "ou=LEVEL-District", measure_criteria="GE:10")
    assert [row["ouName"] for row in found] == ["North"]
    (row,) = await rows(s, "dx=Share of women", "pe=202501", "ou=Clinic A", include_num_den=True)
    assert (row["numerator"], row["denominator"]) == (20, 30)
    with pytest.raises(UsageError, match="'>10' is no condition"):
        await rows(s, "dx=Visits", "pe=202501", "ou=Nation", measure_criteria=">10")
    with pytest.raises(UsageError, match="'2025' is no day"):
        await rows(s, "dx=Visits", "pe=LAST_MONTH", "ou=Nation", relative_period_date="2025")


async def test_a_range_of_periods_that_runs_backwards_is_said(s: Session):
    with pytest.raises(UsageError, match="202506 is after 202501"):
        await rows(s, "dx=Visits", "pe=202506..202501", "ou=Nation")
