"""Reporting rates: reports that came in, came in time, and were expected.

API source: `DataHandler.addReportingRates`, `PeriodType.getPeriodSpan`.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.dhis2.periods import period_type
from dhis2sh.sandbox.analytics.aggregate import Axis, Cell, Tables, Window, items_by_number
from dhis2sh.sandbox.data.model import reference, references
from dhis2sh.sandbox.refused import not_imitated
from dhis2sh.sandbox.store.fresh import DEFAULT_CATEGORY_COMBO, DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from dhis2sh.dhis2.periods import Period
    from dhis2sh.sandbox.data.model import Model


@dataclass(frozen=True, slots=True)
class Asked:
    """A window of the answer.

    Parameters:
        window: its data periods.
        periods: what was asked for; several for a filter, none for dates.
    """

    window: Window
    periods: Sequence[Period]


class Rates:
    """Counts reports in the cells of a query.

    Parameters:
        tables: the analytics tables.
        asked: the periods of the answer.
        axes: the axes other than data and period. Raises `Refused` for one that no report has.
    """

    def __init__(self, tables: Tables, asked: Sequence[Asked], axes: Sequence[Axis]) -> None:
        self.tables, self.asked, self.axes = tables, asked, axes
        if any(axis.column not in {"ou", "ao"} for axis in axes):
            raise not_imitated("reporting rates by the option combos of data")
        self._items = [items_by_number(axis) for axis in axes]
        self._known: dict[str, dict[Cell, float]] = {}

    def cells(self, data_set: str, metric: str) -> dict[Cell, float]:
        """A metric by period and the other axes; where reports are expected it is there, be it 0."""
        if data_set not in self._known:
            self._known[data_set] = self._expected(data_set)
        expected = self._known[data_set]
        if metric == "EXPECTED_REPORTS":
            return expected
        actual = self._actual(data_set, on_time=metric.endswith("_ON_TIME"))
        if metric.startswith("ACTUAL_REPORTS"):
            return {cell: actual.get(cell, 0.0) for cell in expected}
        return {
            cell: min(100.0, 100 * actual.get(cell, 0.0) / count) if count else 0.0 for cell, count in expected.items()
        }

    def _places(self, unit: int, combo: int) -> Iterator[tuple[str, ...]]:
        """The items of every axis that a report belongs to."""
        numbers = (unit if axis.column == "ou" else combo for axis in self.axes)
        return itertools.product(*(items.get(number, ()) for items, number in zip(self._items, numbers, strict=True)))

    def _actual(self, data_set: str, *, on_time: bool) -> dict[Cell, float]:
        number = self.tables.numbers("ds").get(data_set)
        rows = self.tables.connection.execute(
            "SELECT pe, ou, ao, count(*) FROM analytics_completeness WHERE ds = ? AND (timely OR NOT ?) "
            "GROUP BY pe, ou, ao",
            (number, on_time),
        ).fetchall()
        members: dict[int, list[str]] = {}
        for asked in self.asked:
            for period, _, _ in asked.window.members:
                members.setdefault(period, []).append(asked.window.name)
        found: dict[Cell, float] = {}
        for period, unit, combo, count in rows:
            for window in members.get(period, ()):
                for place in self._places(unit, combo):
                    found[window, *place] = found.get((window, *place), 0.0) + count
        return found

    def _expected(self, data_set: str) -> dict[Cell, float]:
        """How many reports each cell should have: org units times attribute option combos times periods.

        How many periods of the data set's type an asked period has follows from the two types alone.
        """
        body = self.tables.model.body("dataSets", data_set)
        own = period_type(str(body.get("periodType") or "Monthly")).frequency_order
        targets = [(list(self._places(unit, combo)), *open_) for unit, combo, *open_ in self._targets(data_set)]
        found: dict[Cell, float] = {}
        for asked in self.asked:
            if not asked.periods:
                raise not_imitated("expected reports of dates; ask for periods")
            for period in asked.periods:
                factor = period.type.frequency_order // own
                first, last = period.start.isoformat(), period.end.isoformat()
                for places, opened, closed in targets:
                    for place in places if opened <= first and closed >= last else ():
                        cell = (asked.window.name, *place)
                        found[cell] = found.get(cell, 0.0) + factor
        return found

    def _targets(self, data_set: str) -> Iterator[tuple[int, int, str, str]]:
        """The org units that should report, each with an attribute option combo it has, and when it opened and closed."""
        model, numbers = self.tables.model, self.tables.numbers("co")
        combo = reference(model.body("dataSets", data_set), "categoryCombo") or DEFAULT_CATEGORY_COMBO
        combos = model.combos_of.get(combo) or [DEFAULT_OPTION_COMBO]
        rows = self.tables.connection.execute(
            "SELECT t.ou, o.uid FROM analytics_target t JOIN analytics_org_unit o ON o.number = t.ou WHERE t.ds = ?",
            (self.tables.numbers("ds").get(data_set),),
        ).fetchall()
        for number, uid in rows:
            unit = model.body("organisationUnits", uid)
            opened, closed = str(unit.get("openingDate") or "")[:10], str(unit.get("closedDate") or dt.date.max)[:10]
            for each in combos:
                if each in numbers and _is_open_to(model, each, uid):
                    yield number, numbers[each], opened, closed


def _is_open_to(model: Model, combo: str, unit: str) -> bool:
    """May an org unit use an option combo, by the org units that its options are limited to?"""
    options = references(model.body("categoryOptionCombos", combo), "categoryOptions")
    limits = (model.units_of_option.get(option) for option in options)
    return all(not units or model.within(unit, units) for units in limits)
