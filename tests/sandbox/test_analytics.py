"""Aggregate analytics: the figures of a country that can be added up by hand, and those of a real server."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from dhis2sh.dhis2.periods import PERIOD_TYPES, Period
from dhis2sh.sandbox.analytics import build
from dhis2sh.sandbox.analytics.aggregate import Request, Tables
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.data.model import Model
from dhis2sh.sandbox.java.numbers import java_double, plain, rounded
from dhis2sh.sandbox.load import load_file
from dhis2sh.sandbox.metadata.period_names import period_name
from tests.sandbox.nation import FEMALE, MALE, Caller, nation
from tests.shared import needs_shared, shared


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Caller]:
    with nation() as caller:
        yield caller


def rows(sandbox: TestClient, *dimensions: str, more: str = "") -> list[list[str]]:
    """The rows of a query, sorted; a dimension that begins with `filter=` is a filter."""
    parts = [text if "=" in text else f"dimension={text}" for text in dimensions]
    answer = sandbox.get(f"/api/analytics?{'&'.join(parts)}{more}")
    assert answer.status_code == 200, answer.text
    return sorted(answer.json()["rows"])


NATION, YEAR = "filter=ou:ouNation001", "filter=pe:2025"


def test_values_add_up_over_periods_and_org_units(sandbox: Caller) -> None:
    assert rows(sandbox, "dx:deVisits001", "pe:2025", "ou:ouNation001") == [
        ["deVisits001", "2025", "ouNation001", "78"]
    ]
    assert rows(sandbox, "dx:deVisits001", "ou:LEVEL-2", "filter=pe:202501;202502") == [
        ["deVisits001", "ouNorth0001", "75"], ["deVisits001", "ouSouth0001", "3"],
    ]  # fmt: skip
    assert rows(sandbox, "dx:deVisits001", "pe:202501;2025Q1;202504", NATION) == [
        ["deVisits001", "202501", "36"], ["deVisits001", "2025Q1", "78"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("aggregation", "total"),
    [("SUM", "78"), ("AVERAGE", "13"), ("COUNT", "6"), ("MIN", "1"), ("MAX", "40"), ("STDDEV", "14.94"),
     ("LAST", "68"), ("FIRST", "38")],
)  # fmt: skip
def test_aggregation_types(sandbox: Caller, aggregation: str, total: str) -> None:
    found = rows(sandbox, "dx:deVisits001", YEAR, NATION, more=f"&aggregationType={aggregation}")
    assert found == [["deVisits001", total]]


def test_elements_aggregate_as_they_say(sandbox: Caller) -> None:
    # Stock is the last one of each clinic (70 and 9), temperature the mean of all.
    assert rows(sandbox, "dx:deStock0001;deTemp00001", YEAR, NATION) == [["deStock0001", "79"], ["deTemp00001", "25"]]
    # The last stock before a month without one still counts.
    assert rows(sandbox, "dx:deStock0001", "pe:202502", NATION) == [["deStock0001", "202502", "109"]]


def test_operands_categories_and_groups_cut_the_same_total(sandbox: Caller) -> None:
    assert rows(sandbox, f"dx:deVisits001.{MALE};deVisits001.{FEMALE}", YEAR, NATION) == [
        [f"deVisits001.{FEMALE}", "21"], [f"deVisits001.{MALE}", "57"],
    ]  # fmt: skip
    assert rows(sandbox, "dx:deVisits001", "catSex00001:optMale0001;optFemale01", YEAR, NATION) == [
        ["deVisits001", "optFemale01", "21"], ["deVisits001", "optMale0001", "57"],
    ]  # fmt: skip
    assert rows(sandbox, "dx:deVisits001", "co", YEAR, NATION) == [
        ["deVisits001", FEMALE, "21"], ["deVisits001", MALE, "57"],
    ]  # fmt: skip
    assert rows(sandbox, "dx:deVisits001", "ougsPlace01", YEAR, NATION) == [
        ["deVisits001", "ougRural001", "5"], ["deVisits001", "ougUrban001", "73"],
    ]  # fmt: skip
    assert rows(sandbox, "dx:DE_GROUP-degAll00001", YEAR, "filter=ougsPlace01:ougRural001") == [
        ["deTemp00001", "25"], ["deVisits001", "5"],
    ]  # fmt: skip


def test_indicators(sandbox: Caller) -> None:
    assert rows(sandbox, "dx:inShareF001", YEAR, NATION, more="&includeNumDen=true") == [
        ["inShareF001", "26.92", "21.0", "78.0", "100.0", "100", "1"]
    ]
    assert rows(sandbox, "dx:inGrowth001", "pe:202501;202502", NATION) == [
        ["inGrowth001", "202501", "3600.0"], ["inGrowth001", "202502", "600.0"],
    ]  # fmt: skip


def test_an_indicator_may_count_with_a_constant(sandbox: Caller) -> None:
    sandbox.store.put_objects({"constants": [{"id": "constantTwo", "name": "Two", "value": 2.0}]})
    doubled = {**(sandbox.store.get("indicators", "inShareF001") or {}), "id": "inDouble001"}
    alone = {**doubled, "id": "inConstant1", "numerator": "C{constantTwo}", "denominator": "1"}
    doubled["numerator"] = f"{doubled['numerator']} * C{{constantTwo}}"
    sandbox.store.put_objects({"indicators": [doubled, alone]})
    assert rows(sandbox, "dx:inDouble001", YEAR, NATION) == [["inDouble001", "53.85"]]
    answer = sandbox.get(f"/api/analytics?dimension=dx:inConstant1&{YEAR}&{NATION}")
    assert (answer.status_code, "constants alone" in answer.text) == (501, True)


def test_reporting_rates_count_what_was_expected(sandbox: Caller) -> None:
    body = [
        {"dataSet": "dsMonthly01", "period": "202501", "organisationUnit": unit, "date": date}
        for unit, date in (("ouClinicA01", "2025-02-03"), ("ouClinicC01", "2025-03-30"))
    ]
    sandbox.post("/api/completeDataSetRegistrations", json={"completeDataSetRegistrations": body})
    build.build(sandbox.store)

    def rate(metric: str, period: str = "202501") -> list[list[str]]:
        return rows(sandbox, f"dx:dsMonthly01.{metric}", f"filter=pe:{period}", "ou:ouNorth0001;ouSouth0001")

    assert [row[-1] for row in rate("EXPECTED_REPORTS", "2025Q1")] == ["6", "3"]
    assert [row[-1] for row in rate("ACTUAL_REPORTS")] == ["1", "1"]
    assert [row[-1] for row in rate("REPORTING_RATE")] == ["50", "100"]
    assert [row[-1] for row in rate("REPORTING_RATE_ON_TIME")] == ["50", "0"]


def test_criteria_order_and_identifiers(sandbox: Caller) -> None:
    by_unit = ("dx:deVisits001", "ou:LEVEL-3", YEAR)
    assert [row[1] for row in rows(sandbox, *by_unit, more="&measureCriteria=GT:4;LE:70")] == [
        "ouClinicA01",
        "ouClinicB01",
    ]
    assert [row[-1] for row in rows(sandbox, *by_unit, more="&preAggregationMeasureCriteria=GE:10")] == ["70"]
    answer = sandbox.ask(
        f"/api/analytics?dimension={by_unit[0]}&dimension={by_unit[1]}&{YEAR}&order=DESC&outputIdScheme=NAME"
    )
    assert answer["rows"] == [["Visits", "Clinic A", "70"], ["Visits", "Clinic B", "5"], ["Visits", "Clinic C", "3"]]


def test_metadata_and_relative_periods(sandbox: Caller) -> None:
    meta = sandbox.ask(
        "/api/analytics?dimension=dx:deVisits001&dimension=pe:LAST_3_MONTHS&relativePeriodDate=2025-04-10"
        "&dimension=ou:USER_ORGUNIT;USER_ORGUNIT_CHILDREN&hierarchyMeta=true"
    )["metaData"]
    assert meta["dimensions"] == {  # type: ignore[index, call-overload]
        "dx": ["deVisits001"], "pe": ["202501", "202502", "202503"], "co": [FEMALE, MALE],
        "ou": ["ouNation001", "ouNorth0001", "ouSouth0001"],
    }  # fmt: skip
    items = meta["items"]  # type: ignore[index, call-overload]
    assert items["LAST_3_MONTHS"] == {"name": "Last 3 months"} and items["202501"] == {"name": "January 2025"}  # type: ignore[index, call-overload]
    assert meta["ouHierarchy"]["ouNorth0001"] == "ouNation001"  # type: ignore[index, call-overload]


def test_a_table_has_rows_down_and_columns_across(sandbox: Caller) -> None:
    grid = sandbox.ask(
        "/api/analytics?dimension=dx:deVisits001&dimension=pe:202501;202502&dimension=ou:LEVEL-2"
        "&tableLayout=true&columns=dx;pe&rows=ou"
    )
    assert [header["column"] for header in grid["headers"]][4:] == ["Visits January 2025", "Visits February 2025"]  # type: ignore[index, union-attr, call-overload]
    assert [[row[1], *row[4:]] for row in grid["rows"]] == [["North", "35", "40"], ["South", "1", "2"]]  # type: ignore[index, union-attr, misc, call-overload]


def test_raw_data_and_data_value_sets(sandbox: Caller) -> None:
    query = "dimension=dx:deVisits001&dimension=pe:202501&dimension=ou:ouNorth0001"
    raw = sandbox.ask(f"/api/analytics/rawData.json?{query}")["rows"]
    assert sorted(raw)[0] == ["deVisits001", "ouClinicA01", "202501", "2025-01-01", "2025-01-31", "10.0"]  # type: ignore[type-var, arg-type]
    values = sandbox.ask(f"/api/analytics/dataValueSet.json?{query}")["dataValues"]
    assert [(item["orgUnit"], item["value"]) for item in values] == [("ouNorth0001", "35")]  # type: ignore[index, union-attr, call-overload]
    assert sandbox.get(f"/api/analytics.csv?{query}").text == (
        "Data,Period,Organisation unit,Value\ndeVisits001,202501,ouNorth0001,35\n"
    )


def test_explain_shows_the_statements_and_that_they_enter_by_the_key(sandbox: Caller) -> None:
    metrics = sandbox.ask("/api/analytics/explain?dimension=dx:deVisits001&dimension=pe:2025&dimension=ou:LEVEL-2")
    plans = metrics["performanceMetrics"]["executionPlans"]  # type: ignore[index, call-overload]
    assert len(plans) == 1 and "analytics_value" in plans[0]["query"]  # type: ignore[arg-type, index, call-overload]
    assert any("USING PRIMARY KEY (dx=? AND pe=?" in step for step in plans[0]["plan"])  # type: ignore[index, union-attr, call-overload]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("dimension=dx:deMissing01&dimension=pe:2025", "E7124"),
        ("dimension=dx:deVisits001", "E7146"),
        ("dimension=dx:deVisits001&dimension=pe:never", "E7611"),
        ("dimension=xMissing001:a&dimension=pe:2025", "E7125"),
        ("dimension=dx:deVisits001&dimension=pe:2025&startDate=2025-01-01&endDate=2025-02-01", "E7105"),
        ("dimension=dx:deVisits001&startDate=2025-03-01&endDate=2025-02-01", "E7106"),
        ("dimension=dx:deVisits001&filter=dx:deVisits001&dimension=pe:2025", "E7103"),
        ("dimension=dx:deVisits001&dimension=pe:2025&dimension=pe:2024", "E7111"),
        ("dimension=dx:deVisits001&dimension=pe:2025&dimension=ou:LEVEL-nine", "E7143"),
    ],
)
def test_refusals(sandbox: Caller, query: str, code: str) -> None:
    answer = sandbox.get(f"/api/analytics?{query}")
    assert (answer.status_code, answer.json()["errorCode"]) == (409, code)


def test_tables_must_be_built_by_a_job_that_can_be_watched() -> None:
    with nation() as sandbox:
        build.clear(sandbox.store)
        query = "/api/analytics?dimension=dx:deVisits001&dimension=pe:2025"
        assert sandbox.ask(query)["errorCode"] == "E7144"

        job = sandbox.post("/api/resourceTables/analytics").json()["response"]
        deadline = time.monotonic() + 60
        while not (notes := sandbox.get(job["relativeNotifierEndpoint"]).json()) or not notes[0]["completed"]:
            assert time.monotonic() < deadline
        assert notes[0]["message"].startswith("Analytics tables updated: 00:0")
        said = [note["message"] for note in reversed(notes)]
        assert said[:3] == ["Analytics table update process", "Drop SQL views", "0 successful and 0 failed items"]
        assert (
            "Swapping analytics tables: 'DATA_VALUE'" in said and "Populating 1 analytics tables: 'EVENT'" not in said
        )
        assert sandbox.ask(query)["rows"] == [["deVisits001", "2025", "78"]]


# Periods -------------------------------------------------------------------------------------------------------------

kinds = st.sampled_from([kind for kind in PERIOD_TYPES if kind.since <= 42])
days = st.dates(dt.date(2024, 1, 1), dt.date(2026, 12, 31))


@given(kinds, days)
def test_a_window_holds_exactly_the_data_periods_within_it(kind: object, day: dt.date) -> None:
    asked = Period.of(kind, day)  # type: ignore[arg-type]
    window = _tables().window(asked.iso, asked.start, asked.end, asked.type)
    inside = {text for text in ("202501", "202502", "202503") if _within(text, asked)}
    names = {number: text for text, number in _tables().numbers("pe").items()}
    assert {names[member[0]] for member in window.members} == inside
    assert window.days == (asked.end - asked.start).days + 1


@given(st.lists(st.sampled_from([f"2025{month:02}" for month in range(1, 13)]), min_size=1, max_size=12, unique=True))
def test_the_parts_of_a_span_add_up_to_the_whole(months: list[str]) -> None:
    tables = _tables()
    parts = [tables.window(text, Period.parse(text).start, Period.parse(text).end) for text in months]
    one_by_one = tables.totals(Request(["deVisits001"], parts), "SUM")
    whole = parts[0]._replace(name="*", members=[member for part in parts for member in part.members])
    together = tables.totals(Request(["deVisits001"], [whole]), "SUM")
    assert sum(one_by_one.values()) == sum(together.values())


@given(kinds, days)
def test_every_period_has_a_name_of_its_own(kind: object, day: dt.date) -> None:
    period = Period.of(kind, day)  # type: ignore[arg-type]
    assert period_name(period) and period_name(period) != period_name(period.next())


def _within(text: str, asked: Period) -> bool:
    period = Period.parse(text)
    weekly = asked.type.name.startswith(("Weekly", "BiWeekly", "Daily"))
    return not weekly and asked.start <= period.start and period.end <= asked.end


_KEPT: list[Tables] = []


def _tables() -> Tables:
    """The tables of one sandbox for every example of a property."""
    if not _KEPT:
        from dhis2sh.sandbox.load import load
        from tests.sandbox.nation import VALUES, metadata

        store = open_store()
        load(store, metadata())
        load(store, {"dataValues": VALUES})
        _KEPT.append(Tables(store, Model(store)))
    return _KEPT[0]


@pytest.mark.parametrize(
    ("value", "as_double", "as_value"),
    [(88039.0, "88039.0", "88039"), (25.666, "25.67", "25.67"), (0.005, "0.01", "0.01"), (-9958.0, "-9958.0", "-9958"),
     (12345678.0, "1.2345678E7", "12345678")],
)  # fmt: skip
def test_numbers_are_written_as_java_writes_them(value: float, as_double: str, as_value: str) -> None:
    assert (java_double(rounded(value)), plain(rounded(value))) == (as_double, as_value)


# A real server -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    store = open_store(tmp_path_factory.mktemp("real") / "sandbox.db")
    for name in ("metadata.json.gz", "dataValues.json.gz"):
        load_file(store, shared("real", "v42", name))
    with TestClient(create_app(store)) as caller:
        caller.auth = ("admin", "district")
        yield caller
    store.close()


@needs_shared
def test_figures_are_those_that_a_real_server_gave(real: TestClient) -> None:
    lines = Path(shared("wire", "v42", "analytics.jsonl")).read_text().splitlines()
    compared = 0
    for exchange in map(json.loads, lines):
        if exchange["path"] != "/api/analytics" or exchange["response"]["status"] != 200:
            continue
        if any("LAST_" in text for _, text in exchange["query"]):  # depends on the day
            continue
        answer = real.get(exchange["path"], params=exchange["query"]).json()
        assert sorted(answer["rows"]) == sorted(exchange["response"]["body"]["rows"]), exchange["query"]
        compared += 1
    assert compared >= 6


@needs_shared
def test_a_year_of_every_element_is_quick(real: TestClient) -> None:
    elements = ";".join(
        row["id"] for row in real.get("/api/dataElements?paging=false&fields=id").json()["dataElements"]
    )
    began = time.process_time()
    found = rows(real, f"dx:{elements}", "pe:2025", "ou:LEVEL-2")
    assert len(found) > 400 and time.process_time() - began < 2
