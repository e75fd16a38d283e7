"""Jobs: made, run, followed, switched, and what is refused before a server would only say that it failed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.client.messages import TaskRef
from dhis2sh.errors import Refused, TimedOut, UsageError
from dhis2sh.instance import watching
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from tests.metadata.calls import call, do, planned

MADE = {"name": "Nightly", "type": "TEST", "cron": "0 0 2 * * ?"}


async def jobs(s: Session) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in (await call(s, "jobs list", type="TEST")).plain()}


async def test_a_job_is_made_with_parameters_of_its_type_and_taken_back(s: Session):
    await do(s, "jobs create", **MADE, param=["stages=2", "items=3", "failWithException=false"])
    (row,) = (await jobs(s)).values()
    assert (row["schedule"], row["enabled"], row["lastExecutedStatus"]) == ("0 0 2 * * ?", True, "NOT_STARTED")
    body = await call(s, "jobs show", job="Nightly")
    switches = dict.fromkeys(("failWithException", "failWithPostCondition", "runStagesParallel"), False)
    assert body["jobParameters"] == {"stages": 2, "items": 3, **switches}
    await do(s, "undo")
    assert await jobs(s) == {}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"type": "TES"}, "'TES' is no job type that can be configured"),
        ({"type": "METADATA_IMPORT"}, "'METADATA_IMPORT' is no job type that can be configured"),
        ({"param": ["stage=2"]}, "this job type has no parameter 'stage'"),
        ({"param": ["stages=two"]}, "stages: 'two' is not a whole number"),
        ({"param": ["failWithException=maybe"]}, "failWithException: 'maybe' is neither true nor false"),
        ({"type": "DATA_INTEGRITY", "param": ["type=NOPE"]}, "type: 'NOPE' is not one of its values"),
        ({"cron": "every day"}, "--cron 'every day': 2 fields, and DHIS2 wants six"),
        ({"cron": ""}, "--cron '': 0 fields, and DHIS2 wants six"),
        ({"cron": "0 0 25 * * ?"}, "hour '25' is out of range: 0 to 23"),
        ({"delay": 60}, "a job has either a cron expression or a delay"),
    ],
)
async def test_what_a_server_would_answer_with_500_is_refused_in_words(s: Session, more: dict, why: str):
    """Recorded (jobs-life 5): a wrong value of an enumeration is a bare 500 there."""
    with pytest.raises(UsageError, match=why):
        await planned(s, "jobs create", **{**MADE, **more})


async def test_a_job_without_a_schedule_says_that_it_runs_at_once_and_asks(s: Session):
    """A server takes it for one that is asked for once."""
    plan = await planned(s, "jobs create", name="Nightly", type="TEST")
    told = (
        "Nightly has neither a cron expression nor a delay: the server runs it once, as soon as it is created, and deletes it"
        " some time after"
    )
    assert (plan.notes, plan.asks) == ([told], True)
    assert plan.writer is not None and told in plan.writer.notes
    waits = await planned(s, "jobs create", name="Nightly", type="TEST", disabled=True)
    assert (waits.notes, waits.asks) == ([told.replace("created", "enabled")], False)
    for schedule in ({"cron": "0 0 2 * * ?"}, {"delay": 60}):
        plan = await planned(s, "jobs create", name="Nightly", type="TEST", **schedule)
        assert (plan.notes, plan.asks) == ([], False)


async def test_the_verbs_of_every_type_say_so_too(s: Session):
    plan = await planned(s, "metadata create", type="jobConfigurations", set=["name=Loose", "jobType=TEST"])
    assert plan.asks and plan.notes[0].startswith("Loose has neither a cron expression nor a delay")
    await do(s, "jobs create", **MADE)
    plan = await planned(s, "metadata update", type="jobConfigurations", uid="Nightly", set=["cronExpression="])
    assert (plan.asks, plan.notes) == (
        True,
        ["Nightly has no schedule any more: it runs when somebody runs it, and not by itself"],
    )
    with pytest.raises(UsageError, match="hour '25' is out of range"):
        await planned(
            s, "metadata update", type="jobConfigurations", uid="Nightly", set=["cronExpression=0 0 25 * * ?"]
        )


async def test_a_job_has_one_schedule_and_loses_none_unsaid(s: Session):
    await do(s, "jobs create", **MADE)
    with pytest.raises(UsageError, match="--cron '': 0 fields"):
        await planned(s, "jobs update", job="Nightly", cron="")
    await do(s, "jobs update", job="Nightly", delay=60)
    body = await call(s, "jobs show", job="Nightly")
    assert (body.get("cronExpression"), body["delay"], body["schedulingType"]) == (None, 60, "FIXED_DELAY")
    await do(s, "undo")
    body = await call(s, "jobs show", job="Nightly")
    assert (body["cronExpression"], body.get("delay"), body["schedulingType"]) == ("0 0 2 * * ?", None, "CRON")


async def test_a_job_of_a_queue_is_not_rescheduled_by_itself(s: Session):
    await do(s, "jobs create", **MADE)
    await do(s, "jobs create", **{**MADE, "name": "Second", "cron": "0 5 2 * * ?"})
    uids = [row["id"] for row in (await jobs(s)).values()]
    await s.client.write("POST", "scheduler/queues/Night", {"cronExpression": "0 0 1 * * ?", "sequence": uids})
    with pytest.raises(UsageError, match="Second runs in the queue 'Night', which says when"):
        await planned(s, "jobs update", job="Second", cron="0 0 3 * * ?")


async def test_a_job_that_is_run_is_followed_to_its_end(s: Session):
    await do(s, "jobs create", **MADE, param=["stages=1", "items=1"])
    for _ in range(2):  # the lines of the first run are not taken for the end of the second
        done = await do(s, "jobs run", job="Nightly", watch=True)
        assert done.note.startswith("TEST completed after")


async def test_a_build_of_the_analytics_tables_is_seen_by_who_looks_for_it(s: Session):
    """A server keeps when it was in its settings (`system info`): the doctor finds nothing then."""
    await do(s, "jobs create", name="Tables", type="ANALYTICS_TABLE", cron="0 0 2 * * ?")
    await do(s, "jobs run", job="Tables", watch=True)
    assert not [row for row in await call(s, "doctor server") if row.check == "analytics-old"]
    info = await s.client.get_object("system/info")
    assert str(info["lastAnalyticsTableRuntime"]).startswith("00:00:")


@pytest.mark.parametrize("version", ["2.41", "2.42", "2.44"])
async def test_a_job_that_has_run_since_is_no_edited_one_and_its_creation_is_taken_back(
    s: Session, nation_home: Path, version: str
):
    """Some versions own how the last run ended: nobody has changed it."""
    store = open_store(nation_home / "data" / "sandbox.db", version=version)
    store.close()
    await do(s, "jobs create", **MADE, param=["stages=1", "items=1"])
    await do(s, "jobs update", job="Nightly", cron="0 0 3 * * ?")
    (job,) = (await jobs(s)).values()
    await do(s, "jobs run", job="Nightly", watch=True)
    await do(s, "undo", id=2)
    await do(s, "undo", id=1)
    assert job["name"] not in await jobs(s)


async def test_an_idle_job_says_how_its_last_run_ended(s: Session):
    await do(s, "jobs create", **MADE, param=["stages=1", "items=1"])
    with pytest.raises(UsageError, match="Nightly has never run"):
        await call(s, "jobs watch", job="Nightly")
    await do(s, "jobs run", job="Nightly", watch=True)
    assert "its last run ended at" in (await call(s, "jobs watch", job="Nightly")).line()


async def test_a_job_that_fails_is_no_success(s: Session):
    await do(s, "jobs create", **MADE, param=["stages=1", "items=1", "failAtStage=0", "failWithMessage=Boom"])
    with pytest.raises(Refused, match=r"TEST failed after \d+ s: .*Boom") as refused:
        await do(s, "jobs run", job="Nightly", watch=True)
    uid = (await jobs(s))["Nightly"]["id"]
    assert refused.value.hint == f"dhis2 jobs errors {uid}"
    (row,) = (await call(s, "jobs errors")).plain()
    assert (row["job"], row["jobType"]) == (uid, "TEST")


async def test_a_disabled_job_is_not_run_and_the_way_on_is_said(s: Session):
    """Recorded (jobs-life 18): a server says `Failed to transition job into ONCE_ASAP state.` and no more."""
    await do(s, "jobs create", **MADE, disabled=True)
    with pytest.raises(Refused, match="Nightly is disabled, and a server runs no disabled job") as refused:
        await do(s, "jobs run", job="Nightly")
    assert (refused.value.hint or "").startswith("dhis2 jobs enable ")


async def test_switching_says_what_it_finds_and_is_taken_back(s: Session):
    await do(s, "jobs create", **MADE)
    assert (await do(s, "jobs disable", jobs=["Nightly"])).updated == 1
    assert (await jobs(s))["Nightly"]["enabled"] is False
    again = await planned(s, "jobs disable", jobs=["Nightly"])
    assert (list(again.steps), again.notes) == ([], ["1 job configuration already disabled"])
    await do(s, "undo")
    assert (await jobs(s))["Nightly"]["enabled"] is True


async def test_a_parameter_is_changed_and_the_others_stay(s: Session):
    await do(s, "jobs create", **MADE, param=["stages=2", "items=3"])
    await do(s, "jobs update", job="Nightly", param=["items=5"], cron="0 0 3 * * ?")
    body = await call(s, "jobs show", job="Nightly")
    assert (body["jobParameters"]["stages"], body["jobParameters"]["items"]) == (2, 5)
    assert body["cronExpression"] == "0 0 3 * * ?"


async def test_a_type_that_there_is_none_of_is_no_empty_list(s: Session):
    with pytest.raises(UsageError, match="there is no job type 'ANALYTIC_TABLE'"):
        await call(s, "jobs list", type="ANALYTIC_TABLE")


async def test_an_idle_job_cannot_be_stopped(s: Session):
    await do(s, "jobs create", **MADE)
    with pytest.raises(Refused, match="Nightly is not running"):
        await do(s, "jobs cancel", job="Nightly")


class Quiet:
    """Answers as recorded of RESOURCE_TABLE on 2.42 (maintenance 6, 7): no notification, only the configuration tells.

    Parameters:
        states: what the configuration says, one after the other.
    """

    def __init__(self, states: list[JsonObject]) -> None:
        self.states, self.asked = states, 0

    async def get(self, path: str, params: object = None) -> list[object]:
        self.asked += 1
        return []

    async def get_object(self, path: str, params: object = None) -> JsonObject:
        self.asked += 1
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


RUNS: JsonObject = {"jobStatus": "RUNNING", "lastExecutedStatus": "NOT_STARTED"}
ENDED: JsonObject = {"jobStatus": "DISABLED", "lastExecutedStatus": "COMPLETED", "lastFinished": "2026-11-29T10:00:00"}


async def followed(s: Session, monkeypatch: pytest.MonkeyPatch, quiet: Quiet, **more: Any) -> watching.JobEnd:
    waited: list[float] = []

    async def no_sleep(seconds: float) -> None:
        waited.append(seconds)

    job = TaskRef(job_type="RESOURCE_TABLE", uid="Geu9acayEfK")
    with monkeypatch.context() as patch:
        patch.setattr(watching.asyncio, "sleep", no_sleep)
        patch.setattr(s, "_client", quiet)
        end = await watching.to_its_end(s, watching.Started(job, **more), timeout=60)
    assert min(waited, default=1) >= 1, "at the most one request a second"
    return end


async def test_a_job_that_says_nothing_is_followed_by_its_configuration(s: Session, monkeypatch: pytest.MonkeyPatch):
    assert (await followed(s, monkeypatch, Quiet([RUNS, ENDED]))).status == "COMPLETED"


async def test_the_end_of_an_earlier_run_is_not_taken_for_this_one(s: Session, monkeypatch: pytest.MonkeyPatch):
    quiet = Quiet([ENDED, RUNS, {**ENDED, "lastFinished": "2026-11-29T11:00:00"}])
    assert (await followed(s, monkeypatch, quiet, finished="2026-11-29T10:00:00")).status == "COMPLETED"
    assert quiet.states == [{**ENDED, "lastFinished": "2026-11-29T11:00:00"}]


async def test_a_job_that_does_not_end_in_time_goes_on(s: Session):
    await do(s, "jobs create", **MADE, param=["stages=3", "items=200", "itemDuration=500"])
    with pytest.raises(TimedOut, match="has not ended within 1 s; it goes on running"):
        await do(s, "jobs run", job="Nightly", watch=True, timeout=1)
    async with asyncio.timeout(60):  # on a busy machine the scheduler's thread may not even have begun it
        while (await jobs(s))["Nightly"]["jobStatus"] != "RUNNING":
            await asyncio.sleep(0.05)
    await do(s, "jobs cancel", job="Nightly")


async def test_tasks_are_listed_with_their_last_line(s: Session):
    done = await do(s, "maintenance refresh analytics", watch=True)
    assert done.note.startswith("ANALYTICS_TABLE completed")
    (row,) = (await call(s, "task list", type="ANALYTICS_TABLE")).plain()
    assert (row["ended"], row["id"]) == (True, done.uids[0])
    lines = (await call(s, "task status", type="analytics-table", id=row["id"])).plain()
    assert lines[-1]["completed"] is True


async def test_the_sandbox_ends_its_jobs_before_the_process_does(s: Session):
    """Its jobs are threads of this process: a line that did not wait left them RUNNING, or crashed at its end."""
    await do(s, "jobs create", **MADE, param=["stages=3", "items=3", "itemDuration=20"])
    await do(s, "jobs run", job="Nightly")
    await s.aclose()
    row = (await jobs(s))["Nightly"]
    assert (row["jobStatus"], row["lastExecutedStatus"]) == ("SCHEDULED", "COMPLETED")


async def test_a_job_that_another_node_runs_is_shown_without_its_stages(s: Session):
    await do(s, "jobs create", **MADE)
    uid = (await jobs(s))["Nightly"]["id"]
    store = s.sandbox_store()
    store.put_objects({"jobConfigurations": [{**(store.get("jobConfigurations", uid) or {}), "jobStatus": "RUNNING"}]})
    body = await call(s, "jobs show", job="Nightly")
    assert body["jobStatus"] == "RUNNING" and "progress" not in body


async def test_a_second_job_of_that_name_is_refused_with_the_line_that_changes_the_first(s: Session):
    await do(s, "jobs create", **MADE)
    with pytest.raises(UsageError, match="there is a job 'Nightly' already") as refused:
        await planned(s, "jobs create", **MADE)
    assert "dhis2 jobs update Nightly" in str(refused.value.hint)


async def test_the_undo_of_a_run_names_the_write_before_it(s: Session):
    """A run cannot be taken back; the job that was made before it can."""
    await do(s, "jobs create", **MADE)
    for _ in range(2):
        await do(s, "jobs run", job="Nightly", watch=True)
    plan = await planned(s, "undo")
    assert plan.blocked is not None
    assert plan.blocked.hint is not None
    assert plan.blocked.hint.startswith("dhis2 undo 1  takes back the write before it: ")
    await do(s, "undo", id=1, force=True)
    assert await jobs(s) == {}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"jobStatus": "SCHEDULED"}, "it was asked to run, at the scheduler's next turn"),
        ({"jobStatus": "RUNNING"}, "it runs"),
        ({"jobStatus": "SCHEDULED", "lastFinished": "2026-01-02", "lastExecutedStatus": "COMPLETED"}, "it has run: completed"),
        ({"jobStatus": "SCHEDULED", "lastFinished": "2026-01-01", "lastExecutedStatus": "COMPLETED"}, "it was asked to run, at the scheduler's next turn"),
    ],
)  # fmt: skip
async def test_how_far_a_job_is_that_was_asked_to_run(
    s: Session, monkeypatch: pytest.MonkeyPatch, state: JsonObject, told: str
):
    async def now(*_: object) -> JsonObject:
        return state

    monkeypatch.setattr(watching, "_state", now)
    assert (
        await watching.how_far(s, watching.Started(TaskRef(job_type="TEST", uid="jobNightly1"), finished="2026-01-01"))
        == told
    )


async def test_a_job_that_failed_at_once_is_no_success(s: Session, monkeypatch: pytest.MonkeyPatch):
    async def now(*_: object) -> JsonObject:
        return {"jobStatus": "SCHEDULED", "lastFinished": "2026-01-02", "lastExecutedStatus": "FAILED"}

    monkeypatch.setattr(watching, "_state", now)
    with pytest.raises(Refused, match="TEST failed"):
        await watching.how_far(s, watching.Started(TaskRef(job_type="TEST", uid="jobNightly1"), finished="2026-01-01"))
