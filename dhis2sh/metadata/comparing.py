"""Is what a server has what was sent to it? Sets have no order, a server adds what it works out, and leaves empty ones out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.dhis2.properties import NAMES, SET_BY_SERVER

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property
    from dhis2sh.types import JsonObject, JsonValue

MIDNIGHT = "T00:00:00.000"
"""What a server adds to a date without a time."""


def empty(value: JsonValue) -> bool:
    """Is a value the same as none at all? A zero is not."""
    return value is None or value is False or value in ("", [], {})


def embeds(body: JsonObject) -> bool:
    """Does an object hold others, or rows, that say more than to what they refer? A server adds to those. Sharing is none."""
    return any(
        isinstance(item, dict) and item.keys() != {"id"}
        for name, value in body.items()
        if name != "sharing"
        for item in (value if isinstance(value, list) else [value])
    )


def same_property(prop: Property | None, left: JsonValue, right: JsonValue) -> bool:
    """Does a server's value of a property mean what was sent? As `same`; of a list the order counts, too.

    Parameters:
        prop: the property; None for one that its type does not know.
    """
    if not same(left, right):
        return False
    if prop is None or not prop.ordered or not isinstance(left, list) or not isinstance(right, list):
        return True
    return all(_same_row(one, other) for one, other in zip(left, right, strict=True))


def as_written(prop: Property | None, now: JsonValue, sent: JsonValue) -> bool:
    """Is a property what it was sent as? Of what is embedded what was sent counts: a server adds what it works out.

    Parameters:
        prop: as of `same_property`.
        now: what a server has.
        sent: what it was given.
    """
    if same_property(prop, now, sent):
        return True
    if isinstance(now, list) and isinstance(sent, list) and prop is not None and prop.ordered:
        return len(now) == len(sent) and all(as_made(one, other) for one, other in zip(now, sent, strict=True))
    return isinstance(sent, (dict, list)) and not _shares(sent) and as_made(now, sent)


def _shares(value: JsonValue) -> bool:
    """Is it a sharing, of which every access counts?"""
    return isinstance(value, dict) and "users" in value and "userGroups" in value


def _same_row(left: JsonValue, right: JsonValue) -> bool:
    if isinstance(left, dict) and isinstance(right, dict) and "id" in left and "id" in right:
        return left["id"] == right["id"]
    return same(left, right) or _holds(left, right) or _holds(right, left)


def same(left: JsonValue, right: JsonValue) -> bool:
    """Does a server's value (`left`) mean what was sent to it? Sets have no order, and a server leaves empty ones out.

    None at all is also what is false or an empty text: servers differ in which of these they leave out.

    Of an object with a UID only what both sides say counts: a server adds names and times, and a reference may be a UID
    alone. Rows that were sent without UIDs are those that have what was sent: a server adds UIDs, and arrows to their owner.
    """
    if left in (None, [], {}) and right in (None, [], {}):
        return True
    if left is None or right is None:
        return empty(left) and empty(right)
    if isinstance(left, list) and isinstance(right, list):
        return _same_collections(left, right)
    if isinstance(left, dict) and isinstance(right, dict):
        return _same_objects(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return left.removesuffix(MIDNIGHT) == right.removesuffix(MIDNIGHT)
    return left == right


def _same_collections(left: Sequence[JsonValue], right: Sequence[JsonValue]) -> bool:
    ours, theirs = ids(left), ids(right)
    if not ours or not theirs:
        given, sent = (right, left) if theirs else (left, right)
        added = len(left) == len(right) and all(any(_holds(item, row) for item in given) for row in sent)
        return added or sorted(map(repr, left)) == sorted(map(repr, right))
    return ours.keys() == theirs.keys() and all(same(item, theirs[uid]) for uid, item in ours.items())


def _same_objects(left: JsonObject, right: JsonObject) -> bool:
    both = "id" in left and "id" in right
    names = left.keys() & right.keys() if both else left.keys() | right.keys()
    said = names - SET_BY_SERVER
    if isinstance(left.get("access"), str) and "access" in names:  # of one user in a sharing: what was given
        said.add("access")
    return all(same(left.get(name), right.get(name)) for name in said)


def _holds(given: JsonValue, sent: JsonValue) -> bool:
    """Is a row as it was sent, with what the server adds (its own UID, an arrow back to the owner)?"""
    if isinstance(given, dict) and isinstance(sent, dict):
        told = {name: value for name, value in sent.items() if name not in SET_BY_SERVER}
        return all(name in given and _holds(given[name], value) for name, value in told.items())
    return given == sent


def unchanged(left: JsonValue, right: JsonValue) -> bool:
    """Are two values that a server gave the same, but for what every save changes?"""
    if left in (None, [], {}) and right in (None, [], {}):
        return True
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(unchanged(*pair) for pair in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        names = (left.keys() | right.keys()) - SET_BY_SERVER
        return all(unchanged(left.get(name), right.get(name)) for name in names)
    return left == right


def as_made(now: JsonValue, made: JsonValue) -> bool:
    """Is a value what an object was created with, and what a server adds by itself: properties of embedded objects, never rows?

    Some embedded objects (the views of a map) get other UIDs; references keep theirs.
    """
    if isinstance(now, dict) and isinstance(made, dict):
        return all(as_made(now.get(name), value) for name, value in made.items() if name not in SET_BY_SERVER)
    if isinstance(now, list) and isinstance(made, list) and len(now) == len(made):
        mine, theirs = ids(now), ids(made)
        if mine and mine.keys() == theirs.keys():
            return all(as_made(mine[uid], row) for uid, row in theirs.items())
        return all(any(as_made(item, _without_id(row)) for item in now) for row in made)
    return same(now, made) or (now is None and made in (False, ""))


def _without_id(row: JsonValue) -> JsonValue:
    """An embedded object without its UID and the name that is its UID again; a reference as it is."""
    if not isinstance(row, dict) or row.keys() <= NAMES:
        return row
    return {name: value for name, value in row.items() if name != "id" and (name != "name" or value != row.get("id"))}


def access_given(sharing: JsonObject) -> JsonObject:
    """What a sharing gives: to everybody, and to which users and groups; not who owns the object, nor what they are called."""
    found: JsonObject = {"public": sharing.get("public"), "external": sharing.get("external") is True}
    for kind in ("users", "userGroups"):
        members = sharing.get(kind)
        rows = members.items() if isinstance(members, dict) else ()
        found[kind] = {uid: row.get("access") for uid, row in rows if isinstance(row, dict)}
    return found


def ids(items: Sequence[JsonValue]) -> dict[str, JsonValue]:
    """The items of a collection of objects by their UIDs; empty where one has none."""
    found: dict[str, JsonValue] = {str(item["id"]): item for item in items if isinstance(item, dict) and item.get("id")}
    return found if len(found) == len(items) else {}
