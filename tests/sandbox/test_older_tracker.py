"""What the tracker of 2.41 does otherwise than that of 2.42: names of parameters, refusals, what imports say."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.sandbox.clinic import CLINIC, NAME, PERSON, PROGRAM, ROOT, WEIGHT, event, person
from tests.sandbox.test_versions import serving


def _import(api: TestClient, **body: Any) -> dict[str, Any]:
    return api.post("/api/tracker?async=false", json=body).json()


def _listed(api: TestClient, plural: str, query: str) -> list[str]:
    key = {"trackedEntities": "trackedEntity", "enrollments": "enrollment", "events": "event"}[plural]
    answer = api.get(f"/api/tracker/{plural}?fields={key}&{query}")
    assert answer.status_code == 200, answer.text
    return sorted(item[key] for item in answer.json()[plural])


@pytest.mark.parametrize(
    ("plural", "name"),
    [("trackedEntities", "enrollmentStatus"), ("events", "enrollmentStatus"), ("enrollments", "status")],
)
@pytest.mark.parametrize(("version", "found"), [("2.41", 1), ("2.42", 0)])
def test_the_state_of_enrollments_has_one_name_up_to_2_41(version: str, found: int, plural: str, name: str):
    """Recorded (tracker-read-entities 13, tracker-read-events 11): 2.41 gives all, whatever the newer name asks for."""
    scope = f"program={PROGRAM}&orgUnitMode=ALL"
    with serving(version) as api:
        _import(api, trackedEntities=[person(1)])
        assert len(_listed(api, plural, f"{scope}&{name}=COMPLETED")) == found
        assert len(_listed(api, plural, f"{scope}&{name}=ACTIVE")) == 1
        assert _listed(api, plural, f"{scope}&programStatus=COMPLETED") == []


@pytest.mark.parametrize(
    ("plural", "query", "older", "newer"),
    [
        ("trackedEntities", f"program={PROGRAM}&orgUnit={ROOT}", 1, 2),
        ("trackedEntities", f"program={PROGRAM}&orgUnit={CLINIC};{ROOT}", 2, 2),
        ("trackedEntities", f"trackedEntityType={PERSON}&orgUnit={CLINIC}&ouMode=DESCENDANTS", 1, 2),
        ("trackedEntities", "trackedEntity=tePerson001", 1, None),
        ("enrollments", f"program={PROGRAM}&orgUnit={ROOT}", 1, 2),
        ("enrollments", f"program={PROGRAM}&enrollment=enChild0002", 1, 2),
        ("events", f"program={PROGRAM}&event=evVisit0001", 1, 2),
    ],
)
def test_parameters_that_2_42_took_away_are_heeded_before(plural: str, query: str, older: int, newer: int | None):
    """Recorded (tracker-read-entities 36); what there is says the OpenAPI of each version."""
    other = person(2)
    other["orgUnit"] = other["enrollments"][0]["orgUnit"] = ROOT
    for version, count in (("2.41", older), ("2.42", newer)):
        with serving(version) as api:
            assert _import(api, trackedEntities=[person(1), other])["status"] == "OK"
            if count is None:
                assert api.get(f"/api/tracker/{plural}?{query}").status_code == 400
            else:
                assert len(_listed(api, plural, query)) == count


def test_what_nobody_knows_of_the_older_parameters_is_refused():
    with serving("2.41") as api:
        for query in ("orgUnit=a&orgUnits=b", "query=LIKE:x", f"attribute={NAME}:EQ:x"):
            assert api.get(f"/api/tracker/trackedEntities?program={PROGRAM}&{query}").status_code == 501


def test_a_data_element_cannot_filter_and_sort_at_once_up_to_2_41():
    """Recorded (tracker-read-events 4)."""
    query = f"program={PROGRAM}&orgUnitMode=ALL&order={WEIGHT}:desc"
    for version, status in (("2.41", 409), ("2.42", 200)):
        with serving(version) as api:
            assert api.get(f"/api/tracker/events?{query}&filter={WEIGHT}:gt:1").status_code == status
            assert api.get(f"/api/tracker/events?{query}").status_code == 200


def test_who_stored_a_value_is_said_of_what_was_imported():
    """Recorded (tracker-nested 3, tracker-relationships 5): by `storedBy` alone up to 2.41."""
    authors = {"storedBy", "createdBy", "updatedBy"}
    for version, said in (("2.41", {"storedBy"}), ("2.42", authors)):
        with serving(version) as api:
            _import(api, trackedEntities=[person(1)])
            value = api.get("/api/tracker/events/evVisit0001").json()["dataValues"][0]
            assert authors & value.keys() == said


def test_imports_that_2_41_counts_or_refuses_otherwise():
    """Recorded (tracker-errors-entities 19, tracker-notes 12)."""
    twice = event("evVisit0001", notes=[{"note": "noTwice0001", "value": "a"}, {"note": "noTwice0001", "value": "b"}])
    for version, stats, status in (("2.41", (1, 1), 500), ("2.42", (2, 0), 200)):
        with serving(version) as api:
            bare = {**person(1), "enrollments": []}
            found = _import(api, trackedEntities=[bare, bare])["stats"]
            assert (found["created"], found["updated"]) == stats
            _import(api, trackedEntities=[person(1)])
            answer = api.post("/api/tracker?async=false", json={"events": [twice]})
            assert answer.status_code == status
            notes = api.get("/api/tracker/events/evVisit0001?fields=notes").json()["notes"]
            assert len(notes) == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{o", "to start field name\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 2]"),
        ("[]", "from Array value (token `JsonToken.START_ARRAY`)\n at [Source: REDACTED"),
        ('{"events": [{"geometry": {"type": "Nowhere"}}]}',
         'imports.Body["events"]->java.util.ArrayList[0]->org.hisp.dhis.webapi.controller.tracker.view.Event["geometry"])'),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_twice_up_to_2_41(body: str, words: str):
    """Recorded (tracker-write 9, tracker-async 18, tracker-errors-entities 13)."""
    for version, nested in (("2.41", True), ("2.42", False)):
        with serving(version) as api:
            answer = api.post("/api/tracker?async=false", content=body, headers={"Content-Type": "application/json"})
            message = answer.json()["message"]
            assert answer.status_code == 400
            assert ("; nested exception is com.fasterxml.jackson" in message, words in message) == (nested, nested)


def test_a_job_of_2_41_says_where_it_is_and_whose():
    for version, told in (("2.41", True), ("2.42", False)):
        with serving(version) as api:
            answer = api.post("/api/tracker", json={"trackedEntities": [person(1)]})
            assert ("location" in answer.headers) == told
            job = answer.json()["response"]["id"]
            assert api.app.state.jobs.wait(job, 5)  # type: ignore[attr-defined]
            assert ("userId" in api.get(f"/api/tracker/jobs/{job}").json()[-1]["data"]) == told


def test_what_keeps_a_program():
    """Recorded (meta2-delete-vetoes 25): its events are named first up to 2.41, later its enrollments."""
    for version, named in (("2.41", "Event"), ("2.42", "Enrollment")):
        with serving(version) as api:
            _import(api, trackedEntities=[person(1)])
            assert f"another object: {named}" in api.delete(f"/api/programs/{PROGRAM}").text


@pytest.mark.parametrize(
    ("plural", "query", "status", "words"),
    [
        ("trackedEntities", f"program={PROGRAM}&orgUnits={CLINIC}&orgUnitMode=DESCENDANTS", 409, "At least one organisation unit"),
        ("trackedEntities", f"trackedEntityType={PERSON}&orgUnitMode=ACCESSIBLE", 409, "At least one organisation unit"),
        ("trackedEntities", "", 409, "Either Program or Tracked entity type"),
        ("trackedEntities", "program=aaaaaaaaaaa&orgUnitMode=ACCESSIBLE", 400, "does not exist: aaaaaaaaaaa"),
        ("enrollments", f"program={PROGRAM}&orgUnitMode=ACCESSIBLE", 409, "At least one organisation unit"),
        ("trackedEntities", f"program={PROGRAM}&trackedEntities=tePerson001", 501, "trackedEntities of 2.40"),
        ("trackedEntities", f"program={PROGRAM}&orgUnit={CLINIC}", 200, ""),
        ("enrollments", f"program={PROGRAM}&orgUnit={ROOT}&ouMode=DESCENDANTS", 200, ""),
        ("events", f"program={PROGRAM}&orgUnitMode=ACCESSIBLE", 200, ""),
    ],
)  # fmt: skip
def test_lists_of_2_40(plural: str, query: str, status: int, words: str):
    """Recorded (tracker-read 3 to 16)."""
    with serving("2.40") as api:
        _import(api, trackedEntities=[person(1)])
        answer = api.get(f"/api/tracker/{plural}?{query}")
        assert answer.status_code == status, answer.text
        body = answer.json()
        if status == 200:
            assert set(body) == {"page", "pageSize", "instances"}
            assert len(body["instances"]) == 1
        else:
            assert words in body["message"]
