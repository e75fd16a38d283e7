"""Live data pulled part by part: values of periods, entities and events of units. What was cut off goes on within a day."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.analytics.outputs import Tables, target_of, write
from dhis2sh.analytics.planning import digest
from dhis2sh.analytics.pull import Explain, Fresh, Out, Pulled, finishing, pulled
from dhis2sh.analytics.pulling import Pull
from dhis2sh.errors import UsageError
from dhis2sh.rows.stream import Stream
from dhis2sh.verbs.units import told_of_none
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row


@dataclass(slots=True)
class Kept:
    """How live data are pulled; the options that its verbs share."""

    out: Out = None
    explain: Explain = False
    fresh: Fresh = False


@dataclass(frozen=True, slots=True)
class Live[P]:
    """A source of live data.

    Parameters:
        title: what progress is called; url: whose data.
        parts: in the order of their rows.
        content: what a part asks for, as JSON.
        read: the rows of a part; cut: the same in smaller parts, none where it cannot be cut.
        nothing: says why there are no rows at all.
    """

    title: str
    url: str
    parts: Sequence[P]
    content: Callable[[P], JsonValue]
    read: Callable[[P], AsyncGenerator[list[Row]]]
    cut: Callable[[P], Awaitable[Sequence[P]]]
    nothing: Callable[[], Awaitable[object]]
    stamp: str | None = None

    def key(self, part: P) -> str:
        """A digest of a part."""
        return digest([self.title, self.url, self.content(part)])

    def size(self, part: P) -> int:
        """Parts are counted: nobody knows how many rows they have."""
        return 1

    async def ask(self, part: P, keep: Callable[[Sequence[Row]], None]) -> None:
        """The rows of a part, as they come."""
        async with aclosing(self.read(part)) as batches:
            async for rows in batches:
                keep(rows)

    async def smaller(self, part: P) -> Sequence[P]:
        """A part in smaller ones."""
        return await self.cut(part)


@dataclass(frozen=True, slots=True)
class LivePlan:
    """What a pull of live data would do: how many requests, and how many of their answers are there from a pull cut off."""

    what: str
    requests: int
    kept: int

    def line(self) -> str:
        """In words."""
        return f"{self.what}: {counted(self.requests, 'part')}, {self.kept:,} of them kept from before"


async def live[P](
    s: Session, source: Live[P], columns: Sequence[str], how: Kept, by: str | None = None
) -> Stream[Row] | Pulled | LivePlan:
    """Live data as rows, into a file, or only planned.

    Parameters:
        columns: of the rows; by: the column that a folder of Parquet files is cut by.

    Raises `UsageError` for a file that cannot be written. What is kept stays when it fails.
    """
    target = None if how.out is None else target_of(how.out)
    if target is not None and target.kind == "duckdb":
        raise UsageError("a DuckDB file is made of analytics", hint="--out FILE.parquet, which DuckDB reads")
    work = Pull(s, source, fresh=how.fresh and not how.explain)
    if how.explain:
        return LivePlan(what=source.title, requests=len(source.parts), kept=work.there())
    if there := work.there():
        s.person.note(f"{there:,} of {counted(len(source.parts), 'part')} kept from a pull that was cut off")
    stream = Stream(told_of_none(source.nothing, work.batches()), columns=columns)
    if target is None:
        stream.finally_(finishing(work))
        return stream
    rows = await write(stream, target, Tables(by=by))
    work.finished()
    return pulled(target, rows, work.counts)


async def below(s: Session, unit: str) -> list[str]:
    """The UIDs of the units right below one."""
    body = await s.client.get_object(f"organisationUnits/{unit}", {"fields": "children[id]"})
    return [str(child["id"]) for child in cast("list[JsonObject]", body.get("children") or [])]
