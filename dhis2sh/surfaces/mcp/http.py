"""MCP over HTTP on the loopback, with a bearer token: the official library carries the messages, our answers are the same."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, cast

from dhis2sh import __version__
from dhis2sh.errors import MissingExtra
from dhis2sh.surfaces.mcp.answers import INSTRUCTIONS, MODERN, Answers, Handler, Refusal, modern

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

type Scope = MutableMapping[str, Any]
type App = Callable[[Scope, Callable[[], Awaitable[Scope]], Callable[[Scope], Awaitable[None]]], Awaitable[None]]


def make_server(answers: Answers) -> Any:
    """The library's server with our answers. Raises `MissingExtra` without the extra `mcp`."""
    try:
        import mcp_types as types
        from mcp.server.lowlevel import Server
        from mcp.shared.exceptions import MCPError
    except ImportError as error:
        raise MissingExtra("dhis2-mcp --http", "mcp") from error

    params = {
        "tools/list": types.PaginatedRequestParams, "tools/call": types.CallToolRequestParams,
        "resources/list": types.PaginatedRequestParams, "resources/templates/list": types.PaginatedRequestParams,
        "resources/read": types.ReadResourceRequestParams, "prompts/list": types.PaginatedRequestParams,
        "prompts/get": types.GetPromptRequestParams, "completion/complete": types.CompleteRequestParams,
    }  # fmt: skip

    def adapted(method: str, handler: Handler) -> Any:
        async def handle(context: Any, given: Any) -> JsonObject:
            try:
                result = await handler(given.model_dump(mode="json", by_alias=True, exclude_none=True))
                return modern(method, result) if context.protocol_version in MODERN else result
            except Refusal as refusal:
                raise MCPError(code=refusal.code, message=refusal.message, data=refusal.data) from None

        return handle

    server = cast("Any", Server("dhis2sh", version=__version__, instructions=INSTRUCTIONS))
    for method, handler in answers.handlers.items():
        server.add_request_handler(method, params[method], adapted(method, handler))
    return server


def make_app(answers: Answers, token: str) -> App:
    """The ASGI application at `/mcp`: requests without the token are refused, and so are other hosts and origins.

    Parameters:
        answers: what is answered.
        token: the bearer token.

    Raises `MissingExtra` without the extra `mcp`.
    """
    inner = make_server(answers).streamable_http_app(host="127.0.0.1")

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not _allowed(scope, token):
            headers = [(b"www-authenticate", b"Bearer"), (b"content-type", b"text/plain")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": b"a bearer token is wanted: DHIS2_MCP_TOKEN\n"})
            return
        await inner(scope, receive, send)

    return app


def _allowed(scope: Scope, token: str) -> bool:
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    return hmac.compare_digest(given, f"Bearer {token}".encode())


def serve(answers: Answers, port: int, token: str) -> None:
    """Serve on 127.0.0.1 until interrupted. Raises `MissingExtra`."""
    app = make_app(answers, token)
    import uvicorn

    uvicorn.run(cast("Any", app), host="127.0.0.1", port=port, log_level="warning")
