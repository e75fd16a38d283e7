"""The cells of an aggregate query: its axes, its periods, and the totals of data elements in them.

API source: `DataHandler`, `DataQueryParams` (api-facts g.1 and the recordings).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh.dhis2.periods import Period, PeriodType, period_type
from dhis2sh.sandbox.analytics.aggregate import RULES, Axis, Cell, Request, Tables, Window
from dhis2sh.sandbox.analytics.query import GROUP_SETS, Dimension, Query
from dhis2sh.sandbox.analytics.rates import Asked, Rates
from dhis2sh.sandbox.data.model import references
from dhis2sh.sandbox.metadata.value_types import AVERAGED

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

ALL = "*"
"""The only item of an axis that is a filter."""


class Span(NamedTuple):
    """A time of the answer: a period of some type, or the days from one date to another."""

    start: dt.date
    end: dt.date
    kind: PeriodType | None = None


@dataclass(slots=True)
class Options:
    """How values are made and written."""

    aggregation: str | None = None
    skip_rounding: bool = False
    limits: tuple[tuple[str, float], ...] = ()
    before: tuple[tuple[str, float], ...] = ()


class Cells:
    """The cells of one query.

    Parameters:
        query: the query.
        tables: the analytics tables.
        options: how values are made.
    """

    def __init__(self, query: Query, tables: Tables, options: Options) -> None:
        self.query, self.tables, self.options = query, tables, options
        self.model = query.model
        self.rest = [d for d in query.dimensions if d.kind not in {"dx", "pe"}]
        self.axes = [self._axis(dimension) for dimension in self.rest]
        self.spans = self._spans()

    # Axes ----------------------------------------------------------------------------------------------------------

    def _axis(self, dimension: Dimension) -> Axis:
        """A dimension as an axis; a filter is an axis with one item."""
        if dimension.kind == "ou":
            if dimension.filter:
                return self.tables.within(dimension.items)
            return self.tables.unit_axis(dimension.items)
        column, members = self._members(dimension)
        if dimension.filter:
            together = list(dict.fromkeys(uid for group in members for uid in group))
            return self.tables.group_axis(column, [ALL], [together])
        return self.tables.group_axis(column, dimension.items, members)

    def _members(self, dimension: Dimension) -> tuple[str, Sequence[Iterable[str]]]:
        """Which column a dimension is about, and the identifiers in it that belong to each item."""
        if dimension.kind in {"co", "ao"}:
            if not dimension.items:
                dimension.items = self._combos(dimension.kind)
            return dimension.kind, [[uid] for uid in dimension.items]
        if dimension.kind == "category":
            column = (
                "ao" if self.model.body("categories", dimension.name).get("dataDimensionType") == "ATTRIBUTE" else "co"
            )
            return column, self.tables.option_members(dimension.items)
        _, _, plural, prop = next(row for row in GROUP_SETS.values() if row[0] == dimension.kind)
        groups = [references(self.model.body(plural, uid), prop) for uid in dimension.items]
        if dimension.kind == "unit_groups":
            return "ou", [[below for uid in group for below in self.model.subtree(uid)] for group in groups]
        if dimension.kind == "element_groups":
            return "dx", groups
        combos = [self.tables.option_members(group) for group in groups]
        return "ao", [[uid for members in group for uid in members] for group in combos]

    def _combos(self, column: str) -> list[str]:
        """The option combos that the elements of the query, or their data sets, have."""
        elements = self.query.elements()
        if column == "co":
            return list(dict.fromkeys(combo for uid in elements for combo in self.model.option_combos(uid)))
        combos = [
            cast("JsonObject", self.model.body("dataSets", data_set).get("categoryCombo") or {}).get("id")
            for uid in elements
            for data_set in self.model.data_sets_of.get(uid, [])
        ]
        return list(dict.fromkeys(uid for combo in combos for uid in self.model.combos_of.get(str(combo), [])))

    def _spans(self) -> list[tuple[str, list[Span]]]:
        """The periods of the answer as time spans; those of a filter are one."""
        pe = self.query.find("pe")
        asked = dict.fromkeys(self.query.periods)
        spans = [(period.iso, [Span(period.start, period.end, period.type)]) for period in asked]
        if not self.query.periods and self.query.start and self.query.end:
            return [(ALL, [Span(self.query.start, self.query.end)])]
        if pe is not None and pe.filter:
            return [(ALL, [span for _, each in spans for span in each])]
        return spans

    def windows(self, *, back: bool = False, offset: int = 0, spread: PeriodType | None = None) -> list[Window]:
        """The windows of the answer.

        Parameters:
            back: what lies before them counts too.
            offset: those that lie so many periods away.
            spread: the period type of data whose averages hold for every shorter period in one of theirs.
        """
        found: list[Window] = []
        for name, spans in self.spans:
            moved = (_moved(span, offset) for span in spans)
            whole = dict.fromkeys(self._holding(span, spread) for span in moved) if spread else moved
            parts = [self.tables.window(name, *span, back=back) for span in whole]
            members = dict.fromkeys(member for part in parts for member in part.members)
            found.append(Window(name, sum(part.days for part in parts), list(members)))
        return found

    # Values --------------------------------------------------------------------------------------------------------

    def element_values(
        self,
        elements: Sequence[str],
        *,
        combo: str | None = None,
        attribute_combo: str | None = None,
        aggregation: str | None = None,
        offset: int = 0,
        together: bool = False,
    ) -> dict[Cell, float]:
        """The totals of elements by element (unless added up together), period, and the other axes."""
        found: dict[Cell, float] = {}
        for (kind, spread), members in self._alike(elements, aggregation).items():
            windows = self.windows(back=RULES[kind].back, offset=offset, spread=spread)
            request = Request(
                members, windows, self.axes, self.options.before, combo, attribute_combo, by_element=not together
            )
            totals = self.tables.totals(request, kind)
            if together and found:
                totals = {cell: found.get(cell, 0.0) + value for cell, value in totals.items()}
            found.update(totals)
        return found

    def _alike(
        self, elements: Iterable[str], aggregation: str | None
    ) -> dict[tuple[str, PeriodType | None], list[str]]:
        """Elements by how they aggregate, and the period type of those that are averages over longer periods."""
        found: dict[tuple[str, PeriodType | None], list[str]] = {}
        for uid in dict.fromkeys(elements):
            own = str(self.model.body("dataElements", uid).get("aggregationType") or "SUM")
            kind = aggregation or self.options.aggregation or own
            spread = self._spread(uid) if kind in AVERAGED else None
            found.setdefault((kind if kind in RULES else "SUM", spread), []).append(uid)
        return found

    def _spread(self, element: str) -> PeriodType | None:
        """The shortest period type of an element's data sets, where it is longer than a period that is asked for."""
        if not self.query.periods:
            return None
        asked = min(period.type.frequency_order for period in self.query.periods)
        kinds = map(period_type, self.model.period_types_of(element))
        own = min(kinds, key=lambda kind: kind.frequency_order, default=None)
        return own if own is not None and own.frequency_order > asked else None

    def _holding(self, span: Span, kind: PeriodType) -> Span:
        """The period of a type that holds a span, or the span itself if it is longer."""
        period = Period.of(kind, span.start)
        return Span(period.start, period.end, kind) if period.end >= span.end else span

    @cached_property
    def rates(self) -> Rates:
        """Counts of reports in the cells of the query."""
        dimension = self.query.find("pe")
        periods = list(dict.fromkeys(self.query.periods))
        together = dimension is not None and dimension.filter
        asked = [
            Asked(window, periods if together else [period for period in periods if period.iso == window.name])
            for window in self.windows()
        ]
        return Rates(self.tables, asked, self.axes)


def _moved(span: Span, offset: int) -> Span:
    """The span of as many periods later or earlier, for spans that are a period of whole months; else of its days."""
    start, end, kind = span
    if not offset:
        return span
    after = end + dt.timedelta(days=1)
    if start.day == 1 and after.day == 1:
        months = (after.year - start.year) * 12 + after.month - start.month
        first, last = _month(start, months * offset), _month(after, months * offset)
        return Span(first, last - dt.timedelta(days=1), kind)
    days = (after - start).days * offset
    return Span(start + dt.timedelta(days=days), end + dt.timedelta(days=days), kind)


def _month(date: dt.date, months: int) -> dt.date:
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    return dt.date(year, month + 1, 1)
