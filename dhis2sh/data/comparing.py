"""Two sets of values, cell by cell. What files hold lies in a database of its own on the disk, a server's right side passes by it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh import profiles
from dhis2sh.data import asking, copying, disaggregation, files, loading, nothing, question
from dhis2sh.data.cells import KEY
from dhis2sh.data.checking import Checker, Problem, text_of
from dhis2sh.data.reading import Zeros, is_zero
from dhis2sh.data.target import Target
from dhis2sh.errors import NotFound
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.data.as_written import AsWritten
    from dhis2sh.data.asking import Asked
    from dhis2sh.session import Session
    from dhis2sh.types import Row

COLUMNS = (*KEY, "left", "right", "difference")
BATCH = 1000
AND = " and "
"""Between two values that one side has for a cell."""


@dataclass(slots=True)
class Side:
    """One side of a comparison.

    Parameters:
        batches: its values by UID, each with the five columns that name its cell.
        keeps_zeros: does it keep every zero, as files do?
        once: has each cell one value at most, as on a server?
        odd: rows that cannot be understood, each with why under `difference`; complete when its values have been read.
    """

    batches: AsyncIterable[Sequence[Row]]
    keeps_zeros: bool = True
    once: bool = False
    odd: list[Row] = field(default_factory=list["Row"])


async def differences(s: Session, left: Side, right: Side) -> AsyncGenerator[list[Row]]:
    """The cells whose values differ, in batches: those of the right in its order, then those that only the left has.

    A zero on one side is none where the other keeps no zeros of its data element and has nothing. Two values of one side for
    one cell are a difference whatever they are, and so is a row that cannot be understood.
    """
    zeros, dropped = Zeros(s), 0
    with closing(sqlite3.connect("")) as held:
        held.execute(_TABLE.format("left_"))
        held.execute(_TABLE.format("right_"))
        await _put(held, "left_", left)
        source: AsyncIterable[Sequence[Row]] = right.batches
        if not right.once:
            await _put(held, "right_", right)
            source = _all(held, "right_")
        async for rows in source:
            lost = await zeros.lost(rows) if not left.keeps_zeros else ()
            found = [row for row in (_differing(held, row) for row in rows) if row is not None]
            kept = [row for row in found if not _is_lost(row, "right", lost)]
            dropped += len(found) - len(kept)
            if kept:
                yield kept
        async for rows in _all(held, "left_"):
            lost = await zeros.lost(rows) if not right.keeps_zeros else ()
            found = [
                _told(row, cast("str | None", row["value"]), None, "two values" if row["several"] else "only left")
                for row in rows
            ]
            kept = [row for row in found if not _is_lost(row, "left", lost)]
            dropped += len(found) - len(kept)
            if kept:
                yield kept
    for side, name in ((left, "left"), (right, "right")):
        if side.odd:
            yield [_odd(row, name) for row in side.odd]
    if dropped:
        s.person.note(f"{counted(dropped, 'zero')} of data elements of which the other side keeps none: no difference")


def _is_lost(row: Row, name: str, lost: Collection[str]) -> bool:
    """Is a difference a zero of one side alone, where the other keeps none?"""
    return row["difference"] == f"only {name}" and row["dataElement"] in lost and is_zero({"value": row[name]})


_CELL = ", ".join(KEY)
_TABLE = f"CREATE TABLE {{}} (place INTEGER PRIMARY KEY, {_CELL}, value, several DEFAULT 0, UNIQUE ({_CELL}))"
_PUT = (
    f"INSERT INTO {{0}} ({_CELL}, value) VALUES ({'?,' * len(KEY)}?) ON CONFLICT ({_CELL}) DO UPDATE SET several = 1, "  # noqa: S608
    f"value = value || '{AND}' || excluded.value WHERE value <> excluded.value"
)
_SAME = " AND ".join(f"{name} = ?" for name in KEY)
_TAKE = f"DELETE FROM left_ WHERE {_SAME} RETURNING value, several"  # noqa: S608
_ALL = f"SELECT {_CELL}, value, several FROM {{}} ORDER BY place"  # noqa: S608


async def _put(held: sqlite3.Connection, table: str, side: Side) -> None:
    """Keep the values of a side; of a cell that has several all of them."""
    async for rows in side.batches:
        held.executemany(_PUT.format(table), [(*_key(row), str(row.get("value", ""))) for row in rows])


async def _all(held: sqlite3.Connection, table: str) -> AsyncGenerator[list[Row]]:
    """The values that are kept, with whether they are several."""
    cursor = held.execute(_ALL.format(table))
    names = (*KEY, "value", "several")
    while rows := cursor.fetchmany(BATCH):
        yield [dict(zip(names, row, strict=True)) for row in rows]


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in KEY)


def _differing(held: sqlite3.Connection, row: Row) -> Row | None:
    """A row of the right against the left, which it leaves."""
    there = held.execute(_TAKE, _key(row)).fetchone()
    value = str(row.get("value", ""))
    if row.get("several") or (there is not None and there[1]):
        return _told(row, there[0] if there else None, value, "two values")
    if there is not None and there[0] == value:
        return None
    return _told(row, there[0] if there else None, value, "only right" if there is None else "other value")


def _told(row: Row, left: str | None, right: str | None, how: str) -> Row:
    return {**{name: row[name] for name in KEY}, "left": left, "right": right, "difference": how}


def _odd(row: Row, side: str) -> Row:
    """A row that was not understood, as it stands there."""
    given = {name: text_of(row[name]) if row.get(name) is not None else None for name in (*KEY, "value")}
    value = given.pop("value")
    return {**given, "left": None, "right": None, side: value, "difference": row["difference"]}


async def side(s: Session, text: str, asked: Asked, written: AsWritten) -> Side:
    """One side of a comparison.

    Parameters:
        s: whose names a file has.
        text: a profile, or a file.
        asked: which values, by the UIDs of `s`.
        written: how the sheets are written.

    Raises `NotFound` for neither.
    """
    if text == s.profile.name:
        query = await asking.query_of(s, asked)
        batches = nothing.told(s, asked, query, s.client.data_values.batches(whole=True, **query))
        return Side(batches, (await s.client.version()).has("keeps_zeros"), once=True)
    if text in profiles.all_profiles():
        found = Side(_none())
        found.batches = _of_profile(s, text, asked, found)
        return found
    if (path := await asyncio.to_thread(_file, text)) is None:
        raise NotFound(f"'{text}' is neither a profile nor a file", hint="dhis2 profile list")
    found = Side(_none())
    found.batches = _of_file(s, path, asked, written, found)
    return found


async def _none() -> AsyncGenerator[list[Row]]:
    """What a side has before it is known where its values come from."""
    for rows in list[list["Row"]]():
        yield rows


def _file(text: str) -> Path | None:
    path = Path(text).expanduser()
    return path if path.exists() else None


async def _of_profile(s: Session, name: str, asked: Asked, into: Side) -> AsyncGenerator[list[Row]]:
    """Values of another server, by the UIDs of this one where they can be mapped.

    Parameters:
        into: the side, which takes what cannot be mapped, and whether the server keeps zeros.
    """
    async with s.beside(name) as other:
        into.keeps_zeros = (await other.client.version()).has("keeps_zeros")
        target = Target(s)
        await target.open()
        pairs = copying.Pairs()
        resolved = _resolved(copying.values_of(other, s, asked, pairs), target, Checker(target), into, name)
        async with aclosing(resolved) as batches:
            async for rows in batches:
                yield rows
        for note in pairs.notes():
            s.person.warn(f"{name}: {note}")


async def _of_file(s: Session, path: Path, asked: Asked, written: AsWritten, into: Side) -> AsyncGenerator[list[Row]]:
    """The values of a file that the question is about; what lies outside of it is counted and said."""
    target = Target(s)
    await target.open()
    wanted = await question.question_of(s, asked)
    given = question.for_all_rows(asked, wanted)
    notes, unread = list[str](), list[str]()
    checker = Checker(target, by_date=written.by_date, commas=written.decimal == ",")
    source = files.values_of(path, given, notes, unread, written.where, ask=disaggregation.Columns(s))
    left_out = found = 0
    async with aclosing(_resolved(source, target, checker, into, path.name)) as batches:
        async for rows in batches:
            meant = [row for row in rows if wanted.holds(row, target)]
            left_out += len(rows) - len(meant)
            found += len(rows)
            yield meant
    if unread:
        notes.append(f"columns not read: {', '.join(unread)}")
    if left_out:
        notes.append(
            f"{left_out:,} of {counted(found, 'value')} {'is' if left_out == 1 else 'are'} of other data, times or units"
            " than the question's, and left out"
        )
    for note in notes:
        s.person.note(f"{path.name}: {note}")


async def _resolved(
    batches: AsyncIterable[Sequence[tuple[int, Row]]], target: Target, checker: Checker, into: Side, name: str
) -> AsyncGenerator[list[Row]]:
    """Values by the UIDs of a server; the rows that cannot be go among the odd ones of a side, with their number and why."""
    async for batch in batches:
        await loading.meet(target, [row for _, row in batch])
        found: list[Row] = []
        for place, row in batch:
            try:
                found.append(checker.checked(row))
            except Problem as problem:
                into.odd.append({**row, "difference": f"{name} row {place:,}: {problem}"})
        yield found
