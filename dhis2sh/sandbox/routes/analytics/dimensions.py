"""`/api/dimensions` and `/api/dataItems`: what analytics can be asked by, and for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.analytics.items import ItemKind, find_items
from dhis2sh.sandbox.analytics.query import GROUP_SETS
from dhis2sh.sandbox.data.model import Model, reference, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer, base_of
from dhis2sh.sandbox.http.routing import Route
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
_FILTERED = frozenset(["id", "name", "displayName", "shortName", "displayShortName", "dimensionItemType", "valueType",
                       "programId", "identifiable", "query"])  # fmt: skip
"""What data items may be filtered by."""
_OPERATORS = ("eq", "in", "ilike")
_OWN_NAME = "ownName"
"""Where an item of a program keeps its name without the program's; not shown."""


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
        renderer = self.server.renderer(request)
        tree = parse_fields(request.query_params.get("fields", "*"))
        shown = renderer.show(resource, body, tree)
        inner = tree.children.get("items")
        if inner is not None and inner.children:  # items are of several types, so no schema says of which
            _, prop, item_plural, _ = GROUP_SETS[plural]
            members = ((uid, self.store.get(item_plural, uid)) for uid in references(body, prop))
            shown["items"] = [
                renderer.show(self.store.resources[item_plural], member, inner) for _, member in members if member
            ]
        return answer(shown)

    def items(self, request: Request) -> Response:
        """`GET /api/dimensions/{uid}/items`."""
        query, uid = request.query_params, request.path_params["uid"]
        if not any(self.store.get(plural, uid) is not None for plural in _ORDER):
            return self._item_page(request, [])
        if "filter" in query and self.store.version.minor > 42:
            raise Refused(400, "java.lang.ClassCastException@0")  # of every filter (recorded of one)
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
        return self._item_page(request, rows)

    def _item_page(self, request: Request, rows: Sequence[JsonObject]) -> Response:
        """Items as a page; up to 2.41 all of them without a pager."""
        if self.store.version.minor <= 41:
            return answer({"items": cast("list[JsonValue]", list(rows))})
        address = f"{base_of(request)}/api/dimensions/{request.path_params['uid']}/items"
        return answer(_paged(request.query_params, "items", rows, address, total_first=True))

    def constraints(self, request: Request) -> Response:
        """`GET /api/dimensions/constraints`: what access to data can be limited by, whatever is filtered by."""
        of_attributes = [
            (plural, body)
            for plural in ("categoryOptionGroupSets", "categories")
            for body in self.store.objects(plural).values()
            if body.get("dataDimension") and body.get("dataDimensionType") == "ATTRIBUTE"
        ]
        return self._shown(request, of_attributes)

    def recommended(self, request: Request) -> Response:
        """`GET /api/dimensions/recommendations`: the categories of data elements and their data sets, and all group sets
        of org units, by name."""
        model = Model(self.store)
        texts = [
            part
            for text in request.query_params.getlist("dimension") if text.startswith("dx:")
            for part in text[3:].split(";")
        ]  # fmt: skip
        elements = [item.uid for text in texts for item in find_items(model, text) if item.plural == "dataElements"]
        combos = [combo for uid in elements for combo in sorted(model.category_combos(uid))]
        combos += [
            reference(model.body("dataSets", data_set), "categoryCombo") or ""
            for uid in elements for data_set in model.data_sets_of.get(uid, [])
        ]  # fmt: skip
        categories = dict.fromkeys(
            uid for combo in combos for uid in references(model.body("categoryCombos", combo), "categories")
        )
        found = [("categories", model.body("categories", uid)) for uid in categories]
        found += [
            ("organisationUnitGroupSets", body) for body in model.store.objects("organisationUnitGroupSets").values()
        ]
        found = [(plural, body) for plural, body in found if body.get("dataDimension")]
        return self._shown(request, sorted(found, key=lambda one: str(one[1].get("name"))))

    def _shown(self, request: Request, found: Iterable[tuple[str, JsonObject]]) -> Response:
        """Dimensions of several types, with the fields of the request."""
        renderer, tree = (
            self.server.renderer(request),
            parse_fields(request.query_params.get("fields", "id,displayName")),
        )
        return answer(
            {"dimensions": [renderer.show(self.store.resources[plural], body, tree) for plural, body in found]}
        )

    def of_data_set(self, request: Request) -> Response:
        """`GET /api/dimensions/dataSet/{uid}`: the categories of a data set's category combo."""
        body = self.store.get("dataSets", request.path_params["uid"])
        if body is None:
            raise Refused(409, f"Data set does not exist: {request.path_params['uid']}")
        combo = self.store.get("categoryCombos", reference(body, "categoryCombo") or "") or {}
        resource, renderer = self.store.resources["categories"], self.server.renderer(request)
        tree = parse_fields(request.query_params.get("fields", "*"))
        found = [self.store.get("categories", uid) for uid in references(combo, "categories")]
        rows = [renderer.show(resource, each, tree) for each in found if each]
        if "fields" not in request.query_params:
            rows = [{name: value for name, value in row.items() if name != "href"} for row in rows]
        return answer({"dimensions": cast("list[JsonValue]", rows)})

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
        rows.sort(key=lambda row: _sorting(row, name), reverse=direction == "desc")
        if query.get("fields"):
            tree = parse_fields(query["fields"])
            if tree.children and not tree.presets:
                rows = [{name: row[name] for name in tree.children if name in row} for row in rows]
        rows = [{name: value for name, value in row.items() if name != _OWN_NAME} for row in rows]
        twice = "" if self.store.version.minor <= 41 else "/api"  # a later server's address of the next page is wrong
        return answer(_paged(query, "dataItems", rows, f"{base_of(request)}/api{twice}/dataItems", total_first=False))


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
        found = _item(joined, f"{program}.{uid}", kind, str(part.get("valueType")), program)
        yield {**found, _OWN_NAME: part.get("name")}


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


def _sorting(row: JsonObject, name: str) -> str:
    """What an item is sorted by: of a program's items `name` leaves the program's own aside, `displayName` does not."""
    if name != "name":
        return str(row.get(name) or "")
    return str(row.get(_OWN_NAME) or row.get("name") or "").lower()


def _condition(text: str) -> tuple[str, str, str]:
    """A filter's path, operator and value. Raises `Refused`."""
    path, _, rest = text.partition(":")
    operator, colon, wanted = rest.partition(":")
    if not colon:
        raise Refused(409, f"Unable to parse filter `{text}`", "E2014")
    if path not in _FILTERED:
        raise Refused(409, f"Filter not supported: `{path}`", "E2034")
    if operator not in _OPERATORS:
        raise Refused(409, f"Operator not supported: `{path}:{operator}`", "E2035")
    return path, operator, wanted


def _meets(row: JsonObject, path: str, operator: str, wanted: str) -> bool:
    value = str(row.get(path) or "")
    if operator == "ilike":
        return wanted.lower() in value.lower()
    texts = wanted.strip("[]").split(",") if operator == "in" else [wanted]
    if path == "dimensionItemType":
        texts = [ItemKind.REPORTING_RATE.value if text == "DATA_SET" else text for text in texts]
    return value in texts


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
        Route("/api/dimensions/recommendations", api.recommended),
        Route("/api/dimensions/dataSet/{uid:uid}", api.of_data_set),
        Route("/api/dimensions/{uid:uid}", api.dimension),
        Route("/api/dimensions/{uid:uid}/items", api.items),
        Route("/api/dataItems", api.data_items),
    ]
