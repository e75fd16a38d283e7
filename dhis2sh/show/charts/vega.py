"""A chart as a specification of Vega-Lite."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.show.charts import round_ones
from dhis2sh.show.charts.model import Chart, Kind, Level, Series, Shade
from dhis2sh.words import safe

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

WIDTH, HEIGHT = 640, 340
FONT = "Liberation Sans, Noto Sans, DejaVu Sans, Arial, sans-serif"
INK, PAPER = "#222222", "#ffffff"
MANY = 60
"""Categories of which not each has room for its name."""
LONG = 26
"""A text of an axis is cut at so many letters; its whole name is in the picture's titles."""
NARROWEST, WIDEST = 15, 2400
"""Pixels that a category takes at the least, and a picture at the most."""
UNCLASSED = "#bbbbbb"
ACROSS: frozenset[Kind] = frozenset({"bar", "stacked-bar"})
STACKED: frozenset[Kind] = frozenset({"stacked-column", "stacked-bar", "stacked-area"})
AREAS: frozenset[Kind] = frozenset({"area", "stacked-area"})


def spec(chart: Chart, *, ink: str = INK, width: int = WIDTH, height: int = HEIGHT, fit: bool = False) -> JsonObject:
    """The specification of a chart.

    Parameters:
        ink: the colour of texts and lines; `currentColor` takes that of the page around it, on no ground of its own.
        width, height: of what is inside the axes.
        fit: of the whole picture, with its axes and key, where it has any.
    """
    special = _DRAWN.get(chart.kind)
    drawn = special(chart, ink, width, height) if special else cartesian(chart, ink, width, height, fit=fit)
    texts: JsonObject = {"labelColor": ink, "titleColor": ink}
    across = max(1, min(4, width // 150))
    config: JsonObject = {
        "font": FONT, "view": {"stroke": None}, "text": {"color": ink, "fontSize": 11},
        "axis": {**texts, "gridColor": ink, "gridOpacity": 0.15, "domainColor": ink, "tickColor": ink, "labelLimit": 180,
                 "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal"},
        "legend": {**texts, "labelLimit": 260 if not fit else min(260, width // across - 30), "labelFontSize": 11,
                   "symbolType": "square", "title": None, "orient": "bottom", "columns": across},
        "title": {"color": ink, "subtitleColor": ink, "anchor": "start", "fontSize": 15, "subtitleFontSize": 12,
                  "fontWeight": "bold", "offset": 12},
        "locale": {"number": {"decimal": ".", "thousands": chart.grouping, "grouping": [3], "currency": ["", ""]}},
    }  # fmt: skip
    title: JsonObject = {"text": safe(chart.title), "subtitle": safe(chart.subtitle)} if chart.title else {}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": PAPER if ink != "currentColor" else None,
        "padding": 8,
        **({"autosize": {"type": "fit", "contains": "padding"}} if fit and chart.kind not in _ROUND else {}),
        "config": config,
        **({"title": title} if title else {}),
        **drawn,
    }


def cartesian(chart: Chart, ink: str, width: int, height: int, *, fit: bool = False) -> JsonObject:
    """Columns, bars, lines and areas: categories along one side, numbers along the other."""
    if chart.empty:
        return nothing(width, height)
    across = chart.kind in ACROSS
    size = max(height, 22 * len(chart.categories) * (1 if chart.kind != "bar" else min(len(chart.series), 3)))
    if not (across or fit):
        width = min(max(width, NARROWEST * len(chart.categories)), WIDEST)
    sizes: JsonObject = {"width": width, "height": size if across and not fit else height}
    layers = [layer for second in (False, True) if (layer := _side(chart, second, ink, width))]
    resolve: JsonObject = {"resolve": {"scale": {"x" if across else "y": "independent"}}} if len(layers) > 1 else {}
    return {**sizes, "layer": [*layers], **resolve}


def nothing(width: int, height: int) -> JsonObject:
    """A picture that says that there is nothing to draw."""
    return {"width": width, "height": height, "data": {"values": [{}]},
            "mark": {"type": "text", "text": "no data", "fontSize": 14, "opacity": 0.7}}  # fmt: skip


def _side(chart: Chart, second: bool, ink: str, width: int) -> JsonObject | None:
    """Everything that is measured on one axis."""
    numbered = [(at, one) for at, one in enumerate(chart.series) if one.second == second]
    if not numbered:
        return None
    marks: dict[str, list[tuple[int, Series]]] = {}
    for at, one in numbered:
        marks.setdefault(_mark(chart, one), []).append((at, one))
    layers = [_marks(chart, mark, found, second, width) for mark, found in marks.items()]
    layers += [layer for at, one in enumerate(chart.trends) if one.second == second for layer in _trend(chart, one, at)]
    if chart.numbers:
        layers += [_texts(chart, found, second, ink, mark) for mark, found in marks.items()]
    if not second:
        layers += [layer for level in chart.levels for layer in _level(chart, level, ink)]
    return {"layer": [*layers]}


def _mark(chart: Chart, one: Series) -> str:
    if one.kind is not None:
        return "line" if one.kind == "line" else "bar"
    return "area" if chart.kind in AREAS else "line" if chart.kind == "line" else "bar"


def _marks(chart: Chart, mark: str, found: Sequence[tuple[int, Series]], second: bool, width: int) -> JsonObject:
    """The series that are drawn with one kind of mark."""
    shaded = bool(chart.shades) and mark == "bar"
    piled = mark == "area" and chart.kind in STACKED  # a gap in one would move those above it
    rows: list[JsonValue] = [
        {"c": place, "k": at, "v": value or 0 if piled else value, "name": safe(one.name), "what": safe(chart.categories[place]),
         **({"h": one.shades[place] or UNCLASSED} if shaded and one.shades else {})}
        for at, one in found
        for place, value in enumerate(one.values)
        if value is not None or mark != "bar"
    ]  # fmt: skip
    styles: dict[str, JsonObject] = {
        "bar": {"type": "bar"},
        "line": {"type": "line", "point": {"size": 28, "filled": True}, "strokeWidth": 2},
        "area": {"type": "area", "opacity": 0.85 if chart.kind in STACKED else 0.4, "line": {"strokeWidth": 1.5},
                 "point": {"size": 14}},
    }  # fmt: skip
    colour = _by_class(chart, width) if shaded and all(one.shades for _, one in found) else _by_series(chart, width)
    encoding: JsonObject = {**_places(chart, mark, found, second), "color": colour, "tooltip": _told()}
    return {"data": {"values": rows}, "mark": {**styles[mark], "tooltip": True}, "encoding": encoding}


def _places(chart: Chart, mark: str, found: Sequence[tuple[int, Series]], second: bool) -> JsonObject:
    """Where the marks stand: across or upwards, side by side or on one another."""
    category, number = ("y", "x") if chart.kind in ACROSS else ("x", "y")
    placed: JsonObject = {category: _categories(chart, mark), number: _numbers(chart, mark, second)}
    if mark == "bar" and chart.kind not in STACKED and len(found) > 1:
        order: list[JsonValue] = [at for at, _ in found]
        placed[f"{category}Offset"] = {"field": "k", "type": "nominal", "scale": {"domain": order}}
    if chart.kind in STACKED:
        placed["order"] = {"field": "k", "type": "quantitative"}
    return placed


def _categories(chart: Chart, mark: str) -> JsonObject:
    names = json.dumps([_cut(name) for name in chart.categories])
    across = chart.kind in ACROSS
    longest = max((len(name) for name in chart.categories), default=0)
    room = WIDTH / 7 / max(1, len(chart.categories))
    scale: JsonObject = {"domain": [*range(len(chart.categories))], "type": "band" if _has_bars(chart) else "point"}
    if _has_bars(chart):
        scale |= {"paddingInner": 0 if chart.tight else 0.2, "paddingOuter": 0.1}
    return {
        "field": "c", "type": "ordinal", "sort": None, "scale": scale,
        "axis": {"labelExpr": f"{names}[datum.value]", "title": safe(chart.label) or None, "labelOverlap": "greedy" if len(chart.categories) > MANY else False,
                 **({} if across else {"labelAngle": 0 if longest < room else -40})},
    }  # fmt: skip


def _has_bars(chart: Chart) -> bool:
    return any(_mark(chart, one) == "bar" for one in chart.series)


def _numbers(chart: Chart, mark: str, second: bool) -> JsonObject:
    asked = chart.second if second else chart.axis
    scale: JsonObject = {
        name: value for name, value in (("domainMin", asked.least), ("domainMax", asked.most)) if value is not None
    }
    scale["zero"] = asked.least is None
    axis: JsonObject = {"title": safe(asked.label) or None, "grid": not second}
    if asked.decimals is not None:
        axis["format"] = f",.{asked.decimals}f"
    elif chart.percent:
        axis["format"] = ".0%"
    else:
        axis["format"] = ",~f"
    if asked.steps:
        axis["tickCount"] = asked.steps
    if second:
        axis["orient"] = "right"
    stack = ("normalize" if chart.percent else "zero") if chart.kind in STACKED and mark != "line" else None
    return {"field": "v", "type": "quantitative", "stack": stack, "scale": scale, "axis": axis}


def _by_series(chart: Chart, width: int) -> JsonObject:
    labels = [_cut(one.name, 40) for one in chart.series]
    names = json.dumps(labels)
    said: JsonObject = {"labelExpr": f"{names}[datum.value]", "columns": _columns(labels, width)}
    key: JsonValue = said if chart.legend and len(chart.series) > 1 else None
    scale: JsonObject = {
        "domain": [*range(len(chart.series))],
        "range": [chart.colour(at) for at in range(len(chart.series))],
    }
    return {"field": "k", "type": "nominal", "scale": scale, "legend": key}


def _by_class(chart: Chart, width: int) -> JsonObject:
    """The colours of classes, and in the key what each is called."""
    names = {shade.colour: _class_name(chart, shade) for shade in chart.shades}
    unclassed = [UNCLASSED] if any(None in one.shades for one in chart.series) else []
    used: list[JsonValue] = [*dict.fromkeys([*names, *unclassed])]
    labels = json.dumps({**names, UNCLASSED: names.get(UNCLASSED, "in no class")})
    key: JsonObject = {"labelExpr": f"{labels}[datum.label]", "columns": _columns([*names.values()], width)}
    return {"field": "h", "type": "nominal", "scale": {"domain": used, "range": used}, "legend": key}


def _class_name(chart: Chart, shade: Shade) -> str:
    """What a class is called, and its ends where the name says no number."""
    name = safe(shade.name)
    if any(letter.isdigit() for letter in name):
        return name
    return f"{name} ({chart.number(shade.start)} – {chart.number(shade.end)})"


def _columns(labels: Sequence[str], width: int) -> int:
    """How many lines of a key stand side by side."""
    longest = max((len(label) for label in labels), default=1)
    return max(1, min(6, width // (longest * 6 + 34)))


def _told() -> list[JsonValue]:
    return [{"field": "what", "title": " "}, {"field": "name", "title": "  "}, {"field": "v", "title": "value"}]


def _texts(chart: Chart, found: Sequence[tuple[int, Series]], second: bool, ink: str, mark: str) -> JsonObject:
    """The numbers beside their marks."""
    rows: list[JsonValue] = [
        {"c": place, "k": at, "v": value, "t": chart.number(value)}
        for at, one in found
        for place, value in enumerate(one.values)
        if value is not None
    ]
    placed = _places(chart, mark, found, second)
    across = chart.kind in ACROSS
    side: JsonObject = {"align": "left", "dx": 4} if across else {"baseline": "bottom", "dy": -3}
    if chart.kind in STACKED:  # inside its part of the stack
        number = cast("JsonObject", placed["x" if across else "y"])
        number["bandPosition"] = 0.5
        side = {"baseline": "middle"}
    return {
        "data": {"values": rows},
        "mark": {"type": "text", "fontSize": 10, "color": ink, **side},
        "encoding": {**placed, "text": {"field": "t"}, "detail": {"field": "k"}},
    }


def _trend(chart: Chart, one: Series, at: int) -> list[JsonObject]:
    """A dashed line in the colour of its series, on a light one: columns of that colour would hide it."""
    rows: list[JsonValue] = [{"c": place, "v": value} for place, value in enumerate(one.values)]
    category, number = ("y", "x") if chart.kind in ACROSS else ("x", "y")
    encoding: JsonObject = {
        category: _categories(chart, "line"),
        number: {**_numbers(chart, "line", one.second), "stack": None},
        "order": {"field": "c", "type": "quantitative"},
    }
    marks: list[JsonObject] = [
        {"type": "line", "strokeWidth": 4, "color": PAPER, "opacity": 0.8},
        {"type": "line", "strokeDash": [5, 4], "strokeWidth": 1.5, "color": chart.colour(at)},
    ]
    return [{"data": {"values": rows}, "mark": mark, "encoding": encoding} for mark in marks]


def _level(chart: Chart, level: Level, ink: str) -> list[JsonValue]:
    """A target or base line, and its words at its end."""
    number = "x" if chart.kind in ACROSS else "y"
    where: JsonObject = {number: {"datum": level.value, "type": "quantitative"}}
    said = f"{level.label} ({chart.number(level.value)})" if level.label else chart.number(level.value)
    edge: JsonObject = {"y": {"value": 2}} if number == "x" else {"x": {"value": "width"}}
    side: JsonObject = {"align": "left", "dx": 3, "baseline": "top"} if number == "x" else {"align": "right", "dy": -6}
    return [
        {"data": {"values": [{}]}, "mark": {"type": "rule", "strokeWidth": 1.5, "color": ink, "strokeDash": [2, 2]},
         "encoding": where},
        {"data": {"values": [{}]}, "mark": {"type": "text", "text": safe(said), "color": ink, **side},
         "encoding": {**where, **edge}},
    ]  # fmt: skip


def _cut(name: str, most: int = LONG) -> str:
    name = safe(name)
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _scatter(chart: Chart, ink: str, width: int, height: int) -> JsonObject:
    """Points by two series; by a third their sizes."""
    across, up, *sizes = (*chart.series, Series("", ()), Series("", ()))[:3]
    rows: list[JsonValue] = [
        {"name": safe(name), "x": x, "y": y, **({"size": size} if size is not None else {})}
        for name, x, y, size in zip(
            chart.categories, across.values, up.values, sizes[0].values or [None] * len(chart.categories), strict=False
        )
        if x is not None and y is not None
    ]
    if not rows:
        return nothing(width, height)

    def axis(one: Series, least: float | None, most: float | None, label: str) -> JsonObject:
        ends = {name: end for name, end in (("domainMin", least), ("domainMax", most)) if end is not None}
        scale: JsonObject = {"zero": False, "nice": True, **ends}
        return {"type": "quantitative", "scale": scale, "axis": {"title": safe(label or one.name), "format": ",~f"}}

    side, bottom = chart.axis, chart.second
    encoding: JsonObject = {
        "x": {"field": "x", **axis(across, bottom.least, bottom.most, bottom.label)},
        "y": {"field": "y", **axis(up, side.least, side.most, side.label)},
        "tooltip": [{"field": name} for name in ("name", "x", "y")],
    }
    if chart.kind == "bubble" and sizes[0].values:
        encoding["size"] = {"field": "size", "type": "quantitative", "legend": {"title": safe(sizes[0].name)}}
    layers: list[JsonValue] = [
        {"mark": {"type": "circle", "opacity": 0.65, "color": chart.colour(0), **({} if "size" in encoding else {"size": 60})},
         "encoding": encoding}
    ]  # fmt: skip
    for level in chart.levels:
        layers += _level(chart, level, ink)
    if chart.numbers or len(rows) <= 15:
        free: list[JsonValue] = [*_apart(rows, width, height)]
        named: JsonObject = {"data": {"values": free}, "mark": {"type": "text", "align": "left", "dx": 7, "fontSize": 10},
                             "encoding": {**{k: v for k, v in encoding.items() if k in "xy"}, "text": {"field": "name"}}}  # fmt: skip
        layers.append(named)
    return {"width": width, "height": height, "data": {"values": rows}, "layer": layers}


def _apart(rows: Sequence[JsonObject], width: int, height: int) -> list[JsonObject]:
    """The points whose names lie on no other name; the rest have theirs in the picture's titles."""
    ends = [(min(found), max(found)) for found in ([cast("float", row[axis]) for row in rows] for axis in ("x", "y"))]
    taken: list[tuple[float, float, float]] = []
    found: list[JsonObject] = []
    for row in rows:
        x, y = (
            (cast("float", row[axis]) - least) / ((most - least) or 1) * size
            for axis, (least, most), size in zip(("x", "y"), ends, (width, height), strict=True)
        )
        wide = 6 * len(str(row["name"])) + 8
        if all(abs(y - other_y) > 12 or x + wide < left or x > right for left, right, other_y in taken):
            taken.append((x, x + wide, y))
            found.append(row)
    return found


_ROUND: frozenset[Kind] = frozenset({"pie", "radar", "gauge", "number"})
_DRAWN: dict[Kind, Callable[[Chart, str, int, int], JsonObject]] = {
    "pie": round_ones.pie, "radar": round_ones.radar, "gauge": round_ones.gauge, "number": round_ones.number,
    "scatter": _scatter, "bubble": _scatter,
}  # fmt: skip
