"""Sheets as rows: which line names the columns, which sheet of a workbook is read, and what is filled down."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh.errors import UsageError
from dhis2sh.rows import filling
from dhis2sh.rows.workbooks import Fault, Line, Workbook, column_of, letters_of, line_of
from dhis2sh.words import counted, joined, listed

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row

BATCH = 1000
"""Rows of a file that are read at a time."""
LOOKED_AT = 20
"""Lines of a sheet among which its header is looked for."""
_NAMED = "name it in the header"
_ONE_LINE = "of two header lines (merged cells) make one, such as 'BCG doses given | Fixed, <1y'"


@dataclass(frozen=True, slots=True)
class Where:
    """Where the rows of a file stand, as who reads it may say.

    Parameters:
        sheet: of a workbook, where it has several; the only one with rows without it.
        header: the line that names the columns, from 1; above it stand titles.
        fill_down: columns whose empty cells have what stands above them: in a workbook those that are merged with it.
        skip_hidden: rows and columns that a filter or a person has hidden are left out; else they are read, which is said.
    """

    sheet: str | None = None
    header: int = 1
    fill_down: tuple[str, ...] = ()
    skip_hidden: bool = False


def check_once(headers: Sequence[str]) -> None:
    """Raise `UsageError` for a name that two columns have: one of them would be lost."""
    twice = [name for name in dict.fromkeys(headers) if name and headers.count(name) > 1]
    if twice:
        raise UsageError(
            f"the header names {', '.join(twice)} more than once",
            hint=f"give each column a name of its own; {_ONE_LINE}",
        )


def check_named(
    where: str, cells: Iterable[tuple[str | None, object]], hint: Callable[[], str] = lambda: _NAMED
) -> None:
    """Raise `UsageError` for a value in a column that the header does not name.

    Parameters:
        where: the line in words; cells: each with its header; hint: what to do about it.
    """
    for name, value in cells:
        if not (name or "").strip() and value is not None and str(value).strip():
            raise UsageError(f"{where}: '{value}' stands in a column without a name", hint=hint())


def batches_of(
    path: Path,
    where: Where | None = None,
    *,
    blanks: bool = False,
    faults: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Generator[list[Row]]:
    """The rows of a sheet of a workbook, some at a time.

    Parameters:
        where: the sheet and the header; None where nobody can say them.
        blanks: lines without anything in them are rows without fields, so that rows can be counted.
        faults: cells whose formula failed come as `Fault`, for who refuses the rows.
        tell: is told behind the last row what of the sheet is hidden, and whether it was read.

    Raises `NotFound`, and `UsageError` for what is no workbook, for a header that names not all columns or one twice, and
    where `faults` is not said for a cell without a value.
    """
    with Workbook(path) as book:
        sheet = _Sheet(path, book, where)
        with closing(sheet.rows()) as rows:
            shown = (row for row in rows if row or blanks)
            while batch := list(itertools.islice(shown if faults else map(_whole, shown), BATCH)):
                yield batch
        if tell is not None:
            for note in sheet.in_words():
                tell(note)


def name_of(path: Path, where: Where | None) -> str:
    """The name of the sheet that is read. Parameters and errors as of `batches_of`."""
    with Workbook(path) as book:
        return _Sheet(path, book, where).name


def merged_cells(path: Path, where: Where | None) -> dict[tuple[int, str], str]:
    """The first cells of merged ranges below the header, by line and header, each with its range such as C3:C5.

    Parameters and errors as of `batches_of`; columns that are filled down are left out.
    """
    with Workbook(path) as book:
        return _Sheet(path, book, where).merged_cells()


def _whole(row: Row) -> Row:
    """A row of whose cells none is a fault. Raises `UsageError`."""
    for name, value in row.items():
        if isinstance(value, Fault):
            raise UsageError(f"'{name}' in {value.why}", hint="mend the formula, or write the value in its place")
    return row


class _Sheet:
    """One sheet of a workbook that is open."""

    def __init__(self, path: Path, book: Workbook, where: Where | None) -> None:
        self._path, self._book, self._told = path, book, where is not None
        self._where = where or Where()
        self.name = self._chosen()
        """What it is called."""
        self._hidden = book.hidden(self.name)
        self._begins = self._where.header
        """The line of the header."""
        self._unseen_rows: list[int] = []
        """The lines of rows that are hidden."""
        self._unseen_columns: list[int] = []
        """The columns with a name that are hidden."""

    def _chosen(self) -> str:
        """The sheet that is read. Raises `UsageError`."""
        wanted, names = self._where.sheet, self._book.sheets
        if wanted is not None:
            found = next((name for name in names if name.strip().casefold() == wanted.strip().casefold()), None)
            if found is None:
                raise UsageError(f"{self._path.name} has no sheet '{wanted}'", hint=f"it has {', '.join(names)}")
            return found
        filled = [name for name in names if self._top(name, 1)]
        if len(filled) > 1:
            hint = (
                f"--sheet '{max(filled, key=self._width)}'"
                if self._told
                else "save the one that is meant as a file of its own"
            )
            raise UsageError(
                f"{self._path.name} has {len(filled)} sheets with rows, and one is read: {', '.join(filled)}", hint=hint
            )
        return (filled or names)[0]

    def _width(self, sheet: str) -> int:
        """The cells in the fullest of a sheet's first lines: a page of instructions has few."""
        return max(sum(cell is not None for cell in cells) for _, cells in self._top(sheet, LOOKED_AT))

    def _top(self, sheet: str, count: int) -> list[tuple[int, Line]]:
        """The first lines of a sheet that hold anything."""
        with closing(self._book.lines(sheet)) as lines:
            return list(itertools.islice(lines, count))

    def rows(self) -> Generator[Row]:
        """All rows below the header, those of lines without anything in them without fields. Raises `UsageError`."""
        with closing(self._book.lines(self.name, self._hidden)) as lines:
            wanted = self._where.header
            below = (line for line in lines if line[0] >= wanted)
            if (top := next(below, None)) is None:
                return
            self._begins = begins = top[0]
            headers = _headers(top[1])
            self._unseen_columns = sorted(at for at in self._hidden.columns if at < len(headers) and headers[at])
            if self._where.skip_hidden:
                headers = ["" if at in self._hidden.columns else name for at, name in enumerate(headers)]
            check_once(headers)
            rows = self._named(below, headers, begins)
            nothing: Row = {}
            yield from itertools.repeat(nothing, begins - wanted)  # rows are counted from the line that was said
            rows = self._filled(rows, headers, begins) if self._where.fill_down else rows
            for number, row in enumerate(
                rows, begins + 1
            ):  # filled down first: a hidden row may say it for those below
                hidden = number in self._hidden.lines
                if hidden:
                    self._unseen_rows.append(number)
                yield nothing if hidden and self._where.skip_hidden else row

    def merged_cells(self) -> dict[tuple[int, str], str]:
        """As the function of the same name."""
        ranges = [(first, last) for first, last in self._book.merged(self.name) if first != last]
        if not ranges:
            return {}
        with closing(self._book.lines(self.name)) as lines:
            begins, cells = next((line for line in lines if line[0] >= self._where.header), (0, list["JsonValue"]()))
        headers = _headers(cells)
        filled = {name.strip().casefold() for name in self._where.fill_down}
        return {
            (line_of(first), headers[column_of(first)]): f"{first}:{last}"
            for first, last in ranges
            if line_of(first) > begins
            and column_of(first) < len(headers)
            and headers[column_of(first)].casefold() not in filled
        }

    def in_words(self) -> Iterator[str]:
        """What of the rows that were read is hidden, struck out, or shown as another number than is stored."""
        if (hidden := self._hidden_in_words()) is not None:
            yield hidden
        if struck := self._below(self._hidden.struck):
            yield f"{counted(len(struck), 'cell')} struck out and read all the same: {listed(struck, 5)}"
        for code, cells in self._hidden.otherwise.items():
            if found := self._below(cells):
                one = len(found) == 1
                yield (
                    f"{counted(len(found), 'number')} {'is' if one else 'are'} shown otherwise than"
                    f" {'it is' if one else 'they are'} stored, by the format '{code}', and read as stored: {listed(found, 5)}"
                )

    def _below(self, cells: Iterable[str]) -> list[str]:
        """The cells below the header."""
        return [cell for cell in cells if line_of(cell) > self._begins]

    def _hidden_in_words(self) -> str | None:
        """What of the rows that were read, or left out, is hidden, and where; None where all is seen."""
        parts: list[str] = []
        if self._unseen_rows:
            parts.append(f"{counted(len(self._unseen_rows), 'hidden row')} ({_ranges(self._unseen_rows)})")
        if self._unseen_columns:
            letters = listed(map(letters_of, self._unseen_columns), 5)
            parts.append(f"{counted(len(self._unseen_columns), 'hidden column')} ({letters})")
        whole = f"sheet '{self.name}' is hidden as a whole and was read" if self._hidden.sheet else None
        if not parts:
            return whole
        one = len(self._unseen_rows) + len(self._unseen_columns) == 1
        told = f"{joined(parts)} of sheet '{self.name}' {'is' if one else 'are'}"
        if self._where.skip_hidden:
            return f"{told} left out"
        leave = f"--skip-hidden leaves {'it' if one else 'them'} out"
        if not self._told:
            leave = f"take {'it' if one else 'them'} out of the file where that is not meant"
        return f"{told} read too; {whole}; {leave}" if whole else f"{told} read too; {leave}"

    def _named(self, lines: Iterable[tuple[int, Line]], headers: Sequence[str], begins: int) -> Generator[Row]:
        """The rows of lines by the names of their columns."""
        before, complete = begins, all(headers)
        for number, cells in self._seen(lines) if self._where.skip_hidden else lines:
            if all(cell is None or cell == "" for cell in cells):
                continue
            for _ in range(before + 1, number):
                yield {}
            before = number
            if len(cells) < len(headers):
                cells.extend([None] * (len(headers) - len(cells)))
            if complete and len(cells) == len(headers):
                yield dict(zip(headers, cells, strict=True))
                continue
            there = [*itertools.zip_longest(headers, cells)]
            check_named(f"row {number}", there, self._where_is_the_header)
            yield {name: value for name, value in there if name}

    def _seen(self, lines: Iterable[tuple[int, Line]]) -> Iterator[tuple[int, Line]]:
        """Lines without what stands in hidden columns."""
        for number, cells in lines:
            yield number, [None if at in self._hidden.columns else cell for at, cell in enumerate(cells)]

    def _where_is_the_header(self) -> str:
        """What to do about values below no name: another line is the header, or it has two of them."""
        if not self._told:
            return _NAMED
        top = self._top(self.name, LOOKED_AT)
        filled = ((number, sum(bool(str(cell or "").strip()) for cell in cells)) for number, cells in top)
        found = next((number for number, cells in filled if cells > 1), 0)
        if found > self._where.header:
            return f"{_NAMED}, or say which line is the header: --header-row {found}"
        return f"{_NAMED}; {_ONE_LINE}"

    def _filled(self, rows: Iterable[Row], headers: Sequence[str], begins: int) -> Iterator[Row]:
        """Rows filled down: where cells of a column are merged in those alone, else in all of it."""
        columns = filling.columns_of(headers, self._where.fill_down)
        merged = [
            (headers[block.column], block)
            for block in filling.blocks_of(self._book.merged(self.name))
            if block.column < len(headers) and headers[block.column] in columns and block.last > begins
        ]
        held = [*rows]
        filling.filled_by_blocks(held, begins + 1, merged)
        return filling.filled(held, [name for name in columns if name not in {column for column, _ in merged}])


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers in their order as few words: `5-16, 20 and 3 more`."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return listed((f"{first}" if first == last else f"{first}-{last}" for first, last in found), 5)


def _headers(cells: Line) -> list[str]:
    """The names of the columns, as they stand there. Raises `UsageError` for one whose formula failed."""
    for cell in cells:
        if isinstance(cell, Fault):
            raise UsageError(
                f"the header in {cell.why}", hint=f"write the name of column {letters_of(cells.index(cell))}"
            )
    words = {True: "TRUE", False: "FALSE"}
    return [
        words[cell] if isinstance(cell, bool) else "" if cell is None else str(cell).strip() for cell in cells
    ]  # fmt: skip
