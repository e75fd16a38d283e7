"""ISO 8601 intervals such as `2025-01-01/P1M`, as ADX and XML of 2.43 write periods."""

from __future__ import annotations

import datetime as dt
import re

from dhis2sh.dhis2.periods import PERIOD_TYPES, Period

_INTERVAL = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T00:00:00)?/P(\d{1,3})([DWMY])")
_DAY = dt.timedelta(days=1)


def period_of(text: str) -> Period | None:
    """The period that an interval is; None for what is none, and for one that no period type has."""
    found = _INTERVAL.fullmatch(text.strip())
    if found is None:
        return None
    try:
        start = dt.date.fromisoformat(found[1])
        end = _after(start, int(found[2]), found[3])
    except (ValueError, OverflowError):
        return None
    same = (kind for kind in PERIOD_TYPES if kind.start_of(start) == start and kind.end_of(start) == end - _DAY)
    return next((Period(kind, start) for kind in same), None)


def _after(start: dt.date, count: int, unit: str) -> dt.date:
    if unit in "MY":
        months = start.month - 1 + count * (12 if unit == "Y" else 1)
        return start.replace(year=start.year + months // 12, month=months % 12 + 1)
    return start + dt.timedelta(days=count * (7 if unit == "W" else 1))
