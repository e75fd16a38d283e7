"""Who asks, as the data areas need it: the user, the authorities, and where data may be entered."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.data.model import references
from dhis2sh.sandbox.fresh import ADMIN

if TYPE_CHECKING:
    from starlette.requests import Request

    from dhis2sh.sandbox.server import Server
    from dhis2sh.types import JsonObject


def user_of(server: Server, request: Request) -> JsonObject:
    """The user who asks: the one that sign-in put into the request, else the first superuser."""
    known = cast("JsonObject | None", request.scope.get("user"))
    if isinstance(known, dict):
        return known
    users = server.store.objects("users")
    return next((body for body in users.values() if body.get("username") == "admin"), users.get(ADMIN, {"id": ADMIN}))


def username_of(user: JsonObject) -> str:
    """The name that a user signs in with."""
    return cast("str", user.get("username") or "admin")


def authorities_of(server: Server, user: JsonObject) -> frozenset[str]:
    """The authorities of a user's roles."""
    roles = [server.store.get("userRoles", uid) or {} for uid in references(user, "userRoles")]
    return frozenset(str(name) for role in roles for name in cast("list[str]", role.get("authorities") or []))


def capture_roots(server: Server, user: JsonObject) -> list[str] | None:
    """The org units under which a user may enter data; None for a superuser, who may anywhere."""
    return None if "ALL" in authorities_of(server, user) else references(user, "organisationUnits")
