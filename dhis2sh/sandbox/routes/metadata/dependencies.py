"""`GET /api/{type}/{uid}/metadata`: an object with everything that it needs, ready for an import elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.refused import not_found
from dhis2sh.sandbox.routes.server import Server
from dhis2sh.sandbox.store.relations import USER_REFERENCES, inline

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue

ROOTS = ("dashboards", "dataSets", "categoryCombos", "dataElementGroups", "programs", "optionSets")
"""The types that have such an export."""
OUTSIDE = {"organisationUnits", "users", "userGroups", "userRoles", "organisationUnitGroups", "dataApprovalWorkflows"}
"""Types that an export refers to and does not bring along."""
OWNED = {
    "categoryCombos": ["categoryOptionCombos.categoryCombo"], "dataSets": ["sections.dataSet"],
    "optionSets": ["options.optionSet"],
    "programs": ["programStages.program", "programRules.program", "programRuleVariables.program",
                 "programIndicators.program", "programSections.program"],
    "programRules": ["programRuleActions.programRule"],
}  # fmt: skip
"""What belongs to an object though the reference points the other way."""


class Api:
    """The handler. It is a plain function, so Starlette runs it in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def export(self, request: Request) -> Response:
        """`GET /api/{type}/{uid}/metadata`."""
        plural, uid = request.url.path.split("/")[2], request.path_params["uid"]
        store = self.server.store
        resource = store.resources[plural]
        if store.get(plural, uid) is None:
            raise not_found(resource.model, uid)
        found: dict[str, dict[str, JsonObject]] = {}
        self._collect(plural, uid, found)
        renderer = self.server.renderer(request)
        owner = parse_fields(":owner,!sharing" if request.query_params.get("skipSharing") == "true" else ":owner")
        moment = f"{now()}+0000"
        body: JsonObject = {"system": {"id": store.fact("systemId"), "rev": "sandbox", "version": self.server.version,
                                       "date": moment}}  # fmt: skip
        for name, objects in found.items():
            shown = [renderer.show(store.resources[name], one, owner) for one in objects.values()]
            body[name] = cast("JsonValue", shown)
        return answer(body)

    def _collect(self, plural: str, uid: str, found: dict[str, dict[str, JsonObject]]) -> None:
        """Add an object and what it needs; what is there already ends the walk."""
        body = self.server.store.get(plural, uid)
        if body is None or uid in found.get(plural, {}) or plural in OUTSIDE:
            return
        found.setdefault(plural, {})[uid] = body
        self._walk(self.server.store.resources[plural], body, found)
        for path in OWNED.get(plural, []):
            owner, _, prop = path.partition(".")
            for other in self.server.store.inverse(owner, prop).get(uid, []):
                self._collect(owner, other, found)

    def _walk(self, resource: Resource, body: JsonObject, found: dict[str, dict[str, JsonObject]]) -> None:
        for name, value in body.items():
            prop = resource.properties.get(name)
            if prop is None or prop.target is None or name in USER_REFERENCES or name == "sharing":
                continue
            target = self.server.store.resources[prop.target]
            for row in value if isinstance(value, list) else [value]:
                if not isinstance(row, dict):
                    continue
                if inline(target):
                    self._walk(target, row, found)
                elif target.metadata and "id" in row:
                    self._collect(target.plural, cast("str", row["id"]), found)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route(f"/api/{plural}/{{uid:uid}}/{name}", api.export)
        for plural in ROOTS
        for name in ("metadata", "metadata.json")
    ]
