"""What every drawing of text shares: colours, widths, cells that are cut or folded, the style of HTML tables."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from dhis2sh.rows.cells import cell

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue

STYLE = """<style>
.dhis2sh{border-collapse:collapse;font-size:90%;color:inherit;background:transparent}
.dhis2sh th,.dhis2sh td{text-align:left!important;vertical-align:top;padding:2px 10px;color:inherit;background:transparent}
.dhis2sh th{border-bottom:1px solid var(--jp-border-color1,rgba(128,128,128,.6))}
.dhis2sh td{border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.25))}
.dhis2sh tbody tr:hover{background:var(--jp-rendermime-table-row-hover-background,rgba(128,128,128,.15))}
.dhis2sh td.number{text-align:right!important;font-variant-numeric:tabular-nums}
.dhis2sh-note{opacity:.75;font-size:85%}
</style>"""
# No colour of text or ground is set: both are the page's, whatever its theme; lines are the theme's, else half-clear grey.


def in_table(value: JsonValue) -> str:
    """One value in a table for people: a geometry by its kind and size, not by its thousand numbers."""
    if isinstance(value, dict) and isinstance(value.get("coordinates"), list):
        points = _points_in(value["coordinates"])
        return f"{cell(value.get('type'))}{f' of {points:,} points' if points > 1 else ''}"
    return cell(value)


def _points_in(coordinates: JsonValue) -> int:
    if not isinstance(coordinates, list):
        return 0
    return sum(map(_points_in, coordinates)) if coordinates and isinstance(coordinates[0], list) else 1


def width_of(text: str) -> int:
    """How many columns of a screen a text takes."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # heavy: comes with prompt_toolkit; only other scripts pay for it

    return max(0, wcswidth(text))


def fit(text: str, width: int, *, right: bool = False) -> str:
    """A text in so many columns: filled with blanks, on its left where it ends at the right, or cut off."""
    if width_of(text) > width:
        text = text[: width * 2]  # marks above letters take no column
        while text and width_of(text) >= width:
            text = text[:-1]
        text += "…"
    blanks = " " * (width - width_of(text))
    return blanks + text if right else text + blanks


def wrapped(words: str, width: int | None) -> str:
    """Sentences that end with the screen go on below, further in; without a terminal they stay whole."""
    screen = shutil.get_terminal_size((0, 24)).columns if width is None else width
    lines = words.split("\n")
    if not screen or max(map(len, lines)) <= screen:
        return words
    from textwrap import wrap  # start-up: lines are seldom longer than the screen

    found: list[str] = []
    for line in lines:
        further = " " * (len(line) - len(line.lstrip()) + 2)
        found += wrap(line, screen, subsequent_indent=further, break_long_words=False) if len(line) > screen else [line]
    return "\n".join(found)


def screen_of(width: int | None) -> int:
    """The columns of the screen that a table has: those of the terminal where `width` is None."""
    return shutil.get_terminal_size((120, 24)).columns if width is None else width
