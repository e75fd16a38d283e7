"""`/api/schemas`: the compact manifest of a server's answer, and the table of resources made from it.

The manifest holds only what cannot be derived again by `dhis2sh.models.facts.expand`; it is made by trying to leave out
each fact in turn, so the rules of derivation stand in one place.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Any, cast

from codegen.errors import CodegenError
from dhis2sh.models import facts

type Facts = dict[str, Any]

_BASED = ("href", "apiEndpoint")


def distil_schemas(answer: Facts) -> Facts:
    """The manifest of what `GET /api/schemas` answered.

    Parameters:
        answer: the decoded JSON of the whole answer.

    Raises:
        CodegenError: it is no answer of /api/schemas, or a type or property has no name; the message says which.
    """
    if not isinstance(answer.get("schemas"), list):
        raise CodegenError("not an answer of /api/schemas: it has no list 'schemas'")
    for number, schema in enumerate(answer["schemas"]):
        _require(f"schemas[{number}]", schema, _NEEDED)
        for place, p in enumerate(schema["properties"]):
            _require(f"schemas[{number}] {schema['klass']}, properties[{place}]", p, _NEEDED_OF_PROPERTY)
    twice = [klass for klass, count in Counter(s["klass"] for s in answer["schemas"]).items() if count > 1]
    if twice:
        raise CodegenError(f"schemas: the class {twice[0]!r} is described twice")
    schemas = [_without_base(s) for s in cast("list[Facts]", answer["schemas"])]
    properties = [p for s in schemas for p in s["properties"]]
    by_type: dict[str, list[Facts]] = defaultdict(list)
    for p in properties:
        by_type[p["propertyType"]].append(p)
    data: Facts = {
        "constants": {p.get("itemKlass", p["klass"]): p["constants"] for p in properties if "constants" in p},
        "commonProperties": {},
        "descriptions": sorted({p["description"] for p in properties if "description" in p}),
        "propertyDefaults": {kind: _usual(group, _DERIVED_PROPERTY) for kind, group in sorted(by_type.items())},
        "schemaDefaults": _usual(schemas, _DERIVED_SCHEMA),
    }
    data["constants"] = dict(sorted(data["constants"].items()))
    heads = {s["klass"]: {k: v for k, v in s.items() if k != "properties"} for s in schemas}
    data["schemas"] = [
        _compact(head, partial(_expand_head, data), ("klass", "singular"), data["schemaDefaults"])
        | {"properties": [_compact_property(p, heads, data) for p in schema["properties"]]}
        for head, schema in zip(heads.values(), schemas, strict=True)
    ]
    return data | _share(data["schemas"])


_NEEDED = {"klass": str, "singular": str, "plural": str, "displayName": str, "order": int, "authorities": list,
           "properties": list}  # fmt: skip
_NEEDED_OF_PROPERTY = {"name": str, "propertyType": str, "klass": str}


def _require(where: str, row: Any, needed: dict[str, type]) -> None:
    if not isinstance(row, dict):
        raise CodegenError(f"{where}: must be an object, not {type(row).__name__}")
    found = cast("Facts", row)
    for key, kind in needed.items():
        if not isinstance(found.get(key), kind) or found[key] == "":
            raise CodegenError(f"{where}: '{key}' is missing, empty or is no {kind.__name__}")
    constants = found.get("constants", ["A"])
    if not (
        isinstance(constants, list) and constants and all(isinstance(c, str) for c in cast("list[Any]", constants))
    ):
        raise CodegenError(f"{where}: 'constants' is no list of texts")
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise CodegenError(f"{where!r} holds half a character: {error.reason}") from error


def _share(schemas: list[Facts]) -> Facts:
    """Write a property that many types have in the same words once, under its name, and only the name in each type."""
    common = _usual_rows((p["name"], p) for s in schemas for p in s["properties"])
    shared = [
        s | {"properties": [p["name"] if common.get(p["name"]) == p else p for p in s["properties"]]} for s in schemas
    ]
    return {"commonProperties": common, "schemas": shared}


def _usual_rows(named: Iterable[tuple[str, Facts]]) -> Facts:
    """The commonest row of each name that stands more than once."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for name, row in named:
        rows[name][json.dumps(row)] += 1
    usual = {name: max(counts.items(), key=lambda item: (item[1], item[0])) for name, counts in rows.items()}
    return {name: json.loads(row) for name, (row, count) in sorted(usual.items()) if count > 1}


_DERIVED_PROPERTY = frozenset(
    [
        "name",
        "propertyType",
        "fieldName",
        "collectionName",
        "constants",
        "href",
        "relativeApiEndpoint",
        "apiEndpoint",
        "itemKlass",
    ]
)
_DERIVED_SCHEMA = frozenset(
    [
        "klass",
        "singular",
        "plural",
        "collectionName",
        "name",
        "displayName",
        "href",
        "relativeApiEndpoint",
        "apiEndpoint",
        "properties",
    ]
)


def _expand_head(data: Facts, row: Facts) -> Facts:
    return facts.expand_head(row, data)


def _expand_property(heads: Facts, data: Facts, row: Facts) -> Facts:
    return facts.expand_property(row, heads, data)


def _without_base(schema: Facts) -> Facts:
    def strip(row: Facts) -> Facts:
        return {k: re.sub(r"^https?://.*?(?=/api/)", "", v) if k in _BASED else v for k, v in row.items()}

    return strip(schema) | {"properties": [strip(p) for p in schema["properties"]]}


def _usual(rows: list[Facts], derived: frozenset[str]) -> Facts:
    """The commonest value of each key, left out where most rows have none."""
    usual: Facts = {}
    for key in sorted({k for row in rows for k in row} - derived):
        values = [row.get(key) for row in rows]
        count = Counter(map(repr, values))
        value = max(values, key=lambda v: (count[repr(v)], repr(v)))
        if value is not None:
            usual[key] = value
    return usual


def _compact_property(full: Facts, heads: Facts, data: Facts) -> Facts:
    row = dict(full)
    if "description" in row:
        row["description"] = data["descriptions"].index(row["description"])
    defaults = data["propertyDefaults"][full["propertyType"]]
    return _compact(row, partial(_expand_property, heads, data), ("name", "propertyType"), defaults, full)


def _compact(row: Facts, expand: Any, keep: tuple[str, ...], defaults: Facts, full: Facts | None = None) -> Facts:
    """The smallest row from which `expand` makes the full one again; null says that a likely fact is absent."""
    full = row if full is None else full
    small = dict.fromkeys((*defaults, "constants", "href", "relativeApiEndpoint", "apiEndpoint"), None) | row
    for key in sorted(small.keys() - {*keep}, reverse=True):
        value = small.pop(key)
        if expand(small) != full:
            small[key] = value
    return dict(sorted(small.items()))


# -- resources.json ------------------------------------------------------------------------------------------------

_RESOURCE_FLAGS = {
    "metadata": "metadata",
    "secondaryMetadata": "secondary_metadata",
    "identifiableObject": "identifiable",
    "nameableObject": "nameable",
    "embeddedObject": "embedded",
    "persisted": "persisted",
    "shareable": "shareable",
    "dataShareable": "data_shareable",
    "dataReadShareable": "data_read_shareable",
    "dataWriteShareable": "data_write_shareable",
    "translatable": "translatable",
    "subscribable": "subscribable",
    "favoritable": "favoritable",
    "defaultPrivate": "default_private",
    "implicitPrivateAuthority": "implicit_private_authority",
}
_SCHEMA_KEY = {"gist": "gistPreferences", "many_to_many": "manyToMany"}


def resource_table(schemas: list[Facts], enum_names: dict[str, str], models: dict[str, str]) -> Facts:
    """The content of resources.json: every type with its properties under their wire names.

    Parameters:
        schemas: the list `schemas` of the whole answer, after patches.
        enum_names: name of the generated StrEnum by Java class.
        models: name of the generated class by Java class.
    """
    plurals = {s["klass"]: s["plural"] for s in schemas}
    enums = {
        enum_names[p.get("itemKlass", p["klass"])]: p["constants"]
        for s in schemas
        for p in s["properties"]
        if "constants" in p
    }
    rows = [_resource_row(s, plurals, enum_names, models) for s in sorted(schemas, key=lambda s: s["plural"])]
    common = _usual_rows((name, p) for row in rows for name, p in row["properties"].items())
    for row in rows:
        row["properties"] = {n: None if common.get(n) == p else p for n, p in row["properties"].items()}
    return {"enums": dict(sorted(enums.items())), "common": common, "types": rows}


def _resource_row(schema: Facts, plurals: dict[str, str], enum_names: dict[str, str], models: dict[str, str]) -> Facts:
    authorities = {a["type"]: a["authorities"] for a in schema["authorities"]}
    row = {
        "plural": schema["plural"],
        "singular": schema["singular"],
        "klass": schema["klass"],
        "display_name": schema["displayName"],
        "endpoint": schema.get("relativeApiEndpoint"),
        "model": models[schema["klass"]],
        "order": schema["order"],
        "flags": [ours for theirs, ours in _RESOURCE_FLAGS.items() if schema.get(theirs)],
    }
    if authorities:
        row["authorities"] = authorities
    properties = {wire_name(p): _property_row(p, plurals, enum_names) for p in schema["properties"]}
    return row | {"properties": dict(sorted(properties.items()))}


_PLAIN = {"java.lang.Boolean": "BOOLEAN", "java.lang.Integer": "INTEGER", "java.lang.Long": "INTEGER"}


def mend_kinds(types: list[Facts]) -> dict[str, list[str]]:
    """Give each property the propertyType that its other facts and the wire agree on, where the schema gives it another.

    Some lists have the propertyType of their items, with `collection: true` beside it; some booleans and numbers are said
    to be TEXT, with their Java class beside it.

    Parameters:
        types: the list `schemas` of the whole answer; changed in place.

    Returns:
        what was changed, as 'Class.property', by the new propertyType.
    """
    changed: dict[str, list[str]] = defaultdict(list)
    for schema in types:
        for p in schema["properties"]:
            kind = "COLLECTION" if p.get("collection") else p["propertyType"]
            kind = _PLAIN.get(p["klass"], kind) if kind == "TEXT" else kind
            if kind != p["propertyType"]:
                p["propertyType"] = kind
                changed[kind].append(f"{schema['klass'].rpartition('.')[2]}.{wire_name(p)}")
    return {kind: sorted(places) for kind, places in sorted(changed.items())}


def mend_constants(types: list[Facts], components: Facts) -> list[str]:
    """Give lists of constants the constants that the schema leaves out, from the OpenAPI component of their class.

    Those of older servers (2.40, 2.41) are written out in place, under no name, and stay unknown.

    Parameters:
        types: the list `schemas` of the whole answer; changed in place.
        components: those of the OpenAPI manifest.

    Returns:
        what was changed, as 'Class.property'.
    """
    changed: list[str] = []
    for schema in types:
        for p in schema["properties"]:
            if p.get("itemPropertyType") != "CONSTANT" or "constants" in p:
                continue
            shape = components.get(str(p.get("itemKlass")).rpartition(".")[2])
            if isinstance(shape, dict) and "enum" in shape:
                p["constants"] = shape["enum"]
                changed.append(f"{schema['klass'].rpartition('.')[2]}.{wire_name(p)}")
    return sorted(changed)


def wire_name(p: Facts) -> str:
    """The key of a property in JSON: the name of the collection, else its own."""
    return p.get("wireName") or p.get("collectionName") or p["name"]


def _property_row(p: Facts, plurals: dict[str, str], enum_names: dict[str, str]) -> Facts:
    wire, item = wire_name(p), p.get("itemKlass")
    row: Facts = {
        "kind": p["propertyType"],
        "klass": p["klass"],
        "schema_name": p["name"],
        "field_name": p.get("fieldName"),
        "item_kind": p.get("itemPropertyType"),
        "item_klass": item,
        "target": plurals.get(item or p["klass"]),
        "enum": enum_names.get(item or p["klass"]) if "constants" in p else None,
        "min": _bound(p.get("min")),
        "max": _bound(p.get("max")),
        "length": p.get("length"),
        "translation_key": p.get("translationKey"),
        "owning_role": p.get("owningRole") if item else None,
        "inverse_role": p.get("inverseRole"),
        "flags": "".join(letter for letter, flag in facts.FLAGS.items() if _flag(p, flag)),
    }
    usual = {"klass": "java.lang.String", "schema_name": wire, "field_name": wire}
    # null is a fact only where the reader would put something else
    return {k: v for k, v in row.items() if v != usual.get(k)}


def _flag(p: Facts, flag: str) -> bool:
    value = p.get(_SCHEMA_KEY.get(flag, flag))
    return value["included"] == "FALSE" if flag == "gist" and value else bool(value)


def _bound(value: float | None) -> int | float | None:
    """A bound as a number that somebody chose; Java's largest double means that there is none."""
    if value is None or abs(value) > 1e300:
        return None
    return int(value) if float(value).is_integer() else value


def class_names(classes: list[str], taken: set[str] | None = None) -> dict[str, str]:
    """A Python name for each Java class: its own, with the package before it where that name is taken.

    Parameters:
        classes: fully qualified names; duplicates are one.
        taken: names that are in use already.
    """
    used, names = set(taken or ()), dict[str, str]()
    for klass in sorted(set(classes)):
        package, _, tail = klass.replace("$", ".").rpartition(".")
        name = tail if tail not in used else package.rpartition(".")[2].capitalize() + tail
        while name in used:
            name += "_"
        used.add(name)
        names[klass] = name
    return names
