"""Requests that start work on the server: planned, sent through the one door, and followed where somebody waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.client.messages import WebMessage
from dhis2sh.errors import UsageError
from dhis2sh.instance import watching

if TYPE_CHECKING:
    from dhis2sh.client.messages import TaskRef
    from dhis2sh.client.requests import Params
    from dhis2sh.session import Session

NO_WAY_BACK = "this cannot be undone"


def plan(
    path: str, title: str, what: str, detail: str, *, params: Params | None = None, watch: bool = False,
    timeout: float | None = None, notes: Sequence[str] = (),
) -> Plan:  # fmt: skip
    """The plan of a request whose answer names the job that it started.

    Parameters:
        path, params: of the `POST`.
        title, what, detail: what is done, what it is done to, and how, in words.
        watch: follow the job to its end; `timeout` seconds at the most.
    """
    finish = partial(_followed, watch=watch, timeout=timeout)
    step = PlanStep("run", what, name=title, detail=detail)
    writer = ByRequest(what, [Request("POST", path, params=params)], again="nothing", complete=finish)
    return Plan(title, [step], notes=[*notes], writer=writer)


async def _followed(s: Session, summary: WriteSummary, *, watch: bool, timeout: float | None) -> None:
    """Say which job was started; and how it ended, where somebody waits. Raises `Refused` where it fails."""
    message = WebMessage.of(summary.envelope or {})
    job = message.task_ref
    summary.sent = 1
    if job is None:
        summary.say(message.message or "")
        return
    started = watching.Started(job)
    summary.uids = [job.uid]
    if watch:
        summary.say((await watching.to_its_end(s, started, timeout=timeout)).line())
    else:
        summary.say(f"{job.job_type} has begun; {watching.command(started)}")


async def run_again(
    s: Session, job: TaskRef, name: str, path: str, *, watch: bool, timeout: float | None = None
) -> Plan:
    """The plan of running a job that is configured already; what runs before have left is looked at first."""
    started = await watching.before(s, job)

    async def finish(s: Session, summary: WriteSummary) -> None:
        summary.sent, summary.uids = 1, [job.uid]
        if watch:
            summary.say((await watching.to_its_end(s, started, timeout=timeout)).line())
        else:
            summary.say(f"{await watching.how_far(s, started)}; {watching.command(started)}")

    step = PlanStep("run", job.job_type, uid=job.uid, name=name)
    writer = ByRequest(job.job_type, [Request("POST", path)], again="nothing", complete=finish)
    return Plan(f"run {name}", [step], notes=[NO_WAY_BACK], writer=writer)


def by_addresses(title: str, what: str, addresses: Mapping[str, tuple[str, str]]) -> Plan:
    """The plan of requests that a server answers when it is done, one after the other.

    Parameters:
        addresses: of each, by its name, its address and what it does in words.

    Raises `UsageError` where there are none.
    """
    if not addresses:
        raise UsageError(f"{title}: nothing to do", hint="dhis2 maintenance list")
    steps = [PlanStep("run", what, name=name, detail=told) for name, (_, told) in addresses.items()]
    requests = [Request("POST", path, steps=[number]) for number, (path, _) in enumerate(addresses.values())]

    async def finish(s: Session, summary: WriteSummary) -> None:
        summary.sent = len(requests)
        summary.say("the server says done, and not how much")

    return Plan(title, steps, notes=[NO_WAY_BACK], writer=ByRequest(what, requests, again="nothing", complete=finish))
