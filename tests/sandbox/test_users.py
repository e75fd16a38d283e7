"""Who may do what: sign-in, tokens, accounts, authorities, sharing, org units."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.routes.people.tokens import new_key
from dhis2sh.sandbox.store.database import Store
from tests.sandbox import clinic

PASSWORD = "Distr1ct-Wire!"
ELEMENT = {
    "name": "New",
    "shortName": "New",
    "domainType": "AGGREGATE",
    "valueType": "NUMBER",
    "aggregationType": "SUM",
}


@pytest.fixture
def api(store: Store) -> Iterator[TestClient]:
    clinic.furnish(store)
    with TestClient(create_app(store), base_url="http://sandbox", follow_redirects=False) as client:
        client.auth = ("admin", "district")
        yield client


def add_user(
    api: TestClient, username: str = "clerk", *authorities: str, units: tuple[str, ...] = (clinic.CLINIC,)
) -> str:
    """A user with a role of these authorities."""
    role = api.post("/api/userRoles", json={"name": f"role of {username}", "authorities": list(authorities)})
    body = {
        "username": username, "firstName": "A", "surname": "Clerk", "password": PASSWORD,
        "userRoles": [{"id": role.json()["response"]["uid"]}], "organisationUnits": [{"id": unit} for unit in units],
    }  # fmt: skip
    answer = api.post("/api/users", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["response"]["uid"]


def as_(api: TestClient, username: str, password: str = PASSWORD) -> dict[str, Any]:
    """The arguments that make a request this user's."""
    return {"auth": (username, password)}


def test_a_new_user_signs_in_and_the_password_is_nowhere_to_be_read(api: TestClient, store: Store):
    uid = add_user(api)
    assert api.get("/api/me?fields=username", **as_(api, "clerk")).json() == {"username": "clerk"}
    assert api.get("/api/me", **as_(api, "clerk", "wrong")).status_code == 401
    assert "password" not in api.get(f"/api/users/{uid}?fields=:owner").json()
    assert all(PASSWORD not in line for line in store.connection.iterdump())


def test_without_credentials_one_is_led_to_the_login_page(api: TestClient):
    api.auth = None
    answer = api.get("/api/me")
    assert (answer.status_code, answer.headers["location"]) == (302, "http://sandbox/dhis-web-login/")
    assert api.get("/api/loginConfig").status_code == 200


def test_a_session_lasts_until_logout(api: TestClient):
    api.auth = None
    refused = api.post("/api/auth/login", json={"username": "admin", "password": "no"})
    assert refused.status_code == 401
    answer = api.post("/api/auth/login", json={"username": "admin", "password": "district"})
    assert answer.json()["loginStatus"] == "SUCCESS"
    cookie = answer.cookies["JSESSIONID"]
    assert api.get("/api/me", headers={"Cookie": f"JSESSIONID={cookie}"}).status_code == 200
    api.post("/api/auth/logout", headers={"Cookie": f"JSESSIONID={cookie}"})
    assert api.get("/api/me", headers={"Cookie": f"JSESSIONID={cookie}"}).status_code == 302


def test_a_disabled_or_expired_account_stays_outside(api: TestClient):
    uid = add_user(api)
    assert api.post(f"/api/users/{uid}/disabled").status_code == 204
    assert api.get("/api/me", **as_(api, "clerk")).status_code == 401
    api.auth = None
    login = api.post("/api/auth/login", json={"username": "clerk", "password": PASSWORD})
    assert login.json() == {"loginStatus": "ACCOUNT_DISABLED"}
    api.auth = ("admin", "district")
    api.post(f"/api/users/{uid}/enabled")
    api.post(f"/api/users/{uid}/expired?date=2020-01-01")
    assert api.get("/api/me", **as_(api, "clerk")).status_code == 401
    api.post(f"/api/users/{uid}/unexpired")
    assert api.get("/api/me", **as_(api, "clerk")).status_code == 200


def token(api: TestClient, **body: Any) -> dict[str, str]:
    answer = api.post("/api/apiToken", json=body)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"ApiToken {answer.json()['response']['key']}"}


def test_a_token_signs_in_within_its_limits(api: TestClient):
    later, before = (int(time.time() * 1000) + step for step in (60_000, -60_000))
    plain = token(api, expire=later)
    reads = token(api, expire=later, attributes=[{"type": "MethodAllowedList", "allowedMethods": ["GET"]}])
    old = token(api, expire=before)
    elsewhere = token(api, expire=later, attributes=[{"type": "IpAllowedList", "allowedIps": ["10.0.0.1"]}])
    own = api.get("/api/apiToken").json()["apiToken"]
    api.auth = None
    assert api.get("/api/me?fields=username", headers=plain).json() == {"username": "admin"}
    assert api.get("/api/me", headers=reads).status_code == 200
    assert api.post("/api/dataElements", headers=reads, json=ELEMENT).status_code == 401
    assert "expired" in api.get("/api/me", headers=old).json()["message"]
    assert api.get("/api/me", headers=elsewhere).status_code == 401
    assert api.get("/api/me", headers={"Authorization": "ApiToken d2p_nonsense"}).status_code == 401
    assert api.delete(f"/api/apiToken/{own[0]['id']}", headers=plain).status_code == 200


def test_keys_have_the_forms_of_the_server():
    assert len(new_key()) == 4 + 44 + 6 and new_key().startswith("d2p_")
    assert len(new_key(1)) == 6 + 32 + 10 and new_key(1)[-10:].isdigit()


@pytest.mark.parametrize("password", ["short1!", "nodigits-Here", "no-capital-1", "NoSpecial11", "x" * 73])
def test_a_weak_password_is_refused(api: TestClient, password: str):
    body = {
        "username": "weak",
        "firstName": "W",
        "surname": "P",
        "password": password,
        "userRoles": [{"id": "yrB6vc5Ip3r"}],
    }
    answer = api.post("/api/users", json=body)
    found = [one["errorCode"] for one in answer.json()["response"]["errorReports"]]
    assert found == (["E4005", "E4001"] if len(password) > 60 else ["E4005"]), "the column holds 60 characters"


def test_people_change_their_own_password(api: TestClient):
    add_user(api)
    change = {"oldPassword": PASSWORD, "newPassword": "An0ther-One!"}
    assert (
        api.put("/api/me/changePassword", json={**change, "oldPassword": "no"}, **as_(api, "clerk")).status_code == 409
    )
    assert api.put("/api/me/changePassword", json=change, **as_(api, "clerk")).status_code == 202
    assert api.get("/api/me", **as_(api, "clerk")).status_code == 401
    assert api.get("/api/me", **as_(api, "clerk", "An0ther-One!")).status_code == 200


def test_writing_takes_an_authority(api: TestClient):
    add_user(api, "reader")
    add_user(api, "author", "F_DATAELEMENT_PUBLIC_ADD")
    assert api.post("/api/dataElements", json=ELEMENT, **as_(api, "reader")).status_code == 403
    made = api.post("/api/dataElements", json=ELEMENT, **as_(api, "author"))
    assert made.status_code == 201
    uid = made.json()["response"]["uid"]
    assert api.delete(f"/api/dataElements/{uid}", **as_(api, "author")).status_code == 403
    assert api.delete(f"/api/dataElements/{uid}").status_code == 200


def test_sharing_hides_objects_and_keeps_them_from_being_changed(api: TestClient):
    uid = add_user(api, "author", "F_DATAELEMENT_PUBLIC_ADD")
    element = api.post("/api/dataElements", json=ELEMENT).json()["response"]["uid"]
    rename = [{"op": "replace", "path": "/name", "value": "Renamed"}]
    patch = {"headers": {"Content-Type": "application/json-patch+json"}, **as_(api, "author")}
    share = {"public": "--------", "external": False, "users": {}, "userGroups": {}}
    api.put(f"/api/dataElements/{element}/sharing", json=share)
    assert api.get(f"/api/dataElements/{element}", **as_(api, "author")).status_code == 403
    listed = api.get("/api/dataElements?fields=id&paging=false", **as_(api, "author")).json()["dataElements"]
    assert {"id": element} not in listed
    reading = {**share, "users": {uid: {"id": uid, "access": "r-------"}}}
    api.put(f"/api/dataElements/{element}/sharing", json=reading)
    assert api.get(f"/api/dataElements/{element}", **as_(api, "author")).status_code == 200
    assert api.patch(f"/api/dataElements/{element}", json=rename, **patch).status_code == 403
    writing = {**share, "users": {uid: {"id": uid, "access": "rw------"}}}
    api.put(f"/api/dataElements/{element}/sharing", json=writing)
    assert api.patch(f"/api/dataElements/{element}", json=rename, **patch).status_code == 200


def test_maintenance_and_settings_are_for_those_who_may(api: TestClient):
    add_user(api)
    for method, path in (
        ("POST", "/api/maintenance/cacheClear"),
        ("POST", "/api/dataIntegrity"),
        ("POST", "/api/resourceTables"),
    ):
        answer = api.request(method, path, **as_(api, "clerk"))
        assert answer.status_code == 403 and "F_PERFORM_MAINTENANCE" in answer.json()["message"]
    setting = api.post("/api/systemSettings/applicationTitle?value=Mine", **as_(api, "clerk"))
    assert setting.status_code == 403


def test_tracker_data_are_captured_in_ones_own_org_units(api: TestClient):
    add_user(api, units=(clinic.OTHER,))
    body = {"trackedEntities": [clinic.person(1)]}
    report = api.post("/api/tracker?async=false", json=body, **as_(api, "clerk")).json()
    assert {one["errorCode"] for one in report["validationReport"]["errorReports"]} == {"E1000"}
    api.post("/api/tracker?async=false", json=body)
    query = {"program": clinic.PROGRAM}
    assert api.get("/api/tracker/trackedEntities", params=query, **as_(api, "clerk")).json()["trackedEntities"] == []
    outside = api.get("/api/tracker/trackedEntities", params={**query, "orgUnits": clinic.CLINIC}, **as_(api, "clerk"))
    assert outside.status_code == 403


def test_a_replica_has_the_roles_and_its_own_password(api: TestClient):
    uid = add_user(api, "clerk", "F_DATAELEMENT_PUBLIC_ADD")
    answer = api.post(f"/api/users/{uid}/replica", json={"username": "copy", "password": PASSWORD})
    assert answer.status_code == 201
    me = api.get("/api/me?fields=username,authorities", **as_(api, "copy")).json()
    assert me == {"username": "copy", "authorities": ["F_DATAELEMENT_PUBLIC_ADD"]}


def test_users_are_searched_by_words_and_org_units(api: TestClient):
    add_user(api, "clerk")
    add_user(api, "other", units=(clinic.OTHER,))
    found = api.get("/api/users?query=clerk&fields=username").json()["users"]
    assert {user["username"] for user in found} == {"clerk", "other"}
    near = api.get(f"/api/users?ou={clinic.ROOT}&includeChildren=true&query=clerk&fields=username").json()["users"]
    assert len(near) == 2
    # Whichever unit is named, a server takes those of who asks.
    own = api.get(f"/api/users?ou={clinic.OTHER}&fields=username").json()["users"]
    assert own == api.get("/api/users?userOrgUnits=true&fields=username").json()["users"]
    assert {"username": "other"} not in own
