"""`metadata organisation-unit-levels rename 2 District`: levels are named by their number."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.writes import Write
from dhis2sh.plugins.metadata.types.restructuring import check_level
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs import names
from dhis2sh.verbs.declaration import Doc, verb

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

    Raises `UsageError` for a level that the hierarchy has not, and for a name that another level has.

    API source: `PATCH /api/organisationUnitLevels/{uid}`, `POST /api/organisationUnitLevels`.
    """
    known = await writes.read_all(s, LEVELS, ())
    if level.isdigit():
        before = next((row for row in known if row.get("level") == int(level)), None)
        if before is None:
            await check_level(s, int(level))
    else:
        uid = await names.resolve(s, LEVELS, level)
        before = next(row for row in known if row["id"] == uid)
    number = before["level"] if before else int(level)
    other = next((row for row in known if row.get("name") == name and row is not before), None)
    if other is not None:
        raise UsageError(f"level {other.get('level')} is called '{name}' already", hint="choose another name")
    after: JsonObject = {**(before or {"id": generate_uid(), "level": number}), "name": name}
    return writes.plan(f"call level {number} '{name}'", [Write(LEVELS, before, after)], what=LEVELS)
