"""`POST /api/{type}/merge`: several objects become one (api-facts h.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import read_object, with_body
from dhis2sh.sandbox.importer.merge import Merge
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.routes.server import Server
from dhis2sh.sandbox.store.references import ids

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

TYPES = {
    "categoryOptionCombos": "CATEGORY_OPTION_COMBO", "categoryOptions": "CATEGORY_OPTION", "dataElements": "DATA_ELEMENT",
    "indicatorTypes": "INDICATOR_TYPE", "indicators": "INDICATOR",
}  # fmt: skip
"""What can be merged, and its name in the report."""
WITH_DATA = {"categoryOptionCombos", "dataElements"}
MESSAGES = {
    "E1530": "At least one source {0} must be specified",
    "E1531": "Target {0} must be specified",
    "E1532": "Target {0} cannot be a source {0}",
    "E1533": "{0} {1} does not exist: `{2}`",
    "E1534": "dataMergeStrategy field must be specified. With value `DISCARD` or `LAST_UPDATED`",
    "E1540": "Only duplicate CategoryOptionCombos can be merged",
    "E1550": "All source ValueTypes must match target ValueType: `{0}`. Other ValueTypes found: `{1}`",
    "E1551": "All source DataElementDomains must match target DataElementDomain: `{0}`. Other DataElementDomains found: `{1}`",
}


class Api:
    """The handler: a plain function that runs in a thread, so the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def merge(self, plural: str) -> Callable[[Request, bytes], Response]:
        """The handler of one type."""

        def handler(request: Request, raw: bytes) -> Response:
            resource = self.server.store.resources[plural]
            if not self.server.rights(request).has(f"F_{TYPES[plural]}_MERGE"):
                raise Refused(403, "Access is denied, requires one Authority from "
                              f"[F_{TYPES[plural]}_MERGE]", "E1006")  # fmt: skip
            sent = read_object(request, raw)
            sources = list(dict.fromkeys(str(uid) for uid in cast("list[JsonValue]", sent.get("sources") or [])))
            errors = self._errors(plural, sources, sent)
            if errors:
                return _failed(TYPES[plural], resource.klass, errors)
            target, delete = str(sent["target"]), sent.get("deleteSources") is True
            merge = Merge(self.server.store, plural, sources, target)
            merge.run(delete=delete, keep_data=sent.get("dataMergeStrategy") != "DISCARD")
            report: JsonObject = {
                "mergeErrors": [], "mergeType": TYPES[plural],
                "sourcesDeleted": cast("list[JsonValue]", sources if delete else []),
                "message": f"{TYPES[plural]} merge complete",
            }  # fmt: skip
            response: JsonObject = {"mergeReport": report, "responseType": "MergeWebResponse"}
            return answer({"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "response": response})

        return handler

    def _errors(self, plural: str, sources: list[str], sent: JsonObject) -> list[tuple[str, list[str]]]:
        """What stands in the way: codes and what their messages name."""
        store, model, target = self.server.store, self.server.store.resources[plural].model, sent.get("target")
        found: list[tuple[str, list[str]]] = []
        if not sources:
            found.append(("E1530", [model]))
        if not target:
            found.append(("E1531", [model]))
        elif target in sources:
            found.append(("E1532", [model]))
        found += [("E1533", ["Source", model, uid]) for uid in sources if store.get(plural, uid) is None]
        if target and store.get(plural, str(target)) is None:
            found.append(("E1533", ["Target", model, str(target)]))
        if plural in WITH_DATA and sent.get("dataMergeStrategy") not in {"DISCARD", "LAST_UPDATED"}:
            found.append(("E1534", []))
        return found or self._differences(plural, sources, str(target))

    def _differences(self, plural: str, sources: list[str], target: str) -> list[tuple[str, list[str]]]:
        """What sources must have in common with the target."""
        store, found = self.server.store, list[tuple[str, list[str]]]()
        goal = store.get(plural, target) or {}
        bodies = [store.get(plural, uid) or {} for uid in sources]
        if plural == "dataElements":
            for code, name in (("E1550", "valueType"), ("E1551", "domainType")):
                others = sorted({str(body.get(name)) for body in bodies} - {str(goal.get(name))})
                found += [(code, [str(goal.get(name)), ",".join(others)])] if others else []
        if plural == "categoryOptionCombos" and any(_place(body) != _place(goal) for body in bodies):
            found.append(("E1540", []))
        return found


def _place(body: JsonObject) -> tuple[list[str], set[str]]:
    """Two option combos are duplicates when combo and options are the same."""
    return ids(body.get("categoryCombo")), set(ids(body.get("categoryOptions")))


def _failed(kind: str, klass: str, errors: list[tuple[str, list[str]]]) -> Response:
    rows: list[JsonValue] = []
    for code, values in errors:
        text = MESSAGES[code]
        for at, value in enumerate(values):
            text = text.replace(f"{{{at}}}", value)
        args = cast("list[JsonValue]", values)
        rows.append({"message": text, "args": args, "mainKlass": klass, "errorCode": code, "errorProperties": args})
    report: JsonObject = {"mergeErrors": rows, "mergeType": kind, "sourcesDeleted": [],
                          "message": f"{kind} merge has errors"}  # fmt: skip
    message = "One or more errors occurred, please see full details in merge report."
    body: JsonObject = {"httpStatus": "Conflict", "httpStatusCode": 409, "status": "WARNING", "message": message,
                        "response": {"mergeReport": report, "responseType": "MergeWebResponse"}}  # fmt: skip
    return answer(body, 409)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [Route(f"/api/{plural}/merge", with_body(api.merge(plural)), methods=["POST"]) for plural in TYPES]
