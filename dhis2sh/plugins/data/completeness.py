"""`data completeness`: who has reported, in numbers and by name."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.data import asking, completeness
from dhis2sh.data.completeness import By, Tree
from dhis2sh.errors import CheckFailed, UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs import levels
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, verb
from dhis2sh.verbs.names import Holder

OF_ITS_ELEMENTS = ("dataElements", "dataSetElements.dataElement.id")


@verb(
    "data completeness",
    effect="read",
    pinned=True,
    examples=[
        "dhis2 data completeness 'Child Health' --period 202506",
        "dhis2 data completeness 'Child Health' --period LAST_12_MONTHS --level 2 --by values",
        "%data completeness 'Child Health' --period 202506 --missing | csv('missing.csv')",
        "dhis2 data completeness 'Child Health' --period 202506 --org-unit Bo --tree",
        "dhis2 data completeness 'Child Health' --period LAST_12_MONTHS --heat",
    ],
)
async def completeness_(
    s: Session,
    data_set: Annotated[
        str, Doc("The data set, or a data element of it."), Refers("dataSets", through=OF_ITS_ELEMENTS)
    ],
    *,
    period: Annotated[list[str], Doc("Periods such as 202506, or LAST_12_MONTHS; 2025 stands for all in it.")],
    org_unit: Annotated[list[str], Doc("Only units below these."), Refers("organisationUnits")] = [],
    level: Annotated[
        str | None, Doc("A row for each unit of this level: 2, or its name."), Complete("uids:organisationUnitLevels")
    ] = None,
    by: Annotated[By, Doc("What counts as a report: its registration as complete, or any value.")] = "registrations",
    missing: Annotated[bool, Doc("Name the units that have not reported; over several periods each once.")] = False,
    tree: Annotated[bool, Doc("As a tree of units, the silent ones by name; of one period.")] = False,
    heat: Annotated[
        bool, Doc("As a heat map: a row for each unit of the level (2 without --level), a column a period.")
    ] = False,
    fail_below: Annotated[
        int | None, Bounds(1, 100), Doc("End with exit code 8 where a row has fewer per cent.")
    ] = None,
) -> Rows[Row] | Tree:
    """Say who has reported: expected, received, on time, late and missing units of a data set, by period.

    Expected are the units that the set is assigned to and that were open; how many were closed is said. A report is on time
    within the set's timely days, which values alone cannot tell. Of a data element --by values counts its own values; a
    registration is of the whole set.

    API source: `GET /api/completeDataSetRegistrations`, `GET /api/dataValueSets`.
    """
    if sum((missing, tree, heat)) > 1:
        raise UsageError("one of --missing, --tree and --heat", hint="--tree names those that are missing too")
    asked = asking.Asked(data_set=[data_set], period=period)
    periods = [asking.Period.parse(iso) for iso in await asking.periods_of(s, asked, reported=True)]
    element = data_set if isinstance(data_set, Holder) else None
    found = await completeness.read(s, data_set, periods, org_unit, by, element=element and element.part)
    if element is not None:
        s.person.note(
            f"counted are the units with a value of '{element.called}' itself" if by == "values"
            else f"counted are registrations of the whole set; --by values counts '{element.called}' itself"
        )  # fmt: skip
    if (note := completeness.left_out(found, periods)) is not None:
        s.person.warn(note)
    if by == "registrations" and not found.received and found.units:
        s.person.warn(f"nobody has registered '{found.name}' as complete: --by values counts who has sent values")
    if tree and len(periods) > 1:
        raise UsageError(f"a tree is of one period, and these are {len(periods)}", hint="--heat shows several")
    if missing and len(periods) > 1:
        rows = completeness.silent(found, periods)
        return Rows(rows, columns=completeness.SILENT, resource="organisationUnits")
    if missing:
        rows = completeness.absent(found, periods, await completeness.names_above(s, found))
        return Rows(rows, columns=completeness.ABSENT, resource="organisationUnits")
    depth = await levels.number_of(s, "2" if heat and level is None else level)
    groups = {} if depth is None else await completeness.groups_at(s, found, depth)
    if depth is not None and (note := completeness.above(found, groups, depth)) is not None:
        s.person.note(note)
    rows = completeness.table(found, periods, groups)
    hidden = set[str]() if groups else {"orgUnit", "orgUnitName"}
    hidden |= set[str]() if any("late" in row for row in rows) else {"onTime", "late"}
    words = [*(f"--period {iso}" for iso in period), *(f"--org-unit {uid}" for uid in org_unit)]
    low = [row for row in rows if fail_below is not None and float(str(row["percent"] or 0)) < fail_below]
    if low:
        told = ", ".join(f"{row.get('orgUnitName') or row['period']} {row['percent']} %" for row in low[:5])
        raise CheckFailed(
            f"'{found.name}' is below {fail_below} %: {told}",
            hint=" ".join(["dhis2 data completeness", data_set, *words, "--by", by, "--missing"]),
            findings=low,
        )
    if tree:
        return await completeness.tree(s, found, periods[0], org_unit)
    if heat:
        return completeness.heat(found, periods, groups)
    return Rows(rows, columns=[name for name in completeness.COLUMNS if name not in hidden])
