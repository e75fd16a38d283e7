"""The writer of what goes by a request (or a few) for each thing: a document, an app, a logo. It reads each again afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from dhis2sh.changes.plan import Part, PartDone, PlainWriter, Plan, PlanStep
from dhis2sh.changes.sending import looking_back
from dhis2sh.errors import BrokenAnswer, Refused

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.session import Session


class OneChange(Protocol):
    """One thing that is made, changed or taken away."""

    @property
    def step(self) -> PlanStep:
        """What a plan says of it; its UID may be another one once it is done."""
        ...

    async def moved(self, s: Session) -> str | None:
        """What is no longer as the plan found it, in a sentence."""
        ...

    async def carry_out(self, s: Session) -> None:
        """Send it. Raises `Refused` where nothing of it was written."""
        ...

    async def is_done(self, s: Session) -> bool:
        """Is it on the server as it was meant to be?"""
        ...


@dataclass(slots=True)
class OneByOne(PlainWriter):
    """The writer; each kind of thing has a class of its own, whose `name` the journal keeps.

    Parameters:
        changes: one a step; the rest as of `PlainWriter`.
    """

    name: ClassVar[str] = ""

    changes: Sequence[OneChange]

    def parts(self) -> Iterator[Part]:
        """A part for each."""
        return self.one_by_one(len(self.changes))

    async def moved(self, s: Session) -> list[str]:
        """What somebody else has changed meanwhile."""
        return [told for change in self.changes if (told := await change.moved(s))]

    async def send(self, s: Session, part: Part) -> PartDone:
        """Carry out one, and read it again."""
        change = self.changes[part.numbers[0]]
        await change.carry_out(s)
        with looking_back():
            done = await self.look_back(s, part)
        if not done.done:
            raise BrokenAnswer(
                f"the server said yes, and {change.step.name or change.step.uid} is not as it was meant to be",
                hint="dhis2 journal show",
            )
        return done

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Is it as it was meant to be?"""
        change = self.changes[part.numbers[0]]
        if not await change.is_done(s):
            return PartDone()
        step = change.step
        return PartDone(
            [*part.numbers], became={number: step.uid for number in part.numbers if step.uid}, uids=[step.uid] if step.uid else [], created=int(step.action == "create"),
            updated=int(step.action in {"update", "set"}), deleted=int(step.action == "delete"),
        )  # fmt: skip


def plan(writer: OneByOne, title: str, notes: Sequence[str] = ()) -> Plan:
    """The plan of a writer's changes."""
    told = [*writer.notes, *notes]
    writer.notes = told
    return Plan(title, [change.step for change in writer.changes], notes=[*told], writer=writer)


def written(journal: Journal, entry: Entry) -> list[Change]:
    """What an entry has written or may have, the last first: in that order it is taken back."""
    return [change for change in reversed(journal.changes(entry.id)) if change.written and change.uid]


def nothing(entry: Entry, notes: Sequence[str] = ()) -> Plan:
    """The plan of an undo that finds nothing to do."""
    why = Refused(f"entry {entry.id} has nothing to take back")
    return Plan(entry.undo_title, blocked=why, notes=[*notes])
