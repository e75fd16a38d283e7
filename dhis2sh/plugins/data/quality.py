"""`data outliers|validate|followup`: values that look wrong, rules that are broken, and what is to be looked at again."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.data import asking, following, named, nothing, outliers, violations
from dhis2sh.data.asking import Asked
from dhis2sh.data.cells import SHOWN
from dhis2sh.data.outliers import Algorithm, Order, Sought
from dhis2sh.data.reading import roots_of
from dhis2sh.errors import CheckFailed, UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs import periods
from dhis2sh.verbs.declaration import Bounds, Doc, Piped, Refers, verb

UNDOES = following.marks
"""How a mark is taken back: importing it here registers it, and `undo` imports every domain."""
DataSets = Annotated[list[str], Doc("Values of these data sets; may be repeated."), Refers("dataSets")]
Periods = Annotated[
    list[str], Doc("Periods such as 202506, 202501..202506 or LAST_12_MONTHS; a longer one stands for all in it.")
]
Units = Annotated[
    list[str],
    Doc("Units, with all below them; without any those that you read from."),
    Refers("organisationUnits"),
]


@verb(
    "data outliers",
    effect="read",
    examples=[
        "dhis2 data outliers --data-set 'Child Health' --period 2025 --org-unit Bo",
        "%data outliers --data-set 'Child Health' --period LAST_12_MONTHS --algorithm modified-z-score"
        " | data.followup.mark()",
    ],
)
async def outliers_(
    s: Session,
    *,
    data_set: DataSets = [],
    data_element: Annotated[list[str], Doc("Values of these data elements."), Refers("dataElements")] = [],
    period: Periods,
    org_unit: Units = [],
    algorithm: Annotated[
        Algorithm,
        Doc("Far from the mean, far from the median, or outside of the minimum and maximum that are set."),
    ] = "z-score",
    threshold: Annotated[float, Doc("How many deviations from the middle are far.")] = 3.0,
    top: Annotated[int, Bounds(1, outliers.MOST), Doc("Values at most, the first of the order.")] = outliers.MOST,
    order_by: Annotated[
        Order | None, Doc("The highest score first, or the largest difference in numbers; by score without it.")
    ] = None,
) -> Rows[Row]:
    """Find values far from what is usual for their element and unit, as the server computes it from all their periods.

    API source: `GET /api/outlierDetection`.
    """
    if not (data_set or data_element):
        raise UsageError("which data?", hint="--data-set NAME or --data-element NAME")
    asked = Asked(data_set=data_set, data_element=data_element, period=period)
    times = [asking.Period.parse(iso) for iso in await asking.periods_of(s, asked)]
    units = org_unit or await roots_of(s)
    if order_by is not None and algorithm == "min-max":
        raise UsageError("outside of a minimum and maximum there is no score", hint="leave --order-by out")
    sought = Sought(data_set, data_element, times, units, algorithm, threshold, top, order_by or "score")
    return Rows(await outliers.find(s, sought), columns=outliers.COLUMNS)


@verb(
    "data validate",
    effect="read",
    examples=[
        "dhis2 data validate --period 202506 --org-unit Bo",
        "dhis2 data validate --data-set 'Child Health' --period 2025Q2 --fail-on-violation",
    ],
)
async def validate(
    s: Session,
    *,
    period: Periods,
    org_unit: Units = [],
    rule: Annotated[list[str], Doc("Only these rules."), Refers("validationRules")] = [],
    group: Annotated[list[str], Doc("Only the rules of these groups."), Refers("validationRuleGroups")] = [],
    data_set: Annotated[list[str], Doc("Only rules about data elements of these data sets."), Refers("dataSets")] = [],
    fail_on_violation: Annotated[bool, Doc("End with exit code 8 where a rule is broken.")] = False,
) -> Stream[Row]:
    """Run validation rules: each violation with its formula in names and the numbers of both sides.

    Nothing is kept on the server, and nobody is notified. Rules of a period type are looked at for their periods that lie
    in those asked for.

    API source: `POST /api/dataAnalysis/validationRules`.
    """
    asked = [each for text in period for each in await periods.meant(s, text)]
    rules = await violations.rules_of(s, rule, group, data_set)
    found = violations.find(s, rules, asked, org_unit or await roots_of(s))
    if not fail_on_violation:
        return Stream(found, columns=violations.COLUMNS)
    rows = [row async for batch in found for row in batch]
    if rows:
        raise CheckFailed(f"{len(rows):,} violations: {violations.summary(rows)}", findings=rows)
    return Stream(violations.none(), columns=violations.COLUMNS)


@verb(
    "data followup list",
    effect="read",
    examples=["dhis2 data followup list --data-set 'Child Health' --period 2025 --org-unit Bo --children"],
)
async def followup_list(s: Session, *, asked: Asked) -> Stream[Row]:
    """List the values that are marked for follow-up, with names.

    API source: `GET /api/dataValueSets.csv`.
    """
    query = await asking.query_of(s, asked)
    found = named.with_numbers(
        s, following.marked(nothing.told(s, asked, query, s.client.data_values.batches(**query)))
    )
    return Stream(named.batches(s, found), columns=named.columns(SHOWN))


Element = Annotated[str | None, Doc("The data element."), Refers("dataElements")]
ForPeriod = Annotated[str | None, Doc("The period, such as 202506.")]
Unit = Annotated[str | None, Doc("The organisation unit."), Refers("organisationUnits")]
Values = Annotated[Rows[Row] | None, Piped(), Doc("Values of a pipeline, in place of one value.")]
Combo = Annotated[
    str | None,
    Doc("The category option combination, where the element has several."),
    Refers("categoryOptionCombos"),
]


@verb(
    "data followup mark",
    effect="write",
    examples=["dhis2 data followup mark 'BCG doses given' 202506 'Ngelehun CHC' --combo 'Fixed, <1y'"],
)
async def followup_mark(
    s: Session, element: Element = None, period: ForPeriod = None, org_unit: Unit = None, values: Values = None, *,
    combo: Combo = None,
) -> Plan:  # fmt: skip
    """Mark values for follow-up: one, or those of a pipeline such as `data outliers`. `undo` takes the marks away.

    API source: `PUT /api/dataValues/followups`.
    """
    return await following.plan(s, await _cells(s, element, period, org_unit, combo, values), mark=True)


@verb(
    "data followup unmark",
    effect="write",
    examples=["dhis2 data followup unmark 'BCG doses given' 202506 'Ngelehun CHC' --combo 'Fixed, <1y'"],
)
async def followup_unmark(
    s: Session, element: Element = None, period: ForPeriod = None, org_unit: Unit = None, values: Values = None, *,
    combo: Combo = None,
) -> Plan:  # fmt: skip
    """Take the mark for follow-up away from values: one, or those of a pipeline. `undo` sets it again.

    API source: `PUT /api/dataValues/followups`.
    """
    return await following.plan(s, await _cells(s, element, period, org_unit, combo, values), mark=False)


async def _cells(
    s: Session, element: str | None, period: str | None, org_unit: str | None, combo: str | None,
    values: Rows[Row] | None,
) -> list[Row]:  # fmt: skip
    """The values that are meant. Raises `UsageError` for none, and for both ways of saying it."""
    one = (element, period, org_unit)
    if values is not None and any(one):
        raise UsageError("one value or those of the pipeline, not both", hint="data followup mark ELEMENT PERIOD UNIT")
    if values is not None:
        return values.plain()
    if element is None or period is None or org_unit is None:
        raise UsageError("which value?", hint="data followup mark ELEMENT PERIOD UNIT, or rows | data.followup.mark()")
    iso = (await periods.one(s, period)).iso
    return [{"dataElement": element, "period": iso, "orgUnit": org_unit, "categoryOptionCombo": combo}]
