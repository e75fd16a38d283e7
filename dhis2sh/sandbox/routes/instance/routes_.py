"""DHIS2's own routes: an address behind a name, called by the server (`/api/routes/{id}/run`)."""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.refused import Refused, not_found
from dhis2sh.sandbox.routes.metadata.writes import Api as Writes
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

PERMITTED = re.compile(r"https://[^\s/?#]+([/?#]\S*)?")
"""What a route may point at, as a server allows by default: any https address."""
_HOP = {"host", "authorization", "cookie", "content-length", "connection", "accept-encoding"}
TIMEOUT = 10.0
"""Seconds until an address that does not answer counts as failed."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **named: object) -> None:
        """Redirects are answers, not followed."""


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._writes = Writes(server)

    def _permitted(self, sent: JsonObject) -> bool:
        """May a route point there? Until 2.41 it may point anywhere; `run` still calls https addresses only."""
        return self.server.store.version.routes_anywhere or PERMITTED.fullmatch(str(sent.get("url") or "")) is not None

    def create(self, request: Request, raw: bytes) -> Response:
        """`POST /api/routes`: only to addresses that are permitted."""
        sent = parse_object(raw)
        if not self._permitted(sent):
            raise Refused(409, "Route URL is not permitted", "E1004")
        sent["id"] = sent.get("id") or generate_uid()
        request.scope["path_params"] = {"plural": "routes"}
        return self._kept(sent, self._writes.create(request, _whole(sent)))

    def replace(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/routes/{uid}`."""
        uid = request.path_params["uid"]
        if self.server.store.get("routes", uid) is None:
            raise not_found("Route", uid)
        sent = parse_object(raw)
        if not self._permitted(sent):
            raise Refused(409, "Route URL is not permitted", "E1004")
        request.scope["path_params"] = {"plural": "routes", "uid": uid}
        return self._kept({**sent, "id": uid}, self._writes.replace(request, _whole(sent)))

    def _kept(self, sent: JsonObject, answer: Response) -> Response:
        """Keep a route's credentials apart from the object, which anybody may read who may read the route."""
        auth = sent.get("auth")
        if answer.status_code < 300 and isinstance(auth, dict):
            with self.server.store.writing() as connection:
                row = (sent["id"], json.dumps(auth))
                connection.execute("INSERT OR REPLACE INTO route_secret VALUES (?, ?)", row)
        return answer

    def run(self, request: Request, raw: bytes) -> Response:
        """`/api/routes/{id or code}/run[/...]`: the request goes on to the route's address."""
        key = request.path_params["id"]
        routes = self.server.store.objects("routes")
        found = routes.get(key) or next((body for body in routes.values() if body.get("code") == key), None)
        if found is None:
            raise Refused(404, f"Route not found: '{key}'", "E1005")
        needed = cast("list[str]", found.get("authorities") or [])
        if needed and not self.server.rights(request).has(*needed):
            raise Refused(403, "User not authorized", "E1006")
        if found.get("disabled"):
            raise Refused(409, f"Route is disabled: '{key}'", "E1004")
        url, rest = str(found["url"]), request.path_params.get("rest", "")
        if rest and not url.endswith("/**"):
            raise Refused(400, f"Route {key} does not allow subpaths", "E1003")
        if not PERMITTED.fullmatch(url.removesuffix("/**")):
            raise Refused(503, f'I/O error on {request.method} request for "{url}": Connection refused')
        return self._forward(request, found, url.removesuffix("/**") + (f"/{rest}" if rest else ""), raw)

    def _forward(self, request: Request, found: JsonObject, url: str, raw: bytes) -> Response:
        if request.url.query:
            url = f"{url}?{request.url.query}"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        headers |= {str(k): str(v) for k, v in cast("JsonObject", found.get("headers") or {}).items()}
        row = self.server.store.connection.execute(
            "SELECT auth FROM route_secret WHERE route = ?", (found["id"],)
        ).fetchone()
        headers |= _credentials(json.loads(row[0]) if row else {})
        outgoing = urllib.request.Request(url, raw or None, headers, method=request.method)  # noqa: S310 - https only
        try:
            with urllib.request.build_opener(_NoRedirect).open(outgoing, timeout=TIMEOUT) as answer:
                return Response(answer.read(), answer.status, media_type=answer.headers.get("content-type"))
        except urllib.error.HTTPError as error:
            return Response(error.read(), error.code, media_type=error.headers.get("content-type"))
        except OSError:
            raise Refused(502, "Bad Gateway") from None


_SHOWN = ("type", "username", "clientId", "tokenUri", "scopes")
"""What of a route's sign-in is shown; the rest is secret."""
_USUAL: JsonObject = {"disabled": False, "headers": {}, "authorities": [], "responseTimeoutSeconds": 5}


def _whole(sent: JsonObject) -> bytes:
    """A route as it is stored: with what the server fills in, without secrets."""
    auth = sent.get("auth")
    shown: JsonObject = (
        {"auth": {name: auth[name] for name in _SHOWN if name in auth}} if isinstance(auth, dict) else {}
    )
    return json.dumps({**_USUAL, **sent, **shown}).encode()


def _credentials(auth: JsonObject) -> dict[str, str]:
    match auth.get("type"):
        case "http-basic":
            pair = f"{auth.get('username')}:{auth.get('password')}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case "api-token":
            return {"Authorization": f"ApiToken {auth.get('token')}"}
        case "api-headers":
            return {str(k): str(v) for k, v in cast("JsonObject", auth.get("headers") or {}).items()}
        case _:
            return {}


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [
        Route("/api/routes", with_body(api.create), methods=["POST"]),
        Route("/api/routes/{uid:uid}", with_body(api.replace), methods=["PUT"]),
        Route("/api/routes/{id}/run", with_body(api.run), methods=methods),
        Route("/api/routes/{id}/run/{rest:path}", with_body(api.run), methods=methods),
    ]
