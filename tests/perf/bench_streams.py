"""`where`, `select` and CSV over all data values of a country, from a file and from a server: memory, and time beside all in memory.

The server is that of `bench_client`. The values are a real export where ../shared is beside this checkout.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.perf.bench_client import VALUES, bodies, served
from tests.perf.rows import Row

PIPELINE = r"""
import asyncio, sys, time
from pathlib import Path
from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.rows.tables import read_rows, stream_rows
from dhis2sh.verbs.piping import compile_tail

def resident(line):
    status = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text().splitlines())
    return int(status[line].split()[0]) / 1024

TAIL = compile_tail(f"where(value != '0' and len(orgUnit) == 11) | select(dataElement, period, orgUnit, value) | csv({sys.argv[3]!r})")

async def main(way, where):
    async with Client(ConnectionSettings(where if way == "server" else "http://127.0.0.1:9"), Basic("u", "p")) as client:
        few = Stream(each([[{"dataElement": "a", "period": "1", "orgUnit": "b" * 11, "value": "1"}]]))
        await TAIL.run(few, {})  # everything that is imported is there: idle
        if way == "server":
            await client.version()
            source = Stream(client.batches("dataValueSets", key="dataValues"))
        elif way == "file":
            source = stream_rows(Path(where), key="dataValues")
        idle, began = resident("VmRSS"), time.process_time()
        if way == "rows":
            source = Rows(read_rows(Path(where), key="dataValues"))
        await TAIL.run(source, {})
        print(resident("VmHWM") - idle, time.process_time() - began, sum(1 for _ in open(sys.argv[3])))

async def each(items):
    for item in items:
        yield item

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def measure(way: str, where: str, folder: str) -> tuple[float, float, int]:
    """MiB above idle at the peak, CPU seconds, and the lines that were written."""
    words = [sys.executable, "-c", PIPELINE, way, where, f"{folder}/{way}.csv"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    peak, seconds, lines = done.stdout.split()
    return float(peak), float(seconds), int(lines)


def rows(quick: bool) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, served() as url:
        values = bodies()["dataValueSets"]
        plain, packed = Path(folder) / "values.json", Path(folder) / "values.json.gz"
        plain.write_bytes(values)
        packed.write_bytes(gzip.compress(values, 1))
        file, server = measure("file", str(packed), folder), measure("server", url, folder)
        whole = measure("rows", str(plain), folder)
        assert file[2] == server[2] == whole[2] > 1, "all three write the same rows"
    what = f"{VALUES:,} values, where, select, csv"
    return [
        Row(f"{what}: file", file[0], file[0], "MiB above idle", 100),
        Row(f"{what}: server", server[0], server[0], "MiB above idle", 100),
        Row(f"{what}: rows", whole[0], whole[0], "MiB above idle"),
        Row(f"{what}: file / rows", file[0] / whole[0], file[0] / whole[0], "x memory", 0.5),
        Row(f"{what}: file / rows", file[1] / whole[1], file[1] / whole[1], "x CPU", 1.5),
    ]
