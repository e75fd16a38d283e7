"""Whole tracker objects from rows: what belongs to many of them is read at once, and only what `fields` asks for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.metadata.fields import Field
from dhis2sh.sandbox.metadata.select import select, wants
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO
from dhis2sh.sandbox.tracker.storage import COLUMNS, Kind, Tracker, from_row

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_CHUNK = 500
_VALUE = ("providedElsewhere", "createdAt", "updatedAt", "storedBy", "value")
_AUTHORS = (*_VALUE, "createdBy", "updatedBy")


class Assembler:
    """Makes API objects of rows.

    Parameters:
        tracker: where the rows are.
        program: of the request; its attributes are shown besides those of the tracked-entity type.
        include_deleted: show deleted children too.
        end: of ends of relationships: these show every attribute, and no relationships of their own.
    """

    def __init__(
        self, tracker: Tracker, *, program: str | None = None, include_deleted: bool = False, end: bool = False
    ) -> None:
        self._tracker = tracker
        self._program = program
        self._end_only = end
        self._living = "" if include_deleted else " AND NOT deleted"

    def _by(self, sql: str, column: str, keys: Sequence[str]) -> dict[str, list[sqlite3.Row]]:
        """Rows grouped by a column that is one of many keys."""
        found: dict[str, list[sqlite3.Row]] = {}
        for start in range(0, len(keys), _CHUNK):
            part = keys[start : start + _CHUNK]
            for row in self._tracker.rows(sql.format(keys=",".join("?" * len(part))), part):
                found.setdefault(cast("str", row[column]), []).append(row)
        return found

    def tracked_entities(self, rows: Sequence[sqlite3.Row], tree: Field) -> list[JsonValue]:
        """Tracked entities as `fields` wants them."""
        keys = [cast("str", row["uid"]) for row in rows]
        values = self._attributes(keys) if wants(tree, "attributes") or wants(tree, "enrollments") else {}
        enrollments: dict[str, list[sqlite3.Row]] = {}
        if wants(tree, "enrollments"):
            where = f"tracked_entity IN ({{keys}}){self._living}"
            if self._program:
                where += f" AND program = '{self._program}'"
            enrollments = self._by(f"SELECT * FROM enrollment WHERE {where} ORDER BY id", "tracked_entity", keys)
        inner = {
            cast("str", cast("JsonObject", item)["enrollment"]): item
            for item in self._enrollments([row for group in enrollments.values() for row in group], Field(), values)
        }
        owners = self._by("SELECT * FROM program_owner WHERE tracked_entity IN ({keys})", "tracked_entity", keys)
        links = self._links(keys, tree)
        found: list[JsonValue] = []
        for row in rows:
            key = cast("str", row["uid"])
            item: JsonObject = {"trackedEntity": key, **from_row(row, COLUMNS["trackedEntity"])}
            item["relationships"] = cast("JsonValue", links.get(key, []))
            programs = (
                {cast("str", one["program"]) for one in enrollments.get(key, [])} if self._end_only else set[str]()
            )
            item["attributes"] = cast(
                "JsonValue", self._shown(values.get(key, []), row["tracked_entity_type"], programs)
            )
            item["enrollments"] = [inner[cast("str", one["uid"])] for one in enrollments.get(key, [])]
            item["programOwners"] = [
                {"orgUnit": one["org_unit"], "trackedEntity": key, "program": one["program"]}
                for one in owners.get(key, [])
                if not self._program or one["program"] == self._program
            ]
            found.append(select(item, tree))
        return found

    def enrollments(self, rows: Sequence[sqlite3.Row], tree: Field) -> list[JsonValue]:
        """Enrollments as `fields` wants them."""
        keys = [cast("str", row["tracked_entity"]) for row in rows if row["tracked_entity"]]
        values = self._attributes(keys) if wants(tree, "attributes") else {}
        return self._enrollments(rows, tree, values)

    def _enrollments(
        self, rows: Sequence[sqlite3.Row], tree: Field, values: dict[str, list[sqlite3.Row]]
    ) -> list[JsonValue]:
        keys = [cast("str", row["uid"]) for row in rows]
        events: dict[str, list[sqlite3.Row]] = {}
        if tree.bare or wants(tree, "events"):
            sql = f"SELECT * FROM event WHERE enrollment IN ({{keys}}){self._living} ORDER BY id"
            events = self._by(sql, "enrollment", keys)
        flat = [row for group in events.values() for row in group]
        inner = {cast("str", row["uid"]): item for row, item in zip(flat, self.events(flat, Field()), strict=True)}
        notes, links = self._notes(keys), self._links(keys, tree)
        found: list[JsonValue] = []
        for row in rows:
            key = cast("str", row["uid"])
            item: JsonObject = {"enrollment": key, **from_row(row, COLUMNS["enrollment"])}
            if self._tracker.store.version.enrollment_combos and not self._end_only:
                item["attributeOptionCombo"] = DEFAULT_OPTION_COMBO
            item["events"] = [inner[cast("str", one["uid"])] for one in events.get(key, [])]
            item["relationships"] = cast("JsonValue", links.get(key, []))
            item["attributes"] = cast(
                "JsonValue", self._of_program(values.get(cast("str", row["tracked_entity"]), []), row["program"])
            )
            item["notes"] = notes.get(key, [])
            found.append(select(item, tree))
        return found

    def events(self, rows: Sequence[sqlite3.Row], tree: Field) -> list[JsonValue]:
        """Events as `fields` wants them."""
        keys = [cast("str", row["uid"]) for row in rows]
        values = self._by("SELECT * FROM event_value WHERE event IN ({keys})", "event", keys)
        shown = _AUTHORS if self._tracker.store.version.value_authors else _VALUE
        if self._end_only and self._tracker.store.version.value_authors:
            shown = tuple(name for name in shown if name != "storedBy")
        notes, links = self._notes(keys), self._links(keys, tree)
        found: list[JsonValue] = []
        for row in rows:
            key = cast("str", row["uid"])
            item: JsonObject = {"event": key, **from_row(row, COLUMNS["event"])}
            if self._end_only:
                item.pop("trackedEntity", None)
            if self._tracker.store.version.followup:
                item["followup"] = item.get("followUp")
            item["relationships"] = cast("JsonValue", links.get(key, []))
            item["dataValues"] = [
                {"dataElement": one["data_element"], **from_row(one, shown)} for one in values.get(key, [])
            ]
            item["notes"] = notes.get(key, [])
            found.append(select(item, tree))
        return found

    def relationships(self, rows: Iterable[sqlite3.Row], tree: Field) -> list[JsonValue]:
        """Relationships as `fields` wants them, their ends with what the trackers say of themselves."""
        found: list[JsonValue] = []
        for row in rows:
            kind = self._tracker.store.get("relationshipTypes", cast("str", row["relationship_type"])) or {}
            item: JsonObject = {"relationship": row["uid"], "relationshipType": row["relationship_type"]}
            item["relationshipName"] = kind.get("name")
            names = ("bidirectional", "createdAt", "createdAtClient", "updatedAt")
            item |= from_row(row, names)
            item["from"] = self._end(row["from_kind"], row["from_uid"])
            item["to"] = self._end(row["to_kind"], row["to_uid"])
            found.append(select(item, tree))
        return found

    def _end(self, kind: Kind, key: str) -> JsonObject:
        row = self._tracker.row(kind, key)
        if row is None:
            return {kind: {kind: key}}
        one = Assembler(self._tracker, end=True)
        whole = {"trackedEntity": one.tracked_entities, "enrollment": one.enrollments, "event": one.events}[kind]
        hidden = [
            "relationships",
            "events.relationships",
            "enrollments.relationships",
            "enrollments.events.relationships",
        ]
        return {kind: whole([row], Field(presets=["all"], excluded=hidden))[0]}

    def _links(self, keys: Sequence[str], tree: Field) -> dict[str, list[JsonValue]]:
        """The relationships of each of many objects, from both their sides."""
        found: dict[str, list[JsonValue]] = {}
        if self._end_only or not (tree.bare or wants(tree, "relationships")):
            return found
        for column in ("from_uid", "to_uid"):
            sql = f"SELECT * FROM relationship WHERE {column} IN ({{keys}}){self._living}"
            if column == "to_uid":
                sql += " AND bidirectional"
            for key, rows in self._by(sql, column, keys).items():
                found.setdefault(key, []).extend(self.relationships(rows, Field()))
        return found

    def _notes(self, keys: Sequence[str]) -> dict[str, list[JsonValue]]:
        rows = self._by("SELECT * FROM note WHERE owner IN ({keys}) ORDER BY id", "owner", keys)
        return {
            key: [
                {"note": one["uid"], **from_row(one, ("storedAt", "value", "storedBy")), "createdBy": _author(one)}
                for one in group
            ]
            for key, group in rows.items()
        }

    def _attributes(self, keys: Sequence[str]) -> dict[str, list[sqlite3.Row]]:
        return self._by("SELECT * FROM attribute_value WHERE tracked_entity IN ({keys})", "tracked_entity", keys)

    def _shown(self, values: Iterable[sqlite3.Row], entity_type: str, programs: set[str]) -> list[JsonObject]:
        """The values whose attributes belong to the type, to the request's program, or to one of these programs."""
        kind = self._tracker.store.get("trackedEntityTypes", entity_type) or {}
        allowed = _attributes_of(kind, "trackedEntityTypeAttributes")
        for uid in programs | ({self._program} if self._program else set[str]()):
            program = self._tracker.store.get("programs", uid) or {}
            allowed |= _attributes_of(program, "programTrackedEntityAttributes")
        return [self._value(row) for row in values if row["attribute"] in allowed]

    def _of_program(self, values: Iterable[sqlite3.Row], program: str) -> list[JsonObject]:
        body = self._tracker.store.get("programs", program) or {}
        allowed = _attributes_of(body, "programTrackedEntityAttributes")
        return [self._value(row) for row in values if row["attribute"] in allowed]

    def _value(self, row: sqlite3.Row) -> JsonObject:
        attribute = self._tracker.store.get("trackedEntityAttributes", cast("str", row["attribute"])) or {}
        found: JsonObject = {"attribute": row["attribute"]}
        if attribute.get("code"):
            found["code"] = attribute["code"]
        if attribute.get("name"):
            found["displayName"] = attribute["name"]
        newer_end = self._end_only and self._tracker.store.version.minor > 42
        found |= from_row(row, ("createdAt", "updatedAt", *(() if newer_end else ("storedBy",))))
        return {**found, "valueType": attribute.get("valueType"), "value": row["value"]}


def _author(note: sqlite3.Row) -> JsonObject:
    """Who wrote a note: the one place where the tracker shows a whole name."""
    who = cast("JsonObject", from_row(note, ("createdBy",)).get("createdBy") or {})
    return {**who, "displayName": f"{who.get('firstName')} {who.get('surname')}"} if who else {}


def _attributes_of(body: JsonObject, name: str) -> set[str]:
    items = cast("list[JsonObject]", body.get(name) or [])
    return {cast("str", cast("JsonObject", item["trackedEntityAttribute"])["id"]) for item in items}
