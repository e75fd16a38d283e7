"""Bodies that are never held whole: in, out, gzipped, cut off, refused."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dhis2sh.client.answers import unzipped
from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import BrokenAnswer, NotFound, ReadOnlyProfile, Refused, SignInError, TimedOut
from tests.fakes.wire import says, wire
from tests.unit.client.test_client import client_of

MIB = 1024 * 1024


def client_at(url: str, **settings: object) -> Client:
    return Client(ConnectionSettings(url, **settings), Basic("u", "p"), retry=RetryRule(attempts=2, base=0.0))


@cache
def bomb() -> bytes:
    """64 MiB of one letter in 64 KiB of gzip, so that careless decompression would show."""
    return gzip.compress(b"x" * (64 * MIB), 6)


async def big(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n")
    writer.write(bomb())


async def test_a_stream_is_never_held_whole():
    async with wire(big) as url, client_at(url) as client:
        await client.get_bytes("warm")  # imports and buffers are not what is measured
        tracemalloc.start()
        try:
            size = 0
            async with client.stream("GET", "dataValueSets", accept="text/csv") as answer:
                async for piece in answer:
                    size += len(piece)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert size == 64 * MIB
    assert peak < 4 * MIB


@pytest.mark.parametrize("cut", [8, 100, 3000])
async def test_a_gzip_body_without_its_end_is_broken_even_when_http_cannot_tell(cut: int):
    body = gzip.compress(bytes(range(256)) * 64, 0)[:-cut]
    script = says(body=body, Content_Encoding="gzip", Content_Length="")
    async with wire(script) as url, client_at(url) as client:
        with pytest.raises(BrokenAnswer, match="cut off"):
            await client.get_bytes("file")
        with pytest.raises(BrokenAnswer, match="cut off"):
            async with client.stream("GET", "file") as answer:
                await answer.read()


async def test_gzip_that_is_none_and_gzip_of_several_members():
    two = gzip.compress(b'{"a":') + gzip.compress(b"1}")
    async with wire(says(body=two, Content_Encoding="gzip")) as url, client_at(url) as client:
        assert await client.get("me") == {"a": 1}
    async with wire(says(body=zlib.compress(b"{}"), Content_Encoding="gzip")) as url, client_at(url) as client:
        with pytest.raises(BrokenAnswer, match="not the gzip"):
            await client.get("me")


async def test_a_cut_stream_says_so_while_it_is_read():
    short = says(body=b"x" * 10, Content_Length="99")
    async with wire(short) as url, client_at(url) as client, client.stream("GET", "file") as answer:
        pieces = aiter(answer)
        assert await anext(pieces) == b"x" * 10
        with pytest.raises(BrokenAnswer, match="cut off"):
            await anext(pieces)


async def test_an_upload_is_sent_as_it_comes_and_never_twice():
    seen: list[bytes] = []

    async def take(request: Request) -> Response:
        assert request.headers["content-type"] == "application/csv"
        seen.append(await request.body())
        return Response(status_code=503)

    async def rows() -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"{number}\n".encode()

    async with client_of(take) as client:
        with pytest.raises(Refused):
            await client.post("dataValueSets", rows(), content_type="application/csv", idempotent=True)
    assert seen == [b"0\n1\n2\n"]


async def test_an_upload_may_answer_with_a_stream():
    async def double(request: Request) -> Response:
        return Response(await request.body() * 2, media_type="text/plain")

    async with client_of(double) as client, client.stream("POST", "x", body=b"ab", content_type="text/csv") as answer:
        assert await answer.read() == b"abab"


@pytest.mark.parametrize(
    ("status", "body", "kind", "error"),
    [
        (409, b'{"message": "no data set", "errorCode": "E2001"}', "application/json", Refused),
        (404, b"<title>Not Found</title>", "text/html", NotFound),
        (200, b"<form action='dhis-web-login'>", "text/html", SignInError),
    ],
)
async def test_a_refusal_is_raised_before_the_block(status: int, body: bytes, kind: str, error: type[Exception]):
    async def refuse(request: Request) -> Response:
        return Response(body, status_code=status, media_type=kind)

    async with client_of(refuse) as client:
        with pytest.raises(error):
            async with client.stream("GET", "dataValueSets"):
                raise AssertionError("not entered")


async def test_a_stream_is_asked_for_again_until_its_head_has_come():
    asked = 0

    async def later(request: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response(status_code=503) if asked == 1 else JSONResponse([])

    async with client_of(later) as client, client.stream("GET", "x") as answer:
        assert await answer.read() == b"[]"
    assert asked == 2


async def test_a_stream_that_is_left_early_gives_its_place_back():
    async with wire(big) as url, client_at(url, max_connections=1) as client:
        for _ in range(2):
            async with client.stream("GET", "x") as answer:
                assert await answer.read(10) == b"x" * 10


async def test_the_total_limit_counts_waiting_for_the_server_not_for_the_reader(monkeypatch: pytest.MonkeyPatch):
    """By a clock that the test sets forward: nobody waits, and a busy machine changes nothing."""
    loop, ahead, go_on = asyncio.get_running_loop(), 0.0, asyncio.Event()
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + ahead)

    async def drip(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 9\r\n\r\nx")
        await writer.drain()
        await go_on.wait()
        writer.write(b"y")
        await writer.drain()
        await reader.read()

    async with wire(drip) as url, client_at(url, total_timeout=1000.0) as client, client.stream("GET", "x") as answer:
        pieces = aiter(answer)
        assert await anext(pieces) == b"x"
        ahead += 2000  # the reader takes its time
        go_on.set()
        assert await anext(pieces) == b"y"
        waiting = asyncio.ensure_future(anext(pieces))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        ahead += 2000  # and now the server does
        with pytest.raises(TimedOut, match="total time limit"):
            await waiting


async def test_a_read_only_profile_streams_no_write():
    async def nobody(request: Request) -> Response:
        raise AssertionError("nothing may be sent")

    async with client_of(nobody, read_only=True) as client:
        with pytest.raises(ReadOnlyProfile):
            async with client.stream("POST", "dataValueSets", body={}):
                pass


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="export.csv"', "export.csv"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        (r'attachment; filename="C:\\evil.exe"', "evil.exe"),
        ('attachment; filename=".."', None),
        ("attachment", None),
    ],
)
async def test_a_file_name_from_a_server_is_never_a_path(header: str, name: str | None):
    async def file(request: Request) -> Response:
        return Response(b"", headers={"Content-Disposition": header}, media_type="text/csv")

    async with client_of(file) as client, client.stream("GET", "x") as answer:
        assert answer.file_name == name


@given(parts=st.lists(st.binary(max_size=2000), max_size=4), size=st.integers(1, 700))
async def test_gzip_is_undone_however_it_is_cut_into_pieces(parts: list[bytes], size: int):
    sent = b"".join(gzip.compress(part) for part in parts)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), size):
            yield sent[start : start + size]

    assert b"".join([piece async for piece in unzipped(pieces(), "GET x")]) == b"".join(parts)
