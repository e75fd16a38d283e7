"""What was entered in a form, sent through the one door: values first, then the registration; and the way back.

API source: `POST /api/dataValueSets`, `POST /api/completeDataSetRegistrations` (api-facts f.1, f.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from dhis2sh.changes.plan import AGAIN, Part, PartDone, Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client.sending import attempt, send
from dhis2sh.data.cells import KEY, cell_of
from dhis2sh.data.completeness import registrations
from dhis2sh.data.entry.reading import DEFAULT, beside
from dhis2sh.data.reading import cells_now, elements_without_zeros
from dhis2sh.data.registering import NAME as COMPLETE
from dhis2sh.data.registering import SENT, sent, told_of
from dhis2sh.data.sending import holds, refusals
from dhis2sh.data.target import Target
from dhis2sh.errors import Dhis2Error, Refused

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change as Kept
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.client.requests import Param
    from dhis2sh.data.entry.form import Entered, Form
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

NAME = "dataEntry"
VALUES = "dataValues"
HELD_BACK = "not sent: some of the values were refused"


@dataclass(slots=True)
class Sending:
    """The writer of one form.

    Parameters:
        rows: the values, one a step; those that are taken away are marked as deleted.
        before: what their cells hold in the plan, by cell; None where there is nothing.
        registration: what is registered or opened again, as the last step.
        opening: open it again.
        data_set: of the form: a 2.43 wants to know it.
        draft: the file that goes when all is written.
        notes, what, concurrency, again: as of every writer.
    """

    name: ClassVar[str] = NAME
    bulk: ClassVar[bool] = False

    rows: Sequence[Row]
    before: dict[str, str | None]
    registration: JsonObject | None
    opening: bool
    data_set: str
    draft: Path | None = None
    notes: Sequence[str] = ()
    what: str = "data entry"
    concurrency: int = 1
    again: str = AGAIN
    _refused: dict[int, str] = field(default_factory=dict[int, str])

    def parts(self) -> Iterator[Part]:
        """The values in one request, then the registration."""
        if self.rows:
            yield Part(range(len(self.rows)))
        if self.registration is not None:
            yield Part([len(self.rows)], stage=1)

    async def moved(self, s: Session) -> list[str]:
        """Cells that somebody else has changed since the form was read."""
        now = await cells_now(s, self.rows, DEFAULT) if self.rows else {}
        found: list[str] = []
        for row in self.rows:
            cell = cell_of(row, DEFAULT)
            held = now.get(cell)
            if (str(held.get("value", "")) if held else None) != self.before.get(cell):
                found.append(f"{cell} has changed since the form was read")
        return found

    async def send(self, s: Session, part: Part) -> PartDone:
        """The values, or the registration where all of them were taken."""
        if part.stage:
            return await self._register(s, part)
        params: dict[str, Param] = {"importStrategy": "CREATE_AND_UPDATE"}
        by_set = self.data_set and (await s.client.version()).has("values_by_data_set")
        head: JsonObject = {"dataSet": self.data_set} if by_set else {}
        outcome = await attempt(send(s.client, "POST", "dataValueSets", {**head, VALUES: [*self.rows]}, params))
        if isinstance(outcome, Dhis2Error):
            raise outcome
        self._refused = refusals(outcome, len(self.rows))
        told = await self.look_back(s, part)
        kept = set(told.done)
        for number in part.numbers:
            if number not in kept:
                self._refused.setdefault(number, "the server did not take it, and gave no reason")
        told.refused = dict(self._refused)
        told.failures = [
            {"type": VALUES, "uid": cell_of(self.rows[number], DEFAULT), "name": cell_of(self.rows[number], DEFAULT), "message": why}
            for number, why in self._refused.items()
        ]  # fmt: skip
        return told

    async def _register(self, s: Session, part: Part) -> PartDone:
        number = part.numbers[0]
        row = self.registration or {}
        cell = ".".join(str(row.get(name)) for name in ("dataSet", "period", "organisationUnit"))
        if self._refused:
            return PartDone(
                refused={number: HELD_BACK},
                failures=[{"type": COMPLETE, "uid": cell, "name": cell, "message": HELD_BACK}],
            )
        outcome = await sent(s, [row], opening=self.opening)
        told = await self.look_back(s, part)
        if not told.done:
            reasons = [one.message for one in outcome.conflicts if one.message]
            why = "; ".join(reasons) or told_of(outcome) or "the server ignored it and gave no reason"
            told.refused, told.failures = {number: why}, [{"type": COMPLETE, "uid": cell, "name": cell, "message": why}]
        return told

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """What the server has of it now."""
        if part.stage:
            is_there = await _registered(s, self.registration or {})
            done = [*part.numbers] if is_there != self.opening else []
            return PartDone(done, deleted=len(done)) if self.opening else PartDone(done, created=len(done))
        now = await cells_now(s, self.rows, DEFAULT)
        without = await elements_without_zeros(s, self.rows)
        done = [
            at for at in part.numbers
            if holds(now.get(cell_of(self.rows[at], DEFAULT)), self.rows[at], deleting=False, without_zeros=without)
        ]  # fmt: skip
        told = PartDone(done)
        for at in done:
            cell = cell_of(self.rows[at], DEFAULT)
            was_there = self.before.get(cell) is not None
            if cell not in now:  # taken away, or a zero that the server does not keep
                told.deleted += was_there or bool(self.rows[at].get("deleted"))
                told.ignored += not was_there and not self.rows[at].get("deleted")
            elif was_there:
                told.updated += 1
            else:
                told.created += 1
        return told

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """The draft goes when everything of it is on the server."""
        if self.draft is not None and not cut_off and not self._refused:
            self.draft.unlink(missing_ok=True)


async def _registered(s: Session, row: JsonObject) -> bool:
    query = {"dataSet": row["dataSet"], "period": row["period"], "orgUnit": row["organisationUnit"]}
    return any(
        found.get("organisationUnit") == row["organisationUnit"] and found.get("completed") is not False
        and (found.get("attributeOptionCombo") or DEFAULT) == (row.get("attributeOptionCombo") or DEFAULT)
        for found in await registrations(s, query)
    )  # fmt: skip


def plan(form: Form, entered: Entered, draft: Path | None = None, *, waiting: str = "") -> Plan:
    """The plan of sending what was entered.

    Parameters:
        form: as it was read: what the values are compared with.
        entered: what is to be sent.
        draft: the file that goes when it is written.
        waiting: what is said of a draft by somebody who leaves the form, and sends nothing.
    """
    rows: list[Row] = []
    steps: list[PlanStep] = []
    before: dict[str, str | None] = {}
    for change in entered.changes:
        row: Row = {
            "dataElement": change.field.element, "period": form.period, "orgUnit": form.unit,
            "categoryOptionCombo": change.field.combo, "attributeOptionCombo": form.attribute_combo,
        }  # fmt: skip
        cell = cell_of(row, DEFAULT)
        there = change.field.key in form.values
        before[cell] = form.values.get(change.field.key)
        kept = form.beside.get(change.field.key, {})
        rows.append({**row, **kept, "value": change.after} if change.after else {**row, "deleted": True})
        steps.append(_step(row, cell, change.field.label, change.before if there else None, change.after or None))
    registration: JsonObject | None = None
    if entered.complete is not None and entered.complete != form.complete:
        registration = {"dataSet": form.data_set, "period": form.period, "organisationUnit": form.unit,
                        "attributeOptionCombo": form.attribute_combo, "completed": True}  # fmt: skip
        steps.append(_registering(registration, form.title, opening=not entered.complete))
    sent = draft if steps else None  # whoever leaves the form sends nothing, and finds the draft again
    writer = Sending(rows, before, registration, entered.complete is False, form.data_set, sent)
    if waiting and not steps:
        writer.what = f"data entry: {waiting}; on the server"  # `: nothing changed` follows
    return Plan(f"data entry: {form.title}", steps, notes=list(form.notes), writer=writer, asks=True)


def _step(row: Row, cell: str, name: str, before: str | None, after: str | None) -> PlanStep:
    detail = f"{before if before is not None else 'nothing'} -> {after if after is not None else 'nothing'}"
    action = "create" if before is None else "update" if after is not None else "delete"
    kept: JsonObject = {key: row[key] for key in KEY}
    return PlanStep(action, VALUES, uid=cell, name=name, detail=detail,
                    before=None if before is None else {**kept, "value": before},
                    after=None if after is None else {**kept, "value": after})  # fmt: skip


def _registering(row: JsonObject, name: str, *, opening: bool) -> PlanStep:
    cell = ".".join(str(row[key]) for key in ("dataSet", "period", "organisationUnit", "attributeOptionCombo"))
    kept = {key: row[key] for key in SENT if key in row}
    if opening:
        return PlanStep("delete", COMPLETE, uid=cell, name=name, detail="open again", before=kept)
    return PlanStep("create", COMPLETE, uid=cell, name=name, detail="register as complete", after=kept)


@takes_back(NAME)
async def entered_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """Cells hold again what they held; a registration goes, or comes back. What somebody changed since stays."""
    title = entry.undo_title
    changes = [change for change in journal.changes(entry.id) if change.written]
    values = [change for change in changes if change.type == VALUES and change.uid]
    registered = next((change for change in changes if change.type == COMPLETE), None)
    now = await cells_now(s, [_of_cell(change) for change in values], DEFAULT) if values else {}
    rows: list[Row] = []
    steps: list[PlanStep] = []
    before: dict[str, str | None] = {}
    stays = already = 0
    without = await elements_without_zeros(s, [_with(change, change.after) for change in values])
    for change in values:
        cell, left, back = str(change.uid), _with(change, change.after), _with(change, change.before)
        if holds(now.get(cell), back, deleting=False):
            already += 1
            continue
        if not force and not holds(now.get(cell), left, deleting=False, without_zeros=without):
            stays += 1
            continue
        held = str(now[cell].get("value", "")) if cell in now else None
        before[cell] = held
        rows.append({**back, **beside(now[cell])} if cell in now and "value" in back else back)
        steps.append(_step(back, cell, change.name or cell, held, None if back.get("deleted") else str(back["value"])))
    registration = (registered.before or registered.after) if registered is not None else None
    opening = registered is not None and registered.action == "create"
    if registration is not None and await _registered(s, registration) != opening:
        already, registration = already + 1, None
    if registration is not None:
        steps.append(_registering(registration, entry.title, opening=opening))
    data_set = str(registration["dataSet"]) if registration is not None else await _data_set(s, rows)
    notes = [f"{stays:,} fields changed again since and left alone (--force takes them back too)"] if stays else []
    notes += [f"{already:,} fields are already as they were before"] if already else []
    writer = Sending(rows, before, registration, opening, data_set, None, notes)
    blocked = None
    if stays and not steps:
        blocked = Refused(f"{title}: nothing of it is as it was left", hint=f"dhis2 undo {entry.id} --force")
    return Plan(title, steps, notes=notes, writer=writer, asks=True, blocked=blocked)


def _of_cell(change: Kept) -> Row:
    """The cell of a change: the journal keeps of an update only what has changed, and the cell as its UID."""
    return dict(zip(KEY, str(change.uid).split("."), strict=True))


def _with(change: Kept, held: JsonObject | None) -> Row:
    """The row that gives the cell of a change the value of one side; without one it is taken away."""
    return {**_of_cell(change), **({"value": held["value"]} if held and "value" in held else {"deleted": True})}


async def _data_set(s: Session, rows: Sequence[Row]) -> str:
    """The data set that a 2.43 wants to know: the one of the first element that the unit reports."""
    if not rows:
        return ""
    target = Target(s)
    await target.open()
    unit = str(rows[0]["orgUnit"])
    await target.meet([str(rows[0]["dataElement"])], [unit], [])
    element = target.element(str(rows[0]["dataElement"]))
    return "" if isinstance(element, str) else next((one.uid for one in element.sets if unit in one.units), "")
