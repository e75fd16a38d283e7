"""Validation rules run, and their results (api-facts f.5)."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.periods import Period
from dhis2sh.sandbox.data.model import Model, read_period, references
from dhis2sh.sandbox.data.paging import paged, picked
from dhis2sh.sandbox.data.shown import identified, period_reference, plain_period
from dhis2sh.sandbox.data.validation import Side, Values, Violation, number_of, run_rules
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer, empty
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.metadata.period_names import period_name
from dhis2sh.sandbox.refused import Refused, not_found, not_imitated
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import QueryParams

    from dhis2sh.types import JsonObject, JsonValue

MAX_RESULTS = 500
_KEPT = ("validationRule", "period", "organisationUnit", "attributeOptionCombo")
"""What a result is about; of one there is only one."""
_TYPES = {"validationRule": "validationRules", "organisationUnit": "organisationUnits",
          "attributeOptionCombo": "categoryOptionCombos"}  # fmt: skip


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store
        server.jobs.register("MONITORING", self._monitoring_job, opening="Data validation")

    # Validation

    def analysis(self, request: Request, raw: bytes) -> Response:
        """`POST /api/dataAnalysis/validationRules`: run rules now and show the violations."""
        self.server.demand(request, "F_RUN_VALIDATION")
        sent = parse_object(raw)
        unit = str(sent.get("ou") or "")
        if self.store.get("organisationUnits", unit) is None:
            raise Refused(400, "No organisation unit defined")
        start, end = _day(sent, "startDate"), _day(sent, "endDate")
        limit = cast("int", sent.get("maxResults") or MAX_RESULTS)
        found = run_rules(
            self.store,
            self._rules(str(sent.get("vrg") or "")),
            Model(self.store).subtree(unit),
            start,
            end,
            limit=limit,
        )
        if sent.get("persist"):
            self._persist(found)
        return answer([self._shown(violation) for violation in found])

    def _rules(self, group: str) -> list[JsonObject]:
        """All rules, or those of a group."""
        rules = self.store.objects("validationRules")
        if not group:
            return list(rules.values())
        members = references(self.store.get("validationRuleGroups", group) or {}, "validationRules")
        return [rules[uid] for uid in members if uid in rules]

    def _shown(self, violation: Violation) -> JsonObject:
        model, unit = Model(self.store), violation.org_unit
        above = model.path(unit)[:-1]
        found: JsonObject = {
            "validationRuleId": violation.rule["id"],
            "validationRuleDescription": violation.rule.get("description"),
            "organisationUnitId": unit,
            "organisationUnitDisplayName": model.name("organisationUnits", unit),
            "organisationUnitPath": "/" + "/".join(model.path(unit)),
            "organisationUnitAncestorNames": "".join(f"{model.name('organisationUnits', one)} / " for one in above),
            "periodId": violation.period.iso,
            "periodDisplayName": period_name(violation.period),
            "attributeOptionComboId": violation.attribute_option_combo,
            "attributeOptionComboDisplayName": model.name("categoryOptionCombos", violation.attribute_option_combo),
            "importance": violation.rule.get("importance"),
            "leftSideValue": violation.left,
            "operator": violation.operator,
            "rightSideValue": violation.right,
        }
        return {name: value for name, value in found.items() if value is not None}

    def _persist(self, violations: list[Violation]) -> None:
        """Keep violations; one that is kept already is not kept again."""
        known = list(self.store.objects("validationResults").values())
        kept = {tuple(cast("JsonObject", one[name])["id"] for name in _KEPT) for one in known}
        number = max((int(str(one["id"])) for one in known), default=0)
        rows: list[JsonObject] = []
        for one in violations:
            key = (one.rule["id"], one.period.iso, one.org_unit, one.attribute_option_combo)
            if key in kept:
                continue
            number += 1
            kept.add(key)
            rows.append(
                {"id": str(number), "created": now(), **{name: {"id": uid} for name, uid in zip(_KEPT, key, strict=True)},
                 "leftsideValue": one.left, "rightsideValue": one.right, "dayInPeriod": _days(one),
                 "notificationSent": False}
            )  # fmt: skip
        self.store.put_objects({"validationResults": rows})

    def results(self, request: Request) -> Response:
        """`GET /api/validationResults`: what has been kept; `ou`, `vr`, `pe` and `createdDate` choose."""
        query = request.query_params
        found = [
            {**body, "id": int(str(body["id"])),
             "period": period_reference(self.store, str(cast("JsonObject", body["period"])["id"]))}
            for body in self._kept(query)
        ]  # fmt: skip
        found.sort(key=lambda body: int(str(body["id"])))
        shown = picked(query, cast("list[JsonObject]", found), self.store, _TYPES)
        return answer(paged(query, "validationResults", shown))

    def _kept(self, query: QueryParams) -> list[JsonObject]:
        """The results that the parameters choose. Raises `Refused`."""
        found = list(self.store.objects("validationResults").values())
        for name, prop, plural, what, code in (
            ("ou", "organisationUnit", "organisationUnits", "Organisation unit", "E7500"),
            ("vr", "validationRule", "validationRules", "Validation rule", "E7501"),
        ):
            wanted = params.many(query, name)
            for uid in wanted:
                if self.store.get(plural, uid) is None:
                    raise Refused(409, f"{what} does not exist: `{uid}`", code)
            if wanted:
                found = [body for body in found if cast("JsonObject", body[prop])["id"] in wanted]
        periods = [_period(text, "Filter for period is not valid", "E7502") for text in params.many(query, "pe")]
        if periods:
            found = [body for body in found if any(_within(body, one) for one in periods)]
        since = params.date(query, "createdDate")
        return [body for body in found if since is None or str(body["created"]) >= since.isoformat()]

    def forget(self, request: Request) -> Response:
        """`DELETE /api/validationResults?ou&vr&pe&created&notificationSent`: nothing goes where nothing is named."""
        query = request.query_params
        if query.get("created") or query.get("notificationSent"):
            raise not_imitated("the deletion of validation results by when they were made or told")
        if any(params.many(query, name) for name in ("ou", "vr", "pe")):
            self.store.delete_objects("validationResults", [str(body["id"]) for body in self._kept(query)])
        return empty()

    def result(self, request: Request) -> Response:
        """`GET /api/validationResults/{number}`."""
        number = request.path_params["number"]
        body = self.store.get("validationResults", str(number))
        if body is None:
            raise not_found("ValidationResult", str(number))
        return answer({**body, "id": number})

    def notify(self, request: Request, raw: bytes) -> Response:
        """`POST /api/validation/sendNotifications`: a job; nobody is told anything."""
        user = cast("str", self.server.user(request)["id"])
        return self.server.initiated(request, self.server.jobs.submit("VALIDATION_RESULTS_NOTIFICATION", user=user))

    def expression(self, request: Request) -> Response:
        """`GET /api/dataAnalysis/validationRulesExpression`: the values behind both sides of a rule."""
        query, model = request.query_params, Model(self.store)
        names = ("validationRuleId", "periodId", "organisationUnitId", "attributeOptionComboId")
        rule_id, iso, unit, combo = (params.required(query, name) for name in names)
        rule, period = self.store.get("validationRules", rule_id), read_period(iso)
        if rule is None or period is None or not model.exists("organisationUnits", unit):
            raise not_imitated("the expression of a rule, period or org unit that does not exist")
        sides = {name: Side(self.store, cast("JsonObject", rule.get(name) or {})) for name in ("leftSide", "rightSide")}
        elements = {uid for side in sides.values() for uid in side.elements}
        cell = Values.read(self.store, elements, [iso], [unit]).numbers.get((iso, unit, combo), {})
        return answer({name: _behind(model, side, cell) for name, side in sides.items()})

    def data_set(self, request: Request) -> Response:
        """`GET /api/validation/dataSet/{ds}?pe=&ou=`: the rules of one form, and the comments it lacks."""
        query, uid = request.query_params, request.path_params["uid"]
        body = self.store.get("dataSets", uid)
        if body is None:
            raise Refused(409, f"Data set not found or not accessible: `{uid}`", "E1105")
        period = _period(query.get("pe") or "null", "Period is invalid", "E1101")
        unit = query.get("ou") or "null"
        if self.store.get("organisationUnits", unit) is None:
            raise Refused(409, f"Organisation unit not found or not accessible: `{unit}`", "E1102")
        elements = set(Model(self.store).elements_of.get(uid, []))
        rules = [rule for rule in self.store.objects("validationRules").values()
                 if not rule.get("skipFormValidation") and _elements(rule) & elements]  # fmt: skip
        found = run_rules(self.store, rules, [unit], period.start, period.end, limit=MAX_RESULTS)
        violations: list[JsonValue] = [self._violation(one) for one in found if one.period.iso == period.iso]
        comments = self._comments(body, period, unit, elements)
        return answer({"commentRequiredViolations": comments, "validationRuleViolations": violations})

    def _violation(self, one: Violation) -> JsonObject:
        store = self.store
        return {
            "id": 0,
            "validationRule": identified(store, "validationRules", str(one.rule["id"])),
            "period": plain_period(store, one.period),
            "organisationUnit": identified(store, "organisationUnits", one.org_unit),
            "attributeOptionCombo": identified(store, "categoryOptionCombos", one.attribute_option_combo),
            "leftsideValue": one.left, "rightsideValue": one.right, "dayInPeriod": _days(one), "notificationSent": False,
        }  # fmt: skip

    def _comments(self, body: JsonObject, period: Period, unit: str, elements: set[str]) -> list[JsonValue]:
        """Values that are empty without a comment, where the form wants one."""
        if not body.get("noValueRequiresComment"):
            return []
        rows = self.store.connection.execute(
            "SELECT data_element, category_option_combo FROM data_value WHERE period = ? AND org_unit = ? AND NOT deleted "
            "AND (value IS NULL OR value = '') AND (comment IS NULL OR comment = '')",
            (period.iso, unit),
        )
        return [
            {"dataElement": {"id": element}, "categoryOptionCombo": {"id": combo}}
            for element, combo in rows
            if element in elements
        ]

    # As a job

    def _range(self, parameters: JsonObject) -> tuple[dt.date, dt.date]:
        """`relativeStart` and `relativeEnd` are days from today."""
        today = dt.datetime.now(dt.UTC).date()
        days = [cast("int", parameters.get(name) or 0) for name in ("relativeStart", "relativeEnd")]
        return today + dt.timedelta(days=days[0]), today + dt.timedelta(days=days[1])

    def _monitoring_job(self, parameters: JsonObject, progress: Progress) -> JsonValue:
        start, end = self._range(parameters)
        groups = cast("list[str]", parameters.get("validationRuleGroups") or [])
        rules = [rule for group in groups for rule in self._rules(group)] if groups else self._rules("")
        progress.note("Preparing analysis parameters")
        units = list(self.store.objects("organisationUnits"))
        found = run_rules(self.store, rules, units, start, end, limit=MAX_RESULTS)
        if parameters.get("persistResults"):
            self._persist(found)
        progress.finish_with("Data validation done")
        return None


def _elements(rule: JsonObject) -> set[str]:
    """The data elements of both sides of a rule."""
    text = " ".join(
        str(cast("JsonObject", rule.get(side) or {}).get("expression")) for side in ("leftSide", "rightSide")
    )
    return set(re.findall(r"#\{(\w{11})", text))


def _days(one: Violation) -> int:
    """The number of days in the period of a violation."""
    return (one.period.end - one.period.start).days + 1


def _within(body: JsonObject, period: Period) -> bool:
    """Is the period of a kept result within another?"""
    own = read_period(str(cast("JsonObject", body["period"])["id"]))
    return own is not None and period.start <= own.start and own.end <= period.end


def _behind(model: Model, side: Side, cell: Mapping[str, float]) -> list[JsonValue]:
    """The data elements of a side with their values, as Java writes them."""
    found: list[JsonValue] = []
    for item in side.references:
        number = number_of(cell, item)
        name = model.name("dataElements", item.parts[0])
        if len(item.parts) > 1 and item.parts[1] != "*":
            name = f"{name} {model.name('categoryOptionCombos', item.parts[1])}"
        found.append({"name": name, "value": None if number is None else str(float(number))})
    return found


def _period(text: str, words: str, code: str) -> Period:
    period = read_period(text)
    if period is None:
        raise Refused(409, f"{words}: `{text}`", code)
    return period


def _day(sent: JsonObject, name: str) -> dt.date:
    try:
        return dt.date.fromisoformat(str(sent.get(name))[:10])
    except ValueError:
        raise not_imitated(f"a validation without a readable {name}") from None


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/dataAnalysis/validationRules", with_body(api.analysis), methods=["POST"]),
        Route("/api/validationResults", api.results),
        Route("/api/validationResults", api.forget, methods=["DELETE"]),
        Route("/api/validationResults/{number:int}", api.result),
        Route("/api/validation/sendNotifications", with_body(api.notify), methods=["POST"]),
        Route("/api/dataAnalysis/validationRulesExpression", api.expression),
        Route("/api/validation/dataSet/{uid:uid}", api.data_set),
    ]
