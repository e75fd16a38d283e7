"""UIDs, names and codes of one profile in SQLite: found while typing, and while offline.

Nothing is made on disk before the first write. Texts of three characters and more use a trigram index, shorter ones the
beginnings of names; a disk that cannot be written leaves the index empty.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS name (uid TEXT PRIMARY KEY, type TEXT, name TEXT, code TEXT, low TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS name_low ON name (low);
CREATE TABLE IF NOT EXISTS refreshed (type TEXT PRIMARY KEY, last_updated TEXT) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS trigram USING fts5 (uid UNINDEXED, text, tokenize = 'trigram');
"""
SHORTEST_TRIGRAM = 3


@dataclass(frozen=True, slots=True)
class Hit:
    """One object that the index knows."""

    uid: str
    type: str
    name: str
    code: str | None


class NameIndex:
    """The names of one profile. Threads may share it.

    Parameters:
        path: the file; it is made by the first write, and by nothing else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def _open(self, *, create: bool) -> sqlite3.Connection | None:
        if self._connection is None and (create or self.path.is_file()):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, check_same_thread=False, timeout=5)
            try:
                connection.executescript(SCHEMA)
            except sqlite3.DatabaseError:
                connection.close()
                self.path.replace(self.path.with_suffix(".broken"))  # a cache: it is filled again
                connection = sqlite3.connect(self.path, check_same_thread=False, timeout=5)
                connection.executescript(SCHEMA)
            self._connection = connection
        return self._connection

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def put(self, plural: str, hits: Iterable[Hit], *, last_updated: str | None = None) -> int:
        """Add or replace names of a type in one transaction; returns how many.

        Parameters:
            plural: the type.
            hits: the names.
            last_updated: the newest change among them by the server's clock; the next refresh asks from there on.
        """
        with self._lock:
            connection = self._open(create=True)
            if connection is None:
                return 0
            rows = list(hits)
            with connection:
                uids = [(hit.uid,) for hit in rows]
                connection.executemany(
                    "DELETE FROM trigram WHERE rowid IN (SELECT rowid FROM trigram WHERE uid = ?)",
                    uids if self._has(connection, plural) else [],
                )
                connection.executemany(
                    "INSERT OR REPLACE INTO name VALUES (?, ?, ?, ?, ?)",
                    [(hit.uid, hit.type, hit.name, hit.code, hit.name.lower()) for hit in rows],
                )
                connection.executemany(
                    "INSERT INTO trigram (uid, text) VALUES (?, ?)",
                    [(hit.uid, f"{hit.name} {hit.code or ''} {hit.uid}") for hit in rows],
                )
                if last_updated is not None:
                    connection.execute("INSERT OR REPLACE INTO refreshed VALUES (?, ?)", (plural, last_updated))
            return len(rows)

    @staticmethod
    def _has(connection: sqlite3.Connection, plural: str) -> bool:
        return connection.execute("SELECT 1 FROM refreshed WHERE type = ?", (plural,)).fetchone() is not None

    def last_updated(self, plural: str) -> str | None:
        """The newest change of a type that the index has seen, by the server's clock."""
        with self._lock:
            connection = self._open(create=False)
            row = (
                connection.execute("SELECT last_updated FROM refreshed WHERE type = ?", (plural,)).fetchone()
                if connection
                else None
            )
        return row[0] if row else None

    def count(self) -> int:
        """How many names there are."""
        with self._lock:
            connection = self._open(create=False)
            return connection.execute("SELECT count(*) FROM name").fetchone()[0] if connection else 0

    def search(self, text: str, *, types: Sequence[str] = (), limit: int = 50) -> list[Hit]:
        """Names, codes and UIDs that hold the text: beginnings first, then the rest by name.

        Parameters:
            text: part of a name, a code or a UID.
            types: only these types; all without it.
            limit: how many at the most.
        """
        wanted = text.strip().lower()
        with self._lock:
            connection = self._open(create=False)
            if connection is None or not wanted:
                return []
            if len(wanted) < SHORTEST_TRIGRAM:
                found = connection.execute(
                    "SELECT uid, type, name, code FROM name WHERE low >= ? AND low < ? ORDER BY low LIMIT 500",
                    (wanted, wanted + "\U0010ffff"),
                ).fetchall()
            else:
                quoted = '"' + wanted.replace('"', '""') + '"'
                found = connection.execute(
                    "SELECT n.uid, n.type, n.name, n.code FROM trigram t JOIN name n ON n.uid = t.uid "
                    "WHERE t.text MATCH ? LIMIT 500",
                    (quoted,),
                ).fetchall()
        hits = [Hit(*row) for row in found if not types or row[1] in types]
        return sorted(hits, key=lambda hit: (not hit.name.lower().startswith(wanted), hit.name.lower()))[:limit]
