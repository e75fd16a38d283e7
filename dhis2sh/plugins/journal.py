"""`journal`: what was written through this profile, before and after."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel

from dhis2sh.changes import job_folders
from dhis2sh.changes.journal import SentPart, journal_of
from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.instance import kept
from dhis2sh.rows.rows import PageNote, Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs.declaration import Bounds, Doc, applies, verb
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Journal


class EntryRow(BaseModel):
    """One write: how many of its changes were done, refused, or sent without an answer."""

    id: int
    at: str
    verb: str
    title: str
    outcome: str
    done: int
    refused: int
    unknown: int
    undone_by: int | None
    undoes: int | None
    reason: str | None


class ChangeRow(BaseModel):
    """One object that a write changed; of an update the changed properties alone."""

    number: int
    action: str
    type: str
    uid: str | None
    name: str | None
    state: str
    changes: str
    before: JsonObject | None
    after: JsonObject | None
    reason: str | None


@verb(
    "journal list",
    effect="read",
    examples=["dhis2 journal list", "dhis2 journal list --written", "%journal list | where(outcome != 'done')"],
)
async def list_(
    s: Session,
    *,
    written: Annotated[bool, Doc("Only what has written something, or may have.")] = False,
    tried: Annotated[bool, Doc("Only what was tried and has written nothing.")] = False,
    limit: Annotated[int, Bounds(1), Doc("At the most so many.")] = 50,
) -> Rows[EntryRow]:
    """List what was written through this profile, or tried, newest first; `unknown` was sent and never answered.

    What was tried and has written nothing says why as its reason; it is called by its verb where it came to no plan.
    """
    if written and tried:
        raise UsageError("--written and --tried are all there is", hint="leave both out")
    entries = [entry for entry in journal_of(s).entries() if not (written or tried) or entry.wrote is written]
    rows = [
        EntryRow(
            id=entry.id, at=entry.at, verb=entry.verb, outcome=entry.outcome,
            done=entry.states.get("done", 0), refused=entry.states.get("refused", 0),
            unknown=entry.states.get("sent", 0), undone_by=entry.undone_by, undoes=entry.undoes,
            title=entry.title if s.persons or not entry.of_persons else entry.verb,
            reason=entry.reason if s.persons or not entry.of_persons else None,
        )
        for entry in entries[:limit]
    ]  # fmt: skip
    note = PageNote(len(rows), len(entries), more=f"--limit {len(entries)} for every one")
    columns = ["id", "at", "title", "outcome", "done", "refused", "unknown", "undone_by", "reason"]
    return Rows(rows, columns=columns, page=note)


@verb("journal show", effect="read", examples=["dhis2 journal show", "%journal show 12 | where(state == 'refused')"])
async def show(
    s: Session, id: Annotated[int | None, Doc("The entry's number; the newest without it.")] = None
) -> Rows[ChangeRow]:
    """Show what one write changed, object by object, before and after."""
    journal = journal_of(s)
    if id is None:
        newest = journal.entries(limit=1)
        if not newest:
            raise NotFound("the journal is empty", hint="writes are kept there unless --no-journal is given")
        entry = newest[0]
    else:
        entry = journal.entry(id)
    if entry.of_persons:
        s.show_persons(f"entry {entry.id}")
    changes = journal.changes(entry.id)
    kept = {change.number for change in changes}
    rows = [
        ChangeRow(
            number=change.number, action=change.action, type=change.type, uid=change.uid, name=change.name,
            state=change.state, before=change.before, after=change.after, reason=change.reason,
            changes=PlanStep("set", change.type, detail=change.detail, before=change.before, after=change.after).words(),
        )
        for change in changes
    ]  # fmt: skip
    rows += [
        _part(part)
        for part in journal.parts(entry.id)
        if not kept.issuperset(range(part.first, part.first + part.count))  # of a small one each row stands there
    ]
    if not rows and entry.reason is not None and (s.persons or not entry.of_persons):
        s.person.note(f"entry {entry.id} wrote nothing: {entry.reason}")
    return Rows(rows, columns=["action", "type", "uid", "name", "state", "changes", "reason"])


def _part(part: SentPart) -> ChangeRow:
    """A part of a bulk write, whose rows are not kept one by one."""
    left = {"done": part.done, "refused": part.refused, "without an answer": part.count - part.done - part.refused}
    told = ", ".join(f"{count:,} {word}" for word, count in left.items() if count)
    state = "refused" if part.refused == part.count else "sent" if left["without an answer"] else "done"
    rows = f"rows {part.first + 1:,} to {part.first + part.count:,}"
    return ChangeRow(
        number=part.first, action="send", type="part", uid=None, name=rows if part.count in left.values() else f"{rows}: {told}",
        state=state, changes="", before=None, after=None, reason=part.reason,
    )  # fmt: skip


@verb(
    "journal prune",
    effect="destroy",
    journaled=False,
    examples=["dhis2 journal prune --older-than 90 --dry-run", "dhis2 journal prune --keep 500 --yes"],
    left_out={"mcp": "agents never take away what undo knows"},
)
async def prune(
    s: Session,
    *,
    older_than: Annotated[int | None, Bounds(0, 36500), Doc("Those that are older than so many days.")] = None,
    keep: Annotated[int | None, Bounds(0), Doc("All but so many of the newest.")] = None,
) -> Plan:
    """Forget old writes: nobody can take them back any more, and files that were kept for that go.

    By itself a journal forgets only what is beyond 64 MB.
    """
    if older_than is None and keep is None:
        raise UsageError("forget which?", hint="dhis2 journal prune --older-than 90 --dry-run")
    journal, before = journal_of(s), None
    if older_than is not None:
        before = (dt.datetime.now(dt.UTC) - dt.timedelta(days=older_than)).isoformat(timespec="seconds")
    numbers = journal.oldest(before=before, keep=keep or 0)
    told = f"entries {numbers[0]:,} to {numbers[-1]:,}" if numbers else ""
    steps = [PlanStep("delete", "journal", name=told, detail="undo cannot take them back any more")] if numbers else []
    return Plan(
        f"forget {counted(len(numbers), 'write')} of {s.profile.name}", steps, payload=(journal, numbers), local=True
    )


@applies(prune)
async def _(s: Session, plan: Plan) -> WriteSummary:
    journal, numbers = cast("tuple[Journal, list[int]]", plan.payload)
    if numbers:
        files = await asyncio.to_thread(journal.files, numbers)
        await asyncio.to_thread(journal.drop_entries, numbers)
        await asyncio.to_thread(kept.forget, files)
        await asyncio.to_thread(job_folders.sweep, s.profile.name)
    return WriteSummary("journal", deleted=len(numbers))
