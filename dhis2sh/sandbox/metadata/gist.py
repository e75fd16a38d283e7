"""`gist`: lists and objects in short, with fields chosen by their kind and relations as counts (api-facts a.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from dhis2sh.sandbox.http.params import boolean, choice, integer
from dhis2sh.sandbox.metadata.gist_filters import gist_filter, in_order, no_property
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.store.relations import inline

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.sandbox.metadata.render import Renderer
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

AUTO = {"XS": "NONE", "S": "NONE", "M": "SIZE", "L": "IDS", "XL": "ID_OBJECTS"}
"""How much a gist shows by itself, and what it makes of a collection then."""
KINDS = ("IDENTIFIER", "TEXT", "NUMBER", "INTEGER", "BOOLEAN", "EMAIL", "URL", "DATE", "PHONENUMBER", "GEOLOCATION",
         "COLOR", "CONSTANT", "COMPLEX", "REFERENCE", "COLLECTION")  # fmt: skip
"""The order in which a gist shows properties of each kind."""
JSON_LISTS = {"evaluationEnvironments", "favorites", "rawPeriods", "subscribers"}
"""Lists that the server keeps in one column: shown as they are, not counted."""
INITIAL: dict[str, JsonValue] = {"displayOptions": "{}", "evaluationTime": "ALWAYS",
                                 "evaluationEnvironments": ["ANDROID", "WEB"], "rawPeriods": []}  # fmt: skip
"""What the database holds where an object shows nothing."""
SIZES = {"size", "isEmpty", "isNotEmpty", "ids", "idObjects", "pluck", "member", "notMember", "from"}
PRESETS = {"*", ":*", ":all"}


@dataclass(slots=True)
class GistField:
    """One field of a gist.

    Parameters:
        path: a property, or a dotted path to one.
        label: its name in the answer.
        transform: what is made of its value (`size`, `ids`); empty for the usual.
        argument: what stands in the transform's brackets.
    """

    path: str
    label: str
    transform: str = ""
    argument: str = ""

    @property
    def arguments(self) -> list[str]:
        """What stands in the transform's brackets, cut at the commas."""
        return [part.strip() for part in self.argument.split(",") if part.strip()]


@dataclass(slots=True)
class Gist:
    """One gist query.

    Parameters:
        resource: the type that is shown.
        renderer: shows and resolves.
        auto: XS, S, M, L or XL.
        references: add `apiEndpoints`.
        base: put before those.
        fields: what is shown.
    """

    resource: Resource
    renderer: Renderer
    auto: str
    references: bool = True
    base: str = ""
    fields: list[GistField] = field(default_factory=list["GistField"])

    def show(self, body: JsonObject) -> JsonValue:
        """One object; a single field stands for itself."""
        shown: JsonObject = {}
        endpoints: JsonObject = {}
        for one in self.fields:
            first = one.path.partition(".")[0]
            prop = self.resource.properties.get(first)
            value = self._value(one, prop, body)
            if value is not None:
                shown[one.label] = value
            if prop is not None and "." not in one.path:
                endpoint = self._endpoint(prop, body)
                if endpoint is not None:
                    endpoints[one.label] = endpoint
        if len(self.fields) == 1:
            return next(iter(shown.values()), None)
        if self.references and endpoints:
            shown["apiEndpoints"] = dict(sorted(endpoints.items()))
        return shown

    def _value(self, one: GistField, prop: Property | None, body: JsonObject) -> JsonValue:
        if prop is None:
            return _attribute(body, one.path)
        if "." in one.path:
            values = self.renderer.getter(self.resource, one.path)(body)
            return values if prop.collection else (values[0] if values else None)
        value = self.renderer.value(self.resource, body, prop)
        if one.path in INITIAL and not value:
            value = INITIAL[one.path]
        if prop.collection:
            return self._collection(one, prop, value if isinstance(value, list) else [])
        if one.transform in {"isEmpty", "isNotEmpty"}:
            return (not value) == (one.transform == "isEmpty")
        if one.transform == "size" and isinstance(value, str):
            return len(value)
        if isinstance(value, dict) and prop.kind == "REFERENCE":
            return value.get("id")
        return value

    def _collection(self, one: GistField, prop: Property, items: list[JsonValue]) -> JsonValue:
        transform = one.transform or ("" if prop.name in JSON_LISTS else AUTO[self.auto])
        uids = [item.get("id") if isinstance(item, dict) else item for item in items]
        target = self.renderer.resources.get(prop.target or "")
        if transform in {"IDS", "ID_OBJECTS"} and (inline(target) or not prop.reference):
            transform = "SIZE"
        match transform:
            case "":
                return items
            case "IDS" | "ids":
                return uids
            case "ID_OBJECTS" | "idObjects":
                return [{"id": uid} for uid in uids]
            case "isEmpty" | "isNotEmpty":
                return (not items) == (transform == "isEmpty")
            case "member" | "notMember":
                return (one.argument in uids) == (transform == "member")
            case "pluck" if target is not None:
                return self._plucked(target, one.arguments or ["id"], items)
            case _:
                return len(items)

    def _plucked(self, target: Resource, names: list[str], items: list[JsonValue]) -> JsonValue:
        """One property of each item, or objects of several."""
        getters = {name: self.renderer.getter(target, name) for name in names}
        found: list[JsonValue] = []
        for item in items:
            if not isinstance(item, dict):
                continue
            known = None if inline(target) else self.renderer.find(target.plural, str(item.get("id")))
            values = {name: next(iter(getter(known or item)), None) for name, getter in getters.items()}
            found.append(values[names[0]] if len(names) == 1 else cast("JsonValue", values))
        return found

    def _endpoint(self, prop: Property, body: JsonObject) -> JsonValue:
        """Where the objects of a relation are listed, None for an empty relation."""
        if not prop.reference or not prop.persisted:
            return None
        value = self.renderer.value(self.resource, body, prop)
        if prop.collection:
            if not value or prop.target is None:
                return None
            return f"{self.base}{self.resource.endpoint}/{body['id']}/{prop.name}/gist"
        target = self.renderer.resources.get(prop.target or "")
        if not isinstance(value, dict) or target is None or target.endpoint is None:
            return None
        return f"{self.base}{target.endpoint}/{value.get('id')}/gist"


def gist_of(resource: Resource, renderer: Renderer, query: QueryParams, usual: str) -> Gist:
    """The gist that a request asks for. Raises `Refused`.

    Parameters:
        usual: the `auto` of this endpoint.
    """
    gist = Gist(
        resource,
        renderer,
        choice(query, "auto", usual, list(AUTO)),
        boolean(query, "references", True),
        (renderer.base_url if boolean(query, "absoluteUrls") else "") + renderer.version.gist_addresses,
    )
    texts = _split(",".join(query.getlist("fields"))) or ["*"]
    gist.fields = list(_expanded(gist, texts))
    return gist


def _split(text: str) -> list[str]:
    """The fields, cut at commas outside brackets; blocks are written out as dotted paths."""
    found: list[str] = []
    depth, start = 0, 0
    for at, letter in enumerate(text + ","):
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and depth <= 0:
            part = text[start:at].strip()
            start = at + 1
            if "[" in part and part.endswith("]"):
                head, _, inside = part[:-1].partition("[")
                found += [f"{head}.{inner}" for inner in _split(inside)]
            elif part:
                found.append(part)
    return found


def _expanded(gist: Gist, texts: list[str]) -> Iterable[GistField]:
    excluded = {text[1:] for text in texts if text[0] in "-!"}
    explicit = {_field(text).path for text in texts if text not in PRESETS}
    for text in texts:
        if text[0] in "-!":
            continue
        if text in PRESETS or text.startswith(":"):
            for prop in _preset(gist, text):
                if prop.name not in excluded and prop.name not in explicit:
                    yield GistField(prop.name, prop.name)
            continue
        one = _field(text.removeprefix("+"))
        if gist.renderer.property_at(gist.resource, one.path) is None and not _is_attribute(gist, one.path):
            raise no_property(one.path, gist.resource)
        _validate(gist, one)
        yield one


def _validate(gist: Gist, one: GistField) -> None:
    """What a transformation needs. Raises `Refused`."""
    prop = gist.renderer.property_at(gist.resource, one.path)
    target = gist.renderer.resources.get((prop.target if prop is not None else None) or "")
    if one.transform == "pluck" and target is not None:
        for name in one.arguments:
            plucked = target.properties.get(name)
            if plucked is None:
                raise no_property(name, target)
            if not plucked.persisted:
                raise Refused(400, f"Property `{name}` cannot be plucked as it is not a persistent field.")
    if one.transform in {"member", "notMember"} and not one.argument:
        raise Refused(400, f"Member field transformation requires 1 argument for: {one.path}~{one.transform}")
    if one.transform == "from":
        _validate_from(gist.resource, prop, one)


def _validate_from(resource: Resource, prop: Property | None, one: GistField) -> None:
    """`from(...)` names the properties that a computed one is made of. Raises `Refused`."""
    if prop is not None and prop.persisted:
        raise Refused(400, f"Property `{one.path}` is persistent an cannot be computed using transformation from.")
    if not one.arguments:
        raise Refused(
            400, f"Property `{one.path}` requires one or more source fields when used with transformation from."
        )
    for name in one.arguments:
        source = resource.properties.get(name)
        if source is None:
            raise Refused(400, f"Property `{name}` used in from transformation does not exist.")
        if not source.persisted:
            raise Refused(400, f"Property `{name}` must be persistent to be used as source for from transformation.")


def _field(text: str) -> GistField:
    for mark in ("::", "~", "|"):
        text = text.replace(mark, "\0")
    path, *transformers = text.split("\0")
    one = GistField(path, path)
    for transformer in transformers:
        name, _, argument = transformer.partition("(")
        argument = argument.rstrip(")")
        if name == "rename":
            one.label = argument
        elif name in SIZES:
            one.transform, one.argument = name, argument
    return one


def _is_attribute(gist: Gist, path: str) -> bool:
    return gist.renderer.find("attributes", path) is not None


def _attribute(body: JsonObject, uid: str) -> JsonValue:
    for row in cast("list[JsonObject]", body.get("attributeValues") or []):
        if cast("JsonObject", row["attribute"]).get("id") == uid:
            return row.get("value")
    return None


def _preset(gist: Gist, name: str) -> list[Property]:
    properties = [prop for prop in gist.resource.properties.values() if prop.persisted and prop.readable]
    match name:
        case ":identifiable":
            chosen = [
                p for p in properties if p.name in {"id", "code", "name", "created", "lastUpdated", "lastUpdatedBy"}
            ]
        case ":nameable":
            wanted = {"id", "code", "name", "shortName", "description", "created", "lastUpdated"}
            chosen = [p for p in properties if p.name in wanted]
        case ":persisted":
            chosen = properties
        case ":owner":
            chosen = [p for p in properties if p.owner]
        case _ if name in PRESETS:
            chosen = [p for p in properties if not p.gist and p.field_name and _included(p, gist.auto)]
        case _:
            raise Refused(409, f"Field not supported: `{name}`", "E2038")
    return sorted(chosen, key=lambda p: (KINDS.index(p.kind) if p.kind in KINDS else -1, p.collection))


def _included(prop: Property, auto: str) -> bool:
    kinds = {prop.kind, prop.item_kind or prop.kind}
    if auto == "XS":
        return kinds <= {"IDENTIFIER", "TEXT", "EMAIL"}
    return "PASSWORD" not in kinds and not (auto == "S" and "COMPLEX" in kinds)


# Lists -------------------------------------------------------------------------------------------------------------------


def list_gist(
    store: Store, resource: Resource, query: QueryParams, renderer: Renderer, path: str, *,
    of: list[JsonObject] | None = None, usual: str = "S", name: str | None = None,
) -> JsonValue:  # fmt: skip
    """The answer of a gist list. Raises `Refused`.

    Parameters:
        path: the request's path, for the pager's addresses.
        of: the objects that are listed; by default all of the type.
        usual: the `auto` of this endpoint.
        name: of the list in the answer.
    """
    gist = gist_of(resource, renderer, query, usual)
    page, size = max(1, integer(query, "page", 1)), min(1000, integer(query, "pageSize", 50))
    known = of if of is not None else store.objects(resource.plural).values()
    meets, rights = gist_filter(store, resource, query, renderer), renderer.rights
    found = in_order(
        resource, query, (body for body in known if meets(body) and (rights is None or rights.can_read(resource, body)))
    )
    rows: list[JsonValue] = [gist.show(body) for body in found[(page - 1) * size : page * size]]
    if boolean(query, "headless"):
        return rows
    totals = boolean(query, "totalPages", boolean(query, "total"))
    pager: JsonObject = {"page": page, "pageSize": size}
    if totals:
        pager |= {"total": len(found), "pageCount": -(-len(found) // max(1, size))}
    whole = renderer.version.gist_addresses != ""
    address = renderer.base_url + path if whole else path.removeprefix("/api")
    pairs = [(key, value) for key, value in query.multi_items() if key != "page"]
    full = len(rows) == size or store.version.gist_always_next
    more = page * size < len(found) if totals else full  # without a total a full page promises another
    for key, number, there in (("prevPage", page - 1, page > 1), ("nextPage", page + 1, more)):
        if there:
            asked = [*pairs, ("page", str(number))]
            text = urlencode(asked) if whole else "&".join("=".join(pair) for pair in asked)  # 2.41 leaves it as it is
            pager[key] = f"{address}?{text}"
    return {"pager": pager, query.get("pageListName") or name or resource.plural: rows}
