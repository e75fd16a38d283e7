"""Columns that are not understood and hold what something else says of all rows: they are asked about, never passed over."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from dhis2sh.data.checking import text_of
from dhis2sh.data.headers import BY_HEADER, CALLED, OPTIONS, PASSED_OVER, SET_ASIDE, plain
from dhis2sh.dhis2.periods import Period
from dhis2sh.dhis2.written import as_period
from dhis2sh.errors import UsageError
from dhis2sh.verbs.places import says_where

if TYPE_CHECKING:
    from dhis2sh.data.disaggregation import Columns
    from dhis2sh.data.layouts import Incomplete, Sheet
    from dhis2sh.types import Row

_THINGS = {"dataElement": "data elements", "period": "periods", "orgUnit": "organisation units"}
_PLAUSIBLE = range(1990, 2051)
"""Years of numbers that may be periods: others are counts or identifiers."""


async def check(rows: Sequence[Row], sheet: Sheet, given: Row, ask: Columns | None) -> None:
    """Raise `UsageError` for a column that is not read and holds periods, units or elements, where those of all rows are given.

    Parameters:
        rows: the first of the sheet; given: what the caller says of all rows; ask: what the server knows of columns.
    """
    if ask is not None and "categoryOptionCombo" in given and "categoryOptionCombo" not in sheet.columns.values():
        await _check_no_categories(rows, sheet, ask)
    said = [name for name in _THINGS if name in given and name not in sheet.columns.values() and name != sheet.spread]
    if not said or "year" in sheet.columns.values():
        return
    headers = [header for header in sheet.unread if not says_where(header)]
    if ask is not None and sheet.spread == "dataElement":
        across = [header for header in sheet.across if "|" not in header and plain(header) not in SET_ASIDE]
        headers += await ask.no_elements(across)
    for header, name in (await _holding(rows, headers, said, ask)).items():
        raise UsageError(
            f"the column '{header}' holds {_THINGS[name]} of its own ('{_first(rows, header)}'), and {OPTIONS[name]} says one"
            " of all rows",
            hint=f"call the column '{header}' '{CALLED[name]}' and leave {OPTIONS[name]} out, or take the column out",
        )


async def _check_no_categories(rows: Sequence[Row], sheet: Sheet, ask: Columns) -> None:
    """Raise `UsageError` for a column of options or combinations where the combination of all rows is given."""
    for header in await ask.categories(rows, [header for header in sheet.unread if not says_where(header)]):
        raise UsageError(
            f"the column '{header}' is a category, and {OPTIONS['categoryOptionCombo']} says one combination of all rows",
            hint=f"leave {OPTIONS['categoryOptionCombo']} out, or take the column out",
        )


async def what_to_rename(
    rows: Sequence[Row], headers: Sequence[str], error: Incomplete, ask: Columns | None
) -> UsageError:
    """The error of a sheet in which something is missing, with the column that seems to hold it, if there is one.

    Parameters:
        rows: the first of the sheet; ask: what the server knows of columns.
    """
    known = (BY_HEADER, PASSED_OVER, SET_ASIDE)
    headers = [header for header in headers if not any(plain(header) in some for some in known)]
    found = await _holding(rows, headers, error.missing, ask, days=True)
    if not found:
        return error
    names = [f"'{header}' '{CALLED[name]}'" for header, name in found.items()]
    return UsageError(str(error), hint=f"call the column {' and '.join(names)}")


async def _holding(
    rows: Sequence[Row], headers: Sequence[str], names: Collection[str], ask: Columns | None, *, days: bool = False
) -> dict[str, str]:
    """Of headers those of columns that hold periods, units or elements, with which of them by DHIS2's name; one of each.

    Parameters:
        names: which are looked for; days: any day is a period; else only those that begin a month, as spreadsheets have months.
    """
    found: dict[str, str] = {}
    if "period" in names:
        found |= {header: "period" for header in headers if _holds_periods(rows, header, days=days)}
    left = [header for header in headers if header not in found]
    if ask is not None and (objects := [name for name in names if name != "period"]) and left:
        found |= await ask.objects(rows, left, objects)
    once: dict[str, str] = {}
    for header in headers:
        if (name := found.get(header)) is not None and name not in once.values():
            once[header] = name
    return once


def _first(rows: Sequence[Row], header: str) -> str:
    return next(text_of(cell) for row in rows if (cell := row.get(header)) not in (None, ""))


def _holds_periods(rows: Sequence[Row], header: str, *, days: bool) -> bool:
    """Are all cells of a column periods? A number of four digits is a count as well, and so is one of an unlikely year."""
    cells = {text_of(cell) for row in rows if (cell := row.get(header)) not in (None, "")}
    return bool(cells) and all(_is_meant(text, days=days) for text in cells)


def _is_meant(text: str, *, days: bool) -> bool:
    if text.isdigit() and (len(text) not in {6, 8} or int(text[:4]) not in _PLAUSIBLE):
        return False
    try:
        period = Period.parse(as_period(text))
    except UsageError:
        return False
    month_begun = period.start.day == 1 and re.fullmatch(r"\d{4}-\d\d-\d\d", as_period(text)) is not None
    return days or period.type.name != "Daily" or month_begun
