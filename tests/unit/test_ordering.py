"""In which order types are sent and deleted: what others refer to first, the other way round when it goes."""

import pytest

from dhis2sh.dhis2.ordering import groups_of_types
from dhis2sh.dhis2.references import paths_to
from dhis2sh.models import facts


@pytest.mark.parametrize("version", ["v40", "v41", "v42", "v43", "v44"])
@pytest.mark.parametrize("deleting", [False, True])
def test_no_type_goes_before_one_that_refers_to_it_nor_comes_before_one_that_it_needs(
    version: str, deleting: bool
) -> None:
    types = facts.types(version)
    plurals = [item.plural for item in types.values() if item.endpoint and item.metadata]
    groups = groups_of_types(plurals, types, deleting=deleting)
    place = {plural: number for number, group in enumerate(groups) for plural in group}

    assert sorted(place) == sorted(plurals)
    assert place["programs"] == place["programStages"], "they refer to each other"
    for needed in plurals:
        for kind, path in paths_to(needed, types):
            if kind in place and kind != needed:
                right = place[kind] <= place[needed] if deleting else place[needed] <= place[kind]
                assert right, f"{kind}.{path} leads to {needed}"


def test_what_leads_nowhere_stays_in_the_servers_order() -> None:
    types = facts.types("v42")
    program = {"programs", "programStages", "programStageSections", "programIndicators"}
    plurals = [*program, "eventCharts", "legendSets", "constants", "attributes"]
    found = groups_of_types(plurals, types)

    parts = next(group for group in found if "programs" in group)
    assert set(parts) == program
    assert found.index(parts) < found.index(["eventCharts"]), (
        "although the parts of a program come behind it in that order"
    )
    single = [group[0] for group in found if group is not parts]
    assert single == sorted(single, key=lambda plural: types[plural].order)
