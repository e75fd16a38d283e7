"""The geometry of each row's unit beside its numbers, so that a map can be drawn of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from dhis2sh.client import reading
from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonValue, Row


async def beside(s: Session, batches: AsyncGenerator[list[Row]]) -> AsyncGenerator[list[Row]]:
    """Batches of rows with a column `geometry`, each unit's read once; None where it has none.

    Raises `UsageError` for rows that have no unit.
    """
    known: dict[str, JsonValue] = {}
    async with aclosing(batches) as found:
        async for rows in found:
            if any("ou" not in row for row in rows):
                raise UsageError("these rows have no unit to draw: ou only filters", hint="ou=LEVEL-2 as a dimension")
            lacking = dict.fromkeys(str(row["ou"]) for row in rows if str(row["ou"]) not in known)
            read = (await reading.by_uid(s.client, "organisationUnits", lacking, fields="id,geometry")).rows
            known |= dict.fromkeys(lacking) | {str(unit["id"]): unit.get("geometry") for unit in read}
            yield [{**row, "geometry": known[str(row["ou"])]} for row in rows]
