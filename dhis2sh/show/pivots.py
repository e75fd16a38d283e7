"""Pivot tables: several dimensions on rows and columns, with totals, as text, HTML and CSV."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from dhis2sh.show.charts.model import as_shown, figure
from dhis2sh.show.layout import STYLE, fit, width_of
from dhis2sh.show.numbers import Numbers
from dhis2sh.words import safe

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

type Weight = Literal["value", "subtotal", "total"]
WIDEST = 28
"""Columns of a screen that a name may take."""
MOST_ROWS = 60
"""Rows that a screen and a page of HTML show; files and JSON have all."""
_MORE = """<style>
.dhis2sh-pivot td.number{white-space:nowrap}
.dhis2sh-pivot th.group{text-align:center!important}
.dhis2sh-pivot .subtotal td,.dhis2sh-pivot .subtotal th,.dhis2sh-pivot td.subtotal,.dhis2sh-pivot th.subtotal{font-style:italic}
.dhis2sh-pivot .total td,.dhis2sh-pivot .total th,.dhis2sh-pivot td.total,.dhis2sh-pivot th.total{font-weight:bold}
</style>"""


@dataclass(frozen=True, slots=True)
class Head:
    """A row's or a column's labels, one for each dimension of its axis."""

    labels: tuple[str, ...]
    weight: Weight = "value"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: a number or a text, and the colour of its class."""

    value: float | str | None = None
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Pivot:
    """A pivot table.

    Parameters:
        corner: the names of the dimensions on the rows.
        columns, rows: their heads.
        cells: by row and column.
        title, subtitle: above it.
        grouping: what parts thousands.
        decimals: of every number; as many as say something without it.
        as_text: do colours colour the text and not the ground?
        notes: what is left out, and why.
        exact: all decimals are wanted by whoever reads its numbers.
    """

    corner: tuple[str, ...]
    columns: tuple[Head, ...]
    rows: tuple[Head, ...]
    cells: tuple[tuple[Cell, ...], ...]
    title: str = ""
    subtitle: str = ""
    grouping: str = " "
    decimals: int | None = None
    as_text: bool = False
    notes: tuple[str, ...] = ()
    exact: bool = False

    def written(self, cell: Cell) -> str:
        """A cell in characters."""
        return safe(cell.value) if isinstance(cell.value, str) else figure(cell.value, self.grouping, self.decimals)

    def to_json(self) -> JsonObject:
        """The table as one object: labels, and rows of numbers."""
        return {
            "kind": "table", "title": self.title, "subtitle": self.subtitle, "dimensions": list(self.corner),
            "columns": [" – ".join(head.labels) for head in self.columns],
            "rows": [
                {"row": " – ".join(head.labels), "values": [cell.value for cell in cells]}
                for head, cells in zip(self.rows, self.cells, strict=True)
            ],
            "notes": list(self.notes),
        }  # fmt: skip

    def numbers_behind(self) -> Numbers:
        """A column for each dimension of the rows, then one for each column; numbers with the decimals that the table shows."""
        headers = [*self.corner, *(" – ".join(head.labels) for head in self.columns)]
        size = len(self.corner)
        lines = [
            [*[*head.labels, *[""] * size][:size], *(self._number(cell.value) for cell in cells)]
            for head, cells in zip(self.rows, self.cells, strict=True)
        ]
        return Numbers(headers, lines)

    def _number(self, value: float | str | None) -> float | str | None:
        return value if self.exact else as_shown(value, self.decimals)

    def __repr__(self) -> str:
        return self.text()

    def text(self, columns: int | None = None) -> str:
        """The table in characters.

        Parameters:
            columns: of the screen; columns of the table that it has no room for are counted. All of them without it.
        """
        head = [safe(line) for line in (self.title, self.subtitle) if line]
        notes = [f"({safe(note)})" for note in self.notes]
        if not self.rows or not self.columns:
            return "\n".join([*head, "no data", *notes])
        levels = max(len(one.labels) for one in self.columns)
        lines = [
            [*(self.corner if level == levels - 1 else [""] * len(self.corner)), *self._heads(level)]
            for level in range(levels)
        ]
        before: tuple[str, ...] = ()
        for one, cells in zip(self.rows[:MOST_ROWS], self.cells, strict=False):
            lines.append([*_repeated(one.labels, before, len(self.corner)), *map(self.written, cells)])
            before = one.labels
        widths = [min(WIDEST, max(width_of(line[at]) for line in lines)) for at in range(len(lines[0]))]
        names = len(self.corner)
        shown = _fitting(widths, names, columns)
        lines, hidden = [line[:shown] for line in lines], len(widths) - shown
        drawn = [
            "  ".join(fit(text, widths[at], right=at >= names) for at, text in enumerate(line)).rstrip()
            for line in lines
        ]
        more = [f"({len(self.rows) - MOST_ROWS:,} more rows)"] if len(self.rows) > MOST_ROWS else []
        more += [f"({hidden:,} more columns: --out table.html has all)"] if hidden else []
        return "\n".join([*head, *drawn, *more, *notes])

    def _heads(self, level: int) -> list[str]:
        """One line of the heads of columns; what is the same as at its left is said once."""
        found: list[str] = []
        before: tuple[str, ...] = ()
        for head in self.columns:
            label = safe(head.labels[level]) if level < len(head.labels) else ""
            last = level == max(len(one.labels) for one in self.columns) - 1
            found.append("" if not last and head.labels[: level + 1] == before[: level + 1] else label)
            before = head.labels
        return found

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The table as HTML, which takes its colours from the page."""
        title = "".join(f"<b>{html.escape(safe(line))}</b><br>" for line in (self.title,) if line)
        title += "".join(
            f'<span class="dhis2sh-note">{html.escape(safe(self.subtitle))}</span>' if self.subtitle else ""
        )
        notes = "".join(f'<div class="dhis2sh-note">{html.escape(safe(note))}</div>' for note in self.notes)
        if not self.rows or not self.columns:
            return f"{STYLE}{title}<p>no data</p>{notes}"
        body = "".join(self._row(at) for at in range(len(self.rows)))
        return (
            f'{STYLE}{_MORE}{title}<table class="dhis2sh dhis2sh-pivot"><thead>{self._head()}</thead><tbody>{body}</tbody>'
            f"</table>{notes}"
        )

    def _head(self) -> str:
        levels = max(len(one.labels) for one in self.columns)
        lines: list[str] = []
        for level in range(levels):
            corner = self.corner if level == levels - 1 else [""] * len(self.corner)
            cells = [f"<th>{html.escape(safe(name))}</th>" for name in corner]
            for _, group in groupby(enumerate(self.columns), key=lambda pair: _together(pair, level, levels)):
                found = list(group)
                head = found[0][1]
                label = html.escape(safe(head.labels[level])) if level < len(head.labels) else ""
                span = f' colspan="{len(found)}"' if len(found) > 1 else ""
                kind = f"group {head.weight}" if span else head.weight
                cells.append(f'<th class="{kind}"{span}>{label}</th>')
            lines.append(f"<tr>{''.join(cells)}</tr>")
        return "".join(lines)

    def _row(self, at: int) -> str:
        head, before = self.rows[at], self.rows[at - 1].labels if at else ()
        labels = _repeated(head.labels, before, len(self.corner))
        cells = [f"<th>{html.escape(label)}</th>" for label in labels]
        for column, cell in zip(self.columns, self.cells[at], strict=True):
            kind = "number" if not isinstance(cell.value, str) else "words"
            weight = f" {column.weight}" if column.weight != "value" else ""
            cells.append(f'<td class="{kind}{weight}"{self._style(cell)}>{html.escape(self.written(cell))}</td>')
        return f'<tr class="{head.weight}">{"".join(cells)}</tr>'

    def _style(self, cell: Cell) -> str:
        if not cell.colour or html.escape(cell.colour, quote=True) != cell.colour or ";" in cell.colour:
            return ""
        if self.as_text:
            return f' style="color:{cell.colour}"'
        return f' style="background:{cell.colour};color:{_readable(cell.colour)}"'


def _fitting(widths: Sequence[int], names: int, columns: int | None) -> int:
    """How many columns fit on a screen: those of names, and one of numbers at the least."""
    if columns is None:
        return len(widths)
    used = 0
    for at, width in enumerate(widths):
        used += width + (2 if at else 0)
        if used > columns and at > names:
            return at
    return len(widths)


def _together(pair: tuple[int, Head], level: int, levels: int) -> tuple[str, ...] | int:
    """What makes neighbouring heads one: the same labels down to a level; the last line has every head apart."""
    at, head = pair
    return at if level == levels - 1 else head.labels[: level + 1]


def _repeated(labels: Sequence[str], before: Sequence[str], size: int) -> list[str]:
    """The labels of a row, without those that the row above has too."""
    full = [*map(safe, labels), *[""] * size][:size]
    same = True
    for at in range(size - 1):
        same = same and at < len(before) and at < len(labels) and before[at] == labels[at]
        full[at] = "" if same else full[at]
    return full


def _readable(colour: str) -> str:
    """Black or white, whichever is read on a colour."""
    digits = colour.removeprefix("#")
    if len(digits) != 6:
        return "#000000"
    try:
        red, green, blue = (int(digits[at : at + 2], 16) for at in (0, 2, 4))
    except ValueError:
        return "#000000"
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
