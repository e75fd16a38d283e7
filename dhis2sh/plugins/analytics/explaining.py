"""`analytics explain`: the numbers behind an indicator, a program indicator, a data element or a rate."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.analytics import explaining
from dhis2sh.analytics.explaining import Explained
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Complete, Doc, Refers, verb


@verb(
    "analytics explain",
    effect="read",
    examples=["dhis2 analytics explain 'ANC 3 Coverage' --org-unit Bo --period 202506"],
)
async def explain(
    s: Session,
    indicator: Annotated[
        str,
        Doc("An indicator, program indicator or data element: UID, code or unique name; a rate: 'SET.REPORTING_RATE'."),
        Complete("uids:indicators,dataElements,programIndicators"),
    ],
    *,
    org_unit: Annotated[str, Doc("The organisation unit."), Refers("organisationUnits")],
    period: Annotated[str, Doc("One period: 202506, 2025, LAST_MONTH.")],
) -> Explained:
    """Show the formula of an indicator with names and the numbers behind it, and say why one is missing.

    A number is missing where nothing was entered, where the data are reported by longer periods, where it is not aggregated
    yet, where the unit was closed, where you may not read it, or where a denominator is zero: which of them it is, is looked
    up. A program indicator has its expression and filter with names, a rate the reports that came and were expected.

    API source: `GET /api/analytics?includeNumDen=true`, `GET /api/dataValueSets`.
    """
    return await explaining.explain(s, indicator, org_unit, period)
