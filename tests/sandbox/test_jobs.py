"""Jobs: notifications while they run, a summary at their end, cancelling."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.jobs.service import JobService, Progress
from dhis2sh.sandbox.store.fresh import ADMIN
from dhis2sh.types import JsonObject, JsonValue


@pytest.fixture
def jobs():
    store = open_store()
    yield JobService(store)
    store.close()


def test_a_job_tells_how_far_it_is_newest_first_and_leaves_a_summary(jobs: JobService):
    def work(progress: Progress) -> JsonValue:
        progress.note("halfway")
        progress.finish_with("Import complete")
        return {"status": "OK"}

    config = jobs.submit("METADATA_IMPORT", user=ADMIN, parameters={"async": True}, work=work, opening="started")
    assert jobs.wait(str(config["id"]), 5)

    notes = jobs.notes("METADATA_IMPORT")["METADATA_IMPORT"][str(config["id"])]
    assert [(note["message"], note["completed"]) for note in notes] == [
        ("Import complete", True), ("halfway", False), ("started", False),
    ]  # fmt: skip
    assert notes[-1]["data"] == {"async": True} and notes[-1]["dataType"] == "PARAMETERS"
    assert jobs.summaries("METADATA_IMPORT") == {config["id"]: {"status": "OK"}}
    done = jobs.store.get("jobConfigurations", str(config["id"])) or {}
    assert (done["jobStatus"], done["enabled"], done["lastExecutedStatus"]) == ("DISABLED", False, "COMPLETED")


def test_work_that_fails_ends_with_a_completed_error(jobs: JobService):
    def work(progress: Progress) -> JsonValue:
        raise ValueError("no such table")

    config = jobs.submit("TEST", user=ADMIN, work=work)
    assert jobs.wait(str(config["id"]), 5)
    last = jobs.notes("TEST")["TEST"][str(config["id"])][0]
    assert (last["level"], last["completed"], last["message"]) == ("ERROR", True, "ValueError: no such table")


def test_a_cancelled_job_stops_at_its_next_notification(jobs: JobService):
    began, go_on = threading.Event(), threading.Event()

    def work(progress: Progress) -> JsonValue:
        began.set()
        go_on.wait(60)
        progress.note("never said")
        return None

    config = jobs.submit("TEST", user=ADMIN, work=work)
    uid = str(config["id"])
    assert began.wait(60) and jobs.cancel(uid)
    go_on.set()
    assert jobs.wait(uid, 5)
    assert (jobs.store.get("jobConfigurations", uid) or {})["lastExecutedStatus"] == "STOPPED"
    assert not jobs.cancel(uid)


def test_closing_the_file_stops_its_jobs_first():
    store = open_store()
    jobs = JobService(store)
    begun = threading.Event()

    def work(progress: Progress) -> JsonValue:
        begun.set()
        while True:
            progress.note("on")

    config = jobs.submit("TEST", user=ADMIN, work=work)
    assert begun.wait(60) and store.working() == [f"job {config['name']}"]
    store.close()
    assert jobs.wait(str(config["id"]), 0) and store.working() == []


@pytest.mark.parametrize(("pid", "left"), [(2**22 + 1, "DISABLED"), (None, "DISABLED"), (1, "RUNNING")])
def test_a_job_whose_process_is_gone_is_ended_when_the_file_is_opened_again(tmp_path: Path, pid: int | None, left: str):
    """Killed, or closed under its feet: nobody would end it, and a job that runs cannot be run."""
    store = open_store(tmp_path / "it.sqlite")
    body: JsonObject = {"id": "abandoned01", "name": "Cut", "jobType": "TEST", "schedulingType": "ONCE_ASAP",
                        "enabled": True, "jobStatus": "RUNNING"}  # fmt: skip
    store.put_objects({"jobConfigurations": [body]})
    if pid is not None:
        with store.writing() as connection:
            connection.execute("INSERT INTO job_process VALUES ('abandoned01', ?, 0)", (pid,))
    jobs = JobService(store)
    found = store.get("jobConfigurations", "abandoned01") or {}
    assert found["jobStatus"] == left
    if left == "DISABLED":
        assert found["lastExecutedStatus"] == "FAILED"
        assert jobs.notes("TEST")["TEST"]["abandoned01"][0]["completed"]
    else:
        assert jobs.cancel("abandoned01") and jobs.told_to_stop("abandoned01")
    store.close()
