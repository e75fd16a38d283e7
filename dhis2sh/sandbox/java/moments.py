"""Moments as the server writes them: UTC without a zone, to the millisecond."""

from __future__ import annotations

import datetime as dt


def text_of(moment: dt.datetime) -> str:
    """A moment in UTC as DHIS2 writes it."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def now() -> str:
    """The current time as DHIS2 writes it."""
    return text_of(dt.datetime.now(dt.UTC))
