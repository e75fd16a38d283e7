"""What people call types for short is answered with the type."""

import pytest

from dhis2sh.dhis2.short_names import BEGINNINGS, SHORT, nearest_types
from dhis2sh.models import facts

KNOWN = list(facts.resources("v42"))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("orgunit", "organisationUnits"),
        ("OrgUnits", "organisationUnits"),
        ("org-unit-groups", "organisationUnitGroups"),
        ("organization_units", "organisationUnits"),
        ("facilities", "organisationUnits"),
        ("catCombos", "categoryCombos"),
        ("viz", "visualizations"),
        ("dataElemnts", "dataElements"),
    ],
)
def test_a_short_name_is_answered_with_the_type(typed: str, meant: str) -> None:
    assert nearest_types(typed, KNOWN) == f"did you mean {meant}?"


def test_every_short_name_stands_for_a_type_of_dhis2() -> None:
    singulars = {item.singular for item in facts.resources("v42").values()}
    assert {*SHORT.values(), *BEGINNINGS.values()} <= singulars


def test_a_sub_domain_is_named_as_it_is_typed() -> None:
    assert nearest_types("orgunits", ["data-elements", "organisation-units"]) == "did you mean organisation-units?"
    assert nearest_types("zzzz", KNOWN) is None
