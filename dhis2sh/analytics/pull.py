"""`pull`: a question of any size into rows or a file, planned first."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from dhis2sh.analytics import nothing
from dhis2sh.analytics.naming import Names, units_of
from dhis2sh.analytics.outputs import Tables, Target, target_of, write
from dhis2sh.analytics.planning import Planned, planned
from dhis2sh.analytics.pulling import Counts, Pull
from dhis2sh.analytics.source import Numbers
from dhis2sh.client.limits import meanwhile
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Provenance
from dhis2sh.rows.stream import Stream
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Touches
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.analytics.pieces import Piece
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import Row

MOST_CELLS = 5_000_000
"""Cells that are asked for without a yes: a server works on more of them for hours."""
SHOWN = 20
"""Requests that a plan shows one by one."""

type Aggregation = Literal[
    "SUM", "AVERAGE", "AVERAGE_SUM_ORG_UNIT", "LAST", "LAST_AVERAGE_ORG_UNIT", "LAST_LAST_ORG_UNIT", "LAST_IN_PERIOD",
    "LAST_IN_PERIOD_AVERAGE_ORG_UNIT", "FIRST", "FIRST_AVERAGE_ORG_UNIT", "FIRST_FIRST_ORG_UNIT", "COUNT", "STDDEV",
    "VARIANCE", "MIN", "MAX", "MIN_SUM_ORG_UNIT", "MAX_SUM_ORG_UNIT",
]  # fmt: skip
"""How numbers are put together (`AggregationType.java`)."""
Out = Annotated[
    Path | None,
    Doc(
        "Write to this file: .csv, .tsv, .json, .ndjson, .xlsx, .parquet, .arrow, .duckdb; or a folder of Parquet files."
    ),
    Complete("files"),
    Touches("writes"),
]
Explain = Annotated[bool, Doc("Show the plan: requests, cells, what is kept from before; ask for no data.")]
Fresh = Annotated[bool, Doc("Forget what is kept from before, and ask for everything anew.")]


@dataclass(slots=True)
class Wanted:
    """How a pull is made; the options that `pull` and `analytics pull` share."""

    filter: Annotated[list[str], Doc("What is summed up over, written as dimensions are.")] = field(
        default_factory=lambda: []
    )
    aggregation_type: Annotated[Aggregation | None, Doc("In place of each item's own way of aggregating.")] = None
    skip_rounding: Annotated[bool, Doc("All decimals.")] = False
    no_names: Annotated[bool, Doc("Only identifiers, no columns of names and paths beside them.")] = False
    out: Out = None
    explain: Explain = False
    fresh: Fresh = False
    max_cells: Annotated[int, Doc("Ask for as many cells without a yes."), Bounds(1)] = MOST_CELLS
    engine: Annotated[Literal["local", "dask"], Doc("What asks: this process, or the workers of a dask cluster.")] = (
        "local"
    )
    scheduler: Annotated[str | None, Doc("The cluster's scheduler, tcp://...; some processes here without it.")] = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a plan: what of each dimension, how many cells, and whether the answer is kept from before."""

    dx: str
    pe: str
    ou: str
    cells: int
    kept: bool


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What a pull would do.

    Parameters:
        what: the dimensions with their sizes.
        cells: how many numbers there may be; `requests` how many it takes, `kept` how many answers are there already.
        limit: rows that the server gives at once.
        tables: when the analytics tables were built; None where they never were, or the server does not say.
        parts: the first requests.
    """

    what: str
    cells: int
    requests: int
    kept: int
    limit: int
    tables: str | None
    parts: list[Request]

    @property
    def question(self) -> str:
        """What is asked of a person where it is very much."""
        return f"{self.cells:,} cells are very much for a server"

    def line(self) -> str:
        """In words."""
        more = self.requests - len(self.parts)
        built = (
            f"analytics tables of {self.tables}"
            if self.tables
            else "nobody knows when the analytics tables were built, so that answers are kept until the result is whole"
        )
        return "\n".join([
            self.what,
            f"{counted(self.requests, 'request')}, {self.kept:,} of them kept from before; the server gives {self.limit:,} rows at once; {built}",
            *(f"  dx {one.dx}  pe {one.pe}  ou {one.ou}  {one.cells:,} cells{'  kept' if one.kept else ''}" for one in self.parts),
            *([f"  ... and {more:,} more"] if more > 0 else []),
        ])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pulled:
    """What was pulled into a file.

    Parameters:
        file: where to; rows: how many.
        requests: how many were sent; kept: how many answers were there from before.
        since: when the oldest of those had been asked for.
    """

    file: str
    rows: int
    requests: int
    kept: int
    since: str | None = None

    def line(self) -> str:
        """In words."""
        before = f", {self.kept:,} kept from before ({self.since})" if self.kept else ""
        return f"{self.file}: {counted(self.rows, 'row')}; {counted(self.requests, 'request')}{before}"


def pulled(target: Target, rows: int, counts: Counts) -> Pulled:
    """The report of a pull into a file."""
    since = None if counts.since is None else f"{dt.datetime.fromtimestamp(counts.since).astimezone():%Y-%m-%d %H:%M}"
    return Pulled(file=str(target.path), rows=rows, requests=counts.asked, kept=counts.kept, since=since)


async def pull(s: Session, dimensions: list[str], wanted: Wanted) -> Stream[Row] | Pulled | PullPlan:
    """Aggregate analytics of any size: as rows, into a file, or only planned.

    Parameters:
        dimensions: as of `items.question_of`.
        wanted: how.

    Raises `UsageError` for more cells than `wanted.max_cells` where nobody says yes; what is kept stays when it fails.
    """
    target = None if wanted.out is None else target_of(wanted.out)
    _checked(wanted, target)
    given = {"aggregationType": wanted.aggregation_type, "skipRounding": wanted.skip_rounding or None}
    params: dict[str, Param] = {name: value for name, value in given.items() if value is not None}
    plan = await planned(s, dimensions, wanted.filter, params)
    work = Pull(s, Numbers(s, plan), fresh=wanted.fresh and not wanted.explain)
    if wanted.explain:
        return _explained(plan, work)
    await _agreed(s, plan, work, wanted.max_cells)
    names = Names(plan.members.meta, {})
    tables = _tables(s, plan, names)
    if target is not None and wanted.engine == "dask":
        from dhis2sh.analytics.cluster import on_cluster  # heavy: dask

        await _learn(s, plan, names)
        kept = None if wanted.no_names else names
        rows, requests = await on_cluster(s, plan, target.path, wanted.scheduler, kept, tables.by)
        return Pulled(file=str(target.path), rows=rows, requests=requests, kept=0)
    order = list(plan.question.dimensions)
    duck = target is not None and target.kind == "duckdb"  # its names are in tables of their own
    with_names = not wanted.no_names and not duck
    stream = Stream(
        _rows(
            work,
            names,
            order,
            partial(_learn, s, plan, names) if with_names or duck else None,
            partial(nothing.tell, s, plan.question),
            with_names=with_names,
        ),
        columns=names.columns(order, ["value"]) if with_names else [*order, "value"],
        provenance=Provenance(times=plan.members.meta.periods_by_name()),
    )
    if target is None:
        stream.finally_(finishing(work))
        return stream
    rows = await write(stream, target, tables)
    work.finished()
    return pulled(target, rows, work.counts)


def finishing[P](work: Pull[P]) -> Callable[[], Awaitable[None]]:
    """What is done when a stream has ended: closed before, it goes on another time."""

    async def finish() -> None:
        if work.counts.whole:
            work.finished()

    return finish


def _checked(wanted: Wanted, target: Target | None) -> None:
    if wanted.scheduler is not None and wanted.engine != "dask":
        raise UsageError("--scheduler goes with --engine dask", hint="--engine dask --scheduler tcp://HOST:8786")
    if wanted.engine == "dask" and (target is None or target.kind != "folder"):
        raise UsageError("a cluster writes a folder of Parquet files", hint="--out FOLDER, which every worker must see")


async def _learn(s: Session, plan: Planned, names: Names) -> None:
    """Put the units of a plan into names."""
    if "ou" in plan.question.dimensions:
        names.units.update(await units_of(s, plan.members.of.get("ou", ())))


async def _rows(
    work: Pull[Piece],
    names: Names,
    order: list[str],
    learn: Callable[[], Coroutine[Any, Any, None]] | None,
    none: Callable[[], Awaitable[None]],
    *,
    with_names: bool,
) -> AsyncGenerator[list[Row]]:
    """The rows; names are asked for while the first numbers are on their way, where somebody wants them.

    Parameters:
        learn: asks for names; `none` is called where there is no row.
    """
    async with meanwhile(learn() if learn else asyncio.sleep(0)) as learning, aclosing(work.batches()) as batches:
        async for rows in batches:
            await learning
            yield names.joined(rows, order) if with_names else rows
        await learning
    if work.counts.whole and not work.counts.rows:
        await none()


def _tables(s: Session, plan: Planned, names: Names) -> Tables:
    order = list(plan.question.dimensions)
    by = next((name for name in ("pe", "dx") if name in order), None)
    about = {"what": plan.words(), **asked_in_words(plan), "server": s.profile.url, "user": s.profile.username or "",
             "tables": plan.built or "", "pulled": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"}  # fmt: skip
    return Tables(by, order, names, plan.members.of, about)


def asked_in_words(plan: Planned) -> dict[str, str]:
    """The question, as it was given and in names: each dimension, each filter, and every option that makes other numbers."""

    def words(items: Sequence[str]) -> str:
        told = ((item, plan.members.meta.name_of(item)) for item in items)
        return "; ".join(item if name == item else f"{name} [{item}]" for item, name in told)

    found: dict[str, str] = {}
    for kind, given in (("", plan.question.dimensions), ("filter ", plan.question.filters)):
        for name, items in given.items():
            called = plan.members.meta.name_of(name) if is_uid(name) else name
            found[f"{kind}{called if called == name else f'{called} [{name}]'}"] = words(items) or "all"
    return found | {name: str(value) for name, value in plan.params.items()}


def _explained(plan: Planned, work: Pull[Piece]) -> PullPlan:
    def few(items: tuple[str, ...], name: str) -> str:
        if not items:
            return "filter"
        if items == plan.members.of.get(name):
            items = tuple(plan.question.dimensions.get(name, items))
        return ";".join(items) if len(items) <= 3 else f"{items[0]} .. {items[-1]} ({len(items):,})"

    parts = [
        Request(dx=few(piece.data, "dx"), pe=few(piece.periods, "pe"), ou=few(piece.units, "ou"),
                cells=plan.cells_of(piece), kept=work.has(piece))
        for piece in plan.pieces[:SHOWN]
    ]  # fmt: skip
    return PullPlan(
        what=plan.words(), cells=plan.cells, requests=len(plan.pieces), kept=work.there(), limit=plan.limit,
        tables=plan.built, parts=parts,
    )  # fmt: skip


async def _agreed(s: Session, plan: Planned, work: Pull[Piece], most: int) -> None:
    """Say how much it is, and ask for a yes where it is very much. Raises `UsageError` where there is none."""
    there = work.there()
    kept = f", {there:,} of them kept from before" if there else ""
    said = f"{plan.words()}: {counted(len(plan.pieces), 'request')}{kept}"
    left = sum(plan.cells_of(piece) for piece in plan.pieces if not work.has(piece))
    if left <= most:
        s.person.step(said)
        return
    if not await s.person.ask(_explained(plan, work)):
        raise UsageError(
            f"{plan.words()} are more than {most:,}",
            hint=f"fewer units, periods or items, or --max-cells {plan.cells} for all of them",
        )
