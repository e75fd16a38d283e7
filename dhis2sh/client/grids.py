"""Grids: the tables that analytics answers with. Plain classes, since what pulls very many numbers should not wait for pydantic.

API source: `Grid`, `GridHeader` and `metaData` of analytics (api-facts g.1).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

from dhis2sh.errors import BrokenAnswer
from dhis2sh.types import JsonObject, JsonValue, Row


@dataclass(slots=True)
class AnalyticsItem:
    """What a UID or period in a grid is called; None for what the server does not say."""

    uid: str | None = None
    name: str | None = None
    code: str | None = None
    dimension_item_type: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    legend_set: str | None = None
    total_aggregation_type: str | None = None

    @classmethod
    def of(cls, body: JsonValue) -> Self:
        """An item as the server writes it. Raises `BrokenAnswer`."""
        given = _object(body, "an item")
        return cls(
            _text(given, "uid"), _text(given, "name"), _text(given, "code"), _text(given, "dimensionItemType"),
            _text(given, "startDate"), _text(given, "endDate"), _text(given, "legendSet"), _text(given, "totalAggregationType"),
        )  # fmt: skip


@dataclass(slots=True)
class AnalyticsMetaData:
    """`metaData` of an analytics answer: names of everything in the grid, and the members of each dimension."""

    items: dict[str, AnalyticsItem] = field(default_factory=dict[str, AnalyticsItem])
    dimensions: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    ou_name_hierarchy: JsonObject = field(default_factory=dict[str, JsonValue])
    pager: JsonObject | None = None

    @classmethod
    def of(cls, body: JsonValue) -> Self:
        """The metadata as the server writes it. Raises `BrokenAnswer`."""
        given = _object(body, "metaData")
        items = _object(given.get("items"), "metaData.items")
        dimensions = _object(given.get("dimensions"), "metaData.dimensions")
        pager = given.get("pager")
        return cls(
            {uid: AnalyticsItem.of(item) for uid, item in items.items()},
            {name: [str(one) for one in _list(members, name)] for name, members in dimensions.items()},
            _object(given.get("ouNameHierarchy"), "metaData.ouNameHierarchy"),
            None if pager is None else _object(pager, "metaData.pager"),
        )

    def name_of(self, identifier: str) -> str:
        """The name of an item, or the identifier itself when the server gave none."""
        item = self.items.get(identifier)
        return item.name if item is not None and item.name else identifier

    def periods_by_name(self) -> dict[str, str]:
        """The periods of the answer by what it calls them; none of two that it calls the same."""
        found: dict[str, str] = {}
        twice: set[str] = set()
        for period in self.dimensions.get("pe", ()):
            name = self.name_of(period)
            if found.setdefault(name, period) != period:
                twice.add(name)
        return {name: period for name, period in found.items() if name not in twice}


@dataclass(slots=True)
class GridHeader:
    """A column of a grid."""

    name: str = ""
    column: str | None = None
    value_type: str | None = None
    hidden: bool = False
    meta: bool = False
    option_set: str | None = None

    @classmethod
    def of(cls, body: JsonValue) -> Self:
        """A header as the server writes it. Raises `BrokenAnswer`."""
        given = _object(body, "a header")
        return cls(
            _text(given, "name") or "", _text(given, "column"), _text(given, "valueType"),
            given.get("hidden") is True, given.get("meta") is True, _text(given, "optionSet"),
        )  # fmt: skip


@dataclass(slots=True)
class Grid:
    """The table that analytics answers with: columns, rows of cells, and what the identifiers mean."""

    headers: list[GridHeader] = field(default_factory=list[GridHeader])
    rows: list[list[Any]] = field(default_factory=list[list[Any]])
    meta_data: AnalyticsMetaData = field(default_factory=AnalyticsMetaData)

    @classmethod
    def of(cls, body: JsonValue) -> Self:
        """A grid as the server writes it. Raises `BrokenAnswer` for what is none, such as an answer without columns."""
        given = _object(body, "the answer")
        headers, rows = _list(given.get("headers"), "headers"), _list(given.get("rows"), "rows")
        if rows and not headers:
            raise BrokenAnswer("not a table of analytics: its rows have no headers", hint=_HINT)
        if not all(isinstance(cells, list) for cells in rows):
            raise BrokenAnswer("not a table of analytics: a row of it is no list", hint=_HINT)
        return cls(
            [GridHeader.of(header) for header in headers],
            cast("list[list[Any]]", rows),
            AnalyticsMetaData.of(given.get("metaData")),
        )

    def in_order(self) -> Grid:
        """The same with its rows in the order of their dimensions' members, which servers do not keep: data, then time, then place."""
        places = [
            (at, {member: rank for rank, member in enumerate(self.meta_data.dimensions[header.name])})
            for at, header in enumerate(self.headers)
            if header.name in self.meta_data.dimensions
        ]
        rows = sorted(self.rows, key=lambda cells: [ranks.get(cells[at], len(ranks)) for at, ranks in places])
        return replace(self, rows=rows)

    def records(self, *, names: bool = False) -> Iterator[Row]:
        """The rows as objects by column; numbers as numbers.

        Parameters:
            names: also put each identifier's name beside it, as `<column>Name`.
        """
        columns = [header.name for header in self.headers]
        numeric = [header.name for header in self.headers if header.value_type in _NUMERIC]
        named = [header.name for header in self.headers if header.meta] if names else []
        known: dict[Any, JsonValue] = {}  # very many numbers are 1, 2 or 3
        for cells in self.rows:
            row: Row = dict(zip(columns, cells, strict=False))
            for name in numeric:
                cell = row.get(name)
                if isinstance(cell, str):
                    if (number := known.get(cell)) is None:
                        number = known[cell] = _number(cell)
                    row[name] = number
            yield self._with_names(row, named) if named else row

    def _with_names(self, row: Row, columns: Collection[str]) -> Row:
        """A row with the name beside each identifier."""
        found: Row = {}
        for name, cell in row.items():
            found[name] = cell
            if name in columns and isinstance(cell, str):
                found[f"{name}Name"] = self.meta_data.name_of(cell)
        return found


_HINT = "dhis2 profile verify  shows which server answers"
_NUMERIC = {"NUMBER", "INTEGER", "PERCENTAGE", "UNIT_INTERVAL"}
_WHOLE = re.compile(r"-?\d+(\.0)?")


def _number(cell: str) -> JsonValue:
    try:
        return int(cell.removesuffix(".0")) if _WHOLE.fullmatch(cell) else float(cell)
    except ValueError:
        return cell


def _object(body: JsonValue, what: str) -> JsonObject:
    """An object, or none where nothing is said. Raises `BrokenAnswer` for anything else."""
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise BrokenAnswer(f"not a table of analytics: {what} is no object", hint=_HINT)
    return body


def _list(body: JsonValue, what: str) -> list[JsonValue]:
    if body is None:
        return []
    if not isinstance(body, list):
        raise BrokenAnswer(f"not a table of analytics: {what} is no list", hint=_HINT)
    return body


def _text(given: Mapping[str, JsonValue], name: str) -> str | None:
    """A text that may be left out. Raises `BrokenAnswer` for what is no text."""
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise BrokenAnswer(f"not a table of analytics: {name} is no text", hint=_HINT)
    return value
