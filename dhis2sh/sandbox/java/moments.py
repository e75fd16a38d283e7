"""Moments as the server writes them: UTC without a zone, to the millisecond."""

from __future__ import annotations

import datetime as dt
import re

_ISO = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d(?::?\d\d(?::?\d\d(?:\.\d{1,6})?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?)?)?")


def text_of(moment: dt.datetime) -> str:
    """A moment in UTC as DHIS2 writes it."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def now() -> str:
    """The current time as DHIS2 writes it."""
    return text_of(dt.datetime.now(dt.UTC))


def moment_of(text: str) -> str:
    """A moment from ISO text, as DHIS2 writes it: a year, a month, a day, or a day and a time. Raises `ValueError`."""
    if not _ISO.fullmatch(text):
        raise ValueError(f"no date: {text}")
    whole = f"{text}-01-01"[:10] if len(text) == 4 else f"{text}-01" if len(text) == 7 else text
    moment = dt.datetime.fromisoformat(whole)
    return text_of(moment.astimezone(dt.UTC) if moment.tzinfo is not None else moment)
