"""How what was written is taken back: from the objects before and after that the journal keeps to a plan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.by_request import REQUESTS
from dhis2sh.changes.plan import BY_VERB, OBJECTS, PartDone, Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client import schema
from dhis2sh.dhis2.never_given import secrets_of
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS, name_of
from dhis2sh.errors import NotFound, Refused, ServerFault, UsageError
from dhis2sh.metadata import looked, writes
from dhis2sh.metadata.built_upon import NEEDED, Staying, deletion_of_unused, in_order
from dhis2sh.metadata.comparing import empty, same
from dhis2sh.metadata.edited import (
    NOT_COMPARED,
    LaterWrites,
    as_left,
    changed_since,
    is_again,
    is_still,
    members_restored,
    own,
    plain_sharing,
    told_edit,
    without,
    without_new,
    without_secrets,
)
from dhis2sh.metadata.gone_references import without_gone
from dhis2sh.metadata.lost_secrets import again
from dhis2sh.metadata.not_taken_back import Notes
from dhis2sh.metadata.objects.deleting import Deletion, deletion, pruned
from dhis2sh.metadata.owned import with_owners
from dhis2sh.metadata.refused import failure_of
from dhis2sh.metadata.write import Write
from dhis2sh.metadata.writes import Objects
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.changes.plan import Part, WriteSummary
    from dhis2sh.metadata.built_upon import Objects as CreatedObjects
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

ACTIONS = {"create", "update", "delete", "also update", "also delete"}
NOT_THERE, AS_BEFORE, STILL_THERE = (
    f"sent without an answer, and {how} now" for how in ("not there", "as before", "still there")
)
"""What a server has of what it gave no answer to: whether it was never written, or others were faster, nobody knows."""


@takes_back(OBJECTS)
async def objects(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What was created is deleted, what was deleted is created again, what was changed is as before; it is looked at afterwards."""
    return await objects_of(s, journal, entry, journal.changes(entry.id), force=force)


async def objects_of(s: Session, journal: Journal, entry: Entry, all_: Sequence[Change], *, force: bool) -> Plan:
    """The plan that takes back changes of metadata.

    Parameters:
        all_: those of the entry's changes that are meant.
        journal, entry, force: as of `TakesBack`.
    """
    notes = Notes()
    metadata: list[Change] = []
    for change in all_:
        if not change.written:
            continue
        if change.action in ACTIONS and change.uid is not None:
            metadata.append(change)
        else:
            notes.add(NO_WAY, f"{change.action} {change.type} {change.name or ''}".rstrip())
    pairs: list[Write] = []
    new = {cast("str", change.uid) for change in metadata if change.action == "create"}
    earlier = [
        change for other in journal.undone_since(entry) for change in journal.changes(other.id) if change.written
    ]
    since = _Since(new, earlier, LaterWrites.of(journal, entry))
    metadata = [_to_what_is_there(change, since.gone, notes) for change in metadata]
    for plural, changes in _by_type(metadata):
        pairs += await _taken_back(s, plural, changes, since, notes, force=force)
    pairs, told = await without_gone(s, journal, pairs)
    for one in told:
        notes.add(one.reason, one.about, stays=one.stays)
    created: dict[str, list[JsonObject]] = {}
    for write in pairs:
        if write.after is None:
            created.setdefault(write.plural, []).append(write.before or {})
    gone, staying = await _deleted(s, journal, entry, pairs, created, notes, force=force)
    if not pairs and not notes.lines():
        raise NotFound(f"entry {entry.id} changed nothing", hint="dhis2 journal list")
    pairs = _each_once(await with_owners(s, [write for write in pairs if write.after is not None]), gone.writes)
    plan = writes.plan(entry.undo_title, pairs, what="undone", bundle=_held(pairs), notes=[*notes.lines(), *gone.notes])
    plan.writer = TakingBack(
        "undone", writes.changes_of(plan), bundle=_held(pairs), again=f"dhis2 undo {entry.id}", notes=plan.notes,
        changes=metadata, staying=staying.why,
    )  # fmt: skip
    plan.rest = await _rest(s, journal, entry, staying, notes, created) if notes.stays and not force else ""
    plan.rest = plan.rest or next((one.first for one in told if one.first), "")
    if not metadata:
        plan.blocked = _refusal(entry)
    elif not plan.steps and notes.stays:
        why = f"nothing of entry {entry.id} was taken back: {notes.stays[0]}"
        plan.blocked = Refused(why, hint=plan.rest or None)
    return plan


def _each_once(restored: Sequence[Write], going: Sequence[Write]) -> list[Write]:
    """The writes of an undo: what is restored and has to let go of something that goes as well does both at once."""
    found = {(write.plural, write.uid): write for write in restored}
    rest: list[Write] = []
    for write in going:
        mine = found.get((write.plural, write.uid))
        if mine is None or mine.before is None or mine.after is None or write.action != "update":
            rest.append(write)
            continue
        before, after = write.changed()
        left = {
            name: (after or {}).get(name)
            for name in {**(before or {}), **(after or {})}
            if same(mine.after.get(name), mine.before.get(name))
        }
        if write.by_server:
            rest += [write] if left else []
        elif left:
            found[write.plural, write.uid] = replace(mine, after={**mine.after, **left})
    return [*found.values(), *rest]


async def _deleted(
    s: Session,
    journal: Journal,
    entry: Entry,
    pairs: Sequence[Write],
    created: CreatedObjects,
    notes: Notes,
    *,
    force: bool,
) -> tuple[Deletion, Staying]:
    """What was created and is deleted, and what of it stays since others stand on it; the notes say so."""
    staying = Staying()
    if force:
        gone = await deletion(s, created)
    else:
        updates = [write for write in pairs if write.after is not None]
        gone, staying = await deletion_of_unused(s, journal, entry, created, edited=notes.left, changed=updates)
    notes.settle({write.uid for write in gone.writes if write.after is None})
    staying.first[:] = sorted({*staying.first, *notes.first}, reverse=True)
    for write in pairs:
        if write.uid in staying.why and write.after is None:
            notes.add(staying.why[write.uid], f"{write.plural} {write.called}", stays=True)
    return gone, staying


async def _rest(
    s: Session, journal: Journal, entry: Entry, staying: Staying, notes: Notes, created: CreatedObjects
) -> str:
    """What to do about what stays; empty where nothing helps.

    Where others stand on it that is to take those back first, or to see them: force is of no use where a server refuses.
    Where somebody has changed it that is to see who and what, before it is lost.
    """
    if staying.first:
        return await in_order(s, journal, entry, staying, created, edited=notes.of_others)
    used = next((uid for uid, why in staying.why.items() if why != NEEDED), None)
    if used is not None:
        return f"dhis2 metadata usage {used}  says what uses it"
    return (
        f"dhis2 undo {entry.id} --force --dry-run  says who changed what, which --force takes back"
        if notes.of_others
        else ""
    )


@dataclass(slots=True)
class TakingBack(Objects):
    """The writer of an undo: when all is sent it reads the objects, and says of each that is not as before.

    Parameters:
        changes: what is taken back.
        staying: by UID what is not taken back, and why.
    """

    changes: Sequence[Change] = ()
    staying: Mapping[str, str] = field(default_factory=dict[str, str])

    async def send(self, s: Session, part: Part) -> PartDone:
        """A part; deletions that a server refuses together are halved until it is known which of them it refuses."""
        try:
            return await self._sent(s, part)
        except ServerFault:
            raise
        except Refused:
            some = part.numbers
            if len(some) < 2 or any(self.writes[number].action != "delete" for number in some):
                raise
        middle = len(some) // 2
        first, second = [
            await self._apart(s, replace(part, numbers=half, also=())) for half in (some[:middle], some[middle:])
        ]
        return first.beside(second)

    async def _apart(self, s: Session, part: Part) -> PartDone:
        try:
            return await self.send(s, part)
        except ServerFault:
            raise
        except Refused as error:
            number = part.numbers[0]
            row = failure_of(self.writes[number], error)
            return PartDone(refused={number: str(error)}, failures=[row], envelope=error.envelope)

    async def _sent(self, s: Session, part: Part) -> PartDone:
        """A part; what is right already since others are there again (an option is in its set) is not sent once more."""
        updates = {number: self.writes[number] for number in part.numbers if self.writes[number].action == "update"}
        if self.alone or not updates or self.writes[part.numbers[0]].by_server:
            return await Objects.send(self, s, part)
        there = await looked.as_they_are(s, [*updates.values()])
        types = await schema.types_of(s.client)
        right = [
            number
            for number, write in updates.items()
            if (now := there.get((write.plural, write.uid))) is not None and _is_as(types, write, now)
        ]
        left = [number for number in part.numbers if number not in right]
        told = await Objects.send(self, s, replace(part, numbers=left)) if left else PartDone()
        return replace(told, done=[*right, *told.done])

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Compare what is there with what was there before."""
        if not cut_off:
            refused = {str(row.get("uid")) for row in summary.failures}
            left = [row for row in await _not_as_before(s, self.changes) if str(row["uid"]) not in refused]
            summary.left += [{**row, "message": self.staying.get(str(row["uid"]), row["message"])} for row in left]


def _is_as(types: Mapping[str, Resource], write: Write, now: JsonObject) -> bool:
    """Is an object what a change makes of it?"""
    before, after = write.changed()
    names = {**(before or {}), **(after or {})}
    return all(is_again(write.plural, name, now, after or {}, types) for name in names)


async def _not_as_before(s: Session, changes: Sequence[Change]) -> list[Row]:
    """The objects of some changes that are not as they were before them, and how they differ: a row each."""
    types = await schema.types_of(s.client)
    left: list[Row] = []
    for plural, some in _by_type(changes):
        there = {str(item["id"]): item for item in await _present(s, plural, [cast("str", one.uid) for one in some])}
        for change in some:
            how = _difference(types, change, there.get(cast("str", change.uid)))
            if how:
                left.append({"type": plural, "uid": change.uid, "name": _name(change), "message": how})
    return left


def _name(change: Change) -> str | None:
    """What people call an object of the journal, whose older entries know no name of an account."""
    return change.name or name_of(change.before or change.after or {})


def _difference(types: Mapping[str, Resource], change: Change, now: JsonObject | None) -> str:
    """How an object differs from what it was before a change; empty where it does not."""
    if change.action == "create":
        return "is still there" if now is not None else ""
    before, secret = without_secrets(change.before or {})
    secret += _sign_ins(change, now)
    if now is None:
        return "is gone" if change.action != "update" or before else ""
    if change.action.endswith("delete"):  # what it had, and what its server has put in as it was made again
        names = [*before, *(name for name, value in now.items() if name not in before and not _says_none(value))]
    else:
        names = [*{**before, **(change.after or {})}]
    told: list[str] = []
    for name in names:
        if name in NOT_COMPARED or name in secret or is_again(change.type, name, now, before, types):
            continue
        if name == "sharing" and same(
            plain_sharing(now.get(name), owner=False), plain_sharing(before.get(name), owner=True)
        ):
            continue  # nobody owned it, and now who has made it again
        if members_restored(now.get(name), before.get(name), (change.after or {}).get(name)) == now.get(name):
            continue  # what came and went besides is somebody else's
        old, new = ({name: body[name]} if name in body else {} for body in (now, before))
        told.append(PlanStep("update", change.type, before=old, after=new).words() or f"{name} is in another order")
    return f"is not as before: {'; '.join(told)}" if told else ""


def _says_none(value: JsonValue) -> bool:
    """Is a value none at all, or the default of the category model, which is there where nothing is said?"""
    return empty(value) or (isinstance(value, dict) and value.get("id") in DEFAULT_OBJECTS.values())


NO_WAY = "cannot be taken back"


@takes_back(BY_VERB, REQUESTS)
async def nothing(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """The plan of an entry that nobody knows how to take back: it says of what, and is blocked."""
    notes = Notes()
    for change in journal.changes(entry.id):
        if change.written:
            notes.add(NO_WAY, f"{change.action} {change.type} {change.name or ''}".rstrip())
    for part in journal.parts(entry.id):
        if part.refused < part.count:
            notes.add(NO_WAY, f"rows {part.first + 1:,} to {part.first + part.count:,}")
    return Plan(entry.undo_title, notes=notes.lines(), blocked=_refusal(entry))


def _refusal(entry: Entry) -> Refused:
    return Refused(f"entry {entry.id} cannot be taken back: {entry.title}")


def _held(pairs: Sequence[Write]) -> bool:
    """Objects come back as they were, translations included: only a bundle keeps those of a creation."""
    return any(write.action == "create" for write in pairs)


def _by_type(changes: Sequence[Change]) -> Iterable[tuple[str, list[Change]]]:
    """The changes of each type, the last first: what was made last goes first."""
    found: dict[str, list[Change]] = {}
    for change in reversed(changes):
        found.setdefault(change.type, []).append(change)
    return found.items()


@dataclass(frozen=True, slots=True)
class _Since:
    """What this machine itself has written beside an entry and after it.

    Parameters:
        new: the UIDs of all that was created in the same entry.
        earlier: what was taken back since, of this entry and of others: what our own undo changes nobody else has.
        later: what later entries have changed.
    """

    new: Collection[str]
    earlier: Sequence[Change]
    later: LaterWrites

    @property
    def gone(self) -> set[str]:
        """The UIDs of what was deleted when something was taken back, and not made again."""
        found: set[str] = set()
        for change in self.earlier:
            if change.uid is not None and change.action.endswith("delete"):
                found.add(change.uid)
            elif change.uid is not None and change.action == "create":
                found.discard(change.uid)
        return found


def _to_what_is_there(change: Change, gone: Collection[str], notes: Notes) -> Change:
    """An update with what was there before it, but for what our own undo has deleted since: it cannot come back."""
    if not change.action.endswith("update") or not change.before:
        return change
    before = pruned(change.before, gone)
    if before == change.before:
        return change
    notes.add("comes back without what was taken back since", f"{change.type} {_name(change) or ''} [{change.uid}]")
    return replace(change, before=before)


def _edited(
    plural: str,
    resource: Resource | None,
    change: Change,
    changes: Sequence[Change],
    current: JsonObject,
    since: _Since,
) -> tuple[list[str], JsonObject, int | None]:
    """What somebody has changed of a created object, what it was, and the later entry of this journal that did all of it."""

    def compared(after: Sequence[Change]) -> tuple[list[str], JsonObject]:
        left = without(as_left(change, changes, after), since.gone)
        its_own, made = (own(plural, resource, body) for body in (current, left))
        return changed_since(without_new(its_own, made, since.new), made), made

    names, made = compared(since.earlier)
    later = since.later.of_object(str(change.uid)) if names else []
    ours = bool(later) and not compared([*since.earlier, *later])[0]
    return names, made, since.later.last(str(change.uid), names) if ours else None


async def _taken_back(
    s: Session, plural: str, changes: Sequence[Change], since: _Since, notes: Notes, *, force: bool
) -> list[Write]:
    """The writes that take back changes of one type; what cannot be taken back goes into the notes."""
    now = {str(item["id"]): item for item in await _present(s, plural, [cast("str", change.uid) for change in changes])}
    types = await schema.types_of(s.client)
    pairs: list[Write] = []
    for change in changes:
        uid = cast("str", change.uid)
        current = now.get(uid)
        called = " ".join(filter(None, (change.type, _name(change), f"[{uid}]")))
        expected = change.action.startswith("also ")  # of the server, which may not have done it
        deleted = change.action.endswith("delete")
        if deleted and current is not None:
            if not expected or change.state == "done":
                notes.add(STILL_THERE if change.state == "sent" else "there again, left alone", called)
        elif deleted:
            pairs += await _made_again(s, plural, change, notes, called)
        elif current is None:
            notes.add(
                NOT_THERE if change.state == "sent" else "gone, nothing to take back",
                called,
                stays=change.action != "create" and change.state == "done",
            )
        elif change.action == "create":
            changed, made, by = _edited(plural, types.get(plural), change, changes, current, since)
            if changed and not force:
                notes.edited(uid, joined(changed), called, by)
                notes.left.setdefault(plural, []).append(current)
            else:
                if changed:
                    notes.override(called, told_edit(plural, changed, made, current))
                pairs.append(Write(plural, current, None))
        elif change.state == "sent" and _is(types, change, current):
            if not expected:
                notes.add(AS_BEFORE, called)
        else:
            pairs.append(_restored(types, change, current, since.later, notes, called, force=force))
    return pairs


async def _made_again(s: Session, plural: str, change: Change, notes: Notes, called: str) -> list[Write]:
    """A deletion taken back; none where the object is nothing without its secret."""
    made = await again(s, plural, cast("str", change.uid), change.before or {})
    if made.lost:
        fate = "comes back without" if made.body is not None else "cannot come back without"
        about = f"{called} ({made.how})"
        notes.add(f"{fate} {joined(made.lost)}, which nobody keeps", about, stays=made.body is None)
    return [] if made.body is None else [Write(plural, None, made.body)]


def _is(types: Mapping[str, Resource], change: Change, current: JsonObject) -> bool:
    """Has an object the values that it had before a change, where the journal keeps any?"""
    before = change.before or {}
    return all(is_again(change.type, name, current, before, types) for name in {**before, **(change.after or {})})


async def _present(s: Session, plural: str, uids: Sequence[str]) -> list[JsonObject]:
    """Those of the objects that are there, with all that they own."""
    try:
        return await writes.read_objects(s, plural, uids, missing_is_fine=True)
    except NotFound as error:
        raise UsageError(f"{plural} cannot be read: {error}", hint="dhis2 metadata types") from error
    except Refused as error:
        error.message = f"{plural} cannot be read: {error.message}"
        raise


def _sign_ins(change: Change, now: JsonObject | None) -> list[str]:
    """What of an update is a sign-in whose secret no server gives: without it the one before cannot come back."""
    before = change.before or {} if change.action.endswith("update") else {}
    other = (name for name in before.keys() & {"auth"} if (now or {}).get(name) != before[name])
    return [name for name in other if secrets_of(change.type, {name: before[name]})]


def _restored(
    types: Mapping[str, Resource],
    change: Change,
    current: JsonObject,
    later: LaterWrites,
    notes: Notes,
    called: str,
    *,
    force: bool,
) -> Write:
    """An update taken back: each property as it was, unless somebody has changed it again.

    Of a collection of objects only what this change put in or took out goes back, whatever was done to it since.
    """
    before, secret = without_secrets(change.before or {})
    secret += _sign_ins(change, current)
    for name in secret:
        notes.add(f"{name} was a secret and stays", called)
    after, plural = change.after or {}, change.type
    target = dict(current)
    others: list[str] = []
    for name in {**before, **after}:
        if name in secret or is_again(plural, name, current, before, types):
            continue  # a secret, or taken back already
        still = is_still(plural, name, current, after, types)
        members = None if still or force else members_restored(current.get(name), before.get(name), after.get(name))
        if members is not None:
            target[name] = members
            continue
        others += [] if still else [name]
        if not still and not force:
            made = as_left(change, (), later.of_object(str(change.uid)))
            ours = is_still(plural, name, current, made, types)
            notes.kept(name, called, later.last(str(change.uid), [name]) if ours else None, "takes it back")
        elif name in before:
            target[name] = before[name]
        else:
            target.pop(name, None)
    if others and force:
        notes.override(called, told_edit(plural, others, after, current))
    return Write(plural, current, target)
