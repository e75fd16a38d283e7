"""`metadata members|add|remove`: what an object holds in a collection: elements of a group, options of a set."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.membership import Join, collection_of, references_of
from dhis2sh.metadata.writes import Write, called
from dhis2sh.plugins.metadata.writing import Object, Type
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Piped, verb

Which = Annotated[str | None, Doc("Which collection, where a type has several.")]


@verb(
    "metadata members",
    effect="read",
    examples=[
        "dhis2 metadata members dataElementGroups 'ANC'",
        "dhis2 metadata members dataSets 'Vaccine stock'",
        "%metadata members dataElementGroups ANC | select(name)",
    ],
)
async def members(s: Session, type: Type, uid: Object, *, property: Which = None) -> Rows[Row]:
    """List the members of an object: the data elements of a group or a data set, the options of a set, the units of a program.

    Where a row says more of a member than which it is (the data elements of a data set or of a program stage, the
    attributes of a program or of a tracked entity type), so do the columns.

    API source: `GET /api/{type}/{uid}?fields={property}[id,code,displayName]`.
    """
    resource = await schema.resource_of(s.client, type)
    found = collection_of(resource, property)
    fields, more = "id,code,name,displayName", list[str]()
    if isinstance(found, Join):
        fields, more = ",".join([f"{found.item}[{fields}]", *found.says]), found.columns()
    name = found.property if isinstance(found, Join) else found.name
    body = await s.client.get_object(f"{resource.plural}/{uid}", {"fields": f"{name}[{fields}]"})
    rows = cast("list[Row]", body.get(name) or [])
    if isinstance(found, Join):
        rows = [{**cast("Row", row[found.item]), **{key: row.get(key) for key in more}} for row in rows]
    return Rows(rows, columns=["id", "displayName", "code", *more], resource=found.target)


async def with_members(
    s: Session, type: str, uid: str, items: Rows[Row], property: str | None, *, adding: bool
) -> Plan:
    """A plan that adds members to a collection of an object, or takes them out.

    Parameters:
        type, uid: the object.
        items: the members, by UID, code or unique name.
        property: the collection, where the type has several.
    """
    from dhis2sh.verbs import names

    resource = await schema.resource_of(s.client, type)
    prop = references_of(resource, property, "add" if adding else "remove")
    texts = [str(row.get("id") or "") for row in items.plain()]
    if not all(texts) or not texts:
        raise UsageError("which members?", hint="UIDs, codes or unique names, or rows of a pipeline")
    resolved = await names.resolve_all(s, cast("str", prop.target), texts)
    wanted = list(dict.fromkeys(resolved[text] for text in texts))
    [before] = await writes.read_objects(s, resource.plural, [uid])
    have = list(cast("list[JsonObject]", before.get(prop.name) or []))
    uids = {str(item.get("id")) for item in have}
    if adding:
        after = have + [cast("JsonObject", {"id": member}) for member in wanted if member not in uids]
        right = sum(member in uids for member in wanted)
    else:
        after = [item for item in have if str(item.get("id")) not in wanted]
        right = sum(member not in uids for member in wanted)
    is_ = "is" if right == 1 else "are"
    notes = [f"{right:,} {is_} {'there already' if adding else 'not there'}"] if right else []
    count = abs(len(after) - len(have))
    word = "add" if adding else "remove"
    where = f"{'to' if adding else 'from'} {prop.name} of {resource.singular} {called(before)}"
    changed = [Write(resource.plural, before, {**before, prop.name: cast("JsonValue", after)})] if count else []
    title = f"{word} {count:,} {where}" if count else f"nothing to {word} {where}"
    return writes.plan(title, changed, what=resource.plural, notes=notes)


Members = Annotated[Rows[Row], Piped(), Doc("The members: UIDs, codes or unique names; rows of a pipeline.")]


@verb(
    "metadata add",
    effect="write",
    examples=["dhis2 metadata add dataElementGroups 'ANC' 'ANC 1st visit' --dry-run"],
)
async def add(s: Session, type: Type, uid: Object, items: Members, *, property: Which = None) -> Plan:
    """Add members to an object; those that are there already stay.

    API source: `PATCH /api/{type}/{uid}`.
    """
    return await with_members(s, type, uid, items, property, adding=True)


@verb(
    "metadata remove",
    effect="write",
    examples=["dhis2 metadata remove dataElementGroups 'ANC' 'ANC 1st visit' --dry-run"],
)
async def remove(s: Session, type: Type, uid: Object, items: Members, *, property: Which = None) -> Plan:
    """Take members out of an object; the members themselves stay.

    API source: `PATCH /api/{type}/{uid}`.
    """
    return await with_members(s, type, uid, items, property, adding=False)
