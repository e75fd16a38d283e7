"""An object as it is compared, kept in the journal and sent again: what it owns, its values by the UID of what holds them.

An import replaces an object whole, but for its values, of which it touches those that it names: what is not sent of an
enrollment (its geometry, its follow-up) is gone, so that a change always sends all that the object owns.

API source: `TrackerImportController.java` (api-facts e.1); tracker-strategies 16, 17: an empty value is taken away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.client.tracker import IDENTIFIERS
from dhis2sh.tracker.reading import end_of, inner

if TYPE_CHECKING:
    from dhis2sh.client.tracker import Kind
    from dhis2sh.types import JsonObject, JsonValue, Row

OWN: Mapping[Kind, tuple[str, ...]] = {
    "trackedEntities": ("trackedEntity", "trackedEntityType", "orgUnit", "inactive", "potentialDuplicate", "geometry"),
    "enrollments": (
        "enrollment", "trackedEntity", "program", "status", "orgUnit", "enrolledAt", "occurredAt", "followUp",
        "completedAt", "geometry",
    ),
    "events": (
        "event", "enrollment", "trackedEntity", "program", "programStage", "status", "orgUnit", "occurredAt",
        "scheduledAt", "followUp", "completedAt", "geometry", "attributeOptionCombo", "assignedUser",
    ),
    "relationships": ("relationship", "relationshipType", "from", "to"),
}  # fmt: skip
VALUES: Mapping[Kind, tuple[str, str]] = {
    "trackedEntities": ("attributes", "attribute"), "enrollments": ("attributes", "attribute"),
    "events": ("dataValues", "dataElement"),
}  # fmt: skip
"""Where an object's values are, and by what each is known."""
_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:T(?P<minute>\d\d:\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?Z?)?"
)


def unset(value: JsonValue) -> bool:
    """Is a property the same as not being there? 0 is not."""
    return value is None or value is False or value in ("", {}, [])


def held(kind: Kind, row: Row) -> JsonObject:
    """An object of the server as it is kept: what it owns and has, its values by UID."""
    found: JsonObject = {name: row[name] for name in OWN[kind] if not unset(row.get(name))}
    if isinstance(user := found.get("assignedUser"), dict):
        found["assignedUser"] = {name: user[name] for name in ("uid", "username") if user.get(name)}
    for side in ("from", "to"):
        if isinstance(end := found.get(side), dict):
            what, uid = end_of(end)
            found[side] = {what: {what: uid}}
    if kind in VALUES:
        found = with_values(kind, found, said(kind, row))
    return found


def said(kind: Kind, row: Row) -> dict[str, JsonValue]:
    """The values that an object names, by the UID of what holds them; an empty one takes a value away."""
    name, key = VALUES[kind]
    return {str(item.get(key)): item.get("value") for item in inner(row, name)}


def uid_of(kind: Kind, body: JsonObject) -> str:
    """An object's UID."""
    return str(body[IDENTIFIERS[kind]])


def payload(kind: Kind, before: JsonObject | None, after: JsonObject) -> JsonObject:
    """An object as an import takes it; values that it had and shall not have are sent empty."""
    body: JsonObject = {name: value for name, value in after.items() if name in OWN[kind] and value not in (None, "")}
    for name, was in (before or {}).items():  # what it had and shall not have is said: some servers keep what is not
        if name in OWN[kind] and name not in body and name != "completedAt":
            body[name] = False if isinstance(was, bool) else None
    if body.get("status") != "COMPLETED":
        body.pop("completedAt", None)
    if kind in VALUES:
        name, key = VALUES[kind]
        now, was = values_of(kind, after), values_of(kind, before or {})
        gone = [uid for uid in was if now.get(uid) in (None, "")]
        kept = {uid: value for uid, value in now.items() if value not in (None, "")}
        if kind == "enrollments":  # its attributes are the entity's, which may be changed beside it
            kept = {uid: value for uid, value in kept.items() if not same(was.get(uid), value)}
        body[name] = [
            *({key: uid, "value": value} for uid, value in kept.items()),
            *({key: uid, "value": None} for uid in gone),
        ]
    return body


def values_of(kind: Kind, body: JsonObject) -> dict[str, JsonValue]:
    """An object's values, by the UID of what holds them."""
    found = body.get(VALUES[kind][0]) if kind in VALUES else None
    return cast("dict[str, JsonValue]", found) if isinstance(found, dict) else {}


def with_values(kind: Kind, body: JsonObject, values: Mapping[str, JsonValue]) -> JsonObject:
    """An object with other values; an empty one takes it away."""
    name = VALUES[kind][0]
    merged = {**values_of(kind, body), **values}
    return {**body, name: {uid: value for uid, value in merged.items() if value not in (None, "")}}


def changed(before: JsonObject, after: JsonObject) -> tuple[JsonObject, JsonObject]:
    """What differs between two states of an object, before and after; of its values those that differ."""
    old: JsonObject = {}
    new: JsonObject = {}
    for name in {**before, **after}:
        left, right = before.get(name), after.get(name)
        if name in {"attributes", "dataValues"}:
            left, right = _differing(left, right)
        if not same(left, right):
            old[name], new[name] = left, right
    return old, new


def _differing(left: JsonValue, right: JsonValue) -> tuple[JsonValue, JsonValue]:
    was, now = (value if isinstance(value, dict) else {} for value in (left, right))
    uids = [uid for uid in {**was, **now} if not same(was.get(uid), now.get(uid))]
    return {uid: was.get(uid) for uid in uids}, {uid: now.get(uid) for uid in uids}


def same(left: JsonValue, right: JsonValue) -> bool:
    """Are two properties the same to a server? A day is its midnight; what is not said is false or nothing."""
    if unset(left) and unset(right):
        return True
    if isinstance(left, str) and isinstance(right, str):
        return left == right or _moment(left) == _moment(right)
    if isinstance(left, dict) and isinstance(right, dict):
        return all(same(left.get(name), right.get(name)) for name in {**left, **right})
    return left == right or (left is not None and right is not None and str(left) == str(right))


def _moment(text: str) -> str:
    """A moment written out (`2025-06-30` is `2025-06-30T00:00:00.000`); any other text as it is, since `2:00` is not `2`."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return text
    day, minute, second, fraction = (found[name] or "" for name in ("day", "minute", "second", "fraction"))
    return f"{day}T{minute or '00:00'}:{second or '00'}.{fraction.rstrip('0')}"
