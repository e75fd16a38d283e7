"""Facts of each DHIS2 version that the product needs while it runs: what `/api/schemas` of that server says.

Standard library only, lazy and cached, cheap to import (no dataclasses: `inspect`, which they need, costs more than
everything else here, and completion asks at each press of Tab).

    VERSIONS                     ('v40', ..., 'v44')
    resources('v42')             {'dataElements': Resource(...), ...}: what has an endpoint
    types('v42')                 the same and the embedded types ('translations', 'programStageDataElements', ...)
    resources('v42')['dataElements'].properties['valueType'].constants
    schemas('v42', base_url)     the whole answer of `GET /api/schemas`, as the server gave it

`schemas` is the server's own word; `resources` and `types` are the same facts,
keyed by the names that stand on the wire. Treat all of it as read only: it is shared.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import dhis2_models

from dhis2sh.types import JsonObject, JsonValue

VERSIONS: tuple[str, ...] = ("v40", "v41", "v42", "v43", "v44")

# One letter per true flag of a property in resources.json.
FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "a": "attribute",
        "g": "gist",
        "m": "many_to_many",
        "o": "owner",
        "p": "persisted",
        "q": "required",
        "r": "readable",
        "s": "simple",
        "t": "translatable",
        "u": "unique",
        "w": "writable",
        "x": "sortable",
        "z": "ordered",
    }
)


type Facts = dict[str, Any]
"""A table as codegen writes it, compact: only this module and `codegen` read it."""


class Property(NamedTuple):
    """One property of a type, under the name that it has on the wire.

    `kind` is DHIS2's propertyType: TEXT, IDENTIFIER, URL, EMAIL, PASSWORD, PHONENUMBER, COLOR, GEOLOCATION, INTEGER,
    NUMBER, BOOLEAN, DATE, CONSTANT (see `constants`), REFERENCE (an object with an id of its own, in `target`), COMPLEX
    (embedded) or COLLECTION (of `item_kind`). Where a server's propertyType contradicts the rest of what it says of the
    property (some lists have that of their items), it is the one that the wire bears out.
    """

    name: str
    kind: str
    klass: str  # Java class of the value; of a collection, the collection's class
    schema_name: str  # `name` in /api/schemas: of a collection the singular
    field_name: str | None  # the Java field
    item_kind: str | None = None  # kind of the items of a collection
    item_klass: str | None = None
    target: str | None = None  # plural of the type that is referred to or embedded, where it has a schema
    constants: tuple[str, ...] = ()  # the values of an enum, in the server's order
    enum: str | None = None  # name of the generated StrEnum
    min: float | None = None
    max: float | None = None
    length: int | None = None
    translation_key: str | None = None
    owning_role: str | None = None  # 'klass.field' on the side of a relation that is saved
    inverse_role: str | None = None
    attribute: bool = False  # an attribute in XML
    gist: bool = False  # left out of gist lists unless asked for
    many_to_many: bool = False
    owner: bool = False  # part of `fields=:owner`, saved with this object
    persisted: bool = False
    required: bool = False
    readable: bool = False
    simple: bool = False  # part of `fields=:simple`
    translatable: bool = False
    unique: bool = False
    writable: bool = False
    sortable: bool = False  # always False in v40, which does not say
    ordered: bool = False

    @property
    def collection(self) -> bool:
        """Is the value a list?"""
        return self.item_kind is not None

    @property
    def reference(self) -> bool:
        """Does the value (or each item) refer to an object with an id of its own?"""
        return "REFERENCE" in (self.kind, self.item_kind)


class Resource(NamedTuple):
    """One type of object: its names, what can be done with it, and its properties by wire name."""

    plural: str  # key of `resources`, of the list in an answer, and of /api/metadata
    singular: str
    klass: str  # Java class, 'org.hisp.dhis.dataelement.DataElement'
    display_name: str
    endpoint: str | None  # below /api, '/dataElements'; None for an embedded type
    model: str  # name of the generated class
    order: int  # place in a metadata import: lower is imported first
    properties: Mapping[str, Property]
    authorities: Mapping[str, tuple[str, ...]] = MappingProxyType({})  # CREATE_PUBLIC: (F_..., )
    metadata: bool = False  # part of /api/metadata
    secondary_metadata: bool = False
    identifiable: bool = False
    nameable: bool = False
    embedded: bool = False
    persisted: bool = False
    shareable: bool = False
    data_shareable: bool = False
    data_read_shareable: bool = False
    data_write_shareable: bool = False
    translatable: bool = False
    subscribable: bool = False
    favoritable: bool = False
    default_private: bool = False
    implicit_private_authority: bool = False

    def __repr__(self) -> str:
        """Short: a type has some forty properties."""
        return f"<Resource {self.plural}>"

    @property
    def in_bundles(self) -> bool:
        """Does `/api/metadata` take objects of the type? Schemas give calculations (`expressionDimensionItems`) no address,
        and every server has them at the usual one."""
        return self.endpoint is not None or (self.metadata and not self.embedded)

    @property
    def owner(self) -> tuple[str, ...]:
        """What `fields=:owner` gives."""
        return tuple(name for name, p in self.properties.items() if p.owner)

    @property
    def required(self) -> tuple[str, ...]:
        """What the server wants when an object is created."""
        return tuple(name for name, p in self.properties.items() if p.required)

    @property
    def unique(self) -> tuple[str, ...]:
        """What no two objects of this type share."""
        return tuple(name for name, p in self.properties.items() if p.unique)

    @property
    def enums(self) -> dict[str, tuple[str, ...]]:
        """The constants of each property that has some."""
        return {name: p.constants for name, p in self.properties.items() if p.constants}

    @property
    def references(self) -> dict[str, str]:
        """The plural of the type that each referring property points to; collections too."""
        return {name: p.target for name, p in self.properties.items() if p.reference and p.target}

    @property
    def collections(self) -> tuple[str, ...]:
        """The properties that are lists."""
        return tuple(name for name, p in self.properties.items() if p.collection)


class _Table(Mapping[str, Resource]):
    """Types by plural, each built when it is first asked for: nobody needs all three thousand properties at once."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._rows: dict[str, dict[str, Any]] = {row["plural"]: row for row in data["types"]}
        self._built: dict[str, Resource] = {}

    def with_endpoint(self) -> "_Table":
        """The same table without the embedded types; what is built in one is there in both."""
        table = _Table(self._data | {"types": [row for row in self._rows.values() if row["endpoint"]]})
        table._built = self._built
        return table

    def __getitem__(self, plural: str) -> Resource:
        row = self._rows[plural]
        if plural not in self._built:
            self._built[plural] = _resource(row, self._data)
        return self._built[plural]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, plural: object) -> bool:
        return plural in self._rows


@cache
def types(version: str) -> _Table:
    """Every type that the server describes, embedded ones too, by plural.

    Parameters:
        version: one of VERSIONS.

    Raises:
        KeyError: no facts of this version are shipped.
    """
    return _Table(_load(version, "resources.json"))


@cache
def resources(version: str) -> Mapping[str, Resource]:
    """The types that have an endpoint, by plural; parameters and errors as `types`."""
    return types(version).with_endpoint()


@lru_cache(maxsize=8)
def schemas(version: str, base_url: str = "") -> JsonObject:
    """What `GET /api/schemas` of this version answers.

    Parameters:
        version: one of VERSIONS.
        base_url: scheme, host and context path for `href` and `apiEndpoint`, without `/api` and without a slash at the end.

    Raises:
        KeyError: no facts of this version are shipped.
    """
    return expand(_load(version, "schemas.json"), base_url)


def expand(data: Facts, base_url: str = "") -> JsonObject:
    """Rebuild the whole answer from the compact form of schemas.json."""
    heads = {row["klass"]: expand_head(row, data) for row in data["schemas"]}
    out: list[JsonValue] = []
    for row in data["schemas"]:
        head = dict(heads[row["klass"]])
        head["properties"] = [_based(expand_property(p, heads, data), base_url) for p in row["properties"]]
        out.append(_based(head, base_url))
    return {"schemas": out}


def expand_head(row: Facts, data: Facts) -> Facts:
    """One schema without its properties: the stored deviations on top of what follows from its name."""
    head: dict[str, Any] = data["schemaDefaults"] | row
    head.pop("properties", None)
    singular = head["singular"]
    plural = head.setdefault("plural", singular + "s")
    head.setdefault("collectionName", plural)
    head.setdefault("name", singular)
    head.setdefault(
        "displayName", "".join(" " + c if c.isupper() else c for c in singular[0].upper() + singular[1:])[1:]
    )
    head.setdefault("href", "/api/schemas/" + singular)
    endpoint = head.setdefault("relativeApiEndpoint", "/" + plural)
    head.setdefault("apiEndpoint", None if endpoint is None else "/api" + endpoint)
    return {k: v for k, v in head.items() if v is not None}


def expand_property(row: Facts | str, heads: dict[str, Facts], data: Facts) -> Facts:
    """One property: the stored deviations on top of what its propertyType, name and class make likely."""
    own: dict[str, Any] = data["commonProperties"][row] if isinstance(row, str) else row  # a name: as in most types
    p: dict[str, Any] = data["propertyDefaults"].get(own["propertyType"], {}) | own
    name = p["name"]
    if "itemKlass" in p:
        p.setdefault("collectionName", name + "s")
    p.setdefault("fieldName", p.get("collectionName", name))
    if "translationKey" in p:
        p.setdefault("i18nTranslationKey", p["translationKey"].lower())
    p.setdefault("constants", data["constants"].get(p.get("itemKlass", p["klass"])))
    if p.get("identifiableObject") and p["klass"] in heads:
        for key in ("href", "relativeApiEndpoint", "apiEndpoint"):
            p.setdefault(key, heads[p["klass"]].get(key))
    if isinstance(p.get("description"), int):
        p["description"] = data["descriptions"][p["description"]]
    return {k: v for k, v in p.items() if v is not None}


def _based(row: dict[str, Any], base_url: str) -> dict[str, Any]:
    for key in ("href", "apiEndpoint"):
        if key in row:
            row[key] = base_url + row[key]
    return row


def _load(version: str, name: str) -> dict[str, Any]:
    if version not in VERSIONS:
        raise KeyError(f"no facts of DHIS2 {version}; there are {', '.join(VERSIONS)}")
    return json.loads(Path(dhis2_models.__path__[0], version, name).read_bytes())


def _resource(row: dict[str, Any], data: dict[str, Any]) -> Resource:
    values: dict[str, Any] = row | dict.fromkeys(row["flags"], True)
    del values["flags"]
    values["properties"] = MappingProxyType({name: _property(name, p, data) for name, p in row["properties"].items()})
    values["authorities"] = MappingProxyType({k: tuple(v) for k, v in row.get("authorities", {}).items()})
    return Resource(**values)


def _property(name: str, row: dict[str, Any] | None, data: dict[str, Any]) -> Property:
    own: dict[str, Any] = data["common"][name] if row is None else row  # null: as in most types
    usual = {"klass": "java.lang.String", "schema_name": name, "field_name": name}
    values: dict[str, Any] = usual | own | {FLAGS[letter]: True for letter in own["flags"]}
    del values["flags"]
    return Property(name=name, constants=tuple(data["enums"].get(own.get("enum"), ())), **values)
