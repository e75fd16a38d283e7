"""From owner JSON to what a server shows: computed properties, inverse sides, presets, nested blocks, transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.fields import PRESETS, Field

if TYPE_CHECKING:
    from dhis2_models.facts import Property, Resource

    from dhis2sh.sandbox.store import Store
    from dhis2sh.types import JsonObject, JsonValue

ACCESS: JsonObject = dict.fromkeys(["manage", "externalize", "write", "read", "update", "delete"], True)
IDENTIFIABLE = ("id", "name", "code", "created", "lastUpdated", "lastUpdatedBy")
NAMEABLE = ("id", "name", "shortName", "description", "code", "created", "lastUpdated")
USER_REFERENCES = {"user", "createdBy", "lastUpdatedBy"}
WHOLE_WHEN_BARE = {"access", "sharing", "translations", "style", "attributeValues"}
DISPLAYED = {
    "displayName": ("name", "NAME"),
    "displayShortName": ("shortName", "SHORT_NAME"),
    "displayDescription": ("description", "DESCRIPTION"),
    "displayFormName": ("formName", "FORM_NAME"),
}
DIMENSION_ITEMS = {
    "dataElements": "DATA_ELEMENT",
    "indicators": "INDICATOR",
    "organisationUnits": "ORGANISATION_UNIT",
    "categoryOptions": "CATEGORY_OPTION",
    "organisationUnitGroups": "ORGANISATION_UNIT_GROUP",
    "categoryOptionGroups": "CATEGORY_OPTION_GROUP",
    "dataElementGroups": "DATA_ELEMENT_GROUP",
    "programIndicators": "PROGRAM_INDICATOR",
    "dataSets": "REPORTING_RATE",
    "options": "OPTION",
}


class Renderer:
    """Shows objects of one store to one user.

    Parameters:
        store: where the objects are.
        base_url: what `href` begins with.
        locale: the language of display names, None for none.
    """

    def __init__(self, store: Store, base_url: str, locale: str | None = None) -> None:
        self._store = store
        self._base_url = base_url
        self._locale = locale

    def show(self, resource: Resource, body: JsonObject, tree: Field) -> JsonObject:
        """An object as `fields` asks for it."""
        shown: JsonObject = {}
        names = self._wanted(resource, tree)
        for name in names:
            node = tree.children.get(name, Field())
            prop = resource.properties.get(name)
            if prop is None:
                continue
            value = self._value(resource, body, prop)
            if value is None:
                continue
            label = name
            rendered = self._nested(prop, value, node)
            for transformer, argument in node.transformers:
                label, rendered = _transform(transformer, argument, label, rendered)
            shown[label] = rendered
        return shown

    def _wanted(self, resource: Resource, tree: Field) -> list[str]:
        names: dict[str, None] = {}
        for preset in tree.presets:
            if preset in PRESETS:
                names |= dict.fromkeys(_preset(resource, preset))
        names |= dict.fromkeys(tree.children)
        return [name for name in names if name not in tree.excluded]

    def _value(self, resource: Resource, body: JsonObject, prop: Property) -> JsonValue:
        """The value of a property: stored, computed, or from the owning side of a relation."""
        name = prop.name
        if name in body:
            return body[name]
        computed = _COMPUTED.get(name)
        if computed is not None:
            return computed(self, resource, body)
        if name in DISPLAYED:
            source, key = DISPLAYED[name]
            text = self._translated(body, key) or body.get(source)
            return text if text is not None or name != "displayFormName" else body.get("name")
        if resource.plural == "organisationUnits" and name in _ORG_UNIT:
            return _ORG_UNIT[name](self, body)
        if prop.kind == "COLLECTION":
            return self._inverse(resource, body, prop)
        if name == "dimensionItem":
            return body.get("id") if resource.plural in DIMENSION_ITEMS else None
        if name == "dimensionItemType":
            return DIMENSION_ITEMS.get(resource.plural)
        return None

    def _translated(self, body: JsonObject, key: str) -> JsonValue:
        if self._locale is None:
            return None
        for item in cast("list[JsonObject]", body.get("translations") or []):
            if item.get("property") == key and item.get("locale") == self._locale:
                return item.get("value")
        return None

    def _inverse(self, resource: Resource, body: JsonObject, prop: Property) -> list[JsonValue]:
        """The inverse side of a relation, read from the side that owns it."""
        uid = cast("str", body.get("id", ""))
        if prop.target is None:
            return []
        target = self._store.resources[prop.target]
        for owner in target.properties.values():
            if owner.owner and owner.target == resource.plural and owner.name not in USER_REFERENCES:
                found = self._store.inverse(prop.target, owner.name).get(uid, [])
                return [{"id": other} for other in found]
        if target.endpoint is None:
            return self._embedded(resource, uid, prop)
        return []

    def _embedded(self, resource: Resource, uid: str, prop: Property) -> list[JsonValue]:
        """Rows of a join (`dataSetElements`) that another type holds and that name this object."""
        rows: list[JsonValue] = []
        for other in self._store.resources.values():
            held = other.properties.get(prop.name)
            if other.endpoint is None or other.plural == resource.plural or held is None or not held.owner:
                continue
            for item in self._store.objects(other.plural).values():
                for row in cast("list[JsonObject]", item.get(prop.name) or []):
                    reference = row.get(resource.singular)
                    if isinstance(reference, dict) and reference.get("id") == uid:
                        rows.append({other.singular: {"id": item["id"]}, **row})
        return rows

    def _nested(self, prop: Property, value: JsonValue, node: Field) -> JsonValue:
        if isinstance(value, list):
            return [self._nested_one(prop, item, node) for item in value]
        return self._nested_one(prop, value, node)

    def _nested_one(self, prop: Property, value: JsonValue, node: Field) -> JsonValue:
        if not isinstance(value, dict):
            return value
        if prop.name in USER_REFERENCES or (prop.target == "users" and "username" in value):
            return self._user(value)
        target = self._store.resources.get(prop.target or "")
        if target is None or target.endpoint is None or prop.kind == "COMPLEX":
            return self._complex(target, value, node)
        if node.bare:
            return {"id": value["id"]} if "id" in value else value
        found = self._store.get(target.plural, cast("str", value.get("id", "")))
        shown = self.show(target, found or value, node)
        return shown or ({"id": value["id"]} if "id" in value else {})

    def _complex(self, target: Resource | None, value: JsonObject, node: Field) -> JsonValue:
        """An embedded value: whole when bare, with the references in it shortened to their ids."""
        if node.bare or target is None:
            return (
                {
                    key: (
                        {"id": item["id"]} if isinstance(item, dict) and key != "attribute" and "id" in item else item
                    )
                    for key, item in value.items()
                    if not node.excluded or key not in node.excluded
                }
                if target is not None
                else _pick(value, node)
            )
        return self.show(target, value, node) or _pick(value, node)

    def _user(self, value: JsonObject) -> JsonObject:
        known = self._store.get("users", cast("str", value.get("id", ""))) or value
        name = known.get("name") or f"{known.get('firstName', '')} {known.get('surname', '')}".strip()
        shown: JsonObject = {"id": value.get("id"), "code": known.get("code"), "name": name, "displayName": name,
                             "username": known.get("username")}  # fmt: skip
        return {key: item for key, item in shown.items() if item is not None}

    def property_at(self, resource: Resource, path: str) -> Property | None:
        """The property at the end of a dotted path, or None when a part of it is unknown."""
        current: Resource | None = resource
        prop: Property | None = None
        for part in path.split("."):
            if current is None:
                return None
            prop = current.properties.get(part)
            if prop is None:
                return None
            current = self._store.resources.get(prop.target or "")
        return prop

    def values_at(self, resource: Resource, body: JsonObject, path: str) -> list[JsonValue]:
        """Every value at a dotted path; collections on the way are walked."""
        first, _, rest = path.partition(".")
        prop = resource.properties.get(first)
        value = body.get(first) if prop is None else self._value(resource, body, prop)
        if not rest:
            return [value]
        items = value if isinstance(value, list) else [value]
        target = self._store.resources.get(prop.target or "") if prop else None
        found: list[JsonValue] = []
        for item in items:
            if not isinstance(item, dict):
                continue
            if target is None:
                found.append(item.get(rest))
                continue
            known = self._store.get(target.plural, cast("str", item.get("id", ""))) if target.endpoint else None
            found += self.values_at(target, known or item, rest)
        return found

    # Computed properties -------------------------------------------------------------------------------------------

    def href(self, resource: Resource, body: JsonObject) -> JsonValue:
        """The object's own address."""
        return f"{self._base_url}/api{resource.endpoint}/{body.get('id')}" if resource.endpoint else None

    def path(self, body: JsonObject) -> str:
        """An organisation unit's path, from its parents when it is not stored."""
        if "path" in body:
            return cast("str", body["path"])
        parent = cast("JsonObject | None", body.get("parent"))
        above = self._store.get("organisationUnits", cast("str", parent["id"])) if parent else None
        return (self.path(above) if above else "") + f"/{body['id']}"

    def children(self, body: JsonObject) -> list[JsonValue]:
        """References to an organisation unit's children."""
        below = self._store.inverse("organisationUnits", "parent").get(cast("str", body["id"]), [])
        return [{"id": uid} for uid in below]


def _pick(value: JsonObject, node: Field) -> JsonObject:
    if not node.children or node.presets:
        return {key: item for key, item in value.items() if key not in node.excluded}
    return {key: value[key] for key in node.children if key in value}


def _preset(resource: Resource, preset: str) -> Iterable[str]:
    properties = resource.properties
    match preset:
        case "all":
            return list(properties)
        case "owner":
            return [name for name, prop in properties.items() if prop.owner]
        case "persisted":
            return [name for name, prop in properties.items() if prop.persisted]
        case "simple":
            return [name for name, prop in properties.items() if prop.simple]
        case "identifiable":
            return IDENTIFIABLE
        case _:
            return NAMEABLE


def _transform(name: str, argument: str, label: str, value: JsonValue) -> tuple[str, JsonValue]:
    size = len(value) if isinstance(value, (list, dict, str)) else 0
    match name:
        case "rename":
            return argument, value
        case "size":
            return label, size
        case "isEmpty":
            return label, size == 0
        case "isNotEmpty":
            return label, size != 0
        case "pluck" if isinstance(value, list):
            return label, [item.get(argument or "id") for item in value if isinstance(item, dict)]
        case "keyBy" if isinstance(value, list):
            rows = [item for item in value if isinstance(item, dict)]
            return label, {str(item.get(argument or "id")): item for item in rows}
        case _:
            return label, value


type _Compute = Callable[[Renderer, "Resource", "JsonObject"], "JsonValue"]
_COMPUTED: dict[str, _Compute] = {
    "access": lambda r, t, b: dict(ACCESS),
    "href": Renderer.href,
    "favorite": lambda r, t, b: False,
    "favorites": lambda r, t, b: [],
    "translations": lambda r, t, b: [],
    "attributeValues": lambda r, t, b: [],
    "user": lambda r, t, b: b.get("createdBy"),
    "sharing": lambda r, t, b: {"external": False, "users": {}, "userGroups": {}},
    "legendSet": lambda r, t, b: cast("list[JsonValue]", b.get("legendSets") or [None])[0],
    "optionSetValue": lambda r, t, b: "optionSet" in b,
    "isDefault": lambda r, t, b: b.get("name") == "default",
}
_ORG_UNIT: dict[str, Callable[[Renderer, JsonObject], JsonValue]] = {
    "path": Renderer.path,
    "level": lambda r, b: r.path(b).count("/"),
    "leaf": lambda r, b: not r.children(b),
    "children": Renderer.children,
    "ancestors": lambda r, b: [{"id": uid} for uid in r.path(b).split("/")[1:-1]],
}
