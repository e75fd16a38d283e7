"""One's own account: two factors, sessions, recovery; and `/api/userLookup`, which finds others by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.http.params import required
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.instance.settings import Settings
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_WITHOUT = {None, "", "NOT_ENABLED"}
"""What the type of the second factor is of who has none."""
_ENROLLING = {"ENROLLING_TOTP", "ENROLLING_EMAIL"}
_LOOKUP = ("username", "firstName", "surname", "email")
_NAMES = ("id", "username", "firstName", "surname")


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    # Names and passwords before there is an account

    def would_do(self, request: Request, raw: bytes) -> Response:
        """`/api/account/username`, `/password`, `/validateUsername`, `/validatePassword`: want the text as a parameter."""
        name = "username" if "sername" in request.url.path else "password"
        required(request.query_params, name)
        raise not_imitated(f"whether a {name} would do")

    def register(self, request: Request, raw: bytes) -> Response:
        """`POST /api/auth/registration` and `/invite`: nobody proves here that he is no robot."""
        parse_object(raw)
        if Settings(self.server.store).get("keySelfRegistrationNoRecaptcha"):
            raise not_imitated("the registration of oneself")
        raise Refused(400, "Recaptcha validation failed.", "E1003")

    def recover(self, request: Request, raw: bytes) -> Response:
        """`POST /api/auth/forgotPassword` and `/passwordReset`."""
        parse_object(raw)
        if Settings(self.server.store).get("keyAccountRecovery"):
            raise not_imitated("the recovery of an account")
        raise Refused(409, "Account recovery is not enabled", "E1004")

    def verify_email(self, request: Request, raw: bytes) -> Response:
        """`POST /api/account/sendEmailVerification`."""
        if self.server.user(request).get("email"):
            raise not_imitated("mail")
        raise Refused(409, "User has no email set", "E1004")

    def linked(self, request: Request, raw: bytes) -> Response:
        """`GET /api/account/linkedAccounts`: oneself, and whom the same OpenID signs in."""
        user = self.server.user(request)
        users = self.server.store.objects("users").values()
        if user.get("openId") and sum(one.get("openId") == user["openId"] for one in users) > 1:
            raise not_imitated("several accounts of one OpenID")
        groups = self.server.store.inverse("userGroups", "users").get(cast("str", user["id"]), [])
        roles = [role["id"] for role in cast("list[JsonObject]", user.get("userRoles") or [])]
        return answer({"users": [{**_shown(user), "roles": roles, "groups": cast("list[JsonValue]", list(groups))}]})

    # Two factors

    def _factor(self, request: Request) -> JsonValue:
        return self.server.user(request).get("twoFactorType")

    def has_two(self, request: Request, raw: bytes) -> Response:
        """`GET /api/2fa/enabled`."""
        return answer(self._factor(request) not in _WITHOUT | _ENROLLING)

    def enable_two(self, request: Request, raw: bytes) -> Response:
        """`POST /api/2fa/enable`: after an enrollment only."""
        if self._factor(request) in _ENROLLING:
            raise not_imitated("codes of a second factor")
        raise Refused(409, "User must start 2FA enrollment first", "E3029")

    def disable_two(self, request: Request, raw: bytes) -> Response:
        """`POST /api/2fa/disable`."""
        if self._factor(request) in _WITHOUT:
            raise Refused(409, "User has not enabled 2FA", "E3031")
        raise not_imitated("codes of a second factor")

    def enroll_by_email(self, request: Request, raw: bytes) -> Response:
        """`POST /api/2fa/enrollEmail2FA`: the installation has no mail."""
        raise Refused(409, "Email based 2FA is not enabled", "E3045")

    def two_methods(self, request: Request, raw: bytes) -> Response:
        """`GET /api/configuration/twoFactorMethods`."""
        return answer({"totp2faEnabled": True, "email2faEnabled": False})

    def sessions(self, request: Request, raw: bytes) -> Response:
        """`GET /api/sessions`: none is kept that could be listed."""
        self.server.demand(request, "ALL")
        return answer({})

    # Others

    def look_up(self, request: Request, raw: bytes) -> Response:
        """`GET /api/userLookup?query=`: users by a part of their names."""
        text = required(request.query_params, "query").lower()
        users = sorted(self.server.store.objects("users").values(), key=lambda user: str(user.get("username")))
        found = [user for user in users if any(text in str(user.get(name) or "").lower() for name in _LOOKUP)]
        return answer({"users": [_shown(user) for user in found[:_MOST]]})

    def look_up_one(self, request: Request, raw: bytes) -> Response:
        """`GET /api/userLookup/{UID or username}`; nobody is an empty answer."""
        key = request.path_params["key"]
        user = self.server.store.get("users", key) or self.server.signin.accounts.named(key)
        return Response(status_code=200) if user is None else answer(_shown(user))

    def feedback_recipients(self, request: Request, raw: bytes) -> Response:
        """`GET /api/userLookup/feedbackRecipients?query=`: of the group that the setting names."""
        text = required(request.query_params, "query").lower()
        group = self.server.store.get("userGroups", str(Settings(self.server.store).get("feedbackRecipients")))
        if group is None:
            raise Refused(409, "Feedback message recipients user group not defined", "E6200")
        members = (self.server.store.get("users", str(one["id"])) for one in cast("list[JsonObject]", group["users"]))
        found = [
            _shown(user) for user in members
            if user is not None and any(text in str(user.get(name) or "").lower() for name in _LOOKUP)
        ]  # fmt: skip
        return answer({"users": cast("list[JsonValue]", found)})


_MOST = 25
"""The most users that a look-up gives."""


def _shown(user: JsonObject) -> JsonObject:
    return {**{name: user.get(name) for name in _NAMES}, "displayName": user.get("name")}


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    post, get = ["POST"], ["GET"]
    table = [
        ("/api/account/username", api.would_do, get),
        ("/api/account/password", api.would_do, get),
        ("/api/account/validateUsername", api.would_do, post),
        ("/api/account/validatePassword", api.would_do, post),
        ("/api/auth/registration", api.register, post),
        ("/api/auth/invite", api.register, post),
        ("/api/auth/forgotPassword", api.recover, post),
        ("/api/auth/passwordReset", api.recover, post),
        ("/api/account/linkedAccounts", api.linked, get),
        ("/api/2fa/enabled", api.has_two, get),
        ("/api/userLookup", api.look_up, get),
        ("/api/userLookup/feedbackRecipients", api.feedback_recipients, get),
        ("/api/userLookup/{key}", api.look_up_one, get),
    ]
    if server.store.version.minor >= 42:
        table += [
            ("/api/account/sendEmailVerification", api.verify_email, post),
            ("/api/2fa/enable", api.enable_two, post),
            ("/api/2fa/disable", api.disable_two, post),
            ("/api/2fa/enrollEmail2FA", api.enroll_by_email, post),
            ("/api/configuration/twoFactorMethods", api.two_methods, get),
            ("/api/sessions", api.sessions, get),
        ]
    return [Route(path, with_body(handler), methods=methods) for path, handler, methods in table]
