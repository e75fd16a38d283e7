"""Many requests for one result: several at once, each answer kept on the disk, what is there not asked for again.

A question whose answers last (analytics, until their tables are built anew) keeps its parts; of live data they are kept until
the result is whole, so that a pull that was cut off goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dhis2sh import paths
from dhis2sh.analytics.pieces import too_much
from dhis2sh.analytics.planning import AT_ONCE, digest
from dhis2sh.client.limits import gather_bounded
from dhis2sh.errors import Dhis2Error, NetworkError, Refused
from dhis2sh.rows.parts import Parts, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from dhis2sh.session import Session
    from dhis2sh.types import Row

LASTS = 30 * 86_400.0
"""Seconds for which parts of a question that was not asked again are kept."""
GOES_ON = 86_400.0
"""Seconds after which parts of live data are too old to be put beside new ones."""
LIVE = "live-"
"""How folders of live parts begin."""
MOST_CUTS = 12
"""So often a part is halved before what the server says is believed: it is no matter of size."""


class Source[P](Protocol):
    """What is pulled.

    `stamp` names what the answers depend on besides the question; None where they are of live data.
    """

    @property
    def title(self) -> str:
        """What progress is called."""
        ...

    @property
    def stamp(self) -> str | None:
        """What the answers depend on besides the question."""
        ...

    @property
    def parts(self) -> Sequence[P]:
        """The parts, in the order of their rows."""
        ...

    def key(self, part: P) -> str:
        """A name for what a part asks for."""
        ...

    def size(self, part: P) -> int:
        """How much of the whole it is, for progress."""
        ...

    async def ask(self, part: P, keep: Callable[[Sequence[Row]], None]) -> None:
        """Ask for a part, and keep its rows as they come."""
        ...

    async def smaller(self, part: P) -> Sequence[P]:
        """The same in smaller parts; none where it cannot be cut."""
        ...


@dataclass(slots=True)
class Counts:
    """How a pull went: requests sent, parts that were there already, rows given."""

    asked: int = 0
    kept: int = 0
    rows: int = 0
    whole: bool = False
    """True when every row has been given."""
    since: float | None = None
    """When the oldest part that was there had been asked for, as `time.time` has it."""


def folder(s: Session) -> Path:
    """Where the parts of a profile are."""
    return paths.cache_dir() / "pull" / s.profile.name


class Pull[P]:
    """One pull.

    Parameters:
        s: whose server; source: what.
        fresh: forget what is kept, and ask for everything anew.
        at_once: requests under way.
    """

    def __init__(self, s: Session, source: Source[P], *, fresh: bool = False, at_once: int = AT_ONCE) -> None:
        self._s, self._source = s, source
        self._at_once = at_once
        live = f"{LIVE}{digest([source.key(part) for part in source.parts])}"
        self.parts = Parts(folder(s) / (source.stamp or live))
        self.counts = Counts()
        self._total = sum(source.size(part) for part in source.parts)
        self._done = 0
        self._turn = asyncio.Semaphore(at_once)
        sweep(folder(s), but=self.parts.path.name, older_than=LASTS)
        sweep(folder(s), LIVE, older_than=GOES_ON)
        if fresh:
            self.parts.drop()

    def has(self, part: P) -> bool:
        """Is a part kept already?"""
        return self._whole(part)

    def there(self) -> int:
        """How many of the parts are kept already."""
        return sum(1 for part in self._source.parts if self._whole(part))

    def _whole(self, part: P) -> bool:
        key = self._source.key(part)
        return self.parts.has(key) or self.parts.is_cut(key)

    async def batches(self) -> AsyncGenerator[list[Row]]:
        """The rows, part by part in order. Raises what the server refuses; what is kept by then stays, and is said."""
        work = (self._got(part, 0) for part in self._source.parts)
        try:
            async for keys in gather_bounded(work, 2 * self._at_once):
                for key in keys:
                    for rows in self.parts.read(key):
                        self.counts.rows += len(rows)
                        yield rows
            self.counts.whole = True
        except (NetworkError, Refused) as error:
            if said := self._kept():
                error.hint = f"{error.hint}; {said}" if error.hint else said
            raise
        except asyncio.CancelledError:
            if said := self._kept():
                self._s.person.note(said)
            raise

    def finished(self) -> None:
        """The result is whole and where it belongs: parts of live data are no longer wanted."""
        if self._source.stamp is None:
            self.parts.drop()

    def _kept(self) -> str | None:
        there = self.there()
        return (
            f"{there:,} of {len(self._source.parts):,} parts are kept: the same line goes on from there"
            if there
            else None
        )

    async def _got(self, part: P, depth: int) -> list[str]:
        """The keys under which a part is kept, in order, asked for where it is not."""
        key = self._source.key(part)
        if self.parts.has(key):
            self.counts.kept += 1
            self.counts.since = min(self.counts.since or time.time(), self.parts.since(key))
            self._progress(part)
            return [key]
        halves: Sequence[P] = ()
        if not self.parts.is_cut(key):
            try:
                await self._ask(part, key)
            except Dhis2Error as error:
                halves = await self._source.smaller(part) if too_much(error) and depth < MOST_CUTS else ()
                if not halves:
                    raise
                self.parts.cut(key)
                self._s.person.step("too much for one answer: asked again in smaller parts")
            else:
                self._progress(part)
                return [key]
        halves = halves or await self._source.smaller(part)
        found = await _all([self._got(half, depth + 1) for half in halves])
        return [one for keys in found for one in keys]

    async def _ask(self, part: P, key: str) -> None:
        async with self._turn:
            self.counts.asked += 1
            with self.parts.writing(key) as keep:
                await self._source.ask(part, keep)

    def _progress(self, part: P) -> None:
        self._done += self._source.size(part)
        self._s.person.progress(self._source.title, min(self._done, self._total), self._total)


async def _all[T](work: Sequence[Awaitable[T]]) -> list[T]:
    """The results of all; the first failure cancels the others, and waits until they have ended."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
