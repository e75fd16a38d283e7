"""The rows of event, enrollment and tracked-entity queries, with the values of the items."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.analytics.events import TIME_FIELDS, EventQuery, Kind, QueryItem
from dhis2sh.sandbox.data.model import Model, reference, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.metadata.value_types import NUMERIC_TYPES

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.dhis2.periods import Period
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject


@dataclass(slots=True)
class Record:
    """One event, enrollment or tracked entity with what it belongs to, and the values of the items."""

    row: sqlite3.Row
    number: int
    values: dict[str, str]
    date: str

    def text(self, column: str) -> str:
        """A column as text; empty for nothing."""
        value = self.row[column]
        return "" if value is None else str(value)


_SELECT = {
    "event": (
        "event.*, enrollment.status AS program_status, enrollment.enrolled_at AS enrolled_at, "
        "enrollment.geometry AS enrollment_geometry, "
        "enrollment.occurred_at AS incident_at, event.tracked_entity AS tei, event.enrollment AS pi, u.number AS number",
        "event LEFT JOIN enrollment ON enrollment.uid = event.enrollment JOIN analytics_org_unit u "
        "ON u.uid = event.org_unit",
        "event.program = ? AND event.occurred_at IS NOT NULL",
    ),
    "enrollment": (
        "enrollment.*, enrollment.occurred_at AS incident_at, u.number AS number",
        "enrollment JOIN analytics_org_unit u ON u.uid = enrollment.org_unit",
        "enrollment.program = ?",
    ),
    "trackedEntity": (
        "tracked_entity.*, u.number AS number",
        "tracked_entity JOIN analytics_org_unit u ON u.uid = tracked_entity.org_unit",
        "tracked_entity.tracked_entity_type = ?",
    ),
}
_TABLE = {"event": "event", "enrollment": "enrollment", "trackedEntity": "tracked_entity"}
_DATE = {"event": "occurred_at", "enrollment": "enrolled_at", "trackedEntity": "created_at"}


def records(store: Store, found: EventQuery, query: QueryParams) -> list[Record]:
    """The rows of a query, in the order in which they were stored."""
    columns, tables, where = _SELECT[found.kind]
    table = _TABLE[found.kind]
    conditions, parameters = [where, f"NOT {table}.deleted"], [found.program or found.type]
    for condition, values in _conditions(store, found, query):
        conditions.append(condition)
        parameters += values
    sql = f"SELECT {columns} FROM {tables} WHERE {' AND '.join(conditions)} ORDER BY {table}.id"
    cursor = store.connection.cursor()
    cursor.row_factory = _row_factory
    rows = cast("list[sqlite3.Row]", cursor.execute(sql, parameters).fetchall())
    found_records = [Record(row, int(row["number"]), {}, str(row[_DATE[found.kind]] or "")) for row in rows]
    if found.periods and (found.period_filter or found.kind != "trackedEntity"):
        found_records = [record for record in found_records if _in_periods(record.date, found.periods)]
    fill_values(store, found, found_records)
    return [record for record in found_records if all(item.meets(record.values.get(item.name)) for item in found.items)]


def _conditions(store: Store, found: EventQuery, query: QueryParams) -> Iterator[tuple[str, list[str]]]:
    """The conditions in SQL, each with its parameters: stage, status, times, program, org units."""
    if found.stage:
        yield "event.program_stage = ?", [found.stage]
    of_kind = {"event": ("eventStatus", "programStatus"), "enrollment": ("programStatus",), "trackedEntity": ()}
    for name in of_kind[found.kind]:
        wanted = [text.upper() for text in params.many(query, name)]
        if wanted:
            column = "event.status" if name == "eventStatus" else "enrollment.status"
            yield f"{column} IN ({','.join('?' * len(wanted))})", wanted
    for span in found.spans:
        column = TIME_FIELDS[span.field].format(row=_TABLE[found.kind])
        table = column.partition(".")[0]
        condition, values = f"substr({column}, 1, 10) BETWEEN ? AND ?", [span.start.isoformat(), span.end.isoformat()]
        for name, uid in (("program", span.program), ("program_stage", span.stage)):
            if uid is not None and (table, name) != ("enrollment", "program_stage"):
                condition, values = f"{condition} AND {table}.{name} = ?", [*values, uid]
        yield _of(found.kind, table, condition), values
    for program in params.many(query, "program") if found.kind == "trackedEntity" else []:
        yield _of(found.kind, "enrollment", "enrollment.program = ?"), [program]
    for name, shape in (("coordinatesOnly", "= 'Point'"), ("geometryOnly", "IS NOT NULL")):
        if params.boolean(query, name):
            yield f"json_extract({_TABLE[found.kind]}.geometry, '$.type') {shape}", []
    if not found.units:  # nobody limits it, neither the request nor the user's own org units
        return
    mode = params.choice(query, "ouMode", "DESCENDANTS", ("SELECTED", "CHILDREN", "DESCENDANTS"))
    if mode != "DESCENDANTS":
        chosen = found.units
        if mode == "CHILDREN":
            chosen = [child for unit in found.units for child in found.model.children.get(unit, [])]
        yield f"u.uid IN ({','.join('?' * len(chosen))})", list(chosen)
        return
    spans = _spans(store, found.units)
    below = " OR ".join(["number BETWEEN ? AND ?"] * len(spans) or ["0"])
    yield f"({below})", [str(part) for span in spans for part in span]


_JOINS = {
    ("enrollment", "event"): "event.enrollment = enrollment.uid",
    ("trackedEntity", "event"): "event.tracked_entity = tracked_entity.uid",
    ("trackedEntity", "enrollment"): "enrollment.tracked_entity = tracked_entity.uid",
}
"""How rows of a kind have rows of a table below them."""


def _of(kind: Kind, table: str, condition: str) -> str:
    """A condition on a row itself, or on one of those below it."""
    join = _JOINS.get((kind, table))
    if join is None:
        return condition
    return f"EXISTS (SELECT 1 FROM {table} WHERE {join} AND NOT {table}.deleted AND {condition})"


def _row_factory(cursor: sqlite3.Cursor, row: tuple[object, ...]) -> object:
    return sqlite3.Row(cursor, row)


def _spans(store: Store, units: Sequence[str]) -> list[tuple[int, int]]:
    """The number intervals of org units, those that overlap joined."""
    known = dict[str, tuple[int, int]]()
    for uid, number, last in store.connection.execute("SELECT uid, number, last FROM analytics_org_unit"):
        known[uid] = (number, last)
    merged: list[tuple[int, int]] = []
    for first, last in sorted(known[uid] for uid in units if uid in known):
        if not merged or first > merged[-1][1] + 1:
            merged.append((first, last))
        elif last > merged[-1][1]:
            merged[-1] = (merged[-1][0], last)
    return merged


def _in_periods(text: str, periods: Iterable[Period]) -> bool:
    try:
        date = dt.date.fromisoformat(text[:10])
    except ValueError:
        return False
    return any(date in period for period in periods)


def fill_values(store: Store, found: EventQuery, rows: Sequence[Record]) -> None:
    """Put the values of the items into the records."""
    for item in found.items:
        values = _item_values(store, found, item)
        for record in rows:
            key = record.text("uid")
            if item.plural == "trackedEntityAttributes" and found.kind != "trackedEntity":
                key = record.text("tracked_entity")
            value = values.get(key)
            shown = None if value is None else item.shown(value)
            if shown is not None:
                record.values[item.name] = shown


def _item_values(store: Store, found: EventQuery, item: QueryItem) -> dict[str, str]:
    """The values of an item by event, enrollment or tracked entity; of several the newest."""
    if item.plural == "trackedEntityAttributes":
        rows = store.connection.execute(
            "SELECT tracked_entity, value FROM attribute_value WHERE attribute = ?", (item.uid,)
        )
    elif found.kind == "event":
        rows = store.connection.execute("SELECT event, value FROM event_value WHERE data_element = ?", (item.uid,))
    else:
        owner = "enrollment" if found.kind == "enrollment" else "tracked_entity"
        rows = store.connection.execute(
            f"SELECT e.{owner}, v.value FROM event_value v JOIN event e ON e.uid = v.event "
            "WHERE v.data_element = ? AND NOT e.deleted AND (? IS NULL OR e.program_stage = ?) ORDER BY e.occurred_at",
            (item.uid, item.stage, item.stage),
        )
    return {str(key): str(value) for key, value in rows if value is not None}


def options_of(model: Model, item: QueryItem) -> list[str]:
    """The options of an item's option set, in their order."""
    option_set = reference(model.body(item.plural, item.uid), "optionSet")
    if option_set is None:
        return []
    listed = references(model.body("optionSets", option_set), "options")
    return listed or model.store.inverse("options", "optionSet").get(option_set, [])


def is_number(model: Model, item: QueryItem) -> bool:
    """Are the values of an item numbers?"""
    return model.body(item.plural, item.uid).get("valueType") in NUMERIC_TYPES


def person(text: str | None) -> str:
    """`surname, first name (username)` of a stored user; empty for none."""
    if not text:
        return ""
    user = cast("JsonObject", json.loads(text))
    return f"{user.get('surname') or ''}, {user.get('firstName') or ''} ({user.get('username') or ''})"


def timestamp(text: str | None) -> str:
    """A stored time as a Java timestamp writes it: `2026-05-10 17:30:46.35`, `2025-07-15 00:00:00.0`."""
    if not text:
        return ""
    day, _, clock = text.replace("Z", "").partition("T")
    seconds, _, fraction = (clock or "00:00:00").partition(".")
    return f"{day} {seconds}.{fraction.rstrip('0') or '0'}"
