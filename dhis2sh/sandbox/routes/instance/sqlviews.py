"""`/api/sqlViews`: create, refresh and read SQL views."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.sandbox.http.answers import answer, base_of, done
from dhis2sh.sandbox.http.bodies import with_body
from dhis2sh.sandbox.instance.sqlviews import Grid, check, run, substitute
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.refused import Refused, not_found
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_FACT = "sqlViews"
_TYPES: dict[type, tuple[str, str]] = {int: ("INTEGER", "java.lang.Integer"), float: ("NUMBER", "java.lang.Double")}


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
        if view.get("type") != "QUERY":
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
        return answer(self._grid(request, view, grid))

    def _read(self, request: Request, view: JsonObject) -> Grid:
        query, rights = request.query_params, self.server.rights(request)
        pairs = {name: [text.partition(":") for text in query.getlist(name)] for name in ("var", "criteria")}
        sql = str(view.get("sqlQuery") or "")
        check(sql)
        kept = self._kept().get(cast("str", view["id"]))
        if view.get("type") != "QUERY" and kept is None:
            raise Refused(409, "SQL view table does not exist, execute it first", "E1004")
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
        fields = [name for name in query.get("fields", "").split(",") if name in grid.columns]
        chosen = [grid.columns.index(name) for name in fields] or list(range(len(grid.columns)))
        paged = query.get("paging", "true") != "false"
        page, size = max(1, int(query.get("page") or 1)), max(1, int(query.get("pageSize") or 50))
        rows = grid.rows[(page - 1) * size : page * size] if paged else grid.rows
        shown: list[JsonValue] = [[cast("JsonValue", row[index]) for index in chosen] for row in rows]
        found: JsonObject = {"listGrid": {
            "metaData": {}, "headers": [_header(grid, index) for index in chosen], "rows": shown, "title": view.get("name"),
            "subtitle": "", "width": len(chosen), "height": len(shown), "headerWidth": len(chosen),
        }}  # fmt: skip
        if paged:
            count = -(-len(grid.rows) // size)
            found = {"pager": {"page": page, "total": len(grid.rows), "pageSize": size, "pageCount": count}, **found}
        return found


def _header(grid: Grid, index: int) -> JsonObject:
    sample = next((row[index] for row in grid.rows if row[index] is not None), None)
    kind, klass = _TYPES.get(type(sample), ("TEXT", "java.lang.String"))
    name = grid.columns[index]
    return {"name": name, "column": name, "valueType": kind, "type": klass, "hidden": False, "meta": False}


def _csv(cell: object) -> str:
    return "" if cell is None else '"' + str(cell).replace('"', '""') + '"'


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    one = "/api/sqlViews/{uid:uid}"
    return [
        Route(one + "/execute", with_body(api.execute), methods=["POST"]),
        Route(one + "/refresh", with_body(api.refresh), methods=["POST"]),
        Route(one + "/data", api.data),
        Route(one + "/data.json", api.data),
        Route(one + "/data.csv", api.data),
    ]
