"""Does a text fit a value type? The answer is the server's message key, or None when it fits.

API source: `ValidationUtils.valueIsValid`, `MathUtils`, `ValueType` (api-facts f.1).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

MAX_LENGTH = 50_000
_UID = r"[a-zA-Z0-9]{11}"
NUMERIC_TYPES = {
    "NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "UNIT_INTERVAL",
    "PERCENTAGE",
}  # fmt: skip
BOOLEAN_TYPES = {"BOOLEAN", "TRUE_ONLY"}
FILE_TYPES = {"FILE_RESOURCE", "IMAGE"}
AVERAGED = {"AVERAGE", "AVERAGE_SUM_ORG_UNIT"}

_NUMERIC = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(E-?\d+)?")
_INTEGER = re.compile(r"0|-?[1-9]\d*")
_COORDINATE = re.compile(r"\[?\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*\]?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_PHONE = re.compile(r"[0-9+().\-#*\s/x]{4,50}")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")
_USERNAME = re.compile(r"[A-Za-z0-9._@\-]{2,255}")

MESSAGES = {
    "value_length_greater_than_max_length": "Data value is longer than 50 000",
    "value_not_numeric": "Data value is not numeric",
    "value_not_unit_interval": "Data value is not a unit interval",
    "value_not_percentage": "Data value is not a percentage",
    "value_not_integer": "Data value is not an integer",
    "value_not_positive_integer": "Data value is not a positive integer",
    "value_not_negative_integer": "Data value is not a negative integer",
    "value_not_zero_or_positive_integer": "Data value is not a zero or positive integer",
    "value_not_bool": "Data value is not a boolean",
    "value_not_true_only": "Data value is not true only",
    "value_not_valid_date": "Data value is not a valid date",
    "value_not_valid_datetime": "Data value is not a valid datetime",
    "value_not_coordinate": "Data value is not a coordinate",
    "value_not_url": "Data value is not a URL",
    "value_not_valid_file_resource_uid": "Data value is not a valid file resource UID",
    "value_not_valid_org_unit_uid": "Data value is not a valid organisation unit UID",
}
"""The English text of each message key."""


def _number(text: str) -> bool:
    return bool(_NUMERIC.fullmatch(text)) and len(text) < 250


def _whole(test: Callable[[int], bool]) -> Callable[[str], bool]:
    return lambda text: bool(_INTEGER.fullmatch(text)) and test(int(text))


def _date(text: str) -> bool:
    try:
        dt.datetime.strptime(text[:10], "%Y-%m-%d")
    except ValueError:
        return False
    return True


def _moment(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _coordinate(text: str) -> bool:
    found = _COORDINATE.fullmatch(text.strip())
    return found is not None and abs(float(found[1])) <= 180 and abs(float(found[2])) <= 90


_CHECKS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "NUMBER": ("value_not_numeric", _number),
    "UNIT_INTERVAL": ("value_not_unit_interval", lambda text: _number(text) and 0 <= float(text) <= 1),
    "PERCENTAGE": ("value_not_percentage", lambda text: _number(text) and 0 <= float(text) <= 100),
    "INTEGER": ("value_not_integer", _whole(lambda n: abs(n) < 2**31)),
    "INTEGER_POSITIVE": ("value_not_positive_integer", _whole(lambda n: 0 < n < 2**31)),
    "INTEGER_NEGATIVE": ("value_not_negative_integer", _whole(lambda n: -(2**31) <= n < 0)),
    "INTEGER_ZERO_OR_POSITIVE": ("value_not_zero_or_positive_integer", _whole(lambda n: 0 <= n < 2**31)),
    "BOOLEAN": ("value_not_bool", lambda text: text.lower() in {"true", "false", "1", "0", "t", "f"}),
    "TRUE_ONLY": ("value_not_true_only", lambda text: text.lower() in {"true", "1", "t"}),
    "DATE": ("value_not_valid_date", _date),
    "AGE": ("value_not_valid_date", _date),
    "DATETIME": ("value_not_valid_datetime", _moment),
    "TIME": ("value_not_valid_datetime", lambda text: bool(_TIME.fullmatch(text))),
    "COORDINATE": ("value_not_coordinate", _coordinate),
    "URL": ("value_not_url", lambda text: urlsplit(text).scheme in {"http", "https", "ftp"}),
    "FILE_RESOURCE": ("value_not_valid_file_resource_uid", lambda text: bool(re.fullmatch(_UID, text))),
    "IMAGE": ("value_not_valid_file_resource_uid", lambda text: bool(re.fullmatch(_UID, text))),
    "ORGANISATION_UNIT": ("value_not_valid_org_unit_uid", lambda text: bool(re.fullmatch(_UID, text))),
    "EMAIL": ("value_not_email", lambda text: bool(_EMAIL.fullmatch(text))),
    "PHONE_NUMBER": ("value_not_phone_number", lambda text: bool(_PHONE.fullmatch(text))),
    "USERNAME": ("value_not_username", lambda text: bool(_USERNAME.fullmatch(text))),
    "LETTER": ("value_not_letter", lambda text: len(text) == 1 and text.isalpha()),
}


def problem(text: str, value_type: str) -> str | None:
    """The message key of what is wrong with a value, None when it fits its type. An empty text fits every type."""
    if not text:
        return None
    if len(text) > MAX_LENGTH:
        return "value_length_greater_than_max_length"
    check = _CHECKS.get(value_type)
    return None if check is None or check[1](text) else check[0]


def say(key: str) -> str:
    """A message key in English."""
    return MESSAGES.get(key) or "Data value is" + key.removeprefix("value").replace("_", " ")


def normal(text: str, value_type: str) -> str:
    """A value as the server stores it: booleans become `true` and `false`."""
    if value_type in BOOLEAN_TYPES:
        return {"1": "true", "t": "true", "true": "true", "0": "false", "f": "false", "false": "false"}.get(
            text.lower(), text
        )
    return text


def is_insignificant_zero(text: str | None, element: JsonObject) -> bool:
    """A zero that the server does not store: the element sums its values and says that zero means nothing."""
    if text is None or element.get("zeroIsSignificant") or element.get("aggregationType") in AVERAGED:
        return False
    return element.get("valueType") in NUMERIC_TYPES and bool(re.fullmatch(r"0(\.0*)?", text))
