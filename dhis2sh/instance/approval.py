"""Approval of data: how far each unit is, who waits for whom, and the writer that approves and takes back.

API source: `DataApprovalController.java` (api-facts h.4; recorded `data-approval`, `approval-*`).
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from dhis2sh.changes.left_out import left_out
from dhis2sh.changes.plan import Part, PartDone, PlainWriter, Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client import reading
from dhis2sh.client.limits import gather_bounded
from dhis2sh.client.query import chunked
from dhis2sh.client.sending import accepted
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS
from dhis2sh.errors import Refused, UsageError
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

NAME = "dataApprovals"
UNITS = "organisationUnits"
ADDRESS = "dataApprovals"
type Word = Literal["approve", "unapprove", "accept", "unaccept"]
COLUMNS = ("period", "orgUnit", "orgUnitName", "level", "state", "meaning", "approvedBy", "approvedAt")
UNITS_IN_ONE_REQUEST = 100
AT_ONCE = 4
ACCEPTANCES_OF_ITS_OWN = 41
"""Up to 2.41 accepting has an address of its own; from 2.42 on it is below that of approvals (recorded)."""
MEANING = {
    "UNAPPROVABLE": "nobody approves here",
    "UNAPPROVED_ABOVE": "not approved; approval begins above it",
    "UNAPPROVED_WAITING": "waits: a unit below is not approved",
    "UNAPPROVED_READY": "ready to be approved",
    "APPROVED_ABOVE": "approved, here and above",
    "APPROVED_HERE": "approved",
    "ACCEPTED_HERE": "approved and accepted",
}
"""What the states of 2.42 mean; those of an older server end in ELSEWHERE too, and stand as they are."""
INVERSE: Mapping[Word, Word] = {
    "approve": "unapprove",
    "unapprove": "approve",
    "accept": "unaccept",
    "unaccept": "accept",
}
ALLOWED: Mapping[Word, str] = {
    "approve": "mayApprove",
    "unapprove": "mayUnapprove",
    "accept": "mayAccept",
    "unaccept": "mayUnaccept",
}
FROM: Mapping[Word, frozenset[str]] = {
    "approve": frozenset({"UNAPPROVED_READY"}),
    "unapprove": frozenset({"APPROVED_HERE", "ACCEPTED_HERE"}),
    "accept": frozenset({"APPROVED_HERE"}),
    "unaccept": frozenset({"ACCEPTED_HERE"}),
}
"""In which states each can be done; a server says of others no more than 409."""
THERE: Mapping[Word, frozenset[str]] = {
    "approve": frozenset({"APPROVED_HERE", "APPROVED_ABOVE", "ACCEPTED_HERE"}),
    "unapprove": frozenset({"UNAPPROVED_READY", "UNAPPROVED_WAITING", "UNAPPROVED_ABOVE"}),
    "accept": frozenset({"ACCEPTED_HERE"}),
    "unaccept": frozenset({"APPROVED_HERE"}),
}
"""The states that each leads to: what is in one is so already."""
UNKNOWN = "the server says nothing of it: the data set may not be assigned to it"
PAST: Mapping[Word, str] = {
    "approve": "approved",
    "unapprove": "not approved",
    "accept": "accepted",
    "unaccept": "not accepted",
}


@dataclass(frozen=True, slots=True)
class Workflow:
    """How the data of a data set are approved.

    Parameters:
        levels: names of the approval levels by the org-unit level at which they are.
    """

    uid: str
    name: str
    data_set: str
    levels: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Cell:
    """The approval of one unit for a period.

    Parameters:
        permissions: what the signed-in user may do, by the server's words.
    """

    workflow: str
    period: str
    unit: str
    combo: str
    state: str
    permissions: Mapping[str, bool]

    @property
    def key(self) -> str:
        """What names it."""
        return ".".join((self.workflow, self.period, self.unit, self.combo))


async def workflow_of(s: Session, data_set: str) -> Workflow:
    """The workflow of a data set. Raises `UsageError` where it has none."""
    body = await s.client.get_object(
        f"dataSets/{data_set}",
        {
            "fields": "id,displayName,periodType,workflow[id,displayName,dataApprovalLevels[displayName,level,orgUnitLevel]]"
        },
    )
    flow = body.get("workflow")
    if not isinstance(flow, dict):
        raise UsageError(
            f"'{body.get('displayName')}' has no approval workflow",
            hint=await _of_which(s, data_set, body.get("periodType")),
        )
    levels = cast("list[JsonObject]", flow.get("dataApprovalLevels") or [])
    named = {int(cast("int", one.get("orgUnitLevel") or 0)): str(one.get("displayName")) for one in levels}
    return Workflow(str(flow["id"]), str(flow.get("displayName")), str(body.get("displayName")), named)


async def _of_which(s: Session, data_set: str, period_type: JsonValue) -> str:
    """The command that gives a data set a workflow: one that is there and of its period type, or a new one."""
    rows = await reading.all_of(s.client, "dataApprovalWorkflows", [], fields="id,displayName,periodType")
    fitting = [row for row in rows if row.get("periodType") == period_type]
    if not fitting:
        return "dhis2 metadata create dataApprovalWorkflows --help"
    first = fitting[0]
    return (
        f"dhis2 metadata update dataSets {data_set} --set workflow={first['id']}  gives it '{first.get('displayName')}'"
    )


async def units_of(s: Session, units: Sequence[str], level: int | None, flow: Workflow) -> dict[str, JsonObject]:
    """The units that are meant, by UID: those named, or all at a level at or below them.

    Raises `UsageError` where nobody approves at that level.
    """
    if level is None:
        rows = (await reading.by_uid(s.client, UNITS, units, fields="id,displayName,level")).rows
        return {str(row["id"]): row for row in rows}
    if level not in flow.levels:
        known = ", ".join(f"{number} ({name})" for number, name in sorted(flow.levels.items()))
        raise UsageError(f"'{flow.name}' has no approval at level {level}", hint=f"it has {known}")
    found: dict[str, JsonObject] = {}
    for unit in units:
        filters = [f"path:like:{unit}", f"level:eq:{level}"]
        rows = await reading.all_of(s.client, UNITS, filters, fields="id,displayName,level")
        found |= {str(row["id"]): row for row in rows}
    return found


async def cells(
    s: Session, workflow: str, periods: Sequence[str], units: Sequence[str], combo: str | None = None
) -> list[Cell]:
    """How far some units are, in the order of periods and units.

    API source: `GET /api/dataApprovals/multiple`.
    """

    async def some(period: str, chunk: Sequence[str]) -> list[Cell]:
        params: dict[str, Param] = {"wf": workflow, "pe": period, "ou": [*chunk], "aoc": combo}
        rows = cast("list[JsonObject]", await s.client.get(f"{ADDRESS}/multiple", params))
        return [_cell(row) for row in rows]

    asked = [(period, chunk) for period in periods for chunk in chunked(units, UNITS_IN_ONE_REQUEST)]
    found: dict[tuple[str, str], list[Cell]] = {}
    async for some_cells in gather_bounded((some(period, chunk) for period, chunk in asked), AT_ONCE):
        for cell in some_cells:
            found.setdefault((cell.period, cell.unit), []).append(cell)
    return [cell for period in periods for unit in units for cell in found.get((period, unit), [])]


def _cell(row: Mapping[str, JsonValue]) -> Cell:
    may = cast("dict[str, bool]", row.get("permissions") or {})
    combo = str(row.get("aoc") or DEFAULT_OBJECTS["categoryOptionCombos"])
    return Cell(str(row["wf"]), str(row["pe"]), str(row["ou"]), combo, str(row.get("state")), may)


def shown(cell: Cell, unit: Mapping[str, JsonValue], flow: Workflow) -> Row:
    """A row of `COLUMNS`."""
    level = int(cast("int", unit.get("level") or 0))
    return {
        "period": cell.period, "orgUnit": cell.unit, "orgUnitName": unit.get("displayName"),
        "level": flow.levels.get(level, ""), "state": cell.state, "meaning": MEANING.get(cell.state, ""),
    }  # fmt: skip


async def waiting_for(s: Session, cell: Cell, flow: Workflow, unit: Mapping[str, JsonValue]) -> list[str]:
    """The names of units below one that are not approved: what it waits for, at the next approval level below it."""
    level = int(cast("int", unit.get("level") or 0))
    below = min((number for number in flow.levels if number > level), default=None)
    if below is None:
        return []
    there = await units_of(s, [cell.unit], below, flow)
    found = await cells(s, cell.workflow, [cell.period], [*there], cell.combo)
    return [str(there[one.unit].get("displayName")) for one in found if one.state in THERE["unapprove"]]


# Approving ---------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Approvals(PlainWriter):
    """The writer: cells that are approved or accepted, or no longer.

    Parameters:
        word: what is done.
        cells: one a step.
    """

    name: ClassVar[str] = NAME

    word: Word
    cells: Sequence[Cell]
    what: str = field(default="approvals", kw_only=True)

    def parts(self) -> Iterator[Part]:
        """Many cells of a period in one request; acceptances one by one, of which no list was seen."""
        size = UNITS_IN_ONE_REQUEST if self.word in {"approve", "unapprove"} else 1
        by_period: dict[str, list[int]] = {}
        for number, cell in enumerate(self.cells):
            by_period.setdefault(cell.period, []).append(number)
        for numbers in by_period.values():
            for chunk in chunked(numbers, size):
                yield Part(chunk)

    async def moved(self, s: Session) -> list[str]:
        """Cells that are no longer in the state in which the plan found them."""
        now = await self._now(s, range(len(self.cells)))
        return [
            f"{cell.unit} {cell.period} is {now.get(cell.key)} and was {cell.state}"
            for cell in self.cells
            if now.get(cell.key) != cell.state
        ]

    async def send(self, s: Session, part: Part) -> PartDone:
        """One request. What came of it is read afterwards: a 204 says nothing."""
        some = [self.cells[number] for number in part.numbers]
        method, address, body, params = await self._request(s, some)
        answer = await s.client.write(method, address, body, params)
        accepted(answer)
        done = await self.look_back(s, part)
        late = set(part.numbers) - set(done.done)
        done.refused = dict.fromkeys(late, f"the server said yes, and it is not {PAST[self.word]}")
        done.failures = [{"type": NAME, "uid": self.cells[n].unit, "message": done.refused[n]} for n in late]
        return done

    async def _request(
        self, s: Session, some: Sequence[Cell]
    ) -> tuple[str, str, JsonObject | None, dict[str, Param] | None]:
        first = some[0]
        if self.word in {"approve", "unapprove"}:
            body: JsonObject = {
                "wf": [first.workflow], "pe": [first.period], "approvals": [{"ou": cell.unit, "aoc": cell.combo} for cell in some]
            }  # fmt: skip
            return "POST", f"{ADDRESS}/{self.word[:-1]}als", body, None
        own = (await s.client.version()).minor <= ACCEPTANCES_OF_ITS_OWN
        address = "dataAcceptances" if own else f"{ADDRESS}/dataAcceptances"
        params: dict[str, Param] = {"wf": first.workflow, "pe": first.period, "ou": first.unit, "aoc": first.combo}
        return "POST" if self.word == "accept" else "DELETE", address, None, params

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Which are as they were meant to be."""
        now = await self._now(s, part.numbers)
        done = [number for number in part.numbers if now.get(self.cells[number].key) in THERE[self.word]]
        return PartDone(done, updated=len(done), uids=[self.cells[number].unit for number in done])

    async def _now(self, s: Session, numbers: Sequence[int]) -> dict[str, str]:
        groups: dict[tuple[str, str, str], list[str]] = {}
        for cell in (self.cells[number] for number in numbers):
            groups.setdefault((cell.workflow, cell.period, cell.combo), []).append(cell.unit)
        found = [await cells(s, flow, [period], units, combo) for (flow, period, combo), units in groups.items()]
        return {cell.key: cell.state for some in found for cell in some}


def plan(word: Word, found: Sequence[Cell], named: Mapping[str, str], title: str, line: str = "") -> Plan:
    """The plan of approving cells, or of the other three; what is so already, and what cannot be, is named with its reason.

    Parameters:
        named: units by UID.
        title: what is done; without one of an undo, how many units it is done to follows.
        line: what lists the states of units that are named behind it; empty for an undo.

    It is blocked where nothing can be done and nothing is so already: the same line once more is none the worse.
    """
    chosen = [cell for cell in found if cell.state in FROM[word] and cell.permissions.get(ALLOWED[word])]
    several = len({cell.period for cell in found}) > 1

    def called(cell: Cell) -> str:
        name = named.get(cell.unit, cell.unit)
        return f"{name}, {cell.period}" if several else name

    already = [cell for cell in found if cell.state in THERE[word] and cell not in chosen]
    rest = [cell for cell in found if cell not in chosen and cell.state not in THERE[word]]
    reasons = {f"already {PAST[word]}": already} if already else {}
    for cell in rest:
        reasons.setdefault(_reason(word, cell), []).append(cell)
    notes: list[str] = []
    rows: list[Row] = []
    for reason, some in sorted(reasons.items(), key=lambda pair: (pair[1] is not already, -len(pair[1]))):
        same = left_out(UNITS, ((cell.unit, called(cell)) for cell in some), reason)
        units = counted(len({cell.unit for cell in some}), "unit")
        notes.append(f"{len(some):,} {reason}" if some is already else f"{units} left out: {reason}")
        rows += same
    silent = _silent(found, named)
    if silent:
        notes.append(f"{counted(len({str(row['uid']) for row in silent}), 'unit')} left out: {UNKNOWN}")
        rows += silent
    blocked = None
    if not chosen and (rest or silent) and not already:
        blocked = Refused(
            f"nothing can be done: {'; '.join(notes)}",
            hint=_to_see(line, rest, named) if line else "dhis2 journal list",
        )
        notes = []
    steps = [
        PlanStep("update", NAME, uid=cell.key, name=f"{named.get(cell.unit, cell.unit)}, {cell.period}",
                 detail=word, before=_kept(cell, word), after={"state": PAST[word]})
        for cell in chosen
    ]  # fmt: skip
    if line:
        title = f"{title}: {_counted(chosen or found)}"
    writer = Approvals(word, chosen, notes=notes)
    return Plan(title, steps, notes=notes, writer=writer, blocked=blocked, left_out=rows)


def _silent(found: Sequence[Cell], named: Mapping[str, str]) -> list[Row]:
    """The units of which the server has said nothing; of several periods those of which it left out one."""
    there = {(cell.unit, cell.period) for cell in found}
    periods = list(dict.fromkeys(cell.period for cell in found)) or [""]
    missing = [(unit, period) for period in periods for unit in named if (unit, period) not in there]
    several = len(periods) > 1
    return left_out(UNITS, ((u, f"{named[u]}, {period}" if several else named[u]) for u, period in missing), UNKNOWN)


def _counted(some: Sequence[Cell]) -> str:
    """How many units, and how often where each is done more than once."""
    units = counted(len({cell.unit for cell in some}), "unit")
    return f"{units}, {counted(len(some), 'time')}" if len({cell.unit for cell in some}) < len(some) else units


def _to_see(line: str, rest: Sequence[Cell], named: Mapping[str, str]) -> str:
    """The line that shows why nothing could be done."""
    units = " ".join(shlex.quote(named.get(unit, unit)) for unit in dict.fromkeys(cell.unit for cell in rest[:3]))
    waits = any(cell.state == "UNAPPROVED_WAITING" for cell in rest)
    return f"{line} {units}{' --blockers' if waits else ''}"


def _reason(word: Word, cell: Cell) -> str:
    if cell.state in FROM[word]:
        return f"you may not {word} there"
    return MEANING.get(cell.state, cell.state)


def _kept(cell: Cell, word: Word) -> JsonObject:
    return {
        "word": word,
        "workflow": cell.workflow,
        "period": cell.period,
        "unit": cell.unit,
        "combo": cell.combo,
        "state": cell.state,
    }


@takes_back(NAME)
async def taken_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What was approved is no longer, and the other way round, where nobody above has gone on with it since."""
    title = entry.undo_title
    kept = [change.before for change in journal.changes(entry.id) if change.written and change.before]
    if not kept:
        return Plan(title, blocked=Refused(f"entry {entry.id} changed nothing"))
    changes = [change for change in journal.changes(entry.id) if change.before]
    named = {str((one.before or {})["unit"]): one.name.rpartition(", ")[0] for one in changes if one.name}
    found: list[Cell] = []
    groups: dict[tuple[str, str, str], list[str]] = {}
    for one in kept:
        groups.setdefault((str(one["workflow"]), str(one["period"]), str(one["combo"])), []).append(str(one["unit"]))
    for (flow, period, combo), units in groups.items():
        found += await cells(s, flow, [period], units, combo)
    word = INVERSE[cast("Word", kept[0]["word"])]
    back = plan(word, found, named, title)
    cast("Approvals", back.writer).what = "undone"
    if back.blocked is not None:
        after = _after(journal, entry, groups.keys())
        back.blocked.hint = None if after is None else f"dhis2 undo {after}  comes first: it was written after this"
    return back


def _after(journal: Journal, entry: Entry, groups: Collection[tuple[str, str, str]]) -> int | None:
    """The newest write behind an entry that has gone on with the same workflow and period, on the same server."""
    for other in journal.entries():
        if other.id <= entry.id:
            break
        if other.writer == NAME and other.undoable and other.url == entry.url:
            kept = (change.before or {} for change in journal.changes(other.id) if change.written)
            if any(tuple(str(one.get(name)) for name in ("workflow", "period", "combo")) in groups for one in kept):
                return other.id
    return None
