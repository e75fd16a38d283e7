"""Who asks: sign-in before every request, and `/api/42/...` as `/api/...`."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Awaitable, Callable
from typing import cast

from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dhis2sh.sandbox.http import base_of, refuse

PASSWORDS = {"admin": "district"}
"""The sandbox's well-known sign-in; nothing in it is secret."""
SERVED_VERSIONS = range(28, 43)


class SignedIn(BaseHTTPMiddleware):
    """Basic sign-in: without credentials a redirect to the login page, with wrong ones 401."""

    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Let a request through, or answer it here."""
        path = request.url.path
        if not path.startswith("/api") or path == "/api/ping":
            return await call_next(request)
        header = request.headers.get("authorization", "")
        if not header:
            return RedirectResponse(f"{base_of(request)}/dhis-web-login/", 302)
        if not _accepted(header):
            return refuse(401, "Unauthorized")
        return await call_next(request)


def _accepted(header: str) -> bool:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        username, _, password = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return False
    return hmac.compare_digest(PASSWORDS.get(username, "\0").encode(), password.encode())


class WithoutVersion:
    """`/api/42/dataElements` is `/api/dataElements`; the pager keeps the longer form."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
        """Pass the request on under its plain path."""
        if scope["type"] == "http":
            path = cast("str", scope["path"])
            found = re.match(r"/api/(\d+)(?=/|$)", path)
            scope["asked_path"] = path
            if found and int(found[1]) in SERVED_VERSIONS:
                scope["path"] = "/api" + path[found.end() :]
        await self._app(scope, receive, send)
