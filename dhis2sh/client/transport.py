"""The only file that imports httpx: one request out, one answer back, as our own types.

httpx has had no release for two years; keeping it behind `Answer` and `Transport` lets it be replaced in a day.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import sys
import time
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, cast

from dhis2sh import __version__
from dhis2sh.client.auth import SignIn
from dhis2sh.client.retry import IDEMPOTENT, RETRIED_STATUSES, RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.client.tracing import Tracer, redact
from dhis2sh.errors import (
    BrokenAnswer,
    Dhis2Error,
    NotDhis2,
    ReadOnlyProfile,
    SignInError,
    TimedOut,
    Unreachable,
    UsageError,
)

# httpx imports its own command line (click, rich, pygments) whenever those are installed: a third of its import time.
_had_main = "httpx._main" in sys.modules
if not _had_main:
    sys.modules["httpx._main"] = cast("Any", None)
import httpx  # noqa: E402

if not _had_main:
    del sys.modules["httpx._main"]

type Param = str | int | float | bool | Sequence[str] | None
type Params = Mapping[str, Param]
type Body = bytes | AsyncIterator[bytes] | None

READING_POSTS: tuple[tuple[str, tuple[str, str] | None], ...] = (
    (r"/api/query/alias", None),
    (r"/api/(\w+/)?\w+/description", None),
    (r"/api/metadata", ("importMode", "VALIDATE")),
    (r"/api/tracker", ("importMode", "VALIDATE")),
    (r"/api/dataValueSets", ("dryRun", "true")),
)
"""POST routes that change nothing on the server, with the parameter that makes them so."""

_rehearsal: ContextVar[list[str] | None] = ContextVar("dhis2sh_rehearsal", default=None)
_effect: ContextVar[str] = ContextVar("dhis2sh_effect", default="write")
_LOGIN_PAGES = ("/dhis-web-login", "/dhis-web-commons/security/login", "/login")


@contextlib.contextmanager
def effect_scope(effect: str) -> Generator[None]:
    """Inside, a verb of this effect runs: with `read` the transport refuses to send anything that writes."""
    token = _effect.set(effect)
    try:
        yield
    finally:
        _effect.reset(token)


class Rehearsed(Dhis2Error):
    """A request that would have been sent: raised in its place inside `rehearsing`."""


@contextlib.contextmanager
def rehearsing() -> Generator[list[str]]:
    """Inside, nothing is sent: each first request is written into the list and ends its call with `Rehearsed`."""
    requests: list[str] = []
    token = _rehearsal.set(requests)
    try:
        yield requests
    finally:
        _rehearsal.reset(token)


@dataclass(slots=True)
class Answer:
    """What a server answered.

    Parameters:
        status: the HTTP status; `headers` with lower-case names; `body` the whole body, decoded from gzip.
        method, url: the request it answers; `elapsed` seconds it took.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    method: str
    url: str
    elapsed: float = 0.0
    request_params: list[tuple[str, str]] = field(default_factory=lambda: [])

    @property
    def content_type(self) -> str:
        """The media type without its parameters, lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def encode_params(params: Params | None) -> list[tuple[str, str]]:
    """Query parameters as DHIS2 reads them: booleans lower case, lists repeated, None left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in (params or {}).items():
        if value is None:
            continue
        values: Sequence[object] = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(name, str(item).lower() if isinstance(item, bool) else str(item)) for item in values]
    return pairs


def _readable(pairs: list[tuple[str, str]]) -> str:
    """A query as a person writes it: only what would end a value is escaped."""
    from urllib.parse import quote

    return "&".join(f"{name}={quote(value, safe=':,[]!$~|(){} /')}" for name, value in pairs)


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
        self._retry = retry or RetryRule(attempts=settings.retries)
        self._limit = asyncio.Semaphore(settings.max_connections)
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=cast("Any", asgi_app)) if asgi_app is not None else None,
            timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
            limits=httpx.Limits(max_connections=settings.max_connections),
            verify=self._tls(),
            follow_redirects=False,
            headers={"User-Agent": f"dhis2sh/{__version__}", "Accept-Encoding": "gzip"},
            trust_env=True,
        )

    def _tls(self) -> ssl.SSLContext | bool:
        """A context is costly to build: only an https address pays for it."""
        if not self.settings.url.startswith("https:"):
            return False
        if not self.settings.verify_tls:
            return False
        return ssl.create_default_context()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Send one request and read its whole answer.

        Parameters:
            method, path, params, body, headers: the request; `path` begins with `/`.
            idempotent: True opts in to repetition of a request that is not idempotent by its method.
            timeout: seconds without a byte, instead of the profile's.

        Raises `ReadOnlyProfile`, `Unreachable`, `TimedOut`, `BrokenAnswer`, `SignInError`.
        """
        pairs = encode_params(params)
        self._guard(method, path, pairs)
        rehearsal = _rehearsal.get()
        if rehearsal is not None:
            rehearsal.append(redact(f"{method} {path}{'?' if pairs else ''}{_readable(pairs)}"))
            raise Rehearsed("this is only what would be sent")
        repeat = method in IDEMPOTENT if idempotent is None else idempotent
        attempt = 0
        while True:
            attempt += 1
            retry_after: str | None = None
            try:
                answer = await self._once(method, path, pairs, body, headers or {}, timeout)
                if answer.status not in RETRIED_STATUSES or not repeat:
                    return answer
                retry_after, failure = answer.headers.get("retry-after"), None
            except (Unreachable, TimedOut, BrokenAnswer) as error:
                if not repeat or isinstance(error.__cause__, ssl.SSLError):
                    raise
                answer, failure = None, error
            wait = self._retry.wait(attempt, retry_after)
            if wait is None:
                if failure is not None:
                    raise failure
                return cast("Answer", answer)
            self._trace(f"again in {wait:.1f} s: {failure or f'status {cast("Answer", answer).status}'}")
            await asyncio.sleep(wait)

    async def _once(
        self,
        method: str,
        path: str,
        pairs: list[tuple[str, str]],
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float | None,
    ) -> Answer:
        url = self.settings.url.rstrip("/") + path
        signed = {"Accept": "application/json", **headers, **await self.sign_in.headers()}
        async with self._limit:
            for _ in range(5):
                answer = await self._exchange(method, url, pairs, body, signed, timeout)
                target = answer.headers.get("location")
                if not (300 <= answer.status < 400 and target):
                    return answer
                url, pairs = self._redirect(method, answer, target), []
        raise NotDhis2(f"{url} redirects in a circle", hint="dhis2 profile verify")

    def _redirect(self, method: str, answer: Answer, target: str) -> str:
        """Where a redirect leads: the login page is a failed sign-in, another host never gets our credentials."""
        here, there = httpx.URL(answer.url), httpx.URL(answer.url).join(target)
        if any(page in there.path for page in _LOGIN_PAGES):
            raise SignInError(
                f"{redact(self.settings.url)} sent us to its login page: it wants credentials, or those it got have expired",
                hint="dhis2 profile verify",
            )
        if (here.scheme, here.host, here.port) != (there.scheme, there.host, there.port):
            raise NotDhis2(
                f"{here.host} redirects to {there.scheme}://{there.netloc.decode()}; "
                "credentials are never sent to another address",
                hint=f"if that is right: dhis2 profile add NAME --url {there.scheme}://{there.netloc.decode()}",
            )
        if method not in {"GET", "HEAD"}:
            raise NotDhis2(f"{method} {here.path} was redirected to {there.path}; nothing was written")
        return str(there)

    async def _exchange(
        self,
        method: str,
        url: str,
        pairs: list[tuple[str, str]],
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float | None,
    ) -> Answer:
        started = time.perf_counter()
        try:
            response = await self._http.request(
                method,
                url,
                params=cast("Any", pairs or None),
                content=body,
                headers=headers,
                timeout=httpx.USE_CLIENT_DEFAULT
                if timeout is None
                else httpx.Timeout(timeout, connect=self.settings.connect_timeout),
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._failure(error, method, url) from error
        elapsed = time.perf_counter() - started
        self.sent.append(redact(f"{method} {response.url.raw_path.decode()}"))
        self._trace(f"{method} {response.url} {response.status_code} {elapsed * 1000:.0f} ms {len(response.content)} B")
        return Answer(
            status=response.status_code,
            headers={key.lower(): value for key, value in response.headers.items()},
            body=response.content,
            method=method,
            url=str(response.url),
            elapsed=elapsed,
            request_params=pairs,
        )

    def _failure(self, error: Exception, method: str, url: str) -> Dhis2Error:
        """What a failure on the network means, in one line and with the next thing to try."""
        where = redact(f"{method} {url}")
        host = redact(self.settings.url)
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
            return UsageError(f"'{redact(url)}' is not an address", hint="addresses look like https://host/path")
        if isinstance(error, httpx.ConnectTimeout):
            return TimedOut(
                f"no connection to {host} within {self.settings.connect_timeout:g} s", hint="dhis2 system ping"
            )
        if isinstance(error, httpx.TimeoutException):
            return TimedOut(
                f"{where}: no answer within {self.settings.read_timeout:g} s",
                hint="ask for less (--page-size, --filter), or raise read_timeout in the profile",
            )
        if isinstance(error, httpx.ConnectError):
            return self._unreachable(str(error), host)
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.DecodingError):
            return BrokenAnswer(f"{where}: the answer was cut off ({error})", hint="try again; the network lost it")
        return Unreachable(f"{where}: {error or type(error).__name__}", hint="dhis2 system ping")

    @staticmethod
    def _unreachable(reason: str, host: str) -> Unreachable:
        low = reason.lower()
        if "certificate" in low or "ssl" in low or "tls" in low:
            return Unreachable(
                f"{host}: TLS failed: {reason}",
                hint="is it http or https? A self-signed certificate wants verify_tls = false in the profile",
            )
        if "name or service" in low or "nodename" in low or "getaddrinfo" in low or "name resolution" in low:
            return Unreachable(f"{host}: no such host ({reason})", hint="check the address: dhis2 profile show")
        return Unreachable(f"{host}: nothing answers ({reason})", hint="is the server up? dhis2 profile verify")

    def _guard(self, method: str, path: str, pairs: list[tuple[str, str]]) -> None:
        if method in {"GET", "HEAD"}:
            return
        for route, wanted in READING_POSTS if method == "POST" else ():
            if re.fullmatch(route, path) and (wanted is None or wanted in pairs):
                return
        if self.settings.read_only:
            raise ReadOnlyProfile(
                f"profile '{self.settings.profile}' is read-only: {method} {path} was not sent",
                hint="use another profile (-p NAME), or take read_only out of this one",
            )
        if _effect.get() == "read":
            raise Dhis2Error(
                f"a reading verb tried to send {method} {path}; this is a fault of dhis2sh, please report it"
            )

    def _trace(self, line: str) -> None:
        if self._tracer is not None:
            self._tracer.note(line)
