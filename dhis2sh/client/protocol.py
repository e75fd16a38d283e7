"""What the services of the client need of it: requests to one server, and which version that is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, Unpack, overload

from dhis2sh.client.requests import JSON

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dhis2sh.client.answers import Answer, AnswerStream
    from dhis2sh.client.known import KnownServer
    from dhis2sh.client.paging import Page
    from dhis2sh.client.requests import Content, Params, Patience, Sending
    from dhis2sh.client.retry import RetryRule
    from dhis2sh.client.settings import ConnectionSettings
    from dhis2sh.client.versions import ServerVersion
    from dhis2sh.types import JsonObject, JsonValue, Row


class Requests(Protocol):
    """One server, as `dhis2sh.client.client.Client` gives it; parameters and errors stand there."""

    settings: ConnectionSettings

    @property
    def retry(self) -> RetryRule:
        """When a request is sent again."""
        ...

    @overload
    async def get(self, path: str, params: Params | None = None, **how: Unpack[Patience]) -> JsonValue: ...
    @overload
    async def get[M: BaseModel](
        self, path: str, params: Params | None = None, *, model: type[M], **how: Unpack[Patience]
    ) -> M: ...

    async def get_object(self, path: str, params: Params | None = None) -> JsonObject:
        """Read an address that answers with a JSON object."""
        ...

    async def list_page(self, resource: str, params: Params | None = None, *, key: str | None = None) -> Page:
        """One page of a list."""
        ...

    def iter(
        self,
        resource: str,
        params: Params | None = None,
        *,
        page_size: int = 500,
        limit: int | None = None,
        key: str | None = None,
    ) -> AsyncGenerator[Row]:
        """Every row of a list, page by page."""
        ...

    def pages(
        self,
        resource: str,
        params: Params | None = None,
        *,
        size: int = 500,
        limit: int | None = None,
        key: str | None = None,
    ) -> AsyncGenerator[list[Row]]:
        """The same in the lists in which they come."""
        ...

    def stream(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        *,
        body: Content = None,
        content_type: str = JSON,
        accept: str = "*/*",
        **how: Unpack[Sending],
    ) -> AbstractAsyncContextManager[AnswerStream]:
        """Read an answer as it comes."""
        ...

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
        """Send a request that may change something; the answer as it is."""
        ...

    @property
    def known_version(self) -> ServerVersion | None:
        """The server's version where it is known already."""
        ...

    async def version(self, *, fresh: bool = False) -> ServerVersion:
        """The server's version."""
        ...

    async def server(self, *, fresh: bool = False) -> KnownServer:
        """What the server says of itself."""
        ...
