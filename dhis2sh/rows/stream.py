"""Rows as they come: batches of a source that is read once, and never further than somebody wants."""

from __future__ import annotations

import asyncio
import math
import warnings
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Never, Self, cast

from dhis2sh.errors import PipelineError
from dhis2sh.rows.expressions import MissingField
from dhis2sh.rows.registry import Staged
from dhis2sh.rows.rows import Provenance, Rows, to_plain

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row

MANY = 100_000
"""Rows in memory from which it is said: so many data values take about 130 MiB, more than a whole stream may."""
PREVIEW = 20
"""Rows that are shown of a stream whose rest stays unread."""

_INTO_MEMORY = "rows = await stream.collect(), which may be counted, indexed and read again"

type Hop = Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
type Iterate = Callable[[Callable[[], AsyncIterator[Any]]], AsyncIterator[Any]]


class NotInMemory(PipelineError, TypeError):
    """A stream was used as if its rows were there; for Python's own protocols a `TypeError`."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Flow:
    """What a stage does to rows batch by batch, made for the first of them.

    Parameters:
        columns: of the rows that come out.
        step: one batch in, one out.
        declared: what comes out has these columns and no others (`select`).
        outside: names that are variables and builtins, since they are no fields of the first batch.
        full: True when nothing more is wanted; what is behind it closes.
        needs: why batches are not enough, where the stage wants every row after all.
    """

    columns: tuple[str, ...]
    step: Callable[[list[Row]], list[Row]]
    declared: bool = False
    outside: frozenset[str] = frozenset()
    full: Callable[[], bool] = _never
    needs: str = ""


class Stream[T](Staged):
    """Rows of one kind that come in batches, with the provenance that `Rows` have. It is read once.

        async with stream.where("level == 2") as districts:
            async for row in districts: ...
        await stream.select("id", "name").csv("units.csv")

    The stages `where select derive drop rename explode head` give a stream again; sinks and `collect` are awaited and
    read it; the other stages are awaited too and hold every row, which is said from `MANY` on.

    Parameters:
        batches: rows (`Row`) or pydantic models, some at a time; it is closed when the stream is.
        columns: the fields that rows may have, in order; None takes those of the first batch. A field that only later
            rows have is then refused where it would be lost.
        provenance: verb, query, profile and time.
        resource: the resource type (plural) of the rows, where they are metadata objects.
    """

    __slots__ = (
        "__weakref__",
        "_ahead",
        "_columns",
        "_hop",
        "_iterate",
        "_last",
        "_scope",
        "_source",
        "_taken",
        "declared",
        "ended",
        "provenance",
        "resource",
        "warn",
    )  # fmt: skip

    def __init__(
        self,
        batches: AsyncIterator[Sequence[T]],
        *,
        columns: Iterable[str] | None = None,
        provenance: Provenance | None = None,
        resource: str | None = None,
    ) -> None:
        self._source = batches
        self._columns = tuple(columns) if columns is not None else None
        self.declared = self._columns is not None
        """True when rows have the columns and no others, by who made the stream or by `select`."""
        self.provenance = provenance or Provenance()
        self.resource = resource
        self.ended = False
        """True when the source has nothing more."""
        self.warn: Callable[[str], None] = _warned
        """Told what the user should know of a stream that is held in memory."""
        self._ahead: deque[list[T]] = deque()
        self._taken = False
        self._scope: Callable[[], AbstractContextManager[object]] = nullcontext
        self._hop: Hop | None = None
        self._iterate: Iterate | None = None
        self._last: list[Callable[[], Awaitable[object]]] = []

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields, in order: the declared ones, else those of the first batch; none before that has come."""
        return self._columns or ()

    @property
    def ahead(self) -> list[Row]:
        """Rows that have come and that nobody has taken yet: what a preview shows."""
        return [to_plain(item) for batch in self._ahead for item in batch]

    @property
    def taken(self) -> bool:
        """True when somebody reads it or has read it."""
        return self._taken

    # How it is read -------------------------------------------------------------------------------------------------

    async def batches(self) -> AsyncGenerator[list[T]]:
        """The rows in batches, none of them empty. Raises `PipelineError` when they have been taken before."""
        if self._taken:
            raise PipelineError("this stream has been read, and can be read once", hint="rows = await stream.collect()")
        self._taken = True
        found = self._all() if self._iterate is None else self._iterate(self._all)
        async with aclosing(cast("AsyncGenerator[list[T]]", found)) as all_of:
            async for batch in all_of:
                yield batch

    async def _all(self) -> AsyncGenerator[list[T]]:
        try:
            while self._ahead:
                yield self._ahead.popleft()
            while (batch := await self._next()) is not None:
                yield batch
        finally:
            await self._close()

    async def _next(self) -> list[T] | None:
        """The next batch that holds rows, or None at the end."""
        while not self.ended:
            await asyncio.sleep(0)  # a source that never waits would not hear Ctrl-C
            with self._scope():
                found = await anext(self._source, None)
            if found is None:
                self.ended = True
            elif batch := list(found):
                if self._columns is None:
                    self._columns = Rows(batch).columns
                return batch
        return None

    async def plain_batches(self) -> AsyncGenerator[list[Row]]:
        """The rows as plain JSON objects, in batches."""
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                yield [to_plain(item) for item in batch]

    async def __aiter__(self) -> AsyncGenerator[T]:
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                for item in batch:
                    yield item

    async def peek(self, count: int = PREVIEW) -> Self:
        """Read until so many rows are there, or all, and keep them for who reads the stream."""

        async def read() -> None:
            try:
                while sum(map(len, self._ahead)) <= count and (batch := await self._next()) is not None:
                    self._ahead.append(batch)
            except BaseException:
                await self._close()
                raise
            if self.ended:
                await self._close()

        if not self._taken:
            await self._over_there(read())
        return self

    async def collect(self, why: str = "collect") -> Rows[T]:
        """Every row in memory.

        Parameters:
            why: what wants them, said with how many there are from `MANY` on.
        """
        items: list[T] = []
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                before = len(items)
                items += batch
                if before < MANY <= len(items):
                    self.say_many(why, len(items))
        columns = self._columns if self.declared else None
        return Rows(items, columns=columns, provenance=self.provenance, resource=self.resource)

    def say_many(self, why: str, count: int) -> None:
        """Say that something holds so many rows in memory, and more to come."""
        self.warn(f"{why} holds every row in memory: {count:,} so far; where, select and head before it make it less")

    async def aclose(self) -> None:
        """Read no further: the request behind it is closed."""
        self._taken = True
        self._ahead.clear()
        await self._over_there(self._close())

    async def _close(self) -> None:
        self.ended = True
        close = getattr(self._source, "aclose", None)
        try:
            if close is not None:
                with self._scope():
                    await close()
        finally:
            while self._last:
                await self._last.pop()()

    async def _over_there(self, work: Coroutine[Any, Any, None]) -> None:
        await (work if self._hop is None else self._hop(work))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # Who made it ----------------------------------------------------------------------------------------------------

    def within(self, scope: Callable[[], AbstractContextManager[object]]) -> Self:
        """Every read of the source happens inside of a context, made anew for each."""
        self._scope = scope
        return self

    def carried(self, hop: Hop, iterate: Iterate) -> Self:
        """The source belongs to another loop: what waits hops there.

        Parameters:
            hop: awaits a coroutine that runs over there; iterate: iterates an async generator that runs over there.
        """
        self._hop, self._iterate = hop, iterate
        return self

    def finally_(self, work: Callable[[], Awaitable[object]]) -> Self:
        """Do something when it has ended or is closed."""
        self._last.append(work)
        return self

    def with_provenance(self, **changes: Any) -> Self:
        """The same stream with a changed provenance."""
        self.provenance = replace(self.provenance, **changes)
        return self

    # What is done with it -------------------------------------------------------------------------------------------

    def through(self, begin: Callable[[Rows[Row]], Flow]) -> Stream[Row]:
        """The stream that comes out of a stage.

        Parameters:
            begin: makes the stage for the first batch; names are what that says, or what the columns declare.
        """

        async def flowing() -> AsyncGenerator[list[Row]]:
            flow: Flow | None = None
            read = 0
            async with aclosing(self.plain_batches()) as batches:
                async for batch in batches:
                    if flow is None:
                        flow = made._begun(self, begin, batch)
                    elif flow.outside:
                        _still_outside(flow.outside, batch, read)
                    read += len(batch)
                    if kept := flow.step(batch):
                        yield kept
                    if flow.full():
                        return
            if flow is None:
                made._begun(self, begin, [])

        made: Stream[Row] = Stream(flowing(), provenance=self.provenance, resource=self.resource)
        made.warn = self.warn
        return made

    def _begun(self, source: Stream[Any], begin: Callable[[Rows[Row]], Flow], batch: list[Row]) -> Flow:
        first = Rows(batch, columns=source.columns, provenance=source.provenance, resource=source.resource)
        try:
            flow = begin(first)
        except MissingField as error:
            hint = f"{error.hint}; where only later rows have it: collect | ... reads all of them first"
            raise PipelineError(f"`{error.name}` is missing in the first {len(batch):,} rows", hint=hint) from None
        if flow.needs:
            raise PipelineError(f"{flow.needs} wants every row", hint=f"collect | {flow.needs}")
        self._columns, self.declared = flow.columns, flow.declared or source.declared
        return flow

    def __iter__(self) -> Never:
        raise NotInMemory("a stream is read with `async for`", hint=_INTO_MEMORY)

    def __len__(self) -> Never:
        raise PipelineError("how many rows a stream has is known when it has been read", hint=_INTO_MEMORY)

    def __bool__(self) -> bool:
        return True

    def to_json(self) -> Never:
        """A stream is no value that could be written down."""
        raise PipelineError("a stream has to be read first", hint="rows = await stream.collect()")


def rows_of(value: object, name: str) -> Rows[Any] | Stream[Any]:
    """What a value is as rows: rows, a stream, a list of objects or models, one object, a frame.

    Parameters:
        value: the value; name: what it is called in messages.

    Raises `PipelineError` for anything else.
    """
    if isinstance(value, (Rows, Stream)):
        return cast("Rows[Any] | Stream[Any]", value)
    for method, options in (("to_dicts", {}), ("to_dict", {"orient": "records"})):  # of polars and of pandas
        to_rows = getattr(value, method, None)
        if type(value).__name__ == "DataFrame" and callable(to_rows):
            found = cast("list[Row]", to_rows(**cast("dict[str, Any]", options)))
            return Rows({str(key): _held(item) for key, item in row.items()} for row in found)
    items = cast("list[object]", value if isinstance(value, (list, tuple)) else [value])
    if all(isinstance(item, dict) or hasattr(item, "to_wire") or hasattr(item, "model_dump") for item in items):
        return Rows(items)
    raise PipelineError(
        f"`{name}` is no rows but a {type(cast('object', value)).__name__}", hint="%metadata list TYPE | where(...)"
    )


def _held(value: JsonValue) -> JsonValue:
    """A value of a frame, whose NaN, NaT and NA are nulls."""
    missing = (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in {"NAType", "NaTType"}
    return None if missing else value


def _still_outside(names: frozenset[str], batch: list[Row], read: int) -> None:
    """A name that was a variable for the rows before is none for these: nobody can say which was meant."""
    for number, row in enumerate(batch, read + 1):
        for name in names:
            if name in row:
                raise PipelineError(
                    f"`{name}` is a field from row {number:,} on, and was a variable before",
                    hint="collect | ... reads all rows first",
                )


def _warned(message: str) -> None:
    warnings.warn(message, stacklevel=2)
