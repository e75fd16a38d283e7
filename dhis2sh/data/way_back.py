"""How a load is taken back: cells hold again what they held before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.changes.plan import Plan
from dhis2sh.changes.way_back import takes_back
from dhis2sh.data import jobs, loading
from dhis2sh.data.cells import SENT, cell_of
from dhis2sh.data.jobs import Preparing
from dhis2sh.data.reading import cells_now, elements_without_zeros
from dhis2sh.data.refused import RefusedRows
from dhis2sh.data.sending import NAME, holds
from dhis2sh.data.target import Target
from dhis2sh.errors import Refused
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.data.jobs import Job
    from dhis2sh.session import Session
    from dhis2sh.types import Row


NAMED = 5
"""Cells that stay and are named before the rest is counted."""


@takes_back(NAME)
async def values(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """Cells hold again what they held before a load; what somebody has changed since stays, and is counted.

    Cells that held before it what it sent are no change of it: --force leaves them alone too.
    """
    title = entry.undo_title
    digests = [part.digest.split("/") for part in journal.parts(entry.id) if part.digest]
    job = next((found for name, *_ in digests if (found := jobs.Job.find(s.profile.name, name))), None)
    if job is None or not job.has_before:
        why = "its folder is gone" if job is None else "the values before were not kept (--no-undo)"
        blocked = Refused(f"entry {entry.id} cannot be taken back: {why}")
        return Plan(title, blocked=blocked)
    others = [other.id for other in journal.of_load(NAME, job.name) if other.id != entry.id]
    notes = [f"more of this load is in entry {other}: dhis2 undo {other}" for other in others]
    parts = sorted({int(number) for _, number, _ in digests})
    return await _plan(s, entry, job, parts, notes, force=force)


def _restored(row: Row, before: Row | None) -> Row:
    """A row that brings a cell back to what it held; without a value before it is deleted."""
    if before is None:
        kept = (name for name in SENT if name in row and name not in {"value", "comment", "followup"})
        return {**{name: row[name] for name in kept}, "deleted": True}
    return {name: before[name] for name in SENT if name in before}


async def _plan(s: Session, entry: Entry, job: Job, parts: Sequence[int], more: Sequence[str], *, force: bool) -> Plan:
    """The plan that brings the cells of a job back to what they held before it.

    Parameters:
        entry: that of the journal; job: the load that is taken back; parts: those of it that went out.
        more: what is to be said besides.
        force: what somebody has changed since, too.
    """
    title = entry.undo_title
    target = Target(s)
    await target.open()
    before = {cell_of(row, target.default): row for row in job.before()}
    by_set = (await s.client.version()).has("values_by_data_set")
    preparing = Preparing(s.profile.name, loading.ROWS_BY_SET if by_set else jobs.ROWS_IN_ONE_PART)
    refused = RefusedRows(preparing.path / jobs.REFUSED)
    stays, already, same = list[str](), 0, 0
    try:
        for part in parts:
            rows = job.rows(part)
            await loading.meet(target, rows)
            now = await cells_now(s, rows, target.default)
            without = await elements_without_zeros(s, rows)
            deleting = job.head.strategy == "DELETE"
            for place, row in zip(job.places(part), rows, strict=True):
                cell = cell_of(row, target.default)
                was, current = before.get(cell), now.get(cell)
                back = _restored(row, was)
                if holds(was, row, deleting=deleting, without_zeros=without):
                    same += 1
                elif holds(current, back, deleting=False):
                    already += 1
                elif force or holds(current, row, deleting=deleting, without_zeros=without):
                    preparing.add(place, back, loading.data_set_of(target, back) if by_set else None)
                else:
                    stays.append(target.words(row))
        made = preparing.finish(title, s.profile.url, "CREATE_AND_UPDATE", undo=True)
    except BaseException:
        preparing.drop()
        raise
    told = f"{counted(len(stays), 'cell')} changed again since: {_named(stays)}"
    notes = [
        *more,
        *(
            [f"entry {entry.id} has not changed {counted(same, 'cell')}: the values were there before it"]
            if same
            else []
        ),
        *([f"{counted(already, 'cell')} held already what they held before"] if already else []),
        *([f"{told}; left alone (--force takes them back too)"] if stays else []),
    ]
    refused.path = made.path / jobs.REFUSED
    plan_ = await loading.planned(s, made, target, refused, notes, made.head.rows)
    plan_.title = title
    if not plan_.steps and stays:
        plan_.blocked = Refused(f"{title}: {told}", hint=f"dhis2 undo {entry.id} --force")
    return plan_


def _named(cells: Sequence[str]) -> str:
    """The first of some cells, each of which has commas in it."""
    more = f"; and {len(cells) - NAMED:,} more" if len(cells) > NAMED else ""
    return f"{'; '.join(cells[:NAMED])}{more}"
