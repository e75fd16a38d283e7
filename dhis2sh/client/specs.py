"""Builders for what nobody can write by hand: visualizations, maps, legend sets, and items of dashboards.

A spec says what is meant; `payload(version)` is the object that a version of the server wants. Give it to
`client.resources.visualizations.create(spec.payload(version))`.

API source: recorded writes of `/api/visualizations`, `/api/maps`, `/api/legendSets`, `/api/dashboards` in 2.40 to 2.44;
which dimension items there are: api-facts g.1; relative periods: facts, quirk 28; periods by version: quirk D5.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self, get_args

from dhis2sh.dhis2.periods import Period, RelativePeriod
from dhis2sh.dhis2.uids import generate_uid, is_uid
from dhis2sh.dhis2.written import period_or_relative
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.types import JsonValue

if TYPE_CHECKING:
    from dhis2sh.client.versions import ServerVersion
    from dhis2sh.types import JsonObject

type DataKind = Literal["DATA_ELEMENT", "INDICATOR", "PROGRAM_INDICATOR", "DATA_ELEMENT_OPERAND", "REPORTING_RATE"]
type VisualizationType = Literal[
    "COLUMN", "STACKED_COLUMN", "BAR", "STACKED_BAR", "LINE", "AREA", "STACKED_AREA", "PIE", "RADAR", "GAUGE",
    "YEAR_OVER_YEAR_LINE", "YEAR_OVER_YEAR_COLUMN", "SCATTER", "BUBBLE", "SINGLE_VALUE", "PIVOT_TABLE", "OUTLIER_TABLE",
]  # fmt: skip
type AnyPeriod = str | Period | RelativePeriod

_PROPERTY: dict[DataKind, str] = {
    "DATA_ELEMENT": "dataElement",
    "INDICATOR": "indicator",
    "PROGRAM_INDICATOR": "programIndicator",
    "DATA_ELEMENT_OPERAND": "dataElementOperand",
    "REPORTING_RATE": "reportingRate",
}
_LEVEL = re.compile(r"LEVEL-(\d+)")
_GROUP = "OU_GROUP-"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_USER_UNITS = {
    "USER_ORGUNIT": "userOrganisationUnit",
    "USER_ORGUNIT_CHILDREN": "userOrganisationUnitChildren",
    "USER_ORGUNIT_GRANDCHILDREN": "userOrganisationUnitGrandChildren",
}


@dataclass(frozen=True, slots=True)
class DataItem:
    """Something to show: a data element unless `kind` says otherwise."""

    uid: str
    kind: DataKind = "DATA_ELEMENT"


@dataclass(frozen=True)
class _Analysis:
    """Data, periods and organisation units, as visualizations and map layers both hold them."""

    data: Sequence[str | DataItem] = ()
    periods: Sequence[AnyPeriod] = ()
    org_units: Sequence[str] = ()
    dimensions: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def items(self, dimension: str) -> list[str]:
        """The identifiers of a dimension's items."""
        known = {
            "dx": [item.uid for item in self._data],
            "pe": [_identifier(period) for period in self.periods],
            "ou": list(self.org_units),
        }
        return known[dimension] if dimension in known else list(self.dimensions[dimension])

    @property
    def _data(self) -> list[DataItem]:
        return [item if isinstance(item, DataItem) else DataItem(item) for item in self.data]

    def axis(self, names: Sequence[str]) -> list[JsonValue]:
        """Dimensions on an axis with their items; servers resolve the identifiers."""
        return [{"id": name, "dimension": name, "items": [{"id": item} for item in self.items(name)]} for name in names]

    def persisted(self, version: ServerVersion) -> JsonObject:
        """The same as the properties in which the server keeps it."""
        relative = [RelativePeriod(name) for name in self.items("pe") if name in RelativePeriod.__members__]
        fixed = [name for name in self.items("pe") if name not in RelativePeriod.__members__]
        levels = [int(found[1]) for unit in self.org_units if (found := _LEVEL.fullmatch(unit))]
        body: JsonObject = {
            "dataDimensionItems": [
                {"dataDimensionItemType": item.kind, _PROPERTY[item.kind]: {"id": item.uid}} for item in self._data
            ],
            "organisationUnits": [{"id": unit} for unit in self.org_units if is_uid(unit)],
            "organisationUnitLevels": [*levels],
            "itemOrganisationUnitGroups": [
                {"id": unit.removeprefix(_GROUP)} for unit in self.org_units if unit.startswith(_GROUP)
            ],
        }
        body |= {_USER_UNITS[unit]: True for unit in self.org_units if unit in _USER_UNITS}
        if version.behaviour.visualization_periods == "periods":
            body["relativePeriods"] = {period.field: True for period in relative}
            body["periods"] = [{"id": name} for name in fixed]
        else:  # from 2.43 on one list holds both
            body["rawPeriods"] = [*self.items("pe")]
        return body


_AXES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "PIVOT_TABLE": (("pe",), ("ou",), ("dx",)),
    "SINGLE_VALUE": (("dx",), (), ("pe", "ou")),
    "GAUGE": (("dx",), (), ("pe", "ou")),
    "PIE": (("dx",), (), ("pe", "ou")),
    "YEAR_OVER_YEAR_LINE": (("dx",), (), ("ou",)),
    "YEAR_OVER_YEAR_COLUMN": (("dx",), (), ("ou",)),
}
"""Columns (series), rows (categories) and filters where nobody says otherwise; of every other type data by period."""


@dataclass(frozen=True)
class VisualizationSpec(_Analysis):
    """A chart or pivot table.

    Parameters:
        data: data elements by UID, or `DataItem`s of another kind.
        periods: ISO forms, `Period`s and relative periods (`LAST_12_MONTHS`).
        org_units: UIDs, `LEVEL-2`, `OU_GROUP-<uid>`, `USER_ORGUNIT`, ...
        dimensions: more dimensions by UID (categories, group sets) with the UIDs of their items.
        name: what to call it; `type` what kind it is.
        columns, rows, filters: which dimension stands where; by the type without them.
        years: of a year-over-year chart: the years, such as `THIS_YEAR`, `LAST_5_YEARS`.
        uid: its UID; a new one without it.
        options: more properties, by DHIS2's names (`title`, `showData`, `legend`, ...).
    """

    name: str = ""
    type: VisualizationType = "COLUMN"
    columns: Sequence[str] | None = None
    rows: Sequence[str] | None = None
    filters: Sequence[str] | None = None
    years: Sequence[str] = ()
    uid: str = field(default_factory=generate_uid)
    options: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def payload(self, version: ServerVersion) -> JsonObject:
        """The object for `POST /api/visualizations`.

        Raises `UsageError` for an unknown type, a dimension without items, and one that stands nowhere or twice.
        """
        known = get_args(VisualizationType.__value__)
        if self.type not in known:
            raise UsageError(
                f"'{self.type}' is no type of visualization", hint=did_you_mean(self.type, known) or ", ".join(known)
            )
        columns, rows, filters = self._axes()
        return {
            "id": self.uid,
            "name": _named(self.name),
            "type": self.type,
            "columns": self.axis(columns),
            "rows": self.axis(rows),
            "filters": self.axis(filters),
            "columnDimensions": [*columns],
            "rowDimensions": [*rows],
            "filterDimensions": [*filters],
            **self.persisted(version),
            **({"yearlySeries": [*self.years]} if self.years else {}),
            **self.options,
        }

    def _axes(self) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        usual = _AXES.get(self.type, (("dx",), ("pe",), ("ou",)))
        given = (self.columns, self.rows, self.filters)
        if any(axis is not None for axis in given):
            chosen = tuple(axis or () for axis in given)
        else:
            chosen = (usual[0], usual[1], (*usual[2], *self.dimensions))
        placed = [name for axis in chosen for name in axis]
        wanted = [*(["dx"] * bool(self.data)), *(["pe"] * bool(self.periods)), *(["ou"] * bool(self.org_units))]
        wanted += self.dimensions
        for name in dict.fromkeys([*placed, *wanted]):
            if placed.count(name) != 1:
                raise UsageError(
                    f"dimension {name} stands on {placed.count(name)} axes",
                    hint="columns=, rows= and filters= name each once",
                )
            if name not in wanted:
                raise UsageError(
                    f"dimension {name} has no items", hint="give data=, periods=, org_units= or dimensions="
                )
        return chosen[0], chosen[1], chosen[2]


@dataclass(frozen=True)
class MapLayerSpec(_Analysis):
    """One layer of a map; made by `thematic`, `boundary` or `facility`."""

    layer: Literal["thematic", "boundary", "facility"] = "thematic"
    name: str | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    @classmethod
    def thematic(
        cls,
        data: str | DataItem,
        *,
        periods: Sequence[AnyPeriod],
        org_units: Sequence[str],
        kind: Literal["CHOROPLETH", "BUBBLE"] = "CHOROPLETH",
        classes: int = 5,
        colours: tuple[str, str] = ("#fef0d9", "#b30000"),
        legend_set: str | None = None,
        name: str | None = None,
        opacity: float = 0.9,
    ) -> Self:
        """Areas coloured, or bubbles sized, by a value.

        Parameters:
            data: what is shown.
            periods: over which it is summed up.
            org_units: parents and levels, such as `["ImspTQPwCqd", "LEVEL-2"]`.
            kind: `CHOROPLETH` or `BUBBLE`.
            classes: how many, from the first to the second of the `colours`; a `legend_set` replaces both.
            opacity: from 0 to 1.
        """
        shown: JsonObject = {"thematicMapType": kind, "opacity": opacity, "renderingStrategy": "SINGLE"}
        if legend_set:
            shown |= {"legendSet": {"id": legend_set}, "method": 1}
        else:
            low, high = (_colour(text) for text in colours)
            if not 1 <= classes <= 9:
                raise UsageError(f"{classes} classes are too few or too many", hint="classes= is from 1 to 9")
            shown |= {"classes": classes, "colorLow": low, "colorHigh": high, "method": 2}
        return cls((data,), periods, org_units, layer="thematic", name=name, options=shown)

    @classmethod
    def boundary(
        cls, org_units: Sequence[str], *, colour: str | None = None, labels: bool = False, name: str | None = None
    ) -> Self:
        """The outlines of organisation units."""
        shown: JsonObject = {"labels": labels}
        if colour:
            shown["organisationUnitColor"] = _colour(colour)
        return cls(org_units=org_units, layer="boundary", name=name, options=shown)

    @classmethod
    def facility(
        cls,
        org_units: Sequence[str],
        *,
        group_set: str | None = None,
        radius: int | None = None,
        labels: bool = False,
        name: str | None = None,
    ) -> Self:
        """Facilities as points, drawn by the groups of a group set; `radius` (metres) draws a circle around each."""
        shown: JsonObject = {"labels": labels}
        if group_set:
            shown["organisationUnitGroupSet"] = {"id": group_set}
        if radius:
            shown["areaRadius"] = radius
        return cls(org_units=org_units, layer="facility", name=name, options=shown)

    def payload(self, version: ServerVersion) -> JsonObject:
        """The layer as an item of `mapViews`."""
        body: JsonObject = {
            "layer": self.layer,
            "rows": self.axis(["ou"]),
            "rowDimensions": ["ou"],
            "organisationUnitSelectionMode": "SELECTED",
            **self.persisted(version),
            **self.options,
        }
        if self.data:
            body |= {"columns": self.axis(["dx"]), "columnDimensions": ["dx"]}
        if self.periods:
            body |= {"filters": self.axis(["pe"]), "filterDimensions": ["pe"]}
        return body | ({"name": self.name} if self.name else {})


@dataclass(frozen=True)
class MapSpec:
    """A map of layers, the lowest first.

    Parameters:
        name: what to call it.
        layers: made by `MapLayerSpec`.
        longitude, latitude, zoom: what is shown first.
        basemap: what lies below (`osmLight`, `openStreetMap`, `none`, ...).
        uid, options: as of `VisualizationSpec`.
    """

    name: str
    layers: Sequence[MapLayerSpec]
    longitude: float = 0.0
    latitude: float = 0.0
    zoom: int = 2
    basemap: str = "osmLight"
    uid: str = field(default_factory=generate_uid)
    options: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def payload(self, version: ServerVersion) -> JsonObject:
        """The object for `POST /api/maps`. Raises `UsageError` for a map without layers."""
        if not self.layers:
            raise UsageError(f"the map '{self.name}' has no layers", hint="MapLayerSpec.thematic(...)")
        return {
            "id": self.uid,
            "name": _named(self.name),
            "longitude": self.longitude,
            "latitude": self.latitude,
            "zoom": self.zoom,
            "basemap": self.basemap,
            "mapViews": [layer.payload(version) for layer in self.layers],
            **self.options,
        }


@dataclass(frozen=True, slots=True)
class Legend:
    """One class of a legend set: values from `start` up to, but not with, `end`."""

    start: float
    end: float
    colour: str
    name: str | None = None


@dataclass(frozen=True)
class LegendSetSpec:
    """Classes of values with a colour each.

    Parameters:
        name: what to call it.
        legends: from the lowest to the highest, without overlap.
        uid: as of `VisualizationSpec`.
    """

    name: str
    legends: Sequence[Legend]
    uid: str = field(default_factory=generate_uid)

    @classmethod
    def equal(cls, name: str, low: float, high: float, colours: Sequence[str]) -> Self:
        """Classes of equal width, one for each colour."""
        if not colours or high <= low:
            raise UsageError(
                f"there are no equal classes from {low:g} to {high:g}", hint="a high above the low, and colours"
            )
        width = (high - low) / len(colours)
        bounds = [low + n * width for n in range(len(colours))] + [high]
        return cls(name, [Legend(bounds[n], bounds[n + 1], colour) for n, colour in enumerate(colours)])

    def payload(self, version: ServerVersion | None = None) -> JsonObject:
        """The object for `POST /api/legendSets`; the same in every version. Raises `UsageError` for classes that overlap."""
        del version
        before: Legend | None = None
        for legend in self.legends:
            if not legend.start < legend.end < math.inf or not math.isfinite(legend.start):
                raise UsageError(
                    f"the class {legend.start:g} to {legend.end:g} holds no value", hint="it ends above its start"
                )
            if before is not None and legend.start < before.end:
                raise UsageError(
                    f"the class {legend.start:g} to {legend.end:g} overlaps {before.start:g} to {before.end:g}",
                    hint=f"one ends where the next begins: {before.start:g} to {legend.start:g}",
                )
            before = legend
        return {
            "id": self.uid,
            "name": _named(self.name),
            "legends": [
                {
                    "name": legend.name or f"{legend.start:g} - {legend.end:g}",
                    "startValue": legend.start,
                    "endValue": legend.end,
                    "color": _colour(legend.colour),
                }
                for legend in self.legends
            ],
        }


type SlotKind = Literal["VISUALIZATION", "EVENT_VISUALIZATION", "MAP", "TEXT", "MESSAGES", "APP"]
_SLOT_PROPERTY = {"VISUALIZATION": "visualization", "EVENT_VISUALIZATION": "eventVisualization", "MAP": "map"}
GRID_WIDTH = 60
"""Columns of a dashboard."""


@dataclass(frozen=True)
class DashboardSlot:
    """A place on a dashboard and what stands there.

    Items are added, moved and removed by a JSON patch of the dashboard: it is never read, nor sent whole, so that what
    others change in the meantime stays.

        await client.resources.dashboards.patch(uid, DashboardSlot("INtKDA1VJC0", x=0, y=0).added())

    Parameters:
        content: the UID of a visualization or map; the text; the key of an app.
        kind: what it is.
        x, y, width, height: in cells of a grid that is 60 wide.
        uid: the item's own UID, by which it is moved and removed; a new one without it.
    """

    content: str = ""
    kind: SlotKind = "VISUALIZATION"
    x: int = 0
    y: int = 0
    width: int = 29
    height: int = 20
    uid: str = field(default_factory=generate_uid)

    def item(self) -> JsonObject:
        """The item as the dashboard holds it. Raises `UsageError` when it does not fit on the grid."""
        if min(self.x, self.y) < 0 or min(self.width, self.height) < 1 or self.x + self.width > GRID_WIDTH:
            raise UsageError(f"the item does not fit: x + width is at most {GRID_WIDTH}, nothing is negative")
        body: JsonObject = {
            "id": self.uid, "type": self.kind, "x": self.x, "y": self.y, "width": self.width, "height": self.height,
        }  # fmt: skip
        if self.kind in _SLOT_PROPERTY:
            body[_SLOT_PROPERTY[self.kind]] = {"id": self.content}
        elif self.kind == "TEXT":
            body["text"] = self.content
        elif self.kind == "APP":
            body["appKey"] = self.content
        else:
            body["messages"] = True
        return body

    def overlaps(self, other: DashboardSlot) -> bool:
        """Whether both cover a cell."""
        across = self.x < other.x + other.width and other.x < self.x + self.width
        return across and self.y < other.y + other.height and other.y < self.y + self.height

    def added(self) -> list[JsonObject]:
        """The patch that puts it on a dashboard."""
        return [{"op": "add", "path": "/dashboardItems/-", "value": self.item()}]

    def removed(self) -> list[JsonObject]:
        """The patch that takes it away."""
        return [{"op": "remove-by-id", "path": "/dashboardItems", "id": self.uid}]

    def moved(
        self, *, x: int | None = None, y: int | None = None, width: int | None = None, height: int | None = None
    ) -> list[JsonObject]:
        """The patch that moves or resizes it; it keeps its UID."""
        changes = {"x": x, "y": y, "width": width, "height": height}
        there = replace(self, **{name: value for name, value in changes.items() if value is not None})
        return [*self.removed(), *there.added()]


def arranged(
    slots: Sequence[DashboardSlot], *, columns: int = 2, there: Sequence[DashboardSlot] = ()
) -> list[DashboardSlot]:
    """The same items in equal columns, each at the first free place, row by row from the top.

    Parameters:
        slots: what is to be placed; their heights stay.
        columns: how many stand side by side.
        there: what stands on the dashboard already, and is not moved.
    """
    width = GRID_WIDTH // columns
    taken, found = [*there], list[DashboardSlot]()
    for slot in slots:
        found.append(_placed(replace(slot, width=width), taken))
        taken.append(found[-1])
    return found


def _placed(slot: DashboardSlot, taken: Sequence[DashboardSlot]) -> DashboardSlot:
    """The slot where it overlaps none that is taken: as high up as it can be, in an even column if one is free."""
    rows = sorted({0, *(other.y for other in taken), *(other.y + other.height for other in taken)})
    even = range(0, GRID_WIDTH, slot.width)
    columns = [*even, *sorted({other.x + other.width for other in taken} - {*even})]
    columns = [x for x in columns if x + slot.width <= GRID_WIDTH]
    places = (replace(slot, x=x, y=y) for y in rows for x in columns)
    return next(place for place in places if not any(place.overlaps(other) for other in taken))


def _identifier(period: AnyPeriod) -> str:
    """A period as the API names it. Raises `UsageError` for what is none."""
    found = period_or_relative(period) if isinstance(period, str) else period
    return found.iso if isinstance(found, Period) else str(found)


def _named(name: str) -> str:
    if not name.strip():
        raise UsageError("it needs a name", hint="name=")
    return name


def _colour(text: str) -> str:
    if not _COLOUR.fullmatch(text):
        raise UsageError(f"'{text}' is not a colour", hint="colours look like #b30000")
    return text
