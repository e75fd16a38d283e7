"""`/api/dataEntry` for one form, and what `/api/dataSets/{uid}` gives besides the data set: its forms and its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.periods import Period
from dhis2sh.sandbox.data import approval, limits, locks, values
from dhis2sh.sandbox.data.model import Model, read_period, reference, references
from dhis2sh.sandbox.data.shown import identified
from dhis2sh.sandbox.data.values import Key, Value
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.refused import Refused, not_found, not_imitated
from dhis2sh.sandbox.routes.data.values import attribute_combo
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

HISTORY = 13
"""Periods that the history of a value goes back, its own included."""


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    # One form ------------------------------------------------------------------------------------------------------

    def form(self, request: Request) -> Response:
        """`GET /api/dataEntry/dataValues?ds&pe&ou[&cc&cp]`: the values of a form, its limits, and whether it is open."""
        query, model = request.query_params, Model(self.store)
        data_set = query.get("ds", "null")
        if not model.exists("dataSets", data_set):
            raise Refused(409, f"Data set not found or not accessible: `{data_set}`", "E1105")
        period, unit = _period(query), _unit(model, query)
        combo = attribute_combo(model, query)
        elements = model.elements_of.get(data_set, [])
        found = self._values(elements, period.iso, unit, combo)
        kept = limits.stored(self.store, elements, [unit])
        body: JsonObject = {
            "dataValues": [self._shown(model, value) for value in found],
            "minMaxValues": [
                {"dataElement": key.element, "orgUnit": unit, "categoryOptionCombo": key.combo, "minValue": limit.low,
                 "maxValue": limit.high, "generated": limit.generated}
                for key, limit in kept.items()
            ],
            "lockStatus": self._lock(request, model, Key("", period.iso, unit, DEFAULT_OPTION_COMBO, combo), data_set),
            "completeStatus": self._complete(data_set, period.iso, unit, combo),
        }  # fmt: skip
        return answer(body)

    def _values(self, elements: Iterable[str], period: str, unit: str, combo: str) -> list[Value]:
        wanted = set(elements)
        where = "period = ? AND org_unit = ? AND attribute_option_combo = ? AND NOT deleted"
        return [
            one for one in values.select(self.store, where, (period, unit, combo)) if one.key.data_element in wanted
        ]

    def _shown(self, model: Model, value: Value) -> JsonObject:
        key, options = value.key, model.body("categoryOptionCombos", value.key.attribute_option_combo)
        body: JsonObject = {
            "dataElement": key.data_element, "period": key.period, "orgUnit": key.org_unit,
            "categoryOptionCombo": key.category_option_combo,
            "attribute": {"combo": reference(options, "categoryCombo"),
                          "options": cast("list[JsonValue]", references(options, "categoryOptions"))},
            "value": value.value, "comment": value.comment, "followUp": value.follow_up, "storedBy": value.stored_by,
            "created": _local(value.created), "lastUpdated": _local(value.last_updated),
        }  # fmt: skip
        return {name: item for name, item in body.items() if item is not None}

    def _lock(self, request: Request, model: Model, key: Key, data_set: str) -> str:
        body, period = model.body("dataSets", data_set), cast("Period", read_period(key.period))
        if approval.is_approved(self.store, model, body, key):
            return "APPROVED"
        late = self.server.rights(request).has("F_EDIT_EXPIRED")
        return "LOCKED" if locks.Locks(self.store, late=late).is_expired(body, period, key.org_unit) else "OPEN"

    def _complete(self, data_set: str, period: str, unit: str, combo: str) -> JsonObject:
        row = self.store.connection.execute(
            "SELECT completed, date, stored_by, last_updated, last_updated_by FROM completeness WHERE data_set = ? "
            "AND period = ? AND org_unit = ? AND attribute_option_combo = ?",
            (data_set, period, unit, combo),
        ).fetchone()
        if row is None:
            return {"complete": False}
        found = dict(zip(("created", "createdBy", "lastUpdated", "lastUpdatedBy"), row[1:], strict=True))
        return {"complete": bool(row[0]), **{name: value for name, value in found.items() if value is not None}}

    def context(self, request: Request) -> Response:
        """`GET /api/dataEntry/dataValueContext?de&pe&ou[&co]`: who changed a value, and what it was in earlier periods."""
        query, model = request.query_params, Model(self.store)
        element = query.get("de", "null")
        if not model.exists("dataElements", element) and self.store.version.upserts:
            return answer({"audits": [], "history": []})
        if not model.exists("dataElements", element):
            raise Refused(409, f"Data element not found or not accessible: `{element}`", "E1100")
        combo = query.get("co") or DEFAULT_OPTION_COMBO
        if not model.exists("categoryOptionCombos", combo):
            raise Refused(409, f"Category option combo not found or not accessible: `{combo}`", "E1103")
        period, unit = _period(query), _unit(model, query)
        key = Key(element, period.iso, unit, combo, attribute_combo(model, query))
        return answer({"audits": self._audits(key), "history": self._history(model, key, period)})

    def _audits(self, key: Key) -> list[JsonValue]:
        """The changes of a value, the newest first; how it began comes last, whether or not it was audited."""
        rows = self.store.connection.execute(
            "SELECT value, modified_by, created, audit_type FROM data_value_audit WHERE data_element = ? AND period = ? "
            "AND org_unit = ? AND category_option_combo = ? AND attribute_option_combo = ? ORDER BY created DESC, id DESC",
            key,
        ).fetchall()
        now = values.find(self.store.connection, key)
        if not rows and now is not None and not now.deleted and not self.store.version.upserts:
            rows = [(now.value, now.stored_by, _local(now.created), "CREATE")]
        elif rows and not self.store.version.upserts:
            raise not_imitated("the context of a value that was changed")
        shared = {
            "dataElement": key.data_element, "period": key.period, "orgUnit": key.org_unit,
            "categoryOptionCombo": key.category_option_combo, "attributeOptionCombo": key.attribute_option_combo,
        }  # fmt: skip
        return [
            {**shared, "value": value, "modifiedBy": by, "created": created, "auditType": kind}
            for value, by, created, kind in rows
        ]

    def _history(self, model: Model, key: Key, period: Period) -> list[JsonValue]:
        """The value in this period and the twelve before it, where there is one."""
        found: list[JsonValue] = []
        for back in range(HISTORY - 1, -1, -1):
            value = values.find(self.store.connection, key._replace(period=period.next(-back).iso))
            if value is not None and not value.deleted:
                short: JsonObject = {"period": value.key.period, "value": value.value}
                found.append(short if self.store.version.upserts else self._shown(model, value))
        return found

    def custom_form(self, request: Request) -> Response:
        """`GET /api/dataEntry/customForms/{data set}`."""
        uid = request.path_params["uid"]
        if self.store.get("dataSets", uid) is None:
            raise Refused(409, f"Object of type `DataSet` not found or not accessible: `{uid}`", "E1113")
        raise not_imitated("a custom form")

    # Below a data set ----------------------------------------------------------------------------------------------

    def version(self, request: Request) -> Response:
        """`GET /api/dataSets/{uid}/version`."""
        body = self.store.get("dataSets", request.path_params["uid"])
        if body is None:
            raise Refused(409, f"Data set does not exist: {request.path_params['uid']}")
        return answer({"version": body.get("version", 0)})

    def category_combos(self, request: Request) -> Response:
        """`GET /api/dataSets/{uid}/categoryCombos`: those of its elements."""
        uid, model = self._data_set(request), Model(self.store)
        combos = dict.fromkeys(model.category_combo(element, uid) for element in model.elements_of.get(uid, []))
        renderer, resource = self.server.renderer(request), self.store.resources["categoryCombos"]
        tree = parse_fields(request.query_params.get("fields") or ":all")
        bodies = sorted((model.body("categoryCombos", one) for one in combos), key=lambda body: str(body.get("name")))
        return answer({"categoryCombos": [renderer.show(resource, body, tree) for body in bodies]})

    def template(self, request: Request) -> Response:
        """`GET /api/dataSets/{uid}/dataValueSet?period&orgUnit`: an empty set to be filled in."""
        uid, model, query = self._data_set(request), Model(self.store), request.query_params

        def named(plural: str, scheme: str, one: str) -> str:
            text = query.get(f"{scheme}IdScheme") or "UID"
            return model.identifier(plural, text if text.startswith("ATTRIBUTE:") else text.upper(), one)

        units = [named("organisationUnits", "orgUnit", one) for one in query.getlist("orgUnit")] or [""]
        period, rows = query.get("period"), list["JsonValue"]()
        for element in model.elements_of.get(uid, []):
            for combo in model.combos_of.get(model.category_combo(element, uid), [DEFAULT_OPTION_COMBO]):
                for unit in units:
                    row: JsonObject = {"dataElement": named("dataElements", "dataElement", element),
                                       "categoryOptionCombo": combo, "period": period, "orgUnit": unit}  # fmt: skip
                    filled: JsonObject = {name: text for name, text in row.items() if text}
                    rows.append({**filled, "value": ""})
        return answer({"dataValues": rows})

    def data_form(self, request: Request) -> Response:
        """`GET /api/dataSets/{uid}/form?ou[&pe][&metaData=true]`: the groups of fields of a form."""
        query, model = request.query_params, Model(self.store)
        unit = query.get("ou", "null")
        if "ou" not in query and self.store.version.upserts:
            raise Refused(500, 'Cannot invoke "org.hisp.dhis.common.UID.getValue()" because "uid" is null')
        if not model.exists("organisationUnits", unit):
            raise not_found("OrganisationUnit", unit)
        uid = self._data_set(request)
        body = model.body("dataSets", uid)
        if references(body, "sections"):
            raise not_imitated("the form of a data set with sections")
        elements = model.elements_of.get(uid, [])
        fields = [field for element in elements for field in _fields(model, uid, element)]
        group: JsonObject = {
            "label": "default",
            "description": "default",
            "dataElementCount": len(elements),
            "fields": fields,
        }
        if params.boolean(query, "metaData"):
            group["metaData"] = {"dataElements": [_element(self.server.store.get("dataElements", one) or {}, identified(
                self.store, "dataElements", one)) for one in elements]}  # fmt: skip
        options = ("openPeriodsAfterCoEndDate", "periodType", "openFuturePeriods", "expiryDays")
        shown: JsonObject = {
            "label": body.get("displayName") or body.get("name"), "subtitle": body.get("shortName"),
            "options": {name: body[name] for name in options if name in body}, "groups": [group],
        }  # fmt: skip
        combo = reference(body, "categoryCombo")
        if combo and combo != reference(model.body("categoryOptionCombos", DEFAULT_OPTION_COMBO), "categoryCombo"):
            shown["categoryCombo"] = _categories(model, combo)
        return answer(shown)

    def _data_set(self, request: Request) -> str:
        uid = request.path_params["uid"]
        if self.store.get("dataSets", uid) is None:
            raise not_found("DataSet", uid)
        return cast("str", uid)


def _period(query: QueryParams) -> Period:
    period = read_period(query.get("pe", ""))
    if period is None:
        raise Refused(409, f"Period is invalid: `{query.get('pe', 'null')}`", "E1101")
    return period


def _unit(model: Model, query: QueryParams) -> str:
    unit = query.get("ou", "null")
    if not model.exists("organisationUnits", unit):
        raise Refused(409, f"Organisation unit not found or not accessible: `{unit}`", "E1102")
    return unit


def _local(moment: str | None) -> str | None:
    """A moment without its zone."""
    return None if moment is None else moment.partition("+")[0]


def _fields(model: Model, data_set: str, element: str) -> list[JsonValue]:
    """The fields of a data element, one for each option combo; a label names the combo where there is more than one."""
    body, found = model.body("dataElements", element), list["JsonValue"]()
    combos = model.combos_of.get(model.category_combo(element, data_set), [DEFAULT_OPTION_COMBO])
    name = str(body.get("formName") or body.get("name"))
    for combo in combos:
        label = name if combo == DEFAULT_OPTION_COMBO else f"{name} {model.name('categoryOptionCombos', combo)}"
        kind = str(body.get("valueType"))
        found.append({"label": label, "dataElement": element, "categoryOptionCombo": combo, "type": kind})
    return found


def _element(body: JsonObject, found: JsonObject) -> JsonObject:
    """A data element as a form shows it: without who made it and when."""
    for name in ("created", "lastUpdated", "createdBy", "lastUpdatedBy", "user"):
        found.pop(name, None)
    external: JsonObject = {"external": False} if "external" in cast("JsonObject", found["sharing"]) else {}
    found["sharing"] = {**external, "users": {}, "userGroups": {}}
    name = body.get("formName") or body.get("name")
    return {
        **found,
        "shortName": body.get("shortName"),
        "displayShortName": body.get("shortName"),
        "displayFormName": name,
    }


def _categories(model: Model, combo: str) -> JsonObject:
    shown: list[JsonValue] = []
    for category in references(model.body("categoryCombos", combo), "categories"):
        options: list[JsonValue] = []
        for option in references(model.body("categories", category), "categoryOptions"):
            body = model.body("categoryOptions", option)
            dates = {name: body[name] for name in ("startDate", "endDate") if body.get(name)}
            options.append({"id": option, "label": body.get("name"), **dates})
        shown.append({"id": category, "label": model.name("categories", category), "categoryOptions": options})
    return {"id": combo, "categories": shown}


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/dataEntry/dataValues", api.form),
        Route("/api/dataEntry/dataValueContext", api.context),
        Route("/api/dataEntry/customForms/{uid:uid}", api.custom_form),
        Route("/api/dataSets/{uid:uid}/version", api.version),
        Route("/api/dataSets/{uid:uid}/categoryCombos", api.category_combos),
        Route("/api/dataSets/{uid:uid}/dataValueSet", api.template),
        Route("/api/dataSets/{uid:uid}/form", api.data_form),
    ]
