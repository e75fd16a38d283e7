"""Routes: addresses behind a name that the server calls for whoever may, with a sign-in that it never shows.

API source: `RouteController.java` (recorded `inst-routes` on 2.41 to 2.43; the kinds of sign-in from each version's OpenAPI).
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from dhis2sh.client.bodies import write_to
from dhis2sh.client.envelopes import whole
from dhis2sh.errors import Dhis2Error, Forbidden, NeedsSecret, NotFound, Refused, ServerFault, UsageError
from dhis2sh.redact import redact

if TYPE_CHECKING:
    from dhis2sh.client.answers import Answer, AnswerStream
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

ROUTES = "routes"
WILD = "/**"
"""With this at its end an address takes a path behind it."""
type Kind = Literal["http-basic", "api-token", "api-headers", "api-query-params", "oauth2-client-credentials"]


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a route may sign in at its address.

    Parameters:
        user: the property of who signs in, and its option's word; None where nobody is named.
        secret: the property of what nobody sees.
        asked: what it is called when it is asked for.
        first: the minor version that knows it first.
        inside: its user names a key, and its secret is the value under it, in this property.
    """

    user: str | None
    secret: str
    asked: str
    first: int = 40
    inside: str | None = None


SIGN_INS: Mapping[Kind, SignIn] = {
    "http-basic": SignIn("username", "password", "password"),
    "api-token": SignIn(None, "token", "token"),
    "api-headers": SignIn("header", "value", "value of the header", inside="headers"),
    "api-query-params": SignIn("parameter", "value", "value of the parameter", inside="queryParams"),
    "oauth2-client-credentials": SignIn("clientId", "clientSecret", "client secret", first=42),
}
"""By the word that DHIS2 has for it. An `api-token` goes out as `Authorization: ApiToken ...`, never as a bearer."""


async def sign_in(
    s: Session, kind: Kind, *, user: str | None, token_uri: str | None, scopes: str | None, secret: str | None
) -> JsonObject:
    """What a route is created with so that it signs in.

    Parameters:
        kind: how; user: who, or under which header or parameter.
        token_uri, scopes: of OAuth2.
        secret: what nobody sees; it is asked for without it.

    Raises `UsageError` for what the kind wants or does not take, and where the server does not know it; `NeedsSecret` where
    nobody can be asked.
    """
    how = SIGN_INS[kind]
    version = await s.client.version()
    if version.minor < how.first:
        known = [name for name, one in SIGN_INS.items() if version.minor >= one.first]
        raise UsageError(f"DHIS2 {version} has no routes that sign in by {kind}", hint=f"--auth {' or '.join(known)}")
    if (how.user is None) != (user is None):
        wrong = f"wants --auth-user, its {how.user}" if how.user else "names nobody"
        raise UsageError(f"{kind} {wrong}", hint=f"--auth {kind}" + (" --auth-user NAME" if how.user else ""))
    if (token_uri is None) == (kind == "oauth2-client-credentials"):
        raise UsageError(
            "--token-uri is where oauth2-client-credentials has its tokens from, and of no other sign-in",
            hint="--auth oauth2-client-credentials --auth-user CLIENT --token-uri https://...",
        )
    if scopes is not None and token_uri is None:
        raise UsageError("--scopes belong to oauth2-client-credentials", hint="leave --scopes out")
    value = secret or await s.person.secret(f"{how.asked}: ")
    if not value:
        raise NeedsSecret(f"{kind} needs a {how.asked}", hint="--secret-from FILE, or ask in a terminal")
    if how.inside is not None:
        return {"type": kind, how.inside: {str(user): value}}
    named: JsonObject = {how.user: user} if how.user else {}
    extra: JsonObject = {"tokenUri": token_uri} if token_uri else {}
    return {"type": kind, **named, how.secret: value, **extra, **({"scopes": scopes} if scopes else {})}


def checked_url(url: str) -> str:
    """A route's address as it is stored. Raises `UsageError` for what a server refuses as malformed."""
    if not re.fullmatch(r"https?://[^\s/?#*]+([/?#]\S*)?", url, re.IGNORECASE):
        raise UsageError(
            f"{url} is no address of a route", hint="https://host/path, or https://host/path/** for all below it"
        )
    if "*" in url.removesuffix(WILD):
        raise UsageError(
            f"{url}: only {WILD} at its end stands for more", hint=f"{url.split('*', 1)[0].rstrip('/')}{WILD}"
        )
    return url


@dataclass(frozen=True, slots=True)
class Called:
    """A route that is to be called.

    Parameters:
        uid, name: the route.
        path: below `/api`.
        target: where the server goes, for a plan; without query.
    """

    uid: str
    name: str
    path: str
    target: str


async def called(s: Session, uid: str, below: str | None) -> Called:
    """A route and the address that runs it. Raises `Refused` for one that is disabled, `UsageError` for a path that it does not take.

    Parameters:
        below: the path behind the route's own address.
    """
    route = await s.client.get_object(f"{ROUTES}/{uid}", {"fields": "id,name,url,disabled"})
    name, url = str(route.get("name") or uid), str(route.get("url") or "")
    if route.get("disabled") is True:
        raise Refused(f"the route '{name}' is disabled", hint=f"dhis2 metadata routes update {uid} --no-disabled")
    rest = (below or "").strip("/")
    if rest and not url.endswith(WILD):
        raise UsageError(
            f"the route '{name}' leads to {redact(url)} alone: it takes no path", hint=f"dhis2 route run {uid}"
        )
    if {"..", "."} & {*rest.split("/")} or re.search(r"[?#]", rest):
        raise UsageError(f"{below}: no path below a route", hint="parameters are --param name=value")
    path = f"{ROUTES}/{uid}/run" + (f"/{quote(rest)}" if rest else "")
    return Called(uid, name, path, redact(url.removesuffix(WILD) + (f"/{rest}" if rest else "")))


async def fetched(s: Session, route: Called, params: Sequence[tuple[str, str]], *, accept: str) -> Answer:
    """What the target of a route answers to a GET. Raises as `refused` says."""
    return good(route, await s.client.read(route.path, params, accept=accept))


async def saved(s: Session, route: Called, params: Sequence[tuple[str, str]], out: Path, *, accept: str) -> int:
    """The same written to a file as it comes; the bytes written."""
    async with s.client.transport.stream(
        "GET", f"/api/{route.path}", params=[*params], headers={"Accept": accept}
    ) as stream:
        if stream.status >= 300:
            good(route, await whole(stream))
        return await write_to(out, _pieces(stream))


async def _pieces(stream: AnswerStream) -> AsyncIterator[bytes]:
    async for piece in stream:
        yield piece


@dataclass(frozen=True, slots=True)
class Sending:
    """What is sent to a route's target; `params` go to it too."""

    route: Called
    method: str
    content: bytes | None
    params: Sequence[tuple[str, str]]
    content_type: str


async def sent(s: Session, sending: Sending) -> Answer:
    """What the target of a route answers to what is sent. Raises as `refused` says."""
    answer = await s.client.write(
        sending.method, sending.route.path, sending.content, sending.params, content_type=sending.content_type
    )
    return good(sending.route, answer)


def good(route: Called, answer: Answer) -> Answer:
    """An answer of a route that is no refusal. Raises what `refused` makes of one."""
    if answer.status < 300:
        return answer
    raise refused(route, answer)


_OWN: Mapping[int, Callable[[str], bool]] = {
    400: lambda told: "subpath" in told.lower(),
    403: lambda told: told.startswith("User not authorized"),
    404: lambda told: re.match(r"Route (not found\b|\S+ not found$)", told) is not None,  # the second is that of 2.41
}
"""What the server itself says of a route; anything else is its target's answer, which comes through as it is."""


def _message(text: str) -> str:
    """What a WebMessage says; nothing of any other text."""
    try:
        envelope: JsonValue = json.loads(text)
    except ValueError:
        return ""
    return str(envelope.get("message") or "") if isinstance(envelope, dict) else ""


SAID = 300
"""Characters of a target's refusal that are shown."""
_UNREACHED = re.compile(r"connection refused|i/o error on|finishConnect|io_uring connect|timed? ?out", re.IGNORECASE)
"""How servers say that they did not come through (recorded on 2.40 to 2.43)."""


def refused(route: Called, answer: Answer) -> Dhis2Error:
    """The error of a route's answer: the server's own refusal, or that its target said no.

    A 401 of the target is no refusal of our sign-in, and a WebMessage may be that of another DHIS2 behind the route.
    """
    text = answer.body.decode("utf-8", "replace").strip()
    told = _message(text)
    own = answer.status in _OWN and _OWN[answer.status](told)
    if own and answer.status == 404:
        return NotFound(told, hint="dhis2 metadata routes list", code="E1005")
    if own and answer.status == 403:
        hint = f"who has one of its authorities, or ALL: dhis2 metadata routes get {route.uid}"
        return Forbidden(f"the route '{route.name}': {told}", hint=hint, code="E1006")
    if own:
        return Refused(told, status=answer.status, hint=f"dhis2 route run {route.uid}")
    said = redact(told or " ".join(text.split()))[:SAID]
    where = f"the target of the route '{route.name}' ({route.target})"
    if answer.status in {502, 504} or (answer.status in {500, 503} and _UNREACHED.search(told)):
        return ServerFault(
            f"{where} cannot be reached from the server: {said or answer.status}", status=answer.status,
            hint=f"dhis2 metadata routes get {route.uid}  shows where it leads",
        )  # fmt: skip
    hint = "its sign-in is the route's own: " if answer.status in {401, 403} else ""
    return Refused(
        f"{where} answered {answer.status}" + (f": {said}" if said else ""), status=answer.status,
        hint=f"{hint}dhis2 metadata routes get {route.uid}",
    )  # fmt: skip
