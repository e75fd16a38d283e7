"""Sharing looked through: what is open, whose owner is gone, which groups are empty."""

import pytest

from dhis2sh.errors import CheckFailed, UsageError
from dhis2sh.session import Session
from tests.metadata.calls import call, do, planned


async def found(s: Session, **more: object) -> set[tuple[str, str]]:
    return {(row["name"], row["problem"]) for row in (await call(s, "sharing audit", **more)).plain()}


async def test_what_everybody_may_change_is_found_with_the_command_that_mends_it(s: Session):
    await do(s, "metadata share", type="dataSets", objects=["Monthly"], public="rw/rw")
    rows = [row for row in (await call(s, "sharing audit", types=["dataSets"])).plain() if row["name"] == "Monthly"]
    assert [row["problem"] for row in rows] == ["public data", "public edit"]
    assert rows[1]["detail"].endswith("(rwrw----); --public r-rw---- leaves their data entry")
    assert {row["fix"] for row in rows} == {f"dhis2 metadata share dataSets {rows[0]['id']} --public r-r-----"}
    await do(s, "metadata share", type="dataSets", objects=["Monthly"], public="r-r-----")
    assert "Monthly" not in {name for name, _ in await found(s, types=["dataSets"])}


async def test_sharing_without_a_slash_says_from_whom_it_takes_data(s: Session):
    await do(s, "metadata share", type="dataSets", objects=["Monthly"], public="rw/rw")
    plan = await planned(s, "metadata share", type="dataSets", objects=["Monthly"], public="r")
    assert "takes data away from everybody in 1 dataSets: r/r leaves reading, r/rw entering too" in plan.notes
    assert not (await planned(s, "metadata share", type="dataSets", objects=["Monthly"], public="r/rw")).notes


async def test_a_data_store_is_no_list_of_objects(s: Session):
    await do(s, "datastore set", namespace="apps", key="k", value="1")
    assert isinstance(await found(s), set)


async def test_an_owner_who_is_gone_and_a_group_of_nobody(s: Session):
    await do(s, "metadata create", type="userGroups", set=["name=Nobody"])
    store = s.sandbox_store()
    (monthly,) = [body for body in store.objects("dataSets").values() if body["name"] == "Monthly"]
    store.put_objects({"dataSets": [{**monthly, "sharing": {"public": "r-r-----", "owner": "usGoneOwn01"}}]})
    assert {("Nobody", "empty group"), ("Monthly", "no owner")} <= await found(s)


@pytest.mark.parametrize("owner", ["XXXXXSystem", "system-process"])
async def test_what_the_server_itself_has_made_is_no_orphan(s: Session, owner: str):
    """Recorded (people-me 10): the second is how a 2.41 calls itself."""
    store = s.sandbox_store()
    (monthly,) = [body for body in store.objects("dataSets").values() if body["name"] == "Monthly"]
    store.put_objects({"dataSets": [{**monthly, "sharing": {"public": "r-r-----", "owner": owner}}]})
    assert ("Monthly", "no owner") not in await found(s)


async def test_a_type_that_is_not_shared_is_refused(s: Session):
    with pytest.raises(UsageError, match="options are not shared"):
        await call(s, "sharing audit", types=["options"])


async def test_a_check_for_machines(s: Session):
    await do(s, "metadata create", type="userGroups", set=["name=Nobody"])
    with pytest.raises(CheckFailed, match="findings in sharing"):
        await call(s, "sharing audit", check=True)
