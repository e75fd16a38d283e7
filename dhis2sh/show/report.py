"""A report of several tables: one page of HTML that prints well, a workbook with a sheet for each table, or rows.

Nothing of it is loaded from anywhere: a page can be sent by mail and read without a network.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh import paths
from dhis2sh.errors import NotWritten, UsageError
from dhis2sh.rows.books import Book
from dhis2sh.rows.cells import cell
from dhis2sh.rows.flat import flat as flattened
from dhis2sh.rows.formats import flat
from dhis2sh.rows.rows import Rows

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row

MOST_ON_PAGE = 200
"""Rows of one table on a page; the workbook has all of them."""
_STYLE = """
:root{color-scheme:light;--ink:#1b2733;--soft:#5b6b7a;--line:#d9e0e6;--ground:#f5f7f9;--accent:#0b5394}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:1000px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px}
h2{font-size:18px;margin:0 0 4px}
.made{color:var(--soft);font-size:13px;margin:0 0 18px}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:0 0 22px}
.tile{flex:1 1 150px;background:#fff;border:1px solid var(--line);border-left:5px solid var(--line);border-radius:6px;padding:10px 14px}
.tile b{display:block;font-size:26px;line-height:1.15;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.good{border-left-color:#1a9850}.fair{border-left-color:#e0a100}.bad{border-left-color:#d73027}
section{background:#fff;border:1px solid var(--line);border-radius:6px;padding:16px 18px;margin:0 0 16px}
section p{margin:0 0 10px;color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th{text-align:left;font-weight:600;color:var(--soft);border-bottom:2px solid var(--line);padding:4px 10px 4px 0;vertical-align:bottom}
td{border-bottom:1px solid var(--line);padding:4px 10px 4px 0;vertical-align:top}
th.number,td.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td .bar{display:inline-block;width:70px;height:9px;background:#e7ecf0;border-radius:2px;margin-right:8px;overflow:hidden;vertical-align:baseline}
td .bar i{display:block;height:100%;background:var(--accent)}
@media print{body{background:#fff}main{max-width:none;padding:0}section{border:0;padding:0}h2{break-after:avoid}tr{break-inside:avoid}}
"""


@dataclass(frozen=True, slots=True)
class Tile:
    """A number at the top of a report.

    Parameters:
        number: as it is read; about: what it is of.
        mood: `good`, `fair`, `bad`, or empty where nobody can say.
    """

    number: str
    about: str
    mood: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A table of a report.

    Parameters:
        title: of the table, and of its sheet in a workbook.
        lead: what it says and what is to be done with it.
        columns: the fields that the page shows, by their headings.
        rows: all of them, plain; the workbook has every field.
        none: what is said where there is no row.
        bars: headings of percentages that have a bar.
        on_page: what the page shows in place of the rows, where it puts several into one.
    """

    title: str
    lead: str
    columns: dict[str, str]
    rows: Sequence[Row]
    none: str
    bars: frozenset[str] = frozenset()
    on_page: Sequence[Row] | None = None


@dataclass(slots=True)
class Report:
    """Tables that belong together.

    Parameters:
        title: what it is of; made: when and from where it was made.
        tiles: the numbers at its top; sections: its tables.
    """

    title: str
    made: str
    tiles: list[Tile] = field(default_factory=list[Tile])
    sections: list[Section] = field(default_factory=list[Section])

    def page(self) -> str:
        """The report as an HTML page of its own."""
        tiles = "".join(
            f'<div class="tile {tile.mood}"><b>{html.escape(tile.number)}</b><span>{html.escape(tile.about)}</span></div>'
            for tile in self.tiles
        )
        body = "".join(map(_section, self.sections))
        title = html.escape(self.title)
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
            f'<p class="made">{html.escape(self.made)}</p><div class="tiles">{tiles}</div>{body}</main></body></html>\n'
        )

    def save(self, path: Path) -> None:
        """Write it as `.html` or `.xlsx`. Raises `UsageError` for another ending, `Dhis2Error`, `MissingExtra`."""
        ending = path.suffix.lower()
        if ending not in {".html", ".xlsx"}:
            raise UsageError(f"{path}: a report is written as .html or .xlsx", hint=f"{path.stem}.html")
        try:
            if ending == ".html":
                with paths.writing(path.expanduser()) as out:
                    out.write(self.page())
            else:
                with paths.replacing(path.expanduser()) as temporary:
                    self._workbook(temporary)
        except OSError as error:
            raise NotWritten.of(path, error, elsewhere="choose another file") from error

    def _workbook(self, path: Path) -> None:
        writing = Book(path)
        book = writing.pages
        bold = book.add_format({"bold": True})
        first = book.add_worksheet("Summary")
        first.write_row(0, 0, [self.title], bold)
        first.write_row(1, 0, [self.made])
        for at, tile in enumerate(self.tiles, 3):
            first.write_row(at, 0, [tile.number, tile.about])
        first.set_column(0, 0, 14)
        first.set_column(1, 1, 60)
        for section in self.sections:
            sheet = book.add_worksheet(_sheet_name(section.title))
            if not section.rows:
                sheet.write_row(0, 0, [section.none])
                continue
            columns, rows = flattened(Rows(section.rows, columns=_columns(section)))
            sheet.write_row(0, 0, list(columns), bold)
            for at, row in enumerate(rows, 1):
                values = (row.get(name) for name in columns)
                sheet.write_row(at, 0, [v if isinstance(v, (int, float)) else flat(v, safe=False) for v in values])
            sheet.freeze_panes(1, 0)
            sheet.autofilter(0, 0, len(rows), len(columns) - 1)
            sheet.autofit()
        writing.close()


def _columns(section: Section) -> list[str]:
    """Every field of the rows of a section, those of the page first."""
    held = dict.fromkeys(name for row in section.rows for name in row)
    return [name for name in dict.fromkeys([*section.columns.values(), *held]) if name in held]


def _sheet_name(title: str) -> str:
    return "".join(mark for mark in title if mark not in "[]:*?/\\")[:31]


def _section(section: Section) -> str:
    head = f"<section><h2>{html.escape(section.title)}</h2>"
    if not section.rows:
        return f"{head}<p>{html.escape(section.none)}</p></section>"
    rows = section.rows if section.on_page is None else section.on_page
    shown = rows[:MOST_ON_PAGE]
    numbers = {
        name for name in section.columns.values()
        if all(isinstance(row.get(name), (int, float)) or row.get(name) is None for row in shown)
    }  # fmt: skip
    heads = "".join(
        f"<th{' class="number"' if name in numbers else ''}>{html.escape(heading)}</th>"
        for heading, name in section.columns.items()
    )
    body = "".join(
        "<tr>" + "".join(_cell(row.get(name), name in numbers, heading in section.bars) for heading, name in section.columns.items()) + "</tr>"
        for row in shown
    )  # fmt: skip
    more = len(rows) - len(shown)
    foot = f"<p>and {more:,} more, which the workbook has</p>" if more > 0 else ""
    return (
        f"{head}<p>{html.escape(section.lead)}</p><div class=wide><table><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>{foot}</section>"
    )


def _cell(value: JsonValue, number: bool, bar: bool) -> str:
    text = f"{value:,}" if isinstance(value, (int, float)) and not isinstance(value, bool) else cell(value)
    drawn = ""
    if bar and isinstance(value, (int, float)):
        drawn = f'<span class="bar"><i style="width:{max(0.0, min(100.0, value)):.0f}%"></i></span>'
        text += " %"
    return f"<td{' class="number"' if number else ''}>{drawn}{html.escape(text)}</td>"
