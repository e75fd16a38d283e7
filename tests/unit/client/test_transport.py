import asyncio
import importlib
import inspect
import io

import httpcore
import pytest

from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.requests import effect_scope, encode_params
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.client.tracing import Tracer
from dhis2sh.errors import BrokenAnswer, NetworkError, TimedOut, Unreachable, UsageError


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
    await writer.drain()
    writer.close()


async def test_a_cut_body_and_a_refused_connection():
    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Client(ConnectionSettings(url), Basic("u", "p"), retry=RetryRule(base=0.0)) as client:
        with pytest.raises(BrokenAnswer, match="cut off"):
            await client.get("me")
        server.close()
        await server.wait_closed()
        with pytest.raises(Unreachable, match="nothing answers"):
            await client.get("me")


async def test_a_read_that_breaks_is_asked_again_and_says_how_often_a_write_is_not():
    asked: list[bytes] = []

    async def third_time(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if len(asked) % 3 == 0:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(third_time, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Client(ConnectionSettings(url), Basic("u", "p"), retry=RetryRule(base=0.0)) as client:
        assert await client.get("me") == {}
        assert len(asked) == 3
        with effect_scope("write"), pytest.raises(NetworkError) as refused:
            await client.post("dataElements", {})
        assert len(asked) == 4
        assert "asked" not in refused.value.message
    asked.clear()
    async with Client(ConnectionSettings(url), Basic("u", "p"), retry=RetryRule(attempts=1, base=0.0)) as client:
        with pytest.raises(NetworkError, match="it was asked 2 times"):
            await client.get("me")
    server.close()
    await server.wait_closed()


async def test_what_broke_off_is_asked_again_at_once_and_what_broke_twice_waits():
    """A connection that was closed meanwhile, a proxy that was started anew: the server is not busier for it."""
    rule = RetryRule(attempts=3, base=0.5, draw=lambda: 1.0)
    assert [rule.wait(attempt, broken=True) for attempt in (1, 2, 3, 4)] == [0.0, 1.0, 2.0, None]
    assert [rule.wait(attempt) for attempt in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, None]
    lines: list[str] = []

    async def second_time(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).decode().partition("\r\n")[0])
        if len(lines) == 2:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(second_time, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    patient = RetryRule(base=3600.0, longest=3600.0, draw=lambda: 1.0)
    async with server, Client(ConnectionSettings(url), Basic("u", "p"), retry=patient) as client:
        assert await client.get("me") == {}
    assert lines == ["GET /api/me HTTP/1.1"] * 2


async def test_as_much_is_read_at_a_time_as_has_come():
    """httpcore says by a constant of its own how much it reads; a release without it would be four times as many pieces again."""
    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Client(ConnectionSettings(url), Basic("u", "p"), retry=RetryRule(attempts=0)) as client:
        with pytest.raises(BrokenAnswer):
            await client.get("me")
    assert httpcore.AsyncHTTP11Connection.READ_NUM_BYTES == 256 * 1024
    assert "self.READ_NUM_BYTES" in inspect.getsource(importlib.import_module("httpcore._async.http11"))


async def test_a_cancelled_request_gives_its_place_back():
    waiting = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = ConnectionSettings(url, max_connections=1, read_timeout=0.05, retries=0)
    async with Client(settings, Basic("u", "p")) as client:
        task = asyncio.create_task(client.get("me", timeout=30))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimedOut, match="no answer within"):
            await client.get("me")
    server.close()
    await server.wait_closed()


async def test_an_address_that_is_none():
    async with Client(ConnectionSettings("gopher://t"), Basic("u", "p")) as client:
        with pytest.raises(UsageError, match="not an address"):
            await client.get("me")


def test_parameters_as_dhis2_reads_them():
    pairs = encode_params({"paging": False, "filter": ["a:eq:1", "b:eq:2"], "order": None, "page": 1})
    assert pairs == [("paging", "false"), ("filter", "a:eq:1"), ("filter", "b:eq:2"), ("page", "1")]


def test_the_tracer_writes_no_secret():
    out = io.StringIO()
    Tracer(out).note("GET http://t/api/me?token=s3cret 200")
    assert out.getvalue() == "http  GET http://t/api/me?token=*** 200\n"
