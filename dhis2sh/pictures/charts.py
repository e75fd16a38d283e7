"""A definition and the answer to it as a chart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dhis2sh.analytics.items import resolved
from dhis2sh.dhis2.periods import Period, RelativePeriod
from dhis2sh.errors import UsageError
from dhis2sh.pictures import asking, legends
from dhis2sh.pictures.asking import Answer, Key
from dhis2sh.pictures.definitions import Definition
from dhis2sh.show.charts.model import PLAIN, Chart, Kind, Series, Shade, Value, shade_of, trend
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.session import Session

KINDS: Mapping[str, Kind] = {
    "COLUMN": "column", "STACKED_COLUMN": "stacked-column", "BAR": "bar", "STACKED_BAR": "stacked-bar", "LINE": "line",
    "AREA": "area", "STACKED_AREA": "stacked-area", "PIE": "pie", "RADAR": "radar", "GAUGE": "gauge",
    "YEAR_OVER_YEAR_LINE": "line", "YEAR_OVER_YEAR_COLUMN": "column", "SINGLE_VALUE": "number", "SCATTER": "scatter",
    "BUBBLE": "bubble",
}  # fmt: skip
"""DHIS2's types of charts."""
ONE_NUMBER = {"SINGLE_VALUE", "GAUGE"}
ONE_SERIES = {"number", "gauge", "scatter", "bubble"}
DEGREES = {"LINEAR": 1, "POLYNOMIAL": 2}
SHADED = {"column", "stacked-column", "bar", "stacked-bar", "gauge", "number"}
MOST_CATEGORIES = 1_000


async def chart_of(s: Session, found: Definition) -> Chart:
    """The chart of a definition, with data asked for now.

    Raises `UsageError` for a type that is no chart, and for one that lacks what its type wants; `Refused`.
    """
    if found.type not in KINDS:
        raise UsageError(
            f"'{found.name}' is of the type {found.type}, which is no chart", hint="dhis2 analytics viz --help"
        )
    if found.type.startswith("YEAR_OVER_YEAR"):
        answer, series = await _years(s, found)
    else:
        answer = await asking.ask(s, found)
        series = [
            Series(answer.label(key), tuple(_value(answer, row, key) for row in answer.rows)) for key in answer.columns
        ]
        series = [_on_its_axis(found, one, key) for one, key in zip(series, answer.columns, strict=True)]
    if len(answer.rows) > MOST_CATEGORIES:
        raise UsageError(
            f"'{found.name}' has {len(answer.rows):,} categories, more than a picture has room for",
            hint=f"dhis2 analytics viz {found.uid} --org-unit LEVEL-2",
        )
    keys, series = _chosen(found, answer.rows, series)
    series, shades = await _shaded(s, found, answer, keys, series)
    chart = _drawn(found, answer, keys, series, shades)
    texts = sum(1 for number in answer.cells.values() if number.text)
    notes = [f"{texts:,} values are texts, which no chart draws"] if texts else []
    if len(chart.series) > len(PLAIN) and chart.kind not in ONE_SERIES:
        notes.append(f"{len(chart.series)} series and {len(PLAIN)} colours: some have the same")
    return chart.with_notes(*notes)


def heading(found: Definition, answer: Answer) -> tuple[str, str]:
    """The title and subtitle: the definition's, else its name and what filters it."""
    alone = [answer.label(answer.columns[0])] if len(answer.columns) == 1 and answer.columns[0] else []
    filters = " · ".join([*alone, *(_named(answer, items) for items in answer.filtered if items)])
    title = "" if found.look.hide_title else found.look.title or found.name
    return title, "" if found.look.hide_subtitle else found.look.subtitle or filters


def _named(answer: Answer, items: Sequence[str]) -> str:
    """What filters, in words; many periods as the first and the last."""
    if len(items) > 3 and all(item[:4].isdigit() for item in items):
        return f"{answer.name(min(items))} – {answer.name(max(items))}"
    return listed(map(answer.name, items))


def _drawn(
    found: Definition, answer: Answer, keys: Sequence[Key], series: list[Series], shades: Sequence[Shade]
) -> Chart:
    title, subtitle = heading(found, answer)
    look = found.look
    kind = KINDS[found.type]
    trends = [
        line for one in series if (line := trend(one, DEGREES.get(look.trend, 0)) if look.trend in DEGREES else None)
    ]
    chart = Chart(
        kind, tuple(answer.label(key) for key in keys), tuple(series), title, subtitle, look.axis, look.second,
        look.domain.label, look.levels, tuple(trends), tuple(shades), look.legend, look.numbers,
        look.percent and kind.startswith("stacked"), look.tight, look.grouping, look.not_drawn,
    )  # fmt: skip
    if kind in {"scatter", "bubble"}:
        return _points(found, chart)
    if kind == "radar" and len(keys) < 3:
        return replace(chart.with_notes("a radar wants three categories: drawn as columns"), kind="column")
    return chart if kind in {"column", "bar", "line", "area"} else replace(chart, trends=())


def _value(answer: Answer, row: Key, column: Key) -> Value:
    found = answer.number(row, column)
    return found.value if found is not None else None


def _on_its_axis(found: Definition, one: Series, key: Key) -> Series:
    """A series as a line or columns, and on the right axis, where the definition says so of one of its items."""
    items = set(key)
    kind = "line" if items & found.look.lines else "column" if items & found.look.columns else None
    return replace(one, kind=kind, second=bool(items & found.look.rightwards))


def _points(found: Definition, chart: Chart) -> Chart:
    """A scatter: the first item of data goes up, the second across."""
    if len(chart.series) < 2:
        raise UsageError(
            f"'{found.name}' is a scatter plot of one item of data; it wants two", hint="dhis2 metadata viz describe"
        )
    up, across, *rest = chart.series
    notes = [
        f"{one.name} is not drawn: a scatter plot has two axes" for one in rest[1 if chart.kind == "bubble" else 0 :]
    ]
    left = sum(1 for x, y in zip(across.values, up.values, strict=True) if x is None or y is None)
    notes += [f"{left:,} of {len(chart.categories):,} have only one of the two numbers, or none"] if left else []
    return replace(chart, series=(across, up, *rest), numbers=False, trends=()).with_notes(*notes)


async def _years(s: Session, found: Definition) -> tuple[Answer, list[Series]]:
    """A series for each year, asked for as if it were today's day of that year.

    API source: `relativePeriodDate` of `GET /api/analytics`; fixed periods stay what they are.
    """
    if not found.years:
        raise UsageError(f"'{found.name}' says no years to compare", hint="choose its years in the server's own app")
    years = sorted({Period.parse(text).start.year for text in resolved(found.years)}, reverse=True)
    today = dt.datetime.now().astimezone().date()
    asked = Definition(
        found.uid, found.name, found.type, [], [*found.columns, *found.rows], found.filters, found.look, found.table,
        found.legend, found.params, found.years, found.events,
    )  # fmt: skip
    answers = {
        year: await asking.ask(s, asked, {"relativePeriodDate": _in_year(today, year).isoformat()}) for year in years
    }
    newest = answers[years[0]]
    if all(item not in _RELATIVE for one in asked.rows if one.name == "pe" for item in one.items):
        raise UsageError(
            f"'{found.name}' compares years by fixed periods, which are the same in every year",
            hint=f"dhis2 analytics viz {found.uid} --period MONTHS_THIS_YEAR",
        )
    series = [
        Series(str(year), _padded([_value(answer, row, ()) for row in answer.rows], len(newest.rows)))
        for year, answer in answers.items()
    ]
    newest.names |= {
        row[-1]: _without_year(newest.name(row[-1])) for row in newest.rows if row and row[-1] in newest.names
    }
    return newest, series


_RELATIVE = {str(one) for one in RelativePeriod}


def _in_year(day: dt.date, year: int) -> dt.date:
    return day.replace(year=year, day=28) if (day.month, day.day) == (2, 29) else day.replace(year=year)


def _padded(values: Sequence[Value], size: int) -> tuple[Value, ...]:
    """As many as the newest year has: a year may have a week more or less."""
    return (*values, *[None] * size)[:size]


def _without_year(name: str) -> str:
    words = [word for word in name.split() if not (word.isdigit() and len(word) == 4)]
    return " ".join(words) or name


def _chosen(found: Definition, rows: Sequence[Key], series: list[Series]) -> tuple[list[Key], list[Series]]:
    """The categories that are drawn, in their order: empty ones left out, sorted, the first so many, added up."""
    places = list(range(len(rows)))
    full = [at for at in places if any(one.values[at] is not None for one in series)]
    match found.look.empty:
        case "ALL":
            places = full
        case "BEFORE_FIRST":
            places = [at for at in places if full and at >= full[0]]
        case "AFTER_LAST":
            places = [at for at in places if full and at <= full[-1]]
        case "BEFORE_FIRST_AFTER_LAST":
            places = [at for at in places if full and full[0] <= at <= full[-1]]
        case _:
            pass
    if found.look.sort and series:
        first = series[0].values
        there = sorted(
            (at for at in places if first[at] is not None), key=lambda at: first[at] or 0, reverse=found.look.sort > 0
        )
        places = [*there, *(at for at in places if first[at] is None)]
    if found.look.top > 0 and found.type not in ONE_NUMBER:
        places = places[: found.look.top]
    chosen = [replace(one, values=tuple(one.values[at] for at in places)) for one in series]
    if found.look.cumulative:
        chosen = [replace(one, values=_added_up(one.values)) for one in chosen]
    return [rows[at] for at in places], chosen


def _added_up(values: Sequence[Value]) -> tuple[Value, ...]:
    total, found = 0.0, list[Value]()
    for value in values:
        total += value or 0
        found.append(total)
    return tuple(found)


async def _shaded(
    s: Session, found: Definition, answer: Answer, rows: Sequence[Key], series: list[Series]
) -> tuple[list[Series], tuple[Shade, ...]]:
    """Every value with the colour of its class, where the definition colours by classes."""
    if not found.legend or KINDS[found.type] not in SHADED:
        return series, ()
    of_item = answer.legends if found.legend.by_item else {}
    sets = await legends.of_sets(s, [found.legend.uid, *of_item.values()])
    columns = answer.columns if len(answer.columns) == len(series) else [()] * len(series)

    def classes(key: Key) -> tuple[Shade, ...]:
        uid = found.legend.uid or next((of_item[item] for item in key if item in of_item), "")
        return sets.get(uid, ())

    filtered = tuple(item for items in answer.filtered for item in items)
    chosen = [
        replace(one, shades=tuple(
            shade.colour if (shade := shade_of(value, classes((*column, *row, *filtered)))) else None
            for row, value in zip(rows, one.values, strict=True)
        ))
        for one, column in zip(series, columns, strict=True)
    ]  # fmt: skip
    shown = list(dict.fromkeys(shade for shades in sets.values() for shade in shades))
    return chosen, tuple(shown)
