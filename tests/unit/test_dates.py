"""Words for moments: one parser for every option that takes one."""

import datetime as dt

import pytest

from dhis2sh.dhis2 import dates
from dhis2sh.errors import UsageError

NOW = dt.datetime(2026, 3, 1, 10, 20, 30, 5)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("today", "2026-03-01T00:00:00.000"),
        ("Yesterday", "2026-02-28T00:00:00.000"),
        ("7d", "2026-02-22T00:00:00.000"),
        ("2 weeks ago", "2026-02-15T00:00:00.000"),
        ("6mo", "2025-09-02T00:00:00.000"),
        ("12h", "2026-02-28T22:20:30.000"),
        ("2026-01-31", "2026-01-31T00:00:00.000"),
        ("2026-01-31 08:15", "2026-01-31T08:15:00.000"),
        ("2026-01-31T08:15", "2026-01-31T08:15:00.000"),
    ],
)
def test_since_when(text: str, moment: str):
    assert dates.since(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["now-ish", "2026-02-30", "2026-01-31T25:00", "7", "d7", "-7d", "", "99999y", "2026-01-31T08:15+02:00"]
)
def test_since_never(text: str):
    with pytest.raises(UsageError, match="is no date"):
        dates.since(text, NOW)


def test_what_depends_on_the_clock_is_known():
    assert [dates.is_spoken(text) for text in ("today", "7d", "7 days ago", "2026-01-31", "")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_day_may_be_a_word_and_a_span_is_none():
    today = dt.date(2026, 3, 1)
    assert [dates.spelled(text, today) for text in ("today", "tomorrow", "2026-01-31", "7d")] == [
        "2026-03-01", "2026-03-02", "2026-01-31", "7d",
    ]  # fmt: skip
    assert dates.day("today") == dates.spelled("today")
    with pytest.raises(UsageError, match="'7d' is not a day"):
        dates.day("7d")
