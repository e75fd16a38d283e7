"""`data entry`: the form of a data set in the terminal."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.data.asking import period_of
from dhis2sh.data.entry import drafts, reading, saving
from dhis2sh.data.entry.form import Entered
from dhis2sh.errors import Dhis2Error, MissingExtra, UsageError
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Doc, Refers, verb
from dhis2sh.words import counted

UNDOES = saving.entered_back
"""How what was entered is taken back: importing it here registers that, and `undo` imports every domain."""


@verb(
    "data entry",
    effect="write",
    examples=["dhis2 data entry 'Child Health' 202506 'Ngelehun CHC'"],
    left_out={"mcp": "a form wants a person at a terminal; agents have data aggregate set and push"},
)
async def entry(
    s: Session,
    data_set: Annotated[str, Doc("The data set."), Refers("dataSets")],
    period: Annotated[str, Doc("The period, such as 202506.")],
    org_unit: Annotated[str, Doc("The organisation unit."), Refers("organisationUnits")],
    *,
    attribute_option_combo: Annotated[
        str | None, Doc("The attribute option combination, where the set has several."), Refers("categoryOptionCombos")
    ] = None,
) -> Plan:
    """Enter the values of a data set in a form: sections, totals, options, what is expected, and completion.

    What is typed is kept on disk at once and found again by the same line, with or without a network. Before anything is sent
    the difference to the server is shown; `undo` takes it back.

    API source: `GET /api/dataSets/{uid}`, `POST /api/dataValueSets`, `POST /api/completeDataSetRegistrations`.
    """
    iso = (await period_of(s, data_set, period)).iso
    form = await reading.form_of(s, data_set, iso, org_unit, attribute_option_combo)
    path = drafts.path_of(s.profile.name, s.profile.url, form)
    found = drafts.read(path)

    async def filled() -> Entered:
        try:
            from dhis2sh.data.entry.screen import EntryApp  # heavy: an extra, widgets
        except ImportError:
            raise MissingExtra("data entry", "entry") from None
        app = EntryApp(form, path, found)
        entered = await app.run_async()
        if app.return_code:
            raise Dhis2Error(
                f"the form has failed; what was typed is kept: {path}", hint="dhis2 data aggregate set --help"
            )
        return entered or Entered(())

    entered = await s.person.fill(filled)
    if entered is None:
        raise UsageError(
            "a form wants somebody at a terminal",
            hint=f"dhis2 data aggregate push values.csv --period {iso} --org-unit {org_unit}",
        )
    left = drafts.read(path)
    waiting = f"{counted(len(left.entered), 'field')} kept in a draft, the same line finds them" if left else ""
    return saving.plan(form, entered, path, waiting=waiting)
