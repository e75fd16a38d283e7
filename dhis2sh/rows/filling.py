"""Cells of merged blocks: a sheet has their text in the first row alone, and the rows below it mean the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from dhis2sh.errors import UsageError
from dhis2sh.rows.workbooks import column_of, line_of

if TYPE_CHECKING:
    from dhis2sh.types import Row


class Block(NamedTuple):
    """Merged cells that are higher than one row: their column, from 0, and their lines, from 1."""

    column: int
    first: int
    last: int


def columns_of(headers: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The headers that are meant, whatever the case. Raises `UsageError` for one that is not there."""
    known = {header.casefold(): header for header in headers}
    for name in wanted:
        if name.strip().casefold() not in known:
            raise UsageError(
                f"there is no column '{name}' to fill down", hint=f"there are {', '.join(filter(None, headers))}"
            )
    return [known[name.strip().casefold()] for name in wanted]


_WHOLE = re.compile(
    r"((grand|sub|overall|sous|net)[\s_-]*)?(totals?|totaux|sum|somme|total g[ée]n[ée]ral|total geral|soma)\s*[:.=]?",
    re.IGNORECASE,
)
"""A cell that says that its row is a total."""
_BESIDE = re.compile(
    r"(sub[\s_-]*|sous[\s_-]*)?(total|totaux)\b.*|.*\b(sub|sous)?[\s_-]*(total|totaux)\s*[:.=]?", re.IGNORECASE
)
"""The same with what it is the total of, where rows have their names: a data element may be called so."""


class _Totals:
    """Which rows are totals: they are no values of what stands above them.

    Parameters:
        filled: the columns that are filled down.
    """

    def __init__(self, filled: Collection[str]) -> None:
        self._filled = filled

    def of(self, row: Row) -> Literal["", "row", "end"]:
        """Is a row a total, and does what stands above it end there? One of options, right of what is filled, ends nothing."""
        left = True
        found: Literal["", "row", "end"] = ""
        for name, cell in row.items():
            last = name in self._filled
            if isinstance(cell, str) and (_WHOLE.fullmatch(cell.strip()) or (left and _BESIDE.fullmatch(cell.strip()))):
                if left:
                    return "end"
                found = "row"
            left = left and not last
        return found


def filled(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[Row]:
    """Rows in which an empty cell of some columns has what stands above it.

    A row without anything in it ends that, and so does one that is called a total left of them or in them. A total is not
    filled wherever it says so.
    """
    above: Row = {}
    totals = _Totals(columns)
    for row in rows:
        total = totals.of(row) if columns else ""
        if not row or total == "end":
            above = {}
        for name in columns if row else ():
            if _is_empty(row.get(name)):
                if name in above and not total:
                    row[name] = above[name]
            elif not total:
                above[name] = row.get(name)
        yield row


def filled_by_blocks(rows: Sequence[Row], first: int, blocks: Iterable[tuple[str, Block]]) -> None:
    """Fill the rows of merged blocks, and no other, with what the first of them has.

    Parameters:
        rows: without any gap; first: the line of the first one.
        blocks: each with the header of its column.

    Raises `UsageError` for merged cells that hold several texts: they are not where they seem to be.
    """
    blocks = [*blocks]
    totals = _Totals({name for name, _ in blocks})
    for name, block in blocks:
        if block.first < first:
            raise UsageError(
                f"cells of '{name}' are merged with its header", hint="save the sheet without merged cells"
            )
        for row in (inside := rows[block.first - first : block.last + 1 - first])[1:]:
            if not _is_empty(row.get(name)):
                raise UsageError(
                    f"'{name}' seems merged in the lines {block.first} to {block.last}, and '{row[name]}' stands there",
                    hint="save the sheet as CSV, and fill that down",
                )
            if row and not _is_empty(text := inside[0].get(name)) and not totals.of(row):
                row[name] = text


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def blocks_of(merged: Iterable[tuple[str, str]]) -> list[Block]:
    """The merged cells that are higher than one row.

    Parameters:
        merged: the first and the last cell of each range, such as A2 and A5.
    """
    blocks = (Block(column_of(first), line_of(first), line_of(last)) for first, last in merged)
    return [block for block in blocks if block.last > block.first]
