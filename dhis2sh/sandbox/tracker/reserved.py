"""Values that the server makes up for a generated attribute, and keeps for whoever asked.

API source: `TextPatternService`, `ReservedValueService`.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import sqlite3
import string
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from dhis2sh.sandbox.importer.refusals import segments
from dhis2sh.sandbox.java.moments import now, text_of
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.tracker.storage import Tracker

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

_REQUIRED: Final = frozenset({"ORG_UNIT_CODE"})
_MADE: Final = frozenset({"RANDOM", "SEQUENTIAL"})
MOST: Final = 1000
"""As many values are kept in one request."""
_TRIES = 1000
_LETTERS = {"#": string.digits, "x": string.ascii_lowercase, "X": string.ascii_uppercase,
            "*": string.ascii_letters + string.digits}  # fmt: skip
_DATE_PARTS = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d"}
type Segments = list[tuple[str, str]]


def pattern_of(attribute: JsonObject) -> Segments:
    """The segments of an attribute's pattern. Raises `Refused` where it has none."""
    pattern = attribute.get("pattern")
    if not attribute.get("generated") or not isinstance(pattern, str) or not pattern:
        raise Refused(400, "Attribute does not contain pattern.")
    try:
        return list(segments(pattern))
    except ValueError as error:
        raise not_imitated(f"values by the pattern {pattern} ({error})") from None


def needed(pattern: Segments) -> JsonObject:
    """What a request for values must say, and what it may."""
    methods = [method for method, _ in pattern if method != "TEXT"]
    return {
        "REQUIRED": [method for method in methods if method in _REQUIRED],
        "OPTIONAL": [method for method in methods if method not in _REQUIRED],
    }


def reserve(
    tracker: Tracker, attribute: JsonObject, given: Mapping[str, str], *, count: int, days: int
) -> list[JsonObject]:
    """Make values that nobody has, and keep them.

    Parameters:
        given: values of the pattern's methods, by method.
        count: how many.
        days: how long they are kept.

    Raises `Refused` for values that are missing or do not fit.
    """
    uid = cast("str", attribute["id"])
    resolved = [_resolved(method, held, given) for method, held in pattern_of(attribute)]
    key = "".join(resolved_text if made is None else f"{made[0]}({made[1]})" for resolved_text, made in resolved)
    created = now()
    expiry = text_of(dt.datetime.now(dt.UTC) + dt.timedelta(days=days))
    found: list[JsonObject] = []
    with tracker.store.writing() as connection:
        for _ in range(count):
            value = _unused(connection, uid, key, resolved)
            connection.execute("INSERT INTO reserved_value VALUES (?, ?, ?, ?)", (uid, key, value, expiry))
            found.append({"ownerObject": "TRACKEDENTITYATTRIBUTE", "ownerUid": uid, "key": key, "value": value,
                          "created": created, "expiryDate": expiry})  # fmt: skip
    return found


type _Part = tuple[str, tuple[str, str] | None]
"""A text, or else the method that makes one and its format."""


def _resolved(method: str, held: str, given: Mapping[str, str]) -> _Part:
    if method == "TEXT":
        return held, None
    if method in _MADE:
        return "", (method, held)
    if method == "CURRENT_DATE":
        return given.get(method) or _today(held), None
    value = given.get(method)
    if not value:
        raise Refused(409, f"Missing required values: {method}")
    return _cut(value, held), None


def _cut(code: str, form: str) -> str:
    """The part of an org unit's code that a form of dots asks for: its beginning, or its end before a `$`."""
    if not form:
        return code
    length = form.count(".")
    if form.strip("^.$") or len(code) < length:
        raise not_imitated(f"the form {form} of {code} in a text pattern")
    return code[-length:] if form.endswith("$") else code[:length]


def _today(form: str) -> str:
    parts = re.findall(r"([a-zA-Z])(\1*)|([^a-zA-Z]+)", form)
    text = ""
    for first, more, rest in parts:
        if rest:
            text += rest
        elif first + more in _DATE_PARTS:
            text += _DATE_PARTS[first + more]
        else:
            raise not_imitated(f"the date format {form} in a text pattern")
    return dt.datetime.now(dt.UTC).strftime(text)


def _unused(connection: sqlite3.Connection, uid: str, key: str, parts: list[_Part]) -> str:
    for _ in range(_TRIES):
        value = "".join(text if made is None else _make(connection, uid, key, *made) for text, made in parts)
        taken = connection.execute(
            "SELECT 1 FROM attribute_value WHERE attribute = ?1 AND lower(value) = lower(?2) "
            "UNION ALL SELECT 1 FROM reserved_value WHERE attribute = ?1 AND value = ?2 LIMIT 1",
            (uid, value),
        ).fetchone()
        if not taken:
            return value
    raise not_imitated(f"a pattern with hardly any values left ({key})")


def _make(connection: sqlite3.Connection, uid: str, key: str, method: str, form: str) -> str:
    if method == "RANDOM":
        return "".join(random.choice(_LETTERS[letter]) for letter in form)  # noqa: S311 - a number on a card, no secret
    row = connection.execute(
        "INSERT INTO sequence VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last", (uid, key)
    ).fetchone()
    number = str(row[0])
    if len(number) > len(form):
        raise not_imitated(f"a sequence that has no numbers left ({key})")
    return number.zfill(len(form))
