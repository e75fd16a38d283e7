"""Somebody who answers as a test says, and remembers what was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dhis2sh.person import Nobody


class Somebody(Nobody):
    """A person of a test.

    Parameters:
        agrees: the answer to a plan.
        knows: every password and token.
        chooses: of the words that are offered.
        edits: what becomes of a text.
        reads: what standard input holds.
    """

    def __init__(
        self,
        *,
        agrees: bool | None = None,
        knows: str | None = None,
        chooses: str | None = None,
        edits: Callable[[str], str] | None = None,
        reads: str | None = None,
    ) -> None:
        super().__init__()
        self.agrees, self.knows, self.chooses, self.edits, self.reads = agrees, knows, chooses, edits, reads
        self.asked: list[object] = []
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    async def ask(self, about: object, typed: str | None = None) -> bool | None:
        self.asked.append((about, typed))
        return self.agrees

    async def secret(self, prompt: str) -> str | None:
        self.asked.append(prompt)
        return self.knows

    async def choose(self, about: str, words: Sequence[str], *, none: bool = True) -> str | None:
        self.asked.append(about)
        return self.chooses

    async def edit(self, text: str) -> str | None:
        self.asked.append(text)
        return self.edits(text) if self.edits else None

    def read(self) -> str | None:
        return self.reads
