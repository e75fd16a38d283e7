"""Why a question of data values has no rows, as far as two small questions more can tell."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from dhis2sh.client.data_values import DataValueQuery
from dhis2sh.dhis2.periods import Period
from dhis2sh.errors import Dhis2Error, UsageError
from dhis2sh.verbs import units

if TYPE_CHECKING:
    from dhis2sh.data.asking import Asked
    from dhis2sh.session import Session
    from dhis2sh.types import Row

_EVER = ("1900-01-01", "2199-12-31")
"""The first and the last day of any time that data may be of."""


def told(
    s: Session, asked: Asked, query: DataValueQuery, batches: AsyncGenerator[list[Row]]
) -> AsyncGenerator[list[Row]]:
    """Batches of values; where there are none, why is said as far as it can be known.

    Parameters:
        asked: the question; query: what it became.
    """
    return units.told_of_none(lambda: tell(s, asked, query), batches)


async def tell(s: Session, asked: Asked, query: DataValueQuery) -> None:
    """Say why a question has no values. Parameters as `told`."""
    if await units.tell_of_none(s, "values", asked.alone):
        return
    try:
        s.person.note(f"no values: {await _why(s, query)}")
    except Dhis2Error as error:
        s.person.note(f"no values; whether there are any of other periods the server does not say: {error}")


async def _why(s: Session, query: DataValueQuery) -> str:
    """What the server has of the same data and units for other periods."""
    first, last = _span(query)
    if query.get("period") and (one := await _one(s, query, first, last)) is not None:
        return (
            f"within these days there are some of other periods, such as {_typed(one)}: "
            f"--start-date {first} --end-date {last} instead of --period finds them"
        )
    if (one := await _one(s, query, *_EVER)) is not None:
        return f"for this time there are none; there are some of other periods, such as {_typed(one)}"
    return "of these data in these units there are none that you may see, whatever the period"


def _span(query: DataValueQuery) -> tuple[str, str]:
    """The first and the last day that a question is about."""
    if "start_date" in query and "end_date" in query:
        return query["start_date"], query["end_date"]
    periods = [Period.parse(iso) for iso in query.get("period", ())]
    return min(period.start for period in periods).isoformat(), max(period.end for period in periods).isoformat()


def _typed(iso: str) -> str:
    """A period with its type, where it is one that we know."""
    try:
        return f"{iso} ({Period.parse(iso).type})"
    except UsageError:
        return iso


async def _one(s: Session, query: DataValueQuery, first: str, last: str) -> str | None:
    """The period of one value of the same question for all periods that lie within some days; None without one."""
    wider = {name: value for name, value in query.items() if name != "period"}
    wider |= {"start_date": first, "end_date": last, "limit": 1}
    async with aclosing(s.client.data_values.batches(**cast("DataValueQuery", wider))) as batches:
        async for rows in batches:
            for row in rows:
                return str(row["period"])
    return None
