"""What a push changes: its objects against those of the server. What is there already as it is said is not sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from dhis2sh.changes.in_words import differences
from dhis2sh.client.tracker import IDENTIFIERS
from dhis2sh.tracker.held import OWN, VALUES, changed, held, said, uid_of, unset, values_of, with_values
from dhis2sh.tracker.reading import inner

if TYPE_CHECKING:
    from dhis2sh.client.tracker import Kind
    from dhis2sh.tracker.payloads import Entry
    from dhis2sh.types import JsonObject, JsonValue

UPDATES = {"CREATE_AND_UPDATE", "UPDATE"}
"""The strategies with which what is there already may be left alone; the others have the server say that it is there."""
_LEFT_BY_SERVER = {
    "trackedEntity", "trackedEntityType", "enrollment", "program", "programStage", "orgUnit", "attributeOptionCombo",
    "completedAt", "potentialDuplicate",
}  # fmt: skip
"""What an import does not take away where nothing is said of it."""
_ADDED = ("notes", "attributeCategoryOptions")


def complete(entry: Entry, before: Mapping[str, JsonObject], numeric: Collection[str]) -> None:
    """Fill in what a row does not say of objects that are there: an import would take it away.

    A number that is the same keeps the digits that it has: a sheet makes 3.4 of 3.400.

    Parameters:
        before: what the server has, by UID; numeric: UIDs of what holds numbers.
    """
    for kind, body in entry.objects():
        was = before.get(uid_of(kind, body))
        if was is not None:
            for name in OWN[kind]:
                if unset(body.get(name)) and not unset(was.get(name)):
                    body[name] = was[name]
            _keep_digits(kind, body, was, numeric)
        if kind != "relationships" and body.get("status") != "COMPLETED":
            body.pop("completedAt", None)


def _keep_digits(kind: Kind, body: JsonObject, was: JsonObject, numeric: Collection[str]) -> None:
    if kind not in VALUES:
        return
    name, key = VALUES[kind]
    there = values_of(kind, was)
    for value in inner(body, name):
        uid = str(value.get(key))
        if uid in numeric and _same_number(there.get(uid), value.get("value")):
            value["value"] = there[uid]


def _same_number(left: JsonValue, right: JsonValue) -> bool:
    if left in (None, "") or right in (None, ""):
        return False
    try:
        return Decimal(str(left)) == Decimal(str(right))
    except InvalidOperation:
        return False


def compare(entry: Entry, before: Mapping[str, JsonObject]) -> None:
    """Note in an entry which of its objects are there already as they are said; `complete` has filled in those of a row."""
    for kind, body in entry.objects():
        uid = uid_of(kind, body)
        if uid not in entry.same and _as_it_is(kind, body, before.get(uid)):
            entry.same.append(uid)


def _as_it_is(kind: Kind, body: JsonObject, was: JsonObject | None) -> bool:
    return was is not None and not _more(body) and not any(changed(was, imported(kind, body, was)))


def _more(body: JsonObject) -> list[str]:
    """What an object says that is imported and cannot be compared."""
    return [name for name in _ADDED if not unset(body.get(name))]


def imported(kind: Kind, body: JsonObject, was: JsonObject) -> JsonObject:
    """What an object is when it has been written over another one: whole, but for values that are not named.

    What is not said some servers keep all the same: in doubt it is a change.

    Parameters:
        body: as it is sent; was: as it is, as `held` has it.
    """
    found = held(kind, body)
    for name in OWN[kind]:
        if name not in found and name in _LEFT_BY_SERVER and name in was:
            found[name] = was[name]
    if kind in {"enrollments", "events"}:
        found.setdefault("status", "ACTIVE")
    if found.get("status") != "COMPLETED":
        found.pop("completedAt", None)
        if was.get("status") == found.get("status") and "completedAt" in was:
            found["completedAt"] = was["completedAt"]
    user, had = found.get("assignedUser"), was.get("assignedUser")
    if isinstance(user, dict) and isinstance(had, dict) and user.items() <= had.items():
        found["assignedUser"] = had  # an account is named by its UID or its username
    if kind in VALUES:
        found[VALUES[kind][0]] = {**values_of(kind, was)}
        found = with_values(kind, found, said(kind, body))
    return found


def words(entry: Entry, before: Mapping[str, JsonObject], names: Mapping[str, str]) -> str | None:
    """What becomes of an entry of which something is there: each cell that changes, before and after.

    None of one that is new as a whole.

    Parameters:
        before: what the server has, by UID; names: what UIDs stand for.
    """
    if not any(uid_of(kind, body) in before for kind, body in entry.objects()):
        return None
    told: list[str] = []
    for kind, body in entry.sent():
        was = before.get(uid_of(kind, body))
        lines = _new(kind, body, names) if was is None else _cells(kind, body, was, names)
        where = _where(entry, kind, body, names)
        told += [f"{where}{line}" for line in lines]
    return f"{entry.body.get(IDENTIFIERS[entry.kind])}: {'; '.join(told) or 'as it is'}"


def _where(entry: Entry, kind: Kind, body: JsonObject, names: Mapping[str, str]) -> str:
    """Which of the objects of an entry is meant, where it is not the entry itself."""
    if kind == entry.kind:
        return ""
    called = body.get("programStage") or body.get("program")
    day = str(body.get("occurredAt") or body.get("scheduledAt") or "")[:10] if kind == "events" else ""
    return " ".join(part for part in (IDENTIFIERS[kind], names.get(str(called), str(called)), day) if part) + ": "


def _new(kind: Kind, body: JsonObject, names: Mapping[str, str]) -> Iterator[str]:
    name, key = VALUES.get(kind, ("", ""))
    values = (
        [f"{names.get(str(item[key]), item[key])}: {item.get('value')}" for item in inner(body, name)] if name else []
    )
    yield ", ".join(["new", *values])


def _cells(kind: Kind, body: JsonObject, was: JsonObject, names: Mapping[str, str]) -> Iterator[str]:
    before, after = changed(was, imported(kind, body, was))
    silent = [name for name in before if name in OWN[kind] and name not in body and unset(after[name])]
    old, new = (
        {name: value for name, value in _flat(state).items() if name not in silent} for state in (before, after)
    )
    yield from differences(old, new, names)
    yield from (f"{name} is not said: a server may take it away" for name in silent)
    yield from (f"{name} as well" for name in _more(body))


def _flat(state: JsonObject) -> JsonObject:
    """Properties and values side by side."""
    found: JsonObject = {}
    for name, value in state.items():
        if name in {"attributes", "dataValues"} and isinstance(value, dict):
            found |= value
        else:
            found[name] = value
    return found


def unchanged(entries: Sequence[Entry]) -> int:
    """How many objects of some entries are not sent, since they are there."""
    return sum(len(entry.same) for entry in entries)
