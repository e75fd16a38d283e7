"""Files: uploaded as file resources, documents built on them, and contents read as they come.

API source: `FileResourceController.java`, `DocumentController.java` (facts, quirk 16; recorded `inst-documents-files`,
`data-files`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.client import bodies, envelopes
from dhis2sh.client.forms import FileForm
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.sending import accepted, send
from dhis2sh.errors import BrokenAnswer, Refused, TimedOut, UsageError

if TYPE_CHECKING:
    from dhis2sh.client.answers import AnswerStream
    from dhis2sh.client.bodies import Target
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Params
    from dhis2sh.types import JsonObject

type Domain = Literal[
    "DATA_VALUE", "DOCUMENT", "MESSAGE_ATTACHMENT", "USER_AVATAR", "ORG_UNIT", "ICON", "PUSH_ANALYSIS"
]
type Logo = Literal["logo_front", "logo_banner"]
ANYTHING = "*/*"
PATIENCE = 60.0
"""Seconds that a server has to bring a file to where it keeps it."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file has to be: as the server says of its file resource; what is None is not checked.

    Parameters:
        length: bytes; `md5` their sum.
        media_type: what it is.
    """

    length: int | None = None
    md5: str | None = None
    media_type: str | None = None

    @classmethod
    def of(cls, body: JsonObject) -> Content:
        """Of a file resource."""
        length, md5, media = body.get("contentLength"), body.get("contentMd5"), body.get("contentType")
        return cls(
            length if isinstance(length, int) else None,
            md5 if isinstance(md5, str) and md5 else None,
            media if isinstance(media, str) else None,
        )

    @property
    def accept(self) -> str:
        """What to ask for: only of a page is a page an answer, else it is a login page."""
        return f"text/html, {ANYTHING}" if "html" in (self.media_type or "") else ANYTHING


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
        uid: str | None = None,
    ) -> WebMessage:
        """Upload a file, sent as it is read; `created_uid` of the result is the file resource.

        Parameters:
            source: a file, or bytes (which want a `name`).
            domain: what it is for; the server deletes what is not used within some hours.
            name: what to call it.
            content_type: its media type, guessed from the name without it.
            uid: of the file resource.

        Raises `NotFound` when there is no such file, `Refused` when the server does not want it, `BrokenAnswer` where it
        has kept other bytes than were sent.
        """
        form = _form(source, name, content_type)
        return await self._uploaded(form, "fileResources", {"domain": domain, "uid": uid})

    async def upload_value(
        self,
        source: Path | str | bytes,
        *,
        data_element: str,
        period: str,
        org_unit: str,
        option_combo: str | None = None,
        name: str | None = None,
    ) -> WebMessage:
        """Upload a file and make it the data value of a cell (`POST /api/dataValues/file`). Parameters as of `upload`."""
        params = {"de": data_element, "pe": period, "ou": org_unit, "co": option_combo}
        return await self._uploaded(_form(source, name, None), "dataValues/file", params)

    async def _uploaded(self, form: FileForm, path: str, params: Params) -> WebMessage:
        answer = await form.send(self._client, path, params)
        data = envelopes.parse(answer)
        message = WebMessage.of(data, status=answer.status, location=answer.headers.get("location"))
        body = (message.response or {}).get("fileResource")
        kept = Content.of(cast("JsonObject", body)) if isinstance(body, dict) else Content()
        if kept.length not in (None, form.length) or kept.md5 not in (None, form.md5):
            told = f"{form.name}: {form.length:,} bytes were sent, and the server has kept {_others(kept)}"
            raise BrokenAnswer(told, hint="send it again")
        return message

    async def stored(self, uid: str, *, patience: float = PATIENCE, pause: float = 0.25) -> JsonObject:
        """A file resource, when the server has brought its content to where it keeps it.

        Parameters:
            patience: seconds at the most; `pause` seconds between the first two looks, more and more between the others.

        Of files of data values a server does not say it (NONE, recorded). Raises `Refused` where it has failed, `TimedOut`.
        """
        waited = 0.0
        while True:
            body = await self._client.get_object(f"fileResources/{uid}")
            status = body.get("storageStatus")
            if status == "FAILED":
                raise Refused(
                    f"the server could not keep the content of {uid} (storageStatus FAILED)",
                    hint="its log says why; then send it again",
                )
            if status != "PENDING":
                return body
            if waited >= patience:
                raise TimedOut(
                    f"{uid}: after {patience:g} s the server has not kept its content yet",
                    hint=f"dhis2 files resources get {uid}",
                )
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 5.0)

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

    async def fetch(self, path: str, params: Params, target: Target, content: Content) -> str:
        """Write a content to a file as it comes, byte for byte; the MD5 sum of what was written.

        Parameters:
            path, params: the request.
            target: a file, which appears when all of it has come and is what it has to be; or an open one.
            content: what it has to be.

        Raises `BrokenAnswer` where other bytes came than the server says that it keeps.
        """
        came: list[str] = []

        async def checked(answer: AnswerStream) -> AsyncIterator[bytes]:
            length, digest = 0, hashlib.md5(usedforsecurity=False)
            async for piece in answer:
                length += len(piece)
                digest.update(piece)
                yield piece
            if content.length not in (None, length) or content.md5 not in (None, digest.hexdigest()):
                told = f"GET {path}: {length:,} bytes came, and the server keeps {_others(content)}"
                raise BrokenAnswer(told, hint="try again; nothing was written")
            came.append(digest.hexdigest())

        await bodies.save(self._client, path, params, target, checked, accept=content.accept, as_is=True)
        return came[-1]

    async def logo(self, key: Logo) -> bytes:
        """The logo of the front page or of the banner (`GET /api/staticContent/{key}`): the server's own where none was set."""
        async with self._client.stream("GET", f"staticContent/{key}", accept=f"image/png, {ANYTHING}") as answer:
            return await answer.read()

    async def set_logo(self, key: Logo, picture: bytes) -> None:
        """Upload a logo, a PNG picture; whether it is used the setting `keyUseCustomLogoFront` or `-Banner` says.

        Raises `Refused` for what is no PNG by its type.
        """
        accepted(await FileForm(picture, f"{key}.png", "image/png").send(self._client, f"staticContent/{key}"))

    async def style(self) -> str:
        """The style sheet of the installation, empty where none was set (`GET /api/files/style`)."""
        async with self._client.stream("GET", "files/style", accept=f"text/css, {ANYTHING}") as answer:
            return (await answer.read()).decode(errors="replace")

    async def set_style(self, text: str) -> None:
        """Set the style sheet; an empty one takes it away."""
        if text:
            accepted(await self._client.write("POST", "files/style", text.encode(), content_type="text/css"))
        else:
            accepted(await self._client.write("DELETE", "files/style"))

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
            return await bodies.write_to(_in_folder(target, answer.file_name), aiter(answer), as_is=True)

    async def _save(self, path: str, target: Target) -> int:
        async with self._client.stream("GET", path) as answer:
            return await bodies.write_to(_in_folder(target, answer.file_name), aiter(answer), as_is=True)


def _others(content: Content) -> str:
    """How many other bytes, where the server says it."""
    return "others" if content.length is None else f"{content.length:,} others"


def _in_folder(target: Target, name: str | None) -> Target:
    """A file to write to: inside a folder that was given, by the server's name for it."""
    if isinstance(target, (str, Path)) and Path(target).is_dir():
        if name is None:
            raise UsageError(f"{target} is a folder, and the server has no name for the file", hint="give a file name")
        return Path(target) / name
    return target


def _form(source: Path | str | bytes, name: str | None, content_type: str | None) -> FileForm:
    if isinstance(source, bytes) and name is None:
        raise UsageError("bytes need a name", hint='upload(data, name="photo.jpg")')
    return FileForm(source, name or Path(str(source)).name, content_type or "")
