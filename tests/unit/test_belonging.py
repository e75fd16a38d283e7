"""Which longer period a period belongs to: each to one of a type, by the server's rule."""

import datetime as dt

import pytest

from dhis2sh.dhis2.belonging import belongs, parts
from dhis2sh.dhis2.periods import PERIOD_TYPES, Period, PeriodType, period_type
from dhis2sh.sandbox.facts import fact


def named(longer: str, kind: str) -> list[str]:
    return [period.iso for period in parts(Period.parse(longer), [period_type(kind)])]


@pytest.mark.parametrize(
    ("longer", "kind", "first", "last", "count"),
    [
        ("202501", "Weekly", "2025W1", "2025W5", 5),  # from 30 December to 2 February
        ("202502", "Weekly", "2025W6", "2025W9", 4),
        ("202301", "Weekly", "2023W1", "2023W4", 4),  # the fifth has three days of January: recorded in February
        ("202302", "Weekly", "2023W5", "2023W8", 4),
        ("2023Q1", "Weekly", "2023W1", "2023W13", 13),
        ("2025", "Weekly", "2025W1", "2025W52", 52),
        ("2020", "Weekly", "2020W1", "2020W53", 53),
        ("202501", "WeeklyWednesday", "2025WedW1", "2025WedW4", 4),
        ("202501", "BiWeekly", "2025BiW2", "2025BiW3", 2),  # the first begins on 30 December
        ("2025", "SixMonthlyApril", "2025AprilS1", "2025AprilS2", 2),
        ("2025", "QuarterlyNov", "2025NovQ2", "2026NovQ1", 4),
        ("2025April", "Monthly", "202504", "202603", 12),
        ("2025Nov", "Quarterly", "2025Q1", "2025Q4", 4),
        ("2024W1", "Daily", "20240101", "20240107", 7),
    ],
)
def test_a_longer_period_stands_for_those_that_belong_to_it(
    longer: str, kind: str, first: str, last: str, count: int
) -> None:
    found = named(longer, kind)
    assert (found[0], found[-1], len(found)) == (first, last, count)


@pytest.mark.parametrize(
    ("longer", "kind"),
    [("2025W1", "WeeklyWednesday"), ("2025", "FinancialApril"), ("2025S1", "SixMonthlyNov"), ("202501", "Quarterly")],
)
def test_none_belongs_to_one_that_is_not_longer(longer: str, kind: str) -> None:
    assert named(longer, kind) == []


@pytest.mark.parametrize("kind", PERIOD_TYPES, ids=str)
def test_every_period_of_three_years_belongs_to_one_of_each_longer_type(kind: PeriodType) -> None:
    """The first of them is a week of the year before, and 2026 has 53: none is left out, none counts twice."""
    between = (dt.date(2025, 1, 20), dt.date(2027, 6, 1))
    wanted: list[Period] = []
    one = kind.at(between[0])
    while one.start <= between[1]:
        wanted.append(one)
        one = one.next()
    for longer in PERIOD_TYPES:
        if kind.frequency_order >= longer.frequency_order:
            continue
        around = longer.at(between[0]).previous().range(longer.at(between[1]).next())
        held = [part for period in around for part in parts(period, [kind])]
        assert len(held) == len(set(held)) and set(wanted) <= set(held)
        assert all(belongs(part, period) for period in around for part in parts(period, [kind]))


def test_types_have_the_order_that_servers_give() -> None:
    rows = {row[0]: row[3] for row in fact("period_types")}  # type: ignore[union-attr]
    assert {kind.name: kind.frequency_order for kind in PERIOD_TYPES} == rows
