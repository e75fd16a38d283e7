"""A pager for what does not fit the screen, on a terminal only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from dhis2sh.surfaces.terminal import interrupts, unheard

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def fits(text: str) -> bool:
    """Does a text fit the terminal, a line for the next prompt included?"""
    columns, rows = shutil.get_terminal_size((80, 24))
    needed = 0
    for line in text.splitlines():
        needed += max(1, -(-len(_ESCAPES.sub("", line)) // columns))
        if needed > rows - 2:
            return False
    return True


def wide(text: str) -> bool:
    """Has a text lines that are longer than the screen?"""
    columns = shutil.get_terminal_size((80, 24)).columns
    return any(len(line) > columns and len(_ESCAPES.sub("", line)) > columns for line in text.splitlines())


def command(*, scrolls: bool = False) -> list[str] | None:
    """The pager: `DHIS2SH_PAGER`, `PAGER`, else less, which leaves on the screen what was shown. None where there is none or
    where it is set to nothing.

    Parameters:
        scrolls: lines are longer than the screen; `less -F` would leave at once. All other lines are folded, and nothing of them is hidden.
    """
    chosen = os.environ.get("DHIS2SH_PAGER", os.environ.get("PAGER", "less -RSX" if scrolls else "less -FRX"))
    words = chosen.split()
    return words if words and shutil.which(words[0]) else None


def typed_ahead() -> bool:
    """Has somebody gone on typing on the terminal? It is left there, for the next prompt."""
    try:
        import select  # start-up: for a pager only
        import termios  # start-up: as above
        import tty  # start-up: as above
    except ImportError:
        return False  # Windows: nobody could tell
    try:
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
    except (OSError, ValueError, termios.error):
        return False  # no terminal
    try:
        tty.setcbreak(terminal, termios.TCSANOW)  # line by line, a line without its end would not be seen
        return bool(select.select([terminal], [], [], 0)[0])
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)


def show(text: str, *, wanted: bool = True, scrolls: bool = False) -> None:
    """Print a text, through the pager when it does not fit, somebody looks at a terminal and has not typed on.

    Parameters:
        text: what to show.
        wanted: False prints it whatever its size.
        scrolls: it is a table, whose lines are not to be folded where they are longer than the screen.
    """
    scrolls = scrolls and wide(text)
    pager = command(scrolls=scrolls) if wanted and sys.stdout.isatty() and (scrolls or not fits(text)) else None
    if pager is None or typed_ahead():  # a pager would take the next line for its own commands: some run programs
        print(text)
        return
    environment = {
        "LESSSECURE": "1",  # what is typed ahead reaches the pager: `s` and `|` would write files and run commands
        **os.environ,
        "LESS": os.environ.get("LESS", "-RSX" if scrolls else "-RX"),
        "LESSCHARSET": "utf-8",
    }
    with interrupts(unheard), subprocess.Popen(pager, stdin=subprocess.PIPE, env=environment) as process:  # noqa: S603  (the user's own)
        process.communicate(f"{text}\n".encode())  # where it is left before the end, that is all
