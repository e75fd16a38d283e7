"""GeoJSON geometries as plain points, and where on the world they are.

API source: the property `geometry` of organisation units, events and tracked entities (GeoJSON, longitude first).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue

type Point = tuple[float, float]
"""Longitude and latitude in degrees."""
type Line = tuple[Point, ...]

WORLD = 256
"""Pixels of the whole world at zoom 0."""
SCREEN = 640
MOST_ZOOM = 14


@dataclass(frozen=True, slots=True)
class Shape:
    """One thing on a map.

    Parameters:
        name: what it is called.
        points: places without extent.
        lines: open lines.
        areas: polygons, each its outline and then its holes.
    """

    name: str
    points: tuple[Point, ...] = ()
    lines: tuple[Line, ...] = ()
    areas: tuple[tuple[Line, ...], ...] = ()

    def vertices(self) -> Iterator[Point]:
        """Every point of it."""
        yield from self.points
        for line in (*self.lines, *(ring for area in self.areas for ring in area)):
            yield from line


def shape_of(name: str, geometry: JsonValue) -> Shape | None:
    """A GeoJSON geometry of any type as a shape; None where it is none, is empty, or lies outside the world."""
    try:
        found = _read(name, geometry)
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    return found if any(True for _ in found.vertices()) else None


def _read(name: str, geometry: JsonValue) -> Shape:
    if not isinstance(geometry, dict):
        raise TypeError
    if geometry.get("type") == "GeometryCollection":
        parts = [_read(name, part) for part in _list(geometry["geometries"])]
        return Shape(
            name,
            tuple(point for part in parts for point in part.points),
            tuple(line for part in parts for line in part.lines),
            tuple(area for part in parts for area in part.areas),
        )
    inner = geometry["coordinates"]
    match geometry.get("type"):
        case "Point":
            return Shape(name, points=(_point(inner),))
        case "MultiPoint":
            return Shape(name, points=_line(inner))
        case "LineString":
            return Shape(name, lines=(_line(inner),))
        case "MultiLineString":
            return Shape(name, lines=_area(inner))
        case "Polygon":
            return Shape(name, areas=(_area(inner),))
        case "MultiPolygon":
            return Shape(name, areas=tuple(_area(area) for area in _list(inner)))
        case _:
            raise ValueError


def _list(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _point(value: JsonValue) -> Point:
    longitude, latitude = (float(cast("float", number)) for number in _list(value)[:2])
    if not (abs(longitude) <= 360 and abs(latitude) <= 90):  # NaN is neither
        raise ValueError
    return (longitude + 180) % 360 - 180 if abs(longitude) > 180 else longitude, latitude


def _line(value: JsonValue) -> Line:
    return tuple(_point(point) for point in _list(value))


def _area(value: JsonValue) -> tuple[Line, ...]:
    return tuple(_line(ring) for ring in _list(value))


@dataclass(frozen=True, slots=True)
class Bounds:
    """The smallest box around some shapes; `east` is above 180 where it reaches over the antimeridian."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def of(cls, shapes: Iterable[Shape]) -> Bounds | None:
        """The box of some shapes, None where there are none.

        On the globe it begins east of the widest gap between longitudes, so that Fiji is one place and not a world wide.
        """
        points = [point for shape in shapes for point in shape.vertices()]
        if not points:
            return None
        longitudes = sorted({longitude for longitude, _ in points})
        west, widest = longitudes[0], longitudes[0] + 360 - longitudes[-1]
        for before, after in pairwise(longitudes):
            if after - before > widest:
                west, widest = after, after - before
        latitudes = [latitude for _, latitude in points]
        return cls(west, min(latitudes), west + 360 - widest, max(latitudes))

    def unrolled(self, longitude: float) -> float:
        """A longitude counted on from the western border, so that what is side by side on the globe is so on the map."""
        return longitude if longitude >= self.west else longitude + 360

    @property
    def middle(self) -> Point:
        """Its centre."""
        longitude = (self.west + self.east) / 2
        return longitude - 360 if longitude > 180 else longitude, (self.south + self.north) / 2

    @property
    def zoom(self) -> int:
        """The closest zoom of a web map on which it is seen whole."""
        span = max(self.east - self.west, self.north - self.south, 1e-9)
        return max(1, min(MOST_ZOOM, math.floor(math.log2(SCREEN * 360 / WORLD / span))))
