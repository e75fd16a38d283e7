"""`--debug`: one line per request on standard error, with nothing secret in it."""

from __future__ import annotations

import re
import sys
from typing import TextIO

_SECRETS = (
    (re.compile(r"(://)[^/@\s]+@"), r"\1***@"),
    (re.compile(r"(?i)([?&](?:password|token|secret|code|access_token|refresh_token)=)[^&\s]*"), r"\1***"),
    (re.compile(r"\bd2p(?:at)?_\w+"), "d2p_***"),
    (re.compile(r"(?i)\b(basic|bearer|apitoken)\s+[\w.~+/=-]{6,}"), r"\1 ***"),
    (re.compile(r'(?i)("(?:password|secret|token|refresh_token|access_token)"\s*:\s*")[^"]*'), r"\1***"),
)


def redact(text: str) -> str:
    """The text with credentials, tokens and passwords replaced by `***`."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


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
