"""Cells of merged blocks: a sheet has their text in the first row alone, and the rows below it mean the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

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


def filled(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[Row]:
    """Rows in which an empty cell of some columns has what stands above it; a row without anything in it ends that."""
    above: Row = {}
    for row in rows:
        if not row:
            above = {}
        for name in columns if row else ():
            if _is_empty(row.get(name)):
                if name in above:
                    row[name] = above[name]
            else:
                above[name] = row.get(name)
        yield row


def filled_by_blocks(rows: Sequence[Row], first: int, blocks: Iterable[tuple[str, Block]]) -> None:
    """Fill the rows of merged blocks, and no other, with what the first of them has.

    Parameters:
        rows: without any gap; first: the line of the first one.
        blocks: each with the header of its column.

    Raises `UsageError` for merged cells that hold several texts: they are not where they seem to be.
    """
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
            if row and not _is_empty(text := inside[0].get(name)):
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
