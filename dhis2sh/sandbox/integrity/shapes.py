"""Just enough geometry for the integrity checks: is a shape valid, does a polygon contain a point?"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

type Point = tuple[float, float]
type Ring = list[Point]


def rings(geometry: JsonObject) -> list[Ring]:
    """Every ring of a polygon or multi-polygon; none of anything else."""
    coordinates = cast("list[list[list[list[float]]]]", geometry.get("coordinates") or [])
    match geometry.get("type"):
        case "Polygon":
            parts = cast("list[list[list[float]]]", coordinates)
        case "MultiPolygon":
            parts = [ring for polygon in coordinates for ring in polygon]
        case _:
            return []
    return [[(point[0], point[1]) for point in ring] for ring in parts]


def point_of(geometry: JsonObject) -> Point | None:
    """The point of a point geometry."""
    coordinates = geometry.get("coordinates")
    if geometry.get("type") != "Point" or not isinstance(coordinates, list) or len(coordinates) < 2:
        return None
    return cast("float", coordinates[0]), cast("float", coordinates[1])


def contains(geometry: JsonObject, point: Point) -> bool:
    """Is the point inside the polygon? Counts how often a ray to the right leaves a ring; holes come out right by that."""
    x, y = point
    inside = False
    for ring in rings(geometry):
        for (ax, ay), (bx, by) in pairwise(ring):
            if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                inside = not inside
    return inside


def problem(geometry: JsonObject) -> str | None:
    """Why a geometry is not valid, or None."""
    if geometry.get("type") == "Point":
        point = point_of(geometry)
        if point is None or abs(point[0]) > 180 or abs(point[1]) > 90:
            return "Invalid Coordinate"
        return None
    for ring in rings(geometry):
        if len(ring) < 4:
            return "Too few points in geometry component"
        if ring[0] != ring[-1]:
            return "Ring is not closed"
        if _crosses_itself(ring):
            return "Self-intersection"
    return None


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _crosses_itself(ring: Ring) -> bool:
    """Do two sides that are not neighbours cross? Sides are swept from left to right, so few pairs are looked at."""
    sides = sorted(((min(a[0], b[0]), max(a[0], b[0]), a, b) for a, b in pairwise(ring)),
                   key=lambda side: side[0])  # fmt: skip
    active: list[tuple[float, Point, Point]] = []
    for left, right, a, b in sides:
        active = [one for one in active if one[0] >= left]
        for _, c, d in active:
            if a in (c, d) or b in (c, d):
                continue
            if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
                return True
        active.append((right, a, b))
    return False
