"""`pull --engine dask` on a real cluster of processes, one of them killed, and no secret where the scheduler sees it."""

import os
import pickle
import signal
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.analytics import cluster, planning
from dhis2sh.analytics.made_of import MadeOf
from dhis2sh.analytics.pieces import Piece
from dhis2sh.errors import Dhis2Error, UsageError
from dhis2sh.profiles import Profile
from dhis2sh.session import Session
from tests.metadata.calls import call

polars = pytest.importorskip("polars")
distributed = pytest.importorskip("distributed")
ASKED = ["dx=Visits;Stock;Temperature", "pe=202501..202503", "ou=LEVEL-Clinic"]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(
        "COVERAGE_PROCESS_CONFIG", raising=False
    )  # workers are killed, one in the middle, others at the end
    monkeypatch.setattr(planning, "FEW", 1)
    monkeypatch.setattr(planning, "CELLS", 2)


def contents(folder: Path) -> list[tuple[Any, ...]]:
    frame = polars.scan_parquet(folder).collect()
    return sorted((row["dx"], str(row["pe"]), row["ouName"], row["value"]) for row in frame.to_dicts())


@pytest.mark.usefixtures("served_nation")
async def test_the_rows_are_those_of_one_machine_though_a_worker_dies(tmp_path: Path):
    session = Session()
    try:
        await call(session, "pull", dimensions=ASKED, out=str(tmp_path / "here"))
        async with distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            asynchronous=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as workers:
            killed = next(iter(workers.workers.values())).pid
            watch = distributed.Client(workers, asynchronous=True)
            await watch

            class Killing(distributed.diagnostics.plugin.SchedulerPlugin):
                done = 0

                def transition(self, key: Any, start: str, finish: str, *_: Any, **__: Any) -> None:
                    if finish == "memory" and str(key).startswith("pull-"):
                        self.done += 1
                        if self.done == 3:
                            os.kill(killed, signal.SIGKILL)

            workers.scheduler.add_plugin(Killing(), name="killing")
            told = await call(
                session,
                "pull",
                dimensions=ASKED,
                out=str(tmp_path / "there"),
                engine="dask",
                scheduler=workers.scheduler_address,
            )
            await watch.close()
    finally:
        await session.aclose()
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert told.rows == len(contents(tmp_path / "here"))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("served_nation")
async def test_what_passes_the_scheduler_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[bytes] = []

    class Client:
        async def scatter(self, value: Any, broadcast: bool) -> Any:
            seen.append(pickle.dumps(value))
            return value

        async def submit(self, function: Any, *given: Any, **more: Any) -> cluster.Done:
            seen.append(pickle.dumps((given, more)))
            return cluster.Done(1)

        async def close(self) -> None:
            pass

    async def connected(*_: Any, **__: Any) -> Client:
        return Client()

    monkeypatch.setattr(distributed, "Client", connected)
    session = Session()
    try:
        await call(
            session, "pull", dimensions=ASKED, out=str(tmp_path / "there"), engine="dask", scheduler="tcp://127.0.0.1:1"
        )
    finally:
        await session.aclose()
    assert len(seen) > 5
    assert not any(b"district" in one for one in seen)
    assert any(b"environment" in one for one in seen)


async def test_a_piece_that_is_too_much_is_halved_there_too(tmp_path: Path):
    asked: list[Piece] = []

    class Client:
        async def submit(self, function: Any, packed: bytes, *_: Any, **__: Any) -> cluster.Done:
            work: cluster.Work = pickle.loads(packed)
            asked.append(work.piece)
            return cluster.Done(None if len(work.piece.periods) > 1 else 1)

    plan = planning.Planned(
        planning.Question({"pe": ["a", "b", "c"]}),
        {},
        planning.Members({"pe": ("a", "b", "c", "d")}, None),
        [],
        3,
        10,
        None,
        None,
        MadeOf(None),
    )  # type: ignore[arg-type]
    work = cluster.Cluster(Client(), plan, Profile("p", "http://127.0.0.1:1"), tmp_path, "pe", None, "run")
    await work.piece(Piece((), ("a", "b", "c"), ()), "00000")
    assert work.rows == 3
    assert [piece.periods for piece in asked if len(piece.periods) == 1] == [("a",), ("b",), ("c",)]


@pytest.mark.usefixtures("served_nation")
async def test_a_worker_whose_profile_is_another_server_asks_nothing(tmp_path: Path):
    work = cluster.Work(
        "environment",
        "http://127.0.0.1:9",
        planning.Question({"dx": ["x"]}),
        {},
        Piece((), (), ()),
        str(tmp_path),
        "n",
        None,
    )
    with pytest.raises(UsageError, match=r"is http://127\.0\.0\.1:\d+, not http://127\.0\.0\.1:9"):
        await cluster._run(work, cluster.Shared(None, {}))  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(("options", "why"), [
    ({"engine": "dask"}, "folder of Parquet files"),
    ({"engine": "dask", "out": "r.csv"}, "folder of Parquet files"),
    ({"scheduler": "tcp://127.0.0.1:1", "out": "r.csv"}, "--scheduler goes with"),
])  # fmt: skip
async def test_what_a_cluster_cannot_do_is_refused(s: Session, options: dict[str, str], why: str):
    with pytest.raises(UsageError, match=why):
        await call(s, "pull", dimensions=ASKED, **options)


async def test_no_cluster_is_said(s: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def nobody(*_: Any, **__: Any) -> None:
        raise OSError("Timed out trying to connect to tcp://127.0.0.1:1 after 10 s")

    monkeypatch.setattr(distributed, "Client", nobody)
    with pytest.raises(Dhis2Error, match=r"there is no cluster at tcp://127\.0\.0\.1:1"):
        await call(s, "pull", dimensions=ASKED, out=str(tmp_path / "r"), engine="dask", scheduler="tcp://127.0.0.1:1")
    assert [path.name for path in tmp_path.iterdir() if "r" in path.name.split(".")] == []
