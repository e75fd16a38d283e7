"""The tracker: what an import creates, changes, refuses and deletes, and what reads give back."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from tests.sandbox import clinic
from tests.sandbox.clinic import CLINIC, CODE, NAME, OTHER, PERSON, PROGRAM, ROOT, SINGLE, VISIT, WEIGHT, event, person


@pytest.fixture
def api() -> Iterator[TestClient]:
    store = open_store()
    clinic.furnish(store)
    with TestClient(create_app(store), base_url="http://sandbox") as client:
        client.auth = ("admin", "district")
        yield client
    store.close()


def post(api: TestClient, body: dict[str, Any], **query: str) -> dict[str, Any]:
    return api.post("/api/tracker", params={"async": "false", **query}, json=body).json()


def codes(report: dict[str, Any]) -> list[str]:
    return sorted({error["errorCode"] for error in report["validationReport"]["errorReports"]})


def names(api: TestClient, kind: str, **query: str) -> list[str]:
    key = {"trackedEntities": "trackedEntity", "enrollments": "enrollment", "events": "event"}[kind]
    answer = api.get(f"/api/tracker/{kind}", params=query)
    assert answer.status_code == 200, answer.text
    return [row[key] for row in answer.json()[kind]]


def test_a_nested_payload_is_created_and_read_back_whole(api: TestClient):
    report = post(api, {"trackedEntities": [person(1)]})
    assert report["status"] == "OK" and report["stats"]["created"] == 3

    body = api.get("/api/tracker/trackedEntities/tePerson001", params={"fields": "*", "program": PROGRAM}).json()
    assert {value["displayName"]: value["value"] for value in body["attributes"]} == {"Name": "Child 001", "Code": "1"}
    enrollment = body["enrollments"][0]
    assert (enrollment["enrolledAt"], enrollment["status"]) == ("2025-01-10T00:00:00.000", "ACTIVE")
    assert enrollment["events"][0]["dataValues"][0]["value"] == "3.5"
    assert enrollment["events"][0]["trackedEntity"] == "tePerson001"
    assert body["programOwners"] == [{"orgUnit": CLINIC, "trackedEntity": "tePerson001", "program": PROGRAM}]


@pytest.mark.parametrize(
    ("body", "query", "expected"),
    [
        ({"trackedEntities": [{"trackedEntityType": PERSON, "orgUnit": "aaaaaaaaaaa"}]}, {}, ["E1049"]),
        ({"trackedEntities": [{"orgUnit": CLINIC}]}, {}, ["E1121"]),
        ({"trackedEntities": [{"trackedEntityType": PERSON, "orgUnit": CLINIC}]}, {}, ["E1090"]),
        ({"trackedEntities": [person(1)]}, {"importStrategy": "CREATE"}, ["E1002", "E1030", "E1080"]),
        ({"trackedEntities": [{"trackedEntity": "teNobody001"}]}, {"importStrategy": "DELETE"}, ["E1063"]),
        ({"trackedEntities": [person(2, attributes=[{"attribute": NAME, "value": "x"}, {"attribute": CODE, "value": "1"}])]}, {}, ["E1064"]),
        ({"trackedEntities": [person(2, attributes=[{"attribute": NAME, "value": "x"}, {"attribute": CODE, "value": "-1"}])]}, {}, ["E1007"]),
        ({"enrollments": [{"trackedEntity": "tePerson001", "program": PROGRAM, "orgUnit": CLINIC, "enrolledAt": "2999-01-01"}]}, {}, ["E1015", "E1016", "E1020"]),
        ({"enrollments": [{"trackedEntity": "teNobody001", "program": PROGRAM, "orgUnit": CLINIC, "enrolledAt": "2025-01-01"}]}, {}, ["E1068"]),
        ({"enrollments": [{"trackedEntity": "tePerson001", "program": SINGLE, "orgUnit": CLINIC, "enrolledAt": "2025-01-01"}]}, {}, ["E1014"]),
        ({"enrollments": [{"trackedEntity": "tePerson001", "program": PROGRAM, "orgUnit": OTHER, "enrolledAt": "2025-01-01"}]}, {}, ["E1041"]),
        ({"events": [event("evNew000001", dataValues=[{"dataElement": WEIGHT, "value": "heavy"}])]}, {}, ["E1302"]),
        ({"events": [event("evNew000001", dataValues=[{"dataElement": "deOutcome01", "value": "ALIVE"}])]}, {}, ["E1305"]),
        ({"events": [event("evNew000001", status="SCHEDULE")]}, {}, ["E1050", "E1315"]),
        ({"events": [event("evNew000001", occurredAt=None)]}, {}, ["E1031"]),
        ({"events": [event("evNew000001", enrollment="enNobody001")]}, {}, ["E1079", "E1313"]),
        ({"events": [event("evNew000001", stage="stBirth0001", status="COMPLETED")]}, {}, ["E1303"]),
        ({"events": [event("evNew000001", stage="stBirth0001"), event("evNew000002", stage="stBirth0001")]}, {}, ["E1039"]),
        ({"relationships": [{"relationshipType": "rtSibling01", "from": {"trackedEntity": {"trackedEntity": "tePerson001"}}, "to": {"trackedEntity": {"trackedEntity": "tePerson001"}}}]}, {}, ["E4000"]),
        ({"relationships": [{"relationshipType": "rtSibling01", "from": {"trackedEntity": {"trackedEntity": "tePerson001"}}, "to": {"event": {"event": "evVisit0001"}}}]}, {}, ["E4010"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_codes(
    api: TestClient, body: dict[str, Any], query: dict[str, str], expected: list[str]
):
    post(api, {"trackedEntities": [person(1)]})
    report = post(api, body, **query)
    assert (codes(report), report["status"]) == (expected, "ERROR")
    assert "bundleReport" not in report


def test_atomic_object_keeps_what_is_right_and_refuses_its_children(api: TestClient):
    wrong = person(2, orgUnit="aaaaaaaaaaa")
    report = post(api, {"trackedEntities": [person(1), wrong]}, atomicMode="OBJECT")
    assert (report["status"], report["stats"]["created"], report["stats"]["ignored"]) == ("OK", 3, 3)
    assert codes(report) == ["E1049", "E5000"]
    assert names(api, "trackedEntities", program=PROGRAM) == ["tePerson001"]


def test_validate_writes_nothing(api: TestClient):
    assert post(api, {"trackedEntities": [person(1)]}, importMode="VALIDATE")["status"] == "OK"
    assert api.get("/api/tracker/trackedEntities/tePerson001").status_code == 404


def test_deleting_a_person_takes_the_rest_along(api: TestClient):
    post(api, {"trackedEntities": [person(1)]})
    report = post(api, {"trackedEntities": [{"trackedEntity": "tePerson001"}]}, importStrategy="DELETE")
    assert report["stats"] == {"created": 0, "updated": 0, "deleted": 1, "ignored": 0, "total": 1}
    assert api.get("/api/tracker/events/evVisit0001").status_code == 404
    assert names(api, "events", program=PROGRAM) == []
    assert names(api, "events", program=PROGRAM, includeDeleted="true") == ["evVisit0001"]
    assert codes(post(api, {"trackedEntities": [person(1)]})) == ["E1082", "E1113", "E1114"]


def test_an_update_changes_values_blanks_erase_and_the_log_remembers(api: TestClient):
    post(api, {"trackedEntities": [person(1)]})
    post(api, {"events": [event("evVisit0001", dataValues=[{"dataElement": WEIGHT, "value": "4"}])]})
    post(api, {"events": [event("evVisit0001", dataValues=[{"dataElement": WEIGHT, "value": ""}])]})
    assert api.get("/api/tracker/events/evVisit0001").json()["dataValues"] == []
    log = api.get("/api/tracker/events/evVisit0001/changeLogs", params={"filter": f"dataElement:eq:{WEIGHT}"}).json()[
        "changeLogs"
    ]
    assert [(one["type"], one["change"]["dataValue"].get("currentValue")) for one in log] == [
        ("DELETE", None), ("UPDATE", "4"), ("CREATE", "3.5"),
    ]  # fmt: skip


def test_single_events_share_an_enrollment_of_their_own(api: TestClient):
    body = {"events": [event(f"evSingle00{n}", enrollment=None, stage="stReport001", program=SINGLE) for n in (1, 2)]}
    assert post(api, body)["status"] == "OK"
    rows = api.get("/api/tracker/events", params={"program": SINGLE}).json()["events"]
    assert len({row["enrollment"] for row in rows}) == 1 and "trackedEntity" not in rows[0]
    assert names(api, "enrollments", program=SINGLE) == []


def test_filters_modes_and_order(api: TestClient):
    post(api, {"trackedEntities": [person(n) for n in (1, 2, 3)]})
    everywhere = {"program": PROGRAM}
    assert names(api, "trackedEntities", **everywhere, filter=f"{NAME}:eq:child 002") == ["tePerson002"]
    assert names(api, "trackedEntities", **everywhere, filter=f"{CODE}:gt:1", order=f"{CODE}:asc") == [
        "tePerson002",
        "tePerson003",
    ]
    assert names(api, "trackedEntities", **everywhere, filter=f"{NAME}:sw:child,{CODE}:in:1;3") == [
        "tePerson003",
        "tePerson001",
    ]
    assert names(api, "events", program=PROGRAM, filter=f"{WEIGHT}:ge:3.5", events="") == [
        "evVisit0003",
        "evVisit0002",
        "evVisit0001",
    ]
    assert names(api, "events", program=PROGRAM, orgUnit=ROOT) == []
    assert len(names(api, "events", program=PROGRAM, orgUnit=ROOT, orgUnitMode="DESCENDANTS")) == 3
    assert names(api, "events", program=PROGRAM, occurredAfter="2025-02-02") == []
    assert names(api, "enrollments", trackedEntity="tePerson002") == ["enChild0002"]


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("trackedEntities", {}, "Either `program`, `trackedEntityType` or `trackedEntities`"),
        ("trackedEntities", {"program": "aaaaaaaaaaa"}, "Program is specified but does not exist"),
        ("events", {"status": "NOPE"}, "Valid values are: [ACTIVE, COMPLETED,"),
        ("events", {"events": "evVisit0001", "filter": f"{WEIGHT}:eq:1"}, "can not be specified at the same time"),
        ("events", {"updatedWithin": "1x"}, "`updatedWithin` is not valid: 1x"),
        ("events", {"updatedWithin": "1d", "updatedAfter": "2025-01-01"}, "cannot be specified simultaneously"),
        ("events", {"orgUnitMode": "SELECTED"}, "At least one org unit is required"),
        ("events", {"order": "nope:asc"}, "Cannot order by 'nope'"),
        ("relationships", {}, "Missing required parameter"),
    ],
)
def test_a_read_that_makes_no_sense_is_refused(api: TestClient, path: str, query: dict[str, str], words: str):
    answer = api.get(f"/api/tracker/{path}", params=query)
    assert answer.status_code == 400 and words in answer.json()["message"]


def test_pages_and_their_addresses(api: TestClient):
    post(api, {"trackedEntities": [person(n) for n in (1, 2, 3)]})
    query = {"program": PROGRAM, "pageSize": "2", "totalPages": "true", "fields": "trackedEntity"}
    first = api.get("/api/tracker/trackedEntities", params=query).json()
    assert first["pager"]["total"] == 3 and first["pager"]["pageCount"] == 2
    second = api.get(first["pager"]["nextPage"]).json()
    assert [row["trackedEntity"] for row in second["trackedEntities"]] == ["tePerson001"]
    assert "nextPage" not in second["pager"] and second["pager"]["prevPage"].endswith("&page=1")


def test_an_asynchronous_import_tells_its_steps_and_leaves_its_report(api: TestClient):
    answer = api.post("/api/tracker", json={"trackedEntities": [person(1)]}).json()
    job = answer["response"]["id"]
    assert answer["response"]["location"] == f"http://sandbox/tracker/jobs/{job}"
    for _ in range(200):
        notes = api.get(f"/api/tracker/jobs/{job}").json()
        if notes and notes[0]["completed"]:
            break
    assert notes[0]["message"] == "Import complete with status OK, 3 created, 0 updated, 0 deleted, 0 ignored"
    assert notes[-1]["message"] == "Tracker import started"
    assert api.get(f"/api/tracker/jobs/{job}/report").json()["stats"]["created"] == 3


def test_csv_in_and_out(api: TestClient):
    post(api, {"trackedEntities": [person(1)]})
    text = api.get("/api/tracker/events.csv", params={"program": PROGRAM}).text.splitlines()
    assert text[0].startswith("event,status,program,programStage,enrollment,orgUnit") and "evVisit0001" in text[1]
    row = f"evCsv000001,ACTIVE,{PROGRAM},{VISIT},enChild0001,{CLINIC},2025-03-01,{',' * 16}{WEIGHT},5.5,,false"
    answer = api.post("/api/tracker?async=false", content=row, headers={"Content-Type": "text/csv"})
    assert answer.json()["status"] == "OK", answer.text
    assert api.get("/api/tracker/events/evCsv000001").json()["dataValues"][0]["value"] == "5.5"


def test_relationships_are_seen_from_both_sides(api: TestClient):
    post(api, {"trackedEntities": [person(1), person(2)]})
    link = {"relationship": "rlSibling01", "relationshipType": "rtSibling01",
            "from": {"trackedEntity": {"trackedEntity": "tePerson001"}}, "to": {"trackedEntity": {"trackedEntity": "tePerson002"}}}  # fmt: skip
    assert post(api, {"relationships": [link]})["status"] == "OK"
    for uid in ("tePerson001", "tePerson002"):
        found = api.get("/api/tracker/relationships", params={"trackedEntity": uid}).json()["relationships"]
        assert [one["relationship"] for one in found] == ["rlSibling01"]
    assert codes(post(api, {"relationships": [{**link, "relationship": "rlSibling02"}]})) == ["E4018"]


def test_notes_and_ownership(api: TestClient):
    post(api, {"trackedEntities": [person(1)]})
    assert api.post("/api/tracker/enrollments/enChild0001/note", json={"value": "came late"}).status_code == 200
    assert api.get("/api/tracker/enrollments/enChild0001").json()["notes"][0]["value"] == "came late"
    query = {"trackedEntity": "tePerson001", "program": PROGRAM, "orgUnit": OTHER}
    assert api.put("/api/tracker/ownership/transfer", params=query).status_code == 200
    assert names(api, "trackedEntities", program=PROGRAM, orgUnits=OTHER) == ["tePerson001"]
    assert api.post("/api/tracker/ownership/override", params={**query, "reason": "why"}).status_code == 403


def test_fields_choose_and_hide(api: TestClient):
    post(api, {"trackedEntities": [person(1)]})
    answer = api.get(
        "/api/tracker/trackedEntities",
        params={"program": PROGRAM, "fields": "trackedEntity,enrollments[events[event]]"},
    )
    assert answer.json()["trackedEntities"] == [
        {"trackedEntity": "tePerson001", "enrollments": [{"events": [{"event": "evVisit0001"}]}]}
    ]
    hidden = api.get("/api/tracker/events/evVisit0001", params={"fields": "*,!dataValues,!notes"}).json()
    assert "dataValues" not in hidden and hidden["event"] == "evVisit0001"


def test_a_unique_value_is_taken_by_whoever_has_it(api: TestClient):
    twins = [person(1), person(2)]
    twins[1]["attributes"][1]["value"] = "1"
    assert codes(post(api, {"trackedEntities": twins})) == ["E1064"]
    assert post(api, {"trackedEntities": [twins[0]]})["status"] == "OK"
    assert codes(post(api, {"trackedEntities": [twins[1]]})) == ["E1064"]


def test_a_unique_value_of_an_org_unit_may_be_had_in_another(api: TestClient):
    store = api.app.state.server.store  # type: ignore[attr-defined]
    store.put_objects(
        {"trackedEntityAttributes": [{**store.get("trackedEntityAttributes", CODE), "orgunitScope": True}]}
    )
    here, there, again = ({"trackedEntity": f"teScope000{n}", "trackedEntityType": PERSON, "orgUnit": unit, "attributes": [
        {"attribute": NAME, "value": "Ada"}, {"attribute": CODE, "value": "7"}]}
        for n, unit in ((1, CLINIC), (2, OTHER), (3, CLINIC)))  # fmt: skip
    assert post(api, {"trackedEntities": [here, there]})["status"] == "OK"
    assert codes(post(api, {"trackedEntities": [again]})) == ["E1064"]


@pytest.mark.parametrize(("value", "expected"), [("A,B", []), ("A", []), ("A,C", ["E1125"]), ("A,B,", ["E1125"])])
def test_each_of_several_options_is_one_of_the_set(api: TestClient, value: str, expected: list[str]):
    store = api.app.state.server.store  # type: ignore[attr-defined]
    name = store.get("trackedEntityAttributes", NAME)
    store.put_objects({
        "options": [{"id": f"opMany0000{code}", "name": code, "code": code, "optionSet": {"id": "osMany00001"}} for code in "AB"],
        "optionSets": [{"id": "osMany00001", "name": "Many", "valueType": "MULTI_TEXT",
                        "options": [{"id": "opMany0000A"}, {"id": "opMany0000B"}]}],
        "trackedEntityAttributes": [{**name, "valueType": "MULTI_TEXT", "optionSet": {"id": "osMany00001"}}],
    })  # fmt: skip
    entity = {"trackedEntityType": PERSON, "orgUnit": CLINIC, "attributes": [{"attribute": NAME, "value": value}]}
    assert codes(post(api, {"trackedEntities": [entity]})) == expected


def test_a_file_of_a_value_is_there(api: TestClient):
    store = api.app.state.server.store  # type: ignore[attr-defined]
    name = store.get("trackedEntityAttributes", NAME)
    store.put_objects({
        "trackedEntityAttributes": [{**name, "valueType": "FILE_RESOURCE"}],
        "fileResources": [{"id": "fiPhoto0001", "name": "a.png"}, {"id": "fiPhoto0002", "name": "b.png", "assigned": True}],
    })  # fmt: skip
    found = {}
    for uid in ("fiPhoto0001", "fiPhoto0002", "fiPhoto0003"):
        entity = {"trackedEntityType": PERSON, "orgUnit": CLINIC, "attributes": [{"attribute": NAME, "value": uid}]}
        found[uid] = codes(post(api, {"trackedEntities": [entity]}))
    assert found == {"fiPhoto0001": [], "fiPhoto0002": ["E1009"], "fiPhoto0003": ["E1084"]}


def test_a_program_of_single_events_can_be_deleted_once_its_events_are_gone_for_good(api: TestClient):
    single = {
        "event": "evReport001",
        "program": SINGLE,
        "programStage": "stReport001",
        "orgUnit": CLINIC,
        "occurredAt": "2025-02-01",
    }
    assert post(api, {"events": [single]})["status"] == "OK"
    assert post(api, {"events": [{"event": "evReport001"}]}, importStrategy="DELETE")["status"] == "OK"
    assert api.delete(f"/api/programs/{SINGLE}").status_code == 409
    api.post("/api/maintenance/softDeletedEventRemoval")
    assert api.delete(f"/api/programs/{SINGLE}").status_code == 200


def test_object_by_object_a_relationship_needs_both_its_ends(api: TestClient):
    alone, broken = person(1), person(2, orgUnit="aaaaaaaaaaa", enrollments=[])
    link = {"relationship": "reLink00001", "relationshipType": "rtSibling01",
            "from": {"trackedEntity": {"trackedEntity": "tePerson001"}},
            "to": {"trackedEntity": {"trackedEntity": "tePerson002"}}}  # fmt: skip
    report = post(api, {"trackedEntities": [alone, broken], "relationships": [link]}, atomicMode="OBJECT")
    assert codes(report) == ["E1049", "E5000"]
    assert api.get("/api/tracker/relationships/reLink00001").status_code == 404


def test_object_by_object_what_is_not_deleted_keeps_its_owner(api: TestClient):
    post(api, {"trackedEntities": [person(1)]})
    post(api, {"events": [{"event": "evVisit0001"}]}, importStrategy="DELETE")
    report = post(api, {"trackedEntities": [person(1)]}, importStrategy="DELETE", atomicMode="OBJECT")
    assert codes(report) == ["E1082", "E5001"]
    assert api.get("/api/tracker/trackedEntities/tePerson001").status_code == 200
