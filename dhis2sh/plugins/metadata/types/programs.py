"""`metadata programs|program-stages|program-stage-sections|tracked-entity-types`: what programs ask, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from dhis2sh.changes.plan import Plan
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import uids_of
from dhis2sh.metadata.collections import PROGRAM_ATTRIBUTES, STAGE_ELEMENTS, TYPE_ATTRIBUTES
from dhis2sh.metadata.objects.members import with_members
from dhis2sh.metadata.types import joins
from dhis2sh.metadata.types.sections import (
    SECTIONS,
    elements_in,
    of_other_domain,
    plan_into_section,
    sections_of,
    without_elements,
)
from dhis2sh.metadata.write import Write
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Piped, Refers, verb

Program = Annotated[str, Doc("UID, code or unique name of the program."), Refers("programs")]
Stage = Annotated[str, Doc("UID, code or unique name of the stage."), Refers("programStages")]
Section = Annotated[str, Doc("UID or unique name of the section."), Refers(SECTIONS)]
EntityType = Annotated[str, Doc("UID, code or unique name of the type."), Refers("trackedEntityTypes")]
AttributeItems = Annotated[
    Rows[Row], Piped(), Doc("Attributes; rows of a pipeline."), Refers("trackedEntityAttributes")
]
ElementItems = Annotated[Rows[Row], Piped(), Doc("Data elements; rows of a pipeline."), Refers("dataElements")]
UnitItems = Annotated[Rows[Row], Piped(), Doc("Organisation units; rows of a pipeline."), Refers("organisationUnits")]
Mandatory = Annotated[bool | None, Doc("An answer is wanted.")]
Searchable = Annotated[bool | None, Doc("People are searched by it.")]
InList = Annotated[bool | None, Doc("It is a column of lists.")]

UNSET = Doc("Turn this off where it was on; may be repeated.")


def _flags(unset: Sequence[str], **given: bool | None) -> dict[str, JsonValue]:
    """Flags of a row: those that are given, and those that are turned off. Raises `UsageError` for one that is both."""
    both = [name for name in unset if given.get(name.replace("-", "_"))]
    if both:
        raise UsageError(f"--{both[0]} and --unset {both[0]}: which of them?", hint="leave one out")
    off = dict.fromkeys((name.replace("-", "_") for name in unset), False)
    return {_camel(name): value for name, value in {**given, **off}.items() if value is not None}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@verb(
    "metadata programs add-attribute",
    effect="write",
    examples=[
        "dhis2 metadata programs add-attribute 'Child Programme' 'First name' --mandatory --searchable --dry-run"
    ],
)
async def add_attribute(
    s: Session,
    program: Program,
    attributes: AttributeItems,
    *,
    mandatory: Mandatory = None,
    searchable: Searchable = None,
    display_in_list: InList = None,
    allow_future_date: Annotated[bool | None, Doc("Dates may lie ahead.")] = None,
    unset: Annotated[list[Literal["mandatory", "searchable", "display-in-list", "allow-future-date"]], UNSET] = [],
) -> Plan:
    """Add attributes to a program, or change what it asks of those that it has.

    API source: `PATCH /api/programs/{uid}`, the property `programTrackedEntityAttributes`.
    """
    extra = _flags(
        unset, mandatory=mandatory, searchable=searchable, display_in_list=display_in_list, allow_future_date=allow_future_date
    )  # fmt: skip
    return await joins.add(s, PROGRAM_ATTRIBUTES, program, uids_of(attributes), extra)


@verb(
    "metadata programs remove-attribute",
    effect="write",
    examples=["dhis2 metadata programs remove-attribute 'Child Programme' 'First name' --dry-run"],
)
async def remove_attribute(s: Session, program: Program, attributes: AttributeItems) -> Plan:
    """Take attributes out of a program.

    API source: `PATCH /api/programs/{uid}`.
    """
    return await joins.remove(s, PROGRAM_ATTRIBUTES, program, uids_of(attributes))


@verb(
    "metadata programs add-org-units",
    effect="write",
    examples=[
        "%metadata list organisationUnits --filter level:eq:4 | metadata.programs.add_org_units('Child Programme')"
    ],
)
async def add_org_units(s: Session, program: Program, org_units: UnitItems) -> Plan:
    """Assign a program to organisation units, those that have it already aside.

    API source: `PATCH /api/programs/{uid}`, the property `organisationUnits`.
    """
    return await with_members(s, "programs", program, org_units, "organisationUnits", adding=True)


@verb(
    "metadata programs remove-org-units",
    effect="write",
    examples=["dhis2 metadata programs remove-org-units 'Child Programme' 'Ngelehun CHC' --dry-run"],
)
async def remove_org_units(s: Session, program: Program, org_units: UnitItems) -> Plan:
    """Take a program from organisation units; what they recorded in it stays.

    API source: `PATCH /api/programs/{uid}`, the property `organisationUnits`.
    """
    return await with_members(s, "programs", program, org_units, "organisationUnits", adding=False)


@verb(
    "metadata tracked-entity-types add-attribute",
    effect="write",
    examples=["dhis2 metadata tracked-entity-types add-attribute Person 'First name' --mandatory --dry-run"],
)
async def add_type_attribute(
    s: Session,
    entity_type: EntityType,
    attributes: AttributeItems,
    *,
    mandatory: Mandatory = None,
    searchable: Searchable = None,
    display_in_list: InList = None,
    unset: Annotated[list[Literal["mandatory", "searchable", "display-in-list"]], UNSET] = [],
) -> Plan:
    """Add attributes to a tracked entity type, or change what it asks of those that it has.

    API source: `PATCH /api/trackedEntityTypes/{uid}`, the property `trackedEntityTypeAttributes`.
    """
    extra = _flags(unset, mandatory=mandatory, searchable=searchable, display_in_list=display_in_list)
    return await joins.add(s, TYPE_ATTRIBUTES, entity_type, uids_of(attributes), extra)


@verb(
    "metadata tracked-entity-types remove-attribute",
    effect="write",
    examples=["dhis2 metadata tracked-entity-types remove-attribute Person 'First name' --dry-run"],
)
async def remove_type_attribute(s: Session, entity_type: EntityType, attributes: AttributeItems) -> Plan:
    """Take attributes out of a tracked entity type.

    API source: `PATCH /api/trackedEntityTypes/{uid}`.
    """
    return await joins.remove(s, TYPE_ATTRIBUTES, entity_type, uids_of(attributes))


@verb(
    "metadata program-stages add-element",
    effect="write",
    examples=["dhis2 metadata program-stages add-element Birth 'MCH Apgar Score' --compulsory --dry-run"],
)
async def add_element(
    s: Session,
    stage: Stage,
    elements: ElementItems,
    *,
    compulsory: Annotated[bool | None, Doc("A value is wanted.")] = None,
    display_in_reports: Annotated[bool | None, Doc("It is a column of reports.")] = None,
    allow_future_date: Annotated[bool | None, Doc("Dates may lie ahead.")] = None,
    allow_provided_elsewhere: Annotated[bool | None, Doc("It may come from another place.")] = None,
    unset: Annotated[
        list[Literal["compulsory", "display-in-reports", "allow-future-date", "allow-provided-elsewhere"]], UNSET
    ] = [],
) -> Plan:
    """Add data elements to a stage, or change what it asks of those that it has.

    API source: `PATCH /api/programStages/{uid}`, the property `programStageDataElements`.
    """
    extra = _flags(
        unset, compulsory=compulsory, display_in_reports=display_in_reports, allow_future_date=allow_future_date,
        allow_provided_elsewhere=allow_provided_elsewhere,
    )  # fmt: skip
    notes = await of_other_domain(s, uids_of(elements))
    return await joins.add(s, STAGE_ELEMENTS, stage, uids_of(elements), extra, notes=notes)


@verb(
    "metadata program-stages remove-element",
    effect="write",
    examples=["dhis2 metadata program-stages remove-element Birth 'MCH Apgar Score' --dry-run"],
)
async def remove_element(s: Session, stage: Stage, elements: ElementItems) -> Plan:
    """Take data elements out of a stage and its sections; what was recorded of them stays.

    API source: `PATCH /api/programStages/{uid}`; `POST /api/metadata` where sections change too.
    """
    uids = set(uids_of(elements))
    planned = await joins.remove(s, STAGE_ELEMENTS, stage, uids_of(elements))
    changes = writes.changes_of(planned)
    for section in await sections_of(s, stage):
        if elements_in(section) & uids:
            changes.append(Write(SECTIONS, section, without_elements(section, uids), detail=changes[0].detail))
    return writes.plan(planned.title, changes, what="programStages", notes=planned.notes)


@verb(
    "metadata program-stages reorder",
    effect="write",
    examples=["dhis2 metadata program-stages reorder Birth 'MCH Apgar Score' 'MCH Weight (g)' --dry-run"],
)
async def reorder(s: Session, stage: Stage, elements: ElementItems) -> Plan:
    """Put the data elements of a stage in an order; those that are not named follow as they are.

    API source: `PATCH /api/programStages/{uid}`.
    """
    return await joins.reorder(s, "programStages", "programStageDataElements", stage, uids_of(elements), "dataElements")


# Sections of a stage ----------------------------------------------------------------------------------------------------


@verb(
    "metadata program-stage-sections add-element",
    effect="write",
    examples=["dhis2 metadata program-stage-sections add-element Advice 'Bed net given' --dry-run"],
)
async def add_to_section(s: Session, section: Section, elements: ElementItems) -> Plan:
    """Put data elements of the stage into one of its sections, at its end; from another section they move.

    API source: `PATCH /api/programStageSections/{uid}`; `POST /api/metadata` where other sections change too.
    """
    return await plan_into_section(s, section, uids_of(elements))


@verb(
    "metadata program-stage-sections remove-element",
    effect="write",
    examples=["dhis2 metadata program-stage-sections remove-element Advice 'Bed net given' --dry-run"],
)
async def remove_from_section(s: Session, section: Section, elements: ElementItems) -> Plan:
    """Take data elements out of a section; they stay in the stage.

    API source: `PATCH /api/programStageSections/{uid}`.
    """
    return await with_members(s, SECTIONS, section, elements, "dataElements", adding=False)


@verb(
    "metadata program-stage-sections reorder",
    effect="write",
    examples=["dhis2 metadata program-stage-sections reorder Advice 'Next appointment' 'Bed net given' --dry-run"],
)
async def reorder_section(s: Session, section: Section, elements: ElementItems) -> Plan:
    """Put the data elements of a section in an order; those that are not named follow as they are.

    API source: `PATCH /api/programStageSections/{uid}`.
    """
    return await joins.reorder(s, SECTIONS, "dataElements", section, uids_of(elements), "dataElements")
