"""Standard output: what is printed is written as a whole, or it is said that it was not.

Python itself does not look. Where it does not buffer (`PYTHONUNBUFFERED`, as in most containers) a write that took a part of
the text counts as done; where it does, a full disk is met when the process ends, behind the last line that could say so.
"""

from __future__ import annotations

import io
import os
import sys

from dhis2sh.errors import NotWritten

TYPE_CHECKING = False  # as in `dhis2sh`: the front door waits for this file

if TYPE_CHECKING:
    from collections.abc import Buffer, Callable
    from typing import Any, NoReturn, TextIO


class Lost(OSError):
    """Standard output takes no more; `told` says so as an error of ours."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.errno, error.strerror)
        self.told = NotWritten.of("standard output", error, elsewhere="--out FILE")


class Whole(io.RawIOBase):
    """A file that is open already. A write ends when all of it is written; the first that fails raises, and what follows is dropped:
    Python would say the same again when the process ends, in words of its own.

    Parameters:
        descriptor: of the file, -1 for one that is closed.
        talk: it is standard error: where nobody can be told, the work goes on, and nothing is raised.
    """

    def __init__(self, descriptor: int, *, talk: bool = False) -> None:
        super().__init__()
        self._descriptor, self._talk = descriptor, talk
        self.failed: OSError | None = None
        """Why it takes no more: `Lost`, or `BrokenPipeError` where the reader has gone away."""

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """Its descriptor, for who starts a program that writes into it."""
        return self._descriptor

    def write(self, text: Buffer, /) -> int:
        """Write all of it; returns how many bytes those are. Raises `Lost` and `BrokenPipeError`, each once."""
        size = len(memoryview(text).cast("B"))
        done = 0
        while done < size and self.failed is None:
            try:
                done += os.write(self._descriptor, memoryview(text).cast("B")[done:])
            except BlockingIOError:  # a pipe that somebody has made so, and that is full
                import select  # start-up: few pipes are

                select.select([], [self._descriptor], [])
            except OSError as error:
                self.failed = error if isinstance(error, BrokenPipeError) else Lost(error)
                if not self._talk:
                    raise self.failed from error
        return size


def _watched(stream: TextIO | None, name: str) -> Whole | None:
    """What is below a standard stream from now on; None where a terminal shows it, or where somebody has put another in its place."""
    if stream is not None and (stream.isatty() or getattr(stream, "name", None) != f"<{name}>"):
        return None
    if stream is not None:
        stream.flush()  # what somebody has printed before us
    raw = Whole(stream.fileno() if stream else -1, talk=name == "stderr")
    at_once = name == "stderr" or isinstance(getattr(stream, "buffer", None), io.RawIOBase)
    below: Any = raw if at_once else io.BufferedWriter(raw)
    encoding, errors = (stream.encoding, stream.errors) if stream is not None else ("utf-8", None)
    setattr(sys, name, io.TextIOWrapper(below, encoding, errors, newline="\n", write_through=at_once))
    return raw


def carry_out(command: Callable[[], int | None]) -> NoReturn:
    """Run a command with its standard output watched, and end the process: with its exit code, and never with 0 where what it has
    printed was lost, which is said.

    Parameters:
        command: what to run; its exit code is what it returns (None for 0), or that of a `SystemExit`.
    """
    output = _watched(sys.stdout, "stdout")
    _watched(sys.stderr, "stderr")
    try:
        code = command() or 0
    except SystemExit as ended:  # of argparse, or of `exit` at the prompt
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        code = ended.code or 0
    try:
        sys.stdout.flush()
    except (OSError, ValueError):  # `failed` has it, where it is about standard output
        output = output or None
    if output is not None and isinstance(output.failed, Lost):
        from dhis2sh.surfaces.terminal import report  # start-up: the disk is full

        told = report(output.failed.told)
        code = code or told
    sys.exit(code)
