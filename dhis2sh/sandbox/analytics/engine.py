"""Answers an aggregate query: the totals of its data items in every cell, as rows.

API source: `DefaultAnalyticsService`, `DataHandler`, `DataQueryParams` (api-facts g.1 and the recordings).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import NamedTuple, cast

from dhis2sh.sandbox.analytics.aggregate import Cell, Tables
from dhis2sh.sandbox.analytics.cells import ALL, Cells, Options
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.indicators import Fraction, IndicatorValues
from dhis2sh.sandbox.analytics.items import DataItem, ItemKind
from dhis2sh.sandbox.analytics.programs import is_text, program_values, text_cells
from dhis2sh.sandbox.analytics.query import Query
from dhis2sh.sandbox.java import numbers
from dhis2sh.sandbox.java.order import hashed
from dhis2sh.sandbox.metadata.value_types import BOOLEAN_TYPES, NUMERIC_TYPES
from dhis2sh.sandbox.refused import not_imitated

_ORDER = (ItemKind.INDICATOR, ItemKind.DATA_ELEMENT, ItemKind.OPERAND, ItemKind.REPORTING_RATE,
          ItemKind.PROGRAM_DATA_ELEMENT, ItemKind.PROGRAM_ATTRIBUTE, ItemKind.PROGRAM_INDICATOR)  # fmt: skip
"""The order in which the server answers the kinds of items."""
_EXACT = 10
"""How many decimals there are without rounding."""
_HASHED = 2000
"""More rows than this are not worth the server's order, which means nothing."""


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
        """Indicators first, then elements, operands, rates and the items of programs."""
        dx = self.query.find("dx")
        data = sorted(self.query.data, key=lambda item: _ORDER.index(item.kind))
        for item in data:
            if item.kind is ItemKind.INDICATOR:
                yield from self._item_rows(item)
        elements = [item.uid for item in data if item.kind is ItemKind.DATA_ELEMENT]
        if dx is None:
            elements = self._grouped_elements()
        yield from _as_hashed(self._element_rows(elements, together=dx is None or dx.filter))
        for item in data:
            if item.kind is not ItemKind.INDICATOR:
                yield from self._item_rows(item)

    def _element_rows(self, elements: list[str], *, together: bool) -> Iterable[Row]:
        as_they_are = [uid for uid in elements if self._is_as_it_is(uid)]
        if as_they_are and together:
            raise not_imitated("a filter of data that is no number")
        for cell, text in self.tables.texts(as_they_are, self.windows(), self.axes).items():
            yield self._row(cell, 0.0, text)
        numeric = [uid for uid in elements if uid not in as_they_are]
        for cell, value in (self.element_values(numeric, together=together) if numeric else {}).items():
            yield self._row(cell if not together else (ALL, *cell), value, self._plain(value))

    def _is_as_it_is(self, element: str) -> bool:
        """Are an element's values given as they are? What is no number, and everything where nothing is added up."""
        value_type = self.model.body("dataElements", element).get("valueType")
        return value_type not in NUMERIC_TYPES | BOOLEAN_TYPES or self.options.aggregation == "NONE"

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
            if item.metric != "EXPECTED_REPORTS" and not self.tables.counts_reports:
                raise refusal("E7144")
            for cell, value in self.rates.cells(item.uid, item.metric).items():
                yield self._row((item.id, *cell), value, self._plain(value))
        elif is_text(self.model, item):
            for cell in text_cells(self, item):
                yield self._row((item.id, *cell), 0.0, "")
        else:
            for cell, value in program_values(self, item).items():
                decimals = self.model.body(item.plural, item.uid).get("decimals")
                text = numbers.java_double(self._rounded(value, decimals))
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
            return numbers.rounded(value, _EXACT)
        return numbers.rounded(value, int(decimals) if isinstance(decimals, int) else numbers.DECIMALS)

    def _plain(self, value: float) -> str:
        return numbers.plain(self._rounded(value, None))


def _as_hashed(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of the hash table that the server keeps them in, unless they are many."""
    found = list(rows)
    if len(found) > _HASHED:
        return found
    found.sort(key=lambda row: (row.items[:1], row.items[:0:-1]))
    keys = {"-".join(row.items): row for row in found}
    return [keys[key] for key in hashed(keys)]


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
