"""`task`: what the server does in the background, and how far it is."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.instance import jobs, watching
from dhis2sh.redact import without_rows
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Bounds, Doc, verb

Type = Annotated[str, Doc("The job type, such as ANALYTICS_TABLE.")]
Uid = Annotated[str, Doc("The job's UID.")]
Timeout = Annotated[int | None, Bounds(1), Doc("Seconds to wait at the most; the job goes on.")]
Since = Annotated[str | None, Doc("Up to this moment everything is of runs before; `jobs run` prints it.")]
LINES = ("time", "level", "message", "completed")


@verb("task types", effect="read", examples=["dhis2 task types"])
async def types(s: Session) -> Rows[Row]:
    """List the job types that have said something since the server was started, and of how many jobs each.

    API source: `GET /api/system/tasks`.
    """
    found = await _tasks(s)
    return Rows(
        [{"jobType": name, "jobs": len(runs)} for name, runs in found.items() if runs], columns=("jobType", "jobs")
    )


@verb("task list", effect="read", examples=["dhis2 task list ANALYTICS_TABLE"])
async def list_(
    s: Session, type: Annotated[str | None, Doc("Only this job type, such as ANALYTICS_TABLE.")] = None
) -> Rows[Row]:
    """List what the server has done in the background: each job with its last line, the newest first.

    API source: `GET /api/system/tasks`.
    """
    rows: list[Row] = []
    for name, runs in (await _tasks(s)).items():
        if type and name != type.upper():
            continue
        for uid, lines in runs.items():
            last, first = (lines[0], lines[-1]) if lines else ({}, {})
            words = last.get("message")
            rows.append({
                "jobType": name, "id": uid, "began": first.get("time"), "ended": last.get("completed") is True,
                "level": last.get("level"), "message": without_rows(words) if isinstance(words, str) else words, "time": last.get("time"),
            })  # fmt: skip
    rows.sort(key=lambda row: str(row["time"] or ""), reverse=True)
    return Rows(rows, columns=("jobType", "id", "began", "ended", "level", "message", "time"))


@verb("task status", effect="read", examples=["dhis2 task status ANALYTICS_TABLE UID"])
async def status(s: Session, type: Type, id: Uid) -> Rows[Row]:
    """List what a job has said until now, the oldest first.

    API source: `GET /api/system/tasks/{type}/{uid}`.
    """
    lines = await watching.said(s, await jobs.named_type(s, type, id))
    return Rows([cast("Row", line.model_dump(by_alias=True, include=set(LINES))) for line in lines], columns=LINES)


@verb("task watch", effect="read", examples=["dhis2 task watch ANALYTICS_TABLE UID"])
async def watch(s: Session, type: Type, id: Uid, *, since: Since = None, timeout: Timeout = None) -> watching.JobEnd:
    """Follow a job to its end by its type and UID, as an asynchronous import has given them.

    API source: `GET /api/system/tasks/{type}/{uid}`.
    """
    return await watching.to_its_end(
        s, await watching.before(s, await jobs.named_type(s, type, id), since or ""), timeout=timeout
    )


async def _tasks(s: Session) -> dict[str, dict[str, list[JsonObject]]]:
    return cast("dict[str, dict[str, list[JsonObject]]]", await s.client.get_object("system/tasks"))
