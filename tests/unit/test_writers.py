"""A kind of write of one's own: its parts, what came of them, and how it is taken back. Nothing here knows of metadata."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from dhis2sh.changes import recording
from dhis2sh.changes.apply import apply_plan
from dhis2sh.changes.consent import Consent
from dhis2sh.changes.journal import Entry, Journal, journal_of
from dhis2sh.changes.plan import Part, PartDone, Plan, PlanStep, StepsInBulk, WriteSummary
from dhis2sh.changes.way_back import takes_back
from dhis2sh.errors import PartlyDone, Refused, Unreachable
from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from dhis2sh.show import render
from dhis2sh.surfaces.mcp import results
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

MANY = 188_697
YES = Consent(yes=True)


@dataclass
class Values:
    """A trial writer: rows of numbers in parts, and a server that is a list."""

    name: ClassVar[str] = "trial values"
    bulk: ClassVar[bool] = True

    rows: range
    server: list[int]
    size: int = 10_000
    refuses: set[int] = field(default_factory=set)
    silent_from: int | None = None
    what: str = "values"
    notes: Sequence[str] = ()
    concurrency: int = 1
    again: str = "the same line with --resume"

    def parts(self) -> Iterator[Part]:
        for first in range(0, len(self.rows), self.size):
            numbers = range(first, min(first + self.size, len(self.rows)))
            digest = hashlib.sha256(repr(self.rows[first : numbers.stop]).encode()).hexdigest()
            yield Part(numbers, digest=digest)

    async def moved(self, s: Session) -> Sequence[str]:
        return []

    async def send(self, s: Session, part: Part) -> PartDone:
        taken = [number for number in part.numbers if self.rows[number] not in self.refuses]
        self.server += [self.rows[number] for number in taken]
        if self.silent_from is not None and part.numbers[0] >= self.silent_from:
            raise Unreachable("no answer")
        refused = {number: "out of range" for number in part.numbers if self.rows[number] in self.refuses}
        failures = [{"type": "values", "message": reason} for reason in refused.values()]
        return PartDone(taken, refused, created=len(taken), failures=failures)

    async def look_back(self, s: Session, part: Part) -> PartDone:
        there = [number for number in part.numbers[:5] if self.rows[number] in self.server]
        return PartDone(there, created=len(there))

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        summary.note = "cut off" if cut_off else None

    def plan(self) -> Plan:
        steps = StepsInBulk(
            {("create", "values"): len(self.rows)},
            lambda number: PlanStep("create", "values", name=str(self.rows[number])),
        )
        return Plan(f"import {len(self.rows):,} values", steps, writer=self, verb="metadata rename")


@takes_back(Values.name)
async def _(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    rows = [row for part in journal.parts(entry.id) for row in range(part.first, part.first + part.done)]
    return Values(range(len(rows)), []).plan()


async def applied(session: Session, writer: Values) -> object:
    return await apply_plan(session, find("metadata rename"), writer.plan(), YES)


async def test_a_plan_of_very_many_begins_at_once_and_costs_the_journal_little(session: Session) -> None:
    started = time.process_time()
    plan = Values(range(MANY), []).plan()
    shown = render.text(plan)
    answer = results.of_plan(plan)
    last = results.of_plan(plan, skip=MANY - 1)
    journal = journal_of(session)
    journal.begin(plan, "u")
    assert time.process_time() - started < 0.5

    assert f"import {MANY:,} values" in shown
    assert "and 188,6" in shown
    assert answer["total"] == MANY
    assert answer["truncated"]
    assert len(json.dumps(answer)) / 4 < 1500
    assert (len(last["result"]["steps"]), last["truncated"]) == (1, False)
    assert plan.counts == {("create", "values"): MANY}
    await applied(session, Values(range(MANY), []))
    assert journal.path.stat().st_size < 100_000
    assert journal.entries()[0].states == {"done": MANY}


async def test_what_a_server_refuses_of_a_part_is_kept_row_by_row(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "ONE_BY_ONE", 24)
    server: list[int] = []
    with pytest.raises(PartlyDone, match="2 refused") as partly:
        await applied(session, Values(range(25), server, size=10, refuses={3, 12}))

    assert partly.value.summary.created == len(server) == 23
    [entry] = journal_of(session).entries()
    assert (entry.writer, entry.bulk, entry.outcome) == ("trial values", 25, "partly")
    assert entry.states == {"done": 23, "refused": 2}
    kept = journal_of(session).changes(entry.id)
    assert [(row.number, row.name, row.reason) for row in kept] == [
        (3, "3", "out of range"),
        (12, "12", "out of range"),
    ]
    parts = journal_of(session).parts(entry.id)
    assert [(part.first, part.count, part.done, part.refused) for part in parts] == [(0, 10, 9, 1), (10, 10, 9, 1), (20, 5, 5, 0)]  # fmt: skip
    assert len({part.digest for part in parts}) == 3


async def test_what_no_answer_came_for_is_looked_back_at_and_the_rest_is_not_sent(session: Session) -> None:
    server: list[int] = []
    with pytest.raises(PartlyDone, match="15 created; then it was cut off") as partly:
        await applied(session, Values(range(40), server, size=10, silent_from=10))

    assert partly.value.hint == "the same line with --resume finishes the rest; the journal has how far it came"
    assert partly.value.summary.note == "cut off"
    [entry] = journal_of(session).entries()
    assert entry.outcome == "partly"
    assert entry.states == {"done": 15, "sent": 5, "planned": 20}
    assert len(server) == 20


async def test_the_parts_of_a_bulk_write_are_shown(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "ONE_BY_ONE", 24)
    with pytest.raises(PartlyDone):
        await applied(session, Values(range(25), [], size=10, refuses={3}))

    rows = to_json(await run(session, find("journal show"), {}))

    told = [(row["action"], row["name"], row["state"], row["reason"]) for row in rows]
    assert told == [
        ("create", "3", "refused", "out of range"),
        ("send", "rows 1 to 10: 9 done, 1 refused", "done", None),
        ("send", "rows 11 to 20", "done", None),
        ("send", "rows 21 to 25", "done", None),
    ]


async def test_of_a_small_bulk_write_every_row_is_shown(session: Session) -> None:
    with pytest.raises(PartlyDone):
        await applied(session, Values(range(5), [], size=3, refuses={3}))

    rows = to_json(await run(session, find("journal show"), {}))

    assert [(row["name"], row["state"]) for row in rows] == [
        ("0", "done"), ("1", "done"), ("2", "done"), ("3", "refused"), ("4", "done"),
    ]  # fmt: skip
    assert journal_of(session).entries()[0].states == {"done": 4, "refused": 1}


async def test_undo_asks_the_writer_of_the_entry(session: Session) -> None:
    await applied(session, Values(range(30), []))

    plan = await run(session, find("undo"), {}, Consent(dry_run=True))

    assert isinstance(plan, Plan)
    assert plan.title == "import 30 values"
    assert plan.undoes == journal_of(session).entries()[0].id
    await run(session, find("undo"), {}, YES)
    undone = journal_of(session).entries()[1]
    assert undone.undone_by == journal_of(session).entries()[0].id


async def test_what_nobody_knows_how_to_take_back_is_refused(session: Session) -> None:
    @dataclass
    class Unknown(Values):
        name: ClassVar[str] = "of a plugin that is gone"

    await applied(session, Unknown(range(30), []))

    with pytest.raises(Refused, match="entry 1 cannot be taken back: import 30 values"):
        await run(session, find("undo"), {}, YES)


def test_two_kinds_of_the_same_name_are_a_mistake() -> None:
    async def other(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
        return Plan("nothing")

    with pytest.raises(ValueError, match="trial values"):
        takes_back(Values.name)(other)


def test_a_plan_in_bulk_makes_a_step_when_somebody_looks_at_it() -> None:
    made: list[int] = []

    def make(number: int) -> PlanStep:
        made.append(number)
        return PlanStep("create", "values", name=str(number))

    steps = StepsInBulk({("create", "values"): 2, ("update", "values"): 3}, make)

    assert len(steps) == 5
    assert steps[-1].name == "4"
    assert [step.name for step in steps[1:3]] == ["1", "2"]
    assert made == [4, 1, 2]
    with pytest.raises(IndexError):
        steps[5]


async def test_values_are_no_objects_whose_names_a_session_keeps(session: Session):
    made: list[int] = []

    def make(number: int) -> PlanStep:
        made.append(number)
        return PlanStep("import", "dataValues")

    writer = Values(range(30_000), [])
    plan = Plan("import", StepsInBulk({("import", "dataValues"): 30_000}, make), writer=writer, verb="metadata rename")
    await apply_plan(session, find("metadata rename"), plan, YES)
    assert len(writer.server) == 30_000
    assert len(made) < 100, "the steps of very many are made when somebody looks at them"
