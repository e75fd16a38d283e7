"""A program in a pseudo-terminal, seen as a person sees it: a screen of rows, and keys to press."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pexpect
import pyte

BIN = Path(sys.executable).parent
KEYS = {
    "enter": "\r", "tab": "\t", "ctrl-c": "\x03", "ctrl-d": "\x04", "ctrl-l": "\x0c", "ctrl-r": "\x12",
    "ctrl-s": "\x13", "down": "\x1b[B", "escape": "\x1b",
}  # fmt: skip


class _Screen(pyte.Screen):
    """Answers where the cursor is when the program asks, as a terminal does."""

    answer: Callable[[str], object] = staticmethod(lambda data: None)

    def write_process_input(self, data: str) -> None:
        self.answer(data)


class Terminal:
    """Runs a program of this environment on a screen of `columns` x `rows`."""

    def __init__(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        columns: int = 120,
        rows: int = 36,
        cwd: str | None = None,
    ) -> None:
        self.screen = _Screen(columns, rows)
        self._stream = pyte.Stream(self.screen)
        whole = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(environment or {})}
        self.child = pexpect.spawn(
            str(BIN / words[0]), [*words[1:]], env=whole, encoding="utf-8", dimensions=(rows, columns), cwd=cwd
        )
        self.child.delaybeforesend = None
        self.screen.answer = self.child.send

    def press(self, *keys: str) -> None:
        """Press keys by name (`tab`, `ctrl-c`), or type a text."""
        for key in keys:
            self.child.send(KEYS.get(key, key))
            self.settle(0.05)

    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def settle(self, seconds: float = 0.3) -> None:
        """Draw what comes until nothing has come for so long."""
        while True:
            try:
                self._stream.feed(self.child.read_nonblocking(65536, timeout=seconds))
            except (pexpect.TIMEOUT, pexpect.EOF):
                return

    def see(self, wanted: str, seconds: float = 60.0) -> str:
        """Wait until a text is on the screen; returns the screen."""
        deadline = time.monotonic() + seconds
        while wanted not in self.text():
            assert time.monotonic() < deadline, f"{wanted!r} did not come:\n{self.text()}"
            self.settle(0.05)
        self.settle(0.1)
        return self.text()

    def gone(self, unwanted: str, seconds: float = 60.0) -> str:
        """Wait until a text is no longer on the screen; returns the screen."""
        deadline = time.monotonic() + seconds
        while unwanted in self.text():
            assert time.monotonic() < deadline, f"{unwanted!r} did not go:\n{self.text()}"
            self.settle(0.05)
        return self.text()

    def ended(self, seconds: float = 30.0) -> bool:
        """Has the program ended, or does it end soon?"""
        try:
            self.child.expect(pexpect.EOF, timeout=seconds)
        except pexpect.TIMEOUT:
            return False
        return True

    def close(self) -> None:
        """End the program."""
        self.child.close(force=True)
