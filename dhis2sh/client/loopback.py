"""The end of a browser's sign-in: one small listener on 127.0.0.1 that waits for the server to send the browser back.

API source: RFC 8252 (OAuth 2.0 for native apps), section 7.3.
"""

from __future__ import annotations

import asyncio
import hmac
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from dhis2sh.errors import SignInError, TimedOut

_PAGE = "<!doctype html><meta charset=utf-8><title>dhis2sh</title><p style='font: 1.2em sans-serif; margin: 3em'>{}</p>"
_LONGEST = 16 * 1024


class Loopback:
    """Waits for `GET /?code=...&state=...`. An async context manager: it listens while it is entered.

    Parameters:
        port: where to listen; another free port is taken when it is in use (a loopback redirect may have any port).
        state: what the server must give back; anything else is somebody else's and is not believed.
    """

    def __init__(self, port: int, state: str) -> None:
        self._wanted, self._state = port, state
        self._server: asyncio.Server | None = None
        self._code: asyncio.Future[str] | None = None

    async def __aenter__(self) -> Self:
        self._code = asyncio.get_running_loop().create_future()
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._wanted, limit=_LONGEST)
        except OSError:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LONGEST)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        if self._code is not None and self._code.done() and not self._code.cancelled():
            self._code.exception()  # it has been told to the caller, or the caller has left

    @property
    def redirect_uri(self) -> str:
        """The address that the server is to send the browser back to."""
        assert self._server is not None, "entered first"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def code(self, timeout: float) -> str:
        """The authorization code.

        Parameters:
            timeout: seconds that a person has.

        Raises `TimedOut` when nobody came, `SignInError` when the server said no.
        """
        assert self._code is not None, "entered first"
        try:
            return await asyncio.wait_for(self._code, timeout)
        except TimeoutError as error:
            raise TimedOut(
                f"nobody signed in within {timeout:g} s",
                hint="dhis2 profile login NAME --timeout 600  waits longer; --no-browser prints the address",
            ) from error

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)).decode("latin-1").split(" ")
            status, text = self._take(line)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            status, text = "400 Bad Request", "That was no sign-in."
        body = _PAGE.format(text).encode()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
            "Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
            + body
        )
        writer.close()

    def _take(self, line: list[str]) -> tuple[str, str]:
        """What a request line means; gives the status and the words of the page."""
        assert self._code is not None, "entered first"
        target = urlsplit(line[1]) if len(line) == 3 and line[0] == "GET" else None
        if target is None or target.path != "/" or not target.query:
            return "404 Not Found", "There is nothing here."
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        if not hmac.compare_digest(query.get("state", "").encode(), self._state.encode()):
            return "400 Bad Request", "This is not the sign-in that dhis2sh has begun."
        if self._code.done():
            return "200 OK", "You are signed in already."
        if "code" in query:
            self._code.set_result(query["code"])
            return "200 OK", "You are signed in. This window can be closed."
        why = query.get("error_description") or query.get("error") or "no reason was given"
        self._code.set_exception(SignInError(f"the server did not sign us in: {why}", hint="dhis2 profile login NAME"))
        return "200 OK", "The server did not sign you in. dhis2sh says why."
