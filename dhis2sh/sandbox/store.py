"""The sandbox's database: one SQLite file that holds metadata objects and data values.

Every object is kept as its owner JSON. Reads go through a parsed copy of a whole type, made again when the file has
changed; inverse sides (`dataElementGroups` of a data element) come from an index over the owning sides.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2_models import facts

from dhis2sh.errors import Dhis2Error
from dhis2sh.sandbox import accounts, jobs_tables, run_tables
from dhis2sh.sandbox.analytics import tables as analytics_tables
from dhis2sh.sandbox.data import tables as data_tables
from dhis2sh.sandbox.tracker import tables as tracker_tables

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.types import JsonObject, JsonValue

VERSION = "2.42.5.2"
_TABLES = """
CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object (
    type TEXT NOT NULL, uid TEXT NOT NULL, name TEXT, code TEXT, body TEXT NOT NULL, PRIMARY KEY (type, uid)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS object_uid ON object (uid);
CREATE TABLE IF NOT EXISTS data_value (
    data_element TEXT NOT NULL, period TEXT NOT NULL, org_unit TEXT NOT NULL, category_option_combo TEXT NOT NULL,
    attribute_option_combo TEXT NOT NULL, value TEXT, stored_by TEXT, created TEXT, last_updated TEXT, comment TEXT,
    follow_up INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (data_element, period, org_unit, category_option_combo, attribute_option_combo)
) WITHOUT ROWID;
"""
DEFAULT_COMBO = "HllvX50cXC0"


class Store:
    """One sandbox database. Threads may share it: each has its own connection, and one writes at a time.

    Parameters:
        path: the file, made when it is missing; None keeps everything in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._name = str(path) if path else f"file:dhis2sh-{uuid.uuid4().hex}?mode=memory&cache=shared"
        self._local = threading.local()
        self._write_lock = threading.RLock()
        self._cache: dict[str, tuple[int, dict[str, JsonObject]]] = {}
        self._inverse: dict[tuple[str, str], tuple[int, dict[str, list[str]]]] = {}
        self._connections: list[sqlite3.Connection] = []
        self._keep = self._connect()
        self._keep.executescript(_TABLES)
        for area in (tracker_tables, jobs_tables, run_tables, data_tables, analytics_tables):
            self._keep.executescript(area.TABLES)
        if not self.fact("systemId"):
            from dhis2sh.sandbox.fresh import fresh_metadata

            self.set_fact("systemId", str(uuid.uuid4()))
            self.put_objects(fresh_metadata())

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._name, uri=self.path is None, check_same_thread=False, timeout=30)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            # A memory database is shared by its threads table by table: without this a reader meets a writer's lock.
            connection.execute("PRAGMA read_uncommitted=1")
        except sqlite3.Error as error:
            raise Dhis2Error(
                f"the sandbox's file {self.path} cannot be opened: {error}", hint="dhis2 sandbox reset  starts afresh"
            ) from error
        self._connections.append(connection)
        return connection

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        found = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self._connect()
        return found

    def close(self) -> None:
        """Close every connection; an in-memory store is gone."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    @contextmanager
    def writing(self, *, metadata: bool = True) -> Generator[sqlite3.Connection]:
        """One transaction: everything in it is written, or nothing.

        Parameters:
            metadata: whether objects change; data alone leaves the parsed copies of them valid.
        """
        with self._write_lock, self.connection as connection:
            yield connection
            if metadata:
                connection.execute(
                    "INSERT INTO fact VALUES ('generation', '1') "
                    "ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
                )

    def _generation(self) -> int:
        """Changes when any thread or process has written. A pragma would count for each connection by itself."""
        return int(self.fact("generation") or 0)

    def fact(self, key: str) -> str | None:
        """A single value of the database (`systemId`)."""
        row = self.connection.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_fact(self, key: str, value: str) -> None:
        """Keep a single value."""
        with self.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (key, value))

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        """The schemas of the version that this sandbox mimics, by plural."""
        return facts.types("v42")

    def objects(self, plural: str) -> dict[str, JsonObject]:
        """Every object of a type by UID, as owner JSON. Shared: callers must not change them."""
        generation = self._generation()
        cached = self._cache.get(plural)
        if cached and cached[0] == generation:
            return cached[1]
        rows = self.connection.execute("SELECT uid, body FROM object WHERE type = ?", (plural,))
        found = {uid: cast("JsonObject", json.loads(body)) for uid, body in rows}
        self._cache[plural] = (generation, found)
        return found

    def get(self, plural: str, uid: str) -> JsonObject | None:
        """One object of a type, or None."""
        return self.objects(plural).get(uid)

    def find(self, uid: str) -> tuple[str, JsonObject] | None:
        """An object of any type by its UID: its plural and its owner JSON."""
        row = self.connection.execute("SELECT type, body FROM object WHERE uid = ?", (uid,)).fetchone()
        return (row[0], json.loads(row[1])) if row else None

    def put_objects(self, bundle: Mapping[str, Iterable[JsonObject]]) -> dict[str, tuple[int, int]]:
        """Write objects of several types in one transaction; those that are there are replaced.

        Parameters:
            bundle: objects by the plural of their type.

        Returns how many were created and updated, by type.
        """
        counts: dict[str, tuple[int, int]] = {}
        with self.writing() as connection:
            for plural, objects in bundle.items():
                known = {row[0] for row in connection.execute("SELECT uid FROM object WHERE type = ?", (plural,))}
                items = list(objects)
                if plural == "users":
                    items = [dict(item) for item in items]
                    accounts.take_passwords(connection, items)
                connection.executemany(
                    "INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?)",
                    [
                        (plural, item["id"], item.get("name"), item.get("code"), json.dumps(item, ensure_ascii=False))
                        for item in items
                    ],
                )
                updated = sum(item["id"] in known for item in items)
                counts[plural] = (len(items) - updated, updated)
        return counts

    def inverse(self, plural: str, prop: str) -> dict[str, list[str]]:
        """For an owning property (`dataElementGroups`, `dataElements`): who owns each referenced UID."""
        generation = self._generation()
        cached = self._inverse.get((plural, prop))
        if cached and cached[0] == generation:
            return cached[1]
        index: dict[str, list[str]] = {}
        for uid, body in self.objects(plural).items():
            value = body.get(prop)
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict) and "id" in item:
                    index.setdefault(cast("str", item["id"]), []).append(uid)
        self._inverse[(plural, prop)] = (generation, index)
        return index

    def counts(self) -> dict[str, int]:
        """How many objects of each type there are."""
        return dict(self.connection.execute("SELECT type, count(*) FROM object GROUP BY type ORDER BY type"))

    def data_value_count(self) -> int:
        """How many data values there are, deleted ones aside."""
        return cast("int", self.connection.execute("SELECT count(*) FROM data_value WHERE NOT deleted").fetchone()[0])

    def put_data_values(self, values: Iterable[JsonObject]) -> int:
        """Write data values in one transaction; those that are there are replaced. Returns how many."""
        count = 0
        with self.writing() as connection:
            for batch in _batches((_value_row(value) for value in values), 10_000):
                placeholders = ",".join("?" * 12)
                connection.executemany(f"INSERT OR REPLACE INTO data_value VALUES ({placeholders})", batch)  # noqa: S608
                count += len(batch)
        return count


def _value_row(value: JsonObject) -> tuple[JsonValue, ...]:
    return (
        value["dataElement"],
        value["period"],
        value["orgUnit"],
        value.get("categoryOptionCombo") or DEFAULT_COMBO,
        value.get("attributeOptionCombo") or DEFAULT_COMBO,
        value.get("value"),
        value.get("storedBy"),
        value.get("created"),
        value.get("lastUpdated"),
        value.get("comment"),
        bool(value.get("followup")),
        bool(value.get("deleted")),
    )


def _batches[T](items: Iterable[T], size: int) -> Iterator[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
