"""`/api/me`: who is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.sandbox.fields import parse_fields
from dhis2sh.sandbox.fresh import ADMIN
from dhis2sh.sandbox.http import answer
from dhis2sh.sandbox.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def me(self, request: Request) -> Response:
        """`GET /api/me`."""
        users = self.server.store.objects("users")
        user = next((body for body in users.values() if body.get("username") == "admin"), users.get(ADMIN, {}))
        roles = [
            self.server.store.get("userRoles", cast("str", role["id"])) or {}
            for role in cast("list[JsonObject]", user.get("userRoles", []))
        ]
        authorities = sorted({str(a) for role in roles for a in cast("list[str]", role.get("authorities", []))})
        fields = request.query_params.get("fields")
        tree = parse_fields(fields or ":all")
        shown = self.server.renderer(request).show(self.server.store.resources["users"], user, tree)
        extra: JsonObject = {
            "authorities": cast("list[JsonValue]", authorities),
            "settings": {"keyUiLocale": "en", "keyDbLocale": None},
            "programs": cast("list[JsonValue]", list(self.server.store.objects("programs"))),
            "dataSets": cast("list[JsonValue]", list(self.server.store.objects("dataSets"))),
        }
        wanted = extra if not fields else {name: extra[name] for name in tree.children if name in extra}
        shown.pop("sharing", None)
        return answer({**shown, **wanted})

    def authorization(self, request: Request) -> Response:
        """`GET /api/me/authorities` and `/api/me/authorization`."""
        roles = self.server.store.objects("userRoles").values()
        found = sorted({str(a) for role in roles for a in cast("list[str]", role.get("authorities", []))})
        return answer(cast("list[JsonValue]", found))


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/me", api.me),
        Route("/api/me/authorities", api.authorization),
        Route("/api/me/authorization", api.authorization),
    ]
