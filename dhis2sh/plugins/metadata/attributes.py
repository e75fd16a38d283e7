"""`metadata attribute get|set|find|delete`: values of metadata attributes on objects of any type."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan
from dhis2sh.metadata import writes
from dhis2sh.metadata.attributes import plan_values, values_of, with_attributes
from dhis2sh.metadata.choosing import chosen
from dhis2sh.metadata.parameters import All, Filter, Object, Some, Type
from dhis2sh.rows.rows import PageNote, Rows
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb

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


@verb(
    "metadata attribute get",
    effect="read",
    examples=["dhis2 metadata attribute get dataElements s46m5MS0hxu"],
)
async def get(s: Session, type: Type, uid: Object) -> Rows[AttributeRow]:
    """Show an object's attribute values with the names of the attributes."""
    resource = await with_attributes(s, type)
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
    resource = await with_attributes(s, type)
    narrow = [f"{attribute}:eq:{value}"] if value is not None and "," not in value else []
    found = await writes.read_all(s, resource.plural, narrow, fields="id,displayName,attributeValues")
    rows = [
        ValueRow(id=str(item["id"]), name=cast("str | None", item.get("displayName")), value=known[attribute])
        for item in found
        if attribute in (known := values_of(item)) and value in (None, known[attribute])
    ]
    note = PageNote(min(limit, len(rows)), len(rows), more=f"--limit {len(rows)} for every one")
    return Rows(rows[:limit], columns=["id", "name", "value"], page=note, resource=resource.plural)


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
    resource = await with_attributes(s, type)
    found = await chosen(s, resource, objects, filter, everything=all)
    return await plan_values(s, attribute, value, found, resource)


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
    resource = await with_attributes(s, type)
    found = await chosen(s, resource, objects, filter, everything=all)
    return await plan_values(s, attribute, None, found, resource)
