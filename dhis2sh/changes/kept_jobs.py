"""A load as the folder of its parts, whatever its parts are: what went out, which job of the server does it, what it said.

    <data>/jobs/<profile>/<name>/
      job.json            what it is: a title, where it goes, how many parts
      000001.json.gz      what one request sends
      000001.sent         it went out; without an answer nobody knows what became of it
      000001.task         the job of the server that does it, where it was asked to do so by itself
      000001.answer.json  what the server said
      refused.*           what was not written, with the reason

The name is a digest of all parts and of how they are sent, so that the same line finds its folder again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, cast

from dhis2sh.changes import journal
from dhis2sh.changes.job_folders import durable, folder, kept_in, part, sweep

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject


@dataclass(frozen=True, slots=True)
class JobHead:
    """What every job says of itself.

    Parameters:
        title: one line for people; url: the server that it goes to.
        parts: how many.
    """

    title: str
    url: str
    parts: int


class KeptJob[Head: JobHead]:
    """One load.

    Parameters:
        path: its folder; head: what it is.
    """

    kind: ClassVar[type[JobHead]]
    """What its head is read as."""

    def __init__(self, path: Path, head: Head) -> None:
        self.path, self.head = path, head

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The job of a folder, if there is one."""
        try:
            return cls(path, cast("Head", cls.kind(**json.loads((path / "job.json").read_text("utf-8")))))
        except (OSError, ValueError, TypeError):
            return None

    @classmethod
    def find(cls, profile: str, name: str) -> Self | None:
        """A job by its name."""
        return cls.read(folder(profile) / name)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.name

    def file(self, number: int, ending: str) -> Path:
        """A file of a part."""
        return self.path / f"{number:06}.{ending}"

    def body(self, number: int) -> bytes:
        """What a part is. Raises `Dhis2Error` where its folder is gone."""
        return gzip.decompress(part(self.file(number, "json.gz")))

    def digest(self, number: int) -> str:
        """A checksum of a part, with the job that it is of."""
        return f"{self.name}/{number:06}/{hashlib.sha256(self.body(number)).hexdigest()[:16]}"

    def was_sent(self, number: int) -> bool:
        """Did a part go out?"""
        return self.file(number, "sent").exists()

    @property
    def begun(self) -> bool:
        """Did any part go out?"""
        return any(map(self.was_sent, range(1, self.head.parts + 1)))

    def mark_sent(self, number: int) -> None:
        """A part is about to go out."""
        durable(self.file(number, "sent"), "")

    def task(self, number: int) -> str | None:
        """The server's job that does a part, where there is one."""
        try:
            return self.file(number, "task").read_text("utf-8") or None
        except FileNotFoundError:
            return None

    def keep_task(self, number: int, uid: str | None) -> None:
        """Keep which job of the server does a part; None where it is done."""
        if uid is None:
            self.file(number, "task").unlink(missing_ok=True)
        else:
            durable(self.file(number, "task"), uid)

    def answered(self, number: int) -> bool:
        """Has the server said what it did with a part?"""
        return self.file(number, "answer.json").exists()

    def keep_answer(self, number: int, answer: JsonObject) -> None:
        """Keep what the server said of a part."""
        durable(self.file(number, "answer.json"), json.dumps(answer, ensure_ascii=False))

    def left(self) -> list[int]:
        """The parts that have no answer yet."""
        return [number for number in range(1, self.head.parts + 1) if not self.answered(number)]

    def settled(self, profile: str, name: str) -> Self:
        """This job, which was just made, in its place; one of the same parts that was cut off goes on in its stead.

        What was only planned before, or was taken back, is none that could go on.

        Parameters:
            name: what it is to be called; until now it is in a folder for the while.
        """
        with kept_in(self.path):
            (self.path / "job.json").write_text(json.dumps(asdict(self.head)), "utf-8")
        undone = journal.of(profile).undone_loads()
        for number in range(1, 10_000):
            path = self.path.parent / (name if number == 1 else f"{name}-{number}")
            there = self.read(path)
            if there is None or not there.begun:
                shutil.rmtree(path, ignore_errors=True)
                self.path.rename(path)
                self.path = path
                return self
            if there.left() and there.name not in undone:
                there._goes_on(self)
                return there
        raise AssertionError("nobody loads the same ten thousand times")

    def _goes_on(self, made: Self) -> None:
        """This job in place of another; its title and what was refused are those of who loads it now."""
        self.head = replace(self.head, title=made.head.title)
        with kept_in(self.path):
            durable(self.path / "job.json", json.dumps(asdict(self.head)))
            for old in self.path.glob("refused.*"):
                old.unlink()
            for new in made.path.glob("refused.*"):
                new.replace(self.path / new.name)
        shutil.rmtree(made.path, ignore_errors=True)


class Parts:
    """Parts on their way into the folder of a job; `drop` takes it away again.

    Parameters:
        profile: whose job it is.
        mark: with which its name begins.
    """

    def __init__(self, profile: str, mark: str = "") -> None:
        sweep(profile)
        self._profile, self._home, self._mark = profile, folder(profile), mark
        self.path = self._home / f".{mark}{os.getpid()}-{id(self):x}"
        with kept_in(self._home):
            self.path.mkdir(parents=True, mode=0o700)
        self.parts: int = 0

    def name(self, how: str) -> str:
        """What a job of them is called: a digest of them and of how they are sent."""
        if not self.parts:
            return f"{self._mark}refused-{uuid.uuid4().hex[:8]}"
        whole = hashlib.sha256(how.encode())
        for number in range(1, self.parts + 1):
            whole.update((self.path / f"{number:06}.json.gz").read_bytes())
        return f"{self._mark}{whole.hexdigest()[:12]}"

    def drop(self) -> None:
        """Nothing of it is wanted."""
        shutil.rmtree(self.path, ignore_errors=True)
