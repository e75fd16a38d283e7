"""The async client of one server: requests, typed answers and paged lists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, Unpack, overload

from dhis2sh.client import envelopes
from dhis2sh.client.aliases import Address, Aliases
from dhis2sh.client.answers import Answer, AnswerStream
from dhis2sh.client.known import FIELDS, Known, KnownServer, known_from, may_be_another_version
from dhis2sh.client.paging import Page, page_of, pages_of
from dhis2sh.client.requests import (
    JSON,
    Content,
    Params,
    Patience,
    Sending,
    addressed,
    api_path,
    encode_params,
    encoded,
)
from dhis2sh.client.transport import Transport
from dhis2sh.client.versions import NEWEST, ServerVersion, parse_version
from dhis2sh.errors import Dhis2Error, NotDhis2, NotFound
from dhis2sh.types import JsonValue

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dhis2sh.client.analytics import Analytics
    from dhis2sh.client.apps import Apps
    from dhis2sh.client.auth import SignIn
    from dhis2sh.client.data_values import DataValues
    from dhis2sh.client.files import Files
    from dhis2sh.client.metadata import Metadata
    from dhis2sh.client.resources import Resources
    from dhis2sh.client.retry import RetryRule
    from dhis2sh.client.settings import ConnectionSettings
    from dhis2sh.client.sharing import SharingService
    from dhis2sh.client.system import System
    from dhis2sh.client.tasks import Tasks
    from dhis2sh.client.tracing import Tracer
    from dhis2sh.client.tracker import Tracker
    from dhis2sh.types import JsonObject, Row

JSON_PATCH = "application/json-patch+json"


class Client:
    """Talks to one DHIS2 server. An async context manager; safe for many concurrent calls on one event loop.

    Parameters:
        settings: where the server is and how patiently to talk to it.
        sign_in: who we are.
        asgi_app: an application in this process in place of a network address.
        tracer: writes a line per request.
        retry: the rule for sending again.
        known: keeps what is known of the server between processes; None asks anew.
        warn: told, in one line, what the user should know before trusting a result.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        sign_in: SignIn,
        *,
        asgi_app: object | None = None,
        tracer: Tracer | None = None,
        retry: RetryRule | None = None,
        known: Known | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings
        self.transport = Transport(settings, sign_in, asgi_app=asgi_app, tracer=tracer, retry=retry)
        self._known = known
        self._warn = warn
        self._server: KnownServer | None = None
        self._from_before = False
        self._asking = asyncio.Lock()
        self._aliases = Aliases(self)

    @property
    def retry(self) -> RetryRule:
        """When a request is sent again."""
        return self.transport.retry

    # What is built on top; each is imported when it is first used.

    @cached_property
    def resources(self) -> Resources:
        """The metadata types of the server: `client.resources.data_elements`."""
        from dhis2sh.client.resources import Resources  # start-up: with its first use

        return Resources(self)

    @cached_property
    def metadata(self) -> Metadata:
        """Metadata of several types: search, export, import, usage."""
        from dhis2sh.client.metadata import Metadata  # start-up: with its first use

        return Metadata(self)

    @cached_property
    def data_values(self) -> DataValues:
        """Aggregate data values, in and out."""
        from dhis2sh.client.data_values import DataValues  # start-up: with its first use

        return DataValues(self)

    @cached_property
    def analytics(self) -> Analytics:
        """Tables of analytics."""
        from dhis2sh.client.analytics import Analytics  # start-up: with its first use

        return Analytics(self)

    @cached_property
    def tracker(self) -> Tracker:
        """Tracked entities, enrollments, events and relationships."""
        from dhis2sh.client.tracker import Tracker  # start-up: with its first use

        return Tracker(self)

    @cached_property
    def tasks(self) -> Tasks:
        """Jobs that run on the server."""
        from dhis2sh.client.tasks import Tasks  # start-up: with its first use

        return Tasks(self)

    @cached_property
    def system(self) -> System:
        """Facts of the server, kept for five minutes."""
        from dhis2sh.client.system import System  # start-up: with its first use

        return System(self)

    @cached_property
    def sharing(self) -> SharingService:
        """Who may see and change objects."""
        from dhis2sh.client.sharing import SharingService  # start-up: with its first use

        return SharingService(self)

    @cached_property
    def apps(self) -> Apps:
        """Apps that are installed."""
        from dhis2sh.client.apps import Apps  # start-up: with its first use

        return Apps(self)

    @cached_property
    def files(self) -> Files:
        """File resources and documents."""
        from dhis2sh.client.files import Files  # start-up: with its first use

        return Files(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self.transport.aclose()

    @overload
    async def get(
        self,
        path: str,
        params: Params | None = None,
        **how: Unpack[Patience],
    ) -> JsonValue: ...
    @overload
    async def get[M: BaseModel](
        self,
        path: str,
        params: Params | None = None,
        *,
        model: type[M],
        **how: Unpack[Patience],
    ) -> M: ...
    async def get(
        self,
        path: str,
        params: Params | None = None,
        *,
        model: Any = None,
        **how: Unpack[Patience],
    ) -> Any:
        """Read an address.

        Parameters:
            path: below `/api`, with or without it: `dataElements/s46m5MS0hxu`, `/api/me`; or whole, as a pager's `nextPage`.
            params: query parameters, by name or as pairs; lists are repeated, None is left out.
            model: a pydantic model to validate the answer with.
            how: limits of this call, as of `Patience`.

        Raises every error of `dhis2sh.client.envelopes.parse` and of the transport; `BrokenAnswer` where the answer is
        not what the model says.
        """
        answer = await self.read(path, params, **how)
        return await self._fitting(answer, model)

    async def read(
        self,
        path: str,
        params: Params | None = None,
        *,
        accept: str = JSON,
        **how: Unpack[Patience],
    ) -> Answer:
        """GET an address as the server gives it, refusals included; one that is too long goes as an alias."""
        path, pairs = addressed(self.settings.url, path, params)
        headers = {"Accept": accept}
        if (short := await self._aliases.short(path, pairs)) is not None:
            answer = await self.transport.send("GET", short[0], params=short[1], headers=headers, **how)
            if self._aliases.answered(answer.status, empty=not answer.body):
                return answer
        return await self.transport.send("GET", path, params=pairs, headers=headers, **how)

    async def get_object(self, path: str, params: Params | None = None) -> JsonObject:
        """Read an address that answers with a JSON object; anything else raises `NotDhis2`."""
        data = await self.get(path, params)
        if not isinstance(data, dict):
            raise NotDhis2(f"GET {api_path(path)}: expected a JSON object", hint="dhis2 profile verify")
        return data

    async def get_bytes(self, path: str, params: Params | None = None, *, accept: str = "*/*") -> bytes:
        """Read an address as it is (CSV, small files). What may be large is read with `stream`."""
        answer = await self.read(path, params, accept=accept)
        if answer.status >= 400 or answer.content_type == "text/html":
            envelopes.parse(answer)  # raises what a refusal or a login page means
        return answer.body

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        *,
        body: Content = None,
        content_type: str = JSON,
        accept: str = "*/*",
        **how: Unpack[Sending],
    ) -> AsyncGenerator[AnswerStream]:
        """Read an answer as it comes, never holding it whole; a request body may be an async iterator.

            async with client.stream("GET", "dataValueSets", params, accept="text/csv") as answer:
                async for piece in answer:
                    file.write(piece)

        Parameters:
            method, path, params, content_type, how: as of `get` and `post`.
            body: data, bytes, or an async iterator of bytes, which is sent as it comes and never repeated.
            accept: the media type to ask for.

        Raises a refusal before the block is entered; `BrokenAnswer` from the iteration when the body was cut off.
        """
        path, pairs = addressed(self.settings.url, path, params)
        content, headers = encoded(body, content_type)
        headers = {"Accept": accept, **headers}

        def begun(there: Address) -> AbstractAsyncContextManager[AnswerStream]:
            return self.transport.stream(method, there[0], params=there[1], body=content, headers=headers, **how)

        short = await self._aliases.short(path, pairs) if method == "GET" else None
        async with AsyncExitStack() as open_:
            answer = await open_.enter_async_context(begun(short or (path, pairs)))
            if short is not None and not self._aliases.answered(answer.status, empty=await answer.is_empty()):
                await open_.aclose()
                answer = await open_.enter_async_context(begun((path, pairs)))
            if answer.status >= 300 or (answer.content_type == "text/html" and "html" not in accept):
                envelopes.parse(await envelopes.whole(answer))
                raise NotDhis2(f"{method} {path}: status {answer.status}", hint="dhis2 profile verify")
            yield answer

    @overload
    async def post(
        self,
        path: str,
        body: Content = None,
        params: Params | None = None,
        *,
        content_type: str = JSON,
        **how: Unpack[Sending],
    ) -> JsonValue: ...
    @overload
    async def post[M: BaseModel](
        self,
        path: str,
        body: Content = None,
        params: Params | None = None,
        *,
        model: type[M],
        content_type: str = JSON,
        **how: Unpack[Sending],
    ) -> M: ...
    async def post(
        self, path: str, body: Content = None, params: Params | None = None, *, model: Any = None, **how: Any
    ) -> Any:
        """Send a POST.

        Parameters:
            path, params, model: as of `get`.
            body: data, which is encoded as JSON; bytes; or an async iterator of bytes, sent as it comes.
            content_type: of bytes and iterators.
            how: limits, and whether it may be sent again after a fault that may pass, as of `Sending`.

        Raises as `get` does.
        """
        return await self._fitting(await self.write("POST", path, body, params, **how), model)

    @overload
    async def put(
        self,
        path: str,
        body: Content = None,
        params: Params | None = None,
        *,
        content_type: str = JSON,
        **how: Unpack[Sending],
    ) -> JsonValue: ...
    @overload
    async def put[M: BaseModel](
        self,
        path: str,
        body: Content = None,
        params: Params | None = None,
        *,
        model: type[M],
        content_type: str = JSON,
        **how: Unpack[Sending],
    ) -> M: ...
    async def put(
        self, path: str, body: Content = None, params: Params | None = None, *, model: Any = None, **how: Any
    ) -> Any:
        """Send a PUT. Parameters and errors as of `post`."""
        return await self._fitting(await self.write("PUT", path, body, params, **how), model)

    @overload
    async def patch(
        self,
        path: str,
        body: Content,
        params: Params | None = None,
        *,
        content_type: str = JSON_PATCH,
        **how: Unpack[Sending],
    ) -> JsonValue: ...
    @overload
    async def patch[M: BaseModel](
        self,
        path: str,
        body: Content,
        params: Params | None = None,
        *,
        model: type[M],
        content_type: str = JSON_PATCH,
        **how: Unpack[Sending],
    ) -> M: ...
    async def patch(
        self,
        path: str,
        body: Content,
        params: Params | None = None,
        *,
        model: Any = None,
        content_type: str = JSON_PATCH,
        **how: Any,
    ) -> Any:
        """Send an RFC 6902 JSON patch. Parameters and errors as of `post`."""
        answer = await self.write("PATCH", path, body, params, content_type=content_type, **how)
        return await self._fitting(answer, model)

    async def delete(
        self,
        path: str,
        params: Params | None = None,
        **how: Unpack[Patience],
    ) -> JsonValue:
        """Send a DELETE. Raises as `get` does."""
        return await self._fitting(await self.write("DELETE", path, None, params, **how))

    async def write(
        self,
        method: str,
        path: str,
        body: Content = None,
        params: Params | None = None,
        *,
        content_type: str = JSON,
        **how: Unpack[Sending],
    ) -> Answer:
        """Send a request that may change something; the answer as it is, refusals and headers included."""
        content, headers = encoded(body, content_type)
        path, pairs = addressed(self.settings.url, path, params)
        return await self.transport.send(method, path, params=pairs, body=content, headers=headers, **how)

    # What is known of the server ---------------------------------------------------------------------------------

    @asynccontextmanager
    async def assuming(self, version: str) -> AsyncGenerator[bool]:
        """Inside, a server of which nothing is known is taken for this version; gives whether that is so."""
        kept = self._server or (await asyncio.to_thread(self._known.read) if self._known else None)
        before, self._server = self._server, kept or KnownServer(self.settings.url, version)
        try:
            yield kept is None
        finally:
            self._server = before

    @property
    def known_version(self) -> ServerVersion | None:
        """The server's version where it is known already; nothing is asked for it."""
        return parse_version(self._server.version) if self._server is not None else None

    async def version(self, *, fresh: bool = False) -> ServerVersion:
        """The server's version: what is known of it, or one request; with `fresh` always the latter.

        Raises `NotDhis2` when the answer has none, `Refused` for a server that is too old.
        """
        return parse_version((await self.server(fresh=fresh)).version)

    async def server(self, *, fresh: bool = False) -> KnownServer:
        """What the server says of itself: read once, and kept for the next process where there is a profile.

        Parameters:
            fresh: ask it again, whatever is known.

        API source: `GET /api/system/info`.
        """
        if fresh:
            self._from_before, self._server = False, await self._ask_server()
        if self._server is None:
            async with self._asking:  # many may want to know at once; one asks
                if self._server is None:
                    kept = await asyncio.to_thread(self._known.read) if self._known else None
                    self._from_before = kept is not None
                    self._server = kept or await self._ask_server()
        return self._server

    async def remember(self, *, username: str) -> None:
        """Keep who is signed in, for the banner of the next shell."""
        self._server = replace(await self.server(), username=username)
        if self._known is not None:
            await asyncio.to_thread(self._known.write, self._server)

    async def _ask_server(self) -> KnownServer:
        answer = await self.transport.send("GET", "/api/system/info", params={"fields": FIELDS})
        info = envelopes.parse(answer)
        server = known_from(self.settings.url, info if isinstance(info, dict) else {})
        version = parse_version(server.version)
        if version.newer_than_known and self._warn is not None:
            self._warn(
                f"this server is DHIS2 {version}, newer than dhis2sh knows; what it knows of 2.{NEWEST[1]} is used for it"
            )
        if self._known is not None:
            await asyncio.to_thread(self._known.write, server)
        return server

    async def _fitting(self, answer: Answer, model: Any = None) -> Any:
        """The answer's data; one that does not fit what we know of the server makes us look again."""
        try:
            return envelopes.parsed(answer, model)
        except Dhis2Error as error:
            await self._look_again(error)
            raise

    async def _look_again(self, error: Dhis2Error) -> None:
        """After an error that another version would explain: ask the server anew, once, if all we know is from before."""
        if not self._from_before or not may_be_another_version(error):
            return
        self._from_before = False
        before = self._server
        try:
            self._server = await self._ask_server()
        except Dhis2Error:
            return  # what the user asked for has failed already; that error says more
        if before is not None and self._server.version != before.version:
            error.hint = (
                f"the server was DHIS2 {before.version} and is {self._server.version} now: run the same command again"
            )

    async def list_page(self, resource: str, params: Params | None = None, *, key: str | None = None) -> Page:
        """One page of a list (`GET /api/<resource>`).

        Parameters:
            resource: the list's path, such as `dataElements`, `dataElements/gist`, `tracker/events`.
            params: `fields`, `filter`, `order`, `page`, `pageSize`, ...
            key: where the rows are, when neither the path says it nor there is only one array.
        """
        body = await self.get(resource, params)
        try:
            return page_of(resource, body, key=key)
        except NotFound as error:
            await self._look_again(error)
            raise

    async def iter(
        self,
        resource: str,
        params: Params | None = None,
        *,
        page_size: int = 500,
        limit: int | None = None,
        key: str | None = None,
    ) -> AsyncGenerator[Row]:
        """Every row of a list of any kind (plain, gist, tracker), page by page, with a little read ahead.

        Parameters:
            resource, params, key: as of `list_page`.
            page_size: rows per request.
            limit: stop after so many rows, and fetch no page beyond them.

        A plain list without `order` is stable: DHIS2 sorts it by name, then by UID.
        """
        async with aclosing(self.pages(resource, params, size=page_size, limit=limit, key=key)) as pages:
            async for rows in pages:
                for row in rows:
                    yield row

    async def pages(
        self,
        resource: str,
        params: Params | None = None,
        *,
        size: int = 500,
        limit: int | None = None,
        key: str | None = None,
    ) -> AsyncGenerator[list[Row]]:
        """The rows of `iter` in the lists in which they come, of `size` at the most; parameters as of `iter`."""
        query = [pair for pair in encode_params(params) if pair[0] not in {"page", "pageSize"}]

        def fetch(number: int) -> Awaitable[Page]:
            return self.list_page(resource, [*query, ("pageSize", size), ("page", number)], key=key)

        left = limit
        async with aclosing(pages_of(fetch, pages=None if limit is None else -(-limit // size))) as pages:
            async for page in pages:
                yield page.rows if left is None else page.rows[:left]
                left = None if left is None else left - len(page.rows)
                if left is not None and left <= 0:
                    return

    async def batches(
        self,
        path: str,
        params: Params | None = None,
        *,
        key: str | None = None,
        size: int = 1000,
        accept: str = JSON,
        **how: Unpack[Sending],
    ) -> AsyncGenerator[list[Row]]:
        """The rows of one answer, however large, as it comes: no more than a batch is held.

            async with aclosing(client.batches("dataValueSets", params, key="dataValues")) as batches:
                async for rows in batches:
                    ...

        Closing it closes the request. A list is asked for with `paging=False`, or read with `pages`.

        Parameters:
            path, params, how: as of `get`.
            key: the array of the answer that holds the rows; the last part of the path without it.
            size: rows in one batch.
            accept: `text/csv` or `application/csv` where the address gives CSV: its columns are named by its first line.

        An answer that breaks off goes on as `bodies.read` says.

        Raises as `stream` and `dhis2sh.client.streams.batches_of` do.
        """
        from dhis2sh.client.bodies import read  # start-up: most commands read no stream
        from dhis2sh.client.streams import batches_of  # start-up: as above

        named = key or path.removesuffix("/gist").rpartition("/")[2]
        found = read(self, path, params or {}, lambda answer: batches_of(answer, named, size), accept=accept, **how)
        async with aclosing(found) as batches:
            async for rows in batches:
                yield rows

    async def find(self, uid: str) -> Row:
        """Any object by its UID (`GET /api/identifiableObjects/{uid}`). Raises `NotFound`."""
        return await self.get_object(f"identifiableObjects/{uid}")

    async def ping(self) -> Answer:
        """Ask `/api/system/ping`; the answer knows how long it took."""
        answer = await self.transport.send("GET", "/api/system/ping")
        envelopes.parse(answer)
        return answer
