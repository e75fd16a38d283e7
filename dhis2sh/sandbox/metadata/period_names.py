"""What a server calls periods: `January 2025`, `January - March 2025`, `Last 12 months`."""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dhis2sh.dhis2.periods import Period, RelativePeriod

_RELATIVE = {
    "THIS_SIX_MONTH": "This six-month",
    "LAST_SIX_MONTH": "Last six-month",
    "LAST_2_SIXMONTHS": "Last 2 six-months",
    "THIS_BIWEEK": "This bi-week",
    "LAST_BIWEEK": "Last bi-week",
    "LAST_4_BIWEEKS": "Last 4 bi-weeks",
    "LAST_6_BIMONTHS": "Last 6 bi-months",
}


def relative_name(relative: RelativePeriod) -> str:
    """A relative period in English."""
    return _RELATIVE.get(relative.value) or relative.value.replace("_", " ").capitalize()


def period_name(period: Period) -> str:
    """A period in English, as the server's i18n writes it."""
    name, start, end = period.type.name, period.start, period.end
    if name == "Daily":
        return start.isoformat()
    if name.startswith("Weekly"):
        return f"Week {period.iso.rpartition('W')[2]} {start} - {end}"
    if name == "BiWeekly":
        return f"Bi-Week {period.iso.rpartition('BiW')[2]} {start} - {end}"
    if name == "Monthly":
        return f"{calendar.month_name[start.month]} {start.year}"
    if name == "Yearly":
        return str(start.year)
    first, last = calendar.month_name[start.month], calendar.month_name[end.month]
    if start.year == end.year:
        return f"{first} - {last} {end.year}"
    return f"{first} {start.year} - {last} {end.year}"
