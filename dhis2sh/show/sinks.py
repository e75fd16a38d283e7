"""Where a pipeline ends in a drawing: charts and maps, and the shapes of rows as a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhis2sh.dhis2.geometry import Shape, shape_of
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.rows.cells import cell
from dhis2sh.rows.rows import Rows, Text
from dhis2sh.rows.sinks import given
from dhis2sh.rows.stage import stage
from dhis2sh.show import thematic
from dhis2sh.show.charts.model import Chart, kind_of, shade_of
from dhis2sh.show.charts.of_rows import NAMES, chart_of, number
from dhis2sh.show.maps import Map
from dhis2sh.show.noted import with_notes
from dhis2sh.show.thematic import LayeredMap
from dhis2sh.words import counted, safe

if TYPE_CHECKING:
    from dhis2sh.types import Row

LOW, HIGH, MOST_CLASSES = "#f1eef6", "#045a8d", 20
"""Colours of the lowest and the highest class of a map by a number."""


@stage(sink=True)
def chart(
    rows: Rows[Any],
    space: object,
    x: object = None,
    y: object = None,
    kind: object = "bar",
    by: object = None,
    file: object = None,
    title: object = None,
) -> Chart | Text:
    """A chart: chart(name, value), chart(period, value, kind='line', by=orgUnit), chart(name, value, file='a.svg', title='A').

    Kinds: column, bar, line, area, pie, radar, gauge, scatter, bubble, number, and stacked-column, stacked-bar, stacked-area.
    `by` makes a series of each of its values. At the prompt characters, in a notebook and in `.svg`, `.png` and `.html`
    files a picture.
    """
    columns = list(rows.columns)
    across = _named(x) or (columns[0] if columns else "")
    up = _named(y) or (columns[-1] if columns else "")
    for name in filter(None, (across, up, _named(by))):
        _known(rows, name)
    times = rows.provenance.times
    drawing = chart_of(rows.plain(), across, up, kind_of(str(kind)), _named(by), title=_named(title), times=times)
    if file is None:
        return drawing
    from dhis2sh.show.charts import media  # start-up: only files need it

    path = Path(str(file).strip("'\""))
    media.save(drawing, path)
    return _written(path, drawing.notes)


def _named(text: object) -> str:
    return str(text).strip("'\" ") if text is not None else ""


def _known(rows: Rows[Any], name: str) -> None:
    known = list(dict.fromkeys([*rows.columns, *(key for row in rows.plain()[:1] for key in row)]))
    if name not in known:
        hint = did_you_mean(name, known) or f"columns: {', '.join(known)}"
        raise UsageError(f"there is no column '{name}' to draw", hint=hint)


@stage(sink=True, literal=True)
def map_(
    rows: Rows[Any], space: object, file: str | None = None, by: str | None = None, classes: int = 5
) -> Map | LayeredMap | Text:
    """A map of rows that have a geometry: `map`, `map('districts.svg')`, `map('bcg.png', by='value', classes=4)`.

    In a notebook a picture, at the prompt dots; names are its titles. Where there is a number `value`, or the one that `by`
    names, it colours what is drawn. Files are `.svg`, `.html` or `.png`.
    """
    located = _located(rows)
    value = by or ("value" if any(isinstance(row.get("value"), (int, float)) for row in located) else None)
    drawing = _map_by(located, value, classes) if value is not None else _map_of(located)
    if file is None:
        return drawing
    if not file.endswith((".svg", ".html", ".png")):
        raise UsageError(f"{file}: a map is written as .svg, .png or .html", hint="map('districts.svg')")
    if file.endswith(".html"):
        given(drawing.page(), file, "map")
        return _written(Path(file), drawing.notes)
    picture = with_notes(drawing.svg(), drawing.notes)
    if file.endswith(".png"):
        from dhis2sh.show.charts import media  # start-up: only PNG needs it

        media.write(Path(file), media.png_of_svg(picture))
        return _written(Path(file), drawing.notes)
    given(picture, file, "map")
    return _written(Path(file), drawing.notes)


def _written(path: Path, notes: Sequence[str]) -> Text:
    """What was written, and what is not on it."""
    return Text(
        "\n".join([f"{path}: {path.expanduser().stat().st_size:,} bytes", *(f"({safe(note)})" for note in notes)])
    )


def _called(row: Row) -> str:
    return cell(next((row[key] for key in NAMES if row.get(key)), ""))


def _map_of(located: list[Row]) -> Map:
    shapes: list[Shape] = []
    missing, unreadable = 0, list[str]()
    for row in located:
        name = _called(row)
        if not row.get("geometry"):
            missing += 1
        elif shape := shape_of(name, row["geometry"]):
            shapes.append(shape)
        else:
            unreadable.append(name)
    return Map(shapes, missing, unreadable)


def _map_by(located: list[Row], by: str, classes: int) -> LayeredMap:
    """A map whose colours are a number's, in classes of equal width. Two numbers at one place are refused."""
    if not any(by in row for row in located):
        raise UsageError(f"there is no column '{by}' to colour by", hint=f"columns: {', '.join(located[0])}")
    if not 1 <= classes <= MOST_CLASSES:
        raise UsageError(f"{classes} classes are too few or too many", hint=f"classes is from 1 to {MOST_CLASSES}")
    seen = Counter(str(row.get("ou") or row.get("id") or row.get("geometry")) for row in located)
    place, count = seen.most_common(1)[0]
    if count > 1:
        name = next(_called(row) for row in located if place in {str(row.get(key)) for key in ("ou", "id", "geometry")})
        raise UsageError(
            f"{name} has {count:,} rows, and a map has one colour for it", hint="| where(pe == '2025') | map"
        )
    placed = [(row, shape_of(_called(row), row.get("geometry"))) for row in located]
    values = [number(row.get(by), by) for row, _ in placed]
    shades = thematic.classes([value for value in values if value is not None], thematic.mixed(LOW, HIGH, classes))
    colours = [found.colour if (found := shade_of(value, shades)) else thematic.NO_DATA for value in values]
    painted = [
        thematic.Painted(shape, str(row.get("ou") or row.get("id") or ""), value, colour)
        for (row, shape), value, colour in zip(placed, values, colours, strict=True)
        if shape is not None
    ]
    missing = sum(1 for _, shape in placed if shape is None)
    notes = [f"{missing:,} of {len(placed):,} without a geometry, or with one that cannot be drawn"] if missing else []
    if blank := sum(1 for value in values if value is None):
        notes.append(f"{counted(blank, 'row')} without a number {by}")
    key = thematic.key_of(shades, [one.value for one in painted])
    return LayeredMap((thematic.Layer("thematic", by, tuple(painted), key, missing=missing),), notes=tuple(notes))


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
