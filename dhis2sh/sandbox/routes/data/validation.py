"""Validation rules run, their results, and predictors run (api-facts f.5)."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.dhis2.formulas import BadExpression
from dhis2sh.dhis2.periods import Period
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.data.model import Model, read_period, references
from dhis2sh.sandbox.data.validation import Violation, run_predictor, run_rules
from dhis2sh.sandbox.http.answers import answer, done
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.metadata.period_names import period_name
from dhis2sh.sandbox.refused import Refused, not_found
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

MAX_RESULTS = 500


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store
        server.jobs.register("PREDICTOR", self._predictor_job)
        server.jobs.register("MONITORING", self._monitoring_job)

    # Validation

    def analysis(self, request: Request, raw: bytes) -> Response:
        """`POST /api/dataAnalysis/validationRules`: run rules now and show the violations."""
        self.server.demand(request, "F_RUN_VALIDATION")
        sent = parse_object(raw)
        unit = str(sent.get("ou") or "")
        if self.store.get("organisationUnits", unit) is None:
            raise Refused(400, "No organisation unit defined", "E1003")
        start, end = _date(sent.get("startDate"), "startDate"), _date(sent.get("endDate"), "endDate")
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
        rows: list[JsonObject] = [
            {"id": generate_uid(), "created": now(), "validationRule": {"id": one.rule["id"]}, "period": {"id": one.period.iso},
             "organisationUnit": {"id": one.org_unit}, "attributeOptionCombo": {"id": one.attribute_option_combo},
             "leftsideValue": one.left, "rightsideValue": one.right, "dayInPeriod": 0, "notificationSent": False}
            for one in violations
        ]  # fmt: skip
        self.store.put_objects({"validationResults": rows})

    def results(self, request: Request) -> Response:
        """`GET /api/validationResults`: what has been kept; `ou`, `vr` and `pe` choose."""
        query = request.query_params
        found = list(self.store.objects("validationResults").values())
        for name, prop in (("ou", "organisationUnit"), ("vr", "validationRule"), ("pe", "period")):
            wanted = {part for text in query.getlist(name) for part in text.split(",")}
            if wanted:
                found = [body for body in found if cast("JsonObject", body[prop])["id"] in wanted]
        page, size = max(1, int(query.get("page") or 1)), max(1, int(query.get("pageSize") or 50))
        rows: list[JsonValue] = [*found[(page - 1) * size : page * size]]
        pager: JsonObject = {"page": page, "pageCount": -(-len(found) // size), "total": len(found), "pageSize": size}
        return answer({"pager": pager, "validationResults": rows})

    def result(self, request: Request) -> Response:
        """`GET /api/validationResults/{uid}`."""
        body = self.store.get("validationResults", request.path_params["uid"])
        if body is None:
            raise Refused(404, f"Validation result with id {request.path_params['uid']} was not found", "E1005")
        return answer(body)

    def data_set(self, request: Request) -> Response:
        """`GET /api/validation/dataSet/{ds}?pe=&ou=`: the rules of one form, and the comments it lacks."""
        query, uid = request.query_params, request.path_params["uid"]
        body = self.store.get("dataSets", uid)
        if body is None:
            raise Refused(409, f"Data set does not exist: {uid}", "E1004")
        period = read_period(query.get("pe") or "")
        if period is None:
            raise Refused(409, f"Period does not exist: {query.get('pe')}", "E1004")
        unit = query.get("ou") or ""
        if self.store.get("organisationUnits", unit) is None:
            raise Refused(409, f"Organisation unit does not exist: {unit}", "E1004")
        elements = set(Model(self.store).elements_of.get(uid, []))
        rules = [rule for rule in self.store.objects("validationRules").values()
                 if not rule.get("skipFormValidation") and _elements(rule) & elements]  # fmt: skip
        found = run_rules(self.store, rules, [unit], period.start, period.end, limit=MAX_RESULTS)
        violations: list[JsonValue] = [self._violation(one) for one in found if one.period.iso == period.iso]
        comments = self._comments(body, period, unit, elements)
        return answer({"commentRequiredViolations": comments, "validationRuleViolations": violations})

    def _violation(self, one: Violation) -> JsonObject:
        rule = one.rule
        return {
            "validationRule": {"id": rule["id"], "name": rule.get("name"), "displayName": rule.get("name"),
                               "importance": rule.get("importance"), "operator": rule.get("operator"),
                               "periodType": rule.get("periodType")},
            "period": {"id": one.period.iso, "name": period_name(one.period)},
            "organisationUnit": {"id": one.org_unit, "name": Model(self.store).name("organisationUnits", one.org_unit)},
            "attributeOptionCombo": {"id": one.attribute_option_combo},
            "leftsideValue": one.left, "rightsideValue": one.right, "dayInPeriod": 0, "notificationSent": False,
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

    # Predictors

    def _between(self, request: Request) -> tuple[dt.date, dt.date]:
        query = request.query_params
        return _date(query.get("startDate"), "startDate"), _date(query.get("endDate"), "endDate")

    def run_all(self, request: Request, raw: bytes) -> Response:
        """`POST /api/predictors/run?startDate=&endDate=`."""
        self.server.demand(request, "F_PREDICTOR_RUN")
        return self._run(request, list(self.store.objects("predictors").values()))

    def run_one(self, request: Request, raw: bytes) -> Response:
        """`POST /api/predictors/{uid}/run`; asked for one that is not there a server stumbles."""
        self.server.demand(request, "F_PREDICTOR_RUN")
        found = self.store.get("predictors", request.path_params["uid"])
        if found is None:
            self._between(request)
            raise Refused(
                500, 'Cannot invoke "org.hisp.dhis.predictor.Predictor.getName()" because "predictor" is null'
            )
        return self._run(request, [found])

    def run_group(self, request: Request, raw: bytes) -> Response:
        """`POST /api/predictorGroups/{uid}/run`."""
        self.server.demand(request, "F_PREDICTOR_RUN")
        uid = request.path_params["uid"]
        group = self.store.get("predictorGroups", uid)
        if group is None:
            raise not_found("PredictorGroup", uid)
        members = [self.store.get("predictors", one) for one in references(group, "predictors")]
        return self._run(request, [one for one in members if one is not None])

    def _run(self, request: Request, predictors: list[JsonObject]) -> Response:
        start, end = self._between(request)
        user = str(self.server.user(request).get("username"))
        count = 0
        for predictor in predictors:
            try:
                count += run_predictor(self.store, predictor, start, end, user)
            except BadExpression as error:
                raise Refused(409, f"Unable to predict: {error}", "E1004") from None
        return done(f"Generated {count} predictions")

    # As jobs

    def _range(self, parameters: JsonObject) -> tuple[dt.date, dt.date]:
        """`relativeStart` and `relativeEnd` are days from today."""
        today = dt.datetime.now(dt.UTC).date()
        days = [cast("int", parameters.get(name) or 0) for name in ("relativeStart", "relativeEnd")]
        return today + dt.timedelta(days=days[0]), today + dt.timedelta(days=days[1])

    def _predictor_job(self, parameters: JsonObject, progress: Progress) -> JsonValue:
        start, end = self._range(parameters)
        chosen = set(cast("list[str]", parameters.get("predictors") or []))
        for group in cast("list[str]", parameters.get("predictorGroups") or []):
            chosen |= set(references(self.store.get("predictorGroups", group) or {}, "predictors"))
        count = 0
        for uid, predictor in self.store.objects("predictors").items():
            if uid in chosen or not chosen:
                progress.note(f"Predicting for predictor {predictor.get('name')}")
                count += run_predictor(self.store, predictor, start, end, "system-process")
        progress.finish_with(f"Prediction done, {count} predictions")
        return {"predictors": len(chosen), "inserted": count, "updated": 0, "deleted": 0, "unchanged": 0}

    def _monitoring_job(self, parameters: JsonObject, progress: Progress) -> JsonValue:
        start, end = self._range(parameters)
        groups = cast("list[str]", parameters.get("validationRuleGroups") or [])
        rules = [rule for group in groups for rule in self._rules(group)] if groups else self._rules("")
        progress.note("Running validation analysis")
        units = list(self.store.objects("organisationUnits"))
        found = run_rules(self.store, rules, units, start, end, limit=MAX_RESULTS)
        if parameters.get("persistResults"):
            self._persist(found)
        progress.finish_with(f"Validation process done, found {len(found)} results")
        return None


def _elements(rule: JsonObject) -> set[str]:
    """The data elements of both sides of a rule."""
    text = " ".join(
        str(cast("JsonObject", rule.get(side) or {}).get("expression")) for side in ("leftSide", "rightSide")
    )
    return set(re.findall(r"#\{(\w{11})", text))


def _date(value: JsonValue, name: str) -> dt.date:
    try:
        return dt.date.fromisoformat(str(value or "")[:10])
    except ValueError:
        raise Refused(
            400, f"Required request parameter '{name}' for method parameter type Date is not present"
        ) from None


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/dataAnalysis/validationRules", with_body(api.analysis), methods=["POST"]),
        Route("/api/validationResults", api.results),
        Route("/api/validationResults/{uid:uid}", api.result),
        Route("/api/validation/dataSet/{uid:uid}", api.data_set),
        Route("/api/predictors/run", with_body(api.run_all), methods=["POST", "PUT"]),
        Route("/api/predictors/{uid:uid}/run", with_body(api.run_one), methods=["POST", "PUT"]),
        Route("/api/predictorGroups/{uid:uid}/run", with_body(api.run_group), methods=["POST", "PUT"]),
    ]
