"""What a metadata object refers to: by its schema, by the expressions in its texts, and by what it embeds.

Every reference that an object owns is found, on whatever level: a `dataSetElement` inside a data set leads to a data
element, the numerator of an indicator to the elements that it adds up. Where a schema does not say what a `{"id": ...}`
is, the type is unknown (None) and the walk asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.properties import HOLD_EXPRESSIONS, NAMES, NOT_FOLLOWED, OF_PROGRAM, PEOPLE, SHARING
from dhis2sh.dhis2.uids import is_uid

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue, Row

PLACES = frozenset(
    {"organisationUnits", "organisationUnitGroups", "organisationUnitGroupSets", "organisationUnitLevels"}
)
INSTANCE = frozenset({"users", "userGroups", "userRoles"})
"""Types that belong to one instance: they are left out of a bundle unless somebody asks for them."""

HELD_BY: Mapping[str, str] = {
    "organisationUnits": "parent", "options": "optionSet", "programStages": "program", "programRules": "program",
    "programIndicators": "program", "programRuleVariables": "program", "programSections": "program",
    "programStageSections": "programStage", "sections": "dataSet",
}  # fmt: skip
"""Types whose objects often share a name, and the property that says what each is a part of."""

DEPTH = 3
"""How many properties a path may have: `dataSetElements.categoryCombo` has two."""

ATTRIBUTE_VALUES = "attributeValues"
"""The values of attributes: almost every type has them, and no server filters by whose they are."""
LAYERS = "mapViews"
"""The layers of a map: it holds them whole, also where they are a type of their own (2.43)."""
HOLD_NO_REFERENCE = frozenset({
    "Translation", "AttributeValues", "AttributeValue", "Period", "PeriodType", "DataInputPeriod", "Geometry",
    "DeviceRenderTypeMap", "ValueTypeOptions", "VisualizationFontStyle", "AxisV2", "Icon", "Series", "Sorting",
    "SimpleDimension", "ReportingParams", "Layout", "EmbeddedDashboard", "AuthScheme", "ApiTokenAttribute", "Map",
    "SMSSpecialCharacter", "JobParameters", "Source", "Target", "TrackerDataView", "EventQueryCriteria",
    "ProgramStageQueryCriteria", "EntityQueryCriteria",
})  # fmt: skip
"""Java classes that no schema describes, and whose values hold plain texts and numbers."""

_UID = r"([a-zA-Z][a-zA-Z0-9]{10})"
_WILD = rf"(?:\.(?:{_UID}|\*))?"
_TOKENS: tuple[tuple[re.Pattern[str], tuple[str | None, ...]], ...] = (
    (re.compile(rf"#\{{{_UID}{_WILD}{_WILD}\}}"), (None, None, None)),
    (re.compile(rf"\bI\{{{_UID}\}}"), ("programIndicators",)),
    (re.compile(rf"\bN\{{{_UID}\}}"), ("indicators",)),
    (re.compile(rf"\bC\{{{_UID}\}}"), ("constants",)),
    (re.compile(rf"\bOUG\{{{_UID}\}}"), ("organisationUnitGroups",)),
    (re.compile(rf"\bR\{{{_UID}\.\w+\}}"), ("dataSets",)),
    (re.compile(rf"\bD\{{{_UID}\.{_UID}\}}"), ("programs", "dataElements")),
    (re.compile(rf"\bA\{{{_UID}\.{_UID}\}}"), ("programs", "trackedEntityAttributes")),
    (re.compile(rf"\bA\{{{_UID}\}}"), ("trackedEntityAttributes",)),
    (re.compile(rf"\bPS_EVENTDATE:{_UID}"), ("programStages",)),
)
_IN_RULES = tuple(token for token in _TOKENS if token[1] == ("constants",))
"""In program rules `#{...}` and `A{...}` name variables, of eleven letters too; only constants go by their UID."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One arrow from an object to another.

    Parameters:
        path: where in the object it stands, dotted, list positions left out.
        uid: the object it leads to; `type` its plural, or None where only the server knows.
        key: what `uid` is: `id`, or `code` of a reference that names nothing else.
    """

    path: str
    uid: str
    type: str | None
    key: str = "id"

    @property
    def loose(self) -> bool:
        """Does it lead to nothing as it is, since it names no UID: a code, or a placeholder such as `<OU_ROOT_UID>`?"""
        return self.key != "id" or not is_uid(self.uid)

    @property
    def property(self) -> str:
        """The object's own property that the arrow begins in."""
        return self.path.partition(".")[0]


def references(resource: Resource, body: Mapping[str, JsonValue], types: Mapping[str, Resource]) -> Iterator[Reference]:
    """Every reference that an object owns; people and sharing among them, for the caller to leave out.

    Parameters:
        resource: the object's type; types: every type of the same version by plural.
        body: the object as owner JSON. The arrow to itself that an embedded row has is no reference.
    """
    own = body.get("id")
    for path, target, value in _met(resource, body, types):
        for found in _arrows(path, target, value, types):
            if found.uid != own:
                yield found


def objects_in(
    resource: Resource, body: Mapping[str, JsonValue], types: Mapping[str, Resource]
) -> Iterator[tuple[str, str]]:
    """Every object with an address of its own that one refers to or holds whole: its type and its UID.

    What expressions name is not among them, nor who owns the object. Parameters as of `references`.
    """
    for path, target, value in _met(resource, body, types):
        if path == "sharing" and isinstance(value, dict):
            yield from ((found.type, found.uid) for found in _in_sharing(path, value, owner=False) if found.type)
        elif target is not None and target.metadata and isinstance(value, dict):
            uid = value.get("id")
            if isinstance(uid, str):
                yield target.plural, uid


def _met(
    resource: Resource, body: Mapping[str, JsonValue], types: Mapping[str, Resource]
) -> Iterator[tuple[str, Resource | None, JsonValue]]:
    """Every object and text inside a body, on whatever level: where it stands, its type, and itself."""
    for name, value in body.items():
        if name not in NOT_FOLLOWED and _may_lead(name, value):
            yield from _inside(name, resource.properties.get(name), value, types)


def _may_lead(name: str, value: JsonValue) -> bool:
    """Most properties are numbers and names, of which nothing else has to be known."""
    return isinstance(value, (dict, list)) or (isinstance(value, str) and name in HOLD_EXPRESSIONS)


def _inside(
    path: str, prop: Property | None, value: JsonValue, types: Mapping[str, Resource]
) -> Iterator[tuple[str, Resource | None, JsonValue]]:
    if isinstance(value, list):
        for item in value:
            yield from _inside(path, prop, item, types)
        return
    target = types.get(prop.target) if prop is not None and prop.target else None
    if isinstance(value, (str, dict)):
        yield path, target, value
    if not isinstance(value, dict) or path == "sharing" or _is_reference(target, value):
        return
    for name, item in value.items():
        if name not in NOT_FOLLOWED and name != "sharing" and name not in PEOPLE and _may_lead(name, item):
            inner = target.properties.get(name) if target is not None else None
            yield from _inside(f"{path}.{name}", inner, item, types)


def _is_reference(target: Resource | None, value: JsonObject) -> bool:
    """A reference has a UID and at most names; anything else is an embedded object, whose own properties lead on."""
    if not value.keys() <= NAMES or (target is not None and target.embedded):
        return False
    uid = value.get("id")
    if isinstance(uid, str) and not is_uid(uid):  # `{"id": "dx"}` is an axis, `{"id": "202401"}` a period
        return uid.startswith("<") or (target is not None and target.metadata)
    return isinstance(uid, str) or _by_code(target, value)


def _by_code(target: Resource | None, value: JsonObject) -> bool:
    """`{"code": "X"}` where an object with an address of its own is meant: a server reads no UID in it."""
    return "id" not in value and bool(value.get("code")) and target is not None and target.metadata


def _arrows(path: str, target: Resource | None, value: JsonValue, types: Mapping[str, Resource]) -> Iterator[Reference]:
    """What one object or text inside a body leads to itself."""
    if isinstance(value, str):
        if path.rpartition(".")[2] in HOLD_EXPRESSIONS:
            yield from _in_text(path, value)
    elif isinstance(value, dict):
        if path == "sharing":
            yield from _in_sharing(path, value)
        elif _is_reference(target, value):
            kind = target.plural if target is not None and target.endpoint else _plural(path, types)
            key = "id" if "id" in value else "code"
            yield Reference(path, str(value[key]), kind, key)


def _plural(path: str, types: Mapping[str, Resource]) -> str | None:
    """The type that a property's name says: `dataElement` and `dataElements` both lead to data elements."""
    name = path.rpartition(".")[2]
    if name in types:
        return name if types[name].endpoint else None
    return next((plural for plural, item in types.items() if item.singular == name and item.endpoint), None)


def _in_sharing(path: str, value: JsonObject, *, owner: bool = True) -> Iterator[Reference]:
    for kind in ("users", "userGroups"):
        for uid in cast("JsonObject", value.get(kind) or {}):
            yield Reference(f"{path}.{kind}", uid, kind)
    uid = value.get("owner")
    if owner and isinstance(uid, str) and is_uid(uid):
        yield Reference(f"{path}.owner", uid, "users")


def _in_text(path: str, text: str) -> Iterator[Reference]:
    for pattern, kinds in _IN_RULES if path.rpartition(".")[2] in OF_PROGRAM else _TOKENS:
        for found in pattern.finditer(text):
            for uid, kind in zip(found.groups(), kinds, strict=True):
                if uid is not None:
                    yield Reference(path, uid, kind)


def paths_to(plural: str, types: Mapping[str, Resource]) -> Iterator[tuple[str, str]]:
    """Each type and owned path that can lead to objects of a type, the path without its final `.id`.

    What a schema does not say stands in `looked_through`; the values of attributes are in neither.
    """
    for resource in types.values():
        if resource.endpoint and resource.metadata:
            for path in _paths(resource, plural, types, DEPTH, frozenset()):
                yield resource.plural, path


def _paths(
    resource: Resource, plural: str, types: Mapping[str, Resource], depth: int, seen: frozenset[str]
) -> Iterator[str]:
    for name, prop in _owned(resource, inside=depth < DEPTH):
        if prop.target == plural and prop.reference:
            yield name
        target = types.get(prop.target or "")
        if target is None or target.plural in seen or (target.endpoint and target.metadata):
            continue
        if depth > 1:
            for rest in _paths(target, plural, types, depth - 1, seen | {target.plural}):
                if types[resource.plural].singular != rest:  # the arrow back to the whole
                    yield f"{name}.{rest}"


def _owned(resource: Resource, *, inside: bool) -> Iterator[tuple[str, Property]]:
    """The properties that an object owns; of what is embedded and has no table of its own a schema marks none as owned."""
    for name, prop in resource.properties.items():
        own = prop.owner or (inside and not resource.persisted)
        if own and name not in PEOPLE and name not in SHARING and name != ATTRIBUTE_VALUES:
            yield name, prop


def looked_through(types: Mapping[str, Resource]) -> dict[str, set[str]]:
    """By type the owned properties that hold references which no filter can be trusted to reach.

    Of some no schema says what they hold (`dataDimensionItems`), others have no table of their own (`legend.set`).
    """
    found: dict[str, set[str]] = {}
    for resource in types.values():
        if resource.endpoint and resource.metadata:
            names = {name for name, prop in _owned(resource, inside=False) if _beyond(name, prop, types, DEPTH)}
            if names:
                found[resource.plural] = names
    return found


def _beyond(name: str, prop: Property, types: Mapping[str, Resource], depth: int) -> bool:
    """May a property hold references that no filter reaches?"""
    if name == LAYERS:
        return True
    target = types.get(prop.target or "")
    if target is None:
        klass = (prop.item_klass or prop.klass).rpartition(".")[2]
        return not {prop.kind, prop.item_kind}.isdisjoint({"COMPLEX", "REFERENCE"}) and klass not in HOLD_NO_REFERENCE
    if target.endpoint and target.metadata:
        return False
    inner = [*_owned(target, inside=True)]
    if not target.persisted and any(one.reference for _, one in inner):
        return True
    return depth > 1 and any(_beyond(key, one, types, depth - 1) for key, one in inner)


def belongs_to_instance(reference: Reference) -> bool:
    """Does an arrow lead to people, or stand in sharing?"""
    first = reference.property
    return first in SHARING or first in PEOPLE or reference.type in INSTANCE


def leads_to_places(reference: Reference) -> bool:
    """Does an arrow lead to organisation units, their groups, sets or levels?"""
    return reference.type in PLACES


def label(body: Row) -> str:
    """What people call an object: its name, else its code, else its UID."""
    return str(body.get("name") or body.get("displayName") or body.get("code") or body.get("id"))
