"""Reporting rates: reports that came in, came in time, and were expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.periods import Period, period_type
from dhis2sh.sandbox.analytics.aggregate import Axis, Cell, Tables, Window

if TYPE_CHECKING:
    import datetime as dt


class Rates:
    """Counts reports in the cells of a query.

    Parameters:
        tables: the analytics tables.
        windows: the periods of the answer, with the time span of each.
        units: the org unit axis; None for everywhere.
    """

    def __init__(self, tables: Tables, windows: Sequence[tuple[Window, dt.date, dt.date]], units: Axis | None) -> None:
        self.tables, self.windows, self.units = tables, windows, units

    def cells(self, data_set: str, metric: str) -> dict[Cell, float]:
        """A metric by period and org unit item."""
        if metric == "EXPECTED_REPORTS":
            return self._expected(data_set)
        on_time = metric.endswith("_ON_TIME")
        actual = self._actual(data_set, on_time=on_time)
        if metric.startswith("ACTUAL_REPORTS"):
            return actual
        expected = self._expected(data_set)
        return {cell: min(100.0, 100 * actual.get(cell, 0.0) / count) for cell, count in expected.items() if count}

    def _spans(self) -> list[tuple[int, int, str]]:
        if self.units is None:
            return [(0, 1 << 60, "")]
        return [(first, last, self.units.items[at]) for first, last, at in self.units.spans]

    def _actual(self, data_set: str, *, on_time: bool) -> dict[Cell, float]:
        number = self.tables.numbers("ds").get(data_set)
        rows = self.tables.connection.execute(
            "SELECT pe, ou, count(*) FROM analytics_completeness WHERE ds = ? AND (timely OR NOT ?) GROUP BY pe, ou",
            (number, on_time),
        ).fetchall()
        return _count(rows, self._spans(), self._members())

    def _members(self) -> Mapping[int, list[str]]:
        """The windows that each data period lies in."""
        found: dict[int, list[str]] = {}
        for window, _, _ in self.windows:
            for number, _, _ in window.members:
                found.setdefault(number, []).append(window.name)
        return found

    def _expected(self, data_set: str) -> dict[Cell, float]:
        """How many reports each cell should have: assigned org units times periods of the data set's type."""
        number = self.tables.numbers("ds").get(data_set)
        kind = period_type(cast("str", self.tables.model.body("dataSets", data_set).get("periodType") or "Monthly"))
        assigned = [row[0] for row in self.tables.connection.execute(
            "SELECT ou FROM analytics_target WHERE ds = ?", (number,))]  # fmt: skip
        found: dict[Cell, float] = {}
        for window, start, end in self.windows:
            periods = [period for period in Period.of(kind, start).range(Period.of(kind, end)) if period.end <= end]
            periods = [period for period in periods if period.start >= start]
            for first, last, item in self._spans():
                count = sum(first <= unit <= last for unit in assigned)
                if count and periods:
                    cell = (window.name, item) if self.units is not None else (window.name,)
                    found[cell] = found.get(cell, 0.0) + count * len(periods)
        return found


def _count(
    rows: Sequence[tuple[int, int, int]], spans: Sequence[tuple[int, int, str]], members: Mapping[int, list[str]]
) -> dict[Cell, float]:
    found: dict[Cell, float] = {}
    for period, unit, count in rows:
        for window in members.get(period, ()):
            for first, last, item in spans:
                if first <= unit <= last:
                    cell = (window, item) if item else (window,)
                    found[cell] = found.get(cell, 0.0) + count
    return found
