"""What somebody tried to write and what wrote nothing, refused or right already: in the journal, so that `undo` takes no earlier write for it.

    with attempt(session, verb, consent):
        ...                                  # understands, reads, plans, asks: whatever comes before the first request

Each piece of the way to a write stands in one of these, none in another's: what is sent has an entry of its own.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dhis2sh.changes.journal import Attempted, JournalError, of
from dhis2sh.changes.plan import BY_VERB
from dhis2sh.dhis2.persons import OF_PERSONS
from dhis2sh.errors import ConfigError, Declined, Dhis2Error, NeedsConfirmation, NetworkError, NotFound, ServerFault
from dhis2sh.redact import redact

if TYPE_CHECKING:
    from dhis2sh.changes.consent import Consent, Writing
    from dhis2sh.changes.journal import Outcome
    from dhis2sh.changes.plan import Plan
    from dhis2sh.profiles import Profile
    from dhis2sh.session import Session

LONGEST = 500
"""Characters of a reason that are kept."""


@contextmanager
def attempt(session: Session, verb: Writing, consent: Consent, plan: Plan | None = None) -> Generator[None]:
    """Inside, somebody tries to write; where it ends with an error, the journal tells of the attempt.

    No attempts are reads, dry runs, a no to the question, what is not journaled (`--no-journal`, verbs that write elsewhere,
    an undo), what waits for a yes that comes in a later call, and what is tried on a read-only profile: nothing is taken
    back there.

    Parameters:
        plan: what was going to be written, as far as it is known.
    """
    try:
        yield
    except BaseException as error:
        if not isinstance(error, (Declined, BrokenPipeError)) and _counts(verb, consent, plan, error):
            _write_down(session, verb, plan, _outcome(error), _reason(error))
        raise


def found_right(session: Session, verb: Writing, consent: Consent, plan: Plan) -> None:
    """What somebody tried to write is there already, so that nothing was sent: the journal tells of that attempt, too."""
    if not plan.steps and verb.journaled and _asked_for(verb, consent, plan):
        _write_down(session, verb, plan, "unchanged", "; ".join(plan.notes) or "nothing to change")


def _counts(verb: Writing, consent: Consent, plan: Plan | None, error: BaseException) -> bool:
    return not (isinstance(error, NeedsConfirmation) and consent.later) and _asked_for(verb, consent, plan)


def _asked_for(verb: Writing, consent: Consent, plan: Plan | None) -> bool:
    if verb.effect == "read" or consent.dry_run or not consent.journal:
        return False
    if plan is None:
        return verb.journaled
    return plan.journal and not plan.local and plan.undoes is None


def _write_down(session: Session, verb: Writing, plan: Plan | None, outcome: Outcome, reason: str) -> None:
    profile = (plan.target if plan is not None else None) or _profile_of(session)
    if profile is None or profile.read_only:
        return
    title = plan.title if plan is not None and plan.steps else verb.path  # "enable 0 users" is the title of nothing
    writer = plan.written_by if plan is not None else BY_VERB
    if plan is None and verb.persons:
        writer = OF_PERSONS  # its reason may name somebody
    try:
        of(profile.name).attempted(Attempted(verb.path, title, profile.url, outcome, _kept(reason), writer))
    except JournalError as failed:  # nothing was written: that it is not written down does no harm
        session.person.warn(str(failed))


def _profile_of(session: Session) -> Profile | None:
    """The session's profile; None where there is none, and so no journal."""
    try:
        return session.profile
    except (ConfigError, NotFound):
        return None


def _outcome(error: BaseException) -> Outcome:
    if not isinstance(error, Exception):
        return "interrupted"
    if isinstance(error, (NetworkError, ServerFault)) or not isinstance(error, Dhis2Error):
        return "failed"
    return "refused"


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, Dhis2Error) else type(error).__name__


def _kept(reason: str) -> str:
    told = redact(reason)
    return told if len(told) <= LONGEST else f"{told[:LONGEST]}…"
