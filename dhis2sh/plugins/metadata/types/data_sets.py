"""`metadata data-sets add-element|remove-element` and `metadata sections reorder`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import uids_of
from dhis2sh.metadata.collections import SET_ELEMENTS
from dhis2sh.metadata.types import joins
from dhis2sh.metadata.types.sections import without_elements
from dhis2sh.metadata.write import Write
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Doc, Piped, Refers, verb
from dhis2sh.words import listed

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
    extra: JsonObject = {}
    told: str | None = None
    if category_combo is not None:
        [combo] = await writes.read_objects(s, "categoryCombos", [category_combo], fields="id,name")
        extra, told = {"categoryCombo": {"id": category_combo}}, f"by {combo['name']}"
    uids = uids_of(elements)
    domains = await writes.read_objects(s, "dataElements", uids, fields="id,name,domainType")
    tracker = [str(row["name"]) for row in domains if row.get("domainType") == "TRACKER"]
    notes = [f"of the domain TRACKER, whose values no data set collects: {listed(tracker)}"] if tracker else []
    return await joins.add(s, SET_ELEMENTS, data_set, uids, extra, told=told, notes=notes)


@verb(
    "metadata data-sets remove-element",
    effect="write",
    examples=["dhis2 metadata data-sets remove-element 'Child Health' 'BCG doses given' --dry-run"],
)
async def remove_element(s: Session, data_set: Set, elements: Items) -> Plan:
    """Take data elements out of a data set, and out of its sections and compulsory fields; their values stay.

    API source: `PATCH /api/dataSets/{uid}`, `PATCH /api/sections/{uid}`, or both as `POST /api/metadata`.
    """
    uids = set(uids_of(elements))
    planned = await joins.remove(s, SET_ELEMENTS, data_set, uids_of(elements))
    [write] = writes.changes_of(planned)
    changes = [replace(write, after=without_elements(write.after or {}, uids))]
    for section in await writes.read_all(s, "sections", [f"dataSet.id:eq:{data_set}"]):
        after = without_elements(section, uids)
        if after != section:
            changes.append(Write("sections", section, after, detail=write.detail))
    return writes.plan(planned.title, changes, what="dataSets")


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
