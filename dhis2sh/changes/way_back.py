"""How what was written is taken back, by the name of its writer: the journal keeps the name, `undo` finds the way here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.changes.plan import Plan
    from dhis2sh.session import Session


class TakesBack(Protocol):
    """Makes the plan that takes back what one kind of writer has written; registered by `takes_back`."""

    async def __call__(self, s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
        """The plan; its notes say what stays and why, and it is blocked where all of it does.

        Parameters:
            journal, entry: where what was written is kept.
            force: take back what somebody has changed again since, too.
        """
        ...


_TAKES_BACK: dict[str, TakesBack] = {}


def takes_back(*names: str) -> Callable[[TakesBack], TakesBack]:
    """Register how what the writers of these names have written is taken back. Raises `ValueError` for one that is known."""

    def declare(function: TakesBack) -> TakesBack:
        for name in names:
            if name in _TAKES_BACK:
                raise ValueError(f"it is known already how to take back what the writer '{name}' has written")
            _TAKES_BACK[name] = function
        return function

    return declare


def way_back(entry: Entry) -> TakesBack | None:
    """How an entry is taken back; None where nobody knows."""
    return _TAKES_BACK.get(entry.writer)
