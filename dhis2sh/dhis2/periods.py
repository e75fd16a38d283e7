"""Periods by the server's rule: the 23 types that have an ISO form, and the 45 relative ones.

A type is a row of data: how long its periods are, where they begin, and how one is written. Everything else (parse,
format, start, end, next, previous, range, relative windows) follows from that.

API source: `*PeriodType.java`, `DateUnitType.java`, `RelativePeriods.java` (api-facts d). Dates are of the ISO 8601
calendar; a server whose `keyCalendar` is another one counts its periods in that calendar, which is not here yet.
"""

from __future__ import annotations

import datetime as dt
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Literal, Self

from dhis2sh.errors import UsageError, did_you_mean

type FinancialYearStart = Literal[
    "FINANCIAL_YEAR_FEBRUARY",
    "FINANCIAL_YEAR_APRIL",
    "FINANCIAL_YEAR_JULY",
    "FINANCIAL_YEAR_AUGUST",
    "FINANCIAL_YEAR_SEPTEMBER",
    "FINANCIAL_YEAR_OCTOBER",
]
"""The values of the system setting `analyticsFinancialYearStart`; 2.40 to 2.42 know April, July and October."""

_DAY = dt.timedelta(days=1)
_WEEK = dt.timedelta(days=7)
_YEAR = r"(\d{4})"


@dataclass(frozen=True)
class PeriodType(ABC):
    """One kind of period.

    Parameters:
        name: DHIS2's name, such as `Monthly`.
        iso_format: how the server describes the ISO form, such as `yyyyMM`.
        since: the first minor version of DHIS2 2 that has it.
    """

    name: str
    iso_format: str
    since: int = 40

    @cached_property
    @abstractmethod
    def pattern(self) -> re.Pattern[str]:
        """What an ISO form of this type looks like; the groups are its numbers."""

    @property
    @abstractmethod
    def frequency_order(self) -> int:
        """How long its periods are, in days, as the server counts them; those of one number never lie in one another."""

    @abstractmethod
    def start_of(self, date: dt.date) -> dt.date:
        """The first day of the period that holds a date."""

    @abstractmethod
    def step(self, start: dt.date, count: int) -> dt.date:
        """The first day of the period `count` periods later; negative counts go back."""

    def end_of(self, start: dt.date) -> dt.date:
        """The last day of the period that begins on `start`."""
        return self.step(start, 1) - _DAY

    @abstractmethod
    def write(self, start: dt.date) -> str:
        """The ISO form of the period that begins on `start`."""

    @abstractmethod
    def read(self, numbers: tuple[int, ...]) -> dt.date | None:
        """The first day of the period with these numbers, or None when there is none."""

    def at(self, date: dt.date) -> Period:
        """The period of this type that holds a date."""
        return Period(self, self.start_of(date))

    def in_year(self, year: int) -> list[Period]:
        """Every period that is numbered within a year."""
        first = self.read((year, 1, 1)[: self.pattern.groups])
        assert first is not None, "every type has a first period in every year"
        found = [Period(self, first)]
        while self.read_year(found[-1].next().start) == year:
            found.append(found[-1].next())
        return found

    def read_year(self, start: dt.date) -> int:
        """The year that the period beginning on `start` is labelled with."""
        return int(self.write(start)[:4])

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class _Days(PeriodType):
    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(r"(\d{4})(?:(\d{2})(\d{2})|-(\d{2})-(\d{2}))")

    @property
    def frequency_order(self) -> int:
        return 1

    def start_of(self, date: dt.date) -> dt.date:
        return date

    def step(self, start: dt.date, count: int) -> dt.date:
        return start + count * _DAY

    def write(self, start: dt.date) -> str:
        return f"{start:%Y%m%d}" if start.year > 999 else f"{start.year:04}{start:%m%d}"

    def read(self, numbers: tuple[int, ...]) -> dt.date | None:
        return _date(*numbers[:3])

    def in_year(self, year: int) -> list[Period]:
        first = dt.date(year, 1, 1)
        return [Period(self, first + day * _DAY) for day in range(366 if _leap(year) else 365)]


@dataclass(frozen=True)
class _Weeks(PeriodType):
    """Weeks that begin on a given weekday; the first of a year has at least four of its days.

    `begins` counts from Monday = 0.
    """

    begins: int = 0
    infix: str = "W"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(rf"{_YEAR}{self.infix}(\d{{1,2}})")

    @property
    def frequency_order(self) -> int:
        return 7

    def start_of(self, date: dt.date) -> dt.date:
        return self._week_of(date)

    def step(self, start: dt.date, count: int) -> dt.date:
        return start + count * _WEEK

    def _week_of(self, date: dt.date) -> dt.date:
        return date - ((date.weekday() - self.begins) % 7) * _DAY

    def first_of(self, year: int) -> dt.date:
        """The first day of the first week of a year: the week that holds 4 January."""
        return self._week_of(dt.date(year, 1, 4))

    def write(self, start: dt.date) -> str:
        year = (start + 3 * _DAY).year  # a week belongs to the year of its fourth day
        return f"{year:04}{self.infix}{(start - self.first_of(year)).days // 7 + 1}"

    def read(self, numbers: tuple[int, ...]) -> dt.date | None:
        year, week = numbers
        if not (year and 1 <= week <= 53):
            return None
        start = self.first_of(year) + (week - 1) * _WEEK
        return start if (start + 3 * _DAY).year == year else None


@dataclass(frozen=True)
class _BiWeeks(_Weeks):
    """Two weeks from the Monday of ISO week 2n-1. In a year of 53 weeks the 27th reaches into the first of the next."""

    infix: str = "BiW"

    @property
    def frequency_order(self) -> int:
        return 14

    def start_of(self, date: dt.date) -> dt.date:
        monday = self._week_of(date)
        year = (monday + 3 * _DAY).year
        return monday - ((monday - self.first_of(year)).days // 7 % 2) * _WEEK

    def step(self, start: dt.date, count: int) -> dt.date:
        for _ in range(abs(count)):
            start = self._next(start) if count > 0 else self.start_of(start - _WEEK)
        return start

    def _next(self, start: dt.date) -> dt.date:
        """Two weeks later, but never past the first period of the next year."""
        return min(start + 2 * _WEEK, self.first_of((start + 3 * _DAY).year + 1))

    def end_of(self, start: dt.date) -> dt.date:
        return start + 2 * _WEEK - _DAY

    def write(self, start: dt.date) -> str:
        year = (start + 3 * _DAY).year
        return f"{year:04}{self.infix}{(start - self.first_of(year)).days // 14 + 1}"

    def read(self, numbers: tuple[int, ...]) -> dt.date | None:
        year, number = numbers
        return super().read((year, 2 * number - 1))


@dataclass(frozen=True)
class _Months(PeriodType):
    """Periods of whole months.

    Parameters:
        months: how many months one takes; a year has 12 / months of them.
        first: the month in which the first of a labelled year begins, counted from its January = 0; -2 is the November
            before.
        template: how one is written, from `year` and the number `n` within the year.
    """

    months: int = 1
    first: int = 0
    template: str = "{year:04}{n:02}"
    regex: str = _YEAR

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.regex)

    @property
    def frequency_order(self) -> int:
        return _DAYS_OF_MONTHS[self.months]

    @property
    def per_year(self) -> int:
        """How many of them a year has."""
        return 12 // self.months

    def start_of(self, date: dt.date) -> dt.date:
        return self._start((date.year * 12 + date.month - 1 - self.first) // self.months)

    def _start(self, ordinal: int) -> dt.date:
        year, month = divmod(ordinal * self.months + self.first, 12)
        if not 1 <= year <= 9999:
            raise UsageError(f"{self.name}: there is no period in the year {year}")
        return dt.date(year, month + 1, 1)

    def _ordinal(self, start: dt.date) -> int:
        return (start.year * 12 + start.month - 1 - self.first) // self.months

    def step(self, start: dt.date, count: int) -> dt.date:
        return self._start(self._ordinal(start) + count)

    def end_of(self, start: dt.date) -> dt.date:
        year, month = divmod(start.year * 12 + start.month - 1 + self.months, 12)
        return dt.date.max if year > 9999 else dt.date(year, month + 1, 1) - _DAY

    def write(self, start: dt.date) -> str:
        year, n = divmod(self._ordinal(start), self.per_year)
        return self.template.format(year=year, n=n + 1)

    def read(self, numbers: tuple[int, ...]) -> dt.date | None:
        year, n = numbers[0], numbers[1] if len(numbers) > 1 else 1
        if not 1 <= n <= self.per_year:
            return None
        try:
            return self._start(year * self.per_year + n - 1)
        except UsageError:
            return None


_DAYS_OF_MONTHS = {1: 30, 2: 61, 3: 91, 6: 182, 12: 365}


def _years(name: str, word: str, first: int, since: int = 40) -> _Months:
    return _Months(name, f"yyyy{word}", since, 12, first, f"{{year:04}}{word}", _YEAR + word)


def _halves(name: str, months: int, first: int, infix: str) -> _Months:
    limit = 12 // months
    return _Months(
        name, f"yyyy{infix}n", 40, months, first, f"{{year:04}}{infix}{{n}}", rf"{_YEAR}{infix}([1-{limit}])"
    )


# In the order of the server's own table, in which it tries them.
PERIOD_TYPES: tuple[PeriodType, ...] = (
    _Days("Daily", "yyyyMMdd"),
    _Weeks("Weekly", "yyyyWn"),
    _Weeks("WeeklyWednesday", "yyyyWedWn", 40, 2, "WedW"),
    _Weeks("WeeklyThursday", "yyyyThuWn", 40, 3, "ThuW"),
    _Weeks("WeeklyFriday", "yyyyFriWn", 43, 4, "FriW"),
    _Weeks("WeeklySaturday", "yyyySatWn", 40, 5, "SatW"),
    _Weeks("WeeklySunday", "yyyySunWn", 40, 6, "SunW"),
    _BiWeeks("BiWeekly", "yyyyBiWn"),
    _Months("Monthly", "yyyyMM", 40, 1, 0, "{year:04}{n:02}", r"(\d{4})-?(\d{2})"),
    _Months("BiMonthly", "yyyyMMB", 40, 2, 0, "{year:04}{n:02}B", r"(\d{4})(\d{2})B"),
    _halves("Quarterly", 3, 0, "Q"),
    _halves("QuarterlyNov", 3, -2, "NovQ"),
    _halves("SixMonthly", 6, 0, "S"),
    _halves("SixMonthlyApril", 6, 3, "AprilS"),
    _halves("SixMonthlyNov", 6, -2, "NovS"),
    _years("Yearly", "", 0),
    _years("FinancialFeb", "Feb", 1, 43),
    _years("FinancialApril", "April", 3),
    _years("FinancialJuly", "July", 6),
    _years("FinancialAug", "Aug", 7, 43),
    _years("FinancialSep", "Sep", 8, 42),
    _years("FinancialOct", "Oct", 9),
    _years("FinancialNov", "Nov", -2),
)
_BY_NAME = {kind.name: kind for kind in PERIOD_TYPES}


def period_type(name: str) -> PeriodType:
    """A period type by DHIS2's name.

    Raises `UsageError` for an unknown one, and for `TwoYearly`, which has no ISO form and so no place in the API.
    """
    kind = _BY_NAME.get(name)
    if kind is not None:
        return kind
    if name == "TwoYearly":
        raise UsageError("TwoYearly periods have no ISO form; DHIS2 cannot exchange them", hint="use Yearly")
    raise UsageError(
        f"'{name}' is not a period type", hint=did_you_mean(name, list(_BY_NAME)) or f"types: {' '.join(_BY_NAME)}"
    )


def period_types_of(minor: int) -> tuple[PeriodType, ...]:
    """The types that a server of version 2.`minor` knows."""
    return tuple(kind for kind in PERIOD_TYPES if kind.since <= minor)


@dataclass(frozen=True, slots=True)
class Period:
    """One period: its type and its first day. Make one with `Period.parse("2024Q1")` or `Period.of("Monthly", date)`.

    Periods of one type sort by time; `str(period)` is the ISO form that the server reads.
    """

    type: PeriodType
    start: dt.date

    @classmethod
    def parse(cls, text: str, *, calendar: str = "iso8601") -> Self:
        """Read an ISO form such as `202402`, `2024W5`, `2024NovQ1`, `2024April`.

        Parameters:
            text: the form; `2024-02` and `2024-02-29` are read as the server reads them.
            calendar: the server's `keyCalendar`; only `iso8601` is known here.

        Raises `UsageError` when it is none, or when the calendar is another one.
        """
        _check_calendar(calendar)
        found = _parse(text)
        if found is None:
            raise UsageError(
                f"'{text}' is not a period", hint="periods look like 2024, 2024Q1, 202402, 2024W5, 20240229"
            )
        kind, start = found
        return cls(kind, start)

    @classmethod
    def of(cls, kind: str | PeriodType, date: dt.date | None = None) -> Self:
        """The period of a type that holds a date; today's without one. Raises `UsageError` for an unknown type."""
        found = period_type(kind) if isinstance(kind, str) else kind
        return cls(found, found.start_of(date or dt.datetime.now().astimezone().date()))

    @property
    def end(self) -> dt.date:
        """Its last day; at the end of the calendar, 9999-12-31."""
        try:
            return self.type.end_of(self.start)
        except OverflowError:
            return dt.date.max

    @property
    def iso(self) -> str:
        """The ISO form, the period's identifier in the API."""
        return self.type.write(self.start)

    def format(self) -> str:
        """The ISO form; the opposite of `parse`."""
        return self.iso

    def next(self, count: int = 1) -> Self:
        """The period `count` later. Raises `UsageError` past the year 9999."""
        try:
            return self.__class__(self.type, self.type.step(self.start, count))
        except OverflowError as error:
            raise UsageError(f"there is no {self.type} period {count} after {self.iso}") from error

    def previous(self, count: int = 1) -> Self:
        """The period `count` earlier. Raises `UsageError` before the year 1."""
        return self.next(-count)

    def range(self, last: Period) -> list[Self]:
        """This period and all up to `last`, both included. Raises `UsageError` when they are of two types, or reversed."""
        if last.type != self.type:
            raise UsageError(f"{self.iso} is {self.type} and {last.iso} is {last.type}: there is nothing between")
        if last.start < self.start:
            raise UsageError(f"{self.iso} is after {last.iso}", hint=f"{last.iso}..{self.iso}")
        found: list[Self] = []
        current = self
        while current.start <= last.start:
            found.append(current)
            current = current.next()
        return found

    def __contains__(self, date: dt.date) -> bool:
        return self.start <= date <= self.end

    def __lt__(self, other: Period) -> bool:
        return (self.start, self.end) < (other.start, other.end)

    def __str__(self) -> str:
        return self.iso

    def __repr__(self) -> str:
        return f"Period({self.iso!r})"


def periods(first: str | dt.date, last: str | dt.date, kind: str) -> Iterator[Period]:
    """Every period of a type from the one that holds `first` to the one that holds `last`.

    Parameters:
        first, last: dates or ISO forms; of a period its first and its last day counts.
        kind: the name of a type.
    """
    begin = Period.parse(first).start if isinstance(first, str) else first
    end = Period.parse(last).end if isinstance(last, str) else last
    yield from Period.of(kind, begin).range(Period.of(kind, end))


@lru_cache(maxsize=4096)  # a column of a million data values has a few dozen periods
def _parse(text: str) -> tuple[PeriodType, dt.date] | None:
    for kind in PERIOD_TYPES:
        found = kind.pattern.fullmatch(text) if text.isascii() else None
        if found:
            try:
                start = kind.read(tuple(int(group) for group in found.groups() if group is not None))
            except (OverflowError, ValueError):  # before the year 1, after 9999
                return None
            return None if start is None else (kind, start)
    return None


def _check_calendar(calendar: str) -> None:
    if calendar != "iso8601":
        raise UsageError(
            f"this server counts periods in the calendar '{calendar}'; dhis2sh knows iso8601 only",
            hint="give period identifiers as the server shows them; they are passed on as they are",
        )


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


class RelativePeriod(StrEnum):
    """The 45 relative periods; the same in 2.40 to 2.44. `resolve` gives the periods that one means on a date."""

    TODAY = "TODAY"
    YESTERDAY = "YESTERDAY"
    LAST_3_DAYS = "LAST_3_DAYS"
    LAST_7_DAYS = "LAST_7_DAYS"
    LAST_14_DAYS = "LAST_14_DAYS"
    LAST_30_DAYS = "LAST_30_DAYS"
    LAST_60_DAYS = "LAST_60_DAYS"
    LAST_90_DAYS = "LAST_90_DAYS"
    LAST_180_DAYS = "LAST_180_DAYS"
    THIS_MONTH = "THIS_MONTH"
    LAST_MONTH = "LAST_MONTH"
    THIS_BIMONTH = "THIS_BIMONTH"
    LAST_BIMONTH = "LAST_BIMONTH"
    THIS_QUARTER = "THIS_QUARTER"
    LAST_QUARTER = "LAST_QUARTER"
    THIS_SIX_MONTH = "THIS_SIX_MONTH"
    LAST_SIX_MONTH = "LAST_SIX_MONTH"
    WEEKS_THIS_YEAR = "WEEKS_THIS_YEAR"
    MONTHS_THIS_YEAR = "MONTHS_THIS_YEAR"
    BIMONTHS_THIS_YEAR = "BIMONTHS_THIS_YEAR"
    QUARTERS_THIS_YEAR = "QUARTERS_THIS_YEAR"
    THIS_YEAR = "THIS_YEAR"
    MONTHS_LAST_YEAR = "MONTHS_LAST_YEAR"
    QUARTERS_LAST_YEAR = "QUARTERS_LAST_YEAR"
    LAST_YEAR = "LAST_YEAR"
    LAST_5_YEARS = "LAST_5_YEARS"
    LAST_10_YEARS = "LAST_10_YEARS"
    LAST_12_MONTHS = "LAST_12_MONTHS"
    LAST_6_MONTHS = "LAST_6_MONTHS"
    LAST_3_MONTHS = "LAST_3_MONTHS"
    LAST_6_BIMONTHS = "LAST_6_BIMONTHS"
    LAST_4_QUARTERS = "LAST_4_QUARTERS"
    LAST_2_SIXMONTHS = "LAST_2_SIXMONTHS"
    THIS_FINANCIAL_YEAR = "THIS_FINANCIAL_YEAR"
    LAST_FINANCIAL_YEAR = "LAST_FINANCIAL_YEAR"
    LAST_5_FINANCIAL_YEARS = "LAST_5_FINANCIAL_YEARS"
    LAST_10_FINANCIAL_YEARS = "LAST_10_FINANCIAL_YEARS"
    THIS_WEEK = "THIS_WEEK"
    LAST_WEEK = "LAST_WEEK"
    THIS_BIWEEK = "THIS_BIWEEK"
    LAST_BIWEEK = "LAST_BIWEEK"
    LAST_4_WEEKS = "LAST_4_WEEKS"
    LAST_4_BIWEEKS = "LAST_4_BIWEEKS"
    LAST_12_WEEKS = "LAST_12_WEEKS"
    LAST_52_WEEKS = "LAST_52_WEEKS"

    @property
    def field(self) -> str:
        """Its name among the booleans of `relativePeriods` in visualizations and maps (`last12Months`)."""
        return _FIELD_EXCEPTIONS.get(self) or _camel(self.value)

    def resolve(
        self, on: dt.date | None = None, *, financial_year_start: FinancialYearStart = "FINANCIAL_YEAR_OCTOBER"
    ) -> list[Period]:
        """The periods that it means, oldest first.

        Parameters:
            on: the date that counts as now (analytics' `relativePeriodDate`); today without one.
            financial_year_start: the server's setting `analyticsFinancialYearStart`.

        A `LAST_...` leaves the running period out; a `..._THIS_YEAR` has the whole calendar year, the future too.
        """
        today = on or dt.datetime.now().astimezone().date()
        window = _WINDOWS[self]
        kind = _financial(financial_year_start) if window.kind == "Financial" else period_type(window.kind)
        if window.year is not None:
            return kind.in_year(today.year + window.year)
        running = kind.at(today)
        return [running.previous(back) for back in range(window.last + window.count - 1, window.last - 1, -1)]


@dataclass(frozen=True, slots=True)
class _Window:
    """`count` periods of which the newest lies `last` before the running one; or all of the calendar year at `year`."""

    kind: str
    count: int = 1
    last: int = 1
    year: int | None = None


_NAMED = re.compile(r"(THIS|LAST)_(?:(\d+)_)?(FINANCIAL_YEAR|[A-Z]+?(?:_MONTH)?)S?")
_IN_YEAR = re.compile(r"(\w+)S_(THIS|LAST)_YEAR")
_UNITS = {
    "DAY": "Daily", "WEEK": "Weekly", "BIWEEK": "BiWeekly", "MONTH": "Monthly", "BIMONTH": "BiMonthly",
    "QUARTER": "Quarterly", "SIX_MONTH": "SixMonthly", "SIXMONTH": "SixMonthly", "YEAR": "Yearly",
    "FINANCIAL_YEAR": "Financial",
}  # fmt: skip


def _window(name: str) -> _Window:
    """The window that a name says: all of them but two follow one grammar."""
    if found := _IN_YEAR.fullmatch(name):
        return _Window(_UNITS[found[1]], year=0 if found[2] == "THIS" else -1)
    found = _NAMED.fullmatch({"TODAY": "THIS_DAY", "YESTERDAY": "LAST_DAY"}.get(name, name))
    assert found is not None, name
    return _Window(_UNITS[found[3]], count=int(found[2] or 1), last=0 if found[1] == "THIS" else 1)


_WINDOWS = {relative: _window(relative.value) for relative in RelativePeriod}
_FIELD_EXCEPTIONS = {
    RelativePeriod.TODAY: "thisDay",
    RelativePeriod.BIMONTHS_THIS_YEAR: "biMonthsThisYear",
    RelativePeriod.LAST_6_BIMONTHS: "last6BiMonths",
    RelativePeriod.LAST_2_SIXMONTHS: "last2SixMonths",
    RelativePeriod.THIS_BIWEEK: "thisBiWeek",
    RelativePeriod.LAST_BIWEEK: "lastBiWeek",
    RelativePeriod.LAST_4_BIWEEKS: "last4BiWeeks",
}


def _camel(name: str) -> str:
    first, *rest = name.lower().split("_")
    return first + "".join(word.capitalize() for word in rest)


def _financial(setting: str) -> PeriodType:
    month = setting.removeprefix("FINANCIAL_YEAR_").capitalize()
    for kind in PERIOD_TYPES:
        if kind.name in {f"Financial{month}", f"Financial{month[:3]}"}:
            return kind
    raise UsageError(f"'{setting}' is no start of a financial year", hint="FINANCIAL_YEAR_APRIL, _JULY, _OCTOBER, ...")
