"""The writer of what a server does by one request of its own: merges, splits, runs, and raw requests. None of it can be taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dhis2sh.changes.plan import AGAIN, Part, PartDone
from dhis2sh.client.requests import JSON
from dhis2sh.client.sending import accepted
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.rows.tables import STANDARD_INPUT

if TYPE_CHECKING:
    from pathlib import Path

    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.client.requests import Content, Params
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

REQUESTS = "requests"
MEDIA_TYPES = {
    ".json": JSON, ".geojson": JSON, ".csv": "application/csv", ".xml": "application/xml", ".txt": "text/plain",
    ".adx": "application/adx+xml", ".css": "text/css", ".js": "application/javascript",
}  # fmt: skip


def pairs_of(texts: Sequence[str], option: str = "--param") -> list[tuple[str, str]]:
    """`name=value` texts as pairs, in their order. Raises `UsageError`."""
    found: list[tuple[str, str]] = []
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name.strip():
            raise UsageError(f"{option} {text}: say name=value", hint=f"{option} fields=id,name")
        found.append((name, value))
    return found


async def content_of(
    s: Session, body: str | None, from_: Path | None, content_type: str | None
) -> tuple[bytes | None, str]:
    """What a request sends and its media type: a text, or a file as it is; nothing without either.

    Raises `UsageError` where both are said, `NotFound` for a file that cannot be read.
    """
    if body is not None and from_ is not None:
        raise UsageError("--body and --from both say what is sent", hint="say it once")
    media_type = content_type or (MEDIA_TYPES.get(from_.suffix.lower()) if from_ is not None else None) or JSON
    return body.encode() if body is not None else await _read(s, from_) if from_ is not None else None, media_type


async def _read(s: Session, path: Path) -> bytes:
    if str(path) == STANDARD_INPUT:
        text = s.person.read()
        if text is None:
            raise UsageError("there is no standard input here", hint="give a file")
        return text.encode()
    try:
        return await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", hint="check the path") from error


@dataclass(frozen=True, slots=True)
class Request:
    """One request that writes.

    Parameters:
        method, path, body, params, content_type: as of `Client.write`.
        steps: the numbers of the plan's steps that it carries out.
        updated, deleted: the UIDs of what it changes and takes away; that something is gone is what tells afterwards that
            it was carried out, where no answer came.
        then: awaited after a good answer, where the server is done only later.
    """

    method: str
    path: str
    body: Content = None
    params: Params | None = None
    content_type: str = JSON
    steps: Sequence[int] = (0,)
    updated: Sequence[str] = ()
    deleted: Sequence[str] = ()
    then: Callable[[Session], Awaitable[object]] | None = None


@dataclass(slots=True)
class ByRequest:
    """Sends requests one after the other.

    Parameters:
        what: what is written, in words.
        requests: in their order.
        again: what finishes the rest where they were cut off.
        complete: completes the summary behind the last one.
    """

    name: ClassVar[str] = REQUESTS
    bulk: ClassVar[bool] = False

    what: str
    requests: Sequence[Request]
    again: str = AGAIN
    notes: Sequence[str] = ()
    concurrency: int = 1
    complete: Callable[[Session, WriteSummary], Awaitable[None]] | None = None

    def parts(self) -> Iterator[Part]:
        """A part for each request, which is that of its stage."""
        for stage, request in enumerate(self.requests):
            yield Part(request.steps, stage)

    async def moved(self, s: Session) -> Sequence[str]:
        """What a server does by itself it does with what is there then."""
        return ()

    async def send(self, s: Session, part: Part) -> PartDone:
        """Send a request. Raises `Refused` where the server says that it did nothing, also behind a status 200."""
        request = self.requests[part.stage]
        answer = await s.client.write(
            request.method, request.path, request.body, request.params, content_type=request.content_type
        )
        body = accepted(answer)
        envelope: JsonObject | None = body if isinstance(body, dict) else None
        if request.then is not None:
            await request.then(s)
        return self._done(request, part, envelope)

    def _done(self, request: Request, part: Part, envelope: JsonObject | None = None) -> PartDone:
        return PartDone(
            part.numbers, updated=len(request.updated), deleted=len(request.deleted),
            uids=[*request.updated, *request.deleted], envelope=envelope,
        )  # fmt: skip

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Was it carried out? Where all that it takes away is gone; of any other request nobody knows."""
        request = self.requests[part.stage]
        if not request.deleted:
            return PartDone()
        for uid in request.deleted:
            try:
                await s.client.find(uid)
            except NotFound:
                continue
            return PartDone()
        return self._done(request, part)

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Complete the summary."""
        if self.complete is not None and not cut_off:
            await self.complete(s, summary)
