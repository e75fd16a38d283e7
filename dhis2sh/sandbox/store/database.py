"""The sandbox's database: one SQLite file that holds metadata objects, and the tables of the server's areas.

Every object is kept as its owner JSON. Reads go through parsed copies by type (`cache`): a write by this process
changes the copies in place of reading a type again, a write by another process drops the copies of the types it wrote.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import uuid
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import orjson

from dhis2sh.errors import Dhis2Error, NotWritten, is_damaged
from dhis2sh.sandbox.store.areas import Area, Get
from dhis2sh.sandbox.store.cache import TypeCache
from dhis2sh.sandbox.store.fresh import fresh_metadata
from dhis2sh.sandbox.store.mark import read_only
from dhis2sh.sandbox.store.relations import Owning, Relation, owning_lists, relations
from dhis2sh.sandbox.store.schemas import schemas
from dhis2sh.sandbox.versions import DEFAULT, Version, version_of

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue

_TABLES = """
CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object (
    number INTEGER PRIMARY KEY, type TEXT NOT NULL, uid TEXT NOT NULL, name TEXT, code TEXT, body TEXT NOT NULL,
    UNIQUE (type, uid)
);
CREATE INDEX IF NOT EXISTS object_uid ON object (uid);
CREATE TABLE IF NOT EXISTS type_version (type TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
LAYOUT = 3
"""Number of the tables above and of the areas'; one more whenever a table that is there changes."""


class Worker(Protocol):
    """What works on a database in threads of its own."""

    def working(self) -> Sequence[str]:
        """What is not done yet, in words."""
        ...

    def stop(self) -> bool:
        """End the work; says whether no thread is left."""
        ...


class Store:
    """One sandbox database. Threads may share it: each has its own connection, and one writes at a time.

    Parameters:
        path: the file, made when it is missing; None keeps everything in memory.
        areas: the parts of the server that have tables in it or a say in what is written (`areas.open_store`).
        version: the server version to mimic from now on (`2.43`); None for what the file says, else 2.42.
        reading: the file is there and nothing is written to it.
    """

    def __init__(
        self, path: Path | None, areas: Sequence[Area], *, version: str | None = None, reading: bool = False
    ) -> None:
        self.path = path
        self.areas = areas
        self._reading = reading
        self._name = f"file:dhis2sh-{uuid.uuid4().hex}?mode=memory&cache=shared" if path is None else str(path)
        if path is not None and reading:
            self._name = read_only(path)
        self._local = threading.local()
        self._write_lock = threading.RLock()
        self._cache: dict[str, TypeCache] = {}
        self._cache_lock = threading.RLock()
        self._connections: list[sqlite3.Connection] = []
        self.workers: list[Worker] = []
        """What works on it in threads of its own, and ends before the file is closed."""
        if path is not None and not reading:
            _make_private(path)
        self._keep = self._connect()
        try:
            self._lay_out(areas, version)
        except sqlite3.Error as error:
            self.close()
            raise _not_opened(self.path, error) from error

    def _lay_out(self, areas: Sequence[Area], version: str | None) -> None:
        self._check_layout()
        if self._reading:
            return
        self._keep.executescript(_TABLES)
        for area in areas:
            self._keep.executescript(area.tables)
        if version is not None:
            self.set_fact("serverVersion", version_of(version).number)
        if not self.fact("systemId"):
            self.set_fact("systemId", str(uuid.uuid4()))
            self.put_objects(fresh_metadata())

    def _check_layout(self) -> None:
        """A file with other tables than ours is left alone; an empty one gets our number."""
        found = self._keep.execute("PRAGMA user_version").fetchone()[0]
        tables = self._keep.execute("SELECT count(*) FROM sqlite_master WHERE name = 'object'").fetchone()[0]
        if tables and found != LAYOUT:
            self.close()
            raise Dhis2Error(
                f"the sandbox's file {self.path} was made by another version of dhis2sh",
                hint=f"move it away, then load or seed it again: mv {self.path} {self.path}.old",
            )
        if (
            found != LAYOUT and not self._reading
        ):  # opening a file that is right already must not wait for another process that writes
            self._keep.execute(f"PRAGMA user_version = {LAYOUT}")

    def _connect(self) -> sqlite3.Connection:
        connection = None
        try:
            connection = sqlite3.connect(self._name, uri=self._uri, check_same_thread=False, timeout=30)
            if not self._reading:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
            # A memory database is shared by its threads table by table: without this a reader meets a writer's lock.
            connection.execute("PRAGMA read_uncommitted=1")
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise _not_opened(self.path, error) from error
        self._connections.append(connection)
        return connection

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        found = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self._connect()
        return found

    def open_connection(self) -> sqlite3.Connection:
        """A connection of the caller's own, to be closed by the caller; the store knows nothing of it."""
        return sqlite3.connect(self._name, uri=self._uri, check_same_thread=False, timeout=30)

    @property
    def _uri(self) -> bool:
        return self.path is None or self._reading

    def working(self) -> list[str]:
        """What works on it still, in words."""
        return [what for worker in self.workers for what in worker.working()]

    def close(self) -> None:
        """Stop what works on it and close every connection; an in-memory store is gone."""
        stopped = [worker.stop() for worker in self.workers]
        self.workers.clear()
        if not all(stopped):  # a connection that is closed under a thread's feet takes the process down
            return
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """One transaction: everything in it is written, or nothing. Objects are written by `change` only."""
        with self._write_lock, self.connection as connection:
            yield connection

    def fact(self, key: str) -> str | None:
        """A single value of the database (`systemId`)."""
        row = self.connection.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_fact(self, key: str, value: str) -> None:
        """Keep a single value."""
        with self.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (key, value))

    @cached_property
    def version(self) -> Version:
        """The server version that this sandbox mimics."""
        return version_of(self.fact("serverVersion") or DEFAULT)

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        """The schemas of the version that this sandbox mimics, by plural."""
        return schemas(self.version.schemas)

    @property
    def relations(self) -> Mapping[str, Sequence[Relation]]:
        """For each type the properties that refer to it."""
        return relations(self.version.schemas)

    @property
    def owning_lists(self) -> Sequence[Owning]:
        """The lists whose members have one owner each."""
        return owning_lists(self.version.schemas)

    def _known(self, plural: str) -> TypeCache:
        """The parsed copy of a type, read when it is first asked for or when another process wrote the type."""
        self._forget_what_others_wrote()
        found = self._cache.get(plural)
        if found is None:
            with self._cache_lock:
                found = self._cache.get(plural) or self._read_type(plural)
                self._cache[plural] = found
        return found

    def _read_type(self, plural: str) -> TypeCache:
        connection = self.connection
        version = self._versions().get(plural, 0)  # before the rows: what is written in between is read again
        rows = connection.execute("SELECT uid, body FROM object WHERE type = ? ORDER BY number", (plural,))
        objects = {uid: orjson.loads(body) for uid, body in rows}
        return TypeCache(version, objects, by_case=self.version.sorts_by_case)

    def _versions(self) -> dict[str, int]:
        return dict(self.connection.execute("SELECT type, value FROM type_version"))

    def _forget_what_others_wrote(self) -> None:
        """Drop the copies of types that have another version in the file. Cheap while nobody else has written."""
        if self.path is None:  # nobody else can open it
            return
        connection = self.connection
        seen = cast("int", connection.execute("PRAGMA data_version").fetchone()[0])
        if seen == getattr(self._local, "data_version", None):
            return
        with self._cache_lock:
            versions = self._versions()
            for plural in [name for name, copy in self._cache.items() if copy.version != versions.get(name, 0)]:
                del self._cache[plural]
        self._local.data_version = seen

    def objects(self, plural: str) -> Mapping[str, JsonObject]:
        """Every object of a type by UID, as owner JSON, in the order in which they were first written.

        Shared: callers must not change them.
        """
        return self._known(plural).objects

    def ordered(self, plural: str) -> list[JsonObject]:
        """The objects of a type in the order of a list: by name without regard to case, then by UID.

        Shared: callers must not change the list.
        """
        return self._known(plural).ordered()

    def get(self, plural: str, uid: str) -> JsonObject | None:
        """One object of a type, or None."""
        return self._known(plural).objects.get(uid)

    def find(self, uid: str) -> tuple[str, JsonObject] | None:
        """An object of any type by its UID: its plural and its owner JSON."""
        row = self.connection.execute("SELECT type, body FROM object WHERE uid = ?", (uid,)).fetchone()
        return (row[0], orjson.loads(row[1])) if row else None

    def put_objects(self, bundle: Mapping[str, Iterable[JsonObject]]) -> dict[str, tuple[int, int]]:
        """Write objects of several types in one transaction; those that are there are replaced.

        Parameters:
            bundle: objects by the plural of their type.

        Returns how many were created and updated, by type.
        """
        return self.change(bundle)

    def delete_objects(self, plural: str, uids: Iterable[str]) -> None:
        """Delete objects of one type; what refers to them is left as it is."""
        self.change({}, {plural: uids})

    def change(
        self, put: Mapping[str, Iterable[JsonObject]], delete: Mapping[str, Iterable[str]] | None = None
    ) -> dict[str, tuple[int, int]]:
        """Write and delete objects of several types in one transaction, and keep the parsed copies right.

        Parameters:
            put: objects by plural; those that are there are replaced. They must not be changed afterwards.
            delete: UIDs by plural.

        Returns how many were created and updated, by type.
        """
        puts: dict[str, Mapping[str, JsonObject]] = {
            plural: {cast("str", item["id"]): item for item in items} for plural, items in put.items()
        }
        deletes = {plural: list(uids) for plural, uids in (delete or {}).items()}
        counts: dict[str, tuple[int, int]] = {}
        versions: dict[str, int] = {}
        with self._write_lock:
            with self.writing() as connection:
                for area in self.areas:
                    for plural in area.writes.keys() & puts.keys():
                        puts[plural] = area.writes[plural](connection, puts[plural], self._getter(plural))
                for plural, uids in deletes.items():
                    connection.executemany(
                        "DELETE FROM object WHERE type = ? AND uid = ?", [(plural, uid) for uid in uids]
                    )
                    for area in self.areas:
                        if plural in area.deletes:
                            area.deletes[plural](connection, uids)
                for plural, items in puts.items():
                    counts[plural] = _put(connection, plural, items)
                for plural in sorted({*puts, *deletes}):
                    versions[plural] = connection.execute(
                        "INSERT INTO type_version VALUES (?, 1) "
                        "ON CONFLICT (type) DO UPDATE SET value = value + 1 RETURNING value",
                        (plural,),
                    ).fetchone()[0]
            with self._cache_lock:
                for plural, version in versions.items():
                    copy = self._cache.get(plural)
                    if copy is not None and copy.version == version - 1:
                        self._cache[plural] = copy.changed(version, puts.get(plural, {}), deletes.get(plural, []))
                    else:
                        self._cache.pop(plural, None)
        return counts

    def _getter(self, plural: str) -> Get:
        """Looks objects of a type up as they are now; the type is read only if something is looked up."""
        known: Mapping[str, JsonObject] | None = None

        def get(uid: str) -> JsonObject | None:
            nonlocal known
            known = self.objects(plural) if known is None else known
            return known.get(uid)

        return get

    def inverse(self, plural: str, prop: str) -> Mapping[str, list[str]]:
        """For an owning property (`dataElementGroups`, `dataElements`): who owns each referenced UID.

        Parameters:
            plural: the owning type.
            prop: the property, or a dotted path through an embedded list (`dataSetElements.dataElement`).
        """
        return self._known(plural).inverse(prop)

    def unique(self, plural: str, prop: str) -> Mapping[JsonValue, str]:
        """For a property that no two objects share (`code`): the UID of the object that has each value."""
        return self._known(plural).unique(prop)

    def counts(self) -> dict[str, int]:
        """How many objects of each type there are."""
        return dict(self.connection.execute("SELECT type, count(*) FROM object GROUP BY type ORDER BY type"))


def _not_opened(path: Path | None, error: sqlite3.Error) -> Dhis2Error:
    """Why a sandbox cannot be opened. Only a file that is broken for certain is to be moved away; what is in it stays there."""
    if is_damaged(error):
        return Dhis2Error(
            f"the sandbox's file {path} is damaged: {error}",
            hint=f"move it away, then load or seed it again: mv {path} {path}.broken",
        )
    return NotWritten.of(
        f"the sandbox's file {path}", error, elsewhere="see that no other program holds it, and that you may write it"
    )


def _make_private(path: Path) -> None:
    """Only its owner reads a sandbox's file: it holds passwords and people, if only their imitations.

    What SQLite writes beside it gets the same rights.
    """
    with contextlib.suppress(OSError):  # whoever may not change it may still use it; what fails to open says so below
        if path.exists():
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
        else:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def _put(connection: sqlite3.Connection, plural: str, items: Mapping[str, JsonObject]) -> tuple[int, int]:
    """Write objects of one type. Returns how many were created and updated."""
    if len(items) > 100:
        known = {row[0] for row in connection.execute("SELECT uid FROM object WHERE type = ?", (plural,))}
    else:
        query = f"SELECT uid FROM object WHERE type = ? AND uid IN ({','.join('?' * len(items))})"
        known = {row[0] for row in connection.execute(query, (plural, *items))}
    connection.executemany(
        "INSERT INTO object (type, uid, name, code, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (type, uid) "
        "DO UPDATE SET name = excluded.name, code = excluded.code, body = excluded.body",
        [(plural, uid, item.get("name"), item.get("code"), orjson.dumps(item).decode()) for uid, item in items.items()],
    )
    updated = sum(uid in known for uid in items)
    return len(items) - updated, updated
