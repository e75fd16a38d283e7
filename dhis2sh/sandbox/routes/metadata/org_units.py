"""Organisation units: the hierarchy around one, GeoJSON, merge and split (api-facts h.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer, done
from dhis2sh.sandbox.http.bodies import read_object, with_body
from dhis2sh.sandbox.http.params import boolean, integer, joined, many
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.merge import Merge, reference_changes
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.refused import Refused, not_found
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

UNITS = "organisationUnits"
MESSAGES = {
    "E1500": "At least two source orgs unit must be specified",
    "E1501": "Target org unit must be specified",
    "E1502": "Target org unit cannot be a source org unit",
    "E1503": "Source org unit does not exist: `{0}`",
    "E1504": "Target org unit cannot be a descendant of a source org unit: `{0}`",
    "E1510": "Source org unit must be specified",
    "E1511": "At least two target org units must be specified",
    "E1512": "Source org unit cannot be a target org unit",
    "E1513": "Primary target must be specified",
    "E1514": "Primary target must be a target org unit",
    "E1515": "Target org unit does not exist: `{0}`",
    "E1516": "Target org unit cannot be a descendant of the source org unit: `{0}`",
}
"""What stands in the way of a merge or a split."""


def _no(code: str, *values: str) -> Refused:
    text = MESSAGES[code]
    for at, value in enumerate(values):
        text = text.replace(f"{{{at}}}", value)
    return Refused(409, text, code)


class Api:
    """The handlers: plain functions that run in threads, so the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def _unit(self, uid: str) -> JsonObject:
        body = self.server.store.get(UNITS, uid)
        if body is None:
            raise not_found("OrganisationUnit", uid)
        return body

    # The hierarchy -----------------------------------------------------------------------------------------------------

    def get(self, request: Request, raw: bytes) -> Response:
        """`GET /api/organisationUnits/{uid}`, with `level` or `include...` as a list of the units around it."""
        query = request.query_params
        body = self._unit(request.path_params["uid"])
        kind = next(
            (name for name in ("includeChildren", "includeDescendants", "includeAncestors") if boolean(query, name)), ""
        )
        if not kind and "level" not in query:
            tree = parse_fields(joined(query, "fields", "*"))
            renderer = self.server.renderer(request, single=True)
            return answer(renderer.show(self.server.store.resources[UNITS], body, tree))
        return self._list(request, self._around(body, kind, integer(query, "level", 0)))

    def _around(self, body: JsonObject, kind: str, below: int) -> list[JsonObject]:
        """The unit and its children, descendants or ancestors; or the units so many levels below it."""
        store = self.server.store
        path = str(body.get("path") or f"/{body['id']}")
        if kind == "includeAncestors":
            return [unit for uid in path.split("/")[1:] if (unit := store.get(UNITS, uid)) is not None]
        if kind == "includeChildren":
            return [body, *self._children(body)]
        under = [unit for unit in store.objects(UNITS).values() if str(unit.get("path", "")).startswith(f"{path}/")]
        if kind == "includeDescendants":
            return [body, *under]
        depth = path.count("/") + below
        return [unit for unit in [body, *under] if str(unit.get("path", "")).count("/") == depth]

    def _children(self, body: JsonObject) -> list[JsonObject]:
        store = self.server.store
        uids = store.inverse(UNITS, "parent").get(cast("str", body["id"]), [])
        return [unit for uid in uids if (unit := store.get(UNITS, uid)) is not None]

    def related(self, request: Request, raw: bytes) -> Response:
        """`GET /api/organisationUnits/{uid}/children|descendants|ancestors|parents`."""
        body = self._unit(request.path_params["uid"])
        match request.url.path.rpartition("/")[2].removesuffix(".json"):
            case "children":
                found = [body, *self._children(body)]
            case "descendants":
                found = self._around(body, "includeDescendants", 0)
            case "ancestors":
                found = self._around(body, "includeAncestors", 0)
            case _:
                found = self._around(body, "includeAncestors", 0)[:-1]
        return self._list(request, found)

    def _list(self, request: Request, found: list[JsonObject]) -> Response:
        renderer = self.server.renderer(request)
        resource = self.server.store.resources[UNITS]
        tree = parse_fields(joined(request.query_params, "fields", "id,displayName"))
        found.sort(key=lambda unit: (str(unit.get("name", "")).lower(), str(unit["id"])))
        return answer({UNITS: [renderer.show(resource, unit, tree) for unit in found]})

    def geojson(self, request: Request, raw: bytes) -> Response:
        """`GET /api/organisationUnits.geojson?level=&parent=`."""
        query, store = request.query_params, self.server.store
        levels = {int(text) for text in many(query, "level") if text.isdigit()}
        parents = [str(self._unit(uid).get("path", "")) for uid in many(query, "parent")]
        features: list[JsonValue] = []
        for unit in store.objects(UNITS).values():
            path = str(unit.get("path", ""))
            if unit.get("geometry") is None or (levels and path.count("/") not in levels):
                continue
            if parents and not any(path == parent or path.startswith(f"{parent}/") for parent in parents):
                continue
            above = path.split("/")[1:-1]
            parent = store.get(UNITS, above[-1]) if above else None
            properties: JsonObject = {"code": unit.get("code"), "name": unit.get("name"), "level": str(path.count("/")),
                                      "parent": above[-1] if above else "", "parentGraph": "/".join(above),
                                      "groups": self._groups(unit)}  # fmt: skip
            if parent is not None:
                properties["parentName"] = parent.get("name")
            features.append(
                {"type": "Feature", "id": unit["id"], "geometry": unit["geometry"], "properties": properties}
            )
        body: JsonObject = {"type": "FeatureCollection", "features": features}
        return answer(body)

    def _groups(self, unit: JsonObject) -> JsonObject:
        """The unit's group in each group set."""
        store = self.server.store
        groups = set(store.inverse("organisationUnitGroups", "organisationUnits").get(cast("str", unit["id"]), []))
        found: JsonObject = {}
        for group_set in store.objects("organisationUnitGroupSets").values():
            for reference in cast("list[JsonObject]", group_set.get("organisationUnitGroups") or []):
                if reference["id"] in groups:
                    group = store.get("organisationUnitGroups", reference["id"]) or {}
                    found[str(group_set["id"])] = group.get("name")
        return found

    # Merge and split -----------------------------------------------------------------------------------------------------

    def _known(self, uids: list[str], code: str) -> list[JsonObject]:
        for uid in uids:
            if self.server.store.get(UNITS, uid) is None:
                raise _no(code, uid)
        return [self._unit(uid) for uid in uids]

    def merge(self, request: Request, raw: bytes) -> Response:
        """`POST /api/organisationUnits/merge`: what refers to the sources refers to the target; data move along."""
        sent = read_object(request, raw)
        sources = list(dict.fromkeys(str(uid) for uid in cast("list[JsonValue]", sent.get("sources") or [])))
        target = sent.get("target")
        if not sources:
            raise _no("E1500")
        if not target:
            raise _no("E1501")
        if target in sources:
            raise _no("E1502")
        self._known(sources, "E1503")
        [unit] = self._known([str(target)], "E1501")
        for uid in sources:
            if uid in str(unit.get("path", "")).split("/"):
                raise _no("E1504", str(target))
        newest = sent.get("dataValueMergeStrategy", "LAST_UPDATED") == "LAST_UPDATED"
        Merge(self.server.store, UNITS, sources, str(target)).run(
            delete=sent.get("deleteSources", True) is not False, keep_data=newest
        )
        return done("Organisation units merged")

    def split(self, request: Request, raw: bytes) -> Response:
        """`POST /api/organisationUnits/split`: the targets take the source's place; its data go to the primary one."""
        sent = read_object(request, raw)
        targets = list(dict.fromkeys(str(uid) for uid in cast("list[JsonValue]", sent.get("targets") or [])))
        source, primary = sent.get("source"), sent.get("primaryTarget") or (targets[0] if targets else None)
        if not source:
            raise _no("E1510")
        if len(targets) < 2:
            raise _no("E1511")
        if source in targets:
            raise _no("E1512")
        if primary not in targets:
            raise _no("E1514")
        self._known([str(source)], "E1510")
        for unit in self._known(targets, "E1515"):
            if str(source) in str(unit.get("path", "")).split("/"):
                raise _no("E1516", str(unit["id"]))
        others = [uid for uid in targets if uid != primary]
        store = self.server.store
        changed = reference_changes(store, UNITS, str(source), [*others, str(source)], skip={f"{UNITS}.parent"})
        store.change({plural: bodies.values() for plural, bodies in changed.items()})
        merge = Merge(self.server.store, UNITS, [str(source)], str(primary))
        merge.run(delete=sent.get("deleteSource", True) is not False, keep_data=True)
        return done("Organisation unit split")


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    one = f"/api/{UNITS}/{{uid:uid}}"
    table = [
        (f"/api/{UNITS}.geojson", "GET", api.geojson),
        (f"/api/{UNITS}/merge", "POST", api.merge),
        (f"/api/{UNITS}/split", "POST", api.split),
        (one, "GET", api.get),
        *[(f"{one}/{name}", "GET", api.related) for name in ("children", "descendants", "ancestors", "parents")],
    ]
    return [Route(path, with_body(handler), methods=[method]) for path, method, handler in table]
