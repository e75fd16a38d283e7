"""Why a question of aggregate analytics has no numbers, as far as two small questions more can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.analytics.items import Question
from dhis2sh.dhis2.periods import Period, RelativePeriod
from dhis2sh.errors import Dhis2Error, UsageError
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.session import Session

YEARS = ("THIS_YEAR", "LAST_10_YEARS")
_UNKNOWN = (
    "dhis2 analytics explain  says of one why; its data may be of longer periods, entered later than the tables were built, "
    "or not entered at all"
)
_SHORT = ("DAY", "WEEK")


async def tell(s: Session, question: Question, *, held: bool = False) -> None:
    """Say that a question has no numbers, and why where that can be known.

    Parameters:
        held: conditions on the numbers were asked for too, which none may meet.
    """
    said = "the analytics tables have nothing"
    known = None if held else await _why(s, question)
    if known is not None:
        s.person.note(f"{said} for these periods: {known}")
    else:
        s.person.note(
            f"{said}{' that meets the conditions' if held else ''} for these data, periods and units: {_UNKNOWN}"
        )


async def _why(s: Session, question: Question) -> str | None:
    """For which time these data have numbers in these places; None where nobody knows."""
    years = await _with_numbers(s, question, YEARS)
    if years is None:
        return None
    if not years:
        return f"of these data in these places there is nothing in the last ten years; {_UNKNOWN}"
    first, last = years[0], years[-1]
    months = await _with_numbers(s, question, [f"{last}{month:02}" for month in range(1, 13)])
    if months is None:
        return None
    asked = [*question.dimensions.get("pe", ()), *question.filters.get("pe", ())]
    if not months:
        return f"these data have numbers by year, from {first} to {last}, and none by month"
    told = f"these data have numbers here from {first} to {months[-1]}"
    if short := [item for item in asked if _is_short(item)]:
        of = "is" if len(short) == 1 else "are"
        told += (
            f"; {listed(short, 5)} {of} shorter than a month, and data that are reported by month have none for that"
        )
    return told


async def _with_numbers(s: Session, question: Question, periods: list[str] | tuple[str, ...]) -> list[str] | None:
    """The periods, of some, for which there is a number over all units of a question; None where the server refuses."""
    places = {
        name: items for name, items in (question.filters | question.dimensions).items() if name not in {"dx", "pe"}
    }
    data = question.dimensions.get("dx") or question.filters.get("dx") or []
    dimensions = {"dx": data, "pe": list(periods)}
    filters = {name: items for name, items in places.items() if items}
    try:
        grid = await s.client.analytics.query(dimensions, filters=filters, params={"skipMeta": True})
    except Dhis2Error:
        return None
    return sorted({str(row["pe"]) for row in grid.records(names=False) if row.get("value") is not None})


def _is_short(item: str) -> bool:
    """Is a period, fixed or relative, shorter than a month?"""
    if item in RelativePeriod.__members__:
        return any(part in item for part in _SHORT)
    try:
        period = Period.parse(item)
    except UsageError:
        return False
    return (period.end - period.start).days < 27
