"""Long queries under a short address, kept as long as the server runs (api-facts g.2)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/api/query/alias/"


class Aliases:
    """The aliases of one server, and the addresses that they stand for."""

    def __init__(self) -> None:
        self._targets: dict[str, str] = {}

    def add(self, target: str) -> str:
        """Keep an address; gives the alias's key."""
        key = hashlib.sha1(target.encode(), usedforsecurity=False).hexdigest()
        self._targets[key] = target
        return key

    def target_of(self, path: str) -> str | None:
        """The address that the path of an alias stands for, or None."""
        return self._targets.get(path.removeprefix(PREFIX)) if path.startswith(PREFIX) else None


class Replayed:
    """Middleware: `GET` of an alias is the request that it stands for."""

    def __init__(self, app: ASGIApp, aliases: Aliases) -> None:
        self._app, self._aliases = app, aliases

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, an alias under its own address."""
        target = (
            self._aliases.target_of(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        )
        if target is not None:
            parts = urlsplit(target)
            scope = {
                **scope,
                "path": parts.path,
                "raw_path": parts.path.encode(),
                "query_string": parts.query.encode(),
                "asked_path": parts.path,
            }
        await self._app(scope, receive, send)
