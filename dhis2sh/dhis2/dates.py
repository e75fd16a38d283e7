"""Dates as people write them, as servers take them, and as both compare them.

A server reads a date as a moment: `1994-01-01` is the beginning of that day, `1994` that of the year. It writes all of them
in one form, `1994-01-01T00:00:00.000`, in which texts compare like moments.
"""

from __future__ import annotations

import datetime as dt
import re

from dhis2sh.errors import UsageError

_MOMENT = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?)?)?")
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_FIRST_SERIAL, _LAST_SERIAL = 20_000, 80_000
"""Numbers of days since 1900 that are dates of 1954 to 2119 in a spreadsheet."""
_LEAST_EPOCH = 10**11
"""Milliseconds since 1970 from which a number is such a time."""


_WORDS = {"today": 0, "yesterday": -1, "tomorrow": 1}
_SPAN = re.compile(r"(\d{1,5})\s*([a-z]+)")
_MONTH, _YEAR = 30, 365
_DAYS = {"d": 1, "day": 1, "w": 7, "week": 7, "m": _MONTH, "mo": _MONTH, "month": _MONTH, "y": _YEAR, "year": _YEAR}
_HOURS = {"h", "hour"}


def spelled(text: str, today: dt.date | None = None) -> str:
    """`today`, `yesterday` and `tomorrow` as ISO 8601 writes that day; any other text as it is.

    Parameters:
        today: by whose calendar; that of this machine without it.
    """
    offset = _WORDS.get(text.strip().lower())
    if offset is None:
        return text
    return ((today or dt.datetime.now().astimezone().date()) + dt.timedelta(days=offset)).isoformat()


def day(text: str) -> str:
    """A day, or `today`, `yesterday`, `tomorrow`, as ISO 8601 writes it. Raises `UsageError` for anything else."""
    try:
        return dt.date.fromisoformat(spelled(text).strip()).isoformat()
    except ValueError:
        raise UsageError(f"'{text}' is not a day", hint="year, month and day: 2026-01-31, or today") from None


def span_of_days(text: str) -> int:
    """A time such as `6mo`, `90d`, `1y`, `6 months` in days; a month is 30 of them. Raises `UsageError`."""
    found = _span(text)
    if found is None or found % dt.timedelta(days=1):
        raise UsageError(f"'{text}' is no time", hint="90d, 6mo or 1y")
    return found.days


def _span(text: str) -> dt.timedelta | None:
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        return None
    number, unit = int(found[1]), found[2]
    if unit in _HOURS or unit.removesuffix("s") in _HOURS:
        return dt.timedelta(hours=number)
    days = _DAYS.get(unit) or _DAYS.get(unit.removesuffix("s"))
    return dt.timedelta(days=days * number) if days else None


def is_spoken(text: str) -> bool:
    """Does a moment depend on what time it is: `today`, `7d`?"""
    return text.strip().lower() in _WORDS or _span(text.strip().lower().removesuffix("ago")) is not None


def since(text: str, now: dt.datetime | None = None) -> str:
    """A moment from which on something is looked for, in the form in which servers write it.

    Parameters:
        text: a day or a day and a time; `today` or `yesterday`, the beginning of that day; `7d`, `2w`, `6mo`, `1y`, the
            beginning of the day so long ago; `12h`, so many hours ago.
        now: what time it is there; that of this machine without it.

    Raises `UsageError`.
    """
    at = now or dt.datetime.now()
    span = _span(text.strip().lower().removesuffix("ago"))
    try:
        if span is not None and span % dt.timedelta(days=1):
            return moment((at - span).replace(tzinfo=None, microsecond=0)) or ""
        written_ = spelled(text, at.date()) if span is None else (at - span).date().isoformat()
    except OverflowError:
        written_ = ""
    found = moment(written_.strip().replace(" ", "T", 1))
    if found is None:
        raise UsageError(f"'{text}' is no date", hint="2026-11-01, 2026-11-01T08:00, today, yesterday or 7d")
    return found


def moment(value: object) -> str | None:
    """The moment that a date is, in the form in which servers write it; None for what is no date without a zone.

    Parameters:
        value: a text such as `1994`, `1994-01-31` or `1994-01-31T12:30:00.000`, or a date of Python's.
    """
    if isinstance(value, dt.date):
        zone = getattr(value, "tzinfo", None)
        return None if zone else moment(value.isoformat())
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    year, month, of_month, *time, part = found.groups()
    hour, minute, second = (int(text or 0) for text in time)
    try:
        whole = dt.datetime(int(year), int(month or 1), int(of_month or 1), hour, minute, second)
    except ValueError:
        return None
    return f"{whole.isoformat()}.{(part or '').ljust(3, '0')[:3]}"


def written(value: object) -> str | int:
    """A date as a server takes it in an object: a day, or a day and a time.

    Parameters:
        value: a text, or milliseconds since 1970.

    Raises `ValueError` that says why it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= _LEAST_EPOCH:
        return value
    text = str(value).strip()
    if _WRITTEN.fullmatch(text):
        try:
            dt.datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"'{text}' is on no calendar") from None
        return text.replace(" ", "T")
    number = text.removesuffix(".0")
    if number.isascii() and number.isdigit() and _FIRST_SERIAL <= int(number) <= _LAST_SERIAL:
        meant = dt.date(1899, 12, 30) + dt.timedelta(days=int(number))
        raise ValueError(f"'{text}' is how a spreadsheet counts days: {meant.isoformat()}?")
    raise ValueError(f"'{text}' is not a date (year, month and day: 2026-01-31)")


def alike(left: object, right: object) -> tuple[object, object]:
    """Two values as they are compared: dates of which one has a time as moments, all others as they are.

    Raises `TypeError` for a date of Python's that has a zone: those of a server have none.
    """
    if isinstance(left, dt.date) or isinstance(right, dt.date):
        if any(getattr(value, "tzinfo", None) for value in (left, right)):
            raise TypeError("a date with a zone is compared with one that has none")
        return moment(left) or left, moment(right) or right
    if isinstance(left, str) and isinstance(right, str) and len(left) != len(right):
        longer = left if len(left) > len(right) else right
        if (
            len(longer) >= len("1994-01-01")
            and longer[4:5] == "-"
            and (one := moment(left))
            and (other := moment(right))
        ):
            return one, other
    return left, right
