"""Which longer period a period belongs to, by the server's own rule: each to one of a type, and to none twice.

A week belongs where four or more of its days lie, any other period where it begins; a period belongs to another type's
only where its own type is shorter (`frequencyOrder`), so that no week that begins on Wednesday belongs to one that begins
on Monday. Analytics adds up so; the twelve months of a year hold each of its weeks once.

API source: `PeriodResourceTable.java`, `PeriodType.getPeriodTypePeriods`, `IdentifiableObjectUtils.getPeriodByPeriodType`
(recorded for weeks in months, quarters and years: analytics-own-elements).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from dhis2sh.dhis2.periods import Period, PeriodType

WEEK = 7
"""The `frequencyOrder` of every type of week."""


def day_of(period: Period) -> dt.date:
    """The day that says where a period belongs: the fourth of a week, the first of any other."""
    return period.start + dt.timedelta(days=3) if period.type.frequency_order == WEEK else period.start


def belongs(period: Period, longer: Period) -> bool:
    """Does a period belong to another one? To itself it does."""
    if period.type == longer.type:
        return period == longer
    if period.type.frequency_order >= longer.type.frequency_order:
        return False
    return longer.type.at(day_of(period)) == longer  # two-week periods overlap where a year has 53 weeks


def parts(longer: Period, kinds: Iterable[PeriodType]) -> list[Period]:
    """The periods of some types that belong to another one, type by type; none of a type that is not shorter."""
    found: list[Period] = []
    for kind in kinds:
        if kind.frequency_order >= longer.type.frequency_order:
            continue
        one = kind.at(longer.start)
        if day_of(one) < longer.start:
            one = one.next()
        while day_of(one) <= longer.end:
            if belongs(one, longer):
                found.append(one)
            one = one.next()
    return found
