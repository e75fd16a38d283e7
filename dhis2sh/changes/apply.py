"""Carrying out a plan: the one door of every write."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from dhis2sh.changes import refusals
from dhis2sh.changes.journal import recording
from dhis2sh.changes.plan import WriteSummary
from dhis2sh.client.requests import effect_scope
from dhis2sh.errors import Forbidden, PartlyDone, Refused, UsageError
from dhis2sh.rows.rows import stamped

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.session import Session
    from dhis2sh.verbs.declaration import Verb


@contextmanager
def refusals_kept(session: Session) -> Generator[None]:
    """What a server refuses inside is kept for `explain`."""
    try:
        yield
    except (Refused, Forbidden, PartlyDone) as error:
        refusals.keep(error, session.bound)
        raise


async def apply_plan(session: Session, verb: Verb, plan: Plan) -> object:
    """Carry out a plan that somebody has confirmed: the one place that every write passes.

    What it is about to change is in the journal of the profile before the first request, and how it ended afterwards.

    Raises `PartlyDone` when the server refused some of the objects, and whatever the verb raises.
    """
    if verb.apply is None:
        raise UsageError(f"{verb.path} has nothing to apply")
    with refusals_kept(session):
        with effect_scope("write"), recording(session, plan) as entry:
            result = await verb.apply(session, plan)
            entry.finish(result if isinstance(result, WriteSummary) else WriteSummary(plan.title))
        return (
            _whole(result)
            if isinstance(result, WriteSummary)
            else stamped(result, verb=verb.path, profile=session.bound or "")
        )


def _whole(summary: WriteSummary) -> WriteSummary:
    """A summary without refusals. A 200 of the server with ignored objects is no success here."""
    if not summary.failures:
        return summary
    first = summary.failures[0]
    what = f"{first.get('name') or first.get('uid') or first.get('type')}: {first.get('message')}"
    more = f" (and {len(summary.failures) - 1:,} more)" if len(summary.failures) > 1 else ""
    code = cast("str | None", first.get("code"))
    if summary.created or summary.updated or summary.deleted:
        raise PartlyDone(
            f"{summary.line()}; {len(summary.failures):,} refused: {what}{more}",
            summary=summary,
            hint="dhis2 journal show",
        )
    raise Refused(f"nothing was written: {what}{more}", code=code, envelope=summary.envelope, hint="dhis2 explain")
