"""What changes, in words: properties before and after, rights as people say them, translations by language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.dhis2.properties import AUTHORS, SET_BY_SERVER

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

RIGHTS = re.compile(r"[r-][w-][r-][w-]-{4}")
TRANSLATIONS = "translations"
SHOWN = 3
"""Items of a list that a plan shows."""


WIDEST = 200
"""Characters that a plan has for what a new object is."""


def contents(new: JsonObject, names: Mapping[str, str]) -> str:
    """What a new object is: its first properties besides UID and name."""
    text = ""
    for name, value in new.items():
        if name in {"id", "name"} or name in SET_BY_SERVER or value in (None, [], {}):
            continue
        part = f"{name}: {_said(value, names)}"
        if text and len(text) + len(part) > WIDEST:
            return f"{text}; ..."
        text += f"{'; ' if text else ''}{part}"
    return text


def differences(old: JsonObject, new: JsonObject, names: Mapping[str, str], path: str = "") -> Iterator[str]:
    """`name: 'A' -> 'B'` for what differs; objects that hold more than a reference are looked into, of lists the difference.

    Parameters:
        old, new: before and after.
        names: what is said in place of a UID.
        path: where in an object they stand.
    """
    for name in {**old, **new}:
        left, right = old.get(name), new.get(name)
        if left == right:
            continue
        if isinstance(left, dict) and isinstance(right, dict) and not ("id" in left and "id" in right):
            yield from differences(left, right, names, f"{path}{names.get(name, name)}.")
        elif name == TRANSLATIONS:
            yield from _translated(left, right)
        elif (rows := _embedded(left, right, names)) is not None:
            for number, (old_row, new_row) in enumerate(rows, 1):
                yield from differences(old_row, new_row, names, f"{path}{name} {number}.")
        elif isinstance(left, list) and isinstance(right, list) and (told := _of_lists(left, right, names)):
            yield f"{path}{name}: {told}"
        else:
            yield f"{path}{names.get(name, name)}: {_said(left, names)} -> {_said(right, names)}"


def _translated(left: JsonValue, right: JsonValue) -> Iterator[str]:
    """Each translation that differs: `fr name: 'a' -> 'b'`."""
    old, new = _texts(left), _texts(right)
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            yield f"{key}: {_said(old.get(key), {})} -> {_said(new.get(key), {})}"


def _texts(value: JsonValue) -> dict[str, JsonValue]:
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    return {
        f"{row.get('locale')} {str(row.get('property')).lower().replace('_', ' ')}": row.get("value") for row in rows
    }


def rights(letters: str) -> str:
    """Eight letters of access in words: `rwr-----` is `see and change, see data`."""
    data = " and ".join(word for word, letter in (("see", letters[2]), ("enter", letters[3])) if letter != "-")
    objects = " and ".join(word for word, letter in (("see", letters[0]), ("change", letters[1])) if letter != "-")
    return ", ".join(part for part in (objects, f"{data} data" if data else "") if part) or "no access"


def _embedded(
    left: JsonValue, right: JsonValue, names: Mapping[str, str]
) -> list[tuple[JsonObject, JsonObject]] | None:
    """The rows of two lists side by side, without what is the server's, where the words for the lists say no difference.

    Such are the layers of a map: they have what an object has, and no name of their own.
    """
    if not isinstance(left, list) or not isinstance(right, list) or len(left) != len(right):
        return None
    pairs = [
        (_own(old), _own(new))
        for old, new in zip(left, right, strict=True)
        if isinstance(old, dict) and isinstance(new, dict)
    ]
    alike = [_said(item, names) for item in left] == [_said(item, names) for item in right]
    return pairs if alike and len(pairs) == len(left) and any(old != new for old, new in pairs) else None


def _own(row: JsonObject) -> JsonObject:
    return {name: value for name, value in row.items() if name not in SET_BY_SERVER and name != "id"}


def _of_lists(left: Sequence[JsonValue], right: Sequence[JsonValue], names: Mapping[str, str]) -> str:
    """What came and what went, where one or the other is all that happened; empty where they are better shown whole."""
    old, new = {repr(item): item for item in left}, {repr(item): item for item in right}
    gone, come = [old[key] for key in old if key not in new], [new[key] for key in new if key not in old]
    moved = [key for key in old if key in new] != [key for key in new if key in old]
    if moved or not (gone or come) or len(gone) == len(left) or len(left) + len(right) <= SHOWN:
        return ""
    parts = [f"{mark}{_said(items, names)[1:-1]}" for mark, items in (("without ", gone), ("with ", come)) if items]
    return ", ".join(parts)


def _said(value: JsonValue, names: Mapping[str, str]) -> str:
    """A value in a plan: short, references by their name or UID."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        told = (value.get(key) for key in ("displayName", "name", "access"))
        called = next((item for item in told if item and isinstance(item, str)), None)
        refers = {
            name: item
            for name, item in value.items()
            if isinstance(item, dict) and "id" in item and name not in AUTHORS
        }
        layer = value.get("layer") if "access" in value else None  # of a map: all that it has would be a page
        called = called or (layer if isinstance(layer, str) and "id" not in value else None)
        if called is None and ("id" not in value or refers):  # a row with a UID of its own is known by what it is about
            whole = ", ".join(
                f"{name}: {_said(item, names)}" for name, item in (refers if "id" in value else value).items()
            )
            return f"{{{whole[:WIDEST]}}}"
        value = called or value["id"]
        value = names.get(value, value) if isinstance(value, str) else value
    if isinstance(value, list):
        shown = ", ".join(_said(item, names) for item in value[:SHOWN])
        return f"[{shown}{f' and {len(value) - SHOWN:,} more' if len(value) > SHOWN else ''}]"
    if isinstance(value, str) and RIGHTS.fullmatch(value):
        return rights(value)
    text = repr(value)
    return text if len(text) <= 70 else text[:66] + "...'"
