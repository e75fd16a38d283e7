"""The secrets of objects: what a server takes and never gives again, so that no copy of the object holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dhis2sh.redact import SECRET, redacted

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

NEVER_GIVEN: Mapping[str, tuple[str, ...]] = {
    "http-basic": ("password",), "api-token": ("token",), "api-headers": ("headers",), "api-query-params": ("queryParams",),
    "oauth2-client-credentials": ("clientSecret",),
}  # fmt: skip
"""By the type of a sign-in what a server takes and does not give again (recorded `inst-routes`)."""
EXCHANGE_TARGET = "EXTERNAL"
"""The kind of target of an exchange that has an `api` with a password, which a server does not give again (recorded)."""
EXCHANGES = "aggregateDataExchanges"
_BY_TYPE: Mapping[str, str] = {"users": "password", "apiToken": "key"}
"""The one secret of every object of a type."""


def secrets_of(plural: str, body: JsonObject) -> list[str]:
    """Where an object, as its server gives it, has secrets: `auth.password`, `target.api.accessToken`; in order, each once.

    Parameters:
        body: also as a journal keeps it, with `(secret)` in place of what it does not keep.
    """
    found = [".".join(place) for place in _places(body, redacted(body), ())]
    if plural in _BY_TYPE:
        found.append(_BY_TYPE[plural])
    if plural == "oAuth2Clients":  # until 2.41 `cid` and `secret`
        found.append("secret" if "cid" in body else "clientSecret")
    return list(dict.fromkeys(found))


def _places(value: JsonValue, hidden: JsonValue, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Where a value has a secret, which `hidden` has in its place, or would have one if its server gave it."""
    if hidden == SECRET:
        yield path
    elif isinstance(value, list) and isinstance(hidden, list):
        for number, (item, other) in enumerate(zip(value, hidden, strict=True)):
            yield from _places(item, other, (*path, str(number)))
    elif isinstance(value, dict) and isinstance(hidden, dict):
        for name, item in value.items():
            if name != "passwordLastUpdated":  # no secret, and nobody's to set
                yield from _places(item, hidden[name], (*path, name))
        if path and path[-1] == "auth":
            yield from ((*path, name) for name in NEVER_GIVEN.get(str(value.get("type")), ()) if not value.get(name))
        api = value.get("api")
        if value.get("type") == EXCHANGE_TARGET and isinstance(api, dict):
            yield (*path, "api", "password" if api.get("username") else "accessToken")
