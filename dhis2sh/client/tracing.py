"""`--debug`: one line per request on standard error, with nothing secret in it."""

from __future__ import annotations

import sys
from typing import TextIO

from dhis2sh.redact import redact


class Tracer:
    """Writes what is sent and what comes back, one line each.

    Parameters:
        out: where to; standard error when None.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    def note(self, line: str) -> None:
        """Write one line, redacted."""
        out = self._out or sys.stderr
        out.write(f"http  {redact(line)}\n")
        out.flush()
