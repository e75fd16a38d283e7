"""Periods: every type parses, formats and counts as the server's does."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dhis2sh.dhis2.periods import (
    PERIOD_TYPES,
    Period,
    PeriodType,
    RelativePeriod,
    period_type,
    period_types_of,
    periods,
)
from dhis2sh.dhis2.written import as_period, periods_in, single_period
from dhis2sh.errors import UsageError
from tests.shared import needs_shared, shared

dates = st.dates(dt.date(1900, 1, 1), dt.date(2199, 12, 31))
kinds = st.sampled_from(PERIOD_TYPES)


@pytest.mark.parametrize(
    ("text", "kind", "start", "end"),
    [
        ("20240229", "Daily", "2024-02-29", "2024-02-29"),
        ("2024-02-29", "Daily", "2024-02-29", "2024-02-29"),
        ("2024W5", "Weekly", "2024-01-29", "2024-02-04"),
        ("2024W05", "Weekly", "2024-01-29", "2024-02-04"),
        ("2024WedW5", "WeeklyWednesday", "2024-01-31", "2024-02-06"),
        ("2024ThuW1", "WeeklyThursday", "2024-01-04", "2024-01-10"),
        ("2024FriW1", "WeeklyFriday", "2023-12-29", "2024-01-04"),
        ("2024SatW1", "WeeklySaturday", "2023-12-30", "2024-01-05"),
        ("2024SunW1", "WeeklySunday", "2023-12-31", "2024-01-06"),
        ("2024BiW3", "BiWeekly", "2024-01-29", "2024-02-11"),
        ("202402", "Monthly", "2024-02-01", "2024-02-29"),
        ("2024-02", "Monthly", "2024-02-01", "2024-02-29"),
        ("202403B", "BiMonthly", "2024-05-01", "2024-06-30"),
        ("2024Q1", "Quarterly", "2024-01-01", "2024-03-31"),
        ("2024NovQ1", "QuarterlyNov", "2023-11-01", "2024-01-31"),
        ("2024NovQ4", "QuarterlyNov", "2024-08-01", "2024-10-31"),
        ("2024S1", "SixMonthly", "2024-01-01", "2024-06-30"),
        ("2024AprilS2", "SixMonthlyApril", "2024-10-01", "2025-03-31"),
        ("2024NovS1", "SixMonthlyNov", "2023-11-01", "2024-04-30"),
        ("2024", "Yearly", "2024-01-01", "2024-12-31"),
        ("2024Feb", "FinancialFeb", "2024-02-01", "2025-01-31"),
        ("2024April", "FinancialApril", "2024-04-01", "2025-03-31"),
        ("2024July", "FinancialJuly", "2024-07-01", "2025-06-30"),
        ("2024Aug", "FinancialAug", "2024-08-01", "2025-07-31"),
        ("2024Sep", "FinancialSep", "2024-09-01", "2025-08-31"),
        ("2024Oct", "FinancialOct", "2024-10-01", "2025-09-30"),
        ("2024Nov", "FinancialNov", "2023-11-01", "2024-10-31"),
    ],
)
def test_each_form_means_its_days(text: str, kind: str, start: str, end: str):
    period = Period.parse(text)
    assert (period.type.name, str(period.start), str(period.end)) == (kind, start, end)


def test_there_are_23_types_and_two_yearly_is_none_of_them():
    assert len(PERIOD_TYPES) == 23
    with pytest.raises(UsageError, match="no ISO form"):
        period_type("TwoYearly")
    with pytest.raises(UsageError, match="not a period type"):
        period_type("Fortnightly")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024W54",
        "2023W53",
        "2024W0",
        "2024BiW27",
        "202413",
        "20240230",
        "202407B",
        "2024Q5",
        "2024S3",
        "0000",
        "24",
        "2024q1",
        "2024 Q1",
        "2024Q1 ",
        "notaperiod",
        "LAST_YEAR",
        "٢٠٢٤",
        "0001SunW1",
        "9999W53",
    ],
)
def test_what_is_no_period(text: str):
    with pytest.raises(UsageError, match="not a period"):
        Period.parse(text)


def test_a_year_of_53_weeks_has_them_and_a_27th_fortnight():
    assert Period.parse("2026W53").next().iso == "2027W1"
    assert [Period.parse("2026BiW27").end.isoformat(), Period.parse("2026BiW27").next().iso] == [
        "2027-01-10",
        "2027BiW1",
    ]
    assert len(period_type("Weekly").in_year(2026)) == 53


def test_other_calendars_are_said_to_be_missing():
    with pytest.raises(UsageError, match="'ethiopian'"):
        Period.parse("201605", calendar="ethiopian")


@given(kinds, dates)
def test_a_period_is_what_its_form_says(kind: PeriodType, date: dt.date):
    period = Period.of(kind, date)
    assert Period.parse(period.format()) == period
    assert date in period
    assert period.start <= date <= period.end


@given(kinds, dates)
def test_next_and_previous_are_opposites_and_leave_no_gap(kind: PeriodType, date: dt.date):
    period = Period.of(kind, date)
    assert period.next().previous() == period == period.previous().next()
    assert period < period.next()
    gap = (period.next().start - period.end).days
    assert gap == 1 or (kind.name == "BiWeekly" and gap == -6)  # the 27th fortnight reaches into the next year's first


@settings(max_examples=50)
@given(kinds, dates, st.integers(0, 40))
def test_a_range_counts(kind: PeriodType, date: dt.date, count: int):
    first = Period.of(kind, date)
    found = first.range(first.next(count))
    assert len(found) == count + 1
    assert found == sorted(found)


@settings(max_examples=50)
@given(kinds, st.integers(1950, 2100))
def test_a_year_has_the_periods_that_bear_its_number(kind: PeriodType, year: int):
    found = kind.in_year(year)
    assert all(period.iso.startswith(str(year)) for period in found)
    assert not found[0].previous().iso.startswith(str(year))
    assert not found[-1].next().iso.startswith(str(year))


def test_ranges_between_dates_and_forms():
    assert [str(p) for p in periods("2024Q1", "2024Q2", "Monthly")] == [f"20240{n}" for n in range(1, 7)]
    assert [str(p) for p in periods(dt.date(2024, 1, 31), dt.date(2024, 2, 1), "Monthly")] == ["202401", "202402"]
    with pytest.raises(UsageError, match="nothing between"):
        Period.parse("2024").range(Period.parse("2024Q1"))


@pytest.mark.parametrize(
    ("text", "count"), [("99991231", 1), ("9999", 1), ("0001", -1), ("9999Q4", 1), ("00010101", -1)]
)
def test_time_has_ends(text: str, count: int):
    with pytest.raises(UsageError):
        Period.parse(text).next(count)
    assert Period.parse(text).end <= dt.date.max


ON = dt.date(2024, 5, 15)  # a Wednesday


@pytest.mark.parametrize(
    ("relative", "first", "last", "count"),
    [
        ("TODAY", "20240515", "20240515", 1),
        ("YESTERDAY", "20240514", "20240514", 1),
        ("LAST_7_DAYS", "20240508", "20240514", 7),
        ("LAST_180_DAYS", "20231117", "20240514", 180),
        ("THIS_WEEK", "2024W20", "2024W20", 1),
        ("LAST_4_WEEKS", "2024W16", "2024W19", 4),
        ("LAST_52_WEEKS", "2023W20", "2024W19", 52),
        ("WEEKS_THIS_YEAR", "2024W1", "2024W52", 52),
        ("LAST_BIWEEK", "2024BiW9", "2024BiW9", 1),
        ("LAST_4_BIWEEKS", "2024BiW6", "2024BiW9", 4),
        ("THIS_MONTH", "202405", "202405", 1),
        ("LAST_3_MONTHS", "202402", "202404", 3),
        ("MONTHS_THIS_YEAR", "202401", "202412", 12),
        ("MONTHS_LAST_YEAR", "202301", "202312", 12),
        ("THIS_BIMONTH", "202403B", "202403B", 1),
        ("LAST_6_BIMONTHS", "202303B", "202402B", 6),
        ("BIMONTHS_THIS_YEAR", "202401B", "202406B", 6),
        ("LAST_QUARTER", "2024Q1", "2024Q1", 1),
        ("LAST_4_QUARTERS", "2023Q2", "2024Q1", 4),
        ("QUARTERS_LAST_YEAR", "2023Q1", "2023Q4", 4),
        ("THIS_SIX_MONTH", "2024S1", "2024S1", 1),
        ("LAST_2_SIXMONTHS", "2023S1", "2023S2", 2),
        ("THIS_YEAR", "2024", "2024", 1),
        ("LAST_5_YEARS", "2019", "2023", 5),
        ("THIS_FINANCIAL_YEAR", "2023Oct", "2023Oct", 1),
        ("LAST_10_FINANCIAL_YEARS", "2013Oct", "2022Oct", 10),
    ],
)
def test_relative_periods_leave_the_running_one_out(relative: str, first: str, last: str, count: int):
    found = [str(period) for period in RelativePeriod(relative).resolve(ON)]
    assert (found[0], found[-1], len(found)) == (first, last, count)


@pytest.mark.parametrize(
    ("setting", "running"),
    [("APRIL", "2024April"), ("JULY", "2023July"), ("OCTOBER", "2023Oct"), ("FEBRUARY", "2024Feb")],
)
def test_financial_years_follow_the_setting(setting: str, running: str):
    found = RelativePeriod.THIS_FINANCIAL_YEAR.resolve(ON, financial_year_start=f"FINANCIAL_YEAR_{setting}")
    assert [str(period) for period in found] == [running]


def test_a_financial_year_that_is_none():
    with pytest.raises(UsageError, match="no start of a financial year"):
        RelativePeriod.THIS_FINANCIAL_YEAR.resolve(ON, financial_year_start="FINANCIAL_YEAR_MAY")  # type: ignore[arg-type]


@given(st.sampled_from(RelativePeriod), dates)
def test_every_relative_period_means_something_in_order(relative: RelativePeriod, date: dt.date):
    found = relative.resolve(date)
    assert found == sorted(found)
    assert len({period.type for period in found}) == 1
    if relative.startswith("LAST_"):
        assert date not in found[-1] or found[-1].type.name == "BiWeekly"


def test_today_is_the_default():
    assert RelativePeriod.TODAY.resolve() == [Period.of("Daily")]
    assert repr(Period.parse("2024Q1")) == "Period('2024Q1')"


@needs_shared
@pytest.mark.parametrize("version", ["v40", "v41", "v42", "v43", "v44"])
def test_the_types_are_those_of_running_servers(version: str):
    for line in shared("wire", version, "system-info.jsonl").read_text().splitlines():
        exchange = json.loads(line)
        if exchange["path"] == "/api/periodTypes":
            recorded = {row["name"]: row["isoFormat"] for row in exchange["response"]["body"]["periodTypes"]}
    ours = {kind.name: kind.iso_format for kind in period_types_of(int(version[1:]))}
    assert ours == recorded


@needs_shared
def test_last_12_months_as_a_running_server_resolved_it():
    for line in shared("wire", "v42", "analytics.jsonl").read_text().splitlines():
        exchange = json.loads(line)
        if ["dimension", "pe:LAST_12_MONTHS"] in exchange["query"]:
            recorded = exchange["response"]["body"]["metaData"]["dimensions"]["pe"]
    assert [str(period) for period in RelativePeriod.LAST_12_MONTHS.resolve(dt.date(2026, 11, 23))] == recorded


@needs_shared
def test_the_45_are_those_of_visualizations():
    for line in shared("wire", "v42", "write-visual.jsonl").read_text().splitlines():
        exchange = json.loads(line)
        if exchange["path"] == "/api/visualizations/wireviAAA01" and exchange["method"] == "GET":
            recorded = exchange["response"]["body"]["relativePeriods"]
            break
    assert {relative.field for relative in RelativePeriod} == set(recorded)
    assert len(RelativePeriod) == 45


@pytest.mark.parametrize(
    ("text", "isos"),
    [
        ("June 2025", ["202506"]),
        ("jun-25", ["202506"]),
        ("06/2025", ["202506"]),
        ("2025-06", ["202506"]),
        ("June 2025..Aug 2025", ["202506", "202507", "202508"]),
        ("202506:202507", ["202506", "202507"]),
        ("2025Q2", ["2025Q2"]),
    ],
)
def test_periods_are_read_as_people_write_them(text: str, isos: list[str]):
    found = periods_in(text)
    assert isinstance(found, list)
    assert [period.iso for period in found] == isos


def test_a_relative_period_in_words_and_what_is_none():
    assert periods_in("last 12 months") is RelativePeriod.LAST_12_MONTHS
    with pytest.raises(UsageError, match="'Jume 2025' is not a period"):
        periods_in("Jume 2025")
    with pytest.raises(UsageError, match="relative to today"):
        periods_in("LAST_MONTH..202506")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("31/12/2025", "2025-12-31"), ("31-12-2025", "2025-12-31"), ("31.12.2025", "2025-12-31"),
        ("12/31/2025", "2025-12-31"), ("05/05/2025", "2025-05-05"), ("2025/12/31", "2025-12-31"), ("2025-6-5", "2025-06-05"),
        ("31-Dec-2025", "2025-12-31"), ("31-Dec-25", "2025-12-31"), ("31 December 2025", "2025-12-31"),
        ("December 31, 2025", "2025-12-31"), ("31 déc. 2025", "2025-12-31"), ("1er août 2025", "2025-08-01"),
        ("2025-12-31T00:00:00", "2025-12-31"), ("2025-12-31 10:30", "2025-12-31"), ("Décembre 2025", "202512"),
        ("Janv. 2026", "202601"), ("févr-26", "202602"), ("2026 Juillet", "202607"),
    ],
)  # fmt: skip
def test_days_and_french_months_as_people_write_them(text: str, iso: str):
    assert as_period(text) == iso
    assert single_period(text).iso == iso.replace("-", "")


@pytest.mark.parametrize("text", ["05/06/2025", "5-6-2025", "01.12.2025"])
def test_a_day_that_may_be_two_is_neither(text: str):
    assert as_period(text) == text
    with pytest.raises(UsageError, match=r"may be \d+ \w+ 2025 \(2025-\d\d-\d\d\) or "):
        single_period(text)


@pytest.mark.parametrize(
    "text", ["31/02/2025", "32/12/2025", "31/12/25", "13/13/2025", "31 Foo 2025", "2025-13-01", "1/2-2025"]
)
def test_what_is_no_day_is_none(text: str):
    assert as_period(text) == text
    with pytest.raises(UsageError, match="is not a period"):
        single_period(text)
