"""What surfaces with a person before them share: questions and talk on standard error, an error in two lines."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dhis2sh import profiles
from dhis2sh.errors import Declined, NeedsConfirmation, UsageError, did_you_mean
from dhis2sh.surfaces import commands
from dhis2sh.surfaces.commands import carried
from dhis2sh.words import BOLD, RED, RESET, YELLOW, safe

if TYPE_CHECKING:
    from types import FrameType

    from dhis2sh.errors import Dhis2Error
    from dhis2sh.verbs.grammar import Invocation

SILENCE = 0.3
"""Seconds after which somebody wants to know that something is going on."""
OFTEN = 0.1
"""Seconds between two drawings of a bar in a notebook: each is a message that stays in its file."""
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def report(error: Dhis2Error) -> int:
    """Say what failed, and what to try, on standard error; returns the exit code."""
    if isinstance(error, NeedsConfirmation):
        print(drawn(error.plan, width=0), file=sys.stderr)
    label = "" if isinstance(error, Declined) else "error:"  # a no is no error
    say(label, carried(safe(" ".join(str(error).split()))), RED)
    if error.hint:
        hint = " ".join(line.strip() for line in carried(error.hint).splitlines())  # two blanks end a command, and stay
        say("  try:", safe(hint), BOLD)
    return int(error.exit_code)


def say(label: str, text: str, mark: str = "") -> None:
    """A line on standard error: on a terminal its label stands out, and it goes on below, further in, at a blank.

    Parameters:
        label: such as `error:`; empty for none.
        text: what is said, made safe.
        mark: how the label stands out.
    """
    line = f"{label} {text}" if label else text
    if sys.stderr.isatty():
        columns = shutil.get_terminal_size((80, 24)).columns
        if len(line) > columns:
            from textwrap import wrap  # start-up: few lines are longer than the screen

            further = " " * (len(line) - len(line.lstrip()) + 2)
            line = "\n".join(
                wrap(line, columns, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)
            )
        if label and mark and "NO_COLOR" not in os.environ:
            line = f"{mark}{label}{RESET}{line[len(label) :]}"
    print(line, file=sys.stderr, flush=True)


def drawn(result: object, *, width: int | None = None, colour: bool = False) -> str:
    """A result as text, as `dhis2sh.show.render.text` draws it; the commands in it name the profile that its line named."""
    from dhis2sh.show import render  # start-up: a shell shows nothing before its first prompt

    text = render.text(result, width=width, colour=colour)
    if not commands.worded(result):
        return text
    with commands.of_result(result):
        return carried(text)


def interactive() -> bool:
    """Is somebody there to answer?"""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(about: object, typed: str | None) -> bool:
    """Show something and ask for a yes; with a word, that word must be typed (production profiles)."""
    print(drawn(about, colour=sys.stderr.isatty() and "NO_COLOR" not in os.environ), file=sys.stderr)
    counted = str(getattr(about, "question", ""))  # of a plan
    what = f"{safe(counted)}; " if counted else ""
    profile = getattr(about, "target", None) or getattr(about, "made_for", None)  # of a plan that goes to a server
    where = f" on {safe(profile.name)}" if profile is not None else ""
    sys.stderr.write(f"{what}type {typed} to write: " if typed else f"{what}apply{where}? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    return answer == typed if typed else answer.lower() in {"y", "yes"}


def ask_secret(prompt: str) -> str:
    """Ask for a password or token, unseen; it never is an argument."""
    import getpass

    return getpass.getpass(f"{prompt}: ")


def edit(text: str) -> str:
    """Let the user edit a text in $VISUAL or $EDITOR; gives what was left. Raises `UsageError` where that fails."""
    import shlex
    import subprocess
    import tempfile
    from pathlib import Path

    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object.yaml"
        path.write_text(text, "utf-8")
        try:
            with interrupts(unheard):  # Ctrl-C is the editor's alone, which starts with the usual handler
                subprocess.run([*command, str(path)], check=True)  # noqa: S603  (the user's own editor)
        except (OSError, subprocess.CalledProcessError) as error:
            raise UsageError(f"the editor '{command[0]}' failed: {error}", hint="set EDITOR") from error
        return path.read_text("utf-8")


def unheard(number: int, frame: FrameType | None) -> None:
    """A signal that somebody else answers."""


@contextmanager
def interrupts(heard: Callable[[int, FrameType | None], None]) -> Generator[None]:
    """Ctrl-C inside goes to another handler: a loop that waits would only note the first one.

    Only the main thread has a say in it. A program that is started inside has the usual handler again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, heard)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def choose(about: str, words: Sequence[str], *, none: bool = True) -> str | None:
    """Ask which of some words it shall be, until an answer means one of them: a number, the word, or how it begins.

    Parameters:
        none: an empty answer is none of them; otherwise it is asked again, and `Declined` raised where nobody answers.
    """
    print(carried(safe(about)), file=sys.stderr)
    if len({word[:1].casefold() for word in words}) == len(words):
        prompt = "  ".join(f"[{word[0]}]{word[1:]}" for word in words)
    else:
        print("\n".join(f"  {number}  {safe(word)}" for number, word in enumerate(words, 1)), file=sys.stderr)
        prompt = "number or name"
    while True:
        sys.stderr.write(f"{safe(prompt)} ? ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        answer = line.strip()
        if not answer and none:
            return None
        if not line:
            raise Declined(safe(about))
        meant = _meant(answer, words, least=1 if none else LEAST_LETTERS)
        if len(meant) == 1:
            return meant[0]
        near = f"which of them: {', '.join(meant)}?" if meant else did_you_mean(answer, words)
        print(safe(f"'{answer}': {near or 'none of these'}" if answer else "say one of these"), file=sys.stderr)


LEAST_LETTERS = 3
"""So many letters begin a word where an answer is needed: `n` for no is not `new`."""


def _meant(answer: str, words: Sequence[str], *, least: int) -> list[str]:
    """What an answer may mean: the word itself, else that of its number, else all that its letters begin, if not too few."""
    typed = answer.casefold()
    if whole := [word for word in words if word.casefold() == typed]:
        return whole
    if answer.isdecimal() and 1 <= int(answer) <= len(words):
        return [words[int(answer) - 1]]
    return [word for word in words if len(typed) >= least and word.casefold().startswith(typed)]


def pick_missing(invocation: Invocation) -> None:
    """A write that wants a profile's name and got none offers the known ones with the arrow keys. Waits for the choice."""
    if invocation.verb.effect == "read":
        return
    for param in invocation.verb.params:
        if param.complete == "profiles" and param.name not in invocation.arguments:
            from prompt_toolkit.shortcuts import choice

            options = [(name, f"{name}  {profile.url}") for name, profile in profiles.all_profiles().items()]
            invocation.arguments[param.name] = choice("which profile?", options=options)


class Terminal:
    """Whoever is at the terminal: talk on standard error, bars and questions only where somebody is there."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}
        self._spins = ""
        """The sign of life that is shown."""

    def warn(self, message: str) -> None:
        """One line that begins with `warning:`."""
        self.quiet()
        say("warning:", carried(safe(message)), YELLOW)

    def note(self, message: str) -> None:
        """One line."""
        self.quiet()
        say("", carried(safe(message)))

    def step(self, message: str) -> None:
        """One line, as of a note."""
        self.note(message)

    def progress(self, task: str, done: int, total: int | None) -> None:
        """Draw how far a task has come."""
        if not sys.stderr.isatty():
            return
        self.quiet()
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
        if task not in self._tasks:
            self._tasks[task] = self._bar.add_task(task, total=total)
        counted = f"{task}: {done:,}" if done and total is None else task  # of what has no end the number moves
        self._bar.update(self._tasks[task], completed=done, total=total, description=counted)

    async def ask(self, about: object, typed: str | None = None) -> bool | None:
        """Show something and ask for a yes, or for a word."""
        return await self.put(ask, about, typed)

    async def secret(self, prompt: str) -> str | None:
        """Ask for a password or token, unseen."""
        return await self.put(ask_secret, prompt)

    async def choose(self, about: str, words: Sequence[str], *, none: bool = True) -> str | None:
        """Ask which of some words it shall be. Raises `Declined` for no answer where one is needed."""
        return await self.put(choose, about, words, none=none)

    async def edit(self, text: str) -> str | None:
        """Open the user's editor. Raises `UsageError` where it fails."""
        return await self.put(edit, text)

    async def fill[R](self, form: Callable[[], Coroutine[Any, Any, R]]) -> R | None:
        """Give the screen to a form; None where no screen is."""
        if not (interactive() and sys.stdout.isatty()):
            return None
        self.done()
        return await form()

    async def browse(self, address: str) -> bool | None:
        """Open an address in the user's browser."""
        import webbrowser

        return await self.put(webbrowser.open, address)

    def read(self) -> str | None:
        """Standard input to its end."""
        with interrupts(signal.default_int_handler):
            return sys.stdin.read()

    async def put[**P, R](self, question: Callable[P, R], *args: P.args, **options: P.kwargs) -> R | None:
        """Put a question in the thread that has the terminal; None where nobody is there."""
        return await self.wait_for(functools.partial(question, *args, **options)) if interactive() else None

    async def wait_for[R](self, question: Callable[[], R]) -> R | None:
        """The answer to a question, which has the terminal for itself and is waited for in this thread."""
        self.done()
        with interrupts(signal.default_int_handler):
            return question()

    def waiting(self, seconds: float | None) -> None:
        """A sign of life while nothing else is shown: how long an answer has been waited for. None takes it away.

        Parameters:
            seconds: since when nothing was heard; nothing is drawn before `SILENCE`.
        """
        if seconds is None:
            self.quiet()
        elif seconds >= SILENCE and self._bar is None and sys.stderr.isatty():
            columns = shutil.get_terminal_size((80, 24)).columns
            turn = SPINNER[int(seconds * 4) % len(SPINNER)]
            text = f"{turn} waiting for an answer, {int(seconds)} s (Ctrl-C stops)"[: columns - 1]
            if text != self._spins:
                sys.stderr.write(f"\r\x1b[2K{text}")
                sys.stderr.flush()
                self._spins = text

    def quiet(self) -> None:
        """Take the sign of life away: something is shown, or all is done."""
        if self._spins:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._spins = ""

    def done(self) -> None:
        """Take the bars away."""
        self.quiet()
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._tasks = None, {}


class Notebook(Terminal):
    """Whoever looks at a notebook: warnings on standard error; progress as one bar in the cell, taken away at the end."""

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None
        self._drawn_at = 0.0

    def note(self, message: str) -> None:
        """One line; standard error would be on red."""
        self.quiet()
        print(carried(safe(message)), flush=True)

    def progress(self, task: str, done: int, total: int | None) -> None:
        """Draw how far a task has come; the same place of the cell is drawn again, at most ten times a second."""
        now = time.monotonic()
        if now - self._drawn_at < OFTEN and done != total:
            return
        self._drawn_at, self._spins = now, ""
        self._draw(Bar(task, done, total))

    def waiting(self, seconds: float | None) -> None:
        """A sign of life in the cell, drawn anew each second; a bar is sign enough."""
        now = time.monotonic()
        if seconds is None:
            self.quiet()
        elif seconds >= SILENCE and now - self._drawn_at >= 1:
            self._drawn_at = now
            self._spins = "shown"
            self._draw(Bar("waiting for an answer, seconds", int(seconds), None))

    def quiet(self) -> None:
        """Take the sign of life away."""
        if self._spins:
            self.done()

    def _draw(self, shown: Bar) -> None:
        from IPython.display import DisplayHandle

        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(shown)
        else:
            self._handle.update(shown)

    def done(self) -> None:
        """Take the bar away."""
        self._spins = ""
        if self._handle is not None:
            self._handle.update(Bar("", 0, None))
            self._handle = None
            self._drawn_at = 0.0


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
