"""Rows of a sheet, as `data tracker list --flat` writes them or as people keep them, into entities with what hangs on them.

A column is known by what `flat` calls it, by the name, code or UID of an attribute or data element, and by what people
call the fixed ones (`Facility`, `Enrollment date`). An empty cell says nothing: what is there stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.tracker.flat import MARK, OF_STAGE
from dhis2sh.tracker.payloads import Entry
from dhis2sh.tracker.programs import named
from dhis2sh.tracker.referred import UNIT_NAME
from dhis2sh.tracker.values import text_of
from dhis2sh.verbs.places import says_where
from dhis2sh.words import folded, listed

if TYPE_CHECKING:
    from dhis2sh.client.tracker import Kind
    from dhis2sh.tracker.payloads import Making
    from dhis2sh.tracker.programs import Item, Program, Stage
    from dhis2sh.types import JsonObject, JsonValue, Row

_OWN = re.compile(r".*\[([a-zA-Z][a-zA-Z0-9]{10})\]")
_NUMBER = re.compile(r"(?P<name>.*?)\s*#(?P<number>\d+)")
_ENROLLMENT = re.compile(r"Enrollment #(?P<number>\d+)", re.IGNORECASE)
FIXED: Mapping[str, str] = {
    "trackedentity": "trackedEntity", "tracked entity": "trackedEntity", "tei": "trackedEntity", "orgunit": "orgUnit",
    "org unit": "orgUnit", "organisation unit": "orgUnit", "organization unit": "orgUnit", "facility": "orgUnit",
    "enrollment": "enrollment", "enrolment": "enrollment", "enrolledat": "enrolledAt", "enrollment date": "enrolledAt",
    "enrolment date": "enrolledAt", "date of enrollment": "enrolledAt", "occurredat": "occurredAt",
    "incident date": "occurredAt", "status": "status", "enrollmentorgunit": "enrollmentOrgUnit", "event": "event",
    "event date": "occurredAt", "date": "occurredAt", "scheduledat": "scheduledAt", "scheduled date": "scheduledAt",
    "due date": "scheduledAt", "report date": "occurredAt",
}  # fmt: skip
"""What people call the columns that every program has."""
UNIT_NAMES = {"orgunitname", "org unit name", "organisation unit name", "organization unit name", "facility name"}
"""What people call the column with the name of the unit that another column has."""
PASSED_OVER = {"row", "reason", "program", "trackedentitytype", "type"}
TOLD = 6


@dataclass(frozen=True, slots=True)
class Column:
    """Where the cells of a column go.

    Parameters:
        enrollment: the number of the enrollment, from 1; 0 for the entity itself.
        stage, event: the stage and the number of its event; None for the enrollment or the entity.
        name: a property; or None where `item` holds the value.
    """

    enrollment: int
    stage: Stage | None
    event: int
    name: str | None
    item: Item | None


@dataclass(slots=True)
class Sheet:
    """How the columns of a sheet are read.

    Parameters:
        program: of what; columns: by header.
        given: properties of all rows, that no column says.
        above: columns that say where the units lie, and nothing of what is pushed.
        named: columns with the names of the units that another column has, by header.
        of_events: a row is one event, also of a program that registers, as `data tracker list --stage` writes it.
    """

    program: Program
    columns: Mapping[str, Column]
    given: Mapping[str, str] = field(default_factory=dict[str, str])
    above: Sequence[str] = ()
    named: Mapping[str, str] = field(default_factory=dict[str, str])
    of_events: bool = False

    def entry(self, row: Row, place: int, making: Making) -> Entry | None:
        """A row as an entry; None for an empty one."""
        alone = {
            header: row[name] for name, header in self.named.items() if row.get(name) and not text_of(row.get(header))
        }
        row = {**row, **alone}  # who empties the UID and writes a name means the unit of that name
        cells = [(column, row[header]) for header, column in self.columns.items() if text_of(row.get(header)) != ""]
        if not cells:
            return None
        said: dict[str, str] = {}
        problems: list[str] = []
        for name, header in self.named.items():
            given, text = text_of(row.get(header)), text_of(row.get(name))
            if given and text and folded(said.setdefault(given, text)) != folded(text):
                problems.append(f"{given} is called '{said[given]}' and '{text}'; empty the one that is wrong")
        label = f"row {place:,}"
        made = _Made(making)
        if self.of_events:
            body = self._event(cells, made)
            kind: Kind = "events"
        else:
            body, kind = self._entity(cells, made), "trackedEntities"
        uids = {self.header(column): uid for column, uid in made.where.items()}
        return Entry(
            place, label, kind, body, given={**row, **uids, **self._said_beside(row, made)}, made=made.uids, sheet=True,
            problems=problems, said=said,
        )  # fmt: skip

    def _said_beside(self, row: Row, made: _Made) -> Row:
        """What options said of a row, by its columns: a file of refused rows is pushed without them."""
        found: Row = {}
        for column, uid in made.where.items():
            if column.name != "enrollment" or uid in made.uids:  # who is enrolled already keeps the day
                found |= {header: self.given[name] for name, header in self._given_of(column).items()}
        return {header: text for header, text in found.items() if text_of(row.get(header)) == ""}

    def _given_of(self, column: Column) -> dict[str, str]:
        """The headers of what options say of an object, by its name; the object is told by the column of its UID."""
        names = {
            "trackedEntity": ("orgUnit",),
            "enrollment": ("enrolledAt",),
            "event": ("orgUnit", "occurredAt") if self.of_events else (),
        }[str(column.name)]
        return {name: self.header(replace(column, name=name)) for name in names if name in self.given}

    def header(self, column: Column) -> str:
        """What a column is called here, or would be."""
        known = next((header for header, other in self.columns.items() if other == column), None)
        if known is not None:
            return known
        prefix = "" if column.enrollment < 2 else f"Enrollment #{column.enrollment}{MARK}"
        stage = f"{column.stage.name} #{column.event}{MARK}" if column.stage is not None else ""
        return f"{prefix}{stage}{column.name}"

    def own_columns(self) -> list[str]:
        """The columns with the UIDs of all that the sheet may speak of, and with what options say of it."""
        uids = self._uid_columns()
        given = [header for column in uids for header in self._given_of(column).values()]
        return list(dict.fromkeys([*map(self.header, uids), *given]))

    def _uid_columns(self) -> list[Column]:
        """The columns of UIDs."""
        if self.of_events:
            return [Column(0, None, 1, "event", None)]
        found = [Column(0, None, 0, "trackedEntity", None), Column(1, None, 0, "enrollment", None)]
        for column in self.columns.values():
            if column.enrollment:
                found.append(Column(column.enrollment, None, 0, "enrollment", None))
            if column.stage is not None:
                found.append(Column(column.enrollment, column.stage, column.event, "event", None))
        return list(dict.fromkeys(found))

    def _event(self, cells: Sequence[tuple[Column, JsonValue]], made: _Made) -> JsonObject:
        """The row of one event."""
        body: JsonObject = {"program": self.program.uid}
        if len(self.program.stages) == 1:
            body["programStage"] = self.program.stages[0].uid
        body |= {name: value for name, value in self.given.items() if name in {"orgUnit", "occurredAt"}}
        body |= {column.name: _cell(column.name, value) for column, value in cells if column.name is not None}
        body["dataValues"] = [
            {"dataElement": column.item.uid, "value": value} for column, value in cells if column.item is not None
        ]
        values = {column.item.uid: value for column, value in cells if column.item is not None}
        made.uid(body, Column(0, None, 1, "event", None), {**body, "dataValues": self._told(values)})
        return body

    def _entity(self, cells: Sequence[tuple[Column, JsonValue]], made: _Made) -> JsonObject:
        kind = self.program.type
        assert kind is not None  # an event program has rows of events
        own = {item.uid for item in kind.items}
        of_entity = [(column, value) for column, value in cells if column.enrollment == 0]
        body: JsonObject = {"trackedEntityType": kind.uid}
        body |= {name: value for name, value in self.given.items() if name == "orgUnit"}
        body |= {column.name: _cell(column.name, value) for column, value in of_entity if column.name is not None}
        values = {column.item.uid: value for column, value in of_entity if column.item is not None}
        made.uid(body, Column(0, None, 0, "trackedEntity", None), body, self._told(values), self._enrolled(cells))
        body["attributes"] = [{"attribute": uid, "value": value} for uid, value in values.items() if uid in own]
        rest: list[JsonValue] = [{"attribute": uid, "value": value} for uid, value in values.items() if uid not in own]
        numbers = sorted({column.enrollment for column, _ in cells if column.enrollment})
        new = str(body["trackedEntity"]) in made.uids
        if not numbers and (rest or new):  # who is new in a program is enrolled in it
            numbers = [1]
        enrollments: list[JsonValue] = []
        for number in numbers:
            mine = [(column, value) for column, value in cells if column.enrollment == number]
            enrollments.append(self._enrollment(body, mine, number, made))
        if rest and enrollments:
            first = cast("JsonObject", enrollments[0])
            first["attributes"] = rest
        if enrollments:
            body["enrollments"] = enrollments
        return body

    @staticmethod
    def _told(values: Mapping[str, JsonValue]) -> dict[str, str]:
        """The values that tell an entity from others: a number is the same in a workbook and in a text."""
        return {uid: text_of(value) for uid, value in values.items()}

    def _enrolled(self, cells: Sequence[tuple[Column, JsonValue]]) -> list[str]:
        """The days on which a row says that somebody is enrolled."""
        days = [str(_cell("enrolledAt", value)) for column, value in cells if column.name == "enrolledAt"]
        return days or [self.given.get("enrolledAt", "")]

    def _enrollment(
        self, entity: JsonObject, cells: Sequence[tuple[Column, JsonValue]], number: int, made: _Made
    ) -> JsonObject:
        body: JsonObject = {"program": self.program.uid, "trackedEntity": entity["trackedEntity"]}
        own = [(column, value) for column, value in cells if column.stage is None]
        body |= {column.name: _cell(column.name, value) for column, value in own if column.name is not None}
        day = body.get("enrolledAt") or self.given.get("enrolledAt")
        made.uid(body, Column(number, None, 0, "enrollment", None), entity["trackedEntity"], self.program.uid, day)
        unit = body.pop("enrollmentOrgUnit", None) or entity.get("orgUnit")
        body["orgUnit"] = unit
        if str(body["enrollment"]) in made.uids and not body.get("enrolledAt") and "enrolledAt" in self.given:
            body["enrolledAt"] = self.given["enrolledAt"]
        events: list[JsonValue] = []
        keys = dict.fromkeys((column.stage.uid, column.event) for column, _ in cells if column.stage is not None)
        for uid, at in keys:
            mine = [
                (column, value) for column, value in cells
                if column.stage is not None and (column.stage.uid, column.event) == (uid, at)
            ]  # fmt: skip
            stage = cast("Stage", mine[0][0].stage)
            event: JsonObject = {
                "program": self.program.uid, "programStage": uid, "enrollment": body["enrollment"],
                "trackedEntity": entity["trackedEntity"],
            }  # fmt: skip
            event |= {column.name: _cell(column.name, value) for column, value in mine if column.name is not None}
            event.setdefault("orgUnit", unit)
            day = event.get("scheduledAt") or event.get("occurredAt") if stage.repeatable else None
            made.uid(event, Column(number, stage, at, "event", None), body["enrollment"], uid, day)
            values: list[JsonValue] = [
                {"dataElement": column.item.uid, "value": value} for column, value in mine if column.item is not None
            ]
            event["dataValues"] = values
            new = str(event["event"]) in made.uids
            if (
                new
                and "status" not in event
                and event.get("scheduledAt")
                and not event.get("occurredAt")
                and not values
            ):
                event["status"] = "SCHEDULE"
            events.append(event)
        if events:
            body["events"] = events
        return body


class _Made:
    """The UIDs that the objects of a row have: those that were given, and those that are made here.

    Parameters:
        making: makes them.
    """

    def __init__(self, making: Making) -> None:
        self._making = making
        self.uids: list[str] = []
        self.where: dict[Column, str] = {}

    def uid(self, body: JsonObject, column: Column, *content: object) -> None:
        """Give an object its UID, where the row has none: that of its content."""
        key = str(column.name)
        if not body.get(key):
            body[key] = self._making.uid(key, *content)
            self.uids.append(str(body[key]))
        self.where[column] = str(body[key])


def _cell(name: str, value: JsonValue) -> JsonValue:
    """A property from a cell: a spreadsheet writes a moment with a blank."""
    text = text_of(value)
    if name.endswith("At"):
        return text.replace(" ", "T", 1) if re.match(r"\d{4}-\d{2}-\d{2} \d", text) else text
    return text.upper() if name == "status" else text


def sheet_of(program: Program, headers: Sequence[str], given: Mapping[str, str]) -> Sheet:
    """How a sheet is read.

    Parameters:
        headers: its columns; given: `orgUnit`, `enrolledAt`, `occurredAt` of all rows.

    Raises `UsageError` for a column that nobody knows, or that two headers mean.
    """
    columns: dict[str, Column] = {}
    unknown: list[str] = []
    above: list[str] = []
    called: dict[str, str] = {}
    of_events = not program.registers or any(FIXED.get(folded(header)) == "event" for header in headers)
    find = _of_event if of_events else _column
    alone = _unit_names(program, headers, called, find)
    for header in headers:
        if header in called:
            continue
        if folded(header) in PASSED_OVER or folded(header.rpartition(MARK)[2]) in PASSED_OVER or not header.strip():
            continue
        column = alone.get(header) or find(program, header)
        if column is None and (base := header.removesuffix(UNIT_NAME)) != header and base in headers:
            called[header] = base
        elif column is None:
            (above if says_where(header) else unknown).append(header)
        elif column in columns.values():
            twice = next(known for known, other in columns.items() if other == column)
            raise UsageError(f"'{twice}' and '{header}' mean the same", hint="rename or take out one of the columns")
        else:
            columns[header] = column
    if unknown:
        near = _near(program, unknown)
        raise UsageError(
            f"'{program.name}' knows nothing of {listed((repr(name) for name in unknown), TOLD)}",
            hint=near or f"dhis2 data tracker list '{program.name}' --flat --limit 1 -o csv  shows the columns",
        )
    names = {column.name for column in columns.values()}
    if "orgUnit" not in {*names, *given} and not {"trackedEntity", "enrollment", "event"} & names:
        raise UsageError("no column says the organisation unit", hint="--org-unit NAME  says it of all rows")
    return Sheet(program, columns, given, above, called, of_events)


_SAME = (
    {"first name", "given name", "forename", "first names"}, {"last name", "family name", "surname"}, {"sex", "gender"},
    {"date of birth", "birth date", "birthdate", "dob", "born"}, {"phone", "phone number", "telephone", "mobile"},
)  # fmt: skip
"""What people call attributes that every program has, each in several ways."""


def _near(program: Program, unknown: Sequence[str]) -> str | None:
    """What headers that nobody knows may mean: names that are spelt alike, that people use for the same, or that hold them."""
    names = list(dict.fromkeys(item.name for item in program.everything()))
    found: list[str] = []
    for header in unknown[:TOLD]:
        text = folded(header.rpartition(MARK)[2])
        others: set[str] = next((same for same in _SAME if text in same), {text})
        hits = [
            name for name in names if folded(name) in others or any(f" {one} " in f" {folded(name)} " for one in others)
        ]
        if hits:
            found.append(f"did you mean {listed((repr(name) for name in hits), 3)} by '{header}'?")
        elif (near := did_you_mean(text, names)) is not None:
            found.append(near)
    return " ".join(found) or None


def _unit_names(
    program: Program, headers: Sequence[str], called: dict[str, str], find: Callable[[Program, str], Column | None]
) -> dict[str, Column]:
    """The headers with names of units: those beside a unit go into `called`, one that stands alone is the unit's column."""
    of_units = {column: header for header in headers if (column := find(program, header)) and column.name == "orgUnit"}
    alone: dict[str, Column] = {}
    for header in headers:
        before, mark, last = header.rpartition(MARK)
        if folded(last) not in UNIT_NAMES or find(program, header) is not None:
            continue
        column = find(program, f"{before}{mark}orgUnit")
        if column in of_units:
            called[header] = of_units[column]
        elif column is not None:
            alone[header] = column
    return alone


def _column(program: Program, header: str) -> Column | None:
    """What a header means; None where nobody knows."""
    parts = [part.strip() for part in header.split(MARK.strip())]
    number = 0
    if len(parts) > 1 and (again := _ENROLLMENT.fullmatch(parts[0])) is not None:
        number, parts = int(again["number"]), parts[1:]
    if len(parts) == 1:
        return _of_entity(program, parts[0], number)
    stage, event = _stage(program, parts[0])
    if stage is None or len(parts) != 2:
        return None
    fixed = stage.labels.get(folded(parts[1])) or FIXED.get(folded(parts[1]))
    item = _item(stage.items, parts[1])
    if item is None and fixed in OF_STAGE:
        return Column(number or 1, stage, event, fixed, None)
    return Column(number or 1, stage, event, None, item) if item is not None else None


def _of_event(program: Program, text: str) -> Column | None:
    """A column of a row that is one event; what is of whom names the entity and the enrollment too."""
    items = {item.uid: item for stage in program.stages for item in stage.items}
    labels = {label: name for stage in program.stages for label, name in stage.labels.items()}
    item, fixed = _item([*items.values()], text), labels.get(folded(text)) or FIXED.get(folded(text))
    if item is not None:
        return Column(0, None, 1, None, item)
    if program.registers and folded(text) in {"stage", "programstage", "program stage"}:
        return Column(0, None, 1, "programStage", None)
    own = {*OF_STAGE, *(("trackedEntity", "enrollment") if program.registers else ())}
    return Column(0, None, 1, fixed, None) if fixed in own else None


def _of_entity(program: Program, text: str, number: int) -> Column | None:
    """A column of the entity itself or of an enrollment; one that names a data element of one stage is that."""
    fixed = program.labels.get(folded(text)) or FIXED.get(folded(text))
    item = _item(program.attributes(), text)
    if item is not None and number == 0:
        return Column(0, None, 0, None, item)
    if fixed in {"trackedEntity", "orgUnit"} and number == 0:
        return Column(0, None, 0, fixed, None)
    if fixed in {"enrollment", "enrolledAt", "occurredAt", "status", "enrollmentOrgUnit"}:
        return Column(number or 1, None, 0, fixed, None)
    hits = [(stage, found) for stage in program.stages if (found := _item(stage.items, text)) is not None]
    if len(hits) == 1 and number == 0:
        return Column(1, hits[0][0], 1, None, hits[0][1])
    return None


def _stage(program: Program, text: str) -> tuple[Stage | None, int]:
    """A stage and the number of its event: `Visit #2`."""
    for name, number in (
        (text, 1),
        *([(found["name"], int(found["number"]))] if (found := _NUMBER.fullmatch(text)) else []),
    ):
        try:
            return named(program.stages, name, "stage"), number
        except (NotFound, UsageError):
            continue
    return None, 1


def _item(items: Sequence[Item], text: str) -> Item | None:
    """An item by what a column calls it: its name, code, UID, or the name with the UID behind."""
    own = _OWN.fullmatch(text)
    for name in (text, *([own[1]] if own else [])):
        try:
            return named(items, name, "column")
        except (NotFound, UsageError):
            continue
    return None
