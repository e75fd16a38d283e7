"""Who is there: told what happens, and asked where a verb cannot know. Results go elsewhere.

The surfaces have theirs: a terminal, a notebook, and the way from the loop's thread to either of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol


class Person(Protocol):
    """Who is there. What is said returns at once; what is asked is awaited, and gives None where nobody can answer."""

    def warn(self, message: str) -> None:
        """Something the user should know before trusting the result."""
        ...

    def note(self, message: str) -> None:
        """Something about the result that it does not say itself: an agent is told of it too."""
        ...

    def step(self, message: str) -> None:
        """What is being done, of no meaning once it is over."""
        ...

    def progress(self, task: str, done: int, total: int | None) -> None:
        """How far long work has come."""
        ...

    async def ask(self, about: object, typed: str | None = None) -> bool | None:
        """Show something and ask for a yes.

        Parameters:
            about: what is shown, such as a plan.
            typed: a word that must be typed out for a yes.
        """
        ...

    async def secret(self, prompt: str) -> str | None:
        """Ask for a password or token, unseen; it never is an argument."""
        ...

    async def choose(self, about: str, words: Sequence[str], *, none: bool = True) -> str | None:
        """Ask which of some words it shall be, until it is one of them.

        Parameters:
            none: an empty answer is none of them (None too); otherwise no answer raises `Declined`.
        """
        ...

    async def edit(self, text: str) -> str | None:
        """Let somebody edit a text; gives what was left. Raises `UsageError` where the editor fails."""
        ...

    async def fill[R](self, form: Callable[[], Coroutine[Any, Any, R]]) -> R | None:
        """Show a form that takes the whole screen, and give what came of it; None where nobody is at a terminal.

        Parameters:
            form: runs the form, in the thread that has the terminal.
        """
        ...

    async def browse(self, address: str) -> bool | None:
        """Open an address in a browser; True where one was opened."""
        ...

    def read(self) -> str | None:
        """Standard input to its end, for a file called `-`; None where it is not the user's."""
        ...


class Nobody:
    """Nobody can answer: an agent, a test. Warnings are kept for whoever looks at them."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)

    def note(self, message: str) -> None:
        """Notes are not kept."""

    def step(self, message: str) -> None:
        """Steps are not kept."""

    def progress(self, task: str, done: int, total: int | None) -> None:
        """Progress is not kept."""

    async def ask(self, about: object, typed: str | None = None) -> bool | None:
        """Nobody says yes or no."""
        return None

    async def secret(self, prompt: str) -> str | None:
        """Nobody knows it."""
        return None

    async def choose(self, about: str, words: Sequence[str], *, none: bool = True) -> str | None:
        """Nobody chooses."""
        return None

    async def edit(self, text: str) -> str | None:
        """Nobody edits."""
        return None

    async def fill[R](self, form: Callable[[], Coroutine[Any, Any, R]]) -> R | None:
        """Nobody fills a form."""
        return None

    async def browse(self, address: str) -> bool | None:
        """Nobody looks."""
        return None

    def read(self) -> str | None:
        """Standard input is somebody else's."""
        return None


class Script(Nobody):
    """A script of the user's own: warnings are Python's."""

    def warn(self, message: str) -> None:
        """Warn by `warnings.warn`."""
        warnings.warn(message, stacklevel=2)
