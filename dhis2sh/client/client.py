"""The async client of one server: requests, typed answers and paged lists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast, overload

from dhis2sh.client import envelopes
from dhis2sh.client.transport import Answer, Param, Params, Transport
from dhis2sh.client.versions import ServerVersion, parse_version
from dhis2sh.errors import NotDhis2, NotFound

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dhis2sh.client.auth import SignIn
    from dhis2sh.client.retry import RetryRule
    from dhis2sh.client.settings import ConnectionSettings
    from dhis2sh.client.tracing import Tracer
    from dhis2sh.types import JsonObject, JsonValue, Row

READ_AHEAD = 2
"""How many pages are fetched before somebody asks for them."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its rows, and what the server says of the whole (None without a pager)."""

    rows: list[Row]
    page: int = 1
    page_count: int | None = None
    total: int | None = None


class Client:
    """Talks to one DHIS2 server. An async context manager; safe for many concurrent calls on one event loop.

    Parameters:
        settings: where the server is and how patiently to talk to it.
        sign_in: who we are.
        asgi_app: an application in this process in place of a network address.
        tracer: writes a line per request.
        retry: the rule for sending again.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        sign_in: SignIn,
        *,
        asgi_app: object | None = None,
        tracer: Tracer | None = None,
        retry: RetryRule | None = None,
    ) -> None:
        self.settings = settings
        self.transport = Transport(settings, sign_in, asgi_app=asgi_app, tracer=tracer, retry=retry)
        self._version: ServerVersion | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self.transport.aclose()

    @overload
    async def get(self, path: str, params: Params | None = None, *, timeout: float | None = None) -> JsonValue: ...
    @overload
    async def get[M: BaseModel](
        self, path: str, params: Params | None = None, *, model: type[M], timeout: float | None = None
    ) -> M: ...
    async def get(
        self, path: str, params: Params | None = None, *, model: Any = None, timeout: float | None = None
    ) -> Any:
        """Read an address.

        Parameters:
            path: below `/api`, with or without it: `dataElements/s46m5MS0hxu`, `/api/me`.
            params: query parameters; lists are repeated, None is left out.
            model: a pydantic model to validate the answer with.
            timeout: seconds without a byte, instead of the profile's.

        Raises every error of `dhis2sh.client.envelopes.parse` and of the transport.
        """
        answer = await self.transport.send("GET", api_path(path), params=params, timeout=timeout)
        data = envelopes.parse(answer)
        return data if model is None else model.model_validate(data)

    async def get_object(self, path: str, params: Params | None = None) -> JsonObject:
        """Read an address that answers with a JSON object; anything else raises `NotDhis2`."""
        data = await self.get(path, params)
        if not isinstance(data, dict):
            raise NotDhis2(f"GET {api_path(path)}: expected a JSON object", hint="dhis2 profile verify")
        return data

    async def get_bytes(self, path: str, params: Params | None = None, *, accept: str = "*/*") -> bytes:
        """Read an address as it is (CSV, files)."""
        answer = await self.transport.send("GET", api_path(path), params=params, headers={"Accept": accept})
        if answer.status >= 400 or answer.content_type == "text/html":
            envelopes.parse(answer)  # raises what a refusal or a login page means
        return answer.body

    async def post(
        self, path: str, body: JsonValue | bytes = None, params: Params | None = None, *, idempotent: bool | None = None
    ) -> JsonValue:
        """Send a POST; a JSON body is encoded here. Raises as `get` does."""
        return await self._write("POST", path, body, params, idempotent)

    async def put(self, path: str, body: JsonValue | bytes = None, params: Params | None = None) -> JsonValue:
        """Send a PUT. Raises as `get` does."""
        return await self._write("PUT", path, body, params, None)

    async def patch(self, path: str, body: JsonValue, params: Params | None = None) -> JsonValue:
        """Send an RFC 6902 JSON patch. Raises as `get` does."""
        return await self._write("PATCH", path, body, params, None, "application/json-patch+json")

    async def delete(self, path: str, params: Params | None = None) -> JsonValue:
        """Send a DELETE. Raises as `get` does."""
        return await self._write("DELETE", path, None, params, None)

    async def _write(
        self,
        method: str,
        path: str,
        body: JsonValue | bytes,
        params: Params | None,
        idempotent: bool | None,
        content_type: str = "application/json",
    ) -> JsonValue:
        import orjson

        content = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content_type} if content is not None else {}
        answer = await self.transport.send(
            method, api_path(path), params=params, body=content, headers=headers, idempotent=idempotent
        )
        return envelopes.parse(answer)

    @contextmanager
    def assuming(self, version: str) -> Generator[bool]:
        """Inside, a server that nobody has asked yet is taken for this version; gives whether that is so."""
        unknown = self._version is None
        self._version = self._version or parse_version(version)
        try:
            yield unknown
        finally:
            if unknown:
                self._version = None

    async def version(self) -> ServerVersion:
        """The server's version, read once per client. Raises `NotDhis2` when the answer has none."""
        if self._version is None:
            info = await self.get_object("system/info", {"fields": "version"})
            self._version = parse_version(str(info.get("version", "")))
        return self._version

    async def list_page(self, resource: str, params: Params | None = None) -> Page:
        """One page of a list (`GET /api/<resource>`)."""
        return _page(resource, await self.get_object(resource, params))

    async def iter(self, resource: str, params: Params | None = None, *, page_size: int = 500) -> AsyncIterator[Row]:
        """Every row of a list, page by page, with at most `READ_AHEAD` pages fetched ahead.

        Parameters:
            resource: the type's plural.
            params: `fields`, `filter`, `order`, ...
            page_size: rows per request.

        A list without `order` is stable: DHIS2 sorts it by name, then by UID.
        """
        query: dict[str, Param] = {**(params or {}), "pageSize": page_size}
        first = await self.list_page(resource, {**query, "page": 1})
        for row in first.rows:
            yield row
        ahead: list[asyncio.Task[Page]] = []
        following = iter(range(2, (first.page_count or 1) + 1))
        try:
            while True:
                while len(ahead) < READ_AHEAD and (number := next(following, None)) is not None:
                    ahead.append(asyncio.create_task(self.list_page(resource, {**query, "page": number})))
                if not ahead:
                    return
                page = await ahead.pop(0)
                for row in page.rows:
                    yield row
        finally:
            for task in ahead:
                task.cancel()

    async def find(self, uid: str) -> Row:
        """Any object by its UID (`GET /api/identifiableObjects/{uid}`). Raises `NotFound`."""
        return await self.get_object(f"identifiableObjects/{uid}")

    async def ping(self) -> Answer:
        """Ask `/api/system/ping`; the answer knows how long it took."""
        answer = await self.transport.send("GET", "/api/system/ping")
        envelopes.parse(answer)
        return answer


def api_path(path: str) -> str:
    """The path below the server's address: `/api/` is put before what does not have it."""
    path = "/" + path.lstrip("/")
    return path if path.startswith(("/api/", "/oauth2/", "/.well-known/")) else f"/api{path}"


def _page(resource: str, body: JsonObject) -> Page:
    key = resource.rpartition("/")[2]
    rows = body.get(key)
    if not isinstance(rows, list):
        raise NotFound(f"the server's answer has no '{key}'", hint="dhis2 metadata types")
    pager = cast("JsonObject", body.get("pager") or {})
    return Page(
        rows=cast("list[Row]", rows),
        page=cast("int", pager.get("page", 1)),
        page_count=cast("int | None", pager.get("pageCount")),
        total=cast("int | None", pager.get("total", len(rows) if not pager else None)),
    )
