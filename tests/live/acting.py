"""Verbs called as a user calls them, each written down, so that the table of families tells what was run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

from dhis2sh.changes.consent import Consent
from dhis2sh.changes.journal import journal_of
from dhis2sh.changes.plan import Plan
from dhis2sh.errors import Dhis2Error, NotFound, PartlyDone, Refused, UsageError
from dhis2sh.rows.rows import to_json
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.live.place import YES, own_uids, within

DRY: Final = Consent(dry_run=True)
CALLED: dict[str, str] = {}
"""What the test that runs has called: each verb's path, with `ok` or, of one that was only looked at, `planned`."""
SLOW: Final = float(os.environ.get("LIVE_TIMEOUT", "240"))
"""Seconds that a job of a server may take: it starts at the next turn of a loop, and builds what it has."""


def alone(call: Callable[[Session], Awaitable[Any]]) -> Any:
    """Await a call with a session of its own; every UID that is made up inside is ours."""
    with own_uids():
        return asyncio.run(within(call)())  # type: ignore[arg-type]


async def asked(s: Session, verb: str, **arguments: object) -> Any:
    """What a verb answers, a stream read to its end."""
    result = await run(s, find(verb), arguments)
    found = await result.collect() if isinstance(result, Stream) else result
    CALLED[verb] = "ok"
    return found


async def read(s: Session, verb: str, **arguments: object) -> Any:
    """What a verb answers, as plain values."""
    return to_json(await asked(s, verb, **arguments))


async def write(s: Session, verb: str, **arguments: object) -> Any:
    """Do what a verb plans, and say what came of it."""
    made = await run(s, find(verb), arguments, YES)
    CALLED[verb] = "ok"
    return made


async def deleted_for_good(s: Session, plural: str, uid: str) -> None:
    """Delete an object that no undo shall bring back."""
    await run(s, find("metadata delete"), {"type": plural, "objects": [uid]}, Consent(yes=True, journal=False))


async def planned(s: Session, verb: str, **arguments: object) -> Plan:
    """The plan of what cannot be taken back, or is of everybody: nothing is sent."""
    plan = await run(s, find(verb), arguments, DRY)
    assert isinstance(plan, Plan)
    CALLED.setdefault(verb, "planned")
    return plan


async def taken_back(s: Session) -> list[str]:
    """Take back all that this test has written, the newest first. Returns what could not be, in words."""
    stays: list[str] = []
    journal = journal_of(s)
    for entry in journal.entries():
        if entry.undoes is not None or entry.undone_by is not None or not {"done", "sent"} & set(entry.states):
            continue
        try:
            await run(s, find("undo"), {"id": entry.id}, YES)
            CALLED["undo"] = "ok"
        except (NotFound, PartlyDone, Refused, UsageError) as error:
            stays.append(f"{entry.title}: {error.message}")
    return stays


async def or_error(call: Awaitable[Any]) -> Any:
    """What a call answers, or the error that it ends with: for what a server may rightly refuse."""
    try:
        return await call
    except Dhis2Error as error:
        return error
