"""What one kind of write is: the parts that it goes in, how each is sent and looked back at, and how it is taken back.

A plan holds its writer; the journal keeps the writer's name, and `undo` finds the way back by that name (`takes_back`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.changes.plan import Plan, WriteSummary
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

OBJECTS = "objects"
"""The writer of whatever keeps objects before and after."""
BY_VERB = "verb"
"""In the journal, what a verb has carried out by a function of its own: nobody knows how to take it back."""
AGAIN = "the same line once more"


@dataclass(frozen=True, slots=True)
class Part:
    """What goes in one request.

    Parameters:
        numbers: the steps of the plan that it carries out; of a bulk writer a range.
        stage: all parts of a stage are done before the next one begins.
        digest: of a bulk writer what it sends, as a checksum: the journal keeps it in place of the rows.
    """

    numbers: Sequence[int]
    stage: int = 0
    digest: str | None = None


@dataclass(slots=True)
class PartDone:
    """What came of a part, by numbers of steps. What is neither done nor refused may have been written or not.

    Parameters:
        done: what the server has carried out.
        refused: what it has not, and why.
        became: UIDs that the server has given in place of those that were planned.
        created, updated, deleted, ignored: how many, as the server counts.
        uids: what was written.
        failures: what was refused, a row each.
        envelope: the server's whole answer.
    """

    done: Sequence[int] = ()
    refused: Mapping[int, str] = field(default_factory=dict[int, str])
    became: Mapping[int, str] = field(default_factory=dict[int, str])
    created: int = 0
    updated: int = 0
    deleted: int = 0
    ignored: int = 0
    uids: Sequence[str] = ()
    failures: Sequence[Row] = ()
    envelope: JsonObject | None = None


class Writer(Protocol):
    """One kind of write; an instance holds what one plan sends."""

    name: ClassVar[str]
    """By which the journal and `undo` know the kind."""
    bulk: ClassVar[bool]
    """The journal keeps ranges and digests of parts, not each object before and after."""

    @property
    def what(self) -> str:
        """What is written, in words, for the summary."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What was left out and why, to be said of the write as of its plan."""
        ...

    @property
    def concurrency(self) -> int:
        """How many parts are under way at once."""
        ...

    @property
    def again(self) -> str:
        """What finishes the rest where a write was cut off."""
        ...

    def parts(self) -> Iterator[Part]:
        """The parts in their order, made as they are sent."""
        ...

    async def moved(self, s: Session) -> Sequence[str]:
        """What is no longer as the plan found it, a sentence each; asked before anything is sent."""
        ...

    async def send(self, s: Session, part: Part) -> PartDone:
        """Send a part. Raises `Refused` where none of it was written; `ServerFault`, `NetworkError` where nobody knows."""
        ...

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """What the server has of a part that no answer came for. Raises errors of the client."""
        ...

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Complete the summary when all parts are sent, or when they were cut off."""
        ...


class TakesBack(Protocol):
    """Makes the plan that takes back what one kind of writer has written; registered by `takes_back`."""

    async def __call__(self, s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
        """The plan; its notes say what stays and why, and it is blocked where all of it does.

        Parameters:
            journal, entry: where what was written is kept.
            force: take back what somebody has changed again since, too.
        """
        ...


_TAKES_BACK: dict[str, TakesBack] = {}


def takes_back(*names: str) -> Callable[[TakesBack], TakesBack]:
    """Register how what the writers of these names have written is taken back. Raises `ValueError` for one that is known."""

    def declare(function: TakesBack) -> TakesBack:
        for name in names:
            if name in _TAKES_BACK:
                raise ValueError(f"it is known already how to take back what the writer '{name}' has written")
            _TAKES_BACK[name] = function
        return function

    return declare


def way_back(entry: Entry) -> TakesBack | None:
    """How an entry is taken back; None where nobody knows."""
    return _TAKES_BACK.get(entry.writer)


def name_of(plan: Plan) -> str:
    """Under which name the journal keeps a plan."""
    if plan.writer is not None:
        return plan.writer.name
    held = any(step.before is not None or step.after is not None for step in plan.steps)
    return OBJECTS if held else BY_VERB
