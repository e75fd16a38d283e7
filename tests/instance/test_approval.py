"""A round of approval over a nation: clinics, districts, the nation; who waits for whom; and all of it taken back."""

from typing import Any

import pytest

from dhis2sh.changes.journal import journal_of
from dhis2sh.errors import CheckFailed, Refused, UsageError
from dhis2sh.instance import approval
from dhis2sh.session import Session
from tests.metadata.calls import call, do, planned

MONTH = {"data_set": "Monthly", "period": "202501"}


@pytest.fixture
def flow(s: Session) -> Session:
    """The data set `Monthly` is approved at the nation's three levels, clinics first."""
    store = s.sandbox_store()
    (monthly,) = [body for body in store.objects("dataSets").values() if body["name"] == "Monthly"]
    store.put_objects({"dataSets": [{**monthly, "workflow": {"id": "dawMonthly1"}}]})
    return s


async def states(s: Session, level: int, **more: Any) -> dict[str, str]:
    rows = await call(s, "approval status", **MONTH, org_units=["Nation"], level=level, **more)
    return {row["orgUnitName"]: row["state"] for row in rows.plain()}


async def test_a_full_round_and_the_way_back(flow: Session):
    assert set((await states(flow, 3)).values()) == {"UNAPPROVED_READY"}
    assert set((await states(flow, 2)).values()) == {"UNAPPROVED_WAITING"}
    for level, count in ((3, 3), (2, 2), (1, 1)):
        done = await do(flow, "approval approve", **MONTH, org_units=["Nation"], level=level)
        assert done.updated == count
    assert (await states(flow, 1)) == {"Nation": "APPROVED_HERE"}
    assert set((await states(flow, 3)).values()) == {"APPROVED_ABOVE"}
    for _ in range(3):
        await do(flow, "undo")
    assert set((await states(flow, 3)).values()) == {"UNAPPROVED_READY"}


async def test_what_waits_is_left_out_and_who_it_waits_for_is_said(flow: Session):
    await do(flow, "approval approve", **MONTH, org_units=["Clinic A", "Clinic B"])
    plan = await planned(flow, "approval approve", **MONTH, org_units=["North", "South"])
    assert [step.name for step in plan.steps] == ["North, 202501"]
    assert plan.notes == ["1 unit left out: waits: a unit below is not approved"]
    rows = (await call(flow, "approval status", **MONTH, org_units=["South"], blockers=True)).plain()
    assert [(row["orgUnitName"], row["waitsFor"]) for row in rows] == [("South", "Clinic C")]


async def test_where_nothing_can_be_done_it_is_refused_with_the_reason(flow: Session):
    """Recorded (approval-single 7): the server's 409 has no message."""
    with pytest.raises(Refused, match="nothing can be done: 1 unit left out: waits: a unit below is not approved"):
        await do(flow, "approval approve", **MONTH, org_units=["Nation"])
    with pytest.raises(Refused, match="nothing can be done: 1 unit left out: ready to be approved"):
        await do(flow, "approval accept", **MONTH, org_units=["Clinic A"])


@pytest.mark.parametrize("verb", ["approval status", "approval approve", "approval unapprove"])
async def test_a_period_of_another_type_than_the_set_is_refused(flow: Session, verb: str):
    with pytest.raises(UsageError, match="2025W3 is Weekly, and these data are Monthly") as refused:
        await call(flow, verb, **MONTH | {"period": "2025W3"}, org_units=["Nation"])
    assert refused.value.hint == "a period such as 202501"


async def test_approving_twice_changes_nothing_and_says_so(flow: Session):
    await do(flow, "approval approve", **MONTH, org_units=["Clinic A"])
    again = await planned(flow, "approval approve", **MONTH, org_units=["Clinic A"])
    assert (list(again.steps), again.notes) == ([], ["1 already approved"])
    assert [(row["name"], row["reason"]) for row in again.left_out] == [("Clinic A", "already approved")]


async def test_who_is_left_out_is_named_and_the_counts_are_those_of_what_was_done(
    flow: Session, monkeypatch: pytest.MonkeyPatch
):
    await do(flow, "approval approve", **MONTH, org_units=["Clinic A"])
    asked = approval.cells

    async def silent(s: Session, flow: str, periods: list[str], units: list[str], combo: str | None = None) -> list:
        return [cell for cell in await asked(s, flow, periods, units, combo) if cell.unit != "ouSouth0001"]

    monkeypatch.setattr(approval, "cells", silent)
    arguments = {**MONTH, "org_units": ["Clinic A", "Clinic B", "South", "Nation"]}
    plan = await planned(flow, "approval approve", **arguments)
    left = {"Clinic A": "already approved", "South": approval.UNKNOWN, "Nation": "waits: a unit below is not approved"}
    assert {row["name"]: row["reason"] for row in plan.left_out} == left
    assert plan.title == "approve 'Monthly' for 202501: 1 unit"
    assert f"left out: South: {approval.UNKNOWN}" in repr(plan)
    done = await do(flow, "approval approve", **arguments)
    assert (done.updated, {row["name"] for row in done.left_out}) == (1, {*left})
    entry = journal_of(flow).entries()[0]
    assert (entry.title, entry.states) == (plan.title, {"done": 1})
    assert (await do(flow, "undo")).updated == 1


async def test_an_approval_from_above_is_not_taken_back_from_below(flow: Session):
    """Recorded (approval-single 18, 19): APPROVED_ABOVE, and DELETE is 409."""
    for level in (3, 2):
        await do(flow, "approval approve", **MONTH, org_units=["Nation"], level=level)
    with pytest.raises(Refused, match="1 unit left out: approved, here and above"):
        await do(flow, "approval unapprove", **MONTH, org_units=["Clinic A"])


async def test_an_undo_below_an_approval_names_the_one_that_comes_first(flow: Session):
    for level in (3, 2):
        await do(flow, "approval approve", **MONTH, org_units=["Nation"], level=level)
    with pytest.raises(Refused, match="approved, here and above") as told:
        await do(flow, "undo", id=1)
    assert told.value.hint == "dhis2 undo 2  comes first: it was written after this"
    for number in (2, 1):
        await do(flow, "undo", id=number)


async def test_incomplete_data_is_not_approved_where_that_is_asked_for(flow: Session):
    with pytest.raises(CheckFailed, match="'Monthly' is not complete for 202501: 1 unit missing: Clinic A") as told:
        await do(flow, "approval approve", **MONTH, org_units=["Clinic A"], fail_on_incomplete=True)
    assert told.value.hint == "dhis2 data completeness dsMonthly01 --period 202501 --org-unit ouClinicA01 --missing"
    await do(flow, "data complete", data_set="Monthly", period="202501", org_units=["Clinic A"])
    assert (await do(flow, "approval approve", **MONTH, org_units=["Clinic A"], fail_on_incomplete=True)).updated == 1


async def test_only_the_units_of_the_level_and_those_below_must_be_complete(flow: Session):
    """A set that districts and the nation report as well: approving the clinics does not wait for those."""
    store = flow.sandbox_store()
    (monthly,) = [body for body in store.objects("dataSets").values() if body["name"] == "Monthly"]
    units = [{"id": uid} for uid in store.objects("organisationUnits")]
    store.put_objects({"dataSets": [{**monthly, "organisationUnits": units}]})
    clinics = {"org_units": ["Nation"], "level": 3, "fail_on_incomplete": True}
    with pytest.raises(CheckFailed, match="3 units missing: Clinic A"):
        await do(flow, "approval approve", **MONTH, **clinics)
    await do(flow, "data complete", data_set="Monthly", period="202501", org_units=["Clinic A", "Clinic B", "Clinic C"])
    assert (await do(flow, "approval approve", **MONTH, **clinics)).updated == 3
    with pytest.raises(CheckFailed, match="2 units missing: North, South"):
        await do(flow, "approval approve", **MONTH, **(clinics | {"level": 2}))


async def test_a_set_without_a_workflow_is_refused(s: Session):
    with pytest.raises(UsageError, match="'Monthly' has no approval workflow") as told:
        await call(s, "approval status", **MONTH, org_units=["Nation"])
    assert str(told.value.hint).startswith("dhis2 metadata ")


async def test_a_set_without_a_workflow_is_told_how_it_gets_one(flow: Session):
    body = await flow.client.get_object("dataSets/dsMonthly01", {"fields": ":owner"})
    flow.sandbox_store().put_objects({"dataSets": [{key: body[key] for key in body if key != "workflow"}]})
    with pytest.raises(UsageError) as told:
        await call(flow, "approval status", **MONTH, org_units=["Nation"])
    hint = "dhis2 metadata update dataSets dsMonthly01 --set workflow=dawMonthly1  gives it "
    assert str(told.value.hint).startswith(hint)
    plan = await planned(flow, "metadata update", type="dataSets", uid="dsMonthly01", set=["workflow=dawMonthly1"])
    assert "workflow: nothing -> " in plan.steps[0].words()


async def test_a_level_at_which_nobody_approves(flow: Session):
    with pytest.raises(UsageError, match="has no approval at level 4"):
        await call(flow, "approval status", **MONTH, org_units=["Nation"], level=4)


async def test_approving_again_with_one_left_out_changes_nothing(flow: Session):
    await do(flow, "approval approve", **MONTH, org_units=["Clinic A"])
    again = await do(flow, "approval approve", **MONTH, org_units=["Clinic A", "Nation"])
    assert "nothing changed" in again.line() and "1 unit left out: waits" in again.line()
    with pytest.raises(Refused, match=r"entry 2, wrote nothing \(.* 1 already approved"):
        await planned(flow, "undo")
    plan = await planned(flow, "undo", id=1)
    assert [step.name for step in plan.steps] == ["Clinic A, 202501"]
    with pytest.raises(Refused) as refused:
        await do(flow, "approval approve", **MONTH, org_units=["Nation"])
    assert str(refused.value.hint).endswith(" 202501 Nation --blockers")
    with pytest.raises(Refused, match="the last attempt, entry 3, wrote nothing") as refused:
        await do(flow, "undo")
    assert str(refused.value.hint).startswith("dhis2 undo 1  takes back the write before it")
