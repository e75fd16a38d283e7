"""A push as a folder (`dhis2sh.changes.kept_jobs`), which has of its own:

000001.count         how many entries a part has
000001.before.json   what the server had of them before the request went out
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import orjson

from dhis2sh.changes import job_folders
from dhis2sh.changes.job_folders import durable, kept_in
from dhis2sh.changes.kept_jobs import JobHead, KeptJob, Parts
from dhis2sh.tracker.payloads import Entry

if TYPE_CHECKING:
    from dhis2sh.tracker.checking import Strategy
    from dhis2sh.types import JsonObject

IN_ONE_PART = 200
"""Objects in one request; a lost answer costs one part of this size."""


@dataclass(frozen=True, slots=True)
class Head(JobHead):
    """What a job is.

    Parameters:
        strategy: what the server does with the objects; atomic: all or none of them.
        entries, objects: how many.
        names: what UIDs in it stand for; numeric: UIDs of what holds numbers.
    """

    strategy: Strategy
    atomic: bool
    entries: int
    objects: int
    names: dict[str, str]
    numeric: list[str] = field(default_factory=list[str])


class Job(KeptJob[Head]):
    """One push."""

    kind = Head

    def entries(self, part: int) -> list[Entry]:
        """The entries of a part."""
        rows = cast("list[JsonObject]", orjson.loads(self.body(part)))
        return [Entry(**row) for row in rows]  # type: ignore[arg-type]  (as `_packed` wrote them)

    def count(self, part: int) -> int:
        """How many entries a part has."""
        return int(job_folders.part(self.file(part, "count")))

    def before(self, part: int) -> dict[str, JsonObject] | None:
        """What the server had of the objects of a part, by UID; None where it was not looked at."""
        file = self.file(part, "before.json")
        return cast("dict[str, JsonObject]", orjson.loads(file.read_bytes())) if file.exists() else None

    def refused(self, part: int) -> set[int]:
        """The entries of a part that the server has refused, by their numbers; of what it refused in part something is there."""
        file = self.file(part, "answer.json")
        answer = cast("JsonObject", orjson.loads(file.read_bytes())) if file.exists() else {}
        told = answer.get("refused")
        return {int(number) for number in told} if isinstance(told, dict) else set()

    def keep_before(self, part: int, objects: Mapping[str, JsonObject]) -> None:
        """Keep what the server has of the objects of a part, before it goes out."""
        durable(self.file(part, "before.json"), json.dumps({**objects}, ensure_ascii=False))


class Preparing(Parts):
    """Entries on their way into the parts of a job; `finish` names it.

    Parameters:
        profile: whose job it is; size: objects in one part.
    """

    def __init__(self, profile: str, size: int = IN_ONE_PART) -> None:
        super().__init__(profile, "tracker-")
        self._size = size
        self._held: list[Entry] = []
        self._weight = 0
        self.entries = self.objects = 0

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

    def finish(
        self, title: str, url: str, strategy: Strategy, *, atomic: bool, names: Mapping[str, str],
        numeric: Sequence[str] = (),
    ) -> Job:  # fmt: skip
        """The job; one of the same entries of which something went out, in its place, where it is not done yet."""
        self._flush()
        head = Head(title, url, self.parts, strategy, atomic, self.entries, self.objects, {**names}, [*numeric])
        return Job(self.path, head).settled(self._profile, self.name(f"{url} {strategy} {atomic}"))


def _packed(entry: Entry) -> JsonObject:
    return {
        "place": entry.place, "label": entry.label, "kind": entry.kind, "body": entry.body, "given": entry.given,
        "made": [*entry.made], "sheet": entry.sheet, **({"same": [*entry.same]} if entry.same else {}),
    }  # fmt: skip


def earlier(job: Job) -> Iterator[Job]:
    """Jobs of the same entries that are done."""
    base = "-".join(job.name.split("-")[:2])
    for path in sorted(job.path.parent.glob(f"{base}*")) if job.head.parts else ():
        found = Job.read(path)
        if found is not None and found.head.parts and found.name != job.name and not found.left():
            yield found
