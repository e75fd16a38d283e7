"""Who has an account, what each may do, and by which role.

API source: `UserController.java` (api-facts h.9; recorded `people-*`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.client.authorities import descriptions
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

USERS, ROLES, GROUPS, UNITS = "users", "userRoles", "userGroups", "organisationUnits"
ALL = "ALL"
"""The authority that has every other."""
FIELDS = (
    "id,username,displayName,email,lastLogin,created,disabled,userRoles[id,displayName],userGroups[id,displayName],"
    "organisationUnits[id,displayName]"
)
COLUMNS = ("id", "username", "name", "email", "lastLogin", "disabled", "roles", "groups", "orgUnits")


def shown(user: Mapping[str, JsonValue]) -> Row:
    """An account as a row of `COLUMNS`."""
    return {
        "id": user.get("id"), "username": user.get("username"), "name": user.get("displayName"), "email": user.get("email"),
        "lastLogin": user.get("lastLogin"), "disabled": bool(user.get("disabled")), "roles": _names(user, ROLES),
        "groups": _names(user, GROUPS), "orgUnits": _names(user, UNITS),
    }  # fmt: skip


def _names(user: Mapping[str, JsonValue], key: str) -> list[JsonValue]:
    return [*sorted(str(item.get("displayName")) for item in cast("list[JsonObject]", user.get(key) or []))]


async def accounts(s: Session, filters: Sequence[str] = (), fields: str = FIELDS) -> list[JsonObject]:
    """Accounts that the signed-in user may see, all of them."""
    return await reading.all_of(s.client, USERS, filters, fields=fields)


async def account(s: Session, uid: str, fields: str = FIELDS) -> JsonObject:
    """One account. Raises `NotFound`."""
    return await s.client.get_object(f"{USERS}/{uid}", {"fields": fields})


@dataclass(frozen=True, slots=True)
class Quiet:
    """Accounts that have not been used.

    Parameters:
        rows: each with its days; None for never.
        young: accounts younger than that, that have never signed in: they are left out.
    """

    rows: list[Row]
    young: int


async def inactive(s: Session, days: int, today: dt.date) -> Quiet:
    """Accounts that nobody has signed in with for so many days; those that never have too.

    A server's own `inactiveMonths` leaves out who never signed in (recorded), who are most of those that are meant.
    """
    rows: list[Row] = []
    young = 0
    for user in await accounts(s):
        last = _day(user.get("lastLogin"))
        quiet = (today - last).days if last else None
        age = (today - made).days if (made := _day(user.get("created"))) else None
        if quiet is not None and quiet < days:
            continue
        if quiet is None and age is not None and age < days:
            young += 1
            continue
        rows.append({**shown(user), "days": quiet, "created": user.get("created")})
    rows.sort(key=lambda row: (row["days"] is None, -cast("int", row["days"] or 0)))
    return Quiet(rows, young)


def _day(text: JsonValue) -> dt.date | None:
    return dt.date.fromisoformat(text[:10]) if isinstance(text, str) and text else None


# What people may do ----------------------------------------------------------------------------------------------------


async def roles(s: Session, uids: Sequence[str] | None = None) -> list[JsonObject]:
    """User roles with their authorities; all of them without UIDs."""
    fields = "id,displayName,authorities,users[id,username,displayName]"
    if uids is None:
        return await reading.all_of(s.client, ROLES, fields=fields)
    return (await reading.by_uid(s.client, ROLES, uids, fields=fields)).rows


def may_of(roles: Iterable[Mapping[str, JsonValue]]) -> dict[str, list[str]]:
    """Every authority that some roles give, with the names of those that give it."""
    found: dict[str, list[str]] = {}
    for role in roles:
        for authority in cast("list[str]", role.get("authorities") or []):
            found.setdefault(authority, []).append(str(role.get("displayName")))
    return found


async def may_of_account(s: Session, uid: str) -> tuple[str, dict[str, list[str]]]:
    """An account's username and what it may, by which role."""
    user = await account(s, uid, "id,username,userRoles[id]")
    uids = [str(role["id"]) for role in cast("list[JsonObject]", user.get(ROLES) or [])]
    return str(user.get("username")), may_of(await roles(s, uids))


def difference(
    left: tuple[str, Mapping[str, Sequence[str]]],
    right: tuple[str, Mapping[str, Sequence[str]]],
    named: Mapping[str, str],
) -> list[Row]:
    """What one of two may and the other may not, by which role. `ALL` has every authority, so who has it lacks nothing.

    Parameters:
        left, right: each with its name.
        named: the authorities' own names.
    """
    rows: list[Row] = []
    for (name, may), (other, others) in ((left, right), (right, left)):
        if ALL in others:
            continue
        for authority in sorted(may.keys() - others.keys()):
            told = "every authority" if authority == ALL else named.get(authority, "")
            rows.append(
                {"who": name, "authority": authority, "name": told, "roles": listed(may[authority]), "notFor": other}
            )
    return rows


async def who_can(s: Session, authority: str) -> list[Row]:
    """Accounts that have an authority, by which role, those with ALL too. Raises `NotFound` for one that there is not."""
    named = await descriptions(s.client)
    known = {name.upper(): name for name in named}
    chosen = authority if authority in named else known.get(authority.upper())
    if chosen is None:
        by_words = [key for key, name in named.items() if authority.lower() in name.lower()]
        if len(by_words) != 1:
            told = listed(f"{key} ({named[key]})" for key in by_words)
            near = did_you_mean(authority, [*named, *named.values()])
            hint = f"did you mean {told}?" if by_words else near or "dhis2 user-role authorities list"
            raise NotFound(f"the server has no authority '{authority}'", hint=hint)
        chosen = by_words[0]
    disabled = {str(user["id"]) for user in await accounts(s, ["disabled:eq:true"], "id")}
    rows: dict[str, Row] = {}
    for role in await roles(s):
        gives = cast("list[str]", role.get("authorities") or [])
        by = chosen if chosen in gives else ALL if ALL in gives else None
        if by is None:
            continue
        for user in cast("list[JsonObject]", role.get("users") or []):
            uid = str(user["id"])
            row = rows.setdefault(uid, {
                "id": uid, "username": user.get("username"), "name": user.get("displayName"), "authority": chosen,
                "roles": [], "disabled": uid in disabled,
            })  # fmt: skip
            cast("list[str]", row["roles"]).append(f"{role.get('displayName')}{' (ALL)' if by == ALL else ''}")
    return list(rows.values())


async def supers(s: Session) -> set[str]:
    """The UIDs of enabled accounts with the authority ALL: one of them has to stay."""
    found = {
        str(user["id"])
        for role in await roles(s)
        if ALL in cast("list[str]", role.get("authorities") or [])
        for user in cast("list[JsonObject]", role.get("users") or [])
    }
    return found - {str(user["id"]) for user in await accounts(s, ["disabled:eq:true"], "id")}


async def may_be_disabled(s: Session, uids: Sequence[str]) -> None:
    """Raise `UsageError` where the signed-in user would lock themselves out, or nobody with ALL would be left.

    A server does either without a word: 204, and the next request is 401 (recorded).
    """
    me = await s.client.system.me()
    if me.id in uids:
        raise UsageError(
            "that is your own account: the very next request would be refused", hint="let somebody else disable it"
        )
    left = await supers(s)
    if left and left <= set(uids):
        raise UsageError("nobody with the authority ALL would be left", hint="dhis2 user whocan ALL")


TELLS_OF_SESSIONS = 42
"""From 2.42 on a server says who has a session; and no longer who has a second factor, but for oneself."""
SESSION_COLUMNS = ("user", "lastRequest", "expired")
FACTOR_COLUMNS = ("id", "username", "name", "twoFactor", "kind", "disabled", "roles")


async def sessions(s: Session) -> list[Row]:
    """Who is signed in at this moment, as far as the server keeps track of it; never a session's identifier.

    Raises `UsageError` for a server before 2.42, which has no such address.
    """
    version = await s.client.version()
    if version.minor < TELLS_OF_SESSIONS:
        raise UsageError(f"DHIS2 {version} does not say who is signed in (2.42 and later do)", hint="dhis2 user list")
    rows: list[Row] = []
    for name, held in (await s.client.get_object("sessions")).items():
        for one in held if isinstance(held, list) else [held]:
            known = one if isinstance(one, dict) else {}
            rows.append({"user": name, **{key: item for key, item in known.items() if "id" not in key.lower()}})
    return rows


async def second_factors(s: Session) -> list[Row]:
    """Who has a second factor, as rows of `FACTOR_COLUMNS`: of everybody until 2.41, of oneself since.

    API source: `GET /api/users` (`twoFactorEnabled`), `GET /api/2fa/enabled`, `GET /api/me` (recorded `people-accounts`).
    """
    if (await s.client.version()).minor < TELLS_OF_SESSIONS:
        found = await accounts(s, fields=f"{FIELDS},twoFactorEnabled")
        return [_factor(user, user.get("twoFactorEnabled") is True, None) for user in found]
    me = await s.client.get_object("me", {"fields": f"{FIELDS},twoFactorType"})
    kind = me.get("twoFactorType")
    s.person.warn("since 2.42 a server says this of nobody but who asks")
    return [_factor(me, await s.client.get("2fa/enabled") is True, kind if isinstance(kind, str) else None)]


async def has_second_factor(s: Session, uids: Sequence[str]) -> dict[str, bool]:
    """Which accounts have a second factor, as far as the server says so: of all until 2.41, of oneself since."""
    if (await s.client.version()).minor < TELLS_OF_SESSIONS:
        rows = (await reading.by_uid(s.client, USERS, uids, fields="id,twoFactorEnabled")).rows
        return {str(row["id"]): row["twoFactorEnabled"] is True for row in rows if "twoFactorEnabled" in row}
    me = await s.client.get_object("me", {"fields": "id"})
    if me["id"] not in uids:
        return {}
    return {str(me["id"]): await s.client.get("2fa/enabled") is True}


def _factor(user: JsonObject, has: bool, kind: str | None) -> Row:
    row = shown(user)
    return {name: row[name] for name in ("id", "username", "name", "disabled", "roles")} | {
        "twoFactor": has,
        "kind": kind,
    }
