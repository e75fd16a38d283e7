"""A plugin's domain `trial`: a verb that takes a pipeline's rows, as `metadata rename` does, and verbs that give streams."""

from collections.abc import AsyncGenerator
from typing import Annotated

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Doc, Piped, applies, verb


@verb("trial label", effect="write", examples=["dhis2 trial label dataElements -"])
async def label(
    s: Session,
    type: Annotated[str, Doc("The type's plural.")],
    objects: Annotated[Rows[Row] | None, Piped(), Doc("What to label.")] = None,
    *,
    text: Annotated[str, Doc("The label.")] = "",
) -> Plan:
    """Label objects."""
    steps = [PlanStep("set", type, uid=str(row["id"]), detail=text) for row in objects or ()]
    return Plan(f"label {len(steps)} {type}", steps, payload=(type, text), local=True)


@applies(label)
async def _(s: Session, plan: Plan) -> WriteSummary:
    return WriteSummary(plan.payload[0], updated=len(plan.steps), uids=[step.uid or "" for step in plan.steps])


READ: list[str] = []
"""What `trial numbers` has read, and whether it was closed."""


async def _numbers(count: int) -> AsyncGenerator[list[Row]]:
    try:
        for start in range(0, count, 100):
            READ.append(f"from {start}")
            yield [{"n": n, "even": n % 2 == 0} for n in range(start, min(start + 100, count))]
    finally:
        READ.append("closed")


@verb("trial numbers", effect="read", examples=["dhis2 trial numbers --count 10"])
async def numbers(s: Session, *, count: Annotated[int, Doc("How many.")] = 1000) -> Stream[Row]:
    """Count."""
    READ.clear()
    return Stream(_numbers(count))


@verb("trial units", effect="read", examples=["dhis2 trial units"])
async def units(s: Session) -> Stream[Row]:
    """Organisation units, one a request."""
    pages = s.client.pages("organisationUnits", {"fields": "id,name,level", "order": "name:asc"}, size=1)
    return Stream(pages, columns=["id", "name", "level"], resource="organisationUnits")
