"""The authorities that a server knows, by code or by name. A role takes any text as one, so a mistyped one would be stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import NotFound, did_you_mean
from dhis2sh.models import facts

if TYPE_CHECKING:
    from dhis2sh.client.client import Client
    from dhis2sh.types import JsonObject

ROLES = "userRoles"


LISTS_ALL = 42
"""From 2.42 on the list has those of types too; before, its types alone say them (recorded `users`: 40 of 187)."""


async def descriptions(client: Client) -> dict[str, str]:
    """Every authority of the server with its name, apps' too (`GET /api/authorities`); of 2.41 some go by their code alone."""
    body = await client.get_object("authorities")
    rows = cast("list[JsonObject]", body.get("systemAuthorities") or [])
    found = {str(row["id"]): str(row.get("name") or row["id"]) for row in rows}
    version = await client.version()
    if version.minor >= LISTS_ALL:
        return found
    schemas = cast("list[JsonObject]", facts.schemas(f"v{version.minor}", "")["schemas"])
    kinds = [kind for one in schemas for kind in cast("list[JsonObject]", one.get("authorities") or [])]
    return {str(code): str(code) for kind in kinds for code in cast("list[str]", kind["authorities"])} | found


async def known(client: Client, texts: Iterable[str]) -> set[str]:
    """The codes of authorities given by code or name. Raises `NotFound` for what the server knows none of."""
    named = await descriptions(client)
    by_text = {code.upper(): code for code in named} | {name.lower(): code for code, name in named.items()}
    found = {text: by_text.get(text.upper()) or by_text.get(text.lower()) for text in texts}
    if unknown := [text for text, code in found.items() if code is None]:
        told = ", ".join(f"'{text}'" for text in unknown[:5])
        more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
        hint = did_you_mean(unknown[0], [*named, *named.values()]) or "dhis2 user-role authorities list"
        raise NotFound(f"the server has no authority {told}{more}", hint=hint)
    return {code for code in found.values() if code is not None}


async def check_roles(
    client: Client, plural: str, roles: Iterable[JsonObject], before: Iterable[JsonObject] = ()
) -> None:
    """Give the authorities of roles that are to be written by their codes; objects of other types are left alone.

    Parameters:
        plural: the objects' type.
        before: the same roles as they are: what those give already stays, an app's too that is there no more.

    Raises `NotFound` for an authority that the server does not know.
    """
    if plural != ROLES:
        return
    kept = {text for role in before for text in _given(role)}
    for role in roles:
        given = _given(role)
        if new := given - kept:
            role["authorities"] = [*sorted((given & kept) | await known(client, sorted(new)))]


def _given(role: JsonObject) -> set[str]:
    return set(cast("list[str]", role.get("authorities") or []))
