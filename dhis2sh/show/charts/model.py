"""A chart, whoever asked for it: numbers by category and series, and what is drawn beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.rows.registry import drawn, page
from dhis2sh.show.numbers import Numbers

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

type Kind = Literal[
    "column", "stacked-column", "bar", "stacked-bar", "line", "area", "stacked-area", "pie", "radar", "gauge", "scatter",
    "bubble", "number",
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "column", "stacked-column", "bar", "stacked-bar", "line", "area", "stacked-area", "pie", "radar", "gauge", "scatter",
    "bubble", "number",
)  # fmt: skip
PLAIN = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999933", "#882255",
         "#44AA99", "#332288", "#DDCC77", "#777777", "#661100", "#88CCEE", "#117733", "#AA4499")  # fmt: skip
"""Colours that people with any kind of colour blindness tell apart (Okabe and Ito, Tol)."""
type Value = float | None
SMALL = 0.01
"""Numbers below it are written with two digits that say something."""


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers.

    Parameters:
        name: what it is called.
        values: one for each category; None where there is none.
        kind: drawn as a `line` or as `column` where that is not the chart's own way.
        second: measured on the axis at the right.
        shades: a colour for each value, where classes colour them.
    """

    name: str
    values: tuple[Value, ...]
    kind: Literal["line", "column"] | None = None
    second: bool = False
    shades: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """A line at one value: a target or a base."""

    value: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Shade:
    """A class of values with its colour, from its start up to, but not with, its end."""

    name: str
    start: float
    end: float
    colour: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of numbers: its label, ends, how many steps and decimals; None where that follows from the data."""

    label: str = ""
    least: float | None = None
    most: float | None = None
    steps: int | None = None
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn.

    Parameters:
        kind: how.
        categories: what the values of each series stand at. Of scatters and bubbles the names of the points, whose places
            are the first two series and whose sizes the third.
        series: the numbers.
        title, subtitle: above it.
        axis, second: the axes of numbers, at the left and the right.
        label: of the axis of categories.
        levels: target and base lines.
        trends: dashed lines beside the series.
        shades: the classes that colour values, for their key.
        legend: is there a key of the series?
        numbers: is every value written beside its mark?
        percent: are stacks drawn as shares of 100?
        tight: do columns stand side by side without a gap?
        grouping: what parts thousands.
        notes: what is not drawn, and why.
    """

    kind: Kind
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    title: str = ""
    subtitle: str = ""
    axis: Axis = field(default_factory=Axis)
    second: Axis = field(default_factory=Axis)
    label: str = ""
    levels: tuple[Level, ...] = ()
    trends: tuple[Series, ...] = ()
    shades: tuple[Shade, ...] = ()
    legend: bool = True
    numbers: bool = False
    percent: bool = False
    tight: bool = False
    grouping: str = " "
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Is there no number at all?"""
        return not any(value is not None for series in self.series for value in series.values)

    def colour(self, at: int) -> str:
        """The colour of a series."""
        return PLAIN[at % len(PLAIN)]

    def number(self, value: Value) -> str:
        """A value in characters: thousands apart, no decimals that say nothing."""
        return figure(value, self.grouping, self.axis.decimals)

    def with_notes(self, *more: str) -> Chart:
        """The same, with more said of what is not drawn."""
        return replace(self, notes=(*self.notes, *more))

    def to_json(self) -> JsonObject:
        """The chart as numbers."""
        return {
            "kind": self.kind, "title": self.title, "subtitle": self.subtitle, "categories": list(self.categories),
            "series": [{"name": one.name, "values": list(one.values)} for one in (*self.series, *self.trends)],
            "notes": list(self.notes),
        }  # fmt: skip

    def numbers_behind(self) -> Numbers:
        """A line for each category, a column for each series, trends and lines at one value too; a single number stands alone."""
        series = (*self.series, *self.trends)
        flat = [(level.label or "level", level.value) for level in self.levels]
        headers = [self.label or "category", *(one.name for one in series), *(name for name, _ in flat)]
        lines: list[list[JsonValue]] = [
            [
                name,
                *(one.values[at] for one in self.series),
                *(as_shown(one.values[at], None) for one in self.trends),
                *(value for _, value in flat),
            ]
            for at, name in enumerate(self.categories)
        ]
        if not any(self.categories):
            return Numbers(headers[1:], [line[1:] for line in lines])
        return Numbers(headers, lines)

    def __repr__(self) -> str:
        return drawn(self)

    def html(self) -> str:
        """The chart inside a page. Raises `MissingExtra`."""
        return page(self) or ""

    def _repr_html_(self) -> str:
        return self.html()


def as_shown(value: float | str | None, decimals: int | None) -> float | str | None:
    """A number with no more decimals than `figure` writes; a text stays."""
    if isinstance(value, float) and math.isfinite(value) and not (decimals is None and 0 < abs(value) < SMALL):
        return round(value, 2 if decimals is None else decimals)
    return value


def figure(value: Value, grouping: str = " ", decimals: int | None = None) -> str:
    """A number as it is written: `1 234.5`; nothing for none."""
    if value is None:
        return ""
    if decimals is None and 0 < abs(value) < SMALL:
        return f"{value:.2g}"  # two decimals would make a nought of it
    text = f"{value:,.{decimals}f}" if decimals is not None else f"{value:,.2f}".rstrip("0").rstrip(".")
    return text.replace(",", grouping)


def shade_of(value: Value, shades: Iterable[Shade]) -> Shade | None:
    """The class that a value belongs to; the end of the highest belongs to it too."""
    if value is None:
        return None
    among = sorted(shades, key=lambda shade: shade.start)
    found = next((shade for shade in among if shade.start <= value < shade.end), None)
    return found or (among[-1] if among and value == among[-1].end else None)


def kind_of(text: str) -> Kind:
    """A kind of chart as people write it: `stacked column`, `STACKED_COLUMN`. Raises `UsageError`."""
    name = text.strip("'\" ").lower().replace("_", "-").replace(" ", "-")
    if name not in KINDS:
        raise UsageError(f"no chart is a '{name}'", hint=did_you_mean(name, KINDS) or f"kinds: {', '.join(KINDS)}")
    return name


def trend(series: Series, degree: int) -> Series | None:
    """The least-squares line (degree 1) or parabola (2) through a series; None where there are too few values."""
    points = [(float(at), value) for at, value in enumerate(series.values) if value is not None]
    if len(points) <= degree:
        return None
    size = degree + 1
    sums = [[sum(x ** (row + column) for x, _ in points) for column in range(size)] for row in range(size)]
    right = [sum(y * x**row for x, y in points) for row in range(size)]
    found = _solved(sums, right)
    if found is None:
        return None
    fitted = tuple(sum(part * at**power for power, part in enumerate(found)) for at in range(len(series.values)))
    return Series(f"{series.name} (trend)", fitted, second=series.second)


def _solved(rows: Sequence[Sequence[float]], right: Sequence[float]) -> list[float] | None:
    """Gauss, for systems of two or three."""
    table = [[*row, last] for row, last in zip(rows, right, strict=True)]
    size = len(table)
    for at in range(size):
        best = max(range(at, size), key=lambda row: abs(table[row][at]))
        if abs(table[best][at]) < 1e-12:
            return None
        table[at], table[best] = table[best], table[at]
        for row in range(size):
            if row != at:
                factor = table[row][at] / table[at][at]
                table[row] = [cell - factor * above for cell, above in zip(table[row], table[at], strict=True)]
    return [table[at][size] / table[at][at] for at in range(size)]
