"""The grids of event, enrollment and tracked-entity queries: fixed columns first, then the items."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh.sandbox.analytics import numbers
from dhis2sh.sandbox.analytics.aggregate import RULES
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.events import EventQuery, QueryItem
from dhis2sh.sandbox.analytics.grid import Grid, Header, moment, name_path, number
from dhis2sh.sandbox.analytics.query import LABELS
from dhis2sh.sandbox.analytics.records import Record, fill_values, is_number, options_of, person, records, timestamp
from dhis2sh.sandbox.data.model import Model, reference, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.metadata.value_types import BOOLEAN_TYPES, NUMERIC_TYPES
from dhis2sh.sandbox.refused import not_imitated

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
    fetched, shown = rows, rows
    skip_meta = params.boolean(query, "skipMeta")
    if size and params.boolean(query, "paging", True):
        # Without a total the server fetches one row more to see whether there is a next page.
        more = found.kind == "trackedEntity" or not params.boolean(query, "totalPages", found.kind == "event")
        fetched = rows[(page - 1) * size : page * size + more]
        shown = fetched if skip_meta and found.kind == "trackedEntity" else fetched[:size]
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
    if not skip_meta:
        grid.meta = metadata(found, fetched)
        if params.boolean(query, "paging", True):
            pager = _pager(found, query, len(rows), page, size, last=0 < len(fetched) <= size)
            grid.meta = {"pager": pager, **grid.meta}
    if query.get("headers"):
        _only(grid, params.many(query, "headers"), found)
    return grid


def _only(grid: Grid, names: Sequence[str], found: EventQuery) -> None:
    """Keep the columns that `headers` names. Raises `Refused`."""
    tracked = found.kind == "trackedEntity"
    known = {header.name for header in grid.headers}
    for name in names:
        if name not in known:
            raise refusal("E7224" if tracked else "E7230", name)
    grid.only(names)
    if tracked and grid.meta and "ouname" in names:
        items = cast("JsonObject", grid.meta["items"])
        items["ouname"] = {"name": "Organisation Unit Name", "dimensionType": "ORGANISATION_UNIT"}


def _pager(found: EventQuery, query: QueryParams, total: int, page: int, size: int, *, last: bool) -> JsonObject:
    counted = params.boolean(query, "totalPages", found.kind == "event")
    if counted:
        return {"page": page, "total": total, "pageSize": size, "pageCount": math.ceil(total / size) if size else 1}
    return {"page": page, "pageSize": size, "isLastPage": last}


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
    for item in found.items:
        if item.plural == "trackedEntityAttributes":
            found_attributes[item.uid] = None
    named = {item.uid: item for item in found.items}
    attributes = [
        named.get(uid) or QueryItem(uid, uid, "trackedEntityAttributes", None) for uid in sorted(found_attributes)
    ]
    elements = [item for item in found.items if item.plural != "trackedEntityAttributes"]
    found.items = attributes + elements
    stages = {item.stage for item in elements if item.stage}
    for program in programs:
        found.names[str(program["id"])] = {"name": program.get("name")}
        for stage in references(program, "programStages"):
            if not stages or stage in stages:
                found.names[stage] = {"name": model.name("programStages", stage)}


def _item_header(model: Model, item: QueryItem) -> Header:
    body = model.body(item.plural, item.uid)
    kind = "TEXT" if item.legend_set else str(body.get("valueType") or "TEXT")
    column = str(body.get("name") or item.uid)
    if item.program:
        column = ", ".join(
            [column, model.name("programs", item.program), model.name("programStages", item.stage or "")]
        )
    header = Header(item.name, column, kind)
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
        whole = str(model.body(item.plural, item.uid).get("valueType")).startswith("INTEGER")
        try:
            return str(int(value)) if whole else numbers.java_double(float(value))
        except ValueError:
            return value
    return value


def _sort(rows: list[Record], columns: Sequence[Column], found: EventQuery, query: QueryParams) -> None:
    """Sort by `asc` and `desc`, each naming columns. Raises `Refused`."""
    by_name = {column.header.name: column for column in columns}
    named = {text: item.name for item in found.items for text in (item.name, item.uid)}
    for direction in ("asc", "desc"):
        for name in reversed(params.many(query, direction)):
            column = by_name.get(name.lower())
            if column is None and name not in named and name != "ou":
                raise refusal("E7224", name)

            def key(row: Record, name: str = name, column: Column | None = column) -> tuple[float, str]:
                text = column.text(found.model, row) if column else row.values.get(named.get(name, ""), "")
                try:
                    return float(text), ""
                except ValueError:
                    return math.inf, text

            rows.sort(key=key, reverse=direction == "desc")


# Metadata ------------------------------------------------------------------------------------------------------------


def metadata(found: EventQuery, rows: Sequence[Record] | None) -> JsonObject:
    """The metadata block of a query.

    Parameters:
        rows: whose options are described; None describes all of them, as aggregates have it.
    """
    model = found.model
    items: JsonObject = dict(found.names)
    if found.program:
        items[found.program] = {"name": model.name("programs", found.program)}
        for stage in found.stages:
            items[stage] = {"name": model.name("programStages", stage)}
    for unit in found.units:
        items.setdefault(unit, {"name": model.name("organisationUnits", unit)})
    periods = [*(period.iso for period in found.periods), *found.dated]
    if rows is not None and found.kind != "trackedEntity":
        periods = []  # a query has no periods any more, only the time from the first to the last of them
        items.pop("pe", None)
    dimensions: JsonObject = {"pe": cast("list[JsonValue]", periods)}
    if found.units:
        dimensions["ou"] = cast("list[JsonValue]", list(found.units))
    for item in found.items:
        name: JsonObject = {"name": model.name(item.plural, item.uid)}
        options = _item_options(model, item, items, rows)
        items[item.uid] = name
        if rows is not None:
            items[item.name] = name
        bare = bool(item.program) or (rows is None and bool(options) and item.legend_set is None)
        dimensions[item.uid if bare else item.name] = cast("list[JsonValue]", options)
    return {"items": items, "dimensions": dimensions}


def _item_options(model: Model, item: QueryItem, items: JsonObject, rows: Sequence[Record] | None) -> list[str]:
    """The options or legends of an item, described in the metadata; of a query's rows those that occur in them."""
    if item.legend_set:
        return _legend_names(model, item, items)
    option_set = reference(model.body(item.plural, item.uid), "optionSet")
    if option_set is None:
        return []
    options = options_of(model, item)
    wanted = {text for operator, texts in item.tests if operator == "IN" for text in texts.split(";")}
    if rows is not None:
        wanted = {row.values[item.name] for row in rows if item.name in row.values}
    if wanted or rows is not None:
        options = [uid for uid in options if model.body("options", uid).get("code") in wanted]
    for uid in options:
        body = model.body("options", uid)
        items[uid] = {"code": body.get("code"), "name": body.get("name")}
    if rows is not None and options:
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
    kind = (query.get("aggregationType") or "").upper()
    for place, total in _totals(store, found, shape, axes, rows, measured, kind, query):
        text = numbers.plain(total) if measured is None and not shape.summed else numbers.java_double(total)
        grid.rows.append([*place, text])
    order = (query.get("sortOrder") or "").upper()
    if order in {"ASC", "DESC"}:
        grid.rows.sort(key=lambda row: float(row[-1]), reverse=order == "DESC")
    limit = params.integer(query, "limit", 0)
    grid.rows = grid.rows[:limit] if limit > 0 else grid.rows
    if params.boolean(query, "tableLayout"):
        return _laid_out(grid, found, query)
    if not params.boolean(query, "skipMeta"):
        hierarchy: JsonObject = {}
        if params.boolean(query, "showHierarchy"):
            hierarchy["ouNameHierarchy"] = {uid: name_path(found.model, uid) for uid in found.units}
        grid.meta = hierarchy | metadata(found, None)
    return grid


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
    output = query.get("outputType") or "EVENT"
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
        axes[item.name] = _item_header(found.model, item)
        axes[item.name].name = item.uid if item.legend_set is None else item.name
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
    """The numeric element or attribute that `value` names. Raises `Refused`."""
    for plural in ("dataElements", "trackedEntityAttributes"):
        if found.model.exists(plural, value):
            item = QueryItem(value, value, plural, found.stage)
            if is_number(found.model, item):
                return item
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
