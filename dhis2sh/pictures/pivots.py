"""A definition and the answer to it as a pivot table.

Totals are DHIS2's own: sums of what is summed up, rates from the sums of their numerators and denominators, and none where
several ways of adding up meet (API source: `totalAggregationType` of the metadata, `includeNumDen`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from dhis2sh.errors import UsageError
from dhis2sh.pictures import asking, legends
from dhis2sh.pictures.asking import Answer, Key, Number
from dhis2sh.pictures.charts import heading
from dhis2sh.pictures.definitions import Definition, Dimension
from dhis2sh.show.charts.model import Shade, shade_of
from dhis2sh.show.pivots import Cell, Head, Pivot

if TYPE_CHECKING:
    from dhis2sh.session import Session

MOST_CELLS = 200_000
NO_TOTAL = "N/A"
"""What DHIS2 writes where what stands side by side cannot be added up."""
type Line = tuple[Head, tuple[Key, ...]]
"""A head of the table, and the places that its cells are made of."""


async def pivot_of(s: Session, found: Definition) -> Pivot:
    """The pivot table of a definition, with data asked for now. Raises `UsageError`, `Refused`."""
    look = found.table
    totals = look.row_totals or look.column_totals or look.row_subtotals or look.column_subtotals
    answer = await asking.ask(s, found, {"includeNumDen": "true"} if totals and found.events is None else None)
    if len(answer.rows) * len(answer.columns) > MOST_CELLS:
        raise UsageError(
            f"'{found.name}' has {len(answer.rows):,} rows of {len(answer.columns):,} columns",
            hint=f"dhis2 analytics viz {found.uid} --org-unit LEVEL-2",
        )
    rows, columns = _full(answer, answer.rows, found.table.hide_empty_rows, 0), answer.columns
    columns = _full(answer, columns, found.table.hide_empty_columns, 1)
    rows = _sorted(found, answer, rows, columns)
    down = _lines(rows, answer, look.column_subtotals and len(found.rows) > 1, look.column_totals)
    across = _lines(columns, answer, look.row_subtotals and len(found.columns) > 1, look.row_totals)
    if not _adds_up(found):
        answer.totals = {item: "NONE" for key in (*rows, *columns) for item in key}
    colour = await _colours(s, found, answer)
    title, subtitle = heading(found, answer)
    cells = tuple(tuple(_cell(answer, row, column, colour) for column in across) for row in down)
    notes = list(found.look.not_drawn)
    if look.number_type != "VALUE":
        cells = _shares(cells, down, across, by_row=look.number_type == "ROW_PERCENTAGE")
    return Pivot(
        tuple(_called(answer, one) for one in found.rows), tuple(head for head, _ in across), tuple(head for head, _ in down),
        cells, title, subtitle, found.look.grouping, None, found.legend.as_text, tuple(notes), "skipRounding" in found.params,
    )  # fmt: skip


def _adds_up(found: Definition) -> bool:
    """Do the numbers of a table add up at all? Where all are averages, the highest or the last, they do not."""
    kind = found.params.get("aggregationType", "")
    return kind in {"SUM", "COUNT"} or (not kind and not (found.events is not None and found.events.value))


def _called(answer: Answer, one: Dimension) -> str:
    return answer.name(one.name)


def _full(answer: Answer, keys: Sequence[Key], only: bool, axis: int) -> list[Key]:
    """The places of an axis, or only those that have data."""
    if not only:
        return list(keys)
    there = {place[axis] for place in answer.cells}
    return [key for key in keys if key in there]


def _sorted(found: Definition, answer: Answer, rows: list[Key], columns: Sequence[Key]) -> list[Key]:
    """Rows by their sums, where the definition sorts; the first so many, where it has a limit."""
    if found.look.sort:

        def total(row: Key) -> float:
            return sum(number.value or 0 for key in columns if (number := answer.number(row, key)))

        rows = sorted(rows, key=total, reverse=found.look.sort > 0)
    return rows[: found.look.top] if found.look.top > 0 else rows


def _lines(keys: Sequence[Key], answer: Answer, subtotals: bool, total: bool) -> list[Line]:
    """The heads of an axis: its places, a subtotal after each group of the outermost dimension, a total at the end."""
    found: list[Line] = []
    for outer, group in groupby(keys, key=lambda key: key[:1]):
        members = list(group)
        found += [(Head(tuple(map(answer.name, key))), (key,)) for key in members]
        if subtotals:
            found.append((Head((answer.label(outer), "Subtotal"), "subtotal"), tuple(members)))
    if total:
        found.append((Head(("Total",), "total"), tuple(keys)))
    return found


def _cell(answer: Answer, row: Line, column: Line, colour: Callable[[Key, Key, float], str]) -> Cell:
    (head, rows), (other, columns) = row, column
    if head.weight == other.weight == "value":
        found = answer.number(rows[0], columns[0])
        if found is None:
            return Cell()
        return (
            Cell(found.value, colour(rows[0], columns[0], found.value)) if found.value is not None else Cell(found.text)
        )
    there = [
        (number, (*down, *across))
        for down in rows
        for across in columns
        if (number := answer.number(down, across)) is not None
    ]
    return Cell(_total(answer, there))


def _total(answer: Answer, there: Sequence[tuple[Number, Key]]) -> float | str | None:
    """What several numbers are together."""
    if not there:
        return None
    filtered = [item for items in answer.filtered for item in items]
    kinds = {_kind(answer, (*key, *filtered)) for _, key in there}
    if kinds == {"SUM"} and all(number.value is not None for number, _ in there):
        return sum(number.value or 0 for number, _ in there)
    if kinds == {"AVERAGE"} and all(number.fraction is not None for number, _ in there):
        above = sum(number.fraction[0] for number, _ in there if number.fraction)
        below = sum(number.fraction[1] for number, _ in there if number.fraction)
        return above / below if below else None
    return NO_TOTAL


def _kind(answer: Answer, items: Sequence[str]) -> str:
    """How the item of data among some items is added up; a table of events, which has none, counts."""
    found = {answer.totals[item] for item in items if item in answer.totals and not _plain(answer, item)}
    return found.pop() if len(found) == 1 else "SUM" if not found else "NONE"


def _plain(answer: Answer, item: str) -> bool:
    """Is it an item of every kind of dimension, of which all say SUM? Periods and units are no data."""
    return answer.totals[item] == "SUM"


async def _colours(s: Session, found: Definition, answer: Answer) -> Callable[[Key, Key, float], str]:
    """The colour of a value by the classes that the definition names; none without any."""
    of_item: Mapping[str, str] = answer.legends if found.legend.by_item else {}
    sets = await legends.of_sets(s, [found.legend.uid, *of_item.values()]) if found.legend else {}

    def colour(row: Key, column: Key, value: float) -> str:
        classes: Sequence[Shade] = sets.get(found.legend.uid, ())
        if of_item:
            classes = next((sets.get(of_item[item], ()) for item in (*row, *column) if item in of_item), ())
        shade = shade_of(value, classes)
        return shade.colour if shade else ""

    return colour


def _shares(
    cells: tuple[tuple[Cell, ...], ...], down: Sequence[Line], across: Sequence[Line], *, by_row: bool
) -> tuple[tuple[Cell, ...], ...]:
    """Every number as a per cent of its row's or its column's values."""

    def base(row: int, column: int) -> float:
        line = cells[row] if by_row else [one[column] for one in cells]
        heads = across if by_row else down
        return sum(
            cell.value
            for cell, (head, _) in zip(line, heads, strict=True)
            if head.weight == "value" and isinstance(cell.value, float)
        )

    found: list[tuple[Cell, ...]] = []
    for row, line in enumerate(cells):
        shares: list[Cell] = []
        for column, cell in enumerate(line):
            whole = base(row, column)
            share = f"{cell.value / whole:.1%}" if isinstance(cell.value, float) and whole else cell.value
            shares.append(Cell(share, cell.colour))
        found.append(tuple(shares))
    return tuple(found)
