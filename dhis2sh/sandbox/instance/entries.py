"""What `GET /api/dataStore/{namespace}` picks from JSON values: its fields, filters and order (`DatastoreQuery`)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.sandbox.refused import Refused, not_imitated

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

MISSING = object()
"""What a path leads to where there is nothing, and the value of an encrypted entry, of which a query sees nothing."""
_TOLD = (
    "startswith, !in, !$like, lt, endswith, !eq, like$, empty, ieq, $like, !endswith, gte, neq, lte, !empty, ge, !like$, "
    "in, like, !startswith, !$ilike, !null, eq, gt, null, $ilike, ilike$, !ilike, ne, !ilike$, le, ilike, !like"
)
"""The operators in the order in which the server lists them."""
_SAME = {"neq": "!eq", "ne": "!eq", "ge": "gte", "le": "lte", "startswith": "$ilike", "endswith": "ilike$",
         "!startswith": "!$ilike", "!endswith": "!ilike$"}  # fmt: skip
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "gt": operator.gt, "lt": operator.lt, "gte": operator.ge, "lte": operator.le,
}  # fmt: skip


def at(key: str, value: JsonValue, path: str) -> JsonValue:
    """The value at a dotted path, None for nothing; `_` is the key and `.` everything."""
    found = _at(key, value, path)
    return None if found is MISSING else cast("JsonValue", found)


def _at(key: str, value: object, path: str) -> object:
    if path == "_":
        return key
    if path == ".":
        return value
    place = value
    for part in re.sub(r"\[(\d+)\]", r".\1", path).split("."):
        if isinstance(place, dict) and part in place:
            place = cast("dict[str, object]", place)[part]
        elif isinstance(place, list) and part.isdigit() and int(part) < len(cast("list[object]", place)):
            place = cast("list[object]", place)[int(part)]
        else:
            return MISSING
    return place


# -- fields ------------------------------------------------------------------------------------------------------------


def columns(fields: str) -> list[tuple[str, str]]:
    """The paths that `fields` names, each with the path at which it is shown: `a,b.c,d(e,f)`."""
    return [column for part in _parts(fields) for column in _columns(part)]


def _parts(text: str) -> Iterator[str]:
    """Cut at the commas that stand in no brackets."""
    depth, part = 0, ""
    for sign in text:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and not depth:
            if part:
                yield part
            part = ""
        else:
            part += sign
    if part:
        yield part


def _columns(text: str) -> Iterator[tuple[str, str]]:
    if "~" in text:
        raise not_imitated("transformed fields of the data store")
    opened = re.fullmatch(r"([^(\[]+)[(\[](.*)[)\]]", text)
    if opened is None:
        yield text, "value" if text == "." else text
        return
    for path, name in columns(opened[2]):
        yield f"{opened[1]}.{path}", f"{opened[1]}.{name}"


def row(key: str, value: object, wanted: Sequence[tuple[str, str]]) -> tuple[JsonObject, bool]:
    """What an entry shows, and whether it has any of the fields."""
    shown: JsonObject = {"key": key}
    found = not wanted
    for path, name in wanted:
        piece = _at(key, value, path)
        found = found or piece is not MISSING
        *above, last = name.split(".")
        place = shown
        for part in above:
            deeper = place.setdefault(part, {})
            place = deeper if isinstance(deeper, dict) else {}
        place[last] = None if piece is MISSING else cast("JsonValue", piece)
    return shown, found


# -- filters and order -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on an entry. Made by `parse_filter`."""

    path: str
    operator: str
    value: str

    def __call__(self, key: str, value: object) -> bool:
        """Does an entry meet it?"""
        found = _at(key, value, self.path)
        name = self.operator
        if name in {"null", "!null"}:
            return (found is MISSING or found is None) == (name == "null")
        if name in {"empty", "!empty"}:
            return (found in ("", [], {})) == (name == "empty")
        if found is MISSING or found is None:
            return False
        test = name.removeprefix("!")
        return _test(test, found, self.value) != name.startswith("!")


def parse_filter(text: str) -> Filter:
    """Read one filter. Raises `Refused` with 409 in the server's words."""
    parts = text.split(":", 2)
    if len(parts) < 2 or not parts[0]:
        expected = "expected expression of pattern: <property>:<operator>[:<value>]"
        raise Refused(409, f"Illegal filter expression `{text}`: {expected}", "E7652")
    known = parts[1].lower()
    if known not in _TOLD.split(", "):
        raise Refused(409, f"Unknown operator: `{parts[1].upper()}` Use one of [{_TOLD}]")
    return Filter(parts[0], _SAME.get(known, known), parts[2] if len(parts) > 2 else "")


def _test(name: str, found: object, wanted: str) -> bool:
    if name == "in":
        # Only texts are found in a list, even where the list has the digits of a number.
        return isinstance(found, str) and found in [part.strip() for part in wanted.strip("[]").split(",")]
    if name in _ORDERS:
        return _ordered(_ORDERS[name], found, wanted)
    if not isinstance(found, str):
        return False
    if name.startswith(("i", "$i")):
        found, wanted, name = found.lower(), wanted.lower(), name.replace("i", "", 1)
    match name:
        case "eq":
            return found == wanted
        case "$like":
            return found.startswith(wanted)
        case "like$":
            return found.endswith(wanted)
        case _:
            return wanted in found


def _ordered(test: Callable[[Any, Any], bool], found: object, wanted: str) -> bool:
    if isinstance(found, bool):
        return test(str(found).lower(), wanted.lower())
    if isinstance(found, (int, float)):
        try:
            return test(float(found), float(wanted))
        except ValueError:
            return False
    return isinstance(found, str) and test(found, wanted)


def ordered(entries: Mapping[str, object], order: str) -> dict[str, object]:
    """Entries by the value at a path (`size:desc`), as PostgreSQL sorts JSON: null, texts, numbers, yes and no, then the rest."""
    path, _, direction = order.partition(":")

    def rank(item: tuple[str, object]) -> tuple[int, float, str]:
        found = _at(item[0], item[1], path)
        if found is MISSING:
            return 9, 0, ""
        if isinstance(found, bool):
            return 3, float(found), ""
        if isinstance(found, (int, float)):
            return 2, float(found), ""
        if isinstance(found, str):
            return 1, 0, found
        return (0 if found is None else 5 if isinstance(found, dict) else 4), 0, str(cast("object", found))

    return dict(sorted(entries.items(), key=rank, reverse=direction.lower().endswith("desc")))
