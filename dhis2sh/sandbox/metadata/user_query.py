"""What `/api/users` understands besides filters: words of a name, activity, org units (api-facts h.9)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.metadata.rights import Rights
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject

type Test = Callable[[JsonObject], bool]
_SCOPES = {"DATA_CAPTURE": "organisationUnits", "DATA_OUTPUT": "dataViewOrganisationUnits",
           "TEI_SEARCH": "teiSearchOrganisationUnits"}  # fmt: skip


def user_tests(store: Store, query: QueryParams, rights: Rights | None) -> list[Test]:
    """The conditions that a request's parameters put on users; all must hold."""
    tests = [*_account_tests(query)]
    text = (query.get("query") or "").lower()
    if text:
        names = ("firstName", "surname", "email", "username", "name")
        tests.append(lambda user: any(text in str(user.get(name) or "").lower() for name in names))
    if query.get("authSubset") == "true" and rights is not None and not rights.superuser:
        tests.append(lambda user: _authorities(store, user) <= rights.authorities)
    units = _units(store, query, rights)
    if units is not None:
        scope = _SCOPES.get((query.get("orgUnitBoundary") or "").upper(), "organisationUnits")
        tests.append(
            lambda user: not units.isdisjoint(one["id"] for one in cast("list[JsonObject]", user.get(scope) or []))
        )
    return tests


def _account_tests(query: QueryParams) -> Iterator[Test]:
    """What is asked of the account itself: phone number, registration, invitation, last sign-in."""
    phone = query.get("phoneNumber")
    if phone:
        yield lambda user: user.get("phoneNumber") == phone
    if query.get("selfRegistered") == "true":
        yield lambda user: bool(user.get("selfRegistered"))
    if (query.get("invitationStatus") or "").upper() in {"ALL", "EXPIRED"}:
        yield lambda user: bool(user.get("invitation"))
    since = _since(query)
    if since:
        yield lambda user: "" < str(user.get("lastLogin") or "") < since
    logged_in = query.get("lastLogin")
    if logged_in:
        yield lambda user: str(user.get("lastLogin") or "") >= logged_in


def _since(query: QueryParams) -> str | None:
    """The moment before which an inactive user was last seen."""
    if query.get("inactiveSince"):
        return query.get("inactiveSince")
    months = query.get("inactiveMonths") or ""
    if not months.isdigit():
        return None
    return (dt.datetime.now(dt.UTC) - dt.timedelta(days=30 * int(months))).strftime("%Y-%m-%dT%H:%M:%S.000")


def _authorities(store: Store, user: JsonObject) -> set[str]:
    roles = (
        store.get("userRoles", cast("str", role["id"])) or {}
        for role in cast("list[JsonObject]", user.get("userRoles") or [])
    )
    return {str(name) for role in roles for name in cast("list[str]", role.get("authorities") or [])}


def _units(store: Store, query: QueryParams, rights: Rights | None) -> set[object] | None:
    """The org units that users must belong to, None for any."""
    # Whichever units are named, a server takes those of who asks.
    if not (query.get("ou") or query.get("organisationUnit") or query.get("userOrgUnits") == "true"):
        return None
    roots: set[object] = set(rights.roots("organisationUnits")) if rights is not None else set()
    if query.get("includeChildren") != "true":
        return set(roots)
    return {
        uid for uid, unit in store.objects("organisationUnits").items()
        if not roots.isdisjoint(str(unit.get("path") or uid).split("/"))
    }  # fmt: skip
