"""A value against what a server takes, before it is sent: what is wrong with it, in one sentence.

The server looks too, but later, and of some of this not at all: without `strictPeriods` it stores a week's value in an
element of monthly sets (seen on 2.42).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.data.target import DataSet, Element, Target, Unit
from dhis2sh.dhis2 import value_types
from dhis2sh.dhis2.periods import Period
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.words import joined, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhis2sh.types import JsonValue, Row


MOST = 8
"""Option combinations that are named."""


class Problem(Exception):
    """Why a row is not sent."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What a value is of, but for its option combinations: the same for many rows of a load."""

    element: Element
    unit: Unit
    period: str
    sets: tuple[DataSet, ...]


@dataclass(frozen=True, slots=True)
class _Time:
    """A period with what is asked of it for every place: a load has few of them."""

    period: Period
    iso: str
    kind: str
    start: dt.date
    end: dt.date


class Checker:
    """Checks the rows of one load.

    Parameters:
        target: has met what the rows speak of.
        deleting: the values themselves do not matter.
    """

    def __init__(self, target: Target, *, deleting: bool = False) -> None:
        self._target, self._deleting = target, deleting
        self._places: dict[tuple[str, str, str], _Place | Problem] = {}
        self._combos: dict[tuple[object, ...], str] = {}
        self.months_by_day = False
        """Was a first day of a month read as the month?"""
        self._times: dict[str, _Time] = {}

    def checked(self, row: Row) -> Row:
        """The row as it is sent: UIDs in place of names and codes, the value as text.

        Parameters:
            row: a value by the names of the columns; what names objects may be a UID, a code or a name.

        Raises `Problem`.
        """
        place = self._place(row)
        sent: Row = {
            "dataElement": place.element.uid,
            "period": place.period,
            "orgUnit": place.unit.uid,
            **self._both_combos(row, place),
        }
        marks = {name: mark for name in _MARKS if (mark := _mark(row, name)) is not None}
        if not (self._deleting or marks.get("deleted")):
            sent["value"] = _value(row, place.element)
        if row.get("comment") not in (None, ""):
            sent["comment"] = row["comment"]
        if marks.get("deleted") is False:
            del marks["deleted"]
        sent |= marks
        if row.get("annotation") and place.element.value_type in value_types.NUMERIC:
            sent.setdefault("comment", row["annotation"])
        return sent

    def _both_combos(self, row: Row, place: _Place) -> Row:
        """The option combinations, of which a load has few."""
        found: Row = {}
        for name, held in (("categoryOptionCombo", (place.element,)), ("attributeOptionCombo", place.sets)):
            given = row.get(name)
            key = (name, given, *map(id, held))
            uid = self._combos.get(key) if given is None or isinstance(given, str) else None
            if uid is None:
                ask = _combo if name == "categoryOptionCombo" else _attribute_combo
                uid = ask(row, place, self._target)
                if given is None or isinstance(given, str):
                    self._combos[key] = uid
            found[name] = uid
        return found

    def _place(self, row: Row) -> _Place:
        texts = (
            _text(row, "dataElement", "data element"),
            _text(row, "period", "period"),
            _text(row, "orgUnit", "organisation unit"),
        )
        found = self._places.get(texts)
        if found is None:
            try:
                found = self._found(*texts)
            except Problem as problem:
                found = problem
            self._places[texts] = found
        if isinstance(found, Problem):
            raise Problem(*found.args)
        return found

    def _found(self, element_text: str, period_text: str, unit_text: str) -> _Place:
        element, unit = _found(self._target.element(element_text)), _found(self._target.unit(unit_text))
        time = self._times.get(period_text)
        if time is None:
            time = self._times[period_text] = _time(period_text)
        if _DATE.fullmatch(period_text) and (month := _month_begun(element, time)) is not None:
            time, self.months_by_day = month, True
        sets = _sets(element, unit, time)
        _open(unit, time)
        return _Place(element, unit, time.iso, tuple(sets))


_MARKS = ("followup", "deleted")
_YES, _NO, _NOT_SAID = {"true", "1"}, {"false", "0"}, {"", "null"}
"""What a mark may be, in small letters: a server writes `null` into its CSV where it says nothing."""


def _mark(row: Row, name: str) -> bool | None:
    """A mark of a value; None where the row does not say. Raises `Problem` for what is neither."""
    given = row.get(name)
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
    if value in (None, ""):
        raise Problem(f"no {called}")
    return text_of(value)


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
        raise Problem(f"'{text}' is not a period (they look like 2025, 2025Q1, 202501, 2025W5, 20250630)") from None
    return _Time(period, period.iso, period.type.name, period.start, period.end)


_DATE = re.compile(r"\d{4}-\d\d-\d\d")
"""How a sheet's cell of a day comes; who writes 20260101 means the day."""


def _month_begun(element: Element, day: _Time) -> _Time | None:
    """The month that a day begins, where the element is reported by month and not by day: sheets have months as such days."""
    kinds = {item.period_type for item in element.sets}
    begins = day.kind == "Daily" and day.start.day == 1
    return (
        _time(Period.of("Monthly", day.start).iso) if begins and "Monthly" in kinds and "Daily" not in kinds else None
    )


def _sets(element: Element, unit: Unit, time: _Time) -> list[DataSet]:
    """The data sets through which the value can be given."""
    if not element.sets:
        raise Problem(f"'{element.name}' is in no data set")
    timed = [item for item in element.sets if item.period_type == time.kind]
    if not timed:
        period = time.period
        kinds = joined(dict.fromkeys(item.period_type for item in element.sets), "or")
        month = Period.of("Monthly", time.start).iso if time.kind == "Daily" and "Monthly" in kinds else None
        raise Problem(
            f"'{element.name}' is reported {kinds}, and {period} is {period.type}{f': its month is {month}' if month else ''}"
        )
    placed = [item for item in timed if unit.uid in item.units]
    if not placed:
        sets = joined((f"'{item.name}'" for item in timed), "or")
        raise Problem(f"'{unit.name}' is not assigned to {sets}, which '{element.name}' is reported with")
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
            names = listed(target.combo_names(element.combos.values()), MOST)
            raise Problem(f"'{element.name}' is given by category option combination: {names}")
        return target.default
    text = text_of(given)
    uid = target.combo(text, element.combos)
    if uid is None:
        near = nearest(text, target.combo_names(element.combos.values()))
        raise Problem(f"there is no category option combination '{text}'{f' ({near})' if near else ''}")
    if uid not in element.combos:
        raise Problem(f"'{text}' is no category option combination of '{element.name}'")
    return uid


def _attribute_combo(row: Row, place: _Place, target: Target) -> str:
    sets = place.sets
    given = row.get("attributeOptionCombo")
    if given in (None, "", target.default):
        if not any(target.default in item.attribute_names for item in sets):
            raise Problem(f"'{sets[0].name}' wants an attribute option combination")
        return target.default
    text = text_of(given)
    taken = {uid for item in sets for uid in item.attribute_names.values()}
    uid = next((found for item in sets if (found := target.combo(text, item.attribute_names)) in taken), None)
    if uid is None:
        raise Problem(
            f"'{text}' is no attribute option combination of {joined(dict.fromkeys(f"'{item.name}'" for item in sets), 'or')}"
        )
    return uid


_PARTED = re.compile(r"[-+]?\d{1,3}(?:[ ,.'\u00a0\u2009\u202f]\d{3})+(?:[.,]\d+)?")
"""A number with something between its thousands, or one of three decimals: nobody but who wrote it knows."""


def _value(row: Row, element: Element) -> str:
    given = row.get("value")
    if row.get("annotation") and element.value_type not in value_types.NUMERIC:
        given = row["annotation"]  # ADX has numbers in `value` and texts beside it
    if given in (None, ""):
        if row.get("comment"):
            return ""
        raise Problem("no value")
    text = text_of(cast("JsonValue", given))
    wanted = value_types.refused(element.value_type, text)
    if wanted is not None:
        parted = element.value_type in value_types.NUMERIC and _PARTED.fullmatch(text) is not None
        raise Problem(
            f"'{element.name}' wants {wanted}, and this is '{text[:60]}'"
            + (": take out what parts the thousands, if it is that" if parted else "")
        )
    if element.options is not None and element.value_type != "MULTI_TEXT" and text not in element.options:
        raise Problem(f"'{text[:60]}' is no option of '{element.name}' (options are given by code)")
    return text
