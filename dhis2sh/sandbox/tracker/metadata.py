"""What the tracker needs to know of programs, stages and category combos, read from their objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject


def single(program: JsonObject) -> bool:
    """Is it a program without registration, of single events?"""
    return program.get("programType") == "WITHOUT_REGISTRATION"


def objects(body: JsonObject, name: str) -> list[JsonObject]:
    """A list property, whatever is missing."""
    return cast("list[JsonObject]", body.get(name) or [])


def ids(body: JsonObject, name: str) -> list[str]:
    """The UIDs of a list of references."""
    return [cast("str", one["id"]) for one in objects(body, name)]


def reference(entry: JsonObject, name: str) -> str:
    """The UID of a reference, empty for none."""
    return cast("str", cast("JsonObject", entry.get(name) or {}).get("id") or "")


def attributes(body: JsonObject, name: str) -> dict[str, JsonObject]:
    """The attribute entries of a type or program, by the attribute."""
    return {reference(entry, "trackedEntityAttribute"): entry for entry in objects(body, name)}
