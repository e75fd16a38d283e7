"""Events that are due: scheduled ones and those whose day has passed, counted by stage and unit.

API source: `GET /api/tracker/events?status=SCHEDULE|OVERDUE` (api-facts e.2). Which of the two a server calls an event
depends on its clock and version; here the day it is scheduled for decides, against today.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from dhis2sh.tracker import reading
from dhis2sh.tracker.reading import Names

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.tracker.asking import Query
    from dhis2sh.tracker.programs import Program

type By = Literal["stage", "unit"]


class Outstanding(BaseModel):
    """What is due of one stage, at one unit."""

    stage: str
    org_unit: str
    org_unit_name: str | None
    overdue: int
    scheduled: int
    oldest: str | None
    next: str | None


async def outstanding(s: Session, program: Program, query: Query, *, by: By, today: dt.date) -> list[Outstanding]:
    """What is due, the most overdue first.

    Parameters:
        query: which events of the program, whatever their state.
        by: units together (`stage`), or one row for each unit.
        today: the day up to which an event is overdue.
    """
    names = Names(s)
    stages = {stage.uid: stage.name for stage in program.stages}
    seen: set[str] = set()
    late, ahead = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    days: dict[tuple[str, str], list[str]] = {}
    for status in ("SCHEDULE", "OVERDUE"):
        asked = replace(query, params={**query.params, "status": status})
        async with aclosing(reading.pages(s, asked, "event,status,programStage,orgUnit,scheduledAt")) as batches:
            async for batch in batches:
                await names.meet(row.get("orgUnit") for row in batch)
                for row in batch:
                    uid, day = str(row["event"]), str(row.get("scheduledAt") or "")[:10]
                    if uid in seen:
                        continue
                    seen.add(uid)
                    key = (str(row.get("programStage")), str(row.get("orgUnit")) if by == "unit" else "")
                    (late if day and day < today.isoformat() else ahead)[key] += 1
                    days.setdefault(key, []).extend([day] if day else [])
    found = [
        Outstanding(
            stage=stages.get(key[0], key[0]), org_unit=key[1], org_unit_name=names.unit(key[1]) if key[1] else None,
            overdue=late[key], scheduled=ahead[key],
            oldest=min((day for day in days[key] if day < today.isoformat()), default=None),
            next=min((day for day in days[key] if day >= today.isoformat()), default=None),
        )
        for key in days
    ]  # fmt: skip
    return sorted(found, key=lambda row: (-row.overdue, -row.scheduled, row.stage, row.org_unit_name or ""))
