"""`data aggregate get|export`: aggregate data values, streamed out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dhis2sh.data import asking, named, nothing
from dhis2sh.data.asking import Asked
from dhis2sh.data.cells import SHOWN
from dhis2sh.data.named import Names
from dhis2sh.errors import UsageError
from dhis2sh.rows.formats import check_not_emptied
from dhis2sh.rows.rows import Text
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, Touches, verb

WITHOUT_VALUES = 1_000
"""Bytes of a file that may hold no value."""


@verb(
    "data aggregate get",
    effect="read",
    examples=[
        "dhis2 data aggregate get --data-set 'Child Health' --period 2025 --org-unit Bo --children --names -o csv",
        "%data aggregate get --data-element 'BCG doses given' --period LAST_12_MONTHS --org-unit Bo --children"
        " | where(value > 100) | csv('bcg.csv')",
    ],
)
async def get(
    s: Session,
    *,
    names: Names = False,
    as_text: Annotated[bool, Doc("Every value as the text that the server has.")] = False,
    asked: Asked,
) -> Stream[Row]:
    """Read data values as they come, however many: by data set, element or group, period and organisation unit.

    Values of data elements of numbers are numbers, others text. A period that no data set has stands for those in it: 2025 for its months, a month for the weeks with four of its days or more.

    API source: `GET /api/dataValueSets.csv`.
    """
    query = await asking.query_of(s, asked)
    batches = nothing.told(s, asked, query, s.client.data_values.batches(**query))
    if not as_text:
        batches = named.with_numbers(s, batches)
    if names:
        return Stream(named.batches(s, batches), columns=named.columns(SHOWN))
    return Stream(batches, columns=SHOWN)


@verb(
    "data aggregate export",
    effect="read",
    examples=[
        "dhis2 data aggregate export bo.adx --data-set 'Child Health' --period 2025 --org-unit Bo --children",
        "dhis2 data aggregate export bo.csv.gz --data-set 'Child Health' --period 2025 --org-unit Bo --children",
    ],
)
async def export(
    s: Session,
    file: Annotated[
        Path,
        Doc("What is written: .csv, .json, .xml or .adx, and .gz behind it to pack it."),
        Complete("files"),
        Touches("writes"),
    ],
    *,
    asked: Asked,
) -> Text:
    """Write data values to a file as the server gives them, byte for byte: CSV, JSON, XML or ADX, by the file's ending.

    `data aggregate get` has names, numbers and pipelines; `push` reads each of these formats again.

    API source: `GET /api/dataValueSets`.
    """
    query = await asking.query_of(s, asked)
    name = file.name.lower().removesuffix(".gz")
    if not name.endswith((".csv", ".json", ".xml", ".adx")):
        raise UsageError(f"{file}: values are written as .csv, .json, .xml or .adx", hint=f"{file.stem}.csv")
    there = file.expanduser().resolve() if file.expanduser().is_file() else None
    new = there.with_name(f".new-{there.name}") if there is not None else file  # its ending says the format
    try:
        size = await s.client.data_values.stream_to(new, **query)
        if size < WITHOUT_VALUES and not [row async for row in s.client.data_values.batches(**query)]:
            await nothing.tell(s, asked, query)
            if there is not None:
                check_not_emptied(file, 0)
        if there is not None:
            new.replace(there)
    finally:
        if there is not None:
            new.unlink(missing_ok=True)
    return Text(f"{file.name}: {size:,} bytes")
