"""What the profile of organisation units shows, which levels have units, which units are near, and whether an object fits its schema.

API source: recorded `inst-misc` on 2.41 to 2.43. What no recording shows is refused.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.models import facts
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer, base_of
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.bundle import ImportOptions
from dhis2sh.sandbox.importer.pipeline import Importer
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.select import select
from dhis2sh.sandbox.refused import Refused, not_found, not_imitated

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

UNITS = "organisationUnits"
PARTS = ("attributes", "groupSets", "dataItems")
EARTH = 6371.0
"""Kilometres from its middle to where people are."""
_KEY = "orgUnitProfile"
_OF_SCHEMA = "E400"
"""How the codes of what a schema says begin; the rest is found by other checks."""


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    def _profile(self) -> JsonObject:
        row = self.store.connection.execute("SELECT value FROM setting WHERE user = '' AND key = ?", (_KEY,)).fetchone()
        stored = cast("JsonObject", json.loads(row[0])) if row else {}
        return {name: stored.get(name) or [] for name in PARTS}

    def profile(self, request: Request) -> Response:
        """`GET /api/organisationUnitProfile`: what is shown of a unit besides its own properties."""
        return answer(self._profile())

    def keep(self, request: Request, raw: bytes) -> Response:
        """`POST /api/organisationUnitProfile`."""
        if not self.server.rights(request).superuser:
            raise not_imitated("who may change the profile of organisation units besides those with ALL")
        sent = parse_object(raw)
        kept = json.dumps({name: sent.get(name) or [] for name in PARTS})
        with self.store.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO setting VALUES ('', ?, '', ?)", (_KEY, kept))
        return Response(status_code=200)

    def data(self, request: Request) -> Response:
        """`GET /api/organisationUnitProfile/{uid}/data`."""
        profile = self._profile()
        if any(profile.values()):
            raise not_imitated("the data of a unit's profile that names some")
        unit = self.store.get(UNITS, request.path_params["uid"])
        if unit is None:
            raise not_found("OrganisationUnit", request.path_params["uid"])
        return answer({"info": self._info(unit), **profile})

    def _info(self, unit: JsonObject) -> JsonObject:
        parent = self.store.get(UNITS, str(cast("JsonObject", unit.get("parent") or {}).get("id") or ""))
        level = str(unit.get("path") or "").count("/")
        named = [one for one in self.store.objects("organisationUnitLevels").values() if one.get("level") == level]
        found: JsonObject = {name: unit[name] for name in ("id", "code", "name", "shortName") if unit.get(name)}
        found |= {"parentName": parent.get("name")} if parent else {}
        found |= {"level": level, **({"levelName": named[0].get("name")} if named else {})}
        found |= {"openingDate": unit.get("openingDate")}
        place = _point(unit)
        if place is not None:
            found |= {"featureType": "POINT", "longitude": place[0], "latitude": place[1]}
        elif unit.get("geometry") is not None:
            raise not_imitated("the profile of a unit whose geometry is no point")
        return found

    def levels(self, request: Request) -> Response:
        """`GET /api/filledOrganisationUnitLevels`: a level for each depth that units have; those without a name are made up."""
        deepest = max(
            (str(unit.get("path") or "").count("/") for unit in self.store.objects(UNITS).values()), default=0
        )
        named = {one.get("level"): one for one in self.store.objects("organisationUnitLevels").values()}
        if any(level not in named for level in range(1, deepest + 1)):
            raise not_imitated("levels without a name")
        resource = self.store.resources["organisationUnitLevels"]
        shown = self.server.renderer(request, single=True)
        tree = parse_fields(
            "name,created,lastUpdated,translations,lastUpdatedBy,sharing,level,displayName,access,id,attributeValues"
        )
        older: JsonObject = {"favorites": [], "favorite": False}
        rows = [{**older, **shown.show(resource, named[level], tree)} for level in range(1, deepest + 1)]
        return answer(cast("JsonValue", rows))

    def near(self, request: Request) -> Response:
        """`GET /api/organisationUnitLocations/withinRange`: none, where none is."""
        query = request.query_params
        where = (_number(query.get("longitude")), _number(query.get("latitude")))
        reach = _number(query.get("distance"))
        for unit in self.store.objects(UNITS).values():
            place = _point(unit)
            if place is not None and _kilometres(where, place) <= reach:
                raise not_imitated("units within a distance, as there are some")
        return answer([])

    def notifications(self, request: Request) -> Response:
        """`GET /api/programNotificationInstances`: nothing is ever sent from here."""
        params.required(request.query_params, "enrollment")
        pager: JsonObject = {"page": 1, "pageSize": 50}
        flat: JsonObject = {}
        if self.store.version.minor < 42:
            pager |= {"total": 0, "pageCount": 0}
            flat = {**pager}
        return answer({"pager": pager, **flat, "programNotificationInstances": []})

    # Schemas

    def _type(self, name: str) -> Resource:
        for resource in self.store.resources.values():
            if name in (resource.singular, resource.plural):
                return resource
        raise Refused(404, f"Type {name} does not exist.", "E1005")

    def prop(self, request: Request) -> Response:
        """`GET /api/schemas/{type}/{property}`."""
        type_, name = request.path_params["type"], request.path_params["property"]
        for schema in self._schemas(request):
            if type_ in (schema["singular"], schema["plural"]):
                for one in cast("list[JsonObject]", schema["properties"]):
                    if one.get("name") == name:
                        return answer(select(one, parse_fields(request.query_params.get("fields") or "*")))
                raise not_imitated("a property that a schema does not have")
        raise Refused(404, f"Type {type_} does not exist.", "E1005")

    def _schemas(self, request: Request) -> list[JsonObject]:
        return cast("list[JsonObject]", facts.schemas(self.store.version.schemas, base_of(request))["schemas"])

    def validate(self, request: Request, raw: bytes) -> Response:
        """`POST /api/schemas/{type}`: does an object have what its schema wants? Nothing is written."""
        resource = self._type(request.path_params["type"])
        importer = Importer(self.store, self.server.user(request), raw=raw)
        report = importer.run({resource.plural: [parse_object(raw)]}, ImportOptions(commit=False))
        errors = [one for each in report.objects for one in each.errors if one.code.startswith(_OF_SCHEMA)]
        response: JsonObject = {
            "errorReports": cast("JsonValue", [one.json() for one in errors]), "responseType": "ErrorReports",
        }  # fmt: skip
        if errors:
            return answer(
                {"httpStatus": "Bad Request", "httpStatusCode": 400, "status": "ERROR", "response": response}, 400
            )
        return answer({"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "response": response})


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise not_imitated("a place or distance that is no number") from None


def _point(unit: JsonObject) -> tuple[float, float] | None:
    shape = unit.get("geometry")
    if not isinstance(shape, dict) or shape.get("type") != "Point":
        return None
    longitude, latitude = cast("list[float]", shape["coordinates"])[:2]
    return longitude, latitude


def _kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    (x, y), (u, v) = (map(math.radians, place) for place in (one, other))
    half = math.sin((v - y) / 2) ** 2 + math.cos(y) * math.cos(v) * math.sin((u - x) / 2) ** 2
    return 2 * EARTH * math.asin(min(1.0, math.sqrt(half)))


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/organisationUnitProfile", api.profile),
        Route("/api/organisationUnitProfile", with_body(api.keep), methods=["POST"]),
        Route("/api/organisationUnitProfile/{uid:uid}/data", api.data),
        Route("/api/filledOrganisationUnitLevels", api.levels),
        Route("/api/organisationUnitLocations/withinRange", api.near),
        Route("/api/programNotificationInstances", api.notifications),
        Route("/api/schemas/{type}/{property}", api.prop),
        Route("/api/schemas/{type}", with_body(api.validate), methods=["POST"]),
    ]
