"""`data tracker list|count|get|export|outstanding|duplicates`: entities, enrollments and events, with names."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal

from pydantic import BaseModel

from dhis2sh.dhis2.dates import spelled
from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Rows, Verbatim
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.tracker import asking, flat, glass, linking, outstanding, programs, reading, way_back
from dhis2sh.tracker.asking import Asked, EventStatus, Query
from dhis2sh.tracker.flat import Layout
from dhis2sh.tracker.linking import Duplicate, DuplicateStatus
from dhis2sh.tracker.outstanding import Outstanding
from dhis2sh.tracker.programs import Program
from dhis2sh.types import Row
from dhis2sh.verbs import units
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb

UNDOES = way_back.objects
"""How a change is taken back: importing it here registers it, and `undo` imports every domain."""
OfProgram = Annotated[str, Doc("The program."), Refers("programs")]
Flat = Annotated[
    bool, Doc("One row for each entity, with the values of stages as columns; repeated ones are numbered.")
]
Limit = Annotated[int | None, Bounds(1), Doc("At the most so many entities or events.")]
Through = Annotated[
    str | None,
    Doc("The program that an entity is looked at through: of a protected one, once the glass is broken."),
    Refers("programs"),
]
OfStage = Annotated[str | None, Doc("Events of this stage, in place of entities.")]
Events = Annotated[bool, Doc("Events of all stages, in place of entities.")]


@verb(
    "data tracker list",
    effect="read",
    persons=True,
    examples=[
        "dhis2 data tracker list 'Child Programme' --org-unit Bo --children --limit 20",
        "dhis2 data tracker list 'Child Programme' --flat -o csv --out children.csv",
    ],
)
async def list_(
    s: Session,
    program: OfProgram,
    *,
    flat_: Flat = False,
    stage: OfStage = None,
    events: Events = False,
    event_status: Annotated[EventStatus | None, Doc("Events in this state; with --stage or --events.")] = None,
    occurred_after: Annotated[str | None, Doc("Events that occurred on this day or later.")] = None,
    occurred_before: Annotated[str | None, Doc("Events that occurred on this day or earlier.")] = None,
    limit: Limit = None,
    asked: Asked,
) -> Stream[Row]:
    """List the entities of a program with their attributes, as they come, however many; of an event program its events.

    Values of numbers are numbers; options are their codes. Pages are read in an order that does not change meanwhile.

    API source: `GET /api/tracker/trackedEntities`, `/events`.
    """
    found = await programs.read_program(s, program)
    of_events = {
        "--event-status": event_status,
        "--occurred-after": occurred_after,
        "--occurred-before": occurred_before,
    }
    if found.registers and not (stage or events):
        if said := next((flag for flag, value in of_events.items() if value is not None), None):
            raise UsageError(f"{said} asks for events", hint=f"{said} ... --events, or --stage NAME")
        query = await asking.entities(s, found, asked)
        table = await flat.layout(s, found, query, limit=limit) if flat_ else Layout(found, stages=False)
        if not flat_:
            table.enrollments = 1 if found.once else (await flat.layout(s, found, query, limit=limit)).enrollments
        return Stream(_told(s, found, query, asked, flat.rows(s, table, query, limit=limit)), columns=table.columns())
    query = await asking.events(
        s, found, asked, stage=found.stage(stage) if stage else None, status=event_status, after=occurred_after,
        before=occurred_before,
    )  # fmt: skip
    if found.registers:
        if flat_:
            raise UsageError("--flat is one row for each entity", hint="leave --stage and --events out")
        rows = _told(s, found, query, asked, flat.of_stage(s, found, query, limit=limit))
        return Stream(rows, columns=flat.event_columns(found, query))
    table = Layout(found)
    return Stream(_told(s, found, query, asked, flat.rows(s, table, query, limit=limit)), columns=table.columns())


async def _told(
    s: Session, found: Program, query: Query, asked: Asked, batches: AsyncGenerator[list[Row]]
) -> AsyncGenerator[list[Row]]:
    """Rows of a query; that units have none themselves is said, and where there are none, that a server hides some."""
    some, plural = False, reading.plural(query.kind)
    async with aclosing(units.told_of_none(lambda: units.tell_of_none(s, plural, asked.alone), batches)) as rows:
        async for batch in rows:
            some = some or bool(batch)
            yield batch
    if not some and found.level in glass.HIDING:
        s.person.warn(
            f"'{found.name}' is {found.level}: who is owned by units that you do not capture for is not listed"
            + ("; dhis2 data tracker override UID lets you in with a reason" if found.level == glass.PROTECTED else "")
        )


class Total(BaseModel):
    """How many there are of one kind in one state."""

    what: Literal["entities", "enrollments", "events"]
    status: str
    count: int


@verb(
    "data tracker count",
    effect="read",
    examples=["dhis2 data tracker count 'Child Programme' --org-unit Bo --children --enrolled-after 2025-01-01"],
)
async def count(s: Session, program: OfProgram, *, stage: OfStage = None, asked: Asked) -> Rows[Total]:
    """Count the enrollments of a program by state, of an event program or a stage its events; nobody's data is read.

    With --filter the entities are counted that have such values.

    API source: `GET /api/tracker/enrollments?totalPages=true`, `/events`.
    """
    found = await programs.read_program(s, program)
    if found.registers and stage is None and asked.filter:
        number = await reading.count(s, await asking.entities(s, found, asked))
        if not number:
            await units.tell_of_none(s, reading.plural("trackedEntities"), asked.alone)
        return Rows([Total(what="entities", status=asked.status or "any", count=number)])
    if found.registers and stage is None:
        totals = await reading.totals(s, asking.enrollments(found, asked), ("ACTIVE", "COMPLETED", "CANCELLED"))
        wanted = asked.status
    else:
        query = await asking.events(s, found, asked, stage=found.stage(stage) if stage else None)
        totals = await reading.totals(s, query, ("ACTIVE", "COMPLETED", "SCHEDULE", "OVERDUE", "SKIPPED"))
        wanted = None
        rest = await reading.count(s, query) - sum(int(str(row["count"])) for row in totals)
        if rest > 0:  # stored in a state that no question finds: asked for VISITED, a server gives ACTIVE ones
            totals.append({"status": "other", "count": rest})
    what = "enrollments" if found.registers and stage is None else "events"
    if not any(row["count"] for row in totals):
        await units.tell_of_none(s, what, asked.alone)
    rows = [Total(what=what, status=str(row["status"]), count=int(str(row["count"]))) for row in totals]
    return Rows([row for row in rows if wanted in (None, row.status)])


@verb("data tracker get", effect="read", persons=True, examples=["dhis2 data tracker get w9wDBv99aRt"])
async def get(
    s: Session,
    uid: Annotated[str, Doc("The UID of an entity, an enrollment or an event.")],
    *,
    program: Through = None,
) -> Verbatim:
    """Show an entity with its enrollments, events and relationships, an enrollment with its events, or an event; by names.

    API source: `GET /api/tracker/trackedEntities/{uid}`, `/enrollments/{uid}`, `/events/{uid}`.
    """
    return Verbatim(await reading.record(s, uid, program))


@verb(
    "data tracker export",
    effect="read",
    persons=True,
    examples=[
        "dhis2 data tracker export 'Child Programme' -o ndjson --out children.ndjson",
        "dhis2 data tracker export 'Child Programme' --flat -o csv --out children.csv",
    ],
)
async def export(
    s: Session, program: OfProgram, *, flat_: Flat = False, limit: Limit = None, asked: Asked
) -> Stream[Row]:
    """Give the entities of a program (of an event program its events) as `data tracker push` takes them again.

    Without --flat they are nested objects, for `-o json` or `-o ndjson`. They stream: the memory does not grow with them.

    API source: `GET /api/tracker/trackedEntities`, `/events`.
    """
    found = await programs.read_program(s, program)
    query = await asking.entities(s, found, asked) if found.registers else await asking.events(s, found, asked)
    if flat_ and found.registers:
        table = await flat.layout(s, found, query, limit=limit)
    else:
        table = Layout(found)
    if flat_:
        return Stream(_told(s, found, query, asked, flat.rows(s, table, query, limit=limit)), columns=table.columns())
    rows = reading.pages(s, query, reading.TREE if found.registers else reading.EVENT, limit=limit)
    return Stream(_told(s, found, query, asked, rows))


@verb(
    "data tracker outstanding",
    effect="read",
    examples=["dhis2 data tracker outstanding 'Child Programme' --org-unit Bo --children --by unit"],
)
async def outstanding_(
    s: Session,
    program: OfProgram,
    *,
    stage: OfStage = None,
    by: Annotated[outstanding.By, Doc("One row for each stage, or for each stage and unit.")] = "stage",
    on: Annotated[str | None, Doc("Overdue on this day; today without it.")] = None,
    asked: Asked,
) -> Rows[Outstanding]:
    """Count the events that are scheduled and those that are overdue, by stage and unit; nobody's data is read.

    API source: `GET /api/tracker/events?status=SCHEDULE`, `status=OVERDUE`.
    """
    found = await programs.read_program(s, program)
    query = await asking.events(s, found, asked, stage=found.stage(stage) if stage else None)
    try:
        today = dt.date.fromisoformat(spelled(on)) if on else dt.date.today()
    except ValueError:
        raise UsageError(f"--on: '{on}' is no date", hint="--on 2025-06-30") from None
    rows = await outstanding.outstanding(s, found, query, by=by, today=today)
    if not any(row.overdue or row.scheduled for row in rows):
        await units.tell_of_none(s, "scheduled events", asked.alone)
    columns = ["stage", *(["org_unit_name"] if by == "unit" else []), "overdue", "scheduled", "oldest", "next"]
    return Rows(rows, columns=columns)


@verb("data tracker duplicates", effect="read", persons=True, examples=["dhis2 data tracker duplicates --status OPEN"])
async def duplicates(
    s: Session,
    *,
    entity: Annotated[list[str], Doc("Only those with one of these entities, by UID.")] = [],
    status: Annotated[DuplicateStatus, Doc("OPEN, INVALID, MERGED or ALL.")] = "OPEN",
) -> Rows[Duplicate]:
    """List the pairs of entities that somebody has marked as possibly the same.

    API source: `GET /api/potentialDuplicates`.
    """
    return Rows(await linking.duplicates(s, entity, status))
