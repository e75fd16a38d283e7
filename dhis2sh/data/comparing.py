"""Two sets of values, cell by cell. One of them lies in a database of its own on the disk, the other passes by it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from contextlib import aclosing, closing
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh import profiles
from dhis2sh.data import asking, copying, disaggregation, files, loading, nothing
from dhis2sh.data.cells import KEY
from dhis2sh.data.checking import Checker, Problem
from dhis2sh.data.target import Target
from dhis2sh.errors import NotFound, UsageError

if TYPE_CHECKING:
    from dhis2sh.data.asking import Asked
    from dhis2sh.session import Session
    from dhis2sh.types import Row

COLUMNS = (*KEY, "left", "right", "difference")
BATCH = 1000


async def differences(
    left: AsyncIterable[Sequence[Row]], right: AsyncIterable[Sequence[Row]]
) -> AsyncGenerator[list[Row]]:
    """The cells whose values differ, in batches: those of the right in its order, then those that only the left has.

    Parameters:
        left, right: values by UID, each with the five columns that name its cell.
    """
    with closing(sqlite3.connect("")) as held:
        held.execute(_TABLE)
        async for rows in left:
            held.executemany(_PUT, [(*_key(row), _value(row)) for row in rows])
        async for rows in right:
            found = [row for row in (_differing(held, row) for row in rows) if row is not None]
            if found:
                yield found
        for batch in _rest(held):
            yield batch


_CELL = ", ".join(KEY)
_TABLE = f"CREATE TABLE cell ({_CELL}, value, PRIMARY KEY ({_CELL})) WITHOUT ROWID"
_PUT = f"INSERT OR REPLACE INTO cell VALUES ({'?,' * len(KEY)}?)"  # noqa: S608
_SAME = " AND ".join(f"{name} = ?" for name in KEY)
_TAKE = f"DELETE FROM cell WHERE {_SAME} RETURNING value"  # noqa: S608
_ALL = f"SELECT {_CELL}, value FROM cell"  # noqa: S608


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in KEY)


def _value(row: Row) -> str:
    return str(row.get("value", ""))


def _differing(held: sqlite3.Connection, row: Row) -> Row | None:
    """A row of the right against the left, which it leaves."""
    there = held.execute(_TAKE, _key(row)).fetchone()
    value = _value(row)
    if there is not None and there[0] == value:
        return None
    how = "only right" if there is None else "other value"
    return {**{name: row[name] for name in KEY}, "left": there[0] if there else None, "right": value, "difference": how}


def _rest(held: sqlite3.Connection) -> Iterator[list[Row]]:
    cursor = held.execute(_ALL)
    while rows := cursor.fetchmany(BATCH):
        yield [
            {**dict(zip(KEY, row, strict=False)), "left": row[-1], "right": None, "difference": "only left"}
            for row in rows
        ]


async def side(s: Session, text: str, asked: Asked) -> AsyncGenerator[list[Row]]:
    """One side of a comparison.

    Parameters:
        s: whose names a file has.
        text: a profile, or a file.
        asked: which values of a profile's server, by the UIDs of `s`.

    Raises `NotFound` for neither.
    """
    if text == s.profile.name:
        query = await asking.query_of(s, asked)
        return nothing.told(s, asked, query, s.client.data_values.batches(whole=True, **query))
    if text in profiles.all_profiles():
        return _of_profile(s, text, asked)
    if (path := await asyncio.to_thread(_file, text)) is None:
        raise NotFound(f"'{text}' is neither a profile nor a file", hint="dhis2 profile list")
    target = Target(s)
    await target.open()
    return _of_file(path, target, disaggregation.asking(s))


def _file(text: str) -> Path | None:
    path = Path(text).expanduser()
    return path if path.exists() else None


async def _of_profile(s: Session, name: str, asked: Asked) -> AsyncGenerator[list[Row]]:
    """Values of another server, by the UIDs of this one where they can be mapped."""
    async with s.beside(name) as other:
        target = Target(s)
        await target.open()
        async with aclosing(_resolved(copying.values_of(other, s, asked), target)) as batches:
            async for rows in batches:
                yield rows


async def _of_file(path: Path, target: Target, ask: disaggregation.Ask) -> AsyncGenerator[list[Row]]:
    async with aclosing(_resolved(files.values_of(path, {}, [], [], ask=ask), target)) as batches:
        async for rows in batches:
            yield rows


async def _resolved(batches: AsyncIterable[Sequence[tuple[int, Row]]], target: Target) -> AsyncGenerator[list[Row]]:
    """Values by the UIDs of a server. Raises `UsageError` with the row that cannot be."""
    checker = Checker(target)
    async for batch in batches:
        await loading.meet(target, [row for _, row in batch])
        found: list[Row] = []
        for place, row in batch:
            try:
                found.append(checker.checked(row))
            except Problem as problem:
                raise UsageError(f"row {place:,}: {problem}", hint="dhis2 data aggregate push FILE --dry-run") from None
        yield found
