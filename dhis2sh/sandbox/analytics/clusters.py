"""Events on a map: those that lie in one square of a grid are one cluster.

API source: `JdbcEventAnalyticsManager.getEventClusters` (squares of the web's Mercator projection, in metres).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.events import EventQuery
from dhis2sh.sandbox.analytics.grid import Grid, Header, number
from dhis2sh.sandbox.analytics.records import Record, records
from dhis2sh.sandbox.http import params

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonValue

type Point = tuple[float, float]

_RADIUS = 6_378_137.0
"""Of the earth at the equator, in metres."""


def point_of(geometry: object) -> Point | None:
    """Longitude and latitude of a stored geometry: a point, or the middle of an area's corners."""
    try:
        body = cast("JsonValue", json.loads(geometry)) if isinstance(geometry, str) else None
    except ValueError:
        return None
    coordinates = body.get("coordinates") if isinstance(body, dict) else None
    if not isinstance(coordinates, list) or not coordinates:
        return None
    corners = _corners(cast("list[object]", coordinates))
    if not corners:
        return None
    return math.fsum(x for x, _ in corners) / len(corners), math.fsum(y for _, y in corners) / len(corners)


def _corners(coordinates: Sequence[object]) -> list[Point]:
    if len(coordinates) >= 2 and all(isinstance(one, (int, float)) for one in coordinates[:2]):
        return [(float(cast("float", coordinates[0])), float(cast("float", coordinates[1])))]
    found: list[Point] = []
    for one in coordinates:
        if isinstance(one, list):
            found += _corners(cast("list[object]", one))
    return found


def extent(points: Sequence[Point]) -> str:
    """The smallest box around points, as PostGIS writes it."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return f"BOX({min(xs):.15g} {min(ys):.15g},{max(xs):.15g} {max(ys):.15g})"


def cluster_grid(store: Store, found: EventQuery, query: QueryParams) -> Grid:
    """The clusters of a query's events. Raises `Refused`."""
    size, box = _size(query), _box(query)
    if (query.get("coordinateField") or "EVENT").upper() not in {"EVENT", "PSIGEOMETRY"}:
        raise refusal("E7221", query.get("coordinateField"))
    squares: dict[tuple[int, int], list[tuple[Point, Record]]] = {}
    for record in records(store, found, query):
        point = point_of(record.row["geometry"])
        if point is not None and (box is None or (box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3])):
            squares.setdefault(_square(point, size), []).append((point, record))
    every = params.boolean(query, "includeClusterPoints")
    rows: list[list[str]] = []
    for members in squares.values():
        points = [point for point, _ in members]
        x, y = (math.fsum(point[axis] for point in points) / len(points) for axis in (0, 1))
        named = ",".join(record.text("uid") for _, record in members) if every or len(members) == 1 else ""
        rows.append([str(len(members)), f"POINT({x:.15g} {y:.15g})", extent(points), named])
    headers = [
        number("count", "Count"), Header("center", "Center", meta=False), Header("extent", "Extent", meta=False),
        Header("points", "Points", meta=False),
    ]  # fmt: skip
    return Grid(headers, rows)


def _size(query: QueryParams) -> int:
    if query.get("clusterSize") is None:
        raise refusal("E7212", "null")
    size = params.integer(query, "clusterSize", 0)
    if size <= 0:
        raise refusal("E7212", size)
    return size


def _box(query: QueryParams) -> tuple[float, float, float, float] | None:
    text = query.get("bbox")
    if not text:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise refusal("E7213", text) from None
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= 90 and -90 <= north <= 90):
        raise refusal("E7213", text)
    return west, south, east, north


def _square(point: Point, size: int) -> tuple[int, int]:
    """The square of the Mercator map that a point is nearest to."""
    latitude = max(min(point[1], 89.9), -89.9)
    x = _RADIUS * math.radians(point[0])
    y = _RADIUS * math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))
    return round(x / size), round(y / size)
