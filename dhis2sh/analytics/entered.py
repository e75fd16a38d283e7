"""Values that were entered after the analytics tables were built: analytics have nothing of them yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from dhis2sh.analytics.items import USER_UNITS
from dhis2sh.dhis2.belonging import belongs, parts
from dhis2sh.dhis2.periods import Period
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import Dhis2Error, UsageError

if TYPE_CHECKING:
    from dhis2sh.analytics.reported import Reported
    from dhis2sh.client.data_values import DataValueQuery
    from dhis2sh.session import Session
    from dhis2sh.types import JsonValue, Row

NEVER = "1970-01-01"
"""What a server says that has not built its tables by a job: nobody knows how old they are."""
BUILT_BY = "dhis2 maintenance refresh analytics --watch"
MOST = 1_000
"""Data values that are looked at."""
_SECONDS = len("2026-01-01T00:00:00")
_ZEROS = ("0", "0.0")
"""Analytics may never have these: nothing is promised of them."""


def built(info: Mapping[str, JsonValue]) -> str | None:
    """When the analytics tables, or the latest of them, were built, as `system/info` says it; None where nobody knows."""
    moments = (str(info.get(f"lastAnalyticsTable{what}Success") or NEVER) for what in ("", "Partition"))
    return max((moment for moment in moments if not moment.startswith(NEVER)), default=None)


def since(row: Row, at: str | None) -> bool:
    """Was a value entered after the tables were built? Servers give it to the second: one of the same second may be newer."""
    return at is None or str(row.get("lastUpdated") or "")[:_SECONDS] >= at[:_SECONDS]


async def newer(s: Session, about: Reported, units: Sequence[str], times: Sequence[Period]) -> str | None:
    """What was entered of some data after the tables were built, in words; None where there is nothing, or nobody knows.

    Parameters:
        about: the data; units: items of `ou`; times: periods.
    """
    if not about.elements or not times:
        return None
    inside = [one for time in times for one in (time, *parts(time, about.kinds))]
    try:
        if not (places := await _places(s, units)):
            return None
        at = built(await s.client.get_object("system/info"))
        query: DataValueQuery = {
            "data_element": about.elements, "org_unit": places, "children": True, "limit": MOST if at else 1,
            "start_date": str(min(one.start for one in inside)), "end_date": str(max(one.end for one in inside)),
        }  # fmt: skip
        if at:
            query["last_updated"] = at[:10]
        found = await _one(s, query, times, at)
    except Dhis2Error:  # who may not read them is told what the tables say
        return None
    return f"there are values such as of {found}, entered and not aggregated yet: {BUILT_BY}" if found else None


async def _places(s: Session, items: Sequence[str]) -> list[str]:
    """The units at and below which the values of some items of `ou` are; none where that cannot be told."""
    uids = [item for item in items if is_uid(item)]
    words = [item for item in items if not is_uid(item)]
    if any(word not in USER_UNITS and not word.startswith("LEVEL-") for word in words):
        return []  # a group has some of the units below others
    if not words or (uids and not any(word in USER_UNITS for word in words)):
        return uids
    me = await s.client.system.me()
    roots = me.data_view_organisation_units or me.organisation_units
    return [*uids, *(unit.id for unit in roots if unit.id)]


async def _one(s: Session, query: DataValueQuery, times: Sequence[Period], at: str | None) -> str | None:
    """The period of one value that belongs to some periods and is newer than the tables."""
    async with aclosing(s.client.data_values.batches(**query)) as batches:
        async for rows in batches:
            for row in rows:
                if since(row, at) and str(row.get("value")) not in _ZEROS and _inside(str(row["period"]), times):
                    return str(row["period"])
    return None


def _inside(iso: str, times: Sequence[Period]) -> bool:
    try:
        period = Period.parse(iso)
    except UsageError:
        return False
    return any(belongs(period, time) for time in times)
