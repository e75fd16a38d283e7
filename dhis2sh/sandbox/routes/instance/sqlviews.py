"""`/api/sqlViews`: create, refresh and read SQL views."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer, base_of, done
from dhis2sh.sandbox.http.bodies import with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.instance.sqlviews import Grid, check, no_relation, run, substitute
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.refused import Refused, not_found, not_imitated
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_FACT = "sqlViews"
_QUOTE = {'"': "&quot;"}


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        server.jobs.register("MATERIALIZED_SQL_VIEW_UPDATE", self._refresh_job)

    def _view(self, request: Request) -> JsonObject:
        uid = request.path_params["uid"].partition(".")[0]
        found = self.server.store.get("sqlViews", uid)
        if found is None:
            raise not_found("SqlView", uid)
        return found

    def _kept(self) -> dict[str, JsonObject]:
        """Which views have been created, and the rows of the materialized ones."""
        return json.loads(self.server.store.fact(_FACT) or "{}")

    def _keep(self, uid: str, content: JsonObject) -> None:
        self.server.store.set_fact(_FACT, json.dumps({**self._kept(), uid: content}))

    def execute(self, request: Request, raw: bytes) -> Response:
        """`POST /api/sqlViews/{uid}/execute`: create the view in the database."""
        view = self._view(request)
        self.server.demand(request, "F_SQLVIEW_EXECUTE", "F_SQLVIEW_PUBLIC_ADD")
        uid = cast("str", view["id"])
        if view.get("type") == "QUERY":
            raise Refused(409, "SQL view is a query, no view to create", "E1004")
        self._create(view)
        return done("SQL view created", 201, Location=f"{base_of(request)}/api/sqlViews/{uid}")

    def _create(self, view: JsonObject) -> None:
        """A view is tried out; a materialized one keeps what it gave."""
        sql = str(view.get("sqlQuery") or "")
        check(sql)
        grid = run(self.server.store, sql)
        materialized = view.get("type") == "MATERIALIZED_VIEW"
        content: JsonObject = {"columns": [*grid.columns], "rows": cast("JsonValue", grid.rows)} if materialized else {}
        self._keep(cast("str", view["id"]), content)

    def refresh(self, request: Request, raw: bytes) -> Response:
        """`POST /api/sqlViews/{uid}/refresh`: a materialized view reads its query again."""
        view = self._view(request)
        if view.get("type") != "MATERIALIZED_VIEW" or view["id"] not in self._kept():
            raise Refused(409, "View could not be refreshed", "E1004")
        self._create(view)
        return done("Materialized view refreshed")

    def _refresh_job(self, parameters: JsonObject, progress: Progress) -> JsonValue:
        for uid in cast("list[str]", parameters.get("sqlViews") or []):
            view = self.server.store.get("sqlViews", uid)
            if view is not None and view.get("type") == "MATERIALIZED_VIEW":
                progress.note(f"SQL view update: {view.get('name')}")
                self._create(view)
        return None

    def data(self, request: Request) -> Response:
        """`GET /api/sqlViews/{uid}/data[.csv]`, with `var`, `criteria`, `filter` and paging."""
        view = self._view(request)
        rights = self.server.rights(request)
        if not rights.can_read_data(view):
            raise Refused(403, f"Current user is not authorised to read data from SQL view: `{view['id']}`", "E4312")
        grid = self._read(request, view)
        if request.url.path.endswith(".csv") or "csv" in request.headers.get("accept", ""):
            lines = [
                ",".join(_csv(name) for name in grid.columns),
                *(",".join(_csv(cell) for cell in row) for row in grid.rows),
            ]
            return Response("".join(f"{line}\n" for line in lines), media_type="application/csv;charset=UTF-8")
        if request.url.path.endswith(".html"):
            return Response(_html(view, grid), media_type="text/html;charset=UTF-8")
        if request.url.path.endswith(".xml"):
            if any(cell is None for row in grid.rows for cell in row):
                raise not_imitated("an empty cell in XML")
            return Response(_xml(self._grid(request, view, grid)), media_type="application/xml;charset=UTF-8")
        return answer(self._grid(request, view, grid))

    def _read(self, request: Request, view: JsonObject) -> Grid:
        query, rights = request.query_params, self.server.rights(request)
        pairs = {name: [text.partition(":") for text in query.getlist(name)] for name in ("var", "criteria")}
        sql = str(view.get("sqlQuery") or "")
        check(sql)
        kept = self._kept().get(cast("str", view["id"]))
        if view.get("type") != "QUERY" and kept is None:
            raise no_relation("_view_" + re.sub(r"\W+", "_", str(view.get("name")).strip().lower()))
        variables = {name: value for name, _, value in pairs["var"]}
        criteria = [(name, value) for name, _, value in pairs["criteria"]]
        if view.get("type") == "QUERY":
            sql = substitute(sql, variables, user=rights.uid, username=str(rights.user.get("username")))
        elif kept and not criteria and not query.getlist("filter"):
            return Grid(cast("list[str]", kept["columns"]), cast("list[list[object]]", kept["rows"]))
        return run(self.server.store, sql, criteria, query.getlist("filter"))

    def _grid(self, request: Request, view: JsonObject, grid: Grid) -> JsonObject:
        """As `listGrid`, with a pager unless paging is off."""
        query = request.query_params
        # Only what is filtered is cut down to `fields`.
        wanted = query.get("fields", "").split(",") if "filter" in query else []
        fields = [name for name in wanted if name in grid.columns]
        chosen = [grid.columns.index(name) for name in fields] or list(range(len(grid.columns)))
        paged = query.get("paging", "true") != "false"
        page, size = max(1, int(query.get("page") or 1)), max(1, int(query.get("pageSize") or 50))
        rows = grid.rows[(page - 1) * size : page * size] if paged else grid.rows
        shown: list[JsonValue] = [[cast("JsonValue", row[index]) for index in chosen] for row in rows]
        found: JsonObject = {"listGrid": {
            "title": view.get("name"), **({"subtitle": view["description"]} if view.get("description") else {}),
            "headers": [_header(grid.columns[index]) for index in chosen], "metaData": {}, "rowContext": {}, "width": len(chosen),
            "rows": shown, "headerWidth": len(chosen), "height": len(shown),
        }}  # fmt: skip
        if paged:
            count = -(-len(grid.rows) // size)
            found = {"pager": {"page": page, "total": len(grid.rows), "pageSize": size, "pageCount": count}, **found}
        return found


def _header(name: str) -> JsonObject:
    return {"name": name, "column": name, "type": "java.lang.String", "hidden": False, "meta": False}


def _csv(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\n\r]', text) else text


def _xml(found: JsonObject) -> str:
    """A grid as XML, with its pager."""
    grid = cast("JsonObject", found["listGrid"])
    pager = cast("JsonObject", found.get("pager") or {})
    pages = "".join(f"<{name}>{pager[name]}</{name}>" for name in ("page", "pageCount", "total", "pageSize") if pager)
    heads = "".join(
        f'<header name="{escape(str(one["name"]), _QUOTE)}" column="{escape(str(one["column"]), _QUOTE)}" type="{one["type"]}" '
        'hidden="false" meta="false"></header>'
        for one in cast("list[JsonObject]", grid["headers"])
    )
    rows = "".join(
        f"<row>{''.join(f'<field>{escape(str(cell))}</field>' for cell in row)}</row>"
        for row in cast("list[list[str]]", grid["rows"])
    )
    subtitle = f' subtitle="{escape(str(grid["subtitle"]), _QUOTE)}"' if "subtitle" in grid else ""
    return (
        "<?xml version='1.0' encoding='UTF-8'?>" + '<metadata xmlns="http://dhis2.org/schema/dxf/2.0">'
        f'{f"<pager>{pages}</pager>" if pager else ""}<listGrid title="{escape(str(grid["title"]), _QUOTE)}"{subtitle} '
        f'width="{grid["width"]}" height="{grid["height"]}"><headers>{heads}</headers><rows>{rows}</rows></listGrid></metadata>'
    )


def _html(view: JsonObject, grid: Grid) -> str:
    """All rows as a table."""

    def cells(tag: str, row: Sequence[object]) -> str:
        return "".join(f"<{tag}>{escape('' if cell is None else str(cell))}</{tag}>\n" for cell in row)

    body = "".join(f"<tr>\n{cells('td', row)}</tr>\n" for row in grid.rows)
    return (
        f'<div class="gridDiv">\n<h3>{escape(str(view.get("name")))}</h3>\n<h4>{escape(str(view.get("description") or ""))}</h4>\n'
        f'<table class="listTable gridTable">\n<thead>\n<tr>\n{cells("th", grid.columns)}</tr>\n</thead>\n<tbody>\n{body}</tbody>\n'
        "</table>\n</div>"
    )


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    one = "/api/sqlViews/{uid:uid}"
    return [
        Route(one + "/execute", with_body(api.execute), methods=["POST"]),
        Route(one + "/refresh", with_body(api.refresh), methods=["POST"]),
        Route(one + "/data", api.data),
        Route(one + "/data.json", api.data),
        *[Route(f"{one}/data.{ending}", api.data) for ending in ("csv", "xml", "html")],
    ]
