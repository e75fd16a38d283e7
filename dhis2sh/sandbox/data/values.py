"""Reads and writes of `data_value`: single rows with the audit that every change leaves, and whole exports."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

COLUMNS = (
    "data_element, period, org_unit, category_option_combo, attribute_option_combo, value, stored_by, created, "
    "last_updated, comment, follow_up, deleted"
)
_MATCH = "data_element = ? AND period = ? AND org_unit = ? AND category_option_combo = ? AND attribute_option_combo = ?"


class Key(NamedTuple):
    """What identifies one data value."""

    data_element: str
    period: str
    org_unit: str
    category_option_combo: str
    attribute_option_combo: str


@dataclass(slots=True)
class Value:
    """One stored data value."""

    key: Key
    value: str | None
    stored_by: str | None
    created: str | None
    last_updated: str | None
    comment: str | None = None
    follow_up: bool = False
    deleted: bool = False

    def shown(self) -> JsonObject:
        """As `/api/dataValueSets` gives it."""
        body: JsonObject = {
            "dataElement": self.key.data_element or None,
            "period": self.key.period,
            "orgUnit": self.key.org_unit or None,
            "categoryOptionCombo": self.key.category_option_combo or None,
            "attributeOptionCombo": self.key.attribute_option_combo or None,
            "value": self.value,
            "storedBy": self.stored_by,
            "created": self.created,
            "lastUpdated": self.last_updated,
            "comment": self.comment,
            "followup": self.follow_up,
        }
        return body | ({"deleted": True} if self.deleted else {})


def _value(row: tuple[object, ...]) -> Value:
    key = Key(*map(str, row[:5]))
    value, stored_by, created, updated, comment = [None if part is None else str(part) for part in row[5:10]]
    return Value(key, value, stored_by, created, updated, comment, bool(row[10]), bool(row[11]))


def find(connection: sqlite3.Connection, key: Key) -> Value | None:
    """A data value, deleted ones included, or None."""
    row = connection.execute(f"SELECT {COLUMNS} FROM data_value WHERE {_MATCH}", key).fetchone()
    return _value(row) if row else None


def select(store: Store, where: str, parameters: Iterable[object], limit: int | None = None) -> Iterator[Value]:
    """The data values that meet a condition over the columns of `data_value`."""
    cut = "" if limit is None else f" LIMIT {limit}"
    cursor = store.connection.execute(f"SELECT {COLUMNS} FROM data_value WHERE {where}{cut}", tuple(parameters))  # type: ignore[arg-type]
    return map(_value, cursor)


def put(connection: sqlite3.Connection, value: Value) -> None:
    """Write a data value; one that is there is replaced."""
    connection.execute(
        "INSERT OR REPLACE INTO data_value VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*value.key, value.value, value.stored_by, value.created, value.last_updated, value.comment,
         value.follow_up, value.deleted),
    )  # fmt: skip


def audit(
    connection: sqlite3.Connection, old: Value, audit_type: str, user: str, *, whole_seconds: bool = False
) -> None:
    """Keep a value in the audit: the one that a change replaces; since 2.43 the one that it brings.

    Parameters:
        audit_type: UPDATE or DELETE, since 2.43 CREATE too.
        whole_seconds: imports write their audits in batches, with times cut to the second.
    """
    moment = now()
    connection.execute(
        "INSERT INTO data_value_audit (data_element, period, org_unit, category_option_combo, attribute_option_combo, "
        "value, audit_type, created, modified_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*old.key, old.value, audit_type, moment[:-3] + "000" if whole_seconds else moment, user),
    )


def complete(connection: sqlite3.Connection, form: tuple[str, str, str, str], date: str, user: str) -> None:
    """Register a form as complete.

    Parameters:
        form: data set, period, org unit and attribute option combo.
    """
    connection.execute(
        "INSERT OR REPLACE INTO completeness VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
        (*form, date[:10], user, now(), user),
    )


def prune(store: Store, column: str, uid: str) -> int:
    """Delete every data value of an org unit or a data element for good, its audits too.

    Parameters:
        column: `org_unit` or `data_element`.

    Returns how many values went.
    """
    if column not in {"org_unit", "data_element"}:
        raise ValueError(column)
    with store.writing() as connection:
        connection.execute(f"DELETE FROM data_value_audit WHERE {column} = ?", (uid,))
        connection.execute(f"DELETE FROM min_max WHERE {column} = ?", (uid,))
        return connection.execute(f"DELETE FROM data_value WHERE {column} = ?", (uid,)).rowcount


# Many at once ----------------------------------------------------------------------------------------------------------


def count(store: Store) -> int:
    """How many data values there are, deleted ones aside."""
    return cast("int", store.connection.execute("SELECT count(*) FROM data_value WHERE NOT deleted").fetchone()[0])


def put_all(store: Store, values: Iterable[JsonObject]) -> int:
    """Write data values of an export in one transaction; those that are there are replaced. Returns how many."""
    written = 0
    with store.writing() as connection:
        for batch in itertools.batched((_row(value) for value in values), 10_000, strict=False):
            connection.executemany(f"INSERT OR REPLACE INTO data_value VALUES ({','.join('?' * 12)})", batch)
            written += len(batch)
    return written


def _row(value: JsonObject) -> tuple[JsonValue, ...]:
    return (
        value["dataElement"],
        value["period"],
        value["orgUnit"],
        value.get("categoryOptionCombo") or DEFAULT_OPTION_COMBO,
        value.get("attributeOptionCombo") or DEFAULT_OPTION_COMBO,
        value.get("value"),
        value.get("storedBy"),
        value.get("created"),
        value.get("lastUpdated"),
        value.get("comment"),
        bool(value.get("followup")),
        bool(value.get("deleted")),
    )
