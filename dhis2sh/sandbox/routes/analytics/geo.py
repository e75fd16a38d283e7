"""`/api/geoFeatures`: the shapes of org units, as the Maps app asks for them; and the figures of saved charts."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.query import UnitReader, display_property
from dhis2sh.sandbox.data.model import Model, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.routes.analytics.aggregate import viewer_of

if TYPE_CHECKING:
    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

_TYPES = {"Point": 1, "Polygon": 2, "MultiPolygon": 2}
_UNKNOWN = ("oug", "coordinateField", "includeCoordinates")
"""Parameters whose answers nobody has seen."""


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    def features(self, request: Request) -> Response:
        """`GET /api/geoFeatures?ou=ou:...`: the org units that have a shape, points before areas."""
        query, model = request.query_params, Model(self.store)
        for name in _UNKNOWN:
            if query.get(name):
                raise not_imitated(f"the parameter {name} of /api/geoFeatures")
        if not query.get("ou"):
            raise Refused(400, "Dimension is present in query without any valid dimension options")
        texts = [part for part in query["ou"].removeprefix("ou:").split(";") if part]
        units, _, _ = UnitReader(model, viewer_of(self.server.rights(request), query)).read(texts)
        prop = display_property(query)
        groups = _groups(model) if params.boolean(query, "includeGroupSets") else {}
        found = [_feature(model, uid, prop, groups.get(uid, {})) for uid in units if _shape(model, uid)]
        found.sort(key=lambda feature: cast("int", feature["ty"]))
        return answer(cast("list[JsonValue]", found))

    def chart(self, request: Request) -> Response:
        """`GET /api/visualizations/{uid}/data`: only a chart without periods was seen, which is refused."""
        uid = request.path_params["uid"]
        body = self.store.get("visualizations", uid)
        if body is None:
            raise Refused(404, f"Visualization does not exist: {uid}")
        relative = cast("JsonObject", body.get("relativePeriods") or {})
        if not (body.get("periods") or body.get("rawPeriods") or any(relative.values())):
            raise refusal("E7104")
        raise not_imitated("the figures of a saved chart; ask /api/analytics for its dimensions")

    def event_chart(self, request: Request) -> Response:
        """`GET /api/eventVisualizations/{uid}/data`: one without aggregate data is refused, and nothing else was seen."""
        uid = request.path_params["uid"]
        body = self.store.get("eventVisualizations", uid)
        if body is None or body.get("dataDimensionItems"):
            raise not_imitated("the figures of a saved event chart")
        raise refusal("E7124", "dx")


def _shape(model: Model, uid: str) -> JsonObject | None:
    """A unit's geometry, None for none."""
    return cast("JsonObject | None", model.body("organisationUnits", uid).get("geometry"))


def _feature(model: Model, uid: str, prop: str, groups: JsonObject) -> JsonObject:
    """An org unit as the map sees it.

    Parameters:
        prop: what names it.
        groups: the group that it has in each group set.
    """
    body, path = model.body("organisationUnits", uid), model.path(uid)
    shape = _shape(model, uid) or {}
    parent = path[-2] if len(path) > 1 else None
    code: JsonObject = {"code": body["code"]} if body.get("code") else {}
    feature: JsonObject = {
        "id": uid, **code, "na": body.get(prop) or body.get("name"),
        "hcd": _has_shapes_below(model, uid), "hcu": len(path) > 2 and _has_shapes_below(model, path[-3]),
        "le": len(path), "pg": "/".join(path[:-1]),
    }  # fmt: skip
    if parent is not None:
        feature |= {"pi": parent, "pn": model.name("organisationUnits", parent)}
    feature["ty"] = _TYPES.get(str(shape.get("type")), 0)
    feature["co"] = orjson.dumps(shape.get("coordinates")).decode()
    feature["dimensions"] = groups
    return feature


def _has_shapes_below(model: Model, uid: str) -> bool:
    return any(_shape(model, child) for child in model.children.get(uid, []))


def _groups(model: Model) -> dict[str, JsonObject]:
    """By org unit the group that it is in, by group set."""
    found: dict[str, JsonObject] = {}
    for group_set, body in model.store.objects("organisationUnitGroupSets").items():
        for group in references(body, "organisationUnitGroups"):
            for uid in references(model.body("organisationUnitGroups", group), "organisationUnits"):
                found.setdefault(uid, {})[group_set] = group
    return found


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/geoFeatures", api.features),
        *(Route(f"/api/visualizations/{{uid:uid}}/data{ending}", api.chart) for ending in ("", ".html")),
        Route("/api/eventVisualizations/{uid:uid}/data", api.event_chart),
    ]
