"""`undo`: takes back what a write through this profile changed, where DHIS2 allows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh import writes
from dhis2sh.errors import NotFound, Refused, UsageError
from dhis2sh.journal import Change, journal_of
from dhis2sh.redact import has_secret
from dhis2sh.results import Plan
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs import Doc, applies, verb
from dhis2sh.writes import Write

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue

ACTIONS = {"create", "update", "delete"}


@verb("undo", effect="destroy", examples=["dhis2 undo --dry-run", "dhis2 undo 12 --yes"])
async def undo(
    s: Session,
    id: Annotated[int | None, Doc("The journal's entry; the newest that can be taken back without it.")] = None,
    *,
    force: Annotated[bool, Doc("Take back what somebody has changed again since, too.")] = False,
) -> Plan:
    """Take back a write: what it created is deleted, what it deleted is created again, what it changed is as before.

    The plan says what cannot be taken back: secrets, which the journal never holds; objects that are gone; and what was
    changed again since, unless --force.
    """
    journal = journal_of(s)
    entry = journal.entry(id)
    if entry.undone_by is not None:
        raise UsageError(f"entry {entry.id} was taken back by entry {entry.undone_by}", hint="dhis2 journal list")
    if entry.url != s.profile.url:
        raise UsageError(f"entry {entry.id} was written to {entry.url}, and this profile is {s.profile.url} now")
    done = [change for change in journal.changes(entry.id) if change.state in {"done", "sent"}]
    metadata = [change for change in done if change.action in ACTIONS and change.uid is not None]
    notes = [
        f"cannot be taken back: {change.action} {change.type} {change.name or ''}"
        for change in done
        if change not in metadata
    ]
    pairs: list[Write] = []
    for plural, changes in _by_type(metadata):
        pairs += await _taken_back(s, plural, changes, notes, force=force)
    pairs += await _held_again(s, metadata, {write.uid for write in pairs if write.action == "create"}, notes)
    if not pairs and not notes:
        raise NotFound(f"entry {entry.id} changed nothing", hint="dhis2 journal list")
    plan = writes.plan(f"undo entry {entry.id}: {entry.title}", pairs, what="undone", bundle=_held(pairs), notes=notes)
    plan.undoes = entry.id
    return plan


applies(undo)(writes.apply)


def _held(pairs: Sequence[Write]) -> bool:
    """Objects come back as they were, translations included: only a bundle keeps those of a creation."""
    return any(write.action == "create" for write in pairs)


def _by_type(changes: Sequence[Change]) -> Iterable[tuple[str, list[Change]]]:
    """The changes of each type, the last first: what was made last goes first."""
    found: dict[str, list[Change]] = {}
    for change in reversed(changes):
        found.setdefault(change.type, []).append(change)
    return found.items()


async def _taken_back(
    s: Session, plural: str, changes: Sequence[Change], notes: list[str], *, force: bool
) -> list[Write]:
    """The writes that take back changes of one type; what cannot be taken back goes into the notes."""
    now = {str(item["id"]): item for item in await _present(s, plural, [cast("str", change.uid) for change in changes])}
    pairs: list[Write] = []
    for change in changes:
        uid = cast("str", change.uid)
        current = now.get(uid)
        called = f"{change.type} {change.name or ''} [{uid}]"
        if change.action == "delete":
            if current is not None:
                notes.append(f"{called} is there again: left alone")
                continue
            before, secret = _without_secrets(change.before or {})
            before.pop(writes.HELD_BY, None)
            notes += [f"{called}: {name} was a secret and is not set again" for name in secret]
            pairs.append(Write(plural, None, before))
        elif current is None:
            notes.append(f"{called} is gone: nothing to take back")
        elif change.action == "create":
            pairs.append(Write(plural, current, None))
        else:
            pairs += _restored(plural, change, current, notes, called, force=force)
    return pairs


async def _held_again(s: Session, changes: Sequence[Change], created: set[str], notes: list[str]) -> list[Write]:
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
        notes += [f"{plural} {uid} is gone: it does not hold them again" for uid in set(members) - _uids(found)]
        for item in found:
            uid = str(item["id"])
            now = cast("JsonObject", pairs[uid].after) if uid in pairs else item
            again = [cast("JsonValue", {"id": member}) for member in members[uid]]
            after: JsonObject = {**now, name: [*cast("list[JsonValue]", now.get(name) or []), *again]}
            pairs[uid] = Write(plural, item, after)
    return list(pairs.values())


def _uids(items: Sequence[JsonObject]) -> set[str]:
    return {str(item["id"]) for item in items}


async def _present(s: Session, plural: str, uids: Sequence[str]) -> list[JsonObject]:
    """Those of the objects that are there, with all that they own."""
    try:
        return await writes.read_objects(s, plural, uids, missing_is_fine=True)
    except (NotFound, Refused) as error:
        raise UsageError(f"{plural} cannot be read: {error}", hint="dhis2 metadata types") from error


def _without_secrets(value: JsonObject) -> tuple[JsonObject, list[str]]:
    secret = [name for name, item in value.items() if has_secret(item)]
    return {name: item for name, item in value.items() if name not in secret}, secret


def _restored(
    plural: str, change: Change, current: JsonObject, notes: list[str], called: str, *, force: bool
) -> list[Write]:
    """An update taken back: each property as it was, unless somebody has changed it again."""
    before, secret = _without_secrets(change.before or {})
    notes += [f"{called}: {name} was a secret and stays" for name in secret]
    after = change.after or {}
    target = dict(current)
    for name in {**before, **after}:
        if name in secret:
            continue
        if not force and not same(current.get(name), after.get(name)):
            notes.append(f"{called}: {name} was changed again since, it stays (--force takes it back too)")
            continue
        if name in before:
            target[name] = before[name]
        else:
            target.pop(name, None)
    return [Write(plural, current, target)]


def same(now: JsonValue, written: JsonValue) -> bool:
    """Equal for the journal: sets of references have no order, a server leaves empty ones out and adds to rows.

    Parameters:
        now: what the server has.
        written: what was sent to it.
    """
    if now in (None, [], {}) and written in (None, [], {}):
        return True
    if isinstance(now, list) and isinstance(written, list):
        if sorted(map(repr, now)) == sorted(map(repr, written)) or _ids(now) == _ids(written) != set():
            return True
        return len(now) == len(written) and all(any(_holds(item, row) for item in now) for row in written)
    return now == written


def _holds(now: JsonValue, written: JsonValue) -> bool:
    """Is a row as it was sent, with what the server adds (its own UID, an arrow back to the owner)?"""
    if isinstance(now, dict) and isinstance(written, dict):
        return all(name in now and _holds(now[name], value) for name, value in written.items())
    return now == written


def _ids(items: Sequence[JsonValue]) -> set[str]:
    found = {str(item.get("id")) for item in items if isinstance(item, dict) and item.get("id")}
    return found if len(found) == len(items) else set()
