"""The table of properties, which everyone who leaves some out derives from."""

from __future__ import annotations

import re
from pathlib import Path

from dhis2sh.dhis2 import properties
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS, EXPRESSIONS, HOLD_EXPRESSIONS, SET_BY_SERVER

HOUSE = Path(properties.__file__).parents[1]
TABLE = Path(properties.__file__)


def test_what_a_server_sets_is_in_nothing_that_people_write():
    assert SET_BY_SERVER <= properties.NOT_EDITED
    assert SET_BY_SERVER <= properties.NOT_CLONED
    assert SET_BY_SERVER <= properties.NOT_OPTIONS
    assert SET_BY_SERVER <= properties.VOLATILE


def test_the_editor_shows_nobody_who_follows_an_object():
    assert {"favorites", "subscribers"} <= properties.NOT_EDITED


def test_expressions_are_found_by_their_name_whatever_embeds_them():
    assert {"numerator", "denominator", "expression", "filter", "condition", "data"} == HOLD_EXPRESSIONS


def test_every_expression_that_a_server_explains_has_an_address_below_a_type():
    for plural, places in EXPRESSIONS.items():
        for place in places:
            assert not place.address or place.address.startswith(f"{plural}/")
            assert not place.address or place.address.endswith("/description")


def test_there_is_no_second_table():
    """Outside of the sandbox, which keeps beliefs of its own, nobody lists who saved an object, nor a default's UID."""
    told = re.compile(rf'"lastUpdatedBy"|"createdBy"|{"|".join(DEFAULT_OBJECTS.values())}')
    files = [path for path in HOUSE.rglob("*.py") if path != TABLE and HOUSE / "sandbox" not in path.parents]
    assert [str(path) for path in files if told.search(path.read_text("utf-8"))] == []
