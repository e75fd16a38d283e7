"""Several writers as one: numbers of the whole plan, and nothing behind what was refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar

from dhis2sh.changes.journal import Entry
from dhis2sh.changes.plan import Part, PartDone, Plan, PlanStep
from dhis2sh.changes.together import PartOf, Together, together, undone

S: Any = SimpleNamespace()


@dataclass
class Told:
    name: ClassVar[str] = "told"
    bulk: ClassVar[bool] = False
    steps: int
    refuses: frozenset[int] = frozenset()
    sent: list[int] = field(default_factory=list)
    what: str = "things"
    notes: tuple = ()
    concurrency: int = 1
    again: str = "again"
    finished: bool = False

    def parts(self) -> Iterator[Part]:
        for number in range(self.steps):
            yield Part([number], stage=number % 2)

    async def moved(self, s: Any) -> list[str]:
        return [f"{self.steps} moved"]

    async def send(self, s: Any, part: Part) -> PartDone:
        (number,) = part.numbers
        self.sent.append(number)
        if number in self.refuses:
            return PartDone(refused={number: "no"}, failures=[{"uid": "x", "message": "no"}])
        return PartDone([number], became={number: f"uid{number}"}, found={number: {}}, created=1)

    async def look_back(self, s: Any, part: Part) -> PartDone:
        return PartDone([*part.numbers])

    async def finish(self, s: Any, summary: Any, *, cut_off: bool) -> None:
        self.finished = True


def plan_of(writer: Told) -> Plan:
    return Plan("some", [PlanStep("create", "things", f"u{number}") for number in range(writer.steps)], writer=writer)


async def test_parts_are_numbered_through_and_go_back_to_their_writer():
    first, second = Told(2), Told(3)
    plan = together("all", [plan_of(first), Plan("nothing", notes=["left out"]), plan_of(second)], Together, "all")
    writer: Any = plan.writer
    parts = list(writer.parts())
    assert [list(part.numbers) for part in parts] == [[0], [1], [2], [3], [4]]
    assert [part.stage for part in parts] == sorted(part.stage for part in parts)
    done = await writer.send(S, parts[3])
    assert (done.done, done.became, done.found) == ([3], {3: "uid1"}, {3: {}})
    assert (first.sent, second.sent) == ([], [1])
    assert (await writer.look_back(S, parts[4])).done == [4]
    assert await writer.moved(S) == ["2 moved", "3 moved"]
    assert (plan.notes, len(plan.steps)) == (["left out"], 5)


async def test_what_stands_behind_a_refusal_is_not_begun():
    first, second = Told(2, frozenset({1})), Told(1)
    writer: Any = together("all", [plan_of(first), plan_of(second)], Together, "all").writer
    for part in writer.parts():
        assert isinstance(part, PartOf)
        await writer.send(S, part)
    assert (first.sent, second.sent) == ([0, 1], [])
    await writer.finish(S, None, cut_off=False)
    assert first.finished
    assert second.finished


async def test_on_the_way_back_nothing_builds_upon_what_is_refused():
    first, second = Told(2, frozenset({0})), Told(1)
    entry = Entry(7, "2026-11-30T08:00:00+00:00", "v", "some", "u", "done", None, None, None)
    plan = undone(entry, [plan_of(first), plan_of(second)], Together)
    writer: Any = plan.writer
    for part in writer.parts():
        await writer.send(S, part)
    assert (first.sent, second.sent) == ([0, 1], [0])
    assert writer.again == "dhis2 undo 7"
