"""Event, enrollment and tracked-entity analytics: rows of the tracker's tables as grids.

API source: `AbstractAnalyticsService`, `EventQueryParams` (api-facts g.4 and the recordings).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.dhis2.periods import FinancialYearStart, Period, RelativePeriod
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.query import LABELS, UnitReader, Viewer
from dhis2sh.sandbox.data.model import Model, read_period, reference, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.java.order import hashed
from dhis2sh.sandbox.metadata.period_names import period_name, relative_name
from dhis2sh.sandbox.refused import Refused, not_imitated

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.types import JsonObject

type Kind = Literal["event", "enrollment", "trackedEntity"]

_ITEM = re.compile(
    r"(?:(?P<program>[a-zA-Z]\w{10})\.(?=\w{11}(?:\[-?\d+\])?\.))?(?:(?P<stage>[a-zA-Z]\w{10})(?:\[-?\d+\])?\.)?"
    r"(?P<uid>[a-zA-Z]\w{10})(?:-(?P<legends>[a-zA-Z]\w{10}))?"
)
_OPERATORS = {"NEQ": "NE", "NIEQ": "!IEQ", "NLIKE": "!LIKE", "NILIKE": "!ILIKE"}
"""Operators that are others under another name."""
_UNKNOWN_OPERATORS = ("SW", "EW", "NIN", "NGT", "NGE", "NLT", "NLE")
_STATUSES = {
    "eventStatus": ("org.hisp.dhis.event.EventStatus",
                    ("ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED")),
    "programStatus": ("org.hisp.dhis.program.EnrollmentStatus", ("ACTIVE", "COMPLETED", "CANCELLED")),
}  # fmt: skip
"""The parameters that name statuses: the server's class, and what it has."""
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
TIME_FIELDS = {
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
    program: str | None = None
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
                holds = _TESTS[operator.lstrip("!")](value, wanted)
            if holds == negative:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Span:
    """A time span that a field must lie in; for tracked entities, in a program and a stage of it if they are named."""

    field: str
    start: dt.date
    end: dt.date
    program: str | None = None
    stage: str | None = None


@dataclass(slots=True)
class EventQuery:
    """A query over events, enrollments or tracked entities, resolved.

    Parameters:
        dated: the periods of parameters like `eventDate`, as the metadata of tracked entities names them.
        limited: the same by field.
        statuses: of programs, that rows must have.
        unnamed: items that the metadata does not name.
    """

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
    spans: list[Span] = field(default_factory=list[Span])
    dated: list[str] = field(default_factory=list[str])
    limited: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    statuses: list[str] = field(default_factory=list[str])
    unnamed: set[str] = field(default_factory=set[str])
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
            raise refusal("E7125", uid)
        found.type = uid
        unknown = [program for program in params.many(query, "program") if not model.exists("programs", program)]
        if unknown:
            raise refusal("E7129", f"[{', '.join(unknown)}]")
    else:
        if not model.exists("programs", uid):
            raise refusal("E7129", uid)
        found.program = uid
    stage = query.get("stage")
    if stage and kind == "event":
        if not model.exists("programStages", stage):
            raise refusal("E7130", stage)
        found.stage = stage
    _demand_statuses(query)
    found.statuses = params.many(query, "programStatus")
    for name, is_filter in (("dimension", False), ("filter", True)):
        for text in hashed(dict.fromkeys(query.getlist(name))):  # the server keeps them in a set
            _dimension(found, text, is_filter, query, viewer, financial)
    if not found.units and kind == "trackedEntity" and any(model.level(uid) > 1 for uid in viewer.limits):
        raise not_imitated("tracked entities of all org units for a user who may view some")
    if not found.units and kind != "trackedEntity" and viewer.limits:
        found.units, found.unit_filter, found.names["ou"] = list(viewer.limits), True, {}
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
                found.names[what[1]] = _described(found.model, *what)
            else:
                found.names[key] = {"organisationUnits": list(what)}
        for unit in boundary:
            found.names[unit] = _described(found.model, "organisationUnits", unit)
        found.units, found.unit_filter = units, is_filter
        found.names["ou"] = {"name": LABELS["ou"]}
        found.order.append("ou")
    elif name == "pe":
        found.periods = _periods(found, parts, params.date(query, "relativePeriodDate"), financial)
        found.period_filter = is_filter
        found.names["pe"] = {"name": LABELS["pe"]}
        found.order.append("pe")
    else:
        item = _item(found, name, text)
        item.filter = is_filter
        found.items.append(item)
        found.order.append(item.name)


def _described(model: Model, plural: str, uid: str) -> JsonObject:
    """An object that led to org units: its UID, its code if it has one, its name."""
    code = model.body(plural, uid).get("code")
    return {"uid": uid, **({"code": code} if code else {}), "name": model.name(plural, uid)}


def _demand_statuses(query: QueryParams) -> None:
    """Raise `Refused` with 400 for a status that there is not."""
    for name, (kind, known) in _STATUSES.items():
        for text in params.many(query, name):
            if text not in known:
                words = f"Value '{text}' is not valid for parameter {name}.  Cannot convert {text} to class {kind}"
                raise Refused(400, words)


def _item(found: EventQuery, name: str, text: str) -> QueryItem:
    """A data element or attribute of the program, with its conditions. Raises `Refused`.

    Parameters:
        text: the whole dimension.
    """
    matched = _ITEM.fullmatch(name)
    uid = matched["uid"] if matched else name
    if matched and matched["program"] and found.kind != "trackedEntity":
        raise refusal("E7224", name)
    for plural in ("dataElements", "trackedEntityAttributes"):
        if found.model.exists(plural, uid):
            stage = (matched["stage"] if matched else None) or found.stage
            item = QueryItem(name, uid, plural, stage, _tests_of(text), program=matched["program"] if matched else None)
            if matched and matched["legends"]:
                _legends(found.model, item, matched["legends"])
            return item
    raise refusal("E7224", name)


def _tests_of(text: str) -> list[tuple[str, str]]:
    """The conditions of a dimension `item:OP:value:OP:value`. Raises `Refused` for half of one, and for no operator."""
    tokens = text.rstrip(":").split(":")[1:]
    if len(tokens) % 2:
        raise refusal("E7222", text)
    found: list[tuple[str, str]] = []
    for word, wanted in zip(tokens[::2], tokens[1::2], strict=True):
        operator = _OPERATORS.get(word.upper(), word.upper())
        if operator.lstrip("!") in _UNKNOWN_OPERATORS:
            raise not_imitated(f"the operator {word} of analytics")
        if operator.lstrip("!") not in _TESTS:
            raise Refused(400, f"No enum constant org.hisp.dhis.common.QueryOperator.{word.upper()}")
        found.append((operator, wanted))
    return found


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
    if name not in TIME_FIELDS:
        raise refusal("E7210", query.get("timeField"))
    start, end = params.date(query, "startDate"), params.date(query, "endDate")
    if start and end:
        found.spans.append(Span(name, start, end))
    today = params.date(query, "relativePeriodDate")
    for parameter, field_name in _DATE_PARAMS.items():
        text = query.get(parameter)
        if text:
            _dated(found, field_name, text, today, financial)


def _dated(found: EventQuery, field_name: str, text: str, today: dt.date | None, financial: FinancialYearStart) -> None:
    """A parameter that is a time span of its own: `2025-01-01_2025-02-28`, periods, for tracked entities of a program."""
    tracked = found.kind == "trackedEntity"
    *prefix, value = text.split(".") if tracked else [text]
    program, stage = (*prefix, None, None)[:2]
    if tracked:
        found.names["pe"] = {"name": LABELS["pe"]}
        if prefix:
            found.names[".".join([*prefix, "pe"])] = {"name": LABELS["pe"]}
    first, _, last = value.partition("_")
    try:
        start, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    except ValueError:
        shown = dict(found.names)
        periods = _periods(found, value.split(";"), today, financial)
        start, end = min(period.start for period in periods), max(period.end for period in periods)
        found.limited[field_name] = [period.iso for period in periods]
        if tracked:
            found.dated += [period.iso for period in periods]
        elif not found.model.store.version.newer_event_grids:  # of a relative period only itself is named
            named = [part for part in value.split(";") if part in found.names]
            found.names = shown | {part: found.names[part] for part in named}
    else:
        found.names[value] = {"name": f"{start} - {end}"}
        day = f"{start:%Y%m%d}"
        found.limited[field_name] = [day]
        if tracked or found.model.store.version.newer_event_grids:
            found.names[day] = {"name": start.isoformat()}
        if tracked:
            found.dated.append(day)
    found.spans.append(Span(field_name, start, end, program, stage))


def _check(found: EventQuery, query: QueryParams) -> None:
    """The server's checks; of several that fail the last one is said. Raises `Refused`."""
    start, end = params.date(query, "startDate"), params.date(query, "endDate")
    page, size = params.integer(query, "page", 1), params.integer(query, "pageSize", 50)
    names = [item.name for item in found.items]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    timed = found.kind == "trackedEntity" or bool(found.periods) or bool(found.spans)
    checks: tuple[tuple[bool, str, tuple[object, ...]], ...] = (
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
