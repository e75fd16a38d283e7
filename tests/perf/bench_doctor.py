"""`doctor all` on real metadata against what the server's own checks take when nothing else is asked.

On the clock, of a server that needs 50 ms for each answer: `doctor all` in a session that is there already, against a script
that starts the integrity checks, waits for the job's end and reads what they found. And CPU of client and server together, of
a server that answers at once, against the server's own. Needs ../shared beside this checkout.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from tests.perf.bench_client import REAL
from tests.perf.bench_startup import used
from tests.perf.bench_values import sandbox
from tests.perf.rows import BIN, Row, environment, ratio

SESSION = """
import asyncio, sys, time
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
async def main():
    session = Session()
    await run(session, find("doctor all"), {})  # all is imported
    print("ready", flush=True)
    for _ in sys.stdin:
        began, busy = time.perf_counter(), time.process_time()
        await run(session, find("doctor all"), {})
        print(time.perf_counter() - began, time.process_time() - busy, flush=True)
    await session.aclose()
asyncio.run(main())
"""
HAND = """
import httpx, os, sys, time
api = httpx.Client(auth=("admin", "district"), base_url=os.environ["DHIS2_URL"] + "/api/", timeout=60)
def checks():
    known = api.get("dataIntegrity").json()
    names = [one["name"] for one in known if not one.get("isSlow") and not one.get("isProgrammatic")]
    job = api.post("dataIntegrity/summary", json=names).json()["response"]["id"]
    while not any(line.get("completed") for line in api.get("system/tasks/DATA_INTEGRITY/" + job).json()):
        time.sleep(0.2)
    found = {}
    for start in range(0, len(names), 30):
        found |= api.get("dataIntegrity/summary", params={"checks": ",".join(names[start : start + 30])}).json()
    assert len(found) > 50, found
checks()
print("ready", flush=True)
for _ in sys.stdin:
    began, busy = time.perf_counter(), time.process_time()
    checks()
    print(time.perf_counter() - began, time.process_time() - busy, flush=True)
"""
LATENCY = ("--fault", "latency=50ms")


class Worker:
    """A process that does its work once for each line, and prints seconds on the clock and of CPU."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def again(self) -> tuple[float, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("again\n")
        self.process.stdin.flush()
        seconds, busy = map(float, self.process.stdout.readline().split())
        return seconds, busy


@contextmanager
def worker(script: str, settings: Mapping[str, str]) -> Generator[Worker]:
    """A process that is ready to work."""
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield Worker(process)
    finally:
        process.stdin.close()
        process.wait(30)


def rows(quick: bool) -> list[Row]:
    """Rows for `make bench`."""
    if not REAL.is_dir():
        return []
    clock, by_hand, both, server_alone = list[float](), list[float](), list[float](), list[float]()
    times = 3 if quick else 7
    with tempfile.TemporaryDirectory() as home:
        load = [str(BIN / "dhis2"), "sandbox", "load", "--yes", str(REAL / "metadata.json.gz")]
        subprocess.run(load, env=environment(home), check=True, capture_output=True)
        with (
            sandbox(home, *LATENCY) as (_, settings),
            worker(SESSION, settings) as doctor,
            worker(HAND, settings) as hand,
        ):
            for _ in range(times):
                clock.append(doctor.again()[0])
                by_hand.append(hand.again()[0])
        with sandbox(home) as (server, settings), worker(SESSION, settings) as doctor:
            for _ in range(times):
                before = used(server)
                busy = doctor.again()[1]
                server_alone.append(used(server) - before)
                both.append(busy + server_alone[-1])
    return [
        ratio("doctor all, clock, 50 ms an answer", clock, by_hand, "x server's checks", 1.2),
        ratio("doctor all, CPU", both, server_alone, "x server's CPU", 1.2),
    ]
