"""A value against what a server takes, before it is sent: what is wrong with it, in one sentence.

The server looks too, but later, and of some of this not at all: without `strictPeriods` it stores a week's value in an
element of monthly sets (seen on 2.42).
"""

from __future__ import annotations

import datetime as dt
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh.data.cells import NAMES, REASON
from dhis2sh.data.target import DataSet, Element, Target, Unit
from dhis2sh.dhis2 import value_types
from dhis2sh.dhis2.periods import Period
from dhis2sh.dhis2.written import ambiguity
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.rows.workbooks import ERRORS, Fault
from dhis2sh.words import joined, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dhis2sh.types import JsonValue, Row


MOST = 8
"""Option combinations that are named."""


class Problem(Exception):
    """Why a row is not sent.

    Parameters:
        why: in words.
        instead: what to say of a single value instead, as an option or a word of `data aggregate set`.
    """

    def __init__(self, why: str, instead: str | None = None) -> None:
        super().__init__(why)
        self.instead = instead


def _given(row: Row) -> tuple[JsonValue, ...]:
    """What names the cell of a row, but for its unit, as it was given."""
    return (
        row.get("dataElement"), row.get("period"), row.get("categoryOptionCombo"), row.get("attributeOptionCombo")
    )  # fmt: skip


class _Place(NamedTuple):
    """What a value is of, but for its option combinations."""

    element: Element
    unit: Unit
    period: str
    sets: tuple[DataSet, ...]


class _Reported(NamedTuple):
    """A data element at a time, with the data sets that report it so: the same for all units."""

    element: Element
    time: _Time
    sets: tuple[DataSet, ...]


@dataclass(frozen=True, slots=True)
class _Time:
    """A period with what is asked of it for every place: a load has few of them."""

    period: Period
    iso: str
    kind: str
    start: dt.date
    end: dt.date


class _Cell(NamedTuple):
    """What rows with the same texts have in common, all but the unit: many rows of a load do."""

    reported: _Reported
    cell: Row


class Checker:
    """Checks the rows of one load.

    Parameters:
        target: has met what the rows speak of.
        deleting: the values themselves do not matter.
        by_date: a day stands for the period that it lies in, where its data element is reported by one other type alone.
        commas: numbers that are texts have decimal commas.
    """

    def __init__(self, target: Target, *, deleting: bool = False, by_date: bool = False, commas: bool = False) -> None:
        self._commas = commas
        self._target, self._deleting, self._by_date = target, deleting, by_date
        self._reported: dict[tuple[str, str], _Reported] = {}
        self._combos: dict[tuple[object, ...], str] = {}
        self._cells: dict[tuple[JsonValue, ...], _Cell] = {}
        self._units: dict[str, Unit] = {}
        self.months_by_day = False
        """Was a first day of a month read as the month?"""
        self._times: dict[str, _Time] = {}

    def checked(self, row: Row) -> Row:
        """The row as it is sent: UIDs in place of names and codes, the value as text.

        Parameters:
            row: a value by the names of the columns; what names objects may be a UID, a code or a name.

        Raises `Problem`.
        """
        for given in row.values():
            if isinstance(given, Fault):
                raise Problem(given.of_column)
        place, cell = self._quickly(row) or self._thoroughly(row)
        sent = {**cell, "orgUnit": place.unit.uid}
        if isinstance(beside := row.get(NAMES), dict):
            self._compare(sent, beside)
        marks = {name: mark for name in _MARKS if name in row and (mark := _mark(row[name], name)) is not None}
        if not (self._deleting or marks.get("deleted")):
            sent["value"] = _value(row, place.element, commas=self._commas)
        if "comment" in row and row["comment"] not in (None, ""):
            sent["comment"] = row["comment"]
        if marks.get("deleted") is False:
            del marks["deleted"]
        sent |= marks
        if "annotation" in row and row["annotation"] and place.element.value_type in value_types.NUMERIC:
            sent.setdefault("comment", row["annotation"])
        return sent

    def plainly(self, row: Row) -> Row:
        """A refused row so that it means the same without options of the load, as far as that is certain.

        Numbers with decimal commas have points, and a day that stands for the period that it lies in is that period.
        """
        found: Row = {}
        named = row.get("dataElement")
        element = self._target.element(text_of(named)) if named else ""
        if isinstance(element, str):
            return row
        value = row.get("value")
        if self._commas and isinstance(value, str) and element.value_type in value_types.NUMERIC:
            with suppress(Problem):
                found["value"] = _with_point(value.strip())
        if self._by_date and (period := row.get("period")):
            with suppress(Problem):
                time = _time(text_of(period))
                found["period"] = (_around(element, time) or time).iso
        return {**row, **found}

    def two_readings(self, row: Row) -> str | None:
        """Why the value of a row may be another one, where the row is refused for something else; None where it may not."""
        value = row.get("value")
        known, again = f"'{text_of(value)}'{_MAY_BE}", str(row.get(REASON, ""))
        if known in again:
            return again[again.index(known) :]
        if not self._commas or not isinstance(value, str):
            return None
        try:
            _with_point(value.strip())
        except Problem as problem:
            return str(problem) if _MAY_BE in str(problem) else None
        return None

    def _compare(self, sent: Row, beside: Row) -> None:
        """Raise `Problem` where a name that stands beside a UID is another object's: nobody knows which of both is meant."""
        for column, cell in beside.items():
            uid, text = str(sent[column]), text_of(cell)
            if not self._target.is_called(uid, text):
                name = self._target.called(uid)
                raise Problem(
                    f"the {column} {uid} is '{name}', and beside it stands '{text[:60]}': take out one of the two"
                )

    def _quickly(self, row: Row) -> tuple[_Place, Row] | None:
        """What `_thoroughly` finds, where all but the unit was met before and the unit reports through the same sets."""
        given = _given(row)
        text = row.get("orgUnit")
        if not isinstance(text, str) or (unit := self._units.get(text)) is None:
            return None
        try:
            known = self._cells.get(given)
        except TypeError:  # a list or an object of JSON is no key
            return None
        if known is None:
            return None
        element, time, sets = known.reported
        for item in sets:
            if unit.uid not in item.units:
                return None
        _open(unit, time)
        return _Place(element, unit, time.iso, sets), known.cell

    def _thoroughly(self, row: Row) -> tuple[_Place, Row]:
        """The place of a row, and its cell but for the unit. Raises `Problem`."""
        reported, unit, sets = self._place(row)
        element, time, _ = reported
        place = _Place(element, unit, time.iso, sets)
        cell: Row = {
            "dataElement": element.uid, "period": time.iso, "orgUnit": None,
            "categoryOptionCombo": self._one_combo(row, "categoryOptionCombo", (element,), place, _combo),
            "attributeOptionCombo": self._one_combo(row, "attributeOptionCombo", sets, place, _attribute_combo),
        }  # fmt: skip
        given = _given(row)
        if len(sets) == len(reported.sets) and all(item is None or isinstance(item, str) for item in given):
            self._cells[given] = _Cell(reported, cell)
        if isinstance(text := row.get("orgUnit"), str):
            self._units[text] = unit
        return place, cell

    def _one_combo(
        self,
        row: Row,
        name: str,
        held: tuple[Element | DataSet, ...],
        place: _Place,
        ask: Callable[[Row, _Place, Target], str],
    ) -> str:
        """An option combination, of which a load has few.

        Parameters:
            name: of the column; held: what decides which are taken; ask: finds one that was not met yet.
        """
        given = row.get(name)
        if given is not None and not isinstance(given, str):
            return ask(row, place, self._target)
        key = (given, *map(id, held))
        uid = self._combos.get(key)
        if uid is None:
            uid = self._combos[key] = ask(row, place, self._target)
        return uid

    def _place(self, row: Row) -> tuple[_Reported, Unit, tuple[DataSet, ...]]:
        """The element at its time, the unit, and the data sets through which the unit reports it."""
        element_text = _text(row, "dataElement", "data element")
        period_text = _text(row, "period", "period")
        unit_text = _text(row, "orgUnit", "organisation unit")
        reported = self._reported.get((element_text, period_text))
        if reported is None:
            element = _found(self._target.element(element_text))
            _found(self._target.unit(unit_text))  # it is said before what is wrong with the period
            reported = self._reported[element_text, period_text] = self._reporting(element, period_text)
        unit = _found(self._target.unit(unit_text))
        sets = _assigned(reported.element, unit, reported.sets)
        _open(unit, reported.time)
        return reported, unit, sets

    def _reporting(self, element: Element, period_text: str) -> _Reported:
        time = self._times.get(period_text)
        if time is None:
            time = self._times[period_text] = _time(period_text)
        if _DATE.fullmatch(period_text) and (month := _month_begun(element, time)) is not None:
            time, self.months_by_day = month, True
        if self._by_date and (around := _around(element, time)) is not None:
            time = around
        return _Reported(element, time, _sets(element, time))


_MARKS = ("followup", "deleted")
_YES, _NO, _NOT_SAID = {"true", "1"}, {"false", "0"}, {"", "null"}
"""What a mark may be, in small letters: a server writes `null` into its CSV where it says nothing."""


def _mark(given: JsonValue, name: str) -> bool | None:
    """A mark of a value; None where the row does not say. Raises `Problem` for what is neither."""
    if given is None or isinstance(given, bool):
        return given
    text = text_of(given).lower()
    if text in _NOT_SAID:
        return None
    if text not in _YES | _NO:
        raise Problem(f"{name} is true or false, and this is '{text[:40]}'")
    return text in _YES


def _found[T](item: T | str) -> T:
    if isinstance(item, str):
        raise Problem(item)
    return item


def _text(row: Row, name: str, called: str) -> str:
    value = row.get(name)
    if value is None or value == "":
        raise Problem(f"no {called}")
    return value.strip() if isinstance(value, str) else text_of(value)


def text_of(value: JsonValue) -> str:
    """A cell as text: whole numbers without a point, as spreadsheets show them."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _time(text: str) -> _Time:
    try:
        period = Period.parse(text)
    except UsageError:
        if (which := ambiguity(text)) is not None:
            raise Problem(f"{which}: write the one that is meant") from None
        raise Problem(
            f"'{text}' is not a period (they look like 2025, 2025Q1, 202501, 2025W5, 20250630){_serial(text)}"
        ) from None
    return _Time(period, period.iso, period.type.name, period.start, period.end)


BY_DATE = ", which --by-date takes"
"""What is said of a day's month, where rows of a file are read."""
_SERIAL = re.compile(r"[3-5]\d{4}")
"""A day as spreadsheets count them, of the years 1982 to 2064."""


def _serial(text: str) -> str:
    """What is said of a number that is the day of a spreadsheet whose column was no date when it was saved."""
    if not _SERIAL.fullmatch(text):
        return ""
    day = dt.date(1899, 12, 30) + dt.timedelta(days=int(text))
    return f"; as the day of a spreadsheet it is {day}: give the column the format of a date, and save it again"


_DATE = re.compile(r"\d{4}-\d\d-\d\d")
"""How a sheet's cell of a day comes; who writes 20260101 means the day."""


def _month_begun(element: Element, day: _Time) -> _Time | None:
    """The month that a day begins, where the element is reported by month and not by day: sheets have months as such days."""
    kinds = {item.period_type for item in element.sets}
    begins = day.kind == "Daily" and day.start.day == 1
    return (
        _time(Period.of("Monthly", day.start).iso) if begins and "Monthly" in kinds and "Daily" not in kinds else None
    )


def _around(element: Element, day: _Time) -> _Time | None:
    """The period that a day lies in, of the one type by which the element is reported."""
    kinds = {item.period_type for item in element.sets}
    return _time(Period.of(kinds.pop(), day.start).iso) if day.kind == "Daily" and len(kinds) == 1 else None


def _sets(element: Element, time: _Time) -> tuple[DataSet, ...]:
    """The data sets that report a data element at a time."""
    if not element.sets:
        raise Problem(f"'{element.name}' is in no data set")
    timed = [item for item in element.sets if item.period_type == time.kind]
    if not timed:
        period = time.period
        kinds = joined(dict.fromkeys(item.period_type for item in element.sets), "or")
        fitting = [Period.of(item.period_type, day).iso for item in element.sets[:1] for day in (time.start, time.end)]
        month = Period.of("Monthly", time.start).iso if time.kind == "Daily" and "Monthly" in kinds else None
        raise Problem(
            f"'{element.name}' is reported {kinds}, and {period} is {period.type}{f': its month is {month}{BY_DATE}' if month else ''}",
            f"the period {joined(dict.fromkeys(fitting), 'to')} in place of {period.iso}",
        )
    return tuple(timed)


def _assigned(element: Element, unit: Unit, sets: Sequence[DataSet]) -> tuple[DataSet, ...]:
    """The data sets through which a unit can give the value."""
    placed = tuple(item for item in sets if unit.uid in item.units)
    if not placed:
        names = joined((f"'{item.name}'" for item in sets), "or")
        raise Problem(f"'{unit.name}' is not assigned to {names}, which '{element.name}' is reported with")
    return placed


def _open(unit: Unit, time: _Time) -> None:
    if unit.closed is not None and time.start > unit.closed:
        raise Problem(f"'{unit.name}' was closed on {unit.closed}, before {time.period}")
    if unit.opened is not None and time.end < unit.opened:
        raise Problem(f"'{unit.name}' opened on {unit.opened}, after {time.period}")


def nearest(text: str, names: Sequence[str]) -> str | None:
    """Which option combination was meant: one of the same options in another order or with other marks, else the likest.

    Parameters:
        names: those that there are, each in quotes.
    """
    same = [name for name in names if _letters(name) == _letters(text)]
    return f"did you mean {same[0]}?" if len(same) == 1 else did_you_mean(f"'{text}'", names)


def _letters(name: str) -> list[str]:
    return sorted(re.sub(r"[\s,;/']", "", name.casefold()))


def _combo(row: Row, place: _Place, target: Target) -> str:
    element = place.element
    given = row.get("categoryOptionCombo")
    if given in (None, ""):
        if target.default not in element.combos:
            names = target.combo_names(element.combos.values())
            raise Problem(
                f"'{element.name}' is given by category option combination: {listed(names, MOST)}",
                f"--combo {names[0]}" if names else None,
            )
        return target.default
    text = text_of(given)
    uid = target.combo(text, element.combos)
    if uid is None:
        names = target.combo_names(element.combos.values())
        near = nearest(text, names)
        raise Problem(
            f"there is no category option combination '{text}'{f' ({near})' if near else ''}",
            f"--combo {next((name for name in names if near and name in near), names[0])}" if names else None,
        )
    if uid not in element.combos:
        names = target.combo_names(element.combos.values())
        raise Problem(
            f"'{text}' is no category option combination of '{element.name}'", f"--combo {names[0]}" if names else None
        )
    return uid


def _attribute_combo(row: Row, place: _Place, target: Target) -> str:
    sets = place.sets
    given = row.get("attributeOptionCombo")
    if given in (None, "", target.default):
        if not any(target.default in item.attribute_names for item in sets):
            raise Problem(f"'{sets[0].name}' wants an attribute option combination", _attribute_option(sets, target))
        return target.default
    text = text_of(given)
    taken = {uid for item in sets for uid in item.attribute_names.values()}
    uid = next((found for item in sets if (found := target.combo(text, item.attribute_names)) in taken), None)
    if uid is None:
        raise Problem(
            f"'{text}' is no attribute option combination of {joined(dict.fromkeys(f"'{item.name}'" for item in sets), 'or')}",
            _attribute_option(sets, target),
        )
    return uid


def _attribute_option(sets: Sequence[DataSet], target: Target) -> str | None:
    names = {uid: name for item in sets for name, uid in item.attribute_names.items()}
    if target.default in names:
        return "leave --attribute-combo out"
    return f"--attribute-combo '{min(names.values())}'" if names else None


_COMMA = re.compile(r"(-?\d+|-?\d{1,3}(?:[.' \u00a0\u2009\u202f]\d{3})+),(\d+)")
_TWO = re.compile(r"(-?[1-9]\d{0,2})[.,](\d{3})")
"""A number that is a thousand times as much if its mark parts the thousands."""


_MAY_BE = " may be "
"""What the reason of a value with two readings says behind it."""


def _with_point(text: str, *, pointed: bool = False) -> str:
    """A number with a decimal comma as the server takes it, a whole one without what follows.

    Parameters:
        pointed: a decimal point is one here too: our files of refused rows have those.

    Raises `Problem` where it has two readings.
    """
    if (two := _TWO.fullmatch(text)) is not None:
        raise Problem(
            f"'{text}'{_MAY_BE}{two[1]}.{two[2]} or {two[1]}{two[2]}: write {two[1]},{two[2]}0 or {two[1]}{two[2]}"
        )
    if (found := _COMMA.fullmatch(text)) is not None:
        whole = re.sub(r"[^-\d]", "", found[1])
        return f"{whole}.{found[2]}" if found[2].strip("0") else whole
    if not pointed and "." in text and re.fullmatch(r"-?\d+\.\d+", text):
        raise Problem(f"'{text}' has a decimal point, and --decimal says that this sheet has commas")
    return text


SHORT = 16
"""Characters of a value that a load may well have again."""
_refused = lru_cache(20_000)(value_types.refused)


def _value(row: Row, element: Element, *, commas: bool) -> str:
    given = row.get("value")
    if "annotation" in row and row["annotation"] and element.value_type not in value_types.NUMERIC:
        given = row["annotation"]  # ADX has numbers in `value` and texts beside it
    if given in (None, ""):
        if row.get("comment"):
            return ""
        raise Problem("no value: take the row out, if it is not known")
    text = text_of(cast("JsonValue", given))
    if text in ERRORS:  # a sheet that was saved as CSV
        raise Problem(f"the value is '{text}', the error of a formula")
    if commas and isinstance(given, str) and element.value_type in value_types.NUMERIC:
        text = _with_point(text, pointed=REASON in row)
    if f"'{text}'{_MAY_BE}" in (again := str(row.get(REASON, ""))):
        raise Problem(again)  # our own file of refused rows, where nobody has said which of both is meant
    wanted = (_refused if len(text) <= SHORT else value_types.refused)(element.value_type, text)
    if wanted is not None:
        advice = value_types.advice(element.value_type, text)
        raise Problem(f"'{element.name}' wants {wanted}, and this is '{text[:60]}'{f': {advice}' if advice else ''}")
    if element.options is not None and element.value_type != "MULTI_TEXT" and text not in element.options:
        raise Problem(f"'{text[:60]}' is no option of '{element.name}' (options are given by code)")
    return text
