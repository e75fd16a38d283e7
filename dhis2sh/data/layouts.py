"""Sheets of values as people keep them, long or wide, into values by the names of DHIS2's columns.

A long sheet has a value a row. A wide one has periods or data elements as columns. Which it is, and which column is what,
is read from the header; what the sheet does not say (the period of all of it, its unit) is given beside it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dhis2sh.data import unread_columns
from dhis2sh.data.cells import ASIDE, NAMES, REASON, UNREAD
from dhis2sh.data.checking import text_of
from dhis2sh.data.headers import BY_HEADER, CALLED, DIVISIONS, PASSED_OVER, SET_ASIDE, plain
from dhis2sh.dhis2.periods import Period
from dhis2sh.dhis2.written import as_period, is_yearless
from dhis2sh.errors import UsageError
from dhis2sh.rows.workbooks import Fault
from dhis2sh.verbs.places import says_where
from dhis2sh.words import joined, listed

if TYPE_CHECKING:
    from dhis2sh.data.disaggregation import Columns
    from dhis2sh.types import JsonValue, Row

_DHIS2 = ["period", "orgunit", "categoryoptioncombo", "attributeoptioncombo", "value"]
"""How the header of DHIS2's CSV goes on, which it reads by place; the first column is the element, whatever it is called."""
_NAME = re.compile(r"(dataElement|orgUnit|categoryOptionCombo|attributeOptionCombo)(Name|Path)")
"""What our own lists have beside UIDs."""
NOTHING = {"", "-", "n/a", "na", "null", "none"}
"""What people write into a cell of a wide sheet that has no value."""
TOLD = 6


class Incomplete(UsageError):
    """No column says something that every value needs.

    Parameters:
        missing: by DHIS2's names of columns.
    """

    def __init__(self, message: str, *, hint: str, missing: Sequence[str]) -> None:
        super().__init__(message, hint=hint)
        self.missing = missing


@dataclass(slots=True)
class Sheet:
    """How the columns of a sheet are read.

    Parameters:
        columns: of those that are known by what they hold, DHIS2's name by header.
        across: headers that are periods or data elements themselves, `spread` saying which; empty for a long sheet.
        given: what stands for every row, such as the period of all of it.
        unread: headers that are none of these. A refused row keeps what stands below them.
        names: of the headers with names beside UIDs the column of the UIDs.
        categories: headers that are categories, with an option in each row.
    """

    columns: Mapping[str, str]
    across: Sequence[str] = ()
    spread: str = ""
    given: Row = field(default_factory=lambda: {})
    unread: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=lambda: {})
    categories: Sequence[str] = ()

    @property
    def value_headers(self) -> list[str]:
        """The headers below which values stand."""
        return [*self.across, *(header for header, name in self.columns.items() if name == "value")]

    @property
    def _division(self) -> str:
        """What the column of periods is called, such as month, which a number below it is then of the year beside it."""
        return next((plain(header) for header, name in self.columns.items() if name == "period"), "")

    def values(self, row: Row) -> list[Row]:
        """The values in one row of the sheet. A wide row has several; empty cells of it are no values."""
        columns = self.columns
        own: Row = {
            columns[header]: cell
            for header, cell in row.items()
            if header in columns and cell is not None and cell != ""
        }
        beside: Row = {
            column: cell for header, column in self.names.items() if (cell := row.get(header)) not in (None, "")
        }
        own |= {column: cell for column, cell in beside.items() if column not in own}  # a name alone is the name
        if options := [
            f"{header}={text_of(cell)}" for header in self.categories if (cell := row.get(header)) not in (None, "")
        ]:
            own["categoryOptionCombo"] = ";".join(options)
        base, some = {**self.given, **own} if self.given else own, bool(own)
        if beside:
            base[NAMES] = beside
        if some and "row" in row and (reason := row.get("reason")):
            base[REASON] = reason
        if "year" in base and (year := base.pop("year")) is not None:
            base["period"] = _in_year(base.get("period"), self._division, text_of(year))
        period = base.get("period")
        if isinstance(period, str):
            base["period"] = as_period(period)
        if self.unread:
            unread: Row = {header: cell for header in self.unread if (cell := row.get(header)) not in (None, "")}
            if unread:
                base[UNREAD] = unread
        if not self.across:
            return [base] if some else []
        found: list[Row] = []
        for header in self.across:
            cell = row.get(header)
            if cell is None or text_of(cell).lower() in NOTHING:
                continue
            own = {**base, **_spread(self.spread, header), "value": cell}
            found.append({**own, ASIDE: header} if plain(header) in SET_ASIDE else own)
        return found


def _in_year(part: JsonValue, division: str, year: str) -> str:
    """A period from a column of years and one of what is in them; what contradicts its year stays as it stands and is refused."""
    if part in (None, ""):
        return year
    text = text_of(part)
    form, most = DIVISIONS.get(division, ("", 0))
    number = re.fullmatch(r"[QqWw]?(\d{1,2})", text)
    if number is not None and 1 <= int(number[1]) <= most and re.fullmatch(r"\d{4}", year):
        return year + form.format(int(number[1]))
    if (named := as_period(f"{text} {year}")) != f"{text} {year}":
        return named
    whole = as_period(text)
    return whole if whole.startswith(year) else f"{text} in {year}"


def _spread(kind: str, header: str) -> Row:
    """What the header of a wide column says: a period, or a data element with its option combination behind a bar."""
    if kind == "period":
        return {"period": as_period(header)}
    element, bar, combo = (part.strip() for part in header.partition("|"))
    return {"dataElement": element, **({"categoryOptionCombo": combo} if bar else {})}


def sheet_of(headers: Sequence[str], given: Row, categories: Sequence[str] = ()) -> Sheet:
    """How a sheet with these headers is read.

    Parameters:
        headers: in their order.
        given: what the caller says of all rows, by DHIS2's names of columns.
        categories: headers that are categories.

    Raises `UsageError` that says which column is missing, or which two hold the same.
    """
    columns: dict[str, str] = {}
    names: dict[str, str] = {}
    others: list[str] = []
    by_place = [plain(header) for header in headers[1:6]] == _DHIS2
    for header in headers:
        if header in categories:
            continue
        word = plain(header)
        name = "dataElement" if by_place and header == headers[0] else BY_HEADER.get(word)
        if _NAME.fullmatch(header) and _NAME.sub(r"\1", header) in headers:
            if header.endswith("Name"):
                names[header] = _NAME.sub(r"\1", header)
            continue  # beside its UID
        if name is None:
            others += [] if word in PASSED_OVER else [header]
        elif name in columns.values():
            twice = [known for known, column in columns.items() if column == name]
            raise UsageError(f"'{twice[0]}' and '{header}' both hold the {name}", hint="rename one of the columns")
        else:
            columns[header] = name
    known = {*columns.values(), *given}
    if "value" in known:
        _complete(known, headers)
        return Sheet(columns, given=given, unread=others, names=names, categories=categories)
    sheet = _wide(columns, others, known, given, headers)
    sheet.names, sheet.categories = names, categories
    return sheet


def unknown(headers: Sequence[str], given: Row) -> list[str]:
    """The headers that say nothing by themselves and may be what tells the values of a row apart; none where another does."""
    if (
        any(BY_HEADER.get(plain(header)) == "categoryOptionCombo" for header in headers)
        or "categoryOptionCombo" in given
    ):
        return []
    known = (BY_HEADER, PASSED_OVER, SET_ASIDE)
    return [
        header
        for header in headers
        if not any(plain(header) in some for some in known)
        and not (
            _NAME.fullmatch(header) or says_where(header) or _is_period(header) or is_yearless(header) or "|" in header
        )
    ]


def _complete(known: set[str], headers: Sequence[str]) -> None:
    known = known | ({"period"} if "year" in known else set())
    missing = [name for name in ("dataElement", "period", "orgUnit") if name not in known]
    if missing:
        flags = " ".join(_FLAGS[name] for name in missing)
        called = joined((f"'{CALLED[name]}'" for name in missing), "and")
        raise Incomplete(
            f"no column says the {joined(missing)}: there are {listed(headers, TOLD)}",
            hint=f"call the column that says it {called}; or say it of all rows: {flags}",
            missing=missing,
        )


_FLAGS = {"dataElement": "--data-element NAME", "period": "--period PERIOD", "orgUnit": "--org-unit NAME"}


def _wide(columns: dict[str, str], others: list[str], known: set[str], given: Row, headers: Sequence[str]) -> Sheet:
    """A sheet without a column of values: its other columns are periods, or data elements."""
    above = [header for header in others if says_where(header)]
    others = [header for header in others if header not in above]
    periods = [header for header in others if _is_period(header)]
    if "orgUnit" not in known:
        raise UsageError(
            f"no column holds values, and none says the organisation unit: not understood are {listed(others, TOLD)}",
            hint="call the column of units 'Facility', 'Health facility', 'Site' or 'orgUnit'; that of values 'Value'",
        )
    if not others:
        raise UsageError(
            f"no column holds values: there are {listed(headers, TOLD)}",
            hint="a long sheet has dataElement, period, orgUnit, value; a wide one orgUnit and a column for each period",
        )
    yearless = [header for header in others if is_yearless(header)]
    if len(yearless) > 1 or (yearless and len(yearless) == len(others)):
        raise UsageError(
            f"{listed((f"'{header}'" for header in yearless), TOLD)}: a period without a year",
            hint="write the year into the header, such as Jan-25 or 2025Q1",
        )
    aside = [header for header in others if periods and plain(header) in SET_ASIDE]
    rest = [header for header in others if header not in periods and header not in aside]
    if periods and not rest:
        _complete(known | {"period"}, headers)
        return Sheet(columns, periods, "period", given, [*above, *aside])
    if periods:
        raise UsageError(
            f"some columns are periods ({listed(periods, TOLD)}) and some are not: {listed(rest, TOLD)}",
            hint="take out the columns that hold no values, such as totals",
        )
    _complete(known | {"dataElement"}, headers)
    return Sheet(columns, others, "dataElement", given, above)


def _is_period(text: str) -> bool:
    try:
        return bool(Period.parse(as_period(text)))
    except UsageError:
        return False


async def values_of(
    batches: AsyncIterable[Sequence[Row]],
    given: Row,
    unread: list[str],
    *,
    called: dict[str, str] | None = None,
    filled: Sequence[str] = (),
    ask: Columns | None = None,
    merged: Mapping[tuple[int, str], str] | None = None,
) -> AsyncGenerator[list[tuple[int, Row]]]:
    """The values of a sheet that comes in batches, each with the number of its row, from 1.

    Parameters:
        given: as of `sheet_of`.
        unread: takes the columns that hold nothing of a value.
        called: takes what the columns are called, by DHIS2's names.
        filled: the columns that were filled down.
        ask: says which columns are categories; nobody does without it.
        merged: of cells that are merged with others their range, by number of the row and header: a value there is refused.

    Raises errors of `ask`, `sheet_of`, and `UsageError` for a later row with a column that the first did not have, and for values that
    were filled down.
    """
    sheet: Sheet | None = None
    seen: set[str] = set()
    number = 0
    async for batch in batches:
        headers = list(dict.fromkeys(name for row in batch for name in row)) if sheet is None else []
        if sheet is None and not headers:
            number += len(batch)  # blank lines, or hidden ones that are left out
            continue
        if sheet is None:
            asked = unknown(headers, given) if ask is not None else []
            categories = await ask.categories(batch, asked) if ask is not None and asked else []
            try:
                sheet, seen = sheet_of(headers, given, categories), set(headers)
            except Incomplete as error:
                raise await unread_columns.what_to_rename(batch, headers, error, ask) from None
            await unread_columns.check(batch, sheet, given, ask)
            unread += sheet.unread
            _check_no_values(sheet, filled)
            if called is not None:
                called.update({column: header for header, column in sheet.columns.items()})
        found: list[tuple[int, Row]] = []
        for row in batch:
            number += 1
            if not row.keys() <= seen:
                sheet, seen = _grown(sheet, seen | row.keys(), given, number)
                unread += [header for header in sheet.unread if header not in unread]
            whole = _without_merged(row, number, sheet, merged) if merged else row
            found += [(number, value) for value in sheet.values(whole)]
        yield found


def _without_merged(row: Row, number: int, sheet: Sheet, merged: Mapping[tuple[int, str], str]) -> Row:
    """A row in which a value of merged cells is a fault: it is shown for several rows or columns and stored in one."""
    for header in sheet.value_headers:
        if (cells := merged.get((number, header))) is not None and row.get(header) not in (None, ""):
            row = {
                **row,
                header: Fault.of(cells.partition(":")[0], f"one value in the merged cells {cells}, for all of them"),
            }
    return row


def _check_no_values(sheet: Sheet, filled: Sequence[str]) -> None:
    """Raise `UsageError` for values that were filled down: one would be many."""
    values = {header.casefold() for header in sheet.value_headers}
    for name in filled:
        if name.strip().casefold() in values:
            raise UsageError(
                f"'{name}' holds values, and one that is filled down would be counted again",
                hint="fill down units or months alone",
            )


def _grown(sheet: Sheet, headers: set[str], given: Row, number: int) -> tuple[Sheet, set[str]]:
    """A field that only later rows have (JSON leaves out what is empty) is read as if the first had it."""
    wider = sheet_of(sorted(headers), given, sheet.categories)
    if bool(wider.across) != bool(sheet.across) or (wider.across and set(wider.across) != set(sheet.across)):
        raise UsageError(
            f"row {number:,} has columns that the rows before do not have", hint="give every row the same columns"
        )
    return wider, headers
