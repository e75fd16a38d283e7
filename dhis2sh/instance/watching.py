"""A job on the server, followed to its end: its notifications, and its configuration where it says nothing.

API source: `SystemController.java`, `JobConfigurationController.java` (api-facts h.1, h.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.client.messages import Notification
from dhis2sh.client.tasks import notifications_of
from dhis2sh.errors import NotFound, Refused, TimedOut
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.client.messages import TaskRef
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

FIRST_WAIT, LONGEST_WAIT, GROWTH = 1.0, 5.0, 1.3
"""Seconds between two requests: at the most one small request a second, and fewer the longer it takes."""
STATE = "jobStatus,lastExecuted,lastExecutedStatus,lastFinished,errorCodes"
type Status = Literal["COMPLETED", "FAILED", "STOPPED"]
_FAILED = {"FAILED", "STOPPED"}


@dataclass(frozen=True, slots=True)
class Started:
    """A job that is followed.

    Parameters:
        job: its type and UID.
        told: notifications that a run before has left there.
        finished: when a run before had ended.
    """

    job: TaskRef
    told: frozenset[str] = frozenset()
    finished: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class JobEnd:
    """How a job has ended.

    Parameters:
        job_type, uid: the job.
        status: as the server says it; COMPLETED where only its last notification says so.
        message: its last words.
        seconds: since somebody began to watch.
    """

    job_type: str
    uid: str
    status: Status
    message: str
    seconds: float

    def line(self) -> str:
        """In words."""
        said = f": {self.message}" if self.message else ""
        return f"{self.job_type} {self.status.lower()} after {self.seconds:.0f} s{said}"

    __repr__ = line


async def before(s: Session, job: TaskRef, since: str | None = None) -> Started:
    """What runs before have left of a job: asked before it is started once more, so that an old end is not taken for the new one.

    Parameters:
        since: the moment up to which everything is of runs before; whatever is there now without it.
    """
    lines = await notifications_of(s.client, job)
    if since is not None:
        return Started(job, frozenset(row.uid for row in lines if (row.time or "") <= since), since)
    state = await _state(s, job.uid)
    finished = cast("str | None", state.get("lastFinished")) if state else None
    return Started(job, frozenset(row.uid for row in lines), finished)


async def said(s: Session, job: TaskRef) -> list[Notification]:
    """What a job has said until now, the oldest first."""
    return (await notifications_of(s.client, job))[::-1]


async def lines(s: Session, started: Started, *, timeout: float | None = None) -> AsyncGenerator[Notification]:
    """What a job says, each line once, oldest first, until it has ended.

    The last one is `completed`; where the server says nothing of a job, it is made from the job's configuration.

    Raises `TimedOut`; the job goes on running.
    """
    clock = asyncio.get_running_loop().time
    deadline = None if timeout is None else clock() + timeout
    seen, wait, ask_state = set(started.told), FIRST_WAIT, False
    while True:
        if ask_state:
            end = _end(started, await _state(s, started.job.uid))
            if end is not None:
                for line in await _new(s, started, seen):  # the last words come with the end
                    yield line
                    if line.completed:
                        return
                yield end
                return
        else:
            for line in await _new(s, started, seen):
                yield line
                if line.completed:
                    return
        ask_state = not ask_state
        if deadline is not None and clock() + wait > deadline:
            raise TimedOut(
                f"{started.job.job_type} {started.job.uid} has not ended within {timeout:g} s; it goes on running",
                hint=command(started),
            )
        await asyncio.sleep(wait)
        wait = min(wait * GROWTH, LONGEST_WAIT)


async def to_its_end(s: Session, started: Started, *, timeout: float | None = None) -> JobEnd:
    """Follow a job: the person reads each line as it comes, behind the seconds that have passed.

    Raises `Refused` where it fails or is stopped, `TimedOut`. Who interrupts it is told that it goes on.
    """
    clock = asyncio.get_running_loop().time
    began, last, job = clock(), Notification(), started.job
    try:
        async for line in lines(s, started, timeout=timeout):
            if line.message:
                s.person.step(f"{clock() - began:5.0f} s  {line.message}")
            last = line
    except (KeyboardInterrupt, asyncio.CancelledError):
        s.person.note(f"{job.job_type} goes on: {command(started)}")
        raise
    state = str((await _state(s, job.uid) or {}).get("lastExecutedStatus") or "COMPLETED")
    failed = last.level == "ERROR" or state in _FAILED
    status = cast("Status", state if state in _FAILED else "FAILED" if failed else "COMPLETED")
    return good(JobEnd(job.job_type, job.uid, status, last.message or "", round(clock() - began, 1)))


async def how_far(s: Session, started: Started) -> str:
    """How far a job has come that was just asked to run, in words; one small request.

    Raises `Refused` where it has failed already.
    """
    state = await _state(s, started.job.uid) or {}
    if state.get("jobStatus") == "RUNNING":
        return "it runs"
    if _end(started, state) is None:
        return "it was asked to run, at the scheduler's next turn"
    status = str(state.get("lastExecutedStatus") or "COMPLETED")
    if status in _FAILED:
        raise Refused(f"{started.job.job_type} {status.lower()}", hint=f"dhis2 jobs errors {started.job.uid}")
    return f"it has run: {status.lower()}"


def good(end: JobEnd) -> JobEnd:
    """The end of a job that has done its work. Raises `Refused` for another."""
    if end.status in _FAILED:
        raise Refused(end.line(), hint=f"dhis2 jobs errors {end.uid}")
    return end


def command(started: Started) -> str:
    """What goes on watching it, past the end of the run before."""
    since = f" --since {started.finished}" if started.finished else ""
    return f"dhis2 task watch {started.job.job_type} {started.job.uid}{since}"


async def _new(s: Session, started: Started, seen: set[str]) -> list[Notification]:
    found = [line for line in reversed(await notifications_of(s.client, started.job)) if line.uid not in seen]
    seen.update(line.uid for line in found)
    return found


async def _state(s: Session, uid: str) -> JsonObject | None:
    """What the configuration of a job says of its runs; None where there is none, or none any more."""
    try:
        return await s.client.get_object(f"jobConfigurations/{uid}", {"fields": STATE})
    except NotFound:
        return None


def _end(started: Started, state: JsonObject | None) -> Notification | None:
    """The end of a job that says nothing of itself; None while it runs or has yet to begin."""
    if state is None:
        told = "the server knows nothing of it any more: how it ended is not known"
        return Notification.model_validate({"level": "ERROR", "completed": True, "message": told})
    finished = state.get("lastFinished")
    if not isinstance(finished, str) or finished <= (started.finished or "") or state.get("jobStatus") == "RUNNING":
        return None
    status = str(state.get("lastExecutedStatus") or "")
    level = "ERROR" if status in _FAILED else "INFO"
    codes = str(state.get("errorCodes") or "").split()
    told = f"{status.lower()}, with {counted(len(codes), 'error code')}: {' '.join(codes)}" if codes else ""
    return Notification.model_validate({"level": level, "completed": True, "message": told})
