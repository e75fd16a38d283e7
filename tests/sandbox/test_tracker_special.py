"""Ownership, potential duplicates, generated values and working lists."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.store.database import Store
from tests.sandbox import clinic
from tests.sandbox.clinic import CLINIC, CODE, NAME, OTHER, PERSON, PROGRAM, ROOT, SHARED, person

ONE, TWO, THREE = "tePerson001", "tePerson002", "tePerson003"
CARD = "atCard00001"


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    found = open_store(version=getattr(request, "param", "2.42"))
    clinic.furnish(found)
    yield found
    found.close()


@pytest.fixture
def api(store: Store) -> Iterator[TestClient]:
    with TestClient(create_app(store), base_url="http://sandbox") as client:
        client.auth = ("admin", "district")
        yield client


def post(api: TestClient, body: Any) -> dict[str, Any]:
    return api.post("/api/tracker", json=body, params={"async": "false"}).json()


def codes(report: dict[str, Any]) -> list[str]:
    return sorted(one["errorCode"] for one in report["validationReport"]["errorReports"])


# Ownership -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def nurse(api: TestClient, store: Store) -> Iterator[TestClient]:
    """Somebody who captures data in another unit and may search everywhere; the programme is protected."""
    program = store.get("programs", PROGRAM) or {}
    store.put_objects({"programs": [{**program, "accessLevel": "PROTECTED"}]})
    api.post("/api/userRoles", json={"id": "urNurse0001", "name": "Nurse", "authorities": ["F_DATAVALUE_ADD"]})
    user = {"id": "usNurse0001", "username": "nurse", "firstName": "Nora", "surname": "Nurse", "password": "Distr1ct-Nurse!",
            "userRoles": [{"id": "urNurse0001"}], "organisationUnits": [{"id": OTHER}],
            "teiSearchOrganisationUnits": [{"id": ROOT}]}  # fmt: skip
    assert api.post("/api/users", json=user).status_code == 201
    post(api, {"trackedEntities": [person(1)]})
    with TestClient(api.app, base_url="http://sandbox") as client:
        client.auth = ("nurse", "Distr1ct-Nurse!")
        yield client


READS = (f"trackedEntities/{ONE}?program={PROGRAM}", "enrollments/enChild0001", "events/evVisit0001")


def test_a_protected_programme_is_seen_after_a_reason(nurse: TestClient, api: TestClient):
    assert [nurse.get(f"/api/tracker/{read}").status_code for read in READS] == [404, 404, 404]
    lists = [f"/api/tracker/{kind}?program={PROGRAM}&orgUnitMode=ACCESSIBLE"
             for kind in ("trackedEntities", "enrollments", "events")]  # fmt: skip
    assert [len(nurse.get(one).json()[one.split("/")[3].partition("?")[0]]) for one in lists] == [0, 0, 0]
    override = f"/api/tracker/ownership/override?trackedEntity={ONE}&program={PROGRAM}"
    assert "<b>Message</b> Required parameter" in nurse.post(override).text
    assert nurse.post(f"{override}&reason=case review").json()["message"] == "Temporary Ownership granted"
    assert [nurse.get(f"/api/tracker/{read}").status_code for read in READS] == [200, 200, 200]
    assert [len(nurse.get(one).json()[one.split("/")[3].partition("?")[0]]) for one in lists] == [1, 1, 1]
    refused = api.delete("/api/users/usNurse0001")
    assert refused.status_code == 409 and "programtempowner" in refused.json()["message"]


def test_what_somebody_elses_programme_refuses_and_a_transfer_allows(nurse: TestClient, api: TestClient):
    visit = clinic.event("evVisit0002", orgUnit=CLINIC)
    assert codes(post(nurse, {"events": [visit]})) == ["E1000", "E1102"]
    move = f"/api/tracker/ownership/transfer?trackedEntity={ONE}&program={PROGRAM}&orgUnit="
    assert api.put(f"{move}aaaaaaaaaaa").status_code == 200  # says so, and moves nothing
    assert nurse.get(f"/api/tracker/{READS[0]}").status_code == 404
    assert api.put(f"{move}{OTHER}").status_code == 200
    assert nurse.get(f"/api/tracker/{READS[0]}").status_code == 200
    assert codes(post(nurse, {"events": [visit]})) == ["E1000"]


@pytest.mark.parametrize(("store", "status"), [("2.41", 403), ("2.43", 404)], indirect=["store"])
def test_how_a_version_says_that_somebody_else_owns(nurse: TestClient, status: int):
    assert nurse.get(f"/api/tracker/{READS[0]}").status_code == status


# Potential duplicates ------------------------------------------------------------------------------------------------------


@pytest.fixture
def twins(api: TestClient) -> TestClient:
    def other(key: str, **values: str) -> dict[str, Any]:
        return {"trackedEntity": key, "trackedEntityType": PERSON, "orgUnit": CLINIC,
                "attributes": [{"attribute": {"name": NAME, "code": CODE}[name], "value": text}
                               for name, text in values.items()]}  # fmt: skip

    bare = person(1)
    bare["attributes"] = bare["attributes"][:1]
    assert post(api, {"trackedEntities": [bare, other(TWO, name="Child 001", code="2"), other(THREE, name="Ida")]})[
        "status"
    ] == "OK"  # fmt: skip
    return api


def mark(api: TestClient, other: str) -> str:
    answer = api.post("/api/potentialDuplicates", json={"original": ONE, "duplicate": other})
    assert (answer.status_code, answer.json()["status"]) == (200, "OPEN")
    return answer.json()["id"]


def test_a_duplicate_is_merged_into_its_original(twins: TestClient):
    uid = mark(twins, TWO)
    assert twins.post(f"/api/potentialDuplicates/{uid}/merge").status_code == 200
    found = twins.get(f"/api/tracker/trackedEntities/{ONE}?fields=attributes[value],enrollments[enrollment]").json()
    assert sorted(one["value"] for one in found["attributes"]) == ["2", "Child 001"]
    assert found["enrollments"] == [{"enrollment": "enChild0001"}]
    assert twins.get(f"/api/tracker/trackedEntities/{TWO}").status_code == 404
    assert twins.get(f"/api/potentialDuplicates/{uid}").json()["status"] == "MERGED"
    assert twins.put(f"/api/potentialDuplicates/{uid}?status=INVALID").status_code == 400
    assert twins.get("/api/potentialDuplicates").json()["potentialDuplicates"] == []


def test_two_names_are_left_to_a_person(twins: TestClient):
    uid = mark(twins, THREE)
    refused = twins.post(f"/api/potentialDuplicates/{uid}/merge")
    assert refused.status_code == 409 and "conflicting values" in refused.json()["message"]
    chosen = {"trackedEntityAttributes": [NAME]}
    assert twins.post(f"/api/potentialDuplicates/{uid}/merge?mergeStrategy=MANUAL", json=chosen).status_code == 200
    found = twins.get(f"/api/tracker/trackedEntities/{ONE}?fields=attributes[value]").json()
    assert found["attributes"] == [{"value": "Ida"}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"original": ONE}, 400),
        ({"original": ONE, "duplicate": "aaaaaaaaaaa"}, 404),
        ({"original": "bad", "duplicate": TWO}, 400),
        ({"original": ONE, "duplicate": ONE}, 501),
    ],
)
def test_a_pair_that_is_none(twins: TestClient, body: dict[str, str], status: int):
    assert twins.post("/api/potentialDuplicates", json=body).status_code == status


def test_a_pair_is_marked_once_whichever_way_round(twins: TestClient):
    mark(twins, TWO)
    assert twins.post("/api/potentialDuplicates", json={"original": TWO, "duplicate": ONE}).status_code == 409


# Generated values ----------------------------------------------------------------------------------------------------------


def put_card(store: Store, pattern: str) -> None:
    card = {"id": CARD, "name": "Card", "shortName": "Card", "valueType": "TEXT", "unique": True, "generated": True,
            "pattern": pattern, "sharing": SHARED}  # fmt: skip
    kind = store.get("trackedEntityTypes", PERSON) or {}
    held = [*kind["trackedEntityTypeAttributes"], {"trackedEntityAttribute": {"id": CARD}}]
    store.put_objects({"trackedEntityAttributes": [card], "trackedEntityTypes": [
        {**kind, "trackedEntityTypeAttributes": held}]})  # fmt: skip


def test_a_sequence_goes_on_and_leaves_out_what_is_taken(api: TestClient, store: Store):
    put_card(store, '"C-"+SEQUENTIAL(##)')
    taken = {"trackedEntity": ONE, "trackedEntityType": PERSON, "orgUnit": CLINIC,
             "attributes": [{"attribute": NAME, "value": "Ada"}, {"attribute": CARD, "value": "C-02"}]}  # fmt: skip
    assert post(api, {"trackedEntities": [taken]})["status"] == "OK"
    path = f"/api/trackedEntityAttributes/{CARD}"
    assert api.get(f"{path}/requiredValues").json() == {"REQUIRED": [], "OPTIONAL": ["SEQUENTIAL"]}
    assert api.get(f"{path}/generate").json()["value"] == "C-01"
    found = api.get(f"{path}/generateAndReserve?numberToReserve=2").json()
    assert [one["value"] for one in found] == ["C-03", "C-04"]
    assert api.get(f"{path}/generateAndReserve?numberToReserve=1001").status_code == 400
    assert api.get(f"{path}/generateAndReserve?numberToReserve=99").status_code == 501  # the numbers do not suffice


def test_a_pattern_with_a_code_and_something_random(api: TestClient, store: Store):
    put_card(store, 'ORG_UNIT_CODE(...)+"-"+CURRENT_DATE(yyyy)+RANDOM(X#)')
    path = f"/api/trackedEntityAttributes/{CARD}/generate"
    assert api.get(path).json()["message"] == "Missing required values: ORG_UNIT_CODE"
    value = api.get(f"{path}?ORG_UNIT_CODE=CLINIC&CURRENT_DATE=2025").json()["value"]
    assert value[:8] == "CLI-2025" and value[8].isupper() and value[9].isdigit() and len(value) == 10
    assert (
        api.get(f"/api/trackedEntityAttributes/{NAME}/generate").json()["message"]
        == "Attribute does not contain pattern."
    )


# Working lists -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plural", "body", "words"),
    [
        ("eventFilters", {"name": "F"}, "[Program should be specified for event filters.]"),
        ("eventFilters", {"name": "F", "program": PROGRAM, "programStage": "aaaaaaaaaaa"},
         "[Program stage is specified but does not exist: aaaaaaaaaaa]"),
        ("trackedEntityInstanceFilters",
         {"name": "F", "program": {"id": PROGRAM},
          "entityQueryCriteria": {"attributeValueFilters": [{"attribute": "aaaaaaaaaaa", "eq": "x"}]}},
         "[No tracked entity attribute found for attribute:aaaaaaaaaaa]"),
    ],
)  # fmt: skip
def test_a_working_list_names_what_there_is(api: TestClient, plural: str, body: dict[str, Any], words: str):
    answer = api.post(f"/api/{plural}", json=body)
    assert (answer.status_code, answer.json()["message"]) == (409, words)


def test_the_first_enrollment_in_a_protected_programme_makes_its_owner(
    nurse: TestClient, api: TestClient, store: Store
):
    stranger = {"trackedEntity": TWO, "trackedEntityType": PERSON, "orgUnit": CLINIC,
                "attributes": [{"attribute": NAME, "value": "Eve"}]}  # fmt: skip
    assert post(api, {"trackedEntities": [stranger]})["status"] == "OK"
    units = [{"id": CLINIC}, {"id": OTHER}]
    store.put_objects({"programs": [{**(store.get("programs", PROGRAM) or {}), "organisationUnits": units}]})
    enrollment = {"enrollment": "enOther0001", "trackedEntity": TWO, "program": PROGRAM, "orgUnit": OTHER,
                  "enrolledAt": "2025-01-10", "occurredAt": "2025-01-10"}  # fmt: skip
    assert post(nurse, {"enrollments": [enrollment]})["status"] == "OK"
    assert nurse.get(f"/api/tracker/trackedEntities/{TWO}?program={PROGRAM}").status_code == 200


def test_a_user_whom_an_event_is_assigned_to_stays(api: TestClient, store: Store):
    visit = store.get("programStages", clinic.VISIT) or {}
    store.put_objects({"programStages": [{**visit, "enableUserAssignment": True}]})
    api.post("/api/userRoles", json={"id": "urNurse0001", "name": "Nurse", "authorities": ["F_DATAVALUE_ADD"]})
    user = {"id": "usNurse0001", "username": "nurse", "firstName": "Nora", "surname": "Nurse", "password": "Distr1ct-Nurse!",
            "userRoles": [{"id": "urNurse0001"}]}  # fmt: skip
    assert api.post("/api/users", json=user).status_code == 201
    whole = person(1)
    whole["enrollments"][0]["events"][0]["assignedUser"] = {"username": "nurse"}
    assert post(api, {"trackedEntities": [whole]})["status"] == "OK"
    refused = api.delete("/api/users/usNurse0001")
    assert refused.status_code == 409 and "violates foreign key constraint" in refused.json()["message"]
