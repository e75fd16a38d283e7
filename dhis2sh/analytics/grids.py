"""Grids of events, enrollments and entities as typed rows, page by page.

What these grids say otherwise than they mean (recorded): a boolean is 1 or 0, a moment has a blank in place of its T, and
what has no geometry lies at 0.0, 0.0.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.analytics.pieces import with_advice
from dhis2sh.dhis2 import value_types
from dhis2sh.errors import BrokenAnswer, Refused

if TYPE_CHECKING:
    from dhis2sh.client.grids import Grid, GridHeader
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonValue, Row

PAGE = 5_000
"""Rows of one page."""
IDENTIFIERS = {
    "events": ("psi",), "enrollments": ("pi",), "trackedEntities": ("trackedentity", "trackedentityinstanceuid"),
}  # fmt: skip
"""What the column that tells rows apart is called; that of entities otherwise up to 2.41 (recorded)."""
REFERENCES = {"ps", "pe", "ou"}
"""Columns of fixed name whose cells are identifiers."""


@dataclass(slots=True)
class Labels:
    """What the columns of a grid are called: by the name of their item, where names are wanted.

    Parameters:
        names: names are wanted.
        of: column by header.
    """

    names: bool
    of: dict[str, str] = field(default_factory=dict[str, str])

    def learn(self, grid: Grid) -> None:
        """Name the columns of a grid: items by name, and with their UID where two have one name."""
        named = {header.name: self._name(grid, header) for header in grid.headers}
        counts = list(named.values())
        taken = {header.name for header in grid.headers}
        for header, name in named.items():
            alone = counts.count(name) == 1 and (name == header or name not in taken)
            self.of[header] = name if alone else f"{name} ({header})"

    def _name(self, grid: Grid, header: GridHeader) -> str:
        fixed = header.name.isalpha() and header.name.islower()
        return header.name if fixed or not self.names else header.column or grid.meta_data.name_of(header.name)

    def columns(self, grid: Grid) -> list[str]:
        """The columns of rows, in order."""
        found: list[str] = []
        for header in grid.headers:
            found.append(self.of[header.name])
            if self.beside(header):
                found.append(f"{self.of[header.name]}Name")
        return found

    def beside(self, header: GridHeader) -> bool:
        """Does a column of names stand beside? Units may have one of the server's."""
        reference = header.name in REFERENCES and f"{header.name}name" not in self.of
        return self.names and (reference or bool(header.option_set))


def typed(grid: Grid, labels: Labels) -> list[Row]:
    """The rows of a grid, by label; numbers, booleans and moments as what they are, what is empty as null."""
    meta = grid.meta_data
    options = {item.code: item.name for item in meta.items.values() if item.code and item.name}
    found: list[Row] = []
    for cells in grid.rows:
        row: Row = {}
        placed = _is_placed(grid, cells)
        for header, cell in zip(grid.headers, cells, strict=True):
            value = None if header.name in {"longitude", "latitude"} and not placed else value_of(header, cell)
            row[labels.of[header.name]] = value
            if labels.beside(header):
                told = "" if value is None else str(value)
                name = options.get(told, told) if header.option_set else meta.name_of(told)
                row[f"{labels.of[header.name]}Name"] = name or None
        found.append(row)
    return found


def _is_placed(grid: Grid, cells: Sequence[object]) -> bool:
    """Has a row a place? Where the grid has no column of geometry, its longitude and latitude are believed."""
    at = next((at for at, header in enumerate(grid.headers) if header.name == "geometry"), None)
    return at is None or bool(cells[at])


def value_of(header: GridHeader, cell: object) -> JsonValue:
    """A cell as what its column is of."""
    if cell in (None, ""):
        return None
    kind = header.value_type or "TEXT"
    if kind in value_types.NUMERIC and not header.option_set:
        number = value_types.number(cast("JsonValue", cell))
        return int(number) if isinstance(number, float) and number.is_integer() else number
    if kind in {"BOOLEAN", "TRUE_ONLY"} and not header.option_set:
        return {"1": True, "0": False, "true": True, "false": False}.get(str(cell).lower(), str(cell))
    if kind == "DATETIME" and isinstance(cell, str) and cell[10:11] == " ":
        day, _, time = cell.partition(" ")
        seconds, _, fraction = time.partition(".")
        return f"{day}T{seconds}.{fraction[:3]:0<3}"
    return cast("JsonValue", cell)


async def pages(
    s: Session,
    of: str,
    dimensions: Sequence[str],
    filters: Sequence[str],
    params: Mapping[str, Param],
    *,
    limit: int | None,
    size: int = PAGE,
) -> AsyncGenerator[Grid]:
    """The pages of a query.

    Parameters:
        of: `events/query/<program>` and the like.
        limit: stop after so many rows; size: rows of one page.

    Raises `Refused`, and `BrokenAnswer` where two pages hold the same row: the server gives rows without an order as it
    likes, so that others would be missing.
    """
    identifiers = IDENTIFIERS[of.partition("/")[0]]
    seen: set[str] = set()
    number, left = 1, limit
    while left is None or left > 0:
        asked: dict[str, Param] = {**params, "page": number, "pageSize": size, "totalPages": False}
        try:
            grid = await s.client.analytics.query(list(dimensions), filters=list(filters), of=of, params=asked)
        except Refused as error:
            raise with_advice(error) from error
        last = _is_last(grid, size)
        at = next((at for at, header in enumerate(grid.headers) if header.name in identifiers), None)
        if at is not None:
            fresh = {str(cells[at]) for cells in grid.rows}
            if seen & fresh:
                raise BrokenAnswer(
                    f"page {number} holds rows of the pages before it: the server changed their order in between",
                    hint="--asc with a column that tells rows apart, or a larger --page-size",
                )
            seen |= fresh
        if left is not None:
            grid.rows = grid.rows[:left]
            left -= len(grid.rows)
        yield grid
        if last:
            return
        number += 1


def _is_last(grid: Grid, size: int) -> bool:
    """Whether nothing follows a page, by its pager, or where that does not say by its length."""
    pager = grid.meta_data.pager or {}
    if "isLastPage" in pager:
        return bool(pager["isLastPage"]) or not grid.rows
    if pager.get("pageCount") is not None:
        return int(cast("int", pager.get("page") or 1)) >= int(cast("int", pager["pageCount"]))
    return len(grid.rows) < size
