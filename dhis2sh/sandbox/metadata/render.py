"""From owner JSON to what a server shows: computed properties, inverse sides, presets, nested blocks, transformers."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.metadata.axes import AXES
from dhis2sh.sandbox.metadata.computed import BY_TYPE, COMPUTED, NEVER_STORED
from dhis2sh.sandbox.metadata.fields import PRESETS, Field
from dhis2sh.sandbox.metadata.lookup import Lookup
from dhis2sh.sandbox.store.relations import USER_REFERENCES, inline

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.sandbox.metadata.rights import Rights
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

IDENTIFIABLE = ("id", "name", "code", "created", "lastUpdated", "lastUpdatedBy")
NAMEABLE = ("id", "name", "shortName", "description", "code", "created", "lastUpdated")
ALL = Field(presets=["all"])
_DISPLAY = re.compile(r"display([A-Z]\w*)")


class Renderer(Lookup):
    """Shows objects of one store to one user. Lives as long as one request and sees one state of each type.

    Parameters:
        store: where the objects are.
        base_url: what `href` begins with.
        locale: the language of display names, None for none.
        rights: what the user may do; None for everything.
        single: one object is shown, not a list; favourites then say more.
        hidden: UIDs of objects to which no reference is shown.
    """

    def __init__(
        self,
        store: Store,
        base_url: str,
        locale: str | None = None,
        *,
        rights: Rights | None = None,
        single: bool = False,
        hidden: Collection[str] = (),
    ) -> None:
        super().__init__(store, base_url, rights=rights, single=single)
        self._locale = locale
        self._hidden = hidden

    # Showing ---------------------------------------------------------------------------------------------------------

    def show(self, resource: Resource, body: JsonObject, tree: Field) -> JsonObject:
        """An object as `fields` asks for it."""
        shown: JsonObject = {}
        for name in self._wanted(resource, tree):
            prop = resource.properties.get(name)
            if prop is None or not prop.readable:
                continue
            value = self.value(resource, body, prop)
            if value is None or (self._hidden and isinstance(value, dict) and value.get("id") in self._hidden):
                continue
            node = tree.children.get(name) or Field()
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

    def value(self, resource: Resource, body: JsonObject, prop: Property) -> JsonValue:
        """The value of a property: stored, computed, or from the owning side of a relation."""
        name = prop.name
        if name in body and not (name in NEVER_STORED and not prop.owner):
            return body[name]
        own = BY_TYPE.get(resource.plural)
        computed = (own.get(name) if own is not None else None) or COMPUTED.get(name)
        if computed is not None:
            return computed(self, resource, body)
        displayed = _DISPLAY.fullmatch(name)
        if displayed is not None:
            return self._displayed(resource, body, displayed[1])
        if prop.kind == "COLLECTION":
            return self._inverse(resource, body, prop)
        return None

    def _displayed(self, resource: Resource, body: JsonObject, what: str) -> JsonValue:
        """`displayName`, `displayFormName` and the like: the user's language, else what is stored, else the name."""
        source = what[0].lower() + what[1:]
        prop = resource.properties.get(source)
        text = self._translated(body, re.sub(r"(?<!^)(?=[A-Z])", "_", what).upper())
        if text is None and prop is not None:
            text = self.value(resource, body, prop)
        if text is None and what == "FormName":
            return self._displayed(resource, body, "Name")
        return text

    def _translated(self, body: JsonObject, key: str) -> JsonValue:
        if self._locale is None:
            return None
        for item in cast("list[JsonObject]", body.get("translations") or []):
            if item.get("property") == key and item.get("locale") == self._locale:
                return item.get("value")
        return None

    def _inverse(self, resource: Resource, body: JsonObject, prop: Property) -> list[JsonValue]:
        """The other side of a relation, read from the side that owns it."""
        uid = cast("str", body.get("id", ""))
        target = self.resources.get(prop.target or "")
        if prop.owner or target is None:
            return []
        if inline(target):
            return self._rows_inside_others(resource, uid, prop)
        owner = owning_property(self.store, resource, prop)
        return [{"id": other} for other in self.referring(target.plural, owner, uid)] if owner is not None else []

    def _rows_inside_others(self, resource: Resource, uid: str, prop: Property) -> list[JsonValue]:
        """Rows that another type holds inside and that name this object: the `dataSetElements` of a data element."""
        rows: list[JsonValue] = []
        for relation in self.store.relations[resource.plural]:
            held, _, inner = relation.prop.partition(".")
            if held != prop.name or not inner:
                continue
            for other in self.referring(relation.owner, relation.prop, uid):
                holder = self.find(relation.owner, other) or {}
                for row in cast("list[JsonObject]", holder.get(held) or []):
                    reference = row.get(inner)
                    if isinstance(reference, dict) and reference.get("id") == uid:
                        rows.append(row)
        return rows

    def _nested(self, prop: Property, value: JsonValue, node: Field) -> JsonValue:
        if isinstance(value, list):
            return [self._nested_one(prop, item, node) for item in value]
        return self._nested_one(prop, value, node)

    def _nested_one(self, prop: Property, value: JsonValue, node: Field) -> JsonValue:
        if not isinstance(value, dict):
            return value
        if prop.target == "users" and prop.field_name == "members":  # of a group or role: whole, an empty code too
            return {"code": None, **self._user(value)}
        if prop.name in USER_REFERENCES or (prop.target == "users" and "username" in value):
            return self._user(value)
        if prop.name in {"sharing", "access"}:
            if not self.store.version.external:
                value = {name: part for name, part in value.items() if name not in {"external", "externalize"}}
            if prop.name == "sharing":
                value = self._with_names(value)
            return value if node.bare else _pick(value, node)
        target = self.resources.get(prop.target or "")
        if target is None:
            if node.bare and prop.name in AXES and "id" in value:
                return {"id": value["id"]}
            return value if node.bare else _pick(value, node)
        return self._embedded(target, value, node) if inline(target) else self._referred(target, value, node)

    def _referred(self, target: Resource, value: JsonObject, node: Field) -> JsonValue:
        """A reference: its UID unless a block names parts of what it leads to."""
        alone: JsonObject = {"id": value["id"]} if "id" in value else {}
        if node.bare:
            return alone or value
        found = self.find(target.plural, cast("str", value.get("id", "")))
        shown = self.show(target, found or value, node)
        if "href" not in node.children:
            shown.pop("href", None)  # a preset has it at the top alone
        return shown or alone

    def _embedded(self, target: Resource, value: JsonObject, node: Field) -> JsonValue:
        """A value that is kept inside its owner: whole unless a block names parts of it."""
        if node.bare:
            return self.show(target, value, ALL)
        return self.show(target, value, node) or _pick(value, node)

    def _with_names(self, sharing: JsonObject) -> JsonObject:
        """Sharing with the names of its groups and users."""
        named = dict(sharing)
        for part in ("users", "userGroups"):
            rows = cast("dict[str, JsonObject]", sharing.get(part) or {})
            if rows:
                known = {uid: self.find(part, uid) or {} for uid in rows}
                named[part] = {uid: {**row, "displayName": known[uid].get("name")} for uid, row in rows.items()}
        return named

    def _user(self, value: JsonObject) -> JsonObject:
        known = self.find("users", cast("str", value.get("id", ""))) or value
        name = known.get("name") or f"{known.get('firstName', '')} {known.get('surname', '')}".strip()
        shown: JsonObject = {"id": value.get("id"), "code": known.get("code"), "name": name, "displayName": name,
                             "username": known.get("username")}  # fmt: skip
        return {key: item for key, item in shown.items() if item is not None}

    # Paths -------------------------------------------------------------------------------------------------------------

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
            current = self.resources.get(prop.target or "")
        return prop

    def stored(self, resource: Resource, prop: Property, path: str) -> bool:
        """Is the value at a path what the object stores, with nothing to be worked out or looked up?"""
        computed = path in COMPUTED or path in BY_TYPE.get(resource.plural, {})
        plain = prop.kind not in {"COLLECTION", "REFERENCE", "COMPLEX"}
        return prop.owner and path == prop.name and plain and not computed

    def getter(self, resource: Resource, path: str) -> Callable[[JsonObject], list[JsonValue]]:
        """A function that gives every value at a dotted path; collections on the way are walked."""
        first, _, rest = path.partition(".")
        prop = resource.properties[first]
        if not rest:
            if self.stored(resource, prop, path):
                return lambda body: [body.get(first)]
            return lambda body: [self.value(resource, body, prop)]
        target = self.resources.get(prop.target or "")
        if target is None:
            return lambda body: [item.get(rest) for item in _items(self.value(resource, body, prop))]
        if rest == "id" and prop.owner and prop.reference and not prop.collection and not inline(target):
            return lambda body: [item.get("id") for item in _items(body.get(first))]  # no need to look it up
        deeper = self.getter(target, rest)

        def values(body: JsonObject) -> list[JsonValue]:
            found: list[JsonValue] = []
            for item in _items(self.value(resource, body, prop)):
                known = None if inline(target) else self.find(target.plural, cast("str", item.get("id", "")))
                found += deeper(known or item)
            return found

        return values


def owning_property(store: Store, resource: Resource, prop: Property) -> str | None:
    """The property of the other type that holds a relation which `prop` only mirrors; None when there is none."""
    candidates = [r for r in store.relations[resource.plural] if r.owner == prop.target and "." not in r.prop]
    if prop.owning_role is not None:
        other = store.resources[prop.target or ""].properties
        matched = [r for r in candidates if other[r.prop].owning_role == prop.owning_role]
        candidates = matched or candidates
    return candidates[0].prop if candidates else None


def _items(value: JsonValue) -> list[JsonObject]:
    rows = value if isinstance(value, list) else [value]
    return [row for row in rows if isinstance(row, dict)]


def _pick(value: JsonObject, node: Field) -> JsonObject:
    if not node.children or node.presets:
        return {key: item for key, item in value.items() if key not in node.excluded}
    picked: JsonObject = {}
    for key, inner in node.children.items():
        if key in value:
            item = value[key]
            if isinstance(item, list):
                picked[key] = [_picked(one, inner) for one in item]
            else:
                picked[key] = _picked(item, inner)
    return picked


def _picked(value: JsonValue, node: Field) -> JsonValue:
    return _pick(value, node) if isinstance(value, dict) and not node.bare else value


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
            return [name for name, prop in properties.items() if prop.simple and not prop.collection]
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
        case "pluck" if isinstance(value, list):  # an item that does not show the property stays as it is
            return label, [item.get(argument or "id", item) for item in _items(value)]
        case "keyBy" if isinstance(value, list):
            key = argument or "id"
            return label, {str(item[key]): item for item in _items(value) if item.get(key) is not None}
        case _:
            return label, value
