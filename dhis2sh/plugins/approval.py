"""`approval`: how far the approval of data is, and the four things that are done to it."""

from __future__ import annotations

import shlex
from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.data import completeness
from dhis2sh.data.asking import Asked, periods_of
from dhis2sh.dhis2.periods import Period
from dhis2sh.errors import CheckFailed, NotFound
from dhis2sh.instance import approval
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb
from dhis2sh.words import counted, listed

UNDOES = approval.taken_back
"""How an approval is taken back: importing it here registers that."""
DataSet = Annotated[str, Doc("The data set."), Refers("dataSets")]
ForPeriod = Annotated[str, Doc("The period, such as 202506.")]
Units = Annotated[list[str], Doc("The organisation units."), Refers("organisationUnits")]
Level = Annotated[int | None, Bounds(1), Doc("All units of this level at or below them, in place of themselves.")]
Combo = Annotated[
    str | None, Doc("The attribute option combination; the default without it."), Refers("categoryOptionCombos")
]
Complete = Annotated[bool, Doc("End with 8, and approve nothing, where a unit has not registered the set as complete.")]


@verb(
    "approval status",
    effect="read",
    examples=[
        "dhis2 approval status 'Child Health' 202506 Bo",
        "dhis2 approval status 'Child Health' 202506 Bo --level 4 | where(state == 'UNAPPROVED_READY')",
    ],
)
async def status(
    s: Session, data_set: DataSet, period: ForPeriod, org_units: Units, *, level: Level = None,
    attribute_option_combo: Combo = None,
    blockers: Annotated[bool, Doc("Name the units below that one waits for.")] = False,
) -> Rows[Row]:  # fmt: skip
    """List how far units are: at which level each is approved, what is ready, what waits.

    API source: `GET /api/dataApprovals/multiple`.
    """
    flow, units, found = await _read(s, data_set, period, org_units, level, attribute_option_combo)
    rows = [approval.shown(cell, units[cell.unit], flow) for cell in found]
    if blockers:
        for row, cell in zip(rows, found, strict=True):
            waits = cell.state == "UNAPPROVED_WAITING"
            row["waitsFor"] = listed(await approval.waiting_for(s, cell, flow, units[cell.unit]), 20) if waits else ""
    columns = (*approval.COLUMNS[:6], *(["waitsFor"] if blockers else []))
    return Rows(rows, columns=columns)


@verb(
    "approval approve",
    effect="write",
    examples=[
        "dhis2 approval approve 'Child Health' 202506 Bo --level 4 --dry-run",
        "dhis2 approval approve 'Child Health' 202506 Bo --fail-on-incomplete",
    ],
)
async def approve(
    s: Session, data_set: DataSet, period: ForPeriod, org_units: Units, *, level: Level = None,
    attribute_option_combo: Combo = None, fail_on_incomplete: Complete = False,
) -> Plan:  # fmt: skip
    """Approve data of units, or of all units of a level below them; what waits for others is left out and counted.

    Facilities first, then their district: once more with another --level. `undo` takes it back.

    API source: `POST /api/dataApprovals/approvals`.
    """
    if fail_on_incomplete:
        await _must_be_complete(s, data_set, period, org_units, level)
    return await _plan(s, "approve", data_set, period, org_units, level, attribute_option_combo)


@verb("approval unapprove", effect="destroy", examples=["dhis2 approval unapprove 'Child Health' 202506 Bo"])
async def unapprove(
    s: Session, data_set: DataSet, period: ForPeriod, org_units: Units, *, level: Level = None,
    attribute_option_combo: Combo = None,
) -> Plan:  # fmt: skip
    """Take approvals back, so that data can be changed again; `undo` approves them again, in your name.

    API source: `POST /api/dataApprovals/unapprovals`.
    """
    return await _plan(s, "unapprove", data_set, period, org_units, level, attribute_option_combo)


@verb("approval accept", effect="write", examples=["dhis2 approval accept 'Child Health' 202506 Bo"])
async def accept(
    s: Session, data_set: DataSet, period: ForPeriod, org_units: Units, *, level: Level = None,
    attribute_option_combo: Combo = None,
) -> Plan:  # fmt: skip
    """Accept what a level below has approved, where the server wants that; `undo` takes it back.

    API source: `POST /api/dataApprovals/dataAcceptances`, of 2.41 and before `POST /api/dataAcceptances`.
    """
    return await _plan(s, "accept", data_set, period, org_units, level, attribute_option_combo)


@verb("approval unaccept", effect="destroy", examples=["dhis2 approval unaccept 'Child Health' 202506 Bo"])
async def unaccept(
    s: Session, data_set: DataSet, period: ForPeriod, org_units: Units, *, level: Level = None,
    attribute_option_combo: Combo = None,
) -> Plan:  # fmt: skip
    """Take acceptances back; `undo` accepts again.

    API source: `DELETE /api/dataApprovals/dataAcceptances`.
    """
    return await _plan(s, "unaccept", data_set, period, org_units, level, attribute_option_combo)


async def _read(
    s: Session, data_set: str, period: str, org_units: list[str], level: int | None, combo: str | None
) -> tuple[approval.Workflow, dict[str, JsonObject], list[approval.Cell]]:
    flow = await approval.workflow_of(s, data_set)
    units = await approval.units_of(s, org_units, level, flow)
    periods = await periods_of(s, Asked(data_set=[data_set], period=[period]), reported=True)
    return flow, units, await approval.cells(s, flow.uid, periods, [*units], combo)


async def _plan(
    s: Session, word: approval.Word, data_set: str, period: str, org_units: list[str], level: int | None,
    combo: str | None,
) -> Plan:  # fmt: skip
    flow, units, found = await _read(s, data_set, period, org_units, level, combo)
    named = {uid: str(unit.get("displayName")) for uid, unit in units.items()}
    title = f"{word} '{flow.data_set}' for {period}"
    return approval.plan(word, found, named, title, f"dhis2 approval status {shlex.quote(flow.data_set)} {period}")


async def _must_be_complete(s: Session, data_set: str, period: str, org_units: list[str], level: int | None) -> None:
    """Raise `CheckFailed` where a unit at or below those that are approved has not registered the set as complete.

    Units above the level that is approved count when theirs is: their own data are no part of this approval.
    """
    meant = {*org_units}
    if level is not None:
        meant = {*await approval.units_of(s, org_units, level, await approval.workflow_of(s, data_set))}
    times = [
        Period.parse(iso) for iso in await periods_of(s, Asked(data_set=[data_set], period=[period]), reported=True)
    ]
    reporting = await completeness.read(s, data_set, times, org_units, "registrations")
    for time in times:
        iso = time.iso
        expected = [unit for unit in reporting.expected(time) if not meant.isdisjoint(unit.path)]
        if not expected:
            where = "there" if level is None else f"at level {level} or below it"
            raise NotFound(
                f"no unit {where} reports '{reporting.name}' for {iso}: nothing can be complete",
                hint=f"dhis2 metadata get dataSets {data_set}",
            )
        missing = [unit.name for unit in expected if (iso, unit.uid) not in reporting.received]
        if not missing:
            continue
        raise CheckFailed(
            f"'{reporting.name}' is not complete for {iso}: {counted(len(missing), 'unit')} missing: {listed(missing, 5)}",
            hint=" ".join(
                [
                    f"dhis2 data completeness {data_set} --period {iso}",
                    *(f"--org-unit {uid}" for uid in org_units),
                    "--missing",
                ]
            ),
        )
