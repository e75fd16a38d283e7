"""Periods as people write them: DHIS2's own form, months by name, ranges, and relative ones in words."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from contextlib import suppress
from functools import lru_cache

from dhis2sh.dhis2.intervals import period_of
from dhis2sh.dhis2.periods import Period, RelativePeriod
from dhis2sh.errors import UsageError, did_you_mean

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED_MONTH = re.compile(r"([^\W\d_]{3,10})\.?[ \-/]*(\d{4}|\d{2})")
_YEAR_AND_NAME = re.compile(r"(\d{4})[ \-/]+([^\W\d_]{3,10})\.?")
_NUMBERED_MONTH = re.compile(r"(0?[1-9]|1[0-2])[/\-.](\d{4})")
_YEAR_AND_NUMBER = re.compile(r"(\d{4})[/M](0?[1-9]|1[0-2])")
_MOMENT = re.compile(r"[T ]\d\d:\d\d(:\d\d(\.\d+)?)?\Z")
_DAY_LAST = re.compile(r"(\d{4})([\-/.])(\d{1,2})\2(\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})([\-/.])(\d{1,2})\2(\d{4})")
_DAY_AND_NAME = re.compile(r"(\d{1,2})(?:st|nd|rd|th|er)?[ \-/]([^\W\d_]{3,10})\.?[ \-/](\d{4}|\d{2})", re.IGNORECASE)
_NAME_AND_DAY = re.compile(r"([^\W\d_]{3,10})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})", re.IGNORECASE)


def days_of(text: str) -> list[dt.date]:
    """The days that a text may mean: none where it is no day, two where nobody knows which number is the month."""
    text = _MOMENT.sub("", text.strip())
    if (found := _DAY_LAST.fullmatch(text)) is not None:
        return _days((found[1], found[3], found[4]))
    if (found := _YEAR_LAST.fullmatch(text)) is not None:
        return _days((found[4], found[3], found[1]), (found[4], found[1], found[3]))
    if (found := _DAY_AND_NAME.fullmatch(text)) is not None:
        return _days((_whole_year(found[3]), _month_called(found[2]), found[1]))
    if (found := _NAME_AND_DAY.fullmatch(text)) is not None:
        return _days((found[3], _month_called(found[1]), found[2]))
    return []


def _days(*parts: tuple[str, str | int, str]) -> list[dt.date]:
    """The days of years, months and days that there are, each once."""
    found: dict[dt.date, None] = {}
    for year, month, day in parts:
        with suppress(ValueError):
            found[dt.date(int(year), int(month), int(day))] = None
    return list(found)


def _whole_year(text: str) -> str:
    return text if len(text) == 4 else f"20{text}"


def _month_called(word: str) -> int:
    """The number of a month by its name, 0 for what is none."""
    word = unicodedata.normalize("NFC", word.lower())
    return next((at for at, name in enumerate(_MONTHS, 1) if word == name or word in _LONG[name]), 0)


@lru_cache(4096)
def as_period(text: str) -> str:
    """A month as spreadsheets write it (`Jan-26`, `January 2026`, `2026 Jan`, `06/2026`, `2026/06`, `2026M06`), or an interval as ADX does (`2026-01-01/P1M`),
    in DHIS2's form, or a day in that of ISO 8601 where it can be read in one way alone; anything else as it is. Names are English, French, Portuguese or Spanish."""
    text = text.strip()
    if len(days := days_of(text)) == 1:
        return days[0].isoformat()
    if (interval := period_of(text)) is not None:
        return interval.iso
    if (turned := _YEAR_AND_NAME.fullmatch(text)) is not None:
        named_ = as_period(f"{turned[2]} {turned[1]}")
        return text if named_ == f"{turned[2]} {turned[1]}" else named_
    if (numbered := _YEAR_AND_NUMBER.fullmatch(text)) is not None:
        return f"{numbered[1]}{int(numbered[2]):02}"
    if (named := _NAMED_MONTH.fullmatch(text)) is not None:
        number = _month_called(named[1])
        return f"{_whole_year(named[2])}{number:02}" if number else text
    if (numbered := _NUMBERED_MONTH.fullmatch(text)) is not None:
        return f"{numbered[2]}{int(numbered[1]):02}"
    return text


_LONG = {
    name[:3]: {name, name[:4], *others.split()}
    for name, others in (
        ("january", "janvier janv janeiro enero ene"), ("february", "février fevrier févr fevr fév fev fevereiro febrero"),
        ("march", "mars março marco marzo"), ("april", "avril avr abril abr"), ("may", "mai maio mayo"),
        ("june", "juin junho junio"), ("july", "juillet juil julho julio"), ("august", "août aout agosto ago"),
        ("september", "septembre setembro septiembre setiembre"), ("october", "octobre outubro octubre"),
        ("november", "novembre novembro noviembre"), ("december", "décembre decembre déc dezembro dez diciembre dic"),
    )
}  # fmt: skip


_YEARLESS = re.compile(r"Q[1-4]|W(eek)? ?\d{1,2}", re.IGNORECASE)


def month_named(text: str) -> int | None:
    """The number of the month that a text such as `Fevrier` or `Sheet of March 2026` names; None where it names none, or several."""
    found = {number for word in re.findall(r"[^\W\d_]+", text) if len(word) > 2 and (number := _month_called(word))}
    return found.pop() if len(found) == 1 else None


def is_yearless(text: str) -> bool:
    """Is a text a month by its name, a quarter or a week (`Jan`, `Q1`, `W5`), of no year?"""
    word = text.strip().removesuffix(".").lower()
    return _YEARLESS.fullmatch(word) is not None or _month_called(word) > 0


def ambiguity(text: str) -> str | None:
    """Which two days a text may mean, in words; None where it is not two."""
    days = days_of(text)
    if len(days) < 2:
        return None
    first, second = (f"{day.day} {day:%B %Y} ({day})" for day in days)
    return f"'{text}' may be {first} or {second}"


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
        if (which := ambiguity(text)) is not None:
            raise UsageError(which, hint=f"write {days_of(text)[0]}, if it is that") from None
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
