"""Fits a bundle to another server: objects that are there under another UID are mapped, names that clash are resolved.

Mapping is by UID, code or name. An object that is mapped takes the UID of its counterpart, and every reference to it in
the bundle does too, those in expressions included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


UNIQUE = ("name", "shortName", "code")
"""Properties that may have to be unique, in the order in which they are looked at."""


@dataclass(frozen=True, slots=True)
class Clash:
    """An object that cannot be written, since another has its unique name or code.

    Parameters:
        type, uid, name: the object of the bundle.
        property: what is taken (`name`, `shortName`, `code`); `other` the UID of the object that has it.
    """

    type: str
    uid: str
    name: str
    property: str
    other: str

    def __str__(self) -> str:
        return f"{self.type} '{self.name}' [{self.uid}]: its {self.property} is that of [{self.other}] there"


@dataclass(frozen=True, slots=True)
class Match:
    """An object that is on the target under another UID: which one, and how it was found (`given` by the user)."""

    type: str
    uid: str
    name: str
    to: str
    by: Key | Literal["given", "choice"]


@dataclass(slots=True)
class Mapped:
    """A bundle that fits the target.

    Parameters:
        bundle: the objects under the UIDs of the target.
        matches: what was mapped to another UID, objects of the bundle and such as it only refers to.
        clashes: what has to be resolved first; skipped: objects that were left out; renamed: those that got another name.
    """

    bundle: Bundle
    matches: list[Match] = field(default_factory=lambda: [])
    clashes: list[Clash] = field(default_factory=lambda: [])
    skipped: list[Clash] = field(default_factory=lambda: [])
    renamed: list[Clash] = field(default_factory=lambda: [])

    @property
    def uids(self) -> dict[str, str]:
        """Source UID to target UID, for those that were mapped."""
        return {match.uid: match.to for match in self.matches}


def fit(
    source: Bundle,
    target: Bundle,
    types: Mapping[str, Resource],
    by: Sequence[Key] = ("uid",),
    choose: Callable[[Clash], Choice | None] = lambda _: None,
    given: Mapping[str, str] | None = None,
) -> Mapped:
    """Map a bundle onto what a target has.

    Parameters:
        source: what is to be written; target: the objects there, of the types of the bundle and of what it refers to,
            with id, name, short name and code.
        types: the types of the target's version, which know what is unique.
        by: in which order counterparts are looked for.
        choose: resolves a clash; None leaves it open.
        given: source UID to target UID, as the user says.
    """
    return _Fitting(source, target, types, by, choose, given or {}).done()


class _Fitting:
    """One bundle on its way to one target."""

    def __init__(
        self, source: Bundle, target: Bundle, types: Mapping[str, Resource], by: Sequence[Key],
        choose: Callable[[Clash], Choice | None], given: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._source, self._types, self._by = source, types, by
        self._choose, self._given = choose, given
        self._there = {plural: _lookup(objects.values()) for plural, objects in target.objects.items()}
        self._mapped = Mapped(Bundle(system=source.system, origin=source.origin, outside=source.outside))
        self._changes: dict[str, JsonObject] = {}

    def done(self) -> Mapped:
        for plural, body in self._source:
            self._match(plural, str(body["id"]), label(body), body)
        for plural, names in self._source.outside.items():
            for uid, name in names.items():
                self._match(plural, uid, name, {"id": uid, "name": name})
        for plural, body in self._source:
            self._settle(plural, body)
        uids, skipped = self._mapped.uids, {clash.uid for clash in self._mapped.skipped}
        for plural, body in self._source:
            uid = str(body["id"])
            if uid not in skipped:
                changed = cast("Row", _replaced(body, uids)) if uids else body
                if not self._mapped.bundle.add(plural, {**changed, **self._changes.get(uid, {})}):
                    self._mapped.skipped.append(Clash(plural, uid, label(body), "counterpart", uids.get(uid, uid)))
        return self._mapped

    def _match(self, plural: str, uid: str, name: str, body: Row) -> None:
        known = self._there.get(plural, {})
        if uid in self._given:
            self._mapped.matches.append(Match(plural, uid, name, self._given[uid], "given"))
            return
        for key in self._by:
            value = _value(body, key)
            other = known.get((key, str(value))) if value else None
            if other is not None:
                if other != uid:
                    self._mapped.matches.append(Match(plural, uid, name, other, key))
                return

    def _settle(self, plural: str, body: Row) -> None:
        """Resolve what keeps an object from being written under its name: one choice for each object."""
        clashes = list(self._clashes(plural, body))
        if not clashes:
            return
        first = clashes[0]
        match self._choose(first):
            case "map":
                self._mapped.matches.append(Match(plural, first.uid, first.name, first.other, "choice"))
            case "skip":
                self._mapped.skipped.append(first)
            case "rename":
                self._changes[first.uid] = {clash.property: self._other(clash, body) for clash in clashes}
                self._mapped.renamed.append(first)
            case None:
                self._mapped.clashes.append(first)

    def _clashes(self, plural: str, body: Row) -> Iterator[Clash]:
        uid = str(body["id"])
        known, own = self._there.get(plural, {}), self._mapped.uids.get(uid, uid)
        for name in UNIQUE:
            prop = self._types[plural].properties.get(name) if plural in self._types else None
            value = body.get(name)
            other = known.get((name, str(value))) if value else None
            if other in {None, own} or prop is None or not prop.unique:
                continue
            rewritten = self._source.objects[plural].get(str(other), {}).get(name, value)
            if rewritten == value:  # else the bundle itself gives the other one another name
                yield Clash(plural, uid, label(body), name, str(other))

    def _other(self, clash: Clash, body: Row) -> str:
        """Another name or code: with the origin behind it, and no longer than the server takes."""
        origin = self._source.origin or "imported"
        suffix = f"_{re.sub(r'[^A-Za-z0-9]+', '_', origin).upper()}" if clash.property == "code" else f" ({origin})"
        length = self._types[clash.type].properties[clash.property].length or 230
        return str(body[clash.property])[: max(1, length - len(suffix))] + suffix


def _value(body: Row, key: str) -> JsonValue:
    return body.get("id" if key == "uid" else key)


def _lookup(objects: Iterable[Row]) -> dict[tuple[str, str], str]:
    """UIDs by UID, code and names; what two objects share names neither."""
    found: dict[tuple[str, str], str] = {}
    doubled: set[tuple[str, str]] = set()
    for body in objects:
        for key in ("uid", *UNIQUE):
            value = _value(body, key)
            if value:
                place = (key, str(value))
                if place in found:
                    doubled.add(place)
                found[place] = str(body["id"])
    return {place: uid for place, uid in found.items() if place not in doubled}


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
