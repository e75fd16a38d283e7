"""`POST /api/{type}/merge`: several objects become one (api-facts h.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import read_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.importer.merge import Merge
from dhis2sh.sandbox.refused import Refused, not_allowed
from dhis2sh.sandbox.routes.server import Server
from dhis2sh.sandbox.store.references import ids, rows

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

TYPES = {
    "categoryOptionCombos": "CATEGORY_OPTION_COMBO", "categoryOptions": "CATEGORY_OPTION", "dataElements": "DATA_ELEMENT",
    "indicatorTypes": "INDICATOR_TYPE", "indicators": "INDICATOR",
}  # fmt: skip
"""What can be merged, and its name in the authority that it wants."""
OLDEST = {"indicatorTypes": 41, "indicators": 41}
"""Since which version; the others since 2.42."""
WITH_DATA = {"categoryOptionCombos", "dataElements"}
STRATEGIES = ("LAST_UPDATED", "DISCARD")
MESSAGES = {
    "E1530": "At least one source {0} must be specified",
    "E1531": "Target {0} must be specified",
    "E1532": "Target {0} cannot be a source {1}",
    "E1533": "{0} {1} does not exist: `{2}`",
    "E1534": "dataMergeStrategy field must be specified. With value `DISCARD` or `LAST_UPDATED`",
    "E1540": "CategoryOptionCombos must be duplicates (same cat combo, same cat options, different UID) in order to merge",
    "E1550": "All source ValueTypes must match target ValueType: `{0}`. Other ValueTypes found: `{1}`",
    "E1551": "All source DataElementDomains must match target DataElementDomain: `{0}`. Other DataElementDomains found: `{1}`",
}
OLD_CODES = {"E1530": "E1540", "E1531": "E1541", "E1532": "E1542", "E1533": "E1543"}
"""What 2.41 calls them; its messages name the type in small letters, and it alone."""


class Api:
    """The handler: a plain function that runs in a thread, so the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def merge(self, plural: str) -> Callable[[Request, bytes], Response]:
        """The handler of one type."""

        def handler(request: Request, raw: bytes) -> Response:
            if not self.server.rights(request).has(f"F_{TYPES[plural]}_MERGE"):
                raise Refused(403, "Access is denied, requires one Authority from "
                              f"[F_{TYPES[plural]}_MERGE]", "E1006")  # fmt: skip
            sent = read_object(request, raw)
            sources = list(dict.fromkeys(str(uid) for uid in cast("list[JsonValue]", sent.get("sources") or [])))
            errors = self._errors(plural, sources, sent)
            if errors:
                return self._answer(plural, [], errors)
            target, delete = str(sent["target"]), sent.get("deleteSources") is True
            if plural == "dataElements":
                self._check_sets({*sources, target})
            merge = Merge(self.server.store, plural, sources, target)
            merge.run(delete=delete, keep_data=sent.get("dataMergeStrategy") != "DISCARD")
            return self._answer(plural, sources if delete else [], [])

        return handler

    def none(self, request: Request, raw: bytes) -> Response:
        """A type whose objects this server does not merge."""
        raise not_allowed("POST", self.server.store.version.minor)

    def _check_sets(self, elements: set[str]) -> None:
        """Two elements of one data set cannot become one: the server lets its database say so. Raises `Refused`."""
        for body in self.server.store.objects("dataSets").values():
            held = [uid for row in rows(body.get("dataSetElements")) for uid in ids(row.get("dataElement"))]
            if len(elements.intersection(held)) > 1:
                raise Refused(409, 'ERROR: duplicate key value violates unique constraint "datasetelement_unique_key"')

    def _errors(self, plural: str, sources: list[str], sent: JsonObject) -> list[tuple[str, list[str]]]:
        """What stands in the way: codes and what their messages name. Raises `Refused`."""
        store, model, target = self.server.store, self.server.store.resources[plural].model, sent.get("target")
        found: list[tuple[str, list[str]]] = []
        if not sources:
            found.append(("E1530", [model]))
        if not target:
            found.append(("E1531", [model]))
        elif target in sources:
            found.append(("E1532", [model, model]))
        found += [("E1533", ["SOURCE", model, uid]) for uid in sources if store.get(plural, uid) is None]
        if target and store.get(plural, str(target)) is None:
            found.append(("E1533", ["TARGET", model, str(target)]))
        strategy = sent.get("dataMergeStrategy")
        if strategy not in (None, *STRATEGIES):
            text = f'from String "{strategy}": not one of the values accepted for Enum class: [{", ".join(STRATEGIES)}]'
            klass = "org.hisp.dhis.merge.DataMergeStrategy"
            raise Refused(400, f"JSON parse error: Cannot deserialize value of type `{klass}` {text}")
        if plural in WITH_DATA and strategy is None:
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
                found += [(code, [str(goal.get(name)), f"[{', '.join(others)}]"])] if others else []
        if plural == "categoryOptionCombos" and any(_place(body) != _place(goal) for body in bodies):
            found.append(("E1540", []))
        return found

    def _answer(self, plural: str, deleted: list[str], errors: list[tuple[str, list[str]]]) -> Response:
        """The report of a merge, or of what stands in its way."""
        store = self.server.store
        old = store.version.minor < 42
        kind = TYPES[plural] if old else store.resources[plural].model
        said: list[JsonValue] = [_old_error(*error) if old else _error(*error) for error in errors]
        report: JsonObject = {
            "mergeErrors": said, "mergeType": kind, "sourcesDeleted": cast("list[JsonValue]", deleted),
            "message": f"{kind} merge {'has errors' if errors else 'complete'}",
        }  # fmt: skip
        response: JsonObject = {"mergeReport": report}
        if not old:
            response["responseType"] = "MergeWebResponse"
        if not errors:
            return answer({"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "response": response})
        message = "One or more errors occurred, please see full details in merge report."
        body: JsonObject = {"httpStatus": "Conflict", "httpStatusCode": 409, "status": "WARNING", "message": message}
        return answer({**body, "response": response}, 409)


def _error(code: str, values: list[str]) -> JsonObject:
    return {"message": MESSAGES[code].format(*values), "errorCode": code, "args": cast("list[JsonValue]", values)}


def _old_error(code: str, values: list[str]) -> JsonObject:
    """The error as 2.41 says it."""
    model = values[1] if code == "E1533" else values[0]
    word = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in model).strip()
    named = [value for value in values if value != model]
    text = MESSAGES[code].format(*(word if value == model else value for value in values))
    return {"message": text, "errorCode": OLD_CODES[code], "args": cast("list[JsonValue]", named)}


def _place(body: JsonObject) -> tuple[list[str], set[str]]:
    """Two option combos are duplicates when combo and options are the same."""
    return ids(body.get("categoryCombo")), set(ids(body.get("categoryOptions")))


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    minor = server.store.version.minor
    there = {plural for plural in TYPES if minor >= OLDEST.get(plural, 42)}
    found = [Route(f"/api/{plural}/merge", with_body(api.merge(plural)), methods=["POST"]) for plural in sorted(there)]
    return [*found, Route("/api/{plural}/merge", with_body(api.none), methods=["POST"])]
