"""The App Hub: the one of a server, asked through it, or another one, asked from this machine.

API source: `AppHubController.java`; the hub's own `routes/v2` (recorded `inst-apps` 10, 11, 13).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, urlsplit

from dhis2sh.client import bodies
from dhis2sh.client.apps import ZIP
from dhis2sh.client.auth import Anonymous
from dhis2sh.client.client import Client
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import (
    BrokenAnswer,
    Dhis2Error,
    NetworkError,
    NotDhis2,
    Refused,
    ServerFault,
    TimedOut,
    Unreachable,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dhis2sh.client.answers import AnswerStream
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Param
    from dhis2sh.types import JsonObject

PAGE = 100
MOST_PAGES = 50
TYPES = "APP,DASHBOARD_WIDGET,TRACKER_DASHBOARD_WIDGET"
"""The kinds that a hub lists; without it only the first."""


class Hub:
    """An App Hub: the one of a server, asked through it, or another one, asked from this machine.

    Parameters:
        client: the server.
        address: of a hub that is asked from here, such as `https://apps.dhis2.org`; None for the server's.

    API source: `apps.dhis2.org/api/v2` (the hub's own `routes/v2`).
    """

    def __init__(self, client: Requests, address: str | None = None) -> None:
        self._client = client
        self.address = None if address is None else _hub(address)

    async def apps(self, params: Mapping[str, Param]) -> list[JsonObject]:
        """Every app that the hub lists for some parameters, each with its versions, page by page.

        Raises `BrokenAnswer` where there are pages that do not come: through a server that hands no parameters on.
        """
        found: dict[str, JsonObject] = {}
        for page in range(1, MOST_PAGES + 1):
            body = await self._get("v2/apps", {"types": TYPES, "pageSize": PAGE, **params, "page": page})
            rows, pager = body.get("result"), body.get("pager")
            if not isinstance(rows, list):
                raise NotDhis2("the App Hub answered with no list of apps", hint="dhis2 apps hub-url")
            new = [cast("JsonObject", row) for row in rows if cast("JsonObject", row).get("id") not in found]
            found |= {str(row["id"]): row for row in new}
            total = cast("JsonObject", pager).get("total") if isinstance(pager, dict) else None
            if not isinstance(total, int) or len(found) >= total:
                return [*found.values()]
            if not new:
                break
        raise BrokenAnswer(
            f"{len(found):,} apps came of the hub, and it has more",
            hint="--hub-url https://apps.dhis2.org  asks it from this machine",
        )

    async def versions(self, app: str) -> list[JsonObject]:
        """The versions of an app, by its UUID. Raises `NotFound`."""
        body = await self._get(f"v2/apps/{quote(app, safe='')}/versions", {"pageSize": PAGE})
        rows = body.get("result")
        return [cast("JsonObject", row) for row in rows] if isinstance(rows, list) else []

    async def _get(self, path: str, params: Mapping[str, Param]) -> JsonObject:
        try:
            if self.address is None:
                return await self._client.get_object(f"appHub/{path}", dict(params))
            async with _to(self.address) as hub:
                return await hub.get_object(path, dict(params))
        except (ServerFault, Unreachable, TimedOut, NotDhis2) as error:
            if self.address is None and isinstance(error, NetworkError):
                raise  # the server itself is what does not answer
            raise self._unreachable(error) from error

    def _unreachable(self, error: Dhis2Error) -> Refused:
        if self.address is None:
            text = f"the server does not reach its App Hub: {error.message}"
            return Refused(text, status=503, hint="--hub-url https://apps.dhis2.org  asks it from this machine")
        text = f"{self.address} cannot be reached from this machine: {error.message}"
        return Refused(text, hint="check the address; an app can be added from its zip too: dhis2 apps add FILE.zip")

    async def download(self, url: str, target: Path) -> int:
        """Write the zip of a version to a file, from this machine; the bytes written.

        Parameters:
            url: as the version says it.

        Raises `UsageError` for an address that is not the hub's, `BrokenAnswer` for what is no zip.
        """
        address = self.address or f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        async with _to(address) as hub:
            return await bodies.save(hub, url, {}, target, _is_zip, accept=f"{ZIP}, */*", as_is=True)


async def _is_zip(answer: AnswerStream) -> AsyncIterator[bytes]:
    first = True
    async for piece in answer:
        if first and not piece.startswith(b"PK"):
            raise BrokenAnswer("what the App Hub gave is no zip", hint="dhis2 apps hub-list")
        first = False
        yield piece


def _to(address: str) -> Client:
    return Client(ConnectionSettings(address, profile="App Hub"), Anonymous())


def _hub(address: str) -> str:
    """A hub's address without its `/api`. Raises `UsageError` for what is none."""
    text = address.rstrip("/").removesuffix("/api")
    found = urlsplit(text)
    if found.scheme not in {"http", "https"} or not found.netloc or found.username or found.query:
        raise UsageError(f"{address} is no address of an App Hub", hint="https://apps.dhis2.org")
    return text
