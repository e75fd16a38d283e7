"""A plan on the workers of a dask cluster, each of which writes its Parquet files.

What goes to a worker is the name of a profile and a piece: it opens the profile itself, so that no secret passes the scheduler
or is seen on its dashboard. What comes back is how many rows there were.
"""

from __future__ import annotations

import asyncio
import pickle
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.analytics.items import Question
from dhis2sh.analytics.naming import Names
from dhis2sh.analytics.outputs import check_folder_not_emptied, folder_of, write_partitions
from dhis2sh.analytics.pieces import Piece, ask, too_much
from dhis2sh.analytics.planning import AT_ONCE, Planned
from dhis2sh.analytics.pulling import MOST_CUTS
from dhis2sh.analytics.source import sorted_rows
from dhis2sh.errors import Dhis2Error, MissingExtra, UsageError
from dhis2sh.profiles import ENVIRONMENT
from dhis2sh.session import Session

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.profiles import Profile

ATTEMPTS = 3
"""So many workers may die of a piece before it is the piece."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is told: whose server, which piece of what, and where its file goes. No secret is in it.

    `profile` is the name of one, which must be of the server `url` there too.
    """

    profile: str
    url: str
    question: Question
    params: Mapping[str, Param]
    piece: Piece
    folder: str
    name: str
    by: str | None


@dataclass(frozen=True, slots=True)
class Shared:
    """What all workers are told once: names beside identifiers, where they are wanted, and the order of members."""

    names: Names | None
    places: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Done:
    """What a worker says: how many rows, or None where the piece was too much at once."""

    rows: int | None


def run(packed: bytes, shared: Shared) -> Done:
    """One piece on a worker: asked for, named, written. Raises what the server refuses.

    Parameters:
        packed: the `Work`; dask would look into one, and take its parts for tasks.
    """
    work = cast("Work", pickle.loads(packed))  # noqa: S301  (who gives work to a cluster may run anything there)
    if not Path(work.folder).is_dir():
        raise UsageError(f"the worker does not see {work.folder}", hint="--out a folder that every worker sees")
    return asyncio.run(_run(work, shared))


async def _run(work: Work, shared: Shared) -> Done:
    session = Session(None if work.profile == ENVIRONMENT else work.profile)
    order = list(work.question.dimensions)
    try:
        if session.profile.url != work.url:
            raise UsageError(
                f"the profile '{work.profile}' of a worker is {session.profile.url}, not {work.url}",
                hint="dhis2 profile list, on the worker",
            )
        grid = await ask(session, work.question, work.piece, {**work.params, "skipMeta": True})
    except Dhis2Error as error:
        if too_much(error):
            return Done(None)
        raise
    finally:
        await session.aclose()
    rows = sorted_rows(grid, order, shared.places)
    columns = [*order, "value"]
    if (names := shared.names) is not None:
        rows, columns = names.joined(rows, order), names.columns(order, ["value"])
    if rows:
        write_partitions(Path(work.folder), work.name, rows, columns, work.by)
    return Done(len(rows))


@dataclass(slots=True)
class Cluster:
    """Pieces on their way over a cluster.

    Parameters:
        client: dask's, which is asynchronous.
        plan: what is asked for; profile: whose server.
        folder: where the files go; by: what folders in it are called by.
        shared: what all workers were told; run: tells this pull from others on the same cluster.
    """

    client: Any
    plan: Planned
    profile: Profile
    folder: Path
    by: str | None
    shared: Any
    run: str
    rows: int = 0
    asked: int = 0

    async def piece(self, piece: Piece, name: str, depth: int = 0) -> None:
        """A piece, halved where it is too much. Raises what the server refuses."""
        plan = self.plan
        asked = plan.asked(piece)
        work = Work(
            profile=self.profile.name, url=self.profile.url, question=plan.question, params=dict(plan.params),
            piece=asked, folder=str(self.folder), name=name, by=self.by,
        )  # fmt: skip
        self.asked += 1
        future = self.client.submit(
            run, pickle.dumps(work), self.shared, pure=False, retries=ATTEMPTS, key=f"pull-{self.run}-{name}"
        )
        done = cast("Done", await future)
        if done.rows is not None:
            self.rows += done.rows
            return
        halves: Sequence[Piece] = plan.halves(piece) if depth < MOST_CUTS else ()
        if not halves:
            raise Dhis2Error(
                "a piece is too much for the server and cannot be cut", hint="fewer items, periods or units"
            )
        for at, half in enumerate(halves):
            await self.piece(half, f"{name}-{at}", depth + 1)


async def on_cluster(
    s: Session, plan: Planned, path: Path, scheduler: str | None, names: Names | None, by: str | None
) -> tuple[int, int]:
    """A plan on a cluster, into a folder of Parquet files: how many rows, and how many requests.

    Parameters:
        path: the folder, which every worker sees.
        scheduler: the cluster's address; some processes of this machine without one.
        names: what stands beside identifiers; by: the column that names folders.

    Raises `MissingExtra`, and `Dhis2Error` where there is no cluster, or a worker fails.
    """
    try:
        import distributed  # heavy: an extra
    except ImportError:
        raise MissingExtra("--engine dask", "cluster") from None
    dask = cast("Any", distributed)
    with folder_of(path) as inside:
        try:
            made = None if scheduler else await _local(dask)
            client = await dask.Client(scheduler or made, asynchronous=True, timeout="10s")
        except (OSError, TimeoutError) as error:
            raise Dhis2Error(
                f"there is no cluster at {scheduler}: {error}", hint="dask scheduler  starts one"
            ) from error
        try:
            shared = await client.scatter(Shared(names, plan.places), broadcast=True)
            work = Cluster(client, plan, s.profile, inside.absolute(), by, shared, uuid.uuid4().hex[:8])
            await _all(s, work, plan)
            check_folder_not_emptied(path, work.rows)
            return work.rows, work.asked
        except dask.KilledWorker as error:
            raise Dhis2Error(
                f"the workers of a piece died {ATTEMPTS} times: {error}", hint="the same line again"
            ) from error
        finally:
            await client.close()
            if made is not None:
                await made.close()


async def _local(dask: Any) -> Any:
    """A cluster of processes on this machine."""
    return await dask.LocalCluster(
        n_workers=AT_ONCE,
        threads_per_worker=1,
        processes=True,
        asynchronous=True,
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    )


async def _all(s: Session, work: Cluster, plan: Planned) -> None:
    done = 0
    tasks = [asyncio.ensure_future(work.piece(piece, f"{at:05}")) for at, piece in enumerate(plan.pieces)]
    try:
        for task in asyncio.as_completed(tasks):
            await task
            done += 1
            s.person.progress("pull", done, len(plan.pieces))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
