"""Aggregate analytics as a source of a pull."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.analytics.pieces import Piece, ask

if TYPE_CHECKING:
    from dhis2sh.analytics.planning import Planned
    from dhis2sh.client.grids import Grid
    from dhis2sh.session import Session
    from dhis2sh.types import Row


def sorted_rows(grid: Grid, dimensions: Sequence[str], places: Mapping[str, Mapping[str, int]]) -> list[Row]:
    """The rows of a piece in the order of what was asked for: a server gives them in any. The grid's own rows are put in it.

    Parameters:
        dimensions: of the rows; places: where each item stands in its dimension.
    """
    at = {header.name: place for place, header in enumerate(grid.headers)}
    columns: list[list[int]] = []
    for name in dict.fromkeys(("pe", "dx", "ou", *dimensions)):
        if (place := at.get(name)) is None:
            continue
        uids = [str(cells[place]) for cells in grid.rows]
        known = dict(places.get(name, {}))
        known |= {uid: len(known) + late for late, uid in enumerate(sorted(set(uids) - known.keys()))}
        columns.append([known[uid] for uid in uids])
    keys = list(zip(*columns, strict=True))
    if keys:
        grid.rows = [grid.rows[at] for at in sorted(range(len(keys)), key=keys.__getitem__)]
    return list(grid.records())


class Numbers:
    """The pieces of a planned question.

    Parameters:
        s: whose server; plan: what is asked for.
    """

    title = "pull"

    def __init__(self, s: Session, plan: Planned) -> None:
        self._s, self.plan = s, plan
        self._keys: dict[Piece, str] = {}
        self._places = plan.places

    @property
    def stamp(self) -> str | None:
        """What the answers depend on besides the question."""
        return self.plan.stamp

    @property
    def parts(self) -> Sequence[Piece]:
        """The pieces."""
        return self.plan.pieces

    def key(self, part: Piece) -> str:
        """A digest of a piece."""
        if (key := self._keys.get(part)) is None:
            key = self._keys[part] = self.plan.key(part)
        return key

    def size(self, part: Piece) -> int:
        """The cells of a piece."""
        return self.plan.cells_of(part)

    async def ask(self, part: Piece, keep: Callable[[Sequence[Row]], None]) -> None:
        """The numbers of a piece, in the order of what was asked for: a server gives them in any."""
        plan = self.plan
        grid = await ask(self._s, plan.question, plan.asked(part), {**plan.params, "skipMeta": True})
        keep(sorted_rows(grid, list(plan.question.dimensions), self._places))

    async def smaller(self, part: Piece) -> Sequence[Piece]:
        """A piece in two."""
        return self.plan.halves(part)
