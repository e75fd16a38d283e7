"""A bundle of an old version as a newer server wants it: what was renamed is moved, what was dropped is left out, and all of
it is listed.

What the server knows is in the facts of its version; what was called otherwise before, in `dhis2sh.dhis2.moved`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.moved import ALONE, COPIED, FILLED, LISTED, MOVED, SUBJECTS
from dhis2sh.dhis2.periods import RelativePeriod
from dhis2sh.dhis2.properties import NAMES, OF_READER, SET_BY_SERVER, SHARING
from dhis2sh.metadata.bundles.report import AdaptedProperty
from dhis2sh.metadata.comparing import ids
from dhis2sh.metadata.other_side import is_unmapped

if TYPE_CHECKING:
    from dhis2sh.metadata.bundles.bundle import Bundle
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue, Row

NOBODYS = SET_BY_SERVER | OF_READER
"""What a server writes itself and what people did with an object: no part of a package."""
CUT = " ..."
"""What stands for the rest of a text that is cut."""
NOT_HAD = "is left out: this version does not have it"
WORKED_OUT = frozenset({"displayName", "displayFormName", "displayShortName", "displayDescription", "dimension",
                        "dimensionItem", "dimensionType", "dimensionItemType", "optionSetValue", "parentGraphMap", "metaData"})  # fmt: skip
"""What a server works out of any object."""
RELATIVE: Mapping[str, str] = {period.field: period.value for period in RelativePeriod}


@dataclass(frozen=True, slots=True)
class UnknownValue:
    """A value of an enum that the server's version does not have."""

    type: str
    uid: str
    property: str
    value: str
    known: tuple[str, ...]


@dataclass(slots=True)
class Adapted:
    """A bundle as a version takes it.

    Parameters:
        bundle: the objects.
        changes: what was changed for it, by type and property.
        left_out: types that the version does not have, with the number of their objects.
        unknown: values that it does not know, and that nobody can translate.
    """

    bundle: Bundle
    changes: list[AdaptedProperty]
    left_out: dict[str, int]
    unknown: list[UnknownValue]


def adapt(bundle: Bundle, types: Mapping[str, Resource], *, newer: bool = False) -> Adapted:
    """Fit the objects of a bundle to the facts of a version.

    Parameters:
        types: the types of the version that the bundle goes to.
        newer: the server is newer than these facts: what they do not know is left to it.
    """
    return _Adapting(types, newer).done(bundle)


@dataclass(slots=True)
class _Adapting:
    types: Mapping[str, Resource]
    newer: bool
    counted: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    unknown: list[UnknownValue] = field(default_factory=lambda: [])
    short: dict[tuple[str, str], set[str]] = field(default_factory=lambda: {})
    owner: tuple[str, str] = ("", "")

    def done(self, bundle: Bundle) -> Adapted:
        adapted, left_out = bundle.like(), dict[str, int]()
        for plural, objects in bundle.objects.items():
            resource = self.types.get(plural)
            if resource is None or not resource.in_bundles:
                if objects:
                    left_out[plural] = len(objects)
                continue
            for name in COPIED:
                self.short[plural, name] = {str(body[name]) for body in objects.values() if body.get(name)}
            for body in objects.values():
                adapted.add(plural, self.whole(resource, body))
        changes = [
            AdaptedProperty(type=kind, property=name, how=how, count=count)
            for (kind, name, how), count in sorted(self.counted.items())
        ]
        return Adapted(adapted, changes, left_out, self.unknown)

    def note(self, resource: Resource, name: str, how: str) -> None:
        self.counted[resource.plural, name, how] += 1

    def whole(self, resource: Resource, body: Row) -> Row:
        """An object of its own."""
        self.owner = (resource.plural, str(body["id"]))
        found = self.part(resource, {name: value for name, value in body.items() if name not in SHARING})
        if resource.shareable and (sharing := self.sharing(resource, body)) is not None:
            found["sharing"] = sharing
        for name, value in FILLED.get(resource.plural, {}).items():
            if found.get(name) is None and name in resource.required:
                found[name] = value
                self.note(resource, name, f"is required by now: {value}, as before")
        for name, source in COPIED.items():
            if name in resource.required and not found.get(name) and found.get(source):
                found[name] = self.copied(resource, name, str(found[source]))
        if resource.plural == "programRuleActions":
            self.alone(resource, found)
        return found

    def part(self, resource: Resource, body: Row) -> JsonObject:
        """An object or an embedded row: what it says, under the names that it has now."""
        found: JsonObject = {}
        moved: list[tuple[str, JsonValue]] = []
        for name, value in body.items():
            prop = resource.properties.get(name)
            if name in NOBODYS or name in SHARING or name in WORKED_OUT:
                continue
            if name in LISTED and not (prop is not None and prop.owner) and name not in MOVED.get(resource.plural, {}):
                self.list_(resource, name, value, body, found)
            elif prop is None:
                place = self.place(resource, name, value)
                if place is not None:
                    moved.append((place, value))
                elif self.newer:
                    found[name] = value
            elif self.is_stored(resource, prop, value) and not self.says_nothing(resource, prop, value):
                told = self.value(resource, prop, value)
                if told is not None or value is None:
                    found.setdefault(name, told)
        for path, value in moved:
            _put(found, path, value)
        self.lift(resource, found)
        if (raw := resource.properties.get("rawPeriods")) is not None and raw.owner:
            self.periods(resource.plural, found)
        return found

    def list_(self, resource: Resource, name: str, value: JsonValue, body: Row, found: JsonObject) -> None:
        """A single reference that is one of a list by now; where the list is said too, it holds it already."""
        place = LISTED[name]
        prop, said = resource.properties.get(place), body.get(place)
        if not isinstance(value, dict) or not value.get("id"):
            return
        if prop is None or not prop.owner:
            self.note(resource, name, NOT_HAD)
        elif not said:
            found[place] = [{"id": value["id"]}]
            self.note(resource, name, f"is called {place} by now")
        elif value["id"] not in ids(cast("list[JsonValue]", said)):
            self.note(resource, name, f"is left out: {place} says another")

    def is_stored(self, resource: Resource, prop: Property, value: JsonValue) -> bool:
        """Does the type store a property? What it only inherits is named where it says something."""
        if _computed(prop):
            return False
        if not resource.metadata or not is_unmapped(prop):  # of what is embedded no facts say what it stores
            return True
        if value not in (None, "", [], {}):
            self.note(resource, prop.name, "is left out: objects of this type store none")
        return False

    def periods(self, plural: str, found: JsonObject) -> None:
        """Relative periods by their names: a switch for each of them was all that old versions had."""
        switches = found.get("relativePeriods")
        if not isinstance(switches, dict) or not switches.keys() <= RELATIVE.keys():
            return
        on = [RELATIVE[name] for name, value in switches.items() if value is True]
        del found["relativePeriods"]
        if on and not found.get("rawPeriods"):
            found["rawPeriods"] = [*sorted(on)]
            self.counted[plural, "relativePeriods", "are said as rawPeriods by now"] += 1

    def place(self, resource: Resource, name: str, value: JsonValue) -> str | None:
        """Where a property that the version does not know stands now; None where it is nowhere."""
        path = MOVED.get(resource.plural, {}).get(name)
        empty = value in (None, "", [], {})
        if path is not None and path.startswith("^"):
            return path
        if path is not None and self.leads(resource, path):
            if not empty:
                self.note(resource, name, f"is called {path} by now")
            return path
        if not empty and not self.newer:
            self.note(resource, name, NOT_HAD)
        return None

    def leads(self, resource: Resource, path: str) -> bool:
        """Does a path exist in the facts of the version?"""
        first, _, rest = path.partition(".")
        prop = resource.properties.get(first)
        if prop is None:
            return False
        inner = self.types.get(prop.target or "")
        return not rest or (inner is not None and self.leads(inner, rest))

    def lift(self, resource: Resource, found: JsonObject) -> None:
        """What embedded rows say under `^` goes to the object that holds them."""
        for name, value in list(found.items()):
            if not isinstance(value, dict):
                continue
            for key in [key for key in value if key.startswith("^")]:
                path, item = key[1:], value.pop(key)
                if self.leads(resource, path):
                    self.note(resource, f"{name}.{path.rpartition('.')[2]}", f"is called {path} by now")
                    _put(found, path, item)
                else:
                    self.note(resource, f"{name}.{path.rpartition('.')[2]}", NOT_HAD)
            if not value:
                del found[name]

    def fitting(self, resource: Resource, prop: Property, value: JsonValue) -> JsonValue:
        """A text that an object can be without, no longer than this version takes: a description cut, a label left out."""
        longest = prop.length or 0
        if not (isinstance(value, str) and prop.translatable and 0 < longest < len(value)) or self.newer:
            return value
        if prop.required or prop.unique or prop.name == "name":
            return value
        if prop.name != "description":
            self.note(resource, prop.name, f"is left out: it is longer than the {longest:,} characters of this version")
            return None
        self.note(resource, prop.name, f"is cut to the {longest:,} characters that this version takes")
        return f"{value[: longest - len(CUT)].rstrip()}{CUT}"

    def says_nothing(self, resource: Resource, prop: Property, value: JsonValue) -> bool:
        """An empty text where one must have a character: the same as none."""
        if value != "" or not prop.min or prop.collection:
            return False
        self.note(resource, prop.name, "was empty and is left out")
        return True

    def value(self, resource: Resource, prop: Property, value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            value = self.fitting(resource, prop, value)
        if prop.constants and isinstance(value, str) and value not in prop.constants and not self.newer:
            self.unknown.append(UnknownValue(*self.owner, prop.name, value, prop.constants))
            return value
        inner = self.types.get(prop.target or "")
        if inner is None:
            return self.untyped(prop, value) if prop.reference else value
        if isinstance(value, list):
            return [self.inner(inner, item) for item in value]
        return self.inner(inner, value)

    def untyped(self, prop: Property, value: JsonValue) -> JsonValue:
        """Embedded objects of which no facts tell (the views of a map): without what is a server's in any object."""
        if isinstance(value, list):
            return [self.untyped(prop, item) for item in value]
        if not isinstance(value, dict) or value.keys() <= NAMES:
            return value
        rest: JsonObject = {name: item for name, item in value.items() if name not in NOBODYS | SHARING | WORKED_OUT}
        self.periods(prop.name, rest)
        return rest

    def inner(self, inner: Resource, value: JsonValue) -> JsonValue:
        """A reference as it is, short; an embedded row by its own type."""
        if not isinstance(value, dict):
            return value
        if "id" in value and inner.endpoint is not None and value.keys() <= NAMES | {"level", "path"}:
            return {"id": value["id"]}
        return value if inner.plural == "sharing" or not inner.properties else self.part(inner, value)

    def sharing(self, resource: Resource, body: Row) -> JsonObject | None:
        """Sharing as it is said by now, without its people; data access only where the type has data."""
        found = body.get("sharing")
        groups: dict[str, JsonValue]
        if isinstance(found, dict) and found:
            named = cast("Mapping[str, JsonObject]", found.get("userGroups") or {})
            public, groups = found.get("public"), {uid: row.get("access") for uid, row in named.items()}
            other = body.get("publicAccess")
            if other and public and other != public:
                told = f"({other}) contradicts sharing.public ({public}), which is what is sent"
                self.note(resource, "publicAccess", told)
        elif body.get("publicAccess") is not None or body.get("userGroupAccesses"):
            rows = cast("list[JsonObject]", body.get("userGroupAccesses") or [])
            groups = {str(row.get("id") or row.get("userGroupUid")): row.get("access") for row in rows}
            public, found = body.get("publicAccess") or "--------", {}
            self.note(resource, "publicAccess, userGroupAccesses", "is called sharing by now")
        else:
            return None
        if not resource.data_shareable:
            given = (public, groups)
            public, groups = _without_data(public), {uid: _without_data(access) for uid, access in groups.items()}
            if given != (public, groups):
                self.note(resource, "sharing", "gives no access to data: this type has none")
        rest: JsonObject = {"public": public} if public else {}
        return {
            "external": found.get("external") is True, "users": {}, **rest,
            "userGroups": {uid: {"id": uid, "access": access} for uid, access in groups.items()},
        }  # fmt: skip

    def copied(self, resource: Resource, name: str, text: str) -> str:
        """A short name out of a long one: cut, and told apart from the others of its type."""
        length = resource.properties[name].length or 50
        used = self.short[resource.plural, name]
        short, number = text[:length].rstrip(), 2
        while short in used:
            suffix = f" ({number})"
            short, number = text[: length - len(suffix)].rstrip() + suffix, number + 1
        used.add(short)
        self.note(resource, name, "is required by now: taken from the name")
        return short

    def alone(self, resource: Resource, action: JsonObject) -> None:
        """Actions that hide a section or a stage name no element beside it."""
        wanted = ALONE.get(str(action.get("programRuleActionType")))
        if wanted is None or not action.get(wanted):
            return
        for name in SUBJECTS:
            if action.pop(name, None):
                self.note(resource, name, f"is left out where the action points to a {wanted}: a server refuses both")


def _computed(prop: Property) -> bool:
    """What a server works out and nobody can write; the other end of a relation too, which its own end keeps."""
    inverse = prop.collection and prop.reference and not prop.owner and prop.persisted and prop.inverse_role is not None
    return inverse or not (prop.writable or prop.owner or prop.persisted)


def _without_data(access: JsonValue) -> JsonValue:
    return f"{access[:2]}------" if isinstance(access, str) and len(access) == 8 else access


def _put(body: JsonObject, path: str, value: JsonValue) -> None:
    """Put a value where a path leads, unless something is there."""
    if path.startswith("^"):
        body[path] = value
        return
    first, _, rest = path.partition(".")
    if not rest:
        if body.get(first) in (None, "", [], {}):
            body[first] = value
        return
    held = body.setdefault(first, {})
    if isinstance(held, dict):
        _put(held, rest, value)
