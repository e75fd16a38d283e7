"""What a deletion does besides: what goes with the objects, what lets go of them, and what keeps a server from deleting them.

All of it is planned, so that it is shown, written down before, and can be given back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from dhis2sh.client import reading, schema
from dhis2sh.client.usage import UIDS_IN_ONE_ADDRESS, VARIABLES, Usage
from dhis2sh.dhis2.cascades import DELETED_WITH, HELD_WHILE, REFUSED_WHILE, TAKEN_OUT_BEFORE
from dhis2sh.dhis2.ordering import groups_of_types, leaves_first
from dhis2sh.dhis2.properties import NOT_FOLLOWED, PEOPLE, SHARING
from dhis2sh.dhis2.references import LAYERS
from dhis2sh.metadata import writes
from dhis2sh.metadata.lost_secrets import not_coming_back
from dhis2sh.metadata.usage import data_values
from dhis2sh.metadata.write import OWNED, Write, called
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


@dataclass(slots=True)
class Deletion:
    """The changes of a deletion, those that a server makes by itself too, and what the user should know.

    Parameters:
        held: by UID what a server is certain not to delete, and what uses it.
    """

    writes: list[Write] = field(default_factory=list[Write])
    notes: list[str] = field(default_factory=list[str])
    held: dict[str, str] = field(default_factory=dict[str, str])


async def deletion(s: Session, objects: Mapping[str, Sequence[JsonObject]]) -> Deletion:
    """What has to be written to delete some objects, those first that refer to others.

    Parameters:
        objects: by type, with all that they own.

    Raises what reading raises.
    """
    types = await schema.types_of(s.client)
    found = Deletion()
    parts = await _deleted_with(s, objects)
    uids = {plural: [str(item["id"]) for item in items] for plural, items in objects.items() if items}
    going = {plural: set(some) for plural, some in uids.items()}
    for plural, items in parts.items():
        going.setdefault(plural, set()).update(str(item["id"]) for item in items)
    everything = {uid for some in going.values() for uid in some}
    with_it = {str(item["id"]) for items in parts.values() for item in items}
    usage = Usage(s.client, types)
    users = await usage.referring({plural: [*some] for plural, some in going.items()}) if everything else {}
    for kind, some in users.items():
        rows = await writes.read_objects(s, kind, sorted(some - everything), missing_is_fine=True)
        for row in rows:
            _let_go(found, kind, row, going)
    order = [plural for group in groups_of_types(uids, types, deleting=True) for plural in group]
    for plural in sorted(order, key=lambda plural: HELD_WHILE.get(plural) in uids):  # those last that stay till then
        left = [item for item in objects[plural] if str(item["id"]) not in with_it]
        found.writes += [Write(plural, item, None) for item in leaves_first(types[plural], left)]
    found.writes.sort(key=lambda write: write.by_server)
    found.writes += [Write(plural, item, None, by_server=True) for plural, items in parts.items() for item in items]
    found.notes = [*_gone_with_it(parts, uids), *_in_use(found, going, types), *found.notes, *not_coming_back(objects)]
    found.notes += [
        f"the server cannot be asked by {path}: what changes there is not known" for path in usage.not_asked
    ]
    if len(everything) <= UIDS_IN_ONE_ADDRESS:
        holding = [*going.get(VARIABLES, ()), *users.get(VARIABLES, ())]
        found.notes += await _named(usage, everything, holding)
        found.notes += await _with_values(s, objects)
    return found


# What goes with it ------------------------------------------------------------------------------------------------------


async def _deleted_with(s: Session, objects: Mapping[str, Sequence[JsonObject]]) -> dict[str, list[JsonObject]]:
    """What the server deletes together with some objects (`DELETED_WITH`), and with that, by type."""
    known = await schema.resources_of(s.client)
    found: dict[str, dict[str, JsonObject]] = {}
    open_ = [(plural, [str(item["id"]) for item in items]) for plural, items in objects.items() if items]
    while open_:
        plural, uids = open_.pop()
        for reference in DELETED_WITH.get(plural, ()):
            kind, _, name = reference.partition(".")
            if kind not in known:
                continue
            rows = await reading.pointing_to(s.client, kind, f"{name}.id", uids, fields=OWNED)
            new = {str(row["id"]): row for row in rows if str(row["id"]) not in found.get(kind, {})}
            found.setdefault(kind, {}).update(new)
            if new:
                open_.append((kind, [*new]))
    return {kind: [*rows.values()] for kind, rows in found.items() if rows}


def _gone_with_it(parts: Mapping[str, Sequence[JsonObject]], uids: Mapping[str, Collection[str]]) -> Iterator[str]:
    """What goes with the objects, a line for each type."""
    for plural, items in parts.items():
        names = [
            f"{item.get('name') or ''} [{item['id']}]".lstrip()
            for item in items
            if item["id"] not in uids.get(plural, ())
        ]
        if names:
            yield f"deleted with it: {len(names):,} {plural} ({listed(names, writes.NAMED)})"


# What lets go of it -----------------------------------------------------------------------------------------------------


def _let_go(found: Deletion, kind: str, row: JsonObject, going: Mapping[str, Collection[str]]) -> None:
    """One object without what goes: the server changes it, or we do where the server fails on it."""
    everything = {uid for some in going.values() for uid in some}
    ours = {name for plural, name in TAKEN_OUT_BEFORE.items() if plural in going}
    first = {name: _pruned(value, everything, name) if name in ours else value for name, value in row.items()}
    after = pruned(first, everything)
    if first != row:
        found.writes.insert(0, Write(kind, row, first))
    if after != first:
        detail = "a layer shows it no more" if first.get(LAYERS) != after.get(LAYERS) else None
        found.writes.append(Write(kind, first, after, detail=detail, by_server=True))


def pruned(body: JsonObject, gone: Collection[str]) -> JsonObject:
    """Properties of an object without references to some objects; a row goes with what it is about."""
    return {name: _pruned(value, gone, name) for name, value in body.items() if not _leads(value, gone)}


def _leads(value: JsonValue, gone: Collection[str]) -> bool:
    return isinstance(value, dict) and value.get("id") in gone


def _pruned(value: JsonValue, gone: Collection[str], name: str) -> JsonValue:
    """A property without references to some objects; a row goes with what it is about."""
    if name in PEOPLE | SHARING | NOT_FOLLOWED:
        return value
    if isinstance(value, list):
        kept = (item for item in value if not _about(item, gone, name))
        return [_pruned(item, gone, name) if isinstance(item, dict) else item for item in kept]
    if isinstance(value, dict):
        return {key: _pruned(item, gone, key) for key, item in value.items() if not _leads(item, gone)}
    return value


def _about(item: JsonValue, gone: Collection[str], name: str) -> bool:
    """Does an item of a list go: what is referred to, or a row that refers to it? Layers of a map stay without it."""
    if not isinstance(item, dict):
        return False
    return _leads(item, gone) or (
        name != LAYERS and any(_leads(value, gone) for key, value in item.items() if key not in PEOPLE)
    )


# What keeps it ----------------------------------------------------------------------------------------------------------


def _in_use(found: Deletion, going: Mapping[str, Collection[str]], types: Mapping[str, Resource]) -> list[str]:
    """What uses the objects by a single reference, in words; what a server lets go of by itself is a step of the plan."""
    refused = set(chain.from_iterable(REFUSED_WHILE.get(plural, ()) for plural in going))
    uses: dict[tuple[str, str], list[Write]] = {}
    for write in found.writes:
        for name in (write.changed()[0] or {}) if write.by_server and write.after is not None else ():
            single = (
                not types[write.plural].properties[name].collection if name in types[write.plural].properties else False
            )
            if single or f"{write.plural}.{name}" in refused:
                uses.setdefault((write.plural, name), []).append(write)
    notes: list[str] = []
    for (plural, name), some in uses.items():
        certain = f"{plural}.{name}" in refused
        if certain:  # nothing happens to them: the server refuses
            found.writes = [write for write in found.writes if write not in some]
            found.held |= _held(plural, some, set(chain.from_iterable(going.values())))
        then = "the server refuses (E4030)" if certain else "if the server refuses"
        shown = listed((write.called for write in some), 3)
        notes.append(f"in use: {name} of {len(some):,} {plural} ({shown}); {then}, change or delete those first")
    return notes


def _held(plural: str, some: Sequence[Write], going: Collection[str]) -> dict[str, str]:
    """What the objects of a type keep from being deleted, and which of them do."""
    users: dict[str, list[str]] = {}
    for write in some:
        for uid in {*_led_to(write.changed()[0])}.intersection(going):
            users.setdefault(uid, []).append(write.called)
    return {uid: f"{len(held):,} {plural}: {listed(held, 3)}" for uid, held in users.items()}


def _led_to(value: JsonValue) -> Iterator[str]:
    """The UIDs of all that a value refers to, on whatever level."""
    if isinstance(value, dict):
        if isinstance(uid := value.get("id"), str):
            yield uid
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _led_to(item)


async def _named(usage: Usage, uids: Collection[str], variables: Sequence[str]) -> list[str]:
    """Expressions that name the objects, or variables that hold them: a server leaves them, and cannot compute them any more."""
    uses = [*await usage.naming(sorted(uids)), *await usage.by_variable(variables)]
    uses = [use for use in dict.fromkeys(uses) if use.uid not in uids]
    by_type: dict[str, list[str]] = {}
    for use in uses:
        by_type.setdefault(f"{use.path} of {use.type}", []).append(f"{use.name} [{use.uid}]")
    return [
        f"named in {where}, which stays and means nothing then: {listed(names, 3)}" for where, names in by_type.items()
    ]


async def _with_values(s: Session, objects: Mapping[str, Sequence[JsonObject]]) -> list[str]:
    """How many data values the objects have."""
    notes: list[str] = []
    for plural, items in objects.items():
        of_data = [str(item["id"]) for item in items if item.get("domainType") != "TRACKER"]
        counted = await data_values(s, plural, of_data)
        if counted is not None and counted.data_values:
            stay = "they stay" if plural == "dataSets" else "the server refuses to delete what has values (E4030)"
            whose = called(items[0]) if len(items) == 1 else plural
            notes.append(f"{whose} {'has' if len(items) == 1 else 'have'} {counted.words()}; {stay}")
    return notes


__all__ = ["Deletion", "deletion", "pruned"]
