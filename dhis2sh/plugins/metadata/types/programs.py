"""`metadata programs|program-stages|tracked-entity-types`: attributes, elements and places of programs."""

from __future__ import annotations

from typing import Annotated

from dhis2sh import writes
from dhis2sh.plugins.metadata import members
from dhis2sh.plugins.metadata.types import joins
from dhis2sh.plugins.metadata.writing import uids_of
from dhis2sh.results import Plan, Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonValue, Row
from dhis2sh.verbs import Doc, Piped, Refers, applies, verb

ATTRIBUTES = joins.Join(
    "programs", "programTrackedEntityAttributes", "trackedEntityAttribute", "trackedEntityAttributes", back="program"
)
TYPE_ATTRIBUTES = joins.Join(
    "trackedEntityTypes", "trackedEntityTypeAttributes", "trackedEntityAttribute", "trackedEntityAttributes",
    back="trackedEntityType",
)  # fmt: skip
ELEMENTS = joins.Join("programStages", "programStageDataElements", "dataElement", "dataElements", back="programStage")
Program = Annotated[str, Doc("UID, code or unique name of the program."), Refers("programs")]
Stage = Annotated[str, Doc("UID, code or unique name of the stage."), Refers("programStages")]
EntityType = Annotated[str, Doc("UID, code or unique name of the type."), Refers("trackedEntityTypes")]
AttributeItems = Annotated[
    Rows[Row], Piped(), Doc("Attributes; rows of a pipeline."), Refers("trackedEntityAttributes")
]
ElementItems = Annotated[Rows[Row], Piped(), Doc("Data elements; rows of a pipeline."), Refers("dataElements")]
UnitItems = Annotated[Rows[Row], Piped(), Doc("Organisation units; rows of a pipeline."), Refers("organisationUnits")]
Mandatory = Annotated[bool | None, Doc("An answer is wanted.")]
Searchable = Annotated[bool | None, Doc("People are searched by it.")]
InList = Annotated[bool | None, Doc("It is a column of lists.")]


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
) -> Plan:
    """Add attributes to a program, or change what it asks of those that it has.

    API source: `PATCH /api/programs/{uid}`, the property `programTrackedEntityAttributes`.
    """
    extra: dict[str, JsonValue] = {"mandatory": mandatory, "searchable": searchable, "displayInList": display_in_list,
                                   "allowFutureDate": allow_future_date}  # fmt: skip
    return await joins.add(s, ATTRIBUTES, program, uids_of(attributes), extra)


@verb(
    "metadata programs remove-attribute",
    effect="write",
    examples=["dhis2 metadata programs remove-attribute 'Child Programme' 'First name' --dry-run"],
)
async def remove_attribute(s: Session, program: Program, attributes: AttributeItems) -> Plan:
    """Take attributes out of a program.

    API source: `PATCH /api/programs/{uid}`.
    """
    return await joins.remove(s, ATTRIBUTES, program, uids_of(attributes))


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
    return await members.with_members(s, "programs", program, org_units, "organisationUnits", adding=True)


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
) -> Plan:
    """Add attributes to a tracked entity type, or change what it asks of those that it has.

    API source: `PATCH /api/trackedEntityTypes/{uid}`, the property `trackedEntityTypeAttributes`.
    """
    extra: dict[str, JsonValue] = {"mandatory": mandatory, "searchable": searchable, "displayInList": display_in_list}
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
) -> Plan:
    """Add data elements to a stage, or change what it asks of those that it has.

    API source: `PATCH /api/programStages/{uid}`, the property `programStageDataElements`.
    """
    extra: dict[str, JsonValue] = {
        "compulsory": compulsory, "displayInReports": display_in_reports, "allowFutureDate": allow_future_date,
        "allowProvidedElsewhere": allow_provided_elsewhere,
    }  # fmt: skip
    return await joins.add(s, ELEMENTS, stage, uids_of(elements), extra)


@verb(
    "metadata program-stages remove-element",
    effect="write",
    examples=["dhis2 metadata program-stages remove-element Birth 'MCH Apgar Score' --dry-run"],
)
async def remove_element(s: Session, stage: Stage, elements: ElementItems) -> Plan:
    """Take data elements out of a stage.

    API source: `PATCH /api/programStages/{uid}`.
    """
    return await joins.remove(s, ELEMENTS, stage, uids_of(elements))


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


for _verb in (
    add_attribute,
    remove_attribute,
    add_org_units,
    add_type_attribute,
    remove_type_attribute,
    add_element,
    remove_element,
    reorder,
):
    applies(_verb)(writes.apply)
