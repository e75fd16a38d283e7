"""`metadata data-sets add-element|remove-element` and `metadata sections reorder`."""

from __future__ import annotations

from typing import Annotated

from dhis2sh import writes
from dhis2sh.plugins.metadata.types import joins
from dhis2sh.plugins.metadata.writing import uids_of
from dhis2sh.results import Plan, Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs import Doc, Piped, Refers, applies, verb

ELEMENTS = joins.Join("dataSets", "dataSetElements", "dataElement", "dataElements", back="dataSet")
Set = Annotated[str, Doc("UID, code or unique name of the data set."), Refers("dataSets")]
Items = Annotated[Rows[Row], Piped(), Doc("Data elements; rows of a pipeline."), Refers("dataElements")]


@verb(
    "metadata data-sets add-element",
    effect="write",
    examples=["dhis2 metadata data-sets add-element 'Child Health' 'BCG doses given' --dry-run"],
)
async def add_element(
    s: Session,
    data_set: Set,
    elements: Items,
    *,
    category_combo: Annotated[
        str | None, Doc("Collect them by this combination, not by their own."), Refers("categoryCombos")
    ] = None,
) -> Plan:
    """Add data elements to a data set, or change the combination by which it collects them.

    API source: `PATCH /api/dataSets/{uid}`, the property `dataSetElements`.
    """
    extra: JsonObject = {"categoryCombo": {"id": category_combo}} if category_combo else {}
    return await joins.add(s, ELEMENTS, data_set, uids_of(elements), extra)


@verb(
    "metadata data-sets remove-element",
    effect="write",
    examples=["dhis2 metadata data-sets remove-element 'Child Health' 'BCG doses given' --dry-run"],
)
async def remove_element(s: Session, data_set: Set, elements: Items) -> Plan:
    """Take data elements out of a data set; their values stay.

    API source: `PATCH /api/dataSets/{uid}`.
    """
    return await joins.remove(s, ELEMENTS, data_set, uids_of(elements))


@verb(
    "metadata sections reorder",
    effect="write",
    examples=["dhis2 metadata sections reorder Immunization 'BCG doses given' 'OPV0 doses given' --dry-run"],
)
async def reorder(
    s: Session,
    section: Annotated[str, Doc("UID, code or unique name of the section."), Refers("sections")],
    elements: Items,
) -> Plan:
    """Put the data elements of a section in an order; those that are not named follow as they are.

    API source: `PATCH /api/sections/{uid}`.
    """
    return await joins.reorder(s, "sections", "dataElements", section, uids_of(elements), "dataElements")


for _verb in (add_element, remove_element, reorder):
    applies(_verb)(writes.apply)
