"""The MCP server: how large its listing is, how soon it is ready, how fast its search is."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial

from tests.perf.bench_startup import used
from tests.perf.rows import BIN, Row, cpu, environment, interleaved, ratio, runs

HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}}  # fmt: skip
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


def ready(settings: dict[str, str]) -> float:
    """CPU seconds of the server when it has answered `initialize` and `tools/list`."""
    process = subprocess.Popen([str(BIN / "dhis2-mcp")], env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    for message in (HELLO, LIST):
        process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()
    answers = [process.stdout.readline(), process.stdout.readline()]
    assert b"metadata_list" in answers[1]
    seconds = used(process.pid)
    process.stdin.close()
    process.stdout.close()
    process.wait(10)
    return seconds


def rows(quick: bool) -> list[Row]:
    from dhis2sh.surfaces import mcp
    from dhis2sh.surfaces.mcp.answers import described

    with tempfile.TemporaryDirectory() as home:
        settings = environment(home)
        measures = {
            "fastmcp": partial(cpu, [sys.executable, "-c", "import fastmcp"], settings),
            "ready": partial(ready, settings),
        }
        times = interleaved(measures, runs(quick))
    listing = json.dumps([described(entry) for entry in mcp.listing()], separators=(",", ":"))
    tools = mcp.Tools()
    tools.search("create data element")
    searches: list[float] = []
    for _ in range(runs(quick)):
        began = time.perf_counter()
        tools.search("create data element")
        searches.append((time.perf_counter() - began) * 1000)
    count = len(mcp.listing(tools="all"))
    return [
        ratio("dhis2-mcp ready, tools listed", times["ready"], times["fastmcp"], "x import fastmcp", 1.5),
        Row("its default listing", len(listing) / 4, len(listing) / 4, "tokens (bytes/4)", 4000),
        Row(f"search among {count} tools", min(searches), statistics.median(searches), "ms"),
    ]
