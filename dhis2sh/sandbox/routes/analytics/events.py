"""`/api/analytics/events`, `/enrollments` and `/trackedEntities`: tracker data as grids."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.analytics import build
from dhis2sh.sandbox.analytics.clusters import cluster_grid, extent, point_of
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.event_grids import query_grid
from dhis2sh.sandbox.analytics.event_totals import aggregate_grid
from dhis2sh.sandbox.analytics.events import EventQuery, Kind, read_events
from dhis2sh.sandbox.analytics.records import records
from dhis2sh.sandbox.data.model import Model
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.refused import not_imitated
from dhis2sh.sandbox.routes.analytics.aggregate import demand_viewable, financial_setting, grid_answer, viewer_of

if TYPE_CHECKING:
    from dhis2sh.sandbox.routes.server import Server

_KINDS: dict[str, Kind] = {"events": "event", "enrollments": "enrollment", "trackedEntities": "trackedEntity"}


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    def _read(self, request: Request) -> EventQuery:
        """The query of a request. Raises `Refused`."""
        kind = _KINDS[request.path_params["kind"]]
        uid = cast("str", request.path_params["uid"])
        viewer = viewer_of(self.server.rights(request), request.query_params)
        model = Model(self.store)
        found = read_events(request.query_params, model, kind, uid, viewer, financial_setting(self.store))
        demand_viewable(model, found.units, viewer)
        if not build.is_built(self.store):
            raise refusal("E7144")
        return found

    def query(self, request: Request) -> Response:
        """`GET /api/analytics/{kind}/query/{uid}`."""
        grid = query_grid(self.store, self._read(request), request.query_params)
        return grid_answer(grid, request.path_params.get("ending", "json"), self.store)

    def aggregate(self, request: Request) -> Response:
        """`GET /api/analytics/{kind}/aggregate/{uid}`."""
        grid = aggregate_grid(self.store, self._read(request), request.query_params)
        return grid_answer(grid, request.path_params.get("ending", "json"), self.store)

    def dimensions(self, request: Request) -> Response:
        """`GET /api/analytics/trackedEntities/query/dimensions`: only what it refuses was seen."""
        params.required(request.query_params, "trackedEntityType")
        raise not_imitated("the dimensions of a tracked entity type")

    def count(self, request: Request) -> Response:
        """`GET /api/analytics/events/count/{program}`: how many events, and where they lie."""
        found = self._read(request)
        rows = records(self.store, found, request.query_params)
        points = [point for row in rows if (point := point_of(row.row["geometry"])) is not None]
        return answer({"extent": extent(points) if points else None, "count": len(rows)})

    def cluster(self, request: Request) -> Response:
        """`GET /api/analytics/events/cluster/{program}`: events on a map, those in one square together."""
        return grid_answer(cluster_grid(self.store, self._read(request), request.query_params), "json", self.store)


def _of_kind(handler: Callable[[Request], Response], kind: str) -> Callable[[Request], Response]:
    """A handler that is told which kind of rows its path is about."""

    def handle(request: Request) -> Response:
        request.path_params["kind"] = kind
        return handler(request)

    return handle


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    found: list[Route] = []
    for kind in _KINDS:
        base = f"/api/analytics/{kind}"
        handlers = {"query": api.query} | ({"aggregate": api.aggregate} if kind != "trackedEntities" else {})
        for name, handler in handlers.items():
            for ending in ("", ".{ending}"):
                found.append(Route(f"{base}/{name}/{{uid:uid}}{ending}", _of_kind(handler, kind)))
    found.append(Route("/api/analytics/trackedEntities/query/dimensions", api.dimensions))
    found.append(Route("/api/analytics/events/count/{uid:uid}", _of_kind(api.count, "events")))
    found.append(Route("/api/analytics/events/cluster/{uid:uid}", _of_kind(api.cluster, "events")))
    return found
