"""Sign-in: who we are on a server. `SignIn` is public; a plugin registers a provider of its own by name.

API source: Basic and personal access tokens (`Authorization: ApiToken ...`, header format of `/api/apiToken`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dhis2sh.errors import ConfigError, did_you_mean

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

    async def renew(self) -> bool:
        """After a 401: True when other headers are worth one more try. Raises `SignInError`."""
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
    """What a profile knows of its sign-in: the provider's name, the user and the secret."""

    method: str
    username: str | None = None
    secret: str | None = field(default=None, repr=False)


type Factory = Callable[[Credentials], SignIn]


def _basic(credentials: Credentials) -> SignIn:
    if not credentials.username or credentials.secret is None:
        raise ConfigError("sign-in 'basic' needs a user name and a password", hint="dhis2 profile add NAME --url URL")
    return Basic(credentials.username, credentials.secret)


def _token(credentials: Credentials) -> SignIn:
    if not credentials.secret:
        raise ConfigError("sign-in 'pat' needs a personal access token", hint="set DHIS2_PAT, or dhis2 profile add")
    token = credentials.secret.strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigError("the personal access token has characters that no token has", hint="set DHIS2_PAT again")
    return PersonalAccessToken(token)


_PROVIDERS: dict[str, Factory] = {"basic": _basic, "pat": _token, "none": lambda _: Anonymous()}


def register_sign_in(name: str, factory: Factory) -> None:
    """Add a sign-in provider, so that a profile can say `auth = "<name>"`.

    Parameters:
        name: what profiles call it.
        factory: makes a `SignIn` from the profile's credentials.
    """
    _PROVIDERS[name] = factory


def sign_in(credentials: Credentials) -> SignIn:
    """The sign-in of a profile. Raises `ConfigError` for an unknown provider or missing credentials."""
    factory = _PROVIDERS.get(credentials.method)
    if factory is None:
        raise ConfigError(
            f"no sign-in provider is called '{credentials.method}'",
            hint=did_you_mean(credentials.method, list(_PROVIDERS)) or f"known: {', '.join(_PROVIDERS)}",
        )
    return factory(credentials)
