"""Days as people write them."""

from __future__ import annotations

import datetime as dt

from dhis2sh.errors import UsageError


def day(text: str) -> str:
    """A day as ISO 8601 writes it. Raises `UsageError` for anything else."""
    try:
        return dt.date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise UsageError(f"'{text}' is not a day", hint="year, month and day: 2026-01-31") from None
