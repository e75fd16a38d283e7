"""A whole metadata export to a file against the same bytes by curl from the same served sandbox, and a diff of two copies.

The set is the real one where ../shared is beside this checkout, and a fictional country otherwise.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.perf.bench_startup import served
from tests.perf.rows import BIN, ROOT, Row, interleaved, ratio, runs

REAL = ROOT.parent / "shared" / "real" / "v42" / "metadata.json.gz"
RESIDENT = r"""
import asyncio, sys
from pathlib import Path
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

def resident(line):
    status = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text().splitlines())
    return int(status[line].split()[0]) / 1024

async def main():
    session = Session()
    await run(session, find("metadata export"), {"types": ["dataElements"], "out": "small.json"})  # all is imported
    idle = resident("VmRSS")
    await run(session, find("metadata export"), {"out": "all.json"})
    await session.aclose()
    print(resident("VmHWM") - idle)

asyncio.run(main())
"""


def took(work: Callable[[], object]) -> float:
    """Seconds on the clock: most of an export is waiting for the server."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def rows(quick: bool) -> list[Row]:
    """Rows for `make bench`."""
    curl = shutil.which("curl")
    filled = ("load", str(REAL)) if REAL.is_file() else ()
    with tempfile.TemporaryDirectory() as home, served(home, *filled) as settings, contextlib.chdir(home):
        fetch = [
            curl or "curl",
            "-s",
            "-f",
            "-u",
            "admin:district",
            "-o",
            "curl.json",
            f"{settings['DHIS2_URL']}/api/metadata",
        ]
        command = [str(BIN / "dhis2"), "metadata", "export", "--out", "all.json"]
        os.environ |= settings
        with asyncio.Runner() as loop:
            from dhis2sh.session import Session
            from dhis2sh.verbs.registry import find
            from dhis2sh.verbs.run import run

            session, export, diff = Session(), find("metadata export"), find("metadata diff")
            measures = {
                "verb": lambda: took(lambda: loop.run(run(session, export, {"out": "all.json"}))),
                "process": lambda: took(lambda: subprocess.run(command, env=settings, check=True, capture_output=True)),
            }
            if curl is not None:
                measures["curl"] = lambda: took(lambda: subprocess.run(fetch, check=True))
            times = interleaved(measures, min(11, runs(quick)))
            shutil.copy("all.json", "copy.json")
            pair = {"before": "all.json", "after": "copy.json"}
            compared = [took(lambda: loop.run(run(session, diff, pair))) for _ in range(3)]
            loop.run(session.aclose())
        size = Path("all.json").stat().st_size
        if curl is not None:
            assert size == Path("curl.json").stat().st_size, "the same bytes"
        done = subprocess.run(
            [sys.executable, "-c", RESIDENT], env=settings, check=True, capture_output=True, text=True
        )
        return [
            *_against_curl(times, size),
            Row(
                f"metadata export of {size / 1e6:.1f} MB, above idle", float(done.stdout), float(done.stdout), "MiB", 20
            ),
            Row("metadata diff of two copies", min(compared), compared[1], "s", 2.0),
        ]


def _against_curl(times: dict[str, list[float]], size: int) -> list[Row]:
    if "curl" not in times:
        return []
    what = f"metadata export of {size / 1e6:.1f} MB"
    return [
        ratio(f"{what}, in a shell", times["verb"], times["curl"], "x curl", 1.2),
        ratio(f"{what}, a process", times["process"], times["curl"], "x curl"),
    ]
