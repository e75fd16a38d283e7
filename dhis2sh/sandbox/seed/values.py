"""What facilities reported in the year: data values and complete registrations, made one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from dhis2sh.sandbox.seed import extra
from dhis2sh.sandbox.seed.aggregate import ELEMENTS, FINANCE, MONTHLY, STOCK, WEEKLY, option_combos
from dhis2sh.sandbox.seed.book import noise, uid
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhis2sh.sandbox.seed.places import Facility, Places
    from dhis2sh.types import JsonObject

_NOISE = [0.6 + 0.8 * number for number in noise("values", 4096)]
_MASK = len(_NOISE) - 1
_SEASON = (1.0, 0.95, 1.0, 1.05, 1.1, 1.2, 1.25, 1.2, 1.1, 1.0, 0.95, 0.9)
_DECIMAL = {"NUMBER", "PERCENTAGE"}
_LIMIT = {"PERCENTAGE": 100.0}
_OUTLIERS = 150  # about so many in every size


class _Cell(NamedTuple):
    element: str
    option_combo: str
    attribute_combo: str
    mean: float
    choices: tuple[str, ...]
    decimal: bool
    limit: float
    salt: int


class _Period(NamedTuple):
    id: str
    number: int
    season: float
    stamp: str
    last_day: str


@dataclass(frozen=True)
class Reports:
    """Who reports what: `window` cells of the monthly sets and `extra_window` of a topic's, by facility and month.

    `expected` is about how many values come out; one in so many of them is made an outlier.
    """

    places: Places
    window: int
    extra_elements: int
    extra_window: int
    weekly_step: int
    expected: int

    def values(self) -> Iterator[JsonObject]:
        """Every data value. Facility by facility, then by period; memory stays flat."""
        monthly = [cell for name in (MONTHLY, STOCK, FINANCE) for cell in _cells(name, self.places.year)]
        weekly = _cells(WEEKLY, self.places.year)
        topics = [_extra_cells(topic, self.extra_elements) for topic in extra.topics(self.extra_elements)]
        months, weeks = _months(self.places.year), _weeks(self.places.year)
        step = max(self.expected // _OUTLIERS, 1)
        made = 0
        for facility in self.places.all_facilities():
            cells = _slice(monthly, facility.number * 7, self.window)
            if topics:
                turn, topic = divmod(facility.number, len(topics))
                cells = cells + _slice(topics[topic], turn * self.extra_window, self.extra_window)
            jobs = [(cells, months)]
            if facility.number % self.weekly_step == 0:
                jobs.append((weekly, weeks))
            for wanted, periods in jobs:
                for value in _reported(facility, wanted, periods, self.places.year, made, step):
                    yield value
                    made += 1

    def completeness(self) -> Iterator[JsonObject]:
        """The registrations that the monthly report is complete, for most of the reports that came in."""
        report = uid(f"dataSets/{MONTHLY}")
        for facility in self.places.all_facilities():
            for period in _months(self.places.year):
                if _missing(facility, period, self.places.year) or (facility.number + period.number) % 8 == 0:
                    continue
                yield {
                    "period": period.id,
                    "dataSet": report,
                    "organisationUnit": facility.id,
                    "attributeOptionCombo": DEFAULT_OPTION_COMBO,
                    "date": period.stamp,
                    "dateLastUpdated": period.stamp,
                    "storedBy": "admin",
                    "lastUpdatedBy": "admin",
                    "completed": True,
                }


def _reported(
    facility: Facility, cells: list[_Cell], periods: list[_Period], year: int, made: int, step: int
) -> Iterator[JsonObject]:
    number, scale = facility.number, _NOISE[facility.number * 31 & _MASK]
    if facility.kind == "Hospital":
        scale *= 3
    orgunit = facility.id
    for period in periods:
        if _missing(facility, period, year):
            continue
        name, month, season, stamp, _ = period
        factor = scale * season
        for element, option_combo, attribute_combo, mean, choices, decimal, limit, salt in cells:
            made += 1
            outlier = made % step == 0 and not choices
            index = number * 7919 + month * 613 + salt & _MASK
            if choices:
                value = choices[index % len(choices)]
            elif decimal:
                # A weight or a share does not grow with the facility.
                value = f"{min(mean * _NOISE[index] * (20 if outlier else 1), limit):.1f}"
            else:
                value = str(int(mean * factor * _NOISE[index] * (20 if outlier else 1) + (30 if outlier else 0.5)))
            yield {
                "dataElement": element,
                "period": name,
                "orgUnit": orgunit,
                "categoryOptionCombo": option_combo,
                "attributeOptionCombo": attribute_combo,
                "value": value,
                "storedBy": "admin",
                "created": stamp,
                "lastUpdated": stamp,
                "comment": "Same in the register" if outlier and made % 2 else None,
                "followup": outlier and made % 3 == 0,
            }


def _missing(facility: Facility, period: _Period, year: int) -> bool:
    """Whether a report never came: one in eleven, all of some facilities, July to September of others."""
    if facility.number % 16 == 9:
        return True
    if facility.closed and period.last_day > f"{year}-06-30":
        return True
    late = facility.number % 23 == 5 and f"{year}-07-01" <= period.last_day <= f"{year}-09-30"
    return late or (facility.number * 5 + period.number * 3) % 11 == 0


def _cells(data_set: str, year: int) -> list[_Cell]:
    made: list[_Cell] = []
    for element in ELEMENTS:
        if element.data_set != data_set:
            continue
        attribute_combos = option_combos("Funding") if data_set == FINANCE else [DEFAULT_OPTION_COMBO]
        for option_combo in option_combos(element.combo):
            for attribute_combo in attribute_combos:
                made.append(
                    _Cell(
                        element.id,
                        option_combo,
                        attribute_combo,
                        element.mean,
                        tuple(choice.format(year=year) for choice in element.choices),
                        element.type in _DECIMAL,
                        _LIMIT.get(element.type, 1e9),
                        _salt(element.id + option_combo + attribute_combo),
                    )
                )
    return made


def _extra_cells(topic: int, count: int) -> list[_Cell]:
    default = DEFAULT_OPTION_COMBO
    ids = extra.element_ids(topic, count)
    return [_Cell(one, default, default, 3.0 + at % 40, (), False, 1e9, _salt(one)) for at, one in enumerate(ids)]


def _salt(text: str) -> int:
    return sum(ord(letter) * (at + 1) for at, letter in enumerate(text))


def _slice(cells: list[_Cell], start: int, window: int) -> list[_Cell]:
    """`window` cells from `start` on, round the end; never one of them twice."""
    window = min(window, len(cells))
    start %= len(cells)
    return (cells + cells)[start : start + window]


def _months(year: int) -> list[_Period]:
    ends = [date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1) for month in range(1, 13)]
    return [_period(end.strftime("%Y%m"), end.month, end) for end in ends]


def _weeks(year: int) -> list[_Period]:
    last = date(year, 12, 28).isocalendar().week
    sundays = [date.fromisocalendar(year, week, 7) for week in range(1, last + 1)]
    return [_period(f"{year}W{week}", 12 + week, end) for week, end in enumerate(sundays, 1)]


def _period(identifier: str, number: int, end: date) -> _Period:
    stamp = f"{end + timedelta(days=5)}T10:00:00.000+0000"
    return _Period(identifier, number, _SEASON[end.month - 1], stamp, end.isoformat())
