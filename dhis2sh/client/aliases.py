"""Long addresses: what servers and proxies would refuse for its length is asked for under a short one.

`POST /api/query/alias` keeps an address and gives a short one for it (api-facts g.2). Not every server answers under it:
those that bring their own Tomcat gave 200 without a body (seen-2026-11-29), and one of several behind a balancer knows
only its own. Such an answer is never taken for the data: the address is then asked for as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from dhis2sh.client import envelopes
from dhis2sh.client.requests import addressed
from dhis2sh.errors import Forbidden, NotDhis2, NotFound, Refused

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests

LONGEST = 16 * 1024
"""Characters of an address that a server keeps."""
type Address = tuple[str, list[tuple[str, str]]]
"""A path below the server, and its parameters."""


class Aliases:
    """The short addresses of one server.

    Parameters:
        client: that server's.
    """

    def __init__(self, client: Requests) -> None:
        self._client = client
        self._usable = True

    async def short(self, path: str, pairs: list[tuple[str, str]]) -> Address | None:
        """The short address of a long one; None of one that is short enough, too long for an alias, or of a server without them."""
        settings = self._client.settings
        target = f"{path}?{urlencode(pairs)}"
        if len(settings.url) + len(target) <= settings.max_url or len(target) > LONGEST or not self._usable:
            return None
        if not (await self._client.version()).has("query_alias"):
            return None  # the server may take it; cutting it into several is the caller's
        try:
            answer = await self._client.write("POST", "/api/query/alias", {"target": target}, idempotent=True)
            kept = envelopes.parse(answer)
        except (Refused, Forbidden, NotFound, NotDhis2):
            kept = None
        found = kept.get("path") if isinstance(kept, dict) else None
        if not isinstance(found, str):
            self._usable = False
            return None
        return addressed(settings.url, found, None)

    def answered(self, status: int, *, empty: bool) -> bool:
        """Whether an answer under a short address may be what was asked for. Where it is not, no other is made."""
        good = status != 404 and not (status == 200 and empty)
        self._usable = self._usable and good
        return good
