"""Sign-in: who we are on a server. `SignIn` is public; `dhis2sh.client.providers` makes it from a profile's words.

API source: Basic and personal access tokens (`Authorization: ApiToken ...`, header format of `/api/apiToken`).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dhis2sh.errors import ConfigError

if TYPE_CHECKING:
    from dhis2sh.client.answers import Answer


@runtime_checkable
class SignIn(Protocol):
    """Gives the headers that sign a request in."""

    async def headers(self) -> dict[str, str]:
        """Headers for the next request; may refresh a token first. Raises `SignInError`."""
        ...

    def describe(self) -> str:
        """Who this is, without a secret (`admin, with a password`)."""
        ...


class Exchange(Protocol):
    """How a sign-in reaches its server: one request without credentials, past the guards of verbs."""

    async def __call__(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send it. Raises network errors; an answer of any status is given back."""
        ...


@runtime_checkable
class Renewing(Protocol):
    """A sign-in that asks its server for tokens, and can ask again."""

    def attach(self, exchange: Exchange) -> None:
        """Told once, by the transport that it signs for."""
        ...

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """After a refusal: True when other headers are worth one more try. Raises `SignInError`.

        Parameters:
            refused: the headers that were not accepted; others may be there already.
        """
        ...


class Secrets(Protocol):
    """Keeps a profile's secrets between processes: a keyring, or a file. May block: called in threads."""

    def read(self, kind: str = "", /) -> str | None:
        """The secret of a kind: the password or token (empty), `tokens`, `client`, `cookie`; None without one."""
        ...

    def write(self, secret: str | None, kind: str = "", /) -> None:
        """Keep it, or with None forget it."""
        ...

    def turn(self) -> Turn:
        """Whose turn it is among processes to renew what is kept here."""
        ...


class Turn(Protocol):
    """A turn that one process has at a time. A process that ends has given it back."""

    def take(self) -> bool:
        """Take it; False where another one has it. Returns at once."""
        ...

    def give_back(self) -> None:
        """Let the next one have it."""
        ...


@dataclass(frozen=True, slots=True)
class Basic:
    """User name and password."""

    username: str
    password: str = field(repr=False)

    async def headers(self) -> dict[str, str]:
        """The `Authorization: Basic` header."""
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def describe(self) -> str:
        """Who this is, without a secret."""
        return f"{self.username}, with a password"


@dataclass(frozen=True, slots=True)
class PersonalAccessToken:
    """A personal access token (`d2p_...` or `d2pat_...`)."""

    token: str = field(repr=False)

    async def headers(self) -> dict[str, str]:
        """The `Authorization: ApiToken` header."""
        return {"Authorization": f"ApiToken {self.token}"}

    def describe(self) -> str:
        """Who this is, without a secret."""
        return "with a personal access token"


@dataclass(frozen=True, slots=True)
class Anonymous:
    """No sign-in at all; only public addresses answer."""

    async def headers(self) -> dict[str, str]:
        """No headers."""
        return {}

    def describe(self) -> str:
        """Who this is."""
        return "not signed in"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a profile knows of its sign-in.

    Parameters:
        method: the provider's name.
        username, secret: the user, and the password or token.
        client_id: of an OAuth2 client.
        kept: the profile's other secrets; None for a client without a profile.
        profile: its name, for messages.
    """

    method: str
    username: str | None = None
    secret: str | None = field(default=None, repr=False)
    client_id: str | None = None
    kept: Secrets | None = field(default=None, repr=False)
    profile: str = ""


def personal_access_token(text: str) -> str:
    """A token as it was pasted or read from a file, without what is around it. Raises `ConfigError` for none."""
    token = text.strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigError("the personal access token has characters that no token has", hint="set DHIS2_PAT again")
    return token


def remedy(signed: SignIn, profile: str) -> str:
    """The command that helps when a server does not accept this sign-in.

    Parameters:
        signed: the sign-in that was refused.
        profile: the profile's name; empty for a client without one.
    """
    real = signed.made if isinstance(signed, Later) else signed
    name = profile or "NAME"
    if isinstance(real, Anonymous):
        return f"dhis2 profile add {name} --url URL --username USER"
    if profile == "environment":
        return "set DHIS2_PAT, or DHIS2_USERNAME and DHIS2_PASSWORD, to what the server accepts"
    if isinstance(real, PersonalAccessToken):
        return f"dhis2 profile bootstrap {name}  makes a new token; one that you have already goes into DHIS2_PAT before profile login"
    return f"dhis2 profile login {name}"


class Later:
    """A sign-in that is made when the first request needs it, in a thread: keyrings, files and plugins may be slow.

    Parameters:
        make: makes it; may block, and may raise `ConfigError`.
    """

    def __init__(self, make: Callable[[], SignIn]) -> None:
        self._make = make
        self._made: SignIn | None = None
        self._making = asyncio.Lock()
        self._exchange: Exchange | None = None

    @property
    def made(self) -> SignIn | None:
        """The real one, once a request has needed it."""
        return self._made

    def attach(self, exchange: Exchange) -> None:
        """Kept for the sign-in to come."""
        self._exchange = exchange

    async def headers(self) -> dict[str, str]:
        """The headers of the real one."""
        return await (self._made or await self._ready()).headers()

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """What the real one says, if it can renew itself at all."""
        made = self._made or await self._ready()
        return await made.renew(refused) if isinstance(made, Renewing) else False

    def describe(self) -> str:
        """Who this is, as soon as that is known."""
        return self._made.describe() if self._made else "not signed in yet"

    async def _ready(self) -> SignIn:
        async with self._making:
            if self._made is None:
                made = await asyncio.to_thread(self._make)
                if isinstance(made, Renewing) and self._exchange is not None:
                    made.attach(self._exchange)
                self._made = made
        return self._made
