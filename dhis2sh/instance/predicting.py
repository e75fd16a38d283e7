"""Predictors run over some time.

API source: `POST /api/predictions` (recorded on 2.42).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.client import reading
from dhis2sh.dhis2.dates import day
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

PREDICTORS, GROUPS = "predictors", "predictorGroups"


async def plan(s: Session, predictor: str | None, group: str | None, start_date: str, end_date: str) -> Plan:
    """The plan of running one predictor, or those of a group.

    Parameters:
        predictor, group: UID of the one or of the other.
        start_date, end_date: what is predicted; a server predicts nothing, and says OK, where they are the wrong way round.

    Raises `UsageError`, `NotFound`.
    """
    if (predictor is None) == (group is None):
        raise UsageError("a predictor or a --group, one of them", hint="dhis2 metadata list predictors")
    plural, uid, name = (PREDICTORS, predictor, "predictor") if predictor else (GROUPS, group, "predictorGroup")
    start, end = day(start_date), day(end_date)
    if end < start:
        raise UsageError(
            f"--end-date {end} is before --start-date {start}", hint=f"--start-date {end} --end-date {start}"
        )
    found = (await reading.by_uid(s.client, plural, [str(uid)], fields="id,displayName")).rows
    if not found:
        raise NotFound(f"there is no {name} {uid}", hint=f"dhis2 metadata list {plural}")
    called = str(found[0].get("displayName"))
    params: dict[str, Param] = {"startDate": start, "endDate": end, name: str(uid)}
    step = PlanStep(
        "run",
        plural,
        uid=str(uid),
        name=called,
        detail=f"predict {start} to {end}; what it predicted before is written over",
    )
    request = Request("POST", "predictions", params=params)
    writer = ByRequest(f"predictions of {called}", [request], complete=_told)
    return Plan(f"run {called}", [step], notes=["this cannot be undone"], writer=writer)


async def _told(s: Session, summary: WriteSummary) -> None:
    """What the server's summary says: predictors that ran, values that came, changed, went and stayed."""
    told = cast("JsonObject", (summary.envelope or {}).get("response") or {})
    summary.created, summary.updated, summary.deleted = (
        int(cast("int", told.get(name) or 0)) for name in ("inserted", "updated", "deleted")
    )
    ran, same = int(cast("int", told.get("predictors") or 0)), int(cast("int", told.get("unchanged") or 0))
    summary.say(f"{counted(ran, 'predictor')} ran, {counted(same, 'value')} as before")
    if not (summary.created or summary.updated or summary.deleted or same):
        summary.say("nothing was predicted: has this time, and the time before it, data?")
