"""The writer of what a server does by one request of its own: merges, splits, runs, and raw requests. None of it can be taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dhis2sh.changes.plan import AGAIN, Part, PartDone
from dhis2sh.client.requests import JSON
from dhis2sh.client.sending import accepted
from dhis2sh.errors import NotFound

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.client.requests import Content, Params
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

REQUESTS = "requests"


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
