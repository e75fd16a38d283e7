"""How what was written is taken back: new objects are deleted, changed ones are as before. What was deleted stays so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.changes.plan import Plan
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client.tracker import IDENTIFIERS
from dhis2sh.errors import Forbidden, NotFound, Refused
from dhis2sh.tracker import changing, comparing, jobs, linking, programs, reading, sending
from dhis2sh.tracker.changing import Change
from dhis2sh.tracker.editing import NOT_COME_BACK
from dhis2sh.tracker.held import changed, held, values_of
from dhis2sh.tracker.linking import Owned
from dhis2sh.tracker.registering import names_of
from dhis2sh.tracker.shown import Shown
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes import journal as journals
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.client.tracker import Kind
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

_PARENTS = ("enrollment", "trackedEntity")
NAMED = 5
STAYS = "(--force takes it back too)"


@takes_back(changing.NAME)
async def objects(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """New objects are deleted, changed ones are as before; what was deleted cannot come back, and it is said."""
    title = entry.undo_title
    written = [one for one in journal.changes(entry.id) if one.written and one.uid is not None]
    back, told = await _back(s, written, force=force)
    plan = changing.plan(
        title, back, await names_for(s, back), notes=told.notes(), again=f"dhis2 undo {entry.id}", asks=True,
        left=told.left(),
    )  # fmt: skip
    if told.stays:
        plan.rest = f"dhis2 undo {entry.id} --force" if told.force_helps else f"dhis2 journal show {entry.id}"
    gone = any(one.action not in {"create", "update"} for one in written)
    if not plan.steps and (gone or told.force_helps):  # else all of it is as before
        plan.blocked = Refused(
            f"entry {entry.id} cannot be taken back: {NOT_COME_BACK if gone else '; '.join(told.notes())}",
            hint=plan.rest if told.force_helps else f"dhis2 journal show {entry.id}  has what it was",
        )
    return plan


class Told:
    """What an undo says of what it does not take back: `stays` is otherwise than it was before, the rest is as it was."""

    def __init__(self) -> None:
        self.stays: list[tuple[str, str]] = []
        self.said: list[str] = []

    @property
    def force_helps(self) -> bool:
        """Does `--force` take back some of what stays?"""
        return any(STAYS in why for _, why in self.stays)

    def notes(self) -> list[str]:
        """Some lines; of many things that stay, the first."""
        lines = [f"{name} {why}" for name, why in self.stays]
        if len(lines) > NAMED:
            lines = [*lines[:NAMED], f"and {len(lines) - NAMED:,} more stay"]
        return [*lines, *self.said]

    def left(self) -> list[Row]:
        """What stays, as rows of a summary."""
        return [{"type": "tracker", "name": name, "message": why} for name, why in self.stays]


async def _back(s: Session, written: Sequence[journals.Change], *, force: bool) -> tuple[list[Change], Told]:
    """The changes that take some others back, and what stays and why."""
    told = Told()
    back: list[Change] = []
    lost = [one.name or str(one.uid) for one in written if one.action == "delete"]
    if lost:
        told.stays.append((listed(lost, NAMED), f"deleted: {NOT_COME_BACK}"))
    for one in written:
        kind: Kind = one.type  # type: ignore[assignment]  (this writer keeps no other)
        if one.action not in {"create", "update"} or one.uid is None:
            continue
        program = _program(one)
        rows = await reading.by_uid(s, kind, [one.uid], program=program)
        if one.uid not in rows:
            how = "was sent without an answer, and is not there now" if one.state == "sent" else "is gone already"
            told.said.append(f"{one.name or one.uid} {how}, or hidden from you")
            continue
        current = held(kind, rows[one.uid])
        restored = _restored(kind, current, one.before or {}, one.after or {}) if one.action == "update" else None
        if restored is not None and not any(changed(current, restored)):
            told.said.append(f"{one.name or one.uid} is already as it was before")
            continue
        if not force and _since(one, kind, current):
            told.stays.append((one.name or one.uid, f"has changed again since {STAYS}"))
        else:
            back.append(Change(kind, current, restored, one.name))
    return _without_children(back), told


def _program(one: journals.Change) -> str | None:
    found = (one.after or {}).get("program") or (one.before or {}).get("program")
    return str(found) if found else None


def _since(one: journals.Change, kind: Kind, current: JsonObject) -> bool:
    """Has somebody changed since what was written?"""
    after = one.after or {}
    if kind == "relationships":
        return False
    old, new = changed(*(_touched(body, after) for body in (after, current)))
    if kind == "trackedEntities" and not values_of(kind, current):
        return False
    return bool(old or new)


def _touched(body: JsonObject, after: JsonObject) -> JsonObject:
    """The properties of an object that were written; of its values those that were."""
    found: JsonObject = {}
    for name, value in after.items():
        if name in {"completedAt", "enrollments"}:
            continue
        inside = body.get(name)
        if name in {"attributes", "dataValues"} and isinstance(value, dict):
            values = inside if isinstance(inside, dict) else {}
            found[name] = {uid: values.get(uid) for uid in value}
        else:
            found[name] = inside
    return found


def _restored(kind: Kind, current: JsonObject, before: JsonObject, after: JsonObject) -> JsonObject:
    """An object as it was before, in all that was changed of it."""
    found = dict(current)
    for name in {**before, **after}:
        was = before.get(name)
        if name in {"attributes", "dataValues"}:
            values = {**values_of(kind, current), **(was if isinstance(was, dict) else {})}
            found[name] = {uid: value for uid, value in values.items() if value not in (None, "")}
        elif was is None:
            found.pop(name, None)
        else:
            found[name] = was
    return found


def _without_children(back: Sequence[Change]) -> list[Change]:
    """Without what goes by itself, since what it hangs on is deleted."""
    deleted = {change.uid for change in back if change.after is None}

    def hangs(change: Change) -> bool:
        body = change.before or {}
        return any(str(body.get(name)) in deleted - {change.uid} for name in _PARENTS)

    return [change for change in back if not (change.after is None and hangs(change))]


async def names_for(s: Session, changes: Iterable[Change]) -> dict[str, str]:
    """What UIDs in some changes stand for."""
    names: dict[str, str] = {}
    seen: set[str] = set()
    for change in changes:
        body = change.before or change.after or {}
        for key, read in (("program", programs.read_program), ("trackedEntityType", programs.read_type)):
            uid = body.get(key)
            if not uid or str(uid) in seen:
                continue
            seen.add(str(uid))
            try:
                found = await read(s, str(uid))
            except (NotFound, Forbidden):
                continue
            names |= (
                names_of(found) if isinstance(found, programs.Program) else {one.uid: one.name for one in found.items}
            )
    return names


@takes_back(linking.OWNERSHIP)
async def ownership(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """Entities are owned again by the units that they were owned by."""
    title = entry.undo_title
    moves: list[Owned] = []
    notes: list[str] = []
    for one in journal.changes(entry.id):
        if not one.written or one.uid is None or not one.before or not one.after:
            continue
        program, was, became = str(one.before["program"]), str(one.before["orgUnit"]), str(one.after["orgUnit"])
        try:
            owner = await linking.owner_of(s, one.uid, program)
        except (NotFound, Forbidden):
            notes.append(f"{one.uid}: {reading.refused_access(one.uid).message}")
            continue
        if owner != became and not force:
            notes.append(f"{one.uid} has another owner since {STAYS}")
            continue
        moves.append(Owned(one.uid, program, str(owner), was))
    plan = linking.owning(title, moves, {}, notes)
    if not plan.steps:
        force_helps = any(STAYS in note for note in notes)
        plan.blocked = Refused(
            f"entry {entry.id}: {'; '.join(notes) or f'{counted(len(moves), "entity", "entities")} owned as before'}",
            hint=f"dhis2 undo {entry.id} --force" if force_helps else f"dhis2 journal show {entry.id}",
        )
    return plan


@takes_back(sending.NAME)
async def bundles(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What a push has made is deleted, what it has changed is as before; what it has deleted stays so, and it is said.

    A push that has changed nothing has nothing to take back, with --force neither.
    """
    title = entry.undo_title
    digests = [part.digest.split("/") for part in journal.parts(entry.id) if part.digest]
    if not digests:
        return Plan(title, notes=["it has changed nothing: what it was to write was on the server, or it sent nothing"])
    job = next((found for name, *_ in digests if (found := jobs.Job.find(s.profile.name, name))), None)
    if job is None or job.head.strategy == "DELETE":
        why = "its folder is gone" if job is None else NOT_COME_BACK
        return Plan(title, blocked=Refused(f"entry {entry.id} cannot be taken back: {why}"))
    told = Told()
    back: list[Change] = []
    for part in sorted({int(number) for _, number, _ in digests}):
        before = job.before(part)
        if before is None:
            told.stays.append((f"part {part}", "was not looked at before it was sent (--no-undo)"))
            continue
        back += await _part_back(s, job, part, before, told, force=force)
    others = [other.id for other in journal.of_load(sending.NAME, job.name) if other.id != entry.id]
    notes = [*told.notes(), *(f"more of this push is in entry {other}: dhis2 undo {other}" for other in others)]
    plan = changing.plan(
        title, _without_children(back), job.head.names, notes=notes, again=f"dhis2 undo {entry.id}", asks=True,
        left=told.left(),
    )  # fmt: skip
    if told.force_helps:
        plan.rest = f"dhis2 undo {entry.id} --force"
    if not plan.steps and (told.stays or others):
        plan.blocked = Refused(f"entry {entry.id} cannot be taken back: {'; '.join(notes)}", hint=plan.rest or None)
    elif not plan.steps and not notes:
        same = _written_by(journal, entry, job)
        more = f"; entry {same} has written the same: dhis2 undo {same}" if same is not None else ""
        plan.notes.append(f"it has changed nothing: all of it was on the server before it{more}")
    return plan


def _written_by(journal: Journal, entry: Entry, job: jobs.Job) -> int | None:
    """The newest entry before this one that has written the same objects, and can be taken back still."""
    others = journal.of_load(sending.NAME, *(one.name for one in jobs.earlier(job)))
    return next((other.id for other in others if other.id < entry.id), None)


async def _part_back(
    s: Session, job: jobs.Job, part: int, before: Mapping[str, JsonObject], told: Told, *, force: bool
) -> list[Change]:
    """The changes that take one part back; what stays and why goes into `told`."""
    back: list[Change] = []
    gone = 0
    refused, shown = job.refused(part), Shown(s)
    entries = job.entries(part)
    for entry in entries:
        if entry.sheet:
            comparing.complete(entry, before, job.head.numeric)
        comparing.compare(entry, before)
    now = await sending.there(s, entries)
    for at, entry in enumerate(entries):
        for kind, body in entry.objects():
            uid = str(body[IDENTIFIERS[kind]])
            current, was = now.get(uid), before.get(uid)
            if uid in entry.same:
                continue  # it was on the server as it was said: no change of this push
            if current is None:
                gone += at not in refused  # what the server did not take was never there
                continue
            others = await sending.differing(shown, kind, body, now)
            if others and not force and (was is None or any(changed(was, current))):
                told.stays.append((f"{entry.label}: {uid}", f"has changed again since {STAYS}"))
            elif was is None:
                back.append(Change(kind, current, None, entry.label))
            elif any(changed(was, current)):
                back.append(Change(kind, current, dict(was), entry.label))
    if gone:
        told.said.append(f"{counted(gone, 'object')} gone already")
    return back
