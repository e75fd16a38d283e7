"""The sandbox's web application: routes, sign-in and the server's own way of refusing.

`create_app(store)` is a Starlette application; it runs in this process over an ASGI transport, or on loopback.
"""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import re
import secrets
import string
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

from dhis2_models import facts
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dhis2sh.sandbox.fields import parse_fields
from dhis2sh.sandbox.filters import BadFilter, ServerBug
from dhis2sh.sandbox.fresh import ADMIN, now
from dhis2sh.sandbox.listing import BadParameter, list_objects, matching
from dhis2sh.sandbox.render import Renderer
from dhis2sh.sandbox.store import VERSION, Store

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.types import JsonObject, JsonValue

PASSWORDS = {"admin": "district"}
"""The sandbox's well-known sign-in; nothing in it is secret."""
UID = "[a-zA-Z0-9]{11}"
SERVED_VERSIONS = range(28, 43)
_REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
            409: "Conflict", 415: "Unsupported Media Type", 500: "Internal Server Error"}  # fmt: skip


def answer(body: JsonValue, status: int = 200, **headers: str) -> Response:
    """A JSON answer as DHIS2 sends it."""
    import orjson

    charset = ";charset=UTF-8" if status < 300 else ""
    return Response(
        orjson.dumps(body),
        status,
        {"Cache-Control": "no-cache, private", **headers},
        media_type=f"application/json{charset}",
    )


def refuse(status: int, message: str | None = None, code: str | None = None) -> Response:
    """A WebMessage that says no."""
    body: JsonObject = {"httpStatus": _REASONS[status], "httpStatusCode": status, "status": "ERROR"}
    if message is not None:
        body["message"] = message
    if code is not None:
        body["errorCode"] = code
    return answer(body, status)


def missing_page() -> Response:
    """The servlet container's own 404 page."""
    return Response(
        '<!doctype html><html lang="en"><head><title>HTTP Status 404 \u2013 Not Found</title></head>'
        "<body><h1>HTTP Status 404 \u2013 Not Found</h1></body></html>",
        404,
        media_type="text/html",
    )


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


def base_of(request: Request) -> str:
    """The server's address as the client wrote it."""
    return f"{request.url.scheme}://{request.url.netloc}"


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def resource_of(self, request: Request) -> Resource | None:
        """The type that a path names; `.json` after it is dropped."""
        plural = request.path_params["plural"].removesuffix(".json")
        resource = self.store.resources.get(plural)
        return resource if resource and resource.endpoint == f"/{plural}" else None

    def list_(self, request: Request) -> Response:
        """`GET /api/{plural}`."""
        resource = self.resource_of(request)
        if resource is None:
            return missing_page()
        asked = cast("str", request.scope.get("asked_path", request.url.path))
        try:
            return answer(list_objects(self.store, resource, request.query_params, base_of(request), asked))
        except BadFilter as error:
            return refuse(400, str(error), "E1003")
        except BadParameter as error:
            return refuse(400, str(error))
        except ServerBug:
            return refuse(500)

    def get(self, request: Request) -> Response:
        """`GET /api/{plural}/{uid}`."""
        resource = self.resource_of(request)
        if resource is None:
            return missing_page()
        uid = request.path_params["uid"]
        body = self.store.get(resource.plural, uid)
        if body is None:
            return refuse(404, f"{resource.model} with id {uid} could not be found.", "E1005")
        tree = parse_fields(request.query_params.get("fields", "*"))
        return answer(self.renderer(request).show(resource, body, tree))

    def get_property(self, request: Request) -> Response:
        """`GET /api/{plural}/{uid}/{property}`: one property, wrapped in an object."""
        resource = self.resource_of(request)
        if resource is None:
            return missing_page()
        uid, name = request.path_params["uid"], request.path_params["property"]
        body = self.store.get(resource.plural, uid)
        if body is None:
            return refuse(404, f"{resource.model} with id {uid} could not be found.", "E1005")
        if name not in resource.properties:
            return refuse(404, f"Property {name} does not exist on {resource.model}", "E1005")
        inner = request.query_params.get("fields", ":all")
        return answer(self.renderer(request).show(resource, body, parse_fields(f"{name}[{inner}]")))

    def gist(self, request: Request) -> Response:
        """`GET /api/{plural}/gist`: a list without a total, its next page only where there is one."""
        resource = self.resource_of(request)
        if resource is None:
            return missing_page()
        query, renderer = request.query_params, self.renderer(request)
        try:
            found = matching(self.store, resource, query, renderer)
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
        found = self.store.find(uid)
        if found is None:
            return refuse(404, f"IdentifiableObject with id {uid} could not be found.", "E1005")
        resource = self.store.resources[found[0]]
        tree = parse_fields(request.query_params.get("fields", "*"))
        shown = self.renderer(request).show(resource, found[1], tree)
        return answer({**shown, "href": f"{base_of(request)}/api{resource.endpoint}/{uid}"})

    def renderer(self, request: Request) -> Renderer:
        """Shows objects to this request's user, in its language."""
        return Renderer(self.store, base_of(request), request.query_params.get("locale"))

    def me(self, request: Request) -> Response:
        """`GET /api/me`."""
        users = self.store.objects("users")
        user = next((body for body in users.values() if body.get("username") == "admin"), users.get(ADMIN, {}))
        roles = [
            self.store.get("userRoles", cast("str", role["id"])) or {}
            for role in cast("list[JsonObject]", user.get("userRoles", []))
        ]
        authorities = sorted({str(a) for role in roles for a in cast("list[str]", role.get("authorities", []))})
        fields = request.query_params.get("fields")
        tree = parse_fields(fields or ":all")
        shown = self.renderer(request).show(self.store.resources["users"], user, tree)
        extra: JsonObject = {
            "authorities": cast("list[JsonValue]", authorities),
            "settings": {"keyUiLocale": "en", "keyDbLocale": None},
            "programs": cast("list[JsonValue]", list(self.store.objects("programs"))),
            "dataSets": cast("list[JsonValue]", list(self.store.objects("dataSets"))),
        }
        wanted = extra if not fields else {name: extra[name] for name in tree.children if name in extra}
        shown.pop("sharing", None)
        return answer({**shown, **wanted})

    def authorization(self, request: Request) -> Response:
        """`GET /api/me/authorities` and `/api/me/authorization`."""
        roles = self.store.objects("userRoles").values()
        found = sorted({str(a) for role in roles for a in cast("list[str]", role.get("authorities", []))})
        return answer(cast("list[JsonValue]", found))

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
            "systemId": self.store.fact("systemId"),
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
        return answer({"codes": cast("list[JsonValue]", [new_uid() for _ in range(min(limit, 10_000))])})

    def counts(self, request: Request) -> Response:
        """`GET /api/system/objectCounts`."""
        named = {self.store.resources[plural].singular: count for plural, count in self.store.counts().items()}
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

    def export(self, request: Request) -> Response:
        """`GET /api/metadata`: types by `<plural>=true`, with fields and filters for each, or everything."""
        query = request.query_params
        chosen = [name for name in self.store.resources if query.get(name) == "true" or f"{name}:fields" in query]
        plurals = chosen or [name for name, count in self.store.counts().items() if count]
        renderer = self.renderer(request)
        body: JsonObject = {
            "system": {"id": self.store.fact("systemId"), "rev": "sandbox", "version": VERSION,
                       "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"}
        }  # fmt: skip
        for plural in plurals:
            resource = self.store.resources[plural]
            own = [("filter", value) for value in [*query.getlist("filter"), *query.getlist(f"{plural}:filter")]]
            try:
                found = matching(
                    self.store, resource, type(query)([*own, ("order", query.get(f"{plural}:order", ""))]), renderer
                )
            except BadFilter as error:
                return refuse(409, str(error))
            tree = parse_fields(query.get(f"{plural}:fields") or query.get("fields") or ":owner")
            body[plural] = cast("JsonValue", [renderer.show(resource, item, tree) for item in found])
        return answer(body)

    def missing(self, request: Request) -> Response:
        """Anything else: a malformed UID is 405, an unknown path the container's page."""
        parts = request.url.path.strip("/").split("/")
        if len(parts) == 3 and parts[1] in self.store.resources and request.method == "GET":
            return refuse(405, f"Request method '{request.method}' is not supported")
        return missing_page()


class _UidConvertor(Convertor[str]):
    """Only what looks like a UID is one; anything else falls through to 405."""

    regex = UID

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("uid", _UidConvertor())


def new_uid() -> str:
    """A UID by the server's rule: a letter, then ten letters or digits."""
    letters, rest = string.ascii_letters, string.digits + string.ascii_letters
    return secrets.choice(letters) + "".join(secrets.choice(rest) for _ in range(10))


def create_app(store: Store) -> Starlette:
    """The sandbox over a store, as an ASGI application.

    Parameters:
        store: the database; the caller closes it.
    """
    api = Api(store)
    routes = [
        Route("/api/me", api.me),
        Route("/api/me/authorities", api.authorization),
        Route("/api/me/authorization", api.authorization),
        Route("/api/system/info", api.info),
        Route("/api/system/ping", api.ping),
        Route("/api/ping", api.ping),
        Route("/api/system/id", api.uids),
        Route("/api/system/uid", api.uids),
        Route("/api/system/objectCounts", api.counts),
        Route("/api/schemas", api.schemas),
        Route("/api/schemas/{name}", api.schemas),
        Route("/api/metadata", api.export),
        Route("/api/metadata.json", api.export),
        Route("/api/identifiableObjects/{uid}", api.any_object),
        Route("/api/{plural}", api.list_),
        Route("/api/{plural}/gist", api.gist),
        Route("/api/{plural}/{uid:uid}", api.get),
        Route("/api/{plural}/{uid:uid}.json", api.get),
        Route("/api/{plural}/{uid:uid}/{property}", api.get_property),
        Route("/{path:path}", api.missing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(WithoutVersion), Middleware(SignedIn)])
