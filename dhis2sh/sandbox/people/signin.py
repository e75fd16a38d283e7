"""Who asks: sign-in before every request, and `/api/42/...` as `/api/...`."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dhis2sh.sandbox.http.answers import base_of, refusal
from dhis2sh.sandbox.people.accounts import Accounts
from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.sandbox.versions import Version
    from dhis2sh.types import JsonObject

FIRST_VERSION = 28
"""The oldest API version that an address may name."""
OPEN = re.compile(r"/api/(ping|loginConfig|auth/.*|account/(?!validate|linked|send).*|publicKeys/.*)$")
"""What anybody may ask without signing in."""
SHOWN = re.compile(r"/api/(files/style/external|staticContent/.*)$")
"""What anybody may look at."""
COOKIE = "JSESSIONID"


class SignIn:
    """Finds the user behind a request: Basic, an API token or the session cookie of `/api/auth/login`.

    Parameters:
        store: the database.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.accounts = Accounts(store)
        self._sessions: dict[str, str] = {}

    def open_session(self, user: str) -> str:
        """Sign a user in; returns the cookie's value."""
        session = secrets.token_hex(16).upper()
        self._sessions[session] = user
        return session

    def close_session(self, session: str) -> None:
        """Sign out."""
        self._sessions.pop(session, None)

    def user_of(self, request: Request) -> str | None:
        """UID of who asks, None for nobody. Raises `Refused` for credentials that are wrong."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "":
                session = session_of(request)
                user = self._sessions.get(session) if session else None
                known = self.store.get("users", user) if user else None
                return user if known and not known.get("disabled") else None
            case "basic":
                return self._by_password(value)
            case "apitoken":
                return self._by_token(value.strip(), request)
            case _:
                raise Refused(401, "Unauthorized")

    def _by_password(self, value: str) -> str:
        try:
            username, _, password = base64.b64decode(value).decode().partition(":")
        except ValueError:
            raise Refused(401, "Unauthorized") from None
        user = self.accounts.named(username)
        if user is None or not self.accounts.proven(user, password) or account_state(user):
            raise Refused(401, "Unauthorized")
        return cast("str", user["id"])

    def _by_token(self, key: str, request: Request) -> str:
        hashed = hashlib.sha256(key.encode()).hexdigest()
        row = self.store.connection.execute("SELECT user, body FROM api_token WHERE hash = ?", (hashed,)).fetchone()
        user = self.store.get("users", row[0]) if row else None
        if row is None or user is None:
            raise Refused(401, "The API token does not exists")
        token = cast("JsonObject", json.loads(row[1]))
        if cast("float", token.get("expire") or 0) <= dt.datetime.now(dt.UTC).timestamp() * 1000:
            raise Refused(401, "Failed to authenticate API token, token has expired.")
        if account_state(user):
            raise Refused(401, "The API token owner is disabled or locked")
        for attribute in cast("list[JsonObject]", token.get("attributes") or []):
            _check_attribute(attribute, request)
        return cast("str", row[0])


def _check_attribute(attribute: JsonObject, request: Request) -> None:
    """Raise `Refused` when a token may not be used for this method, from this address or page."""
    client = request.client.host if request.client else ""
    asked = {
        "MethodAllowedList": ("allowedMethods", request.method, "request http method is not allowed."),
        "IpAllowedList": ("allowedIps", client, "request ip address is not allowed."),
        "RefererAllowedList": ("allowedReferrers", request.headers.get("referer", ""),
                               "request http referrer is missing or not allowed."),
    }  # fmt: skip
    name, value, complaint = asked.get(str(attribute.get("type")), ("", "", ""))
    allowed = [str(item).upper() for item in cast("list[str]", attribute.get(name) or [])] if name else []
    if allowed and value.upper() not in allowed:
        raise Refused(401, f"Failed to authenticate API token, {complaint}")


def account_state(user: JsonObject) -> str | None:
    """Why a user may not sign in, as `/api/auth/login` says it, or None."""
    if user.get("disabled"):
        return "ACCOUNT_DISABLED"
    expiry = user.get("accountExpiry")
    if isinstance(expiry, str) and expiry[:10] <= dt.datetime.now(dt.UTC).date().isoformat():
        return "ACCOUNT_EXPIRED"
    return None


def session_of(request: Request) -> str | None:
    """The session cookie's value."""
    morsel = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    return morsel.value if morsel else None


def _open(scope: Scope) -> bool:
    """Is this asked of a page before anybody has signed in?"""
    path = str(scope["path"])
    return OPEN.match(path) is not None or (scope["method"] in {"GET", "HEAD"} and SHOWN.match(path) is not None)


class SignedIn:
    """Before every request: without credentials a redirect to the login page, with wrong ones 401."""

    def __init__(self, app: ASGIApp, signin: SignIn) -> None:
        self._app = app
        self._signin = signin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through under its user, or answer it here."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/api") or _open(scope):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refused: Response
        try:
            user = self._signin.user_of(request)
        except Refused as error:
            refused = refusal(error)
        else:
            if user is not None:
                scope["dhis2_user"] = user
                await self._app(scope, receive, send)
                return
            refused = RedirectResponse(f"{base_of(request)}/dhis-web-login/", 302)
        await refused(scope, receive, send)


class WithoutVersion:
    """`/api/42/dataElements` is `/api/dataElements`; the pager keeps the longer form.

    Before 2.42 the addresses of acceptances had no `dataApprovals` in them.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], version: Version) -> None:
        self._app = app
        self._version = version

    async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
        """Pass the request on under its plain path."""
        if scope["type"] == "http":
            path = cast("str", scope["path"])
            found = re.match(r"/api/(\d+)(?=/|$)", path)
            scope["asked_path"] = scope["written_path"] = path
            newest = self._version.newest_path or self._version.minor
            if found and FIRST_VERSION <= int(found[1]) <= newest:
                scope["path"] = path = "/api" + path[found.end() :]
                if not self._version.pages_with_version:
                    scope["asked_path"] = path
            if self._version.acceptances_apart:
                scope["path"] = _older(path)
        await self._app(scope, receive, send)


def _older(path: str) -> str:
    """Where this release has an address of 2.42, and that it has not where 2.42 has it."""
    if path.startswith("/api/dataAcceptances"):
        return path.replace("/api/dataAcceptances", "/api/dataApprovals/dataAcceptances", 1)
    return path.replace("/api/dataApprovals/dataAcceptances", "/api/dataApprovals/none", 1)
