"""`data tracker register|enroll|add-event|update|complete|delete|transfer|relationship|merge`: single entities and what hangs on them."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.session import Session
from dhis2sh.tracker import editing, glass, linking, programs, registering, way_back
from dhis2sh.tracker.asking import EventStatus
from dhis2sh.tracker.editing import AnyStatus, Edit
from dhis2sh.tracker.registering import Dates, NewEvent
from dhis2sh.verbs.declaration import Doc, Refers, verb

UNDOES = (way_back.objects, way_back.ownership)
"""How a change is taken back: importing it here registers it, and `undo` imports every domain."""
OfProgram = Annotated[str, Doc("The program."), Refers("programs")]
Sets = Annotated[
    list[str], Doc("NAME=VALUE; may be repeated. Options may be given by name; an empty value takes one away.")
]
Unit = Annotated[str | None, Doc("The organisation unit."), Refers("organisationUnits")]
Uid = Annotated[str, Doc("The UID of an entity, an enrollment or an event.")]
Uids = Annotated[list[str], Doc("UIDs.")]
Through = Annotated[
    str | None,
    Doc("The program that an entity is looked at through: of a protected one, once the glass is broken."),
    Refers("programs"),
]
Enrolled = Annotated[str | None, Doc("The day of the enrollment, such as 2025-06-30; today without it.")]
Occurred = Annotated[str | None, Doc("The day of the incident (birth, infection), where the program wants it.")]


@verb(
    "data tracker register",
    effect="write",
    examples=[
        "dhis2 data tracker register 'Child Programme' 'Ngelehun CHC' --set 'First name=Anna' --occurred 2025-06-01 --dry-run"
    ],
)
async def register(
    s: Session,
    program: OfProgram,
    org_unit: Annotated[str, Doc("Where."), Refers("organisationUnits")],
    *,
    set: Sets = [],
    enrolled: Enrolled = None,
    occurred: Occurred = None,
    repeated: Annotated[
        bool, Doc("Also where somebody has the same names, unit and day of enrollment; else it is refused.")
    ] = False,
) -> Plan:
    """Register a new entity and enroll it in a program.

    Checked first: every value against its attribute, what must be given, what must be unique, the unit, the dates, and that
    nobody is there who looks the same. What the server generates, such as a number, is asked for.

    API source: `POST /api/tracker`.
    """
    found = await programs.read_program(s, program)
    return await registering.register(s, found, org_unit, set, Dates(enrolled, occurred), repeated=repeated)


@verb(
    "data tracker enroll",
    effect="write",
    examples=["dhis2 data tracker enroll w9wDBv99aRt 'Antenatal care' --org-unit 'Ngelehun CHC' --dry-run"],
)
async def enroll(
    s: Session,
    uid: Annotated[str, Doc("The UID of the entity.")],
    program: OfProgram,
    *,
    org_unit: Unit = None,
    set: Sets = [],
    enrolled: Enrolled = None,
    occurred: Occurred = None,
) -> Plan:
    """Enroll an entity that is there in a program; at its own unit without --org-unit.

    API source: `POST /api/tracker`.
    """
    found = await programs.read_program(s, program)
    return await registering.enroll(s, found, uid, org_unit, set, Dates(enrolled, occurred))


@verb(
    "data tracker add-event",
    effect="write",
    examples=[
        "dhis2 data tracker add-event 'Child Programme' --of w9wDBv99aRt --stage Birth --date 2025-06-30 "
        "--set 'MCH Weight (g)=3200' --dry-run",
    ],
)
async def add_event(
    s: Session,
    program: OfProgram,
    *,
    of: Annotated[str | None, Doc("The UID of the entity or the enrollment; nobody's in an event program.")] = None,
    stage: Annotated[str | None, Doc("The stage, where the program has several.")] = None,
    org_unit: Unit = None,
    date: Annotated[str | None, Doc("The day on which it happened; today without it.")] = None,
    scheduled: Annotated[str | None, Doc("Instead of --date: the day that it is scheduled for.")] = None,
    status: Annotated[EventStatus | None, Doc("ACTIVE without it, SCHEDULE with --scheduled.")] = None,
    set: Sets = [],
    attribute_option_combo: Annotated[
        str | None, Doc("The attribute option combination, where there are several.")
    ] = None,
) -> Plan:
    """Add an event to an enrollment, or to an event program.

    API source: `POST /api/tracker`.
    """
    found = await programs.read_program(s, program)
    combo = await registering.option_combo(s, found, attribute_option_combo)
    new = NewEvent(found, found.stage(stage), of, org_unit, date, scheduled, status, set, combo)
    return await registering.add_event(s, new)


@verb(
    "data tracker update",
    effect="write",
    persons=True,
    examples=["dhis2 data tracker update w9wDBv99aRt --set 'Last name=Kamara' --dry-run"],
)
async def update(
    s: Session,
    uid: Uid,
    *,
    set: Sets = [],
    status: Annotated[AnyStatus | None, Doc("The state of an enrollment or event.")] = None,
    org_unit: Unit = None,
    enrolled: Enrolled = None,
    occurred: Annotated[str | None, Doc("The day of what an enrollment is about, or of an event.")] = None,
    scheduled: Annotated[str | None, Doc("The day that an event is scheduled for.")] = None,
    follow_up: Annotated[bool | None, Doc("Marked for follow-up.")] = None,
    program: Through = None,
) -> Plan:
    """Change an entity, an enrollment or an event, whatever has that UID: nothing but what is named.

    API source: `POST /api/tracker`.
    """
    edit = Edit(set, status, org_unit, enrolled, occurred, scheduled, follow_up)
    return await editing.update(s, uid, edit, program)


@verb(
    "data tracker complete",
    effect="write",
    persons=True,
    examples=["dhis2 data tracker complete hPyzYRMF0uD --dry-run"],
)
async def complete(s: Session, uids: Uids, *, reopen: Annotated[bool, Doc("Open them again.")] = False) -> Plan:
    """Complete enrollments and events, or open them again.

    API source: `POST /api/tracker`.
    """
    return await editing.complete(s, uids, reopen=reopen)


@verb(
    "data tracker delete",
    effect="destroy",
    persons=True,
    examples=["dhis2 data tracker delete w9wDBv99aRt --dry-run"],
)
async def delete(s: Session, uids: Uids, *, program: Through = None) -> Plan:
    """Delete entities, enrollments, events and relationships, with what hangs on them. This cannot be taken back.

    API source: `POST /api/tracker?importStrategy=DELETE`.
    """
    return await editing.delete(s, uids, program)


@verb(
    "data tracker transfer",
    effect="write",
    examples=["dhis2 data tracker transfer w9wDBv99aRt --program 'Child Programme' --to 'Njandama MCHP' --dry-run"],
)
async def transfer(
    s: Session,
    entities: Annotated[list[str], Doc("UIDs of entities.")],
    *,
    program: OfProgram,
    to: Annotated[str, Doc("The organisation unit that shall own them."), Refers("organisationUnits")],
) -> Plan:
    """Give entities to another organisation unit in a program: who works there may see and change them then.

    API source: `PUT /api/tracker/ownership/transfer`.
    """
    return await linking.transfer(s, await programs.read_program(s, program), entities, to)


@verb(
    "data tracker override",
    effect="write",
    persons=True,
    examples=[
        "dhis2 data tracker override w9wDBv99aRt --program 'Child Programme' --reason 'referred to us' --dry-run"
    ],
    left_out={"mcp": "breaking the glass is for a person who answers for the reason"},
)
async def override(
    s: Session,
    uid: Annotated[str, Doc("The UID of the entity.")],
    *,
    program: OfProgram,
    reason: Annotated[str, Doc("Why: the server writes it down with your name.")],
) -> Plan:
    """Break the glass: ask for temporary ownership of an entity that another unit owns in a protected program.

    It lasts three hours, is written down by the server, and cannot be taken back.

    API source: `POST /api/tracker/ownership/override`.
    """
    return await glass.plan(s, await programs.read_program(s, program), uid, reason)


@verb(
    "data tracker relationship",
    effect="write",
    examples=["dhis2 data tracker relationship w9wDBv99aRt vOxUH373fy5 --type 'Mother-Child' --dry-run"],
)
async def relationship(
    s: Session,
    from_: Annotated[str, Doc("The UID of an entity, an enrollment or an event.")],
    to: Annotated[str, Doc("The UID of another.")],
    *,
    type: Annotated[str, Doc("The relationship type."), Refers("relationshipTypes")],
) -> Plan:
    """Relate an entity, an enrollment or an event to another; `data tracker delete` takes it away.

    API source: `POST /api/tracker`.
    """
    return await linking.relate(s, type, from_, to)


@verb(
    "data tracker merge",
    effect="destroy",
    persons=True,
    examples=["dhis2 data tracker merge XLK7q4S6Ynr --dry-run"],
)
async def merge(
    s: Session,
    uid: Annotated[str, Doc("The UID of the pair, as `data tracker duplicates` shows it.")],
    *,
    take: Annotated[list[str], Doc("Take this attribute's value of the duplicate; may be repeated.")] = [],
) -> Plan:
    """Merge a pair of duplicates: the duplicate's enrollments and what the original lacks go into it; this cannot be taken back.

    API source: `POST /api/potentialDuplicates/{uid}/merge`.
    """
    return await linking.merge(s, uid, take)
