"""The journal's entry of a write that is under way.

`apply_plan` opens one for every plan that is no local one; whatever sends tells it what goes out and what came of it:

    with recording(session, plan) as entry:      # apply_plan alone
        entry.sent([0, 1]); entry.done([0]); entry.refused({1: "E4000 Missing required property"})
        entry.finish(summary)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, override

from dhis2sh.changes.journal import Journal, JournalError, SentPart, of
from dhis2sh.changes.plan import StepsInBulk
from dhis2sh.dhis2.persons import TRACKER
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import AccessError, Dhis2Error, NotFound, Refused, ServerFault
from dhis2sh.session import Written
from dhis2sh.words import on_profile

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Outcome, State
    from dhis2sh.changes.plan import Plan, WriteSummary
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

LEFT: Mapping[State, str] = {"refused": "refused", "sent": "sent without an answer", "planned": "not sent"}
"""The states of what is not done, in words."""

ONE_BY_ONE = 100
"""Rows up to which a bulk write is kept row by row, so that people find the entry that they mean."""


def says_no(error: BaseException) -> bool:
    """Has a server refused a write, so that it was not carried out? Of its own faults nobody knows."""
    return isinstance(error, (Refused, AccessError, NotFound)) and not isinstance(error, ServerFault)


def _is_object(type: str, action: str) -> bool:
    """Is a step one of an object of metadata? Cells, registrations, keys of the datastore and persons are none."""
    if type in TRACKER or action not in {"create", "update", "delete"}:
        return False
    from dhis2sh.models import facts  # start-up: only where something was written

    found = (facts.resources(version).get(type) for version in reversed(facts.VERSIONS))
    return any(item is not None and item.metadata for item in found)


class Recording(ABC):
    """The entry of a write that is under way; numbers are those of the plan's steps. Without a journal it keeps nothing.

    Parameters:
        journal: where to write, or None.
        plan: what is being carried out.
        url: the server's address; profile: whose journal it is, by name.
    """

    def __init__(self, journal: Journal | None, plan: Plan, url: str = "", profile: str = "") -> None:
        self.journal = journal
        self.profile = profile
        self._plan = plan
        self._became = dict[int, str]()
        self.id = journal.begin(plan, url, undoes=plan.undoes) if journal is not None else None

    @abstractmethod
    def sent(self, numbers: Sequence[int], *, digest: str | None = None) -> None:
        """These are about to be sent."""

    @abstractmethod
    def done(self, numbers: Sequence[int]) -> None:
        """The server has carried these out."""

    @abstractmethod
    def refused(self, reasons: Mapping[int, str]) -> None:
        """The server refused these, and why."""

    @abstractmethod
    def became(self, number: int, uid: str) -> None:
        """The server has given an object another UID than it was planned with."""

    def found(self, made: Mapping[int, JsonObject]) -> None:
        """What the server has made of what changed, where that is not what was planned."""
        if self.journal is not None and self.id is not None:
            self.journal.put_after(self.id, made)

    @abstractmethod
    def untouched(self, numbers: Sequence[int]) -> None:
        """The server was expected to change these by itself, and did not: they are no changes."""

    @abstractmethod
    def finish(self, summary: WriteSummary) -> None:
        """The write has ended well."""

    @abstractmethod
    def fail(self, error: BaseException) -> None:
        """The write has ended badly. What was sent without an answer stays `sent`: nobody knows what became of it."""

    @abstractmethod
    def settled(self) -> Iterable[int]:
        """The numbers of what the server has carried out, as far as it is known one by one."""

    def written(self) -> list[Written]:
        """The objects of metadata that the server has created, changed or deleted; never persons: their names stay here."""
        found: list[Written] = []
        steps = self._plan.steps
        if isinstance(steps, StepsInBulk) and not any(_is_object(type, action) for action, type in steps.counts):
            return found  # each step of very many would be made, for nothing
        for number in self.settled():
            step = steps[number]
            uid, after = self._became.get(number, step.uid), step.after or {}
            if uid is None or not is_uid(uid) or not _is_object(step.type, step.action):
                continue
            name, code = after.get("name", step.name), after.get("code")
            told = str(code) if code else None
            found.append(Written(step.type, uid, str(name) if name else None, told, step.action == "delete"))
        return found

    @abstractmethod
    def counts(self) -> dict[State, int]:
        """How many are in which state."""

    @property
    def all_done(self) -> bool:
        """Has the server carried out every step?"""
        counts = self.counts()
        return counts["done"] == sum(counts.values()) > 0

    @property
    def shown_by(self) -> str:
        """The command that shows it, on the profile whose journal has it, whichever one is active."""
        return on_profile(f"dhis2 journal show {self.id}", self.profile)

    def how_far(self) -> str:
        """In words how far a write came that was interrupted."""
        counts = self.counts()
        more = [f"{counts[state]:,} {word}" for state, word in LEFT.items() if counts[state]]
        where = f"; {self.shown_by}" if self.id is not None else ""
        if where and self._plan.undoes is None:  # to undo the undo would bring back what was just taken back
            where += f"; {on_profile(f'dhis2 undo {self.id}', self.profile)}"
        return f"{', '.join([f'{counts["done"]:,} of {sum(counts.values()):,} done', *more])}{where}"

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, Dhis2Error):
            written = self.counts()["done"]
            self._end("partly" if written else "refused" if says_no(error) else "failed", str(error))
        else:
            self._end("interrupted" if not isinstance(error, Exception) else "failed", type(error).__name__)

    def _less(self) -> Outcome:
        """What a write is that has ended well, and of which something was refused."""
        counts = self.counts()
        return "partly" if counts["done"] or counts["sent"] or not counts["refused"] else "refused"

    def _end(self, outcome: Outcome, reason: str | None = None) -> None:
        if self.journal is not None and self.id is not None:
            self.journal.end(self.id, outcome, reason)


class ByObject(Recording):
    """The entry of a write that is kept object by object, before and after."""

    def __init__(self, journal: Journal | None, plan: Plan, url: str = "", profile: str = "") -> None:
        super().__init__(journal, plan, url, profile)
        self._steps = list(plan.steps)
        self._states: dict[int, State] = dict.fromkeys(range(len(plan.steps)), "planned")

    @override
    def sent(self, numbers: Sequence[int], *, digest: str | None = None) -> None:
        self._mark(numbers, "sent")

    @override
    def done(self, numbers: Sequence[int]) -> None:
        self._mark(numbers, "done")

    @override
    def refused(self, reasons: Mapping[int, str]) -> None:
        self._states |= dict.fromkeys(reasons, "refused")
        if self.journal is not None and self.id is not None:
            self.journal.refuse(self.id, reasons)

    @override
    def became(self, number: int, uid: str) -> None:
        self._became[number] = uid
        if self.journal is not None and self.id is not None:
            self.journal.rename(self.id, number, uid)

    @override
    def untouched(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._states.pop(number, None)
        if self.journal is not None and self.id is not None:
            self.journal.drop(self.id, numbers)

    def _mark(self, numbers: Sequence[int], state: State) -> None:
        self._states |= dict.fromkeys(numbers, state)
        if self.journal is not None and self.id is not None:
            self.journal.mark(self.id, numbers, state)

    @override
    def finish(self, summary: WriteSummary) -> None:
        """What was not spoken of is done, unless the summary names it as refused, or other parts were: it was not sent then."""
        failures = summary.failures
        silent = all(state == "planned" for state in self._states.values())
        reasons = {
            str(row.get("uid") or row.get("id")): str(row.get("message") or row.get("reason")) for row in failures
        }
        open_ = [number for number, state in self._states.items() if state == "sent" or (silent and state == "planned")]
        told = {n: reasons[uid] for n in open_ if (uid := self._steps[n].uid) is not None and uid in reasons}
        if told:
            self.refused(told)
        nameless = any(not (row.get("uid") or row.get("id")) for row in failures)  # which one it was nobody knows
        self.done([n for n in open_ if not (self._states[n] == "refused" or (nameless and self._states[n] == "sent"))])
        whole = not failures and not summary.left and "refused" not in self._states.values()
        self._end("done" if whole else self._less())

    @override
    def fail(self, error: BaseException) -> None:
        if says_no(error):
            silent = not any(state == "sent" for state in self._states.values())
            open_ = [n for n, state in self._states.items() if state == "sent" or (state == "planned" and silent)]
            if open_:
                self.refused(dict.fromkeys(open_, str(error)))
        elif not any(state != "planned" for state in self._states.values()):
            self.sent(list(self._states))  # the verb says nothing of its parts: any of them may have gone out
        self._failed(error)

    @override
    def settled(self) -> Iterable[int]:
        return [number for number, state in self._states.items() if state == "done"]

    @override
    def counts(self) -> dict[State, int]:
        found = list(self._states.values())
        return {"done": found.count("done"), **{state: found.count(state) for state in LEFT}}


class ByPart(Recording):
    """The entry of a bulk write: of its rows those that were refused are kept one by one; of a small one all that were answered."""

    def __init__(self, journal: Journal | None, plan: Plan, url: str = "", profile: str = "") -> None:
        super().__init__(journal, plan, url, profile)
        self._parts: dict[int, SentPart] = {}
        self._none = Counter[int]()
        """Rows of parts, by their first, that have changed nothing: they are no changes."""

    @override
    def sent(self, numbers: Sequence[int], *, digest: str | None = None) -> None:
        self._keep(SentPart(numbers[0], len(numbers), digest))

    @override
    def done(self, numbers: Sequence[int]) -> None:
        if numbers:
            part = self._part_of(numbers[0])
            self._keep(replace(part, done=len(numbers)))
            if self.journal is not None and self.id is not None and len(self._plan.steps) <= ONE_BY_ONE:
                self.journal.keep(self.id, [(number, self._plan.steps[number], None) for number in numbers])

    @override
    def refused(self, reasons: Mapping[int, str]) -> None:
        first = next(iter(reasons))
        part = self._part_of(first)
        if len(reasons) == part.count and len(set(reasons.values())) == 1:  # all of it, for one reason
            self._keep(replace(part, refused=part.count, reason=reasons[first]))
            return
        self._keep(replace(part, refused=len(reasons)))
        if self.journal is not None and self.id is not None:
            rows = ((number, self._plan.steps[number], reason) for number, reason in reasons.items())
            self.journal.keep(self.id, rows)

    @override
    def became(self, number: int, uid: str) -> None:
        """Rows of a bulk write are not kept by UID."""

    @override
    def untouched(self, numbers: Sequence[int]) -> None:
        part = self._part_of(numbers[0])
        self._none[part.first] += len(numbers)
        self._keep(part)
        if self.journal is not None and self.id is not None:
            self.journal.count(self.id, self._rows)

    @property
    def _rows(self) -> int:
        """How many rows are changes."""
        return len(self._plan.steps) - self._none.total()

    def _part_of(self, number: int) -> SentPart:
        return next(part for part in self._parts.values() if part.first <= number < part.first + part.count)

    def _keep(self, part: SentPart) -> None:
        self._parts[part.first] = part
        if self.journal is not None and self.id is not None:
            self.journal.keep_part(self.id, replace(part, count=part.count - self._none[part.first]))

    @override
    def finish(self, summary: WriteSummary) -> None:
        if not self._rows:
            self._end("unchanged", summary.note)
            return
        self._end("done" if self.counts()["done"] == self._rows else self._less())

    @override
    def fail(self, error: BaseException) -> None:
        if says_no(error):
            for part in [part for part in self._parts.values() if not part.done and not part.refused]:
                self.refused(dict.fromkeys(range(part.first, part.first + part.count), str(error)))
        self._failed(error)

    @override
    def settled(self) -> Iterable[int]:
        whole = (part for part in self._parts.values() if part.done == part.count)
        return (number for part in whole for number in range(part.first, part.first + part.count))

    @override
    def counts(self) -> dict[State, int]:
        parts = self._parts.values()
        sent, done, refused = (
            sum(part.count for part in parts) - self._none.total(),
            sum(part.done for part in parts),
            sum(part.refused for part in parts),
        )
        return {
            "done": done,
            "refused": refused,
            "sent": sent - done - refused,
            "planned": self._rows - sent,
        }


@contextmanager
def recording(session: Session, plan: Plan) -> Generator[Recording]:
    """Keep an entry open while a plan is carried out. Local and empty plans and those of `--no-journal` leave nothing."""
    target = None if plan.local else plan.target or session.profile
    journal = of(target.name) if target is not None and plan.journal and plan.steps else None
    kind = ByPart if plan.writer is not None and plan.writer.bulk else ByObject
    entry = kind(journal, plan, *((target.url, target.name) if target is not None else ()))
    if journal is not None and (gone := journal.kept_small()):
        session.person.warn(
            f"the journal has become large: its {gone:,} oldest writes are forgotten, and cannot be undone"
        )
    try:
        yield entry
    except BaseException as error:
        try:
            entry.fail(error)
        except JournalError as failed:  # what has gone wrong before says more
            session.person.warn(str(failed))
        if not isinstance(error, Exception):
            session.person.warn(entry.how_far())
        raise
    finally:
        if target is not None:
            session.written(entry.written(), target)
