"""What the installation answers beside metadata and data: the data store's queries, routes, files, messages, accounts."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.store.database import Store

PICTURE = {"file": ("a.png", b"picture", "image/png")}


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("size:gt:5", ["beta", "gamma"]),
        ("size:in:[3,10]", []),
        ("name:null", ["gamma"]),
        ("_:like:eta", ["beta"]),
        ("tags:empty", ["beta"]),
    ],
)
def test_filters_of_the_data_store(api: TestClient, query: str, keys: list[str]):
    api.post("/api/dataStore/ns/alpha", json={"name": "A", "size": 3, "tags": ["x"]})
    api.post("/api/dataStore/ns/beta", json={"name": "B", "size": 10, "tags": []})
    api.post("/api/dataStore/ns/gamma", json={"name": None, "size": 7.5})
    api.post("/api/dataStore/ns/secret?encrypt=true", json={"name": "S", "size": 99})
    found = api.get("/api/dataStore/ns", params={"fields": "name", "filter": query}).json()["entries"]
    assert [entry["key"] for entry in found] == keys
    order = api.get("/api/dataStore/ns", params={"fields": "size", "order": "size:desc"}).json()["entries"]
    assert [entry["key"] for entry in order] == ["beta", "gamma", "alpha"]
    assert api.get("/api/dataStore/ns/secret").json()["size"] == 99
    assert api.get("/api/dataStore/ns/keys").json() == ["alpha", "beta", "gamma", "secret"]


def test_filters_of_the_data_store_that_cannot_be_read(api: TestClient):
    api.post("/api/dataStore/ns/alpha", json={"size": 3})
    words = {
        text: api.get("/api/dataStore/ns", params={"fields": "size", "filter": text}) for text in ("size", "size:zz:1")
    }
    assert words["size"].json()["errorCode"] == "E7652"
    assert words["size:zz:1"].json()["message"].startswith("Unknown operator: `ZZ` Use one of [startswith, ")
    assert {answer.status_code for answer in words.values()} == {409}


def test_routes_lead_where_the_installation_lets_them(store: Store):
    with TestClient(create_app(store, remote_servers=("http://127.0.0.1:1/*",))) as api:
        api.auth = ("admin", "district")
        for url, said in (("nope", "Malformed route URL"), ("https://example.org/x", "Route URL is not permitted")):
            assert api.post("/api/routes", json={"name": "R", "url": url}).json()["message"] == said
        slow = {"name": "R", "url": "http://127.0.0.1:1/x", "responseTimeoutSeconds": 61}
        assert "less than or equal to 60" in api.post("/api/routes", json=slow).json()["message"]
        assert api.post("/api/routes", json={**slow, "code": "r", "responseTimeoutSeconds": 1}).status_code == 201
        dead = api.get("/api/routes/r/run")
        assert (dead.status_code, "Connection refused: /127.0.0.1:1" in dead.json()["message"]) == (500, True)


def test_what_no_file_may_be(api: TestClient):
    for name, kind in (("run.exe", "application/octet-stream"), ("page.txt", "text/html")):
        answer = api.post("/api/fileResources?domain=DOCUMENT", files={"file": (name, b"x", kind)})
        assert (answer.status_code, answer.json()["errorCode"]) == (409, "E6101")


def test_a_file_is_the_file_of_one_document(api: TestClient):
    file = api.post("/api/fileResources?domain=DOCUMENT", files={"file": ("a.txt", b"x", "text/plain")})
    document = {"name": "D", "url": file.json()["response"]["fileResource"]["id"], "external": False}
    assert api.post("/api/documents", json=document).status_code == 201
    again = api.post("/api/documents", json={**document, "name": "E"}).json()
    assert [error["errorCode"] for error in again["response"]["errorReports"]] == ["E4016"]


def test_a_logo_is_set_by_who_has_signed_in(api: TestClient, store: Store):
    with TestClient(create_app(store), follow_redirects=False) as nobody:
        assert nobody.post("/api/staticContent/logo_front", files=PICTURE).status_code == 302
        assert api.post("/api/staticContent/logo_front", files=PICTURE).status_code == 204
        assert nobody.get("/api/staticContent/logo_front").content == b"picture"


def test_settings_keep_their_types(api: TestClient):
    assert api.post("/api/systemSettings/keyAnalyticsMaxLimit?value=abc").status_code == 400
    api.post("/api/systemSettings/keyEmailPassword?value=word")
    assert api.get("/api/systemSettings/keyEmailPassword").json() == {"keyEmailPassword": "word"}
    assert api.get("/api/systemSettings?key=nope").json() == {"nope": ""}


def test_a_reply_leaves_the_sender_with_what_he_has_not_read(api: TestClient):
    me = api.get("/api/me?fields=id").json()["id"]
    missing = api.post(
        "/api/messageConversations", json={"subject": "S", "text": "T", "users": [{"id": "usMissing01"}]}
    )
    assert missing.json()["message"] == "User does not exist: usMissing01"
    made = api.post("/api/messageConversations", json={"subject": "S", "text": "T", "users": [{"id": me}]})
    place = f"/api/messageConversations/{made.headers['location'].rpartition('/')[2]}"
    api.post("/api/messageConversations/unread", json=[place.rpartition("/")[2]])
    assert api.post(place, content=b"Reply", headers={"content-type": "text/plain"}).status_code == 201
    assert api.get(f"{place}?fields=read,messageCount").json() == {"read": False, "messageCount": 2}


def test_jobs_of_the_servers_own_are_not_made(api: TestClient):
    sent = {"name": "J", "jobType": "METADATA_IMPORT", "cronExpression": "0 0 4 ? * *"}
    assert "must be configurable but was not" in api.post("/api/jobConfigurations", json=sent).json()["message"]
    bad = api.post("/api/jobConfigurations", json={**sent, "jobType": "TEST", "cronExpression": "every day"}).json()
    assert [error["errorCode"] for error in bad["response"]["errorReports"]] == ["E7005"]


def test_an_export_of_everything_has_what_is_metadata(api: TestClient):
    """Recorded (system-info): `/api/schemas` calls file resources, messages and interpretations no metadata."""
    uid = api.post("/api/fileResources?domain=DOCUMENT", files={"file": ("a.txt", b"a", "text/plain")}).json()
    uid = uid["response"]["fileResource"]["id"]
    document = {"name": "A", "url": uid, "external": False}
    assert api.post("/api/documents", json=document).status_code == 201
    everything = api.get("/api/metadata").json()
    assert "documents" in everything
    assert "fileResources" not in everything
    assert [row["id"] for row in api.get("/api/metadata?fileResources=true").json()["fileResources"]] == [uid]
