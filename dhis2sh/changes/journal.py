"""The journal: what each write changed on a server, before and after, in one SQLite file per profile.

A write is written down before its first request and its end afterwards, object by object, so that an interrupted bulk write
knows how far it came. `session.apply_plan` opens an entry for every plan that is no local one; services that send in parts
tell the entry of the running write (`current()`) what they are about to send and what came of it:

    with recording(session, plan) as entry:      # session.apply_plan alone
        entry.sent([0, 1]); entry.done([0]); entry.refused(1, "E4000 Missing required property")
        entry.finish(summary)

Secrets never reach the file (`dhis2sh.redact`).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh import paths
from dhis2sh.errors import Dhis2Error, NotFound, Refused, ServerFault
from dhis2sh.redact import redacted

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

type State = Literal["planned", "sent", "done", "refused"]
type Outcome = Literal["begun", "done", "partly", "refused", "failed", "interrupted"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, verb TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL,
  outcome TEXT NOT NULL, reason TEXT, undoes INTEGER, undone_by INTEGER);
CREATE TABLE IF NOT EXISTS change (
  entry INTEGER NOT NULL, number INTEGER NOT NULL, action TEXT NOT NULL, type TEXT NOT NULL, uid TEXT, name TEXT,
  detail TEXT, before TEXT, after TEXT, state TEXT NOT NULL, reason TEXT, PRIMARY KEY (entry, number)) WITHOUT ROWID;
"""


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


@dataclass(frozen=True, slots=True)
class Entry:
    """One write: when (UTC), by which verb, on which server, and how it ended.

    Parameters:
        undoes: the entry that this one took back; `undone_by` the one that took this one back.
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
    states: dict[str, int] = field(default_factory=dict[str, int])


class Journal:
    """The journal of one profile. A connection lives as long as one call: processes may share the file.

    Parameters:
        path: the SQLite file; it is made by the first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def _open(self) -> sqlite3.Connection:
        """The file, only this user's to read. Raises `Dhis2Error` when the disk does not take it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
            connection = sqlite3.connect(self.path, timeout=10)
            connection.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise Dhis2Error(
                f"the journal {self.path} cannot be written: {error}", hint="--no-journal writes without it"
            ) from error
        return connection

    def begin(self, plan: Plan, url: str, *, undoes: int | None = None) -> int:
        """Write a plan down before it is carried out; returns the entry's number."""
        with closing(self._open()) as connection, connection:
            now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            found = connection.execute(
                "INSERT INTO entry (at, verb, title, url, outcome, undoes) VALUES (?, ?, ?, ?, 'begun', ?)",
                (now, plan.verb, plan.title, url, undoes),
            )
            entry = cast("int", found.lastrowid)
            connection.executemany(
                "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned', NULL)",
                [
                    (entry, number, step.action, step.type, step.uid, step.name, step.detail,
                     _text(step.before), _text(step.after))
                    for number, step in enumerate(plan.steps)
                ],
            )  # fmt: skip
        return entry

    def mark(self, entry: int, numbers: Iterable[int], state: State, reason: str | None = None) -> None:
        """Say how far some changes of an entry are."""
        with closing(self._open()) as connection, connection:
            connection.executemany(
                "UPDATE change SET state = ?, reason = ? WHERE entry = ? AND number = ?",
                [(state, reason, entry, number) for number in numbers],
            )

    def rename(self, entry: int, number: int, uid: str) -> None:
        """Write down the UID that an object really has."""
        with closing(self._open()) as connection, connection:
            connection.execute("UPDATE change SET uid = ? WHERE entry = ? AND number = ?", (uid, entry, number))

    def end(self, entry: int, outcome: Outcome, reason: str | None = None) -> None:
        """Say how an entry ended; one that took another back marks that one."""
        with closing(self._open()) as connection, connection:
            connection.execute("UPDATE entry SET outcome = ?, reason = ? WHERE id = ?", (outcome, reason, entry))
            if outcome in {"done", "partly"}:
                connection.execute(
                    "UPDATE entry SET undone_by = ? WHERE id = (SELECT undoes FROM entry WHERE id = ?)", (entry, entry)
                )

    def entries(self, *, limit: int | None = None) -> list[Entry]:
        """The writes, newest first, each with how many of its changes are in which state."""
        if not self.path.is_file():
            return []
        with closing(self._open()) as connection:
            rows = connection.execute(
                "SELECT id, at, verb, title, url, outcome, reason, undoes, undone_by FROM entry "
                "ORDER BY id DESC LIMIT ?",
                (-1 if limit is None else limit,),
            ).fetchall()
            states: dict[int, dict[str, int]] = {}
            for entry, state, count in connection.execute(
                "SELECT entry, state, count(*) FROM change GROUP BY entry, state"
            ):
                states.setdefault(entry, {})[state] = count
        return [Entry(*row, states=states.get(row[0], {})) for row in rows]

    def entry(self, number: int | None = None) -> Entry:
        """One write by its number; the newest one that can be taken back without it. Raises `NotFound`."""
        for entry in self.entries():
            undoable = entry.undone_by is None and entry.undoes is None and {"done", "sent"} & set(entry.states)
            if entry.id == number or (number is None and undoable):
                return entry
        what = f"no entry {number}" if number is not None else "nothing to take back"
        raise NotFound(f"the journal has {what}", hint="dhis2 journal list")

    def changes(self, entry: int) -> list[Change]:
        """What an entry changed, in the order in which it was planned."""
        with closing(self._open()) as connection:
            rows = connection.execute(
                "SELECT number, action, type, uid, name, detail, before, after, state, reason FROM change "
                "WHERE entry = ? ORDER BY number",
                (entry,),
            ).fetchall()
        return [
            Change(number, action, kind, uid, name, detail, _object(before), _object(after), state, reason)
            for number, action, kind, uid, name, detail, before, after, state, reason in rows
        ]


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


def forget(profile: str) -> int:
    """Delete the journal of a profile whose server is gone; returns how many writes it told of.

    Parameters:
        profile: its name.
    """
    journal = of(profile)
    count = len(journal.entries())
    journal.path.unlink(missing_ok=True)
    return count


class Recording:
    """The entry of a write that is under way; without a journal it keeps nothing.

    Parameters:
        journal: where to write, or None.
        plan: what is being carried out; changes are named by the number of their step.
    """

    def __init__(self, journal: Journal | None, plan: Plan, url: str = "") -> None:
        self.journal = journal
        self._steps = list(plan.steps)
        self._states: dict[int, State] = dict.fromkeys(range(len(plan.steps)), "planned")
        self.id = journal.begin(plan, url, undoes=plan.undoes) if journal is not None else None

    def sent(self, numbers: Sequence[int]) -> None:
        """These changes are about to be sent."""
        self._mark(numbers, "sent")

    def done(self, numbers: Sequence[int]) -> None:
        """The server has carried these out."""
        self._mark(numbers, "done")

    def refused(self, number: int, reason: str) -> None:
        """The server refused this one, and why."""
        self._mark([number], "refused", reason)

    def became(self, number: int, uid: str) -> None:
        """The server has given an object another UID than it was planned with."""
        if self.journal is not None and self.id is not None:
            self.journal.rename(self.id, number, uid)

    def _mark(self, numbers: Sequence[int], state: State, reason: str | None = None) -> None:
        self._states |= dict.fromkeys(numbers, state)
        if self.journal is not None and self.id is not None:
            self.journal.mark(self.id, numbers, state, reason)

    def finish(self, summary: object) -> None:
        """The verb has ended well: what it did not speak of is done, unless its summary names it as refused."""
        failures = cast("list[JsonObject]", getattr(summary, "failures", []))
        reasons = {
            str(row.get("uid") or row.get("id")): str(row.get("message") or row.get("reason")) for row in failures
        }
        open_ = [number for number, state in self._states.items() if state in {"planned", "sent"}]
        for number in open_:
            if (uid := self._steps[number].uid) is not None and uid in reasons:
                self.refused(number, reasons[uid])
        nameless = any(not (row.get("uid") or row.get("id")) for row in failures)  # which one it was nobody knows
        self.done([n for n in open_ if not (self._states[n] == "refused" or (nameless and self._states[n] == "sent"))])
        self._end("partly" if failures or "refused" in self._states.values() else "done")

    def fail(self, error: BaseException) -> None:
        """The verb has ended badly. What was sent without an answer stays `sent`: nobody knows what became of it."""
        if isinstance(error, Refused) and not isinstance(error, ServerFault):
            silent = not any(state == "sent" for state in self._states.values())
            for number, state in self._states.items():
                if state == "sent" or (state == "planned" and silent):
                    self.refused(number, str(error))
        elif not any(state != "planned" for state in self._states.values()):
            self.sent(list(self._states))  # the verb says nothing of its parts: any of them may have gone out
        written = any(state == "done" for state in self._states.values())
        if not isinstance(error, Dhis2Error):
            self._end("interrupted" if not isinstance(error, Exception) else "failed", type(error).__name__)
        else:
            self._end("partly" if written else "refused" if isinstance(error, Refused) else "failed", str(error))

    def how_far(self) -> str:
        """In words how far a write came that was interrupted."""
        counts = {state: list(self._states.values()).count(state) for state in ("done", "refused", "sent", "planned")}
        words = {"refused": "refused", "sent": "sent without an answer", "planned": "not sent"}
        more = [f"{counts[state]:,} {word}" for state, word in words.items() if counts[state]]
        where = f"; dhis2 journal show {self.id}, dhis2 undo {self.id}" if self.id is not None else ""
        return f"{', '.join([f'{counts["done"]:,} of {len(self._states):,} done', *more])}{where}"

    def _end(self, outcome: Outcome, reason: str | None = None) -> None:
        if self.journal is not None and self.id is not None:
            self.journal.end(self.id, outcome, reason)


_CURRENT: ContextVar[Recording | None] = ContextVar("recording", default=None)


def current() -> Recording:
    """The entry of the write that is being carried out. Raises `RuntimeError` outside of `session.apply_plan`."""
    entry = _CURRENT.get()
    if entry is None:
        raise RuntimeError("a write outside of session.apply_plan")
    return entry


@contextmanager
def recording(session: Session, plan: Plan) -> Generator[Recording]:
    """Keep an entry open while a plan is carried out. Local and empty plans and those of `--no-journal` leave nothing."""
    if plan.local or not plan.journal or not plan.steps:
        entry = Recording(None, plan)
    else:
        target = plan.target or session.profile
        entry = Recording(of(target.name), plan, target.url)
    token = _CURRENT.set(entry)
    try:
        yield entry
    except BaseException as error:
        entry.fail(error)
        if not isinstance(error, Exception):
            session.person.warn(entry.how_far())
        raise
    finally:
        _CURRENT.reset(token)
