"""Who is there to be told something: where a verb's talk goes. Results never do."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Where a verb's talk goes; results never do."""

    def warn(self, message: str) -> None:
        """Something the user should know before trusting the result."""
        ...

    def note(self, message: str) -> None:
        """Something that has happened."""
        ...

    def progress(self, task: str, done: int, total: int | None) -> None:
        """How far long work has come."""
        ...


class SilentReporter:
    """Keeps warnings for whoever asks (MCP, tests)."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)

    def note(self, message: str) -> None:
        """Notes are not kept."""

    def progress(self, task: str, done: int, total: int | None) -> None:
        """Progress is not kept."""
