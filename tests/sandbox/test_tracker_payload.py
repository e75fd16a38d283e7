"""What the tracker's import reads of a body, and how it refuses what it cannot read."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.tracker.imports.payload import BODY, Reader
from tests.sandbox import clinic
from tests.sandbox.clinic import CLINIC, PERSON, person

CHILD = "tePerson001"
AS_OBJECT = {"idScheme": "UID", "identifier": CLINIC}


def read(body: Any) -> dict[str, Any]:
    return Reader(body, checks_uids=True).read(BODY)


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        ({"trackedEntity": CHILD, "orgUnit": CLINIC, "nope": {"a": [1]}}, [{"trackedEntity": CHILD, "orgUnit": CLINIC}]),
        ({"orgUnit": 5, "trackedEntityType": True, "storedBy": ""},
         [{"orgUnit": "5", "trackedEntityType": "true", "storedBy": None}]),
        # An object in place of a text ends the object around it, and what follows is the next one.
        ({"trackedEntity": CHILD, "orgUnit": AS_OBJECT, "attributes": []},
         [{"trackedEntity": CHILD, "orgUnit": None}, {"attributes": []}]),
        ({"trackedEntity": CHILD, "orgUnit": AS_OBJECT}, [{"trackedEntity": CHILD, "orgUnit": None}, {}]),
        ({"orgUnit": {}, "trackedEntityType": {"trackedEntity": CHILD}, "inactive": "true"},
         [{"orgUnit": None}, {"trackedEntityType": None, "trackedEntity": CHILD}, {"inactive": True}]),
    ],
)  # fmt: skip
def test_objects_that_the_reader_makes_of_one(entity: dict[str, Any], expected: list[dict[str, Any]]):
    assert read({"trackedEntities": [entity]}) == {"trackedEntities": expected}


def test_a_list_in_place_of_a_text_ends_the_list_around_it_too():
    events = [{"attributeCategoryOptions": [{"idScheme": "UID"}], "event": "evVisit0001"}, {"event": "evVisit0002"}]
    assert read({"events": events}) == {"events": [{"attributeCategoryOptions": None}, {}]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([1], "Cannot deserialize value of type `org.hisp.dhis.webapi.controller.tracker.imports.Body` from Array value"),
        ({"trackedEntities": [{"trackedEntity": "short"}]}, "UID must be an alphanumeric string of 11 characters"),
        ({"trackedEntities": [{"trackedEntity": ""}]}, "but was: "),
        ({"trackedEntities": [{"trackedEntity": 5}]}, "no int/Int-argument constructor"),
        ({"trackedEntities": [{"trackedEntity": {"id": CHILD}}]}, "cannot deserialize from Object value"),
        ({"trackedEntities": {"trackedEntity": CHILD}}, "from Object value (token `JsonToken.START_OBJECT`)"),
        ({"trackedEntities": ["tePerson001"]}, "no String-argument constructor/factory method"),
        ({"trackedEntities": [{"inactive": "perhaps"}]}, 'only "true" or "false" recognized'),
        ({"events": [{"status": "DONE"}]}, "not one of the values accepted for Enum class: [ACTIVE, COMPLETED"),
        ({"events": [{"occurredAt": "yesterday"}]}, "`java.time.Instant` from String \"yesterday\""),
        ({"events": [{"notes": [{"note": "bad"}]}]}, "but was: bad"),
        ({"events": [{"geometry": {"type": "Point"}}]}, '"array" is null'),
        ({"events": [{"geometry": {"type": "Point", "coordinates": [1]}}]}, "asDouble()"),
        ({"events": [{"geometry": {"type": "Polygon", "coordinates": []}}]}, '"array" is null'),
        ({"events": [{"geometry": {"type": "Nowhere", "coordinates": []}}]}, "Invalid geometry type: Nowhere"),
        ({"relationships": [{"from": {"trackedEntity": CHILD}}]}, "RelationshipItem$TrackedEntity` (although at least one"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_the_readers_words(body: Any, words: str):
    with pytest.raises(Refused) as no:
        read(body)
    assert no.value.status == 400
    assert str(no.value.message).startswith("JSON parse error: ")
    assert words in str(no.value.message)


@pytest.mark.parametrize(
    "geometry",
    [{"type": "Point", "coordinates": [1, 2]}, {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}],
)
def test_a_geometry_that_can_be_read_stays(geometry: dict[str, Any]):
    assert read({"events": [{"geometry": geometry}]}) == {"events": [{"geometry": geometry}]}


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    store = open_store(version=getattr(request, "param", "2.42"))
    clinic.furnish(store)
    with TestClient(create_app(store), base_url="http://sandbox") as client:
        client.auth = ("admin", "district")
        yield client
    store.close()


def post(api: TestClient, body: Any, **query: str) -> tuple[int, dict[str, Any]]:
    answer = api.post("/api/tracker", json=body, params={"async": "false", **query})
    return answer.status_code, answer.json()


def test_a_payload_of_the_servers_own_classes_counts_one_object_more_for_each_object_in_place_of_a_text(
    api: TestClient,
):
    entity = {"trackedEntityType": {"idScheme": "UID", "identifier": PERSON}, "trackedEntity": CHILD, "orgUnit": AS_OBJECT,
              "inactive": False}  # fmt: skip
    status, report = post(api, {"trackedEntities": [entity]})
    errors = report["validationReport"]["errorReports"]
    assert (status, report["stats"]["ignored"]) == (409, 3)
    assert {one["errorCode"] for one in errors} == {"E1121"}
    assert CHILD in {one["uid"] for one in errors}


@pytest.mark.parametrize(("api", "expected"), [("2.41", (409, "E1048")), ("2.42", (400, None))], indirect=["api"])
def test_a_uid_that_is_none(api: TestClient, expected: tuple[int, str | None]):
    status, body = post(
        api, {"trackedEntities": [{"trackedEntity": "short", "trackedEntityType": PERSON, "orgUnit": CLINIC}]}
    )
    errors = body.get("validationReport", {}).get("errorReports", [{"errorCode": None}])
    assert (status, errors[0]["errorCode"]) == expected


def test_a_nested_event_takes_its_program_from_its_stage_and_not_from_its_enrollment(api: TestClient):
    whole = person(1)
    visit = whole["enrollments"][0]["events"][0]
    del visit["program"]
    assert post(api, {"trackedEntities": [whole]})[0] == 200
    visit |= {"event": "evVisit0009", "programStage": "aaaaaaaaaaa"}
    status, report = post(api, {"trackedEntities": [whole]})
    assert (status, [one["errorCode"] for one in report["validationReport"]["errorReports"]]) == (409, ["E1123"])


@pytest.mark.parametrize("api", ["2.43"], indirect=True)
def test_two_new_entities_with_one_uid_break_the_import_of_2_43(api: TestClient):
    entity = {"trackedEntity": CHILD, "trackedEntityType": PERSON, "orgUnit": CLINIC,
              "attributes": [{"attribute": clinic.NAME, "value": "Ada"}]}  # fmt: skip
    status, body = post(api, {"trackedEntities": [entity, entity]})
    assert (status, "duplicate key value violates unique constraint" in body["message"]) == (500, True)
    assert api.get(f"/api/tracker/trackedEntities/{CHILD}").status_code == 404


def test_a_note_is_text_in_json(api: TestClient):
    post(api, {"trackedEntities": [person(1)]})
    path = "/api/tracker/enrollments/enChild0001/note"
    assert api.post(path, content="plain", headers={"content-type": "text/plain"}).status_code == 415
    assert api.post(path, json={"value": ""}).json()["message"] == "Value cannot be empty"
    assert api.post(path, json={"note": "noPhoned001", "value": "phoned"}).json() == {
        "note": "noPhoned001",
        "value": "phoned",
    }
    assert api.post(path, json={"note": "noPhoned001", "value": "again"}).json()["errorCode"] == "E1003"
    [note] = api.get("/api/tracker/enrollments/enChild0001", params={"fields": "notes"}).json()["notes"]
    assert note["createdBy"]["displayName"] == "admin admin"


@pytest.mark.parametrize(
    ("api", "method", "path", "status"),
    [
        ("2.42", "POST", "/api/tracker/events", 405),
        ("2.42", "PUT", "/api/tracker", 405),
        ("2.42", "GET", "/api/tracker/events/short", 400),
        ("2.42", "GET", "/api/trackedEntityInstances", 404),
        ("2.41", "GET", "/api/trackedEntityInstances", 501),
        ("2.41", "POST", "/api/events", 501),
        ("2.41", "GET", "/api/relationships", 501),
    ],
    indirect=["api"],
)
def test_addresses_that_there_are_not(api: TestClient, method: str, path: str, status: int):
    assert api.request(method, path).status_code == status


def test_an_id_scheme_that_nobody_has_seen_is_not_made_up(api: TestClient):
    assert post(api, {"trackedEntities": []}, idScheme="NOPE")[0] == 501
    assert post(api, {"trackedEntities": []}, idScheme="attribute:atName00001")[0] == 200
