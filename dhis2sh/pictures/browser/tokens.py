"""A token for a profile, made by who has signed in in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.pictures.browser.chromium import chromium
from dhis2sh.pictures.browser.entering import Entering, enter, session_of
from dhis2sh.session import Session
from dhis2sh.sign_in import Bootstrap, make, prepare_signed_in

if TYPE_CHECKING:
    from dhis2sh.profiles import Profile

__all__ = ["Bootstrap", "make", "prepare"]


async def prepare(s: Session, profile: Profile, how: Entering, *, days: int) -> Bootstrap:
    """Sign in in a browser, and say what would be made with its session. The browser is closed again.

    Parameters:
        profile: who gets the token, and on which server.
        how: how the browser signs in.
        days: until the token ends.

    Raises as `dhis2sh.pictures.browser.entering.enter`.
    """
    async with s.beside(profile.name) as there:
        base = profile.url.rstrip("/")
        async with chromium(there, width=1000, window=how.window) as context:
            await enter(there, context, base, how)
            signed = await session_of(context, base)
        return await prepare_signed_in(there, profile, signed, known=True, days=days)
