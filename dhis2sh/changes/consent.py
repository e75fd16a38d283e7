"""What the user has agreed to, and what a plan still has to ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dhis2sh.errors import Declined, NeedsConfirmation

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.session import Session


LONGEST = 300
"""Characters of a change that are told where nobody asked for its plan."""


class Writing(Protocol):
    """What is to be known of a verb that writes."""

    @property
    def path(self) -> str:
        """`metadata rename`."""
        ...

    @property
    def effect(self) -> str:
        """`write` or `destroy`."""
        ...

    @property
    def persons(self) -> bool:
        """Does it tell what persons have?"""
        ...

    @property
    def journaled(self) -> bool:
        """Is what it writes kept in the journal of the session's profile?"""
        ...

    @property
    def apply(self) -> Callable[[Session, Plan], Awaitable[object]] | None:
        """What carries out a plan that has no writer."""
        ...


@dataclass(slots=True)
class Consent:
    """What the user has agreed to.

    Parameters:
        dry_run: show the plan, write nothing.
        yes: apply without asking.
        confirm: the name of the production profile, typed out.
        journal: write down what changes, so that it can be taken back (`dhis2sh.changes.journal`).
        later: a yes may come in another call, as an agent's does: a plan that waits for one is no refused write.
    """

    dry_run: bool = False
    yes: bool = False
    confirm: str | None = None
    journal: bool = True
    later: bool = False


def production_of(session: Session, plan: Plan) -> str | None:
    """The name of the production profile that a plan writes to, which somebody must type; None for any other."""
    if plan.local:
        return None
    target = plan.target or session.profile
    return target.name if target.production else None


def must_ask(verb: Writing, plan: Plan, consent: Consent) -> bool:
    """Does a plan wait for a yes that has not been given? What destroys, many objects at once, and what was only edited."""
    return bool(plan.steps) and not consent.yes and (verb.effect == "destroy" or len(plan.steps) > 1 or plan.asks)


def is_shown(session: Session, plan: Plan, consent: Consent) -> bool:
    """Is a plan shown to somebody: by a dry run, since it waits for a yes or a name, or told before it is written?"""
    told = bool(plan.steps) and not consent.yes
    return consent.dry_run or told or production_of(session, plan) not in {None, consent.confirm}


def _told(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}... ({len(line) - LONGEST:,} characters more)"


async def require_consent(session: Session, verb: Writing, plan: Plan, consent: Consent) -> None:
    """Ask for what a plan still needs: on a production profile its name, besides what any other server needs.

    What nobody has to agree to, a single object that is created or changed, is told before it is written.

    Raises `NeedsConfirmation` where nobody can answer, `Declined` on a no.
    """
    production = production_of(session, plan)
    named = production is None or consent.confirm == production
    waits = must_ask(verb, plan, consent)
    if named and not waits:
        if not (consent.yes or plan.local):
            for step in plan.steps:
                session.person.note(_told(step.line(plan.names)))
        return
    agreed: bool | None = None
    if named:
        agreed = await session.person.ask(plan)
    elif consent.confirm is None:
        agreed = await session.person.ask(plan, production)
    if agreed:
        return
    if agreed is not None:
        raise Declined(plan.title)
    if named:
        raise NeedsConfirmation(f"{plan.title}: nothing was written", plan=plan, hint="add --yes to apply this plan")
    raise NeedsConfirmation(
        f"'{production}' is a production profile: nothing was written",
        plan=plan,
        hint=f"add --confirm {production}{' --yes' if waits else ''} to write",
    )
