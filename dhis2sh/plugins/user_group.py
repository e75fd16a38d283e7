"""`user-group`: who is in a group. Properties of a group are `metadata user-groups`, under this name too."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.instance import people
from dhis2sh.metadata.objects.members import with_members
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Doc, Piped, Refers, verb

Group = Annotated[str, Doc("The group: UID, code or name."), Refers(people.GROUPS)]
Users = Annotated[Rows[Row], Piped(), Doc("Accounts: usernames or UIDs; rows of a pipeline."), Refers(people.USERS)]


@verb("user-group members list", effect="read", examples=["dhis2 user-group members list Administrators"])
async def members(s: Session, group: Group) -> Rows[Row]:
    """List the accounts in a group, with roles, units and the last sign-in.

    API source: `GET /api/userGroups/{uid}`.
    """
    body = await s.client.get_object(f"{people.GROUPS}/{group}", {"fields": f"users[{people.FIELDS}]"})
    found = [people.shown(user) for user in cast("list[JsonObject]", body.get("users") or [])]
    return Rows(found, columns=people.COLUMNS, resource=people.USERS)


@verb("user-group members add", effect="write", examples=["dhis2 user-group members add Administrators anna"])
async def add(s: Session, group: Group, users: Users) -> Plan:
    """Put accounts into a group; who is in it already stays. `undo` takes them out again.

    API source: `PATCH /api/userGroups/{uid}`.
    """
    return await with_members(s, people.GROUPS, group, users, None, adding=True)


@verb("user-group members remove", effect="write", examples=["dhis2 user-group members remove Administrators anna"])
async def remove(s: Session, group: Group, users: Users) -> Plan:
    """Take accounts out of a group; what is shared with it they no longer see. `undo` puts them back.

    API source: `PATCH /api/userGroups/{uid}`.
    """
    return await with_members(s, people.GROUPS, group, users, None, adding=False)
