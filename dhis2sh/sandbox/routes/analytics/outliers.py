"""`/api/analytics/outlierDetection` and `/api/outlierDetection`: values far from what is usual."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.periods import RelativePeriod
from dhis2sh.errors import UsageError
from dhis2sh.sandbox.analytics import build
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.grid import Grid, Header, number
from dhis2sh.sandbox.analytics.outliers import Outlier, Search, find
from dhis2sh.sandbox.data.model import Model, identifier_of, read_period
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.java import numbers
from dhis2sh.sandbox.metadata.period_names import period_name
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.routes.analytics.aggregate import grid_answer, viewer_of

if TYPE_CHECKING:
    import datetime as dt

    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.analytics.query import Viewer
    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

MAX_RESULTS = 500
_ALGORITHMS: Mapping[bool, Mapping[str, str]] = {
    True: {"Z_SCORE": "Z_SCORE", "MIN_MAX": "MIN_MAX", "MODIFIED_Z_SCORE": "MODIFIED_Z_SCORE"},
    False: {"Z_SCORE": "Z_SCORE", "MIN_MAX": "MIN_MAX", "MOD_Z_SCORE": "MODIFIED_Z_SCORE", "INVALID_NUMERIC": ""},
}
"""What each of the two addresses (that of analytics: True) calls the algorithms; empty for one that is not here."""
MESSAGES = {
    "E2200": "At least one data element must be specified",
    "E2201": "Start date and end date or relative period must be specified",
    "E2202": "Start date must be before end date",
    "E2203": "At least one organisation unit must be specified",
    "E2204": "Threshold must be a positive number",
    "E2205": "Max results must be a positive number",
    "E2206": "Max results exceeds the allowed max limit: `{0}`",
    "E2207": "Data start date must be before data end date",
    "E2208": "Non-numeric data values encountered during outlier value detection",
    "E2211": "Algorithm min-max values not allowed",
    "E2213": "Period and start date and end date cannot be specified simultaneously",
}
_ORDERS = ("MEAN_ABS_DEV", "ABS_DEV", "Z_SCORE", "MODIFIED_Z_SCORE", "STD_DEV", "LOWER_BOUND", "UPPER_BOUND", "VALUE",
           "MEDIAN", "MEAN", "MEDIAN_ABS_DEV")  # fmt: skip


def _reversed(start: dt.date | None, end: dt.date | None) -> bool:
    return start is not None and end is not None and start > end


def _refuse_last(checks: Iterable[tuple[bool, str, str]]) -> None:
    """Raise `Refused` for the last check that fails, as the server does."""
    failed = [(code, text) for fails, code, text in checks if fails]
    if failed:
        code, text = failed[-1]
        raise Refused(409, MESSAGES[code].format(text), code)


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    def _search(self, query: QueryParams, model: Model, viewer: Viewer, *, analytics: bool) -> tuple[Search, int, str]:
        """The search, how many results, and by what they are sorted. Raises `Refused`."""
        elements = [uid for uid in params.many(query, "dx") if model.exists("dataElements", uid)]
        for uid in params.many(query, "ds"):
            elements += model.elements_of.get(uid, [])
        units = [uid for uid in params.many(query, "ou") if model.exists("organisationUnits", uid)]
        if analytics and not units:
            units = viewer.limits or [uid for uid in model.store.objects("organisationUnits") if model.level(uid) == 1]
        start, end = params.date(query, "startDate"), params.date(query, "endDate")
        periods = query.getlist("pe") if analytics else []
        span = _span(periods, params.date(query, "relativePeriodDate"))
        threshold = params.number(query, "threshold", 3.0)
        limit = params.integer(query, "maxResults", MAX_RESULTS)
        algorithm = _ALGORITHMS[analytics][params.choice(query, "algorithm", "Z_SCORE", list(_ALGORITHMS[analytics]))]
        if not algorithm:
            raise not_imitated("the search for values that are no numbers")
        order = params.choice(query, "orderBy", "ABS_DEV" if analytics else "MEAN_ABS_DEV", _ORDERS)
        data_start, data_end = params.date(query, "dataStartDate"), params.date(query, "dataEndDate")
        undated = start is None or end is None
        checks = (
            (not elements, "E2200", ""),
            (undated and span is None, "E2201", ""),
            (span is not None and not undated, "E2213", ""),
            (_reversed(start, end), "E2202", ""),
            (not units, "E2203", ""),
            (threshold <= 0, "E2204", ""),
            (limit <= 0, "E2205", ""),
            (limit > MAX_RESULTS, "E2206", str(MAX_RESULTS)),
            (_reversed(data_start, data_end), "E2207", ""),
            (analytics and algorithm == "MIN_MAX", "E2211", algorithm),
        )
        _refuse_last(checks)
        first, last = span or (cast("dt.date", start), cast("dt.date", end))
        search = Search(list(dict.fromkeys(elements)), units, first, last, algorithm, threshold, data_start, data_end)
        return search, limit, order

    def _found(self, search: Search, model: Model, limit: int, order: str, *, up: bool = False) -> list[Outlier]:
        rows = find(self.store, model, search)
        rows.sort(key=_ORDER_KEYS.get(order, _by_score), reverse=not up)
        return rows[:limit]

    def grid(self, request: Request) -> Response:
        """`GET /api/analytics/outlierDetection`: a grid, from the analytics tables' data."""
        query, model = request.query_params, Model(self.store)
        viewer = viewer_of(self.server.rights(request), query)
        search, limit, order = self._search(query, model, viewer, analytics=True)
        if not build.is_built(self.store):
            raise refusal("E7144")
        up = (query.get("sortOrder") or "").upper() == "ASC"
        rows = self._found(search, model, limit, order, up=up)
        modified = search.algorithm == "MODIFIED_Z_SCORE"
        shown = Grid(_headers(modified), [_cells(model, row, query) for row in rows])
        shown.meta = {
            "algorithm": search.algorithm, "threshold": search.threshold, "orderBy": order,
            "maxResults": limit, "count": len(rows),
        }  # fmt: skip
        if query.get("headers"):
            shown.only(params.many(query, "headers"))
        return grid_answer(shown, request.path_params.get("ending", "json"), self.store)

    def live(self, request: Request) -> Response:
        """`GET /api/outlierDetection`: from the values themselves, as objects."""
        query, model = request.query_params, Model(self.store)
        viewer = viewer_of(self.server.rights(request), query)
        search, limit, order = self._search(query, model, viewer, analytics=False)
        modified = search.algorithm == "MODIFIED_Z_SCORE"
        rows = [_object(model, row, modified=modified) for row in self._found(search, model, limit, order)]
        if request.url.path.endswith(".csv"):
            out = io.StringIO()
            writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            return Response(out.getvalue(), media_type="application/csv;charset=UTF-8")
        meta: JsonObject = {"algorithm": (query.get("algorithm") or "Z_SCORE").upper(), "threshold": search.threshold}
        for name in ("dataStartDate", "dataEndDate"):
            if query.get(name):
                meta[name] = query[name]
        meta |= {"orderBy": order, "maxResults": limit, "count": len(rows)}
        return answer({"metadata": meta, "outlierValues": cast("list[JsonValue]", rows)})


def _span(texts: list[str], today: dt.date | None) -> tuple[dt.date, dt.date] | None:
    """From the first to the last day of the periods, fixed and relative. Raises `Refused`."""
    spans: list[tuple[dt.date, dt.date]] = []
    for text in [part for each in texts for part in each.replace(",", ";").split(";") if part]:
        period = read_period(text)
        if period is not None:
            spans.append((period.start, period.end))
            continue
        try:
            spans += [(each.start, each.end) for each in RelativePeriod(text).resolve(today)]
        except (ValueError, UsageError):
            raise refusal("E7611", text) from None
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None


def _by_score(row: Outlier) -> float:
    return row.score or row.deviation


_ORDER_KEYS: dict[str, Callable[[Outlier], float]] = {
    "ABS_DEV": lambda row: row.deviation,
    "MEAN_ABS_DEV": lambda row: row.deviation,
    "MEDIAN_ABS_DEV": lambda row: row.usual.spread if row.usual else 0.0,
    "STD_DEV": lambda row: row.usual.spread if row.usual else 0.0,
    "MEAN": lambda row: row.usual.middle if row.usual else 0.0,
    "MEDIAN": lambda row: row.usual.middle if row.usual else 0.0,
    "VALUE": lambda row: row.number,
    "LOWER_BOUND": lambda row: row.lower,
    "UPPER_BOUND": lambda row: row.upper,
}


def _headers(modified: bool) -> list[Header]:
    texts = (
        ("dx", "Data"), ("dxname", "Data name"), ("pe", "Period"), ("pename", "Period name"),
        ("ou", "Organisation unit"), ("ouname", "Organisation unit name"),
        ("ounamehierarchy", "Organisation unit name hierarchy"), ("coc", "Category option combo"),
        ("cocname", "Category option combo name"), ("aoc", "Attribute option combo"),
        ("aocname", "Attribute option combo name"),
    )  # fmt: skip
    figures = (
        ("value", "Value"),
        ("median", "Median") if modified else ("mean", "Mean"),
        ("medianabsdeviation", "Median absolute deviation") if modified else ("stddev", "Standard deviation"),
        ("absdev", "Absolute deviation"),
        ("modifiedzscore", "Modified Z-score") if modified else ("zscore", "Z-score"),
        ("lowerbound", "Lower boundary"),
        ("upperbound", "Upper boundary"),
    )
    return [
        *(Header(name, column, meta=False) for name, column in texts),
        *(number(name, column) for name, column in figures),
    ]


def _cells(model: Model, row: Outlier, query: QueryParams) -> list[str]:
    key = row.key
    scheme = (query.get("outputIdScheme") or "UID").upper()
    path = " / ".join(model.name("organisationUnits", uid) for uid in model.path(key.org_unit))
    exact = params.boolean(query, "skipRounding")
    usual = row.usual
    figures = (
        row.number, usual.middle if usual else 0.0, usual.spread if usual else 0.0, row.deviation, row.score,
        row.lower, row.upper,
    )  # fmt: skip

    def named(plural: str, uid: str) -> str:
        return identifier_of(model.body(plural, uid), scheme) or uid

    return [
        named("dataElements", key.data_element), model.name("dataElements", key.data_element),
        # The server has names for the periods between dates only.
        key.period, key.period if query.get("pe") else period_name(row.period),
        named("organisationUnits", key.org_unit), model.name("organisationUnits", key.org_unit), path,
        named("categoryOptionCombos", key.category_option_combo),
        model.name("categoryOptionCombos", key.category_option_combo),
        named("categoryOptionCombos", key.attribute_option_combo),
        model.name("categoryOptionCombos", key.attribute_option_combo),
        *(numbers.java_double(figure if exact else numbers.rounded(figure)) for figure in figures),
    ]  # fmt: skip


def _object(model: Model, row: Outlier, *, modified: bool) -> JsonObject:
    key, usual = row.key, row.usual
    body: JsonObject = {
        "de": key.data_element, "deName": model.name("dataElements", key.data_element), "pe": key.period,
        "ou": key.org_unit, "ouName": model.name("organisationUnits", key.org_unit),
        "coc": key.category_option_combo, "cocName": model.name("categoryOptionCombos", key.category_option_combo),
        "aoc": key.attribute_option_combo, "aocName": model.name("categoryOptionCombos", key.attribute_option_combo),
        "value": row.number,
    }  # fmt: skip
    if usual is not None:
        middle = "median" if modified else "mean"
        body |= {middle: usual.middle, "stdDev": usual.spread, "absDev": row.deviation, "zScore": row.score}
    else:
        body["absDev"] = row.deviation
    return body | {"lowerBound": row.lower, "upperBound": row.upper, "followup": row.follow_up}


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/analytics/outlierDetection", api.grid),
        Route("/api/analytics/outlierDetection.{ending}", api.grid),
        Route("/api/outlierDetection", api.live),
        Route("/api/outlierDetection.csv", api.live),
    ]
