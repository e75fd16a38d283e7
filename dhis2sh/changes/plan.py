"""What a write would do and what it did: `Plan`, its steps in words, the `Writer` that carries it out, and `WriteSummary`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, cast, overload, runtime_checkable

from dhis2sh.changes.in_words import contents, differences
from dhis2sh.errors import Dhis2Error
from dhis2sh.redact import redacted
from dhis2sh.rows.registry import drawn, page
from dhis2sh.rows.rows import plain_fields, to_plain

if TYPE_CHECKING:
    from dhis2sh.profiles import Profile
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row


type Action = Literal[
    "create",
    "update",
    "delete",
    "share",
    "import",
    "run",
    "set",
    "move",
    "merge",
    "split",
    "also update",
    "also delete",
]
"""What happens to an object; `also` is what the server does by itself with the rest of a plan."""
BY_SERVER = frozenset({"also update", "also delete"})
ASKED = 6
"""So many kinds of changes are counted in a question."""


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One thing that a write would do.

    Parameters:
        action: create, update, delete, ...
        type: the resource type or the kind of thing.
        uid: its UID, or None before it has one; `name` its display name.
        detail: what changes, in words, where `before` and `after` do not say it.
        before: what the object is now: the changed properties of an update, the whole of a deletion.
        after: what it will be: the changed properties of an update, the whole of a creation.
    """

    action: Action
    type: str
    uid: str | None = None
    name: str | None = None
    detail: str | None = None
    before: JsonObject | None = None
    after: JsonObject | None = None

    def words(self, names: Mapping[str, str] | None = None) -> str:
        """What changes: `name: 'A' -> 'B'`, property by property; secrets are not shown.

        Parameters:
            names: what is said in place of a UID.
        """
        if self.detail is not None or self.after is None:
            return self.detail or ""

        new = cast("JsonObject", redacted(self.after))
        if self.before is None:
            return contents(new, names or {})
        old = cast("JsonObject", redacted(self.before))
        return "; ".join(differences(old, new, names or {}))

    def line(self, names: Mapping[str, str] | None = None) -> str:
        """The step in one line: what happens to which object, and what changes; `names` as of `words`."""
        parts = [self.action, self.type, self.name or "", f"[{self.uid}]" if self.uid else "", self.words(names)]
        return " ".join(part for part in parts if part)

    def to_json(self) -> JsonObject:
        """The step as `-o json` prints it; secrets are not shown."""

        return cast("JsonObject", redacted(plain_fields(self)))


type Counts = Mapping[tuple[Action, str], int]
"""How many steps of a plan there are, by action and type."""


class StepsInBulk(Sequence[PlanStep]):
    """The steps of a plan of very many: each is made when somebody looks at it.

    Parameters:
        counts: how many there are, by action and type.
        make: makes one of them from its number.
    """

    def __init__(self, counts: Counts, make: Callable[[int], PlanStep]) -> None:
        self.counts = counts
        self._make = make
        self._size = sum(counts.values())

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> PlanStep: ...

    @overload
    def __getitem__(self, index: slice) -> list[PlanStep]: ...

    def __getitem__(self, index: int | slice) -> PlanStep | list[PlanStep]:
        numbers = range(self._size)[index]
        return self._make(numbers) if isinstance(numbers, int) else [self._make(number) for number in numbers]


class Reported(Protocol):
    """A record that people read in words."""

    def line(self) -> str:
        """The record in words."""
        ...


@runtime_checkable
class ReportedByType(Reported, Protocol):
    """The report of a plan that says how many objects of each type there are."""

    def beside(self, counts: Counts) -> Reported:
        """The same report with what else is written in the same plan."""
        ...


class ReportedAfterwards(Reported, Protocol):
    """The report of a plan of which some still holds when it is written."""

    def afterwards(self) -> str:
        """What still holds, in words; empty for nothing."""
        ...


@dataclass(slots=True)
class WriteSummary:
    """What a write did: drawn as one line, printed whole by `-o json`.

    Parameters:
        what: what was written, in words (`data elements`, `profile`).
        created, updated, deleted, ignored: how many objects; `sent` requests of which nobody knows how many.
        uids: the objects that were written.
        failures: those that were refused, with the server's reason; `rows` of one that stands for several.
        envelope: the server's whole answer, where there was one.
        note: one more thing the user should know.
        types: of a write of several types how many objects of each were created and updated.
        left: of an undo what is not as it was before, and how it differs.
        left_out: what the plan left out, by name and with the reason.
        report: what the plan said, for those who agreed without reading it; what still holds is drawn below the counts.
    """

    what: str
    created: int = 0
    updated: int = 0
    deleted: int = 0
    ignored: int = 0
    sent: int = 0
    uids: list[str] = field(default_factory=lambda: [])
    failures: list[Row] = field(default_factory=lambda: [])
    envelope: JsonObject | None = None
    note: str | None = None
    types: dict[str, dict[str, int]] | None = None
    left: list[Row] = field(default_factory=lambda: [])
    report: ReportedAfterwards | None = None
    left_out: list[Row] = field(default_factory=lambda: [])

    def counts(self) -> str:
        """What it was, and how many of each."""
        counts = [
            f"{count:,} {word}"
            for word in ("created", "updated", "deleted", "ignored", "sent")
            if (count := getattr(self, word))
        ]
        return f"{self.what}: {', '.join(counts) or 'nothing changed'}"

    def say(self, *texts: str) -> None:
        """Say more in the note; what it says already stays."""
        self.note = "; ".join(text for text in (self.note, *texts) if text) or None

    def line(self) -> str:
        """The summary in one line."""
        uids = " ".join(self.uids[:5]) + (f" and {len(self.uids) - 5:,} more" if len(self.uids) > 5 else "")
        parts = [self.counts(), uids, self.note or ""]
        return "  ".join(part for part in parts if part)

    def to_json(self) -> JsonObject:
        """The summary as `-o json` prints it, the server's envelope included."""
        return {**plain_fields(self), **({"report": to_plain(self.report)} if self.report is not None else {})}

    def __repr__(self) -> str:
        return self.line()


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
        also: the steps that the server may carry out by itself with it.
    """

    numbers: Sequence[int]
    stage: int = 0
    digest: str | None = None
    also: Sequence[int] = ()


@dataclass(slots=True)
class PartDone:
    """What came of a part, by numbers of steps. What is neither done nor refused may have been written or not.

    Parameters:
        done: what the server has carried out.
        refused: what it has not, and why.
        became: UIDs that the server has given in place of those that were planned.
        found: what the server has made of what changed, where that is not what was planned.
        untouched: what the server was expected to do by itself, and did not.
        created, updated, deleted, ignored: how many, as the server counts.
        uids: what was written.
        failures: what was refused, a row each.
        envelope: the server's whole answer.
    """

    done: Sequence[int] = ()
    refused: Mapping[int, str] = field(default_factory=dict[int, str])
    became: Mapping[int, str] = field(default_factory=dict[int, str])
    found: Mapping[int, JsonObject] = field(default_factory=dict[int, "JsonObject"])
    untouched: Sequence[int] = ()
    created: int = 0
    updated: int = 0
    deleted: int = 0
    ignored: int = 0
    uids: Sequence[str] = ()
    failures: Sequence[Row] = ()
    envelope: JsonObject | None = None

    def beside(self, other: PartDone) -> PartDone:
        """What came of both of two halves of a part."""
        return PartDone(
            [*self.done, *other.done], {**self.refused, **other.refused}, {**self.became, **other.became},
            {**self.found, **other.found}, [*self.untouched, *other.untouched], self.created + other.created,
            self.updated + other.updated, self.deleted + other.deleted, self.ignored + other.ignored,
            [*self.uids, *other.uids], [*self.failures, *other.failures], other.envelope or self.envelope,
        )  # fmt: skip


class Writer(Protocol):
    """One kind of write; an instance holds what one plan sends."""

    name: ClassVar[str]
    """By which the journal and `undo` know the kind."""
    bulk: ClassVar[bool]
    """The journal keeps ranges and digests of parts, not each object before and after. What such a writer counts as ignored
    was there already as it was meant to be; what was refused is among the failures."""

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


@dataclass(slots=True, kw_only=True)
class PlainWriter:
    """What writers are alike in that keep each object in the journal, send one part after the other and end with the last.

    Parameters:
        notes, what, concurrency, again: see `Writer`.
    """

    bulk: ClassVar[bool] = False

    notes: Sequence[str] = ()
    what: str = ""
    concurrency: int = 1
    again: str = AGAIN

    def one_by_one(self, count: int) -> Iterator[Part]:
        """A part for each of so many steps."""
        for number in range(count):
            yield Part([number])

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Nothing is left to do."""


@dataclass(slots=True)
class Plan:
    """What a write would do, made by reading alone. It is shown, confirmed and then applied.

    Parameters:
        verb: the verb's full path; `title` one line that says what will happen.
        steps: one per object; those of a bulk write are made as they are looked at (`StepsInBulk`).
        notes: what was left out and why.
        left_out: the same by name, where it was one of many: `type`, `uid`, `name`, `reason`.
        writer: what carries it out; without one the verb's own function (`@applies`) does.
        payload: what that function needs; private to the verb, never drawn.
        local: True when nothing on a server changes (profiles, the sandbox's file).
        target: the profile whose server it changes, where that is not the session's.
        made_for: the session's profile when it was made: it is applied to no other.
        undoes: the journal's entry that this plan takes back, and `undone` which one that is, in words; `rest` the command
            that takes back what stays.
        journal: whether what it changes is written down (`--no-journal`).
        asks: wants a yes even where it writes a single object: its user has not seen the change yet.
        names: what the UIDs in it stand for, where somebody is to read it (`dhis2sh.verbs.names.tell`).
        blocked: why it cannot be carried out, found out by reading; shown by a dry run, raised by anything else.
        partly: how it would end though it is carried out, since some of it is refused: a dry run ends so too.
        leave: leaves behind what a person needs to mend a blocked plan, where it was not only looked at.
        report: what a plan of many objects comes to (a model with `line()`): drawn before the first of its steps.
        prepare: what is done on this machine when somebody has agreed, before the first request.
    """

    title: str
    steps: Sequence[PlanStep] = field(default_factory=list[PlanStep])
    notes: list[str] = field(default_factory=lambda: [])
    writer: Writer | None = None
    payload: Any = None
    local: bool = False
    verb: str = ""
    target: Profile | None = None
    made_for: Profile | None = None
    undoes: int | None = None
    undone: str | None = None
    rest: str = ""
    journal: bool = True
    asks: bool = False
    names: dict[str, str] = field(default_factory=dict[str, str])
    blocked: Dhis2Error | None = None
    partly: Dhis2Error | None = None
    leave: Callable[[], object] | None = None
    report: Reported | None = None
    prepare: Callable[[], None] | None = None
    left_out: list[Row] = field(default_factory=lambda: [])

    @property
    def written_by(self) -> str:
        """The name of its writer, under which the journal keeps it."""
        if self.writer is not None:
            return self.writer.name
        held = any(step.before is not None or step.after is not None for step in self.steps)
        return OBJECTS if held else BY_VERB

    @property
    def notes_beside(self) -> list[str]:
        """The notes beside why it cannot be carried out: what that says is not said twice."""
        said = "" if self.blocked is None else str(self.blocked)
        return [note for note in self.notes if note.removeprefix("refused: ") not in said]

    @property
    def question(self) -> str:
        """What a yes agrees to, counted: `update 3 dataElements, delete 1 maps; the server changes 2 more`."""
        ours = [
            f"{action} {count:,} {kind}" for (action, kind), count in self.counts.items() if action not in BY_SERVER
        ]
        more = sum(count for (action, _), count in self.counts.items() if action in BY_SERVER)
        rest = [f"and {len(ours) - ASKED:,} more types"] if len(ours) > ASKED + 1 else []
        told = ", ".join([*ours[: ASKED if rest else ASKED + 1], *rest])
        return f"{told}; the server changes {more:,} more" if more else told

    @property
    def counts(self) -> Counts:
        """How many steps there are, by action and type."""
        if isinstance(self.steps, StepsInBulk):
            return self.steps.counts
        return Counter((step.action, step.type) for step in self.steps)

    def to_json(self, most: int | None = None) -> JsonObject:
        """The plan as `-o json` prints it.

        Parameters:
            most: so many steps at the most.
        """
        return {
            **({"report": to_plain(self.report)} if self.report is not None else {}),
            "plan": self.title,
            "verb": self.verb,
            "steps": [step.to_json() for step in self.steps[:most]],
            "notes": [*self.notes, *([f"blocked: {self.blocked}"] if self.blocked else [])],
            **({"left_out": to_plain(self.left_out)} if self.left_out else {}),
            **({"names": {**self.names}} if self.names else {}),
        }

    def __repr__(self) -> str:
        return drawn(self)

    def _repr_html_(self) -> str | None:
        return page(self)
