"""Where a pipeline ends in a drawing: charts and maps, and the shapes of rows as a file."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from dhis2sh.dhis2.geometry import Shape, shape_of
from dhis2sh.errors import MissingExtra, UsageError
from dhis2sh.rows.cells import cell
from dhis2sh.rows.rows import Rows, Text
from dhis2sh.rows.sinks import given
from dhis2sh.rows.stage import stage
from dhis2sh.show.maps import Map

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row

NAMES = ("displayName", "name", "orgUnitName", "id", "event", "trackedEntity")
"""The fields that may say what a shape on a map is called."""


@stage(sink=True)
def chart(rows: Rows[Any], space: object, x: object = None, y: object = None, kind: object = "bar") -> Text:
    """A chart in the terminal: chart(name, value), chart(period, value, kind='line')."""
    try:
        import plotext  # heavy: an extra
    except ImportError:
        raise MissingExtra("chart", "charts") from None
    columns = list(rows.columns)
    across = str(x or columns[0]).strip("'\"")
    up = str(y or columns[-1]).strip("'\"")
    plain = rows.plain()
    labels = [cell(row.get(across)) for row in plain]
    values = [_number(row.get(up), up) for row in plain]
    figure: Any = plotext.figure
    figure.clear()
    figure.theme("colorless")
    line = str(kind).strip("'\"") == "line"
    figure.draw(figure.signal(values).lines() if line else figure.bar(labels, values))
    return Text(_COLOURS.sub("", str(figure.build())))


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def _number(value: JsonValue, name: str) -> float:
    try:
        return float(str(value or 0))
    except ValueError:
        raise UsageError(f"{name} is no number: {cell(value)[:40]!r}", hint="chart(name, value)") from None


@stage(sink=True, literal=True)
def map_(rows: Rows[Any], space: object, file: str | None = None) -> Map | Text:
    """A map of rows that have a geometry: `map`, `map('districts.svg')`, `map('districts.html')`.

    In a notebook a picture, at the prompt dots; names are its titles.
    """
    shapes: list[Shape] = []
    missing, unreadable = 0, list[str]()
    for row in _located(rows):
        name = cell(next((row[key] for key in NAMES if row.get(key)), ""))
        if not row.get("geometry"):
            missing += 1
        elif shape := shape_of(name, row["geometry"]):
            shapes.append(shape)
        else:
            unreadable.append(name)
    drawing = Map(shapes, missing, unreadable)
    if file is None:
        return drawing
    if not file.endswith((".svg", ".html")):
        raise UsageError(f"{file}: a map is written as .svg or .html", hint="map('districts.svg')")
    return given(drawing.page() if file.endswith(".html") else drawing.svg(), file, "map")


@stage(sink=True, literal=True)
def geojson(rows: Rows[Any], space: object, file: str | None = None) -> Text:
    """GeoJSON of rows that have a geometry; the other columns are properties: geojson('districts.geojson')."""
    features = [
        {
            "type": "Feature",
            **({"id": row["id"]} if row.get("id") else {}),
            "geometry": row.get("geometry"),
            "properties": {name: value for name, value in row.items() if name != "geometry"},
        }
        for row in _located(rows)
    ]
    return given(json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False), file, "geojson")


def _located(rows: Rows[Any]) -> list[Row]:
    """The rows, where one at least has a geometry. Raises `UsageError`."""
    plain = rows.plain()
    if not any(row.get("geometry") for row in plain):
        what = f"none of {len(plain):,} rows has a geometry" if plain else "there are no rows"
        raise UsageError(what, hint="metadata list organisationUnits --fields displayName,geometry --all")
    return plain
