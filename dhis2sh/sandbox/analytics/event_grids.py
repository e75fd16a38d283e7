"""The grids of event, enrollment and tracked-entity queries: fixed columns first, then the items."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.events import EventQuery, QueryItem
from dhis2sh.sandbox.analytics.grid import Grid, Header, moment, name_path, number
from dhis2sh.sandbox.analytics.records import Record, is_number, options_of, person, records, timestamp
from dhis2sh.sandbox.data.model import Model, reference, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.java import numbers

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


def _nothing(model: Model, record: Record) -> str:
    """The text of a column that is there and empty."""
    return ""


def _time(name: str, label: str, column: str) -> Column:
    return _column(moment(name, label), column, timestamp)


def _user(name: str, label: str, column: str) -> Column:
    return _column(Header(name, label), column, person)


def _place(empty: str, *, enrollment: bool = False) -> list[Column]:
    """Geometry, and where it is.

    Parameters:
        empty: stands for no coordinate.
        enrollment: with the geometry of the enrollment.
    """

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
        *([_plain("enrollmentgeometry", "Enrollment geometry", "enrollment_geometry")] if enrollment else []),
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
    version = model.store.version
    if found.kind == "trackedEntity":
        named = ("trackedentityinstanceuid", "Tracked entity instance")
        return [
            _plain(*(named if version.older_entity_grids else ("trackedentity", "Tracked entity")), "uid"), _time("lastupdated", "Last updated", "updated_at"),
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
    if version.newer_event_grids:
        changes += [_time("created", "Created on", "created_at"), _time("completed", "Completed on", "completed_at")]
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
        _plain("tei", "Tracked entity instance" if version.older_entity_grids else "Tracked entity", "tei"), _plain("pi", "Program instance", "pi"),
    ]  # fmt: skip
    status = _plain("programstatus", "Program status", "program_status")
    if version.newer_event_grids and not registered:
        status = Column(status.header, _nothing)
    return [
        _plain("psi", "Event", "uid"), _plain("ps", "Program stage", "program_stage"),
        _time("eventdate", happened, "occurred_at"), *changes, _time("scheduleddate", due, "scheduled_at"),
        *(tracked if registered else []), *_place("0.0", enrollment=version.newer_event_grids), *unit,
        status,
        _plain("eventstatus", "Event status", "status"),
    ]  # fmt: skip


def query_grid(store: Store, found: EventQuery, query: QueryParams) -> Grid:
    """The grid of a query: one row each, a page of them."""
    if found.kind == "trackedEntity":
        _add_attributes(found, query)
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
    headers += [item_header(found.model, item) for item in items]
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
        grid.meta = hierarchy(found, query) | metadata(found, fetched)
        if params.boolean(query, "paging", True):
            pager = _pager(found, query, len(rows), page, size, last=0 < len(fetched) <= size)
            grid.meta = {"pager": pager, **grid.meta}
    if query.get("headers"):
        _only(grid, params.many(query, "headers"), found)
    return grid


def hierarchy(found: EventQuery, query: QueryParams) -> JsonObject:
    """`ouHierarchy` and `ouNameHierarchy` of the org units that are asked for."""
    meta: JsonObject = {}
    if params.boolean(query, "hierarchyMeta"):
        meta["ouHierarchy"] = {uid: "/".join(found.model.path(uid)[:-1]) for uid in found.units}
    if params.boolean(query, "showHierarchy"):
        meta["ouNameHierarchy"] = {uid: name_path(found.model, uid) for uid in found.units}
    return meta


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


def _add_attributes(found: EventQuery, query: QueryParams) -> None:
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
    if found.model.store.version.older_entity_grids:
        programs = [body for body in programs if body.get("id") in params.many(query, "program")]
        asked = {*named, *params.many(query, "asc"), *params.many(query, "desc")}
        found.unnamed = {item.uid for item in attributes if item.uid not in asked}
    for program in programs:
        found.names[str(program["id"])] = {"name": program.get("name")}
        for stage in references(program, "programStages"):
            if not stages or stage in stages:
                found.names[stage] = {"name": model.name("programStages", stage)}


def item_header(model: Model, item: QueryItem) -> Header:
    """The column of an item: its type, and the option set or legend set that its values are of."""
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
        newer = model.store.version.newer_event_grids
        if item.uid not in found.unnamed:
            items[item.uid] = name
            if rows is not None or newer:
                items[item.name] = name
            if item.program and newer:
                items[f"{item.stage}.{item.uid}"] = name
        bare = bool(item.program) or (rows is None and bool(options) and item.legend_set is None and not newer)
        dimensions[item.uid if bare else item.name] = cast("list[JsonValue]", options)
    if rows is not None and found.kind != "trackedEntity" and model.store.version.newer_event_grids:
        _name_limits(found, items, dimensions)
    return {"items": items, "dimensions": dimensions}


def _name_limits(found: EventQuery, items: JsonObject, dimensions: JsonObject) -> None:
    """What limits a query besides its dimensions, as dimensions of their own; and periods without a name."""
    if found.periods or found.limited:
        items["pe"] = {}
    labels = {column.header.name: column.header.column for column in columns_of(found)}
    labels["lastupdated"] = "Last updated"
    for field_name, periods in found.limited.items():
        name = field_name.replace("_", "").lower()
        items[name] = {"name": labels.get(name)}
        dimensions[name] = cast("list[JsonValue]", periods)
    if found.statuses:
        items["programstatus"] = {"name": labels["programstatus"]}
        dimensions["programstatus"] = cast("list[JsonValue]", found.statuses)
        for status in found.statuses:
            items[status] = {"name": status.capitalize()}


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
