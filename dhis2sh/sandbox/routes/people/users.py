"""Accounts: enabling, inviting, copying, resetting; the members of a role (api-facts h.9)."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.answers import base_of, done, empty
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.people.accounts import password_error
from dhis2sh.sandbox.refused import Refused, not_found, unreadable_value
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_NOT_COPIED = {"id", "created", "lastUpdated", "createdBy", "lastUpdatedBy", "username", "code", "openId", "ldapId", "uuid",
               "lastLogin", "password", "passwordLastUpdated", "email", "phoneNumber"}  # fmt: skip


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def _user(self, request: Request) -> JsonObject:
        uid = request.path_params["uid"]
        user = self.server.store.get("users", uid)
        if user is None:
            raise not_found("User", uid)
        return user

    def _change(self, request: Request, **values: JsonValue) -> Response:
        """Change an account if who asks may."""
        user = self._user(request)
        if not self.server.rights(request).can_write(self.server.store.resources["users"], user):
            raise Refused(403, "You don't have the proper permissions to update this user.", "E1006")
        changed = {**user, **values, "lastUpdated": now()}
        self.server.store.put_objects({"users": [changed]})
        return empty()

    def enable(self, request: Request, raw: bytes) -> Response:
        """`POST /api/users/{uid}/enabled`."""
        return self._change(request, disabled=False)

    def disable(self, request: Request, raw: bytes) -> Response:
        """`POST /api/users/{uid}/disabled`; nobody locks himself out."""
        if request.path_params["uid"] == self.server.rights(request).uid:
            raise Refused(403, "You cannot disable yourself.", "E1006")
        return self._change(request, disabled=True)

    def expire(self, request: Request, raw: bytes) -> Response:
        """`POST /api/users/{uid}/expired?date=`: the account ends then."""
        text = request.query_params.get("date") or ""
        try:
            date = dt.datetime.fromisoformat(text)
        except ValueError:
            raise unreadable_value(text, "date", "Date") from None
        return self._change(request, accountExpiry=date.isoformat(timespec="milliseconds"))

    def unexpire(self, request: Request, raw: bytes) -> Response:
        """`POST /api/users/{uid}/unexpired`: the account does not end."""
        return self._change(request, accountExpiry=None)

    def without_two_factor(self, request: Request, raw: bytes) -> Response:
        """`POST /api/users/{uid}/twoFA/disabled`."""
        return self._change(request, twoFactorType="NOT_ENABLED")

    def replica(self, request: Request, raw: bytes) -> Response:
        """`POST /api/users/{uid}/replica`: the same account under another name."""
        self.server.demand(request, "F_REPLICATE_USER")
        user = self._user(request)
        sent = parse_object(raw)
        username, password = str(sent.get("username") or ""), str(sent.get("password") or "")
        if not username:
            raise Refused(409, "Username must be specified", "E1004")
        if self.server.signin.accounts.named(username):
            raise Refused(409, f"Username already taken: {username}", "E1004")
        if not password:
            raise Refused(409, "Password must be specified", "E1004")
        complaint = password_error(password, username)
        if complaint:
            raise Refused(409, complaint, "E1004")
        uid, moment, who = generate_uid(), now(), {"id": self.server.rights(request).uid}
        kept = {name: value for name, value in user.items() if name not in _NOT_COPIED}
        copy: JsonObject = {**kept, "id": uid, "username": username, "password": password, "created": moment,
                            "lastUpdated": moment, "createdBy": who, "lastUpdatedBy": who}  # type: ignore[dict-item] # fmt: skip
        groups: list[JsonObject] = [
            {**group, "users": [*cast("list[JsonValue]", group.get("users") or []), {"id": uid}]}
            for key in self.server.store.inverse("userGroups", "users").get(cast("str", user["id"]), [])
            if (group := self.server.store.get("userGroups", key)) is not None
        ]
        self.server.store.put_objects({"users": [copy], **({"userGroups": groups} if groups else {})})
        return done("User replica created", 201, Location=f"{base_of(request)}/api/users/{uid}")

    def invite(self, request: Request, raw: bytes) -> Response:
        """`POST /api/users/invite`, `/invites` and `/{uid}/invite`: wants a mail server, which the sandbox has not."""
        self.server.demand(request, "F_USER_ADD", "F_USER_ADD_WITHIN_MANAGED_GROUP")
        raise Refused(409, "SMTP server/email sending is not available", "E6203")

    def reset(self, request: Request, raw: bytes) -> Response:
        """`POST /api/users/{uid}/reset`: mails a link, which wants an address and a mail server."""
        if not self._user(request).get("email"):
            raise Refused(409, "User account does not have a valid email address", "E6202")
        raise Refused(409, "SMTP server/email sending is not available", "E6203")

    def role_member(self, request: Request, raw: bytes) -> Response:
        """`POST` and `DELETE /api/userRoles/{role}/users/{uid}`: users own their roles, so the user changes."""
        role = self.server.store.get("userRoles", request.path_params["role"])
        if role is None:
            raise Refused(404, f"UserRole does not exist: {request.path_params['role']}", "E1005")
        if not self.server.rights(request).can_write(self.server.store.resources["userRoles"], role):
            raise Refused(403, "You don't have the proper permissions to update this object.", "E1006")
        user = self.server.store.get("users", request.path_params["uid"])
        if user is None:
            raise Refused(404, f"User does not exist: {request.path_params['uid']}", "E1005")
        roles = [one for one in cast("list[JsonObject]", user.get("userRoles") or []) if one["id"] != role["id"]]
        if request.method == "POST":
            roles.append({"id": role["id"]})
        changed: JsonObject = {**user, "userRoles": cast("JsonValue", roles), "lastUpdated": now()}
        self.server.store.put_objects({"users": [changed]})
        return empty()


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    acts = {"enabled": api.enable, "disabled": api.disable, "expired": api.expire, "unexpired": api.unexpire,
            "twoFA/disabled": api.without_two_factor, "replica": api.replica, "invite": api.invite, "reset": api.reset}  # fmt: skip
    return [
        Route("/api/users/invite", with_body(api.invite), methods=["POST"]),
        Route("/api/users/invites", with_body(api.invite), methods=["POST"]),
        *[Route(f"/api/users/{{uid:uid}}/{name}", with_body(act), methods=["POST"]) for name, act in acts.items()],
        Route(
            "/api/userRoles/{role:uid}/users/{uid:uid}", with_body(api.role_member), methods=["POST", "PUT", "DELETE"]
        ),
    ]
