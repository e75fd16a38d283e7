"""Reads of every metadata type: lists, objects, properties, gist. Comes last: its paths are the most general."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.sandbox.fields import parse_fields
from dhis2sh.sandbox.filters import BadFilter, ServerBug
from dhis2sh.sandbox.http import answer, asked_path, base_of, missing_page, refuse
from dhis2sh.sandbox.listing import BadParameter, list_objects, matching
from dhis2sh.sandbox.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def list_(self, request: Request) -> Response:
        """`GET /api/{plural}`."""
        resource = self.server.resource_of(request)
        if resource is None:
            return missing_page()
        asked = asked_path(request)
        try:
            return answer(list_objects(self.server.store, resource, request.query_params, base_of(request), asked))
        except BadFilter as error:
            return refuse(400, str(error), "E1003")
        except BadParameter as error:
            return refuse(400, str(error))
        except ServerBug:
            return refuse(500)

    def get(self, request: Request) -> Response:
        """`GET /api/{plural}/{uid}`."""
        resource = self.server.resource_of(request)
        if resource is None:
            return missing_page()
        uid = request.path_params["uid"]
        body = self.server.store.get(resource.plural, uid)
        if body is None:
            return refuse(404, f"{resource.model} with id {uid} could not be found.", "E1005")
        tree = parse_fields(request.query_params.get("fields", "*"))
        return answer(self.server.renderer(request).show(resource, body, tree))

    def get_property(self, request: Request) -> Response:
        """`GET /api/{plural}/{uid}/{property}`: one property, wrapped in an object."""
        resource = self.server.resource_of(request)
        if resource is None:
            return missing_page()
        uid, name = request.path_params["uid"], request.path_params["property"]
        body = self.server.store.get(resource.plural, uid)
        if body is None:
            return refuse(404, f"{resource.model} with id {uid} could not be found.", "E1005")
        if name not in resource.properties:
            return refuse(404, f"Property {name} does not exist on {resource.model}", "E1005")
        inner = request.query_params.get("fields", ":all")
        return answer(self.server.renderer(request).show(resource, body, parse_fields(f"{name}[{inner}]")))

    def gist(self, request: Request) -> Response:
        """`GET /api/{plural}/gist`: a list without a total, its next page only where there is one."""
        resource = self.server.resource_of(request)
        if resource is None:
            return missing_page()
        query, renderer = request.query_params, self.server.renderer(request)
        try:
            found = matching(self.server.store, resource, query, renderer)
            page, size = max(1, int(query.get("page", 1))), min(1000, int(query.get("pageSize", 50)))
        except BadFilter as error:
            return refuse(400, str(error), "E1003")
        except (BadParameter, ValueError) as error:
            return refuse(400, str(error))
        tree = parse_fields(query.get("fields", "id,name,code,shortName,lastUpdated"))
        rows = [renderer.show(resource, body, tree) for body in found[(page - 1) * size : page * size]]
        pager: JsonObject = {"page": page, "pageSize": size}
        if query.get("totalPages") == "true":
            pager |= {"total": len(found), "pageCount": -(-len(found) // size)}
        if page * size < len(found):
            pager["nextPage"] = str(request.url.include_query_params(page=page + 1))
        return answer({"pager": pager, resource.plural: cast("list[JsonValue]", rows)})

    def any_object(self, request: Request) -> Response:
        """`GET /api/identifiableObjects/{uid}`."""
        uid = request.path_params["uid"]
        found = self.server.store.find(uid)
        if found is None:
            return refuse(404, f"IdentifiableObject with id {uid} could not be found.", "E1005")
        resource = self.server.store.resources[found[0]]
        tree = parse_fields(request.query_params.get("fields", "*"))
        shown = self.server.renderer(request).show(resource, found[1], tree)
        return answer({**shown, "href": f"{base_of(request)}/api{resource.endpoint}/{uid}"})

    def missing(self, request: Request) -> Response:
        """Anything else: a malformed UID is 405, an unknown path the container's page."""
        parts = request.url.path.strip("/").split("/")
        if len(parts) == 3 and parts[1] in self.server.store.resources and request.method == "GET":
            return refuse(405, f"Request method '{request.method}' is not supported")
        return missing_page()


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/identifiableObjects/{uid}", api.any_object),
        Route("/api/{plural}", api.list_),
        Route("/api/{plural}/gist", api.gist),
        Route("/api/{plural}/{uid:uid}", api.get),
        Route("/api/{plural}/{uid:uid}.json", api.get),
        Route("/api/{plural}/{uid:uid}/{property}", api.get_property),
        Route("/{path:path}", api.missing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
