"""A plan's parts go out in their order: each is in the journal before it is sent, and what came of it afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from dhis2sh.changes.plan import PartDone, WriteSummary
from dhis2sh.client.limits import gather_bounded
from dhis2sh.errors import (
    AccessError,
    BrokenAnswer,
    Dhis2Error,
    Forbidden,
    NetworkError,
    NotFound,
    PartlyDone,
    Refused,
    ServerFault,
)

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Part, Plan, Writer
    from dhis2sh.changes.recording import Recording
    from dhis2sh.session import Session
    from dhis2sh.types import Row

UNANSWERED = (
    "it was sent and may still be running: dhis2 journal show, and look at what is there before you send it again"
)
NAMED = 5
"""Notes that a summary names before it counts the rest."""


async def carry_out(s: Session, plan: Plan, writer: Writer, entry: Recording) -> WriteSummary:
    """Send the parts of a plan. What a server refused is among the summary's failures, never silent.

    Raises `Refused` where it refused the only part, `PartlyDone` where the rest was cut off, and network errors; the
    journal says how far it came.
    """
    summary = WriteSummary(writer.what if plan.undone is None else f"undone {plan.undone}", note=_said(writer))
    sending = _Sending(s, writer, entry, summary, plan)
    try:
        for _, parts in groupby(writer.parts(), key=lambda part: part.stage):
            if writer.concurrency == 1:
                for part in parts:
                    await sending.one(part)
            else:
                async for _ in gather_bounded(map(sending.one, parts), writer.concurrency):
                    pass
    except Dhis2Error as error:
        if isinstance(error, (ServerFault, NetworkError)) and not writer.bulk and entry.all_done:
            return await _answer_lost(s, writer, summary, error)
        far = entry.how_far()
        if not (summary.uids or summary.created or summary.updated or summary.deleted):
            if len(plan.steps) > 1 and isinstance(error, (ServerFault, NetworkError)):
                error.message = f"{error.message}; {far}"
            raise
        cut_off = f"{summary.line()}; then it was cut off: {error}; {far}"
        await writer.finish(s, summary, cut_off=True)
        raise PartlyDone(
            cut_off,
            summary=summary,
            hint=f"{writer.again}{'  ' if writer.again.startswith('dhis2 ') else ' '}finishes the rest; the journal has how far it came",
        ) from error
    if sending.refused is not None and not (entry.counts()["done"] or entry.counts()["sent"]):
        raise sending.refused  # nothing at all was taken back: in the server's own words
    await writer.finish(s, summary, cut_off=False)
    summary.note = "; ".join(part for part in (sending.of_itself(), summary.note) if part) or None
    return summary


async def _answer_lost(s: Session, writer: Writer, summary: WriteSummary, error: Dhis2Error) -> WriteSummary:
    """The summary of a write whose last answer did not come, and all of which is on the server as it was meant to be."""
    with looking_back():
        await writer.finish(s, summary, cut_off=False)
    told = f"no answer came ({error}); looked at afterwards: all of it is done"
    summary.note = "; ".join(part for part in (told, summary.note) if part)
    return summary


@contextmanager
def looking_back() -> Generator[None]:
    """Reads that follow a write: what is refused here is no refusal of the write, of which nobody knows then what came.

    Raises `BrokenAnswer` in the place of refusals.
    """
    try:
        yield
    except (Refused, AccessError, NotFound) as error:
        if isinstance(error, ServerFault):
            raise
        raise BrokenAnswer(f"what came of it cannot be read: {error}", hint=error.hint) from error


class _Sending:
    """One write under way."""

    def __init__(self, s: Session, writer: Writer, entry: Recording, summary: WriteSummary, plan: Plan) -> None:
        self.s, self.writer, self.entry, self.summary, self.plan = s, writer, entry, summary, plan
        self.steps = len(plan.steps)
        self._settled = 0
        self._also: Counter[str] = Counter()
        self.refused: Dhis2Error | None = None
        """The first refusal of a whole part in spite of which the others were sent."""

    def of_itself(self) -> str:
        """In words what the server has done by itself with the rest, which its own counts leave out."""
        words = {"also delete": "gone with what they belong to", "also update": "changed by the server with them"}
        return ", ".join(f"{self._also[action]:,} {word}" for action, word in words.items() if self._also[action])

    async def one(self, part: Part) -> None:
        """One part: told to the journal, sent, and its answer told to the journal and counted."""
        self.entry.sent([*part.numbers, *part.also], digest=part.digest)
        try:
            told = await self.writer.send(self.s, part)
        except (ServerFault, NetworkError) as error:
            await self._look_back(part)
            error.hint = UNANSWERED
            raise
        except (Refused, Forbidden, NotFound) as error:
            if self.plan.undoes is None or self.steps == len(part.numbers) + len(part.also):
                if isinstance(error, Refused):
                    self.entry.refused(dict.fromkeys(part.numbers, str(error)))
                raise
            self.refused = self.refused or error
            told = self._refused(part, error)
        self._take(told)
        self._settled += len(part.numbers)
        if self.steps > 1:
            self.s.person.progress(f"write {self.writer.what}", self._settled, self.steps)

    def _refused(self, part: Part, error: Dhis2Error) -> PartDone:
        """A part of an undo that was refused whole: the others do not build upon it, and go on."""
        steps = [self.plan.steps[number] for number in part.numbers]
        rows: list[Row] = [
            {"type": step.type, "uid": step.uid, "name": step.name, "message": error.message, "code": error.code}
            for step in steps
        ]
        envelope = error.envelope if isinstance(error, Refused) else None
        return PartDone(refused=dict.fromkeys(part.numbers, str(error)), failures=rows, envelope=envelope)

    async def _look_back(self, part: Part) -> None:
        """A part was sent and no answer came: what the server has of it is done. The rest may still come: nobody knows."""
        try:
            told = await self.writer.look_back(self.s, part)
        except Dhis2Error:  # nor does it answer now: the error that is under way says so
            return
        self._take(told)

    def _take(self, told: PartDone) -> None:
        self._count(told)  # first: what the server has done it has done, whatever becomes of the journal
        for number, uid in told.became.items():
            self.entry.became(number, uid)
        if told.found:
            self.entry.found(told.found)
        if told.refused:
            self.entry.refused(told.refused)
        if told.untouched:
            self.entry.untouched(told.untouched)
        self.entry.done(told.done)
        if not self.writer.bulk:
            self._also.update(action for n in told.done if (action := self.plan.steps[n].action).startswith("also "))

    def _count(self, told: PartDone) -> None:
        summary = self.summary
        summary.created += told.created
        summary.updated += told.updated
        summary.deleted += told.deleted
        summary.ignored += told.ignored
        summary.uids += told.uids
        summary.failures += told.failures
        summary.envelope = told.envelope or summary.envelope


def _said(writer: Writer) -> str | None:
    """The first notes of a plan in one line, for its summary."""
    notes = writer.notes
    more = [f"and {len(notes) - NAMED:,} more notes (--dry-run shows them)"] if len(notes) > NAMED else []
    return "; ".join([*notes[:NAMED], *more]) or None
