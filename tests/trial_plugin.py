"""A plugin's domain `trial`: a verb that takes a pipeline's rows, as `metadata rename` does."""

from typing import Annotated

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.rows.rows import Rows
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
