"""`doctor all` on real metadata against the server's own time for it: the CPU seconds that the sandbox used meanwhile.

In a session that is there already: on the clock, and CPU of client and server together. The sandbox answers one request at a
time, so that its time is what nobody could be quicker than. Needs ../shared beside this checkout.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

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
    await run(session, find("doctor server"), {})  # all is imported
    print("ready", flush=True)
    for _ in sys.stdin:
        began, busy = time.perf_counter(), time.process_time()
        await run(session, find("doctor all"), {})
        print(time.perf_counter() - began, time.process_time() - busy, flush=True)
    await session.aclose()
asyncio.run(main())
"""


def rows(quick: bool) -> list[Row]:
    """Rows for `make bench`."""
    if not REAL.is_dir():
        return []
    clock: list[float] = []
    both: list[float] = []
    server_alone: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        load = [str(BIN / "dhis2"), "sandbox", "load", "--yes", str(REAL / "metadata.json.gz")]
        subprocess.run(load, env=environment(home), check=True, capture_output=True)
        with sandbox(home) as (server, settings):
            work = subprocess.Popen(
                [sys.executable, "-c", SESSION], env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert work.stdin is not None
            assert work.stdout is not None
            assert work.stdout.readline() == "ready\n"
            for _ in range(3 if quick else 7):
                before = used(server)
                work.stdin.write("again\n")
                work.stdin.flush()
                seconds, busy = map(float, work.stdout.readline().split())
                server_alone.append(used(server) - before)
                clock.append(seconds)
                both.append(busy + server_alone[-1])
            work.stdin.close()
            work.wait(30)
    return [
        ratio("doctor all, clock", clock, server_alone, "x server's time", 1.2),
        ratio("doctor all, CPU", both, server_alone, "x server's time", 1.2),
    ]
