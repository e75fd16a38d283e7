"""How rows look: a table whose columns fit the screen, or one row below the other; HTML in a notebook."""

from __future__ import annotations

import html as html_module
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, override

from dhis2sh.rows.flat import flat, in_words
from dhis2sh.rows.formats import Tabular, Write
from dhis2sh.rows.registry import Renderer, register_renderer
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stream import PREVIEW, Stream
from dhis2sh.show.layout import STYLE, fit, in_table, screen_of, width_of
from dhis2sh.words import BOLD, RESET, safe

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row

NARROWEST = 6
WIDEST_CELL = 60
SENTENCES = {"detail", "fix", "problem"}
"""Columns whose cells go on in the next line where they do not fit: what a check found, and the command that mends it."""
MOST_HTML_ROWS = 200


type Cells = Sequence[Sequence[str]]
"""The cells of rows, as they are drawn."""


def cells_of(columns: Sequence[str], rows: Sequence[Row]) -> Cells:
    """What stands in each row and column of a table."""
    return [[in_table(row.get(column)) for column in columns] for row in rows]


def for_people(rows: Rows[Any], *, whole: bool = False) -> tuple[tuple[str, ...], list[Row]]:
    """The columns and rows of a table: what was asked for inside of objects has columns, what is empty everywhere and
    nobody asked for has none.

    Parameters:
        whole: keep the empty ones.
    """
    columns, plain = flat(rows, in_words)
    kept = columns if whole else tuple(name for name in columns if name in rows.asked or _filled(name, plain))
    return kept or columns, plain


def _filled(column: str, rows: Sequence[Row]) -> bool:
    return any(row.get(column) not in (None, "", []) for row in rows)


def numbers_in(columns: Sequence[str], rows: Sequence[Row]) -> frozenset[int]:
    """The places of the columns that hold numbers and nothing else."""
    return frozenset(at for at, name in enumerate(columns) if _is_number(name, rows))


def _is_number(column: str, rows: Sequence[Row]) -> bool:
    values = [value for row in rows if (value := row.get(column)) is not None]
    return bool(values) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


@dataclass(slots=True)
class Table:
    """A table whose columns are laid out once, by the rows that are there first.

    Parameters:
        columns: the fields, in order.
        widths: of the columns; None where the rows are better shown one below the other.
        colour: whether headings are in colour.
        right: the places of the columns that end at the right, where numbers stand below each other.
        drawn: how many rows have been drawn.
    """

    columns: tuple[str, ...]
    widths: list[int] | None
    colour: bool
    right: frozenset[int] = frozenset()
    drawn: int = 0

    @classmethod
    def of(
        cls,
        columns: Sequence[str],
        cells: Cells,
        width: int | None,
        colour: bool,
        right: frozenset[int] = frozenset(),
    ) -> Table:
        """A table laid out for the cells of some rows, so that its columns fit the screen.

        Parameters:
            columns, cells: what is shown.
            width: columns of the screen; the terminal's when None, unlimited when 0.
            colour: whether headings are in colour.
            right: the places of the columns that hold numbers.
        """
        columns = [*map(safe, columns)]
        longest = [max(width_of(name), *(width_of(line[i]) for line in cells)) for i, name in enumerate(columns)]
        return cls(tuple(columns), _widths(longest, screen_of(width)), colour, right)

    def _line(self, parts: Sequence[str], sizes: Sequence[int]) -> str:
        fitted = (fit(*part, right=at in self.right) for at, part in enumerate(zip(parts, sizes, strict=True)))
        return "  ".join(fitted).rstrip()

    def head(self) -> list[str]:
        """The line of the columns' names; none where rows stand one below the other."""
        if self.widths is None:
            return []
        head = self._line(self.columns, self.widths)
        return [f"{BOLD}{head}{RESET}" if self.colour else head]

    def lines(self, cells: Cells, *, whole: bool = False) -> Iterator[str]:
        """The lines of rows.

        Parameters:
            cells: those of the rows.
            whole: a cell that is wider than its column pushes the others aside and is not cut off.
        """
        for line in cells:
            self.drawn += 1
            if self.widths is None:
                yield from self._below(line)
                continue
            sizes = (
                [max(size, width_of(text)) for size, text in zip(self.widths, line, strict=True)]
                if whole
                else self.widths
            )
            folded = [_folded(*part) for part in zip(self.columns, line, sizes, strict=True)]
            for parts in zip_longest(*folded, fillvalue=""):
                yield self._line(parts, sizes)

    def _below(self, cells: Sequence[str]) -> Iterator[str]:
        title = f"-- {self.drawn} " + "-" * 20
        yield f"{BOLD}{title}{RESET}" if self.colour else title
        size = max(width_of(name) for name in self.columns)
        for name, value in zip(self.columns, cells, strict=True):
            yield f"{fit(name, size)}  {value}".rstrip()


def _folded(column: str, text: str, width: int) -> list[str]:
    """A cell as the lines that it takes: one, unless it holds a sentence, which says nothing when it is cut off."""
    if column not in SENTENCES or width_of(text) <= width:
        return [text]
    import textwrap  # start-up: sentences are in the rows of checks alone

    return textwrap.wrap(text, width, break_on_hyphens=False)


def _widths(longest: Sequence[int], screen: int) -> list[int] | None:
    """Column widths that fit the screen, or None when the rows are better shown one below the other."""
    widths = [min(size, WIDEST_CELL) if screen else size for size in longest]
    room = screen - 2 * (len(widths) - 1)
    if not screen or sum(widths) <= room:
        return widths
    if room < NARROWEST * len(widths):
        return None
    while sum(widths) > room:
        widest = widths.index(max(widths))
        if widths[widest] <= NARROWEST * 2:
            return None
        widths[widest] -= 1
    return widths


class TableWriter(Tabular):
    """A stream as a table, laid out by its first batch. On a screen what is wider than its column later is cut off.

    Parameters:
        write: takes the text.
        width: columns of the screen; the terminal's when None, unlimited when 0.
        colour: whether headings are in colour.
    """

    def __init__(self, write: Write, width: int | None, colour: bool) -> None:
        super().__init__()
        self._write, self._width, self._colour = write, width, colour
        self._table: Table | None = None

    @override
    def add(self, rows: Sequence[Row]) -> None:
        cells = [[in_table(value) for value in line] for line in self.values(rows)]
        lines: list[str] = []
        if self._table is None:
            right = numbers_in(self.columns, rows)
            self._table = Table.of(self.columns, cells, self._width, self._colour, right)
            lines = self._table.head()
        lines += self._table.lines(cells, whole=self._width == 0)
        self._write("".join(f"{line}\n" for line in lines))

    @override
    def end(self) -> None:
        if self._table is None:
            self._write("no rows\n")


def _text(rows: Rows[Any], width: int | None, colour: bool) -> str:
    if not len(rows):
        return "no rows" + _note(rows)
    columns, plain = for_people(rows)
    cells = cells_of(columns, plain)
    table = Table.of(columns, cells, width, colour, numbers_in(columns, plain))
    return "\n".join([*table.head(), *table.lines(cells)]) + _note(rows)


def wide(rows: Rows[Any], colour: bool) -> str:
    """Rows as a table with every column whole, the empty ones too, however wide that is."""
    columns, plain = for_people(rows, whole=True)
    cells = cells_of(columns, plain)
    table = Table.of(columns, cells, 0, colour, numbers_in(columns, plain))
    return "\n".join([*table.head(), *table.lines(cells)]) + _note(rows) if plain else "no rows" + _note(rows)


def _note(rows: Rows[Any]) -> str:
    if rows.page is not None and rows.page.truncated:
        return f"\n({rows.page} rows; {rows.page.more})"
    return ""


def _html(rows: Rows[Any]) -> str:
    note = str(rows.page) if rows.page else f"{len(rows):,}"
    shown = f"{min(len(rows), MOST_HTML_ROWS):,} shown; " if len(rows) > MOST_HTML_ROWS else ""
    columns, plain = for_people(rows)
    return html_table(columns, plain[:MOST_HTML_ROWS], f"{shown}{note} rows")


def html_table(columns: Sequence[str], rows: Sequence[Row], note: str) -> str:
    """Rows as an HTML table with a note below it."""
    head = "".join(f"<th>{html_module.escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(_html_cell(row.get(name)) for name in columns) + "</tr>" for row in rows)
    return (
        f'{STYLE}<table class="dhis2sh"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        f'<div class="dhis2sh-note">{note}</div>'
    )


def _html_cell(value: JsonValue) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"<td{' class="number"' if number else ''}>{html_module.escape(in_table(value))}</td>"


def _preview(stream: Stream[Any], width: int | None, colour: bool) -> str:
    """The first rows of a stream, and how to get the rest."""
    if stream.taken:
        return "a stream that has been read, or closed"
    rows = stream.ahead[:PREVIEW]
    shown = _text(Rows(rows, columns=stream.columns), width, colour) if rows or stream.ended else ""
    return "\n".join(part for part in (shown, _rest(stream, len(rows))) if part)


def _preview_html(stream: Stream[Any]) -> str:
    if stream.taken:
        return f"<pre>{html_module.escape(_preview(stream, 0, False))}</pre>"
    rows = stream.ahead[:PREVIEW]
    note = _rest(stream, len(rows)) or f"{len(rows):,} rows"
    return html_table(stream.columns, rows, html_module.escape(note))


def _rest(stream: Stream[Any], shown: int) -> str:
    """What a preview leaves out; nothing where it is all there is."""
    if stream.ended and len(stream.ahead) <= shown:
        return ""
    first = f"the first {shown:,} rows; the rest is" if shown else "a stream of rows,"
    return f"({first} unread: | csv('FILE'), | where(...), or rows = await _.collect())"


register_renderer(Rows, Renderer(_text, _html))
register_renderer(Stream, Renderer(_preview, _preview_html))
