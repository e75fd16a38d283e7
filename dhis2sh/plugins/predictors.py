"""`predictors run`: what data elements are predicted to be."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.instance import predicting
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Doc, Refers, verb


@verb(
    "predictors run",
    effect="write",
    examples=["dhis2 predictors run 'Malaria threshold' --start-date 2026-01-01 --end-date 2026-06-30"],
)
async def run(
    s: Session,
    predictor: Annotated[str | None, Doc("The predictor: UID, code or name."), Refers("predictors")] = None,
    *,
    group: Annotated[str | None, Doc("Or all predictors of this group."), Refers("predictorGroups")] = None,
    start_date: Annotated[str, Doc("The first day of what is predicted.")],
    end_date: Annotated[str, Doc("The last day.")],
) -> Plan:
    """Let the server work out the values of a predictor for some time and store them.

    API source: `POST /api/predictions`.
    """
    return await predicting.plan(s, predictor, group, start_date, end_date)
