"""Values of one server into another: what they speak of is found there by UID, code or name, and what is not is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh.errors import PartlyDone, UsageError
from dhis2sh.sandbox.load import load
from dhis2sh.sandbox.store.database import Store
from dhis2sh.session import Session
from tests.data.test_aggregate import values
from tests.fakes.staging import staging as second_server
from tests.metadata.calls import do, planned
from tests.sandbox import nation

COPIED = {"source": "staging", "data_set": ["Monthly"], "period": ["202504"], "org_unit": ["Nation"], "children": True}


@pytest.fixture
def staging(nation_home: Path, tmp_path: Path) -> Iterator[Store]:
    """The same nation on another server: there Stock has another UID and a code, Clinic B another UID, Visits the same."""
    renamed = {"deStock0001": "deOther0001", "ouClinicB01": "ouOther0001"}
    text = nation.metadata()

    def other(value: object) -> object:
        if isinstance(value, dict):
            return {key: other(item) for key, item in value.items()}
        if isinstance(value, list):
            return [other(item) for item in value]
        return renamed.get(value, value) if isinstance(value, str) else value

    body = other(text)
    assert isinstance(body, dict)
    rows = [
        nation.value("deOther0001", "202504", "ouClinicA01", 3),
        nation.value("deOther0001", "202504", "ouOther0001", 4),
        nation.value("deVisits001", "202504", "ouClinicA01", 5, nation.MALE),
    ]

    def fill(store: Store) -> None:
        load(store, body)
        load(store, {"dataValues": rows})

    with second_server(tmp_path / "staging.db", fill) as store:
        yield store


async def test_values_come_over_by_uid_code_and_name_and_go_again(s: Session, staging: Store):
    before = await values(s, period=["202504"])
    assert (await do(s, "data aggregate copy", **COPIED)).created == 3
    found = await values(s, period=["202504"])
    assert {key: found[key] for key in found.keys() - before.keys()} == {
        ("Stock", "default", "Clinic A", "202504"): "3",
        ("Stock", "default", "Clinic B", "202504"): "4",
        ("Visits", "Male", "Clinic A", "202504"): "5",
    }
    again = await planned(s, "data aggregate copy", **COPIED)
    assert any("3 hold these values already" in note for note in again.notes)
    await do(s, "undo")
    assert await values(s, period=["202504"]) == before


async def test_what_the_target_does_not_have_is_refused_and_the_rest_copied(s: Session, staging: Store):
    store = s.sandbox_store()
    store.put_objects({"organisationUnits": [{**store.get("organisationUnits", "ouClinicB01"), "name": "Renamed"}]})
    with pytest.raises(PartlyDone, match="there is no organisation unit with the UID, code or name 'Clinic B'"):
        await do(s, "data aggregate copy", **COPIED, rejected=Path("mend.csv"))
    assert "Clinic B" in Path("mend.csv").read_text("utf-8")
    assert ("Stock", "default", "Clinic A", "202504") in await values(s, period=["202504"])


async def test_a_profile_is_not_copied_into_itself(s: Session):
    with pytest.raises(UsageError, match="cannot be copied into itself"):
        await planned(s, "data aggregate copy", **{**COPIED, "source": "sandbox"})


async def test_a_code_over_another_name_is_asked_about(s: Session, staging: Store):
    """The target's 'Swapped' has the code of the source's Stock, and the target has a Stock of its own."""
    store = s.sandbox_store()
    stock = store.get("dataElements", "deStock0001")
    staging.put_objects({"dataElements": [{**staging.get("dataElements", "deOther0001"), "code": "STK"}]})
    store.put_objects(
        {
            "dataElements": [
                {**stock, "id": "deSwapped01", "name": "Swapped", "shortName": "S", "code": "STK"},
                {**stock, "code": None},
            ]
        }
    )
    with pytest.raises(
        UsageError,
        match="the data element 'Stock' is 'Swapped' there, by its code, and another one there has that very name",
    ) as caught:
        await planned(s, "data aggregate copy", **COPIED)
    assert caught.value.hint == (
        "say which, once for each: --map deOther0001=deSwapped01, or --map deOther0001=deStock0001"
    )
    plan = await planned(s, "data aggregate copy", **COPIED, map_=["deOther0001=deStock0001"])
    assert {step.name.partition(",")[0] for step in plan.steps} == {"Stock", "Visits"}
    assert not any("is 'Swapped' there" in note for note in plan.notes)
    with pytest.raises(UsageError, match="'Nothing' is nothing on the source"):
        await planned(s, "data aggregate copy", **COPIED, map_=["Nothing=Stock"])


async def test_pairs_of_other_names_and_value_types_are_named(s: Session, staging: Store):
    store = s.sandbox_store()
    visits = {**store.get("dataElements", "deVisits001"), "name": "Consultations", "valueType": "INTEGER"}
    unit = {**store.get("organisationUnits", "ouClinicA01"), "name": "clinic  a"}
    store.put_objects({"dataElements": [visits], "organisationUnits": [unit]})
    plan = await planned(s, "data aggregate copy", **COPIED)
    assert "the data element 'Visits' is 'Consultations' there, by its UID" in plan.notes
    assert "the data element 'Visits' is of the value type NUMBER, and there of INTEGER" in plan.notes
    assert not any("Clinic A" in note for note in plan.notes)
