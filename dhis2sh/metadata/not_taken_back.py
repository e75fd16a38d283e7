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
        self._edited: dict[str, tuple[str, str, int | None]] = {}
        self._overridden: list[str] = []
        self.stays: list[str] = []
        """What is not as it was before, and stays so."""
        self.of_others = False
        """Does some of it stay because somebody has changed it since, and no later entry of this journal?"""
        self.first: set[int] = set()
        """The later entries that have changed some of what stays."""
        self.left: dict[str, list[JsonObject]] = {}
        """What was created and somebody has edited since, by type."""

    def add(self, reason: str, about: str, *, stays: bool = False) -> None:
        """One more object that stays as it is, and maybe not as it was."""
        self._found.setdefault(reason, []).append(about)
        if stays:
            self.stays.append(f"{about}: {reason}")

    def override(self, about: str, how: str) -> None:
        """What somebody has changed since and goes all the same, since all was asked for: each by name, who and what."""
        self._overridden.append(f"{about} was changed since, and that goes: {how}")

    def edited(self, uid: str, changed: str, about: str, by: int | None = None) -> None:
        """A created object that somebody has changed, or a later entry: whether it stays, `settle` says."""
        self._edited[uid] = (changed, about, by)

    def kept(self, changed: str, about: str, by: int | None, force: str) -> None:
        """What stays as somebody, or a later entry, has made it.

        Parameters:
            force: what `--force` does to it.
        """
        whose = f" by entry {by}" if by is not None else ""
        self.add(f"{changed} was changed again since{whose}, it stays (--force {force} too)", about, stays=True)
        if by is None:
            self.of_others = True
        else:
            self.first.add(by)

    def settle(self, going: Collection[str]) -> None:
        """Say of what was edited that it stays, or that it goes: with what it belongs to its server deletes it anyhow."""
        for uid, (changed, about, by) in self._edited.items():
            if uid in going:
                self.add(f"{changed} was changed again since, it is deleted with what it belongs to", about)
            else:
                self.kept(changed, about, by, "deletes it")

    def lines(self) -> list[str]:
        """One line for each change of others that goes, and for each reason why something stays."""
        return [*self._overridden, *self._lines()]

    def _lines(self) -> list[str]:
        return [f"{reason}: {listed(about, NAMED)}" for reason, about in self._found.items()]
