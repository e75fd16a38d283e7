"""Pies, radars, gauges and single numbers as specifications of Vega-Lite, which has arcs and no polar axes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.show.charts.model import Chart, shade_of
from dhis2sh.words import safe

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

RINGS = 4
SMALLEST, ROOM = 0.01, 36.0
"""The least share that is told beside its part, and the pixels from one to the next."""
GAUGE_ENDS = (0.0, 100.0)
"""The ends of a gauge of which the definition says none: DHIS2's own."""


def slices(chart: Chart) -> list[tuple[str, float, int]]:
    """The parts of a pie: the categories of one series, or the sums of several; what is not above zero has no part."""
    if len(chart.series) == 1:
        found = list(zip(chart.categories, chart.series[0].values, strict=True))
    else:
        found = [(one.name, sum(value or 0 for value in one.values)) for one in chart.series]
    return [(name, value, at) for at, (name, value) in enumerate(found) if value is not None and value > 0]


def pie(chart: Chart, ink: str, width: int, height: int) -> JsonObject:
    """A pie with the share of each part beside it."""
    parts = slices(chart)
    total = sum(value for _, value, _ in parts)
    if not parts:
        return _words("no data", height // 2, height)
    radius = height / 2 - 20
    told = _told_shares([value / total for _, value, _ in parts], radius + 18)
    rows: list[JsonValue] = [
        {"k": at, "v": value, "t": text, "name": safe(name)}
        for (name, value, at), text in zip(parts, told, strict=True)
    ]
    names = json.dumps({str(at): f"{safe(name)}: {chart.number(value)}" for name, value, at in parts})
    colours: JsonObject = {
        "field": "k", "type": "nominal",
        "scale": {"domain": [at for _, _, at in parts], "range": [chart.colour(at) for _, _, at in parts]},
        "legend": {"labelExpr": f"{names}[datum.label]", "orient": "right", "columns": 1} if chart.legend else None,
    }  # fmt: skip
    shared: JsonObject = {"theta": {"field": "v", "type": "quantitative", "stack": True},
                          "order": {"field": "k", "type": "quantitative"}}  # fmt: skip
    return {
        "width": height, "height": height, "data": {"values": rows}, "encoding": shared,
        "layer": [
            {"mark": {"type": "arc", "outerRadius": radius, "stroke": "white", "strokeWidth": 1}, "encoding": {"color": colours}},
            {"mark": {"type": "text", "radius": radius + 18, "color": ink},
             "encoding": {"text": {"field": "t"}, "detail": {"field": "k"}}},
        ],
    }  # fmt: skip


def _told_shares(shares: Sequence[float], radius: float) -> list[str]:
    """The share beside each part, in order around the pie; nothing where it would lie on that of the part before, or of the first."""
    found: list[str] = []
    start, first, last = 0.0, None, None
    for share in shares:
        middle = 2 * math.pi * radius * (start + share / 2)
        start += share
        round_off = 2 * math.pi * radius - middle + first if first is not None else math.inf
        free = last is None or (middle - last >= ROOM and round_off >= ROOM)
        found.append(f"{share:.1%}" if share >= SMALLEST and free else "")
        if found[-1]:
            first, last = (middle if first is None else first), middle
    return found


def radar(chart: Chart, ink: str, width: int, height: int) -> JsonObject:
    """A net: every category a direction, every series a closed line."""
    most = max((value for one in chart.series for value in one.values if value is not None), default=0.0)
    top = chart.axis.most or _round_up(most)
    if top <= 0 or len(chart.categories) < 3:
        return _words("a radar needs three categories and values above zero", width, height)
    count = len(chart.categories)

    def at(place: int, share: float) -> JsonObject:
        angle = 2 * math.pi * (place % count) / count
        return {"x": share * math.sin(angle), "y": share * math.cos(angle), "o": place}

    net: list[JsonValue] = [
        {**at(place, ring / RINGS), "g": ring} for ring in range(1, RINGS + 1) for place in range(count + 1)
    ]
    spokes: list[JsonValue] = [
        {**at(place, share), "g": place, "o": share} for place in range(count) for share in (0.0, 1.0)
    ]
    lines: list[JsonValue] = [
        {**at(place, max(0.0, value) / top), "k": index}
        for index, one in enumerate(chart.series)
        for place in range(count + 1)
        if (value := one.values[place % count]) is not None
    ]
    rim: list[JsonValue] = [{**at(place, 1.1), "t": safe(name)} for place, name in enumerate(chart.categories)]
    scale: list[JsonValue] = [
        {**at(0, ring / RINGS), "t": chart.number(top * ring / RINGS)} for ring in range(1, RINGS + 1)
    ]
    names = json.dumps([safe(one.name) for one in chart.series])
    place: JsonObject = {
        axis: {"field": axis, "type": "quantitative", "axis": None, "scale": {"domain": [-1.3, 1.3], "nice": False}}
        for axis in ("x", "y")
    }
    order: JsonObject = {"order": {"field": "o", "type": "quantitative"}, "detail": {"field": "g"}}
    thin: JsonObject = {"type": "line", "color": ink, "opacity": 0.2, "strokeWidth": 1}
    colour: JsonObject = {
        "field": "k", "type": "nominal",
        "scale": {"domain": [*range(len(chart.series))], "range": [chart.colour(at) for at in range(len(chart.series))]},
        "legend": {"labelExpr": f"{names}[datum.value]"} if chart.legend and len(chart.series) > 1 else None,
    }  # fmt: skip
    side = max(height, 380)
    return {
        "width": side, "height": side,
        "layer": [
            {"data": {"values": net}, "mark": thin, "encoding": {**place, **order}},
            {"data": {"values": spokes}, "mark": thin, "encoding": {**place, **order}},
            {"data": {"values": lines}, "mark": {"type": "line", "strokeWidth": 2, "point": True},
             "encoding": {**place, "color": colour, "order": {"field": "o", "type": "quantitative"}}},
            {"data": {"values": rim}, "mark": {"type": "text", "color": ink}, "encoding": {**place, "text": {"field": "t"}}},
            {"data": {"values": scale}, "mark": {"type": "text", "color": ink, "opacity": 0.7, "fontSize": 9, "dx": 12},
             "encoding": {**place, "text": {"field": "t"}}},
        ],
    }  # fmt: skip


def gauge(chart: Chart, ink: str, width: int, height: int) -> JsonObject:
    """A half circle from the least to the most, with the value in its middle."""
    value = next((value for one in chart.series for value in one.values if value is not None), None)
    if value is None:
        return _words("no data", width, height)
    least, most = gauge_ends(chart)
    inner, outer = 85, 125
    x, y = width / 2, height / 2 + 60

    def angle(number: float) -> float:
        share = (min(max(number, least), most) - least) / (most - least)
        return (share - 0.5) * math.pi

    def arc(start: float, end: float, colour: str, opacity: float, extra: int = 0) -> JsonObject:
        return {"mark": {"type": "arc", "x": x, "y": y, "innerRadius": inner, "outerRadius": outer + extra, "theta": angle(start),
                         "theta2": angle(end), "color": colour, "opacity": opacity}}  # fmt: skip

    def words(text: str, dx: float, dy: float, size: int, weight: str = "normal") -> JsonObject:
        return {"mark": {"type": "text", "x": x + dx, "y": y + dy, "text": safe(text), "fontSize": size, "fontWeight": weight,
                         "color": ink}}  # fmt: skip

    shade = shade_of(value, chart.shades)
    middle = (inner + outer) / 2
    layers: list[JsonValue] = [
        arc(least, most, ink, 0.12),
        arc(least, value, shade.colour if shade else chart.colour(0), 1),
        *(arc(level.value - (most - least) / 200, level.value + (most - least) / 200, ink, 1, 6) for level in chart.levels),
        words(chart.number(value), 0, -20, 30, "bold"),
        words(chart.number(least), -middle, 14, 11),
        words(chart.number(most), middle, 14, 11),
        words(chart.series[0].name, 0, 36, 12),
    ]  # fmt: skip
    for at, level in enumerate(chart.levels):
        layers.append(words(f"{level.label or 'line'}: {chart.number(level.value)}", 0, 56 + 16 * at, 11))
    return {"width": width, "height": height, "data": {"values": [{}]}, "layer": layers}


def gauge_ends(chart: Chart) -> tuple[float, float]:
    """The least and most of a gauge."""
    least = chart.axis.least if chart.axis.least is not None else GAUGE_ENDS[0]
    most = chart.axis.most if chart.axis.most is not None else GAUGE_ENDS[1]
    return (least, most) if most > least else (least, least + 1)


def number(chart: Chart, ink: str, width: int, height: int) -> JsonObject:
    """One number, large, in the colour of its class."""
    value = next((value for one in chart.series for value in one.values if value is not None), None)
    shade = shade_of(value, chart.shades)
    text = chart.number(value) if value is not None else "no data"
    return _words(text, width, height // 2, size=64 if value is not None else 16, colour=shade.colour if shade else ink)


def _words(text: str, width: int, height: int, *, size: int = 14, colour: str = "gray") -> JsonObject:
    mark: JsonObject = {"type": "text", "text": text, "fontSize": size, "fontWeight": "bold", "color": colour}
    return {"width": width, "height": height, "data": {"values": [{}]}, "mark": mark}


def _round_up(value: float) -> float:
    """The next round number: 1, 2 or 5 with noughts."""
    if value <= 0:
        return 0.0
    ten = 10.0 ** math.floor(math.log10(value))
    return next(ten * step for step in (1, 2, 4, 5, 8, 10) if ten * step >= value)
