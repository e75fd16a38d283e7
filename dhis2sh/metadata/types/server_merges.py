"""What merges of units and of option combinations share: whose data value stays, and the authority that they want."""

from __future__ import annotations

from typing import Annotated, Literal

from dhis2sh.errors import Forbidden
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Doc

Keep = Annotated[
    Literal["last-updated", "discard"], Doc("Where both have a value: the newest stays, or the source's goes.")
]
KEPT = {"last-updated": "LAST_UPDATED", "discard": "DISCARD"}
"""What DHIS2 calls each."""


async def missing_authority(s: Session, authority: str, what: str) -> Forbidden | None:
    """Why the user may not do it, found out by reading; None where they may.

    Parameters:
        authority: the one that the server asks for.
        what: what is to be done: `merging organisation units`.
    """
    if (await s.client.system.me()).may(authority):
        return None
    return Forbidden(f"{what} wants the authority {authority}, which you have not", hint="dhis2 system whoami")
