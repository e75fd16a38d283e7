"""The kinds of sign-in by name, as profiles say them; a plugin registers a provider of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dhis2sh.client.auth import Anonymous, Basic, PersonalAccessToken, personal_access_token
from dhis2sh.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from dhis2sh.client.auth import Credentials, SignIn

type Factory = Callable[[Credentials], SignIn]


def _basic(credentials: Credentials) -> SignIn:
    if not credentials.username or credentials.secret is None:
        if credentials.profile == "environment":
            hint = "set DHIS2_USERNAME and DHIS2_PASSWORD, or DHIS2_PAT"
        elif credentials.username:
            hint = f"dhis2 profile login {credentials.profile}"
        else:
            hint = f"dhis2 profile add {credentials.profile} with --username  gives it one"
        raise ConfigError("sign-in 'basic' needs a user name and a password", hint=hint)
    return Basic(credentials.username, credentials.secret)


def _token(credentials: Credentials) -> SignIn:
    if not credentials.secret:
        raise ConfigError(
            "sign-in 'pat' needs a personal access token",
            hint=f"set DHIS2_PAT, or dhis2 profile login {credentials.profile or 'NAME'}",
        )
    return PersonalAccessToken(personal_access_token(credentials.secret))


def _oauth2(credentials: Credentials) -> SignIn:
    from dhis2sh.client import oauth2  # start-up: most profiles sign in by password or token

    return oauth2.from_credentials(credentials)


def _session(credentials: Credentials) -> SignIn:
    from dhis2sh.client import session_login  # start-up: as OAuth2

    return session_login.from_credentials(credentials)


_PROVIDERS: dict[str, Factory] = {
    "basic": _basic,
    "pat": _token,
    "oauth2": _oauth2,
    "session": _session,
    "none": lambda _: Anonymous(),
}


GROUP = "dhis2.auth"
"""The entry points of plugins: the name that profiles use, and a `Factory`."""


def register_sign_in(name: str, factory: Factory) -> None:
    """Add a sign-in provider, so that a profile can say `auth = "<name>"`.

    A distribution that is installed declares an entry point of the group `dhis2.auth` instead; it is imported when a
    profile names it, and not before.

    Parameters:
        name: what profiles call it.
        factory: makes a `SignIn` from the profile's credentials.
    """
    _PROVIDERS[name] = factory


def sign_in(credentials: Credentials) -> SignIn:
    """The sign-in of a profile. Raises `ConfigError` for an unknown provider or missing credentials."""
    factory = _PROVIDERS.get(credentials.method) or _from_plugin(credentials.method)
    return factory(credentials)


def known_methods() -> list[str]:
    """What a profile may say as `auth`: the built-in providers and those of installed plugins."""
    from importlib.metadata import entry_points  # start-up: only an unknown name is looked for among plugins

    return sorted({*_PROVIDERS, *(point.name for point in entry_points(group=GROUP))})


BUILT_IN = ("basic", "pat", "oauth2", "session", "none")
"""The providers that are here without any plugin."""


def _from_plugin(name: str) -> Factory:
    """The factory that an installed plugin offers. Looking for it reads every distribution, so it is the last resort."""
    from importlib.metadata import entry_points  # start-up: only an unknown name is looked for among plugins

    offered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in offered:
        known = known_methods()
        raise ConfigError(
            f"no sign-in provider is called '{name}'",
            hint=did_you_mean(name, known) or f"known: {', '.join(known)}",
        )
    try:
        factory = offered[name].load()
    except Exception as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(
            f"the sign-in provider '{name}' ({offered[name].value}) cannot be imported: {told}",
            hint="install that plugin again",
        ) from error
    register_sign_in(name, factory)
    return factory
