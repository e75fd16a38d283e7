"""Data sets registered as complete, and opened again: the plan, its writer, and the way back.

API source: `POST /api/completeDataSetRegistrations`, with `importStrategy=DELETE` to open again (api-facts f.4; recorded).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from dhis2sh.changes.left_out import left_out
from dhis2sh.changes.plan import Part, PartDone, PlainWriter, Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.sending import attempt, send
from dhis2sh.data.completeness import registrations
from dhis2sh.errors import Dhis2Error, Refused
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

NAME = "completeDataSetRegistrations"
KEY = ("dataSet", "period", "organisationUnit", "attributeOptionCombo")
SENT = (*KEY, "date", "storedBy", "completed")


def cell_of(row: JsonObject) -> str:
    """What names a registration."""
    return ".".join(str(row.get(name) or "") for name in KEY)


@dataclass(slots=True)
class Registrations(PlainWriter):
    """The writer: rows that are registered, or whose registration is taken away.

    Parameters:
        rows: one a step, with all of `KEY`.
        before: what is registered for them now, by `cell_of`.
        opening: take the registrations away.
    """

    name: ClassVar[str] = NAME

    rows: Sequence[JsonObject] = ()
    before: dict[str, JsonObject] = field(default_factory=dict[str, "JsonObject"])
    opening: bool = False
    what: str = field(default="registrations", kw_only=True)

    def parts(self) -> Iterator[Part]:
        """One request."""
        if self.rows:
            yield Part(range(len(self.rows)))

    async def moved(self, s: Session) -> list[str]:
        """Registrations that are not as the plan found them."""
        now = await _now(s, self.rows)
        return [
            f"{cell} has changed since the plan was made"
            for cell in map(cell_of, self.rows)
            if now.get(cell) != self.before.get(cell)
        ]

    async def send(self, s: Session, part: Part) -> PartDone:
        """All rows in one request. What came of them is read afterwards: the server says 200 to rows that it ignores."""
        outcome = await sent(s, self.rows, opening=self.opening)
        told = await self.look_back(s, part)
        said = {row.uid or row.value: row.message for row in outcome.conflicts}
        reason = (
            "; ".join(dict.fromkeys(said.values())) or told_of(outcome) or "the server ignored it and gave no reason"
        )
        told.refused = {number: reason for number in part.numbers if number not in set(told.done)}
        told.failures = [
            {"type": NAME, "uid": cell_of(self.rows[number]), "name": cell_of(self.rows[number]), "message": reason}
            for number in told.refused
        ]
        return told

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Which of them are as they were meant to be."""
        now = await _now(s, self.rows)
        done = [number for number in part.numbers if (cell_of(self.rows[number]) in now) != self.opening]
        uids = [cell_of(self.rows[number]) for number in done]
        return (
            PartDone(done, uids=uids, deleted=len(done))
            if self.opening
            else PartDone(done, uids=uids, created=len(done))
        )


async def sent(s: Session, rows: Sequence[JsonObject], *, opening: bool) -> WebMessage:
    """Send registrations, or take them away; what the server says. Raises errors without a report.

    A 2.43 fails over a period that its database did not know; then it knows it, and takes the same rows (recorded). They
    are sent once more where none of them is there: who is registered already would stay so anyhow.
    """
    params: dict[str, Param] = {"importStrategy": "DELETE"} if opening else {}

    async def once() -> WebMessage:
        outcome = await attempt(send(s.client, "POST", NAME, {NAME: [*rows]}, params))
        if isinstance(outcome, Dhis2Error):
            raise outcome
        return outcome

    outcome = await once()
    if not opening and "flush BatchHandler" in (told_of(outcome) or "") and not await _now(s, rows):
        outcome = await once()
    return outcome


def told_of(outcome: WebMessage) -> str | None:
    """What the server says of the whole: the report under "please check import summary" says more than that sentence."""
    described = (outcome.response or {}).get("description")
    return str(described) if described and outcome.status == "ERROR" else outcome.message


async def _now(s: Session, rows: Sequence[JsonObject]) -> dict[str, JsonObject]:
    """What is registered for some rows."""
    if not rows:
        return {}
    query = {
        "dataSet": sorted({str(row["dataSet"]) for row in rows}), "period": sorted({str(row["period"]) for row in rows}),
        "orgUnit": sorted({str(row["organisationUnit"]) for row in rows}),
    }  # fmt: skip
    wanted = set(map(cell_of, rows))
    found = [row for row in await registrations(s, query) if row.get("completed") is not False]
    return {cell: row for row in found if (cell := cell_of(row)) in wanted}


async def plan(s: Session, rows: Sequence[JsonObject], title: str, *, opening: bool, names: dict[str, str]) -> Plan:
    """The plan of registering rows, or of opening them again; those that are so already are counted and left alone.

    Parameters:
        rows: with all of `KEY`.
        title: what they are.
        opening: open them again.
        names: of the units, by UID.
    """
    before = await _now(s, rows)
    needed = [row for row in rows if (cell_of(row) in before) == opening]
    right = [row for row in rows if row not in needed]
    reason = "not registered as complete" if opening else "registered as complete already"
    units = (
        (cell_of(row), f"{names.get(unit := str(row['organisationUnit']), unit)}, {row['period']}") for row in right
    )
    same = left_out(NAME, units, reason)
    notes = [f"{counted(len(same), 'registration')} already right"] if same else []
    sent = [before[cell_of(row)] if opening else row for row in needed]
    steps = [_step(row, opening=opening, names=names) for row in sent]
    return Plan(title, steps, notes=notes, writer=Registrations(sent, before, opening, notes=notes), left_out=same)


def _step(row: JsonObject, *, opening: bool, names: dict[str, str]) -> PlanStep:
    kept = {name: row[name] for name in SENT if name in row}
    unit = str(row["organisationUnit"])
    called = f"{names.get(unit, unit)}, {row['period']}"
    if opening:
        return PlanStep("delete", NAME, uid=cell_of(row), name=called, before=kept)
    return PlanStep("create", NAME, uid=cell_of(row), name=called, detail="register as complete", after=kept)


@takes_back(NAME)
async def registered(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What was registered is opened again, what was opened is registered as it was, with its day and its user."""
    title = entry.undo_title
    changes = [change for change in journal.changes(entry.id) if change.written]
    opened = [change.before for change in changes if change.action == "delete" and change.before]
    made = [change.after for change in changes if change.action == "create" and change.after]
    if not (opened or made):
        return Plan(title, blocked=Refused(f"entry {entry.id} changed nothing"))
    return await plan(s, opened or made, title, opening=bool(made), names={})


def rows_of(data_set: str, period: str, units: Sequence[str], attribute_combo: str) -> list[JsonObject]:
    """A row for each unit."""
    return [
        {"dataSet": data_set, "period": period, "organisationUnit": unit, "attributeOptionCombo": attribute_combo, "completed": True}
        for unit in units
    ]  # fmt: skip
