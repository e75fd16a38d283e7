"""`/api/dataElementOperands`: data elements with their option combos; no object of this kind is stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.data.model import Model
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer, asked_path
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.metadata.listing import list_objects
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    def list_(self, request: Request) -> Response:
        """`GET /api/dataElementOperands[?dataSet=][&totals=true]`; with totals an element stands for itself too."""
        query, model = request.query_params, Model(self.store)
        elements: Iterable[str] = self.store.objects("dataElements")
        if query.get("dataSet"):
            elements = [uid for each in params.many(query, "dataSet") for uid in model.elements_of.get(each, [])]
        totals = params.boolean(query, "totals")
        found = [body for uid in dict.fromkeys(elements) for body in _operands(model, uid, totals=totals)]
        renderer, resource = self.server.renderer(request), self.store.resources["dataElementOperands"]
        return answer(list_objects(self.store, resource, query, renderer, asked_path(request), of=found))


def _operands(model: Model, element: str, *, totals: bool) -> Iterable[JsonObject]:
    """The operands of a data element; one that is not disaggregated has its element's identifier."""
    combos = model.option_combos(element)
    whole: JsonObject = {"id": element, "name": model.name("dataElements", element), "dataElement": {"id": element}}
    if totals or combos == [DEFAULT_OPTION_COMBO]:
        yield whole
    for combo in combos if combos != [DEFAULT_OPTION_COMBO] else ():
        name = f"{whole['name']} {model.name('categoryOptionCombos', combo)}"
        yield {
            "id": f"{element}.{combo}",
            "name": name,
            "dataElement": {"id": element},
            "categoryOptionCombo": {"id": combo},
        }


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    return [Route("/api/dataElementOperands", Api(server).list_)]
