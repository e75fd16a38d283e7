"""Outliers: values far from what is usual at the same place (api-facts g.3).

The place of a value is its element, org unit and option combos; what is usual comes from all its periods.
"""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dhis2sh.sandbox.data import values
from dhis2sh.sandbox.data.model import Model, read_period
from dhis2sh.sandbox.data.values import Value

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

    value: Value
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


def find(store: Store, model: Model, search: Search) -> list[Outlier]:
    """Every outlier of a search, in no order."""
    within = {unit for root in search.units for unit in model.subtree(root)}
    found: list[Outlier] = []
    for element in search.elements:
        places: dict[tuple[str, str, str], list[tuple[Value, float, Period]]] = {}
        for value, number, period in _numbers(store, element):
            key = value.key
            if key.org_unit in within:
                places.setdefault((key.org_unit, key.category_option_combo, key.attribute_option_combo), []).append(
                    (value, number, period)
                )
        if search.algorithm == "MIN_MAX":
            found += _outside(places, _limits(store, element), search)
        else:
            found += _unusual(places, search)
    return found


def _numbers(store: Store, element: str) -> Iterator[tuple[Value, float, Period]]:
    for value in values.select(store, "data_element = ? AND NOT deleted AND value IS NOT NULL", (element,)):
        period = read_period(value.key.period)
        try:
            number = float(value.value or "")
        except ValueError:
            continue
        if period is not None:
            yield value, number, period


type _Places = Mapping[tuple[str, str, str], Sequence[tuple[Value, float, Period]]]


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
        middle, spread = statistics.fmean(numbers), statistics.pstdev(numbers)
    return Usual(middle, spread) if spread else None


def _unusual(places: _Places, search: Search) -> Iterable[Outlier]:
    factor = _MODIFIED if search.algorithm == "MODIFIED_Z_SCORE" else 1.0
    for rows in places.values():
        usual = usual_of(
            [number for _, number, period in rows if _inside(period, search.data_start, search.data_end)],
            search.algorithm,
        )
        if usual is None:
            continue
        reach = search.threshold * usual.spread / factor
        for value, number, period in rows:
            score = factor * abs(number - usual.middle) / usual.spread
            if score >= search.threshold and _inside(period, search.start, search.end):
                yield Outlier(value, number, period, usual, score, usual.middle - reach, usual.middle + reach)


def _limits(store: Store, element: str) -> dict[tuple[str, str], tuple[float, float]]:
    rows = store.connection.execute(
        "SELECT org_unit, category_option_combo, minimum, maximum FROM min_max WHERE data_element = ?", (element,)
    )
    return {(unit, combo): (low, high) for unit, combo, low, high in rows}


def _outside(
    places: _Places, limits: Mapping[tuple[str, str], tuple[float, float]], search: Search
) -> Iterable[Outlier]:
    for (unit, combo, _), rows in places.items():
        bounds = limits.get((unit, combo))
        for value, number, period in rows if bounds else ():
            low, high = bounds or (0.0, 0.0)
            if not low <= number <= high and _inside(period, search.start, search.end):
                yield Outlier(value, number, period, None, 0.0, low, high)
