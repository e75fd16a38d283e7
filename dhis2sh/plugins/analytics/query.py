"""`analytics query`: aggregate analytics as rows with names."""

from __future__ import annotations

import re
from typing import Annotated

from dhis2sh.analytics import geometries, items, pieces
from dhis2sh.analytics.pull import Aggregation
from dhis2sh.client.requests import Param
from dhis2sh.dhis2.dates import spelled
from dhis2sh.dhis2.periods import Period
from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Provenance
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, Refers, verb

_CRITERIA = re.compile(r"(?:EQ|GT|GE|LT|LE):-?\d+(?:\.\d+)?(?:;(?:EQ|GT|GE|LT|LE):-?\d+(?:\.\d+)?)*")


@verb(
    "analytics query",
    effect="read",
    pinned=True,
    examples=[
        "dhis2 analytics query dx='BCG doses given' pe=2025 ou=LEVEL-2",
        "%analytics query dx='BCG doses given' pe=LAST_12_MONTHS ou=Bo ou=LEVEL-4 | df",
        "%analytics query dx='BCG doses given' pe=2025 ou=LEVEL-2 --geometry | map('bcg.html')",
        "dhis2 analytics query 'dx=Child Health.REPORTING_RATE' pe=202501..202506 --filter ou='Sierra Leone' -o csv",
    ],
)
async def query(
    s: Session,
    dimensions: Annotated[
        list[str],
        Doc("dx, pe, ou or another dimension: name=item;item, by UID, code or name; levels as LEVEL-2."),
        Complete("dimensions"),
    ],
    *,
    filter: Annotated[
        list[str], Doc("What is summed up over, written as dimensions are."), Complete("dimensions")
    ] = [],
    aggregation_type: Annotated[Aggregation | None, Doc("In place of each item's own way of aggregating.")] = None,
    skip_rounding: Annotated[bool, Doc("All decimals.")] = False,
    no_names: Annotated[bool, Doc("Only identifiers, no column with the name beside each.")] = False,
    include_num_den: Annotated[bool, Doc("Columns with numerator, denominator and factor.")] = False,
    measure_criteria: Annotated[str | None, Doc("Only numbers that are so: GE:10;LT:50.")] = None,
    pre_aggregation_measure_criteria: Annotated[
        str | None, Doc("Only values that are so, before they are summed up.")
    ] = None,
    approval_level: Annotated[
        str | None, Doc("Only data approved at this level or above."), Refers("dataApprovalLevels")
    ] = None,
    user_org_unit: Annotated[
        list[str], Doc("What USER_ORGUNIT stands for in place of your own units."), Refers("organisationUnits")
    ] = [],
    relative_period_date: Annotated[str | None, Doc("The day that relative periods count from.")] = None,
    geometry: Annotated[bool, Doc("A column with the geometry of each unit, for | map.")] = False,
) -> Stream[Row]:
    """Ask aggregate analytics; rows come with names and numbers, as they are answered.

    Data, time and place are all wanted, as dimensions or as filters: a server without units answers over all of them. A
    question that is too large, or takes too long, is asked again in pieces: by periods, by data, by units.

    API source: `GET /api/analytics`.
    """
    asked = await items.question_of(s, dimensions, filter)
    for text in (measure_criteria, pre_aggregation_measure_criteria):
        if text is not None and not _CRITERIA.fullmatch(text):
            raise UsageError(f"'{text}' is no condition on numbers", hint="GE:10;LT:50, of EQ, GT, GE, LT and LE")
    relative_period_date = None if relative_period_date is None else spelled(relative_period_date)
    if relative_period_date is not None and str(Period.parse(relative_period_date).type) != "Daily":
        raise UsageError(f"'{relative_period_date}' is no day", hint="days look like 2025-01-31")
    params: dict[str, Param | None] = {
        "aggregationType": aggregation_type, "skipRounding": skip_rounding or None,
        "includeNumDen": include_num_den or None, "measureCriteria": measure_criteria,
        "preAggregationMeasureCriteria": pre_aggregation_measure_criteria, "approvalLevel": approval_level,
        "userOrgUnit": ";".join(user_org_unit) or None, "relativePeriodDate": relative_period_date,
    }  # fmt: skip
    times: dict[str, str] = {}
    found = pieces.batches(
        s,
        asked,
        {name: value for name, value in params.items() if value is not None},
        with_names=not no_names,
        times=times,
    )
    return Stream(geometries.beside(s, found) if geometry else found, provenance=Provenance(times=times))
