"""Fits a bundle to another server: objects that are there under another UID are mapped, names that clash are resolved.

Mapping is by UID, code or name. An object that is mapped takes the UID of its counterpart, and every reference to it in
the bundle does too, those in expressions included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.bundles.bundle import Bundle
from dhis2sh.client.references import label

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.types import JsonObject, JsonValue, Row

type Key = Literal["uid", "code", "name"]
type Choice = Literal["map", "rename", "skip"]

_UID = re.compile(r"\b[a-zA-Z][a-zA-Z0-9]{10}\b")


@dataclass(frozen=True, slots=True)
class Clash:
    """An object that cannot be created, since another has its unique name or code.

    Parameters:
        type, uid, name: the object of the bundle.
        property: what is taken (`name`, `code`); `other` the UID of the object that has it.
    """

    type: str
    uid: str
    name: str
    property: str
    other: str

    def __str__(self) -> str:
        return f"{self.type} '{self.name}' [{self.uid}]: its {self.property} is that of [{self.other}] there"


@dataclass(slots=True)
class Mapped:
    """A bundle that fits the target.

    Parameters:
        bundle: the objects under the UIDs of the target.
        uids: source UID to target UID, for those that were mapped.
        clashes: what has to be resolved first; skipped: objects that were left out.
    """

    bundle: Bundle
    uids: dict[str, str] = field(default_factory=lambda: {})
    clashes: list[Clash] = field(default_factory=lambda: [])
    skipped: list[Clash] = field(default_factory=lambda: [])
    renamed: list[Clash] = field(default_factory=lambda: [])


def fit(
    source: Bundle,
    target: Bundle,
    types: Mapping[str, Resource],
    by: Sequence[Key] = ("uid",),
    choose: Callable[[Clash], Choice | None] = lambda _: None,
) -> Mapped:
    """Map a bundle onto what a target has.

    Parameters:
        source: what is to be written; target: the objects of the same types there, with id, code and name.
        types: the types of the target's version, which know what is unique.
        by: in which order counterparts are looked for.
        choose: resolves a clash; None leaves it open.
    """
    there = {plural: _lookup(objects.values()) for plural, objects in target.objects.items()}
    mapped = Mapped(Bundle(system=source.system, origin=source.origin))
    skipped: set[str] = set()
    renames: dict[str, str] = {}
    for plural, body in source:
        uid = str(body["id"])
        known = there.get(plural, {})
        counterpart = next(
            (known[key, str(v)] for key in by if (v := _value(body, key)) and (key, str(v)) in known), None
        )
        if counterpart is not None and counterpart != uid:
            mapped.uids[uid] = counterpart
        if counterpart is not None:
            continue
        for clash in _clashes(plural, body, known, types.get(plural)):
            match choose(clash):
                case "map":
                    mapped.uids[uid] = clash.other
                case "skip":
                    skipped.add(uid)
                    mapped.skipped.append(clash)
                case "rename" if clash.property == "name":
                    renames[uid] = f"{clash.name} ({source.origin or 'imported'})"
                    mapped.renamed.append(clash)
                    continue
                case _:
                    mapped.clashes.append(clash)
            break
    for plural, body in source:
        uid = str(body["id"])
        if uid not in skipped:
            changed = cast("Row", _replaced(body, mapped.uids)) if mapped.uids else body
            mapped.bundle.add(plural, {**changed, "name": renames[uid]} if uid in renames else changed)
    return mapped


def _value(body: Row, key: Key) -> JsonValue:
    return body.get("id" if key == "uid" else key)


def _lookup(objects: Iterable[Row]) -> dict[tuple[str, str], str]:
    """UIDs by UID, code and name; what two objects share names neither."""
    found: dict[tuple[str, str], str] = {}
    doubled: set[tuple[str, str]] = set()
    for body in objects:
        for key in ("uid", "code", "name"):
            value = _value(body, key)
            if value:
                place = (key, str(value))
                if place in found:
                    doubled.add(place)
                found[place] = str(body["id"])
    return {place: uid for place, uid in found.items() if place not in doubled}


def _clashes(
    plural: str, body: Row, known: Mapping[tuple[str, str], str], resource: Resource | None
) -> Iterable[Clash]:
    for name in ("name", "code"):
        prop = resource.properties.get(name) if resource else None
        value = body.get(name)
        other = known.get((name, str(value))) if value else None
        if other is not None and (name == "code" or (prop is not None and prop.unique)):
            yield Clash(plural, str(body["id"]), label(body), name, other)


def _replaced(value: JsonValue, uids: Mapping[str, str]) -> JsonValue:
    """A value with every mapped UID replaced, as a key, as a value and inside expressions."""
    if isinstance(value, dict):
        found = cast("JsonObject", value)
        return {uids.get(key, key): _replaced(item, uids) for key, item in found.items()}
    if isinstance(value, list):
        return [_replaced(item, uids) for item in value]
    if isinstance(value, str) and len(value) >= 11:
        return _UID.sub(lambda match: uids.get(match[0], match[0]), value)
    return value
