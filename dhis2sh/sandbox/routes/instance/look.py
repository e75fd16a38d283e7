"""How the installation looks: style sheet, script, logos, styles, icons, and how fields may be rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer, base_of, done, empty
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.http.multipart import read_form
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.refused import Refused, missing_part, not_found, not_imitated
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

FILES = {"style": "text/css", "script": "application/javascript"}
LOGOS = ("logo_banner", "logo_front")
STYLES = {"Green": "green", "India": "india", "Light Blue": "light_blue", "Myanmar": "myanmar", "Vietnam": "vietnam"}
DEFAULT_ICONS = ("_positive", "_negative", "_outline")
"""How the keys of the icons end that a server brings along."""
_CHOICES = ("VERTICAL_RADIOBUTTONS", "HORIZONTAL_RADIOBUTTONS", "VERTICAL_CHECKBOXES", "HORIZONTAL_CHECKBOXES")
_NUMBERS = ("INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "NUMBER", "UNIT_INTERVAL",
            "PERCENTAGE")  # fmt: skip
_RENDERING: tuple[tuple[tuple[str | None, ...], tuple[str, ...]], ...] = (
    (("TRUE_ONLY", "BOOLEAN"), ("DEFAULT", *_CHOICES, "TOGGLE")),
    ((None,), ("DEFAULT", "DROPDOWN", *_CHOICES, "SHARED_HEADER_RADIOBUTTONS", "ICONS_AS_BUTTONS", "SPINNER", "ICON")),
    (_NUMBERS, ("DEFAULT", "SPINNER", "VALUE", "SLIDER", "LINEAR_SCALE")),
    (("TEXT",), ("DEFAULT", "VALUE", "AUTOCOMPLETE", "QR_CODE", "BAR_CODE", "GS1_DATAMATRIX")),
    (("IMAGE",), ("DEFAULT", "CANVAS")),
)
"""Which value types may be rendered how; None is any with an option set."""


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    # Style sheet and script

    def file(self, request: Request) -> Response:
        """`GET /api/files/style`, `/style/external` and `/script`: nothing until one is set."""
        kind = _kind(request)
        return Response(self.server.store.fact(f"files/{kind}") or "", media_type=f"{FILES[kind]};charset=UTF-8")

    def set_file(self, request: Request, raw: bytes) -> Response:
        """`POST /api/files/style` and `/script`; an empty body takes it away."""
        self.server.demand(request, "F_INSERT_CUSTOM_JS_CSS")
        kind = _kind(request)
        if not raw:
            raise not_imitated(f"a {kind} without content")
        self.server.store.set_fact(f"files/{kind}", raw.decode())
        return done(f"Custom {kind} created")

    def delete_file(self, request: Request) -> Response:
        """`DELETE /api/files/style` and `/script`."""
        self.server.demand(request, "F_INSERT_CUSTOM_JS_CSS")
        self.server.store.set_fact(f"files/{_kind(request)}", "")
        return empty()

    # Logos

    def set_logo(self, request: Request, raw: bytes) -> Response:
        """`POST /api/staticContent/{key}`, a form with a picture in the field `file`."""
        self.server.demand(request, "F_SYSTEM_SETTING")
        key, part = request.path_params["key"], read_form(request.headers.get("content-type", ""), raw).get("file")
        if part is None:
            raise missing_part("file")
        if key not in LOGOS:
            raise Refused(400, "This key is not supported.")
        if part.content_type != "image/png":
            body: JsonObject = {"httpStatus": "Unsupported Media Type", "httpStatusCode": 415, "status": "WARNING"}
            return answer(body, 415)
        with self.server.store.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO file_content VALUES (?, ?)", (key, part.content))
        return empty()

    def logo(self, request: Request) -> Response:
        """`GET /api/staticContent/{key}`: the picture; to who wants JSON, where it is, as a redirect that leads nowhere."""
        key = request.path_params["key"]
        if key not in LOGOS:
            raise Refused(404, "Key does not exist.", "E1005" if self.server.store.version.minor >= 42 else None)
        row = self.server.store.connection.execute("SELECT content FROM file_content WHERE uid = ?", (key,)).fetchone()
        if row is None:
            raise not_imitated("the logo that a server brings along")
        if "json" in request.headers.get("accept", ""):
            return answer({"images": {"png": f"{base_of(request)}/api/staticContent/{key}"}}, 302)
        return Response(row[0], media_type="image/png;charset=UTF-8")

    # Styles, icons, rendering

    def styles(self, request: Request) -> Response:
        """`GET /api/system/styles`."""
        return answer([{"name": name, "key": key, "path": f"{key}/{key}.css"} for name, key in STYLES.items()])

    def icon(self, request: Request) -> Response:
        """`GET /api/icons/{key}` and `/icon.svg`: there is none; those that a server brings along are not here."""
        key = request.path_params["key"]
        if key.endswith(DEFAULT_ICONS):
            raise not_imitated("the icons that a server brings along")
        raise not_found("Icon", key)

    def delete_icon(self, request: Request) -> Response:
        """`DELETE /api/icons/{key}`: the icons that a server brings along stay."""
        key = request.path_params["key"]
        if key.endswith(DEFAULT_ICONS):
            raise Refused(400, "Not allowed to delete default icon", "E1003")
        raise not_found("Icon", key)

    def add_icon(self, request: Request, raw: bytes) -> Response:
        """`POST /api/icons`: wants a picture that has been uploaded."""
        file = parse_object(raw).get("fileResource")
        uid = cast("JsonObject", file).get("id") if isinstance(file, dict) else None
        if uid is None or self.server.store.get("fileResources", str(uid)) is None:
            raise not_found("FileResource", "null" if uid is None else str(uid))
        raise not_imitated("icons of one's own")

    def icons(self, request: Request) -> Response:
        """`GET /api/icons?type=CUSTOM`: none, as none can be made here."""
        if request.query_params.get("type", "").upper() != "CUSTOM":
            raise not_imitated("the icons that a server brings along")
        return answer({"pager": {"page": 1, "total": 0, "pageSize": 50, "pageCount": 0}, "icons": []})

    def rendering(self, request: Request) -> Response:
        """`GET /api/staticConfiguration/renderingOptions`: which fields of programs may be rendered how."""
        rows: list[JsonValue] = []
        for types, ways in _RENDERING:
            for name in ("ProgramStageDataElement", "ProgramTrackedEntityAttribute"):
                for value_type in types:
                    typed: JsonObject = {} if value_type is None else {"valueType": value_type}
                    rows.append({"clazz": f"org.hisp.dhis.program.{name}", **typed, "hasOptionSet": value_type is None,
                                 "renderingTypes": list(ways)})  # fmt: skip
        return answer(rows)


def _kind(request: Request) -> str:
    return "style" if "/style" in request.url.path else "script"


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    logo, icon = "/api/staticContent/{key}", "/api/icons/{key}"
    return [
        Route("/api/files/style/external", api.file),
        *[Route(f"/api/files/{kind}", api.file) for kind in FILES],
        *[Route(f"/api/files/{kind}", with_body(api.set_file), methods=["POST"]) for kind in FILES],
        *[Route(f"/api/files/{kind}", api.delete_file, methods=["DELETE"]) for kind in FILES],
        Route(logo, api.logo),
        Route(logo, with_body(api.set_logo), methods=["POST"]),
        Route("/api/system/styles", api.styles),
        Route("/api/icons", api.icons),
        Route("/api/icons", with_body(api.add_icon), methods=["POST"]),
        Route(icon, api.icon),
        Route(icon, api.delete_icon, methods=["DELETE"]),
        Route(f"{icon}/icon.svg", api.icon),
        Route("/api/staticConfiguration/renderingOptions", api.rendering),
    ]
