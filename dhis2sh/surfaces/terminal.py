"""What surfaces with a person before them share: asking, choosing, and talk on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from dhis2sh import profiles, render

if TYPE_CHECKING:
    from dhis2sh.grammar import Invocation
    from dhis2sh.results import Plan


def interactive() -> bool:
    """Is somebody there to answer?"""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(plan: Plan, name: str | None) -> bool:
    """Show a plan and ask. With a name, that name must be typed (production profiles)."""
    print(render.text(plan), file=sys.stderr)
    sys.stderr.write(f"type {name} to write: " if name else "apply? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    return answer == name if name else answer.lower() in {"y", "yes"}


def ask_secret(prompt: str) -> str:
    """Ask for a password or token, unseen; it never is an argument."""
    import getpass

    return getpass.getpass(f"{prompt}: ")


async def pick_missing(invocation: Invocation) -> None:
    """A write that wants a profile's name and got none offers the known ones with the arrow keys."""
    if invocation.verb.effect == "read":
        return
    for param in invocation.verb.params:
        if param.complete == "profiles" and param.name not in invocation.arguments:
            from prompt_toolkit.shortcuts import choice

            known = profiles.all_profiles()
            options = [(name, f"{name}  {profile.url}") for name, profile in known.items()]
            import asyncio

            invocation.arguments[param.name] = await asyncio.to_thread(choice, "which profile?", options=options)


class TerminalReporter:
    """Warnings and progress on standard error; progress only where it is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}

    def warn(self, message: str) -> None:
        """One line that begins with `warning:`."""
        print(f"warning: {render.safe(message)}", file=sys.stderr, flush=True)

    def note(self, message: str) -> None:
        """One line."""
        print(render.safe(message), file=sys.stderr, flush=True)

    def progress(self, task: str, done: int, total: int | None) -> None:
        """Draw how far a task has come."""
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
        if task not in self._tasks:
            self._tasks[task] = self._bar.add_task(task, total=total)
        self._bar.update(self._tasks[task], completed=done, total=total)

    def done(self) -> None:
        """Take the bars away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._tasks = None, {}
