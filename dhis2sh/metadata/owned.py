"""Children that have one owner: put into another collection they leave the one that they are in, and some die when they leave.

A server says nothing of it. So a plan names the present owner, keeps both sides, and asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading, schema
from dhis2sh.dhis2.cascades import HELD_IN
from dhis2sh.metadata import values, writes
from dhis2sh.metadata.comparing import ids
from dhis2sh.metadata.write import OWNED, Write
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue


def owned_by_one(resource: Resource) -> dict[str, Property]:
    """The collections of a type whose members belong to one object alone: stages of a program, options of a set."""
    return {name: prop for name, prop in values.collections_of(resource).items() if not prop.many_to_many}


async def with_owners(s: Session, changes: Sequence[Write]) -> list[Write]:
    """Some updates and creations, and what the server does with them: who loses a child to another, and what dies without an owner.

    What only leaves an object since another gets it is not sent, since the server might take it from both.

    Parameters:
        changes: no deletions. They come back in their order, what the server does behind them.
    """
    types = await schema.types_of(s.client)
    found = list(changes)
    by_server: list[Write] = []
    for plural in dict.fromkeys(write.plural for write in changes):
        for name, prop in owned_by_one(types[plural]).items() if plural in types else ():
            mine = [write for write in found if write.plural == plural and not write.by_server]
            come = {uid: write.uid for write in mine for uid in _come(write, name)}
            leave = {uid: write.uid for write in mine for uid in _leave(write, name)}
            if come:
                found = [_kept(write, name, come) for write in found]
                by_server += await _losing(s, plural, name, come, {write.uid for write in mine})
            dying = [uid for uid in leave if uid not in come]
            target = prop.target or ""
            if dying and target in HELD_IN:
                rows = await writes.read_objects(s, target, dying, missing_is_fine=True)
                by_server += [Write(target, row, None, by_server=True) for row in rows]
    return [*found, *by_server]


def words_of(changes: Sequence[Write]) -> list[str]:
    """What a server does with children that have one owner, in words."""
    taken = [write.called for write in changes if write.by_server and write.after is not None]
    dying = [write.called for write in changes if write.by_server and write.after is None]
    told = [f"they belong to one object alone, and leave it: {listed(taken, writes.NAMED)}"] if taken else []
    return told + ([f"the server deletes what nobody holds: {listed(dying, writes.NAMED)}"] if dying else [])


def _members(body: JsonObject | None, name: str) -> Mapping[str, JsonValue]:
    return ids(cast("list[JsonValue]", (body or {}).get(name) or []))


def _come(write: Write, name: str) -> list[str]:
    held = _members(write.before, name)
    return [uid for uid in _members(write.after, name) if uid not in held]


def _leave(write: Write, name: str) -> list[str]:
    kept = _members(write.after, name)
    return [uid for uid in _members(write.before, name) if uid not in kept]


def _kept(write: Write, name: str, come: Mapping[str, str]) -> Write:
    """An update that only loses children which another object gets is the server's."""
    before, after = write.changed()
    only = {*(before or {}), *(after or {})} == {name}
    lost = write.before is not None and write.after is not None and all(uid in come for uid in _leave(write, name))
    if only and lost and not _come(write, name):
        return Write(write.plural, write.before, write.after, detail=write.detail, by_server=True)
    return write


async def _losing(s: Session, plural: str, name: str, come: Mapping[str, str], known: set[str]) -> list[Write]:
    """The objects that hold now what others get."""
    rows = await reading.pointing_to(s.client, plural, f"{name}.id", come, fields=OWNED)
    found: list[Write] = []
    for row in rows:
        taken = {uid for uid in _members(row, name) if come.get(uid) not in (None, row["id"])}
        if taken and row["id"] not in known:
            left = [item for item in cast("list[JsonObject]", row[name]) if item.get("id") not in taken]
            found.append(Write(plural, row, {**row, name: cast("JsonValue", left)}, by_server=True))
    return found
