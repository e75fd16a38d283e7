"""One object as the prompt shows it. Imported with the first line: a start pays for no rows."""

from __future__ import annotations

from typing import Any, cast

from dhis2sh.rows.rows import Named
from dhis2sh.surfaces.ipython.display import drawn_for_people, page
from dhis2sh.types import Row


class Record(Named):
    """One object as a verb gave it: a dictionary that is shown as a record, not as Python."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(drawn_for_people(dict(self)))

    def _repr_html_(self) -> str:
        return page(dict(self))


def shown(result: object) -> object:
    """A result in the form that displays well; what it holds is the same."""
    return Record(cast("Row", result)) if type(result) is dict else result
