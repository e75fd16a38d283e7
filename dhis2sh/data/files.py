"""Files of values: sheets, JSON with its envelope, XML and ADX, and CSV as DHIS2 itself writes it, with a header or without."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh.data import layouts, markup
from dhis2sh.data.cells import COLUMNS
from dhis2sh.dhis2.periods import Period
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.dhis2.written import month_named
from dhis2sh.errors import UsageError
from dhis2sh.rows import sheets
from dhis2sh.rows.sheets import Where
from dhis2sh.rows.tables import separator_of, stream_rows

if TYPE_CHECKING:
    from dhis2sh.data.disaggregation import Columns
    from dhis2sh.types import Row

_WITHOUT_HEADER = {".json", ".ndjson", ".yaml", ".yml"}
BATCH = 1000


async def values_of(
    path: Path,
    given: Row,
    notes: list[str],
    unread: list[str],
    where: Where | None = None,
    called: dict[str, str] | None = None,
    ask: Columns | None = None,
) -> AsyncGenerator[list[tuple[int, Row]]]:
    """The values of a file, with the numbers of its rows; what its envelope says, it says of all of them.

    Parameters:
        given: what the caller says of all rows.
        notes: takes what of the file is not loaded.
        unread: takes the columns that hold nothing of a value.
        where: the sheet, the header line and what is filled down, as who reads it may say.
        called: takes what the columns are called, by DHIS2's names.
        ask: says which columns are categories.

    Raises `UsageError`, `NotFound`.
    """
    if markup.is_markup(path):
        if where not in (None, Where()):
            raise UsageError(
                f"{path.name} has neither sheets nor a header",
                hint="--sheet, --header-row, --fill-down and --skip-hidden are for sheets",
            )
        number = 0
        for rows in markup.batches_of(path, notes):
            yield [(number + at, _with_period({**given, **row})) for at, row in enumerate(rows, 1)]
            number += len(rows)
        return
    begins = where.header if where is not None else 1
    fill = where.fill_down if where is not None else ()
    plain = begins == 1 and not fill and not (where is not None and where.skip_hidden)
    if plain and (found := _without_header(path)) is not None:
        number = 0
        for rows in found:
            yield [(number + at, {**given, **row}) for at, row in enumerate(rows, 1)]
            number += len(rows)
        return
    if given.get("period") and (said := _other_month(path, where, str(given["period"]))) is not None:
        notes.append(said)
    source = stream_rows(path, key="dataValues", blanks=True, where=where, faults=True, tell=notes.append)
    header = 0 if set(path.suffixes) & _WITHOUT_HEADER else begins  # rows count from the sheet's first line
    if fill:
        notes.append(f"filled down: {', '.join(fill)}")
    given = {**given, **_envelope(path, notes)}  # what contradicts the caller is refused, row by row
    found = sheets.merged_cells(path, where) if path.suffix.lower() == ".xlsx" else {}
    merged = {(line - header, name): cells for (line, name), cells in found.items()}
    batches = layouts.values_of(
        source.plain_batches(), given, unread, called=called, filled=fill, ask=ask, merged=merged
    )
    async for batch in batches:
        yield [(place + header, row) for place, row in batch]


def _other_month(path: Path, where: Where | None, period: str) -> str | None:
    """What is to be said of a sheet or file that has the name of a month outside of the period that is said of all its rows."""
    called = [("file", path.stem)]
    if path.suffix.lower() == ".xlsx":
        called.insert(0, ("sheet", sheets.name_of(path, where)))
    try:
        said = Period.parse(layouts.as_period(period))
    except UsageError:
        return None  # its rows are refused
    for what, name in called:
        month = month_named(name)
        if month is not None and not any(item.start.month == month for item in _months(said)):
            return f"the {what} is called '{name}', and --period says {said.iso} of all rows"
    return None


def _months(period: Period) -> list[Period]:
    """The months that a period touches."""
    found = [Period.of("Monthly", period.start)]
    while found[-1].end < period.end:
        found.append(found[-1].next())
    return found


def parted_by_semicolons(path: Path, where: Where) -> bool:
    """Are the cells of a file parted by semicolons, as where commas part decimals? False for what cannot be read."""
    try:
        return not markup.is_markup(path) and separator_of(path, where) == ";"
    except (OSError, EOFError, ValueError, UsageError):
        return False  # whoever reads the rows says so


def _with_period(row: Row) -> Row:
    period = row.get("period")
    return {**row, "period": layouts.as_period(period)} if isinstance(period, str) else row


def _without_header(path: Path) -> Iterator[list[Row]] | None:
    """The values of a CSV that begins with one: DHIS2 itself reads columns by their place. None for any other file."""
    name = path.name.lower()
    if not name.endswith((".csv", ".csv.gz")):
        return None
    try:
        with _text(path) as file:
            first = next(csv.reader(file), list[str]())
    except (OSError, EOFError, ValueError, csv.Error):
        return None  # whoever reads the rows says so
    begins = len(first) > 5 and is_uid(first[0]) and is_uid(first[2]) and _is_period(first[1])
    return _by_place(path) if begins else None


def _is_period(text: str) -> bool:
    try:
        return bool(Period.parse(text))
    except UsageError:
        return False


def _by_place(path: Path) -> Iterator[list[Row]]:
    with _text(path) as file:
        reader = csv.reader(file)
        for lines in batched(reader, BATCH, strict=False):
            yield [_placed(line, path, reader.line_num) for line in lines if any(line)]


def _placed(line: Sequence[str], path: Path, number: int) -> Row:
    if len(line) > len(COLUMNS):
        raise UsageError(f"{path.name} line {number} has {len(line)} cells, and values have {len(COLUMNS)} at most")
    return {name: text for name, text in zip(COLUMNS, line, strict=False) if text != ""}


def _text(path: Path) -> io.TextIOWrapper:
    packed = path.suffix.lower() == ".gz"
    return io.TextIOWrapper(gzip.open(path) if packed else path.open("rb"), encoding="utf-8-sig", newline="")  # type: ignore[arg-type]


_HEAD = 65_536
"""Bytes at the beginning and the end of a JSON file in which its envelope is looked for."""


def _envelope(path: Path, notes: list[str]) -> Row:
    """What the envelope of a JSON file says of all of its values: `dataSet` aside, `period`, `orgUnit` and so on.

    Parameters:
        notes: takes what of the file is not loaded.

    Raises `UsageError` where it cannot be told.
    """
    packed = path.suffix.lower() == ".gz"
    if (Path(path.stem) if packed else path).suffix.lower() != ".json":
        return {}
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            text = file.read(_HEAD).decode("utf-8-sig", "replace").lstrip()
    except OSError:
        return {}  # whoever reads the rows says so
    if not text.startswith("{"):
        return {}
    head, found, _ = text.partition('"dataValues"')
    if not found:
        raise UsageError(f"{path.name} has no 'dataValues' in its first lines", hint="is it a set of data values?")
    try:
        said = json.loads(f'{head}"dataValues": []}}')
    except ValueError:
        raise UsageError(f"{path.name}: what stands before 'dataValues' is not JSON") from None
    if any(said.get(name) for name in ("completeDate", "completedDate")):
        notes.append(markup.COMPLETED)
    return {name: said[name] for name in ("period", "orgUnit", "attributeOptionCombo") if said.get(name)}
