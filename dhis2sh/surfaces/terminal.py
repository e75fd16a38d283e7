"""What surfaces with a person before them share: asking, choosing, and talk on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dhis2sh import profiles
from dhis2sh.words import safe

if TYPE_CHECKING:
    from types import FrameType

    from dhis2sh.changes.plan import Plan
    from dhis2sh.verbs.grammar import Invocation


def interactive() -> bool:
    """Is somebody there to answer?"""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(plan: Plan, name: str | None) -> bool:
    """Show a plan and ask. With a name, that name must be typed (production profiles)."""
    from dhis2sh.show import render

    print(render.text(plan), file=sys.stderr)
    sys.stderr.write(f"type {name} to write: " if name else "apply? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    return answer == name if name else answer.lower() in {"y", "yes"}


def ask_secret(prompt: str) -> str:
    """Ask for a password or token, unseen; it never is an argument."""
    import getpass

    return getpass.getpass(f"{prompt}: ")


def edit(text: str) -> str:
    """Let the user edit a text in $VISUAL or $EDITOR; gives what was left. Raises `UsageError` where that fails."""
    import os
    import shlex
    import subprocess
    import tempfile
    from pathlib import Path

    from dhis2sh.errors import UsageError

    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object.yaml"
        path.write_text(text, "utf-8")
        try:
            with _without_interrupts():
                subprocess.run([*command, str(path)], check=True)  # noqa: S603  (the user's own editor)
        except (OSError, subprocess.CalledProcessError) as error:
            raise UsageError(f"the editor '{command[0]}' failed: {error}", hint="set EDITOR") from error
        return path.read_text("utf-8")


def _unheard(number: int, frame: FrameType | None) -> None:
    """A signal that somebody else answers."""


@contextmanager
def _without_interrupts() -> Generator[None]:
    """Ctrl-C inside is the other program's alone, which starts with the usual handler."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _unheard)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def choose(about: str, words: Sequence[str]) -> str | None:
    """Ask which of some words it shall be; an empty answer is none of them."""
    print(safe(about), file=sys.stderr)
    sys.stderr.write(f"{'  '.join(f'[{word[0]}]{word[1:]}' for word in words)} ? ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    return next((word for word in words if answer and word.startswith(answer)), None)


def pick_missing(invocation: Invocation) -> None:
    """A write that wants a profile's name and got none offers the known ones with the arrow keys. Waits for the choice."""
    if invocation.verb.effect == "read":
        return
    for param in invocation.verb.params:
        if param.complete == "profiles" and param.name not in invocation.arguments:
            from prompt_toolkit.shortcuts import choice

            options = [(name, f"{name}  {profile.url}") for name, profile in profiles.all_profiles().items()]
            invocation.arguments[param.name] = choice("which profile?", options=options)


class TerminalReporter:
    """Warnings and progress on standard error; progress only where it is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}

    def warn(self, message: str) -> None:
        """One line that begins with `warning:`."""
        print(f"warning: {safe(message)}", file=sys.stderr, flush=True)

    def note(self, message: str) -> None:
        """One line."""
        print(safe(message), file=sys.stderr, flush=True)

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

    def quietly[**P, R](self, function: Callable[P, R]) -> Callable[P, R]:
        """A function that has the terminal for itself: the bars are taken away first."""

        def call(*args: P.args, **options: P.kwargs) -> R:
            self.done()
            return function(*args, **options)

        return call

    def done(self) -> None:
        """Take the bars away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._tasks = None, {}


class NotebookReporter(TerminalReporter):
    """Warnings on standard error; progress as one bar in the cell, taken away at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None

    def progress(self, task: str, done: int, total: int | None) -> None:
        """Draw how far a task has come; the same place of the cell is drawn again."""
        from IPython.display import DisplayHandle

        shown = Bar(task, done, total)
        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(shown)
        else:
            self._handle.update(shown)

    def done(self) -> None:
        """Take the bar away."""
        if self._handle is not None:
            self._handle.update(Bar("", 0, None))
            self._handle = None


@dataclass(frozen=True, slots=True)
class Bar:
    """How far a task has come, as a notebook shows it; without a task, nothing."""

    task: str
    done: int
    total: int | None

    def _repr_html_(self) -> str:
        if not self.task:
            return ""
        from html import escape

        bar = f'<progress value="{self.done}" max="{self.total}"></progress>' if self.total else "<progress></progress>"
        return f"<div>{bar} {escape(repr(self))}</div>"

    def __repr__(self) -> str:
        if not self.task:
            return ""
        return f"{safe(self.task)}: {self.done:,}" + (f" of {self.total:,}" if self.total else "")
