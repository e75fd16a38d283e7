"""Authorities of roles, by code or by name.

API source: `GET /api/authorities`, `UserRoleController.java` (recorded `people-groups-roles`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.client.authorities import known
from dhis2sh.errors import UsageError
from dhis2sh.instance.people import ROLES
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.session import Session

DIFFERENCE = ("who", "authority", "name", "notFor")
"""The columns of what one role gives and another does not."""


async def authorities(s: Session, role: str) -> set[str]:
    """What a role gives."""
    body = await s.client.get_object(f"{ROLES}/{role}", {"fields": "authorities"})
    return set(cast("list[str]", body.get("authorities") or []))


async def without(s: Session, role: str, texts: Sequence[str]) -> set[str]:
    """What a role gives when some is taken away. Raises `UsageError` for what it does not give."""
    now = await authorities(s, role)
    gone = {text if text in now else next(iter(await known(s.client, [text]))) for text in texts}
    if absent := gone - now:
        raise UsageError(
            f"the role does not give {listed(sorted(absent))}", hint=f"dhis2 user-role authorities list {role}"
        )
    return now - gone
