"""`/api/apps` and `/api/appHub`: apps are installed from a zip; the hub is not reached from here."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer, base_of, empty
from dhis2sh.sandbox.http.bodies import parse_json, with_body
from dhis2sh.sandbox.http.multipart import read_form
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.refused import Refused, missing_part, not_imitated
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_FACT = "apps"
_MANIFESTS = ("manifest.webapp", "d2.config.json")
_NO_MANIFEST = "Manifest file missing from zip file"
HUB = "https://apps.dhis2.org"


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def _apps(self) -> dict[str, JsonObject]:
        return json.loads(self.server.store.fact(_FACT) or "{}")

    def list_(self, request: Request) -> Response:
        """`GET /api/apps`."""
        found: list[JsonValue] = [self._shown(request, app) for app in self._apps().values()]
        key = request.query_params.get("key")
        if key and key not in self._apps():
            return Response(status_code=404)
        return answer([app for app in found if not key or cast("JsonObject", app)["key"] == key])

    def menu(self, request: Request) -> Response:
        """`GET /api/apps/menu`: the apps that a menu would show."""
        if self._apps():
            raise not_imitated("a menu of installed apps")
        return answer({"modules": []})

    def _shown(self, request: Request, app: JsonObject) -> JsonObject:
        base = f"{base_of(request)}/api/apps/{app['key']}"
        return {**app, "baseUrl": base, "launchUrl": f"{base}/{app.get('launch_path') or 'index.html'}"}

    def get(self, request: Request) -> Response:
        """`GET /api/apps/{key}`."""
        key = request.path_params["key"]
        app = self._apps().get(key)
        if app is None:
            raise Refused(404, f"App '{key}' not found.")
        return answer(self._shown(request, app))

    def reload(self, request: Request) -> Response:
        """`PUT /api/apps`: look again at what is installed."""
        self.server.demand(request, "M_dhis-web-app-management")
        return empty()

    def install(self, request: Request, raw: bytes) -> Response:
        """`POST /api/apps`, a form with the zip in the field `file`."""
        self.server.demand(request, "M_dhis-web-app-management")
        part = read_form(request.headers.get("content-type", ""), raw).get("file")
        if part is None:
            raise missing_part("file")
        try:
            with zipfile.ZipFile(io.BytesIO(part.content)) as archive:
                names = {name.rpartition("/")[2]: name for name in archive.namelist() if name.count("/") < 2}
                manifest = next((names[name] for name in _MANIFESTS if name in names), None)
                read = cast("JsonObject", json.loads(archive.read(manifest))) if manifest else {}
        except (zipfile.BadZipFile, ValueError):
            raise Refused(409, _NO_MANIFEST) from None
        if not read.get("name"):
            raise Refused(409, _NO_MANIFEST)
        key = _key(str(read.get("short_name") or read["name"]))
        app: JsonObject = {**read, "key": key, "folderName": f"apps/{key}", "appState": "OK", "appStorageSource": "LOCAL",
                           "bundled": False}  # fmt: skip
        self.server.store.set_fact(_FACT, json.dumps({**self._apps(), key: app}))
        return answer(self._shown(request, app), 201)

    def delete(self, request: Request) -> Response:
        """`DELETE /api/apps/{key}`."""
        self.server.demand(request, "M_dhis-web-app-management")
        apps, key = self._apps(), request.path_params["key"]
        if key not in apps:
            raise Refused(404, f"App does not exist: {key}")
        del apps[key]
        self.server.store.set_fact(_FACT, json.dumps(apps))
        return empty()

    def done(self, request: Request, raw: bytes) -> Response:
        """`POST /api/apps/config` and `/api/menu`: taken, and without effect on what is shown here."""
        parse_json(raw)
        return empty()

    def hub(self, request: Request) -> Response:
        """`GET /api/appHub`: the sandbox reaches no other server, as a server without internet."""
        rest = request.path_params.get("rest", "v2/apps")
        path = rest if request.method == "GET" else f"v2/appVersions/{rest}"
        host, old = HUB.rpartition("/")[2], self.server.store.version.minor < 42
        nested = f"; nested exception is java.net.UnknownHostException: {host}" if old else ""
        raise Refused(503, f'I/O error on GET request for "{HUB}/api/{path}": {host}{nested}')

    def hub_url(self, request: Request) -> Response:
        """`GET /api/configuration/appHubUrl`."""
        return answer({"baseUrl": HUB, "apiUrl": f"{HUB}/api"})

    def updates(self, request: Request) -> Response:
        """`GET /api/systemUpdates`: the list of versions is elsewhere, too."""
        raise Refused(409, "Failed to fetch list of latest versions.")


def _key(short_name: str) -> str:
    """What a server makes of an app's short name, case kept (`App.getUrlFriendlyName`)."""
    return re.sub(r"\s+", "-", re.sub(r"[^A-Za-z0-9\s-]", "", short_name.strip()))


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/apps", api.list_),
        Route("/api/apps", api.reload, methods=["PUT"]),
        Route("/api/apps", with_body(api.install), methods=["POST"]),
        Route("/api/apps/menu", api.menu),
        Route("/api/apps/config", with_body(api.done), methods=["POST"]),
        Route("/api/menu", with_body(api.done), methods=["POST"]),
        Route("/api/apps/{key}", api.get),
        Route("/api/apps/{key}", api.delete, methods=["DELETE"]),
        Route("/api/appHub", api.hub),
        Route("/api/appHub/{rest:path}", api.hub, methods=["GET", "POST"]),
        Route("/api/configuration/appHubUrl", api.hub_url),
        Route("/api/systemUpdates", api.updates),
    ]
