"""Cron expressions: what no scheduler could read is refused before a server says only that it could not."""

import pytest

from dhis2sh.dhis2 import cron
from dhis2sh.errors import UsageError


@pytest.mark.parametrize(
    "text",
    [
        "0 0 2 * * ?", "0 0 4 ? * SUN", "0 */10 8-18 * * MON-FRI", "0 0 0 1 JAN,JUL *", "0 0 0 L * *", "0 0 0 LW * *",
        "0 0 0 ? * 5#2", "0 0 0 ? * FRIL", "0 0 0 ? * FRI-SUN", "0 0 0 ? * SUN-TUE", "59 59 23 31 12 7", "0 0/15 * * * *",
    ],
)  # fmt: skip
def test_what_spring_reads_is_left_as_it_is(text: str):
    assert cron.checked(f" {text.replace(' ', '  ')}") == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 0 25 * * ?", "hour '25' is out of range: 0 to 23"),
        ("60 0 2 * * ?", "second '60' is out of range: 0 to 59"),
        ("0 0 2 32 * ?", "day of month '32' is out of range: 1 to 31"),
        ("0 0 2 * 13 ?", "month '13' is out of range: 1 to 12"),
        ("0 0 2 ? * 8", "day of week '8' is out of range: 0 to 7"),
        ("0 0 2 ? * MO", "day of week 'MO' is no number, range or *"),
        ("0 0 2am * * ?", "hour '2am' is no number, range or *"),
        ("0 0 18-8 * * ?", "hour '18-8' is a range that ends before it begins"),
        ("0 */0 2 * * ?", "minute '*/0' has a step that is no number above 0"),
        ("0 1,,2 2 * * ?", "minute '1,,2' is empty"),
        ("", "0 fields, and DHIS2 wants six"),
    ],
)
def test_the_field_that_is_none_is_named(text: str, why: str):
    with pytest.raises(UsageError) as refused:
        cron.checked(text)
    assert why in str(refused.value)


def test_five_fields_are_those_of_unix_and_the_line_with_six_is_shown():
    with pytest.raises(UsageError, match="five fields, and DHIS2 wants six") as refused:
        cron.checked("30 2 * * 1")
    assert refused.value.hint == "--cron '0 30 2 * * 1'"
