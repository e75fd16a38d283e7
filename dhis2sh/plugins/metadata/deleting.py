"""`metadata delete`: what is deleted, what points to it, and what held it."""

from __future__ import annotations

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import uids_of
from dhis2sh.metadata.objects.deleting import deletion
from dhis2sh.metadata.parameters import Objects, Type
from dhis2sh.metadata.write import called
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
    """Delete objects. The plan shows what else changes: what goes with them, and what they are taken out of.

    A server refuses to delete what is in use by a single reference, or has data (E4030); out of charts, dashboards and
    groups it takes them without a word. All of that is written down, and comes back with `undo`.

    API source: `DELETE /api/{type}/{uid}`, `POST /api/metadata?importStrategy=DELETE`.
    """
    resource = await schema.resource_of(s.client, type)
    found = await writes.read_objects(s, resource.plural, uids_of(objects))
    what = f"{len(found):,} {resource.plural}" if len(found) != 1 else f"{resource.singular} {called(found[0])}"
    made = await deletion(s, {resource.plural: found})
    plan = writes.plan(f"delete {what}", made.writes, what=resource.plural)
    plan.notes = [*made.notes, *plan.notes]  # of no interest once it is done
    return plan
