"""`/api/system` and `/api/schemas`: what the server says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2_models import facts
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.sandbox.fresh import now
from dhis2sh.sandbox.http import answer, base_of, refuse
from dhis2sh.sandbox.server import Server
from dhis2sh.sandbox.store import VERSION
from dhis2sh.uids import generate_uid

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def info(self, request: Request) -> Response:
        """`GET /api/system/info`."""
        body: JsonObject = {
            "contextPath": base_of(request),
            "userAgent": request.headers.get("user-agent", ""),
            "calendar": "iso8601",
            "dateFormat": "yyyy-mm-dd",
            "serverDate": now(),
            "serverTimeZoneId": "UTC",
            "version": VERSION,
            "revision": "sandbox",
            "systemId": self.server.store.fact("systemId"),
            "systemName": "dhis2sh sandbox",
            "instanceBaseUrl": base_of(request),
        }
        names = [name for name in request.query_params.get("fields", "").split(",") if name]
        return answer({name: body[name] for name in names if name in body} if names else body)

    def ping(self, request: Request) -> Response:
        """`GET /api/system/ping`: the word pong, which DHIS2 calls JSON."""
        return Response("pong", media_type="application/json;charset=UTF-8")

    def uids(self, request: Request) -> Response:
        """`GET /api/system/id?limit=n`."""
        text = request.query_params.get("limit", "1")
        if not text.isdigit():
            return refuse(400, f"Value '{text}' is not valid for parameter limit. It should be of type int")
        limit = int(text)
        return answer({"codes": cast("list[JsonValue]", [generate_uid() for _ in range(min(limit, 10_000))])})

    def counts(self, request: Request) -> Response:
        """`GET /api/system/objectCounts`."""
        named = {
            self.server.store.resources[plural].singular: count for plural, count in self.server.store.counts().items()
        }
        return answer({"objectCounts": cast("JsonValue", named)})

    def schemas(self, request: Request) -> Response:
        """`GET /api/schemas` and `/api/schemas/{name}`."""
        found = cast("list[JsonObject]", facts.schemas("v42", base_of(request))["schemas"])
        name = request.path_params.get("name")
        if name is None:
            return answer({"schemas": cast("list[JsonValue]", found)})
        for schema in found:
            if name in (schema["singular"], schema["plural"]):
                return answer(schema)
        return refuse(404, f"Type {name} does not exist.", "E1005")


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/system/info", api.info),
        Route("/api/system/ping", api.ping),
        Route("/api/ping", api.ping),
        Route("/api/system/id", api.uids),
        Route("/api/system/uid", api.uids),
        Route("/api/system/objectCounts", api.counts),
        Route("/api/schemas", api.schemas),
        Route("/api/schemas/{name}", api.schemas),
    ]
