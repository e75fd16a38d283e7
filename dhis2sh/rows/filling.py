"""Cells of merged blocks: a sheet has their text in the first row alone, and the rows below it mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    import zipfile

    from dhis2sh.types import Row

_TAIL = 128
"""Bytes that are read again with the next piece: a range that lies over the border of two is whole there."""
_PIECE = 1 << 20
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*?\bref=[\"']([A-Z]+)(\d+):[A-Z]+(\d+)[\"']")
_CELL = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]+)\d+[\"'](?:[^>/]|/(?!>))*>")
"""A cell that holds something: it does not end with its tag."""
_SHEET = re.compile(r"<(?:\w+:)?sheet\b[^>]*>")
_RELATED = re.compile(r"<(?:\w+:)?Relationship\b[^>]*>")
_ATTRIBUTE = re.compile(r"([\w:]+)\s*=\s*(\"[^\"]*\"|'[^']*')")


class Block(NamedTuple):
    """Merged cells that are higher than one row: their column among those that are used, from 0, and their lines, from 1."""

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


def blocks_of(path: Path, sheet: str) -> list[Block]:
    """The merged cells of a sheet of a workbook that are higher than one row. Raises `UsageError` where that cannot be told."""
    import zipfile  # start-up: few sheets are filled down

    try:
        with zipfile.ZipFile(path) as book:
            found = _blocks_in(book, _file_of(book, sheet))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        found = None
    if found is None:
        raise UsageError(f"{path.name} does not say which cells are merged", hint="save it as CSV, and fill that down")
    return found


def _file_of(book: zipfile.ZipFile, sheet: str) -> str:
    """Where the cells of a sheet are in a workbook. Raises `KeyError`."""
    named = (_attributes(found[0]) for found in _SHEET.finditer(book.read("xl/workbook.xml").decode()))
    number = next((one.get("r:id") or one.get("id") for one in named if one.get("name") == sheet), None)
    related = _RELATED.finditer(book.read("xl/_rels/workbook.xml.rels").decode())
    target = next((one.get("Target") for found in related if (one := _attributes(found[0])).get("Id") == number), None)
    if target is None:
        raise KeyError(sheet)
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _attributes(tag: str) -> dict[str, str]:
    return {name: unescape(value[1:-1]) for name, value in _ATTRIBUTE.findall(tag)}


def _blocks_in(book: zipfile.ZipFile, where: str) -> list[Block] | None:
    """The merged cells of a sheet, by the columns from the first one that holds anything on: those before it are not read."""
    found: dict[Block, None] = {}
    columns: set[bytes] = set()
    with book.open(where) as file:
        text = b""
        while piece := file.read(_PIECE):
            text = text[-_TAIL:] + piece
            columns.update(_CELL.findall(text))
            blocks = (Block(_number(column), int(first), int(last)) for column, first, last in _MERGED.findall(text))
            found.update(dict.fromkeys(block for block in blocks if block.last > block.first))
    if not columns:
        return None
    left = min(map(_number, columns))
    return [block._replace(column=block.column - left) for block in found]


def _number(letters: bytes) -> int:
    """The number of a column, from 0: A, B, ... Z, AA."""
    found = 0
    for letter in letters:
        found = found * 26 + letter - ord("A") + 1
    return found - 1
