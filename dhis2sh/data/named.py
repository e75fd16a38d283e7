"""Names beside UIDs, and numbers in place of texts, in values that stream by: each object is asked for once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

from dhis2sh.client import reading
from dhis2sh.dhis2 import value_types
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.verbs.declaration import Doc

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import Row

TYPES = {
    "dataElement": "dataElements", "orgUnit": "organisationUnits", "categoryOptionCombo": "categoryOptionCombos",
    "attributeOptionCombo": "categoryOptionCombos",
}  # fmt: skip
"""The columns that hold UIDs, and of what."""
Names = Annotated[bool, Doc("A column with the name beside each UID.")]


def columns(names: Iterable[str]) -> list[str]:
    """Columns with those of names behind each that holds a UID."""
    return [part for name in names for part in ([name, f"{name}Name"] if name in TYPES else [name])]


async def batches(s: Session, source: AsyncGenerator[list[Row]]) -> AsyncGenerator[list[Row]]:
    """Rows with a name beside each UID; one that the user may not see has none."""
    known: dict[tuple[str, str], str | None] = {}
    async with aclosing(source) as found:
        async for rows in found:
            for plural in dict.fromkeys(TYPES.values()):
                await _learn(s, plural, rows, known)
            yield [_with_names(row, known) for row in rows]


async def of_rows(s: Session, rows: Sequence[Row]) -> list[Row]:
    """Rows that are in memory with a name beside each UID, as of `batches`."""

    async def one() -> AsyncGenerator[list[Row]]:
        yield [*rows]

    return [row async for batch in batches(s, one()) for row in batch]


async def _learn(s: Session, plural: str, rows: Sequence[Row], known: dict[tuple[str, str], str | None]) -> None:
    held = (str(row[name]) for row in rows for name, kind in TYPES.items() if kind == plural and row.get(name))
    new = [uid for uid in dict.fromkeys(held) if (plural, uid) not in known and is_uid(uid)]
    if not new:
        return
    found = await reading.by_uid(s.client, plural, new, fields="id,displayName")
    known |= {(plural, uid): None for uid in found.missing}
    known |= {(plural, str(row["id"])): str(row.get("displayName")) for row in found.rows}


def _with_names(row: Row, known: dict[tuple[str, str], str | None]) -> Row:
    told: Row = {}
    for name, value in row.items():
        told[name] = value
        if (plural := TYPES.get(name)) is not None:
            told[f"{name}Name"] = known.get((plural, str(value)))
    return told


async def with_numbers(s: Session, source: AsyncGenerator[list[Row]]) -> AsyncGenerator[list[Row]]:
    """Rows whose values are numbers where their data element is one of numbers; others stay text."""
    numeric: dict[str, bool] = {}
    async with aclosing(source) as found:
        async for rows in found:
            new = [uid for uid in dict.fromkeys(str(row["dataElement"]) for row in rows) if uid not in numeric]
            known = await reading.by_uid(s.client, "dataElements", new, fields="id,valueType") if new else None
            numeric |= dict.fromkeys(new, False)
            for item in known.rows if known is not None else ():
                numeric[str(item["id"])] = str(item.get("valueType")) in value_types.NUMERIC
            for row in rows:
                if numeric[str(row["dataElement"])]:
                    row["value"] = value_types.number(row.get("value"))
            yield rows
