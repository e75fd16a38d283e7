"""`metadata share`: who may see and change objects, for many at once in one request."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata.choosing import chosen
from dhis2sh.metadata.parameters import All, Filter, Some, Type
from dhis2sh.metadata.sharing import ACCESS, FIELDS, plan_sharing, wanted_sharing
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Doc, verb


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
