"""The only file that imports httpx: one request out, one answer back, as our own types.

httpx has had no release for two years; keeping it behind `Answer`, `AnswerStream` and `Transport` lets it be replaced
in a day.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Unpack, cast

from dhis2sh import __version__
from dhis2sh.client.addresses import origin
from dhis2sh.client.answers import Answer, AnswerStream, Garbage
from dhis2sh.client.auth import Renewing, SignIn, remedy
from dhis2sh.client.limits import Places
from dhis2sh.client.requests import Body, Params, Sending, encode_params, guard, rehearse
from dhis2sh.client.retry import IDEMPOTENT, RETRIED_STATUSES, RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.client.tracing import Tracer
from dhis2sh.errors import (
    BrokenAnswer,
    Dhis2Error,
    NetworkError,
    NotDhis2,
    SignInError,
    TimedOut,
    Unreachable,
    UsageError,
)
from dhis2sh.redact import redact

# httpx imports its own command line (click, rich, pygments) whenever those are installed: a third of its import time.
_had_main = "httpx._main" in sys.modules
if not _had_main:
    sys.modules["httpx._main"] = cast("Any", None)
import httpx  # noqa: E402

if not _had_main:
    del sys.modules["httpx._main"]

_LOGIN_PAGE = re.compile(r"/dhis-web-login|/security/login|/login(\.html)?/?$")
_REDIRECTS = 5
_REMEMBERED = 200
_READ = 256 * 1024
"""Bytes of an answer that are taken at a time: as many as asyncio reads. httpcore takes a quarter of it, four times as often."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One request as it goes out, and how patiently."""

    method: str
    url: str
    pairs: list[tuple[str, str]]
    body: Body
    headers: Mapping[str, str]
    timeout: float | None = None
    total_timeout: float | None = None
    idempotent: bool | None = None


class Transport:
    """Sends requests to one server, with sign-in, limits, retries and guards. Safe for concurrent calls on one loop.

    Parameters:
        settings: where and how patiently.
        sign_in: who we are.
        asgi_app: an application in this process to talk to, not a network address (the embedded sandbox).
        tracer: writes a line per request (`--debug`).
        retry: the rule for sending again; from the settings when None.
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
        self.sign_in = sign_in
        self.sent: list[str] = []
        self._tracer = tracer
        self.retry = retry or RetryRule(attempts=settings.retries)
        self._places = Places(settings.url if asgi_app is None else None, settings.max_connections)
        self._asgi_app = asgi_app
        self._http: httpx.AsyncClient | None = None
        self._opening: asyncio.Task[httpx.AsyncClient] | None = None
        if isinstance(sign_in, Renewing):
            sign_in.attach(self.unsigned)

    async def aclose(self) -> None:
        """Close every connection."""
        http, self._http, self._opening = self._http, None, None
        if http is not None:
            await http.aclose()

    def forget_session(self) -> None:
        """Drop the server's session cookie: it remembers the user's organisation units as they were at sign-in."""
        if self._http is not None:
            self._http.cookies.clear()

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        **how: Unpack[Sending],
    ) -> Answer:
        """Send one request and read its whole answer.

        Parameters:
            method, path, params, headers: the request; `path` begins with `/`.
            body: bytes, or an async iterator of them, which is sent as it comes and never repeated.
            how: as of `Sending`.

        Raises `ReadOnlyProfile`, `Unreachable`, `TimedOut`, `BrokenAnswer`, `NotDhis2`, `SignInError`.
        """
        call = self._call(method, path, params, body, headers, **how)
        started = time.perf_counter()
        async with self._within(self._deadline(call.total_timeout), call):
            stream, content = await self._attempts(call, whole=True)
        return replace(stream.whole(content), elapsed=time.perf_counter() - started, request_params=call.pairs)

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        **how: Unpack[Sending],
    ) -> AsyncGenerator[AnswerStream]:
        """Send one request and read its answer as it comes. Parameters and errors as of `send`.

        It is repeated, as `send` is, until the answer's head has come; after that a fault is an error of the iteration.
        `total_timeout` counts the waiting for the server, not what the caller does between two pieces.
        """
        call = self._call(method, path, params, body, headers, **how)
        deadline = self._deadline(call.total_timeout)
        async with self._within(deadline, call):
            stream, _ = await self._attempts(call, whole=False, deadline=deadline)
        try:
            yield stream
        finally:
            await stream.aclose()

    async def unsigned(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """What a sign-in sends for itself (a token request, a login): once, without credentials, and no verb's write.

        A redirect is an answer like any other, but for the slash that Spring's authorization server puts after
        `/oauth2/token`.
        """
        call = self._call(method, path, None, body, headers, guarded=False)
        call = replace(call, headers={"Accept": "application/json", **call.headers})
        async with self._within(self._deadline(None), call):
            answer = await self._whole(call)
            target = answer.headers.get("location", "")
            if 300 <= answer.status < 400 and str(httpx.URL(call.url).join(target)) == f"{call.url}/":
                answer = await self._whole(replace(call, url=f"{call.url}/"))
        return answer

    async def _whole(self, call: _Call) -> Answer:
        stream = await self._open(call, None)
        try:
            return stream.whole(await stream.settle())
        finally:
            await stream.aclose()

    def _call(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: Body,
        headers: Mapping[str, str] | None,
        *,
        guarded: bool = True,
        **how: Unpack[Sending],
    ) -> _Call:
        pairs = encode_params(params)
        if guarded:
            guard(self.settings, method, path, pairs)
        rehearse(method, path, pairs)
        return _Call(method, self.settings.url.rstrip("/") + path, pairs, body, headers or {}, **how)

    # One call: repetitions, redirects, the limit of the host ------------------------------------------------------

    def _deadline(self, total_timeout: float | None) -> float | None:
        total = self.settings.total_timeout if total_timeout is None else total_timeout
        return None if total is None else asyncio.get_running_loop().time() + total

    @contextlib.asynccontextmanager
    async def _within(self, deadline: float | None, call: _Call) -> AsyncGenerator[None]:
        """The total time limit: what is not done by then is cancelled."""
        if deadline is None:
            yield
            return
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimedOut(
                f"{redact(f'{call.method} {call.url}')}: not done within the total time limit",
                hint="ask for less (--page-size, --filter), or raise total_timeout in the profile",
            ) from error

    async def _attempts(self, call: _Call, *, whole: bool, deadline: float | None = None) -> tuple[AnswerStream, bytes]:
        """Send until it works, or until the rule for repetition says that it is enough."""
        replayable = call.body is None or isinstance(call.body, bytes)
        repeat = replayable and (call.method in IDEMPOTENT if call.idempotent is None else call.idempotent)
        attempt, renewed = 0, not replayable
        while True:
            attempt += 1
            signed = await self.sign_in.headers()
            try:
                stream, content = await self._once(call, signed, whole=whole, deadline=deadline)
            except (Unreachable, TimedOut, BrokenAnswer) as error:
                broken = isinstance(error, BrokenAnswer)
                wait = self.retry.wait(attempt, broken=broken) if repeat and _may_pass(error) else None
                if wait is None:
                    if attempt > 1:
                        error.message += f"; it was asked {attempt} times"
                    raise
                why = str(error)
            except SignInError:
                if renewed or not await self._renewed(signed):
                    raise
                renewed = True
                continue
            else:
                if stream.status == 401 and not renewed:
                    renewed = True
                    if await self._renewed(signed):
                        await stream.aclose()
                        continue
                wait = self._repetition(stream, attempt) if repeat else None
                if wait is None:
                    return stream, content
                await stream.aclose()
                why = f"status {stream.status}"
            self._trace(f"again in {wait:.1f} s: {why}")
            await asyncio.sleep(wait)

    async def _renewed(self, signed: Mapping[str, str]) -> bool:
        """Whether the sign-in has other headers than those that were refused."""
        return isinstance(self.sign_in, Renewing) and await self.sign_in.renew(signed)

    def _repetition(self, stream: AnswerStream, attempt: int) -> float | None:
        if stream.status not in RETRIED_STATUSES:
            return None
        return self.retry.wait(attempt, stream.headers.get("retry-after"))

    async def _once(
        self, call: _Call, signed: Mapping[str, str], *, whole: bool, deadline: float | None
    ) -> tuple[AnswerStream, bytes]:
        """One attempt: follow redirects on this server, and read the body when the whole is wanted."""
        call = replace(call, headers={"Accept": "application/json", **call.headers, **signed})
        for _ in range(_REDIRECTS):
            stream = await self._open(call, deadline)
            try:
                target = stream.headers.get("location")
                if not (300 <= stream.status < 400 and target):
                    # A refusal gives its place back: the sign-in may need one to renew itself.
                    return stream, await stream.settle() if whole or stream.status == 401 else b""
                call = self._redirected(call, stream, target)
            except BaseException:
                await stream.aclose()
                raise
            await stream.aclose()
        raise NotDhis2(f"{redact(call.url)} redirects in a circle", hint="dhis2 profile verify")

    def _redirected(self, call: _Call, stream: AnswerStream, target: str) -> _Call:
        """Where a redirect leads: the login page is a failed sign-in, another host never gets our credentials."""
        here, there = httpx.URL(stream.url), httpx.URL(stream.url).join(target)
        if _LOGIN_PAGE.search(there.path):
            raise SignInError(
                f"{redact(self.settings.url)} sent us to its login page: it wants credentials, or those it got have expired",
                hint=remedy(self.sign_in, self.settings.profile),
            )
        if origin(str(here)) != origin(str(there)):
            where = f"{there.scheme}://{there.netloc.decode()}"
            name = self.settings.profile or "NAME"
            raise NotDhis2(
                f"{here.host} redirects to {where}; credentials are never sent to another address",
                hint=f"if that is right: dhis2 profile add {name} --url {where}",
            )
        if call.method not in {"GET", "HEAD"}:
            raise NotDhis2(
                f"{call.method} {here.path} was redirected to {there.path}; nothing was written",
                hint="check the address of the profile: dhis2 profile show",
            )
        return replace(call, url=str(there), pairs=[])

    # One exchange: here httpx begins --------------------------------------------------------------------------------

    async def _open(self, call: _Call, deadline: float | None) -> AnswerStream:
        """Send a request and read the head of its answer; the stream holds a place in the host's limit."""
        http = self._http or await self._connect()
        await self._places.enter()
        try:
            return await self._exchange(http, call, deadline)
        except BaseException:
            self._places.leave()
            raise

    async def _exchange(self, http: httpx.AsyncClient, call: _Call, deadline: float | None) -> AnswerStream:
        started = time.perf_counter()
        try:
            request = http.build_request(
                call.method,
                call.url,
                params=cast("Any", call.pairs or None),
                content=call.body,
                headers=call.headers,
                timeout=httpx.USE_CLIENT_DEFAULT
                if call.timeout is None
                else httpx.Timeout(call.timeout, connect=self.settings.connect_timeout),
            )
            response = await http.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._failure(error, call) from error
        elapsed = time.perf_counter() - started
        self._remember(f"{call.method} {response.url.raw_path.decode()}")
        self._trace(f"{call.method} {response.url} {response.status_code} {elapsed * 1000:.0f} ms")
        return AnswerStream(
            response.status_code,
            {key.lower(): value for key, value in response.headers.items()},
            method=call.method,
            url=str(response.url),
            raw=self._body(response, call, deadline),
            close=self._closing(response),
            who=self.sign_in.describe(),
            remedy=remedy(self.sign_in, self.settings.profile),
        )

    def _closing(self, response: httpx.Response) -> Callable[[], Awaitable[None]]:
        """What gives the connection and the place back, once."""
        held = True

        async def close() -> None:
            nonlocal held
            if held:
                held = False
                try:
                    await response.aclose()
                finally:
                    self._places.leave()

        return close

    async def _body(self, response: httpx.Response, call: _Call, deadline: float | None) -> AsyncGenerator[bytes]:
        """The body as it was sent, under the total limit, with our errors."""
        pieces, clock = response.aiter_raw(), asyncio.get_running_loop().time
        try:
            while True:
                async with self._within(deadline, call):
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                given = clock()
                yield piece
                if deadline is not None:
                    deadline += clock() - given  # what the reader does with a piece is no waiting
        except httpx.HTTPError as error:
            raise self._failure(error, call) from error

    def _remember(self, line: str) -> None:
        """Keep the last requests for provenance, and no more: a shell runs for days."""
        self.sent.append(redact(line))
        if len(self.sent) > 2 * _REMEMBERED:
            del self.sent[:_REMEMBERED]

    async def _connect(self) -> httpx.AsyncClient:
        """Make the connection pool, once. Reading the certificates of an https address is work for a thread."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._pool())
        return await asyncio.shield(self._opening)

    async def _pool(self) -> httpx.AsyncClient:
        import httpcore  # start-up: httpx imports it with its first client too

        cast("Any", httpcore.AsyncHTTP11Connection).READ_NUM_BYTES = _READ
        settings = self.settings
        wants_tls = settings.url.startswith("https:") and settings.verify_tls
        verify: ssl.SSLContext | bool = await asyncio.to_thread(ssl.create_default_context) if wants_tls else False
        app = self._asgi_app
        try:
            self._http = httpx.AsyncClient(
                transport=httpx.ASGITransport(app=cast("Any", app)) if app is not None else None,
                timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
                limits=httpx.Limits(max_connections=settings.max_connections),
                verify=verify,
                follow_redirects=False,
                headers={"User-Agent": f"dhis2sh/{__version__}", "Accept-Encoding": "gzip"},
                trust_env=app is None,
            )
        except ValueError as error:
            raise UsageError(
                f"the proxy of the environment cannot be used: {redact(str(error))}",
                hint="look at HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY",
            ) from error
        return self._http

    def _failure(self, error: Exception, call: _Call) -> Dhis2Error:
        """What a failure on the network means, in one line and with the next thing to try."""
        where, why = redact(f"{call.method} {call.url}"), redact(str(error))
        host = redact(self.settings.url)
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
            return UsageError(f"'{redact(call.url)}' is not an address", hint="addresses look like https://host/path")
        if isinstance(error, httpx.ProxyError):
            return Unreachable(
                f"{host}: the proxy did not let us through ({why})", hint="look at HTTPS_PROXY and NO_PROXY"
            )
        if isinstance(error, httpx.ConnectTimeout):
            return TimedOut(
                f"no connection to {host} within {self.settings.connect_timeout:g} s", hint="dhis2 system ping"
            )
        if isinstance(error, httpx.TimeoutException):
            return TimedOut(
                f"{where}: no answer within {call.timeout or self.settings.read_timeout:g} s",
                hint="ask for less (--page-size, --filter), or raise read_timeout in the profile",
            )
        if isinstance(error, httpx.ConnectError):
            return _unreachable(error, host)
        if isinstance(error, httpx.RemoteProtocolError) and "location header" in why:
            return NotDhis2(f"{where} redirects to what is no address ({why})", hint="dhis2 profile show")
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.DecodingError):
            return BrokenAnswer(f"{where}: the answer was cut off ({why})", hint="try again; the network lost it")
        return Unreachable(f"{where}: {why or type(error).__name__}", hint="dhis2 system ping")

    def _trace(self, line: str) -> None:
        if self._tracer is not None:
            self._tracer.note(line)


def _causes(error: BaseException) -> Generator[BaseException]:
    """An error and everything that led to it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _may_pass(error: NetworkError) -> bool:
    """Whether sending again could help: a name that does not resolve and a certificate that is not trusted stay so."""
    return not isinstance(error, Garbage) and not any(
        isinstance(cause, ssl.SSLError | socket.gaierror) for cause in _causes(error)
    )


def _unreachable(error: Exception, host: str) -> Unreachable:
    """Why no connection was made: the name, the certificate, or nobody there."""
    cause = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError | socket.gaierror)), None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unreachable(
            f"{host}: its certificate is not trusted: {cause.verify_message}",
            hint="SSL_CERT_FILE names a certificate authority of your own; verify_tls = false in the profile trusts anyone",
        )
    if isinstance(cause, ssl.SSLError):
        return Unreachable(
            f"{host}: TLS failed: {cause.reason or cause}", hint="is it http, not https? dhis2 profile show"
        )
    if isinstance(cause, socket.gaierror):
        return Unreachable(f"{host}: no such host ({cause.strerror})", hint="check the address: dhis2 profile show")
    return Unreachable(f"{host}: nothing answers ({error})", hint="is the server up? dhis2 profile verify")
