"""What is pushed, object by object: as files of many makers have it, into the one form that goes out, each with a UID.

UIDs that nobody gave are made from what an object is: a file that was mended or has grown makes the same ones of the same
rows again, and nothing that was cut off is written twice.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dhis2sh.client.tracker import IDENTIFIERS
from dhis2sh.dhis2.properties import SET_BY_SERVER
from dhis2sh.dhis2.uids import generate_uid, is_uid
from dhis2sh.errors import UsageError
from dhis2sh.tracker.reading import end_of, inner
from dhis2sh.words import joined, listed

if TYPE_CHECKING:
    from dhis2sh.client.tracker import Kind
    from dhis2sh.types import JsonObject, JsonValue, Row

KINDS: tuple[Kind, ...] = ("trackedEntities", "enrollments", "events", "relationships")
"""In the order in which they refer to one another."""
ALSO_CALLED: Mapping[str, str] = {
    "trackedEntityInstance": "trackedEntity", "trackedEntityInstances": "trackedEntities", "enrollmentDate": "enrolledAt",
    "incidentDate": "occurredAt", "eventDate": "occurredAt", "dueDate": "scheduledAt", "completedDate": "completedAt",
    "followup": "followUp",
}  # fmt: skip
"""Names of the API that ended with 2.41, and what they are called now."""
LEFT_OUT = SET_BY_SERVER | {"reason", "row", "createdAt", "updatedAt", "updatedBy", "storedBy"}
"""What no import reads."""


@dataclass(slots=True)
class Entry:
    """One object of what was given, with all that hangs on it.

    Parameters:
        place: where it stands, from 1; `label` says it in words, such as `row 3`.
        kind: what it is; `body` as it is sent.
        given: as it was given, for the file of what was refused; None where it is the body.
        made: UIDs that were made here.
        sheet: it comes from a row: what the row does not say stays as it is.
        problems: why it is not sent.
        said: what units that its values name are called, as the row says it.
        same: UIDs of its objects that are there already as they are said, and are not sent.
    """

    place: int
    label: str
    kind: Kind
    body: JsonObject
    given: Row | None = None
    made: list[str] = field(default_factory=list[str])
    sheet: bool = False
    problems: list[str] = field(default_factory=list[str])
    said: dict[str, str] = field(default_factory=dict[str, str])
    same: list[str] = field(default_factory=list[str])

    def objects(self) -> Iterator[tuple[Kind, JsonObject]]:
        """The object and all that hangs on it."""
        yield from walk(self.kind, self.body)

    @property
    def weight(self) -> int:
        """How many objects of it are sent."""
        return sum(1 for _ in self.sent())

    def sent(self) -> Iterator[tuple[Kind, JsonObject]]:
        """Its objects that are sent."""
        return ((kind, body) for kind, body in self.objects() if body.get(IDENTIFIERS[kind]) not in self.same)


def walk(kind: Kind, body: JsonObject) -> Iterator[tuple[Kind, JsonObject]]:
    """An object and all that hangs on it, the outer first."""
    yield kind, body
    if kind == "trackedEntities":
        for one in inner(body, "enrollments"):
            yield from walk("enrollments", one)
    if kind == "enrollments":
        for one in inner(body, "events"):
            yield "events", one


def kind_of(body: JsonObject) -> Kind | None:
    """What an object is, by what it says; None where it is no object of tracker."""
    if "relationshipType" in body or ("from" in body and "to" in body):
        return "relationships"
    if "programStage" in body or "event" in body or "dataValues" in body:
        return "events"
    if "trackedEntityType" in body and "enrolledAt" not in body and "enrollmentDate" not in body:
        return "trackedEntities"
    if "enrolledAt" in body or "enrollment" in body or "enrollmentDate" in body:
        return "enrollments"
    return "trackedEntities" if {"trackedEntity", "trackedEntityInstance"} & body.keys() else None


def in_bundle(body: JsonObject, name: str) -> list[tuple[Kind, JsonObject]]:
    """The objects of a bundle, in order. Raises `UsageError` for a file that is none."""
    found: list[tuple[Kind, JsonObject]] = []
    renamed = {ALSO_CALLED.get(key, key): value for key, value in body.items()}
    if not any(kind in renamed for kind in KINDS):
        lists = [key for key, value in body.items() if isinstance(value, list)]
        single = kind_of(body)
        if single is not None and not {"programs", "programStages"} & body.keys():
            return [(single, body)]
        raise UsageError(
            f"{name} holds {joined(lists[:4]) or 'nothing'}, and none of {joined(KINDS, 'or')}",
            hint=f"metadata: dhis2 metadata import {name}"
            if lists
            else "dhis2 data tracker export PROGRAM  shows the form",
        )
    for kind in KINDS:
        for item in inner(renamed, kind):
            found.append((kind, item))
    return found


class Making:
    """Makes UIDs where there are none, always the same ones for the same content; equals are told apart by their order."""

    def __init__(self) -> None:
        self._often: dict[bytes, int] = {}

    def uid(self, *content: object) -> str:
        """The UID of the next object that is this."""
        digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).digest()
        at = self._often[digest] = self._often.get(digest, 0) + 1
        return _uid_of(digest + str(at).encode())


def next_uid(uid: str) -> str:
    """The UID that follows one that is used up: of what a server has deleted, it takes none again."""
    return _uid_of(f"deleted {uid}".encode())


def _uid_of(seed: bytes) -> str:
    return generate_uid(random.Random(hashlib.sha256(seed).digest()))  # noqa: S311  (no secret)


def rename(entry: Entry, uids: Mapping[str, str], *, there: bool = False) -> None:
    """Give objects of an entry other UIDs than those that were made here, wherever it names them.

    Parameters:
        there: the new ones are of objects that the server has: they were not made here.
    """
    if not uids:
        return

    open_: list[JsonValue] = [entry.body]
    while open_:
        value = open_.pop()
        if isinstance(value, dict):
            for name, inside in value.items():
                if isinstance(inside, str):
                    value[name] = uids.get(inside, inside)
                else:
                    open_.append(inside)
        elif isinstance(value, list):
            open_ += value
    if entry.given is not None:
        entry.given = {name: uids.get(str(cell), cell) for name, cell in entry.given.items()}
    entry.made = [uids.get(uid, uid) for uid in entry.made if not (there and uid in uids)]


def normal(kind: Kind, body: JsonObject, making: Making, place: int, label: str) -> tuple[Entry, list[Entry]]:
    """An object as it goes out, and the relationships that were inside of it, as entries of their own.

    What hangs on it says whose it is; references by scheme (`{"idScheme": "UID", "identifier": ...}`) become plain ones.
    """
    entry = Entry(place, label, kind, {})
    links: list[Entry] = []
    entry.body = _normal(kind, body, {}, making, entry, links)
    if kind == "relationships":
        _ends(entry.body, entry)
    return entry, links


def _normal(
    kind: Kind, body: JsonObject, above: Mapping[str, JsonValue], making: Making, entry: Entry, links: list[Entry],
) -> JsonObject:  # fmt: skip
    found: JsonObject = {}
    for key, value in body.items():
        name = ALSO_CALLED.get(key, key)
        if name in LEFT_OUT or name == "relationships" or (name in found and name != key):
            continue
        found[name] = _plain(value) if name not in _NESTED else value
    for name, value in above.items():
        if name in _TAKEN[kind] and not found.get(name):
            found[name] = value
    key = IDENTIFIERS[kind]
    if not found.get(key):
        found[key] = making.uid(kind, *_content(kind, found))
        entry.made.append(str(found[key]))
    elif not is_uid(str(found[key])):
        entry.problems.append(f"'{found[key]}' is no UID: a letter and ten letters or digits")
    for name, item_key in (("attributes", "attribute"), ("dataValues", "dataElement")):
        if name in found:
            found[name] = [_value(item, item_key) for item in inner(found, name)]
    for number, link in enumerate(inner(body, "relationships")):
        made, _ = normal("relationships", link, making, entry.place, f"{entry.label}, relationship {number + 1}")
        links.append(made)
    below: Kind | None = {"trackedEntities": "enrollments", "enrollments": "events"}.get(kind)  # type: ignore[assignment]
    if below is not None and below in found:
        rows = inner(found, below)
        passed = {
            name: found[name] for name in ("trackedEntity", "enrollment", "program", "orgUnit") if found.get(name)
        }
        if kind == "trackedEntities":
            passed.pop("orgUnit", None)
        found[below] = [_normal(below, row, passed, making, entry, links) for row in rows]
    return found


def _content(kind: Kind, body: JsonObject) -> tuple[object, ...]:
    """What an object is told by: who and where an entity is, of whom and when the rest; not the values that come and go."""
    day = _day(body)
    if kind == "trackedEntities":
        enrolled = [(one.get("program"), _day(one)) for one in inner(body, "enrollments")]
        own = {name: value for name, value in body.items() if name not in _NESTED}
        values = {str(_plain(value.get("attribute"))): value.get("value") for value in inner(body, "attributes")}
        return (own, values, enrolled)
    if kind == "enrollments":
        return (body.get("trackedEntity"), body.get("program"), day)
    if kind == "events" and body.get("enrollment"):
        return (body.get("enrollment"), body.get("programStage"), day)
    return (body,)


def _day(body: JsonObject) -> str:
    """The day of an enrollment or event."""
    names = ("enrolledAt", "enrollmentDate", "scheduledAt", "dueDate", "occurredAt", "eventDate")
    return next((str(body[name])[:10] for name in names if body.get(name)), "")


_NESTED = {"enrollments", "events", "geometry", "notes", "from", "to", "attributes", "dataValues", "assignedUser"}
_TAKEN: Mapping[Kind, tuple[str, ...]] = {
    "trackedEntities": (), "enrollments": ("trackedEntity",), "events": ("trackedEntity", "enrollment", "program"),
    "relationships": (),
}  # fmt: skip
"""What an object takes over from that on which it hangs, where it does not say it itself."""


def _plain(value: JsonValue) -> JsonValue:
    """A reference as its text; a list of them as their texts with commas."""
    if isinstance(value, dict) and ("identifier" in value or "idScheme" in value):
        return value.get("identifier")
    if isinstance(value, dict) and set(value) <= {"id", "name", "displayName", "code"} and "id" in value:
        return value["id"]
    if isinstance(value, list) and value and all(isinstance(item, dict) and "identifier" in item for item in value):
        return ",".join(str(_plain(item)) for item in value)
    return None if value == [] else value


def _value(item: JsonObject, key: str) -> JsonObject:
    """A value: what holds it, and what it is."""
    kept: JsonObject = {key: _plain(item.get(key)), "value": item.get("value")}
    if item.get("providedElsewhere"):
        kept["providedElsewhere"] = True
    return kept


def _ends(body: JsonObject, entry: Entry) -> None:
    """The ends of a relationship as an import takes them: `{"trackedEntity": {"trackedEntity": UID}}`."""
    for side in ("from", "to"):
        end = body.get(side)
        kind, uid = end_of(end) if isinstance(end, dict) else ("", "")
        if not kind:
            entry.problems.append(f"'{side}' names no trackedEntity, enrollment or event")
            continue
        body[side] = {kind: {kind: uid}}


def said(body: JsonObject) -> list[str]:
    """What a bundle says of how it wants to be imported, which no server reads there."""
    told = [
        f"{name}={body[name]}"
        for name in ("importStrategy", "atomicMode", "importMode")
        if isinstance(body.get(name), str)
    ]
    return [f"the file says {listed(told, 3)}, which no server reads there: options say it"] if told else []


def only(entry: Entry) -> JsonObject:
    """An entry as a deletion takes it: its UID alone."""
    key = IDENTIFIERS[entry.kind]
    return {key: entry.body[key]}
