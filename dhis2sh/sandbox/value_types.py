"""Does a text fit a value type? What data elements and attributes may hold."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping


def _number(text: str) -> bool:
    return re.fullmatch(r"-?(\d+(\.\d+)?|\.\d+)([eE][+-]?\d+)?", text) is not None


def _integer(test: Callable[[int], bool]) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(r"-?\d{1,10}", text) is not None and test(int(text))


def _date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _moment(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text


def _uid(text: str) -> bool:
    return re.fullmatch(r"[a-zA-Z][a-zA-Z0-9]{10}", text) is not None


def _coordinate(text: str) -> bool:
    found = re.fullmatch(r"\[?\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*\]?", text)
    return found is not None and abs(float(found[1])) <= 180 and abs(float(found[2])) <= 90


def _between(low: float, high: float) -> Callable[[str], bool]:
    return lambda text: _number(text) and low <= float(text) <= high


TESTS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "NUMBER": (_number, "value_not_numeric"),
    "UNIT_INTERVAL": (_between(0, 1), "value_not_unit_interval"),
    "PERCENTAGE": (_between(0, 100), "value_not_percentage"),
    "INTEGER": (_integer(lambda n: True), "value_not_integer"),
    "INTEGER_POSITIVE": (_integer(lambda n: n > 0), "value_not_positive_integer"),
    "INTEGER_NEGATIVE": (_integer(lambda n: n < 0), "value_not_negative_integer"),
    "INTEGER_ZERO_OR_POSITIVE": (_integer(lambda n: n >= 0), "value_not_zero_or_positive_integer"),
    "BOOLEAN": (lambda text: text.lower() in {"true", "false", "1", "0"}, "value_not_bool"),
    "TRUE_ONLY": (lambda text: text.lower() in {"true", "1"}, "value_not_true_only"),
    "DATE": (_date, "value_not_valid_date"),
    "AGE": (_date, "value_not_valid_date"),
    "DATETIME": (_moment, "value_not_valid_datetime"),
    "TIME": (lambda text: re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text) is not None, "value_not_valid_time"),
    "COORDINATE": (_coordinate, "value_not_coordinate"),
    "URL": (lambda text: re.match(r"https?://\S+$", text) is not None, "value_not_url"),
    "EMAIL": (lambda text: re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text) is not None, "value_not_email"),
    "PHONE_NUMBER": (lambda text: re.fullmatch(r"[+()\d\s./-]{6,50}", text) is not None, "value_not_phone_number"),
    "LETTER": (lambda text: re.fullmatch(r"[a-zA-Z]", text) is not None, "value_not_letter"),
    "FILE_RESOURCE": (_uid, "value_not_valid_file_resource_uid"),
    "IMAGE": (_uid, "value_not_valid_file_resource_uid"),
    "ORGANISATION_UNIT": (_uid, "value_not_valid_org_unit_uid"),
    "USERNAME": (lambda text: len(text) <= 255, "value_not_valid_username"),
}
MAX_LENGTH = 50_000


def fits(value_type: str | None, text: str) -> str | None:
    """None when a value fits its type, else the server's key of what is wrong (`value_not_numeric`)."""
    if len(text) > MAX_LENGTH:
        return "value_length_greater_than_max_length"
    test, complaint = TESTS.get(value_type or "", (None, ""))
    return None if test is None or test(text) else complaint
