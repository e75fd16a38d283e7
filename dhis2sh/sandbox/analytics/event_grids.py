"""The grids of event, enrollment and tracked-entity queries: fixed columns first, then the items."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh.sandbox.analytics import events, numbers
from dhis2sh.sandbox.analytics.aggregate import RULES
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.events import (
    EventQuery,
    QueryItem,
    Record,
    is_number,
    options_of,
    person,
    records,
    timestamp,
)
from dhis2sh.sandbox.analytics.grid import Grid, Header, moment, number
from dhis2sh.sandbox.data.model import Model, reference, references
from dhis2sh.sandbox.http import params

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue


class Column(NamedTuple):
    """A fixed column: its header, and its text in a record."""

    header: Header
    text: Callable[[Model, Record], str]


def _column(header: Header, column: str, write: Callable[[str], str] = str) -> Column:
    def text(model: Model, record: Record) -> str:
        return write(record.text(column))

    return Column(header, text)


def _plain(name: str, label: str, column: str) -> Column:
    return _column(Header(name, label), column)


def _time(name: str, label: str, column: str) -> Column:
    return _column(moment(name, label), column, timestamp)


def _user(name: str, label: str, column: str) -> Column:
    return _column(Header(name, label), column, person)


def _place(empty: str) -> list[Column]:
    """Geometry, and where it is; `empty` stands for no coordinate."""

    def part(at: int) -> Callable[[Model, Record], str]:
        def text(model: Model, record: Record) -> str:
            geometry = record.text("geometry")
            shape = cast("JsonObject", json.loads(geometry)) if geometry else {}
            if shape.get("type") != "Point":
                return empty
            return str(cast("list[float]", shape["coordinates"])[at])

        return text

    return [
        _plain("geometry", "Geometry", "geometry"),
        Column(number("longitude", "Longitude", meta=True), part(0)),
        Column(number("latitude", "Latitude", meta=True), part(1)),
    ]


def _unit(hierarchy: str, *, code_last: bool = True) -> list[Column]:
    def path(model: Model, record: Record) -> str:
        return " / ".join(model.name("organisationUnits", uid) for uid in model.path(record.text("org_unit")))

    def code(model: Model, record: Record) -> str:
        return str(model.body("organisationUnits", record.text("org_unit")).get("code") or "")

    def name(model: Model, record: Record) -> str:
        return model.name("organisationUnits", record.text("org_unit"))

    name_column = Column(Header("ouname", "Organisation unit name"), name)
    hierarchy_column = Column(Header("ounamehierarchy", hierarchy), path)
    code_column = Column(Header("oucode", "Organisation unit code"), code)
    if code_last:
        return [name_column, hierarchy_column, code_column]
    return [name_column, code_column, hierarchy_column]


def _label(model: Model, plural: str, uid: str | None, prop: str, default: str) -> str:
    return str(model.body(plural, uid or "").get(prop) or default)


def columns_of(found: EventQuery) -> list[Column]:
    """The fixed columns of a query, in the server's order."""
    model, program = found.model, found.program
    enrolled = _label(model, "programs", program, "enrollmentDateLabel", "Enrollment date")
    incident = _label(model, "programs", program, "incidentDateLabel", "Incident date")
    if found.kind == "trackedEntity":
        return [
            _plain("trackedentity", "Tracked entity", "uid"), _time("lastupdated", "Last updated", "updated_at"),
            _user("lastupdatedbydisplayname", "Last updated by", "updated_by"),
            _time("created", "Created", "created_at"), _user("createdbydisplayname", "Created by", "created_by"),
            _plain("storedby", "Stored by", "stored_by"), *_place(""),
            *_unit("Organisation unit hierarchy", code_last=False),
        ]  # fmt: skip
    changes = [
        _plain("storedby", "Stored by", "stored_by"), _user("createdbydisplayname", "Created by", "created_by"),
        _user("lastupdatedbydisplayname", "Last updated by", "updated_by"),
        _time("lastupdated", "Last updated on", "updated_at"),
    ]  # fmt: skip
    unit = _unit("Organisation unit name hierarchy")
    if found.kind == "enrollment":
        return [
            _plain("pi", "Enrollment", "uid"), _plain("tei", "Tracked entity", "tracked_entity"),
            _time("enrollmentdate", enrolled, "enrolled_at"), _time("incidentdate", incident, "incident_at"), *changes,
            *_place(""), *unit, _plain("programstatus", "Program status", "status"),
        ]  # fmt: skip
    stage = found.stage or (found.stages[0] if len(found.stages) == 1 else None)
    happened = _label(model, "programStages", stage, "executionDateLabel", "Event date")
    due = _label(model, "programStages", stage, "dueDateLabel", "Scheduled date")
    registered = model.body("programs", program or "").get("programType") == "WITH_REGISTRATION"
    tracked = [
        _time("enrollmentdate", enrolled, "enrolled_at"), _time("incidentdate", incident, "incident_at"),
        _plain("tei", "Tracked entity", "tei"), _plain("pi", "Program instance", "pi"),
    ]  # fmt: skip
    return [
        _plain("psi", "Event", "uid"), _plain("ps", "Program stage", "program_stage"),
        _time("eventdate", happened, "occurred_at"), *changes, _time("scheduleddate", due, "scheduled_at"),
        *(tracked if registered else []), *_place("0.0"), *unit,
        _plain("programstatus", "Program status", "program_status"), _plain("eventstatus", "Event status", "status"),
    ]  # fmt: skip


def query_grid(store: Store, found: EventQuery, query: QueryParams) -> Grid:
    """The grid of a query: one row each, a page of them."""
    if found.kind == "trackedEntity":
        _add_attributes(found)
    columns = columns_of(found)
    rows = records(store, found, query)
    _sort(rows, columns, found, query)
    page, size = params.integer(query, "page", 1), params.integer(query, "pageSize", 50)
    shown = rows[(page - 1) * size : page * size] if size and params.boolean(query, "paging", True) else rows
    items = [item for item in found.items if not item.filter]
    with_unit = found.kind != "trackedEntity" and not found.unit_filter
    headers = [column.header for column in columns]
    headers += [Header("ou", "Organisation unit")] if with_unit else []
    headers += [_item_header(found.model, item) for item in items]
    model = found.model
    grid = Grid(
        headers,
        [
            [
                *(column.text(model, row) for column in columns),
                *([row.text("org_unit")] if with_unit else []),
                *(_cell(model, item, row) for item in items),
            ]
            for row in shown
        ],
    )
    if not params.boolean(query, "skipMeta"):
        grid.meta = metadata(found)
        if params.boolean(query, "paging", True):
            grid.meta = {"pager": _pager(found, query, len(rows), page, size), **grid.meta}
    if query.get("headers"):
        _only(grid, params.many(query, "headers"))
    return grid


def _only(grid: Grid, names: Sequence[str]) -> None:
    known = {header.name for header in grid.headers}
    for name in names:
        if name not in known:
            raise refusal("E7230", name)
    grid.only(names)


def _pager(found: EventQuery, query: QueryParams, total: int, page: int, size: int) -> JsonObject:
    counted = params.boolean(query, "totalPages", found.kind == "event")
    if counted:
        return {"page": page, "total": total, "pageSize": size, "pageCount": math.ceil(total / size) if size else 1}
    return {"page": page, "pageSize": size, "isLastPage": page * size >= total}


def _add_attributes(found: EventQuery) -> None:
    """Every attribute of a tracked entity type and of its programs is a column, sorted by UID."""
    model = found.model
    owners = [model.body("trackedEntityTypes", found.type or "")]
    programs = [
        body for body in model.store.objects("programs").values() if reference(body, "trackedEntityType") == found.type
    ]
    found_attributes: dict[str, None] = {}
    for body, prop in [
        *((owner, "trackedEntityTypeAttributes") for owner in owners),
        *((program, "programTrackedEntityAttributes") for program in programs),
    ]:
        for row in cast("list[JsonObject]", body.get(prop) or []):
            uid = reference(row, "trackedEntityAttribute")
            if uid:
                found_attributes[uid] = None
    named = {item.uid for item in found.items}
    added = [
        QueryItem(uid, uid, "trackedEntityAttributes", None) for uid in sorted(found_attributes) if uid not in named
    ]
    found.items = added + found.items
    for program in programs:
        found.names[str(program["id"])] = {"name": program.get("name")}
        for stage in references(program, "programStages"):
            found.names[stage] = {"name": model.name("programStages", stage)}


def _item_header(model: Model, item: QueryItem) -> Header:
    body = model.body(item.plural, item.uid)
    kind = "TEXT" if item.legend_set else str(body.get("valueType") or "TEXT")
    header = Header(item.name, str(body.get("name") or item.uid), kind)
    if item.legend_set:
        header.extra["legendSet"] = item.legend_set
    option_set = reference(body, "optionSet")
    if option_set:
        header.extra["optionSet"] = option_set
    return header


def _cell(model: Model, item: QueryItem, row: Record) -> str:
    value = row.values.get(item.name)
    if value is None:
        return ""
    if item.legend_set is None and is_number(model, item):
        try:
            return numbers.java_double(float(value))
        except ValueError:
            return value
    return value


def _sort(rows: list[Record], columns: Sequence[Column], found: EventQuery, query: QueryParams) -> None:
    """Sort by `asc` and `desc`, each naming columns."""
    by_name = {column.header.name: column for column in columns}
    for direction in ("asc", "desc"):
        for name in reversed(params.many(query, direction)):
            column = by_name.get(name.lower())

            def key(row: Record, name: str = name, column: Column | None = column) -> tuple[float, str]:
                text = column.text(found.model, row) if column else row.values.get(name, "")
                try:
                    return float(text), ""
                except ValueError:
                    return math.inf, text

            rows.sort(key=key, reverse=direction == "desc")


# Metadata ------------------------------------------------------------------------------------------------------------


def metadata(found: EventQuery) -> JsonObject:
    """The metadata block of a query."""
    model = found.model
    items: JsonObject = dict(found.names)
    if found.program:
        items[found.program] = {"name": model.name("programs", found.program)}
        for stage in found.stages:
            items[stage] = {"name": model.name("programStages", stage)}
    for unit in found.units:
        items.setdefault(unit, {"name": model.name("organisationUnits", unit)})
    dimensions: JsonObject = {"pe": cast("list[JsonValue]", [period.iso for period in found.periods])}
    if found.units:
        dimensions["ou"] = cast("list[JsonValue]", list(found.units))
    for item in found.items:
        items[item.name] = {"name": model.name(item.plural, item.uid)}
        dimensions[item.name] = cast("list[JsonValue]", _item_options(model, item, items))
    return {"items": items, "dimensions": dimensions}


def _item_options(model: Model, item: QueryItem, items: JsonObject) -> list[str]:
    """The options or legends of an item, described in the metadata."""
    if item.legend_set:
        return _legend_names(model, item, items)
    option_set = reference(model.body(item.plural, item.uid), "optionSet")
    if option_set is None:
        return []
    options = options_of(model, item)
    wanted = {text for operator, texts in item.tests if operator == "IN" for text in texts.split(";")}
    if wanted:
        options = [uid for uid in options if model.body("options", uid).get("code") in wanted]
    for uid in options:
        body = model.body("options", uid)
        items[uid] = {"code": body.get("code"), "name": body.get("name")}
    items[option_set] = {
        "uid": option_set, "name": model.name("optionSets", option_set),
        "options": [{"uid": uid, "code": model.body("options", uid).get("code")} for uid in options],
    }  # fmt: skip
    return options


def _legend_names(model: Model, item: QueryItem, items: JsonObject) -> list[str]:
    """The legends of an item, all or those that it is filtered by."""
    wanted = {text for operator, texts in item.tests if operator == "IN" for text in texts.split(";")}
    found = [uid for _, _, uid in item.legends if not wanted or uid in wanted]
    sets = cast("list[JsonObject]", model.body("legendSets", item.legend_set or "").get("legends") or [])
    names = {str(legend["id"]): legend.get("name") for legend in sets}
    for uid in found:
        items[uid] = {"name": names.get(uid) or model.name("legends", uid)}
    return found


# Aggregates ----------------------------------------------------------------------------------------------------------


def aggregate_grid(store: Store, found: EventQuery, query: QueryParams) -> Grid:
    """`events/aggregate` and `enrollments/aggregate`: how many, or a value added up, in every cell."""
    rows = records(store, found, query)
    value = query.get("value")
    measured = _measured(found, value) if value else None
    if measured is not None:
        _read_value(store, found, measured, rows)
    axes = _axes(found)
    grid = Grid([*axes.values(), number("value", "Value")], [])
    kind = (query.get("aggregationType") or "").upper()
    for place, members in _cells(store, found, list(axes), rows).items():
        total = _total(found, members, measured, kind, query.get("outputType") or "EVENT")
        if total is not None:
            grid.rows.append([*place, numbers.plain(numbers.rounded(total))])
    order = (query.get("sortOrder") or "").upper()
    if order in {"ASC", "DESC"}:
        grid.rows.sort(key=lambda row: float(row[-1]), reverse=order == "DESC")
    limit = params.integer(query, "limit", 0)
    grid.rows = grid.rows[:limit] if limit else grid.rows
    if not params.boolean(query, "skipMeta"):
        grid.meta = metadata(found)
    return grid


def _axes(found: EventQuery) -> dict[str, Header]:
    """What the cells are by, in the query's order, with the header of each; filters are no axes."""
    axes = {item.name: _item_header(found.model, item) for item in found.items if not item.filter}
    if not found.unit_filter:
        axes["ou"] = Header("ou", "Organisation unit")
    if not found.period_filter:
        axes["pe"] = Header("pe", "Period")
    return {name: axes[name] for name in found.order if name in axes}


def _cells(
    store: Store, found: EventQuery, axes: Sequence[str], rows: Sequence[Record]
) -> dict[tuple[str, ...], list[Record]]:
    """The records of every cell; one may be in several."""
    numbered = store.connection.execute("SELECT uid, number, last FROM analytics_org_unit")
    spans: dict[str, tuple[int, int]] = {uid: (first, last) for uid, first, last in numbered}
    cells: dict[tuple[str, ...], list[Record]] = {}
    for record in rows:
        places: list[tuple[str, ...]] = [()]
        for name in axes:
            options = _places(found, name, record, spans)
            places = [(*place, option) for place in places for option in options]
        for place in places:
            cells.setdefault(place, []).append(record)
    return cells


def _measured(found: EventQuery, value: str) -> QueryItem:
    """The numeric element or attribute that `value` names. Raises `Refused`."""
    for plural in ("dataElements", "trackedEntityAttributes"):
        if found.model.exists(plural, value):
            item = QueryItem(value, value, plural, found.stage)
            if is_number(found.model, item):
                return item
    raise refusal("E7223", value)


def _read_value(store: Store, found: EventQuery, measured: QueryItem, rows: Sequence[Record]) -> None:
    single = EventQuery(found.model, found.kind, items=[measured])
    events.fill_values(store, single, rows)


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
    own = str(found.model.body(measured.plural, measured.uid).get("aggregationType") or "SUM")
    return combine(values, kind or own)


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
