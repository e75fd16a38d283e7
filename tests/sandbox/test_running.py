"""Everything that runs: data store, settings, messages, files, jobs over HTTP, maintenance, integrity, validation, SQL views."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.data.values import put_all
from dhis2sh.sandbox.java.schedule import Cron
from dhis2sh.sandbox.store.database import Store
from tests.sandbox import clinic

COMBO = "HllvX50cXC0"


@pytest.fixture
def api(store: Store) -> Iterator[TestClient]:
    clinic.furnish(store)
    with TestClient(create_app(store), base_url="http://sandbox", follow_redirects=False) as client:
        client.auth = ("admin", "district")
        yield client


def finished(api: TestClient, job_type: str, uid: str) -> list[dict[str, Any]]:
    """The notifications of a job, once it has ended."""
    for _ in range(6000):
        notes = api.get(f"/api/system/tasks/{job_type}/{uid}").json()
        if notes and notes[0]["completed"]:
            return notes
        time.sleep(0.01)
    raise AssertionError(f"{job_type} {uid} does not end")


def test_the_data_store_keeps_json_by_namespace_and_key(api: TestClient):
    assert api.post("/api/dataStore/app/one", json={"a": {"b": 1}, "name": "One"}).status_code == 201
    assert api.post("/api/dataStore/app/one", json=1).status_code == 409
    api.put("/api/dataStore/app/two", json={"a": {"b": 2}, "name": "Two"})
    assert api.get("/api/dataStore").json() == ["app"]
    assert api.get("/api/dataStore/app").json() == ["one", "two"]
    query = {"fields": "name,a.b", "filter": "a.b:gt:1"}
    assert api.get("/api/dataStore/app", params=query).json()["entries"] == [
        {"key": "two", "name": "Two", "a": {"b": 2}}
    ]
    api.put("/api/dataStore/app/one?path=a.b", json=5)
    assert api.get("/api/dataStore/app/one").json() == {"a": {"b": 5}, "name": "One"}
    assert api.delete("/api/dataStore/app").json()["message"] == "Namespace deleted: 'app'"
    assert api.get("/api/dataStore/app/one").status_code == 404
    assert api.post("/api/userDataStore/app/one", json=1).json()["message"] == "Key 'one' in namespace 'app' created."


def test_settings_have_types_and_go_back_to_their_defaults(api: TestClient):
    assert api.post("/api/systemSettings/keyAnalyticsMaxLimit?value=7").status_code == 200
    assert api.get("/api/systemSettings?key=keyAnalyticsMaxLimit").json() == {"keyAnalyticsMaxLimit": 7}
    assert api.delete("/api/systemSettings/keyAnalyticsMaxLimit").status_code == 204
    assert api.get("/api/systemSettings/keyAnalyticsMaxLimit").json() == {"keyAnalyticsMaxLimit": 100000}
    assert api.post("/api/systemSettings/nope?value=1").status_code == 404
    api.post("/api/userSettings/keyUiLocale?value=fr")
    assert api.get("/api/me/settings").json()["keyUiLocale"] == "fr"


def test_a_conversation_is_unread_for_the_others(api: TestClient, store: Store):
    store.put_objects(
        {"users": [{"id": "usOther0001", "username": "other", "name": "O", "userRoles": [], "password": "x"}]}
    )
    answer = api.post(
        "/api/messageConversations", json={"subject": "Hi", "text": "there", "users": [{"id": "usOther0001"}]}
    )
    place = answer.headers["location"]
    api.post(place, content="and more", headers={"Content-Type": "text/plain"})
    seen = api.get(place, params={"fields": "read,messageCount,messages[text]"}).json()
    assert seen == {"read": True, "messageCount": 2, "messages": [{"text": "there"}, {"text": "and more"}]}
    other = {"auth": ("other", "x")}
    assert api.get("/api/me/dashboard", **other).json()["unreadMessageConversations"] == 1
    uid = place.rpartition("/")[2]
    assert api.post("/api/messageConversations/read", json=[uid], **other).json() == {"markedRead": [uid]}
    assert api.get("/api/me/dashboard", **other).json()["unreadMessageConversations"] == 0


def test_an_uploaded_file_becomes_a_document(api: TestClient):
    answer = api.post("/api/fileResources?domain=DOCUMENT", files={"file": ("note.txt", b"ten bytes!", "text/plain")})
    file = answer.json()["response"]["fileResource"]
    assert (answer.status_code, file["contentLength"], file["name"]) == (202, 10, "note.txt")
    body = {"name": "Note", "url": file["id"], "external": False, "attachment": True}
    document = api.post("/api/documents", json=body).json()["response"]["uid"]
    data = api.get(f"/api/documents/{document}/data")
    assert data.content == b"ten bytes!" and "note.txt" in data.headers["content-disposition"]


def test_a_job_configuration_is_executed_enabled_and_disabled(api: TestClient):
    body = {
        "name": "Nightly",
        "jobType": "TEST",
        "cronExpression": "0 0 3 ? * *",
        "enabled": True,
        "jobParameters": {"stages": 2},
    }
    uid = api.post("/api/jobConfigurations", json=body).json()["response"]["uid"]
    assert api.get(f"/api/jobConfigurations/{uid}/progress").status_code == 500
    assert api.post(f"/api/jobConfigurations/{uid}/execute").status_code == 200
    notes = finished(api, "TEST", uid)
    assert [note["message"] for note in notes] == ["", "Stage 2", "Stage 1", "Test job"]
    assert api.post(f"/api/jobConfigurations/{uid}/disable").status_code == 204
    assert api.post(f"/api/jobConfigurations/{uid}/execute").status_code == 409
    assert api.post(f"/api/jobConfigurations/{uid}/enable").status_code == 204


def made(api: TestClient, **more: object):
    """A job that is made: the answer."""
    body = {"name": "Nightly", "cronExpression": "0 0 3 ? * *", "enabled": True, **more}
    return api.post("/api/jobConfigurations", json=body)


def parameters_of(api: TestClient, uid: str):
    return api.get(f"/api/jobConfigurations/{uid}", params={"fields": "jobParameters"}).json().get("jobParameters")


@pytest.mark.parametrize(
    ("job_type", "sent", "kept"),
    [
        ("PREDICTOR", {"relativeStart": -3}, {"relativeStart": -3, "relativeEnd": 0, "predictors": [], "predictorGroups": []}),
        ("TEST", None, {"failWithException": False, "failWithPostCondition": False, "runStagesParallel": False}),
        ("DATA_SYNC", {"pageSize": 100, "nope": 1}, {"pageSize": 100}),
        ("RESOURCE_TABLE", None, None),
    ],
)  # fmt: skip
def test_parameters_are_those_of_the_job_types_class(api: TestClient, job_type: str, sent: object, kept: object):
    """Recorded (jobs-life 9, 24; jobs-of-every-type 2, 5, 11)."""
    uid = made(api, jobType=job_type, **({"jobParameters": sent} if sent else {})).json()["response"]["uid"]
    assert parameters_of(api, uid) == kept


def test_a_parameter_that_is_no_constant_or_missing_is_refused(api: TestClient):
    """Recorded (jobs-life 6, jobs-of-every-type 19)."""
    wrong = made(api, jobType="HTML_PUSH_ANALYTICS", jobParameters={"mode": "NOPE"})
    assert (wrong.status_code, "not one of the values accepted" in wrong.json()["message"]) == (500, True)
    (error,) = made(api, jobType="AGGREGATE_DATA_EXCHANGE", jobParameters={"dataExchangeIds": []}).json()["response"]["errorReports"]  # fmt: skip
    assert (error["errorCode"], error["errorProperties"]) == ("E4000", ["dataExchangeIds"])
    assert error["mainKlass"].endswith("AggregateDataExchangeJobParameters")


def test_the_progress_of_the_last_run_stays_to_be_read(api: TestClient):
    """Recorded (jobs-life 14, 15): the last stage is never ended, and who asked does not run what comes again."""
    uid = made(api, jobType="TEST", jobParameters={"waitMillis": 1, "stages": 1, "items": 2}).json()["response"]["uid"]
    api.post(f"/api/jobConfigurations/{uid}/execute")
    finished(api, "TEST", uid)
    (process,) = api.get(f"/api/jobConfigurations/{uid}/progress").json()["sequence"]
    assert (process["description"], process["status"], process["userId"]) == ("Test job", "SUCCESS", "XXXXXSystem")
    waited, stage = process["stages"]
    assert (waited["description"], waited["summary"], waited["complete"]) == ("Waiting for 1ms", "waited for 1ms", True)
    assert (stage["description"], stage["totalItems"], stage["complete"]) == ("Stage 1", 2, False)
    assert [item["description"] for item in stage["items"]] == ["#1", "#2"]
    assert api.get(f"/api/jobConfigurations/{uid}/errors").json() == {}


def test_an_import_says_what_it_does_and_ends_with_an_error_where_it_fails(api: TestClient):
    """Recorded (tasks-of-imports 2, 5)."""
    element = {"id": "deTaskNote1", "name": "Task", "shortName": "Task", "domainType": "AGGREGATE", "valueType": "NUMBER",
               "aggregationType": "SUM"}  # fmt: skip
    job = api.post("/api/metadata?async=true", json={"dataElements": [element]}).json()["response"]["id"]
    said = [note["message"] for note in finished(api, "METADATA_IMPORT", job)]
    assert said[1:7] == [
        "1 successful and 0 failed items", "Running postCreate DataElement bundle hooks", "1 successful and 0 failed items",
        "Creating 1 DataElement object(s) as admin", "1 successful and 0 failed items",
        "Running preCreate DataElement bundle hooks",
    ]  # fmt: skip
    assert said[7] == "Validating bundle"
    job = api.post("/api/metadata?async=true", json={"dataElements": [{"name": "broken"}]}).json()["response"]["id"]
    notes = finished(api, "METADATA_IMPORT", job)
    assert (notes[0]["level"], notes[1]["message"]) == ("ERROR", "Validating bundle")


def test_an_address_that_is_there_for_another_method_is_405(api: TestClient):
    """Recorded (maintenance-actions 18)."""
    refused = api.get("/api/maintenance/cacheClear")
    assert (refused.status_code, refused.json()["message"]) == (405, "Request method 'GET' is not supported")


def test_a_job_that_fails_is_among_the_errors(api: TestClient):
    parameters = {"failAtStage": 1, "failWithMessage": "broken"}
    body = {
        "name": "Bad",
        "jobType": "TEST",
        "cronExpression": "0 0 3 ? * *",
        "enabled": True,
        "jobParameters": parameters,
    }
    uid = api.post("/api/jobConfigurations", json=body).json()["response"]["uid"]
    api.post(f"/api/jobConfigurations/{uid}/execute")
    assert finished(api, "TEST", uid)[0]["level"] == "ERROR"
    assert [one["id"] for one in api.get("/api/jobConfigurations/errors").json()] == [uid]


def test_jobs_in_a_queue_are_one_entry_of_the_scheduler(api: TestClient):
    made = [
        api.post("/api/jobConfigurations", json={"name": n, "jobType": "TEST", "cronExpression": "0 0 3 ? * *"}).json()[
            "response"
        ]["uid"]
        for n in ("First", "Second")
    ]
    answer = api.post("/api/scheduler/queues/night", json={"cronExpression": "0 0 4 ? * *", "sequence": made})
    assert answer.status_code == 201
    assert api.get("/api/scheduler/queues").json() == ["night"]
    assert api.get("/api/scheduler/queues/night").json()["sequence"] == made
    entry = next(one for one in api.get("/api/scheduler").json() if one["name"] == "night")
    assert [part["name"] for part in entry["sequence"]] == ["First", "Second"]
    assert api.delete("/api/scheduler/queues/night").status_code == 204


def test_the_scheduler_starts_what_is_due():
    store = open_store()
    app = create_app(store)
    store.put_objects({"jobConfigurations": [
        {"id": "joEverySec1", "name": "Often", "jobType": "TEST", "schedulingType": "FIXED_DELAY", "delay": 1, "enabled": True,
         "jobParameters": {"stages": 1}},
    ]})  # fmt: skip
    stop = threading.Event()
    thread = threading.Thread(target=app.state.jobs.run_schedule, args=(stop,))
    thread.start()
    try:
        for _ in range(1200):
            if (store.get("jobConfigurations", "joEverySec1") or {}).get("lastExecutedStatus") == "COMPLETED":
                break
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(60)
    assert (store.get("jobConfigurations", "joEverySec1") or {})["lastExecutedStatus"] == "COMPLETED"
    store.close()


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 0 2 ? * *", "2025-01-31T02:00:00", "2025-02-01T02:00:00"),
        ("0 */15 * ? * *", "2025-01-01T00:14:59", "2025-01-01T00:15:00"),
        ("0 0 8 ? * MON-FRI", "2025-01-03T09:00:00", "2025-01-06T08:00:00"),
        ("0 0 0 1 JAN ?", "2025-01-01T00:00:00", "2026-01-01T00:00:00"),
    ],
)
def test_cron_expressions_of_the_server(cron: str, after: str, expected: str):
    import datetime as dt

    assert Cron.parse(cron).next(dt.datetime.fromisoformat(after)) == dt.datetime.fromisoformat(expected)


@pytest.mark.parametrize("cron", ["", "0 0 2", "99 * * * * ?", "a b c d e f"])
def test_a_bad_cron_expression_is_told(cron: str):
    with pytest.raises(ValueError):
        Cron.parse(cron)


def test_soft_deleted_rows_stay_until_maintenance(api: TestClient, store: Store):
    api.post("/api/tracker?async=false", json={"trackedEntities": [clinic.person(1)]})
    api.post(
        "/api/tracker?async=false&importStrategy=DELETE", json={"trackedEntities": [{"trackedEntity": "tePerson001"}]}
    )
    count = "SELECT count(*) FROM tracked_entity"
    assert store.connection.execute(count).fetchone() == (1,)
    assert api.post("/api/maintenance/softDeletedTrackedEntityRemoval").status_code == 204
    assert store.connection.execute(count).fetchone() == (0,)
    assert store.connection.execute("SELECT count(*) FROM event_value").fetchone() == (0,)
    assert api.post("/api/maintenance/noSuch").status_code == 404


def test_paths_are_worked_out_again(api: TestClient, store: Store):
    unit = {**(store.get("organisationUnits", clinic.CLINIC) or {}), "path": "/wrong", "level": 9}
    store.put_objects({"organisationUnits": [unit]})
    api.post("/api/maintenance/ouPathsUpdate")
    assert (store.get("organisationUnits", clinic.CLINIC) or {})["path"] == f"/{clinic.ROOT}/{clinic.CLINIC}"


def test_integrity_checks_are_listed_run_and_read(api: TestClient):
    checks = api.get("/api/dataIntegrity").json()
    assert len(checks) == 110 and sum(check["isProgrammatic"] for check in checks) == 15
    api.post("/api/dataIntegrity/details?checks=data_elements_aggregate_no_groups,orgunits_multiple_roots")
    found = api.get("/api/dataIntegrity/details?checks=data_elements_aggregate_no_groups&timeout=5000").json()
    issues = found["data_elements_aggregate_no_groups"]["issues"]
    assert issues and {"id", "name"} <= issues[0].keys()
    assert "orgunits_multiple_roots" in api.get("/api/dataIntegrity/details/completed").json()
    api.post("/api/dataIntegrity/summary?checks=OMR")
    summary = api.get("/api/dataIntegrity/orgunits_multiple_roots/summary?timeout=5000").json()
    assert summary["introduction"] != summary["displayName"]
    assert api.get("/api/dataIntegrity/nope/details").content == b"", "recorded (integrity-runs 23)"
    assert summary["count"] == 2 and summary["percentage"] > 0
    assert api.get("/api/dataIntegrity/summary?checks=noSuch").json() == {}


def test_a_validation_rule_finds_the_form_that_breaks_it(api: TestClient, store: Store):
    rule = {"name": "Not negative", "operator": "less_than", "periodType": "Monthly", "importance": "HIGH",
            "leftSide": {"expression": "#{deNumber001}", "description": "l", "missingValueStrategy": "SKIP_IF_ANY_VALUE_MISSING"},
            "rightSide": {"expression": "5 * 2", "description": "r", "missingValueStrategy": "NEVER_SKIP"}}  # fmt: skip
    assert api.post("/api/validationRules", json=rule).status_code == 201
    value = {"dataElement": "deNumber001", "orgUnit": clinic.CLINIC, "categoryOptionCombo": COMBO}
    put_all(store, [{**value, "period": "202501", "value": "12"}, {**value, "period": "202502", "value": "9"}])
    body = {"startDate": "2025-01-01", "endDate": "2025-03-31", "ou": clinic.ROOT, "persist": True}
    found = api.post("/api/dataAnalysis/validationRules", json=body).json()
    assert [(one["periodId"], one["leftSideValue"], one["operator"], one["rightSideValue"]) for one in found] == [
        ("202501", 12, "<", 10)
    ]
    assert found[0]["organisationUnitAncestorNames"] == "Land / "
    kept = api.get("/api/validationResults").json()["validationResults"]
    assert [one["period"]["id"] for one in kept] == ["202501"]


def test_a_predictor_writes_the_average_of_the_months_before(api: TestClient, store: Store):
    predictor = {"name": "Average", "shortName": "Average", "output": {"id": "deNumber002"}, "periodType": "Monthly",
                 "generator": {"expression": "avg(#{deNumber001})", "description": "g", "missingValueStrategy": "NEVER_SKIP"},
                 "sequentialSampleCount": 2, "annualSampleCount": 0, "organisationUnitDescendants": "SELECTED",
                 "organisationUnitLevels": []}  # fmt: skip
    store.put_objects(
        {"dataElements": [{"id": "deNumber002", "name": "Out", "shortName": "Out", "valueType": "NUMBER"}]}
    )
    uid = api.post("/api/predictors", json=predictor).json()["response"]["uid"]
    value = {"dataElement": "deNumber001", "orgUnit": clinic.CLINIC, "categoryOptionCombo": COMBO}
    put_all(store, [{**value, "period": "202501", "value": "4"}, {**value, "period": "202502", "value": "8"}])
    answer = api.post(f"/api/predictors/{uid}/run?startDate=2025-03-01&endDate=2025-03-31")
    assert answer.json()["message"] == "Generated 1 predictions"
    row = store.connection.execute("SELECT period, value FROM data_value WHERE data_element = 'deNumber002'").fetchall()
    assert row == [("202503", "6.0")]  # as 2.42 wrote it


def view(api: TestClient, sql: str, kind: str = "QUERY") -> str:
    body = {"name": f"View {time.time_ns()}", "sqlQuery": sql, "type": kind, "cacheStrategy": "NO_CACHE"}
    answer = api.post("/api/sqlViews", json=body)
    assert answer.status_code == 201, answer.text
    return f"/api/sqlViews/{answer.json()['response']['uid']}"


def test_sql_over_tables_that_look_like_the_servers(api: TestClient):
    place = view(api, "SELECT o.name, p.name AS parent, o.hierarchylevel FROM organisationunit o JOIN organisationunit p "
                      "ON p.organisationunitid = o.parentid WHERE o.name ILIKE '%${word}%' ORDER BY o.name")  # fmt: skip
    grid = api.get(f"{place}/data?var=word:clin").json()["listGrid"]
    assert grid["rows"] == [["Clinic", "Land", "2"]]
    assert [header["name"] for header in grid["headers"]] == ["name", "parent", "hierarchylevel"]
    assert api.get(f"{place}/data.csv?var=word:clin").text.splitlines()[1] == "Clinic,Land,2"
    assert api.get(f"{place}/data").json()["errorCode"] == "E4307"


def test_views_are_created_before_they_are_read_and_materialized_ones_stay_as_they_were(api: TestClient, store: Store):
    place = view(api, "SELECT count(*) AS count FROM dataelement", "MATERIALIZED_VIEW")
    assert api.get(f"{place}/data").status_code == 409
    assert api.post(f"{place}/execute").status_code == 201
    before = api.get(f"{place}/data").json()["listGrid"]["rows"]
    store.put_objects({"dataElements": [{"id": "deFresh0001", "name": "Fresh"}]})
    assert api.get(f"{place}/data").json()["listGrid"]["rows"] == before
    api.post(f"{place}/refresh")
    assert api.get(f"{place}/data").json()["listGrid"]["rows"] == [[str(int(before[0][0]) + 1)]]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM userinfo", "E4310"),
        ("DELETE FROM dataelement", "E4311"),
        ("SELECT 1; SELECT 2", "E4302"),
        ("WITH x AS (SELECT 1) INSERT INTO dataelement SELECT * FROM x", "E4311"),
        ("SELECT * FROM account", "E4311"),
        ("SELECT body FROM object", "E4311"),
    ],
)
def test_sql_that_may_not_run(api: TestClient, store: Store, sql: str, code: str):
    store.put_objects({"sqlViews": [{"id": "svBadSql001", "name": "Bad", "sqlQuery": sql, "type": "QUERY"}]})
    assert api.get("/api/sqlViews/svBadSql001/data").json()["errorCode"] == code


def test_resource_tables_are_built_by_a_job(api: TestClient):
    job = api.post("/api/resourceTables").json()["response"]["id"]
    said = [row["message"] for row in finished(api, "RESOURCE_TABLE", job)]
    assert said[0].startswith("Resource tables generated: 00:00:0")
    assert said[1:] == [
        "0 successful and 0 failed items", "Create SQL views", "1 successful and 0 failed items", "Generating resource tables",
        "0 successful and 0 failed items", "Drop SQL views", "Generating resource tables",
    ]  # fmt: skip
    place = view(api, f"SELECT namelevel1 FROM _orgunitstructure WHERE organisationunituid = '{clinic.CLINIC}'")
    assert api.get(f"{place}/data").json()["listGrid"]["rows"] == [["Land"]]


def test_a_route_may_point_only_where_it_is_permitted(api: TestClient):
    route = {"name": "R", "code": "r", "url": "http://127.0.0.1:1/x"}
    assert api.post("/api/routes", json=route).json()["message"] == "Route URL is not permitted"
    auth = {"type": "http-basic", "username": "ann", "password": "s3cret"}
    made = api.post("/api/routes", json={**route, "url": "https://example.invalid/api", "auth": auth})
    assert made.status_code == 201, made.text
    shown = api.get(f"/api/routes/{made.json()['response']['uid']}").json()
    assert shown["auth"] == {"type": "http-basic", "username": "ann"} and shown["responseTimeoutSeconds"] == 5
    assert api.get("/api/routes/nope/run").status_code == 404


def test_what_is_secret_of_a_route_is_shown_to_nobody_however_it_came(api: TestClient):
    route = {"name": "R", "url": "https://example.invalid/api"}
    uid = api.post("/api/routes", json=route).json()["response"]["uid"]
    auth = {"type": "api-headers", "headers": {"X-Key": "s3cret"}}
    patch = [{"op": "add", "path": "/auth", "value": auth}]
    kind = {"content-type": "application/json-patch+json"}
    whole = {**route, "auth": auth, "authorities": [], "headers": {}}
    ways = (
        lambda: api.patch(f"/api/routes/{uid}", json=patch, headers=kind),
        lambda: api.put(f"/api/routes/{uid}", json=whole),
        lambda: api.post("/api/metadata", json={"routes": [{**whole, "id": uid}]}),
    )
    for write in ways:
        answer = write()
        assert answer.status_code == 200, answer.text
        assert api.get(f"/api/routes/{uid}").json()["auth"] == {"type": "api-headers"}


def test_an_app_is_installed_from_its_zip(api: TestClient):
    import io
    import json
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "manifest.webapp", json.dumps({"name": "My App", "version": "1.0", "launch_path": "index.html"})
        )
    assert api.post("/api/apps", files={"file": ("app.zip", packed.getvalue())}).status_code == 201
    assert [app["key"] for app in api.get("/api/apps").json()] == ["My-App"]
    assert api.delete("/api/apps/My-App").status_code == 204 and api.get("/api/apps").json() == []
    assert api.post("/api/apps", files={"file": ("app.zip", b"no zip")}).status_code == 409


async def test_a_request_that_nobody_waits_for_is_ended_before_the_file_closes():
    import asyncio
    import threading

    from dhis2sh.sandbox.app import Counted

    began, go_on, read = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        go_on.wait(10)
        read.set()

    async def app(scope: object, receive: object, send: object) -> None:
        await asyncio.to_thread(work)

    served = Counted(app)
    asking = asyncio.create_task(served({}, None, None))  # type: ignore[arg-type]
    await asyncio.to_thread(began.wait, 10)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not await served.ended(0.05)
    go_on.set()
    assert await served.ended(10)
    assert read.is_set()
