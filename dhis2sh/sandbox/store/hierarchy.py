"""Paths of organisation units: every stored unit has one, so that reads need not climb."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

type Get = Callable[[str], JsonObject | None]


def path_of(unit: JsonObject, get: Get) -> str:
    """A unit's path, from its own up to one that is known; a circle ends where it closes.

    Parameters:
        get: a unit by its UID.
    """
    parts: list[str] = []
    current: JsonObject | None = unit
    while current is not None and current["id"] not in parts:
        parts.append(cast("str", current["id"]))
        parent = cast("JsonObject", current.get("parent") or {})
        current = get(str(parent.get("id"))) if parent else None
        if current is not None and "path" in current:
            return f"{current['path']}/{'/'.join(reversed(parts))}"
    return "/" + "/".join(reversed(parts))


def with_paths(units: Mapping[str, JsonObject], get: Get) -> dict[str, JsonObject]:
    """Units about to be written, each with a path and a level.

    Parameters:
        units: by UID; they may be each other's parents.
        get: a stored unit by its UID.
    """
    done: dict[str, JsonObject] = {uid: unit for uid, unit in units.items() if "path" in unit and "level" in unit}

    def known(uid: str) -> JsonObject | None:
        return done.get(uid) or units.get(uid) or get(uid)

    for uid, unit in units.items():
        if uid not in done:
            path = cast("str", unit["path"]) if "path" in unit else path_of(unit, known)
            done[uid] = {**unit, "path": path, "level": path.count("/")}
    return {uid: done[uid] for uid in units}
