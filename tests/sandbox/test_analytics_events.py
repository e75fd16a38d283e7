"""Event, enrollment and tracked-entity analytics, outliers, and what can be asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.sandbox.analytics.outliers import usual_of
from dhis2sh.sandbox.load import load
from dhis2sh.types import JsonObject
from tests.sandbox.nation import Caller, nation, value

METADATA: dict[str, list[JsonObject]] = {
    "trackedEntityTypes": [{"id": "tetPerson01", "name": "Person",
                            "trackedEntityTypeAttributes": [{"trackedEntityAttribute": {"id": "attrName001"}}]}],
    "trackedEntityAttributes": [{"id": "attrName001", "name": "Name", "valueType": "TEXT"}],
    "dataElements": [{"id": "deWeight001", "name": "Weight", "shortName": "Weight", "valueType": "NUMBER",
                      "domainType": "TRACKER", "aggregationType": "AVERAGE"}],
    "programs": [{"id": "prBirths001", "name": "Births", "shortName": "Births", "programType": "WITH_REGISTRATION",
                  "trackedEntityType": {"id": "tetPerson01"}, "incidentDateLabel": "Born on",
                  "programStages": [{"id": "psBirth0001"}]}],
    "programStages": [{"id": "psBirth0001", "name": "Birth", "program": {"id": "prBirths001"},
                       "programStageDataElements": [{"dataElement": {"id": "deWeight001"}}]}],
    "programIndicators": [
        {"id": "piHeavy0001", "name": "Heavy babies", "shortName": "Heavy", "program": {"id": "prBirths001"},
         "expression": "V{event_count}", "filter": "#{psBirth0001.deWeight001} > 3000", "aggregationType": "COUNT",
         "analyticsType": "EVENT"},
        {"id": "piKilos0001", "name": "Mean kilos", "shortName": "Kilos", "program": {"id": "prBirths001"},
         "expression": "d2:round(#{psBirth0001.deWeight001} / 100) / 10", "aggregationType": "AVERAGE",
         "analyticsType": "EVENT"},
    ],
}  # fmt: skip


def _baby(number: int, unit: str, day: str, weight: int) -> JsonObject:
    user = {"uid": "M5zQapPyTZI", "username": "admin", "firstName": "admin", "surname": "admin"}
    moment = f"{day}T00:00:00.000"
    event = {
        "event": f"evBirth000{number}", "program": "prBirths001", "programStage": "psBirth0001", "orgUnit": unit,
        "status": "COMPLETED", "occurredAt": moment, "createdBy": user, "updatedAt": "2025-12-01T10:00:00.350",
        "dataValues": [{"dataElement": "deWeight001", "value": str(weight)}],
    }  # fmt: skip
    return {
        "trackedEntity": f"teBaby0000{number}", "trackedEntityType": "tetPerson01", "orgUnit": unit,
        "attributes": [{"attribute": "attrName001", "value": f"Baby {number}"}],
        "enrollments": [{"enrollment": f"enBaby0000{number}", "program": "prBirths001", "orgUnit": unit, "status": "ACTIVE",
                         "enrolledAt": moment, "occurredAt": moment, "events": [event]}],
    }  # type: ignore[dict-item]  # fmt: skip


BABIES = [
    _baby(1, "ouClinicA01", "2025-01-05", 2500), _baby(2, "ouClinicA01", "2025-02-05", 3500),
    _baby(3, "ouClinicC01", "2025-02-20", 4000),
]  # fmt: skip
_LEGENDS: dict[str, list[JsonObject]] = {
    "legendSets": [{"id": "lsWeights01", "name": "Weights", "legends": [
        {"id": "lgSmall0001", "name": "Small", "startValue": 0, "endValue": 3500},
        {"id": "lgLarge0001", "name": "Large", "startValue": 3500, "endValue": 9000},
    ]}],
}  # fmt: skip
ALL = "dimension=ou:ouNation001&startDate=2025-01-01&endDate=2025-12-31"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Caller]:
    with nation() as caller:
        load(caller.store, METADATA)
        load(caller.store, _LEGENDS)
        load(caller.store, {"trackedEntities": BABIES})
        yield caller


def test_events_are_rows_with_their_items(sandbox: Caller) -> None:
    grid = sandbox.ask(
        f"/api/analytics/events/query/prBirths001?{ALL}&dimension=psBirth0001.deWeight001:GE:3000&desc=eventdate"
        "&headers=psi,eventdate,ouname,createdbydisplayname,lastupdated,psBirth0001.deWeight001"
    )
    assert grid["rows"] == [
        [
            "evBirth0003",
            "2025-02-20 00:00:00.0",
            "Clinic C",
            "admin, admin (admin)",
            "2025-12-01 10:00:00.35",
            "4000.0",
        ],
        [
            "evBirth0002",
            "2025-02-05 00:00:00.0",
            "Clinic A",
            "admin, admin (admin)",
            "2025-12-01 10:00:00.35",
            "3500.0",
        ],
    ]
    assert grid["metaData"]["pager"] == {"page": 1, "total": 2, "pageSize": 50, "pageCount": 1}  # type: ignore[index, call-overload]


def test_enrollments_know_the_programs_words_and_page_without_a_total(sandbox: Caller) -> None:
    grid = sandbox.ask(f"/api/analytics/enrollments/query/prBirths001?{ALL}&pageSize=2")
    columns = {header["name"]: header["column"] for header in grid["headers"]}  # type: ignore[index, union-attr, call-overload]
    assert columns["incidentdate"] == "Born on" and columns["enrollmentdate"] == "Enrollment date"
    assert grid["metaData"]["pager"] == {"page": 1, "pageSize": 2, "isLastPage": False}  # type: ignore[index, call-overload]


def test_tracked_entities_show_their_attributes(sandbox: Caller) -> None:
    grid = sandbox.ask("/api/analytics/trackedEntities/query/tetPerson01?dimension=ou:ouSouth0001")
    assert [row[-1] for row in grid["rows"]] == ["Baby 3"]  # type: ignore[index, union-attr, call-overload]


def test_aggregates_count_and_measure(sandbox: Caller) -> None:
    where = "/api/analytics/events/aggregate/prBirths001?dimension=ou:ouNorth0001;ouSouth0001"
    counted = sandbox.ask(f"{where}&dimension=pe:202501;202502")
    assert sorted(counted["rows"]) == [  # type: ignore[type-var, arg-type]
        ["ouNorth0001", "202501", "1"], ["ouNorth0001", "202502", "1"], ["ouSouth0001", "202502", "1"],
    ]  # fmt: skip
    measured = sandbox.ask(f"{where}&filter=pe:2025&value=deWeight001")
    assert sorted(measured["rows"]) == [["ouNorth0001", "3000.0"], ["ouSouth0001", "4000.0"]]  # type: ignore[type-var, arg-type]
    assert sandbox.ask(f"/api/analytics/events/count/prBirths001?{ALL}")["count"] == 3


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"events/query/prMissing01?{ALL}", "E7129"),
        (f"events/query/prBirths001?{ALL}&stage=psMissing01", "E7130"),
        ("events/query/prBirths001?dimension=ou:ouNation001", "E7205"),
        ("events/query/prBirths001?startDate=2025-01-01&endDate=2025-12-31&dimension=ou:ouMissing01", "E7143"),
        (f"events/query/prBirths001?{ALL}&asc=nothing", "E7224"),
        (f"events/query/prBirths001?{ALL}&dimension=psBirth0001.deWeight001:NV", "E7222"),
        (f"events/aggregate/prBirths001?{ALL}&dimension=psBirth0001.deWeight001:IN:", "E7222"),
        ("trackedEntities/query/tetMissing1?dimension=ou:ouNation001", "E7125"),
        ("trackedEntities/query/tetPerson01?dimension=ou:ouNation001&program=prMissing01", "E7129"),
        ("trackedEntities/query/tetPerson01?dimension=ou:ouNation001&headers=nothing", "E7224"),
        (f"events/query/prBirths001?{ALL}&dimension=deMissing01", "E7224"),
        (f"events/query/prBirths001?{ALL}&headers=nothing", "E7230"),
        (f"events/query/prBirths001?{ALL}&page=0", "E7207"),
    ],
)
def test_refusals(sandbox: Caller, path: str, code: str) -> None:
    answer = sandbox.get(f"/api/analytics/{path}")
    assert (answer.status_code, answer.json()["errorCode"]) == (409, code)


def test_program_items_are_data_items_of_aggregate_queries(sandbox: Caller) -> None:
    grid = sandbox.ask(
        "/api/analytics?dimension=dx:prBirths001.deWeight001;piHeavy0001;piKilos0001&dimension=ou:ouNorth0001;ouSouth0001"
        "&filter=pe:2025"
    )
    assert sorted(grid["rows"]) == [  # type: ignore[type-var, arg-type]
        ["piHeavy0001", "ouNorth0001", "1.0"], ["piHeavy0001", "ouSouth0001", "1.0"],
        ["piKilos0001", "ouNorth0001", "3.0"], ["piKilos0001", "ouSouth0001", "4.0"],
        ["prBirths001.deWeight001", "ouNorth0001", "3000.0"], ["prBirths001.deWeight001", "ouSouth0001", "4000.0"],
    ]  # fmt: skip


# Outliers ------------------------------------------------------------------------------------------------------------

SPAN = "startDate=2020-01-01&endDate=2025-12-31&ou=ouNation001"


@pytest.fixture(scope="module")
def odd() -> Iterator[Caller]:
    """Twenty-three temperatures between 19 and 21, and one of 90."""
    with nation() as caller:
        months = [f"{year}{month:02}" for year in (2023, 2024) for month in range(1, 13)]
        rows = [value("deTemp00001", month, "ouClinicA01", 19 + index % 3) for index, month in enumerate(months)]
        rows[5]["value"] = "90"
        load(caller.store, {"dataValues": rows})
        yield caller


@pytest.mark.parametrize("algorithm", ["Z_SCORE", "MODIFIED_Z_SCORE"])
def test_the_odd_value_is_found(odd: Caller, algorithm: str) -> None:
    grid = odd.ask(f"/api/analytics/outlierDetection?dx=deTemp00001&{SPAN}&algorithm={algorithm}&maxResults=1")
    cells = dict(zip((header["name"] for header in grid["headers"]), grid["rows"][0], strict=True))  # type: ignore[index, union-attr, call-overload, arg-type]
    assert (cells["pe"], cells["value"], cells["ounamehierarchy"]) == ("202306", "90.0", "Nation / North / Clinic A")
    assert grid["metaData"]["algorithm"] == algorithm  # type: ignore[index, call-overload]

    older = {"Z_SCORE": "Z_SCORE", "MODIFIED_Z_SCORE": "MOD_Z_SCORE"}[algorithm]
    found = odd.ask(f"/api/outlierDetection?dx=deTemp00001&{SPAN}&algorithm={older}")["outlierValues"]
    assert found[0]["pe"] == "202306" and found[0]["zScore"] > 3  # type: ignore[index, call-overload, operator]


def test_limits_of_a_clinic_are_an_algorithm_too(odd: Caller) -> None:
    limit = {"dataElement": "deTemp00001", "orgUnit": "ouClinicA01", "minValue": 19, "maxValue": 50}
    odd.post("/api/minMaxDataElements/upsert", json={"values": [limit]})
    found = odd.ask(f"/api/outlierDetection?dx=deTemp00001&{SPAN}&algorithm=MIN_MAX")["outlierValues"]
    assert [(item["value"], item["absDev"], item["upperBound"]) for item in found] == [(90, 40, 50)]  # type: ignore[index, union-attr, call-overload]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (SPAN, "E2200"),
        ("dx=deTemp00001&ou=ouNation001", "E2201"),
        ("dx=deTemp00001&ou=ouNation001&startDate=2025-02-01&endDate=2025-01-01", "E2202"),
        ("dx=deTemp00001&startDate=2025-01-01&endDate=2025-02-01", "E2203"),
        (f"dx=deTemp00001&{SPAN}&threshold=0", "E2204"),
        (f"dx=deTemp00001&{SPAN}&maxResults=0", "E2205"),
    ],
)
def test_searches_that_make_no_sense_are_refused(odd: Caller, query: str, code: str) -> None:
    assert odd.ask(f"/api/outlierDetection?{query}")["errorCode"] == code


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40))
def test_what_is_usual_lies_among_the_values(numbers: list[int]) -> None:
    for algorithm in ("Z_SCORE", "MODIFIED_Z_SCORE"):
        usual = usual_of([float(number) for number in numbers], algorithm)
        if usual is not None:
            assert min(numbers) <= usual.middle <= max(numbers) and 0 < usual.spread <= max(numbers) - min(numbers)


# What can be asked for -----------------------------------------------------------------------------------------------


def test_dimensions_and_their_items(sandbox: Caller) -> None:
    names = [row["displayName"] for row in sandbox.ask("/api/dimensions")["dimensions"]]  # type: ignore[index, union-attr, call-overload]
    assert names == ["Sex", "Place"]
    items = sandbox.ask("/api/dimensions/ougsPlace01/items")["items"]
    assert [item["displayName"] for item in items] == ["Rural", "Urban"]  # type: ignore[index, union-attr, call-overload]


def test_data_items_are_of_every_kind(sandbox: Caller) -> None:
    found = sandbox.ask("/api/dataItems?paging=false&filter=dimensionItemType:in:[INDICATOR,PROGRAM_DATA_ELEMENT]")[
        "dataItems"
    ]
    assert [(item["id"], item["name"]) for item in found] == [  # type: ignore[index, union-attr, call-overload]
        ("prBirths001.deWeight001", "Births Weight"), ("inGrowth001", "Growth"), ("inShareF001", "Share of women"),
    ]  # fmt: skip


def test_a_legend_set_groups_values(sandbox: Caller) -> None:
    grid = sandbox.ask(
        f"/api/analytics/events/aggregate/prBirths001?{ALL}&dimension=psBirth0001.deWeight001-lsWeights01"
    )
    assert sorted([row[0], row[-1]] for row in grid["rows"]) == [["lgLarge0001", "2"], ["lgSmall0001", "1"]]  # type: ignore[union-attr, index, misc]
    assert grid["metaData"]["dimensions"]["psBirth0001.deWeight001-lsWeights01"] == ["lgSmall0001", "lgLarge0001"]  # type: ignore[index, call-overload]
    assert grid["metaData"]["items"]["lgLarge0001"] == {"name": "Large"}  # type: ignore[index, call-overload]
    rows = sandbox.ask(
        f"/api/analytics/events/query/prBirths001?{ALL}&headers=psi,psBirth0001.deWeight001-lsWeights01"
        "&dimension=psBirth0001.deWeight001-lsWeights01:IN:lgSmall0001"
    )
    assert rows["rows"] == [["evBirth0001", "lgSmall0001"]]
    assert rows["headers"][1]["legendSet"] == "lsWeights01"  # type: ignore[index, call-overload]


def test_events_in_one_square_are_one_cluster(sandbox: Caller) -> None:
    for number, place in ((1, [10.0, 5.0]), (2, [10.0, 5.2]), (3, [40.0, 5.0])):
        sandbox.store.connection.execute(
            "UPDATE event SET geometry = ? WHERE uid = ?",
            (f'{{"type": "Point", "coordinates": {place}}}', f"evBirth000{number}"),
        )
    path = f"/api/analytics/events/cluster/prBirths001?{ALL}&clusterSize=500000"
    grid = sandbox.ask(path)
    assert sorted(grid["rows"]) == [  # type: ignore[arg-type]
        ["1", "POINT(40 5)", "BOX(40 5,40 5)", "evBirth0003"], ["2", "POINT(10 5.1)", "BOX(10 5,10 5.2)", ""],
    ]  # fmt: skip
    assert sandbox.ask(f"{path}&bbox=30,0,50,10&includeClusterPoints=true")["rows"] == [
        ["1", "POINT(40 5)", "BOX(40 5,40 5)", "evBirth0003"]
    ]
    count = sandbox.ask(f"/api/analytics/events/count/prBirths001?{ALL}")
    assert (count["count"], count["extent"]) == (3, "BOX(10 5,40 5.2)")
    for bad, code in (("clusterSize=-1", "E7212"), ("clusterSize=1&bbox=1,2", "E7213")):
        answer = sandbox.get(f"/api/analytics/events/cluster/prBirths001?{ALL}&{bad}")
        assert (answer.status_code, answer.json()["errorCode"]) == (409, code)
