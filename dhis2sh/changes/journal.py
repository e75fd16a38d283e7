"""The journal: what each write changed on a server, before and after, in one SQLite file per profile.

Objects are kept one by one, before and after, with what came of each. Of bulk writes, whose rows are too many to keep, the
parts are: which rows of the plan, their digest, and what came of them. `dhis2sh.changes.recording` fills it.

Secrets never reach the file (`dhis2sh.redact`).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh import paths
from dhis2sh.changes.plan import OBJECTS
from dhis2sh.dhis2.persons import OF_PERSONS
from dhis2sh.errors import MAKE_ROOM, NotFound, NotWritten, is_damaged, is_full
from dhis2sh.redact import redacted

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan, PlanStep
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

type State = Literal["planned", "sent", "done", "refused"]
type Outcome = Literal["begun", "done", "partly", "refused", "failed", "interrupted", "unchanged"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, verb TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL,
  outcome TEXT NOT NULL, reason TEXT, undoes INTEGER, undone_by INTEGER,
  writer TEXT NOT NULL DEFAULT 'objects', bulk INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS change (
  entry INTEGER NOT NULL, number INTEGER NOT NULL, action TEXT NOT NULL, type TEXT NOT NULL, uid TEXT, name TEXT,
  detail TEXT, before TEXT, after TEXT, state TEXT NOT NULL, reason TEXT, PRIMARY KEY (entry, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS part (
  entry INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL, digest TEXT,
  done INTEGER NOT NULL, refused INTEGER NOT NULL, reason TEXT, PRIMARY KEY (entry, first)) WITHOUT ROWID;
"""
ADDED = {
    "writer": f"ALTER TABLE entry ADD COLUMN writer TEXT NOT NULL DEFAULT '{OBJECTS}'",
    "bulk": "ALTER TABLE entry ADD COLUMN bulk INTEGER NOT NULL DEFAULT 0",
}
"""Columns that a journal of an earlier version lacks."""


_OPEN = "undoes IS NULL AND undone_by IS NULL"
"""Of an entry: it is no undo, and nobody has taken it back."""
_MD5 = re.compile(r'"md5": ?"([0-9a-f]{32})"')
LARGEST = 64 * 1024 * 1024
"""Bytes of a journal beyond which the oldest writes are forgotten."""
WRITTEN: frozenset[State] = frozenset({"done", "sent"})
"""States of what was written, or may have been."""
RECENT = 100
"""Entries among which other parts of a load are looked for."""
KEPT = 100
"""So many of the newest writes are never forgotten by themselves."""


class JournalError(NotWritten):
    """The journal cannot be written or read: the disk is full or read-only, or the file is damaged."""


@dataclass(frozen=True, slots=True)
class Change:
    """One object that a write changed or meant to: what it was before and after, `None` where it was not there.

    An update keeps the changed properties alone; a property that was not there is missing in `before`.
    """

    number: int
    action: str
    type: str
    uid: str | None
    name: str | None
    detail: str | None
    before: JsonObject | None
    after: JsonObject | None
    state: State
    reason: str | None

    @property
    def written(self) -> bool:
        """Was it written, or may it have been?"""
        return self.state in WRITTEN


@dataclass(frozen=True, slots=True)
class SentPart:
    """A part of a bulk write that was sent. Its rows that were refused one by one are changes of their own besides.

    Parameters:
        first, count: the rows by their numbers in the plan.
        digest: a checksum of what was sent.
        done, refused: how many rows; what is neither has had no answer.
        reason: why all of it was refused.
    """

    first: int
    count: int
    digest: str | None
    done: int = 0
    refused: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Attempted:
    """A write that was tried and has written nothing: by which verb, on which server, how it ended and why."""

    verb: str
    title: str
    url: str
    outcome: Outcome
    reason: str
    writer: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One write: when (UTC), by which verb, on which server, and how it ended.

    Parameters:
        undoes: the entry that this one took back; `undone_by` the one that took this one back.
        writer: the kind of write (`Writer.name`).
        bulk: how many rows a bulk write had, 0 for any other.
        states: how many objects or rows are in which state.
    """

    id: int
    at: str
    verb: str
    title: str
    url: str
    outcome: Outcome
    reason: str | None
    undoes: int | None
    undone_by: int | None
    writer: str = OBJECTS
    bulk: int = 0
    states: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def told(self) -> str:
        """Its number, when it was, and what it is called."""
        return f"entry {self.id} ({self.when}): {self.title}"

    @property
    def when(self) -> str:
        """When it was, to the minute."""
        return f"{self.at[:16].replace('T', ' ')} UTC"

    @property
    def undo_title(self) -> str:
        """What the plan that takes it back is called."""
        return f"undo {self.told}"

    @property
    def of_persons(self) -> bool:
        """Does it tell what persons have?"""
        return self.writer.startswith(OF_PERSONS)

    @property
    def undoable(self) -> bool:
        """Has it written something, is it no undo itself, and has nobody taken it back?"""
        return self.undone_by is None and self.undoes is None and self.wrote

    @property
    def wrote(self) -> bool:
        """Has it written something, or may it have? Else it is an attempt."""
        return bool(WRITTEN & self.states.keys())


class Journal:
    """The journal of one profile. A connection lives as long as one call: processes may share the file.

    Parameters:
        path: the SQLite file; it is made by the first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def _open(self) -> sqlite3.Connection:
        """The file, only this user's to read."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self.path, timeout=10)
        try:
            connection.executescript(SCHEMA)
            held = {row[1] for row in connection.execute("PRAGMA table_info(entry)")}
            for column in ADDED.keys() - held:
                _add(connection, column)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """Inside, one transaction. Raises `JournalError` when the disk does not take it."""
        try:
            with closing(self._open()) as connection, connection:
                yield connection
        except (OSError, sqlite3.Error) as error:
            raise JournalError(
                f"the journal {self.path} cannot be written: {error}",
                hint=f"{MAKE_ROOM}; or --no-journal, which undo knows nothing of",
            ) from error

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        """Inside, the file as it is; a disk that cannot be written is no reason not to read it. Raises `JournalError`."""
        try:
            with closing(self._open() if os.access(self.path, os.W_OK) else _look(self.path)) as connection:
                yield connection
        except (OSError, sqlite3.Error) as error:
            hint = MAKE_ROOM if is_full(error) else "see that no other program holds it, and that you may read it"
            if is_damaged(error):
                hint = f"move it away: mv {self.path} {self.path}.broken"
            raise JournalError(f"the journal {self.path} cannot be read: {error}", hint=hint) from error

    def begin(self, plan: Plan, url: str, *, undoes: int | None = None) -> int:
        """Write a plan down before it is carried out; returns the entry's number.

        Of a bulk write only how many rows it has: its parts follow as they are sent.
        """
        bulk = len(plan.steps) if plan.writer is not None and plan.writer.bulk else 0
        with self._writing() as connection:
            found = connection.execute(
                "INSERT INTO entry (at, verb, title, url, outcome, undoes, writer, bulk) "
                "VALUES (?, ?, ?, ?, 'begun', ?, ?, ?)",
                (_now(), plan.verb, plan.title, url, undoes, plan.written_by, bulk),
            )
            entry = cast("int", found.lastrowid)
            if bulk:
                return entry
            connection.executemany(
                "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned', NULL)",
                [
                    (entry, number, step.action, step.type, step.uid, step.name, step.detail,
                     _text(step.before), _text(step.after))
                    for number, step in enumerate(plan.steps)
                ],
            )  # fmt: skip
        return entry

    def attempted(self, tried: Attempted) -> None:
        """Write down what was tried and has written nothing."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO entry (at, verb, title, url, outcome, reason, writer) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (_now(), *astuple(tried)),
            )

    def mark(self, entry: int, numbers: Iterable[int], state: State) -> None:
        """Say how far some changes of an entry are."""
        with self._writing() as connection:
            connection.executemany(
                "UPDATE change SET state = ?, reason = NULL WHERE entry = ? AND number = ?",
                [(state, entry, number) for number in numbers],
            )

    def refuse(self, entry: int, reasons: Mapping[int, str]) -> None:
        """Say which changes of an entry a server has refused, and why."""
        with self._writing() as connection:
            connection.executemany(
                "UPDATE change SET state = 'refused', reason = ? WHERE entry = ? AND number = ?",
                [(reason, entry, number) for number, reason in reasons.items()],
            )

    def keep(self, entry: int, changes: Iterable[tuple[int, PlanStep, str | None]]) -> None:
        """Keep single rows of a bulk write: their numbers, what they are, and why the server has refused them, or None."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO change VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?)",
                [
                    (entry, number, step.action, step.type, step.uid, step.name, step.detail,
                     "done" if reason is None else "refused", reason)
                    for number, step, reason in changes
                ],
            )  # fmt: skip

    def keep_part(self, entry: int, part: SentPart) -> None:
        """Say how far a part of a bulk write is."""
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?, ?, ?)",
                (entry, part.first, part.count, part.digest, part.done, part.refused, part.reason),
            )

    def count(self, entry: int, rows: int) -> None:
        """Say how many rows of a bulk write are changes."""
        with self._writing() as connection:
            connection.execute("UPDATE entry SET bulk = ? WHERE id = ?", (rows, entry))

    def rename(self, entry: int, number: int, uid: str) -> None:
        """Write down the UID that an object really has."""
        with self._writing() as connection:
            connection.execute("UPDATE change SET uid = ? WHERE entry = ? AND number = ?", (uid, entry, number))

    def put_after(self, entry: int, made: Mapping[int, JsonObject]) -> None:
        """Write down what the server has made of some changes, by number."""
        with self._writing() as connection:
            connection.executemany(
                "UPDATE change SET after = ? WHERE entry = ? AND number = ?",
                [(_text(after), entry, number) for number, after in made.items()],
            )

    def drop(self, entry: int, numbers: Iterable[int]) -> None:
        """Take out changes that were expected of the server and did not come."""
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM change WHERE entry = ? AND number = ?", [(entry, number) for number in numbers]
            )

    def end(self, entry: int, outcome: Outcome, reason: str | None = None) -> None:
        """Say how an entry ended; one that took all of another back marks that one."""
        with self._writing() as connection:
            connection.execute("UPDATE entry SET outcome = ?, reason = ? WHERE id = ?", (outcome, reason, entry))
            if outcome == "done":  # what was taken back in part is still the next to be taken back
                connection.execute(
                    "UPDATE entry SET undone_by = ? WHERE id = (SELECT undoes FROM entry WHERE id = ?)", (entry, entry)
                )

    def entries(self, *, limit: int | None = None) -> list[Entry]:
        """The writes, newest first, each with how many of its changes are in which state."""
        return self._found("1", limit=limit)

    def _found(self, which: str, values: Sequence[int | str] = (), *, limit: int | None = None) -> list[Entry]:
        """The writes that a condition of SQL over `entry` lets through, newest first: of the others nothing is read."""
        if not self.path.is_file():
            return []
        meant = f"SELECT id FROM entry WHERE {which} ORDER BY id DESC LIMIT {-1 if limit is None else limit}"  # noqa: S608
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT id, at, verb, title, url, outcome, reason, undoes, undone_by, writer, bulk FROM entry "  # noqa: S608
                f"WHERE id IN ({meant}) ORDER BY id DESC",
                values,
            ).fetchall()
            states: dict[int, dict[str, int]] = {}
            for entry, state, count in connection.execute(
                f"SELECT entry, state, count(*) FROM change WHERE entry IN ({meant}) GROUP BY entry, state",  # noqa: S608
                values,
            ):
                states.setdefault(entry, {})[state] = count
            bulks = {row[0]: row[10] for row in rows}
            for entry, sent, done, refused in connection.execute(
                f"SELECT entry, sum(count), sum(done), sum(refused) FROM part WHERE entry IN ({meant}) GROUP BY entry",  # noqa: S608
                values,
            ):
                bulk = bulks[entry]
                counts = {"done": done, "refused": refused, "sent": sent - done - refused, "planned": bulk - sent}
                states[entry] = {state: count for state, count in counts.items() if count}
        return [Entry(*row, states=states.get(row[0], {})) for row in rows]

    def entry(self, number: int) -> Entry:
        """One write by its number. Raises `NotFound`."""
        for entry in self._found("id = ?", [number]):
            return entry
        raise NotFound(f"the journal has no entry {number}", hint="dhis2 journal list")

    def meant(self) -> Entry:
        """The last write that was tried, and nobody has taken back: it may have written nothing. Raises `NotFound`.

        Attempts behind which somebody has gone back already, to take back a write before them, are passed over.
        """
        back_to: int | None = None
        for entry in self.entries():
            if entry.undoes is not None:
                if entry.outcome == "done":
                    back_to = entry.undoes if back_to is None else min(back_to, entry.undoes)
            elif entry.undone_by is None and (entry.undoable or back_to is None or entry.id < back_to):
                return entry
        raise NotFound("the journal has nothing to take back", hint="dhis2 journal list")

    def before(self, entry: Entry) -> Iterator[Entry]:
        """The writes before one that can be taken back still, on the same server, newest first."""
        found = self._found(f"id < ? AND url = ? AND {_OPEN}", [entry.id, entry.url])
        return (other for other in found if other.undoable)

    def after(self, entry: Entry) -> Iterator[Entry]:
        """The writes after one that can be taken back still, on the same server, newest first."""
        found = self._found(f"id > ? AND url = ? AND {_OPEN}", [entry.id, entry.url])
        return (other for other in found if other.undoable)

    def undone_since(self, entry: Entry) -> Iterator[Entry]:
        """The writes after one that have taken back others, or a part of itself, on the same server, oldest first."""
        return reversed(self._found("id > ? AND url = ? AND undoes IS NOT NULL", [entry.id, entry.url]))

    def of_load(self, writer: str, *loads: str) -> Iterator[Entry]:
        """The newest entries that have written parts of loads, and were not taken back.

        Parameters:
            writer: the kind of write; loads: their names.
        """
        begins = tuple(f"{load}/" for load in loads)
        return (
            entry
            for entry in self.entries(limit=RECENT)
            if entry.undone_by is None and entry.writer == writer
            and any((part.digest or "").startswith(begins) and part.refused < part.count for part in self.parts(entry.id))
        )  # fmt: skip

    def unanswered(self, since: str) -> dict[str, tuple[int, str]]:
        """Objects of writes that were sent and got no answer: their UIDs, each with the entry and when it was sent.

        What was taken back since, or written by a later entry that was answered, is not among them.

        Parameters:
            since: writes that began after this moment (ISO, UTC).
        """
        if not self.path.is_file():
            return {}
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT change.uid, change.state, entry.id, entry.at FROM entry JOIN change ON change.entry = entry.id "
                "WHERE entry.at > ? AND change.state IN ('sent', 'done') AND entry.undone_by IS NULL "
                "AND (entry.outcome != 'begun' OR change.state = 'done') ORDER BY entry.id",
                (since,),
            ).fetchall()
        found: dict[str, tuple[int, str]] = {}
        for uid, state, number, at in rows:
            if state == "done":
                found.pop(uid, None)
            elif uid is not None:
                found[uid] = (number, at)
        return found

    def oldest(self, *, before: str | None = None, keep: int = 0) -> list[int]:
        """The numbers of the oldest entries.

        Parameters:
            before: those that began before this moment (ISO, UTC); all without it.
            keep: so many of the newest stay, whatever their age.
        """
        if not self.path.is_file():
            return []
        with self._reading() as connection:
            rows = connection.execute("SELECT id, at FROM entry ORDER BY id DESC").fetchall()
        return [number for number, at in reversed(rows[keep:]) if before is None or at < before]

    def drop_entries(self, numbers: Sequence[int]) -> None:
        """Forget entries, and give their room back to the disk."""
        with self._writing() as connection:
            for table, column in (("change", "entry"), ("part", "entry"), ("entry", "id")):
                connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(number,) for number in numbers])  # noqa: S608
        with self._writing() as connection:
            connection.execute("VACUUM")

    def files(self, numbers: Sequence[int] | None = None) -> set[str]:
        """The MD5 sums of files that changes name.

        Parameters:
            numbers: what was there before these entries, and is kept for who takes them back; of all entries, and what
                came after too, without it.
        """
        if not self.path.is_file():
            return set()
        with self._reading() as connection:
            rows = connection.execute("SELECT entry, before, after FROM change").fetchall()
        wanted = None if numbers is None else {*numbers}
        texts = [
            text
            for entry, before, after in rows
            if wanted is None or entry in wanted
            for text in ((before, after) if wanted is None else (before,))
            if text
        ]
        return {found for text in texts for found in _MD5.findall(text)}

    def loads(self) -> set[str]:
        """The names of the loads of which a part may still be taken back."""
        if not self.path.is_file():
            return set()
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT substr(digest, 1, instr(digest, '/') - 1) FROM part JOIN entry ON part.entry = entry.id "
                "WHERE entry.undone_by IS NULL AND instr(digest, '/') > 0"
            ).fetchall()
        return {str(name) for (name,) in rows}

    def undone_loads(self) -> set[str]:
        """The names of the loads of which everything that was sent has been taken back."""
        if not self.path.is_file():
            return set()
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT substr(digest, 1, instr(digest, '/') - 1) AS load FROM part JOIN entry ON part.entry = entry.id "
                "WHERE instr(digest, '/') > 0 GROUP BY load HAVING min(entry.undone_by IS NOT NULL)"
            ).fetchall()
        return {str(name) for (name,) in rows}

    def kept_small(self) -> int:
        """Forget the oldest entries of a file that has become larger than `LARGEST`, a quarter of them; returns how many."""
        if not self.path.is_file() or self.path.stat().st_size <= LARGEST:
            return 0
        numbers = self.oldest(keep=KEPT)
        gone = numbers[: max(1, len(numbers) // 4)]
        if gone:
            self.drop_entries(gone)
        return len(gone)

    def changes(self, entry: int) -> list[Change]:
        """What an entry changed, in the order in which it was planned."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT number, action, type, uid, name, detail, before, after, state, reason FROM change "
                "WHERE entry = ? ORDER BY number",
                (entry,),
            ).fetchall()
        return [
            Change(number, action, kind, uid, name, detail, _object(before), _object(after), state, reason)
            for number, action, kind, uid, name, detail, before, after, state, reason in rows
        ]

    def parts(self, entry: int) -> list[SentPart]:
        """The parts of a bulk write that were sent, by the numbers of their rows."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT first, count, digest, done, refused, reason FROM part WHERE entry = ? ORDER BY first", (entry,)
            ).fetchall()
        return [SentPart(*row) for row in rows]


def _add(connection: sqlite3.Connection, column: str) -> None:
    """A column that a journal of an earlier version lacks; another process may be at it too."""
    try:
        connection.execute(ADDED[column])
    except sqlite3.OperationalError as error:
        if "duplicate column" not in str(error):
            raise


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _look(path: Path) -> sqlite3.Connection:
    """A file that only may be read."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)


def _text(value: JsonObject | None) -> str | None:
    return None if value is None else json.dumps(redacted(value), ensure_ascii=False, separators=(",", ":"))


def _object(text: str | None) -> JsonObject | None:
    return None if text is None else json.loads(text)


def journal_of(session: Session) -> Journal:
    """The journal of a session's profile."""
    return of(session.profile.name)


def of(profile: str) -> Journal:
    """The journal of a profile by its name."""
    name = profile.replace(":", "%3A")  # of `sandbox:NAME`; a colon is no part of a file's name on every system
    return Journal(paths.data_dir() / "journal" / f"{name}.db")


def every() -> list[Journal]:
    """The journals of all profiles of this machine."""
    return [Journal(path) for path in sorted((paths.data_dir() / "journal").glob("*.db"))]


def forget(profile: str) -> int:
    """Delete the journal of a profile whose server is gone; returns how many writes it told of.

    Parameters:
        profile: its name.
    """
    journal = of(profile)
    count = len(journal.entries())
    journal.path.unlink(missing_ok=True)
    return count
