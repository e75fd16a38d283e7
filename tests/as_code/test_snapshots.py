"""How a server was: kept, compared with now and with another, brought back."""

import zipfile
from pathlib import Path

import pytest

from dhis2sh.client import reading
from dhis2sh.client.protocol import Requests
from dhis2sh.client.requests import effect_scope
from dhis2sh.errors import CheckFailed, Forbidden, NotFound, UsageError
from dhis2sh.session import Session
from dhis2sh.types import Row
from tests.metadata.calls import call, do, planned

TYPES = ["dataElements", "constants", "settings", "dataStore"]


async def diff(s: Session, **arguments: object) -> list[dict]:
    return (await call(s, "snapshot diff", **arguments)).plain()


async def take_monday(s: Session) -> None:
    await do(s, "metadata create", type="constants", set=["name=Old", "shortName=Old", "value=1", "id=coOld000001"])
    await do(s, "metadata create", type="constants", set=["name=Stock", "shortName=S", "value=1", "id=coStock0001"])
    assert (await call(s, "snapshot take", name="monday", types=TYPES)).objects > 3


async def change(s: Session) -> None:
    await do(s, "metadata update", type="constants", uid="coStock0001", set=["description=Changed"])
    await do(s, "metadata create", type="constants", set=["name=Pi", "shortName=Pi", "value=3.14", "id=coPi0000001"])
    await do(s, "metadata delete", type="constants", objects=["coOld000001"])
    await do(s, "datastore set", namespace="looks", key="theme", value='{"colour": "green"}')


async def test_what_changed_since_and_by_whom_and_all_of_it_back(small: Session):
    await take_monday(small)
    assert await diff(small) == []
    await change(small)
    found = await diff(small)
    told = [(row["change"], row["type"], row["id"], row["property"], row["by"]) for row in found]
    assert told == [
        ("removed", "constants", "coOld000001", None, None),
        ("added", "constants", "coPi0000001", None, "admin"),
        ("changed", "constants", "coStock0001", "description", "admin"),
        ("added", "dataStore", "looks/theme", None, None),
    ]
    assert (found[2]["before"], found[2]["after"]) == (None, "Changed")
    with pytest.raises(CheckFailed):
        await diff(small, check=True)
    plan = await planned(small, "snapshot restore")
    assert {(step.action, step.uid) for step in plan.steps} == {("update", "coStock0001"), ("create", "coOld000001")}
    await do(small, "snapshot restore", name="monday", prune=True)
    assert await diff(small) == []
    await do(small, "undo")
    assert [(row["change"], row["id"]) for row in await diff(small)] == [(row["change"], row["id"]) for row in found]


async def test_two_snapshots_are_compared_without_the_server(small: Session):
    await take_monday(small)
    await change(small)
    now = await diff(small)
    await call(small, "snapshot take", name="friday", types=TYPES)
    sent = len(small.client.transport.sent)
    found = await diff(small, before="monday", after="friday")
    assert len(small.client.transport.sent) == sent
    assert [(row["change"], row["id"], row["property"], row["after"]) for row in found] == [
        (row["change"], row["id"], row["property"], row["after"]) for row in now
    ]
    assert [row["name"] for row in (await call(small, "snapshot list")).plain()] == ["monday", "friday"]


async def test_a_snapshot_is_its_owners_alone_and_holds_no_secret(small: Session, home: Path):
    await do(small, "system settings set", values=["keyEmailPassword=Opensesame1"])
    await call(small, "snapshot take", name="a", types=TYPES)
    (path,) = (home / "data" / "snapshots").rglob("*.zip")
    assert path.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(path) as archive:
        assert b"Opensesame1" not in b"".join(archive.read(name) for name in archive.namelist())


async def test_names_that_are_taken_none_or_damaged(small: Session, home: Path):
    with pytest.raises(NotFound, match="there is no snapshot of 'sandbox'"):
        await diff(small)
    await call(small, "snapshot take", name="a", types=["constants"])
    with pytest.raises(UsageError, match="there is a snapshot 'a' already"):
        await call(small, "snapshot take", name="a")
    with pytest.raises(UsageError, match="is no name of a snapshot"):
        await call(small, "snapshot take", name="../a")
    with pytest.raises(NotFound, match="there is no snapshot 'b'"):
        await diff(small, before="b")
    with pytest.raises(NotFound, match="there is no snapshot"):
        await diff(small, before="../../x")
    (path,) = (home / "data" / "snapshots").rglob("*.zip")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UsageError, match="cannot be read"):
        await diff(small, before="a")


# Of people ---------------------------------------------------------------------------------------------------------------


async def with_people(s: Session) -> tuple[dict[str, str], dict[str, str]]:
    """Three people, two roles and a group with one of them; a constant that one may change. UIDs by name."""
    roles = {
        name: (
            await do(s, "metadata create", type="userRoles", set=[f"name={name}", "authorities=F_DATAVALUE_ADD"])
        ).uids[0]
        for name in ("Clerks", "Readers")
    }
    people: dict[str, str] = {}
    for name in ("anna", "benk", "carl"):
        body = {"username": name, "password": "District1!", "firstName": "A", "surname": name, "userRoles": [{"id": roles["Clerks"]}]}  # fmt: skip
        with effect_scope("write"):
            people[name] = (await s.client.post("users", body))["response"]["uid"]
    await do(s, "metadata create", type="userGroups", set=["name=Team", f"users={people['anna']}", "id=ugTeam00001"])
    await do(s, "metadata create", type="constants", set=["name=Pi", "shortName=Pi", "value=3", "id=coPi0000001"])
    await do(s, "metadata share", type="constants", objects=["Pi"], user=["anna=rw"])
    return people, roles


KINDS_OF_PEOPLE = ["userGroups", "userRoles", "constants"]


async def test_members_of_groups_roles_of_people_and_their_sharing_are_seen_and_brought_back(small: Session):
    _, roles = await with_people(small)
    await call(small, "snapshot take", name="monday", types=KINDS_OF_PEOPLE)
    assert await diff(small) == []
    await do(small, "user-group members add", group="Team", users=["benk"])
    await do(small, "user grant", user="benk", roles=["Readers"])
    await do(small, "user revoke", user="benk", roles=["Clerks"])
    await do(small, "metadata share", type="constants", objects=["Pi"], user=["carl=r"])
    found = await diff(small)
    told = {(row["type"], row["name"], row["property"]): (row["before"], row["after"]) for row in found}
    assert told[("userGroups", "Team", "users")] == (["anna"], ["anna", "benk"])
    assert told[("userRoles", "Clerks", "users")] == (["anna", "benk", "carl"], ["anna", "carl"])
    assert told[("userRoles", "Readers", "users")] == ([], ["benk"])
    before, after = told[("constants", "Pi", "sharing")]
    assert (before["users"], after["users"]) == (
        {"anna": {"access": "rw------"}}, {"anna": {"access": "rw------"}, "carl": {"access": "r-------"}},
    )  # fmt: skip
    assert len(told) == 4

    await call(small, "snapshot take", name="friday", types=KINDS_OF_PEOPLE)
    assert [
        (row["id"], row["property"], row["after"]) for row in await diff(small, before="monday", after="friday")
    ] == [(row["id"], row["property"], row["after"]) for row in found]

    await do(small, "snapshot restore", name="monday")
    assert await diff(small, before="monday") == []
    benk = (await call(small, "metadata list", type="users", filter=["username:eq:benk"], fields="userRoles"))[0]
    assert benk["userRoles"] == [{"id": roles["Clerks"]}]
    await do(small, "undo")
    assert await diff(small, before="friday") == []
    assert len(await diff(small, before="monday")) == 4


async def test_a_snapshot_without_members_says_nothing_of_people(small: Session):
    await with_people(small)
    await call(small, "snapshot take", name="monday", types=KINDS_OF_PEOPLE)
    await call(small, "snapshot take", name="bare", types=KINDS_OF_PEOPLE, without=["members"])
    await do(small, "user-group members add", group="Team", users=["benk"])
    await do(small, "metadata share", type="constants", objects=["Pi"], user=["carl=r"])
    assert await diff(small, before="bare") == []
    assert await diff(small, before="bare", after="monday") == []
    assert await diff(small, before="monday", without=["members"]) == []
    assert await diff(small, before="monday", types=["constants"], without=["members"]) == []
    await do(small, "metadata update", type="constants", uid="coPi0000001", set=["description=X"])
    await do(small, "snapshot restore", name="bare")
    assert {row["property"] for row in await diff(small, before="monday")} == {"users", "sharing"}


async def test_the_last_role_of_an_account_and_an_account_that_is_gone_are_told(small: Session):
    people, _ = await with_people(small)
    await call(small, "snapshot take", name="monday", types=KINDS_OF_PEOPLE)
    with effect_scope("write"):
        body = {"username": "dora", "password": "District1!", "firstName": "D", "surname": "D", "userRoles": [{"id": (await roles_of(small))["Readers"]}]}  # fmt: skip
        await small.client.post("users", body)
        await small.client.delete(f"users/{people['anna']}")
    plan = await planned(small, "snapshot restore")
    assert list(plan.steps) == []
    assert any(note.startswith("dora keeps the role [") for note in plan.notes)
    assert "left out of Team: no such account on this server: anna" in plan.notes


async def roles_of(s: Session) -> dict[str, str]:
    return {
        row["name"]: row["id"] for row in (await call(s, "metadata list", type="userRoles", fields="id,name")).plain()
    }


async def test_who_may_not_list_accounts_takes_a_snapshot_without_people(
    small: Session, monkeypatch: pytest.MonkeyPatch
):
    await with_people(small)
    await call(small, "snapshot take", name="monday", types=["constants"])
    real, said = reading.all_of, list[str]()

    async def some(client: Requests, plural: str, *args: object, **how: object) -> list[Row]:
        if plural == "users":
            raise Forbidden("You don't have the proper permissions to read objects of this type.", code="E1006")
        return await real(client, plural, *args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "all_of", some)
    monkeypatch.setattr(small.person, "warn", said.append)
    await call(small, "snapshot take", name="bare", types=["constants"])
    assert said == ["you may not list accounts: who belongs to groups, has roles and shares is not in it"]
    assert await diff(small, before="bare") == []
    with pytest.raises(Forbidden) as error:
        await diff(small, before="monday")
    assert str(error.value.hint).startswith("--without members leaves people out")
