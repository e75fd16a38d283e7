"""Periods as some answers write them: ISO 8601 intervals such as `2025-01-01/P1M` (ADX, and XML of 2.43), and objects."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from dhis2sh.dhis2.periods import PERIOD_TYPES, Period
from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue

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


def iso_in(value: JsonValue) -> str | None:
    """The ISO form of a period that is an object in an answer; None where the object does not say which it is.

    Up to 2.42 it is `{"id": "202408"}`. From 2.43 on audits, lock exceptions and validation results have its type and days
    instead, and `period[id]` gives `{}` (recorded): ask for `period[id,periodType,startDate,endDate]`.
    """
    if not isinstance(value, dict):
        return value if isinstance(value, str) else None
    kind, start, end = (value.get(name) for name in ("periodType", "startDate", "endDate"))
    if value.get("id"):
        return str(value["id"])
    if not (isinstance(kind, str) and isinstance(start, str)):
        return None
    try:
        return Period.of(kind, dt.date.fromisoformat(start[:10])).iso
    except (UsageError, ValueError):  # of a type that is not known here
        return f"{start[:10]}..{str(end or '')[:10]}"


def _after(start: dt.date, count: int, unit: str) -> dt.date:
    if unit in "MY":
        months = start.month - 1 + count * (12 if unit == "Y" else 1)
        return start.replace(year=start.year + months // 12, month=months % 12 + 1)
    return start + dt.timedelta(days=count * (7 if unit == "W" else 1))
