"""Addresses of servers: what a profile may say, what people copy from a browser, and where credentials end."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from dhis2sh.errors import ConfigError

_PAGES = re.compile(
    r"/(api|apps|login|login\.html|index\.html|index\.action|oauth2|uaa|dhis-web-[\w-]*|security)(?:/.*)?$"
)
"""Where the pages and the API of a server begin: everything before it is the server's address."""
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\\<>\"'`{}|^]")
"""What no address has; much of it cannot be seen."""


def origin(url: str) -> str:
    """Scheme, host and port of an address: what a limiter counts by, and what credentials never leave."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:  # no number: an address that nothing is ever sent to
        port = 0
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def base_address(text: str) -> str:
    """A server's address out of what was typed, or copied from a browser: without page, API, query and what stands around it.

    Raises `ConfigError` for what is no address, and for one that holds a user or a password, which it does not repeat.
    """
    typed = text.strip().strip("<>\"'").strip()
    address = typed.partition("?")[0].partition("#")[0]
    checked_address(address)
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    kept = _PAGES.sub("", re.sub(r"/+", "/", f"/{path}")).rstrip("/")
    return f"{scheme.lower()}://{host.lower()}{kept}"


def checked_address(url: str) -> str:
    """The same address. Raises `ConfigError` where no profile may have it: no http, no host, a password in it."""
    if "@" in re.split(r"[/?#]", url.partition("://")[2] or url, maxsplit=1)[0]:
        raise ConfigError("an address holds no user and no password", hint="use --username; the password is asked for")
    if not re.match(r"https?://", url, re.IGNORECASE):
        like = f"did you mean https://{url} ?" if re.match(r"[\w-]+(\.[\w-]+)+(:\d+)?(/|$)", url) else None
        raise ConfigError(f"'{url}' is not an address", hint=like or "addresses look like https://host/path")
    if unfit := _UNFIT.search(url):
        raise ConfigError(
            f"{url!r} is not an address: {unfit[0]!r} stands in it", hint="addresses look like https://host/path"
        )
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ConfigError(f"'{url}' is not an address: {error}", hint="addresses look like https://host/path") from None
    if not known:
        raise ConfigError(f"'{url}' is not an address: it names no host", hint="addresses look like https://host/path")
    return url
