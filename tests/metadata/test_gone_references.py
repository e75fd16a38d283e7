"""What is made again and referred to what is gone by then: accounts never come back without a role, all of it is said."""

from typing import Any

import pytest

from dhis2sh.errors import PartlyDone, Refused
from dhis2sh.session import Session
from tests.metadata.calls import do, planned


async def account(s: Session, name: str, uid: str, *roles: str, groups: tuple[str, ...] = ()) -> None:
    body: Any = {
        "id": uid, "username": name, "firstName": name, "surname": "Example", "password": "Example_2026!",
        "userRoles": [{"id": role} for role in roles],
    }  # fmt: skip
    await s.client.post("users", body)


@pytest.fixture
async def s(session: Session) -> Session:
    for uid, name in (("rlExample01", "Clerk"), ("rlExample02", "Reader")):
        await session.client.post("userRoles", {"id": uid, "name": name, "authorities": ["F_SEND_EMAIL"]})
    await account(session, "anna_one", "usExample01", "rlExample01")
    await account(session, "anna_two", "usExample02", "rlExample01", "rlExample02")
    await do(session, "metadata delete", type="users", objects=["usExample01", "usExample02"])
    await do(session, "metadata delete", type="userRoles", objects=["rlExample01"])
    return session


async def test_accounts_come_back_with_the_roles_that_are_there_and_none_without_any(s: Session):
    undo = await planned(s, "undo", id=1)
    assert [step.name for step in undo.steps] == ["anna_two Example"]
    none, some = (
        next(note for note in undo.notes if note.startswith(word)) for word in ("not made again", "comes back without what")
    )  # fmt: skip
    assert "userRoles Clerk [rlExample01]" in none and "anna_one" in none and "first dhis2 undo 2" in none
    assert "userRoles Clerk [rlExample01]" in some and "anna_two" in some
    with pytest.raises(PartlyDone, match="2 not as before") as partly:
        await do(s, "undo", id=1)
    done = partly.value.summary
    assert done is not None and (done.created, done.ignored, done.failures) == (1, 0, [])
    back: Any = await s.client.get("users/usExample02")
    assert [role["id"] for role in back["userRoles"]] == ["rlExample02"]


async def test_where_nothing_is_left_the_plan_is_blocked_and_says_what_to_undo_first(s: Session):
    await do(s, "metadata delete", type="userRoles", objects=["rlExample02"])
    undo = await planned(s, "undo", id=1)
    assert isinstance(undo.blocked, Refused) and "dhis2 undo 3" in str(undo.blocked)
    assert str(undo.blocked.hint) in {"dhis2 undo 2", "dhis2 undo 3"}
    await do(s, "undo", id=3)
    await do(s, "undo", id=2)
    assert (await do(s, "undo", id=1)).created == 2


async def test_other_objects_say_what_they_refer_to_that_is_gone(session: Session):
    await session.client.post("indicatorTypes", {"id": "itExample01", "name": "Per cent", "factor": 100})
    await session.client.post("indicators", {
        "id": "inExample01", "name": "Coverage", "shortName": "Coverage", "numerator": "1", "denominator": "1",
        "indicatorType": {"id": "itExample01"},
    })  # fmt: skip
    await do(session, "metadata delete", type="indicators", objects=["inExample01"])
    await do(session, "metadata delete", type="indicatorTypes", objects=["itExample01"])
    undo = await planned(session, "undo", id=1)
    assert any("indicatorType Per cent [itExample01]" in note and "first dhis2 undo 2" in note for note in undo.notes)
