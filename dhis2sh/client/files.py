"""Files: uploaded as file resources, documents built on them, and contents read as they come.

API source: `FileResourceController.java`, `DocumentController.java` (facts, quirk 16; recorded).
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dhis2sh.client import bodies
from dhis2sh.client.sending import send
from dhis2sh.errors import BrokenAnswer, UsageError

if TYPE_CHECKING:
    from dhis2sh.client.bodies import Target
    from dhis2sh.client.messages import WebMessage
    from dhis2sh.client.protocol import Requests

type Domain = Literal[
    "DATA_VALUE", "DOCUMENT", "MESSAGE_ATTACHMENT", "USER_AVATAR", "ORG_UNIT", "ICON", "PUSH_ANALYSIS"
]


class Files:
    """`client.files`."""

    def __init__(self, client: Requests) -> None:
        self._client = client

    async def upload(
        self,
        source: Path | str | bytes,
        *,
        domain: Domain = "DATA_VALUE",
        name: str | None = None,
        content_type: str | None = None,
    ) -> WebMessage:
        """Upload a file, sent as it is read; `created_uid` of the result is the file resource.

        Parameters:
            source: a file, or bytes (which want a `name`).
            domain: what it is for; the server deletes what is not used within some hours.
            name: what to call it.
            content_type: its media type, guessed from the name without it.

        Raises `NotFound` when there is no such file, `Refused` when the server does not want it.
        """
        if isinstance(source, bytes) and name is None:
            raise UsageError("bytes need a name", hint='upload(data, name="photo.jpg")')
        called = name or Path(str(source)).name
        boundary = secrets.token_hex(16)
        pieces = _multipart(source, called, content_type or _media_type(called), boundary)
        media = f"multipart/form-data; boundary={boundary}"
        return await send(self._client, "POST", "fileResources", pieces, {"domain": domain}, content_type=media)

    async def upload_document(
        self, source: Path | str | bytes, *, name: str, file_name: str | None = None
    ) -> WebMessage:
        """Upload a file and make a document of it: the route for documents itself takes no file (quirk 16).

        Parameters:
            source: the file, or bytes; `file_name` what the file is called.
            name: the document's name.
        """
        stored = await self.upload(
            source, domain="DOCUMENT", name=file_name or (name if isinstance(source, bytes) else None)
        )
        if stored.created_uid is None:
            raise BrokenAnswer("the server stored a file and did not say which", hint="try again")
        body = {"name": name, "url": stored.created_uid, "external": False, "attachment": True}
        return await send(self._client, "POST", "documents", {**body})

    async def download(self, uid: str, target: Target) -> int:
        """Write a file resource's content to a file as it comes; the bytes written.

        Parameters:
            uid: the file resource.
            target: a file; a folder, in which the file gets the server's name for it (never a path); or an open file.

        API source: `GET /api/fileResources/{uid}/data`.
        """
        return await self._save(f"fileResources/{uid}/data", target)

    async def download_document(self, uid: str, target: Target) -> int:
        """Write a document's content to a file as it comes. Parameters as of `download`.

        A document that only links to another address leads away from the server and raises `NotDhis2`.
        """
        return await self._save(f"documents/{uid}/data", target)

    async def download_value(
        self, target: Target, *, data_element: str, period: str, org_unit: str, option_combo: str | None = None
    ) -> int:
        """Write the file that is a data value (`GET /api/dataValues/files`). Parameters as of `download`."""
        params = {"de": data_element, "pe": period, "ou": org_unit, "co": option_combo}
        async with self._client.stream("GET", "dataValues/files", params) as answer:
            return await bodies.write_to(_in_folder(target, answer.file_name), aiter(answer))

    async def _save(self, path: str, target: Target) -> int:
        async with self._client.stream("GET", path) as answer:
            return await bodies.write_to(_in_folder(target, answer.file_name), aiter(answer))


def _in_folder(target: Target, name: str | None) -> Target:
    """A file to write to: inside a folder that was given, by the server's name for it."""
    if isinstance(target, (str, Path)) and Path(target).is_dir():
        if name is None:
            raise UsageError(f"{target} is a folder, and the server has no name for the file", hint="give a file name")
        return Path(target) / name
    return target


def _media_type(name: str) -> str:
    import mimetypes  # start-up: it reads files of the system

    return mimetypes.guess_type(name)[0] or "application/octet-stream"


async def _multipart(source: Path | str | bytes, name: str, media_type: str, boundary: str) -> AsyncGenerator[bytes]:
    """A form with one file in it, in pieces."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\n", "")
    yield (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    ).encode()
    if isinstance(source, bytes):
        yield source
    else:
        async for piece in bodies.pieces_of(Path(source), unpack=False):
            yield piece
    yield f"\r\n--{boundary}--\r\n".encode()
