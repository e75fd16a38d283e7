"""How results look when a cell ends with one: tables and records in colour on a terminal, as HTML in a notebook."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import Any, Literal, cast

from dhis2sh.rows.registry import on_renderer, renderer_of
from dhis2sh.surfaces import commands
from dhis2sh.surfaces.ipython import pager
from dhis2sh.surfaces.terminal import drawn
from dhis2sh.words import on_screen

type Expanded = Literal["auto", "on", "off"]
BELOW = 1
"""Columns that no table fits, so that rows stand one below the other."""
FEW = 6
"""So many rows that are too wide are better a table."""
_BELOW = re.compile(r"^(?:\x1b\[\d+m)?-- \d+ -{20}", re.MULTILINE)


@dataclass(slots=True)
class Look:
    """How rows are laid out on a terminal.

    Parameters:
        scrolls: what was drawn last is a table that may be wider than the screen.
        expanded: `on` one below the other, `off` as a table that scrolls where it is too wide, `auto` by what fits.
    """

    expanded: Expanded = "auto"
    scrolls: bool = False


def install(shell: Any, look: Look | None = None) -> None:
    """Teach an IPython to show our results.

    Parameters:
        shell: the IPython instance, a terminal's or a kernel's.
        look: how rows are laid out, whenever some are shown.
    """
    look = look or Look()

    def _text(result: object, printer: Any, cycle: bool) -> None:
        printer.text(drawn_for_people(result, look) if _ours(result) else repr(result))

    formatters = shell.display_formatter.formatters
    for module, name in (
        ("dhis2sh.rows.rows", "Rows"),
        ("dhis2sh.rows.stream", "Stream"),
        ("dhis2sh.changes.plan", "Plan"),
        ("dhis2sh.changes.plan", "WriteSummary"),
        ("dhis2sh.client.grids", "Grid"),
        ("pydantic.main", "BaseModel"),
    ):
        formatters["text/plain"].for_type_by_name(module, name, _text)
        formatters["text/html"].for_type_by_name(module, name, _html)
    for module in ("pandas.core.frame", "pandas", "polars.dataframe.frame"):
        formatters["text/plain"].for_type_by_name(module, "DataFrame", _frame)

    def teach(kind: type) -> None:
        """A type whose look somebody has registered, a plugin's too."""
        formatters["text/plain"].for_type(kind, _text)
        formatters["text/html"].for_type(kind, _html)

    on_renderer(teach)


def teach_result(shell: Any, result: object) -> None:
    """Teach an IPython the type of what a verb gave, where people want it in words or as a tree; Python's repr says it to nobody.

    Parameters:
        shell: the IPython instance; result: what the verb gave.
    """
    kind = type(result)
    if not any(callable(getattr(kind, name, None)) for name in ("tree", "line")) or hasattr(kind, "_repr_pretty_"):
        return
    formatters = shell.display_formatter.formatters
    formatters["text/plain"].for_type(kind, _text_of_result)
    formatters["text/html"].for_type(kind, page)


def _text_of_result(result: object, printer: Any, cycle: bool) -> None:
    printer.text(drawn_for_people(result))


def _ours(result: object) -> bool:
    """Do we draw it? What is our own, and what has a look of its own."""
    return type(result).__module__.startswith("dhis2sh") or renderer_of(result) is not None


def _frame(result: object, printer: Any, cycle: bool) -> None:
    """A frame as its library shows it; what others wrote into its cells is shown and not obeyed."""
    printer.text(on_screen(repr(result)) if sys.stdout.isatty() else repr(result))


def _html(result: object) -> str | None:
    ours = _ours(result)
    markdown = getattr(result, "_repr_markdown_", None)
    better = markdown is not None and markdown() is not None  # a notebook would take the HTML all the same
    return page(result) if ours and not better else None


def drawn_for_people(result: object, look: Look | None = None) -> str:
    """A result as the terminal shows it, with colours where it has some."""
    look = look or Look()
    from dhis2sh.rows.rows import Rows  # start-up: there is a result, so it is imported already
    from dhis2sh.rows.stream import Stream  # start-up: as above

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    look.scrolls = False
    if not isinstance(result, (Rows, Stream)):
        return drawn(result, colour=colour)
    rows = cast("object", result)
    if look.expanded != "auto":
        look.scrolls = look.expanded == "off"
        return drawn(rows, width=0 if look.scrolls else BELOW, colour=colour)
    text = drawn(rows, colour=colour)
    if len(_BELOW.findall(text)) >= FEW and sys.stdout.isatty() and pager.command():
        look.scrolls = True
        return drawn(rows, width=0, colour=colour)  # many rows are a table all the same
    return text


def page(result: object) -> str:
    """A result as HTML."""
    from dhis2sh.show import render  # start-up: notebooks only

    if not commands.worded(result):
        return render.html(result)
    with commands.of_result(result):
        return commands.carried(render.html(result))
