"""The order of time: of periods by their identifiers, and by the names that an answer gives them; of days and moments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from dhis2sh.dhis2.periods import Period
from dhis2sh.errors import UsageError


def starts(values: Iterable[object], times: Mapping[str, str]) -> list[dt.datetime] | None:
    """When each of some periods, days or moments begins; None where one of them is nothing of the kind, or there are none.

    Parameters:
        values: identifiers (`202501`), names, days or moments.
        times: periods by their names, as of `Provenance`.
    """
    found: dict[str, dt.datetime | None] = {}
    told: list[dt.datetime] = []
    for value in values:
        text = str(value)
        if text not in found:
            found[text] = _start(times.get(text, text))
        if (start := found[text]) is None:
            return None
        told.append(start)
    return told or None


def _start(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.combine(Period.parse(text).start, dt.time())
    except UsageError:
        pass
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=None) if "-" in text else None
    except ValueError:
        return None
