"""The client against a bare httpx GET with `json.loads`, and the memory of streams. Rows of name, measured, wanted.

The server is a process of its own that answers prepared bytes, so that only the client is measured. Its bytes are a real
export where ../shared is beside this checkout, and made up otherwise.

usage: python tests/perf/bench_client.py
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.perf.rows import Row

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "real" / "v42"
RUNS = int(os.environ.get("BENCH_RUNS", "15"))
UNITS, VALUES = 1332, 188_697
READS = 200
INFO = b'{"version": "2.42.5.2"}'
UNIT = b'{"id": "ImspTQPwCqd", "name": "Sierra Leone", "level": 1}'

SERVER = r"""
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

folder = Path(sys.argv[1])

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        file = folder / self.path.partition("?")[0].rpartition("/")[2]
        self.answer(file)

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(folder / "summary")

    def answer(self, file):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(file.stat().st_size))
        self.end_headers()
        with file.open("rb") as body:
            while piece := body.read(65536):
                self.wfile.write(piece)

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

STREAM = r"""
import asyncio, sys, tempfile
from pathlib import Path
from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.settings import ConnectionSettings

def resident(line):  # not ru_maxrss: that has the peak of the process before it became this one
    status = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text().splitlines())
    return int(status[line].split()[0]) / 1024

async def main(url, way, count):
    async with Client(ConnectionSettings(url), Basic("u", "p")) as client:
        await client.version()
        await client.data_values.stream_in([])  # everything that is imported is there: idle
        idle = resident("VmRSS")
        with tempfile.TemporaryDirectory() as folder:
            if way == "out":
                await client.data_values.stream_to(Path(folder) / "values.json")
            else:
                row = {"dataElement": "s46m5MS0hxu", "period": "202401", "orgUnit": "ImspTQPwCqd", "value": "1"}
                await client.data_values.stream_in(row for _ in range(count))
        print(resident("VmHWM") - idle)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def bodies() -> dict[str, bytes]:
    """What the server answers, by the last part of the path."""
    if REAL.is_dir():
        units = json.loads(gzip.decompress((REAL / "metadata.json.gz").read_bytes()))["organisationUnits"]
        values = gzip.decompress((REAL / "dataValues.json.gz").read_bytes())
    else:
        units = [
            {"id": f"ouUnit{n:05}", "name": f"Unit {n}", "shortName": f"U {n}", "openingDate": "2000-01-01T00:00:00.000",
             "sharing": {"owner": "M5zQapPyTZI", "public": "rw------", "users": {}, "userGroups": {}}, "translations": [],
             "parent": {"id": "ouUnit00000"}, "geometry": {"type": "Point", "coordinates": [-11.4, 8.1]}}
            for n in range(UNITS)
        ]  # fmt: skip
        row = {"dataElement": "s46m5MS0hxu", "period": "202401", "orgUnit": "ImspTQPwCqd", "value": "1"}
        values = json.dumps({"dataValues": [row] * VALUES}).encode()
    summary = {"httpStatus": "OK", "status": "OK", "response": {"importCount": {"imported": 1}}}
    listed = json.dumps({"organisationUnits": units}, separators=(",", ":")).encode()
    return {
        "info": INFO,
        "ImspTQPwCqd": UNIT,
        "organisationUnits": listed,
        "dataValueSets": values,
        "summary": json.dumps(summary).encode(),
    }


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The address of a server of the bodies, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name, body in bodies().items():
            (Path(folder) / name).write_bytes(body)
        process = subprocess.Popen([sys.executable, "-c", SERVER, folder], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
            process.wait(10)
            if process.stdout is not None:
                process.stdout.close()


async def fastest(work: dict[str, Callable[[], Awaitable[int]]], expected: int) -> dict[str, float]:
    """The least seconds of each, run in turn, so that a busy machine slows all of them; each must give `expected`."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(RUNS):
        for name, run in work.items():
            started = time.perf_counter()
            assert await run() == expected
            times[name].append(time.perf_counter() - started)
    return {name: min(found) for name, found in times.items()}


async def lists(url: str) -> list[tuple[str, float, float]]:
    """`iter` of all organisation units as ratios of a bare GET."""
    import httpx

    from dhis2sh.client.auth import Basic
    from dhis2sh.client.client import Client
    from dhis2sh.client.settings import ConnectionSettings

    async def count(rows: AsyncIterator[object]) -> int:
        found = [row async for row in rows]  # a reader keeps them, as json.loads does
        return len(found)

    async with httpx.AsyncClient() as bare, Client(ConnectionSettings(url), Basic("u", "p")) as client:
        units = client.resources.organisation_units

        async def bare_get() -> int:
            answer = await bare.get(f"{url}/api/organisationUnits", params={"paging": "false", "fields": ":owner"})
            return len(json.loads(answer.content)["organisationUnits"])

        times = await fastest(
            {
                "bare": bare_get,
                "plain": lambda: count(units.iter(":owner", paging=False)),
                "typed": lambda: count(units.iter(":owner", paging=False, typed=True)),
            },
            UNITS,
        )
    return [
        ("organisation_units.iter(), plain rows, / bare GET", times["plain"] / times["bare"], 1.3),
        ("organisation_units.iter(typed=True) / bare GET", times["typed"] / times["bare"], 2.0),
    ]


async def small_reads(url: str) -> list[tuple[str, float, float]]:
    """Reads of one object, one after another, as a ratio of a bare GET."""
    import httpx

    from dhis2sh.client.auth import Basic
    from dhis2sh.client.client import Client
    from dhis2sh.client.settings import ConnectionSettings

    path = "organisationUnits/ImspTQPwCqd"
    async with httpx.AsyncClient() as bare, Client(ConnectionSettings(url), Basic("u", "p")) as client:

        async def by_httpx() -> int:
            return sum([len(json.loads((await bare.get(f"{url}/api/{path}")).content)) for _ in range(READS)])

        async def by_client() -> int:
            return sum([len(await client.get_object(path)) for _ in range(READS)])

        times = await fastest({"bare": by_httpx, "ours": by_client}, READS * len(json.loads(UNIT)))
    return [(f"{READS} small reads / bare GET", times["ours"] / times["bare"], 1.3)]


def memory(url: str, way: str) -> float:
    """MiB above idle that a stream of all data values takes at its peak."""
    done = subprocess.run(
        [sys.executable, "-c", STREAM, url, way, str(VALUES)], capture_output=True, text=True, check=True, timeout=120
    )
    return float(done.stdout)


def measured() -> list[tuple[str, float, float]]:
    """Everything: name, measured, wanted at most."""
    with served() as url:
        return [
            *asyncio.run(lists(url)),
            *asyncio.run(small_reads(url)),
            (f"{VALUES:,} data values to a file, MiB above idle", memory(url, "out"), 80.0),
            (f"{VALUES:,} data values sent, MiB above idle", memory(url, "in"), 80.0),
        ]


def rows(quick: bool) -> list[Row]:
    """Rows for `make bench`; the runs are its own, so minimum and median are one number."""
    from tests.perf.rows import Row

    found = measured()
    return [
        Row(name, value, value, "MiB" if "MiB" in name else "x bare httpx", wanted) for name, value, wanted in found
    ]


if __name__ == "__main__":
    for name, value, wanted in measured():
        print(f"{name:55}  {value:7.2f}  wanted <= {wanted:g}")
