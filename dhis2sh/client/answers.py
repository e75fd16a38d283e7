"""What a server answered: whole (`Answer`), or as it comes (`AnswerStream`). Gzip is undone here, so that a body that
was cut off is noticed even where HTTP itself cannot tell."""

from __future__ import annotations

import io
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from dhis2sh import paths
from dhis2sh.errors import BrokenAnswer
from dhis2sh.files import is_bomb

PIECE = 256 * 1024
"""The most bytes that one step of decompression gives: what keeps a stream's memory flat."""
HELD = 512 * 1024 * 1024
"""The most bytes of an answer that are held at once; what is larger is read as it comes."""


class Garbage(BrokenAnswer):
    """An answer that would be the same another time: whole and not what it says that it is, or more than anybody can use."""


@dataclass(slots=True)
class Answer:
    """What a server answered.

    Parameters:
        status: the HTTP status; `headers` with lower-case names; `body` the whole body, decoded from gzip.
        method, url: the request it answers; `elapsed` seconds it took.
        who, remedy: who was signed in, and what helps when the server does not accept that.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    method: str
    url: str
    elapsed: float = 0.0
    request_params: list[tuple[str, str]] = field(default_factory=lambda: [])
    who: str = ""
    remedy: str = "dhis2 profile verify"

    @property
    def content_type(self) -> str:
        """The media type without its parameters, lower case."""
        return media_type(self.headers)


class AnswerStream:
    """An answer whose body is read as it comes, decoded from gzip, and never held whole.

    Iterate over it once for its bytes. It holds its connection and its place in the limit until `aclose`.

    Parameters:
        status, headers: as of `Answer`; `method`, `url` the request it answers.
        raw: the body's bytes as they were sent; raises our errors.
        close: gives the connection back.
        who, remedy: as of `Answer`.
    """

    def __init__(
        self,
        status: int,
        headers: dict[str, str],
        *,
        method: str,
        url: str,
        raw: AsyncGenerator[bytes],
        close: Callable[[], Awaitable[None]],
        who: str = "",
        remedy: str = "",
    ) -> None:
        self.status, self.headers, self.method, self.url = status, headers, method, url
        self.who, self.remedy = who, remedy
        gzip = headers.get("content-encoding") == "gzip"
        self._raw = raw
        self._pieces = unzipped(raw, f"{method} {url.partition('?')[0]}") if gzip else raw
        self._close = close

    @property
    def content_type(self) -> str:
        """The media type without its parameters, lower case."""
        return media_type(self.headers)

    @property
    def file_name(self) -> str | None:
        """The name that the server gives the file, safe in any folder, or None (`paths.safe_name`). Never a path."""
        from email.message import Message  # start-up: few answers are files

        header = Message()
        header["Content-Disposition"] = self.headers.get("content-disposition", "")
        return paths.safe_name(header.get_filename() or "")

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def read(self, at_most: int | None = None) -> bytes:
        """The whole body, or its first `at_most` bytes (what an error page needs). Raises `Garbage` beyond `HELD`."""
        body = io.BytesIO()  # gives its buffer away without copying it: a large body is never held twice
        async for piece in self:
            body.write(piece)
            if at_most is not None and body.tell() >= at_most:
                body.truncate(at_most)
                break
            if body.tell() > HELD:
                raise Garbage(
                    f"{self.method} {self.url.partition('?')[0]}: more than {HELD // 1024**2:,} MB came",
                    hint="ask for less (--fields, --filter, --types), or let it go into a file with --out",
                )
        return body.getvalue()

    async def is_empty(self) -> bool:
        """Has it no body at all? The beginning is read for that, and given again by the iteration."""
        rest, first = self._pieces, b""
        while not first:
            piece = await anext(rest, None)
            if piece is None:
                return True
            first = piece
        self._pieces = _begun(first, rest)
        return False

    async def settle(self) -> bytes:
        """Read the whole body now and give the connection back; iterating over it gives the same bytes again."""
        body = await self.read()
        await self.aclose()
        self._pieces = _again(body)
        return body

    def whole(self, body: bytes) -> Answer:
        """The same answer with its body, once that has been read."""
        return Answer(self.status, self.headers, body, self.method, self.url, who=self.who, remedy=self.remedy)

    async def aclose(self) -> None:
        """Give the connection back; what was not read is thrown away."""
        await self._pieces.aclose()
        await self._raw.aclose()
        await self._close()


async def _begun(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


async def _again(body: bytes) -> AsyncGenerator[bytes]:
    yield body


def media_type(headers: dict[str, str]) -> str:
    """The media type of an answer without its parameters, lower case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def unzipped(raw: AsyncIterator[bytes], where: str) -> AsyncGenerator[bytes]:
    """The bytes behind gzip, at most `PIECE` at a time. Raises `BrokenAnswer` when the end is missing.

    Parameters:
        raw: the compressed bytes; several gzip members may follow each other.
        where: the request, for the message.
    """
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    begun, packed, plain = False, 0, 0
    try:
        async for given in raw:
            piece = given
            packed += len(given)
            while piece:
                if unzip.eof:
                    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
                begun = True
                if data := unzip.decompress(piece, PIECE):
                    plain += len(data)
                    if is_bomb(packed, plain):
                        raise Garbage(
                            f"{where}: {packed:,} bytes of gzip unpack to more than {plain:,}",
                            hint="dhis2 profile verify",
                        )
                    yield data
                piece = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
    except zlib.error as error:
        raise BrokenAnswer(f"{where}: the answer is not the gzip that it says ({error})", hint="try again") from error
    if begun and not unzip.eof:
        raise BrokenAnswer(f"{where}: the answer was cut off", hint="try again; the network lost it")
