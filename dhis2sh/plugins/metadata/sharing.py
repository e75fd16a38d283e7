"""`metadata share`: who may see and change objects, for many at once in one request."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata.choosing import chosen, of_their_types
from dhis2sh.metadata.parameters import All, Filter, Some
from dhis2sh.metadata.sharing import ACCESS, FIELDS, plan_sharing, wanted_sharing
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, verb


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
    type: Annotated[
        str | None,
        Doc("The type's plural, such as dataElements; piped rows that say their types need none."),
        Complete("types"),
    ] = None,
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

    Access that is not named stays, unless --overwrite. Data access is left out for types that have none. Rows of several
    types are shared in one plan: `metadata search malaria | metadata.share(public='r/r')`. Access without a slash is none to data:
    whom that takes data from is noted.

    API source: `PATCH /api/{type}/sharing`, `PATCH /api/metadata/sharing`.
    """
    if public is None and not user and not group and not overwrite:
        raise UsageError("share with whom?", hint="--public r, --group 'Child Health=rw', --user admin=rw/rw")
    if type is None and (objects is None or filter or all):
        raise UsageError("share what?", hint=_WHAT)
    wanted = await wanted_sharing(s, public, user, group, overwrite=overwrite)
    if type is None:
        found = await of_their_types(s, objects or Rows[Row]([]), fields=FIELDS)
    else:
        resource = await schema.resource_of(s.client, type)
        found = {resource.plural: await chosen(s, resource, objects, filter, everything=all, fields=FIELDS)}
    return await plan_sharing(s, found, wanted, tree=tree)


_WHAT = "dhis2 metadata share dataElements --filter name:like:BCG --public r"
