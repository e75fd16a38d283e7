"""`/api/metadata`: export of many types at once."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.sandbox.fields import parse_fields
from dhis2sh.sandbox.filters import BadFilter
from dhis2sh.sandbox.http import answer, refuse
from dhis2sh.sandbox.listing import matching
from dhis2sh.sandbox.server import Server
from dhis2sh.sandbox.store import VERSION

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def export(self, request: Request) -> Response:
        """`GET /api/metadata`: types by `<plural>=true`, with fields and filters for each, or everything."""
        query = request.query_params
        chosen = [
            name for name in self.server.store.resources if query.get(name) == "true" or f"{name}:fields" in query
        ]
        plurals = chosen or [name for name, count in self.server.store.counts().items() if count]
        renderer = self.server.renderer(request)
        body: JsonObject = {
            "system": {"id": self.server.store.fact("systemId"), "rev": "sandbox", "version": VERSION,
                       "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"}
        }  # fmt: skip
        for plural in plurals:
            resource = self.server.store.resources[plural]
            own = [("filter", value) for value in [*query.getlist("filter"), *query.getlist(f"{plural}:filter")]]
            try:
                found = matching(
                    self.server.store,
                    resource,
                    type(query)([*own, ("order", query.get(f"{plural}:order", ""))]),
                    renderer,
                )
            except BadFilter as error:
                return refuse(409, str(error))
            tree = parse_fields(query.get(f"{plural}:fields") or query.get("fields") or ":owner")
            body[plural] = cast("JsonValue", [renderer.show(resource, item, tree) for item in found])
        return answer(body)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/metadata", api.export),
        Route("/api/metadata.json", api.export),
    ]
