"""References inside owner JSON: `{"id": ...}`, alone, in a list, or in rows that an object holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


def rows(value: JsonValue) -> list[JsonObject]:
    """The objects in a list; none when it is no list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def ids(value: JsonValue) -> list[str]:
    """The UIDs in a list of references, or that of a single one."""
    items = value if isinstance(value, list) else [value]
    return [str(row["id"]) for row in items if isinstance(row, dict) and "id" in row]


def id_of(value: JsonValue) -> str | None:
    """The UID of a single reference, None for none."""
    return cast("str | None", value.get("id")) if isinstance(value, dict) else None


def referred(body: JsonObject, path: str) -> Iterator[str]:
    """The UIDs that an object refers to by a property, or by a path through embedded values."""
    first, _, rest = path.partition(".")
    value: JsonValue = body.get(first)
    for item in value if isinstance(value, list) else (value,):
        if not isinstance(item, dict):
            continue
        if rest:
            yield from referred(item, rest)
        elif "id" in item:
            yield cast("str", item["id"])
