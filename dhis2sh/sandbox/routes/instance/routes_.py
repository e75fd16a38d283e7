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

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.java.reader import REDACTED
from dhis2sh.sandbox.refused import Refused, not_found, not_imitated
from dhis2sh.sandbox.routes.metadata.writes import Api as Writes
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/?#]+([/?#]\S*)?")
"""What can be a route's address at all."""
SIGN_INS = ("api-headers", "api-query-params", "api-token", "http-basic", "oauth2-client-credentials")
"""How a route may sign in at its address."""
LONGEST_TIMEOUT = 60
NEWER = 43
"""From 2.43 on another library calls, which words its failures otherwise."""
_HOP = {"host", "authorization", "cookie", "content-length", "connection", "accept-encoding"}
TIMEOUT = 10.0
"""Seconds until an address that does not answer counts as failed, where a route names none."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **named: object) -> None:
        """Redirects are answers, not followed."""


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._writes = Writes(server)

    def _allowed(self, url: str) -> bool:
        """Does the installation let routes go there (`route.remote_servers_allowed`)?"""
        patterns = (re.escape(one).replace(r"\*", ".*") for one in self.server.remote_servers)
        return ADDRESS.fullmatch(url) is not None and any(re.fullmatch(one, url) for one in patterns)

    def _check(self, sent: JsonObject, raw: bytes) -> None:
        """What a server says no to, in its order; until 2.41 a route may point anywhere. Raises `Refused`."""
        auth, version = sent.get("auth"), self.server.store.version
        known = SIGN_INS[:-1] if version.routes_anywhere else SIGN_INS
        if isinstance(auth, dict) and auth.get("type") not in known:
            raise _unknown_sign_in(auth, raw, known, version.unreadable)
        if isinstance(auth, dict) and not all(
            isinstance(auth.get(name) or {}, dict) for name in ("headers", "queryParams")
        ):
            raise not_imitated("a sign-in whose headers or parameters are no object")
        url = str(sent.get("url") or "")
        if not ADDRESS.fullmatch(url):
            raise Refused(409, "Malformed route URL", "E1004")
        if not version.routes_anywhere and not self._allowed(url):
            raise Refused(409, "Route URL is not permitted", "E1004")
        seconds = sent.get("responseTimeoutSeconds", 1)
        if not isinstance(seconds, int) or not 0 < seconds <= LONGEST_TIMEOUT:
            text = f"Route response timeout must be greater than 0 seconds and less than or equal to {LONGEST_TIMEOUT} seconds"
            raise Refused(409, text, "E1004")

    def create(self, request: Request, raw: bytes) -> Response:
        """`POST /api/routes`: only to addresses that the installation allows."""
        sent = parse_object(raw)
        self._check(sent, raw)
        sent["id"] = sent.get("id") or generate_uid()
        request.scope["path_params"] = {"plural": "routes"}
        return self._writes.create(request, _whole(sent))

    def replace(self, request: Request, raw: bytes) -> Response:
        """`PUT /api/routes/{uid}`."""
        uid = request.path_params["uid"]
        if self.server.store.get("routes", uid) is None:
            raise not_found("Route", uid)
        sent = parse_object(raw)
        self._check(sent, raw)
        request.scope["path_params"] = {"plural": "routes", "uid": uid}
        return self._writes.replace(request, _whole(sent))

    def run(self, request: Request, raw: bytes) -> Response:
        """`/api/routes/{id or code}/run[/...]`: the request goes on to the route's address."""
        key = request.path_params["id"]
        routes = self.server.store.objects("routes")
        old = self.server.store.version.routes_anywhere
        found = routes.get(key) or next((body for body in routes.values() if body.get("code") == key), None)
        if found is None or found.get("disabled"):
            raise Refused(404, f"Route {key} not found" if old else f"Route not found: '{key}'", "E1005")
        needed, rights = cast("list[str]", found.get("authorities") or []), self.server.rights(request)
        if not rights.superuser and rights.authorities.isdisjoint(needed):  # a route that names none is for nobody else
            raise Refused(403, f"User not authorized{'' if old else ' to execute route'}", "E1006")
        url, rest = str(found["url"]), request.path_params.get("rest", "")
        if rest and not url.endswith("/**"):
            raise Refused(400, f"Route {key} does not allow subpaths", "E1003")
        if not self._allowed(url.removesuffix("/**")):
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
        outgoing = urllib.request.Request(url, raw or None, headers, method=request.method)  # noqa: S310 - `_allowed` has seen it
        timeout = float(cast("int", found.get("responseTimeoutSeconds") or TIMEOUT))
        try:
            with urllib.request.build_opener(_NoRedirect).open(outgoing, timeout=timeout) as answer:
                return Response(answer.read(), answer.status, media_type=answer.headers.get("content-type"))
        except urllib.error.HTTPError as error:
            return Response(error.read(), error.code, media_type=error.headers.get("content-type"))
        except OSError as error:
            if isinstance(getattr(error, "reason", error), ConnectionRefusedError):
                raise self._unreached(outgoing) from None
            raise Refused(502, "Bad Gateway") from None

    def _unreached(self, outgoing: urllib.request.Request) -> Refused:
        """What a version says where nobody answers (recorded)."""
        port = 443 if outgoing.type == "https" else 80
        place = outgoing.host if ":" in outgoing.host else f"{outgoing.host}:{port}"
        version = self.server.store.version
        if version.minor >= NEWER:
            return Refused(500, "io_uring connect(..) failed with error(-111): Connection refused")
        if not version.routes_anywhere:
            return Refused(500, f"finishConnect(..) failed with error(-111): Connection refused: /{place}")
        told = f"Connect to {place} [/{place.partition(':')[0]}] failed: Connection refused"
        cause = f"nested exception is org.apache.http.conn.HttpHostConnectException: {told}"
        return Refused(503, f'I/O error on {outgoing.method} request for "{outgoing.full_url}": {told}; {cause}')


_USUAL: JsonObject = {"disabled": False, "headers": {}, "authorities": [], "responseTimeoutSeconds": 5}


def _whole(sent: JsonObject) -> bytes:
    """A route with what the server fills in."""
    return json.dumps({**_USUAL, **sent}).encode()


def _unknown_sign_in(auth: JsonObject, raw: bytes, known: tuple[str, ...], status: int) -> Refused:
    """The server's JSON reader knows no such sign-in."""
    kind = auth.get("type")
    if not isinstance(kind, str):
        return not_imitated("a route whose sign-in has no type")
    text, name = raw.decode(), json.dumps(kind)
    before = text[: text.find(name, text.find('"auth"')) + 1]
    where = REDACTED.format(line=before.count("\n") + 1, column=len(before.rpartition("\n")[2]))
    chain = '(through reference chain: org.hisp.dhis.route.Route["auth"])'
    return Refused(
        status,
        f"Could not resolve type id '{kind}' as a subtype of `org.hisp.dhis.common.auth.AuthScheme`: known type ids = "
        f"[{', '.join(known)}] (for POJO property 'auth')\n at {where} {chain}",
    )


def _credentials(auth: JsonObject) -> dict[str, str]:
    match auth.get("type"):
        case "http-basic":
            pair = f"{auth.get('username')}:{auth.get('password')}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case "api-token":
            return {"Authorization": f"ApiToken {auth.get('token')}"}
        case "api-headers":
            return {str(k): str(v) for k, v in cast("JsonObject", auth.get("headers") or {}).items()}
        case None:
            return {}
        case other:
            raise not_imitated(f"a route that signs in by {other}")


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
