"""Sections of data sets and of program stages, and the data elements in them."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from dhis2sh.metadata import writes
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.words import listed

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
