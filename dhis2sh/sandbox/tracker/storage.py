"""Rows of the tracker's tables from and to what the API calls tracked entities, enrollments, events and relationships.

The columns of a table are the snake-case names of the API's properties, so that one function writes all four kinds.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

type Kind = Literal["trackedEntity", "enrollment", "event", "relationship"]
KINDS: tuple[Kind, ...] = ("trackedEntity", "enrollment", "event", "relationship")
TABLE_OF: Mapping[Kind, str] = {
    "trackedEntity": "tracked_entity", "enrollment": "enrollment", "event": "event", "relationship": "relationship",
}  # fmt: skip
_TIMES = ("createdAt", "createdAtClient", "updatedAt", "updatedAtClient")
_USERS = ("createdBy", "updatedBy")
COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "trackedEntity": ("trackedEntityType", "orgUnit", "inactive", "deleted", "potentialDuplicate", "geometry",
                      "storedBy", *_TIMES, *_USERS),
    "enrollment": ("trackedEntity", "program", "orgUnit", "status", "enrolledAt", "occurredAt", "completedAt",
                   "completedBy", "followUp", "deleted", "geometry", "storedBy", *_TIMES, *_USERS),
    "event": ("enrollment", "trackedEntity", "program", "programStage", "orgUnit", "status", "occurredAt",
              "scheduledAt", "completedAt", "completedBy", "attributeOptionCombo", "attributeCategoryOptions",
              "assignedUser", "followUp", "deleted", "geometry", "storedBy", *_TIMES, *_USERS),
    "relationship": ("relationshipType", "bidirectional", "fromKind", "fromUid", "toKind", "toUid", "deleted",
                     "createdAt", "createdAtClient", "updatedAt"),
}  # fmt: skip
_JSON = {"geometry", "createdBy", "updatedBy", "assignedUser"}
_FLAGS = {"inactive", "deleted", "potentialDuplicate", "followUp", "bidirectional", "providedElsewhere"}
_VALUE = ("value", "storedBy", "createdAt", "updatedAt")


@cache
def column_of(name: str) -> str:
    """The column of an API property: `trackedEntityType` is `tracked_entity_type`."""
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def _cell(name: str, value: JsonValue) -> JsonValue:
    if name in _FLAGS:
        return int(bool(value))
    if name in _JSON and value is not None:
        return json.dumps(value, ensure_ascii=False)
    return value


def from_row(row: sqlite3.Row, names: Iterable[str]) -> JsonObject:
    """The API's object of a row: what is empty is left out, flags are booleans, JSON columns are read."""
    found: JsonObject = {}
    for name in names:
        value = cast("JsonValue", row[column_of(name)])
        if name in _FLAGS:
            found[name] = bool(value)
        elif value is not None:
            found[name] = json.loads(cast("str", value)) if name in _JSON else value
    return found


@dataclass(slots=True)
class Written:
    """How many objects of each kind a load created and updated."""

    created: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    updated: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))


class Tracker:
    """The tracker's rows in a store.

    Parameters:
        store: the database that holds the tables.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def rows(self, sql: str, parameters: Iterable[object] = ()) -> list[sqlite3.Row]:
        """The rows of a query, readable by column name."""
        cursor = self.store.connection.cursor()
        cursor.row_factory = sqlite3.Row
        return cursor.execute(sql, tuple(parameters)).fetchall()  # type: ignore[arg-type]

    def row(self, kind: Kind, uid: str) -> sqlite3.Row | None:
        """One row by its UID, deleted ones included."""
        found = self.rows(f"SELECT * FROM {TABLE_OF[kind]} WHERE uid = ?", (uid,))
        return found[0] if found else None

    def get(self, kind: Kind, uid: str) -> JsonObject | None:
        """One object without what belongs to it, or None. Deleted ones are found too."""
        row = self.row(kind, uid)
        return None if row is None else {kind: uid, **from_row(row, COLUMNS[kind])}

    def counts(self) -> dict[Kind, int]:
        """How many there are of each kind, deleted ones aside."""
        return {
            kind: cast("int", self.rows(f"SELECT count(*) AS n FROM {TABLE_OF[kind]} WHERE NOT deleted")[0]["n"])
            for kind in KINDS
        }

    def load(self, export: Mapping[str, Iterable[JsonObject]]) -> Written:
        """Write the objects of a tracker export with their times and users, nested ones too, in one transaction.

        Parameters:
            export: `trackedEntities`, `enrollments`, `events` and `relationships`, as the API gives them.
        """
        written = Written()
        with self.store.writing() as connection:
            writer = Writer(connection, written)
            # An export lists the newest first, and lists go by the order of writing: so the last is written first.
            for item in reversed(list(export.get("trackedEntities", ()))):
                writer.tracked_entity(item)
            for item in reversed(list(export.get("enrollments", ()))):
                writer.enrollment(item)
            for item in reversed(list(export.get("events", ()))):
                writer.event(item)
            for item in reversed(list(export.get("relationships", ()))):
                writer.relationship(item)
        return written


class Writer:
    """Writes API objects as rows of one open transaction.

    Parameters:
        connection: the transaction, from `Store.writing`.
        written: counts what happened.
    """

    def __init__(self, connection: sqlite3.Connection, written: Written | None = None) -> None:
        self.connection = connection
        self.written = written or Written()

    def put(self, kind: Kind, uid: str, item: Mapping[str, JsonValue]) -> bool:
        """Write one row; what `item` does not name keeps its value. Returns whether it is new."""
        names = [name for name in COLUMNS[kind] if name in item]
        columns = ["uid", *(column_of(name) for name in names)]
        known = self.connection.execute(f"SELECT 1 FROM {TABLE_OF[kind]} WHERE uid = ?", (uid,)).fetchone()
        cells = [uid, *(_cell(name, item[name]) for name in names)]
        if known:
            sets = ", ".join(f"{column} = ?" for column in columns)
            self.connection.execute(f"UPDATE {TABLE_OF[kind]} SET {sets} WHERE uid = ?", (*cells, uid))
        else:
            marks = ", ".join("?" * len(columns))
            self.connection.execute(
                f"INSERT INTO {TABLE_OF[kind]} ({', '.join(columns)}) VALUES ({marks})",
                cells,
            )
        counted = self.written.updated if known else self.written.created
        counted[kind] += 1
        return not known

    def value(self, table: str, owner: str, item: str, row: Mapping[str, JsonValue]) -> None:
        """Write one attribute or data value of an owner; None takes it away."""
        owner_column, item_column = VALUE_KEYS[table]
        if row.get("value") is None:
            self.connection.execute(
                f"DELETE FROM {table} WHERE {owner_column} = ? AND {item_column} = ?",
                (owner, item),
            )
            return
        names = [*_VALUE, *(("providedElsewhere", *_USERS) if table == "event_value" else ())]
        columns = [owner_column, item_column, *(column_of(name) for name in names)]
        self.connection.execute(
            f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            [owner, item, *(_cell(name, row.get(name)) for name in names)],
        )

    def tracked_entity(self, item: JsonObject) -> None:
        """Write a tracked entity with its attributes, owners and enrollments."""
        uid = cast("str", item["trackedEntity"])
        self.put("trackedEntity", uid, item)
        for value in _list(item, "attributes"):
            self.value("attribute_value", uid, cast("str", value["attribute"]), value)
        for owner in _list(item, "programOwners"):
            self.owner(uid, cast("str", owner["program"]), cast("str", owner["orgUnit"]))
        for enrollment in _list(item, "enrollments"):
            self.enrollment({"trackedEntity": uid, **enrollment})
        for relationship in _list(item, "relationships"):
            self.relationship(relationship)

    def owner(self, tracked_entity: str, program: str, org_unit: str, *, keep: bool = False) -> None:
        """Say which org unit owns a tracked entity in a program; `keep` leaves an owner that is there."""
        word = "IGNORE" if keep else "REPLACE"
        self.connection.execute(
            f"INSERT OR {word} INTO program_owner VALUES (?, ?, ?)",
            (tracked_entity, program, org_unit),
        )

    def enrollment(self, item: JsonObject) -> None:
        """Write an enrollment with its notes, attributes and events; it makes its org unit the owner if there is none."""
        uid = cast("str", item["enrollment"])
        self.put("enrollment", uid, item)
        if item.get("trackedEntity") and item.get("orgUnit"):
            self.owner(*(cast("str", item[name]) for name in ("trackedEntity", "program", "orgUnit")), keep=True)
            for value in _list(item, "attributes"):
                self.value(
                    "attribute_value", cast("str", item["trackedEntity"]), cast("str", value["attribute"]), value
                )
        for note in _list(item, "notes"):
            self.note(uid, note)
        for event in sorted(_list(item, "events"), key=_age):
            self.event({"enrollment": uid, "trackedEntity": item.get("trackedEntity"), **event})
        for relationship in _list(item, "relationships"):
            self.relationship(relationship)

    def event(self, item: JsonObject) -> None:
        """Write an event with its notes and values. One of a program without registration brings its enrollment along."""
        uid, enrollment = cast("str", item["event"]), cast("str", item["enrollment"])
        known = self.connection.execute("SELECT 1 FROM enrollment WHERE uid = ?", (enrollment,)).fetchone()
        if not known:
            self.connection.execute(
                "INSERT INTO enrollment (uid, program, status, org_unit) VALUES (?, ?, 'ACTIVE', NULL)",
                (enrollment, item["program"]),
            )
        self.put("event", uid, item)
        for value in _list(item, "dataValues"):
            self.value("event_value", uid, cast("str", value["dataElement"]), value)
        for note in _list(item, "notes"):
            self.note(uid, note)
        for relationship in _list(item, "relationships"):
            self.relationship(relationship)

    def note(self, owner: str, note: Mapping[str, JsonValue]) -> None:
        """Write a note of an enrollment or event; notes are never changed."""
        self.connection.execute(
            "INSERT OR IGNORE INTO note (uid, owner, value, stored_at, stored_by, created_by) VALUES (?, ?, ?, ?, ?, ?)",
            (note["note"], owner, note.get("value"), note.get("storedAt"), note.get("storedBy"),
             _cell("createdBy", note.get("createdBy"))),
        )  # fmt: skip

    def relationship(self, item: JsonObject) -> None:
        """Write a relationship; its ends are `{trackedEntity|enrollment|event: {...}}`."""
        from_kind, from_uid = end_of(cast("JsonObject", item["from"]))
        to_kind, to_uid = end_of(cast("JsonObject", item["to"]))
        flat: JsonObject = {"bidirectional": False, **{k: v for k, v in item.items() if k not in {"from", "to"}},
                            "fromKind": from_kind, "fromUid": from_uid, "toKind": to_kind, "toUid": to_uid}  # fmt: skip
        self.put("relationship", cast("str", item["relationship"]), flat)


VALUE_KEYS: Mapping[str, tuple[str, str]] = {
    "attribute_value": ("tracked_entity", "attribute"),
    "event_value": ("event", "data_element"),
}


def end_of(end: JsonObject) -> tuple[Kind, str]:
    """The kind and UID of one end of a relationship; both `{event: uid}` and `{event: {event: uid}}` are read."""
    for kind in ("trackedEntity", "enrollment", "event"):
        value = end.get(kind)
        if isinstance(value, dict):
            value = value.get(kind)
        if isinstance(value, str):
            return kind, value
    return "trackedEntity", ""


def _age(event: JsonObject) -> tuple[str, str]:
    return str(event.get("createdAt") or ""), str(event.get("occurredAt") or event.get("scheduledAt") or "")


def _list(item: JsonObject, name: str) -> list[JsonObject]:
    return cast("list[JsonObject]", item.get(name) or [])
