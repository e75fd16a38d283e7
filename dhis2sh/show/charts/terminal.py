"""A chart in characters: lines and points by plotext; columns lie on their side, as rows of blocks with names and numbers."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Sequence
from typing import Any

from dhis2sh.errors import MissingExtra
from dhis2sh.show.charts import round_ones
from dhis2sh.show.charts.model import Chart, Level, Series, Value, shade_of
from dhis2sh.show.layout import fit, width_of
from dhis2sh.words import safe

COLUMNS, LINES = 100, 30
"""Of a screen of which nobody knows how large it is."""
MOST_COLUMNS, MOST_LINES = 120, 24
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FILLS = ("█", "▒", "░", "▓", "╳", "◦", "#", "=", "▚", "+", "%", ":", *LETTERS)
"""Several series without colours."""
MARKERS = ("hd", "•", "x", "+", "o", "*", "#", "@", "%", "=", "~", "^", *LETTERS)
LOOKS = ("▞", *MARKERS[1:])
"""How the markers look."""
EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
ROWS_OF_A_TICK = 4
"""Rows of a plot from one number beside its axis to the next, at the least."""
_MONTH = re.compile(r"([A-Z][a-z]{2})[a-z]* (\d{4})")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def text(chart: Chart, columns: int | None = None, lines: int | None = None) -> str:
    """A chart with its title, its key and what is not drawn.

    Parameters:
        columns, lines: the screen; the terminal's without them.

    Raises `MissingExtra`.
    """
    screen = shutil.get_terminal_size((COLUMNS, LINES))
    wide = max(30, min(columns or screen.columns, MOST_COLUMNS) - 1)
    high = max(10, min((lines or screen.lines) - 6, MOST_LINES))
    head = [safe(line) for line in (chart.title, chart.subtitle) if line]
    body = "no data" if chart.empty else _body(chart, wide, high)
    notes = [f"({safe(note)})" for note in chart.notes]
    return "\n".join([*head, body, *notes])


def _body(chart: Chart, wide: int, high: int) -> str:
    match chart.kind:
        case "number":
            return _number(chart)
        case "gauge":
            return _gauge(chart, wide)
        case "pie":
            return _pie(chart, wide)
        case "scatter" | "bubble":
            return _points(chart, wide, high)
        case "line" | "area" | "stacked-area":
            return _lines(chart, wide, high)
        case _:
            return _stacks(chart, wide) if chart.kind.startswith("stacked") else _bars(chart, wide)


def _negative(chart: Chart) -> bool:
    return any(value is not None and value < 0 for one in chart.series for value in one.values)


def _number(chart: Chart) -> str:
    value = next(value for one in chart.series for value in one.values if value is not None)
    shade = shade_of(value, chart.shades)
    return f"  {chart.number(value)}" + (f"  ({safe(shade.name)})" if shade else "")


def _gauge(chart: Chart, wide: int) -> str:
    least, most = round_ones.gauge_ends(chart)
    value = next(value for one in chart.series for value in one.values if value is not None)
    room = wide - 24
    share = (min(max(value, least), most) - least) / (most - least)
    bar = fit("█" * round(share * room), room)
    marks = [*bar]
    for level in chart.levels:
        at = round((min(max(level.value, least), most) - least) / (most - least) * (room - 1))
        marks[at] = "|"
    line = f"  {chart.number(least)} [{''.join(marks)}] {chart.number(most)}   {chart.number(value)}"
    return "\n".join([line, *_levels(chart.levels, chart)])


def _levels(levels: Sequence[Level], chart: Chart) -> list[str]:
    return [f"  | {safe(level.label) or 'line'}: {chart.number(level.value)}" for level in levels]


def _pie(chart: Chart, wide: int) -> str:
    parts = round_ones.slices(chart)
    total = sum(value for _, value, _ in parts)
    if not parts:
        return "no data"
    tails = [f"{chart.number(value)}  {value / total:6.1%}" for _, value, _ in parts]
    top = max(value for _, value, _ in parts)
    return _rows([name for name, _, _ in parts], [value / top for _, value, _ in parts], tails, wide)


def _rows(
    names: Sequence[str], shares: Sequence[float], tails: Sequence[str], wide: int, fills: Sequence[str] = ()
) -> str:
    """Rows of blocks: a name, a bar (a share of the room), its number."""
    label = min(max(map(width_of, names)), max(12, wide // 3))
    end = max(map(len, tails))
    room = max(4, wide - label - end - 3)
    lines: list[str] = []
    for name, share, tail, fill in zip(names, shares, tails, fills or ["█"] * len(names), strict=True):
        eighths = round(max(0.0, share) * room * 8)
        bar = "█" * (eighths // 8) + EIGHTHS[eighths % 8] if fill == "█" else fill * round(eighths / 8)
        lines.append(f"{fit(safe(name), label)} {fit(bar, room)} {tail.rjust(end)}".rstrip())
    return "\n".join(lines)


def _bars(chart: Chart, wide: int) -> str:
    """Every category with a bar for each series, as long as its own axis says; a number below zero has none."""
    tops = {second: max([value or 0 for one in chart.series if one.second == second for value in one.values] + [1e-12])
            for second in (False, True)}  # fmt: skip
    names: list[str] = []
    shares: list[float] = []
    tails: list[str] = []
    for place, category in enumerate(chart.categories):
        for at, one in enumerate(chart.series):
            value = one.values[place]
            names.append(category if at == 0 else "")
            shares.append((value or 0) / tops[one.second])
            tails.append(chart.number(value))
    fills = [FILLS[at % len(FILLS)] for at in range(len(chart.series))] * len(chart.categories)
    scales = any(one.second for one in chart.series) and not all(one.second for one in chart.series)
    said = [
        *(
            ["  on a scale of its own: " + ", ".join(safe(one.name) for one in chart.series if one.second)]
            if scales
            else []
        ),
        *(["  numbers below zero have no bar"] if _negative(chart) else []),
    ]
    return "\n".join(
        [_rows(names, shares, tails, wide, fills), *_key(chart.series), *_levels(chart.levels, chart), *said]
    )


def _stacks(chart: Chart, wide: int) -> str:
    """Every category with one bar in parts."""
    totals = [sum(max(0, one.values[place] or 0) for one in chart.series) for place in range(len(chart.categories))]
    label = min(max(map(width_of, chart.categories)), max(12, wide // 3))
    end = max(len(chart.number(total)) for total in totals)
    room = max(4, wide - label - end - 3)
    top = max([*totals, 1e-12])
    lines: list[str] = []
    for place, category in enumerate(chart.categories):
        bar, reached = "", 0.0
        whole = totals[place] if chart.percent else top
        for at, one in enumerate(chart.series):
            reached += max(0, one.values[place] or 0) / (whole or 1) * room
            bar += FILLS[at % len(FILLS)] * (round(reached) - len(bar))
        lines.append(f"{fit(safe(category), label)} {fit(bar, room)} {chart.number(totals[place]).rjust(end)}".rstrip())
    return "\n".join([*lines, *_key(chart.series), *_levels(chart.levels, chart)])


def _key(series: Sequence[Series], marks: Sequence[str] = FILLS) -> list[str]:
    if len(series) < 2:
        return []
    return ["  ".join(f"{marks[at % len(marks)]} {safe(one.name)}" for at, one in enumerate(series))]


def _lines(chart: Chart, wide: int, high: int) -> str:
    figure = _figure(wide, high)
    below = [0.0] * len(chart.categories)
    heights = [level.value for level in chart.levels]
    drawn = (*chart.series, *chart.trends)
    for at, one in enumerate(drawn):
        values = list(one.values)
        if chart.kind == "stacked-area":
            below = [base + (value or 0) for base, value in zip(below, values, strict=True)]
            values = [*below]
        heights += [value for value in values if value is not None]
        marker = MARKERS[at % len(MARKERS)]
        for piece in _pieces(values):
            signal = figure.signal([place + 1 for place, _ in piece], [value for _, value in piece], marker=marker)
            figure.draw(signal.lines() if len(piece) > 1 else signal)
    _draw_levels(figure, chart.levels)
    places = list(range(1, len(chart.categories) + 1))
    figure.ruler("x").ticks(*_ticks(places, chart.categories, wide))
    up = _steps(heights, high)
    figure.ruler("y").ticks(up, [chart.number(at) for at in up])
    scales = [safe(one.name) for one in chart.series if one.second]
    said = [f"  measured on another axis in pictures: {', '.join(scales)}"] if scales else []
    return "\n".join([_built(figure), *_key(drawn, LOOKS), *_levels(chart.levels, chart), *said])


def _steps(values: Sequence[float], high: int) -> list[float]:
    """Round numbers between the least and the greatest of some values, as many as a plot has room for."""
    least, most = min(values), max(values)
    if least == most:
        return [least]
    raw = (most - least) / max(2, high // ROWS_OF_A_TICK)
    tenth = 10.0 ** math.floor(math.log10(raw))
    step = next(size for size in (tenth, 2 * tenth, 5 * tenth, 10 * tenth) if size >= raw * 0.999)
    digits = max(0, -math.floor(math.log10(step)))
    return [round(at * step, digits) for at in range(math.ceil(least / step), math.floor(most / step) + 1)]


def _draw_levels(figure: Any, levels: Sequence[Level]) -> None:
    for level in levels:
        figure.line(level.value, orientation="h")  # it is part of the plot at once


def _pieces(values: Sequence[Value]) -> list[list[tuple[int, float]]]:
    """Runs of values without a gap."""
    found: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            found.append([])
        else:
            found[-1].append((place, value))
    return [piece for piece in found if piece]


def _points(chart: Chart, wide: int, high: int) -> str:
    across, up = (*chart.series, Series("", ()), Series("", ()))[:2]
    points = [(x, y) for x, y in zip(across.values, up.values, strict=False) if x is not None and y is not None]
    if not points:
        return "no data"
    figure = _figure(wide, high)
    figure.draw(figure.signal([x for x, _ in points], [y for _, y in points], marker="•"))
    return "\n".join([_built(figure), f"  across: {safe(across.name)}; up: {safe(up.name)}"])


def _figure(wide: int, high: int) -> Any:
    try:
        import plotext  # heavy: an extra
    except ImportError:
        raise MissingExtra("chart", "charts") from None
    figure: Any = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(wide, high)
    return figure


def _built(figure: Any) -> str:
    lines = _COLOURS.sub("", str(figure.build())).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _ticks(places: Sequence[int], names: Sequence[str], wide: int) -> tuple[list[int], list[str]]:
    """Names below an axis that do not touch: every so many of them; of months each where there is room, the year once."""
    months = [_MONTH.fullmatch(name) for name in names]
    found = [(match[1], match[2]) for match in months if match]
    if found and len(found) == len(names):
        step = max(1, -(-len(places) * (len("Jan'25") + 1) // max(1, wide - 10)))
        shown = found[::step]
        years = [year for _, year in shown]
        return list(places[::step]), [
            f"{month}'{year[2:]}" if at == 0 or years[at - 1] != year else month
            for at, (month, year) in enumerate(shown)
        ]
    briefer = [re.sub(r"\b([A-Z][a-z]{2})[a-z]+ (\d{4})", r"\1 \2", safe(name)) for name in names]
    longest = min(max(map(width_of, briefer)), 24)
    step = max(1, -(-len(places) * (longest + 2) // max(1, wide - 10)))
    return list(places[::step]), [fit(name, longest).rstrip() for name in briefer[::step]]
