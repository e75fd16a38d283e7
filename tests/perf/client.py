"""The client against a bare httpx, over loopback: small reads one after another, and a large answer as a stream.

.venv/bin/python tests/perf/client.py
"""

import asyncio
import gzip
import json
import multiprocessing
import resource
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

ROUNDS, READS = 5, 1000
SMALL = b'{"id": "ImspTQPwCqd", "name": "Sierra Leone", "level": 1}'
ROW = b'{"dataElement":"fbfJHSPpUQD","period":"202401","orgUnit":"DiszpKrYNg8","categoryOptionCombo":"HllvX50cXC0","value":"12"},'
LARGE = b'{"dataValues":[' + ROW * 188_697 + b"{}]}"


async def serve(listening: socket.socket) -> None:
    """Keep-alive HTTP in a few lines: the server must not be what is measured."""
    zipped = gzip.compress(LARGE, 1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                large = b"dataValueSets" in head
                body = zipped if large else SMALL
                kind = b"Content-Encoding: gzip\r\n" if large else b""
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
                writer.write(head % (kind, len(body)) + body)  # in one piece, or each answer waits for an ACK
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, sock=listening)
    await server.serve_forever()


def run(listening: socket.socket) -> None:
    asyncio.run(serve(listening))


async def timed(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(READS):
        await work()
    return time.perf_counter() - started, time.process_time() - cpu


async def measure(url: str) -> None:
    import httpx

    from dhis2sh.client.auth import Basic
    from dhis2sh.client.client import Client
    from dhis2sh.client.settings import ConnectionSettings

    auth = {"Authorization": (await Basic("u", "p").headers())["Authorization"], "Accept-Encoding": "gzip"}
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    async with Client(ConnectionSettings(url), Basic("u", "p")) as client, httpx.AsyncClient(headers=auth) as plain:

        async def by_httpx() -> object:
            return json.loads((await plain.get(f"{url}/api/me")).content)

        async def by_client() -> object:
            return await client.get("me")

        for _ in range(ROUNDS):
            bare.append(await timed(by_httpx))
            ours.append(await timed(by_client))
        for name, number in (("wall", 0), ("CPU", 1)):
            mine, theirs = [times[number] for times in ours], [times[number] for times in bare]
            print(
                f"{READS:,} small GETs, {name}: {min(mine) / min(theirs):.2f} x bare httpx and json.loads "
                f"(minimum {min(mine):.2f} s against {min(theirs):.2f} s; medians "
                f"{statistics.median(mine):.2f} and {statistics.median(theirs):.2f})"
            )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = 0
        async with client.stream("GET", "dataValueSets") as answer:
            async for piece in answer:
                size += len(piece)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(
            f"a stream of 188,697 data values ({size / 2**20:.0f} MiB, gzipped on the wire): {grown:.1f} MiB above idle"
        )


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    listening = socket.create_server(("127.0.0.1", 0))
    server = multiprocessing.Process(target=run, args=(listening,), daemon=True)
    server.start()
    try:
        asyncio.run(measure(f"http://127.0.0.1:{listening.getsockname()[1]}"))
    finally:
        server.terminate()
