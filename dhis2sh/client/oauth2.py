"""Sign-in by OAuth2: authorization code with PKCE in a browser, and tokens that are refreshed before they expire.

The requests go through our own transport, so limits, TLS and errors are those of every other request. PKCE is two
lines; a library would bring an HTTP client of its own.

API source: RFC 6749, 7636, 6750; DHIS2's authorization server (`/oauth2/...` since 2.42, `/uaa/oauth/...` before).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from dhis2sh.client.versions import BEHAVIOUR, NEWEST, OLDEST, parse_version
from dhis2sh.errors import ConfigError, Dhis2Error, NotDhis2, ServerFault, SignInError

if TYPE_CHECKING:
    from dhis2sh.client.answers import Answer
    from dhis2sh.client.auth import Credentials, Exchange, Secrets, SignIn
    from dhis2sh.client.versions import Behaviour
    from dhis2sh.types import JsonObject

EARLY = 60.0
"""Seconds before its end that a token is replaced, or a fifth of its life where that is less."""
LONGEST_TURN = 60.0
"""Seconds that another process may take to renew a sign-in that it shares with us."""
REDIRECT_PORT = 8719
"""Where the browser is sent back to, unless something else listens there."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_CONFIGURE = "its administrator switches OAuth2 on in dhis.conf: what it needs is in the documentation, page Sign-in"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the server gave us.

    Parameters:
        access, refresh: the tokens; without a refresh token the sign-in ends with the access token.
        expires_at: when the access token ends, in seconds since the epoch; `lifetime` its seconds in all.
        grant_path: where it was given, and where it is refreshed.
    """

    access: str = field(repr=False)
    expires_at: float
    lifetime: float
    grant_path: str
    refresh: str | None = field(default=None, repr=False)

    def usable(self, now: float) -> bool:
        """Whether it lasts for the next request."""
        return now < self.expires_at - min(EARLY, self.lifetime / 5)

    def to_text(self) -> str:
        """As the keyring keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str | None) -> Tokens | None:
        """What the keyring kept; None when there is nothing, or nothing that we wrote."""
        try:
            return cls(**json.loads(text)) if text else None
        except (ValueError, TypeError):
            return None


class OAuth2:
    """Signs with a bearer token, and refreshes it: once, however many calls are waiting.

    Parameters:
        client_id, client_secret: of the OAuth2 client that is registered on the server.
        kept: keeps the tokens between processes.
        profile: its name, for messages.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str | None,
        kept: Secrets,
        *,
        profile: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client_id, self._client_secret = client_id, client_secret
        self._kept, self._clock = kept, clock
        self._profile = profile or "NAME"
        self._again = f"dhis2 profile login {self._profile}"
        self._tokens: Tokens | None = None
        self._exchange: Exchange | None = None
        self._refreshing = asyncio.Lock()

    def attach(self, exchange: Exchange) -> None:
        """Where token requests are sent."""
        self._exchange = exchange

    def describe(self) -> str:
        """Who this is, without a secret."""
        return f"with OAuth2, as client {self._client_id}"

    async def headers(self) -> dict[str, str]:
        """The `Authorization: Bearer` header; refreshes the token first when it is about to end."""
        tokens = self._tokens or await self._load()
        if tokens is None:
            raise SignInError("nobody has signed in with OAuth2 yet", hint=self._again)
        if not tokens.usable(self._clock()):
            tokens = await self._refresh(tokens)
        return {"Authorization": f"Bearer {tokens.access}"}

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """After a 401: another token, unless there is no way to one; then the server's own words say more."""
        tokens = self._tokens
        if tokens is not None and refused.get("Authorization") == f"Bearer {tokens.access}":
            if tokens.refresh is None:
                return False
            await self._refresh(tokens)
        return True

    async def _load(self) -> Tokens | None:
        self._tokens = Tokens.from_text(await asyncio.to_thread(self._kept.read, "tokens"))
        return self._tokens

    async def _refresh(self, seen: Tokens) -> Tokens:
        """Another token than `seen`. Who comes second finds that it is done; so does another process."""
        async with self._refreshing:
            if self._tokens is not None and self._tokens.access != seen.access:
                return self._tokens
            async with self._alone():
                return await self._refreshed(seen)

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """No other process refreshes inside: a server may take a refresh token once, and end every sign-in at the second."""
        turn, time_of = self._kept.turn(), asyncio.get_running_loop().time
        until = time_of() + LONGEST_TURN
        while not turn.take():
            if time_of() > until:
                raise SignInError(
                    f"another process has been renewing the sign-in for {LONGEST_TURN:.0f} s", hint="try again"
                )
            await asyncio.sleep(0.05)
        try:
            yield
        finally:
            turn.give_back()

    async def _refreshed(self, seen: Tokens) -> Tokens:
        """Tokens that another process has got meanwhile, else new ones. Refused, it looks once more before it gives up."""
        for last in (False, True):
            kept = await self._load()
            if kept is not None and kept.access != seen.access and kept.usable(self._clock()):
                return kept
            refresh = (kept or seen).refresh
            if refresh is None:
                raise SignInError("the sign-in has ended, and the server gave no refresh token", hint=self._again)
            form = {"grant_type": "refresh_token", "refresh_token": refresh}
            try:
                tokens = await self._ask(seen.grant_path, form)
            except SignInError as error:
                now = await self._load()
                if not last and now is not None and now.refresh != refresh:
                    continue  # somebody who knows no lock, another machine with the same home, was faster
                error.hint = (
                    f"{self._again}  (a server that makes a new signing key at each start forgets every sign-in)"
                )
                raise
            tokens = replace(tokens, refresh=tokens.refresh or refresh)
            await self.keep(tokens)
            return tokens
        raise AssertionError("the second look has ended it")

    async def keep(self, tokens: Tokens | None) -> None:
        """Use these tokens from now on, also in other processes; None forgets them."""
        self._tokens = tokens
        await asyncio.to_thread(self._kept.write, tokens.to_text() if tokens else None, "tokens")

    async def _ask(self, grant_path: str, form: Mapping[str, str]) -> Tokens:
        """One request for tokens. Raises `SignInError` in the server's words."""
        assert self._exchange is not None, "the transport attaches itself"
        headers, body = dict(_FORM), dict(form)
        if self._client_secret is None:
            body["client_id"] = self._client_id
        else:
            pair = base64.b64encode(f"{self._client_id}:{self._client_secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        answer = await self._exchange("POST", grant_path, body=urlencode(body).encode(), headers=headers)
        return tokens_of(answer, grant_path, self._clock())

    async def log_in(
        self,
        url: str,
        *,
        scope: str,
        show: Callable[[str], Awaitable[None]],
        port: int = REDIRECT_PORT,
        timeout: float = 300.0,
    ) -> Tokens:
        """Sign in with a browser, and keep the tokens.

        Parameters:
            url: the server's address.
            scope: what to ask for; DHIS2 knows `ALL`.
            show: opens the address in a browser, or prints it.
            port: where the browser is sent back to, on 127.0.0.1.
            timeout: seconds that a person has.

        Raises `SignInError`, `TimedOut`, `NotDhis2`.
        """
        try:
            tokens = await self._by_browser(url, scope, show, port, timeout)
        except Dhis2Error as error:
            error.hint = (error.hint or "").replace("NAME", self._profile) or None
            raise
        await self.keep(tokens)
        return tokens

    async def _by_browser(
        self, url: str, scope: str, show: Callable[[str], Awaitable[None]], port: int, timeout: float
    ) -> Tokens:
        from dhis2sh.client.loopback import Loopback  # start-up: only a sign-in in a browser listens

        assert self._exchange is not None, "the transport attaches itself"
        behaviour = await behaviour_of(self._exchange)
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(64)
        async with Loopback(port, state) as back:
            query = {
                "response_type": "code", "client_id": self._client_id, "redirect_uri": back.redirect_uri,
                "scope": scope, "state": state, "code_challenge": challenge(verifier), "code_challenge_method": "S256",
            }  # fmt: skip
            await show(f"{url.rstrip('/')}{behaviour.authorize_path}?{urlencode(query)}")
            code = await back.code(timeout)
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back.redirect_uri}
            return await self._ask(behaviour.grant_path, {**form, "code_verifier": verifier})


def challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def behaviour_of(exchange: Exchange) -> Behaviour:
    """Which authorization server this is, asked without signing in.

    Raises `SignInError` when it is switched off, `NotDhis2` when this is none.
    """
    answer = await exchange("GET", "/.well-known/openid-configuration")
    if "issuer" in _object(answer):
        return BEHAVIOUR[NEWEST[1]]
    config = await exchange("GET", "/api/loginConfig")
    version = _object(config).get("apiVersion")
    if isinstance(version, str):
        known = parse_version(version)
        if not known.has("spring_oauth2"):
            return known.behaviour
        raise SignInError(f"OAuth2 is not switched on on this server (DHIS2 {version})", hint=_CONFIGURE)
    if config.status in {302, 401, 403}:
        return BEHAVIOUR[OLDEST[1]]  # 2.40 shows its login configuration to nobody
    raise NotDhis2("this server has neither OAuth2 nor a DHIS2 login", hint="dhis2 profile show")


def tokens_of(answer: Answer, grant_path: str, now: float) -> Tokens:
    """The tokens in an answer of the token endpoint. Raises `SignInError` and `ServerFault` in the server's words."""
    told = _object(answer)
    access = told.get("access_token")
    if answer.status == 200 and isinstance(access, str):
        lifetime = float(cast("float", told.get("expires_in") or 300))
        return Tokens(access, now + lifetime, lifetime, grant_path, cast("str | None", told.get("refresh_token")))
    if answer.status >= 500:
        raise ServerFault(
            f"the server failed while it made a token: status {answer.status}", status=answer.status, hint=_CONFIGURE
        )
    error = told.get("error")
    if error is None:
        raise SignInError("the server's OAuth2 is switched off: it answered with a page", hint=_CONFIGURE)
    why = told.get("error_description") or error
    if error in {"invalid_client", "unauthorized_client"}:
        raise SignInError(
            f"the server does not know this OAuth2 client, or its secret is another: {why}",
            hint="dhis2 profile bootstrap NAME --oauth2  registers one",
        )
    raise SignInError(f"the server gave no token: {why}", hint="dhis2 profile login NAME")


def _object(answer: Answer) -> JsonObject:
    """The JSON object of an answer, or an empty one."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return cast("JsonObject", found) if isinstance(found, dict) else {}


async def revoke(exchange: Exchange, tokens: Tokens, client_id: str, client_secret: str | None) -> bool:
    """Ask the server to forget our refresh token, where it can (RFC 7009); gives whether it did."""
    if tokens.refresh is None or not tokens.grant_path.startswith("/oauth2/"):
        return False
    form = {"token": tokens.refresh, "token_type_hint": "refresh_token", "client_id": client_id}
    headers = dict(_FORM)
    if client_secret is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(f'{client_id}:{client_secret}'.encode()).decode()}"
    try:
        answer = await exchange("POST", "/oauth2/revoke", body=urlencode(form).encode(), headers=headers)
    except Dhis2Error:
        return False  # we forget it all the same
    return answer.status == 200


def from_credentials(credentials: Credentials) -> SignIn:
    """The provider behind `auth = "oauth2"`. Raises `ConfigError` when the profile names no client."""
    if not credentials.client_id or credentials.kept is None:
        raise ConfigError(
            "sign-in 'oauth2' needs the client_id of an OAuth2 client",
            hint=f"dhis2 profile bootstrap {credentials.profile or 'NAME'} --oauth2  registers one",
        )
    secret = credentials.kept.read("client")
    return OAuth2(credentials.client_id, secret, credentials.kept, profile=credentials.profile)
