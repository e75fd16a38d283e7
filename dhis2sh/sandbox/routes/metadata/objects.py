"""Reads of every metadata type: lists, objects, properties, gist. Comes last: its paths are the most general."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.addresses import of_a_server
from dhis2sh.sandbox.http.answers import answer, asked_path, base_of
from dhis2sh.sandbox.http.params import boolean, integer, joined
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.gist import gist_of, list_gist
from dhis2sh.sandbox.metadata.listing import list_objects, matching
from dhis2sh.sandbox.refused import Refused, no_such_address, not_allowed, not_found, not_imitated
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue

type _Handler = Callable[[Api, Request, Resource], Response]


def of_type(handler: _Handler) -> Callable[[Api, Request], Response]:
    """A handler that is given the type that the path names, and whose refusals are answered."""

    @wraps(handler)
    def guarded(api: Api, request: Request) -> Response:
        resource = api.server.resource_of(request)
        if resource is None:
            raise no_such_address(asked_path(request))
        if not api.server.rights(request).can_list(resource):
            raise Refused(403, "You don't have the proper permissions to read objects of this type.", "E1006")
        return handler(api, request, resource)

    return guarded


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def _object(self, request: Request, resource: Resource) -> JsonObject:
        """The object that a path names, if the user may read it. Raises `Refused` with 404 or 403."""
        uid = request.path_params["uid"]
        body = self.server.store.get(resource.plural, uid)
        if body is None:
            raise not_found(resource.model, uid)
        if not self.server.rights(request).can_read(resource, body):
            name = self.server.user(request).get("username")
            raise Refused(403, f"User '{name}' is not allowed to read object `{resource.model} {uid}`", "E1006")
        return body

    @of_type
    def list_(self, request: Request, resource: Resource) -> Response:
        """`GET /api/{plural}`, as JSON or CSV."""
        renderer = self.server.renderer(request)
        if "text/csv" in request.headers.get("accept", "") or request.url.path.endswith(".csv"):
            return self._csv(request, resource)
        return answer(list_objects(self.server.store, resource, request.query_params, renderer, asked_path(request)))

    def _csv(self, request: Request, resource: Resource) -> Response:
        """A list as CSV: simple properties, and references as their ids."""
        query = request.query_params
        text = joined(query, "fields", "id,displayName")
        names = ["id", "displayName"] if text in {"*", ":all"} else [n.strip() for n in text.split(",") if n.strip()]
        for name in names:
            if name not in resource.properties and not self.server.store.get("attributes", name):
                raise Refused(409, f"Property {name} does not exist on {resource.model}")
        renderer = self.server.renderer(request)
        found = matching(self.server.store, resource, query, renderer)
        if boolean(query, "paging", True):
            size, page = integer(query, "pageSize", 50), max(1, integer(query, "page", 1))
            found = found[(page - 1) * size : page * size]
        out = io.StringIO()
        rows = csv.writer(out, delimiter=query.get("separator", ",")[:1], lineterminator="\n")
        if not boolean(query, "skipHeader"):
            rows.writerow(names)
        joiner = query.get("arraySeparator", ";")
        for body in found:
            shown = renderer.show(resource, body, parse_fields(",".join([*names, "attributeValues"])))
            values = {
                str(cast("JsonObject", row["attribute"])["id"]): row.get("value")
                for row in cast("list[JsonObject]", shown.get("attributeValues") or [])
            }
            rows.writerow([_cell(shown.get(name, values.get(name)), joiner) for name in names])
        return Response(out.getvalue(), media_type="text/csv")

    @of_type
    def get(self, request: Request, resource: Resource) -> Response:
        """`GET /api/{plural}/{uid}`."""
        body = self._object(request, resource)
        tree = parse_fields(joined(request.query_params, "fields", "*"))
        return answer(self.server.renderer(request, single=True).show(resource, body, tree))

    @of_type
    def get_property(self, request: Request, resource: Resource) -> Response:
        """`GET /api/{plural}/{uid}/{property}`: one property, wrapped in an object."""
        body, name = self._object(request, resource), request.path_params["property"].removesuffix(".json")
        if name not in resource.properties:
            if of_a_server(self.server.store.version.minor, "GET", request.url.path):
                raise not_imitated(f"GET {request.url.path}")
            return answer({})  # a server shows of an object what it finds of the name: nothing
        inner = joined(request.query_params, "fields", ":all")
        prop = resource.properties[name]
        tree = parse_fields(f"{name}[{inner}]" if prop.reference or inner != ":all" else name)
        shown = self.server.renderer(request).show(resource, body, tree)
        value = shown.get(name)
        for row in value if isinstance(value, list) else [value]:
            if isinstance(row, dict) and prop.reference:
                row.pop("href", None)
        return answer(shown)

    # Gist --------------------------------------------------------------------------------------------------------------

    @of_type
    def gist(self, request: Request, resource: Resource) -> Response:
        """`GET /api/{plural}/gist`: a list without a total, its next page only where there is one."""
        renderer = self.server.renderer(request, gist=True)
        return answer(list_gist(self.server.store, resource, request.query_params, renderer, asked_path(request)))

    @of_type
    def gist_object(self, request: Request, resource: Resource) -> Response:
        """`GET /api/{plural}/{uid}/gist`."""
        body = self._object(request, resource)
        gist = gist_of(resource, self.server.renderer(request, single=True, gist=True), request.query_params, "L")
        return answer(gist.show(body))

    @of_type
    def gist_property(self, request: Request, resource: Resource) -> Response:
        """`GET /api/{plural}/{uid}/{property}/gist`: the members of a collection, or with `inverse` all others."""
        body, name = self._object(request, resource), request.path_params["property"]
        prop = resource.properties.get(name)
        store, query = self.server.store, request.query_params
        target = store.resources.get(prop.target or "") if prop is not None else None
        if prop is None:
            raise Refused(404, f"Property {name} does not exist on {resource.model}", "E1005")
        renderer = self.server.renderer(request, gist=True)
        value = renderer.value(resource, body, prop)
        if target is None or not prop.reference:
            return answer({name: value})
        rows = value if isinstance(value, list) else [value]
        uids = [str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row]
        if target.endpoint is None:
            of = [row for row in rows if isinstance(row, dict)]
        elif boolean(query, "inverse"):
            of = [one for one in store.objects(target.plural).values() if one["id"] not in uids]
        else:
            of = [one for uid in uids if (one := store.get(target.plural, uid)) is not None]
        return answer(list_gist(store, target, query, renderer, asked_path(request), of=of, usual="M", name=name))

    # Objects of any type -----------------------------------------------------------------------------------------------

    def any_object(self, request: Request) -> Response:
        """`GET /api/identifiableObjects/{uid}`."""
        uid = request.path_params["uid"]
        found = self.server.store.find(uid)
        if found is None:
            raise not_found("IdentifiableObject", uid)
        resource = self.server.store.resources[found[0]]
        tree = parse_fields(joined(request.query_params, "fields", "*"))
        shown = self.server.renderer(request).show(resource, found[1], tree)
        return answer({**shown, "href": f"{base_of(request)}/api{resource.endpoint}/{uid}"})

    def missing(self, request: Request) -> Response:
        """Anything else: a path of a type that takes no such request is 405, an unknown path the container's page."""
        parts = request.url.path.strip("/").split("/")
        resource = self.server.store.resources.get(parts[1]) if len(parts) in {2, 3} and parts[0] == "api" else None
        if resource is not None:
            if len(parts) == 3 and request.method == "GET" and self.server.store.version.malformed_uid == 404:
                raise not_found(resource.model, parts[2])
            raise not_allowed(request.method, self.server.store.version.minor)
        raise no_such_address(asked_path(request))


def _cell(value: JsonValue, joiner: str) -> JsonValue:
    if isinstance(value, list):
        return joiner.join(str(item.get("id") if isinstance(item, dict) else item) for item in value)
    if isinstance(value, dict):
        return value.get("id")
    return str(value).lower() if isinstance(value, bool) else value


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    one = "/api/{plural}/{uid:uid}"
    return [
        Route("/api/identifiableObjects/{uid:uid}", api.any_object),
        Route("/api/{plural}", api.list_),
        Route("/api/{plural}/gist", api.gist),
        Route("/api/{plural}/gist.json", api.gist),
        Route(one, api.get),
        Route(f"{one}.json", api.get),
        Route(f"{one}/gist", api.gist_object),
        Route(f"{one}/{{property}}", api.get_property),
        Route(f"{one}/{{property}}/gist", api.gist_property),
        Route("/{path:path}", api.missing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
