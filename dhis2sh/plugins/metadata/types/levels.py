"""`metadata organisation-unit-levels rename 2 District`: levels are named by their number."""

from __future__ import annotations

from typing import Annotated

from dhis2sh import writes
from dhis2sh.results import Plan
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.uids import generate_uid
from dhis2sh.verbs import Doc, applies, verb
from dhis2sh.writes import Write

LEVELS = "organisationUnitLevels"


@verb(
    "metadata organisation-unit-levels rename",
    effect="write",
    examples=["dhis2 metadata organisation-unit-levels rename 2 District"],
)
async def rename(
    s: Session,
    level: Annotated[str, Doc("The level's number, 1 is the top; or its UID or name.")],
    name: Annotated[str, Doc("Its new name.")],
) -> Plan:
    """Name a level of the hierarchy; one that has no name yet gets one.

    API source: `PATCH /api/organisationUnitLevels/{uid}`, `POST /api/organisationUnitLevels`.
    """
    if level.isdigit():
        wanted = f"level:eq:{level}"
    else:
        from dhis2sh import names

        wanted = f"id:eq:{await names.resolve(s, LEVELS, level)}"
    page = await s.client.list_page(LEVELS, {"filter": wanted, "fields": ":owner"})
    before: JsonObject | None = page.rows[0] if page.rows else None
    after: JsonObject = {**(before or {"id": generate_uid(), "level": int(level)}), "name": name}
    return writes.plan(f"call level {level} '{name}'", [Write(LEVELS, before, after)], what=LEVELS)


applies(rename)(writes.apply)
