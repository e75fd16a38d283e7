"""`metadata share`: who may see and change objects, for many at once in one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

from dhis2sh.changes.journal import current
from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.client import schema
from dhis2sh.client.sharing import Sharing
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import chosen
from dhis2sh.metadata.parameters import All, Filter, Some, Type
from dhis2sh.metadata.sharing import ACCESS, FIELDS, plan_sharing, wanted_sharing, without_data
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs.declaration import Doc, applies, verb


@verb(
    "metadata share",
    effect="write",
    examples=[
        "dhis2 metadata share dataElements --filter name:like:BCG --public r --dry-run",
        "dhis2 metadata share programs 'Child Programme' --tree --group 'Child Health=rw/rw' --dry-run",
    ],
)
async def share(
    s: Session,
    type: Type,
    objects: Some = None,
    *,
    public: Annotated[str | None, Doc(f"Access of everybody: {ACCESS}.")] = None,
    user: Annotated[list[str], Doc(f"USER=ACCESS: {ACCESS}; may be repeated.")] = [],
    group: Annotated[list[str], Doc(f"USER GROUP=ACCESS: {ACCESS}; may be repeated.")] = [],
    overwrite: Annotated[bool, Doc("Take out the users and groups that are not named.")] = False,
    tree: Annotated[bool, Doc("What belongs to it too: stages, elements, attributes, option sets.")] = False,
    filter: Filter = [],
    all: All = False,
) -> Plan:
    """Set who may see and change objects. Says which are right already, and which this user may not change.

    Access that is not named stays, unless --overwrite. Data access is left out for types that have none.

    API source: `PATCH /api/{type}/sharing`, `PATCH /api/metadata/sharing`.
    """
    if public is None and not user and not group and not overwrite:
        raise UsageError("share with whom?", hint="--public r, --group 'Child Health=rw', --user admin=rw/rw")
    resource = await schema.resource_of(s.client, type)
    wanted = await wanted_sharing(s, public, user, group, overwrite=overwrite)
    found = await chosen(s, resource, objects, filter, everything=all, fields=FIELDS)
    return await plan_sharing(s, resource, found, wanted, tree=tree)


@applies(share)
async def _(s: Session, plan: Plan) -> WriteSummary:
    payload, wanted, with_data = cast("tuple[writes.Payload, Sharing, Mapping[str, bool]]", plan.payload)
    summary = WriteSummary("sharing", note=writes.said(payload.notes))
    entry = current()
    for data in (True, False):
        numbers = [n for n, write in enumerate(payload.writes) if with_data[write.plural] is data]
        objects: dict[str, list[str]] = {}
        for number in numbers:
            objects.setdefault(payload.writes[number].plural, []).append(payload.writes[number].uid)
        if not objects:
            continue
        entry.sent(numbers)
        result = await s.client.sharing.apply(objects, wanted if data else without_data(wanted))
        written = set(result.uids)
        entry.done([n for n in numbers if payload.writes[n].uid in written])
        reasons = {row.uid: row for row in result.failures}
        for number in numbers:
            write = payload.writes[number]
            if write.uid not in written:
                row = reasons.get(write.uid)
                reason = row.message if row else "the server did not write it"
                entry.refused(number, reason)
                failure: JsonObject = {"type": write.plural, "uid": write.uid, "name": write.name, "message": reason}
                summary.failures.append({**failure, "code": cast("JsonValue", row.code if row else None)})
        summary.updated += len(written)
        summary.ignored += result.count.ignored
        summary.uids += result.uids
    return summary
