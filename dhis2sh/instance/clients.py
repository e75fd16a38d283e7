"""OAuth2 clients that a server knows: listed without secrets, and registered with one that only a file has.

API source: `GET|POST|DELETE /api/oAuth2Clients` (api-facts h.10; the body is `dhis2sh.sign_in`'s).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh import paths
from dhis2sh.client import reading
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import NeedsSecret, UsageError
from dhis2sh.instance.tokens import new_file
from dhis2sh.sign_in import OLD_SECRET, REDIRECT_URI, new_client_secret, oauth2_client

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

CLIENTS = "oAuth2Clients"
COLUMNS = ("id", "clientId", "name", "grants", "redirectUris", "scopes")
SHORTEST = 8


async def clients(s: Session) -> list[Row]:
    """Every client as a row of `COLUMNS`."""
    key = (await s.client.version()).behaviour.oauth2_client_key
    old = key == "cid"  # until 2.41 lists are lists, later texts with commas
    grants = "grantTypes" if old else "authorizationGrantTypes"
    fields = f"id,name,{key},{grants},redirectUris" + ("" if old else ",scopes")
    return [
        {
            "id": row["id"], "clientId": row.get(key), "name": row.get("name"), "grants": _words(row.get(grants)),
            "redirectUris": _words(row.get("redirectUris")), "scopes": _words(row.get("scopes")),
        }
        for row in await reading.all_of(s.client, CLIENTS, fields=fields)
    ]  # fmt: skip


def _words(value: object) -> list[JsonValue]:
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return [str(item) for item in cast("list[object]", value or [])]


@dataclass(frozen=True, slots=True)
class Registration:
    """A client that is to be registered.

    Parameters:
        body: as the server takes it.
        keep: writes its secret into its file, before anything is sent; None where somebody has typed it.
    """

    body: JsonObject
    keep: Callable[[], None] | None


async def registration(s: Session, client_id: str, redirect_uris: Sequence[str], to: Path | None) -> Registration:
    """A client with its secret, which is made up into a file, or asked for.

    Raises `UsageError` for an identifier that is taken and a file that is there, `NeedsSecret` where nobody can be asked,
    `MissingExtra` without the extra that hashes a secret.
    """
    if any(row["clientId"] == client_id for row in await clients(s)):
        raise UsageError(f"the server has an OAuth2 client '{client_id}' already", hint="dhis2 dev oauth2 client list")
    new_file(to)
    version = await s.client.version()
    secret = new_client_secret(version) if to is not None else await s.person.secret(f"secret of {client_id}: ")
    if not secret:
        raise NeedsSecret(f"{client_id} needs a secret", hint="--to FILE makes one up, or ask in a terminal")
    if len(secret) < SHORTEST:
        raise UsageError("the secret is too short to be one", hint=f"{SHORTEST} characters at the least, or --to FILE")
    if not version.has("spring_oauth2") and len(secret) != OLD_SECRET:
        told = f"DHIS2 {version} takes secrets of {OLD_SECRET} characters alone (E4002)"
        raise UsageError(told, hint="--to FILE makes one up that fits")
    made = partial(oauth2_client, version, client_id, secret, [*redirect_uris] or [REDIRECT_URI])
    body: JsonObject = {"id": generate_uid(), **await asyncio.to_thread(made)}
    keep = None if to is None else partial(paths.write_atomic, to, f"{secret}\n", mode=0o600)
    return Registration(body, keep)
