"""What a request is before it is sent: its parameters, and whether it may be sent at all. Knows no HTTP library."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextvars import ContextVar
from typing import TypedDict
from urllib.parse import parse_qsl, quote, urlsplit

from dhis2sh.client.addresses import origin
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import Dhis2Error, ReadOnlyProfile, UsageError
from dhis2sh.redact import redact
from dhis2sh.types import JsonValue

type Param = str | int | float | bool | Sequence[str] | None
type Params = Mapping[str, Param] | Sequence[tuple[str, Param]]
"""Query parameters by name, or as pairs where one name stands twice."""
type Body = bytes | AsyncIterator[bytes] | None
type Content = JsonValue | bytes | AsyncIterator[bytes]
"""What a request may carry: data that is encoded as JSON here, bytes, or an async iterator of bytes sent as it comes."""

JSON = "application/json"


class Patience(TypedDict, total=False):
    """How long one call may take, in place of the profile's limits.

    Parameters:
        timeout: seconds without a byte.
        total_timeout: seconds in all, repetitions included.
    """

    timeout: float | None
    total_timeout: float | None


class Sending(Patience, total=False):
    """The same, and whether a call may be sent again.

    Parameters:
        idempotent: True opts in to repetition of a request that is not idempotent by its method.
    """

    idempotent: bool | None


READING_POSTS: tuple[tuple[str, tuple[str, str] | None], ...] = (
    (r"/api/query/alias", None),
    (r"/api/dataIntegrity/(summary|details)", None),
    (r"/api/(\w+/){0,2}\w+/description", None),
    (r"/api/metadata", ("importMode", "VALIDATE")),
    (r"/api/tracker", ("importMode", "VALIDATE")),
    (r"/api/dataValueSets", ("dryRun", "true")),
)
"""POST routes that change nothing on the server, with the parameter that makes them so."""
READING_BODIES = ("/api/dataAnalysis/validationRules",)
"""POST routes that keep something or not as their body says: those of verbs that only read say that they do not."""

_rehearsal: ContextVar[list[str] | None] = ContextVar("dhis2sh_rehearsal", default=None)
_effect: ContextVar[str | None] = ContextVar("dhis2sh_effect", default=None)


@contextlib.contextmanager
def effect_scope(effect: str) -> Generator[None]:
    """Inside, a verb of this effect runs: with `read` the transport refuses to send anything that writes.

    Outside of any a user sends by hand, which a production profile does not let pass.
    """
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


def encode_params(params: Params | None) -> list[tuple[str, str]]:
    """Query parameters as DHIS2 reads them: booleans lower case, lists repeated, None left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items() if isinstance(params, Mapping) else params or ():
        if value is None:
            continue
        values: Sequence[object] = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(name, str(item).lower() if isinstance(item, bool) else str(item)) for item in values]
    return pairs


def api_path(path: str) -> str:
    """The path below the server's address: `/api/` is put before what does not have it."""
    path = "/" + path.lstrip("/")
    return path if path.startswith(("/api/", "/oauth2/", "/.well-known/")) else f"/api{path}"


def addressed(server: str, path: str, params: Params | None) -> tuple[str, list[tuple[str, str]]]:
    """An address as its path below the server and all of its parameters, those in it first.

    Parameters:
        server: the server's address.
        path: below `/api`, with or without it, or whole, as a server gives it (`nextPage` of a pager); with parameters or without.
        params: more of them.

    Raises `UsageError` for an address of another server: credentials are never sent there.
    """
    if re.match(r"[a-z][a-z0-9+.-]*://", path, re.IGNORECASE):
        base = server.rstrip("/")
        try:
            there = urlsplit(path)
        except ValueError as error:
            raise UsageError(
                f"{path} is not an address: {error}", hint="addresses look like https://host/path"
            ) from None
        if origin(path) != origin(base) or not there.path.startswith(f"{urlsplit(base).path}/"):
            where = redact(path.partition("?")[0])
            raise UsageError(
                f"{where} is not on {redact(base)}: credentials are never sent to another address",
                hint="dhis2 profile list",
            )
        path = there._replace(scheme="", netloc="").geturl().removeprefix(urlsplit(base).path)
    if "#" in path:
        raise UsageError(f"{path}: nothing behind # would be sent", hint="write %23 where a name has a #")
    path, _, query = path.partition("?")
    return api_path(path), [*parse_qsl(query, keep_blank_values=True), *encode_params(params)]


def encoded(body: Content, content_type: str) -> tuple[Body, dict[str, str]]:
    """A request's body and the header that names it; data becomes JSON."""
    if body is None:
        return None, {}
    headers = {"Content-Type": content_type}
    if isinstance(body, (bytes, AsyncIterator)):
        return body, headers
    import orjson  # start-up: a read has no body

    return orjson.dumps(body), headers


def _readable(pairs: list[tuple[str, str]]) -> str:
    """A query as a person writes it: only what would end a value is escaped."""
    return "&".join(f"{name}={quote(value, safe=':,[]!$~|(){} /')}" for name, value in pairs)


def guard(settings: ConnectionSettings, method: str, path: str, pairs: list[tuple[str, str]]) -> None:
    """Refuse what a read-only profile, a production profile by hand, or a reading verb may not send.

    Raises `ReadOnlyProfile`, `UsageError`, `Dhis2Error`.
    """
    if method in {"GET", "HEAD"}:
        return
    for route, wanted in READING_POSTS if method == "POST" else ():
        if re.fullmatch(route, path) and (
            wanted is None or [pair for pair in pairs if pair[0] == wanted[0]] == [wanted]
        ):
            return  # said twice, a server takes the one or the other
    if _effect.get() == "read" and method == "POST" and path in READING_BODIES:
        return
    if settings.read_only:
        raise ReadOnlyProfile(
            f"profile '{settings.profile}' is read-only: {method} {path} was not sent",
            hint="use another profile (-p NAME), or take read_only out of this one",
        )
    if settings.production and _effect.get() is None:
        raise UsageError(
            f"'{settings.profile}' is a production profile: {method} {path} was not sent",
            hint="let a verb write it, which shows its plan and keeps a journal: dhis2 verbs",
        )
    if _effect.get() == "read":
        raise Dhis2Error(f"a reading verb tried to send {method} {path}; this is a fault of dhis2sh, please report it")


def rehearse(method: str, path: str, pairs: list[tuple[str, str]]) -> None:
    """Inside `rehearsing`: write the request down, and raise `Rehearsed` in place of sending it."""
    rehearsal = _rehearsal.get()
    if rehearsal is not None:
        rehearsal.append(redact(f"{method} {path}{'?' if pairs else ''}{_readable(pairs)}"))
        raise Rehearsed("this is only what would be sent")
