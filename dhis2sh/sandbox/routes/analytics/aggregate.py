"""`/api/analytics`: aggregate queries, raw data, data value sets, and the job that builds the tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.analytics import answer as answers
from dhis2sh.sandbox.analytics import build
from dhis2sh.sandbox.analytics.aggregate import AGGREGATIONS, Tables
from dhis2sh.sandbox.analytics.cells import Options
from dhis2sh.sandbox.analytics.engine import Engine, criteria
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.query import Viewer, financial_year_start, read_query
from dhis2sh.sandbox.data.model import Model
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.refused import Refused, not_acceptable, not_imitated

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.dhis2.periods import FinancialYearStart
    from dhis2sh.sandbox.analytics.grid import Grid
    from dhis2sh.sandbox.metadata.rights import Rights
    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

_SPOKEN = ("application/json", "application/javascript")
"""What an address without an ending can be answered in."""
_SKIPS = {
    "skipAggregate": ("DATA_VALUE", "COMPLETENESS", "COMPLETENESS_TARGET", "ORG_UNIT_TARGET"),
    "skipValidationResult": ("VALIDATION_RESULT",),
    "skipEvents": ("EVENT",),
    "skipEnrollment": ("ENROLLMENT",),
    "skipTrackedEntities": (
        "TRACKED_ENTITY_INSTANCE_EVENTS", "TRACKED_ENTITY_INSTANCE_ENROLLMENTS", "TRACKED_ENTITY_INSTANCE",
    ),
    "skipOrgUnitOwnership": ("OWNERSHIP",),
}  # fmt: skip


def grid_answer(grid: Grid, ending: str, store: Store) -> Response:
    """A grid in the format of a path's ending. Raises `Refused` with 501 for a format that nobody has looked into."""
    if ending == "csv":
        return Response(grid.csv(), media_type="application/csv;charset=UTF-8")
    if ending == "xml":
        return Response(grid.xml(), media_type="application/xml;charset=UTF-8")
    if ending in {"html", "html+css"}:
        text = grid.html(styled=ending == "html+css", aligned=store.version.aligned_cells)
        return Response(text, media_type="text/html;charset=UTF-8")
    if ending != "json":
        raise not_imitated(f"grids with the ending .{ending}")
    return answer(grid.shown())


def demand_json(request: Request) -> None:
    """Raise `Refused` with 406 where a request accepts nothing that is JSON; other formats have endings of their own."""
    accepted = [part.partition(";")[0].strip() for part in request.headers.get("accept", "*/*").split(",")]
    if not any(kind in {"*/*", "application/*", *_SPOKEN} for kind in accepted):
        raise not_acceptable(_SPOKEN)


def financial_setting(store: Store) -> FinancialYearStart:
    """Where financial years start, by the system setting."""
    row = store.connection.execute(
        "SELECT value FROM setting WHERE user = '' AND key = 'analyticsFinancialYearStart'"
    ).fetchone()
    return financial_year_start(row[0] if row else None)


def engine_of(store: Store, rights: Rights, query: QueryParams) -> Engine:
    """What answers an aggregate query of somebody. Raises `Refused`."""
    kind = params.choice(query, "aggregationType", "DEFAULT", AGGREGATIONS)
    options = Options(
        None if kind == "DEFAULT" else kind,
        params.boolean(query, "skipRounding"),
        criteria(query.get("measureCriteria")),
        criteria(query.get("preAggregationMeasureCriteria")),
    )
    model = Model(store)
    viewer = viewer_of(rights, query)
    found = read_query(query, model, viewer, financial_setting(store))
    units = found.find("ou")
    demand_viewable(model, units.items if units is not None else [], viewer)
    if not build.is_built(store):
        raise refusal("E7144")
    return Engine(found, Tables(store, found.model), options)


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store
        server.jobs.register("ANALYTICS_TABLE", self._build, opening="Analytics table update process")

    def _build(self, parameters: JsonObject, progress: Progress) -> JsonValue:
        skipped = cast("list[str]", parameters.get("skipTableTypes") or [])
        began = time.perf_counter()
        build.build(self.store, [name for name in build.TABLE_TYPES if name not in skipped], progress.note)
        progress.finish_with(f"Analytics tables updated: {build.lasted(time.perf_counter() - began)}")
        return None

    def start(self, request: Request) -> Response:
        """`POST /api/resourceTables/analytics`: build the tables in a job."""
        query = request.query_params
        skipped = [name for flag, names in _SKIPS.items() if params.boolean(query, flag) for name in names]
        parameters: JsonObject = {}
        if query.get("lastYears"):
            parameters["lastYears"] = params.integer(query, "lastYears", 0)
        parameters |= {
            "skipTableTypes": cast("list[JsonValue]", skipped),
            "skipPrograms": cast("list[JsonValue]", params.many(query, "skipPrograms")),
            "skipResourceTables": params.boolean(query, "skipResourceTables"),
            "skipOutliers": params.boolean(query, "skipOutliers"),
        }
        user = cast("str", self.server.user(request)["id"])
        config = self.server.jobs.submit(
            "ANALYTICS_TABLE", user=user, parameters=parameters, opening_data={"lastYears": None, **parameters}
        )
        return self.server.initiated(request, config)

    # Queries -------------------------------------------------------------------------------------------------------

    def engine(self, request: Request) -> Engine:
        """What answers a request. Raises `Refused`."""
        return engine_of(self.store, self.server.rights(request), request.query_params)

    def aggregate(self, request: Request) -> Response:
        """`GET /api/analytics` and its endings."""
        if "ending" not in request.path_params:
            demand_json(request)
        grid = answers.aggregate_grid(self.engine(request), request.query_params)
        return grid_answer(grid, request.path_params.get("ending", "json"), self.store)

    def unspoken(self, request: Request) -> Response:
        """`GET /api/analytics.pdf`, up to 2.41 `.xlsx` too: a format that no handler writes."""
        raise not_acceptable(_SPOKEN)

    def debug(self, request: Request) -> Response:
        """`GET /api/analytics/debug/sql`: the statement is a server's own; to most requests it says that it has no form for it."""
        accepted = request.headers.get("accept", "*/*")
        if accepted not in {"*/*", "application/json"}:
            raise not_imitated("the statements of /api/analytics/debug/sql")
        raise Refused(406, "No acceptable representation", older="Could not find acceptable representation")

    def raw(self, request: Request) -> Response:
        """`GET /api/analytics/rawData.json` and `.csv`."""
        grid = answers.raw_grid(self.engine(request), request.query_params)
        return grid_answer(grid, request.path_params["ending"], self.store)

    def value_set(self, request: Request) -> Response:
        """`GET /api/analytics/dataValueSet.json` and `.csv`."""
        values = answers.value_set(self.engine(request), request.query_params)
        ending = request.path_params["ending"]
        if ending == "json":
            return answer({"dataValues": cast("list[JsonValue]", values)})
        if ending != "csv":  # a server fails to write XML: 500 with a page of its container
            raise not_imitated(f"a data value set with the ending .{ending}")
        columns = _VALUE_COLUMNS
        if self.store.version.minor <= 41:
            columns = {**columns, "created": "created", "last_updated": "lastUpdated"}
        lines = [",".join(_text(item.get(name)) for name in columns.values()) for item in values]
        text = "\n".join([",".join(_VALUE_COLUMNS), *lines, ""])
        return Response(text, media_type="application/csv;charset=UTF-8")

    def explain(self, request: Request) -> Response:
        """`GET /api/analytics/explain`: the grid with the statements behind it and SQLite's plan of each."""
        engine = self.engine(request)
        connection = self.store.connection
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        began = time.perf_counter()
        try:
            grid = answers.aggregate_grid(engine, request.query_params)
        finally:
            connection.set_trace_callback(None)
        spent = round((time.perf_counter() - began) * 1000, 3)
        plans: list[JsonValue] = []
        for statement in (text for text in statements if text.startswith("WITH ")):
            steps = connection.execute(f"EXPLAIN QUERY PLAN {statement}")
            plans.append({"query": statement, "plan": [str(row[3]) for row in steps]})
        metrics: JsonObject = {"explainId": generate_uid(), "totalTimeInMillis": spent, "executionPlans": plans}
        return answer({**grid.shown(), "performanceMetrics": metrics})

    def table_types(self, request: Request) -> Response:
        """`GET /api/analytics/tableTypes`."""
        return answer(cast("list[JsonValue]", list(build.TABLE_TYPES)))


_VALUE_COLUMNS = {
    "data_element": "dataElement", "period": "period", "organisation_unit": "orgUnit",
    "category_option_combo": "categoryOptionCombo", "attribute_option_combo": "attributeOptionCombo", "value": "value",
    "stored_by": "", "created": "", "last_updated": "", "comment": "comment", "follow_up": "followup",
}  # fmt: skip
"""The columns of a data value set as CSV; nobody wrote these values, and at no time."""


def viewer_of(rights: Rights, query: QueryParams) -> Viewer:
    """Who asks; `userOrgUnit` puts other org units in place of the user's own."""
    own = rights.roots("dataViewOrganisationUnits")
    named = [part for text in params.many(query, "userOrgUnit") for part in text.split(";") if part]
    viewed = cast("list[JsonObject]", rights.user.get("dataViewOrganisationUnits") or [])
    limits = [str(unit["id"]) for unit in viewed]
    return Viewer(named or own, own, limits, str(rights.user.get("username")))


def demand_viewable(model: Model, units: Iterable[str], viewer: Viewer) -> None:
    """Raise `Refused` with E7120 for an org unit whose data a user may not view."""
    for uid in units if viewer.limits else ():
        if not model.within(uid, viewer.limits):
            raise refusal("E7120", viewer.name, uid)


def _text(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/resourceTables/analytics", api.start, methods=["POST", "PUT"]),
        Route("/api/analytics", api.aggregate),
        *(
            Route(f"/api/analytics.{ending}", _with(api.aggregate, ending))
            for ending in ("json", "csv", "xml", "html", "html+css")
        ),
        Route("/api/analytics.pdf", api.unspoken),
        *([Route("/api/analytics.xlsx", api.unspoken)] if server.store.version.minor <= 41 else []),
        Route("/api/analytics/debug/sql", api.debug),
        Route("/api/analytics/rawData.{ending}", api.raw),
        Route("/api/analytics/dataValueSet.{ending}", api.value_set),
        Route("/api/analytics/explain", api.explain),
        Route("/api/analytics/tableTypes", api.table_types),
    ]


def _with(handler: Callable[[Request], Response], ending: str) -> Callable[[Request], Response]:
    """A handler that is told the ending of its path."""

    def handle(request: Request) -> Response:
        request.path_params["ending"] = ending
        return handler(request)

    return handle
