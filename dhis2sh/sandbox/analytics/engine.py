"""Answers an aggregate query: the totals of its data items in every cell, as rows.

API source: `DefaultAnalyticsService`, `DataHandler`, `DataQueryParams` (api-facts g.1 and the recordings).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import NamedTuple, cast

from dhis2sh.sandbox.analytics import numbers
from dhis2sh.sandbox.analytics.aggregate import Cell, Tables
from dhis2sh.sandbox.analytics.cells import ALL, Cells, Options
from dhis2sh.sandbox.analytics.indicators import Fraction, IndicatorValues
from dhis2sh.sandbox.analytics.items import DataItem, ItemKind
from dhis2sh.sandbox.analytics.programs import program_values
from dhis2sh.sandbox.analytics.query import Query


class Row(NamedTuple):
    """One row of the answer: an item for each dimension, the value as text, and what it was divided from."""

    items: tuple[str, ...]
    value: float
    text: str
    fraction: Fraction | None = None


class Engine(Cells):
    """Answers one query.

    Parameters:
        query: the query.
        tables: the analytics tables.
        options: how values are made.
    """

    def __init__(self, query: Query, tables: Tables, options: Options) -> None:
        super().__init__(query, tables, options)
        self._width = 2 + len(self.rest)
        self._in_order = self._ordering()

    # Rows ----------------------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Every row of the answer, those that the measure criteria leave out aside."""
        if not self.options.limits:
            return list(self._all())
        return [row for row in self._all() if _within(row.value, self.options.limits)]

    def _all(self) -> Iterable[Row]:
        dx = self.query.find("dx")
        together = dx is None or dx.filter
        data = self.query.data
        elements = [item.uid for item in data if item.kind is ItemKind.DATA_ELEMENT]
        if dx is None:
            elements = self._grouped_elements()
        if elements:
            totals = self.element_values(elements, together=together)
            for cell, value in totals.items():
                yield self._row(cell if not together else (ALL, *cell), value, self._plain(value))
        for item in data:
            yield from self._item_rows(item)

    def _grouped_elements(self) -> list[str]:
        groups = [
            axis for axis, dimension in zip(self.axes, self.rest, strict=True) if dimension.kind == "element_groups"
        ]
        names = {number: uid for uid, number in self.tables.numbers("dx").items()}
        return list(dict.fromkeys(names[first] for axis in groups for first, _, _ in axis.spans))

    def _item_rows(self, item: DataItem) -> Iterable[Row]:
        if item.kind is ItemKind.OPERAND:
            totals = self.element_values([item.uid], combo=item.combo, attribute_combo=item.attribute_combo)
            for cell, value in totals.items():
                yield self._row((item.id, *cell[1:]), value, self._plain(value))
        elif item.kind is ItemKind.INDICATOR:
            for cell, fraction in IndicatorValues(self).values(item.uid).items():
                value = self._rounded(fraction.value, self.model.body("indicators", item.uid).get("decimals"))
                yield self._row((item.id, *cell), fraction.value, numbers.java_double(value), fraction)
        elif item.kind is ItemKind.REPORTING_RATE:
            for cell, value in self.rates().cells(item.uid, item.metric).items():
                text = numbers.java_double(self._rounded(value, None))
                yield self._row((item.id, *cell), value, text)
        elif item.kind in {ItemKind.PROGRAM_INDICATOR, ItemKind.PROGRAM_DATA_ELEMENT, ItemKind.PROGRAM_ATTRIBUTE}:
            for cell, value in program_values(self, item).items():
                decimals = self.model.body(item.plural, item.uid).get("decimals")
                text = numbers.plain(self._rounded(value, decimals))
                yield self._row((item.id, *cell), value, text)

    def _row(self, cell: Cell, value: float, text: str, fraction: Fraction | None = None) -> Row:
        """A row from a cell (data, period, other axes): what is a filter is left out, in the order of the query."""
        if len(cell) < self._width:  # what is not by every axis
            cell = (*cell, *[""] * (self._width - len(cell)))
        return Row(self._in_order(cell), value, text, fraction)

    def _ordering(self) -> Callable[[Cell], Cell]:
        """What puts a cell in the order of the query; one without a place for an axis has an empty text there."""
        names = ["dx", "pe", *(dimension.name for dimension in self.rest)]
        places = [names.index(axis.name) if axis.name in names else len(names) for axis in self.query.axes]
        if len(places) > 1 and len(names) not in places:
            return cast("Callable[[Cell], Cell]", itemgetter(*places))
        return lambda cell: tuple((*cell, "")[place] for place in places)

    def _rounded(self, value: float, decimals: object) -> float:
        if self.options.skip_rounding:
            return value
        return numbers.rounded(value, int(decimals) if isinstance(decimals, int) else numbers.DECIMALS)

    def _plain(self, value: float) -> str:
        return numbers.plain(self._rounded(value, None))


def _within(value: float, limits: Iterable[tuple[str, float]]) -> bool:
    return all(_COMPARE[operator](value, limit) for operator, limit in limits)


_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}
_CRITERIA = {"EQ": "=", "GT": ">", "GE": ">=", "LT": "<", "LE": "<="}


def criteria(text: str | None) -> tuple[tuple[str, float], ...]:
    """`GE:10;LT:50` as operators and numbers; what cannot be read is left out."""
    found: list[tuple[str, float]] = []
    for part in (text or "").split(";"):
        operator, _, limit = part.partition(":")
        try:
            found.append((_CRITERIA[operator.upper()], float(limit)))
        except (KeyError, ValueError):
            continue
    return tuple(found)
