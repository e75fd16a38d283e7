"""`data aggregate push|set|delete|diff|copy`: aggregate data values, loaded in parts, and compared."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.data import asking, comparing, copying, disaggregation, files, loading, named, nothing, way_back
from dhis2sh.data.as_written import AsWritten
from dhis2sh.data.asking import Asked
from dhis2sh.data.loading import Load
from dhis2sh.data.named import Names
from dhis2sh.errors import UsageError
from dhis2sh.files import check_beside
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs import periods
from dhis2sh.verbs.declaration import FILES_OR_PROFILES, Complete, Doc, Piped, Refers, Touches, verb

UNDOES = way_back.values
"""How a load is taken back: importing it here registers it, and `undo` imports every domain."""
NoUndo = Annotated[bool, Doc("Do not read the values before: faster, and cannot be taken back.")]
Rejected = Annotated[
    Path | None,
    Doc("When all has been sent, write the refused rows to this CSV file, with the reason of each."),
    Complete("files"),
    Touches("writes"),
]


@verb(
    "data aggregate push",
    effect="write",
    examples=[
        "dhis2 data aggregate push values.csv --dry-run",
        "dhis2 data aggregate push bo-june.xlsx --period 202506 --rejected mend.csv",
    ],
)
async def push(
    s: Session,
    file: Annotated[
        Path | None, Doc("Values: CSV, TSV, XLSX, JSON, NDJSON or YAML, long or wide; XML and ADX."), Complete("files")
    ] = None,
    values: Annotated[Rows[Row] | None, Piped(), Doc("Values of a pipeline, in place of a file.")] = None,
    *,
    data_element: Annotated[
        str | None, Doc("The data element of all rows, where no column says it."), Refers("dataElements")
    ] = None,
    period: Annotated[str | None, Doc("The period of all rows, where no column says it.")] = None,
    org_unit: Annotated[
        str | None, Doc("The organisation unit of all rows, where no column says it."), Refers("organisationUnits")
    ] = None,
    category_option_combo: Annotated[str | None, Doc("The category option combination of all rows.")] = None,
    attribute_option_combo: Annotated[str | None, Doc("The attribute option combination of all rows.")] = None,
    strategy: Annotated[str, Doc("create-and-update, create or update.")] = "create-and-update",
    async_: Annotated[
        bool, Doc("Let the server import each part in a job of its own, and watch it: no proxy ends it for its length.")
    ] = False,
    several_levels: Annotated[
        bool, Doc("Rows of units above those of other rows are values of their own, no totals of them.")
    ] = False,
    no_undo: NoUndo = False,
    rejected: Rejected = None,
    written: AsWritten,
) -> Plan:
    """Import data values from a file or a pipeline: checked row by row first, then sent in parts that can be resumed.

    Elements, units and option combinations may be given by UID, code or name. A wide sheet has periods or data elements
    as columns; `element | option combination` names both. Rows that are wrong are refused with a reason and go into a
    file, the others are sent. A load that was cut off is finished by the same line.

    API source: `POST /api/dataValueSets`.
    """
    if period is not None and (one := await periods.one(s, period)).type.name != "Daily":
        period = one.iso  # a day stays as it is written: the first of a month may mean the month
    given: Row = {
        name: value
        for name, value in {
            "dataElement": data_element, "period": period, "orgUnit": org_unit,
            "categoryOptionCombo": category_option_combo, "attributeOptionCombo": attribute_option_combo,
        }.items()
        if value is not None
    }  # fmt: skip
    load = Load(
        file.name if file else "rows", strategy=loading.strategy_of(strategy), undo=not no_undo, rejected=rejected,
        by_job=async_, several_levels=several_levels, by_date=written.by_date, commas=written.decimal == ",", filled=written.fill_down,
        given=given,
    )  # fmt: skip
    ask = disaggregation.Columns(s)
    if (file is None) == (values is None):
        raise UsageError("which values?", hint="dhis2 data aggregate push values.csv")
    if rejected is not None:
        check_beside("--rejected", rejected, file)
    if file is None:
        written.check_no_sheet()
        return await loading.plan(s, loading.of_rows(values or Rows[Row]([]), given, load.unread, ask), load)
    load.semicolons = written.decimal is None and files.parted_by_semicolons(file, written.where)
    return await loading.plan(
        s, files.values_of(file, given, load.notes, load.unread, written.where, load.called, ask), load
    )


@verb(
    "data aggregate set",
    effect="write",
    examples=["dhis2 data aggregate set 'BCG doses given' 202506 'Ngelehun CHC' 12 --combo 'Fixed, <1y'"],
)
async def set_(
    s: Session,
    element: Annotated[str, Doc("The data element."), Refers("dataElements")],
    period: Annotated[str, Doc("The period, such as 202506.")],
    org_unit: Annotated[str, Doc("The organisation unit."), Refers("organisationUnits")],
    value: Annotated[str, Doc("The value.")],
    *,
    combo: Annotated[str | None, Doc("The category option combination, where the element has several.")] = None,
    attribute_combo: Annotated[str | None, Doc("The attribute option combination, where the data set has several.")] = (
        None
    ),
    comment: Annotated[str | None, Doc("A comment beside it.")] = None,
) -> Plan:
    """Set one data value.

    API source: `POST /api/dataValueSets`.
    """
    period = (await periods.one(s, period)).iso
    if not value.strip() and not comment:
        cell = [
            "--data-element",
            element,
            "--period",
            period,
            "--org-unit",
            org_unit,
            *(["--combo", combo] if combo else []),
        ]
        raise UsageError(
            "an empty value is none", hint=f"dhis2 data aggregate delete {shlex.join(cell)}  takes away what is there"
        )
    row: Row = {
        "dataElement": element, "period": period, "orgUnit": org_unit, "value": value, "categoryOptionCombo": combo,
        "attributeOptionCombo": attribute_combo, "comment": comment,
    }  # fmt: skip
    plan = await loading.plan(s, loading.of_rows(Rows([row]), {}, []), Load("one value", single=True))
    if plan.steps:
        plan.title = f"set {plan.steps[0].name} to {value}"
    return plan


@verb(
    "data aggregate delete",
    effect="destroy",
    examples=[
        "dhis2 data aggregate delete --data-set 'Child Health' --period 202506 --org-unit 'Ngelehun CHC'",
        "dhis2 data aggregate delete --data-element 'BCG doses given' --period 202506 --org-unit 'Ngelehun CHC' --combo 'Fixed, <1y'",
    ],
)
async def delete(
    s: Session,
    *,
    combo: Annotated[
        list[str] | None, Doc("Of the values only those of these category option combinations; may be repeated.")
    ] = None,
    asked: Asked,
) -> Plan:
    """Delete the data values that a question finds; the server keeps them as deleted, and `undo` brings them back.

    API source: `POST /api/dataValueSets?importStrategy=DELETE`.
    """
    query = await asking.query_of(s, asked)
    values = nothing.told(s, asked, query, s.client.data_values.batches(whole=True, **query))
    found = loading.of_batches(loading.of_combos(s, values, combo) if combo else values)
    return await loading.plan(s, found, Load("the values found", strategy="DELETE"))


@verb(
    "data aggregate diff",
    effect="read",
    examples=[
        "dhis2 data aggregate diff bo-june.csv sandbox --data-set 'Child Health' --period 202506 --org-unit Bo --children"
    ],
)
async def diff(
    s: Session,
    left: Annotated[str, Doc("A profile, or a file of values."), Complete(FILES_OR_PROFILES)],
    right: Annotated[str, Doc("A profile, or a file of values."), Complete(FILES_OR_PROFILES)],
    *,
    names: Names = False,
    asked: Asked,
    written: AsWritten,
) -> Stream[Row]:
    """Compare values cell by cell: two servers, two files, or a file with a server.

    The question says which values, of servers and of files: what of a file lies outside of it is left out, and counted.
    Where no column of a file says the data element, period or unit, the question's only one stands for all of its rows. A row
    that cannot be understood, and two values for one cell, are differences too. Names in files are those of the active profile.

    API source: `GET /api/dataValueSets.csv`.
    """
    sides = [await comparing.side(s, text, asked, written) for text in (left, right)]
    found = comparing.differences(s, *sides)
    if names:
        return Stream(named.batches(s, found), columns=named.columns(comparing.COLUMNS))
    return Stream(found, columns=comparing.COLUMNS)


@verb(
    "data aggregate copy",
    effect="write",
    examples=[
        "dhis2 data aggregate copy staging -p prod --data-set 'Child Health' --period 2025 --org-unit Bo --children --dry-run"
    ],
)
async def copy(
    s: Session,
    source: Annotated[str, Doc("The profile to copy from; the values go into the active one."), Complete("profiles")],
    *,
    map_: Annotated[
        list[str] | None,
        Doc(
            "FROM=TO: an element, unit or combination of the source is this one here, whatever their UIDs and codes say."
        ),
    ] = None,
    no_undo: NoUndo = False,
    rejected: Rejected = None,
    asked: Asked,
) -> Plan:
    """Copy data values from another server into this one; elements, units and combinations are mapped by UID, code or name.

    Pairs with other names or value types are named; where this server has another object with the very name, nothing is
    copied until `--map` says which is meant.

    API source: `GET /api/dataValueSets.csv` of the source, `POST /api/dataValueSets` of the target.
    """
    if source == s.profile.name:
        raise UsageError(f"'{source}' cannot be copied into itself", hint="-p NAME is the profile to write to")
    async with s.beside(source) as other:
        load = Load(f"values of {source}", undo=not no_undo, rejected=rejected)
        pairs = copying.Pairs(await copying.chosen(other, s, map_ or []))
        plan = await loading.plan(s, copying.values_of(other, s, asked, pairs, asks=True), load)
        plan.notes = [*pairs.notes(), *plan.notes]
        return plan
