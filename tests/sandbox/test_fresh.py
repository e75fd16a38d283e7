"""What every DHIS2 holds is the same in an empty sandbox and in the fictional country."""

import pytest
from dhis2_models import facts

from dhis2sh.metadata.bundles.diff import differs
from dhis2sh.sandbox.seed.country import country
from dhis2sh.sandbox.store.fresh import fresh_metadata


@pytest.mark.parametrize("plural", ["categoryOptions", "categories", "categoryCombos", "categoryOptionCombos"])
def test_an_import_of_the_country_changes_no_default_object(plural: str) -> None:
    [empty] = fresh_metadata()[plural]
    [seeded] = [item for item in country().metadata()[plural] if item["id"] == empty["id"]]
    said = {name for name in {*empty, *seeded} if name != "sharing"}
    assert not [name for name in said if differs(plural, name, empty.get(name), seeded.get(name), facts.types("v42"))]


def test_the_default_category_is_no_dimension() -> None:
    assert fresh_metadata()["categories"][0]["dataDimension"] is False
