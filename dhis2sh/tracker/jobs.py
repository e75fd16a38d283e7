"""A push as the folder of its parts: what is to be sent, what was there before, what was answered. Resuming is reading it.

    <data>/jobs/<profile>/tracker-<digest>/
      job.json             what it is: a title, where it goes, how many objects and parts
      000001.json.gz       the entries of one request
      000001.before.json   what the server had of them before the request went out
      000001.sent          it went out; without an answer nobody knows what became of it
      000001.task          the server's job that does it, where it is a big one
      000001.answer.json   what the server said
      refused.*            what was not written, with the reason

The name is a digest of all parts and of how they are sent, so that the same line finds its folder again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import orjson

from dhis2sh.changes import job_folders
from dhis2sh.changes.job_folders import durable, folder, kept_in, sweep
from dhis2sh.tracker.payloads import Entry

if TYPE_CHECKING:
    from dhis2sh.tracker.checking import Strategy
    from dhis2sh.types import JsonObject

IN_ONE_PART = 200
"""Objects in one request; a lost answer costs one part of this size."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a job is.

    Parameters:
        title: one line for people; url: the server that it goes to.
        strategy: what the server does with the objects; atomic: all or none of them.
        entries, objects, parts: how many.
        names: what UIDs in it stand for.
    """

    title: str
    url: str
    strategy: Strategy
    atomic: bool
    entries: int
    objects: int
    parts: int
    names: dict[str, str]


class Job:
    """One push.

    Parameters:
        path: its folder; head: what it is.
    """

    def __init__(self, path: Path, head: Head) -> None:
        self.path, self.head = path, head

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.name

    def _file(self, part: int, ending: str) -> Path:
        return self.path / f"{part:06}.{ending}"

    def entries(self, part: int) -> list[Entry]:
        """The entries of a part."""
        rows = cast("list[JsonObject]", orjson.loads(gzip.decompress(job_folders.part(self._file(part, "json.gz")))))
        return [Entry(**row) for row in rows]  # type: ignore[arg-type]  (as `_packed` wrote them)

    def count(self, part: int) -> int:
        """How many entries a part has."""
        return int(job_folders.part(self._file(part, "count")))

    def digest(self, part: int) -> str:
        """A checksum of a part, with the job that it is of."""
        return f"{self.name}/{part:06}/{hashlib.sha256(job_folders.part(self._file(part, 'json.gz'))).hexdigest()[:16]}"

    def before(self, part: int) -> dict[str, JsonObject] | None:
        """What the server had of the objects of a part, by UID; None where it was not looked at."""
        file = self._file(part, "before.json")
        return cast("dict[str, JsonObject]", orjson.loads(file.read_bytes())) if file.exists() else None

    def keep_before(self, part: int, objects: Mapping[str, JsonObject]) -> None:
        """Keep what the server has of the objects of a part, before it goes out."""
        durable(self._file(part, "before.json"), json.dumps({**objects}, ensure_ascii=False))

    def was_sent(self, part: int) -> bool:
        """Did a part go out?"""
        return self._file(part, "sent").exists()

    def mark_sent(self, part: int) -> None:
        """A part is about to go out."""
        durable(self._file(part, "sent"), "")

    def task(self, part: int) -> str | None:
        """The server's job that does a part."""
        file = self._file(part, "task")
        return file.read_text("utf-8") if file.exists() else None

    def keep_task(self, part: int, uid: str | None) -> None:
        """Keep which job of the server does a part; None where it is done."""
        if uid is None:
            self._file(part, "task").unlink(missing_ok=True)
        else:
            durable(self._file(part, "task"), uid)

    def answer(self, part: int) -> JsonObject | None:
        """What the server said of a part."""
        file = self._file(part, "answer.json")
        return cast("JsonObject", orjson.loads(file.read_bytes())) if file.exists() else None

    def keep_answer(self, part: int, answer: JsonObject) -> None:
        """Keep what the server said of a part."""
        durable(self._file(part, "answer.json"), json.dumps(answer, ensure_ascii=False))

    def left(self) -> list[int]:
        """The parts that have no answer yet."""
        return [part for part in range(1, self.head.parts + 1) if not self._file(part, "answer.json").exists()]


def find(profile: str, name: str) -> Job | None:
    """A job by its name."""
    return _read(folder(profile) / name)


def _read(path: Path) -> Job | None:
    try:
        return Job(path, Head(**json.loads((path / "job.json").read_text("utf-8"))))
    except (OSError, ValueError, TypeError):
        return None


class Preparing:
    """Entries on their way into the parts of a job; `finish` names it, `drop` takes it away again.

    Parameters:
        profile: whose job it is; size: objects in one part.
    """

    def __init__(self, profile: str, size: int = IN_ONE_PART) -> None:
        sweep(profile)
        self._home = folder(profile)
        self.path = self._home / f".tracker-{os.getpid()}-{id(self):x}"
        with kept_in(self._home):
            self.path.mkdir(parents=True, mode=0o700)
        self._size = size
        self._held: list[Entry] = []
        self._weight = 0
        self.parts = self.entries = self.objects = 0

    def add(self, entry: Entry) -> None:
        """One entry that may be sent."""
        self._held.append(entry)
        weight = entry.weight
        self._weight += weight
        self.entries += 1
        self.objects += weight
        if self._weight >= self._size:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        self.parts += 1
        stem = self.path / f"{self.parts:06}"
        body = orjson.dumps([_packed(entry) for entry in self._held])
        with kept_in(self._home):
            stem.with_suffix(".json.gz").write_bytes(gzip.compress(body, 1, mtime=0))
            stem.with_suffix(".count").write_text(str(len(self._held)), "utf-8")
        self._held, self._weight = [], 0

    def finish(self, title: str, url: str, strategy: Strategy, *, atomic: bool, names: Mapping[str, str]) -> Job:
        """The job; one of the same entries that is not done yet in its place, where there is one."""
        self._flush()
        whole = hashlib.sha256(f"{url} {strategy} {atomic}".encode())
        for part in range(1, self.parts + 1):
            whole.update((self.path / f"{part:06}.json.gz").read_bytes())
        head = Head(title, url, strategy, atomic, self.entries, self.objects, self.parts, {**names})
        with kept_in(self._home):
            (self.path / "job.json").write_text(json.dumps(asdict(head)), "utf-8")
        name = f"tracker-{whole.hexdigest()[:12]}" if self.parts else f"tracker-refused-{uuid.uuid4().hex[:8]}"
        for number in range(1, 10_000):
            path = self._home / (name if number == 1 else f"{name}-{number}")
            there = _read(path)
            if there is None or not there.head.parts:
                shutil.rmtree(path, ignore_errors=True)
                self.path.rename(path)
                return Job(path, head)
            if there.left():
                self.drop()
                return there
        raise AssertionError("nobody pushes the same objects ten thousand times")

    def drop(self) -> None:
        """Nothing of it is wanted."""
        shutil.rmtree(self.path, ignore_errors=True)


def _packed(entry: Entry) -> JsonObject:
    return {
        "place": entry.place, "label": entry.label, "kind": entry.kind, "body": entry.body, "given": entry.given,
        "made": [*entry.made], "sheet": entry.sheet,
    }  # fmt: skip


def earlier(job: Job) -> Iterator[Job]:
    """Jobs of the same entries that are done."""
    base = "-".join(job.name.split("-")[:2])
    for path in sorted(job.path.parent.glob(f"{base}*")) if job.head.parts else ():
        found = _read(path)
        if found is not None and found.head.parts and found.name != job.name and not found.left():
            yield found
