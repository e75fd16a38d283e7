"""`metadata attribute get|set|find|delete`: values of metadata attributes on objects of any type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.writes import Write
from dhis2sh.plugins.metadata.bulk import All, Filter, Some, chosen
from dhis2sh.plugins.metadata.writing import Object, Type
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

Attribute = Annotated[str, Doc("The attribute: UID, code or unique name."), Refers("attributes")]


class AttributeRow(BaseModel):
    """One attribute's value of one object."""

    id: str
    name: str
    attribute: str
    attribute_name: str
    value: str


class ValueRow(BaseModel):
    """An object and its value of the attribute that was asked for."""

    id: str
    name: str | None
    value: str | None


async def _with_attributes(s: Session, type: str) -> Resource:
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


@verb(
    "metadata attribute get",
    effect="read",
    examples=["dhis2 metadata attribute get dataElements s46m5MS0hxu"],
)
async def get(s: Session, type: Type, uid: Object) -> Rows[AttributeRow]:
    """Show an object's attribute values with the names of the attributes."""
    resource = await _with_attributes(s, type)
    [item] = await writes.read_objects(s, resource.plural, [uid], fields="id,displayName,attributeValues")
    known = values_of(item)
    # a server keeps values by the attribute's UID and gives no names with them
    named = await writes.read_objects(s, "attributes", [*known], fields="id,displayName", missing_is_fine=True)
    called = {str(attribute["id"]): str(attribute.get("displayName")) for attribute in named}
    name = str(item.get("displayName") or "")
    rows = [
        AttributeRow(id=uid, name=name, attribute=key, attribute_name=called.get(key, ""), value=value)
        for key, value in known.items()
    ]
    return Rows(rows, columns=["attribute_name", "value", "attribute"])


@verb(
    "metadata attribute find",
    effect="read",
    examples=[
        "dhis2 metadata attribute find dataElements 'PEPFAR ID' 1234",
        "%metadata attribute find dataElements KE",
    ],
)
async def find(
    s: Session,
    type: Type,
    attribute: Attribute,
    value: Annotated[str | None, Doc("Only objects with this value; all that have one without it.")] = None,
    *,
    limit: Annotated[int, Bounds(1), Doc("At the most so many.")] = 1000,
) -> Rows[ValueRow]:
    """Find objects of a type by an attribute's value.

    API source: `GET /api/{type}?filter={attribute}:eq:{value}`.
    """
    resource = await _with_attributes(s, type)
    narrow = [f"{attribute}:eq:{value}"] if value is not None and "," not in value else []
    found = await writes.read_all(s, resource.plural, narrow, fields="id,displayName,attributeValues")
    rows = [
        ValueRow(id=str(item["id"]), name=cast("str | None", item.get("displayName")), value=known[attribute])
        for item in found
        if attribute in (known := values_of(item)) and value in (None, known[attribute])
    ]
    return Rows(rows[:limit], columns=["id", "name", "value"], resource=resource.plural)


def with_value(item: JsonObject, attribute: str, value: str | None) -> JsonObject:
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


async def _changed(s: Session, attribute: str, value: str | None, found: list[JsonObject], resource: Resource) -> Plan:
    [known] = await writes.read_objects(s, "attributes", [attribute])
    flag = f"{resource.singular}Attribute"
    if value is not None and known.get(flag) is False:
        raise UsageError(
            f"the attribute '{known.get('name')}' is not for {resource.plural}",
            hint=f"dhis2 metadata attributes update {attribute} --set {flag}=true",
        )
    pairs = [Write(resource.plural, item, with_value(item, attribute, value)) for item in found]
    action = f"set '{known.get('name')}' of" if value is not None else f"take '{known.get('name')}' from"
    return writes.plan(lambda count: f"{action} {count:,} {resource.plural}", pairs, what=resource.plural)


@verb(
    "metadata attribute set",
    effect="write",
    examples=["dhis2 metadata attribute set dataElements KE 'new value' s46m5MS0hxu --dry-run"],
)
async def set_(
    s: Session,
    type: Type,
    attribute: Attribute,
    value: Annotated[str, Doc("The value.")],
    objects: Some = None,
    *,
    filter: Filter = [],
    all: All = False,
) -> Plan:
    """Give objects a value of an attribute.

    API source: `PATCH /api/{type}/{uid}`, `POST /api/metadata?importStrategy=UPDATE`.
    """
    resource = await _with_attributes(s, type)
    found = await chosen(s, resource, objects, filter, everything=all)
    return await _changed(s, attribute, value, found, resource)


@verb(
    "metadata attribute delete",
    effect="destroy",
    examples=["dhis2 metadata attribute delete dataElements KE s46m5MS0hxu --dry-run"],
)
async def delete(
    s: Session, type: Type, attribute: Attribute, objects: Some = None, *, filter: Filter = [], all: All = False
) -> Plan:
    """Take the value of an attribute away from objects.

    API source: `PATCH /api/{type}/{uid}`, `POST /api/metadata?importStrategy=UPDATE`.
    """
    resource = await _with_attributes(s, type)
    found = await chosen(s, resource, objects, filter, everything=all)
    return await _changed(s, attribute, None, found, resource)
