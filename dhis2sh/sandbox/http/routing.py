"""Routes of the sandbox: it has hundreds, is made anew for each command, and is asked thousands of times.

So nothing of a route is made before it is asked, and a request is held against the few that may fit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, compile_path, request_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

type Handler = Callable[[Request], Awaitable[Response] | Response]

_SPANS = ":path}"
"""What a parameter ends with that may hold several parts of a path; all others hold one."""
_compiled = cache(compile_path)


class _Shape(NamedTuple):
    """What paths have in common that a pattern may match."""

    parts: int | None
    """How many parts, None for any number."""
    start: tuple[str, ...] | None
    """Their first two, None for any."""


@cache
def _shape(pattern: str) -> _Shape:
    parts = pattern.split("/")[1:]
    start = tuple(parts[:2])
    return _Shape(None if _SPANS in pattern else len(parts), None if any("{" in part for part in start) else start)


class Route(BaseRoute):
    """A handler at a path.

    Parameters:
        path: with parameters as Starlette has them, `/api/{plural}/{uid:uid}`.
        endpoint: plain functions run in a thread.
        methods: what it answers to; where GET is, HEAD too.
    """

    def __init__(self, path: str, endpoint: Handler, *, methods: Collection[str] = ("GET",)) -> None:
        self.path = path
        self.endpoint = endpoint
        self.methods = frozenset([*methods, "HEAD"] if "GET" in methods else methods)
        self._app: ASGIApp | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it answers, with what it is told of the path."""
        pattern, _, convertors = _compiled(self.path)
        found = pattern.match(scope["path"])
        if found is None:
            return Match.NONE, {}
        told: dict[str, Any] = {name: convertors[name].convert(text) for name, text in found.groupdict().items()}
        child: Scope = {"endpoint": self.endpoint, "path_params": told}
        return Match.FULL if scope["method"] in self.methods else Match.PARTIAL, child

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. Raises `HTTPException` with 405 for a method that is another's."""
        if scope["method"] not in self.methods:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(self.methods))})
        if self._app is None:
            self._app = request_response(self.endpoint)
        await self._app(scope, receive, send)


class Routes(BaseRoute):
    """Many routes as one: the first that answers does, as in Starlette's list of them.

    Parameters:
        routes: in the order in which they are asked.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(_shape(route.path), route) for route in routes]
        self._starts = {shape.start for shape, _ in self._routes}
        self._fitting: dict[tuple[int, tuple[str, ...] | None], list[Route]] = {}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The first route that answers, else the first that has the path and answers to another method."""
        if scope["type"] != "http":
            return Match.NONE, {}
        partial: tuple[Match, Scope] = Match.NONE, {}
        for route in self._that_fit(scope["path"]):
            match, child = route.matches(scope)
            if match is Match.FULL:
                return match, {**child, "route": route}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = match, {**child, "route": route}
        return partial

    def _that_fit(self, path: str) -> list[Route]:
        parts = path.split("/")[1:]
        start = tuple(parts[:2])
        asked = (len(parts), start if start in self._starts else None)
        fitting = self._fitting.get(asked)
        if fitting is None:
            fitting = self._fitting[asked] = [
                route
                for shape, route in self._routes
                if shape.parts in {None, asked[0]} and shape.start in {None, asked[1]}
            ]
        return fitting

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the route that was found."""
        route: Route = scope["route"]
        await route.handle(scope, receive, send)
