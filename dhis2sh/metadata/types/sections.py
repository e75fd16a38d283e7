"""Sections of data sets and of program stages, and the data elements in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from dhis2sh.changes.plan import Plan
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.collections import STAGE_ELEMENTS
from dhis2sh.metadata.write import Write, called
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.words import counted_objects, listed

SECTIONS = "programStageSections"


async def of_other_domain(s: Session, uids: list[str]) -> list[str]:
    """A note on the elements that a stage cannot record. Raises `NotFound` for UIDs of another type."""
    rows = await writes.read_objects(s, "dataElements", uids, fields="id,name,domainType")
    aggregate = [str(row["name"]) for row in rows if row.get("domainType") == "AGGREGATE"]
    if not aggregate:
        return []
    what = "is an aggregate data element" if len(aggregate) == 1 else "are aggregate data elements"
    return [f"{listed(aggregate)} {what}: programs record those of the domain TRACKER"]


async def sections_of(s: Session, stage: str) -> list[JsonObject]:
    """The sections of a stage."""
    return await writes.read_all(s, SECTIONS, [f"programStage.id:eq:{stage}"])


def elements_in(section: JsonObject) -> set[str]:
    """The UIDs of a section's data elements."""
    return {str(item["id"]) for item in cast("list[JsonObject]", section.get("dataElements") or [])}


def without_elements(body: JsonObject, uids: Collection[str]) -> JsonObject:
    """A data set or section without its references to some elements; collections that do not hold them stay as they are."""
    found = dict(body)
    for name in ("dataElements", "greyedFields", "compulsoryDataElementOperands"):
        items = cast("list[JsonObject]", body.get(name) or [])
        kept = [
            item for item in items if str(cast("JsonObject", item.get("dataElement") or item).get("id")) not in uids
        ]
        if len(kept) < len(items):
            found[name] = cast("JsonValue", kept)
    return found


async def plan_into_section(s: Session, section: str, uids: Sequence[str]) -> Plan:
    """The plan that puts data elements of a stage into one of its sections, at its end; out of others they go.

    Parameters:
        section: its UID; uids: those of the elements.

    Raises `UsageError` for elements that are not in the stage.
    """
    named = {str(row["id"]): row for row in await writes.read_objects(s, "dataElements", uids, fields="id,name")}
    [before] = await writes.read_objects(s, SECTIONS, [section])
    [stage] = await writes.read_objects(
        s, "programStages", [str(cast("JsonObject", before["programStage"])["id"])],
        fields="id,name,programStageDataElements[dataElement[id]]",
    )  # fmt: skip
    asked = {STAGE_ELEMENTS.uid_of(row) for row in STAGE_ELEMENTS.rows(stage)}
    foreign = [called(named[uid]) for uid in uids if uid not in asked]
    if foreign:
        raise UsageError(
            f"not in the stage {called(stage)}: {', '.join(foreign)}",
            hint=f"dhis2 metadata program-stages add-element {str(stage['name'])!r} {str(named[uids[0]]['name'])!r}",
        )
    new = [uid for uid in uids if uid not in elements_in(before)]
    names = {uid: str(row["name"]) for uid, row in named.items()}
    items = cast("list[JsonValue]", before.get("dataElements") or [])
    after: JsonObject = {**before, "dataElements": [*items, *({"id": uid} for uid in new)]}
    changes = [Write(SECTIONS, before, after, detail=f"takes in {listed(names[uid] for uid in new)}")]
    for other in await sections_of(s, str(stage["id"])):
        moved = elements_in(other) & set(new)
        if other["id"] != before["id"] and moved:
            detail = f"gives {listed(names[uid] for uid in new if uid in moved)}"
            changes.append(Write(SECTIONS, other, without_elements(other, moved), detail=detail))
    there = [names[uid] for uid in uids if uid not in new]
    notes = [f"{listed(there)} there already"] if there else []
    title = f"put {counted_objects(len(new), 'dataElements')} into the section {called(before)}"
    return writes.plan(title, changes, what=SECTIONS, notes=notes)
