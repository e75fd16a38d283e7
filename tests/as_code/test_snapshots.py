"""How a server was: kept, compared with now and with another, brought back."""

import zipfile
from pathlib import Path

import pytest

from dhis2sh.errors import CheckFailed, NotFound, UsageError
from dhis2sh.session import Session
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
