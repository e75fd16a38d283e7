"""What the user has agreed to, and what a plan still has to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.errors import Declined, NeedsConfirmation

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.session import Session
    from dhis2sh.verbs.declaration import Verb


@dataclass(slots=True)
class Consent:
    """What the user has agreed to.

    Parameters:
        dry_run: show the plan, write nothing.
        yes: apply without asking.
        confirm: the name of the production profile, typed out.
        journal: write down what changes, so that it can be taken back (`dhis2sh.changes.journal`).
    """

    dry_run: bool = False
    yes: bool = False
    confirm: str | None = None
    journal: bool = True


def production_of(session: Session, plan: Plan) -> str | None:
    """The name of the production profile that a plan writes to, which somebody must type; None for any other."""
    if plan.local:
        return None
    target = plan.target or session.profile
    return target.name if target.production else None


def must_ask(verb: Verb, plan: Plan, consent: Consent) -> bool:
    """Does a plan wait for a yes that has not been given? What destroys, many objects at once, and what was only edited."""
    return bool(plan.steps) and not consent.yes and (verb.effect == "destroy" or len(plan.steps) > 1 or plan.asks)


async def require_consent(session: Session, verb: Verb, plan: Plan, consent: Consent) -> None:
    """Ask for what a plan still needs. Raises `NeedsConfirmation` where nobody can answer, `Declined` on a no."""
    production = production_of(session, plan)
    if production is not None:
        if consent.confirm == production:
            return
        agreed = await session.person.ask(plan, production) if consent.confirm is None else None
        refusal = NeedsConfirmation(
            f"'{production}' is a production profile: nothing was written",
            plan=plan,
            hint=f"add --confirm {production} to write",
        )
    elif must_ask(verb, plan, consent):
        agreed = await session.person.ask(plan)
        refusal = NeedsConfirmation(
            f"{plan.title}: nothing was written", plan=plan, hint="add --yes to apply this plan"
        )
    else:
        return
    if agreed is None:
        raise refusal
    if not agreed:
        raise Declined(plan.title)
