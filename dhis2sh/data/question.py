"""A question of data values asked of rows that are at hand, as a server would answer it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.data import asking
from dhis2sh.dhis2.dates import day
from dhis2sh.dhis2.periods import Period

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhis2sh.data.asking import Asked
    from dhis2sh.data.target import Target
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows are meant; a part that is None asks for all.

    Parameters:
        elements, periods, units, combos: by UID, the periods in DHIS2's form.
        below: of the units and of everything below them; members: units of groups, without what is below them.
        first, last: the days between which periods lie.
    """

    elements: frozenset[str] | None = None
    periods: frozenset[str] | None = None
    units: frozenset[str] | None = None
    members: frozenset[str] = frozenset()
    below: bool = False
    combos: frozenset[str] | None = None
    first: dt.date | None = None
    last: dt.date | None = None

    def holds(self, row: Row, target: Target) -> bool:
        """Is a row meant, whose objects the target has met?"""
        if self.elements is not None and row["dataElement"] not in self.elements:
            return False
        if self.combos is not None and row["attributeOptionCombo"] not in self.combos:
            return False
        return self._is_then(str(row["period"])) and self._is_there(str(row["orgUnit"]), target)

    def _is_then(self, iso: str) -> bool:
        if self.periods is not None:
            return iso in self.periods
        if self.first is None and self.last is None:
            return True
        period = Period.parse(iso)
        return (self.first is None or period.start >= self.first) and (self.last is None or period.end <= self.last)

    def _is_there(self, uid: str, target: Target) -> bool:
        if self.units is None or uid in self.units or uid in self.members:
            return True
        return self.below and not self.units.isdisjoint(target.unit_of(uid).above)


async def question_of(s: Session, asked: Asked) -> Question:
    """The question of what was asked, which may leave out data, time or place. Errors as of `asking.periods_of`."""
    elements: set[str] = set(asked.data_element)
    fields = "dataSetElements[dataElement[id]]"
    for row in await _rows(s, "dataSets", asked.data_set, fields):
        elements |= {str(cast("JsonObject", link["dataElement"])["id"]) for link in _items(row.get("dataSetElements"))}
    for row in await _rows(s, "dataElementGroups", asked.data_element_group, "dataElements[id]"):
        elements |= {str(item["id"]) for item in _items(row.get("dataElements"))}
    members: set[str] = set()
    for row in await _rows(s, "organisationUnitGroups", asked.org_unit_group, "organisationUnits[id]"):
        members |= {str(item["id"]) for item in _items(row.get("organisationUnits"))}
    by_data = bool(asked.data_set or asked.data_element or asked.data_element_group)
    by_place = bool(asked.org_unit or asked.org_unit_group)
    return Question(
        frozenset(elements) if by_data else None,
        frozenset(await asking.periods_of(s, asked)) if asked.period else None,
        frozenset(asked.org_unit) if by_place else None,
        frozenset(members),
        asked.children,
        frozenset(asked.attribute_option_combo) if asked.attribute_option_combo else None,
        _day(asked.start_date),
        _day(asked.end_date),
    )


def for_all_rows(asked: Asked, question: Question) -> Row:
    """What a question says of every row that does not say it itself: its only data element, period, unit or combination."""
    alone: list[tuple[str, Sequence[str]]] = [("attributeOptionCombo", asked.attribute_option_combo)]
    if not (asked.data_set or asked.data_element_group):
        alone.append(("dataElement", asked.data_element))
    if not (asked.children or asked.org_unit_group):
        alone.append(("orgUnit", asked.org_unit))
    if question.periods is not None:
        alone.append(("period", [*question.periods]))
    return {name: found[0] for name, found in alone if len(found) == 1}


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(day(text)) if text is not None else None


async def _rows(s: Session, plural: str, uids: Sequence[str], fields: str) -> list[JsonObject]:
    return (await reading.by_uid(s.client, plural, uids, fields=f"id,{fields}")).rows if uids else []


def _items(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
