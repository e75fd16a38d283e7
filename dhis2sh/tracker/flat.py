"""One row for each entity (of event programs: each event), with attributes and values of stages as columns.

    trackedEntity orgUnit orgUnitName | attributes | enrollment enrolledAt ... | Stage | event ... Stage | Weight
    Visit #1 | Weight   Visit #2 | Weight      a stage that is repeated: its events are numbered by their date
    Enrollment #2 | enrollment ...             an entity that is enrolled again

How often a stage is repeated and an entity enrolled at the most is found out first, so that no column comes too late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dhis2sh.errors import Dhis2Error
from dhis2sh.tracker import reading
from dhis2sh.tracker.reading import ENROLLMENT, ENTITY, EVENT, Names, held, inner, typed
from dhis2sh.tracker.referred import UNIT_NAME

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.tracker.asking import Query
    from dhis2sh.tracker.programs import Item, Program, Stage
    from dhis2sh.types import JsonObject, JsonValue, Row

OF_ENTITY = ("trackedEntity", "orgUnit", "orgUnitName")
OF_ENROLLMENT = ("enrollment", "enrolledAt", "occurredAt", "status", "enrollmentOrgUnit")
OF_STAGE = ("event", "occurredAt", "scheduledAt", "status", "orgUnit")
OF_EVENT = ("event", "orgUnit", "orgUnitName", "occurredAt", "status")
UNIT = "ORGANISATION_UNIT"
MARK = " | "
"""Between a stage and what of it a column holds."""
AGAIN = "Enrollment #{number}"


@dataclass(slots=True)
class Layout:
    """The columns of a program's table.

    Parameters:
        program: whose.
        enrollments: how often one entity is enrolled at the most.
        events: how many events of a stage one enrollment has at the most, by UID of the stage.
        stages: with the values of stages; without them entities and enrollments alone.
    """

    program: Program
    enrollments: int = 1
    events: Mapping[str, int] = field(default_factory=dict[str, int])
    stages: bool = True

    def columns(self) -> list[str]:
        """All columns, in order."""
        if not self.program.registers:
            return [*OF_EVENT, *of_items(self.program.stages[0].items, OF_EVENT)]
        found = [*OF_ENTITY, *of_items(self.program.attributes(), (*OF_ENTITY, *OF_ENROLLMENT))]
        for number in range(1, self.enrollments + 1):
            prefix = self.prefix(number)
            found += [prefix + name for name in self.of_enrollment()]
            for stage in self.program.stages if self.stages else ():
                for at in range(1, max(1, self.events.get(stage.uid, 0)) + 1):
                    own = f"{prefix}{self.label(stage, at)}{MARK}"
                    found += [own + name for name in (*OF_STAGE, *of_items(stage.items, OF_STAGE))]
        return found

    def of_enrollment(self) -> list[str]:
        """What is told of an enrollment."""
        return [name for name in OF_ENROLLMENT if name != "occurredAt" or self.program.incident]

    @staticmethod
    def prefix(number: int) -> str:
        """What stands before the columns of an enrollment; nothing before those of the first."""
        return "" if number == 1 else AGAIN.format(number=number) + MARK

    def label(self, stage: Stage, number: int) -> str:
        """What a stage is called in a column: numbered where it is or may be repeated."""
        repeated = stage.repeatable or self.events.get(stage.uid, 0) > 1
        return f"{stage.name} #{number}" if repeated else stage.name

    def row(self, entity: JsonObject, names: Names) -> Row:
        """The row of an entity. Raises `Dhis2Error` for more events than there are columns: some came meanwhile."""
        items = self.program.attributes()
        values = held(entity, "attributes", "attribute")
        mine = [one for one in inner(entity, "enrollments") if one.get("program") == self.program.uid]
        for one in mine:  # a version that leaves the program's own attributes out of the entity has them here
            values = {**held(one, "attributes", "attribute"), **values}
        found: Row = {
            "trackedEntity": entity.get("trackedEntity"), "orgUnit": entity.get("orgUnit"),
            "orgUnitName": names.unit(entity.get("orgUnit")),
            **_cells(items, values, (*OF_ENTITY, *OF_ENROLLMENT), names),
        }  # fmt: skip
        if len(mine) > self.enrollments:
            raise _came(entity)
        for number, one in enumerate(sorted(mine, key=_enrolled), 1):
            self._add(found, self.prefix(number), one, names)
        return found

    def _add(self, found: Row, prefix: str, enrollment: JsonObject, names: Names) -> None:
        """The columns of one enrollment."""
        for name in self.of_enrollment():
            found[prefix + name] = enrollment.get("orgUnit" if name == "enrollmentOrgUnit" else name)
        for stage in self.program.stages if self.stages else ():
            events = [one for one in inner(enrollment, "events") if one.get("programStage") == stage.uid]
            if len(events) > max(1, self.events.get(stage.uid, 0)):
                raise _came(enrollment)
            for number, event in enumerate(sorted(events, key=_occurred), 1):
                own = f"{prefix}{self.label(stage, number)}{MARK}"
                found |= {own + name: event.get(name) for name in OF_STAGE}
                cells = _cells(stage.items, held(event, "dataValues", "dataElement"), OF_STAGE, names)
                found |= {own + name: value for name, value in cells.items()}

    def event_row(self, event: JsonObject, names: Names) -> Row:
        """The row of an event of an event program."""
        found: Row = {name: event.get(name) for name in OF_EVENT if name != "orgUnitName"}
        stage = self.program.stages[0]
        return {
            **{name: names.unit(event.get("orgUnit")) if name == "orgUnitName" else found[name] for name in OF_EVENT},
            **_cells(stage.items, held(event, "dataValues", "dataElement"), OF_EVENT, names),
        }


def of_items(items: Sequence[Item], taken: Iterable[str]) -> list[str]:
    """The columns of items: those of organisation units have what these are called in a second one."""
    titles = headers(items, taken)
    return [name for item in items for name in _titles(item, titles[item.uid])]


def _titles(item: Item, title: str) -> list[str]:
    return [title, title + UNIT_NAME] if item.value_type == UNIT else [title]


def _cells(items: Sequence[Item], values: Mapping[str, JsonValue], taken: Iterable[str], names: Names) -> Row:
    """The values of items by their columns."""
    titles = headers(items, taken)
    found: Row = {}
    for item in items:
        value = values.get(item.uid)
        found[titles[item.uid]] = typed(item, value)
        if item.value_type == UNIT:
            found[titles[item.uid] + UNIT_NAME] = names.unit(value) if value else None
    return found


def units_in(rows: Iterable[JsonObject], items: Iterable[Item]) -> Iterator[JsonValue]:
    """The units of rows: their own, and those that values of theirs name."""
    of_units = {item.uid for item in items if item.value_type == UNIT}
    open_ = [*rows]
    while open_:
        row = open_.pop()
        yield row.get("orgUnit")
        for name, key in (("attributes", "attribute"), ("dataValues", "dataElement")) if of_units else ():
            yield from (value for uid, value in held(row, name, key).items() if uid in of_units)
        if of_units:
            open_ += [*inner(row, "enrollments"), *inner(row, "events")]


def _came(row: JsonObject) -> Dhis2Error:
    uid = row.get("trackedEntity") or row.get("enrollment")
    return Dhis2Error(f"{uid} got another event or enrollment while it was read", hint="the same line once more")


def headers(items: Iterable[Item], taken: Iterable[str]) -> dict[str, str]:
    """What items are called in columns, by UID: their names, with the UID where two are called alike.

    Parameters:
        taken: names of other columns beside them.
    """
    held_ = list(items)
    often = Counter([item.name for item in held_])
    reserved = set(taken)
    return {
        item.uid: item.name if often[item.name] == 1 and item.name not in reserved else f"{item.name} [{item.uid}]"
        for item in held_
    }


def _enrolled(row: JsonObject) -> tuple[str, str]:
    return str(row.get("enrolledAt") or ""), str(row.get("enrollment"))


def _occurred(row: JsonObject) -> tuple[str, str]:
    return str(row.get("occurredAt") or row.get("scheduledAt") or "9999"), str(row.get("event"))


async def layout(s: Session, program: Program, query: Query, *, limit: int | None = None) -> Layout:
    """The columns that the rows of a query need: of all of them only what counts is read."""
    enrollments, events = 1, Counter[str]()
    fields = "trackedEntity,enrollments[enrollment,program,events[event,programStage]]"
    async with aclosing(reading.pages(s, query, fields, limit=limit)) as batches:
        async for rows in batches:
            for entity in rows:
                mine = [one for one in inner(entity, "enrollments") if one.get("program") == program.uid]
                enrollments = max(enrollments, len(mine))
                for one in mine:
                    events |= Counter(str(event.get("programStage")) for event in inner(one, "events"))
    return Layout(program, enrollments, events)


async def rows(s: Session, table: Layout, query: Query, *, limit: int | None = None) -> AsyncGenerator[list[Row]]:
    """The rows of a table, in batches; every row has every column.

    Parameters:
        table: the columns; query: which entities or events; limit: so many at the most.
    """
    names, columns = Names(s), table.columns()
    empty: Row = dict.fromkeys(columns)
    if query.kind == "events":
        fields = EVENT
    else:
        of_events = f",events[{EVENT}]" if table.stages else ""
        fields = f"{ENTITY},enrollments[{ENROLLMENT}{of_events}]"
    async with aclosing(reading.pages(s, query, fields, limit=limit)) as batches:
        async for batch in batches:
            await names.meet(units_in(batch, table.program.everything()))
            make = table.event_row if query.kind == "events" else table.row
            yield [{**empty, **make(row, names)} for row in batch]


async def of_stage(
    s: Session, program: Program, query: Query, *, limit: int | None = None
) -> AsyncGenerator[list[Row]]:
    """Events of a tracker program, one row each: whose they are, their stage and their values by name."""
    names = Names(s)
    stages = {stage.uid: stage for stage in program.stages}
    items = _all_items(program, query)
    async with aclosing(reading.pages(s, query, EVENT, limit=limit)) as batches:
        async for batch in batches:
            await names.meet(units_in(batch, items))
            found: list[Row] = []
            for row in batch:
                values = held(row, "dataValues", "dataElement")
                stage = stages.get(str(row.get("programStage")))
                fixed: dict[str, JsonValue] = {
                    "stage": stage.name if stage else row.get("programStage"),
                    "orgUnitName": names.unit(row.get("orgUnit")),
                }
                found.append(
                    {name: fixed.get(name, row.get(name)) for name in EVENT_COLUMNS}
                    | _cells(items, values, EVENT_COLUMNS, names)
                )
            yield found


EVENT_COLUMNS = (
    "event", "trackedEntity", "enrollment", "stage", "status", "orgUnit", "orgUnitName", "occurredAt", "scheduledAt",
)  # fmt: skip


def event_columns(program: Program, query: Query) -> list[str]:
    """The columns of `of_stage`."""
    return [*EVENT_COLUMNS, *of_items(_all_items(program, query), EVENT_COLUMNS)]


def _all_items(program: Program, query: Query) -> list[Item]:
    """The data elements of the stages that a query is about, each once."""
    wanted = query.params.get("programStage")
    found = {item.uid: item for stage in program.stages if wanted in (None, stage.uid) for item in stage.items}
    return list(found.values())
