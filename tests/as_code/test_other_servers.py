"""A directory on another server: its apps, its groups, its UIDs and its people, and what no file says."""

import json
from pathlib import Path

import pytest

from dhis2sh.client.requests import effect_scope
from dhis2sh.errors import UsageError
from dhis2sh.instance import kept
from dhis2sh.session import Session
from tests.as_code.directory import D, edit, files, first, of, pull, rows
from tests.instance.zips import app
from tests.metadata.calls import call, do, planned

# Apps -------------------------------------------------------------------------------------------------------------------


async def apps_of(s: Session) -> dict[str, str]:
    return {str(row["key"]): str(row["version"]) for row in (await call(s, "apps list")).plain()}


def zip_of(name: str, version: str, folder: Path = D) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.zip"
    path.write_bytes(app(name, version))
    return path


async def test_apps_are_installed_updated_and_with_prune_removed_in_the_same_plan(small: Session, copy: Session):
    for name, version in (("One", "1.0"), ("Two", "2.1")):
        await do(small, "apps add", file=zip_of(name, version, Path("zips")))
    for name, version in (("Two", "2.0"), ("Three", "3.0")):
        await do(copy, "apps add", file=zip_of(name, version, Path("zips")))
    await do(small, "system settings set", values=["applicationTitle=Ministry"])
    await pull(small, types=["apps", "settings"])
    before = await rows(copy)
    assert {(row["id"], row["change"], row["before"], row["after"]) for row in before if row["type"] == "apps"} == {
        ("One", "added", None, "1.0"), ("Two", "changed", "2.0", "2.1"), ("Three", "removed", "3.0", None),
    }  # fmt: skip

    done = await do(copy, "instance apply", directory=D)
    assert (done.created, done.updated, done.deleted) == (1, 2, 0)
    assert await apps_of(copy) == {"One": "1.0", "Two": "2.1", "Three": "3.0"}
    assert [(row["type"], row["change"], row["id"]) for row in await rows(copy)] == [("apps", "removed", "Three")]
    plan = await planned(copy, "instance apply", directory=D)
    assert list(plan.steps) == []
    assert plan.notes == ["1 object on the server is in no file and stays; --prune deletes them"]
    await do(copy, "undo")
    assert await rows(copy) == before

    await do(copy, "instance apply", directory=D, prune=True)
    assert await rows(copy) == []
    await do(copy, "undo")
    assert await rows(copy) == before


async def test_an_app_that_is_not_to_be_had_stops_an_apply_until_its_zip_lies_beside(small: Session, copy: Session):
    await do(small, "apps add", file=zip_of("One", "1.0", Path("zips")))
    await do(small, "system settings set", values=["applicationTitle=Ministry"])
    await pull(small, types=["apps", "settings"])
    for path in kept.files():
        path.unlink()
    plan = await planned(copy, "instance apply", directory=D)
    assert plan.blocked is not None
    assert plan.blocked.message.startswith("One 1.0: no zip beside apps.yaml")
    assert plan.blocked.hint == (
        "put the zip beside apps.yaml, or name a hub with --hub-url; --without apps brings the rest"
    )
    done = await do(copy, "instance apply", directory=D, without=["apps"])
    assert (done.created, done.updated) == (0, 1)
    assert await rows(copy, without=["apps"]) == []
    zip_of("One", "1.0")
    await do(copy, "instance apply", directory=D)
    assert await rows(copy) == []
    assert (await pull(copy)).removed == 0
    assert (D / "One-1.0.zip").is_file()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("One: 1.0\n", "apps.yaml:1: One says no version"),
        ("One:\n  name: One\n", "apps.yaml:1: One says no version"),
        ("One:\n  version: 1.10\n", "apps.yaml:2: version is a text, and 1.1 is none"),
        ("One:\n  version: '1.0'\n  hub: x\n", "apps.yaml:3: unknown: hub"),
    ],
)
async def test_a_slip_in_the_list_of_apps_is_told_with_its_line(small: Session, text: str, told: str):
    await pull(small, types=["apps"])
    (D / "apps.yaml").write_text(text, "utf-8")
    with pytest.raises(UsageError) as error:
        await rows(small)
    assert error.value.message == told


async def test_a_snapshot_brings_an_app_back(small: Session):
    await do(small, "apps add", file=zip_of("One", "1.0", Path("zips")))
    await call(small, "snapshot take", name="before", types=["apps"])
    await do(small, "apps remove", names=["One"])
    await do(small, "snapshot restore", name="before")
    assert await apps_of(small) == {"One": "1.0"}


# Groups that are gone ---------------------------------------------------------------------------------------------------


async def test_a_group_that_is_gone_is_in_no_file_and_an_apply_sends_none(small: Session, copy: Session):
    uid = (await do(small, "metadata create", type="userGroups", set=["name=Clerks"])).uids[0]
    await do(small, "metadata share", type="dataElements", objects=[await first(small)], group=["Clerks=rw"])
    await pull(small)
    await do(copy, "instance apply", directory=D)
    await do(small, "metadata delete", type="userGroups", objects=["Clerks"])
    assert f"left out of sharing: groups that are gone: {uid} (1 object)" in (await pull(small, overwrite=True)).notes
    assert uid not in "\n".join(files().values())
    assert await rows(small) == []

    before = await rows(copy)
    assert sorted((row["change"], row["type"]) for row in before) == [
        ("changed", "dataElements"), ("removed", "userGroups"),
    ]  # fmt: skip
    await do(copy, "instance apply", directory=D, prune=True)
    assert await rows(copy) == []
    await do(copy, "undo")
    assert await rows(copy) == before


async def test_a_group_that_is_nowhere_is_left_out_of_sharing_and_told(small: Session):
    await pull(small, types=["dataElements"])
    edit(of("dataElements")[0], "sharing:\n", "sharing:\n  userGroups:\n    abcdefghijk: {access: rw------}\n")
    plan = await planned(small, "instance apply", directory=D)
    assert list(plan.steps) == []
    assert plan.notes[0].startswith(
        "left out of sharing: the group abcdefghijk, which is in no file and not on the server: dataElements ["
    )


# Other UIDs -------------------------------------------------------------------------------------------------------------


async def test_what_has_the_same_code_is_the_same_object_with_by(small: Session, copy: Session):
    """The same element and role were made by hand on both servers; legends, groups and the data store name them."""
    legends = ["name=L", 'legends=[{"name": "low", "startValue": 0, "endValue": 5}]']
    legend = (await do(small, "metadata create", type="legendSets", set=legends)).uids[0]
    here = (await do(small, "metadata create", type="dataElements", set=[*ELEMENT, f"legendSets={legend}"])).uids[0]
    group = ["name=Group", "shortName=Group", f"dataElements={here}"]
    await do(small, "metadata create", type="dataElementGroups", set=group)
    await do(small, "datastore set", namespace="app", key="conf", value=json.dumps({"element": here}))
    there = (await do(copy, "metadata create", type="dataElements", set=[*ELEMENT, "name=Mine"])).uids[0]
    await pull(small)

    plan = await planned(copy, "instance apply", directory=D)
    assert plan.blocked is not None and "E5003" in str(plan.blocked)
    assert str(plan.blocked.hint).startswith("--by code  takes what has the same code for the same object")

    before = await rows(copy, by=["code"])
    assert {(row["change"], row["property"]) for row in before if row["id"] == there} == {
        ("changed", "legendSets"), ("changed", "name"),
    }  # fmt: skip
    await do(copy, "instance apply", directory=D, by=["code"])
    assert await rows(copy, by=["code"]) == []
    (group,) = await call(
        copy, "metadata list", type="dataElementGroups", filter=["name:eq:Group"], fields="dataElements"
    )
    assert group["dataElements"] == [{"id": there}]
    assert await copy.client.get("dataStore/app/conf") == {"element": there}
    done = await do(copy, "undo")
    assert (done.failures, done.left) == ([], [])
    assert await rows(copy, by=["code"]) == before


async def test_two_files_that_stand_for_one_object_are_refused(small: Session, copy: Session):
    await do(small, "metadata create", type="dataElements", set=ELEMENT)
    uid = (await do(copy, "metadata create", type="dataElements", set=ELEMENT)).uids[0]
    await pull(small, types=["dataElements"])
    path = next(path for path in of("dataElements") if "code: TWICE" in path.read_text("utf-8"))
    text = path.read_text("utf-8")
    path.with_name("again.yaml").write_text(text.replace(path.name.split(".")[1], "abcdefghijk"), "utf-8")
    with pytest.raises(UsageError, match=rf"stands for {uid} of the server too"):
        await rows(copy, by=["code"])


async def group(s: Session, *more: str) -> str:
    return (await do(s, "metadata create", type="userGroups", set=["name=Clerks", *more])).uids[0]


async def test_a_group_of_the_same_name_is_the_same_with_by_name_and_told_without(small: Session, copy: Session):
    """A server lets several groups have one name (recorded `people-groups-roles` 4), and makes a second one without a word."""
    here, there = await group(small, "code=A"), await group(copy)
    await pull(small, types=["userGroups"])
    second = (
        f"userGroups 'Clerks' [{here}] is a second one of that name: [{there}] is there; --by name takes them for one"
    )
    for by in ([], ["code"]):
        assert second in (await planned(copy, "instance apply", directory=D, by=by)).notes
    plan = await planned(copy, "instance apply", directory=D, by=["code", "name"])
    assert "under the UID that the server has: 1 userGroups, found by name" in plan.notes
    await do(copy, "instance apply", directory=D, by=["code", "name"])
    assert await rows(copy, by=["code", "name"]) == []
    groups = (await call(copy, "metadata list", type="userGroups", fields="id,code")).plain()
    assert groups == [{"id": there, "code": "A"}]


@pytest.mark.parametrize(("mine", "theirs"), [(1, 2), (2, 1)])
async def test_several_groups_of_one_name_are_refused_with_all_of_them(
    small: Session, copy: Session, mine: int, theirs: int
):
    here, there = [await group(small) for _ in range(mine)], [await group(copy) for _ in range(theirs)]
    await pull(small, types=["userGroups"])
    with pytest.raises(UsageError) as error:
        await rows(copy, by=["code", "name"])
    assert str(error.value) == (
        f"userGroups: 'Clerks' [{', '.join(sorted(here))}] and [{', '.join(sorted(there))}] of that name on the server: "
        "which is which?"
    )
    assert len(await rows(copy)) == mine + theirs


async def test_groups_of_one_name_with_two_codes_are_not_taken_for_one(small: Session, copy: Session):
    here, there = await group(small, "code=A"), await group(copy, "code=B")
    await pull(small, types=["userGroups"])
    with pytest.raises(UsageError) as error:
        await rows(copy, by=["code", "name"])
    assert str(error.value) == (
        f"userGroups: 'Clerks' [{here}] has the code A, and [{there}] of that name on the server B: the same, or two?"
    )
    changed = await rows(copy, by=["name"])
    assert [(row["id"], row["property"], row["before"], row["after"]) for row in changed] == [(there, "code", "B", "A")]


async def test_a_name_finds_the_program_and_what_is_part_of_it(small: Session, copy: Session):
    """Names of programs may be shared; those of their stages are found within the program that the name has found."""
    program = ["name=Visits", "shortName=Visits", "programType=WITHOUT_REGISTRATION"]
    uids: list[list[str]] = []
    for s in (small, copy):
        uid = (await do(s, "metadata create", type="programs", set=program)).uids[0]
        stage = (await do(s, "metadata create", type="programStages", set=["name=Visit", f"program={uid}"])).uids[0]
        uids.append([uid, stage])
    assert uids[0] != uids[1]
    await pull(small, types=["programs", "programStages"])
    assert await rows(copy, by=["name"]) == []


ELEMENT = [
    "name=Twice", "shortName=Twice", "code=TWICE", "valueType=NUMBER", "domainType=AGGREGATE", "aggregationType=SUM",
]  # fmt: skip


# Members ----------------------------------------------------------------------------------------------------------------


async def person(s: Session, username: str) -> str:
    role = (await call(s, "metadata list", type="userRoles", fields="id"))[0]["id"]
    body = {
        "username": username,
        "password": "District1!",
        "firstName": "A",
        "surname": "B",
        "userRoles": [{"id": role}],
    }
    with effect_scope("write"):
        return (await s.client.post("users", body))["response"]["uid"]


async def test_members_of_groups_are_in_files_by_username_where_that_is_asked_for(small: Session, copy: Session):
    anna, robert, other = await person(small, "anna"), await person(small, "robert"), await person(copy, "anna")
    assert anna != other
    await person(copy, "evelyn")
    await do(small, "metadata create", type="userGroups", set=["name=Clerks", f"users={anna},{robert}"])
    await pull(small, types=["userGroups"])
    assert "users:" not in "".join(files().values())
    await pull(small, types=["members"], overwrite=True)
    (path,) = of("userGroups")
    assert "users:\n  - anna\n  - robert\n" in path.read_text("utf-8")
    assert await rows(small) == []

    plan = await planned(copy, "instance apply", directory=D)
    assert "left out of Clerks: no such account on this server: robert" in plan.notes
    await do(copy, "instance apply", directory=D)
    assert await usernames(copy) == ["anna"]
    assert await rows(copy) == []

    edit(path, "  - anna\n  - robert\n", "  - evelyn\n")
    before = await rows(copy)
    assert [(row["property"], row["before"], row["after"]) for row in before] == [("users", ["anna"], ["evelyn"])]
    await do(copy, "instance apply", directory=D, types=["userGroups"])
    assert (await usernames(copy), await rows(copy)) == (["evelyn"], [])
    await do(copy, "undo")
    assert await rows(copy) == before

    edit(path, "users:\n  - evelyn\n", "")  # a file that says nothing of them changes nothing
    assert await rows(copy) == []
    edit(path, "name: ", "users: [1]\nname: ")
    with pytest.raises(UsageError, match="1 is no username"):
        await rows(copy)


async def usernames(s: Session) -> list[str]:
    (group,) = await call(s, "metadata list", type="userGroups", fields="users[username]")
    return sorted(one["username"] for one in group["users"])


# What no file says ------------------------------------------------------------------------------------------------------


async def test_a_pull_ends_with_what_it_has_left_out(small: Session):
    uids = [
        (await do(small, "jobs create", name=name, type="DATA_INTEGRITY", cron="0 0 3 * * ?")).uids[0] for name in "AB"
    ]
    with effect_scope("write"):
        await small.client.post("scheduler/queues/Night", {"cronExpression": "0 0 4 * * ?", "sequence": uids})
    await do(small, "files documents upload-url", url="https://example.org", name="Manual")
    await do(small, "apps add", file=zip_of("One", "1.0", Path("zips")))
    await do(small, "metadata create", type="userGroups", set=["name=Clerks"])
    assert (await pull(small)).notes == [
        "who belongs to groups is in no file; --types members adds it, by username",
        "left out: queues of jobs: Night; dhis2 jobs queues lists them",
        "left out: 1 document; dhis2 files documents list",
        "apps of no App Hub: One; an apply elsewhere wants their zips beside apps.yaml",
    ]


async def test_a_counterpart_that_means_something_else_there_is_not_taken_unasked(small: Session, copy: Session):
    here = (await do(small, "metadata create", type="indicatorTypes", set=["name=Per thousand", "factor=1000"])).uids[0]
    there = (await do(copy, "metadata create", type="indicatorTypes", set=["name=Per thousand", "factor=100"])).uids[0]
    await pull(small, types=["indicatorTypes"])

    plan = await planned(copy, "instance apply", directory=D, by=["name"])

    assert "means something else there: factor: 100 there, 1000 in the file" in str(plan.blocked)
    assert f"the file of {here} says id: {there}" in str(plan.blocked.hint)
