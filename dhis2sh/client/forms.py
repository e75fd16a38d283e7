"""Forms with one file in them, sent as the file is read: how files, apps and logos reach a server."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dhis2sh.client import bodies

if TYPE_CHECKING:
    from dhis2sh.client.answers import Answer
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Params


OTHER = "application/octet-stream"


class Digest(Protocol):
    """A sum that grows, of `hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...

    def hexdigest(self) -> str:
        """The sum so far."""
        ...


@dataclass(slots=True)
class FileForm:
    """A form with a file in the field `file`.

    Parameters:
        source: the file, or its bytes.
        name: what the file is called there.
        media_type: guessed from the name without it.
        length: bytes of the file that have been sent; `md5` their sum.
    """

    source: Path | str | bytes
    name: str
    media_type: str = ""
    length: int = field(default=0, init=False)
    _digest: Digest = field(init=False, repr=False)
    _boundary: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def __post_init__(self) -> None:
        self.media_type = self.media_type or media_type(self.name)
        self._digest = hashlib.md5(usedforsecurity=False)

    @property
    def md5(self) -> str:
        """The MD5 sum of what has been sent of the file, as DHIS2 keeps it."""
        return self._digest.hexdigest()

    async def send(self, client: Requests, path: str, params: Params | None = None) -> Answer:
        """POST the form. Raises `NotFound` when there is no such file."""
        media = f"multipart/form-data; boundary={self._boundary}"
        return await client.write("POST", path, self._pieces(), params, content_type=media)

    async def _pieces(self) -> AsyncGenerator[bytes]:
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\n", "")
        yield (
            f'--{self._boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
            f"Content-Type: {self.media_type}\r\n\r\n"
        ).encode()
        if isinstance(self.source, bytes):
            yield self._counted(self.source)
        else:
            async for piece in bodies.pieces_of(Path(self.source), unpack=False):
                yield self._counted(piece)
        yield f"\r\n--{self._boundary}--\r\n".encode()

    def _counted(self, piece: bytes) -> bytes:
        self.length += len(piece)
        self._digest.update(piece)
        return piece


def media_type(name: str) -> str:
    """The media type of a file by its name; `application/octet-stream` where nobody knows."""
    import mimetypes  # start-up: it reads files of the system

    found, packed = mimetypes.guess_type(name)  # of `x.csv.gz` the text inside, and what it is packed with
    if packed is not None:
        return f"application/{packed}" if packed == "gzip" else OTHER
    return found or OTHER
