"""From the rows of an aggregate query to its grid: headers, metadata, other identifiers, a table layout, raw data."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.analytics.aggregate import SORT_ORDERS, items_by_number
from dhis2sh.sandbox.analytics.engine import Engine, Row
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.grid import Grid, Header, moment, name_path, number, renamed
from dhis2sh.sandbox.analytics.items import DataItem, ItemKind, item_details, item_name
from dhis2sh.sandbox.data.model import Model, identifier_of, read_period
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.java import numbers
from dhis2sh.sandbox.refused import Refused, not_imitated

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.analytics.query import Dimension, Query
    from dhis2sh.types import JsonObject, JsonValue

MAX_ROWS = 100_000
_PLURALS = {
    "ou": "organisationUnits", "co": "categoryOptionCombos", "ao": "categoryOptionCombos",
    "category": "categoryOptions", "unit_groups": "organisationUnitGroups", "element_groups": "dataElementGroups",
    "option_groups": "categoryOptionGroups",
}  # fmt: skip


def aggregate_grid(engine: Engine, query: QueryParams) -> Grid:
    """The grid of an aggregate query. Raises `Refused` with E7128."""
    found = engine.query
    skip_data = params.boolean(query, "skipData")
    num_den = params.boolean(query, "includeNumDen")
    grid = Grid([], [])
    if not skip_data:
        rows = engine.rows()
        if len(rows) > MAX_ROWS and not params.boolean(query, "ignoreLimit"):
            raise refusal("E7128", MAX_ROWS)
        if query.get("order"):
            up = params.choice(query, "order", "ASC", SORT_ORDERS) == "ASC"
            rows.sort(key=lambda row: row.value, reverse=not up)
        grid.headers = [Header(axis.name, axis.label) for axis in found.axes] + [number("value", "Value")]
        grid.rows = [[*row.items, row.text] for row in rows]
        if num_den:
            grid.headers += [number(name, name.capitalize()) for name in _FRACTION]
            for cells, row in zip(grid.rows, rows, strict=True):
                cells.extend(_fraction(row))
    if not params.boolean(query, "skipMeta"):
        grid.meta = metadata(found, query)
        _rename(grid, found, query)  # the server does it with the metadata, so not without
    if params.boolean(query, "tableLayout"):
        if params.boolean(query, "showHierarchy"):
            raise not_imitated("a table with the hierarchy of its org units")
        return _laid_out(grid, found, query)
    return grid


_FRACTION = ("numerator", "denominator", "factor", "multiplier", "divisor")


def _fraction(row: Row) -> list[str]:
    part = row.fraction
    if part is None:
        return [""] * len(_FRACTION)
    doubles = (part.numerator, part.denominator, part.factor)
    return [
        *(numbers.java_double(numbers.rounded(value)) for value in doubles),
        str(part.multiplier),
        str(part.divisor),
    ]


# Metadata ------------------------------------------------------------------------------------------------------------


def metadata(found: Query, query: QueryParams) -> JsonObject:
    """The metadata block: what every identifier means, and the items of each dimension."""
    model, details = found.model, params.boolean(query, "includeMetadataDetails")
    items: JsonObject = dict(found.items)
    for item in found.data:
        items[item.id] = {"name": item_name(model, item, found.prop)} | (item_details(model, item) if details else {})
    elements = found.elements(operands=False)
    combos = list(dict.fromkeys(combo for uid in elements for combo in model.option_combos(uid)))
    for uid in combos:
        named = _named(model, "categoryOptionCombos", uid, found.prop)
        items[uid] = named | (_combo_details(model, uid) if details else {})
    for dimension in found.dimensions:
        plural = _PLURALS.get(dimension.kind)
        for uid in dimension.items if plural else []:
            known = cast("JsonObject", items.get(uid) or _named(model, plural or "", uid, found.prop))
            items[uid] = known | (_details(model, dimension, plural or "", uid) if details else {})
    if details:
        for period in found.periods:
            items[period.iso] = cast("JsonObject", items[period.iso]) | {
                "uid": period.iso, "code": period.iso, "dimensionItemType": "PERIOD", "valueType": "TEXT",
                "totalAggregationType": "SUM", "startDate": f"{period.start}T00:00:00.000",
                "endDate": f"{period.end}T00:00:00.000",
            }  # fmt: skip
        for dimension in (each for each in found.dimensions if each.label):
            items[dimension.name] = {
                "uid": dimension.name, "name": dimension.label, "dimensionType": _TYPES[dimension.kind],
            }  # fmt: skip
    dimensions: JsonObject = {d.name: cast("list[JsonValue]", list(d.items)) for d in found.dimensions}
    dimensions.setdefault("pe", [])
    dimensions.setdefault("co", cast("list[JsonValue]", combos))
    meta: JsonObject = {"items": items, "dimensions": dimensions}
    return _hierarchy(found, query) | meta


_TYPES = {
    "dx": "DATA_X", "pe": "PERIOD", "ou": "ORGANISATION_UNIT", "co": "CATEGORY_OPTION_COMBO",
    "ao": "ATTRIBUTE_OPTION_COMBO", "category": "CATEGORY", "unit_groups": "ORGANISATION_UNIT_GROUP_SET",
    "element_groups": "DATA_ELEMENT_GROUP_SET", "option_groups": "CATEGORY_OPTION_GROUP_SET",
}  # fmt: skip


def _named(model: Model, plural: str, uid: str, prop: str) -> JsonObject:
    body = model.body(plural, uid)
    return {"name": body.get(prop) or body.get("name") or uid}


def _combo_details(model: Model, uid: str) -> JsonObject:
    code = model.body("categoryOptionCombos", uid).get("code")
    return {"uid": uid, **({"code": code} if code else {}), "valueType": "NUMBER", "totalAggregationType": "SUM"}


def _details(model: Model, dimension: Dimension, plural: str, uid: str) -> JsonObject:
    body = model.body(plural, uid)
    item_type = {"ou": "ORGANISATION_UNIT", "category": "CATEGORY_OPTION", "unit_groups": "ORGANISATION_UNIT_GROUP",
                 "element_groups": "DATA_ELEMENT_GROUP", "option_groups": "CATEGORY_OPTION_GROUP"}  # fmt: skip
    found: JsonObject = {"uid": uid}
    if body.get("code"):
        found["code"] = body["code"]
    if dimension.kind in item_type:
        found["dimensionItemType"] = item_type[dimension.kind]
    return found | {"valueType": "TEXT" if dimension.kind == "ou" else "NUMBER", "totalAggregationType": "SUM"}


def _hierarchy(found: Query, query: QueryParams) -> JsonObject:
    """`ouHierarchy` and `ouNameHierarchy`: what lies above each org unit, up to the user's own roots."""
    units = found.find("ou")
    items = units.items if units is not None else []
    meta: JsonObject = {}
    if params.boolean(query, "hierarchyMeta"):
        paths = {uid: found.model.path(uid)[:-1] for uid in items}
        meta["ouHierarchy"] = {uid: "/".join(path) for uid, path in paths.items()}
    if params.boolean(query, "showHierarchy"):
        meta["ouNameHierarchy"] = {uid: name_path(found.model, uid) for uid in items}
    return meta


# Identifiers ---------------------------------------------------------------------------------------------------------


def _rename(grid: Grid, found: Query, query: QueryParams) -> None:
    """Identifiers as `outputIdScheme` and its like ask for them, in rows only."""
    general = query.get("outputIdScheme")
    data = query.get("outputDataItemIdScheme") or general
    element = query.get("outputDataElementIdScheme") or data
    unit = query.get("outputOrgUnitIdScheme") or general
    words: dict[str, dict[str, str]] = {}
    if not (element or data or unit):
        return
    for axis in found.axes:
        if axis.kind == "dx":
            words["dx"] = {item.id: _item_word(found, item, element if item.plural == "dataElements" else data)
                           for item in found.data}  # fmt: skip
        elif axis.kind == "pe":
            if (general or "").upper() == "NAME":
                words["pe"] = {uid: str(found.items[uid]["name"]) for uid in axis.items}
        else:
            scheme = unit if axis.kind == "ou" else general
            plural = _PLURALS[axis.kind]
            words[axis.name] = {uid: _word(found.model, plural, uid, scheme) for uid in axis.items}
    renamed(grid, words)


def _word(model: Model, plural: str, uid: str, scheme: str | None) -> str:
    if not scheme or scheme.upper() in {"UID", "ID"}:
        return uid
    wanted = scheme if scheme.startswith("ATTRIBUTE:") else scheme.upper()
    return identifier_of(model.body(plural, uid), wanted) or uid


def _item_word(found: Query, item: DataItem, scheme: str | None) -> str:
    if scheme and scheme.upper() == "NAME":
        return item_name(found.model, item, "name")
    own = _word(found.model, item.plural, item.uid, scheme)
    return own if item.id == item.uid else item.id.replace(item.uid, own)


# Table layout --------------------------------------------------------------------------------------------------------


def _laid_out(grid: Grid, found: Query, query: QueryParams) -> Grid:
    """The grid as a table: the items of `rows` down, those of `columns` across. Raises `Refused`."""
    across, down = _side(found, query, "columns", "E7126"), _side(found, query, "rows", "E7127")
    width = len(found.axes)
    values = {frozenset(row[:width]): row[width] for row in grid.rows}
    headers = [header for dimension in down for header in _side_headers(dimension)]
    tops = list(itertools.product(*(dimension.items for dimension in across)))
    words = _words(found)
    for top in tops:
        title = " ".join(words.get(uid, uid) for uid in top) or "Value"
        headers.append(number(title.lower(), title))
    table: list[list[str]] = []
    for side in itertools.product(*(dimension.items for dimension in down)):
        cells = [
            text for dimension, uid in zip(down, side, strict=True) for text in _identity(found, dimension, uid, words)
        ]
        cells += [values.get(frozenset({*side, *top}), "") for top in tops]
        table.append(cells)
    return Grid(headers, table, grid.meta)


def _side(found: Query, query: QueryParams, parameter: str, code: str) -> list[Dimension]:
    """The dimensions that a parameter names. Raises `Refused` for one that the query does not have."""
    dimensions: list[Dimension] = []
    for name in (part for part in (query.get(parameter) or "").split(";") if part):
        dimension = found.find(name)
        if dimension is None:
            raise refusal(code, name)
        dimensions.append(dimension)
    return dimensions


def _side_headers(dimension: Dimension) -> list[Header]:
    """The columns that name an item of a dimension at the side of the table."""
    word = dimension.label.lower().replace(" ", "")
    return [
        Header(f"{dimension.label} ID", f"{word}id", hidden=True),
        Header(dimension.label, f"{word}name"),
        Header(f"{dimension.label} code", f"{word}code", hidden=True),
        Header(f"{dimension.label} description", f"{word}description", hidden=True),
    ]


def _words(found: Query) -> dict[str, str]:
    words = {uid: str(item["name"]) for uid, item in found.items.items() if "name" in item}
    return words | {item.id: item_name(found.model, item, found.prop) for item in found.data}


def _identity(found: Query, dimension: Dimension, uid: str, words: Mapping[str, str]) -> list[str]:
    plural = _PLURALS.get(dimension.kind)
    if dimension.kind == "dx":
        plural = next((item.plural for item in found.data if item.id == uid), "dataElements")
    body = found.model.body(plural, uid) if plural else {}
    return [uid, words.get(uid, uid), str(body.get("code") or ""), str(body.get("description") or "")]


# Raw data ------------------------------------------------------------------------------------------------------------


def raw_grid(engine: Engine, query: QueryParams) -> Grid:
    """`rawData`: the values themselves, one row each, with the dates of their periods."""
    found = engine.query
    others = [d for d in found.axes if d.kind not in {"dx", "pe", "ou"}]
    before = [d for d in others if d.kind in {"co", "ao"}]
    after = [d for d in others if d.kind not in {"co", "ao"}]
    grid = Grid(
        [Header("dx", "Data"), *(Header(d.name, d.label) for d in before), Header("ou", "Organisation unit"),
         *(Header(d.name, d.label) for d in after),
         Header("pe", None), moment("pestartdate", "Period start date", meta=False),
         moment("peenddate", "Period end date", meta=False), number("value", "Value")],
        [],
    )  # fmt: skip
    dimension = found.find("ou")
    units = engine.tables.within(dimension.items if dimension is not None else [])
    grid.rows = list(_raw_rows(engine, found.elements(), [(a, b) for a, b, _ in units.spans], before, after))
    scheme = query.get("outputOrgUnitIdScheme") or query.get("outputIdScheme")
    at = len(before) + 1
    for row in grid.rows if scheme else ():  # only org units heed it here
        row[at] = _word(found.model, "organisationUnits", row[at], scheme)
    if not params.boolean(query, "skipMeta"):
        meta = metadata(found, query)
        kept = {"pe": cast("JsonValue", [])}
        dimensions = cast("JsonObject", meta["dimensions"]) | kept
        periods = {period.iso for period in found.periods}
        items = {key: item for key, item in cast("JsonObject", meta["items"]).items() if key not in periods}
        raw: JsonObject = {"items": items | {"pe": {}}, "dimensions": dimensions}
        grid.meta = meta | raw
    return grid


def _raw_rows(
    engine: Engine, elements: Sequence[str], spans: Sequence[tuple[int, int]], before: Sequence[Dimension],
    after: Sequence[Dimension],
) -> list[list[str]]:  # fmt: skip
    tables = engine.tables
    names = {kind: {number: uid for uid, number in tables.numbers(kind).items()} for kind in ("dx", "pe", "co")}
    units = dict(tables.connection.execute("SELECT number, uid FROM analytics_org_unit"))
    members = [member[0] for window in engine.windows() for member in window.members]
    places = {dimension.name: items_by_number(engine.axes[engine.rest.index(dimension)]) for dimension in engine.rest}
    columns = {d.name: axis.column for d, axis in zip(engine.rest, engine.axes, strict=True)}
    found: list[list[str]] = []
    for uid in elements:
        for period in members:
            iso = names["pe"][period]
            span = read_period(iso)
            for first, last in spans or [(0, 1 << 60)]:
                rows = tables.connection.execute(
                    "SELECT dx, ou, pe, co, ao, coalesce(number, text) FROM analytics_value "
                    "WHERE dx = ? AND pe = ? AND ou BETWEEN ? AND ?",
                    (tables.numbers("dx").get(uid), period, first, last),
                )
                for row in rows:
                    numbered = {"dx": row[0], "ou": row[1], "co": row[3], "ao": row[4]}
                    value = numbers.java_double(row[5]) if isinstance(row[5], float) else str(row[5])

                    def item(d: Dimension, numbered: Mapping[str, int] = numbered) -> str:
                        return next(iter(places[d.name].get(numbered[columns[d.name]], ())), "")

                    found.append([names["dx"][row[0]], *map(item, before), units[row[1]], *map(item, after), iso,
                                  str(span.start) if span else "", str(span.end) if span else "", value])  # fmt: skip
    return found


def value_set(engine: Engine, query: QueryParams) -> list[JsonObject]:
    """`dataValueSet`: the totals as data values. Raises `Refused`."""
    found = engine.query
    for name, words in (("dx", "Data"), ("pe", "Period"), ("ou", "Org unit")):
        dimension = found.find(name)
        if dimension is None or dimension.filter:
            raise Refused(400, f"{words} header does not exist")
    today = dt.datetime.now(dt.UTC).date().isoformat()
    places = {axis.name: at for at, axis in enumerate(found.axes)}
    rows = engine.rows()
    grid = Grid([Header(axis.name, axis.label) for axis in found.axes], [list(row.items) for row in rows])
    operands = {item.id: item for item in found.data if item.kind is ItemKind.OPERAND}
    named = [operands.get(row[places["dx"]]) for row in grid.rows]
    _rename(grid, found, query)
    values: list[JsonObject] = []
    for row, (_, _, text, _), operand in zip(grid.rows, rows, named, strict=True):
        element, *combos = row[places["dx"]].split(".")
        combo = combos[0] if combos else (row[places["co"]] if "co" in places else None)
        attribute = combos[1] if len(combos) > 1 else (row[places["ao"]] if "ao" in places else None)
        # An operand of all option combos has no element of its own for the server.
        item: JsonObject = {
            "dataElement": "null" if operand is not None and operand.combo is None else element,
            "period": row[places["pe"]], "orgUnit": row[places["ou"]],
        }  # fmt: skip
        if combo:
            item["categoryOptionCombo"] = combo
        if attribute:
            item["attributeOptionCombo"] = attribute
        item |= {"value": text, "created": today, "lastUpdated": today, "comment": "[aggregated]", "followup": False}
        values.append(item)
    return values
