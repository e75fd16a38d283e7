"""What the versions do differently, where one request shows it."""

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dhis2sh import sandbox
from dhis2sh.sandbox.analytics import build
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load
from dhis2sh.sandbox.versions import VERSIONS, Version
from tests.sandbox import clinic
from tests.sandbox.clinic import person
from tests.sandbox.nation import metadata


@contextmanager
def serving(version: str) -> Iterator[TestClient]:
    store = open_store(version=version)
    clinic.furnish(store)
    with TestClient(create_app(store), base_url="http://sandbox") as client:
        client.auth = ("admin", "district")
        yield client
    store.close()


@pytest.mark.parametrize(("version", "word"), [("2.42", "mode"), ("2.43", "strategy")])
def test_a_create_of_what_is_there(version: str, word: str):
    with serving(version) as api:
        answer = api.post(
            "/api/metadata?importStrategy=CREATE", json={"options": [{"id": "opAlive0001", "name": "Alive"}]}
        )
        assert f"import {word} is CREATE" in answer.text and '"E5000"' in answer.text


@pytest.mark.parametrize(("version", "count", "named"), [("2.41", 19, False), ("2.42", 20, False), ("2.43", 23, True)])
def test_period_types(version: str, count: int, named: bool):
    with serving(version) as api:
        rows = api.get("/api/periodTypes").json()["periodTypes"]
        assert (len(rows), "displayName" in rows[0]) == (count, named)


@pytest.mark.parametrize(
    ("version", "stored", "combo", "follow"),
    [
        ("2.41", "admin", None, False),
        ("2.42", None, None, None),
        ("2.43", "admin", "HllvX50cXC0", None),
        ("2.44", None, "HllvX50cXC0", None),
    ],
)
def test_what_an_enrollment_says_of_itself(version: str, stored: str | None, combo: str | None, follow: bool | None):
    with serving(version) as api:
        api.post("/api/tracker?async=false", json={"trackedEntities": [person(1)]})
        body = api.get("/api/tracker/enrollments/enChild0001?fields=*,events[*]").json()
        assert (body.get("storedBy"), body.get("attributeOptionCombo")) == (stored, combo)
        assert body["events"][0].get("followup") == follow


@pytest.mark.parametrize(("version", "external"), [("2.41", False), ("2.42", True), ("2.43", False)])
def test_external_access(version: str, external: bool):
    with serving(version) as api:
        answer = api.get("/api/sharing?type=program&id=prChild0001").json()
        assert ("externalAccess" in answer["object"], "allowExternalAccess" in answer["meta"]) == (external, external)


@pytest.mark.parametrize(("version", "named"), [("2.42", True), ("2.43", False)])
def test_a_category_that_a_combo_has(version: str, named: bool):
    with serving(version) as api:
        made = {"categories": [{"id": "caSex000001", "name": "Sex", "shortName": "Sex", "dataDimensionType": "DISAGGREGATION"}],
                "categoryCombos": [{"id": "ccSex000001", "name": "By sex", "dataDimensionType": "DISAGGREGATION",
                                    "categories": [{"id": "caSex000001"}]}]}  # fmt: skip
        assert api.post("/api/metadata", json=made).json()["status"] == "OK"
        text = api.delete("/api/categories/caSex000001").text
        assert "another object: CategoryCombo" in text and ("(By sex)" in text) == named


@pytest.mark.parametrize(("version", "header", "status"), [
    ("2.42", "de,pe,ou,coc,aoc,value", 200), ("2.43", "value,orgunit,period,dataelement", 200), ("2.43", "de,pe,ou,coc,aoc,value", 409),
])  # fmt: skip
def test_columns_of_a_csv_have_places_or_names(version: str, header: str, status: int):
    store = open_store(version=version)
    load(store, metadata())
    cells = {"de": "deVisits001", "dataelement": "deVisits001", "pe": "202501", "period": "202501", "ou": "ouClinicA01",
             "orgunit": "ouClinicA01", "value": "7"}  # fmt: skip
    row = ",".join(cells.get(name, "") for name in header.split(","))
    with TestClient(create_app(store), base_url="http://sandbox") as api:
        api.auth = ("admin", "district")
        answer = api.post(
            "/api/dataValueSets", content=f"{header}\n{row}\n", headers={"Content-Type": "application/csv"}
        )
    store.close()
    assert answer.status_code == status, answer.text
    if status == 409:
        found = answer.json()["response"]["conflicts"][0]
        assert found["errorCode"] == "E8100" and "categoryOptions={" in found["objects"]["args"], (
            "no period is missed first"
        )


@pytest.mark.parametrize(
    ("version", "listed", "read", "set_"),
    [
        ("2.41", {"keyStyle", "keySmsSetting"}, 404, 409),
        ("2.42", {"keyStyle", "keyCustomCss"}, 404, 404),
        ("2.43", {"keyCustomColor", "keyCustomCss"}, 404, 404),
    ],
)
def test_settings_that_a_version_lists(version: str, listed: set[str], read: int, set_: int):
    """Recorded (system-info 5, inst-settings 9 and 20, inst-look 30)."""
    told = {"keyStyle", "keySmsSetting", "keyCustomCss", "keyCustomColor"}
    with serving(version) as api:
        assert told & api.get("/api/systemSettings").json().keys() == listed
        assert api.get("/api/systemSettings/keyNope").status_code == read
        assert api.post("/api/systemSettings", json={"keyNope": "1"}).status_code == set_
        assert api.get("/api/systemSettings/keyStyle").status_code == (200 if "keyStyle" in listed else 404)


@pytest.mark.parametrize(
    ("version", "words", "sign_in"),
    [
        ("2.41", "Route nope not found", 500),
        ("2.42", "Route not found: 'nope'", 201),
        ("2.43", "Route not found: 'nope'", 201),
    ],
)
def test_routes_of_a_version(version: str, words: str, sign_in: int):
    """Recorded (inst-routes 16 to 22): an address is looked at in every version, and OAuth2 is known from 2.42 on."""
    auth = {"type": "oauth2-client-credentials", "clientId": "x", "clientSecret": "y", "tokenUri": "https://a.org/t"}
    with serving(version) as api:
        assert api.get("/api/routes/nope/run").json()["message"] == words
        for body in ({"url": "nope"}, {"url": "https://a.org", "responseTimeoutSeconds": 9999}):
            assert api.post("/api/routes", json={"name": "R", **body}).status_code == 409
        made = api.post("/api/routes", json={"name": "O", "code": "o", "url": "https://a.org", "auth": auth})
        assert made.status_code == sign_in


def test_every_difference_between_versions_is_explained_read_and_differs_somewhere():
    sources = [path for path in Path(sandbox.__path__[0]).rglob("*.py") if path.name != "versions.py"]
    read = set(re.findall(r"version\.(\w+)", "".join(path.read_text(encoding="utf-8") for path in sources)))
    for item in dataclasses.fields(Version):
        assert item.name in read, f"nothing asks for {item.name}"
        assert f"    {item.name}: " in str(Version.__doc__)
        assert len({getattr(version, item.name) for version in VERSIONS.values()}) > 1, f"{item.name} differs nowhere"


@pytest.mark.parametrize(
    ("method", "path", "older", "newer"),
    [
        ("GET", "/api/sessionsOf", None, "No static resource api&#47;sessionsOf."),
        ("GET", "/api/analytics.pdf", None, "Acceptable representations"),
        ("GET", "/api/sharing?type=constant", "request parameter &#39;id&#39; for method parameter type String is", "Required parameter &#39;id&#39;"),
        ("GET", "/api/dataApprovals/approvals?wf=x&pe=202401", "method parameter type Set is", "&#39;ou&#39; is not present."),
        ("POST", "/api/dataValues?de=a&ou=b", "conditions &quot;de, pe, ou&quot; not met for actual request parameters: de={a}, ou={b}", "Invalid request parameters."),
        ("POST", "/api/fileResources?domain=DOCUMENT", "Required request part &#39;file&#39; is not present", "Required part"),
    ],
)  # fmt: skip
def test_pages_of_the_container_up_to_2_41(method: str, path: str, older: str | None, newer: str):
    with serving("2.41") as api:
        page = api.request(method, path).text
        assert "Tomcat/9.0.117" in page and newer not in page
        assert older in page if older else "<b>Message</b>" not in page
    with serving("2.42") as api:
        assert newer in api.request(method, path).text


def test_what_a_login_page_is_told_up_to_2_41():
    with serving("2.41") as api:
        answer = api.get("/api/loginConfig")
        assert answer.status_code == 200
        assert not {"minPasswordLength", "loginPageTemplate", "applicationDescription"} & answer.json().keys()
        assert answer.json()["applicationTitle"] == "DHIS 2"
        api.post("/api/systemSettings/keyApplicationIntro", content="Welcome", headers={"content-type": "text/plain"})
        assert api.get("/api/loginConfig").json()["applicationDescription"] == "Welcome"
    with serving("2.42") as api:
        assert api.get("/api/loginConfig").json()["maxPasswordLength"] == "72"


def test_people_of_2_41():
    """Recorded (people-crud 13, people-tokens 1, people-me 7 and 23)."""
    nameless = {"id": "usNoName001", "username": "nameless", "firstName": "N", "password": "Distr1ct-Wire!",
                "userRoles": [{"id": "yrB6vc5Ip3r"}]}  # fmt: skip
    sign_in = {"username": "admin", "password": "district"}
    for version, reported, token, home, setting in (
        ("2.41", False, "ApiTokenCreationResponse", "/dhis-web-dashboard", 409),
        ("2.42", True, "ObjectReport", "/", 200),
    ):
        with serving(version) as api:
            nameless["userRoles"] = [{"id": api.get("/api/userRoles?fields=id").json()["userRoles"][0]["id"]}]
            refused = api.post("/api/users", json=nameless)
            assert (refused.status_code, "response" in refused.json()) == (409, reported)
            assert ("Failing row contains (" in refused.text, "Distr1ct-Wire!" in refused.text) == (not reported,) * 2
            assert api.get("/api/users/usNoName001").status_code == 404
            made = api.post("/api/apiTokens", json={"type": "PERSONAL_ACCESS_TOKEN_V2"})
            assert made.json()["response"]["responseType"] == token
            assert api.post("/api/auth/login", json=sign_in).json()["redirectUrl"] == home
            assert api.get("/api/me/settings/nope").status_code == setting


def test_addresses_of_next_pages():
    """Recorded (people-bulk 15, analytics-geo-dimensions 8 and 16): encoded or not, right or wrong, by version."""
    for version, gist, items, paged in (
        ("2.41", "/options/gist?fields=id,name&filter=name:like:Al&pageSize=1&page=2", "/api/dataItems", False),
        ("2.42", "/api/options/gist?fields=id%2Cname&filter=name%3Alike%3AAl&pageSize=1&page=2", "/api/api/dataItems", True),
    ):  # fmt: skip
        with serving(version) as api:
            page = api.get("/api/options/gist?fields=id,name&filter=name:like:Al&pageSize=1").json()["pager"]
            assert page["nextPage"].removeprefix("http://sandbox") == gist
            assert f"sandbox{items}?" in api.get("/api/dataItems?pageSize=1").json()["pager"]["nextPage"]
            assert ("pager" in api.get("/api/dimensions/zzzzzzzzzzz/items").json()) == paged


def test_a_media_type_that_nobody_takes():
    for version, words in (
        ("2.41", "Content type 'text/plain' not supported"),
        ("2.42", "Content-Type 'text/plain' is not supported"),
    ):
        with serving(version) as api:
            answer = api.post("/api/options", content="x", headers={"Content-Type": "text/plain"})
            assert (answer.status_code, answer.json()["message"]) == (415, words)


def test_registrations_in_a_period_that_the_database_of_2_43_does_not_know():
    """Recorded (data-complete 1 to 3, 13): the first time all is lost and the period made, the second time it is taken."""
    address = "/api/completeDataSetRegistrations"
    asked = f"{address}?dataSet=dsMonthly01&orgUnit=ouClinicA01&period=201904"
    body = {name: [{"dataSet": "dsMonthly01", "organisationUnit": "ouClinicA01", "period": "201904"}]
            for name in ("completeDataSetRegistrations",)}  # fmt: skip
    for version, statuses in (("2.42", [200, 200, 200]), ("2.43", [200, 409, 200])):
        store = open_store(version=version)
        load(store, metadata())
        with TestClient(create_app(store), base_url="http://sandbox") as api:
            api.auth = ("admin", "district")
            first = api.post(f"{address}?dryRun=true", json=body)
            answers = [first, *(api.post(address, json=body) for _ in range(2))]
            assert [one.status_code for one in answers] == statuses
            told = answers[1].json()["response"]
            if version == "2.43":
                assert told["description"] == "The import process failed: Failed to flush BatchHandler"
                assert set(told["importCount"].values()) == {0}
            assert answers[2].json()["response"]["importCount"]["imported"] == (version == "2.43")
            assert len(api.get(asked).json()["completeDataSetRegistrations"]) == 1
        store.close()


def test_rates_where_nothing_is_registered():
    """Recorded of 2.43 (analytics-dx 5): it makes no table of completeness then; what is expected it knows."""
    asked = "/api/analytics?dimension=dx:dsMonthly01.{}&dimension=pe:202501&filter=ou:ouNation001"
    for version, status in (("2.42", 200), ("2.43", 409)):
        store = open_store(version=version)
        load(store, metadata())
        build.build(store)
        with TestClient(create_app(store), base_url="http://sandbox") as api:
            api.auth = ("admin", "district")
            assert api.get(asked.format("REPORTING_RATE")).status_code == status
            assert api.get(asked.format("EXPECTED_REPORTS")).status_code == 200
        store.close()


def test_what_2_41_tells_of_a_user_and_of_its_settings():
    """Recorded (read-users 5, system-info 2, 12 and 19, people-me 10)."""
    for version, older in (("2.41", True), ("2.42", False)):
        with serving(version) as api:
            me = api.get("/api/me").json()
            assert ("userCredentials" in me, "twoFactorType" in me) == (older, not older)
            user = api.get(f"/api/users/{me['id']}?fields=twoFactorEnabled,userCredentials[username,twoFA]").json()
            assert user == ({"twoFactorEnabled": False, "userCredentials": {"username": "admin", "twoFA": False}} if older else {})  # fmt: skip
            assert "userCredentials" not in api.get(f"/api/users/{me['id']}?fields=:owner").json()
            settings = api.get("/api/me/settings").json()
            assert (settings["keyMessageSmsNotification"], "keyDbLocale" in settings) == (older, not older)
            assert ("languageTag" in api.get("/api/locales/db").json()[0]) == (not older)
            types = api.get("/api/jobConfigurations/jobTypes").json()["jobTypes"]
            assert ("sortable" in next(one["jobParameters"][0] for one in types if one["jobParameters"])) == (not older)
            changed = api.put("/api/me", json={"firstName": "Ada"}).json()
            assert changed["name"] == ("Ada admin" if older else me["name"])
            assert ("userCredentials" in changed) == older


@pytest.mark.parametrize(
    ("version", "there", "gone"),
    [
        ("2.41", "TEI_IMPORT", "SINGLE_EVENT_DATA_SYNC"),
        ("2.42", "PUSH_ANALYSIS", "TEI_IMPORT"),
        ("2.43", "TRACKER_TRIGRAM_INDEX_MAINTENANCE", "PUSH_ANALYSIS"),
    ],
)
def test_tasks_by_the_job_types_of_a_version(version: str, there: str, gone: str):
    """Recorded (maintenance 10, data-async 15)."""
    with serving(version) as api:
        assert api.get(f"/api/system/tasks/{there}").status_code == 200
        assert api.get(f"/api/system/tasks/{gone}").status_code == 400


def test_what_2_43_shows_of_an_end_of_a_relationship():
    """Recorded (tracker-relationships 8): neither who stored an attribute nor the combo of an enrollment."""
    kin = {"relationship": "reSibling01", "relationshipType": "rtSibling01",
           "from": {"trackedEntity": {"trackedEntity": "tePerson001"}}, "to": {"trackedEntity": {"trackedEntity": "tePerson002"}}}  # fmt: skip
    for version, stored, combo in (("2.41", True, False), ("2.43", False, False)):
        with serving(version) as api:
            body = {"trackedEntities": [person(1), person(2)], "relationships": [kin]}
            assert api.post("/api/tracker?async=false", json=body).json()["status"] == "OK"
            end = api.get("/api/tracker/relationships/reSibling01?fields=*").json()["from"]["trackedEntity"]
            assert ("storedBy" in end["attributes"][0], "attributeOptionCombo" in end["enrollments"][0]) == (
                stored,
                combo,
            )


@pytest.mark.parametrize(("version", "metadata_path"), [("2.42", "/api/42/"), ("2.43", "/api/")])
def test_the_number_of_a_version_in_pagers(version: str, metadata_path: str):
    """Recorded (tracker-legacy 8): of the tracker it stays in every version."""
    with serving(version) as api:
        api.post("/api/tracker?async=false", json={"trackedEntities": [person(1), person(2)]})
        events = api.get("/api/42/tracker/events?program=prChild0001&orgUnitMode=ALL&pageSize=1").json()
        assert "sandbox/api/42/tracker/events?" in events["pager"]["nextPage"]
        units = api.get("/api/42/organisationUnits?pageSize=1").json()
        assert f"sandbox{metadata_path}organisationUnits?" in units["pager"]["nextPage"]


@pytest.mark.parametrize(("version", "named"), [("2.42", True), ("2.43", False)])
def test_a_role_that_somebody_has(version: str, named: bool):
    with serving(version) as api:
        role = api.get("/api/userRoles?fields=id").json()["userRoles"][0]["id"]
        text = api.delete(f"/api/userRoles/{role}").text
        assert "another object: User" in text and ("User (" in text) == named
        domains = api.post("/api/fileResources?domain=NOPE").json()["message"]
        assert ("PUSH_ANALYSIS" in domains) == named


@pytest.mark.parametrize(("version", "found"), [("2.41", ["Visit"]), ("2.42", ["Birth", "Visit"])])
def test_a_query_beside_a_filter(version: str, found: list[str]):
    """Recorded (meta2-filters-nested 17): up to 2.41 the words of a name are all that counts."""
    with serving(version) as api:
        asked = "fields=name&order=name:asc&query=isit&filter=name:eq:Birth&rootJunction=OR"
        rows = api.get(f"/api/programStages?{asked}").json()["programStages"]
        assert [row["name"] for row in rows] == found
