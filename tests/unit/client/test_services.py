"""Analytics, tracker, tasks, system, sharing and files."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, Response

from dhis2sh.client import bodies
from dhis2sh.client.messages import TaskRef, TrackerBundle, WebMessage
from dhis2sh.client.sharing import Sharing, access, check_access
from dhis2sh.client.system import System
from dhis2sh.client.versions import parse_version
from dhis2sh.errors import BrokenAnswer, Dhis2Error, NotFound, Refused, ServerFault, TimedOut, UsageError
from tests.fakes.objects import Fake, problem

GRID = {"headers": [{"name": "dx"}, {"name": "value", "valueType": "NUMBER"}], "rows": [["s46m5MS0hxu", "1.0"]]}


# Analytics ----------------------------------------------------------------------------------------------------------


async def test_analytics_as_a_table_as_values_and_as_a_file(tmp_path: Path):
    fake = Fake(
        answers={
            ("GET", "analytics"): JSONResponse(GRID),
            ("GET", "analytics/events/query/IpHINAT79UW.json"): JSONResponse(GRID),
            ("GET", "analytics/dataValueSet.json"): JSONResponse({"dataValues": []}),
            ("GET", "analytics.csv"): Response("Data,Value\n", media_type="application/csv"),
            ("GET", "analytics/rawData.html"): Response("<table/>", media_type="text/html"),
        }
    )
    wanted = {"dx": ["s46m5MS0hxu"], "pe": "LAST_12_MONTHS"}
    async with fake.client() as client:
        grid = await client.analytics.query(wanted, filters={"ou": "ImspTQPwCqd"}, params={"skipMeta": True})
        assert list(grid.records()) == [{"dx": "s46m5MS0hxu", "value": 1}]
        assert fake.requests[-1].query == [
            ("dimension", "dx:s46m5MS0hxu"), ("dimension", "pe:LAST_12_MONTHS"),
            ("filter", "ou:ImspTQPwCqd"), ("skipMeta", "true"),
        ]  # fmt: skip
        await client.analytics.query(wanted, of="events/query/IpHINAT79UW")
        assert await client.analytics.data_value_set(wanted) == {"dataValues": []}
        assert await client.analytics.stream_to(tmp_path / "grid.csv", wanted) == len("Data,Value\n")
        assert await client.analytics.stream_to(tmp_path / "raw.html", wanted, of="rawData") == len("<table/>")


async def test_a_long_query_goes_by_an_alias():
    fake = Fake(
        answers={
            ("POST", "query/alias"): JSONResponse({"path": "/api/query/alias/abc"}),
            ("GET", "query/alias/abc"): JSONResponse(GRID),
        }
    )
    async with fake.client() as client:
        grid = await client.analytics.query({"dx": [f"deElement{n:02}" for n in range(99)] * 3})
    assert grid.rows
    assert fake.of("POST")[0].json["target"].startswith("/api/analytics?dimension=dx")


# Tracker ------------------------------------------------------------------------------------------------------------


def tracker_report(status: str, created: int, *errors: dict) -> Response:
    stats = {"created": created, "updated": 0, "deleted": 0, "ignored": len(errors), "total": created + len(errors)}
    body = {"status": status, "stats": stats, "validationReport": {"errorReports": list(errors), "warningReports": []}}
    return JSONResponse(body, 409 if status == "ERROR" else 200)


EXISTS = {"message": "already exists", "errorCode": "E1002", "trackerType": "TRACKED_ENTITY", "uid": "wireteAAA01"}


async def test_a_bundle_is_imported_at_once(tmp_path: Path):
    fake = Fake(answers={("POST", "tracker"): tracker_report("OK", 1)})
    bundle = {"events": [{"event": "wireevAAA01"}]}
    (tmp_path / "events.json").write_text(json.dumps(bundle))
    async with fake.client() as client:
        for source in (
            TrackerBundle(events=bundle["events"]),
            bundle,
            tmp_path / "events.json",
            json.dumps(bundle).encode(),
        ):
            message = await client.tracker.import_(source, atomic_mode="NONE", report_mode="FULL")
            assert message.import_count.created == 1
            assert fake.requests[-1].json == bundle
            sent = [("reportMode", "FULL"), ("async", "false"), ("atomicMode", "OBJECT")]
            assert fake.requests[-1].query == sent


async def test_what_a_tracker_import_does_not_read_is_refused_unsent():
    fake = Fake()
    async with fake.client() as client:
        for name in ("skip_sharing", "skip_translation", "merge_mode"):
            with pytest.raises(UsageError, match=f"an import of tracker data: there is no option '{name}'"):
                await client.tracker.import_({"events": []}, **{name: True})
    assert fake.requests == []


async def test_tracker_refusals_are_raised_and_a_dry_run_tells():
    fake = Fake(answers={("POST", "tracker"): tracker_report("ERROR", 0, EXISTS)})
    async with fake.client() as client:
        with pytest.raises(Refused, match="wireteAAA01: already exists"):
            await client.tracker.import_({"trackedEntities": []})
        told = await client.tracker.dry_run({"trackedEntities": []})
        assert told.conflicts[0].code == "E1002"
        assert ("importMode", "VALIDATE") in fake.requests[-1].query
        fake.answers["POST", "tracker"] = JSONResponse(["?"], 502)
        with pytest.raises(ServerFault):
            await client.tracker.import_({})


async def test_many_tracked_entities_go_in_chunks():
    fake = Fake(answers={("POST", "tracker"): [tracker_report("OK", 2), tracker_report("ERROR", 0, EXISTS)]})
    rows = [{"trackedEntity": uid} for uid in ("wireteAAA02", "wireteAAA03", "wireteAAA01")]
    async with fake.client() as client:
        result = await client.tracker.save_bulk("trackedEntities", rows, chunk_size=2, concurrency=1)
    assert result.uids == ["wireteAAA02", "wireteAAA03"]
    assert [(row.uid, row.type, row.status) for row in result.failures] == [("wireteAAA01", "TRACKED_ENTITY", 409)]
    assert fake.requests[-1].values("atomicMode") == ["OBJECT"]


async def test_an_asynchronous_import_is_followed_to_its_report():
    job = {"httpStatus": "OK", "response": {"id": "kdlJmrpyDlZ", "responseType": "TrackerJob"}}
    lines = [{"uid": "C3eB1xR0aA0", "message": "Import complete", "completed": True}]
    fake = Fake(
        answers={
            ("POST", "tracker"): JSONResponse(job),
            ("GET", "tracker/jobs/kdlJmrpyDlZ"): JSONResponse(lines),
            ("GET", "tracker/jobs/kdlJmrpyDlZ/report"): tracker_report("OK", 1),
        }
    )
    async with fake.client() as client:
        started = await client.tracker.start_import({"events": []})
        assert (await client.tasks.await_completion(started)).message == "Import complete"
        assert (await client.tasks.summary(started))["stats"]["created"] == 1


@pytest.mark.parametrize(
    ("version", "kind", "sent"),
    [
        ("2.40.12", "trackedEntities", [("orgUnit", "a;b"), ("ouMode", "ALL")]),
        ("2.41.9", "trackedEntities", [("orgUnits", "a,b"), ("orgUnitMode", "ALL")]),
        ("2.42.5", "enrollments", [("orgUnits", "a,b"), ("orgUnitMode", "ALL")]),
        ("2.43.1", "events", [("orgUnit", "a,b"), ("orgUnitMode", "ALL")]),
    ],
)
async def test_tracker_reads_speak_the_language_of_the_version(version: str, kind: str, sent: list[tuple[str, str]]):
    key = "instances" if version.startswith("2.40") else kind
    fake = Fake(version, answers={("GET", f"tracker/{kind}"): JSONResponse({key: [{"x": 1}]})})
    async with fake.client() as client:
        found = [row async for row in client.tracker.iter(kind, org_units=["a", "b"], org_unit_mode="ALL", fields="x")]
    assert found == [{"x": 1}]
    assert set(sent) <= set(fake.requests[-1].query)


async def test_one_tracked_entity():
    fake = Fake(
        answers={("GET", "tracker/trackedEntities/wireteAAA01"): JSONResponse({"trackedEntity": "wireteAAA01"})}
    )
    async with fake.client() as client:
        assert await client.tracker.get("trackedEntities", "wireteAAA01", program="IpHINAT79UW")
    assert fake.requests[-1].query == [("program", "IpHINAT79UW")]


# Tasks --------------------------------------------------------------------------------------------------------------

TASK = TaskRef(job_type="ANALYTICS_TABLE", uid="A1M3mQv2RlT")
TASK_PATH = ("GET", "system/tasks/ANALYTICS_TABLE/A1M3mQv2RlT")
STARTED, RUNNING = {"uid": "a", "message": "started"}, {"uid": "b", "message": "running"}
ENDED = {"uid": "c", "message": "done", "completed": True}


async def test_each_line_of_a_job_comes_once_oldest_first():
    answers = [JSONResponse([]), JSONResponse([RUNNING, STARTED]), JSONResponse([ENDED, RUNNING, STARTED])]
    async with Fake(answers={TASK_PATH: answers}).client() as client:
        found = [line.message async for line in client.tasks.iter_notifications(TASK, poll=0.001)]
    assert found == ["started", "running", "done"]


async def test_a_job_that_fails_or_does_not_end():
    fake = Fake(answers={TASK_PATH: JSONResponse([{**ENDED, "level": "ERROR"}])})
    async with fake.client() as client:
        with pytest.raises(Dhis2Error, match="ANALYTICS_TABLE: done"):
            await client.tasks.await_completion(TASK)
        fake.answers[TASK_PATH] = JSONResponse([STARTED])
        with pytest.raises(TimedOut, match="goes on running"):
            await client.tasks.await_completion(TASK, poll=0.01, timeout=0.005)
        assert await client.tasks.summary(TASK) is None
        with pytest.raises(UsageError, match="started no job"):
            await client.tasks.await_completion(WebMessage())


# System -------------------------------------------------------------------------------------------------------------


async def test_facts_are_asked_for_once_and_again_after_their_lifetime():
    now = [0.0]
    settings = {"analyticsFinancialYearStart": "FINANCIAL_YEAR_APRIL"}
    fake = Fake(
        objects={"categoryCombos": {"bjDvmb4bfuf": {"id": "bjDvmb4bfuf", "name": "default"}}},
        answers={("GET", "systemSettings"): JSONResponse(settings), ("GET", "me"): JSONResponse({"username": "admin"})},
    )
    async with fake.client() as client:
        system = System(client, clock=lambda: now[0])
        assert await asyncio.gather(*(system.settings() for _ in range(5))) == [settings] * 5
        assert await system.financial_year_start() == "FINANCIAL_YEAR_APRIL"
        assert len(fake.of("GET", "systemSettings")) == 1
        now[0] = 301.0
        assert await system.setting("analyticsFinancialYearStart") == "FINANCIAL_YEAR_APRIL"
        assert len(fake.of("GET", "systemSettings")) == 2
        assert await system.default_category_combo() == "bjDvmb4bfuf"
        assert (await system.me()).username == "admin"
        assert await system.calendar() == "iso8601"
        assert (await system.info())["version"] == "2.42.5.2"
        with pytest.raises(NotFound, match="no system setting 'x'"):
            await system.setting("x")
        system.forget()
        await system.settings()
        assert len(fake.of("GET", "systemSettings")) == 3


async def test_what_was_refused_is_asked_for_again():
    fake = Fake(
        objects={"categoryCombos": {}}, answers={("GET", "systemSettings"): [problem(409, "no"), JSONResponse({})]}
    )
    async with fake.client() as client:
        with pytest.raises(Refused):
            await client.system.settings()
        assert await client.system.settings() == {}
        with pytest.raises(NotFound, match="'default'"):
            await client.system.default_category_combo()


async def test_one_caller_who_gives_up_does_not_stop_the_others():
    async with Fake(answers={("GET", "systemSettings"): JSONResponse({"a": 1})}).client() as client:
        first = asyncio.create_task(client.system.settings())
        second = asyncio.create_task(client.system.settings())
        await asyncio.sleep(0)
        first.cancel()
        assert await second == {"a": 1}


# Sharing ------------------------------------------------------------------------------------------------------------

GROUP, USER = "vAvEltyXGbD", "M5zQapPyTZI"


def shared_objects() -> dict[str, dict[str, dict]]:
    sharing = {"public": "rw------", "users": {USER: {"id": USER, "access": "rw------"}}, "userGroups": {}}
    return {
        "dataElements": {"deElement01": {"id": "deElement01", "sharing": sharing}},
        "dataSets": {"dsDataSet01": {"id": "dsDataSet01", "sharing": json.loads(json.dumps(sharing))}},
    }


@pytest.mark.parametrize(
    "objects", [{"dataElements": ["deElement01"]}, {"dataElements": ["deElement01"], "dataSets": ["dsDataSet01"]}]
)
async def test_sharing_of_many_in_one_request(objects: dict[str, list[str]]):
    fake = Fake(objects=shared_objects())
    async with fake.client() as client:
        sharing = client.sharing.builder().public("r-------").group(GROUP, access("rw", "r")).without_user(USER)
        result = await client.sharing.apply(objects, sharing, atomic_mode="ALL")
        assert (result.count.updated, result.ok) == (sum(map(len, objects.values())), True)
        assert len(fake.of("PATCH")) == 1
        assert fake.requests[-1].query == [("atomic", "true")]
        for plural, uids in objects.items():
            for uid in uids:
                assert await client.sharing.get(plural, uid) == {
                    "public": "r-------", "users": {}, "userGroups": {GROUP: {"id": GROUP, "access": "rwr-----"}},
                }  # fmt: skip


async def test_sharing_refusals_and_dry_runs():
    fake = Fake(objects=shared_objects())
    async with fake.client() as client:
        result = await client.sharing.apply({"dataElements": ["deElement01", "aaaaaaaaaaa"]}, Sharing.replacing())
        assert ([row.uid for row in result.failures], result.uids) == (["aaaaaaaaaaa"], ["deElement01"])
        tried = await client.sharing.apply({"dataSets": ["dsDataSet01"]}, Sharing().public("--------"), dry_run=True)
        assert (tried.count.updated, tried.dry_run) == (1, True)
        assert fake.objects["dataSets"]["dsDataSet01"]["sharing"]["public"] == "rw------"
        with pytest.raises(UsageError, match="changes nothing"):
            await client.sharing.apply({"dataSets": []}, Sharing())
        fake.answers["GET", "sharing/search"] = JSONResponse({"users": []})
        assert await client.sharing.search("admin") == {"users": []}


def test_sharing_as_operations():
    sharing = Sharing.replacing("r-------").owned_by(USER).user(USER, "rw------").externally(True).without_group(GROUP)
    assert sharing.patch(parse_version("2.42.5")) == [
        {"op": "replace", "path": "/sharing/owner", "value": USER},
        {"op": "replace", "path": "/sharing/public", "value": "r-------"},
        {"op": "replace", "path": "/sharing/external", "value": True},
        {"op": "replace", "path": "/sharing/users", "value": {USER: {"id": USER, "access": "rw------"}}},
        {"op": "replace", "path": "/sharing/userGroups", "value": {}},
    ]
    assert Sharing().externally(False).patch(parse_version("2.43.1")) == []
    with pytest.raises(UsageError, match="has no access without sign-in"):
        Sharing().externally(True).patch(parse_version("2.43.1"))


@pytest.mark.parametrize("text", ["zzzzzzzz", "rw", "rw--rw--", ""])
def test_access_strings_that_a_server_refuses(text: str):
    with pytest.raises(UsageError, match="not an access string"):
        check_access(text)
    with pytest.raises(UsageError, match="not a UID"):
        Sharing().user("me", "rw------")


# Files --------------------------------------------------------------------------------------------------------------


async def test_files_are_uploaded_as_forms_and_become_documents(tmp_path: Path):
    stored = {"httpStatus": "Accepted", "response": {"fileResource": {"id": "UZcv9TmB7V8"}}}
    fake = Fake(answers={("POST", "fileResources"): JSONResponse(stored, 202)})
    (tmp_path / "wire.txt").write_text("content")
    async with fake.client() as client:
        assert (await client.files.upload(tmp_path / "wire.txt")).created_uid == "UZcv9TmB7V8"
        sent = fake.requests[-1]
        boundary = sent.content_type.partition("boundary=")[2].encode()
        assert sent.query == [("domain", "DATA_VALUE")]
        assert sent.body.startswith(
            b"--" + boundary + b'\r\nContent-Disposition: form-data; name="file"; filename="wire.txt"'
        )
        assert b"Content-Type: text/plain\r\n\r\ncontent\r\n--" + boundary + b"--\r\n" in sent.body
        made = await client.files.upload_document(b"data", name="Report", file_name='re"port.pdf')
        assert made.created_uid
        assert b'filename="re\\"port.pdf"' in fake.of("POST", "fileResources")[-1].body
        document = fake.of("POST", "documents")[-1].json
        assert (document["name"], document["url"], document["external"]) == ("Report", "UZcv9TmB7V8", False)
        with pytest.raises(UsageError, match="need a name"):
            await client.files.upload(b"data")
        fake.answers["POST", "fileResources"] = JSONResponse({"httpStatus": "OK"})
        with pytest.raises(BrokenAnswer):
            await client.files.upload_document(b"data", name="Report")


async def test_contents_are_written_under_safe_names(tmp_path: Path):
    header = {"Content-Disposition": 'attachment; filename="../../evil.txt"'}
    content = Response(b"content", headers=header)
    paths = ("fileResources/UZcv9TmB7V8/data", "documents/UZcv9TmB7V8/data", "dataValues/files")
    fake = Fake(answers={("GET", path): content for path in paths})
    async with fake.client() as client:
        assert await client.files.download("UZcv9TmB7V8", tmp_path) == 7
        assert (tmp_path / "evil.txt").read_bytes() == b"content"
        await client.files.download_document("UZcv9TmB7V8", tmp_path / "doc")
        await client.files.download_value(tmp_path / "value", data_element="a", period="b", org_unit="c")
        assert fake.requests[-1].query == [("de", "a"), ("pe", "b"), ("ou", "c")]
        fake.answers["GET", paths[0]] = Response(b"content")
        with pytest.raises(UsageError, match="is a folder"):
            await client.files.download("UZcv9TmB7V8", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"evil.txt", "doc", "value"}


async def test_what_came_packed_is_not_packed_again(tmp_path: Path):
    async def pieces(*given: bytes) -> AsyncIterator[bytes]:
        for piece in given:
            yield piece

    packed = gzip.compress(b"a,b\n1,2\n")
    for name, came, wanted in (
        ("a.gz", packed, packed),
        ("b.gz", b"", None),
        ("c.gz", b"a,b\n", None),
        ("d.csv", packed, packed),
    ):
        await bodies.write_to(tmp_path / name, pieces(came[:3], came[3:]))
        found = (tmp_path / name).read_bytes()
        assert found == wanted if wanted is not None else gzip.decompress(found) == came


# Start-up -----------------------------------------------------------------------------------------------------------

SCRIPT = """
import asyncio, sys
from tests.fakes.objects import Fake  # with starlette, before we look
from dhis2sh.client.client import Client
before = {name for name in sys.modules if name.startswith(("dhis2sh.client.resources", "dhis2_models", "pydantic"))}

async def main():
    unit = {"id": "ouCountry01", "name": "Country"}
    async with Fake(objects={"organisationUnits": {"ouCountry01": unit}}).client() as client:
        await client.resources.organisation_units.list("name", typed=True)

asyncio.run(main())
models = {name.rpartition(".")[2] for name in sys.modules if name.startswith("dhis2_models.v")}
print(sorted(before), "organisation_unit" in models, "data_element" in models, "program" in models)
"""


def test_only_what_is_touched_is_imported():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[] True False False"
