"""`undo`: takes back what a write through this profile changed, where DHIS2 allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from dhis2sh.changes.journal import journal_of
from dhis2sh.changes.plan import Plan
from dhis2sh.changes.way_back import way_back
from dhis2sh.errors import Refused, UsageError
from dhis2sh.metadata import undoing
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Doc, verb
from dhis2sh.verbs.registry import load_domains

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.changes.way_back import TakesBack


@verb("undo", effect="destroy", journaled=False, examples=["dhis2 undo --dry-run", "dhis2 undo 12 --yes"])
async def undo(
    s: Session,
    id: Annotated[int | None, Doc("The journal's entry; the newest that can be taken back without it.")] = None,
    *,
    force: Annotated[bool, Doc("Take back what somebody has changed again since, too.")] = False,
) -> Plan:
    """Take back a write: what it created is deleted, what it deleted is created again, what it changed is as before.

    The plan says what cannot be taken back: secrets, which the journal never holds; objects that are gone; and what was
    changed again since, unless --force. Where the newest attempt wrote nothing, the entry before it is taken back only by its
    number.
    """
    journal = journal_of(s)
    entry = journal.entry(id)
    if id is None:
        _check_meant(journal, entry)
    plan = await _plan(s, journal, entry, force=force)
    for other in journal.entries() if id is None else ():
        if plan.steps or plan.blocked is not None:
            break  # what holds already what it held before is passed over, or nothing older could be taken back
        if other.id < entry.id and other.undone_by is None and other.undoes is None:
            s.person.note(f"entry {entry.id} has nothing to take back: {'; '.join(plan.notes) or entry.title}")
            entry, plan = other, await _plan(s, journal, other, force=force)
    if plan.blocked is not None and plan.blocked.hint is None:  # it can be taken back in no way
        plan.blocked.hint = _earlier(journal, entry) or "dhis2 journal list"
    return plan


def _earlier(journal: Journal, entry: Entry) -> str | None:
    """The command that takes back the write before one that cannot be; None where there is none."""
    others = (other for other in journal.before(entry) if (way_back(other) or _installed(other)) is not undoing.nothing)
    return next(map(_way_of, others), None)


def _way_of(entry: Entry) -> str:
    return f"dhis2 undo {entry.id}  takes back the write before it: {entry.title} ({entry.when})"


def _check_meant(journal: Journal, entry: Entry) -> None:
    """Raise `Refused` where the newest attempt wrote nothing: who says `undo` means that one, and not a write before it."""
    newest = journal.entries(limit=1)[0]
    if newest.id == entry.id or newest.undoes is not None or newest.undone_by is not None:
        return  # who goes back step by step has just taken something back
    told = f"{newest.title}: {newest.reason}" if newest.reason else newest.title
    why = f" ({newest.verb if newest.of_persons else told})"
    raise Refused(
        f"the last attempt, entry {newest.id}, wrote nothing{why}: there is nothing of it to take back",
        hint=_way_of(entry),
    )


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
