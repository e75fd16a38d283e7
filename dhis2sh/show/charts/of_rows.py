"""A chart of any rows: one column says where a value stands, another the value, a third the series."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.errors import UsageError
from dhis2sh.rows.cells import cell
from dhis2sh.rows.in_time import starts
from dhis2sh.show.charts.model import Axis, Chart, Series, Value
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.show.charts.model import Kind
    from dhis2sh.types import JsonValue, Row

NAMES = ("displayName", "name", "orgUnitName", "ouName", "id", "event", "trackedEntity")
"""The fields that may say what a place or a point is called."""
AXES = {"pe": "Period", "ou": "Organisation unit", "dx": "Data", "value": "Value"}
"""What the columns of an answer of analytics are called on an axis; those with their names (`ouName`) as well."""
MOST = 500
"""Categories that one picture has room for."""


def chart_of(
    rows: Sequence[Row],
    x: str,
    y: str,
    kind: Kind,
    by: str = "",
    *,
    title: str = "",
    times: Mapping[str, str] | None = None,
) -> Chart:
    """The chart of some rows.

    Parameters:
        x: the column that says where a value stands.
        y: the column with the values.
        by: the column whose every value is a series.
        title: above it.
        times: periods by their names, as of `Provenance`.

    Raises `UsageError` for a value that is no number, for two values at one place, for what no picture has room for, and for a line
    over the names of periods whose order nobody knows.
    """
    rows = _in_time(rows, x, kind, times or {})
    if kind in {"scatter", "bubble"}:
        names = [cell(next((row[name] for name in NAMES if row.get(name)), "")) for row in rows]
        places = Series(x, tuple(number(row.get(x), x) for row in rows))
        ups = Series(y, tuple(number(row.get(y), y) for row in rows))
        lost = sum(1 for pair in zip(places.values, ups.values, strict=True) if None in pair)
        notes = (f"{lost:,} of {counted(len(rows), 'row')} without both numbers: not drawn",) if lost else ()
        return Chart(kind, tuple(names), (places, ups), title=title, notes=notes)
    if by:
        categories, series = _by(rows, x, y, by)
    else:
        series = [Series(y, tuple(number(row.get(y), y) for row in rows))]
        categories = _once_each(rows, x, y, kind)
    if len(categories) > MOST:
        raise UsageError(
            f"{len(categories):,} {x} are more than a picture has room for", hint="| sort(-value) | head(30)"
        )
    told = _periods_in_words(rows, x)
    blank = sum(1 for row in rows if number(row.get(y), y) is None)
    notes = (f"{blank:,} of {counted(len(rows), 'row')} without a number {y}: not drawn",) if blank else ()
    return Chart(
        kind, tuple(told.get(place, place) for place in categories), tuple(series), title=title,
        axis=Axis(_axis(y) if by else ""), label=_axis(x), notes=notes,
    )  # fmt: skip


def _axis(column: str) -> str:
    return AXES.get(column.removesuffix("Name"), column)


def _periods_in_words(rows: Sequence[Row], x: str) -> dict[str, str]:
    """What periods are called, where the rows say it of each of them in a column beside; two of one name stay as they are."""
    if x != "pe":
        return {}
    found = {cell(row.get(x)): cell(row.get(f"{x}Name")) for row in rows}
    return found if all(found.values()) and len(set(found.values())) == len(found) else {}


def _in_time(rows: Sequence[Row], x: str, kind: Kind, times: Mapping[str, str]) -> Sequence[Row]:
    """Rows in the order of their periods, where `x` has periods or the names of some: answers have them in any order."""
    column = x.removesuffix("Name")
    for name in (column, x):
        begins = starts([row.get(name) for row in rows], times)
        if begins is not None:
            return [row for _, row in sorted(zip(begins, rows, strict=True), key=lambda pair: pair[0])]
    if column == "pe" and kind in RUNNING and len({row.get(x) for row in rows}) > 1:
        raise UsageError(
            f"the order of time is not known: {x} has names alone ({cell(rows[0].get(x))}, ...)",
            hint=f"keep pe beside them: | group(pe, {x}, n=sum(value)) | chart(pe, n, kind='{kind}')",
        )
    return rows


RUNNING = {"line", "area", "stacked-area"}
"""Charts that lead the eye from one place to the next."""


def _once_each(rows: Sequence[Row], x: str, y: str, kind: Kind) -> list[str]:
    """Where the values stand. Raises `UsageError` for two at one place: a picture would show each of them as all of it."""
    categories = [cell(row.get(x)) for row in rows]
    twice = next((place for place, times in Counter(categories).items() if times > 1), None)
    if twice is None:
        return categories
    apart = _telling_apart(rows, x, y)
    drawn = "" if kind == "bar" else f", kind='{kind}'"
    hint = f"chart({x}, {y}{drawn}, by={apart})" if apart else f"| group({x}, {y}=sum({y})) | chart({x}, {y}{drawn})"
    raise UsageError(
        f"{Counter(categories)[twice]:,} rows have {f'the {x} {twice}' if twice else f'no {x}'}", hint=hint
    )


def _telling_apart(rows: Sequence[Row], x: str, y: str) -> str:
    """The column that tells rows of one place apart, the one with the fewest values; empty where none does."""
    names = [name for name in rows[0] if name not in {x, y}]
    values = {name: [cell(row.get(name)) for row in rows] for name in names}
    places = [cell(row.get(x)) for row in rows]
    found = [name for name, ones in values.items() if len(set(zip(places, ones, strict=True))) == len(rows)]
    return min(found, key=lambda name: (len(set(values[name])), not name.endswith("Name")), default="")


def _by(rows: Sequence[Row], x: str, y: str, by: str) -> tuple[list[str], list[Series]]:
    found: dict[tuple[str, str], Value] = {}
    for row in rows:
        place = (cell(row.get(x)), cell(row.get(by)))
        if place in found:
            raise UsageError(
                f"two rows have the {x} {place[0]} and the {by} {place[1]}",
                hint=f"| group({x}, {by}, {y}=sum({y})) | chart(...)",
            )
        found[place] = number(row.get(y), y)
    categories = list(dict.fromkeys(place for place, _ in found))
    names = list(dict.fromkeys(name for _, name in found))
    return categories, [Series(name, tuple(found.get((place, name)) for place in categories)) for name in names]


def number(value: JsonValue, name: str) -> Value:
    """A cell as a number, None where it is empty. Raises `UsageError`."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return float(value)
    try:
        found = float(str(value))
    except ValueError:
        raise UsageError(f"{name} is no number: {cell(value)[:40]!r}", hint="chart(name, value)") from None
    if not math.isfinite(found):
        raise UsageError(f"{name} is no number that can be drawn: {cell(value)}", hint="chart(name, value)")
    return found
