"""Bodies that are never held whole: files, rows and pieces on their way to a server, and answers on their way to a file."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Unpack, cast

import orjson

from dhis2sh import paths
from dhis2sh.client.answers import AnswerStream, Garbage
from dhis2sh.errors import BrokenAnswer, Dhis2Error, NotFound, NotWritten, TimedOut, Unreachable
from dhis2sh.files import open_packed

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Params, Sending
    from dhis2sh.types import JsonObject, Row

PIECE = 256 * 1024
"""Bytes that are read, sent or written at a time."""

POURED = 1024 * 1024
"""Bytes that are gathered before they are written to a file: a busy machine makes every hop to a thread dear."""

type Target = Path | str | IO[bytes]
"""Where an answer goes: a file, written under a temporary name and renamed; or an open binary file."""


async def pieces_of(path: Path, *, unpack: bool = True) -> AsyncGenerator[bytes]:
    """A file's bytes in pieces.

    Parameters:
        path: the file.
        unpack: undo gzip when its name ends in `.gz`.

    Raises `NotFound`, or `Dhis2Error` when it cannot be read.
    """
    packed = unpack and path.suffix == ".gz"
    try:
        file = await asyncio.to_thread(_open, path, "rb", packed=packed)
        try:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece
        finally:
            file.close()
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}", hint="check the path") from error
    except (OSError, EOFError, zlib.error) as error:
        raise Dhis2Error(f"{path} cannot be read: {error}", hint="check the file") from error


async def json_rows(
    arrays: Mapping[str, Iterable[Row] | AsyncIterable[Row]], head: JsonObject | None = None
) -> AsyncGenerator[bytes]:
    """Arrays of rows as one JSON object, `{...head, "<key>": [row, row, ...], ...}`, in pieces of about `PIECE`.

    Parameters:
        arrays: rows by key; they are taken one by one, as they are sent.
        head: what stands before them.
    """
    buffer = [orjson.dumps(head or {})[:-1]]
    size, between = 0, b"," if head else b""
    for key, rows in arrays.items():
        buffer += [between, orjson.dumps(key), b":["]
        separator = b""
        async for row in each(rows):
            data = orjson.dumps(row)
            buffer += [separator, data]
            separator = b","
            size += len(data)
            if size >= PIECE:
                yield b"".join(buffer)
                buffer, size = [], 0
        buffer.append(b"]")
        between = b","
    yield b"".join([*buffer, b"}"])


async def each[T](items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T]:
    """The items of any iterable."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


type Check = Callable[[AnswerStream], AsyncIterator[bytes]]
"""Passes an answer's pieces on, and raises behind the last one where they are not what they should be."""


async def save(
    client: Requests, path: str, params: Params, target: Target, check: Check, *, accept: str, as_is: bool = False
) -> int:
    """GET an address and write the answer to a file as it comes; the bytes written.

    The file appears, or is replaced, when all of it has come and was checked. An answer that breaks off is asked for again,
    from its beginning, as often as any request is: nobody has seen anything of it yet.

    Parameters:
        path, params, accept: the request.
        target: where to; an open file is written once, and never again.
        check: what the answer must be.
        as_is: as of `write_to`.

    Raises `Dhis2Error` when the file cannot be written, `BrokenAnswer`, and as `Client.stream`.
    """
    attempt = 0
    while True:
        attempt, begun = attempt + 1, False
        try:
            async with client.stream("GET", path, params, accept=accept) as answer:
                begun = True
                return await write_to(target, check(answer), as_is=as_is)
        except _BROKE_OFF as error:
            wait = _until_again(client, attempt, error) if begun and isinstance(target, (str, Path)) else None
            if wait is None:
                raise
        await asyncio.sleep(wait)


_BROKE_OFF = (BrokenAnswer, TimedOut, Unreachable)


def _until_again(client: Requests, attempt: int, error: Dhis2Error) -> float | None:
    """Seconds until an answer that broke off is asked for again, None where it is not."""
    if isinstance(error, Garbage):
        return None
    return client.retry.wait(attempt, broken=isinstance(error, BrokenAnswer))


type Read[T] = Callable[[AnswerStream], AsyncGenerator[T]]
"""Makes of an answer what it holds, some at a time."""


async def read[T](
    client: Requests, path: str, params: Params, made: Read[T], *, accept: str, **how: Unpack[Sending]
) -> AsyncGenerator[T]:
    """GET an address and give what the answer holds as it comes.

    An answer that breaks off is asked for again, as often as any request is, and goes on behind what has come. That is certain
    where it begins with the very bytes that came before: each row is in an answer once, so that the rest is what is missing, in
    whatever order. Where it begins otherwise, and something of it was handed on, it is an error, which `read_whole` never has to
    raise.

    Parameters:
        path, params, accept, how: the request.
        made: what the answer holds, some at a time.

    Raises `BrokenAnswer`, and as `Client.stream` and what `made` raises.
    """
    coming = _Coming(client, lambda: client.stream("GET", path, params, accept=accept, **how))
    while True:
        begun = given = False
        try:
            async with coming.answer() as answer:
                begun = True
                async with aclosing(made(answer)) as found:
                    async for some in found:
                        given = True
                        yield some
            return
        except _BROKE_OFF as error:
            wait = coming.until_again(error) if begun and not given else None
            if wait is None:
                raise
        await asyncio.sleep(wait)


class _Otherwise(BrokenAnswer):
    """An answer that was asked for again does not begin as it did before."""


class _Coming:
    """An answer that goes on where it broke off.

    Parameters:
        asks: sends the request.
    """

    def __init__(self, client: Requests, asks: Callable[[], AbstractAsyncContextManager[AnswerStream]]) -> None:
        self._client, self._asks, self._attempt = client, asks, 0

    def until_again(self, error: Dhis2Error) -> float | None:
        """Seconds until it is asked for again, None where it is not."""
        self._attempt += 1
        return _until_again(self._client, self._attempt, error)

    @asynccontextmanager
    async def answer(self) -> AsyncGenerator[AnswerStream]:
        """The answer, whose pieces come from as many requests as it takes."""
        async with AsyncExitStack() as open_:
            first = await open_.enter_async_context(self._asks())
            headers = {name: value for name, value in first.headers.items() if name != "content-encoding"}  # undone
            async with aclosing(self._pieces(open_, first)) as pieces:
                yield AnswerStream(
                    first.status, headers, method=first.method, url=first.url, raw=pieces, close=first.aclose,
                    who=first.who, remedy=first.remedy,
                )  # fmt: skip

    async def _pieces(self, open_: AsyncExitStack, answer: AnswerStream) -> AsyncGenerator[bytes]:
        seen, size = hashlib.blake2b(), 0
        while True:
            try:
                async for piece in _behind_what_came(answer, seen.digest(), size):
                    seen.update(piece)
                    size += len(piece)
                    yield piece
                return
            except _BROKE_OFF as error:
                wait = None if isinstance(error, _Otherwise) else self.until_again(error)
                if wait is None:
                    raise
            await open_.aclose()
            await asyncio.sleep(wait)
            answer = await open_.enter_async_context(self._asks())


async def _behind_what_came(answer: AnswerStream, digest: bytes, size: int) -> AsyncGenerator[bytes]:
    """The pieces of an answer behind its first `size` bytes. Raises `_Otherwise` where those have another digest."""
    again, left = hashlib.blake2b(), size
    async for piece in answer:
        if not left:
            yield piece
            continue
        again.update(piece[:left])
        rest = piece[left:]
        left -= len(piece) - len(rest)
        if not left:
            _check_alike(answer, again.digest() == digest)
            if rest:
                yield rest
    _check_alike(answer, not left)


def _check_alike(answer: AnswerStream, alike: bool) -> None:
    if not alike:
        raise _Otherwise(
            f"{answer.method} {answer.url.partition('?')[0]}: the answer was cut off, and asked for again it begins otherwise: "
            "nobody knows what of it is missing",
            hint="try again, for fewer rows at a time",
        )


async def read_whole[T](
    client: Requests,
    path: str,
    params: Params,
    check: Check,
    made: Callable[[AsyncIterator[bytes]], AsyncGenerator[T]],
    *,
    accept: str,
) -> AsyncGenerator[T]:
    """GET an address and give what the answer holds when all of it has come, which `save` asks for again until it has.

    For who cannot go on with a part of it, such as a look before a write. It lies in a file meanwhile, however large it is.

    Parameters:
        path, params, check, accept: as of `save`.
        made: what pieces of the answer hold, some at a time.

    Raises as `save` and what `made` raises.
    """
    from tempfile import TemporaryDirectory  # start-up: only before writes

    with TemporaryDirectory(prefix="dhis2sh-") as folder:
        file = Path(folder) / "answer"
        await save(client, path, params, file, check, accept=accept)
        async with aclosing(pieces_of(file)) as pieces, aclosing(made(pieces)) as found:
            async for some in found:
                yield some


async def write_to(target: Target, pieces: AsyncIterator[bytes], *, as_is: bool = False) -> int:
    """Write an answer as it comes; the bytes written. A file appears only when it is complete.

    Parameters:
        as_is: a file that ends in `.gz` gets what came; else it is packed, unless it came packed.

    Raises `Dhis2Error` when the file cannot be written, and whatever the pieces raise.
    """
    if not isinstance(target, (str, Path)):
        return await _pour(target, pieces)
    path = Path(target)
    packed = path.suffix == ".gz" and not as_is
    try:
        with paths.replacing(path) as temporary:
            first = await anext(pieces, b"") if packed else b""  # of a document that is packed itself: never twice
            packed = packed and not first.startswith(b"\x1f\x8b")
            with await asyncio.to_thread(_open, temporary, "wb", packed=packed) as file:
                return await _pour(file, _behind(first, pieces))
    except OSError as error:
        raise NotWritten.of(path, error, elsewhere="choose another file") from error


async def _behind(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    if first:
        yield first
    async for piece in rest:
        yield piece


def _open(path: Path, mode: Literal["rb", "wb"], *, packed: bool) -> IO[bytes]:
    if not packed:
        return path.open(mode)
    if mode == "rb":
        return open_packed(path)
    return cast("IO[bytes]", _Gzip(path))


class _Gzip(gzip.GzipFile):
    """A gzipped file that is the same for the same content: it holds neither a time nor its temporary name."""

    def __init__(self, path: Path) -> None:
        self._plain = path.open("wb")
        super().__init__(filename="", mode="wb", compresslevel=6, fileobj=self._plain, mtime=0)

    def close(self) -> None:
        """Write the end, and close the file below."""
        try:
            super().close()
        finally:
            self._plain.close()


async def _pour(file: IO[bytes], pieces: AsyncIterator[bytes]) -> int:
    """Pieces into an open file, gathered to about `POURED`, so that a thread is asked seldom."""
    written = size = 0
    buffer: list[bytes] = []
    async for piece in pieces:
        buffer.append(piece)
        size += len(piece)
        if size >= POURED:
            await asyncio.to_thread(file.write, b"".join(buffer))
            written, size = written + size, 0
            buffer = []
    if buffer:
        await asyncio.to_thread(file.write, b"".join(buffer))
    return written + size


async def sized(pieces: AsyncIterable[bytes], at_most: int) -> bytes:
    """The first `at_most` bytes of pieces, or all."""
    found = b""
    async for piece in pieces:
        found += piece
        if len(found) >= at_most:
            break
    return found[:at_most]
