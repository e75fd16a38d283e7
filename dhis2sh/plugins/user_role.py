"""`user-role`: what roles give, and changes to that. Properties of a role are `metadata user-roles`."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client.authorities import descriptions
from dhis2sh.errors import NotFound
from dhis2sh.instance import people, roles
from dhis2sh.metadata.objects.updating import plan_update
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Refers, verb

Role = Annotated[str, Doc("The role: UID, code or name."), Refers(people.ROLES)]
Authorities = Annotated[list[str], Doc("Authorities, by code or name.")]


@verb(
    "user-role authorities list",
    effect="read",
    examples=["dhis2 user-role authorities list Superuser", "dhis2 user-role authorities list"],
)
async def list_(
    s: Session,
    role: Annotated[str | None, Doc("Of this role; every authority there is without it."), Refers(people.ROLES)] = None,
) -> Rows[Row]:
    """List the authorities that a role gives, or all that the server knows, with their names.

    API source: `GET /api/authorities`, `GET /api/userRoles/{uid}`.
    """
    named = await descriptions(s.client)
    codes = await roles.authorities(s, role) if role else [*named]
    return Rows([{"authority": code, "name": named.get(code)} for code in sorted(codes)], columns=("authority", "name"))


@verb(
    "user-role authorities add",
    effect="write",
    examples=["dhis2 user-role authorities add 'Data entry clerk' F_DATAVALUE_ADD"],
)
async def add(s: Session, role: Role, authorities: Authorities) -> Plan:
    """Give a role more authorities; `undo` takes them away again.

    API source: `PATCH /api/userRoles/{uid}`.
    """
    now = await roles.authorities(s, role)
    return await _plan(s, role, now | set(authorities))


@verb(
    "user-role authorities remove",
    effect="write",
    examples=["dhis2 user-role authorities remove 'Data entry clerk' F_DATAVALUE_ADD"],
)
async def remove(s: Session, role: Role, authorities: Authorities) -> Plan:
    """Take authorities away from a role; one that it has not is refused. `undo` gives them back.

    API source: `PATCH /api/userRoles/{uid}`.
    """
    return await _plan(s, role, await roles.without(s, role, authorities))


@verb(
    "user-role authorities set",
    effect="write",
    examples=["dhis2 user-role authorities set 'Data entry clerk' F_DATAVALUE_ADD M_dhis-web-aggregate-data-entry"],
)
async def set_(s: Session, role: Role, authorities: Authorities) -> Plan:
    """Give a role exactly these authorities; `undo` brings the others back.

    API source: `PATCH /api/userRoles/{uid}`.
    """
    return await _plan(s, role, set(authorities))


@verb("user-role diff", effect="read", examples=["dhis2 user-role diff 'Data entry clerk' Superuser"])
async def diff(s: Session, left: Role, right: Role) -> Rows[Row]:
    """List what one role gives and the other does not, in both directions.

    API source: `GET /api/userRoles`.
    """
    there = {str(role["id"]): role for role in await people.roles(s, [left, right])}
    if missing := [uid for uid in (left, right) if uid not in there]:
        raise NotFound(f"there is no user role {missing[0]}", hint="dhis2 metadata list userRoles")
    one, other = [(str(there[uid].get("displayName")), people.may_of([there[uid]])) for uid in (left, right)]
    found = people.difference(one, other, await descriptions(s.client))
    return Rows([{key: row[key] for key in roles.DIFFERENCE} for row in found], columns=roles.DIFFERENCE)


async def _plan(s: Session, role: str, authorities: set[str]) -> Plan:
    return await plan_update(s, people.ROLES, role, {"authorities": cast("JsonValue", sorted(authorities))})
