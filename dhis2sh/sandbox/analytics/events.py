"""Event, enrollment and tracked-entity analytics: rows of the tracker's tables as grids.

API source: `AbstractAnalyticsService`, `EventQueryParams` (api-facts g.4 and the recordings).
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.dhis2.periods import FinancialYearStart, Period, RelativePeriod
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.query import LABELS, UnitReader, Viewer
from dhis2sh.sandbox.data.model import Model, read_period, reference, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.metadata.period_names import period_name, relative_name
from dhis2sh.sandbox.metadata.value_types import NUMERIC_TYPES

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject

type Kind = Literal["event", "enrollment", "trackedEntity"]

_ITEM = re.compile(r"(?:([a-zA-Z]\w{10})(?:\[-?\d+\])?\.)?([a-zA-Z]\w{10})(?:-([a-zA-Z]\w{10}))?")
_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "EQ": lambda a, b: a == b,
    "IEQ": lambda a, b: a.lower() == b.lower(),
    "NE": lambda a, b: a != b,
    "LIKE": lambda a, b: b in a,
    "ILIKE": lambda a, b: b.lower() in a.lower(),
    "IN": lambda a, b: a in b.split(";"),
    "GT": lambda a, b: _ordered(a, b) > 0,
    "GE": lambda a, b: _ordered(a, b) >= 0,
    "LT": lambda a, b: _ordered(a, b) < 0,
    "LE": lambda a, b: _ordered(a, b) <= 0,
}
_TIME_FIELDS = {
    "EVENT_DATE": "event.occurred_at", "OCCURRED_DATE": "event.occurred_at", "SCHEDULED_DATE": "event.scheduled_at",
    "ENROLLMENT_DATE": "enrollment.enrolled_at", "INCIDENT_DATE": "enrollment.occurred_at",
    "LAST_UPDATED": "{row}.updated_at", "CREATED": "{row}.created_at",
}  # fmt: skip
_DATE_PARAMS = {
    "eventDate": "EVENT_DATE", "occurredDate": "OCCURRED_DATE", "enrollmentDate": "ENROLLMENT_DATE",
    "scheduledDate": "SCHEDULED_DATE", "incidentDate": "INCIDENT_DATE", "lastUpdated": "LAST_UPDATED",
    "created": "CREATED",
}  # fmt: skip
"""Parameters that are a time span over one field of their own."""


def _ordered(left: str, right: str) -> int:
    """-1, 0 or 1: numbers by size, everything else by its characters."""
    try:
        a, b = float(left), float(right)
    except ValueError:
        return (left > right) - (left < right)
    return (a > b) - (a < b)


@dataclass(slots=True)
class QueryItem:
    """A data element or attribute that is a column, with the conditions on its value."""

    name: str
    uid: str
    plural: str
    stage: str | None
    tests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    filter: bool = False
    legend_set: str | None = None
    legends: list[tuple[float, float, str]] = field(default_factory=list[tuple[float, float, str]])

    def shown(self, value: str) -> str | None:
        """A value as the query sees it: the legend that it falls into where a legend set is asked for."""
        if self.legend_set is None:
            return value
        try:
            number = float(value)
        except ValueError:
            return None
        return next((uid for start, end, uid in self.legends if start <= number < end), None)

    def meets(self, value: str | None) -> bool:
        """Does a value meet every condition? `NV` stands for no value."""
        for operator, wanted in self.tests:
            negative = operator.startswith("!")
            if wanted == "NV":
                holds = value is None
            elif value is None:
                return False
            else:
                test = _TESTS.get(operator.lstrip("!"))
                if test is None:
                    raise refusal("E7222", f"{self.name}:{operator}")
                holds = test(value, wanted)
            if holds == negative:
                return False
        return True


@dataclass(slots=True)
class EventQuery:
    """A query over events, enrollments or tracked entities, resolved."""

    model: Model
    kind: Kind
    program: str | None = None
    type: str | None = None
    stage: str | None = None
    units: list[str] = field(default_factory=list[str])
    unit_filter: bool = False
    items: list[QueryItem] = field(default_factory=list[QueryItem])
    periods: list[Period] = field(default_factory=list[Period])
    period_filter: bool = False
    spans: list[tuple[str, dt.date, dt.date]] = field(default_factory=list[tuple[str, dt.date, dt.date]])
    order: list[str] = field(default_factory=list[str])
    names: dict[str, JsonObject] = field(default_factory=dict[str, "JsonObject"])

    @property
    def stages(self) -> list[str]:
        """The stages of the program, or the one that is asked for."""
        if self.stage:
            return [self.stage]
        return references(self.model.body("programs", self.program or ""), "programStages")


def read_events(
    query: QueryParams, model: Model, kind: Kind, uid: str, viewer: Viewer, financial: FinancialYearStart
) -> EventQuery:
    """Read and check the parameters of a query.

    Parameters:
        uid: of the program; of the tracked entity type for tracked entities.

    Raises `Refused`.
    """
    found = EventQuery(model, kind)
    if kind == "trackedEntity":
        if not model.exists("trackedEntityTypes", uid):
            raise refusal("E7129", uid)
        found.type = uid
    else:
        if not model.exists("programs", uid):
            raise refusal("E7129", uid)
        found.program = uid
    stage = query.get("stage")
    if stage and kind == "event":
        if not model.exists("programStages", stage):
            raise refusal("E7130", stage)
        found.stage = stage
    for name, is_filter in (("dimension", False), ("filter", True)):
        for text in query.getlist(name):
            _dimension(found, text, is_filter, query, viewer, financial)
    _dates(found, query, financial)
    _check(found, query)
    return found


def _dimension(
    found: EventQuery, text: str, is_filter: bool, query: QueryParams, viewer: Viewer,
    financial: FinancialYearStart,
) -> None:  # fmt: skip
    name, _, rest = text.partition(":")
    parts = [part for part in rest.split(";") if part]
    if name == "ou":
        units, reached, boundary = UnitReader(found.model, viewer).read(parts)
        for key, what in reached.items():
            if isinstance(what, tuple):
                found.names[what[1]] = {"uid": what[1], "name": found.model.name(what[0], what[1])}
            else:
                found.names[key] = {"organisationUnits": list(what)}
        for unit in boundary:
            found.names.setdefault(unit, {"name": found.model.name("organisationUnits", unit)})
        found.units, found.unit_filter = units, is_filter
        found.names["ou"] = {"name": LABELS["ou"]}
        found.order.append("ou")
    elif name == "pe":
        found.periods = _periods(found, parts, params.date(query, "relativePeriodDate"), financial)
        found.period_filter = is_filter
        found.names["pe"] = {"name": LABELS["pe"]}
        found.order.append("pe")
    else:
        item = _item(found, name, rest)
        item.filter = is_filter
        found.items.append(item)
        found.order.append(item.name)


def _item(found: EventQuery, name: str, rest: str) -> QueryItem:
    """A data element or attribute of the program, with its conditions. Raises `Refused`."""
    matched = _ITEM.fullmatch(name)
    stage, uid = (matched[1], matched[2]) if matched else (None, name)
    for plural in ("dataElements", "trackedEntityAttributes"):
        if found.model.exists(plural, uid):
            tokens = rest.split(":") if rest else []
            pairs = list(zip(tokens[::2], tokens[1::2], strict=False))
            item = QueryItem(name, uid, plural, stage or found.stage, pairs)
            if matched and matched[3]:
                _legends(found.model, item, matched[3])
            return item
    raise refusal("E7224", name)


def _legends(model: Model, item: QueryItem, legend_set: str) -> None:
    """Group an item's values by a legend set. Raises `Refused`."""
    if not model.exists("legendSets", legend_set):
        raise refusal("E7224", item.name)
    if reference(model.body(item.plural, item.uid), "optionSet"):
        raise refusal("E7215", item.name)
    item.legend_set = legend_set
    for legend in cast("list[JsonObject]", model.body("legendSets", legend_set).get("legends") or []):
        body = {**model.body("legends", str(legend["id"])), **legend}
        item.legends.append(
            (cast("float", body.get("startValue") or 0), cast("float", body.get("endValue") or 0), str(legend["id"]))
        )
    item.legends.sort()


def _periods(
    found: EventQuery, texts: Iterable[str], today: dt.date | None, financial: FinancialYearStart
) -> list[Period]:
    periods: list[Period] = []
    for text in texts:
        if text in RelativePeriod.__members__:
            found.names[text] = {"name": relative_name(RelativePeriod(text))}
            periods += RelativePeriod(text).resolve(today, financial_year_start=financial)
            continue
        period = read_period(text.partition(":")[0])
        if period is None:
            raise refusal("E7611", text)
        periods.append(period)
    periods = sorted(dict.fromkeys(periods))
    for period in periods:
        found.names[period.iso] = {"name": period_name(period)}
    return periods


def _dates(found: EventQuery, query: QueryParams, financial: FinancialYearStart) -> None:
    """The time spans that rows must lie in, over the fields that they are about."""
    own = "ENROLLMENT_DATE" if found.kind == "enrollment" else "EVENT_DATE"
    name = (query.get("timeField") or own).upper()
    if name not in _TIME_FIELDS:
        raise refusal("E7210", query.get("timeField"))
    start, end = params.date(query, "startDate"), params.date(query, "endDate")
    if start and end:
        found.spans.append((name, start, end))
    today = params.date(query, "relativePeriodDate")
    for parameter, field_name in _DATE_PARAMS.items():
        text = query.get(parameter)
        if not text:
            continue
        first, _, last = text.partition("_")
        try:
            found.spans.append((field_name, dt.date.fromisoformat(first), dt.date.fromisoformat(last)))
        except ValueError:
            periods = _periods(found, text.split(";"), today, financial)
            found.spans.append((field_name, periods[0].start, periods[-1].end))


def _check(found: EventQuery, query: QueryParams) -> None:
    """The server's checks; of several that fail the last one is said. Raises `Refused`."""
    start, end = params.date(query, "startDate"), params.date(query, "endDate")
    page, size = params.integer(query, "page", 1), params.integer(query, "pageSize", 50)
    names = [item.name for item in found.items]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    timed = found.kind == "trackedEntity" or bool(found.periods) or bool(found.spans)
    checks: tuple[tuple[bool, str, tuple[object, ...]], ...] = (
        (not found.units, "E7200", ()),
        (bool(twice), "E7202", (f"[{', '.join(twice)}]",)),
        (not timed, "E7205", ()),
        (start is not None and end is not None and start > end, "E7206", (start, end)),
        (page < 1, "E7207", (page,)),
        (size < 0, "E7208", (size,)),
    )
    failed = [(code, texts) for fails, code, texts in checks if fails]
    if failed:
        code, texts = failed[-1]
        raise refusal(code, *texts)


# Rows ----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Record:
    """One event, enrollment or tracked entity with what it belongs to, and the values of the items."""

    row: sqlite3.Row
    number: int
    values: dict[str, str]
    date: str

    def text(self, column: str) -> str:
        """A column as text; empty for nothing."""
        value = self.row[column]
        return "" if value is None else str(value)


_SELECT = {
    "event": (
        "event.*, enrollment.status AS program_status, enrollment.enrolled_at AS enrolled_at, "
        "enrollment.occurred_at AS incident_at, event.tracked_entity AS tei, event.enrollment AS pi, u.number AS number",
        "event LEFT JOIN enrollment ON enrollment.uid = event.enrollment JOIN analytics_org_unit u "
        "ON u.uid = event.org_unit",
        "event.program = ? AND event.occurred_at IS NOT NULL",
    ),
    "enrollment": (
        "enrollment.*, enrollment.occurred_at AS incident_at, u.number AS number",
        "enrollment JOIN analytics_org_unit u ON u.uid = enrollment.org_unit",
        "enrollment.program = ?",
    ),
    "trackedEntity": (
        "tracked_entity.*, u.number AS number",
        "tracked_entity JOIN analytics_org_unit u ON u.uid = tracked_entity.org_unit",
        "tracked_entity.tracked_entity_type = ?",
    ),
}
_TABLE = {"event": "event", "enrollment": "enrollment", "trackedEntity": "tracked_entity"}
_DATE = {"event": "occurred_at", "enrollment": "enrolled_at", "trackedEntity": "created_at"}


def records(store: Store, found: EventQuery, query: QueryParams) -> list[Record]:
    """The rows of a query, in the order in which they were stored."""
    columns, tables, where = _SELECT[found.kind]
    table = _TABLE[found.kind]
    conditions, parameters = [where, f"NOT {table}.deleted"], [found.program or found.type]
    for condition, values in _conditions(store, found, query):
        conditions.append(condition)
        parameters += values
    sql = f"SELECT {columns} FROM {tables} WHERE {' AND '.join(conditions)} ORDER BY {table}.id"
    cursor = store.connection.cursor()
    cursor.row_factory = _row_factory
    rows = cast("list[sqlite3.Row]", cursor.execute(sql, parameters).fetchall())
    found_records = [Record(row, int(row["number"]), {}, str(row[_DATE[found.kind]] or "")) for row in rows]
    if found.periods and (found.period_filter or found.kind != "trackedEntity"):
        found_records = [record for record in found_records if _in_periods(record.date, found.periods)]
    fill_values(store, found, found_records)
    return [record for record in found_records if all(item.meets(record.values.get(item.name)) for item in found.items)]


def _conditions(store: Store, found: EventQuery, query: QueryParams) -> Iterator[tuple[str, list[str]]]:
    """The conditions in SQL, each with its parameters: stage, status, times, program, org units."""
    if found.stage:
        yield "event.program_stage = ?", [found.stage]
    of_kind = {"event": ("eventStatus", "programStatus"), "enrollment": ("programStatus",), "trackedEntity": ()}
    for name in of_kind[found.kind]:
        wanted = [text.upper() for text in params.many(query, name)]
        if wanted:
            column = "event.status" if name == "eventStatus" else "enrollment.status"
            yield f"{column} IN ({','.join('?' * len(wanted))})", wanted
    for name, start, end in found.spans:
        column = _TIME_FIELDS[name].format(row=_TABLE[found.kind])
        within = _of(found.kind, column.partition(".")[0], f"substr({column}, 1, 10) BETWEEN ? AND ?")
        yield within, [start.isoformat(), end.isoformat()]
    for program in params.many(query, "program") if found.kind == "trackedEntity" else []:
        yield _of(found.kind, "enrollment", "enrollment.program = ?"), [program]
    spans = _spans(store, found.units)
    below = " OR ".join(["number BETWEEN ? AND ?"] * len(spans) or ["0"])
    yield f"({below})", [str(part) for span in spans for part in span]


_JOINS = {
    ("enrollment", "event"): "event.enrollment = enrollment.uid",
    ("trackedEntity", "event"): "event.tracked_entity = tracked_entity.uid",
    ("trackedEntity", "enrollment"): "enrollment.tracked_entity = tracked_entity.uid",
}
"""How rows of a kind have rows of a table below them."""


def _of(kind: Kind, table: str, condition: str) -> str:
    """A condition on a row itself, or on one of those below it."""
    join = _JOINS.get((kind, table))
    if join is None:
        return condition
    return f"EXISTS (SELECT 1 FROM {table} WHERE {join} AND NOT {table}.deleted AND {condition})"


def _row_factory(cursor: sqlite3.Cursor, row: tuple[object, ...]) -> object:
    return sqlite3.Row(cursor, row)


def _spans(store: Store, units: Sequence[str]) -> list[tuple[int, int]]:
    """The number intervals of org units, those that overlap joined."""
    known = dict[str, tuple[int, int]]()
    for uid, number, last in store.connection.execute("SELECT uid, number, last FROM analytics_org_unit"):
        known[uid] = (number, last)
    merged: list[tuple[int, int]] = []
    for first, last in sorted(known[uid] for uid in units if uid in known):
        if not merged or first > merged[-1][1] + 1:
            merged.append((first, last))
        elif last > merged[-1][1]:
            merged[-1] = (merged[-1][0], last)
    return merged


def _in_periods(text: str, periods: Iterable[Period]) -> bool:
    try:
        date = dt.date.fromisoformat(text[:10])
    except ValueError:
        return False
    return any(date in period for period in periods)


def fill_values(store: Store, found: EventQuery, rows: Sequence[Record]) -> None:
    """Put the values of the items into the records."""
    for item in found.items:
        values = _item_values(store, found, item)
        for record in rows:
            key = record.text("uid")
            if item.plural == "trackedEntityAttributes" and found.kind != "trackedEntity":
                key = record.text("tracked_entity")
            value = values.get(key)
            shown = None if value is None else item.shown(value)
            if shown is not None:
                record.values[item.name] = shown


def _item_values(store: Store, found: EventQuery, item: QueryItem) -> dict[str, str]:
    """The values of an item by event, enrollment or tracked entity; of several the newest."""
    if item.plural == "trackedEntityAttributes":
        rows = store.connection.execute(
            "SELECT tracked_entity, value FROM attribute_value WHERE attribute = ?", (item.uid,)
        )
    elif found.kind == "event":
        rows = store.connection.execute("SELECT event, value FROM event_value WHERE data_element = ?", (item.uid,))
    else:
        owner = "enrollment" if found.kind == "enrollment" else "tracked_entity"
        rows = store.connection.execute(
            f"SELECT e.{owner}, v.value FROM event_value v JOIN event e ON e.uid = v.event "
            "WHERE v.data_element = ? AND NOT e.deleted AND (? IS NULL OR e.program_stage = ?) ORDER BY e.occurred_at",
            (item.uid, item.stage, item.stage),
        )
    return {str(key): str(value) for key, value in rows if value is not None}


def options_of(model: Model, item: QueryItem) -> list[str]:
    """The options of an item's option set, in their order."""
    option_set = reference(model.body(item.plural, item.uid), "optionSet")
    if option_set is None:
        return []
    listed = references(model.body("optionSets", option_set), "options")
    return listed or model.store.inverse("options", "optionSet").get(option_set, [])


def is_number(model: Model, item: QueryItem) -> bool:
    """Are the values of an item numbers?"""
    return model.body(item.plural, item.uid).get("valueType") in NUMERIC_TYPES


def person(text: str | None) -> str:
    """`surname, first name (username)` of a stored user; empty for none."""
    if not text:
        return ""
    user = cast("JsonObject", json.loads(text))
    return f"{user.get('surname') or ''}, {user.get('firstName') or ''} ({user.get('username') or ''})"


def timestamp(text: str | None) -> str:
    """A stored time as a Java timestamp writes it: `2026-05-10 17:30:46.35`, `2025-07-15 00:00:00.0`."""
    if not text:
        return ""
    day, _, clock = text.replace("Z", "").partition("T")
    seconds, _, fraction = (clock or "00:00:00").partition(".")
    return f"{day} {seconds}.{fraction.rstrip('0') or '0'}"
