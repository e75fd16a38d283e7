"""Program items of aggregate queries: program data elements, attributes and indicators, added up from tracker rows.

API source: `DataHandler.addProgramDataElementAttributeIndicatorValues`, `ProgramIndicatorService` (api-facts g.1).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.formulas import BadExpression, Binary, Call, Item, Literal, Node, Unary, Value, evaluate, parse
from dhis2sh.sandbox.analytics.aggregate import Cell
from dhis2sh.sandbox.analytics.cells import Cells
from dhis2sh.sandbox.analytics.event_totals import combine
from dhis2sh.sandbox.analytics.items import DataItem, ItemKind
from dhis2sh.sandbox.data.model import reference
from dhis2sh.sandbox.metadata.value_types import BOOLEAN_TYPES, NUMERIC_TYPES

if TYPE_CHECKING:
    from dhis2sh.sandbox.data.model import Model

_DATES = {
    "event_date": "occurred_at", "execution_date": "occurred_at", "scheduled_date": "scheduled_at",
    "due_date": "scheduled_at", "enrollment_date": "enrolled_at", "incident_date": "incident_at",
}  # fmt: skip
_ONE = {"event_count", "enrollment_count", "tei_count", "org_unit_count", "value_count", "zero_pos_value_count"}


@dataclass(slots=True)
class Record:
    """One event, or one enrollment with the newest values of its events."""

    uid: str
    unit: int
    date: str
    fields: Mapping[str, str | None]
    values: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    attributes: dict[str, str] = field(default_factory=dict[str, str])

    def value(self, stage: str | None, element: str) -> str | None:
        """The value of an element, in a stage or in any."""
        if stage is not None:
            return self.values.get((stage, element))
        return next((text for (_, uid), text in self.values.items() if uid == element), None)


def program_values(cells: Cells, item: DataItem) -> dict[Cell, float]:
    """The values of a program item by period and the other axes; none where an axis is not about org units."""
    if any(axis.column != "ou" for axis in cells.axes):
        return {}
    body = cells.model.body(item.plural, item.uid)
    indicator = item.kind is ItemKind.PROGRAM_INDICATOR
    program = (reference(body, "program") or "") if indicator else item.program
    whole = indicator and body.get("analyticsType") == "ENROLLMENT"
    measure = _Indicator(cells.model, body).value if indicator else _single(cells.model, item)
    if measure is None:
        return {}
    found: dict[Cell, list[float]] = {}
    for record in _records(cells, program, whole=whole):
        places = list(_cells(cells, record))
        value = measure(record) if places else None
        if value is not None:
            for cell in places:
                found.setdefault(cell, []).append(value)
    kind = cells.options.aggregation or str(body.get("aggregationType") or "SUM")
    totals = {cell: combine(values, kind) for cell, values in found.items()}
    return {cell: total for cell, total in totals.items() if total is not None}


def is_text(model: Model, item: DataItem) -> bool:
    """Is an item of a program one whose values are no numbers?"""
    value_type = model.body(item.plural, item.uid).get("valueType")
    return item.kind is not ItemKind.PROGRAM_INDICATOR and value_type not in NUMERIC_TYPES | BOOLEAN_TYPES


def text_cells(cells: Cells, item: DataItem) -> Iterator[Cell]:
    """The cell of every event of a program: the server has a row without a value for each."""
    if any(axis.column != "ou" for axis in cells.axes):
        return
    for record in _records(cells, item.program, whole=False):
        yield from _cells(cells, record)


def _records(cells: Cells, program: str, *, whole: bool) -> list[Record]:
    """The events of a program, or its enrollments, with their values; oldest first."""
    connection = cells.tables.connection
    events = connection.execute(
        "SELECT e.uid, u.number, e.occurred_at, e.scheduled_at, e.status, e.program_stage, e.enrollment, "
        "n.tracked_entity, n.enrolled_at, n.occurred_at, n.uid, n.status "
        "FROM event e JOIN analytics_org_unit u ON u.uid = e.org_unit LEFT JOIN enrollment n ON n.uid = e.enrollment "
        "WHERE e.program = ? AND NOT e.deleted AND e.occurred_at IS NOT NULL ORDER BY e.occurred_at, e.id",
        (program,),
    ).fetchall()
    values: dict[str, list[tuple[str, str]]] = {}
    for event, element, value in connection.execute(
        "SELECT v.event, v.data_element, v.value FROM event_value v JOIN event e ON e.uid = v.event "
        "WHERE e.program = ? AND v.value IS NOT NULL",
        (program,),
    ):
        values.setdefault(event, []).append((element, value))
    attributes: dict[str, dict[str, str]] = {}
    for entity, attribute, value in connection.execute(
        "SELECT a.tracked_entity, a.attribute, a.value FROM attribute_value a WHERE a.value IS NOT NULL "
        "AND a.tracked_entity IN (SELECT tracked_entity FROM enrollment WHERE program = ?)",
        (program,),
    ):
        attributes.setdefault(entity, {})[attribute] = value
    found: dict[str, Record] = {}
    for row in events:
        uid, unit, occurred, scheduled, status, stage, enrollment, entity, enrolled, incident, known, state = row
        key = known if whole else uid
        if key is None:
            continue
        fields = {
            "occurred_at": occurred, "scheduled_at": scheduled, "enrolled_at": enrolled, "incident_at": incident,
            "event_status": status, "enrollment_status": state, "program_stage_id": stage, "enrollment": enrollment,
        }  # fmt: skip
        date = cast("str | None", enrolled if whole else occurred) or ""
        record = found.setdefault(key, Record(key, unit, date, fields, attributes=attributes.get(entity, {})))
        record.values.update({(stage, element): value for element, value in values.get(uid, [])})
    return list(found.values())


def _cells(cells: Cells, record: Record) -> Iterator[Cell]:
    """The cells of the query that a record belongs to."""
    periods = [
        name
        for name, spans in cells.spans
        if any(span.start.isoformat() <= record.date[:10] <= span.end.isoformat() for span in spans)
    ]
    places: list[tuple[str, ...]] = [(name,) for name in periods]
    for axis in cells.axes:
        items = [axis.items[at] for first, last, at in axis.spans if first <= record.unit <= last]
        places = [(*place, uid) for place in places for uid in items]
    yield from places


def _single(model: Model, item: DataItem) -> Callable[[Record], float | None] | None:
    """The number in one element or attribute; None for a type that is none."""
    value_type = model.body(item.plural, item.uid).get("valueType")
    if value_type not in NUMERIC_TYPES | BOOLEAN_TYPES:
        return None

    def value(record: Record) -> float | None:
        attribute = item.kind is ItemKind.PROGRAM_ATTRIBUTE
        text = record.attributes.get(item.uid) if attribute else record.value(None, item.uid)
        return _number(text)

    return value


def _number(text: str | None) -> float | None:
    if text in {"true", "false"}:
        return float(text == "true")
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


class _Indicator:
    """A program indicator: its filter and expression, evaluated for one record at a time.

    Parameters:
        body: the program indicator.
    """

    def __init__(self, model: Model, body: Mapping[str, object]) -> None:
        self.model = model
        self.expression, self.filter = self._parse(body.get("expression")), self._parse(body.get("filter"))

    def _parse(self, text: object) -> Node | None:
        try:
            return parse(str(text)) if text else None
        except BadExpression:
            return None

    def value(self, record: Record) -> float | None:
        """The value in a record; None where the filter leaves it out."""
        try:
            if self.filter is not None and not self._evaluate(self.filter, record):
                return None
            found = self._evaluate(self.expression, record) if self.expression is not None else None
        except (BadExpression, OverflowError, ValueError):
            return None
        if isinstance(found, bool):
            return float(found)
        return found if isinstance(found, (int, float)) else None

    def _evaluate(self, node: Node, record: Record) -> Value:
        return evaluate(self._resolved(node, record), lambda item: self._item(item, record))

    def _resolved(self, node: Node, record: Record) -> Node:
        """The tree with the functions that need the record replaced by their values."""
        match node:
            case Call(name, arguments) if name in _FUNCTIONS:
                return Literal(_FUNCTIONS[name](self, record, arguments))
            case Call(name, arguments):
                return Call(name, tuple(self._resolved(argument, record) for argument in arguments))
            case Unary(operator, operand):
                return Unary(operator, self._resolved(operand, record))
            case Binary(operator, left, right):
                return Binary(operator, self._resolved(left, record), self._resolved(right, record))
            case _:
                return node

    def _item(self, item: Item, record: Record) -> Value:
        """The value of a reference; what is missing is zero, or an empty text."""
        if item.kind == "V":
            return self._variable(item.parts[0], record)
        if item.kind == "C":
            return float(cast("float", self.model.body("constants", item.parts[0]).get("value") or 0))
        plural, uid = ("trackedEntityAttributes" if item.kind == "A" else "dataElements"), item.parts[-1]
        numeric = self.model.body(plural, uid).get("valueType") in NUMERIC_TYPES | BOOLEAN_TYPES
        text = self.raw(item, record)
        return (_number(text) or 0.0) if numeric else (text or "")

    def raw(self, item: Item, record: Record) -> str | None:
        """The stored text of a reference, None for none."""
        if item.kind == "A":
            return record.attributes.get(item.parts[0])
        if item.kind == "#":
            return record.value(item.parts[0] if len(item.parts) > 1 else None, ".".join(item.parts).rpartition(".")[2])
        if item.kind == "V":
            return record.fields.get(_DATES.get(item.parts[0], ""))
        return None

    def _variable(self, name: str, record: Record) -> Value:
        if name in _ONE:
            return 1.0
        if name in _DATES:
            return (record.fields.get(_DATES[name]) or "")[:10]
        if name == "program_stage_name":
            return self.model.name("programStages", record.fields.get("program_stage_id") or "")
        if name in {"current_date", "analytics_period_end"}:
            return dt.datetime.now(dt.UTC).date().isoformat()
        return record.fields.get(name)

    # Functions -----------------------------------------------------------------------------------------------------

    def text(self, node: Node, record: Record) -> str | None:
        """An argument as a stored text or a date."""
        if isinstance(node, Item):
            return self.raw(node, record)
        found = self._evaluate(node, record)
        return None if found is None else str(found)

    def condition(self, record: Record, arguments: Sequence[Node]) -> Value:
        """`d2:condition('test', yes, no)`."""
        test = parse(str(cast("Literal", arguments[0]).value))
        return self._evaluate(arguments[1 if self._evaluate(test, record) else 2], record)

    def has_value(self, record: Record, arguments: Sequence[Node]) -> Value:
        """`d2:hasValue(item)`."""
        return self.text(arguments[0], record) not in {None, ""}

    def count(self, record: Record, arguments: Sequence[Node]) -> Value:
        """`d2:count(item)`."""
        return float(bool(self.has_value(record, arguments)))

    def count_if(self, record: Record, arguments: Sequence[Node]) -> Value:
        """`d2:countIfValue(item, value)`."""
        return float(self._evaluate(Binary("==", arguments[0], arguments[1]), record) is True)

    def positive(self, record: Record, arguments: Sequence[Node]) -> Value:
        """`d2:zpvc(a, b, ...)`: how many are zero or more."""
        numbers = (_number(self.text(argument, record)) for argument in arguments)
        return float(sum(number is not None and number >= 0 for number in numbers))

    def days(self, record: Record, arguments: Sequence[Node]) -> Value:
        """`d2:daysBetween(first, second)`."""
        first, second = (_day(self.text(argument, record)) for argument in arguments[:2])
        return None if first is None or second is None else float((second - first).days)

    def weeks(self, record: Record, arguments: Sequence[Node]) -> Value:
        """`d2:weeksBetween(first, second)`."""
        days = self.days(record, arguments)
        return None if days is None else float(int(float(days) / 7))

    def months(self, record: Record, arguments: Sequence[Node]) -> Value:
        """`d2:monthsBetween(first, second)`."""
        first, second = (_day(self.text(argument, record)) for argument in arguments[:2])
        if first is None or second is None:
            return None
        return float((second.year - first.year) * 12 + second.month - first.month - (second.day < first.day))

    def years(self, record: Record, arguments: Sequence[Node]) -> Value:
        """`d2:yearsBetween(first, second)`."""
        months = self.months(record, arguments)
        return None if months is None else float(int(float(months) / 12))


def _day(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


_FUNCTIONS: dict[str, Callable[[_Indicator, Record, Sequence[Node]], Value]] = {
    "d2:condition": _Indicator.condition,
    "d2:hasValue": _Indicator.has_value,
    "d2:count": _Indicator.count,
    "d2:countIfValue": _Indicator.count_if,
    "d2:zpvc": _Indicator.positive,
    "d2:daysBetween": _Indicator.days,
    "d2:weeksBetween": _Indicator.weeks,
    "d2:monthsBetween": _Indicator.months,
    "d2:yearsBetween": _Indicator.years,
}
"""Functions that look at stored texts, not only at numbers."""
