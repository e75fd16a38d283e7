"""Jobs that run on the server: wait for their end, follow what they say.

API source: `SystemController.java` (api-facts h.1).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from dhis2sh.client.messages import Notification, TaskRef, WebMessage
from dhis2sh.errors import Dhis2Error, NotFound, TimedOut, UsageError

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.types import JsonObject, JsonValue

FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0
"""Seconds between two looks at a job: short at first, then longer."""

type Task = TaskRef | WebMessage | JsonObject
"""A job, or the answer that started one, as `client.post` gives it too."""


class Tasks:
    """`client.tasks`."""

    def __init__(self, client: Requests) -> None:
        self._client = client

    async def iter_notifications(
        self, task: Task, *, poll: float | None = None, timeout: float | None = None
    ) -> AsyncGenerator[Notification]:
        """What a job says, each line once, oldest first, until it has ended.

        Parameters:
            task: the job.
            poll: seconds between two requests; growing from 0.2 to 5 without it.
            timeout: seconds without the job ending; none without it.

        Raises `TimedOut`; the job goes on running.
        """
        reference = task_of(task)
        seen: set[str] = set()
        clock = asyncio.get_running_loop().time
        deadline = None if timeout is None else clock() + timeout
        wait = poll or FIRST_WAIT
        while True:
            found = await notifications_of(self._client, reference)
            for line in reversed(found):  # the server gives the newest first
                if line.uid not in seen:
                    seen.add(line.uid)
                    yield line
            if any(line.completed for line in found):
                return
            if deadline is not None and clock() + wait > deadline:
                raise TimedOut(
                    f"{reference.job_type} {reference.uid} has not ended within {timeout:g} s; it goes on running",
                    hint=f"wait longer, or look again: client.get('{_path(reference)}')",
                )
            await asyncio.sleep(wait)
            wait = poll or min(wait * 1.5, LONGEST_WAIT)

    async def await_completion(
        self, task: Task, *, poll: float | None = None, timeout: float | None = None
    ) -> Notification:
        """Wait for a job; its last line. Parameters as of `iter_notifications`.

        Raises `Dhis2Error` when the job has ended with an error, `TimedOut`.
        """
        last = Notification()
        async for line in self.iter_notifications(task, poll=poll, timeout=timeout):
            last = line if line.completed or not last.completed else last
        if last.level == "ERROR":
            raise Dhis2Error(f"{task_of(task).job_type}: {last.message}", hint="the server's log says more")
        return last

    async def summary(self, task: Task) -> JsonValue:
        """What a job has to say in the end: its import report or summary; None when it has none.

        API source: `GET /api/system/taskSummaries/{jobType}/{uid}`, `GET /api/tracker/jobs/{uid}/report`.
        """
        reference = task_of(task)
        if reference.job_type == "TRACKER_IMPORT_JOB":
            return await self._client.get(f"tracker/jobs/{reference.uid}/report")
        try:
            return await self._client.get(f"system/taskSummaries/{reference.job_type}/{reference.uid}")
        except NotFound:
            return None


async def notifications_of(client: Requests, job: TaskRef) -> list[Notification]:
    """What a job has said until now, the newest first; nothing of a job that the server has forgotten."""
    rows = await client.get(_path(job))
    return [Notification.model_validate(row) for row in rows] if isinstance(rows, list) else []


def _path(reference: TaskRef) -> str:
    """Where a job tells how far it is; tracker has an address of its own (recorded in all versions)."""
    if reference.job_type == "TRACKER_IMPORT_JOB":
        return f"tracker/jobs/{reference.uid}"
    return f"system/tasks/{reference.job_type}/{reference.uid}"


def task_of(task: Task) -> TaskRef:
    """The job that is meant. Raises `UsageError` for an answer that started none."""
    message = WebMessage.of(task) if isinstance(task, dict) else task
    reference = message.task_ref if isinstance(message, WebMessage) else message
    if reference is None:
        raise UsageError("this answer started no job", hint="ask for an asynchronous import")
    return reference
