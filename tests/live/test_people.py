"""Accounts and roles of our own on a running server: made, changed, switched off and on, and gone."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, cast

import pytest

from dhis2sh.errors import Dhis2Error
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from tests.fakes.person import Somebody
from tests.live.acting import alone, deleted_for_good, or_error, planned, read, taken_back, write
from tests.live.place import PREFIX, Place, uid_of
from tests.live.traces import ACCOUNT

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
CLERK, CHIEF, GROUP = uid_of("role of clerks"), uid_of("role of chiefs"), uid_of("group of the tests")
ROLES = {
    "userRoles": [
        {"id": CLERK, "name": f"{PREFIX} clerk", "description": "of the tests", "authorities": ["F_DATAVALUE_ADD"]},
        {"id": CHIEF, "name": f"{PREFIX} chief", "description": "of the tests", "authorities": ["F_APPROVE_DATA"]},
    ]
}
ANNA, BEN, COPY = f"{ACCOUNT}anna", f"{ACCOUNT}ben", f"{ACCOUNT}copy"
SECRET = "Lv-Te5t-long-enough"
NOT_CHANGED_SINCE = 41
"""From 2.41 on a username stays (E4056)."""


async def roles_made(s: Session) -> None:
    Path("roles.json").write_text(json.dumps(ROLES))
    await write(s, "metadata import", file="roles.json")


async def accounts(s: Session) -> dict[str, dict[str, Any]]:
    return {row["username"]: row for row in await read(s, "user list", query=ACCOUNT)}


@pytest.mark.verbs(
    "user create", "user list", "user get", "user import", "user diff", "user whocan", "user grant", "user revoke",
    "user disable", "user enable", "user replicate", "user rename-username", "undo",
)  # fmt: skip
def test_accounts_live_and_go(live: Place) -> None:
    async def life(s: Session) -> None:
        s.person = Somebody(knows=SECRET)
        names = {"first_name": "Anna", "surname": "Lv"}
        try:
            await roles_made(s)
            await write(s, "user create", username=ANNA, **names, role=[CLERK], passwords=Path("anna.csv"))
            with Path("staff.csv").open("w", newline="") as file:
                csv.writer(file).writerows(
                    [("username", "firstName", "surname", "roles"), (BEN, "Ben", "Lv", f"{PREFIX} chief")]
                )
            await write(s, "user import", file=Path("staff.csv"), passwords=Path("staff-passwords.csv"))
            assert {name: row["roles"] for name, row in (await accounts(s)).items()} == {
                ANNA: [f"{PREFIX} clerk"],
                BEN: [f"{PREFIX} chief"],
            }
            differs = await read(s, "user diff", left=ANNA, right=BEN)
            assert {row["authority"] for row in differs} == {"F_DATAVALUE_ADD", "F_APPROVE_DATA"}
            assert ANNA in {row["username"] for row in await read(s, "user whocan", authority="F_DATAVALUE_ADD")}
            await write(s, "user grant", user=ANNA, roles=[CHIEF])
            assert len((await read(s, "user get", user=ANNA))["roles"]) == 2
            await write(s, "user revoke", user=ANNA, roles=[CLERK])
            assert (await read(s, "user get", user=ANNA))["roles"] == [f"{PREFIX} chief"]
            await write(s, "user disable", users=[ANNA, BEN])
            assert all(row["disabled"] for row in (await accounts(s)).values())
            await write(s, "user enable", users=[ANNA])
            assert {name: row["disabled"] for name, row in (await accounts(s)).items()} == {ANNA: False, BEN: True}
            await _renamed(s)
            await write(s, "user replicate", user=BEN, username=COPY)
            assert (await read(s, "user get", user=COPY))["roles"] == [f"{PREFIX} chief"]
            await deleted_for_good(s, "users", (await accounts(s))[COPY]["id"])  # a replica is not taken back
        finally:
            stays = await taken_back(s)
        assert [one for one in stays if ACCOUNT not in one] == []
        assert await accounts(s) == {}

    alone(life)


async def _renamed(s: Session) -> None:
    """An account under another name, where a server allows that."""
    another = f"{ACCOUNT}akamara"
    done = await or_error(write(s, "user rename-username", user=ANNA, username=another))
    if (await s.client.version()).minor >= NOT_CHANGED_SINCE:
        assert isinstance(done, Dhis2Error)
        return
    assert another in await accounts(s)
    await write(s, "user rename-username", user=another, username=ANNA)


@pytest.mark.verbs("user invite", "user reinvite", "user reset-password", "user two-factor-off", "user inactive")
def test_what_mails_people_is_only_planned(live: Place) -> None:
    async def looked_at(s: Session) -> None:
        try:
            await roles_made(s)
            await write(
                s, "user create", username=ANNA, first_name="Anna", surname="Lv", role=[CLERK],
                email="anna@example.org", passwords=Path("anna.csv"),
            )  # fmt: skip
            Path("guests.csv").write_text(
                f"username,firstName,surname,email,roles\n{BEN},Ben,Lv,ben@example.org,{PREFIX} clerk\n"
            )
            assert (await planned(s, "user invite", file=Path("guests.csv"))).steps
            for verb in ("user reset-password", "user reinvite", "user two-factor-off"):
                plan = await or_error(planned(s, verb, users=[ANNA]))
                assert isinstance(plan, Dhis2Error) or plan.steps or "had no second factor" in plan.notes[0]
            assert ANNA not in {row["username"] for row in await read(s, "user inactive", time="30d")}
        finally:
            stays = await taken_back(s)
        assert stays == []

    alone(looked_at)


@pytest.mark.verbs(
    "user-role authorities list", "user-role authorities add", "user-role authorities remove",
    "user-role authorities set", "user-role diff", "undo",
)  # fmt: skip
def test_what_a_role_may(live: Place) -> None:
    async def may(s: Session) -> set[str]:
        return {row["authority"] for row in await read(s, "user-role authorities list", role=CLERK)}

    async def life(s: Session) -> None:
        try:
            await roles_made(s)
            assert await may(s) == {"F_DATAVALUE_ADD"}
            await write(s, "user-role authorities add", role=CLERK, authorities=["F_VIEW_EVENT_ANALYTICS"])
            assert await may(s) == {"F_DATAVALUE_ADD", "F_VIEW_EVENT_ANALYTICS"}
            await write(s, "user-role authorities remove", role=CLERK, authorities=["F_DATAVALUE_ADD"])
            assert await may(s) == {"F_VIEW_EVENT_ANALYTICS"}
            await write(s, "user-role authorities set", role=CLERK, authorities=["F_APPROVE_DATA"])
            assert await may(s) == {"F_APPROVE_DATA"}
            assert await read(s, "user-role diff", left=CLERK, right=CHIEF) == []
            await write(s, "undo")
            assert await may(s) == {"F_VIEW_EVENT_ANALYTICS"}
        finally:
            stays = await taken_back(s)
        assert stays == []

    alone(life)


@pytest.mark.verbs("user-group members add", "user-group members remove", "undo")
def test_who_is_in_a_group(live: Place) -> None:
    async def members(s: Session) -> set[str]:
        body = await s.client.get_object(f"userGroups/{GROUP}", {"fields": "users[username]"})
        return {str(one["username"]) for one in cast("list[JsonObject]", body.get("users") or [])}

    async def life(s: Session) -> None:
        try:
            await roles_made(s)
            Path("group.json").write_text(json.dumps({"userGroups": [{"id": GROUP, "name": f"{PREFIX} group"}]}))
            await write(s, "metadata import", file="group.json")
            await write(
                s, "user create", username=ANNA, first_name="Anna", surname="Lv", role=[CLERK], passwords=Path("a.csv")
            )
            await write(s, "user-group members add", group=GROUP, users=[ANNA])
            assert await members(s) == {ANNA}
            await write(s, "user-group members remove", group=GROUP, users=[ANNA])
            assert await members(s) == set()
            await write(s, "undo")
            assert await members(s) == {ANNA}
        finally:
            stays = await taken_back(s)
        assert stays == []

    alone(life)
