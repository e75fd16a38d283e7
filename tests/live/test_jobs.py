"""Jobs of our own on a running server, and what a server does for all: run where it harms nobody, else only planned."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dhis2sh.client import reading
from dhis2sh.errors import Refused, TimedOut
from dhis2sh.session import Session
from tests.live.acting import SLOW, alone, planned, read, taken_back, write
from tests.live.place import PREFIX, Place

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]
NAME = f"{PREFIX} job"
CRON = "0 0 2 * * ?"


async def made(s: Session, *param: str) -> str:
    """A job of the type that only waits, by its UID."""
    done = await write(s, "jobs create", name=NAME, type="TEST", cron=CRON, param=list(param))
    return str(done.uids[0])


async def shown(s: Session, job: str) -> dict[str, Any]:
    return await read(s, "jobs show", job=job)


@pytest.mark.verbs(
    "jobs create", "jobs show", "jobs update", "jobs disable", "jobs enable", "jobs run", "jobs watch", "jobs list",
    "task list", "task status", "task watch", "undo",
)  # fmt: skip
def test_a_job_is_made_run_and_gone(live: Place) -> None:
    async def life(s: Session) -> None:
        try:
            job = await made(s, "waitMillis=5", "stages=1", "items=2")
            assert job.startswith(PREFIX)
            await write(s, "jobs update", job=job, cron="0 0 3 * * ?", param=["items=3"])
            body = await shown(s, job)
            assert (body["cronExpression"], body["jobParameters"]["items"]) == ("0 0 3 * * ?", 3)
            await write(s, "jobs disable", jobs=[job])
            assert (await shown(s, job))["enabled"] is False
            with pytest.raises(Refused, match="is disabled"):
                await write(s, "jobs run", job=job)
            await write(s, "jobs enable", jobs=[job])
            await write(s, "jobs run", job=job, watch=True, timeout=int(SLOW))
            body = await shown(s, job)
            assert (body["lastExecutedStatus"], body["jobStatus"]) == ("COMPLETED", "SCHEDULED")
            await read(s, "jobs watch", job=job)
            assert job in {row["id"] for row in await read(s, "task list", type="TEST")}
            assert any(row["completed"] for row in await read(s, "task status", type="TEST", id=job))
            await read(s, "task watch", type="TEST", id=job, timeout=int(SLOW))
            assert NAME in {row["name"] for row in await read(s, "jobs list", type="TEST")}
        finally:
            stays = await taken_back(s)
        assert [one for one in stays if "cannot be taken back" not in one] == []
        assert NAME not in {row["name"] for row in await read(s, "jobs list", type="TEST")}

    alone(life)


@pytest.mark.verbs("jobs run", "jobs cancel")
def test_a_running_job_is_told_to_stop(live: Place) -> None:
    async def stopped(s: Session) -> None:
        try:
            job = await made(s, "waitMillis=3000", "stages=20", "items=1", "itemDuration=3000")
            await write(s, "jobs run", job=job)
            status = await _until(s, job, {"RUNNING"})
            if status != "RUNNING":
                pytest.skip(f"the server's scheduler did not start the job in {SLOW:g} s")
            await write(s, "jobs cancel", job=job)
            assert await _until(s, job, {"SCHEDULED"}) == "SCHEDULED"
            assert (await shown(s, job))["lastExecutedStatus"] != "COMPLETED"
        finally:
            stays = await taken_back(s)
        assert [one for one in stays if "cannot be taken back" not in one] == []

    alone(stopped)


async def _until(s: Session, job: str, wanted: set[str]) -> str:
    """The job's status once it is one of those, or what it is when nobody waits any longer."""
    waited = 0.0
    while (status := str((await shown(s, job))["jobStatus"])) not in wanted and waited < SLOW:
        await asyncio.sleep(0.5)
        waited += 0.5
    return status


@pytest.mark.verbs("maintenance refresh resource-tables", "maintenance cache")
def test_what_harms_nobody_is_run(live: Place) -> None:
    async def run_it(s: Session) -> None:
        await write(s, "maintenance cache")
        try:
            await write(s, "maintenance refresh resource-tables", watch=True, timeout=int(SLOW))
        except TimedOut as late:
            pytest.skip(f"still building: {late.message}")

    alone(run_it)


@pytest.mark.verbs(
    "maintenance refresh analytics", "maintenance refresh monitoring", "maintenance cleanup", "maintenance prune"
)
def test_what_is_of_everybody_is_only_planned(live: Place) -> None:
    async def looked_at(s: Session) -> None:
        assert (await planned(s, "maintenance refresh analytics", last_years=1)).steps
        assert (await planned(s, "maintenance refresh monitoring")).steps
        assert (await planned(s, "maintenance cleanup", actions_=["periodPruning"])).steps
        rows = await reading.all_of(s.client, "organisationUnits", ["level:eq:1"], fields="id")
        if rows:
            assert (await planned(s, "maintenance prune", type="organisationUnits", uid=rows[0]["id"])).steps

    alone(looked_at)


@pytest.mark.verbs("predictors run")
def test_a_predictor_is_only_planned(live: Place) -> None:
    async def looked_at(s: Session) -> None:
        rows = (await s.client.list_page("predictors", {"pageSize": 1, "fields": "id"})).rows
        if not rows:
            pytest.skip("the server has no predictor")
        plan = await planned(
            s, "predictors run", predictor=rows[0]["id"], start_date="2025-01-01", end_date="2025-03-31"
        )
        assert plan.steps

    alone(looked_at)


@pytest.mark.verbs("maintenance data-integrity run", "maintenance data-integrity result", "doctor integrity")
def test_a_check_of_the_server_is_run_and_read_again(live: Place) -> None:
    async def checked(s: Session) -> None:
        await read(s, "maintenance data-integrity run", checks=["options_sets_empty"])
        (row,) = await read(s, "maintenance data-integrity result", checks=["options_sets_empty"])
        assert row["count"] >= 0
        await read(s, "doctor integrity", checks=["options_sets_empty"])

    alone(checked)
