"""Cron expressions as DHIS2 takes them: Spring's, six fields, the second first.

Only what no scheduler could read is refused here; letters of Spring's own (`L`, `W`, `#`) are left to the server.
"""

from __future__ import annotations

import re

from dhis2sh.errors import UsageError

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
"""Of each field its name, its least and greatest number, and the words that stand for numbers."""
EXAMPLE = "--cron '0 0 2 * * ?' is two o'clock every night"
_STEP = re.compile(r"(?P<range>[^/]+)(?:/(?P<step>\w+))?")
_SPRING = re.compile(r"[LW#]")


def checked(text: str) -> str:
    """A cron expression as it was given, its gaps single. Raises `UsageError` that names the field which is none."""
    fields = text.split()
    if len(fields) == len(_FIELDS) - 1:
        raise UsageError(
            f"--cron '{text}': five fields, and DHIS2 wants six: {_names()}", hint=f"--cron '0 {' '.join(fields)}'"
        )
    if len(fields) != len(_FIELDS):
        raise UsageError(f"--cron '{text}': {len(fields)} fields, and DHIS2 wants six: {_names()}", hint=EXAMPLE)
    for field, (name, least, most, words) in zip(fields, _FIELDS, strict=True):
        for part in field.upper().split(","):
            if why := _wrong(part, least, most, words):
                raise UsageError(f"--cron '{text}': {name} '{field}' {why}", hint=EXAMPLE)
    return " ".join(fields)


def _names() -> str:
    return ", ".join(name for name, *_ in _FIELDS)


def _wrong(part: str, least: int, most: int, words: tuple[str, ...]) -> str | None:
    """Why a part of a field is none; None where it is one or only the server can tell."""
    split = _STEP.fullmatch(part)
    if split is None:
        return "is empty" if not part else "has a step that is no number"
    if split["step"] is not None and (not split["step"].isdecimal() or int(split["step"]) == 0):
        return "has a step that is no number above 0"
    if split["range"] in {"*", "?"}:
        return None
    ends = [_number(end, words) for end in split["range"].split("-", 1)]
    for end in ends:
        if end is None:
            spring = words == _DAYS or not words
            return None if spring and _SPRING.search(split["range"]) else "is no number, range or *"
        if not least <= end <= most:
            return f"is out of range: {least} to {most}"
    first = 0 if words == _DAYS and ends[0] == most else ends[0]  # Sunday begins a week too
    return "is a range that ends before it begins" if (first or 0) > (ends[-1] or 0) else None


def _number(text: str, words: tuple[str, ...]) -> int | None:
    if text.isdecimal():
        return int(text)
    if text in words:
        return words.index(text) + 1
    return None
