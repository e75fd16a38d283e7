"""Geometries of organisation units out of GeoJSON: read, and checked before anything is sent."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import cast

from dhis2sh.dhis2 import rings
from dhis2sh.dhis2.geometry import shape_of
from dhis2sh.errors import UsageError
from dhis2sh.files import parse_json
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.words import counted, listed

SHAPES = ("Point", "Polygon", "MultiPolygon")
"""The geometries that DHIS2 draws for a unit."""
DEGREES = ("CRS84", "4326")
"""How the names of coordinate systems end whose numbers are longitude and latitude as DHIS2 has them."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a GeoJSON file.

    Parameters:
        number: its place in the file, from 1.
        properties: its properties with its id, by name.
        geometry: as it stands there; None where it has none.
    """

    number: int
    properties: JsonObject
    geometry: JsonObject | None


@dataclass(slots=True)
class Noticed:
    """What a person should hear of the shapes of a file that are taken all the same; each names its features."""

    high: list[str] = field(default_factory=list[str])
    crossing: list[str] = field(default_factory=list[str])
    long: list[str] = field(default_factory=list[str])

    def notes(self) -> list[str]:
        """One line for each kind."""
        found: list[str] = []
        if self.high:
            found.append(f"heights left out, units have none: {listed(self.high)}")
        if self.crossing:
            found.append(f"outlines that cross themselves, which maps may fill wrongly: {listed(self.crossing)}")
        if self.long:
            found.append(f"outlines too long to be searched for crossings: {listed(self.long)}")
        return found


def features_of(text: str, where: str) -> list[Feature]:
    """The features of a GeoJSON text; an array of rows is read as features too.

    Raises `UsageError` for what has none, and for coordinates that are no degrees.
    """
    body = parse_json(text, where)
    if isinstance(body, dict):
        _check_system(body, where)
        body = [body] if body.get("type") == "Feature" else body.get("features")
    found = body if isinstance(body, list) else []
    if not found or not all(isinstance(item, dict) for item in found):
        raise UsageError(f"{where} has no features", hint='GeoJSON: {"type": "FeatureCollection", "features": [...]}')
    return [_feature(number, item) for number, item in enumerate(cast("list[JsonObject]", found), 1)]


def _feature(number: int, item: JsonObject) -> Feature:
    properties = item.get("properties")
    inner: JsonObject = properties if isinstance(properties, dict) else {}
    own = {key: value for key, value in item.items() if key not in {"type", "properties", "geometry", "bbox"}}
    geometry = item.get("geometry")
    # a text that is its id names the feature; a running number does not hide the property of that name
    own = {key: value for key, value in own.items() if key not in inner or isinstance(value, str)}
    return Feature(number, {**inner, **own}, geometry if isinstance(geometry, dict) else None)


def _check_system(body: JsonObject, where: str) -> None:
    """Raise `UsageError` for a file that says that its coordinates are no longitudes and latitudes."""
    system = body.get("crs")
    said = system.get("properties") if isinstance(system, dict) else None
    name = said.get("name") if isinstance(said, dict) else None
    if isinstance(name, str) and not name.upper().endswith(DEGREES):
        raise UsageError(
            f"{where} has its coordinates in {name}", hint="save it with longitude and latitude (WGS 84, EPSG:4326)"
        )


def checked(shape: JsonObject, where: str, called: str, noticed: Noticed) -> JsonObject:
    """A shape as it is sent: longitude and latitude alone.

    Parameters:
        where: what the feature is called in an error; `called` in a note.
        noticed: gets what is taken all the same.

    Raises `UsageError` for one that is none of a unit, is not on earth, or has a ring that is none.
    """
    kind = shape.get("type")
    if kind not in SHAPES:
        raise UsageError(f"{where} is a {kind}", hint=f"a unit is a {', '.join(SHAPES[:-1])} or {SHAPES[-1]}")
    try:
        coordinates, high = _coordinates(shape.get("coordinates"), {"Point": 0, "Polygon": 2, "MultiPolygon": 3}[kind])
    except ValueError as error:
        raise UsageError(
            f"{where} has coordinates that are no place on earth: {error}",
            hint="longitude first (-180 to 180), then latitude (-90 to 90), in degrees",
        ) from None
    if high:
        noticed.high.append(called)
    areas = cast("list[list[list[list[float]]]]", {"Point": [], "Polygon": [coordinates]}.get(kind, coordinates))
    for area_number, area in enumerate(areas, 1):
        of_area = f" of polygon {area_number}" if len(areas) > 1 else ""
        for number, positions in enumerate(area):
            name = f"the outline{of_area}" if number == 0 else f"hole {number}{of_area}"
            _check_ring([(x, y) for x, y in positions], f"{where}: {name}", called, noticed)
    return {"type": kind, "coordinates": coordinates}


def _coordinates(value: JsonValue, depth: int) -> tuple[JsonValue, bool]:
    """Positions nested so deep, without heights, and whether there were some. Raises `ValueError` with what is none."""
    if not isinstance(value, list) or not value:
        raise ValueError(_short(value))
    if depth:
        parts = [_coordinates(part, depth - 1) for part in value]
        return [part for part, _ in parts], any(high for _, high in parts)
    numbers = [one for one in value if isinstance(one, (int, float)) and not isinstance(one, bool)]
    if len(numbers) != len(value) or len(numbers) < 2 or not (abs(numbers[0]) <= 180 and abs(numbers[1]) <= 90):
        raise ValueError(_short(value))
    return [*numbers[:2]], len(numbers) > 2


def _short(value: JsonValue) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check_ring(ring: rings.Ring, where: str, called: str, noticed: Noticed) -> None:
    problem = rings.problem_of(ring)
    if problem is not None:
        raise UsageError(f"{where} {problem[0]}", hint=problem[1])
    try:
        met = rings.crossing_of(ring)
    except rings.TooLong:
        noticed.long.append(called)
        return
    if met is not None:
        noticed.crossing.append(f"{called} at [{met[0]}, {met[1]}]")


def outlined(shape: JsonObject) -> str:
    """A shape in words: `a Polygon of 238 points`."""
    read = shape_of("", shape)
    if read is None or shape.get("type") == "Point":
        return f"a {shape.get('type')}"
    return f"a {shape.get('type')} of {counted(sum(1 for _ in read.vertices()), 'point')}"
