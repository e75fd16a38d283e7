"""Values of metadata attributes on objects of any type."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.writes import Write
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


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
    flag = f"{resource.singular}Attribute"
    if value is not None and known.get(flag) is False:
        raise UsageError(
            f"the attribute '{known.get('name')}' is not for {resource.plural}",
            hint=f"dhis2 metadata attributes update {attribute} --set {flag}=true",
        )
    pairs = [Write(resource.plural, item, _with_value(item, attribute, value)) for item in found]
    action = f"set '{known.get('name')}' of" if value is not None else f"take '{known.get('name')}' from"
    return writes.plan(lambda count: f"{action} {count:,} {resource.plural}", pairs, what=resource.plural)
