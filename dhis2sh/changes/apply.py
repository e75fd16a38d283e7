"""Carrying out a plan: the one door of every write."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from dhis2sh.changes import refusals
from dhis2sh.changes.attempts import attempt, found_right
from dhis2sh.changes.consent import require_consent
from dhis2sh.changes.journal import JournalError, of
from dhis2sh.changes.plan import StepsInBulk, WriteSummary
from dhis2sh.changes.recording import recording
from dhis2sh.changes.sending import carry_out
from dhis2sh.client.requests import effect_scope
from dhis2sh.errors import Dhis2Error, Forbidden, OutOfDate, PartlyDone, ReadOnlyProfile, Refused, UsageError
from dhis2sh.rows.rows import stamped
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.consent import Consent, Writing
    from dhis2sh.changes.plan import Plan
    from dhis2sh.changes.recording import Recording
    from dhis2sh.session import Session

RUNNING = dt.timedelta(minutes=15)
"""So long a server may be at work on what it gave no answer to."""
NAMED = 5
"""Objects that have changed meanwhile and are named before the rest is counted."""


@contextmanager
def refusals_kept(session: Session) -> Generator[None]:
    """What a server refuses inside is kept for `explain`."""
    try:
        yield
    except (Refused, Forbidden, PartlyDone) as error:
        refusals.keep(error, session.bound)
        raise


@contextmanager
def _undo_named(plan: Plan) -> Generator[None]:
    """What goes wrong inside says which write it was going to take back."""
    try:
        yield
    except Dhis2Error as error:
        if plan.undone is not None and plan.undone not in error.message:
            error.message = f"undo {plan.undone}: {error.message}"
        raise


@contextmanager
def nothing_written(session: Session) -> Generator[None]:
    """What comes before a plan is carried out: who interrupts it is told that nothing was written."""
    try:
        yield
    except (KeyboardInterrupt, asyncio.CancelledError):
        session.person.note("nothing was written: no plan was applied")
        raise


async def apply_plan(session: Session, verb: Writing, plan: Plan, consent: Consent) -> object:
    """Carry out a plan: the one place that every write passes, whatever surface it comes from.

    Nothing is sent that is blocked, that goes to a read-only profile or another one than it was made for, that nobody has
    agreed to, or whose objects are no longer as the plan found them. What it is about to change is in the journal of the
    profile before the first request, and how it ended afterwards.

    Parameters:
        verb: whose plan it is.
        consent: what the user has agreed to, and how to ask for the rest; a dry run gives the plan back.

    Raises what was blocked, `ReadOnlyProfile`, `NeedsConfirmation`, `Declined`, `OutOfDate`,
    `PartlyDone` when the server refused some of the objects, and whatever the verb raises.
    """
    if consent.dry_run:
        return plan
    with refusals_kept(session), _undo_named(plan):
        with nothing_written(session), attempt(session, verb, consent, plan):
            _check(session, verb, plan)
            _look_for_unanswered(session, plan)
            await require_consent(session, verb, plan, consent)
            await _check_current(session, plan)
            if plan.prepare is not None:
                plan.prepare()
        found_right(session, verb, consent, plan)
        with effect_scope("write"), recording(session, plan) as entry:
            if plan.writer is not None:
                result: object = await carry_out(session, plan, plan.writer, entry)
            elif verb.apply is not None:
                result = await verb.apply(session, plan)
            else:  # nothing to do: a plan with steps `_check` has refused
                result = WriteSummary(plan.title, note="; ".join(plan.notes) or None)
            if isinstance(result, WriteSummary):
                result.left_out = [*plan.left_out]
            _written_down(session, entry, result if isinstance(result, WriteSummary) else WriteSummary(plan.title))
        return (
            _whole(
                result,
                unchanged=result.ignored if plan.writer is not None and plan.writer.bulk else 0,
                hint=_what_then(entry, plan, result),
            )
            if isinstance(result, WriteSummary)
            else stamped(result, verb=verb.path, profile=session.bound or "")
        )


def _look_for_unanswered(session: Session, plan: Plan) -> None:
    """A plan says what of it was sent a while ago and got no answer: the server may still be at it. It wants a yes then."""
    if plan.local or isinstance(plan.steps, StepsInBulk) or not plan.steps:
        return
    since = (dt.datetime.now(dt.UTC) - RUNNING).isoformat(timespec="seconds")
    try:
        sent = of((plan.target or session.profile).name).unanswered(since)
    except JournalError:  # who has to write it down says so
        return
    again = [sent[step.uid] for step in plan.steps if step.uid in sent]
    if again:
        number, at = again[-1]
        seconds = (dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(at)).total_seconds()
        plan.notes.append(
            f"{len(again):,} of these were sent {seconds:.0f} s ago (entry {number}) and got no answer: "
            "the server may still be at it"
        )
        plan.asks = True
        session.person.warn(plan.notes[-1])


def _written_down(session: Session, entry: Recording, summary: WriteSummary) -> None:
    """Tell the journal how a write has ended; where it cannot be told, the write has ended well all the same."""
    try:
        entry.finish(summary)
    except JournalError as error:
        session.person.warn(f"it was written on the server, and the journal does not know it: {error}")


def _check(session: Session, verb: Writing, plan: Plan) -> None:
    """Raise where a plan may not be carried out, whoever agrees to it."""
    if plan.blocked is not None:
        if plan.leave is not None:
            plan.leave()
        for note in plan.notes_beside:
            session.person.warn(note)
        raise plan.blocked
    if plan.writer is None and verb.apply is None and plan.steps:
        raise UsageError(f"{verb.path} has nothing to apply", hint=f"dhis2 {verb.path} --dry-run")
    if plan.local or not plan.steps:
        return
    made_for, profile = plan.made_for, plan.target or session.profile
    if made_for is not None and (made_for.name, made_for.url) != (profile.name, profile.url):
        raise UsageError(
            f"{plan.title}: was planned on '{made_for.name}' ({made_for.url}), and this is '{profile.name}' ({profile.url})",
            hint=f"dhis2 {verb.path} -p {made_for.name}",
        )
    if profile.read_only:
        raise ReadOnlyProfile(
            f"profile '{profile.name}' is read-only: {plan.title}: nothing was written",
            hint="use another profile (-p NAME), or take read_only out of this one",
        )


async def _check_current(session: Session, plan: Plan) -> None:
    """Raise `OutOfDate` where somebody has changed since what a plan is about to change."""
    if plan.writer is None or not plan.steps:
        return
    with effect_scope("read"):
        moved = await plan.writer.moved(session)
    if moved:
        more = f"; and {len(moved) - NAMED:,} more" if len(moved) > NAMED else ""
        told = f"{'; '.join(moved[:NAMED])}{more}; nothing was written"
        raise OutOfDate(told, hint="the same line once more plans it anew")


def _what_then(entry: Recording, plan: Plan, summary: WriteSummary) -> str:
    """What to do about a write of which the server has done some."""
    if entry.id is None:
        return "dhis2 explain"
    if plan.writer is not None and plan.writer.bulk and not (summary.created or summary.updated or summary.deleted):
        return entry.shown_by  # what was there already is not taken back
    if plan.undoes is not None:  # to undo the undo would bring back what was just taken back
        return plan.rest or ("dhis2 explain" if summary.failures else entry.shown_by)
    return f"{entry.shown_by}  names what was refused, and what undo takes back"


def _whole(summary: WriteSummary, unchanged: int, hint: str) -> WriteSummary:
    """A summary without refusals. A 200 of the server with ignored objects is no success here.

    Parameters:
        unchanged: how many were on the server as they were meant to be.
        hint: what to do about what is not done.
    """
    if not summary.failures and not summary.left:
        return summary
    rows, word = (summary.failures, "refused") if summary.failures else (summary.left, "not as before")
    first = rows[0]
    what = f"{first.get('name') or first.get('uid') or first.get('type')}: {first.get('message')}"
    count = sum(int(str(row.get("rows", 1))) for row in rows)  # a reason may stand for many
    others = len(rows) - 1
    said = f"{others:,} more" if count == len(rows) else counted(others, "more reason")
    more = f" (and {said})" if others else ""
    code = cast("str | None", first.get("code"))
    if summary.created or summary.updated or summary.deleted or unchanged:
        told = f"{count:,} {word}: {what}{more}"
        raise PartlyDone(f"{summary.line()}; {told}", summary=summary, hint=hint, brief=f"{summary.counts()}; {told}")
    raise Refused(f"nothing was written: {what}{more}", code=code, envelope=summary.envelope, hint="dhis2 explain")
