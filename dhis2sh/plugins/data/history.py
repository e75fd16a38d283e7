"""`data history|revert`: what a value was, who changed it, and the value as it was."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.data import history, loading, named
from dhis2sh.data.cells import DEFAULTED
from dhis2sh.data.loading import Load
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs import periods
from dhis2sh.verbs.declaration import Doc, Refers, verb

Element = Annotated[str, Doc("The data element."), Refers("dataElements")]
ForPeriod = Annotated[str, Doc("The period, such as 202506.")]
Unit = Annotated[str, Doc("The organisation unit."), Refers("organisationUnits")]
Combo = Annotated[str | None, Doc("Only this category option combination."), Refers("categoryOptionCombos")]
AttributeCombo = Annotated[str | None, Doc("Only this attribute option combination."), Refers("categoryOptionCombos")]


@verb(
    "data history",
    effect="read",
    examples=["dhis2 data history 'BCG doses given' 202506 'Ngelehun CHC' --combo 'Fixed, <1y'"],
)
async def history_(
    s: Session, element: Element, period: ForPeriod, org_unit: Unit, *, combo: Combo = None,
    attribute_combo: AttributeCombo = None,
) -> Rows[Row]:  # fmt: skip
    """Show who changed a value, when, from what and to what, and what it is now, for each option combination.

    A server up to 2.42 does not write down who gave the first value, and none what is imported without an audit; `?` is a
    value that it has not written down.

    API source: `GET /api/audits/dataValue`.
    """
    iso = (await periods.one(s, period)).iso
    cells = await history.of(s, element, iso, org_unit, combo, attribute_combo)
    rows = await named.of_rows(s, history.rows_of(cells))
    return Rows(rows, columns=history.COLUMNS)


@verb(
    "data revert",
    effect="write",
    examples=[
        "dhis2 data revert 'BCG doses given' 202506 'Ngelehun CHC' --combo 'Fixed, <1y'",
        "dhis2 data revert 'BCG doses given' 202506 'Ngelehun CHC' --at 2026-09-05 --dry-run",
    ],
)
async def revert(
    s: Session, element: Element, period: ForPeriod, org_unit: Unit, *, combo: Combo = None,
    attribute_combo: AttributeCombo = None,
    at: Annotated[
        str | None, Doc("As it was then, in the server's time; a day is its end. Before the last change without it.")
    ] = None,
) -> Plan:  # fmt: skip
    """Set a value back to what it was before its last change, or at a moment; one that was not there is deleted.

    API source: `GET /api/audits/dataValue`, `POST /api/dataValueSets`.
    """
    when = history.time_of(at) if at is not None else None
    iso = (await periods.one(s, period)).iso
    cells = await history.of(s, element, iso, org_unit, combo, attribute_combo)
    if when is None:
        cells = [cell for cell in cells if cell.changes] or cells
    rows: list[Row] = []
    for cell in cells:
        value = history.at(cell, when)
        row: Row = {"dataElement": element, "period": iso, "orgUnit": org_unit}
        row |= dict(zip(DEFAULTED, cell.combos, strict=True))
        if value != cell.now:
            rows.append({**row, "deleted": True} if value is None else {**row, "value": value})
    told = f"as it was at {at}" if at is not None else "as it was before the last change"
    if not rows:
        return loading.nothing(s, f"{told}: it is so already")
    return await loading.plan(s, loading.of_rows(Rows(rows), {}, []), Load(told))
