"""Maps go to a server by their own address, their layers said as axes: up to 2.42 it takes them no other way.

A layer that is sent as it was read (with `dataDimensionItems`, or its UID) is 409 `TransientPropertyValueException` there;
`POST /api/maps` and `PUT /api/maps/{id}` with columns, rows and filters work (recorded). The layers get new UIDs.

API source: `POST /api/maps`, `PUT /api/maps/{id}`, `PUT /api/maps/{id}/translations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.periods import RelativePeriod
from dhis2sh.dhis2.properties import AXES, SET_BY_SERVER
from dhis2sh.errors import NetworkError, Refused, ServerFault

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

MAPS, VIEWS, TRANSLATIONS = "maps", "mapViews", "translations"
PERSISTED = frozenset({
    "id", "dataDimensionItems", "organisationUnits", "organisationUnitLevels", "itemOrganisationUnitGroups",
    "userOrganisationUnit", "userOrganisationUnitChildren", "userOrganisationUnitGrandChildren", "periods", "rawPeriods",
    "persistedPeriods", "relativePeriods", "columnDimensions", "rowDimensions", "filterDimensions",
})  # fmt: skip
"""In what a server keeps what the axes say."""
WORKED_OUT = frozenset({"parentGraphMap", "metaData", "favorite", "subscribed", "interpretations", "displayName",
                        "displayFormName", "displayShortName"})  # fmt: skip
NOT_KEPT = frozenset({"labels"})
"""What files of 2.36 say of a layer and no server gives any more."""
USER_UNITS = {
    "userOrganisationUnit": "USER_ORGUNIT", "userOrganisationUnitChildren": "USER_ORGUNIT_CHILDREN",
    "userOrganisationUnitGrandChildren": "USER_ORGUNIT_GRANDCHILDREN",
}  # fmt: skip
ELSE_ON = {"dx": "columns", "ou": "rows", "pe": "filters"}
"""Where a dimension stands of which nothing is said; every other one filters."""


async def by_address(s: Session, plural: str, *, alone: bool = False) -> bool:
    """Must objects of a type go by their own address, with their layers as axes?

    Parameters:
        alone: it is new and goes by its address anyhow, which reads axes on every version.
    """
    return plural == MAPS and (alone or not (await s.client.version()).has("maps_by_import"))


async def send(s: Session, before: JsonObject | None, after: JsonObject) -> JsonValue:
    """Create a map, or make it what it shall be; returns the server's answer. Raises what a request raises, and as `wire`."""
    if before is None:
        return await s.client.post(MAPS, wire(after))
    return await s.client.put(f"{MAPS}/{after['id']}", wire(after))


async def translate(s: Session, before: JsonObject | None, after: JsonObject) -> Refused | None:
    """Give a map that was sent its translations, which `POST` drops; returns what the server said against them."""
    wanted = after.get(TRANSLATIONS) or []
    if wanted == ((before or {}).get(TRANSLATIONS) or []):
        return None
    try:
        await s.client.put(f"{MAPS}/{after['id']}/{TRANSLATIONS}", {TRANSLATIONS: wanted})
    except (ServerFault, NetworkError):
        raise
    except Refused as error:
        error.message = f"it is written, its translations are not: {error.message}"
        return error
    return None


def wire(body: JsonObject) -> JsonObject:
    """A map as such a server takes it. Raises `Refused` for a layer that cannot be said as axes."""
    views: list[JsonValue] = [_layer(view) if "id" in view else view for view in _objects(body.get(VIEWS))]
    return {**{name: value for name, value in body.items() if name not in SET_BY_SERVER}, VIEWS: views}


def comparable(views: JsonValue) -> JsonValue:
    """The layers of a map by what they show: in what a server keeps that, and under which UIDs, is no difference."""
    try:
        return [*map(_layer, _objects(views))]
    except Refused:
        return views


def compared(views: JsonValue) -> JsonValue:
    """The same with what each axis shows by UID, under names that do not pass for what a server works out."""
    layers = comparable(views)
    return [{**layer, "shown": _shown(layer)} for layer in _objects(layers)] if isinstance(layers, list) else layers


def _shown(layer: JsonObject) -> JsonObject:
    found: JsonObject = {}
    for axis in ELSE_ON.values():
        for dimension in _objects(layer.get(axis)):
            items = [str(item.get("id")) for item in _objects(dimension.get("items"))]
            if items or dimension.get("filter"):
                found[f"{axis} {dimension.get('dimension')}"] = [*items, dimension.get("filter")]
    return found


def _layer(view: JsonObject) -> JsonObject:
    """A layer as axes: a list of layers gives some of them with items and some without, which come from what a server keeps."""
    items = _items(view)
    axes: dict[str, list[JsonValue]] = {axis: [] for axis in ("columns", "rows", "filters")}
    said = {
        name: axis for axis in axes for name in cast("list[str]", view.get(f"{axis.removesuffix('s')}Dimensions") or [])
    }
    for dimension, rest in items.items():
        axes[said.get(dimension) or ELSE_ON.get(dimension, "filters")].append({"dimension": dimension, **rest})
    given = {axis: value for axis in axes if _has_items(value := view.get(axis))}
    told = {
        str(dimension.get("dimension") or dimension.get("id"))
        for value in given.values()
        for dimension in _objects(value)
    }
    kept = {
        axis: [item for item in items if cast("JsonObject", item)["dimension"] not in told]
        for axis, items in axes.items()
    }
    dimensions = {name for name in view if name.endswith("Dimensions")}
    left_out = PERSISTED | WORKED_OUT | NOT_KEPT | SET_BY_SERVER | AXES | dimensions
    return {**{name: value for name, value in view.items() if name not in left_out}, **kept, **given}


def _has_items(axis: JsonValue) -> bool:
    return any(dimension.get("items") or dimension.get("filter") for dimension in _objects(axis))


def _items(view: JsonObject) -> dict[str, JsonObject]:
    """Every dimension of a layer with its items, out of what a server keeps."""
    found: dict[str, JsonObject] = {}
    for dimension, items in (("dx", _data(view)), ("ou", _units(view)), ("pe", _periods(view))):
        if items:
            found[dimension] = {"items": [*items]}
    for name, rows in view.items():
        if name.endswith("Dimensions") and name not in PERSISTED:
            for row in _objects(rows):
                found |= dict([_more(name, row)])
    return found


def _data(view: JsonObject) -> list[JsonObject]:
    found: list[JsonObject] = []
    for item in _objects(view.get("dataDimensionItems")):
        held = next((value for value in item.values() if isinstance(value, dict)), None) or cast("JsonObject", {})
        uid = held.get("id") or held.get("dimensionItem")
        if not isinstance(uid, str):
            raise _unsayable(view, "dataDimensionItems")
        found.append({"id": uid, "dimensionItemType": item.get("dataDimensionItemType")})
    return found


def _units(view: JsonObject) -> list[JsonObject]:
    levels = cast("list[JsonValue]", view.get("organisationUnitLevels") or [])
    names = [
        *(str(unit["id"]) for unit in _objects(view.get("organisationUnits"))),
        *(name for flag, name in USER_UNITS.items() if view.get(flag) is True),
        *(f"LEVEL-{level}" for level in levels),
        *(f"OU_GROUP-{group['id']}" for group in _objects(view.get("itemOrganisationUnitGroups"))),
    ]
    return [{"id": name} for name in names]


def _periods(view: JsonObject) -> list[JsonObject]:
    listed = [
        item
        for name in ("periods", "rawPeriods", "persistedPeriods")
        for item in cast("list[JsonValue]", view.get(name) or [])
    ]
    names = [str(item.get("id") if isinstance(item, dict) else item) for item in listed]
    chosen = cast("JsonObject", view.get("relativePeriods") or {})
    names += [period.name for period in RelativePeriod if chosen.get(period.field) is True]
    return [{"id": name} for name in dict.fromkeys(names)]


def _more(name: str, row: JsonObject) -> tuple[str, JsonObject]:
    """A dimension of a category, a group set, or of what events hold."""
    held = next((value for value in row.values() if isinstance(value, dict) and "id" in value), None)
    if held is None:
        raise _unsayable(row, name)
    items = next((value for value in row.values() if isinstance(value, list)), None)
    chosen: JsonObject = {"items": [{"id": item["id"]} for item in _objects(items)]} if items else {}
    return str(held["id"]), chosen | ({"filter": row["filter"]} if row.get("filter") else {})


def _unsayable(view: Mapping[str, JsonValue], name: str) -> Refused:
    layer = view.get("name") or view.get("layer") or "a layer"
    return Refused(
        f"the map's {layer}: {name} hold what cannot be sent to this version of DHIS2",
        hint="change the map in the server's own app",
    )


def _objects(value: JsonValue) -> Sequence[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
