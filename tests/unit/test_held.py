"""When two values of a tracker object are the same to a server, and when a change would be lost by saying so."""

import pytest

from dhis2sh.tracker.held import changed, same
from dhis2sh.types import JsonValue


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("2025-06-30", "2025-06-30T00:00:00.000"), ("2025-06-30T10:00", "2025-06-30T10:00:00.000"),
        ("2025-06-30T10:00:30Z", "2025-06-30T10:00:30.000"), (None, False), ("", None), ({}, []), (3, "3"),
    ],
)  # fmt: skip
def test_the_same_to_a_server(left: JsonValue, right: JsonValue):
    assert same(left, right) and same(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("2:00", "2"), ("10:00:00", "10"), ("5.000", "5"), ("12Z", "12"), ("T00:00", ""), ("2025-06-30T10:00", "2025-06-30"),
        (None, 0), ("", 0.0),
    ],
)  # fmt: skip
def test_texts_that_only_look_alike_are_a_change(left: JsonValue, right: JsonValue):
    assert not same(left, right) and not same(right, left)
    assert changed({"attributes": {"a": left}}, {"attributes": {"a": right}})[1] == {"attributes": {"a": right}}
