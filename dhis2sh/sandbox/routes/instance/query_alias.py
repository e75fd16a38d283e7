"""`/api/query/alias`: makes aliases; reading one is the work of the middleware in `http.aliases`."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dhis2sh.sandbox.http.aliases import PREFIX
from dhis2sh.sandbox.http.answers import answer, base_of
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.routes.server import Server

LONGEST = 16 * 1024
"""Bytes of an address."""


class Api:
    """The handlers."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def create(self, request: Request) -> Response:
        """`POST /api/query/alias` and `/api/query/alias/redirect`."""
        try:
            body = cast("object", await request.json())
        except ValueError:
            raise Refused(400, "Invalid JSON payload", "E1003") from None
        target = cast("dict[str, object]", body).get("target") if isinstance(body, dict) else None
        if not isinstance(target, str) or not target:
            raise Refused(400, "Alias must contain a 'target' property", "E1003")
        if not target.startswith("/api/"):
            raise Refused(400, "Target must start with /api/", "E1003")
        if len(target.encode()) > LONGEST:
            raise Refused(400, "Target is too long", "E1003")
        key = self.server.aliases.add(target)
        address = f"{base_of(request)}{PREFIX}{key}"
        if request.url.path.endswith("/redirect"):
            return RedirectResponse(address, 303)
        return answer({"id": key, "path": PREFIX + key, "href": address, "target": target})

    def missing(self, request: Request) -> Response:
        """An alias that nobody made, or that is forgotten."""
        raise Refused(404, "No query alias found with this hash id, it may have expired.", "E1005")


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/query/alias", api.create, methods=["POST"]),
        Route("/api/query/alias/redirect", api.create, methods=["POST"]),
        Route("/api/query/alias/{key}", api.missing),
    ]
