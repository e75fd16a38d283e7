"""How what was written is taken back: from the objects before and after that the journal keeps to a plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.by_request import REQUESTS
from dhis2sh.changes.plan import BY_VERB, OBJECTS, Plan
from dhis2sh.changes.way_back import takes_back
from dhis2sh.errors import NotFound, Refused, UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.writes import Write
from dhis2sh.redact import has_secret
from dhis2sh.words import joined, listed

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

ACTIONS = {"create", "update", "delete"}
WRITTEN = {"done", "sent"}
SETTLED = dt.timedelta(minutes=1)
"""So long after an object was created its server may save it again by itself."""


@takes_back(OBJECTS)
async def objects(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What was created is deleted, what was deleted is created again, what was changed is as before."""
    notes = Notes()
    metadata: list[Change] = []
    for change in journal.changes(entry.id):
        if change.state not in WRITTEN:
            continue
        if change.action in ACTIONS and change.uid is not None:
            metadata.append(change)
        else:
            notes.add(NO_WAY, f"{change.action} {change.type} {change.name or ''}".rstrip())
    pairs: list[Write] = []
    for plural, changes in _by_type(metadata):
        pairs += await _taken_back(s, plural, changes, notes, force=force)
    pairs += await _held_again(s, metadata, {write.uid for write in pairs if write.action == "create"}, notes)
    if not pairs and not notes.lines():
        raise NotFound(f"entry {entry.id} changed nothing", hint="dhis2 journal list")
    plan = writes.plan(
        _title(entry), pairs, what="undone", bundle=_held(pairs), notes=notes.lines(), again=f"dhis2 undo {entry.id}"
    )
    if not metadata:
        plan.blocked = _refusal(entry)
    return plan


NO_WAY = "cannot be taken back"


@takes_back(BY_VERB, REQUESTS)
async def nothing(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """The plan of an entry that nobody knows how to take back: it says of what, and is blocked."""
    notes = Notes()
    for change in journal.changes(entry.id):
        if change.state in WRITTEN:
            notes.add(NO_WAY, f"{change.action} {change.type} {change.name or ''}".rstrip())
    for part in journal.parts(entry.id):
        if part.refused < part.count:
            notes.add(NO_WAY, f"rows {part.first + 1:,} to {part.first + part.count:,}")
    return Plan(_title(entry), notes=notes.lines(), blocked=_refusal(entry))


def _title(entry: Entry) -> str:
    return f"undo entry {entry.id}: {entry.title}"


def _refusal(entry: Entry) -> Refused:
    return Refused(f"entry {entry.id} cannot be taken back: {entry.title}", hint="dhis2 journal list")


class Notes:
    """What is not taken back: for each reason the first few objects by name, and how many more."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, reason: str, about: str) -> None:
        """One more object that stays as it is."""
        self._found.setdefault(reason, []).append(about)

    def lines(self) -> list[str]:
        """One line for each reason."""
        return [f"{reason}: {listed(about, writes.NAMED)}" for reason, about in self._found.items()]


def _held(pairs: Sequence[Write]) -> bool:
    """Objects come back as they were, translations included: only a bundle keeps those of a creation."""
    return any(write.action == "create" for write in pairs)


def _by_type(changes: Sequence[Change]) -> Iterable[tuple[str, list[Change]]]:
    """The changes of each type, the last first: what was made last goes first."""
    found: dict[str, list[Change]] = {}
    for change in reversed(changes):
        found.setdefault(change.type, []).append(change)
    return found.items()


async def _taken_back(s: Session, plural: str, changes: Sequence[Change], notes: Notes, *, force: bool) -> list[Write]:
    """The writes that take back changes of one type; what cannot be taken back goes into the notes."""
    now = {str(item["id"]): item for item in await _present(s, plural, [cast("str", change.uid) for change in changes])}
    pairs: list[Write] = []
    for change in changes:
        uid = cast("str", change.uid)
        current = now.get(uid)
        called = f"{change.type} {change.name or ''} [{uid}]"
        if change.action == "delete" and current is not None:
            notes.add("never deleted" if change.state == "sent" else "there again, left alone", called)
        elif change.action == "delete":
            pairs += await _made_again(s, plural, change, notes, called)
        elif current is None:
            notes.add("never written" if change.state == "sent" else "gone, nothing to take back", called)
        elif change.action == "create":
            changed = [] if force else _changed_since(current, change.after or {})
            if changed:
                notes.add(f"{joined(changed)} was changed again since, it stays (--force deletes it too)", called)
            else:
                pairs.append(Write(plural, current, None))
        elif change.state == "sent" and _is(current, change.before, change.after):
            notes.add("never written", called)
        else:
            pairs.append(_restored(plural, change, current, notes, called, force=force))
    return pairs


async def _made_again(s: Session, plural: str, change: Change, notes: Notes, called: str) -> list[Write]:
    """A deletion taken back: the object, and those of its parts that are not there."""
    before, secret = _without_secrets(change.before or {})
    before.pop(writes.HELD_BY, None)
    parts = cast("dict[str, list[JsonObject]]", before.pop(writes.PARTS, None) or {})
    for name in secret:
        notes.add(f"{name} was a secret and is not set again", called)
    pairs = [Write(plural, None, before)]
    for kind, items in parts.items():
        there = {str(item["id"]) for item in await _present(s, kind, [str(item["id"]) for item in items])}
        pairs += [Write(kind, None, item) for item in items if item["id"] not in there]
    return pairs


def _changed_since(current: JsonObject, made: JsonObject) -> list[str]:
    """What somebody has changed of an object since it was created: its properties, or that it was saved again.

    What a server adds by itself is no change, but it adds it at once.
    """
    plain, _ = _without_secrets(made)
    named = [
        name
        for name, value in plain.items()
        if name not in writes.SET_BY_SERVER and not writes.same(current.get(name), value)
    ]
    if named or "created" in made or "lastUpdated" in made:
        return named
    times = [_time(current.get(name)) for name in ("created", "lastUpdated")]
    created, saved = times
    return ["it"] if created is not None and saved is not None and saved - created > SETTLED else []


def _time(value: JsonValue) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError:
        return None


def _is(current: JsonObject, wanted: JsonObject | None, other: JsonObject | None) -> bool:
    """Has an object the values that the journal keeps for it, where it keeps any?"""
    return all(writes.same(current.get(name), (wanted or {}).get(name)) for name in {**(wanted or {}), **(other or {})})


async def _held_again(s: Session, changes: Sequence[Change], created: set[str], notes: Notes) -> list[Write]:
    """Groups and sets hold again what is created again; at the end of those that keep an order."""
    wanted: dict[tuple[str, str], dict[str, list[str]]] = {}
    for change in changes:
        held = cast("dict[str, list[str]]", (change.before or {}).get(writes.HELD_BY) or {})
        for where, holders in held.items() if change.uid in created else ():
            plural, _, name = where.partition(".")
            for holder in holders:
                wanted.setdefault((plural, name), {}).setdefault(holder, []).append(cast("str", change.uid))
    pairs: dict[str, Write] = {}
    for (plural, name), members in wanted.items():
        found = await _present(s, plural, [*members])
        for uid in set(members) - {str(item["id"]) for item in found}:
            notes.add("gone, does not hold them again", f"{plural} {uid}")
        for item in found:
            uid = str(item["id"])
            now = cast("JsonObject", pairs[uid].after) if uid in pairs else item
            again = [cast("JsonValue", {"id": member}) for member in members[uid]]
            after: JsonObject = {**now, name: [*cast("list[JsonValue]", now.get(name) or []), *again]}
            pairs[uid] = Write(plural, item, after)
    return list(pairs.values())


async def _present(s: Session, plural: str, uids: Sequence[str]) -> list[JsonObject]:
    """Those of the objects that are there, with all that they own."""
    try:
        return await writes.read_objects(s, plural, uids, missing_is_fine=True)
    except (NotFound, Refused) as error:
        raise UsageError(f"{plural} cannot be read: {error}", hint="dhis2 metadata types") from error


def _without_secrets(value: JsonObject) -> tuple[JsonObject, list[str]]:
    secret = [name for name, item in value.items() if has_secret(item)]
    return {name: item for name, item in value.items() if name not in secret}, secret


def _restored(plural: str, change: Change, current: JsonObject, notes: Notes, called: str, *, force: bool) -> Write:
    """An update taken back: each property as it was, unless somebody has changed it again.

    Of a collection of objects only what this change put in or took out goes back, whatever was done to it since.
    """
    before, secret = _without_secrets(change.before or {})
    for name in secret:
        notes.add(f"{name} was a secret and stays", called)
    after = change.after or {}
    target = dict(current)
    for name in {**before, **after}:
        if name in secret or writes.same(current.get(name), before.get(name)):
            continue  # a secret, or taken back already
        if not force and not writes.same(current.get(name), after.get(name)):
            members = _members(current.get(name), before.get(name), after.get(name))
            if members is None:
                notes.add(f"{name} was changed again since, it stays (--force takes it back too)", called)
            else:
                target[name] = members
        elif name in before:
            target[name] = before[name]
        else:
            target.pop(name, None)
    return Write(plural, current, target)


def _members(current: JsonValue, before: JsonValue, after: JsonValue) -> JsonValue:
    """A collection without what a change put in and with what it took out; None where it is none of plain references."""
    if not all(isinstance(value, (list, type(None))) for value in (current, before, after)):
        return None
    lists = [cast("list[JsonValue]", value or []) for value in (current, before, after)]
    if any(not isinstance(item, dict) or set(item) != {"id"} for item in (*lists[1], *lists[2])):
        return None
    now, old, new = (writes.ids(items) for items in lists)
    kept = [item for uid, item in now.items() if uid in old or uid not in new]
    return [*kept, *(item for uid, item in old.items() if uid not in new and uid not in now)]
