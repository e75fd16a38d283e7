"""Where a pipeline ends in a drawing: charts and maps, and the shapes of rows as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhis2sh.dhis2.geometry import Shape, shape_of
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.rows.cells import cell
from dhis2sh.rows.rows import Rows, Text
from dhis2sh.rows.sinks import given
from dhis2sh.rows.stage import stage
from dhis2sh.show.charts.model import Chart, kind_of
from dhis2sh.show.charts.of_rows import NAMES, chart_of
from dhis2sh.show.maps import Map

if TYPE_CHECKING:
    from dhis2sh.types import Row


@stage(sink=True)
def chart(
    rows: Rows[Any],
    space: object,
    x: object = None,
    y: object = None,
    kind: object = "bar",
    by: object = None,
    file: object = None,
) -> Chart | Text:
    """A chart: chart(name, value), chart(period, value, kind='line', by=orgUnit), chart(name, value, file='a.svg').

    Kinds: column, bar, line, area, pie, radar, gauge, scatter, bubble, number, and stacked-column, stacked-bar, stacked-area.
    `by` makes a series of each of its values. At the prompt characters, in a notebook and in `.svg`, `.png` and `.html`
    files a picture.
    """
    columns = list(rows.columns)
    across = _named(x) or (columns[0] if columns else "")
    up = _named(y) or (columns[-1] if columns else "")
    for name in filter(None, (across, up, _named(by))):
        _known(rows, name)
    drawing = chart_of(rows.plain(), across, up, kind_of(str(kind)), _named(by))
    if file is None:
        return drawing
    from dhis2sh.show.charts import media  # start-up: only files need it

    path = Path(str(file).strip("'\""))
    media.save(drawing, path)
    return Text(f"{path}: {path.expanduser().stat().st_size:,} bytes")


def _named(text: object) -> str:
    return str(text).strip("'\" ") if text is not None else ""


def _known(rows: Rows[Any], name: str) -> None:
    known = list(dict.fromkeys([*rows.columns, *(key for row in rows.plain()[:1] for key in row)]))
    if name not in known:
        hint = did_you_mean(name, known) or f"columns: {', '.join(known)}"
        raise UsageError(f"there is no column '{name}' to draw", hint=hint)


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
