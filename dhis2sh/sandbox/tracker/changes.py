"""Change logs of tracked entities and events, and the audit of who looked at a tracked entity."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.tracker.export import Page, pager
from dhis2sh.sandbox.tracker.query import number
from dhis2sh.sandbox.tracker.storage import Tracker

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.types import JsonObject, JsonValue

_ITEM = {"dataValue": "dataElement", "trackedEntityAttribute": "attribute", "eventField": "field"}
_ORDERS = {"createdAt": "created_at", "username": "json_extract(created_by, '$.username')", "change": "item",
           "dataElement": "item", "attribute": "item", "field": "item"}  # fmt: skip


def record(
    connection: sqlite3.Connection,
    kind: str,
    owner: str,
    item: str,
    change: tuple[JsonValue, JsonValue],
    user: JsonObject,
    *,
    program: str | None = None,
) -> None:
    """Keep one change; nothing when the value stays the same.

    Parameters:
        kind: `dataValue`, `trackedEntityAttribute` or `eventField`.
        owner: UID of the event or tracked entity.
        item: data element, attribute or field.
        change: the value before and after; None for none.
        user: who changed it, as the tracker shows users.
    """
    before, after = (None if value is None or value == "" else str(value) for value in change)
    if before == after:
        return
    what = "CREATE" if before is None else "DELETE" if after is None else "UPDATE"
    connection.execute(
        "INSERT INTO tracker_change (owner, program, kind, item, type, previous, current, created_at, created_by) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (owner, program, kind, item, what, before, after, now(), json.dumps(user)),
    )


def change_log(tracker: Tracker, owner: str, query: QueryParams, address: str) -> JsonObject:
    """`/{uid}/changeLogs`: newest first unless `order` says otherwise."""
    page, size = number(query, "page", 1), number(query, "pageSize", 50)
    order = "id DESC"
    name, _, direction = (query.get("order") or "").partition(":")
    if name:
        if name not in _ORDERS:
            raise Refused(
                400,
                f"order parameter is invalid. Cannot order by '{name}'. Supported fields are '{', '.join(_ORDERS)}'.",
                "E1003",
            )
        order = f"{_ORDERS[name]} {'DESC' if direction == 'desc' else 'ASC'}, id DESC"
    where, parameters = "owner = ?", [owner]
    for text in query.getlist("filter"):
        parts = text.split(":")
        if len(parts) != 3 or parts[0] not in _ORDERS or parts[1] != "eq":
            raise Refused(400, f"Invalid filter: {text}", "E1003")
        where += f" AND {_ORDERS[parts[0]]} = ?"
        parameters.append(parts[2])
    rows = tracker.rows(
        f"SELECT * FROM tracker_change WHERE {where} ORDER BY {order} LIMIT {size + 1} OFFSET {(page - 1) * size}",
        parameters,
    )
    found = Page(rows[:size], page, size, paged=True, more=len(rows) > size, total=None)
    return {"pager": pager(found, address, query), "changeLogs": [_entry(row) for row in found.rows]}


def _entry(row: sqlite3.Row) -> JsonObject:
    change: JsonObject = {_ITEM[row["kind"]]: row["item"]}
    if row["previous"] is not None:
        change["previousValue"] = row["previous"]
    if row["current"] is not None:
        change["currentValue"] = row["current"]
    return {"createdBy": json.loads(row["created_by"]), "createdAt": row["created_at"], "type": row["type"],
            "change": {row["kind"]: change}}  # fmt: skip


def audit(tracker: Tracker, entity: str, user: JsonObject, audit_type: str) -> None:
    """Keep that somebody read or searched a tracked entity."""
    with tracker.store.writing() as connection:
        connection.execute(
            "INSERT INTO tracked_entity_audit (tracked_entity, created, accessed_by, audit_type) VALUES (?, ?, ?, ?)",
            (entity, now(), user.get("username"), audit_type),
        )


def audits(tracker: Tracker, wanted: Mapping[str, list[str]], start: str | None, end: str | None) -> list[JsonObject]:
    """`/api/audits/trackedEntity` rows, newest first.

    Parameters:
        wanted: values by column (`tracked_entity`, `accessed_by`, `audit_type`).
    """
    conditions, parameters = ["1"], list[str]()
    for column, values in wanted.items():
        if values:
            conditions.append(f"{column} IN ({','.join('?' * len(values))})")
            parameters += values
    for operator, moment in ((">=", start), ("<=", end)):
        if moment:
            conditions.append(f"created {operator} ?")
            parameters.append(moment)
    rows = tracker.rows(
        f"SELECT * FROM tracked_entity_audit WHERE {' AND '.join(conditions)} ORDER BY id DESC", parameters
    )
    return [
        {"trackedEntity": row["tracked_entity"], "created": row["created"], "accessedBy": row["accessed_by"],
         "auditType": row["audit_type"], **({"comment": row["comment"]} if row["comment"] else {})}
        for row in rows
    ]  # fmt: skip


def user_of(user: JsonObject) -> JsonObject:
    """A user as the tracker shows whoever created or changed something."""
    return {"uid": user["id"], "username": user.get("username"), "firstName": user.get("firstName"),
            "surname": user.get("surname")}  # fmt: skip
