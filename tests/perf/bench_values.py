"""All data values of a country through the command line, as multiples of curl on the same sandbox: export, pipeline, push.

CPU seconds of client and server together, and seconds on the clock: a sandbox answers sooner than a server, so that what is
ours weighs more here. Needs ../shared beside this checkout, and curl.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.perf.bench_client import REAL
from tests.perf.bench_startup import free_port, used, wait_for
from tests.perf.rows import BIN, Row, cpu, environment, ratio

ASKED = ["--data-set", "BfMAe6Itzgt", "--data-set", "TuL8IOPzpHh", "--period", "2025", "--org-unit", "ImspTQPwCqd", "--children"]  # fmt: skip
QUERY = "dataSet=BfMAe6Itzgt&dataSet=TuL8IOPzpHh&orgUnit=ImspTQPwCqd&startDate=2025-01-01&endDate=2025-12-31&children=true"  # fmt: skip
TAIL = "where(value != '0' and len(orgUnit) == 11) | select(dataElement, period, orgUnit, value) | csv('piped.csv')"
CURL = ["curl", "-s", "-f", "-u", "admin:district"]
SESSION = f"""
import asyncio, sys, time
from dhis2sh.session import Session
from dhis2sh.verbs.grammar import parse
from dhis2sh.verbs.run import run
async def main():
    session = Session()
    await session.client.system.me()
    call = parse(["data", "aggregate", "export", sys.argv[1], *{ASKED!r}])
    began, busy = time.perf_counter(), time.process_time()
    await run(session, call.verb, call.arguments)
    print(time.process_time() - busy, time.perf_counter() - began)
    await session.aclose()
asyncio.run(main())
"""


@contextmanager
def sandbox(home: str, *faults: str) -> Generator[tuple[int, dict[str, str]]]:
    """A sandbox that is filled already, over TCP: its process, and the environment of a client with a home of its own."""
    plain, port = environment(home), free_port()
    words = [str(BIN / "dhis2"), "sandbox", "serve", "--port", str(port), *faults]
    server = subprocess.Popen(words, env=plain, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with tempfile.TemporaryDirectory() as own:
            url = f"http://127.0.0.1:{port}"
            wait_for(url, environment(own))
            yield server.pid, environment(own) | {
                "DHIS2_URL": url, "DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district"
            }  # fmt: skip
    finally:
        server.terminate()
        server.wait(10)


def both(command: Sequence[str], settings: Mapping[str, str], server: int) -> tuple[float, float]:
    """CPU seconds of a command and of the server meanwhile; seconds on the clock."""
    before, began = used(server), time.perf_counter()
    own = cpu(command, settings)
    return own + used(server) - before, time.perf_counter() - began


def inside(file: str, settings: Mapping[str, str], server: int) -> tuple[float, float]:
    """An export in a session that is there already: CPU seconds of it and of the server, seconds on the clock."""
    before = used(server)
    done = subprocess.run(
        [sys.executable, "-c", SESSION, file], env=settings, capture_output=True, text=True, check=True
    )
    busy, clock = map(float, done.stdout.split())
    return busy + used(server) - before, clock


def pushed(way: Sequence[str], filled: Path, folder: Path) -> tuple[float, float]:
    """One import of the exported values into a server whose value table is empty."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(filled, home)
    with sandbox(str(home)) as (server, settings):
        command = [word.replace("URL", settings["DHIS2_URL"]) for word in way]
        return both(command, settings, server)


def compared(
    what: str, base: str, found: Mapping[str, list[tuple[float, float]]], wanted: float | None, where: str = ""
) -> list[Row]:
    """A row for CPU and one for the clock.

    Parameters:
        where: what is said behind the name.
    """
    return [
        ratio(
            f"{what}{where}, {name}",
            [run[at] for run in found[what]],
            [run[at] for run in found[base]],
            f"x {base}",
            wanted,
        )
        for at, name in enumerate(("CPU", "clock"))
    ]


def rows(quick: bool) -> list[Row]:
    """Rows for `make bench`."""
    if not REAL.is_dir() or shutil.which("curl") is None:
        return []
    count, dhis2 = 1 if quick else 3, str(BIN / "dhis2")
    found: dict[str, list[tuple[float, float]]] = {}

    def measure(work: Mapping[str, Callable[[], tuple[float, float]]]) -> None:
        for _ in range(count):
            for name, run in work.items():
                found.setdefault(name, []).append(run())

    with tempfile.TemporaryDirectory() as name:
        folder, before = Path(name), Path.cwd()
        os.chdir(folder)
        try:
            filled = folder / "metadata"
            load = [dhis2, "sandbox", "load", "--yes"]
            subprocess.run([*load, str(REAL / "metadata.json.gz")], env=environment(str(filled)), check=True)
            shutil.copytree(filled, folder / "all")
            subprocess.run([*load, str(REAL / "dataValues.json.gz")], env=environment(str(folder / "all")), check=True)
            with sandbox(str(folder / "all")) as (server, settings):
                url = f"{settings['DHIS2_URL']}/api/dataValueSets"
                measure(
                    {
                        "curl": partial(both, [*CURL, "-o", "curl.csv", f"{url}.csv?{QUERY}"], settings, server),
                        "export": partial(both, [dhis2, "data", "aggregate", "export", "values.csv", *ASKED], settings, server),
                        "curl, JSON": partial(both, [*CURL, "-o", "curl.json", f"{url}.json?{QUERY}"], settings, server),
                        "export, JSON": partial(both, [dhis2, "data", "aggregate", "export", "values.json", *ASKED], settings, server),
                        "export in a session": partial(inside, "values.csv", settings, server),
                        "export in a session, JSON": partial(inside, "values.json", settings, server),
                        "where, select, csv": partial(
                            both, [str(BIN / "dhis2sh"), "-c", f"data aggregate get {' '.join(ASKED)} | {TAIL}"], settings, server
                        ),
                    }
                )  # fmt: skip
            for one, other in (("curl.csv", "values.csv"), ("curl.json", "values.json")):
                assert Path(one).stat().st_size == Path(other).stat().st_size > 10**6, "the same bytes"
            assert Path("piped.csv").stat().st_size > 10**6
            post = [*CURL, "-H", "Content-Type: application/json", "--data-binary", "@values.json", "-o", "answer.json"]
            push = [dhis2, "data", "aggregate", "push", "values.json", "--yes"]
            measure(
                {
                    "one POST": partial(pushed, [*post, "URL/api/dataValueSets"], filled, folder),
                    "push": partial(pushed, push, filled, folder),
                    "push --no-undo": partial(pushed, [*push, "--no-undo"], filled, folder),
                }
            )
        finally:
            os.chdir(before)
    return [
        *compared("export", "curl", found, 1.25),
        *compared("export, JSON", "curl, JSON", found, 1.25),
        *compared("export in a session", "curl", found, 1.25),
        *compared("export in a session, JSON", "curl, JSON", found, 1.25),
        *compared("where, select, csv", "export", found, 3),
        *compared("push", "one POST", found, 1.25),
        *compared("push --no-undo", "one POST", found, 1.25),
    ]
