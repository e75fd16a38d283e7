"""`data complete|reopen`: data sets registered as complete, and opened again."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.client import reading
from dhis2sh.data import completeness, registering
from dhis2sh.data.asking import period_of
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS
from dhis2sh.errors import UsageError
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Doc, Refers, verb

UNDOES = registering.registered
"""How a registration is taken back: importing it here registers that, and `undo` imports every domain."""
DataSet = Annotated[str, Doc("The data set."), Refers("dataSets")]
ForPeriod = Annotated[str, Doc("The period, such as 202506.")]
Units = Annotated[list[str], Doc("The organisation units."), Refers("organisationUnits")]
Children = Annotated[bool, Doc("All units below them too that the set is assigned to.")]
Combo = Annotated[
    str | None, Doc("The attribute option combination; the default without it."), Refers("categoryOptionCombos")
]


@verb("data complete", effect="write", examples=["dhis2 data complete 'Child Health' 202506 'Ngelehun CHC'"])
async def complete(
    s: Session, data_set: DataSet, period: ForPeriod, org_units: Units, *, children: Children = False,
    attribute_option_combo: Combo = None,
) -> Plan:  # fmt: skip
    """Register a data set as complete for a period and some units; `undo` opens them again.

    API source: `POST /api/completeDataSetRegistrations`.
    """
    return await _plan(s, data_set, period, org_units, children, attribute_option_combo, opening=False)


@verb("data reopen", effect="destroy", examples=["dhis2 data reopen 'Child Health' 202506 'Ngelehun CHC'"])
async def reopen(
    s: Session, data_set: DataSet, period: ForPeriod, org_units: Units, *, children: Children = False,
    attribute_option_combo: Combo = None,
) -> Plan:  # fmt: skip
    """Take registrations as complete away; `undo` registers them as they were, with their day and user.

    API source: `POST /api/completeDataSetRegistrations?importStrategy=DELETE`.
    """
    return await _plan(s, data_set, period, org_units, children, attribute_option_combo, opening=True)


async def _plan(
    s: Session, data_set: str, period: str, units: list[str], children: bool, combo: str | None, *, opening: bool
) -> Plan:
    time = await period_of(s, data_set, period, reported=not opening)  # what was registered can be taken away
    below = units if children else []
    found = await completeness.read(s, data_set, [time], below, "registrations")
    if not children and (stranger := [unit for unit in units if unit not in found.units]):
        named = (await reading.by_uid(s.client, "organisationUnits", stranger, fields="id,displayName")).rows
        told = ", ".join(str(row.get("displayName")) for row in named)
        raise UsageError(f"'{found.name}' is not assigned to {told}", hint=f"dhis2 metadata get dataSets {data_set}")
    chosen = [unit.uid for unit in found.expected(time)] if children else units
    rows = registering.rows_of(data_set, time.iso, chosen, combo or DEFAULT_OBJECTS["categoryOptionCombos"])
    word = "reopen" if opening else "complete"
    names = {uid: unit.name for uid, unit in found.units.items()}
    return await registering.plan(s, rows, f"{word} '{found.name}' for {time.iso}", opening=opening, names=names)
