"""Outlier tables: the server's own search, as a saved visualization asks for it.

API source: `GET /api/analytics/outlierDetection` (recorded: analytics-outliers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.client.grids import Grid
from dhis2sh.errors import UsageError
from dhis2sh.show.pivots import Cell, Head, Pivot

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.pictures.definitions import Definition
    from dhis2sh.session import Session

IDENTIFIERS = {"dx", "pe", "ou", "coc", "aoc", "aocname", "ounamehierarchy"}


async def table_of(s: Session, found: Definition) -> Pivot:
    """The outliers that a definition asks for, as a table. Raises `UsageError`, `Refused`."""
    items = {one.name: ",".join(one.items) for one in found.dimensions()}
    if not all(items.get(name) for name in ("dx", "pe", "ou")):
        raise UsageError(f"'{found.name}' lacks data, periods or units", hint="dhis2 metadata visualizations describe")
    params: dict[str, Param] = {**items, **found.outliers}
    grid = Grid.of(await s.client.get("analytics/outlierDetection", params))
    kept = [at for at, header in enumerate(grid.headers) if header.name.lower() not in IDENTIFIERS]
    heads = tuple(Head((grid.headers[at].column or grid.headers[at].name,)) for at in kept[1:])
    rows = [list(row) for row in grid.rows]
    labels = tuple(Head((str(row[kept[0]]),)) for row in rows) if kept else ()
    cells = tuple(tuple(Cell(_cell(row[at])) for at in kept[1:]) for row in rows)
    corner = (grid.headers[kept[0]].column or "",) if kept else ("",)
    return Pivot(
        corner, heads, labels, cells, found.look.title or found.name, found.look.subtitle, notes=found.look.not_drawn
    )


def _cell(value: object) -> float | str | None:
    try:
        return float(str(value))
    except ValueError:
        return str(value) if value not in (None, "") else None
