"""Authorities of roles, by code or by name.

API source: `GET /api/authorities`, `UserRoleController.java` (recorded `people-groups-roles`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.instance.people import ROLES, descriptions
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.session import Session

DIFFERENCE = ("who", "authority", "name", "notFor")
"""The columns of what one role gives and another does not."""


async def authorities(s: Session, role: str) -> set[str]:
    """What a role gives."""
    body = await s.client.get_object(f"{ROLES}/{role}", {"fields": "authorities"})
    return set(cast("list[str]", body.get("authorities") or []))


async def known(s: Session, texts: Sequence[str]) -> set[str]:
    """Authorities by code or name. Raises `NotFound` for what the server knows none of: it would store any text."""
    named = await descriptions(s)
    by_text = {code.upper(): code for code in named} | {name.lower(): code for code, name in named.items()}
    found: set[str] = set()
    for text in texts:
        code = by_text.get(text.upper()) or by_text.get(text.lower())
        if code is None:
            hint = did_you_mean(text, [*named, *named.values()]) or "dhis2 user-role authorities list"
            raise NotFound(f"the server has no authority '{text}'", hint=hint)
        found.add(code)
    return found


async def without(s: Session, role: str, texts: Sequence[str]) -> set[str]:
    """What a role gives when some is taken away. Raises `UsageError` for what it does not give."""
    now = await authorities(s, role)
    gone = {text if text in now else next(iter(await known(s, [text]))) for text in texts}
    if absent := gone - now:
        raise UsageError(
            f"the role does not give {listed(sorted(absent))}", hint=f"dhis2 user-role authorities list {role}"
        )
    return now - gone
