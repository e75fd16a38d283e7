"""A change to the account that it is sent with: who locks themselves out of a server cannot undo it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.changes.plan import StepsInBulk

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan, PlanStep
    from dhis2sh.session import Session

USERS = "users"


async def look_for_own_account(session: Session, plan: Plan) -> None:
    """A plan that deletes or disables the signed-in user says so first, and wants a yes. Raises what reading raises."""
    if plan.local or plan.target is not None or isinstance(plan.steps, StepsInBulk):
        return
    accounts = [step for step in plan.steps if step.type == USERS and _locks_out(step)]
    if not accounts:
        return
    me = await session.client.system.me()
    own = next((step for step in accounts if step.uid == me.id), None)
    if own is not None:
        done = "disables" if own.action == "update" else "deletes"
        plan.notes.insert(
            0,
            f"this {done} your own account, '{me.username}': you lock yourself out of {session.profile.name}, "
            "and cannot take it back with it",
        )
        plan.asks = True


def _locks_out(step: PlanStep) -> bool:
    if step.action in {"delete", "also delete"}:
        return True
    after, before = step.after or {}, step.before or {}
    return step.action == "update" and after.get("disabled") is True and before.get("disabled") is not True
