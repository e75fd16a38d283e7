"""`/api/dimensions` and `/api/dataItems`: what analytics can be asked by, and for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dhis2sh.sandbox.analytics.items import ItemKind
from dhis2sh.sandbox.analytics.query import GROUP_SETS
from dhis2sh.sandbox.data.model import Model, reference, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer, base_of
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.listing import matching
from dhis2sh.sandbox.metadata.value_types import BOOLEAN_TYPES, NUMERIC_TYPES
from dhis2sh.sandbox.refused import Refused, not_found

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

_ORDER = ("categories", "categoryOptionGroupSets", "dataElementGroupSets", "organisationUnitGroupSets")
"""The types that are dimensions, in the order in which the server lists them."""
_FILTER = re.compile(r"(\w[\w.]*):(eq|in|ilike|like|!eq|token):(.*)", re.DOTALL)


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    def dimensions(self, request: Request) -> Response:
        """`GET /api/dimensions`: categories and group sets that are data dimensions."""
        query, renderer = request.query_params, self.server.renderer(request)
        tree = parse_fields(query.get("fields", "id,displayName"))
        rows: list[JsonObject] = []
        for plural in _ORDER:
            resource = self.store.resources[plural]
            found = matching(self.store, resource, query, renderer)
            found.sort(key=lambda body: str(body["id"]))  # unlike other lists, by id within a type
            rows += [renderer.show(resource, body, tree) for body in found if body.get("dataDimension")]
        return answer(_paged(query, "dimensions", rows, f"{base_of(request)}/api/dimensions", total_first=True))

    def dimension(self, request: Request) -> Response:
        """`GET /api/dimensions/{uid}`."""
        plural = self._plural(request.path_params["uid"])
        resource = self.store.resources[plural]
        body = self.store.get(plural, request.path_params["uid"]) or {}
        tree = parse_fields(request.query_params.get("fields", "*"))
        return answer(self.server.renderer(request).show(resource, body, tree))

    def items(self, request: Request) -> Response:
        """`GET /api/dimensions/{uid}/items`."""
        query, uid = request.query_params, request.path_params["uid"]
        plural = self._plural(uid)
        _, prop, item_plural, _ = GROUP_SETS[plural]
        resource, renderer = self.store.resources[item_plural], self.server.renderer(request)
        tree = parse_fields(query.get("fields", "id,displayName"))
        members = set(references(self.store.get(plural, uid) or {}, prop))
        rows = [
            renderer.show(resource, body, tree)
            for body in matching(self.store, resource, query, renderer)
            if body["id"] in members
        ]
        return answer(_paged(query, "items", rows, f"{base_of(request)}/api/dimensions/{uid}/items", total_first=True))

    def constraints(self, request: Request) -> Response:
        """`GET /api/dimensions/constraints`: none, since the sandbox limits nobody by category or group."""
        return answer({"dimensions": []})

    def of_data_set(self, request: Request) -> Response:
        """`GET /api/dimensions/dataSet/{uid}`: the categories of a data set's category combo."""
        body = self.store.get("dataSets", request.path_params["uid"])
        if body is None:
            raise Refused(409, f"Data set does not exist: {request.path_params['uid']}")
        combo = self.store.get("categoryCombos", reference(body, "categoryCombo") or "") or {}
        resource, renderer = self.store.resources["categories"], self.server.renderer(request)
        tree = parse_fields(request.query_params.get("fields", "id,displayName"))
        found = [self.store.get("categories", uid) for uid in references(combo, "categories")]
        rows: list[JsonValue] = [renderer.show(resource, each, tree) for each in found if each]
        return answer({"dimensions": rows})

    def _plural(self, uid: str) -> str:
        """The type of a dimension. Raises `Refused`."""
        for plural in _ORDER:
            if self.store.get(plural, uid) is not None:
                return plural
        raise not_found("Dimension", uid)

    # Data items ----------------------------------------------------------------------------------------------------

    def data_items(self, request: Request) -> Response:
        """`GET /api/dataItems`."""
        query = request.query_params
        rows = list(_data_items(Model(self.store)))
        junction = any if (query.get("rootJunction") or "").upper() == "OR" else all
        conditions = [_condition(text) for text in query.getlist("filter")]
        if conditions:
            rows = [row for row in rows if junction(_meets(row, *condition) for condition in conditions)]
        name, _, direction = (query.get("order") or "displayName:asc").partition(":")
        rows.sort(key=lambda row: str(row.get(name) or "").lower(), reverse=direction == "desc")
        if query.get("fields"):
            tree = parse_fields(query["fields"])
            if tree.children and not tree.presets:
                rows = [{name: row[name] for name in tree.children if name in row} for row in rows]
        return answer(_paged(query, "dataItems", rows, f"{base_of(request)}/api/api/dataItems", total_first=False))


def _data_items(model: Model) -> Iterator[JsonObject]:
    """Everything that `dx` can name."""
    for kind, plural in (
        (ItemKind.INDICATOR, "indicators"),
        (ItemKind.DATA_ELEMENT, "dataElements"),
        (ItemKind.REPORTING_RATE, "dataSets"),
        (ItemKind.PROGRAM_INDICATOR, "programIndicators"),
    ):
        for uid, body in model.store.objects(plural).items():
            if kind is ItemKind.DATA_ELEMENT and body.get("domainType") != "AGGREGATE":
                continue
            typed = kind is ItemKind.DATA_ELEMENT
            yield _item(body, uid, kind, str(body.get("valueType")) if typed else None, reference(body, "program"))
    for program, body in model.store.objects("programs").items():
        yield from _program_items(model, program, body)


def _program_items(model: Model, program: str, body: JsonObject) -> Iterator[JsonObject]:
    elements = dict.fromkeys(
        element
        for stage in references(body, "programStages")
        for row in cast("list[JsonObject]", model.body("programStages", stage).get("programStageDataElements") or [])
        if (element := reference(row, "dataElement"))
    )
    attributes = [
        reference(row, "trackedEntityAttribute")
        for row in cast("list[JsonObject]", body.get("programTrackedEntityAttributes") or [])
    ]
    members: Iterable[tuple[ItemKind, str, str | None]] = [
        *((ItemKind.PROGRAM_DATA_ELEMENT, "dataElements", uid) for uid in elements),
        *((ItemKind.PROGRAM_ATTRIBUTE, "trackedEntityAttributes", uid) for uid in attributes),
    ]
    for kind, plural, uid in members:
        part = model.body(plural, uid or "")
        if not part:
            continue
        joined: JsonObject = {
            name: f"{body.get(name) or body.get('name')} {part.get(name) or part.get('name')}"
            for name in ("name", "shortName")
        }
        if part.get("code"):
            joined["code"] = part["code"]
        yield _item(joined, f"{program}.{uid}", kind, str(part.get("valueType")), program)


def _item(body: JsonObject, uid: str, kind: ItemKind, value_type: str | None, program: str | None) -> JsonObject:
    found: JsonObject = {"code": body["code"]} if body.get("code") else {}
    if value_type:
        found["simplifiedValueType"] = _simple(value_type)
    found |= {
        "displayName": body.get("name"), "displayShortName": body.get("shortName") or body.get("name"),
    }  # fmt: skip
    if value_type:
        found["valueType"] = value_type
    found |= {"name": body.get("name"), "id": uid, "shortName": body.get("shortName") or body.get("name")}
    if program:
        found["programId"] = program
    return found | {"dimensionItemType": kind.value}


def _simple(value_type: str) -> str:
    if value_type in NUMERIC_TYPES:
        return "NUMBER"
    if value_type in BOOLEAN_TYPES:
        return "BOOLEAN"
    return value_type if value_type in {"DATE", "FILE_RESOURCE", "COORDINATE"} else "TEXT"


def _condition(text: str) -> tuple[str, str, str]:
    """A filter's path, operator and value. Raises `Refused`."""
    found = _FILTER.fullmatch(text)
    if not found:
        raise Refused(409, f"Unable to parse filter `{text}`", "E2014")
    return found[1], found[2], found[3]


def _meets(row: JsonObject, path: str, operator: str, wanted: str) -> bool:
    value = str(row.get(path) or "")
    match operator:
        case "eq":
            return value == wanted
        case "!eq":
            return value != wanted
        case "in":
            return value in wanted.strip("[]").split(",")
        case "like":
            return wanted in value
        case _:
            return wanted.lower() in value.lower()


def _paged(query: QueryParams, key: str, rows: Sequence[JsonObject], address: str, *, total_first: bool) -> JsonObject:
    """Rows with a pager whose addresses repeat the query."""
    if not params.boolean(query, "paging", True):
        return {key: cast("list[JsonValue]", list(rows))}
    page, size = max(1, params.integer(query, "page", 1)), max(1, params.integer(query, "pageSize", 50))
    count = -(-len(rows) // size)
    pager: JsonObject = {"page": page, "total": len(rows), "pageSize": size} if total_first else {
        "page": page, "pageCount": count, "total": len(rows), "pageSize": size}  # fmt: skip
    rest = "".join(
        f"&{name}={quote(text, safe='')}" for name, text in query.multi_items() if name not in {"page", "pageSize"}
    )
    sized = f"&pageSize={size}" if size != 50 else ""
    if page < count:
        pager["nextPage"] = f"{address}?page={page + 1}{sized}{rest}"
    if page > 1:
        pager["prevPage"] = f"{address}?page={page - 1}{sized}{rest}"
    pager["pageCount"] = count
    return {"pager": pager, key: cast("list[JsonValue]", list(rows[(page - 1) * size : page * size]))}


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/dimensions", api.dimensions),
        Route("/api/dimensions.json", api.dimensions),
        Route("/api/dimensions/constraints", api.constraints),
        Route("/api/dimensions/dataSet/{uid:uid}", api.of_data_set),
        Route("/api/dimensions/{uid:uid}", api.dimension),
        Route("/api/dimensions/{uid:uid}/items", api.items),
        Route("/api/dataItems", api.data_items),
    ]
