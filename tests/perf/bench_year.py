"""`pull` of a year at facility level against requests written by hand: twelve months, four at once, tried again; and, for
comparison, the same in the four requests that `pull` makes of it, without and with what it puts beside the numbers: names,
paths, and the order of what was asked for.

As whole processes (CPU of client and server, clock), and within a session that is there already, as in a shell or a notebook
(clock). Over a quick link, and with 200 ms latency and 2 % of the answers lost. Needs ../shared beside this checkout.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tests.perf.bench_client import REAL
from tests.perf.bench_values import both, compared, sandbox
from tests.perf.rows import BIN, Row, environment, interleaved, ratio

DATA = "vI2csg55S9C;d5xTg3WR3DP;NLnXLV5YpZF;xc8gmAKfO95;I78gJm4KBo7;pEOVd4Z3TAS;ca8lfO062zg;YtbsuPPo010;DUSpd8Jq3M7;s46m5MS0hxu"
ASKED = [f"dx={DATA}", "pe=202501..202512", "ou=LEVEL-4"]
BAD = ["--fault", "latency=200ms", "--fault", "drop=2%", "--fault", "seed=7"]
SESSION = f"""
import asyncio, time
from pathlib import Path
from dhis2sh.analytics.pull import Wanted, pull
from dhis2sh.session import Session
async def main():
    session = Session()
    await session.client.system.me()
    began = time.perf_counter()
    await pull(session, {ASKED!r}, Wanted(out=Path("pulled.csv"), fresh=True))
    print(time.perf_counter() - began)
    await session.aclose()
asyncio.run(main())
"""


def by_hand(months: int) -> str:
    """A script of requests for so many months each, four at once, tried again."""
    return f"""
import asyncio, csv, os, time, httpx
URL = os.environ["DHIS2_URL"] + "/api/analytics"
async def main():
    turn = asyncio.Semaphore(4)
    async with httpx.AsyncClient(auth=("admin", "district"), timeout=300) as client:
        async def one(first):
            periods = ";".join(f"2025{{month:02}}" for month in range(first, first + {months}))
            asked = {{"dimension": ["dx:{DATA}", "pe:" + periods, "ou:LEVEL-4"], "skipMeta": "true"}}
            async with turn:
                while True:
                    try:
                        answer = await client.get(URL, params=asked)
                        if answer.status_code == 200:
                            return answer.json()
                    except httpx.HTTPError:
                        await asyncio.sleep(0.5)
        began = time.perf_counter()
        grids = await asyncio.gather(*map(one, range(1, 13, {months})))
    with open("hand.csv", "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(header["name"] for header in grids[0]["headers"])
        for grid in grids:
            lines.writerows(grid["rows"])
    print(time.perf_counter() - began)
asyncio.run(main())
"""


HAND, FEW = by_hand(1), by_hand(3)
NAMED = (
    FEW.replace(
        """        grids = await asyncio.gather(*map(one, range(1, 13, 3)))
""",
        """        async def rest(path, **params):
            while True:
                try:
                    answer = await client.get(URL.replace("analytics", path), params=params)
                    if answer.status_code == 200:
                        return answer.json()
                except httpx.HTTPError:
                    await asyncio.sleep(0.5)
        *grids, units, data = await asyncio.gather(
            *map(one, range(1, 13, 3)),
            rest("organisationUnits", fields="id,displayName,path", paging="false"),
            rest("dataElements", fields="id,displayName", filter="id:in:[" + DATA.replace(";", ",") + "]", paging="false"),
        )
    names = {row["id"]: row["displayName"] for row in units["organisationUnits"] + data["dataElements"]}
    paths = {row["id"]: row["path"] for row in units["organisationUnits"]}
    ways = {uid: " / ".join(names[each] for each in path.strip("/").split("/")) for uid, path in paths.items()}
    place = {uid: at for at, uid in enumerate(DATA.split(";"))}
    for grid in grids:
        rows = sorted(grid["rows"], key=lambda row: (row[1], place[row[0]], row[2]))
        grid["rows"] = [
            (dx, names[dx], pe, pe, ou, names[ou], paths[ou], ways[ou], float(value)) for dx, pe, ou, value in rows
        ]
""",
    )
    .replace("import asyncio", f"DATA = {DATA!r}\nimport asyncio", 1)
    .replace(
        'lines.writerow(header["name"] for header in grids[0]["headers"])',
        'lines.writerow(["dx", "dxName", "pe", "peName", "ou", "ouName", "ouPath", "ouHierarchy", "value"])',
    )
)


def lines(name: str) -> int:
    return len(Path(name).read_text().splitlines())


def inside(code: str, settings: Mapping[str, str]) -> float:
    """Seconds that a script says it took, without its start."""
    done = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True)
    return float(done.stdout)


def rows(quick: bool) -> list[Row]:
    """Rows for `make bench`."""
    if not REAL.is_dir():
        return []
    count, dhis2 = 3 if quick else 7, str(BIN / "dhis2")
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        home, before = str(Path(name) / "home"), Path.cwd()
        os.chdir(name)
        try:
            for file in ("metadata", "dataValues"):
                load = [dhis2, "sandbox", "load", "--yes", str(REAL / f"{file}.json.gz")]
                subprocess.run(load, env=environment(home), check=True, capture_output=True)
            for link, faults in (("", ()), (", 200 ms, 2 % lost", BAD)):
                with sandbox(home, *faults) as (server, settings):
                    work = {
                        "by hand": partial(both, [sys.executable, "-c", HAND], settings, server),
                        "by hand in four": partial(both, [sys.executable, "-c", FEW], settings, server),
                        "by hand with names": partial(both, [sys.executable, "-c", NAMED], settings, server),
                        "pull": partial(both, [dhis2, "pull", *ASKED, "--fresh", "--out", "pulled.csv"], settings, server),
                        "pull --no-names": partial(
                            both, [dhis2, "pull", *ASKED, "--fresh", "--no-names", "--out", "bare.csv"], settings, server
                        ),
                    }  # fmt: skip
                    times: dict[str, list[tuple[float, float]]] = {}
                    for _ in range(count):
                        for what, run in work.items():
                            times.setdefault(what, []).append(run())
                    session = interleaved(
                        {
                            "by hand": partial(inside, HAND, settings),
                            "by hand in four": partial(inside, FEW, settings),
                            "by hand with names": partial(inside, NAMED, settings),
                            "pull": partial(inside, SESSION, settings),
                        },
                        count,
                    )
                assert lines("hand.csv") == lines("pulled.csv") == lines("bare.csv") > 10_000, "the same numbers"
                for what in ("pull", "pull --no-names"):
                    found += compared(what, "by hand", times, 1.2, link)
                for base in ("by hand in four", "by hand with names"):
                    found += compared("pull", base, times, None, link)
                for base, wanted in (("by hand", 1.2), ("by hand in four", None), ("by hand with names", None)):
                    what = f"pull in a session{link}, clock"
                    found.append(ratio(what, session["pull"], session[base], f"x {base}", wanted))
        finally:
            os.chdir(before)
            shutil.rmtree(home, ignore_errors=True)
    return found
