"""Query parameters as the server's binder reads them, and its refusals of what it cannot read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.sandbox.refused import Refused, missing_parameter, unknown_choice, unreadable_value

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams


_INT = 2**31


def required(query: QueryParams, name: str, kind: str = "String") -> str:
    """A parameter that must be there. Raises `Refused`, as the container's page.

    Parameters:
        query: of the request.
        name: of the parameter.
        kind: the Java class that a server declares it as.
    """
    text = query.get(name)
    if text is None:
        raise missing_parameter(name, kind)
    return text


def many(query: QueryParams, *names: str) -> list[str]:
    """Every value of a parameter that may be repeated or separated by commas, under any of its names."""
    values = [value for name in names for value in query.getlist(name)]
    return [part for value in values for part in value.split(",") if part]


def joined(query: QueryParams, name: str, default: str) -> str:
    """A parameter that may be repeated, as one text with commas."""
    return ",".join(query.getlist(name)) if name in query else default


def integer(query: QueryParams, name: str, default: int) -> int:
    """A whole number. Raises `Refused` with 400."""
    text = query.get(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise unreadable_value(text, name, "int") from None
    if not -_INT <= value < _INT:
        raise unreadable_value(text, name, "int")
    return value


def number(query: QueryParams, name: str, default: float) -> float:
    """A number. Raises `Refused` with 400."""
    text = query.get(name)
    if not text:
        return default
    try:
        return float(text)
    except ValueError:
        raise unreadable_value(text, name, "double") from None


def boolean(query: QueryParams, name: str, default: bool = False) -> bool:
    """True or false. Raises `Refused` with 400."""
    text = query.get(name)
    if not text:
        return default
    word = text.lower()
    if word not in {"true", "false", "on", "off", "yes", "no", "1", "0"}:
        raise unreadable_value(text, name, "boolean")
    return word in {"true", "on", "yes", "1"}


def date(query: QueryParams, name: str) -> dt.date | None:
    """A day. Raises `Refused` with 400."""
    text = query.get(name)
    if not text:
        return None
    try:
        return dt.datetime.fromisoformat(text).date()
    except ValueError:
        raise Refused(400, f"Value '{text}' is not valid for parameter {name}. Invalid format: \"{text}\"") from None


def choice(query: QueryParams, name: str, default: str, known: Sequence[str]) -> str:
    """One word of a fixed list. Raises `Refused` with 400."""
    text = query.get(name) or default
    if text.upper() not in known:
        raise unknown_choice(text, name, known)
    return text.upper()
