"""One value as a table or a file shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.dhis2.properties import AUTHORS
from dhis2sh.words import safe

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue

BESIDE = AUTHORS | {"parent"}
"""References that say nothing of what an object is."""


def cell(value: JsonValue) -> str:
    """One value as a table shows it; references by their name or id, join rows by the names of what they refer to."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return _cell_of_object(value)
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    return safe(str(value))


def _cell_of_object(value: dict[str, JsonValue]) -> str:
    for key in ("displayName", "name"):
        if isinstance(value.get(key), str):
            return safe(str(value[key]))
    if joined := [cell(inner) for key, inner in value.items() if key not in BESIDE and _is_named(inner)]:
        return f"{joined[0]} ({', '.join(joined[1:])})" if joined[1:] else joined[0]
    for key in ("id", "username"):
        if isinstance(value.get(key), str):
            return safe(str(value[key]))
    return ", ".join(
        f"{safe(key)}: {_inside(inner)}" for key, inner in value.items() if inner not in (None, "", [], {})
    )


def _inside(value: JsonValue) -> str:
    return f"({cell(value)})" if isinstance(value, (dict, list)) else cell(value)


def _is_named(value: JsonValue) -> bool:
    return isinstance(value, dict) and isinstance(value.get("displayName") or value.get("name"), str)
