"""Violations that a server keeps: found and stored by a run, listed, and mailed to those who are to know.

API source: `POST /api/dataAnalysis/validationRules` with `persist`, `GET /api/validationResults`,
`POST /api/validation/sendNotifications` (recorded `validation-runs`). Fields are spelled out: `*` gives references bare (quirk 19).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, cast

from dhis2sh.changes.plan import Part, PartDone, PlainWriter, Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client import envelopes
from dhis2sh.data import violations
from dhis2sh.data.outliers import short
from dhis2sh.dhis2.intervals import iso_in
from dhis2sh.errors import Refused
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.client.requests import Param
    from dhis2sh.data.violations import Rules
    from dhis2sh.dhis2.periods import Period
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

NAME = "validation"
RESULTS = "validationResults"
FIELDS = (
    "id,created,validationRule[id,name,importance,operator],period[id,periodType,startDate,endDate],organisationUnit[id,name],"
    "attributeOptionCombo[id,name],leftsideValue,rightsideValue,notificationSent"
)
COLUMNS = (
    "id", "importance", "ruleName", "rule", "period", "orgUnit", "orgUnitName", "attributeOptionComboName", "left",
    "operator", "right", "notified", "created",
)  # fmt: skip


async def results(s: Session, params: Mapping[str, Param]) -> AsyncGenerator[list[Row]]:
    """Kept violations, page by page, as rows of `COLUMNS`; `params` choose among them (ou, vr, pe, createdDate)."""
    async for batch in s.client.pages(RESULTS, {"fields": FIELDS, **params}):
        yield [_row(row) for row in batch]


def _part(body: JsonObject, name: str) -> JsonObject:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _row(body: JsonObject) -> Row:
    rule, unit, combo = (_part(body, name) for name in ("validationRule", "organisationUnit", "attributeOptionCombo"))
    operator = str(rule.get("operator") or "")
    return {
        "id": body.get("id"), "importance": rule.get("importance"), "ruleName": rule.get("name"), "rule": rule.get("id"),
        "period": iso_in(body.get("period")), "orgUnit": unit.get("id"), "orgUnitName": unit.get("name"),
        "attributeOptionComboName": None if combo.get("name") == "default" else combo.get("name"),
        "left": short(body.get("leftsideValue")), "operator": violations.OPERATORS.get(operator.lower(), operator),
        "right": short(body.get("rightsideValue")), "notified": body.get("notificationSent"), "created": body.get("created"),
    }  # fmt: skip


@dataclass(slots=True)
class Keeping(PlainWriter):
    """The writer: one run a unit and group of rules, whose violations the server keeps.

    Parameters:
        runs: the bodies of the requests, one a step.
        what, again: as of every writer.
    """

    name: ClassVar[str] = NAME

    runs: Sequence[JsonObject]
    what: str = field(default="violations", kw_only=True)
    again: str = field(default="the same line once more: what is kept already is kept once", kw_only=True)

    def parts(self) -> Iterator[Part]:
        """A request for each run."""
        return self.one_by_one(len(self.runs))

    async def moved(self, s: Session) -> Sequence[str]:
        """What is found is what is broken when it runs."""
        return ()

    async def send(self, s: Session, part: Part) -> PartDone:
        """Run rules, and count what they have found."""
        body = self.runs[part.numbers[0]]
        answer = envelopes.parse(await s.client.write("POST", "dataAnalysis/validationRules", body))
        found = cast("list[JsonObject]", answer) if isinstance(answer, list) else []
        if len(found) >= violations.MOST or len(found) == violations.USUAL_MOST:
            s.person.warn(violations.cut(str(body["ou"]), len(found)))
        return PartDone([*part.numbers], created=len(found))

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """How much of a run was kept nobody knows; it is run again without harm."""
        return PartDone()

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """What is counted was found; what was kept before is kept once."""
        if not cut_off:
            summary.note = "found and kept; those of a run before are kept once: dhis2 validation results"


async def plan(
    s: Session, rules: Rules, groups: Sequence[str], periods: Sequence[Period], units: Sequence[str], *, notify: bool
) -> Plan:
    """The plan of a run whose violations are kept: what it would find is found out first, by a run that keeps nothing.

    Parameters:
        rules: those of the groups, or all; groups: their UIDs, each a run of its own; all rules without any.
        notify: people are mailed as their rules' templates say.
    """
    start, end = violations.span(rules, periods)
    found = [row async for batch in violations.find(s, rules, periods, units) for row in batch]
    runs: list[JsonObject] = [
        {
            "ou": unit, "startDate": start, "endDate": end, "notification": notify, "persist": True,
            "maxResults": violations.MOST, **({"vrg": group} if group else {}),
        }
        for unit in units
        for group in (groups or [""])
    ]  # fmt: skip
    steps = [
        PlanStep(
            "run", "validation rules", uid=str(run["ou"]), name=str(run.get("vrg") or "all rules"),
            detail=f"from {start} to {end}",
        )
        for run in runs
    ]  # fmt: skip
    told = f": {violations.summary(found)}" if found else ""
    notes = [f"it would find {counted(len(found), 'violation')} now{told}"]
    if notify:
        notes.append("people are told as the notification templates of their rules say")
    return Plan("run validation rules and keep what they find", steps, notes=notes, writer=Keeping(runs), asks=True)


@takes_back(NAME)
async def stays(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What a run has kept cannot be told from what was kept before; the plan says so."""
    why = f"entry {entry.id} cannot be taken back: what it found cannot be told from what was kept before"
    hint = "dhis2 validation results  shows what is kept, and by which rule"
    return Plan(entry.undo_title, blocked=Refused(why, hint=hint))
