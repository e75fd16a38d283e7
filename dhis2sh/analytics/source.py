"""Aggregate analytics as a source of a pull."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dhis2sh.analytics.pieces import Piece, ask

if TYPE_CHECKING:
    from dhis2sh.analytics.planning import Planned
    from dhis2sh.session import Session
    from dhis2sh.types import Row


class Numbers:
    """The pieces of a planned question.

    Parameters:
        s: whose server; plan: what is asked for.
    """

    title = "pull"

    def __init__(self, s: Session, plan: Planned) -> None:
        self._s, self.plan = s, plan

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
        return self.plan.key(part)

    def size(self, part: Piece) -> int:
        """The cells of a piece."""
        return self.plan.cells_of(part)

    async def ask(self, part: Piece, keep: Callable[[Sequence[Row]], None]) -> None:
        """The numbers of a piece, in the order of what was asked for: a server gives them in any."""
        plan = self.plan
        grid = await ask(self._s, plan.question, plan.asked(part), {**plan.params, "skipMeta": True})
        places = {name: {uid: at for at, uid in enumerate(items)} for name, items in plan.members.of.items()}

        def place(row: Row) -> list[tuple[int, str]]:
            found: list[tuple[int, str]] = []
            for name in ("pe", "dx", "ou", *plan.question.dimensions):
                uid = str(row.get(name, ""))
                found.append((places.get(name, {}).get(uid, len(places.get(name, {}))), uid))
            return found

        keep(sorted(grid.records(), key=place))

    async def smaller(self, part: Piece) -> Sequence[Piece]:
        """A piece in two."""
        return part.cut()
