"""When data of a data set may be entered: expiry days, input periods, and the exceptions to a lock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.periods import Period, period_type
from dhis2sh.sandbox.java.moments import text_of

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue


class Locks:
    """Whether periods are past their expiry days, for one user.

    Parameters:
        store: the database.
        late: the user has the authority to enter data of expired periods.
    """

    def __init__(self, store: Store, *, late: bool) -> None:
        self.store, self.late = store, late

    def is_expired(
        self, data_set: Mapping[str, JsonValue], period: Period, unit: str, today: dt.date | None = None
    ) -> bool:
        """Is a period of a data set past its expiry days, with no exception for this org unit?"""
        return not self.late and _is_past(data_set, period, today) and not self.is_excepted(data_set, period, unit)

    def is_excepted(self, data_set: Mapping[str, JsonValue], period: Period, unit: str) -> bool:
        """Is there an exception to the lock of a data set?"""
        row = self.store.connection.execute(
            "SELECT 1 FROM lock_exception WHERE data_set = ? AND period = ? AND (org_unit = ? OR org_unit IS NULL)",
            (data_set.get("id"), period.iso, unit),
        ).fetchone()
        return row is not None


def _is_past(data_set: Mapping[str, JsonValue], period: Period, today: dt.date | None) -> bool:
    days = float(cast("float", data_set.get("expiryDays") or 0))
    now = today or dt.datetime.now(dt.UTC).date()
    return days > 0 and now > period.end + dt.timedelta(days=days)


def latest_open_period(data_set: Mapping[str, JsonValue]) -> Period:
    """The last period of a data set that is open; with 0 open future periods it is the one before the running one."""
    kind = period_type(cast("str", data_set.get("periodType") or "Monthly"))
    return Period.of(kind).previous().next(int(cast("float", data_set.get("openFuturePeriods") or 0)))


def is_unit_open(unit: Mapping[str, JsonValue], period: Period) -> bool:
    """Is an org unit open on any day of a period?"""
    opened, closed = (str(unit.get(name) or "")[:10] for name in ("openingDate", "closedDate"))
    return not (closed and closed < period.start.isoformat()) and opened <= period.end.isoformat()


def is_input_listed(data_set: Mapping[str, JsonValue], period: Period) -> bool:
    """Does 2.43 take data of a period, by the input periods of a data set?

    Seen: one that has a closing date, whatever the day is, and none without.
    """
    inputs = cast("list[JsonObject]", data_set.get("dataInputPeriods") or [])
    own = [one for one in inputs if cast("JsonObject", one.get("period") or {}).get("id") == period.iso]
    return not inputs or any(one.get("closingDate") for one in own)


def is_input_open(
    data_set: Mapping[str, JsonValue], period: Period, now: dt.datetime | None = None, *, closes: bool = False
) -> bool:
    """May data of this period be entered at this time? A data set without input periods is always open.

    Parameters:
        closes: an input period without a closing date does not count; imports look at it so.
    """
    inputs = cast("list[JsonObject]", data_set.get("dataInputPeriods") or [])
    if not inputs:
        return True
    moment = text_of(now or dt.datetime.now(dt.UTC))
    for item in inputs:
        if cast("JsonObject", item.get("period") or {}).get("id") != period.iso:
            continue
        opening, closing = cast("str | None", item.get("openingDate")), cast("str | None", item.get("closingDate"))
        if (opening is None or opening <= moment) and (not closes if closing is None else moment <= closing):
            return True
    return False
