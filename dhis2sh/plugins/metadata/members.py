"""`metadata members|add|add-members|remove`: what an object holds in a collection: elements of a group, options of a set."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.metadata.collections import Join, collection_of
from dhis2sh.metadata.objects.members import plan_members, with_members
from dhis2sh.metadata.parameters import Object, Type, Which
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, Piped, verb


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


Members = Annotated[Rows[Row], Piped(), Doc("The members: UIDs, codes or unique names; rows of a pipeline.")]


@verb(
    "metadata add",
    effect="write",
    examples=["dhis2 metadata add dataElementGroups 'ANC' 'ANC 1st visit' --dry-run"],
)
async def add(s: Session, type: Type, uid: Object, items: Members, *, property: Which = None) -> Plan:
    """Add members to an object; those that are there already stay.

    Stages, options, rule actions, sections and notification templates belong to one object alone: they leave the one that
    has them now, which the plan names.

    API source: `PATCH /api/{type}/{uid}`.
    """
    return await with_members(s, type, uid, items, property, adding=True)


@verb(
    "metadata add-members",
    effect="write",
    examples=["dhis2 metadata add-members organisationUnitGroups members.csv --dry-run"],
)
async def add_members(
    s: Session,
    type: Type,
    file: Annotated[
        Source,
        Doc("A table of two columns, group and member, by UID, code or unique name; - is stdin."),
        Complete("files"),
    ],
    *,
    property: Which = None,
) -> Plan:
    """Add members to many objects: a row for each, as in DHIS2's own CSV files of members. Those that are there already stay.

    API source: `PATCH /api/{type}/{uid}`, `POST /api/metadata?importStrategy=UPDATE`.
    """
    return await plan_members(s, type, file, property)


@verb(
    "metadata remove",
    effect="write",
    examples=["dhis2 metadata remove dataElementGroups 'ANC' 'ANC 1st visit' --dry-run"],
)
async def remove(s: Session, type: Type, uid: Object, items: Members, *, property: Which = None) -> Plan:
    """Take members out of an object; the members themselves stay, but for those that a server deletes when nobody holds them.

    Rule actions and sections of stages are deleted then, which the plan says; options and stages belong to nothing.

    API source: `PATCH /api/{type}/{uid}`.
    """
    return await with_members(s, type, uid, items, property, adding=False)
