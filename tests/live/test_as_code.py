"""An instance as code on a running server: what is pulled is no difference, a change goes there and back, a snapshot too."""

from __future__ import annotations

from pathlib import Path

import pytest

from dhis2sh.session import Session
from tests.instance.zips import app
from tests.live.acting import alone, deleted_for_good, planned, read, taken_back, write
from tests.live.place import PREFIX, Place, uid_of

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
TYPES = [
    "constants",
    "optionSets",
    "options",
    "userRoles",
    "userGroups",
    "dashboards",
    "visualizations",
    "dataSets",
    "programs",
]
D = Path("as-code")


async def differences(s: Session, verb: str, **arguments: object) -> list[tuple[str, str, str | None]]:
    rows = await read(s, verb, **arguments)
    assert isinstance(rows, list)
    return [(row["change"], row["id"], row["property"]) for row in rows]


def test_what_was_pulled_is_no_difference_and_an_apply_sends_nothing(live: Place, tmp_path: Path) -> None:
    async def pulled(s: Session) -> None:
        await read(s, "instance pull", directory=tmp_path / D, types=[*TYPES, "settings"])
        assert await differences(s, "instance diff", directory=tmp_path / D) == []
        assert list((await planned(s, "instance apply", directory=tmp_path / D, prune=True)).steps) == []
        files = {path: path.read_bytes() for path in (tmp_path / D).rglob("*.yaml")}
        await read(s, "instance pull", directory=tmp_path / D)
        assert {path: path.read_bytes() for path in (tmp_path / D).rglob("*.yaml")} == files

    alone(pulled)


def test_a_change_goes_there_and_back_and_a_snapshot_knows_of_it(live: Place, tmp_path: Path) -> None:
    uid = uid_of("as code")
    file = tmp_path / D / "metadata" / "constants" / "made.yaml"

    async def there_and_back(s: Session) -> None:
        await read(s, "instance pull", directory=tmp_path / D, types=["constants"])
        await read(s, "snapshot take", name="lv-as-code", types=["constants"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"id: {uid}\nname: Lv as code\nshortName: Lv as code\nvalue: 3.5\n", "utf-8")
        assert await differences(s, "instance diff", directory=tmp_path / D) == [("added", uid, None)]
        await write(s, "instance apply", directory=tmp_path / D)
        try:
            assert await differences(s, "instance diff", directory=tmp_path / D) == []
            assert await differences(s, "snapshot diff", before="lv-as-code") == [("added", uid, None)]
            await write(s, "snapshot restore", name="lv-as-code", prune=True)
            assert await differences(s, "snapshot diff", before="lv-as-code") == []
            await write(s, "undo")
            assert await differences(s, "snapshot diff", before="lv-as-code") == [("added", uid, None)]
        finally:
            await deleted_for_good(s, "constants", uid)
        assert await differences(s, "snapshot diff", before="lv-as-code") == []

    alone(there_and_back)


def test_an_app_of_a_directory_is_installed_and_goes_again(live: Place, tmp_path: Path) -> None:
    folder, key = tmp_path / "apps", f"{PREFIX}-as-code"

    async def there_and_back(s: Session) -> None:
        async def mine() -> list[tuple[str, str, str | None]]:
            rows = await differences(s, "instance diff", directory=folder, without=["constants"])
            return [row for row in rows if row[1] == key]

        try:
            (tmp_path / "app.zip").write_bytes(app(f"{PREFIX} as code", "1.0.0"))
            await write(s, "apps add", file=tmp_path / "app.zip")
            await read(s, "instance pull", directory=folder, types=["apps", "constants"])
            await write(s, "undo")
            (tmp_path / "app.zip").rename(folder / "app.zip")
            assert await mine() == [("added", key, "version")]
            await write(s, "instance apply", directory=folder, types=["apps"])
            assert await mine() == []
            await write(s, "undo")
            assert await mine() == [("added", key, "version")]
        finally:
            stays = await taken_back(s)
        assert stays == []

    alone(there_and_back)


def test_members_of_a_group_are_in_its_file_by_username(live: Place, tmp_path: Path) -> None:
    folder, uid = tmp_path / "members", uid_of("as code members")

    async def there_and_back(s: Session) -> None:
        me = (await s.client.system.me()).username
        try:
            await write(s, "metadata create", type="userGroups", set=[f"id={uid}", f"name={PREFIX} members"])
            await read(s, "instance pull", directory=folder, types=["members"])
            (file,) = (path for path in (folder / "metadata" / "userGroups").iterdir() if uid in path.name)
            text = file.read_text("utf-8")
            assert "users: []\n" in text
            file.write_text(text.replace("users: []\n", f"users: [{me}]\n"), "utf-8")
            await write(s, "instance apply", directory=folder)
            assert await differences(s, "instance diff", directory=folder) == []
            await write(s, "undo")
            assert await differences(s, "instance diff", directory=folder) == [("changed", uid, "users")]
        finally:
            await deleted_for_good(s, "userGroups", uid)

    alone(there_and_back)
