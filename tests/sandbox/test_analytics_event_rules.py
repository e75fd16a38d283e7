"""Rules of event and tracked-entity analytics that were seen on servers: columns, metadata, refusals, versions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dhis2sh.sandbox.load import load
from tests.sandbox.nation import Caller, nation
from tests.sandbox.test_analytics_events import ALL, BABIES, METADATA


def filled(caller: Caller) -> Caller:
    """The country with three births."""
    load(caller.store, METADATA)
    load(caller.store, {"trackedEntities": BABIES})
    return caller


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Caller]:
    with nation() as caller:
        yield filled(caller)


def test_columns_come_in_the_order_of_the_servers_hash_table(sandbox: Caller) -> None:
    def names(query: str) -> list[str]:
        grid = sandbox.ask(f"/api/analytics/events/aggregate/prBirths001?{query}")
        return [header["name"] for header in grid["headers"]]  # type: ignore[index, union-attr, call-overload]

    # Items stand before org units and periods, and lose their stage.
    asked = "dimension=ou:ouNation001&dimension=pe:2025&dimension=psBirth0001.deWeight001"
    assert names(asked) == ["deWeight001", "ou", "pe", "value"]
    turned = "dimension=pe:2025&dimension=ou:ouNation001"
    assert names(turned) == names("dimension=ou:ouNation001&dimension=pe:2025")


def test_a_query_names_its_periods_but_has_none(sandbox: Caller) -> None:
    asked = "events/query/prBirths001?dimension=ou:ouNation001&dimension=pe:2025Q1&dimension=psBirth0001.deWeight001"
    meta = sandbox.ask(f"/api/analytics/{asked}")["metaData"]
    assert meta["dimensions"]["pe"] == [] and meta["items"]["2025Q1"] == {"name": "January - March 2025"}  # type: ignore[index, call-overload]
    assert "pe" not in meta["items"] and meta["items"]["deWeight001"] == {"name": "Weight"}  # type: ignore[index, call-overload, operator]
    span = sandbox.ask(
        "/api/analytics/events/query/prBirths001?dimension=ou:ouNation001&eventDate=2025-01-01_2025-02-10"
    )
    assert span["metaData"]["items"]["2025-01-01_2025-02-10"] == {"name": "2025-01-01 - 2025-02-10"}  # type: ignore[index, call-overload]
    relative = sandbox.ask(
        "/api/analytics/events/query/prBirths001?dimension=ou:ouNation001&eventDate=LAST_3_MONTHS&relativePeriodDate=2025-04-02"
    )
    items = relative["metaData"]["items"]  # type: ignore[index, call-overload]
    assert items["LAST_3_MONTHS"] == {"name": "Last 3 months"} and "202502" not in items  # type: ignore[index, call-overload, operator]
    assert len(relative["rows"]) == 3  # type: ignore[arg-type]


def test_without_org_units_all_that_may_be_viewed_is_asked_for(sandbox: Caller) -> None:
    grid = sandbox.ask("/api/analytics/events/query/prBirths001?startDate=2025-01-01&endDate=2025-12-31")
    assert len(grid["rows"]) == 3 and grid["headers"][-1]["name"] == "eventstatus"  # type: ignore[arg-type, index, call-overload]
    assert grid["metaData"]["dimensions"]["ou"] == ["ouNation001"] and grid["metaData"]["items"]["ou"] == {}  # type: ignore[index, call-overload]
    admin = sandbox.store.get("users", "M5zQapPyTZI") or {}
    sandbox.store.put_objects({"users": [{**admin, "dataViewOrganisationUnits": [{"id": "ouSouth0001"}]}]})
    limited = sandbox.ask("/api/analytics/events/query/prBirths001?startDate=2025-01-01&endDate=2025-12-31")
    assert len(limited["rows"]) == 1  # type: ignore[arg-type]
    refused = sandbox.ask(f"/api/analytics/events/query/prBirths001?{ALL}")
    assert refused["errorCode"] == "E7120"
    assert sandbox.get("/api/analytics/trackedEntities/query/tetPerson01").status_code == 501
    sandbox.store.put_objects({"users": [admin]})


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("dimension=psBirth0001.deWeight001:XX:1", "No enum constant org.hisp.dhis.common.QueryOperator.XX"),
        ("eventStatus=NOPE", "Cannot convert NOPE to class org.hisp.dhis.event.EventStatus"),
        ("programStatus=NOPE", "Cannot convert NOPE to class"),
    ],
)
def test_what_the_server_cannot_read_is_a_bad_request(sandbox: Caller, query: str, words: str) -> None:
    answer = sandbox.get(f"/api/analytics/events/query/prBirths001?{ALL}&{query}")
    assert answer.status_code == 400 and words in answer.json()["message"]


def test_operators_have_other_names_and_opposites(sandbox: Caller) -> None:
    def found(condition: str) -> list[str]:
        item = f"psBirth0001.deWeight001:{condition}"
        return sorted(row[0] for row in sandbox.ask(  # type: ignore[union-attr, misc]
            f"/api/analytics/events/query/prBirths001?{ALL}&dimension={item}&headers=psi")["rows"])  # fmt: skip

    assert found("GE:3500:LT:4000") == ["evBirth0002"]
    assert found("NEQ:2500") == found("!EQ:2500") == found("NE:2500") == ["evBirth0002", "evBirth0003"]
    assert (
        sandbox.get(f"/api/analytics/events/query/prBirths001?{ALL}&dimension=psBirth0001.deWeight001:SW:2").status_code
        == 501
    )


def test_all_items_may_be_one_column(sandbox: Caller) -> None:
    where = f"/api/analytics/events/aggregate/prBirths001?{ALL}&dimension=psBirth0001.deWeight001"
    texts = sandbox.ask(f"{where}&collapseDataDimensions=true")
    assert {row[0]: row[-1] for row in texts["rows"]} == {  # type: ignore[union-attr, index, misc]
        "Weight: 2500": "1", "Weight: 3500": "1", "Weight: 4000": "1",
    }  # fmt: skip
    assert texts["headers"][0] == {**texts["headers"][0], "name": "dy", "column": "Data"}  # type: ignore[index, call-overload, dict-item]
    sums = sandbox.ask(f"{where}&aggregateData=true&aggregationType=SUM")
    assert [(row[0], row[-1]) for row in sums["rows"]] == [("prBirths001.deWeight001", "10000.0")]  # type: ignore[union-attr, index]
    table = sandbox.ask(
        "/api/analytics/events/aggregate/prBirths001?dimension=ou:LEVEL-2&dimension=pe:2025&tableLayout=true&columns=pe&rows=ou"
    )
    assert table["rows"] == [["North", "2"], ["South", "1"]] and table["metaData"] == {}


def test_tracked_entities_of_a_program_and_a_time(sandbox: Caller) -> None:
    base = "/api/analytics/trackedEntities/query/tetPerson01?dimension=ou:ouNation001&program=prBirths001"
    found = sandbox.ask(f"{base}&dimension=prBirths001.psBirth0001.deWeight001:GT:3000")
    column = found["headers"][-1]  # type: ignore[index, call-overload]
    assert column["column"] == "Weight, Births, Birth" and len(found["rows"]) == 2  # type: ignore[index, call-overload, arg-type]
    dated = sandbox.ask(f"{base}&eventDate=prBirths001.psBirth0001.202501")
    assert len(dated["rows"]) == 1 and dated["metaData"]["dimensions"]["pe"] == ["202501"]  # type: ignore[arg-type, index, call-overload]
    assert dated["metaData"]["items"]["prBirths001.psBirth0001.pe"] == {"name": "Period"}  # type: ignore[index, call-overload]
    assert len(sandbox.ask(f"{base}&pageSize=2&skipMeta=true")["rows"]) == 3  # type: ignore[arg-type]
    assert sandbox.get("/api/analytics/trackedEntities/query/dimensions").status_code == 400


# Versions ------------------------------------------------------------------------------------------------------------


def test_2_43_says_what_limits_a_query_and_when_rows_were_made() -> None:
    with nation("2.43") as caller:
        asked = "dimension=ou:ouNation001&eventDate=202501&programStatus=ACTIVE"
        grid = filled(caller).ask(f"/api/analytics/events/query/prBirths001?{asked}")
        names = [header["name"] for header in grid["headers"]]  # type: ignore[index, union-attr, call-overload]
        assert {"created", "completed", "enrollmentgeometry"} <= set(names)
        dimensions, items = grid["metaData"]["dimensions"], grid["metaData"]["items"]  # type: ignore[index, call-overload]
        assert (dimensions["eventdate"], dimensions["programstatus"], dimensions["pe"]) == (["202501"], ["ACTIVE"], [])  # type: ignore[index, call-overload]
        assert (items["eventdate"], items["ACTIVE"], items["pe"]) == ({"name": "Event date"}, {"name": "Active"}, {})  # type: ignore[index, call-overload]
        totals = caller.ask(
            f"/api/analytics/events/aggregate/prBirths001?{ALL}&dimension=psBirth0001.deWeight001:GT:3000"
        )
        assert totals["headers"][0]["name"] == "psBirth0001.deWeight001"  # type: ignore[index, call-overload]
        page = caller.get(f"/api/analytics.html?dimension=dx:deVisits001&dimension=pe:202501&{ALL[:24]}").text
        assert '<td style="text-align:left">deVisits001</td>' in page and "<td>36</td>" in page


def test_2_41_calls_tracked_entities_instances_and_names_what_is_asked_for() -> None:
    with nation("2.41") as caller:
        base = "/api/analytics/trackedEntities/query/tetPerson01?dimension=ou:ouNation001"
        grid = filled(caller).ask(base)
        assert grid["headers"][0] == {**grid["headers"][0], "name": "trackedentityinstanceuid"}  # type: ignore[index, call-overload, dict-item]
        assert not {"prBirths001", "attrName001"} & set(grid["metaData"]["items"])  # type: ignore[index, call-overload, arg-type]
        named = caller.ask(f"{base}&program=prBirths001&asc=attrName001")["metaData"]["items"]  # type: ignore[index, call-overload]
        assert {"prBirths001", "psBirth0001", "attrName001"} <= set(named)  # type: ignore[arg-type]


# Org units, places and choices ---------------------------------------------------------------------------------------


def test_how_far_below_org_units_rows_may_lie(sandbox: Caller) -> None:
    def found(query: str) -> list[str]:
        asked = f"{query}&startDate=2025-01-01&endDate=2025-12-31&headers=psi"
        grid = sandbox.ask(f"/api/analytics/events/query/prBirths001?{asked}")
        return sorted(row[0] for row in grid["rows"])  # type: ignore[union-attr, index, misc]

    assert found("dimension=ou:ouNorth0001&ouMode=SELECTED") == []
    assert found("dimension=ou:ouClinicA01&ouMode=SELECTED") == ["evBirth0001", "evBirth0002"]
    assert found("dimension=ou:ouNorth0001&ouMode=CHILDREN") == ["evBirth0001", "evBirth0002"]
    assert found("dimension=ou:ouNation001&ouMode=CHILDREN") == []
    assert len(found("dimension=ou:ouNation001&ouMode=DESCENDANTS")) == 3


def test_rows_may_be_limited_to_those_on_a_map(sandbox: Caller) -> None:
    def count(more: str) -> int:
        return len(sandbox.ask(f"/api/analytics/events/query/prBirths001?{ALL}&{more}")["rows"])  # type: ignore[arg-type]

    shapes = (("evBirth0001", '{"type": "Point", "coordinates": [1, 2]}'), ("evBirth0002", '{"type": "Polygon", "coordinates": []}'))  # fmt: skip
    for event, shape in shapes:
        sandbox.store.connection.execute("UPDATE event SET geometry = ? WHERE uid = ?", (shape, event))
    assert (count("coordinatesOnly=true"), count("geometryOnly=true"), count("coordinatesOnly=false")) == (1, 2, 3)


@pytest.mark.parametrize("choice", ["sortOrder=UP", "outputType=PERSON", "aggregationType=HALF", "ouMode=ALL"])
def test_an_unknown_choice_is_a_bad_request(sandbox: Caller, choice: str) -> None:
    answer = sandbox.get(f"/api/analytics/events/aggregate/prBirths001?{ALL}&{choice}")
    assert answer.status_code == 400 and "Valid values are" in answer.json()["message"]


def test_the_way_down_to_org_units(sandbox: Caller) -> None:
    meta = sandbox.ask(
        "/api/analytics/events/query/prBirths001?dimension=ou:ouNorth0001&startDate=2025-01-01&endDate=2025-12-31"
        "&hierarchyMeta=true&showHierarchy=true"
    )["metaData"]
    assert meta["ouHierarchy"] == {"ouNorth0001": "ouNation001"}  # type: ignore[index, call-overload]
    assert meta["ouNameHierarchy"] == {"ouNorth0001": "/Nation/North"}  # type: ignore[index, call-overload]
