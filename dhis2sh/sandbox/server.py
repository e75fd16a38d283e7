"""What every handler works on: one store, and how objects are shown to whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.sandbox.http import base_of
from dhis2sh.sandbox.render import Renderer

if TYPE_CHECKING:
    from dhis2_models.facts import Resource
    from starlette.requests import Request

    from dhis2sh.sandbox.store import Store


@dataclass(slots=True)
class Server:
    """One embedded DHIS2. The handlers of `routes/` are methods of classes that hold one.

    Parameters:
        store: the database; the caller closes it.
    """

    store: Store

    def resource_of(self, request: Request) -> Resource | None:
        """The type that a path names; `.json` after it is dropped."""
        plural = request.path_params["plural"].removesuffix(".json")
        resource = self.store.resources.get(plural)
        return resource if resource and resource.endpoint == f"/{plural}" else None

    def renderer(self, request: Request) -> Renderer:
        """Shows objects to this request's user, in its language."""
        return Renderer(self.store, base_of(request), request.query_params.get("locale"))
