"""Values of metadata attributes on objects of any type."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.write import Write
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource

GEOJSON = "GEOJSON"
"""The value type of attributes whose values are geometries, as texts of JSON."""


async def with_attributes(s: Session, type: str) -> Resource:
    """The type; raises `UsageError` for one that carries no attributes."""
    resource = await schema.resource_of(s.client, type)
    if "attributeValues" not in resource.properties:
        raise UsageError(f"{resource.plural} carry no attributes", hint="dhis2 metadata types")
    return resource


def values_of(item: JsonObject) -> dict[str, str]:
    """An object's values by the UID of the attribute."""
    found: dict[str, str] = {}
    for entry in cast("list[JsonObject]", item.get("attributeValues") or []):
        attribute = entry.get("attribute")
        if isinstance(attribute, dict):
            found[str(attribute.get("id"))] = str(entry.get("value"))
    return found


def _with_value(item: JsonObject, attribute: str, value: str | None) -> JsonObject:
    """The object with another value of an attribute; without one where it is None."""
    entries = cast("list[JsonValue]", item.get("attributeValues") or [])
    kept = [
        entry
        for entry in entries
        if not (isinstance(entry, dict) and cast("JsonObject", entry.get("attribute") or {}).get("id") == attribute)
    ]
    if values_of(item).get(attribute) == value:
        return item
    added: list[JsonValue] = [] if value is None else [{"value": value, "attribute": {"id": attribute}}]
    return {**item, "attributeValues": kept + added}


async def plan_values(
    s: Session, attribute: str, value: str | None, found: list[JsonObject], resource: Resource
) -> Plan:
    """A plan that gives objects a value of an attribute, or takes it away (None). Raises `UsageError` for one of other types."""
    [known] = await writes.read_objects(s, "attributes", [attribute])
    if value is not None:
        _check_for(known, resource)
    pairs = [Write(resource.plural, item, _with_value(item, attribute, value)) for item in found]
    action = f"set '{known.get('name')}' of" if value is not None else f"take '{known.get('name')}' from"
    return writes.plan(lambda count: f"{action} {count:,} {resource.plural}", pairs, what=resource.plural)


def _check_for(attribute: JsonObject, resource: Resource) -> None:
    """Raise `UsageError` for an attribute of other types."""
    flag = f"{resource.singular}Attribute"
    if attribute.get(flag) is False:
        raise UsageError(
            f"the attribute '{attribute.get('name')}' is not for {resource.plural}",
            hint=f"dhis2 metadata attributes update {attribute['id']} --set {flag}=true",
        )


async def geometry_attribute(s: Session, attribute: str) -> JsonObject:
    """An attribute of organisation units that holds a geometry. Raises `UsageError` for any other."""
    [known] = await writes.read_objects(s, "attributes", [attribute])
    _check_for(known, await schema.resource_of(s.client, "organisationUnits"))
    if known.get("valueType") != GEOJSON:
        raise UsageError(
            f"the attribute '{known.get('name')}' is of value type {known.get('valueType')}, not {GEOJSON}",
            hint=f"dhis2 metadata list attributes --filter valueType:eq:{GEOJSON}",
        )
    return known


def geometry_in(item: JsonObject, attribute: str) -> JsonObject | None:
    """The geometry that is an object's value of an attribute; None where there is none, or no JSON."""
    try:
        found = json.loads(values_of(item).get(attribute, "null"))
    except ValueError:
        return None
    return cast("JsonObject", found) if isinstance(found, dict) else None


def with_geometry(item: JsonObject, attribute: str, shape: JsonObject) -> JsonObject:
    """The object with a geometry as its value of an attribute; the same where it has that one, however it is spelled."""
    if geometry_in(item, attribute) == shape:
        return item
    return _with_value(item, attribute, json.dumps(shape, separators=(",", ":")))
