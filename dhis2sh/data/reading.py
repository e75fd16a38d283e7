"""Values of given cells as a server has them now: before a load, after one, and for the way back."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.client.data_values import DataValueQuery
from dhis2sh.data.cells import cell_of
from dhis2sh.dhis2 import value_types

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

_ZERO = re.compile(r"0(\.0*)?")
_AVERAGED = {"AVERAGE", "AVERAGE_SUM_ORG_UNIT"}
FEW = 50
"""UIDs that are named in a question; for more of them a wider one is asked, and what was not meant is left out here."""


async def values_now(
    s: Session, elements: Sequence[str], periods: Sequence[str], units: Sequence[str], wanted: Callable[[Row], bool]
) -> AsyncGenerator[list[Row]]:
    """The values of some elements, periods and units, in batches.

    Parameters:
        wanted: which of what comes is meant.
    """
    query = await _query(s, elements, periods, units)
    async with aclosing(s.client.data_values.batches(whole=True, **query)) as batches:
        async for rows in batches:
            if found := [row for row in rows if wanted(row)]:
                yield found


async def _query(s: Session, elements: Sequence[str], periods: Sequence[str], units: Sequence[str]) -> DataValueQuery:
    query: DataValueQuery = {"period": list(periods)}
    if len(elements) <= FEW:
        query["data_element"] = list(elements)
    else:
        query["data_set"] = await _sets_of(s, elements)
    if len(units) <= FEW:
        query["org_unit"] = list(units)
    else:
        query["org_unit"], query["children"] = await roots_of(s), True
    return query


async def cells_now(s: Session, rows: Sequence[Row], default: str) -> dict[str, Row]:
    """The values of the cells of some rows, by cell.

    Parameters:
        default: the server's default option combination.
    """
    cells = {cell_of(row, default) for row in rows}
    elements, periods, units = (
        list(dict.fromkeys(str(row[name]) for row in rows)) for name in ("dataElement", "period", "orgUnit")
    )
    found: dict[str, Row] = {}
    now = values_now(s, elements, periods, units, lambda row: cell_of(row, default) in cells)
    async with aclosing(now) as batches:
        async for batch in batches:
            found |= {cell_of(row, default): row for row in batch}
    return found


async def _sets_of(s: Session, elements: Sequence[str]) -> list[str]:
    rows = (await reading.by_uid(s.client, "dataElements", elements, fields="id,dataSetElements[dataSet[id]]")).rows
    links = [link for row in rows for link in cast("list[JsonObject]", row.get("dataSetElements") or [])]
    return list(dict.fromkeys(str(cast("JsonObject", link["dataSet"])["id"]) for link in links))


async def roots_of(s: Session) -> list[str]:
    """The units that the user reads from."""
    me = await s.client.get_object("me", {"fields": "organisationUnits[id],dataViewOrganisationUnits[id]"})
    held = (cast("list[JsonObject]", me.get(name) or []) for name in ("organisationUnits", "dataViewOrganisationUnits"))
    return list(dict.fromkeys(str(unit["id"]) for units in held for unit in units))


def is_zero(row: Row) -> bool:
    """Has a row zero as its value?"""
    return _ZERO.fullmatch(str(row.get("value", ""))) is not None


class Zeros:
    """Of which data elements a server before 2.43 keeps no zero; each is looked up once.

    Parameters:
        s: whose server has the elements; which version it is does not matter.
    """

    def __init__(self, s: Session) -> None:
        self._s = s
        self._known: dict[str, bool] = {}

    async def lost(self, rows: Sequence[Row]) -> set[str]:
        """Of the data elements that have a zero in some rows, those whose zeros are no values."""
        uids = list(dict.fromkeys(str(row["dataElement"]) for row in rows if is_zero(row)))
        if new := [uid for uid in uids if uid not in self._known]:
            fields = "id,zeroIsSignificant,aggregationType,valueType"
            found = (await reading.by_uid(self._s.client, "dataElements", new, fields=fields)).rows
            self._known |= dict.fromkeys(new, False) | {str(item["id"]): loses_zeros(item) for item in found}
        return {uid for uid in uids if self._known[uid]}


async def elements_without_zeros(s: Session, rows: Sequence[Row]) -> set[str]:
    """Of the data elements that have a zero in some rows, those of which the server keeps none.

    Before 2.43 it stores no zero of a number that is summed and whose zeros are not significant, and counts none; where
    there was a value, it deletes it. Later versions keep all.
    """
    if not any(map(is_zero, rows)) or (await s.client.version()).has("keeps_zeros"):
        return set()
    return await Zeros(s).lost(rows)


def loses_zeros(element: JsonObject) -> bool:
    """Is a zero of a data element, by its properties, no value before 2.43?"""
    counts = element.get("zeroIsSignificant") is True or element.get("aggregationType") in _AVERAGED
    return not counts and str(element.get("valueType")) in value_types.NUMERIC
