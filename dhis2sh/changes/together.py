"""Several writers as one write: one plan, one yes, one entry of the journal, one undo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, cast

from dhis2sh.changes.plan import Part, PartDone, PlainWriter, Plan, ReportedByType

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry
    from dhis2sh.changes.plan import PlanStep, Writer, WriteSummary
    from dhis2sh.errors import Dhis2Error
    from dhis2sh.session import Session

NAME = "together"


@dataclass(frozen=True, slots=True)
class PartOf(Part):
    """A part of one of the writers.

    Parameters:
        writer: which of them.
        inner: the part as that writer knows it.
    """

    writer: int = 0
    inner: Part = field(default_factory=lambda: Part(()))


@dataclass(slots=True)
class Together(PlainWriter):
    """Writers one after the other; where one is refused something, those behind it are not begun: they may build upon it.

    On the way back nothing builds upon what is refused: everything else goes on.

    Who makes such a plan derives from this, with a name of its own and a way back under it.

    Parameters:
        writers: in their order, none of them a bulk writer.
        sizes: how many of the plan's steps are of each.
        back: it takes back.
    """

    name: ClassVar[str] = NAME

    writers: Sequence[Writer]
    sizes: Sequence[int]
    back: bool = False
    _stopped: bool = field(default=False, init=False)

    def parts(self) -> Iterator[Part]:
        """The parts of each, numbered through."""
        first = stage = 0
        for number, (writer, size) in enumerate(zip(self.writers, self.sizes, strict=True)):
            last: int | None = None
            for inner in writer.parts():
                stage += last is not None and inner.stage != last
                last = inner.stage
                numbers, also = ([first + one for one in some] for some in (inner.numbers, inner.also))
                yield PartOf(numbers, stage, inner.digest, also, number, inner)
            if self._stopped:
                return
            first, stage = first + size, stage + 1

    async def moved(self, s: Session) -> list[str]:
        """What is no longer as the plan found it."""
        return [text for writer in self.writers for text in await writer.moved(s)]

    async def send(self, s: Session, part: Part) -> PartDone:
        """Send a part by its writer."""
        writer, inner, first = self._of(part)
        told = await writer.send(s, inner)
        self._stopped = not self.back and (self._stopped or bool(told.refused or told.failures))
        return _numbered(told, first)

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """What the server has of a part."""
        writer, inner, first = self._of(part)
        return _numbered(await writer.look_back(s, inner), first)

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Each of them completes the summary."""
        for writer in self.writers:
            await writer.finish(s, summary, cut_off=cut_off)

    def _of(self, part: Part) -> tuple[Writer, Part, int]:
        mine = cast("PartOf", part)
        return self.writers[mine.writer], mine.inner, sum(self.sizes[: mine.writer])


def _numbered(told: PartDone, first: int) -> PartDone:
    """What came of a part, by the numbers of the whole plan."""

    def moved[V](found: Mapping[int, V]) -> dict[int, V]:
        return {first + number: value for number, value in found.items()}

    return replace(
        told, done=[first + number for number in told.done], refused=moved(told.refused), became=moved(told.became),
        found=moved(told.found), untouched=[first + number for number in told.untouched],
    )  # fmt: skip


def together(title: str, plans: Sequence[Plan], kind: type[Together], what: str) -> Plan:
    """One plan out of several, each with a writer of its own; it is blocked where one of them is.

    Parameters:
        title: one line that says what will happen.
        plans: in the order in which they are carried out; those without steps say their notes alone.
        kind: the writer, whose name the journal keeps.
        what: what is written, in words.
    """
    steps: list[PlanStep] = [step for plan in plans for step in plan.steps]
    notes = list(dict.fromkeys(note for plan in plans for note in plan.notes))
    some = [plan for plan in plans if plan.writer is not None and plan.steps]
    writers, sizes = [cast("Writer", plan.writer) for plan in some], [len(plan.steps) for plan in some]
    writer = kind(writers, sizes, notes=notes, what=what)
    reported = next((plan for plan in some if plan.report is not None), None)
    report = None if reported is None else reported.report
    if isinstance(report, ReportedByType):
        report = report.beside(
            Counter((step.action, step.type) for plan in some if plan is not reported for step in plan.steps)
        )
    blocked = _first_refusal(plans)
    return Plan(
        title, steps, notes=notes, writer=writer, report=report, blocked=blocked, asks=any(plan.asks for plan in plans),
        names={uid: name for plan in plans for uid, name in plan.names.items()},
        left_out=[row for plan in plans for row in plan.left_out],
    )  # fmt: skip


def undone(entry: Entry, plans: Sequence[Plan], kind: type[Together]) -> Plan:
    """The way back of such a plan from those of its writers: what some of them cannot do stops nobody else."""
    made = together(entry.undo_title, plans, kind, "undone")
    writer = cast("Together", made.writer)
    writer.back, writer.again = True, f"dhis2 undo {entry.id}"
    made.rest = next((plan.rest for plan in plans if plan.rest), "")
    made.blocked = None if made.steps else _first_refusal(plans)
    return made


def _first_refusal(plans: Sequence[Plan]) -> Dhis2Error | None:
    return next((plan.blocked for plan in plans if plan.blocked is not None), None)
