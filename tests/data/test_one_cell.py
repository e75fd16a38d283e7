"""One value by what names its cell: deleted, set to nothing, counted and refused in words that help."""

from pathlib import Path

import pytest

from dhis2sh.client.messages import WebMessage
from dhis2sh.data import sending
from dhis2sh.errors import NotFound, ServerFault, UsageError
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from tests.data.sheets import refused
from tests.data.test_aggregate import values, write
from tests.metadata.calls import do, planned

CELL: dict[str, object] = {"data_element": ["Visits"], "period": ["202501"], "org_unit": ["Clinic A"]}


async def test_one_combination_of_an_element_is_deleted_and_comes_back(s: Session):
    before = await values(s)
    plan = await planned(s, "data aggregate delete", combo=["Female"], **CELL)
    assert [step.detail for step in plan.steps] == ["20 -> nothing"]
    assert (await do(s, "data aggregate delete", combo=["Female"], **CELL)).deleted == 1
    assert before.keys() - (await values(s)).keys() == {("Visits", "Female", "Clinic A", "202501")}
    await do(s, "undo")
    assert await values(s) == before
    with pytest.raises(NotFound, match="'Femal' is no category option combination of these data elements"):
        await planned(s, "data aggregate delete", combo=["Female", "Femal"], **CELL)


async def test_an_empty_value_names_the_delete(s: Session):
    cell = {"element": "Visits", "period": "202501", "org_unit": "Clinic A", "combo": "Female", "value": " "}
    with pytest.raises(UsageError) as caught:
        await planned(s, "data aggregate set", **cell)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(
        "dhis2 data aggregate delete --data-element deVisits001 --period 202501 --org-unit ouClinicA01 --combo Female"
    )


async def test_set_names_no_option_that_it_lacks(s: Session):
    cell = {"element": "Stock", "period": "20250131", "org_unit": "Clinic A", "value": "1"}
    told = str((await planned(s, "data aggregate set", **cell)).blocked)
    assert "its month is 202501" in told
    assert "--by-date" not in told


async def test_new_values_are_created_on_2_43_too(nation_home: Path):
    """It counts them as updated (data-types-good 2): what was there before says otherwise."""
    open_store(nation_home / "data" / "sandbox.db", version="2.43").close()
    s = Session("sandbox")
    sheet = write("dataElement,period,orgUnit,value\nStock,202501,Clinic A,1\nStock,202506,Clinic C,2\n")
    assert any(
        "create 1, update 1, delete 0" in note for note in (await planned(s, "data aggregate push", file=sheet)).notes
    )
    summary = await do(s, "data aggregate push", file=sheet)
    assert (summary.created, summary.updated) == (1, 1)
    await s.aclose()


async def test_a_check_that_fails_says_that_nothing_was_written(s: Session, monkeypatch: pytest.MonkeyPatch):
    warned: list[str] = []
    monkeypatch.setattr(s.person, "warn", warned.append)

    async def failing(*_: object, **__: object) -> object:
        raise ServerFault("504 Gateway Timeout", status=504)

    monkeypatch.setattr(s.client, "write", failing)
    with pytest.raises(ServerFault):
        await planned(
            s, "data aggregate push", file=write("dataElement,period,orgUnit,value\nStock,202506,Clinic A,1\n")
        )
    assert warned == ["the server could not check the values before they are sent: nothing of them was written"]


async def test_a_day_as_a_spreadsheet_counts_is_recognised(s: Session):
    told = await refused(s, write("Facility,Period,Stock\nClinic A,46053,1\n"))
    assert "as the day of a spreadsheet it is 2026-01-31" in told


def test_a_unit_that_is_not_of_the_account_says_what_to_look_at():
    told = "Organisation unit: `ouClinicA01` not in hierarchy of current user: `clerk`"
    message = WebMessage(response={"conflicts": [{"errorCode": "E7617", "value": told, "indexes": [0]}]})
    (reason,) = sending.refusals(message, 1).values()
    assert "dhis2 system whoami" in reason
