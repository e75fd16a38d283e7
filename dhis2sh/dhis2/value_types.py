"""Which texts a value type takes, as far as it is known: what is not sure is left to the server.

API source: `ValidationUtils.java`, `MathUtils.java`; recorded in data-types-good (`1.5e2` and ` 7 ` are no numbers, `TRUE`
and `1` are booleans, `20240831` is no date).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue

_NUMBER = re.compile(r"(-?0|-?[1-9]\d*)(\.\d+)?(E-?\d+)?")
_INTEGER = re.compile(r"0|-?[1-9]\d*")
_COORDINATE = re.compile(r"\[-?\d{1,3}(\.\d+)?,-?\d{1,3}(\.\d+)?\]")
_TIME = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?")
_BOOLEANS = {"true", "false", "1", "0", "t", "f"}
LONGEST = 50_000
"""Characters of one value."""
_WHOLE = re.compile(r"([-+]?\d+)[.,]0{1,2}")
"""A whole number as a spreadsheet with decimals writes it; of three noughts nobody knows."""
_COMMA = re.compile(r"([-+]?\d+),(\d+)")
_PARTED = re.compile(r"[-+]?\d{1,3}(?:[ ,.'\u00a0\u2009\u202f]\d{3})+(?:[.,]\d+)?")
"""A number with something between its thousands, or one of three decimals: nobody but who wrote it knows."""
_PERCENT = re.compile(r"(-?(?:0|[1-9]\d*)(?:\.\d+)?) ?%")
_NONE = {"nil", "none", "no", "zero", "o", "-", "--", "n/a", "na", "nd"}


def _number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _between(low: float, high: float) -> Callable[[str], bool]:
    return lambda text: _number(text) and low <= float(text) <= high


def _integer(least: float = float("-inf"), most: float = float("inf")) -> Callable[[str], bool]:
    return lambda text: _INTEGER.fullmatch(text) is not None and least <= int(text) <= most


def _date(text: str) -> bool:
    try:
        return re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


_TAKES: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "NUMBER": (_number, "a number such as 12 or -3.5"),
    "INTEGER": (_integer(), "a whole number"),
    "INTEGER_POSITIVE": (_integer(least=1), "a whole number above 0"),
    "INTEGER_NEGATIVE": (_integer(most=-1), "a whole number below 0"),
    "INTEGER_ZERO_OR_POSITIVE": (_integer(least=0), "a whole number, 0 or more"),
    "PERCENTAGE": (_between(0, 100), "a number from 0 to 100"),
    "UNIT_INTERVAL": (_between(0, 1), "a number from 0 to 1"),
    "BOOLEAN": (lambda text: text.lower() in _BOOLEANS, "true or false"),
    "TRUE_ONLY": (lambda text: text.lower() in {"true", "1", "t"}, "true"),
    "DATE": (_date, "a date such as 2025-06-30"),
    "TIME": (lambda text: _TIME.fullmatch(text) is not None, "a time such as 09:45"),
    "LETTER": (lambda text: len(text) == 1 and text.isalpha(), "one letter"),
    "COORDINATE": (lambda text: _COORDINATE.fullmatch(text) is not None, "a point such as [-11.42,8.12]"),
}

NUMERIC = frozenset(
    {"NUMBER", "PERCENTAGE", "UNIT_INTERVAL"}
    | {"INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE"}
)
"""The types whose values are numbers."""


def number(value: JsonValue) -> JsonValue:
    """The number that a text holds; whatever else it is as it is."""
    if not isinstance(value, str):
        return value
    if _INTEGER.fullmatch(value):
        return int(value)
    return float(value) if _number(value) else value


def refused(value_type: str, text: str) -> str | None:
    """What a type wants where it does not take a text; None where it does, or where only the server knows.

    Parameters:
        value_type: DHIS2's name, such as `INTEGER_POSITIVE`.
        text: the value as it is sent.
    """
    if len(text) > LONGEST:
        return f"at most {LONGEST:,} characters"
    takes, wanted = _TAKES.get(value_type, (None, ""))
    return wanted if takes is not None and not takes(text) else None


def advice(value_type: str, text: str) -> str | None:
    """What to do about a text that a type of numbers refuses, where it nearly is one; nothing that it would refuse too."""
    if value_type not in NUMERIC:
        return None
    if (whole := _WHOLE.fullmatch(text)) is not None and refused(value_type, whole[1]) is None:
        return f"write {whole[1]}"
    if (hundredths := _PERCENT.fullmatch(text)) is not None:
        part = f"{Decimal(hundredths[1]).scaleb(-2).normalize():f}"
        return {"PERCENTAGE": f"write {hundredths[1]}", "UNIT_INTERVAL": f"write {part}"}.get(
            value_type,
            f"write {hundredths[1]} or {part}, whichever is meant" if refused(value_type, part) is None else None,
        )
    if _PARTED.fullmatch(text):
        return "take out what parts the thousands, if it is that"
    if (comma := _COMMA.fullmatch(text)) is not None and refused(value_type, f"{comma[1]}.{comma[2]}") is None:
        return f"write {comma[1]}.{comma[2]}, if that is a decimal comma"
    if text.lower() in _NONE:
        return "write 0 if it is zero; if it is not known, take the row out, or empty the cell of a wide sheet"
    return None
