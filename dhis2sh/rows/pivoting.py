"""The stage `pivot`: the values of one field as columns, each cell once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from dhis2sh.errors import PipelineError
from dhis2sh.rows.cells import cell
from dhis2sh.rows.expressions import Expression
from dhis2sh.rows.in_time import starts
from dhis2sh.rows.pipeline import inside_measure
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stage import Namespace, stage
from dhis2sh.rows.stages import measure
from dhis2sh.types import JsonValue, Row

MOST_COLUMNS = 10_000
"""Columns that are no table any more."""
NONE = "(none)"
"""The column of rows that have no value to name one."""


def fields_of(given: object) -> list[str]:
    """The fields that an argument names: one, or several in brackets, `[ouName, dxName]`."""
    if isinstance(given, (list, tuple)):
        return [str(item).strip() for item in cast("Sequence[object]", given)]
    text = str(given).strip()
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return [text]
    if isinstance(tree, (ast.List, ast.Tuple)):
        return [ast.get_source_segment(text, item) or ast.unparse(item) for item in tree.elts]
    return [text]


@stage()
def pivot(found: Rows[Row], space: Namespace, /, rows: object, columns: object, value: object = "value") -> Rows[Row]:
    """One row for each value of a field, one column for each of another: pivot(ouName, peName), pivot([ouName, dxName], peName, sum(value)).

    Without a measure (sum, mean, min, max, median, count) two rows for one cell are refused.
    """
    down, across = fields_of(rows), fields_of(columns)
    if both := sorted({*down} & {*across}):
        raise PipelineError(f"pivot: `{both[0]}` cannot be rows and columns", hint="pivot(ouName, peName)")
    readers = {name: _reader(name, found, space) for name in (*down, *across)}
    inside = inside_measure(str(value).strip())
    counts = inside != str(value).strip()
    if inside:
        _reader(inside, found, space)
    times = found.provenance.times
    sides: dict[str, Row] = {}
    orders: dict[str, list[object]] = {}
    tops: dict[str, tuple[list[object], list[object]]] = {}
    cells: dict[tuple[str, str], list[int]] = {}
    for at, row in enumerate(found.items):
        side = {name: cast("JsonValue", readers[name](row)) for name in down}
        top = [readers[name](row) for name in across]
        sides.setdefault(repr(side), side)
        orders.setdefault(repr(side), [_order(name, row, one, times) for name, one in side.items()])
        tops.setdefault(
            repr(top), (top, [_order(name, row, one, times) for name, one in zip(across, top, strict=True)])
        )
        cells.setdefault((repr(side), repr(top)), []).append(at)
    if len(tops) > MOST_COLUMNS:
        raise PipelineError(f"pivot: {len(tops):,} columns are no table", hint=f"pivot({columns}, {rows})")
    labels = _labels(tops, [*down], str(columns))
    read = None if counts else _reader(inside, found, space)

    def content(side: str, top: str) -> JsonValue:
        places = cells.get((side, top))
        if places is None:
            return None
        if read is None:
            return measure(found.with_items([found.items[at] for at in places]), space, str(value))
        if len(places) > 1:
            raise _twice(
                found,
                places,
                {**sides[side], labels[top]: None},
                str(columns),
                f"pivot({rows}, {columns}, sum({inside}))",
            )
        return cast("JsonValue", read(found.items[places[0]]))

    items = [{**row, **{labels[top]: content(side, top) for top in labels}} for side, row in _in_time(sides, orders)]
    return found.with_items(items, columns=[*down, *labels.values()])


def _reader(text: str, found: Rows[Row], space: Namespace) -> Callable[[Row], object]:
    expression = Expression(text)
    function = expression.bind(found.items, space, found.columns, found.asked)
    return lambda row: expression.value(function, row)


def _order(name: str, row: Row, value: object, times: Mapping[str, str]) -> object:
    """What columns are sorted by: periods by themselves, not by their names, which begin with the month."""
    found = row.get("pe", value) if name == "peName" else value
    return times.get(found, found) if isinstance(found, str) else found


def _in_time(sides: dict[str, Row], orders: dict[str, list[object]]) -> list[tuple[str, Row]]:
    """The rows in the order in which they came, and where a field has periods, or names of theirs, in that of time."""
    ranks: list[list[Any]] = []
    timed = False
    for at, name in enumerate(next(iter(sides.values()), {})):
        values = [order[at] for order in orders.values()]
        shown = [row[name] for row in sides.values()]
        begins = starts(values, {}) if name in {"pe", "peName"} or values != shown else None
        timed = timed or begins is not None
        firsts = {repr(value): place for place, value in reversed([*enumerate(shown)])}
        ranks.append(begins or [firsts[repr(value)] for value in shown])
    listed = [*sides.items()]
    if not timed:
        return listed
    return [listed[at] for at in sorted(range(len(listed)), key=lambda at: [column[at] for column in ranks])]


def _labels(tops: dict[str, tuple[list[object], list[object]]], down: list[str], columns: str) -> dict[str, str]:
    """The name of each column, in order. Raises `PipelineError` where two have one name."""

    def place(item: tuple[str, tuple[list[object], list[object]]]) -> list[tuple[int, float, str]]:
        return [
            (0, float(one), "") if isinstance(one, (int, float)) else (2 if one is None else 1, 0.0, str(one))
            for one in item[1][1]
        ]

    labels: dict[str, str] = {}
    for key, (top, _) in sorted(tops.items(), key=place):
        label = " / ".join(NONE if one is None else cell(cast("JsonValue", one)) for one in top)
        if label in labels.values() or label in down:
            raise PipelineError(
                f"pivot: two columns would be called '{label}'", hint=f"pivot by what tells them apart, not {columns}"
            )
        labels[key] = label
    return labels


def _twice(found: Rows[Row], places: Sequence[int], cell_of: Row, columns: str, hint: str) -> PipelineError:
    where = ", ".join(f"{name} = {value}" for name, value in cell_of.items() if value is not None)
    column = next(reversed(cell_of))
    first, second = (found.items[at] for at in places[:2])
    differing = [name for name in found.columns if first.get(name) != second.get(name)]
    apart = f"; they differ in {', '.join(differing[:4])}" if differing else ""
    return PipelineError(
        f"pivot: {len(places):,} rows for one cell ({where}, {columns} = {column}): rows {places[0] + 1:,} and {places[1] + 1:,}{apart}",
        hint=hint,
    )
