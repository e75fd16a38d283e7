"""A load as the folder of its parts: what is to be sent, what was answered, what was refused. Resuming is reading it.

    <data>/jobs/<profile>/<name>/
      job.json            what it is: a title, where it goes, how many rows and parts
      000001.json.gz      the rows of one request, as they are sent
      000001.rows         where each of them stands in what was given
      000001.sent         it went out; without an answer nobody knows what became of it
      000001.task         the job of the server that imports it, where it was asked to do so by itself
      000001.answer.json  what the server said
      before.ndjson.gz    the values of the same cells before
      refused.csv         rows that were not written, with the reason

The name is a digest of all parts and of how they are sent, so that the same line finds its folder again.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import shutil
import uuid
from collections.abc import AsyncIterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import orjson

from dhis2sh import paths
from dhis2sh.changes import job_folders, journal
from dhis2sh.changes.job_folders import durable, folder, kept_in, sweep
from dhis2sh.data.cells import KEY

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, Row

type Strategy = Literal["CREATE_AND_UPDATE", "CREATE", "UPDATE", "DELETE"]
REFUSED = "refused.csv"
ROWS_IN_ONE_PART = 20_000
"""A lost answer costs one part of this size; a server of 2.42 takes one in some seconds."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a job is.

    Parameters:
        title: one line for people.
        url: the server that it goes to.
        strategy: what the server does with the rows.
        rows, parts: how many.
        undo: whether the values before are kept.
        elements, periods, units: what its cells are of, each once.
    """

    title: str
    url: str
    strategy: Strategy
    rows: int
    parts: int
    undo: bool
    elements: list[str]
    periods: list[str]
    units: list[str]


class Job:
    """One load.

    Parameters:
        path: its folder.
        head: what it is.
    """

    def __init__(self, path: Path, head: Head) -> None:
        self.path, self.head = path, head

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.name

    @property
    def has_before(self) -> bool:
        """Are the values that its cells had before kept, all of them?"""
        return self._before.exists()

    @property
    def _before(self) -> Path:
        return self.path / "before.ndjson.gz"

    def before(self) -> Iterator[Row]:
        """The values that its cells had before."""
        with gzip.open(self._before, "rt", encoding="utf-8") as file:
            for line in file:
                yield cast("Row", json.loads(line))

    async def keep_before(self, batches: AsyncIterable[Sequence[Row]]) -> None:
        """Keep the values that its cells have now."""
        with (
            kept_in(self.path),
            paths.replacing(self._before) as temporary,
            gzip.open(temporary, "wt", encoding="utf-8", compresslevel=1) as file,
        ):
            async for rows in batches:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def body(self, part: int) -> bytes:
        """What a part sends."""
        return gzip.decompress(job_folders.part(self.path / f"{part:06}.json.gz"))

    def content(self, part: int) -> tuple[JsonObject, list[Row]]:
        """What a part says of all of its rows, and the rows."""
        body = cast("JsonObject", orjson.loads(self.body(part)))
        rows = cast("list[Row]", body.pop("dataValues"))
        return body, rows

    def rows(self, part: int) -> list[Row]:
        """The rows of a part."""
        return self.content(part)[1]

    def places(self, part: int) -> list[int]:
        """Where the rows of a part stand in what was given."""
        return cast("list[int]", json.loads(job_folders.part(self.path / f"{part:06}.rows")))

    def digest(self, part: int) -> str:
        """A checksum of a part, with the job that it is of."""
        return f"{self.name}/{part:06}/{hashlib.sha256(self.body(part)).hexdigest()[:16]}"

    def answered(self, part: int) -> bool:
        """Has the server said what it did with a part?"""
        return (self.path / f"{part:06}.answer.json").exists()

    def was_sent(self, part: int) -> bool:
        """Did a part go out?"""
        return (self.path / f"{part:06}.sent").exists()

    @property
    def begun(self) -> bool:
        """Did any part go out?"""
        return any(map(self.was_sent, range(1, self.head.parts + 1)))

    def mark_sent(self, part: int) -> None:
        """A part is about to go out."""
        durable(self.path / f"{part:06}.sent", "")

    def keep_task(self, part: int, uid: str) -> None:
        """A job of the server's imports a part."""
        durable(self.path / f"{part:06}.task", uid)

    def task(self, part: int) -> str | None:
        """The server's job that imports a part, where there is one."""
        try:
            return (self.path / f"{part:06}.task").read_text("utf-8") or None
        except FileNotFoundError:
            return None

    def keep_answer(self, part: int, answer: JsonObject) -> None:
        """Keep what the server said of a part."""
        durable(self.path / f"{part:06}.answer.json", json.dumps(answer, ensure_ascii=False))

    def left(self) -> list[int]:
        """The parts that have no answer yet."""
        return [part for part in range(1, self.head.parts + 1) if not self.answered(part)]


def find(profile: str, name: str) -> Job | None:
    """A job by its name."""
    return _read(folder(profile) / name)


def _read(path: Path) -> Job | None:
    try:
        return Job(path, Head(**json.loads((path / "job.json").read_text("utf-8"))))
    except (OSError, ValueError, TypeError):
        return None


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row.get(name) for name in KEY)


_NONE = Head("", "", "CREATE_AND_UPDATE", 0, 0, False, [], [], [])


class Preparing:
    """Rows on their way into the parts of a job; `finish` names it, `drop` takes it away again.

    Parameters:
        profile: whose job it is.
        size: rows in one part.
    """

    def __init__(self, profile: str, size: int = ROWS_IN_ONE_PART) -> None:
        sweep(profile)
        self._profile, self._home = profile, folder(profile)
        self.path = self._home / f".{os.getpid()}-{id(self):x}"
        with kept_in(self._home):
            self.path.mkdir(parents=True, mode=0o700)
        self._size = size
        self._held: dict[str | None, list[tuple[int, Row]]] = {}
        self._scope: dict[str, dict[str, None]] = {"dataElement": {}, "period": {}, "orgUnit": {}}
        self._withdrawn: set[tuple[int, tuple[object, ...]]] = set()
        self.parts = self.rows = 0

    def add(self, place: int, row: Row, data_set: str | None = None) -> None:
        """One row that may be sent.

        Parameters:
            place: where it stands in what was given.
            data_set: which set it is sent for, where the server wants to know.
        """
        held = self._held.setdefault(data_set, [])
        held.append((place, row))
        self.rows += 1
        if len(held) >= self._size:
            self._flush(data_set)

    def withdraw(self, place: int, like: Row) -> Row | None:
        """A row that was added is not to be sent after all: the row, or None where it was withdrawn before.

        Parameters:
            place: where it stands in what was given; like: a row of the same cell.
        """
        known = (place, _key(like))
        if known in self._withdrawn:
            return None
        self._withdrawn.add(known)
        self.rows -= 1
        held = (item for items in self._held.values() for item in items)
        written = (item for part in range(self.parts, 0, -1) for item in self._written(part))
        return next(row for at, row in itertools.chain(held, written) if (at, _key(row)) == known)

    def _stays(self, item: tuple[int, Row]) -> bool:
        return (item[0], _key(item[1])) not in self._withdrawn

    def _written(self, part: int) -> Iterator[tuple[int, Row]]:
        job = Job(self.path, _NONE)
        return zip(job.places(part), job.rows(part), strict=True)

    def _flush(self, data_set: str | None) -> None:
        held = self._held.pop(data_set, [])
        for name, seen in self._scope.items():
            seen.update(dict.fromkeys([str(row[name]) for _, row in held]))
        if self._withdrawn:
            held = [item for item in held if self._stays(item)]
        if held:
            self.parts += 1
            self._write(self.parts, data_set, held)

    def _write(self, part: int, data_set: str | None, held: Sequence[tuple[int, Row]]) -> None:
        head = {} if data_set is None else {"dataSet": data_set}
        body = orjson.dumps({**head, "dataValues": [row for _, row in held]})
        with kept_in(self._home):
            (self.path / f"{part:06}.json.gz").write_bytes(gzip.compress(body, 1, mtime=0))
            (self.path / f"{part:06}.rows").write_text(json.dumps([place for place, _ in held]), "utf-8")

    def finish(self, title: str, url: str, strategy: Strategy, *, undo: bool) -> Job:
        """The job; one of the same rows of which something went out, in its place, where it is not done yet.

        What was only planned before, or was taken back, is none that could go on: the values before are read anew.
        """
        for data_set in list(self._held):
            self._flush(data_set)
        self._leave_out_withdrawn()
        whole = hashlib.sha256(f"{url} {strategy}".encode())
        for part in range(1, self.parts + 1):
            whole.update((self.path / f"{part:06}.json.gz").read_bytes())
        scope = (sorted(seen) for seen in self._scope.values())
        head = Head(title, url, strategy, self.rows, self.parts, undo, *scope)
        with kept_in(self._home):
            (self.path / "job.json").write_text(json.dumps(asdict(head)), "utf-8")
        name = whole.hexdigest()[:12] if self.parts else f"refused-{uuid.uuid4().hex[:8]}"
        undone = journal.of(self._profile).undone_loads()
        for number in range(1, 10_000):
            path = self._home / (name if number == 1 else f"{name}-{number}")
            there = _read(path)
            if there is None or not there.begun:
                shutil.rmtree(path, ignore_errors=True)
                self.path.rename(path)
                return Job(path, head)
            if there.left() and there.name not in undone:
                return self._into(there, title)
        raise AssertionError("nobody loads the same rows ten thousand times")

    def _into(self, there: Job, title: str) -> Job:
        """The job that goes on in place of this one; its title and its refused rows are those of who loads it now."""
        head = replace(there.head, title=title)
        refused = self.path / REFUSED
        with kept_in(self._home):
            durable(there.path / "job.json", json.dumps(asdict(head)))
            if refused.exists():
                refused.replace(there.path / REFUSED)
            else:
                (there.path / REFUSED).unlink(missing_ok=True)
        self.drop()
        return Job(there.path, head)

    def _leave_out_withdrawn(self) -> None:
        """Write those parts again that hold a withdrawn row."""
        job = Job(self.path, _NONE)
        for part in range(1, self.parts + 1) if self._withdrawn else ():
            kept = [item for item in self._written(part) if self._stays(item)]
            if len(kept) < len(job.places(part)):
                self._write(part, cast("str | None", job.content(part)[0].get("dataSet")), kept)

    def drop(self) -> None:
        """Nothing of it is wanted."""
        shutil.rmtree(self.path, ignore_errors=True)
