"""Event and enrollment aggregates: how many rows, or a value of theirs added up, in every cell."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dhis2sh.sandbox.analytics.aggregate import AGGREGATIONS, RULES, SORT_ORDERS
from dhis2sh.sandbox.analytics.errors import MESSAGES, refusal
from dhis2sh.sandbox.analytics.event_grids import hierarchy, item_header, metadata
from dhis2sh.sandbox.analytics.events import EventQuery, QueryItem
from dhis2sh.sandbox.analytics.grid import Grid, Header, number
from dhis2sh.sandbox.analytics.query import LABELS
from dhis2sh.sandbox.analytics.records import Record, fill_values, is_number, records
from dhis2sh.sandbox.data.model import Model
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.java import numbers
from dhis2sh.sandbox.metadata.value_types import BOOLEAN_TYPES, NUMERIC_TYPES
from dhis2sh.sandbox.refused import Refused, not_imitated

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject


def aggregate_grid(store: Store, found: EventQuery, query: QueryParams) -> Grid:
    """`events/aggregate` and `enrollments/aggregate`: how many, or a value added up, in every cell. Raises `Refused`."""
    rows = records(store, found, query)
    value = query.get("value")
    measured = _measured(found, value) if value else None
    if measured is not None:
        _read_value(store, found, measured, rows)
        found.names[measured.uid] = _coded(found.model, measured)
    shape = _Shape.of(query)
    axes = _axes(found, shape)
    grid = Grid([*axes.values(), number("value", "Value")], [])
    kind = params.choice(query, "aggregationType", "DEFAULT", AGGREGATIONS)
    kind = "" if kind == "DEFAULT" else kind
    for place, total in _totals(store, found, shape, axes, rows, measured, kind, query):
        text = numbers.plain(total) if measured is None and not shape.summed else numbers.java_double(total)
        grid.rows.append([*place, text])
    if query.get("sortOrder"):
        up = params.choice(query, "sortOrder", "ASC", SORT_ORDERS) == "ASC"
        grid.rows.sort(key=lambda row: float(row[-1]), reverse=not up)
    limit = params.integer(query, "limit", 0)
    grid.rows = grid.rows[:limit] if limit > 0 else grid.rows
    if params.boolean(query, "tableLayout"):
        return _laid_out(grid, found, query)
    if not params.boolean(query, "skipMeta"):
        grid.meta = hierarchy(found, query) | metadata(found, None)
    return grid


_OUTPUTS = ("EVENT", "ENROLLMENT", "TRACKED_ENTITY_INSTANCE")
"""What can be counted."""


class _Shape(NamedTuple):
    """How the items of an aggregate are columns: each one, all in one as text, or all in one with their values added up."""

    collapsed: bool
    summed: bool

    @classmethod
    def of(cls, query: QueryParams) -> _Shape:
        return cls(params.boolean(query, "collapseDataDimensions"), params.boolean(query, "aggregateData"))

    @property
    def together(self) -> bool:
        """Are all items one column?"""
        return self.collapsed or self.summed


def _coded(model: Model, item: QueryItem) -> JsonObject:
    body = model.body(item.plural, item.uid)
    code: JsonObject = {"code": body["code"]} if body.get("code") else {}
    return {**code, "name": body.get("name")}


def _totals(
    store: Store, found: EventQuery, shape: _Shape, axes: Mapping[str, Header], rows: Sequence[Record],
    measured: QueryItem | None, kind: str, query: QueryParams,
) -> Iterator[tuple[tuple[str, ...], float]]:  # fmt: skip
    """Each cell with its total, rounded."""
    output = params.choice(query, "outputType", "EVENT", _OUTPUTS)
    names = [name for name in axes if name != "dy"]
    items = [item for item in found.items if not item.filter] if shape.together else []
    if shape.collapsed and len(items) > 1:
        raise not_imitated("several items in one column")
    for item in items or [None]:
        label = _collapsed(found, item) if item is not None and shape.collapsed else None
        for place, members in _cells(store, found, names, rows, label).items():
            if item is not None and shape.summed:
                total = combine(_numbers(found, item, members), kind or _own_aggregation(found, item))
                first = (f"{found.program}.{item.uid}",)
            else:
                total, first = _total(found, members, measured, kind, output), ()
            if total is not None:
                yield (*first, *place), numbers.rounded(total)


def _collapsed(found: EventQuery, item: QueryItem) -> Callable[[Record], str]:
    """What a record is called in the column of all items: the item's short name and its value."""
    body = found.model.body(item.plural, item.uid)
    name = body.get("formName") or body.get("shortName") or body.get("name")

    def label(record: Record) -> str:
        return f"{name}: {record.values.get(item.name, '[N/A]')}"

    return label


def _numbers(found: EventQuery, item: QueryItem, members: Sequence[Record]) -> list[float]:
    """The values of an item as numbers, yes as 1. Raises `Refused` for other texts."""
    value_type = found.model.body(item.plural, item.uid).get("valueType")
    if value_type not in NUMERIC_TYPES | BOOLEAN_TYPES:
        raise not_imitated("texts added up")
    texts = (record.values[item.name] for record in members if item.name in record.values)
    return [float(text == "true") if text in {"true", "false"} else float(text) for text in texts]


def _own_aggregation(found: EventQuery, item: QueryItem) -> str:
    return str(found.model.body(item.plural, item.uid).get("aggregationType") or "SUM")


def _axes(found: EventQuery, shape: _Shape) -> dict[str, Header]:
    """What the cells are by, with the header of each: the items, then org units and periods; filters are no axes."""
    items = [item for item in found.items if not item.filter]
    axes: dict[str, Header] = {"dy": Header("dy", "Data")} if shape.together and items else {}
    for item in items if not shape.together else ():
        axes[item.name] = item_header(found.model, item)
        if item.legend_set is None and not found.model.store.version.newer_event_grids:
            axes[item.name].name = item.uid
        elif item.legend_set is None:
            axes[item.name].extra.pop("optionSet", None)
    fixed: dict[str, Header] = {}
    if found.units and not found.unit_filter:
        fixed["ou"] = Header("ou", "Organisation unit")
    if not found.period_filter:
        fixed["pe"] = Header("pe", "Period")
    return axes | {name: fixed[name] for name in found.order if name in fixed}


def _laid_out(grid: Grid, found: EventQuery, query: QueryParams) -> Grid:
    """The grid as a table: the items of `rows` down, those of `columns` across, by their names. Raises `Refused`."""
    known = {"ou": found.units, "pe": [period.iso for period in found.periods]}
    words = {uid: str(item.get("name")) for uid, item in found.names.items()}
    down, across = ([part for part in (query.get(name) or "").split(";") if part] for name in ("rows", "columns"))
    for names, code in ((across, "E7126"), (down, "E7127")):
        for name in names:
            if name not in known:
                raise refusal(code, name)
    if set(down) | set(across) != {header.name for header in grid.headers[:-1]}:
        raise not_imitated("a table of events that leaves dimensions out")
    values = {frozenset(row[:-1]): row[-1] for row in grid.rows}

    def word(uid: str) -> str:
        return words.get(uid) or found.model.name("organisationUnits", uid)

    headers = [Header(LABELS[name], LABELS[name].lower().replace(" ", "")) for name in down]
    tops = list(itertools.product(*(known[name] for name in across)))
    titles = [" ".join(map(word, top)) for top in tops]
    headers += [number(title.lower(), title) for title in titles]
    sides = itertools.product(*(known[name] for name in down))
    table = [[*map(word, side), *(values.get(frozenset({*side, *top}), "") for top in tops)] for side in sides]
    return Grid(headers, table)


def _cells(
    store: Store, found: EventQuery, axes: Sequence[str], rows: Sequence[Record],
    label: Callable[[Record], str] | None = None,
) -> dict[tuple[str, ...], list[Record]]:  # fmt: skip
    """The records of every cell; one may be in several.

    Parameters:
        label: what goes before the items of the axes.
    """
    numbered = store.connection.execute("SELECT uid, number, last FROM analytics_org_unit")
    spans: dict[str, tuple[int, int]] = {uid: (first, last) for uid, first, last in numbered}
    cells: dict[tuple[str, ...], list[Record]] = {}
    for record in rows:
        places: list[tuple[str, ...]] = [(label(record),) if label else ()]
        for name in axes:
            options = _places(found, name, record, spans)
            places = [(*place, option) for place in places for option in options]
        for place in places:
            cells.setdefault(place, []).append(record)
    return cells


def _measured(found: EventQuery, value: str) -> QueryItem:
    """The numeric element or attribute that `value` names; since 2.43 it may be a yes or no. Raises `Refused`."""
    newer = found.model.store.version.minor > 42
    for plural in ("dataElements", "trackedEntityAttributes"):
        if found.model.exists(plural, value):
            item = QueryItem(value, value, plural, found.stage)
            if is_number(found.model, item):
                return item
            if newer and found.model.body(plural, value).get("valueType") in BOOLEAN_TYPES:
                raise not_imitated("sums of values that are yes or no")
    if newer:
        raise Refused(409, MESSAGES["E7223"].format(value).replace("numeric", "numeric or boolean"), "E7223")
    raise refusal("E7223", value)


def _read_value(store: Store, found: EventQuery, measured: QueryItem, rows: Sequence[Record]) -> None:
    single = EventQuery(found.model, found.kind, items=[measured])
    fill_values(store, single, rows)


def _places(found: EventQuery, name: str, record: Record, spans: dict[str, tuple[int, int]]) -> list[str]:
    """The items of an axis that a record belongs to."""
    if name == "ou":
        return [uid for uid in found.units if uid in spans and spans[uid][0] <= record.number <= spans[uid][1]]
    if name == "pe":
        return [
            period.iso for period in found.periods if period.start.isoformat() <= record.date[:10] <= str(period.end)
        ]
    value = record.values.get(name)
    return [] if value is None else [value]


def _total(
    found: EventQuery, members: Sequence[Record], measured: QueryItem | None, kind: str, output: str
) -> float | None:
    """How many, or the value added up: events, enrollments or tracked entities as `outputType` says."""
    if measured is None:
        if output == "ENROLLMENT" and found.kind == "event":
            return float(len({record.text("enrollment") for record in members}))
        if output == "TRACKED_ENTITY_INSTANCE":
            return float(len({record.text("tracked_entity") for record in members}))
        return float(len(members))
    values = [float(record.values[measured.name]) for record in members if measured.name in record.values]
    return combine(values, kind or _own_aggregation(found, measured))


def combine(values: Sequence[float], kind: str) -> float | None:
    """Numbers put together as an aggregation type says; None when there are none."""
    if not values:
        return None
    word = kind if kind in RULES else "SUM"
    if word == "AVERAGE":
        return statistics.fmean(values)
    if word in {"MIN", "MAX"}:
        return min(values) if word == "MIN" else max(values)
    if word == "COUNT":
        return float(len(values))
    if word in {"STDDEV", "VARIANCE"}:
        if len(values) < 2:
            return None
        return statistics.stdev(values) if word == "STDDEV" else statistics.variance(values)
    if word.startswith("LAST"):
        return values[-1]
    if word.startswith("FIRST"):
        return values[0]
    return math.fsum(values)
