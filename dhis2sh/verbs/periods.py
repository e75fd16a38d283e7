"""Periods of a verb's arguments: what people write, with what the server says where that depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.dhis2.periods import Period, PeriodType, RelativePeriod
from dhis2sh.dhis2.written import periods_in
from dhis2sh.errors import UsageError
from dhis2sh.words import counted, joined, listed

if TYPE_CHECKING:
    from dhis2sh.session import Session


async def meant(s: Session, text: str) -> list[Period]:
    """The periods that a text means today; the server is asked when its financial year begins. Raises `UsageError`."""
    found = periods_in(text)
    return await resolve(s, found) if isinstance(found, RelativePeriod) else found


async def resolve(s: Session, relative: RelativePeriod) -> list[Period]:
    """The periods that a relative one is today; only those of financial years depend on the server."""
    if "FINANCIAL" not in relative:
        return relative.resolve()
    return relative.resolve(financial_year_start=await s.client.system.financial_year_start())


async def one(s: Session, text: str) -> Period:
    """The one period that a text means (`202506`, `June 2025`, `LAST_MONTH`). Raises `UsageError` for several, and for none."""
    found = await meant(s, text)
    if len(found) != 1:
        raise UsageError(f"'{text}' is {counted(len(found), 'period')}", hint=f"one of them, such as {found[0].iso}")
    return found[0]


def unlike(others: Sequence[Period], kinds: Sequence[PeriodType]) -> str:
    """What is said of periods that are of no type of some data, and hold none of theirs.

    Parameters:
        kinds: the period types of the data.
    """
    types = joined(dict.fromkeys(str(period.type) for period in others))
    theirs = listed(dict.fromkeys(kind.at(period.start).iso for period in others for kind in kinds))
    data, isos = joined(str(kind) for kind in kinds), joined((period.iso for period in others), most=2)
    if len(others) == 1:
        return f"{isos} is {types}, and these data are {data}: it begins in {theirs}"
    return f"{isos} are {types}, and these data are {data}: they begin in {theirs}"
