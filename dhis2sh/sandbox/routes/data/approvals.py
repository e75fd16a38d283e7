"""`/api/dataApprovals`: the state of data on its way up, and the steps that move it (api-facts h.4)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.periods import Period, period_type
from dhis2sh.sandbox.data import formats
from dhis2sh.sandbox.data.approval import Approvals, Approver, Selection, State, Status
from dhis2sh.sandbox.data.model import Model, read_period, reference, unreadable_period
from dhis2sh.sandbox.data.shown import makers
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.refused import Refused, missing_parameter
from dhis2sh.sandbox.routes.data.values import body_of, reading
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

type _Change = Callable[[Approvals, Iterable[Selection], "JsonObject", Approver], None]
APPROVING = ("F_APPROVE_DATA", "F_APPROVE_DATA_LOWER_LEVELS")
_APPROVED = {State.APPROVED_HERE, State.APPROVED_ABOVE, State.ACCEPTED_HERE}


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    def _approvals(self) -> Approvals:
        row = self.store.connection.execute(
            "SELECT value FROM setting WHERE user = '' AND key = 'keyAcceptanceRequiredForApproval'"
        ).fetchone()
        return Approvals(self.store, Model(self.store), acceptance=bool(row) and str(row[0]).strip('"') == "true")

    def _permissions(self, request: Request, approvals: Approvals, at: Selection, status: Status) -> JsonObject:
        return approvals.permissions(at, status, self._approver(request))

    def _approver(self, request: Request) -> Approver:
        rights = self.server.rights(request)
        return Approver(rights.authorities, tuple(rights.roots("organisationUnits")))

    def read(self, request: Request) -> Response:
        """`GET /api/dataApprovals`: the state of one selection."""
        approvals = self._approvals()
        at = _selection(approvals.model, request.query_params)
        status = approvals.status(at)
        body = self._permissions(request, approvals, at, status) | {"state": status.state.value}
        if status.approval is not None:
            body["approvedBy"] = _user_name(approvals.model, status.approval.approved_by)
            body["approvedAt"] = status.approval.approved_at
            if status.approval.accepted_by:
                body["acceptedBy"] = _user_name(approvals.model, status.approval.accepted_by)
            body["acceptedAt"] = status.approval.accepted_at
        return answer(body)

    def multiple(self, request: Request) -> Response:
        """`GET /api/dataApprovals/approvals` and `/multiple`: the states of many selections."""
        query, approvals = request.query_params, self._approvals()
        model = approvals.model
        workflows = _required_many(query, "wf")
        if not (query.get("pe") or (query.get("startDate") and query.get("endDate"))):
            raise missing_parameter("pe")
        units = _required_many(query, "ou")
        combos = params.many(query, "aoc") or [DEFAULT_OPTION_COMBO]
        for plural, uids, what in (
            ("dataApprovalWorkflows", workflows, "DataApprovalWorkflow"),
            ("organisationUnits", units, "OrganisationUnit"),
            ("categoryOptionCombos", combos, "CategoryOptionCombo"),
        ):
            for uid in uids:
                if not model.exists(plural, uid):
                    raise Refused(409, f"Objects of type `{what}` not found or not accessible: `[{uid}]`", "E1112")
        found: list[JsonValue] = []
        for workflow, unit, combo in itertools.product(workflows, units, combos):
            for period in _periods(model, workflow, query):
                at = Selection(workflow, period.iso, unit, combo)
                status = approvals.status(at)
                item: JsonObject = {"wf": workflow, "pe": period.iso, "ou": unit}
                if status.state in _APPROVED:
                    item["ouName"] = model.name("organisationUnits", unit)
                item |= {"aoc": combo, "state": status.state.value}
                if status.level is not None:
                    item["level"] = status.level.uid
                item["permissions"] = self._permissions(request, approvals, at, status)
                found.append(item)
        return answer(found)

    def by_data_set(self, request: Request) -> Response:
        """`GET /api/dataApprovals/status`: the states of data sets."""
        query, approvals = request.query_params, self._approvals()
        model = approvals.model
        sets, units = _required_many(query, "ds"), _required_many(query, "ou")
        if params.boolean(query, "children"):
            units = [each for unit in units for each in (unit, *model.children.get(unit, []))]
        found: list[JsonValue] = []
        for data_set, unit in itertools.product(sets, units):
            workflow = reference(model.body("dataSets", data_set), "workflow")
            if workflow is None or not model.exists("organisationUnits", unit):
                continue
            for period in _periods(model, workflow, query):
                at = Selection(workflow, period.iso, unit, DEFAULT_OPTION_COMBO)
                status = approvals.status(at)
                item: JsonObject = {
                    "state": status.state.value,
                    "period": {}
                    if self.store.version.upserts
                    else {"code": period.iso, "name": period.iso, "id": period.iso},
                    "organisationUnit": _identity(model.body("organisationUnits", unit), code=False),
                    "permissions": self._permissions(request, approvals, at, status),
                    "dataSet": _identity(model.body("dataSets", data_set)),
                }
                if status.level is not None:
                    item["level"] = _identity(model.body("dataApprovalLevels", status.level.uid))
                found.append(item)
        return answer({"dataApprovalStateResponses": found})

    def by_combo(self, request: Request) -> Response:
        """`GET /api/dataApprovals/categoryOptionCombos`: every org unit and combo that may be approved next."""
        query, approvals = request.query_params, self._approvals()
        model = approvals.model
        workflows = params.many(query, "wf")
        for data_set in params.many(query, "ds"):
            workflows.append(_workflow_of(model, data_set))
        period = read_period(params.required(query, "pe"))
        if period is None:
            raise Refused(409, f"Illegal period identifier: {query['pe']}")
        found: list[JsonValue] = []
        for workflow in workflows:
            for unit in self._next_units(approvals, workflow, query.get("ou")):
                for combo in _combos(approvals, workflow, query.get("aoc")):
                    at = Selection(workflow, period.iso, unit, combo)
                    found.append(self._combo_row(request, approvals, at))
        return answer(found)

    def _combo_row(self, request: Request, approvals: Approvals, at: Selection) -> JsonObject:
        status = approvals.status(at)
        level: JsonObject = {}
        if status.level is not None:
            level = {"id": status.level.uid, "level": str(status.level.number)}
        return {
            "level": level,
            "ou": at.unit,
            "permissions": self._permissions(request, approvals, at, status),
            "accepted": status.state is State.ACCEPTED_HERE,
            "id": at.combo,
            "ouName": approvals.model.name("organisationUnits", at.unit),
        }

    def _next_units(self, approvals: Approvals, workflow: str, below: str | None) -> list[str]:
        """The org units on the lowest approval level that collect data of a workflow."""
        if below:
            return [below]
        levels = approvals.levels(workflow)
        lowest = levels[-1].unit_level if levels else 0
        return sorted(unit for unit in approvals.assigned(workflow) if approvals.model.level(unit) == lowest)

    def my_levels(self, request: Request) -> Response:
        """`GET /api/me/dataApprovalLevels`: the levels on which the user may do something, the highest first."""
        who, approvals = self._approver(request), self._approvals()
        depth = min((approvals.model.level(root) for root in who.roots), default=None)
        levels = sorted(self.store.objects("dataApprovalLevels").values(), key=lambda body: _number(body, "level"))
        own = next(
            (_number(body, "level") for body in levels if depth and _number(body, "orgUnitLevel") >= depth), None
        )
        lower = who.has("F_APPROVE_DATA_LOWER_LEVELS") or who.has("F_ACCEPT_DATA_LOWER_LEVELS")
        renderer, resource = self.server.renderer(request), self.store.resources["dataApprovalLevels"]
        shown: list[JsonValue] = []
        for body in levels:
            number = _number(body, "level")
            if own is None or not ((number == own and who.has("F_APPROVE_DATA")) or (number > own and lower)):
                continue
            one = renderer.show(resource, body, parse_fields(":all,!access,!href"))
            shown.append(one | makers(self.store, body))
        return answer(shown)

    # Changes -------------------------------------------------------------------------------------------------------

    def _single(self, change: _Change) -> Callable[[Request], Response]:
        def handle(request: Request) -> Response:
            self._demand(request, change)
            approvals = self._approvals()
            self._change(request, approvals, change, [_selection(approvals.model, request.query_params)])
            return Response(None, 204)

        return handle

    def _bulk(self, change: _Change) -> Callable[[Request], Response]:
        def handle(request: Request) -> Response:
            self._demand(request, change)
            approvals = self._approvals()
            body = formats.read_json(body_of(request))
            self._change(request, approvals, change, _bulk_selections(approvals, body))
            return Response(None, 204)

        return handle

    def _demand(self, request: Request, change: _Change) -> None:
        """Raise `Refused` for who may not approve, or not accept, anything at all."""
        wanted = APPROVING if change in {Approvals.approve, Approvals.unapprove} else ("F_ACCEPT_DATA_LOWER_LEVELS",)
        if not self.server.rights(request).has(*wanted):
            which = f", requires one Authority from [{', '.join(wanted)}]" if self.store.version.minor > 41 else ""
            raise Refused(403, f"Access is denied{which}")

    def _change(self, request: Request, approvals: Approvals, change: _Change, at: Iterable[Selection]) -> None:
        change(approvals, at, self.server.user(request), self._approver(request))

    def changes(self) -> list[Route]:
        """The routes that move data up and down."""

        def unaccept(a: Approvals, at: Iterable[Selection], user: JsonObject, may: Approver) -> None:
            a.accept(at, user, may, accepted=False)

        single = "/api/dataApprovals"
        accepting = f"{single}/dataAcceptances"
        table: tuple[tuple[str, str, Callable[[Request], Response]], ...] = (
            (single, "POST", self._single(Approvals.approve)),
            (single, "DELETE", self._single(Approvals.unapprove)),
            (f"{single}/approvals", "POST", self._bulk(Approvals.approve)),
            (f"{single}/unapprovals", "POST", self._bulk(Approvals.unapprove)),
            (accepting, "POST", self._single(Approvals.accept)),
            (accepting, "DELETE", self._single(unaccept)),
            (f"{accepting}/acceptances", "POST", self._bulk(Approvals.accept)),
            (f"{accepting}/unacceptances", "POST", self._bulk(unaccept)),
        )
        return [Route(path, reading(handler), methods=[method]) for path, method, handler in table]


def _number(body: JsonObject, name: str) -> int:
    return int(cast("int", body.get(name) or 0))


def _required_many(query: QueryParams, name: str) -> list[str]:
    found = params.many(query, name)
    if not found:
        raise missing_parameter(name, "Set")
    return found


def _workflow_of(model: Model, data_set: str) -> str:
    """The workflow of a data set. Raises `Refused`."""
    if not model.exists("dataSets", data_set):
        raise Refused(409, f"Data set does not exist: {data_set}")
    workflow = reference(model.body("dataSets", data_set), "workflow")
    if workflow is None:
        raise Refused(409, f"Data set does not have an approval workflow: {data_set}")
    return workflow


def _selection(model: Model, query: Mapping[str, str]) -> Selection:
    """One selection from `ds` or `wf`, `pe`, `ou` and `aoc`. Raises `Refused`."""
    for name in ("pe", "ou"):
        if name not in query:
            raise missing_parameter(name)
    workflow = query.get("wf")
    if workflow is None:
        if not query.get("ds"):
            raise Refused(409, "Either data set or data approval workflow must be specified")
        workflow = _workflow_of(model, query["ds"])
    elif not model.exists("dataApprovalWorkflows", workflow):
        raise Refused(409, f"Data approval workflow does not exist: {workflow}")
    period = read_period(query["pe"])
    if period is None:
        upserts = model.store.version.upserts
        raise unreadable_period(query["pe"]) if upserts else Refused(409, f"Illegal period identifier: {query['pe']}")
    if not model.exists("organisationUnits", query["ou"]):
        raise Refused(409, f"Illegal organisation unit identifier: {query['ou']}")
    combo = query.get("aoc") or DEFAULT_OPTION_COMBO
    if not model.exists("categoryOptionCombos", combo):
        raise Refused(409, f"Illegal attribute option combo identifier: {combo}")
    return Selection(workflow, period.iso, query["ou"], combo)


def _bulk_selections(approvals: Approvals, body: Mapping[str, JsonValue]) -> list[Selection]:
    """Every workflow with every period for every row. Raises `Refused`."""
    model = approvals.model
    workflows = [
        *formats.texts_of(body, "wf"),
        *(_workflow_of(model, uid) for uid in formats.texts_of(body, "ds")),
    ]
    periods, rows = formats.texts_of(body, "pe"), formats.items_of(body, "approvals")
    if not workflows or not periods or not rows:
        raise Refused(409, "Approval must have data sets or workflows, periods and approvals")
    found: list[Selection] = []
    for workflow, period, row in itertools.product(dict.fromkeys(workflows), periods, rows):
        named = {"wf": workflow, "pe": period, "ou": str(row.get("ou") or "")}
        if row.get("aoc"):
            named["aoc"] = str(row["aoc"])
        found.append(_selection(model, named))
    return found


def _periods(model: Model, workflow: str, query: QueryParams) -> list[Period]:
    """The periods that are asked for, or those of the workflow's type between two dates. Raises `Refused`."""
    found: list[Period] = []
    for text in params.many(query, "pe"):
        period = read_period(text)
        if period is None:
            raise Refused(409, f"Illegal period identifier: {text}")
        found.append(period)
    start, end = params.date(query, "startDate"), params.date(query, "endDate")
    if not found and start and end:
        kind = period_type(cast("str", model.body("dataApprovalWorkflows", workflow).get("periodType") or "Monthly"))
        found = Period.of(kind, start).range(Period.of(kind, end))
    return found


def _combos(approvals: Approvals, workflow: str, named: str | None) -> list[str]:
    """The attribute option combos of a workflow's data sets."""
    if named:
        return [named]
    model = approvals.model
    combos = [reference(model.body("dataSets", uid), "categoryCombo") for uid in approvals.data_sets(workflow)]
    found = dict.fromkeys(uid for combo in combos if combo for uid in model.combos_of.get(combo, []))
    return list(found)


def _identity(body: Mapping[str, JsonValue], *, code: bool = True) -> JsonObject:
    """What the status answer shows of an object; an org unit comes without its code."""
    names = ("lastUpdated", *(("code",) if code else ()), "created", "name", "id")
    return {name: body[name] for name in names if name in body}


def _user_name(model: Model, uid: str) -> str:
    body = model.body("users", uid)
    name = body.get("name") or f"{body.get('firstName', '')} {body.get('surname', '')}".strip()
    return cast("str", name or uid)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/dataApprovals", api.read),
        Route("/api/me/dataApprovalLevels", api.my_levels),
        Route("/api/dataApprovals/multiple", api.multiple),
        Route("/api/dataApprovals/approvals", api.multiple),
        Route("/api/dataApprovals/status", api.by_data_set),
        Route("/api/dataApprovals/categoryOptionCombos", api.by_combo),
        *api.changes(),
    ]
