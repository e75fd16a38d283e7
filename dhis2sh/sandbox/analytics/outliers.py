"""Outliers: values far from what is usual at the same place (api-facts g.3).

The place of a value is its element, org unit and option combos; what is usual comes from all its periods.
"""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dhis2sh.sandbox.data.model import Model, read_period
from dhis2sh.sandbox.data.values import Key

if TYPE_CHECKING:
    from dhis2sh.dhis2.periods import Period
    from dhis2sh.sandbox.store.database import Store

_MODIFIED = 0.6745
"""The quotient that makes a median deviation comparable to a standard deviation."""


class Usual(NamedTuple):
    """What is usual at a place: a middle and how far values lie from it."""

    middle: float
    spread: float


@dataclass(frozen=True, slots=True)
class Outlier:
    """A value outside of its bounds."""

    key: Key
    follow_up: bool
    number: float
    period: Period
    usual: Usual | None
    score: float
    lower: float
    upper: float

    @property
    def deviation(self) -> float:
        """How far the value lies from the middle; with fixed bounds, from the nearer bound."""
        if self.usual is not None:
            return abs(self.number - self.usual.middle)
        return self.lower - self.number if self.number < self.lower else self.number - self.upper


@dataclass(slots=True)
class Search:
    """What to look for."""

    elements: Sequence[str]
    units: Sequence[str]
    start: dt.date
    end: dt.date
    algorithm: str = "Z_SCORE"
    threshold: float = 3.0
    data_start: dt.date | None = None
    data_end: dt.date | None = None


type _Place = tuple[str, str, str]
"""An org unit and its two option combos."""
type _Point = tuple[float, Period, bool]
"""A value at its place: the number, when, and whether it is to be followed up."""
type _Places = Mapping[_Place, Sequence[_Point]]


def find(store: Store, model: Model, search: Search) -> list[Outlier]:
    """Every outlier of a search, in no order."""
    within = {unit for root in search.units for unit in model.subtree(root)}
    found: list[Outlier] = []
    for element in search.elements:
        places = _places(store, element, within)
        if search.algorithm == "MIN_MAX":
            found += _outside(element, places, _limits(store, element), search)
        else:
            found += _unusual(element, places, search)
    return found


def _places(store: Store, element: str, within: set[str]) -> _Places:
    """The values of an element that are numbers, by their place."""
    rows = store.connection.execute(
        "SELECT period, org_unit, category_option_combo, attribute_option_combo, value, follow_up FROM data_value "
        "WHERE data_element = ? AND NOT deleted AND value IS NOT NULL",
        (element,),
    )
    periods: dict[str, Period | None] = {}
    found: dict[_Place, list[_Point]] = {}
    for text, unit, combo, attribute, value, follow_up in rows:
        if unit not in within:
            continue
        if text not in periods:
            periods[text] = read_period(text)
        period = periods[text]
        try:
            number = float(value)
        except ValueError:
            continue
        if period is not None:
            found.setdefault((unit, combo, attribute), []).append((number, period, bool(follow_up)))
    return found


def _inside(period: Period, start: dt.date | None, end: dt.date | None) -> bool:
    return (start is None or period.start >= start) and (end is None or period.end <= end)


def usual_of(numbers: Sequence[float], algorithm: str) -> Usual | None:
    """What is usual among numbers; None where all are alike or there are none."""
    if not numbers:
        return None
    if algorithm == "MODIFIED_Z_SCORE":
        middle = statistics.median(numbers)
        spread = statistics.median(abs(number - middle) for number in numbers)
    else:
        middle, spread = _moments(numbers)
    return Usual(middle, spread) if spread else None


def _moments(numbers: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation, summed up as PostgreSQL does: what lies at the threshold depends on the last bit."""
    total = squares = 0.0
    for count, number in enumerate(numbers, start=1):
        total += number
        if count > 1:
            off = number * count - total
            squares += off * off / (count * (count - 1))
    return total / len(numbers), math.sqrt(squares / len(numbers))


def _unusual(element: str, places: _Places, search: Search) -> Iterable[Outlier]:
    factor = _MODIFIED if search.algorithm == "MODIFIED_Z_SCORE" else 1.0
    for (unit, combo, attribute), rows in places.items():
        usual = usual_of(
            [number for number, period, _ in rows if _inside(period, search.data_start, search.data_end)],
            search.algorithm,
        )
        if usual is None:
            continue
        reach = search.threshold * usual.spread / factor
        for number, period, follow_up in rows:
            score = factor * abs(number - usual.middle) / usual.spread
            if score >= search.threshold and _inside(period, search.start, search.end):
                low, high = usual.middle - reach, usual.middle + reach
                key = Key(element, period.iso, unit, combo, attribute)
                yield Outlier(key, follow_up, number, period, usual, score, low, high)


def _limits(store: Store, element: str) -> dict[tuple[str, str], tuple[float, float]]:
    rows = store.connection.execute(
        "SELECT org_unit, category_option_combo, minimum, maximum FROM min_max WHERE data_element = ?", (element,)
    )
    return {(unit, combo): (low, high) for unit, combo, low, high in rows}


def _outside(
    element: str, places: _Places, limits: Mapping[tuple[str, str], tuple[float, float]], search: Search
) -> Iterable[Outlier]:
    for (unit, combo, attribute), rows in places.items():
        bounds = limits.get((unit, combo))
        for number, period, follow_up in rows if bounds else ():
            low, high = bounds or (0.0, 0.0)
            if not low <= number <= high and _inside(period, search.start, search.end):
                key = Key(element, period.iso, unit, combo, attribute)
                yield Outlier(key, follow_up, number, period, None, 0.0, low, high)
