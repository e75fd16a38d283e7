"""What one type shows and another one keeps: a server takes it, says OK, and stores nothing of it.

Who is in a group is a property of the group; the sections of a data set each name their set. So what a line, a sheet or a
bundle says of such a property is refused with the way that works, unless it is so already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.client import reading
from dhis2sh.client.schema import types_of
from dhis2sh.dhis2.properties import AUTHORS, NAMES, OF_READER
from dhis2sh.errors import UsageError
from dhis2sh.metadata.collections import JOINS, Join
from dhis2sh.metadata.comparing import ids
from dhis2sh.metadata.made_by_server import MADE_BY_SERVER
from dhis2sh.words import counted_objects, kebab, listed, nouns

if TYPE_CHECKING:
    from dhis2sh.client.client import Client
    from dhis2sh.metadata.bundles.bundle import Bundle
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

UNMAPPED = frozenset(
    {"aggregationType", "allItems", "attributeValues", "code", "description", "dimension", "dimensionItemType",
     "dimensionType", "favorites", "formName", "legendSet", "legendSets", "name", "queryMods", "sharing", "shortName", "translations"}
)  # fmt: skip
"""What all types inherit and not each one stores; in the facts of such a type they are neither owned nor persisted."""
MEMBERS_OF_GROUPS = "dhis2 user-group members"


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where a property is kept.

    Parameters:
        type: the type that keeps it; property: its name there.
        many: it is a list of references there, else a single reference.
    """

    type: str
    property: str
    many: bool


def is_kept_elsewhere(prop: Property) -> bool:
    """Is a property shown by this type and kept by another?"""
    return prop.persisted and not prop.owner


def is_unmapped(prop: Property) -> bool:
    """Does a type inherit a property that it does not store?"""
    return prop.name in UNMAPPED and prop.writable and not prop.persisted and not prop.owner


def keeper_of(resource: Resource, prop: Property, types: Mapping[str, Resource]) -> Keeper | None:
    """Who keeps a property of the other side; None where what keeps it has no address of its own (rows of a data set)."""
    target = types.get(prop.target or "")
    if target is None or not target.metadata or prop.target in MADE_BY_SERVER:
        return None
    back = [
        one
        for one in target.properties.values()
        if one.owner and one.persisted and one.target == resource.plural and one.name not in AUTHORS
    ]
    of_role = [one for one in back if prop.owning_role is not None and one.owning_role == prop.owning_role]
    [*found] = of_role or back
    return Keeper(target.plural, found[0].name, found[0].collection) if len(found) == 1 else None


def way(
    resource: Resource,
    prop: Property,
    types: Mapping[str, Resource],
    this: str = "",
    others: Sequence[str] = (),
    word: Literal["add", "remove"] = "add",
) -> str:
    """The command that brings about what a property of the other side says.

    Parameters:
        this: the object, by UID or name; others: the UIDs that come to its property, or go; the first of them is named.
        word: which of the two.
    """
    keeper = keeper_of(resource, prop, types)
    join = _join_of(resource, prop)
    if join is not None:
        return f"dhis2 metadata {kebab(join.owner)} {word}-{join.verbs} --help"
    if prop.target is not None and prop.target in MADE_BY_SERVER:
        return MADE_BY_SERVER[prop.target].instead
    if keeper is None:
        return f"dhis2 metadata describe {resource.plural}"
    both = bool(this and others)
    if keeper.many:
        of_groups = keeper.type == "userGroups" and keeper.property == "users"
        path = f"{MEMBERS_OF_GROUPS if of_groups else f'dhis2 metadata {kebab(keeper.type)}'} {word}"
        which = "" if of_groups else f" --property {keeper.property}"
        return f"{path} {others[0]} {_quoted(this)}{which}" if both else f"{path} --help"
    update = f"dhis2 metadata {kebab(keeper.type)} update"
    known = both and word == "add"
    return f"{update} {others[0]} --set {keeper.property}={_quoted(this)}" if known else f"{update} --help"


def _join_of(resource: Resource, prop: Property) -> Join | None:
    """The join rows that a type shows and the type at the other end keeps: those of data sets, at a data element."""
    return next((one for one in JOINS if one.property == prop.name and one.target == resource.plural), None)


def _quoted(text: str) -> str:
    return text if text.isalnum() else f"'{text}'"


def why(resource: Resource, prop: Property, types: Mapping[str, Resource]) -> str:
    """Why a server stores nothing of a property, in words."""
    if is_unmapped(prop):
        return f"{nouns(resource.plural)[1]} store no {prop.name}: a server says OK and drops it"
    keeper = keeper_of(resource, prop, types)
    if keeper is None:
        return f"{prop.name} of {nouns(resource.plural)[1]} is not kept by them: a server says OK and drops it"
    return f"{prop.name} is kept by the {nouns(keeper.type)[1]} (their {keeper.property}): a server says OK and drops it here"


def of_other_side(resource: Resource, names: Iterable[str]) -> list[Property]:
    """Those of some properties that a server drops."""
    found = (resource.properties.get(name) for name in names)
    return [prop for prop in found if prop is not None and (is_kept_elsewhere(prop) or is_unmapped(prop))]


async def refuse(s: Session, resource: Resource, names: Iterable[str]) -> None:
    """Raise `UsageError` where one of some properties, whatever its value, is one that a server drops."""
    if found := of_other_side(resource, names):
        types = await types_of(s.client)
        raise UsageError("; ".join(why(resource, one, types) for one in found), hint=way(resource, found[0], types))


async def check(
    s: Session,
    resource: Resource,
    objects: Sequence[JsonObject],
    before: Sequence[JsonObject] = (),
    labels: Sequence[str] = (),
) -> None:
    """Take out of objects what is kept on the other side and says nothing new.

    Parameters:
        objects: as they shall be, references found; changed in place.
        before: as they are, where they are there already.
        labels: what each is called in a problem, such as `row 7`.

    Raises `UsageError` that tells every property that a server would drop, with the way that works.
    """
    wanted = {prop.name: prop for item in objects for prop in of_other_side(resource, item)}
    if before:  # what a server only shows, such as the axes of a chart, says nothing where it is as it was
        wanted |= {
            name: prop
            for item in objects
            for name in item
            if (prop := resource.properties.get(name)) and not prop.owner
        }
    if not wanted:
        return
    there = await _there(s.client, resource, [str(item["id"]) for item in before], list(wanted.values()))
    problems: dict[str, list[str]] = {}
    first: tuple[Property, str, JsonValue, JsonValue] | None = None
    for number, item in enumerate(objects):
        for name, prop in wanted.items():
            if name not in item:
                continue
            value, now = item.pop(name), there.get(str(item["id"]), {}).get(name)
            if _same(value, now):
                continue
            if not (is_kept_elsewhere(prop) or is_unmapped(prop)):
                item[name] = value
                continue
            problems.setdefault(name, []).append(labels[number] if labels else "")
            this = str(item["id"]) if before else str(item.get("name") or item.get("username") or "")
            first = first or (prop, this, value, now)
    if first is None:
        return
    types = await types_of(s.client)
    prop, this, value, now = first
    told = "; ".join(
        (f"{listed(places, 3)}: " if any(places) else "") + why(resource, wanted[name], types)
        for name, places in problems.items()
    )
    wanted_ids, now_ids = (ids(one) if isinstance(one, list) else {} for one in (value, now))
    comes, goes = (
        [uid for uid in some if uid not in rest] for some, rest in ((wanted_ids, now_ids), (now_ids, wanted_ids))
    )
    command = way(resource, prop, types, this, comes or goes, "add" if comes else "remove")
    if is_unmapped(prop):
        raise UsageError(told, hint=f"dhis2 metadata describe {resource.plural}  shows what it takes; leave it out")
    raise UsageError(told, hint=command if before else f"{command}  once it is there; leave it out here")


async def _there(
    client: Client, resource: Resource, uids: Sequence[str], props: Sequence[Property]
) -> dict[str, JsonObject]:
    """What some objects show of the other side now, by UID."""
    if not uids:
        return {}
    fields = ",".join(["id", *(f"{one.name}[id]" if one.reference else one.name for one in props)])
    found = await reading.by_uid(client, resource.plural, uids, fields=fields)
    return {str(row["id"]): row for row in found.rows}


def _same(value: JsonValue, now: JsonValue) -> bool:
    """Does a value say what is so already, or nothing?"""
    if value in (None, "", [], {}) and now in (None, "", [], {}):
        return True
    if isinstance(value, list) and isinstance(now, list) and value and all(map(_is_plain, [*value, *now])):
        return ids(value).keys() == ids(now).keys()  # a file may say the names too
    return value == now


def _is_plain(item: JsonValue) -> bool:
    """Is an item a reference and nothing more?"""
    return isinstance(item, dict) and "id" in item and item.keys() <= NAMES


# Bundles ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a bundle says of one object's other side and a server would drop.

    Parameters:
        type, uid, property: the property; `others` the UIDs that neither side of the bundle nor the server has with it.
    """

    type: str
    uid: str
    property: str
    others: tuple[str, ...]


async def dropped(client: Client, bundle: Bundle, types: Mapping[str, Resource]) -> list[Dropped]:
    """What a server would drop of a bundle: the other side of objects that neither the bundle nor the server has with them."""
    found: list[Dropped] = []
    for plural, objects in bundle.objects.items():
        resource = types.get(plural)
        if resource is None:
            continue
        missing = {
            (uid, prop.name): others
            for uid, body in objects.items()
            for prop in of_other_side(resource, body)
            if is_kept_elsewhere(prop) and prop.name not in OF_READER and prop.target not in MADE_BY_SERVER
            if (others := _not_in_bundle(bundle, resource, prop, uid, body.get(prop.name), types))
        }
        props = [resource.properties[name] for name in dict.fromkeys(name for _, name in missing)]
        there = await _there(client, resource, list(dict.fromkeys(uid for uid, _ in missing)), props)
        for (uid, name), others in missing.items():
            kept = keeper_of(resource, resource.properties[name], types)
            held = bundle.objects.get(kept.type, {}) if kept is not None else {}
            now = ids(cast("list[JsonValue]", there.get(uid, {}).get(name) or []))
            lost = [
                one for one in others if one not in now or (kept is not None and kept.property in held.get(one, {}))
            ]
            if lost:
                found.append(Dropped(plural, uid, name, tuple(lost)))
    return found


def _not_in_bundle(
    bundle: Bundle, resource: Resource, prop: Property, uid: str, value: JsonValue, types: Mapping[str, Resource]
) -> list[str]:
    """The UIDs that a property of the other side lists and whose own objects in the bundle do not say so."""
    rows = [row for row in cast("list[JsonValue]", value if isinstance(value, list) else []) if isinstance(row, dict)]
    join = _join_of(resource, prop)
    if join is not None:
        owners = [str(cast("JsonObject", row.get(join.back) or {}).get("id") or row.get("id")) for row in rows]
        held = bundle.objects.get(join.owner, {})
        return [one for one in owners if uid not in {join.uid_of(row) for row in join.rows(held.get(one, {}))}]
    kept = keeper_of(resource, prop, types)
    if kept is None:
        return [str(row.get("id")) for row in rows]
    held = bundle.objects.get(kept.type, {})
    return [
        one for one in (str(row.get("id")) for row in rows) if uid not in _named(held.get(one, {}).get(kept.property))
    ]


def _named(value: object) -> set[str]:
    """The UIDs that a reference or a list of them names."""
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    return {str(cast("JsonObject", item).get("id")) for item in items if isinstance(item, dict)}


def notes_of(found: Sequence[Dropped], types: Mapping[str, Resource]) -> list[str]:
    """What a server would drop of a bundle, a line for each property."""
    by_property: dict[tuple[str, str], list[Dropped]] = {}
    for one in found:
        by_property.setdefault((one.type, one.property), []).append(one)
    notes: list[str] = []
    for (plural, name), some in by_property.items():
        resource = types[plural]
        prop = resource.properties[name]
        notes.append(
            f"would be lost: {name} of {counted_objects(len(some), plural)} ({listed((one.uid for one in some), 3)}): "
            f"{why(resource, prop, types)}; afterwards {way(resource, prop, types, some[0].uid, some[0].others)}"
        )
    return notes


def without_other_side(bundle: Bundle, types: Mapping[str, Resource]) -> Bundle:
    """A bundle without what its types show and others keep: a server drops it, and it is no change."""
    rest = bundle.like()
    for plural, body in bundle:
        resource = types.get(plural)
        gone = {one.name for one in of_other_side(resource, body) if is_kept_elsewhere(one)} if resource else set[str]()
        rest.add(plural, {name: value for name, value in body.items() if name not in gone} if gone else body)
    return rest
