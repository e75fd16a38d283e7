"""`undo`: takes back what a write through this profile changed, where DHIS2 allows."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

from dhis2sh.changes.journal import journal_of
from dhis2sh.changes.plan import Plan
from dhis2sh.changes.way_back import way_back
from dhis2sh.errors import Dhis2Error, NetworkError, Refused, UsageError
from dhis2sh.metadata import undoing
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Doc, verb
from dhis2sh.verbs.registry import load_domains

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.changes.way_back import TakesBack

LOOKED_AT = 10
"""Writes before one that has nothing to take back, of which a hint looks for one that has."""


@verb("undo", effect="destroy", journaled=False, examples=["dhis2 undo --dry-run", "dhis2 undo 12 --yes"])
async def undo(
    s: Session,
    id: Annotated[int | None, Doc("The journal's entry; the last write that was tried without it.")] = None,
    *,
    force: Annotated[bool, Doc("Take back what somebody has changed again since, too.")] = False,
) -> Plan:
    """Take back a write: what it created is deleted, what it deleted is created again, what it changed is as before.

    The plan says what cannot be taken back: secrets, which the journal never holds; objects that are gone; and what was
    changed again since, unless --force. Where there is nothing of the last write to take back, one before it is taken back
    only by its number.
    """
    journal = journal_of(s)
    entry = journal.entry(id) if id is not None else journal.meant()
    if id is None and not entry.undoable:
        told = f"{entry.title}: {entry.reason}" if entry.reason else entry.title
        why = entry.verb if entry.of_persons else told
        raise Refused(
            f"the last attempt, entry {entry.id}, wrote nothing ({why}): there is nothing of it to take back",
            hint=await _earlier(s, journal, entry),
        )
    plan = await _plan(s, journal, entry, force=force)
    if id is None and not plan.steps and plan.blocked is None:
        plan.blocked = Refused(f"{entry.told} has nothing to take back: {'; '.join(plan.notes) or 'it is as before'}")
    if plan.blocked is not None and plan.blocked.hint is None:  # it can be taken back in no way
        plan.blocked.hint = await _earlier(s, journal, entry)
    return plan


async def _earlier(s: Session, journal: Journal, entry: Entry) -> str:
    """The command that takes back the last write before one that can be taken back now; the list where there is none."""
    for other in islice(journal.before(entry), LOOKED_AT):
        try:
            plan = await _plan(s, journal, other, force=False)
        except NetworkError:
            break
        except Dhis2Error:  # what of it cannot be taken back says who asks for it
            continue
        if plan.steps and plan.blocked is None:
            return f"dhis2 undo {other.id}  takes back the write before it: {other.title} ({other.when})"
    return "dhis2 journal list"


async def _plan(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    if entry.undone_by is not None and not force:
        raise UsageError(
            f"entry {entry.id} was taken back by entry {entry.undone_by}",
            hint="--force takes back what came since: a server may have been slow to write it",
        )
    if entry.url != s.profile.url:
        raise UsageError(f"entry {entry.id} was written to {entry.url}, and this profile is {s.profile.url} now")
    if entry.of_persons:
        s.show_persons(f"entry {entry.id}")
    back = way_back(entry) or _installed(entry)
    plan = await back(s, journal, entry, force=force)
    plan.undoes, plan.undone = entry.id, entry.told
    if entry.told not in plan.title:
        plan.notes.insert(0, f"takes back {entry.told}")
    return plan


def _installed(entry: Entry) -> TakesBack:
    """How an entry is taken back that no domain of those imported so far has written."""
    load_domains()
    return way_back(entry) or undoing.nothing
