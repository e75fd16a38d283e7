"""Where a browser reaches the server of a profile: its address, or a port on loopback for the sandbox in this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from dhis2sh.pictures.browser.pages import drawing_for

if TYPE_CHECKING:
    from dhis2sh.session import Session


@asynccontextmanager
async def reachable(s: Session) -> AsyncGenerator[str]:
    """The address of the profile's server, without a slash at its end; a sandbox of this process is served meanwhile."""
    if not s.profile.embedded:
        yield s.profile.url.rstrip("/")
        return
    from dhis2sh.sandbox.serve import served  # heavy: the HTTP server

    async with served(s.sandbox_store(), drawing_for) as address:
        yield address
