"""JSON as YAML and back, whatever it holds; and what nobody meant, with its line."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dhis2sh.as_code.yaml_text import read, written
from dhis2sh.errors import UsageError

AWKWARD = st.text(alphabet="ab \n\t:#-'\"|>%@`{}[]&*!?,~.=<0123456789\xe9\u00a0\u2028\x85", max_size=12)
NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text() | AWKWARD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | AWKWARD, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=4))
def test_what_is_written_reads_as_it_was_for_us_and_for_others(value: dict):
    text = written(value)
    assert read(text, "x").value == value
    assert yaml.safe_load(text) == value


def test_words_that_yaml_takes_for_something_else_stay_texts():
    value = {"a": "no", "b": "2026-01-31", "c": "1e5", "d": "12:30", "e": "0012", "f": "~", "g": "a: b", "h": "a #b"}
    assert read(written(value), "x").value == yaml.safe_load(written(value)) == value


def test_people_read_blocks_and_see_names():
    text = written({"code": "<b>\n  x\n</b>\n", "of": {"id": "abcdefghij1"}}, {"abcdefghij1": "BCG\ndoses"})
    assert text == "---\ncode: |\n  <b>\n    x\n  </b>\nof: {id: abcdefghij1}  # BCG doses\n...\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> other\n", "f.yaml:2: a conflict that git has left"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: 'a' stands there twice"),
        ("a: &x 1\nb: *x\n", "f.yaml:1: anchors"),
        ("a: 1\nb: !!python/name:os.system ''\n", "f.yaml:2: tags are not read"),
        ("a: 1\n---\nb: 1\n", "f.yaml:2: a second document"),
        ("---\nid: a\nname: b\n", "f.yaml:3: it is cut off"),
        ("---\nid: a\nname: 'b\n...\n", "f.yaml:"),
        ("a: [1\n", "f.yaml:"),
        ("- a\n", "f.yaml:1: there is no object in it"),
        ("", "f.yaml:1: there is no object in it"),
        ("a: b: c\n", "f.yaml:1: mapping values are not allowed"),
        ("<<: {a: 1}\n", "f.yaml:1: merges are not read"),
    ],
)
def test_slips_are_told_with_their_line(text: str, told: str):
    with pytest.raises(UsageError) as error:
        read(text, "f.yaml")
    assert error.value.message.startswith(told)


def test_nested_without_end_is_refused():
    with pytest.raises(UsageError, match="nested too deeply"):
        read("a: " + "[" * 400 + "]" * 400 + "\n", "f.yaml")
