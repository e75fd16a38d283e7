"""Apps: what is installed on a server, installed from a zip or by the server itself from its App Hub, and taken away.

API source: `AppController.java`, `AppHubController.java` (recorded `inst-apps`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from dhis2sh.client.forms import FileForm
from dhis2sh.client.sending import accepted
from dhis2sh.errors import (
    NotDhis2,
)

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.types import JsonObject

ZIP = "application/zip"


class Apps:
    """`client.apps`."""

    def __init__(self, client: Requests) -> None:
        self._client = client

    async def list(self) -> list[JsonObject]:
        """What is installed (`GET /api/apps`)."""
        body = await self._client.get("apps")
        if not isinstance(body, list):
            raise NotDhis2("GET /api/apps: expected a list", hint="dhis2 profile verify")
        return [cast("JsonObject", one) for one in body]

    async def install(self, file: Path, name: str | None = None) -> None:
        """Install an app, or another version of it, from a zip, sent as it is read. Raises `Refused`, `NotFound`.

        Parameters:
            name: of the zip, after which a server calls the folder that the app lies in.
        """
        called = name or file.name
        if not called.endswith(".zip"):
            called += ".zip"  # a server cuts the name at its last dot, and fails where there is none
        accepted(await FileForm(file, called, ZIP).send(self._client, "apps"))

    async def install_from_hub(self, version: str) -> None:
        """Let the server install a version of an app from its hub (`POST /api/appHub/{version}`)."""
        accepted(await self._client.write("POST", f"appHub/{quote(version, safe='')}"))

    async def remove(self, key: str) -> None:
        """Remove an app; what it has stored in the data store stays (`DELETE /api/apps/{key}`)."""
        accepted(await self._client.write("DELETE", f"apps/{quote(key, safe='')}"))

    async def hub_address(self) -> JsonObject:
        """The hub that the server is set up for (`GET /api/configuration/appHubUrl`)."""
        return await self._client.get_object("configuration/appHubUrl")
