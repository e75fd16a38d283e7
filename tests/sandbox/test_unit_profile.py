"""Profiles of units, levels that have units, units that are near, schemas asked and held against an object (recorded `inst-misc`)."""

from starlette.testclient import TestClient

from dhis2sh.sandbox.store.database import Store
from tests.sandbox.nation import nation

PROFILE = "/api/organisationUnitProfile"


def test_a_profile_is_empty_until_somebody_says_what_it_shows(api: TestClient):
    with nation() as asked:
        assert asked.ask(PROFILE) == {"attributes": [], "groupSets": [], "dataItems": []}
        info = asked.ask(f"{PROFILE}/ouClinicA01/data")["info"]
        assert (info["name"], info["parentName"], info["level"], info["levelName"]) == (
            "Clinic A",
            "North",
            3,
            "Clinic",
        )
        said = asked.post(PROFILE, json={"groupSets": ["ougsPlace01"]})
        assert (said.status_code, said.content) == (200, b"")
        assert asked.ask(PROFILE)["groupSets"] == ["ougsPlace01"]
        assert asked.get(f"{PROFILE}/ouClinicA01/data").status_code == 501, "what it then shows was not seen"
        assert asked.get(f"{PROFILE}/aaaaaaaaaaa/data").status_code in {404, 501}


def test_levels_that_have_units_are_named(api: TestClient):
    with nation() as asked:
        rows = asked.get("/api/filledOrganisationUnitLevels").json()
        assert [(row["level"], row["name"]) for row in rows] == [(1, "Country"), (2, "District"), (3, "Clinic")]
        assert {"access", "sharing", "favorites", "displayName"} <= rows[0].keys()


def test_nothing_is_near_where_nothing_is(api: TestClient):
    query = "longitude=-150&latitude=-80&distance=1"
    assert api.get(f"/api/organisationUnitLocations/withinRange?{query}").json() == []
    assert api.get("/api/organisationUnitLocations/withinRange?longitude=x").status_code == 501


def test_a_schema_is_asked_for_one_property_and_for_an_object(api: TestClient, store: Store):
    value = api.get("/api/schemas/constant/value").json()
    assert (value["propertyType"], value["required"], value["klass"]) == ("NUMBER", True, "java.lang.Double")
    missing = api.get("/api/schemas/nope/x")
    assert (missing.status_code, missing.json()["message"]) == (404, "Type nope does not exist.")
    refused = api.post("/api/schemas/constant", json={"name": "no"})
    (report,) = refused.json()["response"]["errorReports"]
    assert (refused.status_code, report["errorCode"], report["errorProperty"]) == (400, "E4000", "shortName")
    good = {"id": "imscWx2yQ01", "name": "Schema checked", "shortName": "Schema checked", "value": 1}
    assert api.post("/api/schemas/constant", json=good).json()["response"] == {
        "errorReports": [], "responseType": "ErrorReports",
    }  # fmt: skip
    assert "imscWx2yQ01" not in store.objects("constants"), "nothing is written"


def test_nothing_is_ever_sent(api: TestClient):
    found = api.get("/api/programNotificationInstances?enrollment=GIsJb4sB2XH").json()
    assert found == {"pager": {"page": 1, "pageSize": 50}, "programNotificationInstances": []}
