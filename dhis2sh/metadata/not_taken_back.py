"""What an undo does not take back, in words."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from dhis2sh.metadata.writes import NAMED
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject


class Notes:
    """What is not taken back: for each reason the first few objects by name, and how many more."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._edited: dict[str, tuple[str, str]] = {}
        self.stays: list[str] = []
        """What is not as it was before, and stays so."""
        self.force_helps = False
        """Does some of it stay because somebody has changed it since?"""
        self.left: dict[str, list[JsonObject]] = {}
        """What was created and somebody has edited since, by type."""

    def add(self, reason: str, about: str, *, stays: bool = False) -> None:
        """One more object that stays as it is, and maybe not as it was."""
        self._found.setdefault(reason, []).append(about)
        if stays:
            self.stays.append(f"{about}: {reason}")

    def edited(self, uid: str, changed: str, about: str) -> None:
        """A created object that somebody has changed: whether it stays, `settle` says."""
        self._edited[uid] = (changed, about)

    def settle(self, going: Collection[str]) -> None:
        """Say of what was edited that it stays, or that it goes: with what it belongs to its server deletes it anyhow."""
        for uid, (changed, about) in self._edited.items():
            if uid in going:
                self.add(f"{changed} was changed again since, it is deleted with what it belongs to", about)
            else:
                self.add(f"{changed} was changed again since, it stays (--force deletes it too)", about, stays=True)
                self.force_helps = True

    def lines(self) -> list[str]:
        """One line for each reason."""
        return [f"{reason}: {listed(about, NAMED)}" for reason, about in self._found.items()]
