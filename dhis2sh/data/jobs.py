"""A load of values as a folder (`dhis2sh.changes.kept_jobs`), which has of its own:

000001.rows         where each row of a part stands in what was given
before.ndjson.gz    the values of the same cells before
refused.csv         rows that were not written, with the reason
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import AsyncIterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import orjson

from dhis2sh import paths
from dhis2sh.changes import job_folders
from dhis2sh.changes.job_folders import kept_in
from dhis2sh.changes.kept_jobs import JobHead, KeptJob, Parts
from dhis2sh.data.cells import KEY

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, Row

type Strategy = Literal["CREATE_AND_UPDATE", "CREATE", "UPDATE", "DELETE"]
REFUSED = "refused.csv"
ROWS_IN_ONE_PART = 20_000
"""A lost answer costs one part of this size; a server of 2.42 takes one in some seconds."""


@dataclass(frozen=True, slots=True)
class Head(JobHead):
    """What a job is.

    Parameters:
        strategy: what the server does with the rows.
        rows: how many.
        undo: whether the values before are kept.
        elements, periods, units: what its cells are of, each once.
    """

    strategy: Strategy
    rows: int
    undo: bool
    elements: list[str]
    periods: list[str]
    units: list[str]


class Job(KeptJob[Head]):
    """One load of values."""

    kind = Head

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
        return cast("list[int]", json.loads(job_folders.part(self.file(part, "rows"))))


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row.get(name) for name in KEY)


_NONE = Head("", "", 0, "CREATE_AND_UPDATE", 0, False, [], [], [])


class Preparing(Parts):
    """Rows on their way into the parts of a job; `finish` names it.

    Parameters:
        profile: whose job it is.
        size: rows in one part.
    """

    def __init__(self, profile: str, size: int = ROWS_IN_ONE_PART) -> None:
        super().__init__(profile)
        self._size = size
        self._held: dict[str | None, list[tuple[int, Row]]] = {}
        self._scope: dict[str, dict[str, None]] = {"dataElement": {}, "period": {}, "orgUnit": {}}
        self._withdrawn: set[tuple[int, tuple[object, ...]]] = set()
        self.rows = 0

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
        scope = (sorted(seen) for seen in self._scope.values())
        head = Head(title, url, self.parts, strategy, self.rows, undo, *scope)
        return Job(self.path, head).settled(self._profile, self.name(f"{url} {strategy}"))

    def _leave_out_withdrawn(self) -> None:
        """Write those parts again that hold a withdrawn row."""
        job = Job(self.path, _NONE)
        for part in range(1, self.parts + 1) if self._withdrawn else ():
            kept = [item for item in self._written(part) if self._stays(item)]
            if len(kept) < len(job.places(part)):
                self._write(part, cast("str | None", job.content(part)[0].get("dataSet")), kept)
