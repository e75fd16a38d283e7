"""UIDs made and checked by the server's rule."""

from __future__ import annotations

import random
import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.dhis2.uids import generate_uid, is_uid


@given(st.integers())
def test_a_generated_uid_is_valid_and_its_seed_gives_it_again(seed: int):
    made = generate_uid(random.Random(seed))
    assert is_uid(made)
    assert made == generate_uid(random.Random(seed))


def test_no_two_are_the_same_without_a_seed():
    assert len({generate_uid() for _ in range(5_000)}) == 5_000


def test_every_character_is_about_equally_likely_in_every_place():
    source = random.Random(20)
    made = [generate_uid(source) for _ in range(31_000)]
    for place in range(11):
        allowed = string.ascii_letters + ("" if place == 0 else string.digits)
        counted = Counter(uid[place] for uid in made)
        assert set(counted) == set(allowed)
        expected = len(made) / len(allowed)  # 500 to 596; 25 % is more than five standard deviations
        assert all(abs(times - expected) < expected / 4 for times in counted.values()), place


@pytest.mark.parametrize(
    "text", ["HllvX50cXC0", "bjDvmb4bfuf", "GLevLNI9wkl", "xYerKDKCefk", "a0000000000", "Abcdefghijk"]
)
def test_valid(text: str):
    assert is_uid(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0llvX50cXC0",
        "HllvX50cXC",
        "HllvX50cXC01",
        "HllvX50cXC-",
        "HllvX50cXC0\n",
        " HllvX50cXC0",
        "Éllv150cXC0",
        "Hllv٣50cXC0",
    ],
)
def test_invalid(text: str | None):
    assert not is_uid(text)


@given(st.text(max_size=13))
def test_validity_is_the_rule_of_the_server(text: str):
    by_rule = re.search(r"\A[a-zA-Z][a-zA-Z0-9]{10}\Z", text) is not None
    assert is_uid(text) == by_rule


@given(st.from_regex(r"[a-zA-Z][a-zA-Z0-9]{10}", fullmatch=True), st.integers(0, 10), st.characters())
def test_one_changed_character_counts(uid: str, place: int, character: str):
    changed = uid[:place] + character + uid[place + 1 :]
    allowed = string.ascii_letters + (string.digits if place else "")
    assert is_uid(changed) == (character in allowed)
