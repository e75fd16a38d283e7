"""How a sheet of values is written, as who gives it may say: the same options for every verb that reads one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from dhis2sh.errors import UsageError
from dhis2sh.rows.sheets import Where
from dhis2sh.verbs.declaration import Bounds, Doc


@dataclass(slots=True)
class AsWritten:
    """What a file of values does not say of itself."""

    sheet: Annotated[str | None, Doc("The sheet of a workbook, where several have rows.")] = None
    header_row: Annotated[int, Doc("The line of a sheet that names the columns; titles stand above it."), Bounds(1)] = 1
    fill_down: Annotated[
        list[str],
        Doc(
            "A column whose empty cells mean what stands above them; in XLSX those that are merged with it, where any are."
        ),
    ] = field(default_factory=lambda: [])
    skip_hidden: Annotated[
        bool,
        Doc("Leave out what is hidden in a workbook, by a filter too: rows and columns; else they are read as well."),
    ] = False
    by_date: Annotated[
        bool,
        Doc("A day stands for the period that it lies in: 30 June for June, where the element is reported by month."),
    ] = False
    decimal: Annotated[
        Literal[".", ","] | None,
        Doc("What stands before decimals; a point without it. After a comma 1,234 is refused, as it may be 1234."),
    ] = None

    @property
    def where(self) -> Where:
        """Where its rows stand."""
        return Where(self.sheet, self.header_row, tuple(self.fill_down), self.skip_hidden)

    def check_no_sheet(self) -> None:
        """Raise `UsageError` for what is said of a sheet where the rows come from a pipeline."""
        if self.fill_down:
            raise UsageError("rows of a pipeline are not filled down", hint="--fill-down is for a file")
        if self.where != Where():
            raise UsageError(
                "rows of a pipeline are no sheet", hint="--sheet, --header-row and --skip-hidden are for a file"
            )
