"""A million synthetic numbers through `pull` into Parquet: memory above idle, which must not grow with their number."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from tests.perf.rows import Row

PULL = r"""
import asyncio, sys
from pathlib import Path
from dhis2sh.analytics.naming import Names, Unit
from dhis2sh.analytics.outputs import Tables, target_of, write
from dhis2sh.analytics.pull import finishing
from dhis2sh.analytics.pulling import Pull
from dhis2sh.client.grids import AnalyticsMetaData
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session

def resident(line):
    status = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text().splitlines())
    return int(status[line].split()[0]) / 1024

UNITS = [f"ouSynth{at:04}" for at in range(1000)]
SIZE = 50_000
NAMES = Names(AnalyticsMetaData(), {uid: Unit(f"Clinic {uid}", None, f"/ouNation001/ouDist00001/{uid}", ("Nation", "District", f"Clinic {uid}"), 3) for uid in UNITS})

class Made:
    title, stamp = "pull", None
    def __init__(self, count, size): self.parts, self.rows = range(count), size
    def key(self, part): return f"part-{part:06}"
    def size(self, part): return SIZE
    async def smaller(self, part): return []
    async def ask(self, part, keep):
        keep([{"dx": "deSynthetic", "pe": f"{2000 + part}{1 + at // 1000 % 12:02}", "ou": UNITS[at % 1000], "value": at * 0.5} for at in range(self.rows)])

async def go(count, out, size=SIZE):
    work = Pull(Session("sandbox"), Made(count, size))
    order = ["dx", "pe", "ou"]
    async def rows():
        async for batch in work.batches():
            yield NAMES.joined(batch, order)
    written = await write(Stream(rows(), columns=NAMES.columns(order, ["value"])), target_of(Path(out)), Tables(by="pe"))
    work.finished()
    return written

asyncio.run(go(1, sys.argv[2] + "/first.parquet", 1_000))  # all is imported
idle = resident("VmRSS")
count = int(sys.argv[1]) // SIZE
assert asyncio.run(go(count, sys.argv[2] + "/all.parquet")) == count * SIZE
print(resident("VmHWM") - idle)
"""


def measure(rows: int) -> float:
    """MiB above idle at the peak of a pull of so many rows."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ) | {"DHIS2SH_HOME": folder}
        words = [sys.executable, "-c", PULL, str(rows), folder]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=600, env=environment)
    return float(done.stdout)


def rows(quick: bool) -> list[Row]:
    few, many = measure(400_000), measure(1_000_000)  # from eight parts on polars has as many open as it ever has
    return [
        Row("1,000,000 numbers, pull, Parquet", many, many, "MiB above idle", 200),
        Row("1,000,000 numbers, pull, Parquet: / 400,000", many / few, many / few, "x memory", 1.1),
    ]
