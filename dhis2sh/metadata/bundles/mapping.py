"""Fits a bundle to another server: objects that are there under another UID are mapped, names that clash are resolved.

Mapping is by UID, code or name. An object that is mapped takes the UID of its counterpart, and every reference to it in
the bundle does too, those in expressions included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.dhis2.properties import NAMES as REFERENCE
from dhis2sh.dhis2.references import label, references
from dhis2sh.metadata.bundles.bundle import Bundle

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue, Row

type Key = Literal["uid", "code", "name"]
type Choice = Literal["map", "rename", "skip"]

_NAMED = re.compile(r"<[A-Z][A-Z0-9_]*>|\b[a-zA-Z][a-zA-Z0-9]{10}\b")
"""What stands for an object in a text: a UID, or a placeholder such as `<OU_ROOT_UID>`."""


NAMES = ("name", "shortName", "code")
"""Properties that may have to be unique and can be written otherwise; they are looked at before others (`level`)."""
PART_OF: Mapping[str, str] = {
    "programStages": "program", "programSections": "program", "programRuleVariables": "program", "programRules": "program",
    "programIndicators": "program", "options": "optionSet", "optionGroups": "optionSet", "sections": "dataSet",
    "categoryOptionCombos": "categoryCombo", "programStageSections": "programStage", "programRuleActions": "programRule",
}  # fmt: skip
"""Types whose objects have a name only within their whole: the option `Yes` of another set is no counterpart. In this
order, wholes before their parts."""


@dataclass(frozen=True, slots=True)
class Clash:
    """An object that cannot be written, since another has its unique name or code.

    Parameters:
        type, uid, name: the object of the bundle.
        property: what is taken (`name`, `shortName`, `code`); `other` the UID of the object that has it.
        also: what else is taken by other objects still, with their UIDs: it is no counterpart of any of them.
        given: the UID of the object that the user has said it is, which is another one than `other`.
    """

    type: str
    uid: str
    name: str
    property: str
    other: str
    also: tuple[tuple[str, str], ...] = ()
    given: str | None = None

    def ways(self) -> tuple[Choice, ...]:
        """What can be done about it: only names and codes can be written otherwise, and what is two is none of them."""
        can: dict[Choice, bool] = {
            "map": not self.also and self.given is None,
            "rename": self.property in NAMES,
            "skip": True,
        }
        return tuple(way for way, possible in can.items() if possible)

    def __str__(self) -> str:
        taken = [f"its {name} is that of [{other}]" for name, other in ((self.property, self.other), *self.also)]
        said = f", and --map says that it is [{self.given}]" if self.given else ""
        return f"{self.type} '{self.name}' [{self.uid}]: {', '.join(taken)} there{said}"


@dataclass(frozen=True, slots=True)
class Match:
    """An object that is on the target under another UID: which one, and how it was found (`given` by the user)."""

    type: str
    uid: str
    name: str
    to: str
    by: Key | Literal["given", "choice"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """An object of the bundle that one of several there may be: they all have its name or code.

    Parameters:
        type, uid, name: the object of the bundle; `others` those of the target.
    """

    type: str
    uid: str
    name: str
    others: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.type} '{self.name}' [{self.uid}]: several there have its name or code: [{', '.join(self.others)}]"
        )


@dataclass(slots=True)
class Mapped:
    """A bundle that fits the target.

    Parameters:
        bundle: the objects under the UIDs of the target.
        matches: what was mapped to another UID, objects of the bundle and such as it only refers to.
        doubts: what may be one of several; clashes: what has to be resolved first; skipped: objects that were left out; renamed: those that got another name.
    """

    bundle: Bundle
    matches: list[Match] = field(default_factory=lambda: [])
    doubts: list[Doubt] = field(default_factory=lambda: [])
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
    *,
    unique_names: bool = False,
    kept: bool = False,
    apart: Container[str] = (),
) -> Mapped:
    """Map a bundle onto what a target has.

    Parameters:
        source: what is to be written; target: the objects there, of the types of the bundle and of what it refers to,
            with id, name, short name and code.
        types: the types of the target's version, which know what is unique.
        by: in which order counterparts are looked for.
        choose: resolves a clash; None leaves it open.
        given: source UID to target UID, as the user says; codes and placeholders that stand in place of a UID too.
        unique_names: a name finds a counterpart only where no two objects may share it.
        kept: what is there stays as it is, so that no name of it can clash.
        apart: UIDs of objects for which no counterpart is looked for.
    """
    fitting = _Fitting(source, target, types, by, choose, given or {})
    fitting.unique_names, fitting.kept, fitting.apart = unique_names, kept, apart
    return fitting.done()


class _Fitting:
    """One bundle on its way to one target."""

    unique_names: bool = False
    kept: bool = False
    apart: Container[str] = ()

    def __init__(
        self, source: Bundle, target: Bundle, types: Mapping[str, Resource], by: Sequence[Key],
        choose: Callable[[Clash], Choice | None], given: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._source, self._types, self._by = source, types, by
        self._choose, self._given = choose, given
        self._several: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._taken = {plural: self._lookup(plural, objects.values()) for plural, objects in target.objects.items()}
        self._there = {
            plural: self._lookup(plural, objects.values(), PART_OF[plural])
            if plural in PART_OF
            else self._taken[plural]
            for plural, objects in target.objects.items()
        }
        self._mapped = Mapped(source.like())
        self._changes: dict[str, JsonObject] = {}
        self._uids: dict[str, str] = {}

    def _lookup(self, plural: str, objects: Iterable[Row], whole: str | None = None) -> dict[tuple[str, str], str]:
        """UIDs by UID, code, names and what else is unique; what two objects share names neither."""
        found: dict[tuple[str, str], str] = {}
        doubled: dict[tuple[str, str], list[str]] = {}
        for body in objects:
            found["uid", str(body["id"])] = str(body["id"])
            for key in dict.fromkeys((*NAMES, *unique_of(self._types.get(plural)))):
                if value := body.get(key):
                    place = (key, f"{_whole(body, whole) if whole else ''}{value}")
                    if place in found:
                        doubled.setdefault(place, [found[place]]).append(str(body["id"]))
                    found[place] = str(body["id"])
        if whole or plural not in PART_OF:
            self._several |= {(plural, *place): tuple(uids) for place, uids in doubled.items()}
        return {place: uid for place, uid in found.items() if place not in doubled}

    def done(self) -> Mapped:
        """Match, settle, and write the bundle anew."""
        for plural in sorted(self._source.objects, key=_depth):
            for uid, body in self._source.objects[plural].items():
                self._match(plural, uid, label(body), body)
        for plural, names in self._source.outside.items():
            for uid, name in names.items():
                self._match(plural, uid, name, {"id": uid, "name": name})
        for plural, body in self._source:
            self._settle(plural, body)
        uids, skipped = self._uids, {clash.uid for clash in self._mapped.skipped}
        uids |= {text: to for text, to in self._given.items() if text not in uids}
        codes = self._codes()
        for plural, body in self._source:
            uid = str(body["id"])
            if uid not in skipped:
                changed = cast("Row", replaced(body, uids, codes)) if uids or codes else body
                if not self._mapped.bundle.add(plural, {**changed, **self._changes.get(uid, {})}):
                    self._mapped.skipped.append(Clash(plural, uid, label(body), "counterpart", uids.get(uid, uid)))
        return self._mapped

    def _codes(self) -> dict[str, str]:
        """The UIDs of what is referred to by its code alone: an object of the bundle, else one that is there."""
        found: dict[str, set[str]] = {}
        for plural, body in self._source:
            for ref in references(self._types[plural], body, self._types) if plural in self._types else ():
                if ref.key == "code":
                    held = self._source.objects.get(ref.type or "", {}).items()
                    mine = {self._uids.get(uid, uid) for uid, other in held if other.get("code") == ref.uid}
                    there = self._there.get(ref.type or "", {}).get(("code", ref.uid))
                    found.setdefault(ref.uid, set()).update(mine or ({there} if there else set()))
        single = {code: next(iter(uids)) for code, uids in found.items() if len(uids) == 1}
        return single | {code: self._given[code] for code in found if code in self._given}

    def _match(self, plural: str, uid: str, name: str, body: Row) -> None:
        known = self._there.get(plural, {})
        if uid in self._given:
            self._mapped.matches.append(Match(plural, uid, name, self._given[uid], "given"))
            self._uids[uid] = self._given[uid]
            return
        several: tuple[str, ...] = ()
        for key in self._by if uid not in self.apart else ():
            if key == "name" and self.unique_names and not self._told_apart(plural):
                continue
            other = known.get(place) if (place := self._place(plural, body, key)) else None
            if other is not None and key != "uid" and (others := self._others(plural, body, other)):
                if not any(self._clashes(plural, body)):  # else that says so
                    self._mapped.doubts.append(Doubt(plural, uid, name, (other, *others)))
                return
            if other is not None:
                if other != uid:
                    self._mapped.matches.append(Match(plural, uid, name, other, key))
                    self._uids[uid] = other
                return
            if place and not several:
                several = self._several.get((plural, *place), ())
        if several and ("uid", uid) not in known:
            self._mapped.doubts.append(Doubt(plural, uid, name, several))

    def _others(self, plural: str, body: Row, other: str) -> list[str]:
        """Yet other objects there that have a unique name or code of this one, or are found by another of its keys."""
        taken, known = self._taken.get(plural, {}), self._there.get(plural, {})
        mine = self._source.objects.get(plural, {})
        held = {
            name: taken.get((name, str(value)))
            for name in unique_of(self._types.get(plural))
            if name in NAMES and (value := body.get(name))
        }
        found = [uid for name, uid in held.items() if uid and mine.get(uid, body).get(name) == body.get(name)]
        found += [uid for key in self._by if (place := self._place(plural, body, key)) and (uid := known.get(place))
                  and key != "uid" and not (key == "name" and self.unique_names and not self._told_apart(plural))]  # fmt: skip
        return [uid for uid in dict.fromkeys(found) if uid not in {other, str(body["id"])}]

    def _told_apart(self, plural: str) -> bool:
        """Is the name of an object its own, within its whole or among all of its type?"""
        return plural in PART_OF or "name" in unique_of(self._types.get(plural))

    def _place(self, plural: str, body: Row, key: Key) -> tuple[str, str] | None:
        """Where an object is looked for by one of its keys; that of a part holds the UID that its whole has there."""
        value = body.get("id" if key == "uid" else key)
        if not value:
            return None
        whole = _whole(body, PART_OF[plural]) if plural in PART_OF and key != "uid" else ""
        return key, f"{self._uids.get(whole, whole)}{value}"

    def _settle(self, plural: str, body: Row) -> None:
        """Resolve what keeps an object from being written under its name: one choice for each object."""
        clashes = list(self._clashes(plural, body))
        if not clashes:
            return
        first = next((clash for clash in clashes if clash.property not in NAMES), clashes[0])
        others = tuple((clash.property, clash.other) for clash in clashes if clash.other != first.other)
        first = replace(first, also=others, given=self._given.get(first.uid))
        match self._choose(first):
            case "map" if "map" in first.ways():
                self._mapped.matches.append(Match(plural, first.uid, first.name, first.other, "choice"))
                self._uids[first.uid] = first.other
            case "skip":  # nothing refers to it, nor to what it was taken for
                self._mapped.skipped.append(first)
                self._mapped.matches = [match for match in self._mapped.matches if match.uid != first.uid]
                self._uids.pop(first.uid, None)
            case "rename" if "rename" in first.ways():
                self._changes[first.uid] = {clash.property: self._other(clash, body) for clash in clashes}
                self._mapped.renamed.append(first)
            case _:
                self._mapped.clashes.append(first)

    def _clashes(self, plural: str, body: Row) -> Iterator[Clash]:
        uid = str(body["id"])
        known, own = self._taken.get(plural, {}), self._uids.get(uid, uid)
        if self.kept and ("uid", own) in known:
            return
        for name in unique_of(self._types.get(plural)):
            value = body.get(name)
            other = known.get((name, str(value))) if value else None
            if other in {None, own}:
                continue
            rewritten = self._source.objects[plural].get(str(other), {}).get(name, value)
            if rewritten == value:  # else the bundle itself gives the other one another name
                yield Clash(plural, uid, label(body), name, str(other))

    def _other(self, clash: Clash, body: Row) -> str:
        """Another name or code: with the source behind it, and no longer than the server takes."""
        origin = self._source.called or "imported"
        suffix = f"_{re.sub(r'[^A-Za-z0-9]+', '_', origin).upper()}" if clash.property == "code" else f" ({origin})"
        length = self._types[clash.type].properties[clash.property].length or 230
        return str(body[clash.property])[: max(1, length - len(suffix))] + suffix


def renamed(bundle: Bundle, given: Mapping[str, str]) -> Bundle:
    """A bundle in which what the user has mapped stands under the UIDs of the target, as an object and in references.

    Parameters:
        given: UID, code or placeholder of the bundle to UID of the target.
    """
    found = bundle.like()
    for plural, body in bundle:
        found.add(plural, cast("Row", replaced(body, given, given)))
    return found


def unique_of(resource: Resource | None) -> list[str]:
    """The properties of a type that must be unique, besides its UID."""
    found = [name for name in resource.unique if resource.properties[name].simple] if resource is not None else []
    return sorted({*found} - {"id", "uid", "href"}, key=lambda name: (name not in NAMES, name != "name", name))


def fields_for(resources: Iterable[Resource]) -> str:
    """What `fit` has to know of the objects of the target."""
    unique = {name for resource in resources for name in unique_of(resource)}
    return ",".join(["id", *sorted({*NAMES, *unique}), *(f"{whole}[id]" for whole in dict.fromkeys(PART_OF.values()))])


def _depth(plural: str) -> int:
    """Wholes before their parts."""
    return [*PART_OF].index(plural) + 1 if plural in PART_OF else 0


def _whole(body: Row, name: str) -> str:
    """The UID of what an object is part of."""
    whole = body.get(name)
    return str(whole.get("id")) if isinstance(whole, dict) else ""


def replaced(value: JsonValue, uids: Mapping[str, str], codes: Mapping[str, str]) -> JsonValue:
    """A value with every mapped UID replaced, as a key, as a value and inside expressions.

    Parameters:
        uids: what to write for a UID or a placeholder.
        codes: the UIDs of what is referred to by its code alone.
    """
    if isinstance(value, dict):
        found = cast("JsonObject", value)
        code = found.get("code")
        if "id" not in found and isinstance(code, str) and code in codes and found.keys() <= REFERENCE:
            return {"id": codes[code]}
        return {uids.get(key, key): replaced(item, uids, codes) for key, item in found.items()}
    if isinstance(value, list):
        return [replaced(item, uids, codes) for item in value]
    if isinstance(value, str) and len(value) >= 3:
        return uids.get(value) or _NAMED.sub(lambda match: uids.get(match[0], match[0]), value)
    return value
