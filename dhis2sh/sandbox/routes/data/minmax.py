"""`/api/minMaxDataElements`, `/api/minMaxValues` and the outliers of `/api/dataAnalysis`: limits, and what breaks them."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.data import export, formats, limits
from dhis2sh.sandbox.data.limits import Limit, LimitKey
from dhis2sh.sandbox.data.model import Model, read_period, reference
from dhis2sh.sandbox.data.paging import paged, picked
from dhis2sh.sandbox.data.shown import period_body
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer, empty
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.routes.data.values import body_of, reading
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

_BULK = ("dataElement", "orgUnit", "optionCombo", "minValue", "maxValue", "generated")
_TYPES = {"dataElement": "dataElements", "source": "organisationUnits", "optionCombo": "categoryOptionCombos"}
USUAL_FACTOR = 2.0
"""Standard deviations from the mean, where no setting says otherwise."""
MOST_OUTLIERS = 500


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    def list_(self, request: Request) -> Response:
        """`GET /api/minMaxDataElements`, with `filter=dataElement.id:eq:...` and `in:[...]`."""
        rows = self.store.connection.execute(
            "SELECT data_element, org_unit, category_option_combo, minimum, maximum, generated FROM min_max"
        )
        found: list[JsonObject] = [
            {
                "dataElement": {"id": row[0]}, "source": {"id": row[1]}, "optionCombo": {"id": row[2]}, "min": row[3],
                "max": row[4], "generated": bool(row[5]),
            }
            for row in rows
        ]  # fmt: skip
        for text in request.query_params.getlist("filter"):
            test = _test(text)
            found = [item for item in found if test(item)]
        shown = picked(request.query_params, found, self.store, _TYPES)
        return answer(paged(request.query_params, "minMaxDataElements", shown))

    # One by one ----------------------------------------------------------------------------------------------------

    def add(self, request: Request) -> Response:
        """`POST /api/minMaxDataElements`."""
        body = formats.read_json(body_of(request))
        key = self._single(Model(self.store), body)
        self._put(key, _limit(body, "min", "max"))
        return Response(None, 201)

    def remove(self, request: Request) -> Response:
        """`DELETE /api/minMaxDataElements`, the limit in the body."""
        self._drop(self._single(Model(self.store), formats.read_json(body_of(request))))
        return empty()

    def enter(self, request: Request) -> Response:
        """`POST /api/dataEntry/minMaxValues`."""
        body, model = formats.read_json(body_of(request)), Model(self.store)
        names = {"de": "dataElement", "ou": "orgUnit", "co": "categoryOptionCombo"}
        key = _entered(model, {short: str(body[name]) for short, name in names.items() if body.get(name)})
        self._put(key, _limit(body, "minValue", "maxValue"))
        return Response(None, 200)

    def take_back(self, request: Request) -> Response:
        """`DELETE /api/dataEntry/minMaxValues?de&ou&co`."""
        self._drop(_entered(Model(self.store), request.query_params))
        return empty()

    def _put(self, key: LimitKey, limit: Limit) -> None:
        limits.demand_order(key, limit, brief=self.store.version.minor < 42)
        limits.put(self.store, [(key, limit)])

    def _drop(self, key: LimitKey) -> None:
        if not limits.drop(self.store, [key]):
            raise Refused(404, f"Data value key combination does not exist: {limits.said(key)}", "E2047")

    def _single(self, model: Model, body: Mapping[str, JsonValue]) -> LimitKey:
        """The key of a single body. Raises `Refused`."""
        found: list[str] = []
        for name, plural in _TYPES.items():
            uid = reference(body, name) or (DEFAULT_OPTION_COMBO if name == "optionCombo" else None)
            if uid is None:
                raise Refused(409, f"Missing required parameter : {name}")
            if not model.exists(plural, uid):
                raise not_imitated(f"a limit of the {name} {uid}, which does not exist")
            found.append(uid)
        return LimitKey(*found)

    # Many ----------------------------------------------------------------------------------------------------------

    def upsert(self, request: Request) -> Response:
        """`POST /api/minMaxDataElements/upsert`: many at once, JSON or CSV; rows that name what there is not are left out."""
        sent = self._bulk(request)
        rows = [(key, _limit(item, "minValue", "maxValue")) for key, item in sent if key is not None]
        for key, limit in rows:
            limits.demand_order(key, limit, brief=self.store.version.minor < 42)
        limits.put(self.store, rows)
        return _said("imported", len(rows), len(sent))

    def delete(self, request: Request) -> Response:
        """`POST /api/minMaxDataElements/delete`: many at once, JSON or CSV."""
        sent = self._bulk(request)
        return _said("deleted", limits.drop(self.store, [key for key, _ in sent if key is not None]), len(sent))

    def _bulk(self, request: Request) -> list[tuple[LimitKey | None, JsonObject]]:
        raw, body = body_of(request), cast("JsonObject", {})
        if "csv" in request.headers.get("content-type", ""):
            rows = list(csv.DictReader(io.StringIO(raw.decode(errors="replace"))))
            items: list[JsonObject] = [{name: row.get(name) for name in _BULK if row.get(name)} for row in rows]
        else:
            body = formats.read_json(raw)
            items = formats.items_of(body, "values")
        model, unit = Model(self.store), body.get("orgunit") or body.get("orgUnit") or ""
        found: list[tuple[LimitKey | None, JsonObject]] = []
        for item in items:
            parts = (
                item.get("dataElement"),
                item.get("orgUnit") or unit,
                item.get("optionCombo") or DEFAULT_OPTION_COMBO,
            )
            key = LimitKey(*(str(part or "") for part in parts))
            known = all(model.exists(plural, uid) for plural, uid in zip(_TYPES.values(), key, strict=True))
            found.append((key if known else None, item))
        return found

    def generate(self, request: Request) -> Response:
        """`POST /api/minMaxValues`: make the limits of data sets in an org unit from the values that there are."""
        self.server.demand(request, "F_GENERATE_MIN_MAX_VALUES")
        body, model = formats.read_json(body_of(request)), Model(self.store)
        elements = _elements(model, formats.texts_of(body, "dataSets"))
        units = _subtree(model, str(body.get("organisationUnit") or ""))
        limits.drop_all(self.store, elements, units)
        limits.put(self.store, limits.usual(self.store, model, elements, units, USUAL_FACTOR).items())
        return empty()

    def forget(self, request: Request) -> Response:
        """`DELETE /api/minMaxValues/{unit}?ds=`."""
        self.server.demand(request, "F_GENERATE_MIN_MAX_VALUES")
        model = Model(self.store)
        elements = _elements(model, params.many(request.query_params, "ds"))
        limits.drop_all(self.store, elements, _subtree(model, request.path_params["uid"]))
        return empty()

    # Outliers ------------------------------------------------------------------------------------------------------

    def std_dev(self, request: Request) -> Response:
        """`POST /api/dataAnalysis/stdDevOutlier`: values that are far from the mean."""
        body, model = formats.read_json(body_of(request)), Model(self.store)
        factor = float(cast("float", body.get("standardDeviation") or USUAL_FACTOR))
        elements, units = _elements(model, formats.texts_of(body, "ds")), _subtree(model, str(body.get("ou") or ""))
        return self._outliers(body, model, limits.usual(self.store, model, elements, units, factor))

    def min_max(self, request: Request) -> Response:
        """`POST /api/dataAnalysis/minMaxOutlier`: values outside of the limits that are kept."""
        body, model = formats.read_json(body_of(request)), Model(self.store)
        elements, units = _elements(model, formats.texts_of(body, "ds")), _subtree(model, str(body.get("ou") or ""))
        return self._outliers(body, model, limits.stored(self.store, elements, units))

    def _outliers(self, body: JsonObject, model: Model, found: Mapping[LimitKey, Limit]) -> Response:
        start, end = (_day(body, name) for name in ("startDate", "endDate"))
        known = [row[0] for row in self.store.connection.execute(export.DISTINCT_PERIODS)]
        periods = [iso for iso in known if (one := read_period(iso)) and start <= one.start and one.end <= end]
        elements, units = {key.element for key in found}, {key.unit for key in found}
        outside = limits.suspects(self.store, found, periods, elements, units)
        rows = [self._shown(model, one) for one in outside][:MOST_OUTLIERS]  # `maxResults` does not count
        return answer(cast("list[JsonValue]", rows))

    def _shown(self, model: Model, one: limits.Suspect) -> JsonObject:
        period = read_period(one.period)
        named = {
            "dataElement": "dataElements",
            "source": "organisationUnits",
            "categoryOptionCombo": "categoryOptionCombos",
        }
        body: JsonObject = {"value": one.value, "followup": one.follow_up, "deleted": False,
                            "min": one.limit.low, "max": one.limit.high}  # fmt: skip
        for (name, plural), uid in zip(named.items(), one.key, strict=True):
            body |= {f"{name}Id": _row_number(uid), f"{name}Name": model.name(plural, uid)}
        body |= {"periodId": _row_number(one.period), "attributeOptionComboId": _row_number(DEFAULT_OPTION_COMBO)}
        if period is not None:
            body["period"] = period_body(self.store, period)
        return body


def _row_number(uid: str) -> int:
    """A number in place of a row's in the server's database; the same as long as the object lives."""
    return int.from_bytes(uid.encode()[-4:]) % 2**31


def _elements(model: Model, sets: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(uid for each in sets for uid in model.elements_of.get(each, [])))


def _subtree(model: Model, unit: str) -> list[str]:
    """An org unit and those below it. Raises `Refused` where there is none."""
    if not model.exists("organisationUnits", unit):
        raise not_imitated(f"an answer about the org unit `{unit}`, which does not exist")
    return model.subtree(unit)


def _day(body: JsonObject, name: str) -> dt.date:
    try:
        return dt.date.fromisoformat(str(body.get(name))[:10])
    except ValueError:
        raise not_imitated(f"an answer to outliers without a readable {name}") from None


def _entered(model: Model, named: Mapping[str, str]) -> LimitKey:
    """The limit that `de`, `ou` and `co` name. Raises `Refused`."""
    found: list[str] = []
    for short, plural, what, code in (
        ("de", "dataElements", "Data element", "E1100"),
        ("ou", "organisationUnits", "Organisation unit", "E1102"),
        ("co", "categoryOptionCombos", "Category option combo", "E1103"),
    ):
        uid = named.get(short) or (DEFAULT_OPTION_COMBO if short == "co" else "null")
        if not model.exists(plural, uid):
            raise Refused(409, f"{what} not found or not accessible: `{uid}`", code)
        found.append(uid)
    return LimitKey(*found)


def _limit(body: Mapping[str, JsonValue], low: str, high: str) -> Limit:
    """The limit in a body. Raises `Refused`."""
    try:
        minimum, maximum = int(cast("str", body.get(low))), int(cast("str", body.get(high)))
    except (TypeError, ValueError):
        raise Refused(409, f"Missing required parameter : {low if body.get(low) is None else high}") from None
    return Limit(minimum, maximum, body.get("generated") in (True, "true"))


def _test(text: str) -> Callable[[JsonObject], bool]:
    """`dataElement.id:eq:uid` and `source.id:in:[uid,uid]`, the only filters that are supported. Raises `Refused`."""
    path, operator, wanted = [*text.split(":", 2), "", ""][:3]
    if operator not in {"eq", "in"}:
        raise Refused(409, f"Query operator is not supported : {operator}")
    texts = wanted.strip("[]").split(",") if operator == "in" else [wanted]

    def meets(item: JsonObject) -> bool:
        part = item.get(path.partition(".")[0])
        return str(part.get("id") if isinstance(part, dict) else part) in texts

    return meets


def _said(done: str, count: int, sent: int) -> Response:
    return answer(
        {"message": f"Successfully {done} {count} min-max values", "successful": count, "ignored": sent - count}
    )


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    base = "/api/minMaxDataElements"
    return [
        Route(base, api.list_),
        Route(base, reading(api.add), methods=["POST"]),
        Route(base, reading(api.remove), methods=["DELETE"]),
        Route(f"{base}/upsert", reading(api.upsert), methods=["POST"]),
        Route(f"{base}/delete", reading(api.delete), methods=["POST"]),
        Route("/api/dataEntry/minMaxValues", reading(api.enter), methods=["POST"]),
        Route("/api/dataEntry/minMaxValues", api.take_back, methods=["DELETE"]),
        Route("/api/minMaxValues", reading(api.generate), methods=["POST"]),
        Route("/api/minMaxValues/{uid:uid}", api.forget, methods=["DELETE"]),
        Route("/api/dataAnalysis/stdDevOutlier", reading(api.std_dev), methods=["POST"]),
        Route("/api/dataAnalysis/minMaxOutlier", reading(api.min_max), methods=["POST"]),
    ]
