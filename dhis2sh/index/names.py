"""UIDs, names and codes of one profile in SQLite: found while typing, and while offline, whatever their case and accents.

Nothing is made on disk before the first write. Texts of three characters and more use a trigram index, shorter ones the
beginnings of names; a disk that cannot be written leaves the index empty. A search never waits for a refresh: it has a
connection of its own, and SQLite's write-ahead log lets both work at once.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dhis2sh import paths
from dhis2sh.errors import is_damaged
from dhis2sh.verbs.completion import Candidate
from dhis2sh.words import folded, visible

VERSION = 4
"""Of the schema. The index is a cache: a file of another version is made again."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS name
    (id INTEGER PRIMARY KEY, uid TEXT UNIQUE, type TEXT, name TEXT, code TEXT, inside TEXT, low TEXT);
CREATE INDEX IF NOT EXISTS name_low ON name (low);
CREATE INDEX IF NOT EXISTS name_type ON name (type, low);
CREATE TABLE IF NOT EXISTS refreshed (type TEXT PRIMARY KEY, last_updated TEXT, whole REAL, looked REAL) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS trigram USING fts5 (text, type, tokenize = 'trigram');
"""
SHORTEST_TRIGRAM = 3
MOST_READ = 500
"""Rows that a search looks at before it puts the best first."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One object that the index knows."""

    uid: str
    type: str
    name: str
    code: str | None = None
    inside: str | None = None
    """What it is a part of: the name of a unit's parent, of an option's set."""


def beside(hit: Hit) -> Candidate:
    """A UID as completion offers it, with what it is beside it."""
    inside = f"in {hit.inside}" if hit.inside else ""
    return Candidate(
        hit.uid, "  ".join(part for part in (hit.name, hit.code or "", hit.type, inside) if part), hit.name
    )


def offered(hits: Sequence[Hit]) -> list[Candidate]:
    """UIDs as completion offers them; those that share a name say what they are a part of, and how they are written apart."""
    names = [folded(hit.name) for hit in hits]
    alike = [names.count(name) > 1 for name in names]
    written = {name: {hit.name for hit, other in zip(hits, names, strict=True) if other == name} for name in names}
    return [
        beside(
            replace(hit, name=visible(hit.name) if len(written[name]) > 1 else hit.name)
            if same
            else replace(hit, inside=None)
        )
        for hit, name, same in zip(hits, names, alike, strict=True)
    ]


def index_of(profile: str, url: str) -> NameIndex:
    """The name index of a profile's server, in the cache folder; another address has another file."""
    address = hashlib.sha256(f"{profile}\n{url}".encode()).hexdigest()[:16]
    return NameIndex(paths.cache_dir() / "names" / f"{address}.db")


class NameIndex:
    """The names of one profile. Threads may share it.

    Parameters:
        path: the file; it is made by the first write, and by nothing else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._writer = _made(self.path)
            except sqlite3.DatabaseError as error:
                if not is_damaged(error):  # a full disk, or a lock: what is there stays
                    raise
                self.path.replace(self.path.with_suffix(".broken"))  # a cache: it is filled again
                self._writer = _made(self.path)
        return self._writer

    def _open_reader(self) -> sqlite3.Connection | None:
        if self._reader is None and self.path.is_file():
            connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, check_same_thread=False, timeout=0.2)
            try:
                current = connection.execute("PRAGMA user_version").fetchone()[0] == VERSION
            except sqlite3.DatabaseError:
                current = False
            if not current:
                connection.close()
                return None
            self._reader = connection
        return self._reader

    def close(self) -> None:
        """Close the file."""
        with self._reading, self._writing:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None

    def put(self, plural: str, hits: Iterable[Hit], *, last_updated: str | None = None, whole: bool = False) -> int:
        """Add or replace names of a type in one transaction; returns how many.

        Parameters:
            plural: the type.
            hits: the names.
            last_updated: the newest change among them by the server's clock; the next refresh asks from there on.
            whole: these are all that the server has; names of the type that are not among them are forgotten.
        """
        rows = list(hits)
        with self._writing:
            connection = self._open_writer()
            with connection:
                if whole:
                    connection.execute(
                        "DELETE FROM trigram WHERE rowid IN (SELECT id FROM name WHERE type = ?)", (plural,)
                    )
                    connection.execute("DELETE FROM name WHERE type = ?", (plural,))
                _forget(connection, [hit.uid for hit in rows])
                connection.executemany(
                    "INSERT INTO name (uid, type, name, code, inside, low) VALUES (?, ?, ?, ?, ?, ?)",
                    [(hit.uid, hit.type, hit.name, hit.code, hit.inside, folded(hit.name)) for hit in rows],
                )
                connection.executemany(
                    "INSERT INTO trigram (rowid, text, type) SELECT id, ?, type FROM name WHERE uid = ?",
                    [(f"{folded(hit.name)} {folded(hit.code or '')} {hit.uid.lower()}", hit.uid) for hit in rows],
                )
                if last_updated is not None:
                    now = time.time()
                    connection.execute(
                        "INSERT INTO refreshed VALUES (?1, ?2, ?3, ?4) ON CONFLICT (type) DO UPDATE "
                        "SET last_updated = ?2, looked = ?4, whole = max(whole, ?3)",
                        (plural, last_updated, now if whole else 0, now),
                    )
        return len(rows)

    def known(self, uids: Sequence[str]) -> dict[str, Hit]:
        """What is known of some objects, by UID."""
        with self._reading:
            connection = self._open_reader()
            if connection is None:
                return {}
            query = "SELECT uid, type, name, code, inside FROM name WHERE uid = ?"
            found = (connection.execute(query, (uid,)).fetchone() for uid in uids)
            return {row[0]: Hit(*row) for row in found if row is not None}

    def forget(self, uids: Sequence[str]) -> None:
        """Objects that are gone."""
        with self._writing, (connection := self._open_writer()):
            _forget(connection, uids)

    def distrust(self) -> None:
        """Everything may have changed: the next refresh reads every type whole. Until then names are offered as they were."""
        with self._writing, (connection := self._open_writer()):
            connection.execute("UPDATE refreshed SET whole = 0")

    def _one(self, query: str, *values: object) -> tuple[object, ...]:
        with self._reading:
            connection = self._open_reader()
            return (connection.execute(query, values).fetchone() if connection else None) or ()

    def last_updated(self, plural: str) -> str | None:
        """The newest change of a type that the index has seen, by the server's clock."""
        row = self._one("SELECT last_updated FROM refreshed WHERE type = ?", plural)
        return str(row[0]) if row and row[0] is not None else None

    def read_whole_at(self, plural: str) -> float:
        """When every name of a type was last read, in seconds since 1970 by this machine's clock; 0 for never."""
        row = self._one("SELECT whole FROM refreshed WHERE type = ?", plural)
        return float(str(row[0] or 0)) if row else 0.0

    def refreshed_at(self) -> float | None:
        """When the server was last asked for changes, in seconds since 1970; None for never."""
        row = self._one("SELECT min(looked) FROM refreshed")
        return float(str(row[0])) if row and row[0] is not None else None

    def count(self) -> int:
        """How many names there are."""
        row = self._one("SELECT count(*) FROM name")
        return int(str(row[0])) if row else 0

    def search(self, text: str, *, types: Sequence[str] = (), limit: int = 50) -> list[Hit]:
        """Names, codes and UIDs that hold each word of the text, in any case and with or without accents: beginnings first,
        then the rest by name.

        Parameters:
            text: part of a name, a code or a UID, or parts of several words in any order; empty gives the first names.
            types: only these types; all without it.
            limit: how many at the most.
        """
        wanted = folded(text)
        with self._reading:
            connection = self._open_reader()
            if connection is None:
                return []
            found = _beginning(connection, wanted, types, limit)
            if len(found) < limit and len(wanted) >= SHORTEST_TRIGRAM:
                found += _holding(connection, wanted, types)

        def rank(row: _Row) -> tuple[bool, bool, str]:
            name = row[5]
            return not name.startswith(wanted), wanted not in name, name

        ranked = sorted({row[0]: row for row in found}.values(), key=rank)
        return [Hit(*row[:5]) for row in ranked[:limit]]


type _Row = tuple[str, str, str, str | None, str | None, str]
"""A hit, and its name as it is compared."""


def _forget(connection: sqlite3.Connection, uids: Sequence[str]) -> None:
    each = [(uid,) for uid in uids]
    connection.executemany("DELETE FROM trigram WHERE rowid = (SELECT id FROM name WHERE uid = ?)", each)
    connection.executemany("DELETE FROM name WHERE uid = ?", each)


def _beginning(connection: sqlite3.Connection, wanted: str, types: Sequence[str], limit: int) -> list[_Row]:
    one_of = f"AND type IN ({','.join('?' * len(types))})" if types else ""
    query = (
        f"SELECT uid, type, name, code, inside, low FROM name WHERE low >= ? AND low < ? {one_of} ORDER BY low LIMIT ?"  # noqa: S608
    )
    first = wanted or "\x01"  # what has no name is not offered by it
    return connection.execute(query, (first, f"{wanted}\U0010ffff", *types, limit)).fetchall()


def _holding(connection: sqlite3.Connection, wanted: str, types: Sequence[str]) -> list[_Row]:
    """Rows whose text holds each word; the type is a column of the trigram index too, so that both narrow at once."""
    words = wanted.split()
    indexed = [word for word in words if len(word) >= SHORTEST_TRIGRAM] or [wanted]
    match = " AND ".join(f"text: {_quoted(word)}" for word in indexed)
    if types:
        match += f" AND ({' OR '.join(f'type: {_quoted(name)}' for name in types)})"
    rows = connection.execute(
        "SELECT n.uid, n.type, n.name, n.code, n.inside, n.low FROM trigram t JOIN name n ON n.id = t.rowid WHERE trigram MATCH ? LIMIT ?",
        (match, MOST_READ),
    ).fetchall()
    short = [word for word in words if len(word) < SHORTEST_TRIGRAM]
    return [row for row in rows if (not types or row[1] in types) and _holds(row, short)]


def _holds(row: _Row, words: Sequence[str]) -> bool:
    """Are these words, which are too short for the index, in a row's text?"""
    return not words or all(word in folded(f"{row[2]} {row[3] or ''} {row[0]}") for word in words)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _made(path: Path) -> sqlite3.Connection:
    """A connection that writes, to a file with today's schema. Raises `sqlite3.DatabaseError` for a broken file."""
    connection = sqlite3.connect(path, check_same_thread=False, timeout=5)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            for table in ("trigram", "name", "refreshed"):
                connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.executescript(SCHEMA)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection
