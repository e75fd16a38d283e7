"""Expressions in words: `.../expression/description` of indicators, rules, predictors and program indicators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.formulas import Item, describe
from dhis2sh.dhis2.languages import LANGUAGES, PREFIXES, Language
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

VARIABLES = {
    "enrollment_date": "Enrollment date", "incident_date": "Incident date", "event_date": "Event date",
    "execution_date": "Event date", "due_date": "Due date", "current_date": "Current date",
    "creation_date": "Creation date", "sync_date": "Sync date", "completed_date": "Completed date",
    "event_count": "Event count", "enrollment_count": "Enrollment count", "tei_count": "Tracked entity count",
    "org_unit_count": "Organisation unit count", "value_count": "Value count",
    "zero_pos_value_count": "Zero or positive value count", "program_stage_name": "Program stage name",
    "program_stage_id": "Program stage id", "analytics_period_start": "Analytics period start",
    "analytics_period_end": "Analytics period end", "org_unit": "Organisation unit", "event_status": "Event status",
    "enrollment_status": "Enrollment status", "scheduled_date": "Scheduled date",
    "program_name": "Program name",
}  # fmt: skip
"""The variables of programs, in words."""

AGGREGATE = LANGUAGES["indicators"]
INVALID = "Expression is not well-formed"


def _unknown(text: str) -> Refused:
    return Refused(409, f"Unknown variable or constant: '{text}'")


class Api:
    """The handlers: plain functions that run in threads, so the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def _name(self, kinds: Mapping[str, tuple[str, ...]], item: Item) -> str:
        """A reference in words. Raises `Refused` for an object that there is not."""
        if item.kind == "days":
            return "[Number of days]"
        if item.kind == "V":
            name = VARIABLES.get(item.parts[0])
            if name is None:
                raise _unknown(item.text)
            return name
        types, parts = kinds.get(item.kind, ()), list(item.parts)
        if item.kind == "R":
            parts, metric = parts[:1], f" ({parts[1].replace('_', ' ').capitalize()})" if len(parts) > 1 else ""
        else:
            metric = ""
        names: list[str] = []
        for plural, uid in zip(types, parts, strict=False):
            if uid == "*":
                continue
            prefix, _, plain = uid.rpartition(":")
            for one in plain.split("&"):
                body = self.server.store.get(PREFIXES.get(prefix, plural), one)
                if body is None:
                    raise _unknown(item.text)
                names.append(str(body.get("name")))
        if not names:
            raise _unknown(item.text)
        return f"({'.'.join(names)})" if item.kind in {"D", "A"} and len(names) > 1 else " ".join(names) + metric

    def plain(self, language: Language) -> Callable[[Request, bytes], Response]:
        """A handler for expressions of one kind, sent as text."""

        def handler(request: Request, raw: bytes) -> Response:
            text = request.query_params.get("expression") if request.method == "GET" else raw.decode()
            return judged((text or "").strip(), language, lambda item: self._name(language.items, item))

        return handler

    def rule(self, request: Request, raw: bytes) -> Response:
        """`POST /api/programRules/condition/description?programId=`: the names are those of the program's variables."""
        uid = request.query_params.get("programId", "")
        store = self.server.store
        if store.get("programs", uid) is None:
            raise Refused(400, f"Program is specified but does not exist: {uid}", "E4014")
        own = store.inverse("programRuleVariables", "program").get(uid, [])
        names = {str((store.get("programRuleVariables", one) or {}).get("name")) for one in own}

        def name_of(item: Item) -> str:
            if item.kind in {"#", "A"} and ".".join(item.parts) in names:
                return ".".join(item.parts)
            return self._name(AGGREGATE.items, item)

        return judged(raw.decode().strip(), LANGUAGES["programRules"], name_of, reasons=True)


def judged(text: str, language: Language, name_of: Callable[[Item], str], *, reasons: bool = False) -> Response:
    """What a server says of an expression; only of those of rules it gives a reason."""
    body: JsonObject = {"httpStatus": "OK", "httpStatusCode": 200, "status": "OK"}
    wrong, described = next(language.mistakes(text), None), ""
    try:
        described = described if wrong else describe(text, name_of)
    except Refused as no:
        wrong = no.message
    if wrong is not None:
        return answer({**body, "status": "ERROR", "message": INVALID, **({"description": wrong} if reasons else {})})
    return answer({**body, "message": "Valid", "description": described})


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    plain = {plural: api.plain(language) for plural, language in LANGUAGES.items()}
    table = [
        ("/api/expressions/description", "GET", plain["validationRules"]),
        ("/api/indicators/expression/description", "POST", plain["indicators"]),
        ("/api/validationRules/expression/description", "POST", plain["validationRules"]),
        ("/api/predictors/expression/description", "POST", plain["predictors"]),
        ("/api/predictors/skipTest/description", "POST", plain["predictors"]),
        ("/api/programIndicators/expression/description", "POST", plain["programIndicators"]),
        ("/api/programIndicators/filter/description", "POST", plain["programIndicators"]),
        ("/api/programRules/condition/description", "POST", api.rule),
        ("/api/programRuleActions/data/expression/description", "POST", api.rule),
    ]
    return [Route(path, with_body(handler), methods=[method]) for path, method, handler in table]
