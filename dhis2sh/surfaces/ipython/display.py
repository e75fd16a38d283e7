"""How results look when a cell ends with one: tables and records in colour on a terminal, as HTML in a notebook."""

from __future__ import annotations

import os
import sys
from typing import Any, cast

from dhis2sh.rows.registry import on_renderer, renderer_of
from dhis2sh.rows.rows import Named
from dhis2sh.surfaces.terminal import drawn
from dhis2sh.types import Row
from dhis2sh.words import on_screen


class Record(Named):
    """One object as a verb gave it: a dictionary that is shown as a record, not as Python."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(_drawn(dict(self)))

    def _repr_html_(self) -> str:
        return _page(dict(self))


def shown(result: object) -> object:
    """A result in the form that displays well; what it holds is the same."""
    return Record(cast("Row", result)) if type(result) is dict else result


def install(shell: Any) -> None:
    """Teach an IPython to show our results.

    Parameters:
        shell: the IPython instance, a terminal's or a kernel's.
    """
    formatters = shell.display_formatter.formatters
    for module, name in (
        ("dhis2sh.rows.rows", "Rows"),
        ("dhis2sh.rows.stream", "Stream"),
        ("dhis2sh.changes.plan", "Plan"),
        ("dhis2sh.changes.plan", "WriteSummary"),
        ("pydantic.main", "BaseModel"),
    ):
        formatters["text/plain"].for_type_by_name(module, name, _text)
        formatters["text/html"].for_type_by_name(module, name, _html)
    for module in ("pandas.core.frame", "pandas", "polars.dataframe.frame"):
        formatters["text/plain"].for_type_by_name(module, "DataFrame", _frame)
    on_renderer(lambda kind: _teach(formatters, kind))


def _teach(formatters: Any, kind: type) -> None:
    """A type whose look somebody has registered, a plugin's too."""
    formatters["text/plain"].for_type(kind, _text)
    formatters["text/html"].for_type(kind, _html)


def _ours(result: object) -> bool:
    """Do we draw it? What is our own, and what has a look of its own."""
    return type(result).__module__.startswith("dhis2sh") or renderer_of(result) is not None


def _text(result: object, printer: Any, cycle: bool) -> None:
    printer.text(_drawn(result) if _ours(result) else repr(result))


def _frame(result: object, printer: Any, cycle: bool) -> None:
    """A frame as its library shows it; what others wrote into its cells is shown and not obeyed."""
    printer.text(on_screen(repr(result)) if sys.stdout.isatty() else repr(result))


def _html(result: object) -> str | None:
    ours = _ours(result)
    markdown = getattr(result, "_repr_markdown_", None)
    better = markdown is not None and markdown() is not None  # a notebook would take the HTML all the same
    return _page(result) if ours and not better else None


def _drawn(result: object) -> str:
    return drawn(result, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)


def _page(result: object) -> str:
    from dhis2sh.show import render  # start-up: notebooks only

    return render.html(result)
