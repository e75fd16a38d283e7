"""What a saved visualization asks for: its type, its dimensions on their axes, and how it is drawn.

API source: `GET /api/visualizations/{uid}`, `GET /api/eventVisualizations/{uid}` (recorded: write-visual,
analytics-favourites); targets and bases: `axes` of 2.34 and later, `targetLineValue` and the like before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.written import period_items
from dhis2sh.errors import UsageError
from dhis2sh.metadata.types.visuals.shown import org_units
from dhis2sh.show.charts.model import Axis, Level

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

AXES = ("columns", "rows", "filters")
_AXIS = "[dimension,filter,programStage[id],items[id,dimensionItem]]"
FIELDS = ":owner,displayName,displayTitle,displaySubtitle," + ",".join(f"{axis}{_AXIS}" for axis in AXES)
LACKING = {
    "dx": ("no data", ""),
    "pe": ("no period", "--period 2025"),
    "ou": ("no organisation unit", "--org-unit LEVEL-2"),
}
"""What a definition lacks whose dimension has no items, and what says it in its place."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension on an axis: its items (all where there are none), and a condition of events."""

    name: str
    items: tuple[str, ...] = ()
    filter: str = ""
    stage: str = ""

    def asked(self) -> str:
        """The dimension as analytics takes it."""
        name = f"{self.stage}.{self.name}" if self.stage else self.name
        rest = self.filter or ";".join(self.items)
        return f"{name}:{rest}" if rest else name


@dataclass(frozen=True, slots=True)
class Legend:
    """How values are coloured: by the set of the definition, or by that of each item of data."""

    uid: str = ""
    by_item: bool = False
    as_text: bool = False
    key: bool = False

    def __bool__(self) -> bool:
        return bool(self.uid) or self.by_item


@dataclass(frozen=True, slots=True)
class EventQuestion:
    """What is asked of events: their program, and what is aggregated of them."""

    program: str
    stage: str = ""
    value: str = ""
    output: str = ""
    collapse: bool = False
    event_status: str = ""
    program_status: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """How it is drawn, where that is not its type's own way."""

    title: str
    subtitle: str
    hide_title: bool
    hide_subtitle: bool
    legend: bool
    numbers: bool
    cumulative: bool
    percent: bool
    tight: bool
    hierarchy: bool
    sort: int
    top: int
    empty: str
    trend: str
    grouping: str
    axis: Axis
    second: Axis
    domain: Axis
    levels: tuple[Level, ...]
    lines: frozenset[str]
    columns: frozenset[str]
    rightwards: frozenset[str]
    not_drawn: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableLook:
    """How a pivot table is laid out."""

    row_totals: bool
    column_totals: bool
    row_subtotals: bool
    column_subtotals: bool
    hide_empty_rows: bool
    hide_empty_columns: bool
    labels: bool
    number_type: str


@dataclass(slots=True)
class Definition:
    """A saved visualization.

    Parameters:
        uid, name, type: as the server has them; the type in DHIS2's words (`STACKED_COLUMN`).
        columns, rows, filters: the dimensions on each axis.
        params: more of what is asked for, by the names of analytics.
        years: what a year-over-year chart compares.
        outliers: how an outlier table finds them.
    """

    uid: str
    name: str
    type: str
    columns: list[Dimension]
    rows: list[Dimension]
    filters: list[Dimension]
    look: Look
    table: TableLook
    legend: Legend
    params: dict[str, str] = field(default_factory=dict[str, str])
    years: tuple[str, ...] = ()
    events: EventQuestion | None = None
    outliers: dict[str, str] = field(default_factory=dict[str, str])

    def dimensions(self) -> list[Dimension]:
        """All of them."""
        return [*self.columns, *self.rows, *self.filters]

    def replaced(self, name: str, found: Sequence[str]) -> None:
        """Put other items in place of those of a dimension; one that stands nowhere becomes a filter."""
        for axis in (self.columns, self.rows, self.filters):
            for at, one in enumerate(axis):
                if one.name == name:
                    axis[at] = Dimension(name, tuple(found))
                    return
        self.filters.append(Dimension(name, tuple(found)))


async def read(
    s: Session, uid: str, *, plural: str = "visualizations", periods: Sequence[str] = (), units: Sequence[str] = ()
) -> Definition:
    """A saved visualization, with other periods and units in place of its own where they are given.

    Parameters:
        plural: `visualizations` or `eventVisualizations`.
        periods: as people write them: `2025`, `202501..202506`, `LAST_12_MONTHS`.
        units: UIDs, codes or names, `LEVEL-2`, `USER_ORGUNIT`.

    Raises `UsageError` for one that says no data, period or unit, which a server answers with everything or with nothing.
    """
    body = await s.client.get_object(f"{plural}/{uid}", {"fields": FIELDS})
    found = of_body(body)
    if periods:
        found.replaced("pe", [item for text in periods for item in period_items(text)])
    if units:
        found.replaced("ou", await org_units(s, units))
    _check(found)
    return found


def of_body(body: JsonObject) -> Definition:
    """A definition out of what the server has of it."""
    axes = {axis: [_dimension(one) for one in objects(body.get(axis))] for axis in AXES}
    if (
        _events(body) is not None
    ):  # saved by older apps with a dimension of data, which events have not (recorded: E7124)
        axes = {axis: [one for one in found if one.name != "dx" or one.items] for axis, found in axes.items()}
    kind = text(body, "type")
    params = {
        name: value
        for name, value in (
            ("aggregationType", text(body, "aggregationType").replace("DEFAULT", "")),
            ("skipRounding", "true" if body.get("skipRounding") else ""),
            ("showHierarchy", "true" if body.get("showHierarchy") else ""),
            ("measureCriteria", text(body, "measureCriteria")),
            ("completedOnly", "true" if body.get("completedOnly") else ""),
            ("startDate", text(body, "startDate")[:10]),
            ("endDate", text(body, "endDate")[:10]),
            ("timeField", text(body, "timeField")),
            ("orgUnitField", text(body, "orgUnitField")),
        )
        if value
    }
    name = text(body, "displayName") or text(body, "name")
    return Definition(
        text(body, "id"), name, kind, axes["columns"], axes["rows"], axes["filters"], _look(body), _table(body),
        _legend(body), params, tuple(str(one) for one in cast("list[JsonValue]", body.get("yearlySeries") or [])),
        _events(body), _outliers(body),
    )  # fmt: skip


def _check(found: Definition) -> None:
    there = {one.name: one for one in found.dimensions()}
    dated = "startDate" in found.params and "endDate" in found.params
    for name, (lacks, option) in LACKING.items():
        if found.events is not None and name == "dx":
            continue
        if name == "pe" and dated:
            continue
        if name not in there or not there[name].items:
            verb = f"dhis2 analytics viz {found.uid}"
            raise UsageError(
                f"'{found.name}' says {lacks}",
                hint=f"{verb} {option}" if option else f"dhis2 metadata visualizations describe {found.uid}",
            )


def _dimension(one: JsonObject) -> Dimension:
    named = [text(item, "dimensionItem") or text(item, "id") for item in objects(one.get("items"))]
    stage = text(cast("JsonObject", one.get("programStage") or {}), "id")
    return Dimension(text(one, "dimension"), tuple(filter(None, named)), text(one, "filter"), stage)


def _legend(body: JsonObject) -> Legend:
    said = one_of(body, "legend", "legendDefinitions")
    held = one_of(said, "set", "legendSet")
    by_item = (text(said, "strategy") or text(said, "legendDisplayStrategy")) == "BY_DATA_ITEM"
    style = text(said, "style") or text(said, "legendDisplayStyle")
    return Legend("" if by_item else text(held, "id"), by_item, style == "TEXT", said.get("showKey") is True)


def _events(body: JsonObject) -> EventQuestion | None:
    program = text(one_of(body, "program"), "id")
    if not program:
        return None
    held = one_of(body, "value", "dataElementValueDimension", "attributeValueDimension")
    return EventQuestion(
        program, text(one_of(body, "programStage"), "id"), text(held, "id"), text(body, "outputType"),
        body.get("collapseDataDimensions") is True, text(body, "eventStatus"), text(body, "programStatus"),
    )  # fmt: skip


def _outliers(body: JsonObject) -> dict[str, str]:
    said = one_of(body, "outlierAnalysis")
    named = {"algorithm": text(said, "outlierMethod"), "threshold": text(said, "thresholdFactor"),
             "maxResults": text(said, "maxResults")}  # fmt: skip
    return {name: value.replace("STANDARD_Z_SCORE", "Z_SCORE") for name, value in named.items() if value}


def _table(body: JsonObject) -> TableLook:
    def on(name: str) -> bool:
        return body.get(name) is True

    return TableLook(
        on("rowTotals"), on("colTotals"), on("rowSubTotals"), on("colSubTotals"), on("hideEmptyRows"),
        on("hideEmptyColumns"), on("showDimensionLabels"), text(body, "numberType") or "VALUE",
    )  # fmt: skip


def _look(body: JsonObject) -> Look:
    axes = [one for one in objects(body.get("axes")) if text(one, "type") == "RANGE"]
    domain = _first(one for one in objects(body.get("axes")) if text(one, "type") == "DOMAIN")
    first = _first(one for one in axes if one.get("index") in (0, None))
    second = _first(one for one in axes if one.get("index") == 1)
    series = objects(body.get("series"))
    levels = [level for axis in axes or [{}] for level in _levels(axis, body)]
    kinds = {text(one, "dimensionItem"): text(one, "type") for one in series}
    rightwards = {text(one, "dimensionItem"): one.get("axis") for one in series}
    rightwards |= {text(one, "dimensionalItem"): one.get("axis") for one in objects(body.get("optionalAxes"))}
    grouping = {"COMMA": ",", "NONE": ""}.get(text(body, "digitGroupSeparator"), " ")
    return Look(
        title=text(body, "displayTitle") or text(body, "title"),
        subtitle=text(body, "displaySubtitle") or text(body, "subtitle"),
        hide_title=body.get("hideTitle") is True,
        hide_subtitle=body.get("hideSubtitle") is True,
        legend=body.get("hideLegend") is not True,
        numbers=body.get("showData") is True,
        cumulative=body.get("cumulativeValues") is True,
        percent=body.get("percentStackedValues") is True,
        tight=body.get("noSpaceBetweenColumns") is True,
        hierarchy=body.get("showHierarchy") is True,
        sort=int(number(body.get("sortOrder")) or 0),
        top=int(number(body.get("topLimit")) or 0),
        empty=text(body, "hideEmptyRowItems") or "NONE",
        trend=text(body, "regressionType") or "NONE",
        grouping=grouping,
        axis=_axis(first, body),
        second=_axis(second, {}),
        domain=Axis(_words(domain) or text(body, "domainAxisLabel")),
        levels=tuple(levels),
        lines=frozenset(uid for uid, kind in kinds.items() if kind == "LINE"),
        columns=frozenset(uid for uid, kind in kinds.items() if kind == "COLUMN"),
        rightwards=frozenset(uid for uid, axis in rightwards.items() if axis),
        not_drawn=tuple(_not_drawn(body, rightwards)),
    )


def _axis(axis: JsonObject, body: JsonObject) -> Axis:
    steps = number(axis.get("steps") if axis.get("steps") is not None else body.get("rangeAxisSteps"))
    decimals = number(axis.get("decimals") if axis.get("decimals") is not None else body.get("rangeAxisDecimals"))
    least = axis.get("minValue") if axis.get("minValue") is not None else body.get("rangeAxisMinValue")
    most = axis.get("maxValue") if axis.get("maxValue") is not None else body.get("rangeAxisMaxValue")
    return Axis(
        _words(axis) or text(body, "rangeAxisLabel"), number(least), number(most),
        int(steps) if steps else None, int(decimals) if decimals is not None else None,
    )  # fmt: skip


def _levels(axis: JsonObject, body: JsonObject) -> list[Level]:
    """Target and base lines of an axis; where it says none, those of older definitions."""
    found: list[Level] = []
    for name in ("targetLine", "baseLine"):
        line = one_of(axis, name)
        value = number(line.get("value") if line else body.get(f"{name}Value"))
        label = text(one_of(line, "title"), "text") or text(line, "label") or text(body, f"{name}Label")
        if value is not None:
            found.append(Level(value, label or {"targetLine": "Target", "baseLine": "Base"}[name]))
    return found


def _words(axis: JsonObject) -> str:
    label = axis.get("label")
    return text(label, "text") if isinstance(label, dict) else str(label or "")


def _not_drawn(body: JsonObject, axes: Mapping[str, JsonValue]) -> list[str]:
    """The parts of a definition that ours leaves out, in words."""
    found: list[str] = []
    if text(body, "regressionType") == "LOESS":
        found.append("its LOESS trend lines are not drawn")
    if one_of(body, "outlierAnalysis").get("enabled") is True and text(body, "type") != "OUTLIER_TABLE":
        found.append("its outlier lines are not drawn")
    if text(body, "colorSet") not in {"", "DEFAULT", "COLOR_BLIND"}:
        found.append(f"its colour set {text(body, 'colorSet')} is not used: ours can be told apart by everybody")
    if body.get("icons"):
        found.append("its icon is not drawn")
    if any(number(axis) not in (None, 0, 1) for axis in axes.values()):
        found.append("its third and fourth axes are drawn as the second")
    if objects(body.get("sorting")):
        found.append("its sorting by a column is not applied")
    return found


def objects(value: JsonValue) -> list[JsonObject]:
    """The objects of a list; none of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def one_of(body: JsonObject, *names: str) -> JsonObject:
    """The first of some properties that is an object; an empty one where none is."""
    return _first(value for name in names if isinstance(value := body.get(name), dict))


def _first(found: Iterable[JsonObject]) -> JsonObject:
    for one in found:
        return one
    return {}


def text(body: JsonObject, name: str) -> str:
    """A property as text; empty where there is none."""
    value = body.get(name)
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def number(value: JsonValue) -> float | None:
    """A number, or None."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
