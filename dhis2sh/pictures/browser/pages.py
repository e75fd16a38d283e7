"""What the sandbox shows in its own small pages: visualizations and maps as `dhis2sh.pictures` draws them, for who looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.client.client import Client
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import Dhis2Error
from dhis2sh.pictures import layers, visuals
from dhis2sh.pictures.browser.entering import Signed
from dhis2sh.profiles import SANDBOX
from dhis2sh.sandbox.refused import Refused
from dhis2sh.session import Session

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from dhis2sh.sandbox.routes.server import Draw


class Looking(Session):
    """The session of somebody who looks at a page: their rights, on the server whose page it is.

    Parameters:
        app: the server.
        headers: what signs their requests in.
    """

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        super().__init__(SANDBOX)
        self._there = Client(ConnectionSettings(url="http://sandbox", profile=SANDBOX), Signed(headers), asgi_app=app)

    @property
    def client(self) -> Client:
        """The client of that server."""
        return self._there

    async def aclose(self) -> None:
        """Close it."""
        await self._there.aclose()


def drawing_for(app: ASGIApp) -> Draw:
    """Draws for the pages of a sandbox.

    Parameters:
        app: the sandbox.
    """

    async def draw(kind: str, uid: str, headers: dict[str, str]) -> str:
        s = Looking(app, headers)
        try:
            if kind == "map":
                return (await layers.map_of(s, uid)).drawn.html()
            plural = "eventVisualizations" if kind.startswith("event") else "visualizations"
            return (await visuals.picture(s, uid, plural=plural)).drawn.html()
        except Dhis2Error as error:
            raise Refused(409, str(error)) from error
        finally:
            await s.aclose()

    return draw
