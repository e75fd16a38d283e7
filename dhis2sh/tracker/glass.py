"""Temporary ownership: "breaking the glass" of an entity that another unit owns in a protected program.

API source: `POST /api/tracker/ownership/override` (api-facts e.1; recorded on 2.41 to 2.43: tracker-ownership).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import Forbidden, NotFound, Refused, UsageError

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.tracker.programs import Program

PROTECTED = "PROTECTED"
HIDING = frozenset({PROTECTED, "CLOSED"})
"""Access levels of programs in which a server shows only what one's own units own."""
HOURS = 3
"""For so long a server lets in whoever broke the glass."""


async def plan(s: Session, program: Program, entity: str, reason: str) -> Plan:
    """The plan of asking for temporary ownership of an entity; without a step where this user may see it already.

    Parameters:
        program: the protected one; entity: by UID; reason: what the server writes down.

    Raises `UsageError` for a program of another access level, and without a reason.
    """
    if not is_uid(entity):
        raise UsageError(f"'{entity}' is no UID", hint="the UID of the entity, from whoever refers to it")
    if not reason.strip():
        raise UsageError("the glass is not broken without a reason", hint="--reason 'referred to us on 3 May'")
    if program.level != PROTECTED:
        told = "nobody gets in" if program.level == "CLOSED" else "it takes no reason to be let in"
        raise UsageError(
            f"'{program.name}' is {program.level}, and only protected programs give temporary ownership: {told}",
            hint=f"dhis2 data tracker transfer {entity} --program {program.uid} --to UNIT  is for whoever owns it",
        )
    title = f"break the glass of {entity} in '{program.name}'"
    if await _visible(s, entity, program.uid):
        return Plan(title, notes=[f"you may see {entity} in '{program.name}' already"])

    async def look(session: Session) -> None:
        if not await _visible(session, entity, program.uid):
            raise Refused(
                f"the server granted temporary ownership of {entity}, and does not show it",
                hint="is the unit that owns it within your search scope? dhis2 system whoami",
            )

    request = Request(
        "POST", "tracker/ownership/override", params={"trackedEntity": entity, "program": program.uid, "reason": reason},
        updated=[entity], then=look,
    )  # fmt: skip
    detail = f"temporary ownership for {HOURS} hours: '{reason}'"
    notes = [
        f"from then on the entity is shown with its program: dhis2 data tracker get {entity} --program '{program.name}'",
        "the server writes down who broke the glass, when and why; it cannot be taken back, and ends by itself",
    ]
    step = PlanStep("update", "trackedEntities", entity, None, detail)
    return Plan(title, [step], notes=notes, writer=ByRequest("temporary ownership", [request]), asks=True)


async def _visible(s: Session, entity: str, program: str) -> bool:
    try:
        await s.client.tracker.get("trackedEntities", entity, fields="trackedEntity", program=program)
    except (NotFound, Forbidden):  # a 2.42 hides what a 2.41 denies
        return False
    return True
