"""What deleted objects referred to and is gone itself by the time they are made again: named, and taken out of accounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from dhis2sh.changes.own_account import USERS
from dhis2sh.client import reading, schema
from dhis2sh.dhis2.properties import AUTHORS, DEFAULT_OBJECTS, FOLLOWERS
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Journal
    from dhis2sh.metadata.write import Write
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

ROLES = "userRoles"


class Told(NamedTuple):
    """What a plan says of an object, whether it stays gone, and the undo that has to be first."""

    reason: str
    about: str
    stays: bool = False
    first: str = ""


async def without_gone(s: Session, journal: Journal, pairs: Sequence[Write]) -> tuple[list[Write], list[Told]]:
    """The writes of an undo, and what is to be said of each object that is made again and refers to what is gone.

    A server takes an account with roles that are gone and leaves it without any, so that accounts come back with what is
    there, and without a single role not at all. Of other objects the server refuses what it cannot resolve (E5002).

    Raises what reading raises.
    """
    types = await schema.types_of(s.client)
    known = await schema.resources_of(s.client)
    making = [write for write in pairs if write.before is None and write.after is not None]
    made = {write.uid for write in making} | {*DEFAULT_OBJECTS.values()}
    wanted: dict[str, set[str]] = {}
    for write in making:
        for _, kind, uid in _references(types, write):
            if uid not in made and kind in known:
                wanted.setdefault(kind, set()).add(uid)
    gone: set[str] = set()
    for kind, uids in wanted.items():
        there = await reading.by_uid(s.client, kind, sorted(uids), fields="id")
        gone |= {*there.missing}
    if not gone:
        return [*pairs], []
    names, entries = _deleted(journal, gone)
    kept: list[Write] = []
    said: list[Told] = []
    for write in pairs:
        mine = [(name, uid) for name, _, uid in _references(types, write) if uid in gone] if write in making else []
        if not mine:
            kept.append(write)
            continue
        told = joined(dict.fromkeys(f"{name} {names.get(uid, '')} [{uid}]".replace("  ", " ") for name, uid in mine))
        first = joined(dict.fromkeys(f"dhis2 undo {entries[uid]}" for _, uid in mine if uid in entries))
        about = f"{write.plural} {write.called}" + (f" (first {first})" if first else "")
        if write.plural != USERS:
            said.append(Told(f"refers to what is gone or hidden, so that the server may refuse it: {told}", about))
            kept.append(write)
            continue
        after = _stripped(write.after or {}, gone)
        if any(name == ROLES for name, _ in mine) and not after.get(ROLES):
            undo = next((f"dhis2 undo {entries[uid]}" for _, uid in mine if uid in entries), "")
            said.append(Told(f"not made again without any role, for this is gone: {told}", about, True, undo))
        else:
            said.append(Told(f"comes back without what is gone or hidden: {told}", about))
            kept.append(replace(write, after=after))
    return kept, said


def _references(types: Mapping[str, Resource], write: Write) -> Iterator[tuple[str, str, str]]:
    """What an object refers to: the property, the type and the UID."""
    resource = types.get(write.plural)
    for name, prop in resource.properties.items() if resource is not None else ():
        if prop.target is None or not prop.reference or name in AUTHORS | FOLLOWERS:
            continue
        value = (write.after or {}).get(name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and isinstance(uid := item.get("id"), str):
                yield name, prop.target, uid


def _stripped(body: JsonObject, gone: set[str]) -> JsonObject:
    return {
        name: [item for item in value if not isinstance(item, dict) or item.get("id") not in gone]
        if isinstance(value, list)
        else value
        for name, value in body.items()
        if not isinstance(value, dict) or value.get("id") not in gone
    }


def _deleted(journal: Journal, gone: set[str]) -> tuple[dict[str, str], dict[str, int]]:
    """By UID the names of what is gone, and the last entries that have deleted it and can be taken back."""
    names: dict[str, str] = {}
    entries: dict[str, int] = {}
    for entry in journal.entries():
        for change in journal.changes(entry.id):
            if change.uid in gone and change.action.endswith("delete") and change.uid not in names:
                names[change.uid] = change.name or ""
                if entry.undoable:
                    entries[change.uid] = entry.id
    return names, entries
