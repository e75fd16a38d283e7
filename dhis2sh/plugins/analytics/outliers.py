"""`analytics outliers`: values far from what is usual at the same place."""

from __future__ import annotations

from typing import Annotated, Literal

from dhis2sh.analytics.grids import Labels, typed
from dhis2sh.analytics.pieces import with_advice
from dhis2sh.analytics.reported import fixed, reported
from dhis2sh.client.requests import Param
from dhis2sh.dhis2.dates import day
from dhis2sh.dhis2.written import period_items
from dhis2sh.errors import Refused, UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs import periods
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb


@verb(
    "analytics outliers",
    effect="read",
    examples=["dhis2 analytics outliers --data-set 'Child Health' --period 2025 --org-unit Bo --threshold 3"],
)
async def outliers(
    s: Session,
    *,
    data_set: Annotated[list[str], Doc("Values of these data sets."), Refers("dataSets")] = [],
    data_element: Annotated[list[str], Doc("Values of these data elements."), Refers("dataElements")] = [],
    period: Annotated[str | None, Doc("The period: 2025, 2025Q1, LAST_12_MONTHS.")] = None,
    start_date: Annotated[str | None, Doc("In place of a period, with --end-date.")] = None,
    end_date: Annotated[str | None, Doc("The last day.")] = None,
    org_unit: Annotated[list[str], Doc("Units, with all below them."), Refers("organisationUnits")] = [],
    algorithm: Annotated[
        Literal["Z_SCORE", "MODIFIED_Z_SCORE"], Doc("By mean and deviation, or by median.")
    ] = "Z_SCORE",
    threshold: Annotated[float, Doc("How many deviations are too far.")] = 3.0,
    limit: Annotated[
        int, Doc("At most so many, the first of the order; a server gives no more than 500."), Bounds(1, 500)
    ] = 500,
    order_by: Annotated[
        Literal[
            "VALUE", "MEAN", "MEDIAN", "STD_DEV", "ABS_DEV", "Z_SCORE", "MODIFIED_Z_SCORE", "LOWER_BOUND", "UPPER_BOUND"
        ]
        | None,
        Doc("What the rows are sorted by, and what the first are the first of; ABS_DEV without it."),
    ] = None,
    sort_order: Annotated[Literal["ASC", "DESC"], Doc("The largest first without it.")] = "DESC",
    skip_rounding: Annotated[bool, Doc("All decimals.")] = False,
) -> Rows[Row]:
    """Find values that lie far from what is usual for the same element, unit and combination, in the analytics tables.

    API source: `GET /api/analytics/outlierDetection`.
    """
    if not (data_set or data_element):
        raise UsageError("which data?", hint="--data-set NAME, or --data-element NAME")
    if not org_unit:
        raise UsageError("which organisation units?", hint="--org-unit NAME: with all below it")
    if (period is None) == (start_date is None or end_date is None):
        raise UsageError("which time?", hint="--period 2025, or --start-date 2025-01-01 --end-date 2025-12-31")
    found = None if period is None else period_items(period)
    if found is not None and len(found) > 1:
        raise UsageError("one period", hint="--start-date and --end-date for a longer time")
    params: dict[str, Param] = {
        "ds": ",".join(data_set) or None, "dx": ",".join(data_element) or None, "pe": found[0] if found else None,
        "startDate": start_date and day(start_date), "endDate": end_date and day(end_date), "ou": ",".join(org_unit), "algorithm": algorithm,
        "threshold": threshold, "maxResults": limit, "orderBy": order_by, "sortOrder": sort_order,
        "skipRounding": skip_rounding or None,
    }  # fmt: skip
    params = {name: value for name, value in params.items() if value is not None}
    try:
        grid = await s.client.analytics.query([], of="outlierDetection", params=params)
    except Refused as error:
        raise with_advice(error) from error
    labels = Labels(names=False)
    labels.learn(grid)
    if len(grid.rows) == limit:
        s.person.warn(
            f"these are the first {limit:,} by {order_by or 'ABS_DEV'}: there may be more; a higher --threshold gives fewer"
        )
    if found and not grid.rows:
        about = await reported(s, [*data_set, *data_element])
        if short := about.too_short(fixed(found)):
            s.person.note(f"no value to look at: {periods.unlike(short, about.kinds)}")
    return Rows(typed(grid, labels), columns=labels.columns(grid))
