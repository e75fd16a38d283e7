"""`analytics events|enrollments|tracked-entities|event-totals`: analytics of programs."""

from __future__ import annotations

from typing import Annotated, Literal

from dhis2sh.analytics import asking, programs
from dhis2sh.analytics.asking import Dimensions, Narrowed, Shown
from dhis2sh.analytics.pull import Aggregation
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Doc, Refers, verb

Program = Annotated[str, Doc("The program."), Refers("programs")]


@verb(
    "analytics events",
    effect="read",
    persons=True,
    examples=["dhis2 analytics events 'Child Programme' pe=2025 ou=Bo 'Birth.MCH Apgar Score' 'Gender (Play)=Female'"],
)
async def events(
    s: Session, program: Program, dimensions: Dimensions, *, narrowed: Narrowed, shown: Shown
) -> Stream[Row]:
    """Events of a program as rows, with the elements and attributes that are named; page by page.

    Units and a time are wanted: a server without a time takes one of its own. Numbers are numbers, moments ISO, and a
    column with the name stands beside stages, units and options.

    API source: `GET /api/analytics/events/query/{program}`.
    """
    asked = await programs.of_program(s, program, stage=narrowed.stage)
    return await asking.rows_of(s, "events", program, asked, dimensions, narrowed, shown)


@verb(
    "analytics enrollments",
    effect="read",
    persons=True,
    examples=["dhis2 analytics enrollments 'Child Programme' pe=2025 ou=Bo 'Gender (Play)' --limit 10"],
)
async def enrollments(
    s: Session, program: Program, dimensions: Dimensions, *, narrowed: Narrowed, shown: Shown
) -> Stream[Row]:
    """Enrollments of a program as rows, with the elements and attributes that are named; otherwise as `analytics events`.

    API source: `GET /api/analytics/enrollments/query/{program}`.
    """
    asked = await programs.of_program(s, program, stage=narrowed.stage)
    return await asking.rows_of(s, "enrollments", program, asked, dimensions, narrowed, shown)


@verb(
    "analytics tracked-entities",
    effect="read",
    persons=True,
    examples=["dhis2 analytics tracked-entities Person ou=Bo --program 'Child Programme' --limit 10"],
)
async def tracked_entities(
    s: Session,
    type: Annotated[str, Doc("The tracked entity type."), Refers("trackedEntityTypes")],
    dimensions: Dimensions,
    *,
    program: Annotated[str | None, Doc("Only entities in this program, and items of it."), Refers("programs")] = None,
    narrowed: Narrowed,
    shown: Shown,
) -> Stream[Row]:
    """Tracked entities of a type as rows, with their attributes; page by page.

    API source: `GET /api/analytics/trackedEntities/query/{trackedEntityType}`.
    """
    asked = await programs.of_type(s, type, program)
    return await asking.rows_of(s, "trackedEntities", type, asked, dimensions, narrowed, shown, {"program": program})


@verb(
    "analytics event-totals",
    effect="read",
    examples=[
        "dhis2 analytics event-totals 'Child Programme' pe=2025 ou=LEVEL-2 'Gender (Play)'",
        "dhis2 analytics event-totals 'Child Programme' pe=2025 ou=LEVEL-2 --stage Birth --value 'MCH Apgar Score' --aggregation-type AVERAGE",
    ],
)
async def event_totals(
    s: Session,
    program: Program,
    dimensions: Dimensions,
    *,
    value: Annotated[
        str | None, Doc("A number of the events that is put together; how many events without it.")
    ] = None,
    aggregation_type: Annotated[Aggregation | None, Doc("How the value is put together.")] = None,
    output_type: Annotated[
        Literal["EVENT", "ENROLLMENT", "TRACKED_ENTITY_INSTANCE"] | None, Doc("What is counted; events without it.")
    ] = None,
    no_names: Annotated[bool, Doc("Only identifiers.")] = False,
    narrowed: Narrowed,
) -> Rows[Row]:
    """Count events, enrollments or entities of a program, or put a value of theirs together, by dimensions; no row of a person.

    API source: `GET /api/analytics/events/aggregate/{program}`.
    """
    return await asking.totals(
        s,
        program,
        dimensions,
        narrowed,
        value=value,
        aggregation_type=aggregation_type,
        output_type=output_type,
        no_names=no_names,
    )
