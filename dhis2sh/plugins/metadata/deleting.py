"""`metadata delete`: what is deleted, what points to it, and what held it."""

from __future__ import annotations

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.dhis2.ordering import leaves_first
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import uids_of
from dhis2sh.metadata.objects.deleting import blocking, deleted_with, gone_with_it, holding
from dhis2sh.metadata.parameters import Objects, Type
from dhis2sh.metadata.writes import Write, called
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import verb


@verb(
    "metadata delete",
    effect="destroy",
    examples=[
        "dhis2 metadata delete dataElementGroups 'Old group' --dry-run",
        "%metadata list dataElements --filter name:like:Old | metadata.delete()",
    ],
)
async def delete(s: Session, type: Type, objects: Objects) -> Plan:
    """Delete objects. The plan shows what points to them and offers the order: those that are pointed to go last.

    A server refuses to delete what is in use (E4030).

    API source: `DELETE /api/{type}/{uid}`, `POST /api/metadata?importStrategy=DELETE`.
    """
    resource = await schema.resource_of(s.client, type)
    found = await writes.read_objects(s, resource.plural, uids_of(objects))
    notes = await blocking(s, resource, found) if found else []
    ordered = leaves_first(resource, found)
    what = f"{len(found):,} {resource.plural}" if len(found) != 1 else f"{resource.singular} {called(found[0])}"
    holders = await holding(s, resource, found) if found else {}
    parts = await deleted_with(s, resource.plural, [str(item["id"]) for item in found])
    pairs = [
        Write(resource.plural, item, None, holders.get(str(item["id"]), {}), parts.get(str(item["id"]), {}))
        for item in ordered
    ]
    plan = writes.plan(f"delete {what}", pairs, what=resource.plural)
    plan.notes = [*gone_with_it(parts.values()), *notes, *plan.notes]  # of no interest once it is done
    return plan
