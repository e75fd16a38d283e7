"""What is said where units were asked for alone and what was looked for may lie below them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import Row


async def told_of_none(
    tell: Callable[[], Awaitable[object]], batches: AsyncGenerator[list[Row]]
) -> AsyncGenerator[list[Row]]:
    """Batches of rows.

    Parameters:
        tell: says why there are none, where that is so.
    """
    some = False
    async with aclosing(batches) as found:
        async for rows in found:
            some = some or bool(rows)
            yield rows
    if not some:
        await tell()


async def tell_of_none(s: Session, what: str, alone: Sequence[str]) -> bool:
    """Say that units themselves have none of something, where they have others below them; was it said?

    Parameters:
        what: the rows, in the plural.
        alone: the units, by UID, that were asked for without what is below them; none where that was.
    """
    if not alone:
        return False
    query: dict[str, Param] = {"filter": f"parent.id:in:[{','.join(alone)}]", "fields": "id", "pageSize": 1}
    below = (await s.client.list_page("organisationUnits", query)).total
    if below:
        s.person.note(
            f"no {what} of these units themselves; {counted(below, 'unit')} right below: --children asks for all"
        )
    return bool(below)
