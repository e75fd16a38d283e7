"""Periods as people write them: DHIS2's own form, months by name, ranges, and relative ones in words."""

from __future__ import annotations

import re
from functools import lru_cache

from dhis2sh.dhis2.intervals import period_of
from dhis2sh.dhis2.periods import Period, RelativePeriod
from dhis2sh.errors import UsageError, did_you_mean

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED_MONTH = re.compile(r"([A-Za-z]{3,9})\.?[ \-/]*(\d{4}|\d{2})")
_YEAR_AND_NAME = re.compile(r"(\d{4})[ \-/]+([A-Za-z]{3,9})\.?")
_NUMBERED_MONTH = re.compile(r"(0?[1-9]|1[0-2])[/\-.](\d{4})")
_YEAR_AND_NUMBER = re.compile(r"(\d{4})[/M](0?[1-9]|1[0-2])")


@lru_cache(4096)
def as_period(text: str) -> str:
    """A month as spreadsheets write it (`Jan-26`, `January 2026`, `2026 Jan`, `06/2026`, `2026/06`, `2026M06`), or an interval as ADX does (`2026-01-01/P1M`),
    in DHIS2's form; anything else as it is."""
    text = text.strip()
    if (interval := period_of(text)) is not None:
        return interval.iso
    if (turned := _YEAR_AND_NAME.fullmatch(text)) is not None:
        named_ = as_period(f"{turned[2]} {turned[1]}")
        return text if named_ == f"{turned[2]} {turned[1]}" else named_
    if (numbered := _YEAR_AND_NUMBER.fullmatch(text)) is not None:
        return f"{numbered[1]}{int(numbered[2]):02}"
    if (named := _NAMED_MONTH.fullmatch(text)) is not None:
        word = named[1].lower()
        number = next((at for at, name in enumerate(_MONTHS, 1) if word == name or word in _LONG[name]), None)
        year = named[2] if len(named[2]) == 4 else f"20{named[2]}"
        return f"{year}{number:02}" if number is not None else text
    if (numbered := _NUMBERED_MONTH.fullmatch(text)) is not None:
        return f"{numbered[2]}{int(numbered[1]):02}"
    return text


_LONG = {
    name[:3]: {name, name[:4]}
    for name in (
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    )
}  # fmt: skip


_YEARLESS = re.compile(r"Q[1-4]|W(eek)? ?\d{1,2}", re.IGNORECASE)


def is_yearless(text: str) -> bool:
    """Is a text a month by its name, a quarter or a week (`Jan`, `Q1`, `W5`), of no year?"""
    word = text.strip().removesuffix(".").lower()
    return _YEARLESS.fullmatch(word) is not None or any(word == name or word in _LONG[name] for name in _MONTHS)


def single_period(text: str) -> Period:
    """One fixed period as people write it. Raises `UsageError` that says what one looks like."""
    found = period_or_relative(text)
    if isinstance(found, Period):
        return found
    raise UsageError(f"'{text}' is relative to today", hint="one period: 202506, 'June 2025', 2025Q2, 2025")


def period_or_relative(text: str) -> Period | RelativePeriod:
    """A period, fixed (`202506`, `June 2025`) or relative to today (`last 12 months`). Raises `UsageError` with the nearest."""
    name = text.strip().upper().replace(" ", "_").replace("-", "_")
    if name in RelativePeriod.__members__.values():
        return RelativePeriod(name)
    try:
        return Period.parse(as_period(text))
    except UsageError:
        near = did_you_mean(name, [str(item) for item in RelativePeriod]) if any(map(str.isalpha, text)) else None
        hint = near or "periods look like 2024, 2024Q1, 202402, 'February 2024', 2024W5, 20240229, LAST_12_MONTHS"
        raise UsageError(f"'{text}' is not a period", hint=hint) from None


_RANGE = re.compile(r"\s*([^.:]*[^.:\s])\s*(?:\.\.|:)\s*([^.:\s][^.:]*)")


def periods_in(text: str) -> RelativePeriod | list[Period]:
    """The periods that a text means: one, a relative one, or all from one to another (`202501..202506`).

    Raises `UsageError`. A server takes `202501_202506` and answers with nothing (seen).
    """
    if (ends := _RANGE.fullmatch(text)) is not None:
        return single_period(ends[1]).range(single_period(ends[2]))
    found = period_or_relative(text)
    return [found] if isinstance(found, Period) else found


def period_items(text: str) -> list[str]:
    """The periods that a text means in DHIS2's form, a relative one by its name. Raises `UsageError`."""
    found = periods_in(text)
    return [str(found)] if isinstance(found, RelativePeriod) else [item.iso for item in found]
