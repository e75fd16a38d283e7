"""Legend sets, visualizations, maps and dashboards: made from short options, put together, and told in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, cast

from pydantic import BaseModel

from dhis2sh import writes
from dhis2sh.client.specs import (
    GRID_WIDTH,
    DashboardSlot,
    DataItem,
    DataKind,
    LegendSetSpec,
    MapLayerSpec,
    MapSpec,
    SlotKind,
    VisualizationSpec,
    VisualizationType,
    arranged,
)
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.results import Plan, Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs import Bounds, Complete, Doc, Refers, applies, verb
from dhis2sh.writes import Write

Name = Annotated[str, Doc("What to call it.")]
Data = Annotated[
    list[str], Doc("Data elements, indicators or program indicators: UIDs, codes or unique names; may be repeated."),
    Complete("uids"),
]  # fmt: skip
Periods = Annotated[list[str], Doc("ISO periods (202401) and relative ones (LAST_12_MONTHS); may be repeated.")]
OrgUnits = Annotated[
    list[str], Doc("Units by UID, code or name, LEVEL-2, USER_ORGUNIT; may be repeated."), Complete("uids")
]  # fmt: skip
KINDS: Mapping[str, DataKind] = {
    "dataElements": "DATA_ELEMENT", "indicators": "INDICATOR", "programIndicators": "PROGRAM_INDICATOR",
}  # fmt: skip
SLOTS: Mapping[str, SlotKind] = {
    "visualizations": "VISUALIZATION", "eventVisualizations": "EVENT_VISUALIZATION", "maps": "MAP",
}  # fmt: skip
COLOURS = ("#d7191c", "#fdae61", "#ffffbf", "#a6d96a", "#1a9641")
KEYWORDS = ("LEVEL-", "USER_ORGUNIT", "OU_GROUP-")


async def _items(s: Session, texts: Sequence[str]) -> list[DataItem]:
    """What can be shown, by UID, code or name of three types. Raises `NotFound`."""
    from dhis2sh import names
    from dhis2sh.bundles.walk import Walk
    from dhis2sh.plugins.metadata.usage import version_types

    uids = await names.resolve_all(s, "*", texts)
    kinds = await Walk(s.client, await version_types(s)).types_of(uids.values())
    found: list[DataItem] = []
    for text in texts:
        kind = KINDS.get(kinds.get(uids[text], ""))
        if kind is None:
            raise NotFound(
                f"'{text}' is no data element, indicator or program indicator", hint=f"dhis2 metadata what {text!r}"
            )
        found.append(DataItem(uids[text], kind))
    return found


async def _units(s: Session, texts: Sequence[str]) -> list[str]:
    from dhis2sh import names

    plain = [text for text in texts if not text.startswith(KEYWORDS)]
    uids = await names.resolve_all(s, "organisationUnits", plain)
    return [uids.get(text, text) for text in texts]


def _created(plural: str, body: JsonObject) -> Plan:
    return writes.plan(f"create {plural[:-1]} '{body['name']}'", [Write(plural, None, body)], what=plural)


@verb(
    "metadata legend-sets create",
    effect="write",
    examples=["dhis2 metadata legend-sets create --name Coverage --low 0 --high 100 --dry-run"],
)
async def create_legend_set(
    s: Session,
    *,
    name: Name,
    low: Annotated[float, Doc("The lowest value.")] = 0,
    high: Annotated[float, Doc("The highest value.")] = 100,
    colour: Annotated[list[str], Doc("The colour of each class, #rrggbb; may be repeated.")] = [],
) -> Plan:
    """Create a legend set of equal classes, one for each colour.

    API source: `POST /api/legendSets`.
    """
    spec = LegendSetSpec.equal(name, low, high, colour or COLOURS)
    return _created("legendSets", spec.payload(await s.client.version()))


@verb(
    "metadata visualizations create",
    effect="write",
    examples=[
        "dhis2 metadata viz create --name 'BCG by month' --data 'BCG doses given' --period LAST_12_MONTHS --org-unit LEVEL-1 "
        "--dry-run"
    ],
)
async def create_visualization(
    s: Session,
    *,
    name: Name,
    data: Data,
    period: Periods,
    org_unit: OrgUnits,
    type: Annotated[VisualizationType, Doc("What kind it is.")] = "COLUMN",
    columns: Annotated[list[str], Doc("Dimensions on the columns: dx, pe, ou; by the type without it.")] = [],
    rows: Annotated[list[str], Doc("Dimensions on the rows.")] = [],
    filters: Annotated[list[str], Doc("Dimensions that only filter.")] = [],
    title: Annotated[str | None, Doc("The title that is drawn.")] = None,
) -> Plan:
    """Create a chart or pivot table.

    API source: `POST /api/visualizations`.
    """
    given = bool(columns or rows or filters)
    spec = VisualizationSpec(
        data=await _items(s, data), periods=period, org_units=await _units(s, org_unit), name=name, type=type,
        columns=columns if given else None, rows=rows if given else None, filters=filters if given else None,
        options={"title": title} if title else {},
    )  # fmt: skip
    return _created("visualizations", spec.payload(await s.client.version()))


@verb(
    "metadata maps create",
    effect="write",
    examples=[
        "dhis2 metadata maps create --name 'BCG by district' --data 'BCG doses given' --period 2025 --org-unit LEVEL-2 --dry-run"
    ],
)
async def create_map(
    s: Session,
    *,
    name: Name,
    org_unit: OrgUnits,
    data: Data = [],
    period: Periods = [],
    layer: Annotated[
        Literal["thematic", "boundary", "facility"] | None, Doc("What kind of layer; thematic where there are data.")
    ] = None,
    legend_set: Annotated[str | None, Doc("Colours by this legend set."), Refers("legendSets")] = None,
    classes: Annotated[int, Bounds(1, 9), Doc("How many classes, without a legend set.")] = 5,
) -> Plan:
    """Create a map of one layer: areas coloured by a value, outlines, or facilities.

    API source: `POST /api/maps`.
    """
    kind = layer or ("thematic" if data else "boundary")
    units = await _units(s, org_unit)
    if kind == "thematic":
        if len(data) != 1 or not period:
            raise UsageError("a thematic layer shows one --data over a --period", hint="--data NAME --period 2025")
        [item] = await _items(s, data)
        layers = [MapLayerSpec.thematic(item, periods=period, org_units=units, legend_set=legend_set, classes=classes)]
    else:
        layers = [MapLayerSpec.boundary(units) if kind == "boundary" else MapLayerSpec.facility(units)]
    return _created("maps", MapSpec(name, layers).payload(await s.client.version()))


Contents = Annotated[
    list[str], Doc("Visualizations, event visualizations and maps: UIDs, codes or unique names."), Complete("uids")
]
Dashboard = Annotated[str, Doc("UID, code or unique name of the dashboard."), Refers("dashboards")]


async def _slots(s: Session, texts: Sequence[str]) -> list[DashboardSlot]:
    from dhis2sh import names
    from dhis2sh.bundles.walk import Walk
    from dhis2sh.plugins.metadata.usage import version_types

    uids = await names.resolve_all(s, "*", texts)
    kinds = await Walk(s.client, await version_types(s)).types_of(uids.values())
    found: list[DashboardSlot] = []
    for text in texts:
        kind = SLOTS.get(kinds.get(uids[text], ""))
        if kind is None:
            raise NotFound(
                f"'{text}' cannot stand on a dashboard", hint="visualizations, event visualizations and maps can"
            )
        found.append(DashboardSlot(uids[text], kind))
    return found


@verb(
    "metadata dashboards create",
    effect="write",
    examples=["dhis2 metadata dashboards create 'Immunization: Doses 2025 monthly' --name 'My board' --dry-run"],
)
async def create_dashboard(
    s: Session,
    items: Contents = [],
    *,
    name: Name,
    per_row: Annotated[int, Bounds(1, 6), Doc("How many items stand side by side.")] = 2,
) -> Plan:
    """Create a dashboard with items in rows.

    API source: `POST /api/dashboards`.
    """
    from dhis2sh.uids import generate_uid

    slots = arranged(await _slots(s, items), columns=per_row)
    body: JsonObject = {
        "id": generate_uid(), "name": name, "dashboardItems": cast("JsonValue", [slot.item() for slot in slots]),
    }  # fmt: skip
    return _created("dashboards", body)


@verb(
    "metadata dashboards add-item",
    effect="write",
    examples=["dhis2 metadata dashboards add-item Immunization 'Immunization: Doses 2025 monthly' --dry-run"],
)
async def add_item(
    s: Session,
    dashboard: Dashboard,
    items: Contents,
    *,
    width: Annotated[int, Bounds(1, GRID_WIDTH), Doc("Cells of a grid that is 60 wide.")] = 29,
    height: Annotated[int, Bounds(1, 200), Doc("Cells.")] = 20,
) -> Plan:
    """Put items on a dashboard, below what is there. Only the new items are sent.

    API source: `PATCH /api/dashboards/{uid}`.
    """
    [before] = await writes.read_objects(s, "dashboards", [dashboard])
    there = cast("list[JsonObject]", before.get("dashboardItems") or [])
    top = max((cast("int", item.get("y") or 0) + cast("int", item.get("height") or 0) for item in there), default=0)
    across = max(1, GRID_WIDTH // width)
    slots = [
        DashboardSlot(slot.content, slot.kind, at % across * width, top + at // across * height, width, height)
        for at, slot in enumerate(await _slots(s, items))
    ]
    return _rearranged(before, [*there, *(slot.item() for slot in slots)], f"add {len(slots):,} items to")


@verb(
    "metadata dashboards remove-item",
    effect="destroy",
    examples=["dhis2 metadata dashboards remove-item Immunization 'Immunization: Doses 2025 monthly' --dry-run"],
)
async def remove_item(s: Session, dashboard: Dashboard, items: Contents) -> Plan:
    """Take items off a dashboard, named by themselves or by what they show.

    API source: `PATCH /api/dashboards/{uid}`.
    """
    from dhis2sh import names

    [before] = await writes.read_objects(s, "dashboards", [dashboard])
    there = cast("list[JsonObject]", before.get("dashboardItems") or [])
    own = {str(item["id"]) for item in there}
    uids = {text: text for text in items if text in own}
    uids |= await names.resolve_all(s, "*", [text for text in items if text not in own])
    gone: set[str] = set()
    for text in items:
        shown = [str(item["id"]) for item in there if uids[text] in {str(item["id"]), _content(item)}]
        if not shown:
            raise NotFound(
                f"'{text}' is not on {before['name']}", hint=f"dhis2 metadata dashboards describe {dashboard}"
            )
        gone |= {*shown}
    kept = [item for item in there if str(item["id"]) not in gone]
    return _rearranged(before, kept, f"take {len(gone):,} items off")


def _rearranged(before: JsonObject, items: Sequence[JsonObject], title: str) -> Plan:
    """A plan that changes the items of a dashboard alone; what is sent is a patch of the difference."""
    after: JsonObject = {**before, "dashboardItems": cast("JsonValue", list(items))}
    return writes.plan(f"{title} {before['name']}", [Write("dashboards", before, after)], what="dashboards")


def _content(item: Mapping[str, JsonValue]) -> str:
    """What an item shows."""
    for name in ("visualization", "eventVisualization", "map"):
        held = item.get(name)
        if isinstance(held, dict):
            return str(held.get("id"))
    return str(item.get("text") or item.get("appKey") or item.get("type"))


for _verb in (create_legend_set, create_visualization, create_map, create_dashboard, add_item, remove_item):
    applies(_verb)(writes.apply)


# In words ---------------------------------------------------------------------------------------------------------


class Described(BaseModel):
    """An object in words."""

    id: str
    name: str
    words: list[str]

    def line(self) -> str:
        """The words as text."""
        return "\n".join([f"{self.name} [{self.id}]", *(f"  {word}" for word in self.words)])


class ItemRow(BaseModel):
    """One item of a dashboard."""

    id: str
    shows: str
    name: str
    uid: str
    at: str


@verb(
    "metadata visualizations describe",
    effect="read",
    examples=["dhis2 metadata viz describe 'Immunization: Doses 2025 monthly'"],
)
async def describe_visualization(
    s: Session, uid: Annotated[str, Doc("UID, code or unique name."), Refers("visualizations")]
) -> Described:
    """Tell a visualization in words: its type, and what stands on which axis.

    API source: `GET /api/visualizations/{uid}`.
    """
    fields = "id,name,type,columnDimensions,rowDimensions,filterDimensions,columns[dimension,items[id,name]]," \
             "rows[dimension,items[id,name]],filters[dimension,items[id,name]],dataDimensionItems,periods,organisationUnits[id,name]," \
             "relativePeriods,organisationUnitLevels,userOrganisationUnit,rawPeriods"  # fmt: skip
    body = await s.client.get_object(f"visualizations/{uid}", {"fields": fields})
    words = [
        f"{str(body.get('type')).replace('_', ' ').lower()} chart"
        if body.get("type") != "PIVOT_TABLE"
        else "pivot table"
    ]
    contents = await _contents(s, body)
    for axis, name in (("columns", "columnDimensions"), ("rows", "rowDimensions"), ("filter", "filterDimensions")):
        for dimension in cast("list[str]", body.get(name) or []):
            words.append(f"{axis}: {_DIMENSIONS.get(dimension, dimension)} {contents.get(dimension, '')}".rstrip())
    return Described(id=str(body["id"]), name=str(body["name"]), words=words)


_DIMENSIONS = {"dx": "data", "pe": "periods", "ou": "organisation units"}


async def _contents(s: Session, body: JsonObject) -> dict[str, str]:
    """What each dimension holds, with names."""
    items = cast("list[JsonObject]", body.get("dataDimensionItems") or [])
    uids = [str(held["id"]) for item in items for held in item.values() if isinstance(held, dict) and "id" in held]
    shown: dict[str, str] = {}
    if uids:
        found = await s.client.get_object("metadata", {"filter": f"id:in:[{','.join(uids)}]", "fields": "id,name"})
        rows = [row for value in found.values() if isinstance(value, list) for row in cast("list[JsonObject]", value)]
        known = {str(row["id"]): str(row.get("name")) for row in rows}
        shown["dx"] = _listed([known.get(uid, uid) for uid in uids])
    relative = cast("JsonObject", body.get("relativePeriods") or {})
    periods = [
        str(cast("JsonObject", item).get("id") if isinstance(item, dict) else item)
        for item in cast("list[JsonValue]", body.get("periods") or [])
    ]
    periods += [str(item) for item in cast("list[JsonValue]", body.get("rawPeriods") or [])]
    periods += [name for name, chosen in relative.items() if chosen is True]
    shown["pe"] = _listed(list(dict.fromkeys(periods)))
    units = [
        str(unit.get("name") or unit.get("id"))
        for unit in cast("list[JsonObject]", body.get("organisationUnits") or [])
    ]
    units += [f"level {level}" for level in cast("list[int]", body.get("organisationUnitLevels") or [])]
    units += ["the user's own"] if body.get("userOrganisationUnit") else []
    shown["ou"] = _listed(units)
    return shown


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:5]) + (f" and {len(words) - 5:,} more" if len(words) > 5 else "")


@verb(
    "metadata dashboards describe",
    effect="read",
    examples=["dhis2 metadata dashboards describe 'Immunization data'"],
)
async def describe_dashboard(s: Session, uid: Dashboard) -> Rows[ItemRow]:
    """Tell a dashboard in words: what stands where.

    API source: `GET /api/dashboards/{uid}`.
    """
    fields = "id,name,dashboardItems[id,type,x,y,width,height,text,appKey,visualization[id,name],eventVisualization[id,name],map[id,name]]"
    body = await s.client.get_object(f"dashboards/{uid}", {"fields": fields})
    items = cast("list[JsonObject]", body.get("dashboardItems") or [])
    items.sort(key=lambda item: (cast("int", item.get("y") or 0), cast("int", item.get("x") or 0)))
    rows = [
        ItemRow(
            id=str(item["id"]), shows=str(item.get("type")).replace("_", " ").lower(), name=_name_of(item), uid=_content(item),
            at=f"{item.get('x')},{item.get('y')} {item.get('width')}x{item.get('height')}",
        )
        for item in items
    ]  # fmt: skip
    return Rows(rows, columns=["shows", "name", "at", "uid"])


def _name_of(item: Mapping[str, JsonValue]) -> str:
    for name in ("visualization", "eventVisualization", "map"):
        held = item.get(name)
        if isinstance(held, dict):
            return str(held.get("name") or held.get("id"))
    return str(item.get("text") or item.get("appKey") or "")
