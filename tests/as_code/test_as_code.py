"""A server as a directory: the same each time, nothing left to do, and into another server and back."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dhis2sh.as_code.pulling import Pulled
from dhis2sh.client.requests import effect_scope
from dhis2sh.errors import CheckFailed, Dhis2Error, NotFound, UsageError
from dhis2sh.instance import kept
from dhis2sh.metadata.bundles.report import ImportReport
from dhis2sh.session import Session
from tests.instance.zips import app
from tests.metadata.calls import call, do, planned

D = Path("country")


def files(root: Path = D) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in root.rglob("*.yaml")}


def of(plural: str, root: Path = D) -> list[Path]:
    return sorted((root / "metadata" / plural).glob("*.yaml"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


async def rows(s: Session, **arguments: object) -> list[dict]:
    return [
        row if isinstance(row, dict) else row.model_dump()
        for row in (await call(s, "instance diff", directory=D, **arguments)).plain()
    ]


async def pull(s: Session, **arguments: object) -> Pulled:
    return await call(s, "instance pull", directory=D, **arguments)


async def route(s: Session, **more: object) -> str:
    """A route that is there, with secrets; its UID."""
    with effect_scope("write"):
        answer = await s.client.post("routes", {"name": "Far", "code": "far", "url": "https://example.org/x", **more})
    return answer["response"]["uid"]


# The same, and nothing to do --------------------------------------------------------------------------------------------


async def test_what_was_pulled_is_no_difference_and_an_apply_sends_nothing(s: Session):
    await do(s, "datastore set", namespace="looks", key="theme", value='{"b": 1, "a": [1, null]}')
    first = await pull(s)
    assert first.written > 100
    assert await rows(s) == []
    plan = await planned(s, "instance apply", directory=D, prune=True)
    assert list(plan.steps) == []
    again = await pull(s)
    assert (again.written, again.removed) == (0, 0)


async def test_nothing_of_people_times_or_secrets_is_in_a_file(s: Session):
    auth = {"type": "http-basic", "username": "reader", "password": "Opensesame1"}
    await route(s, auth=auth, headers={"X-Key": "tok-4711"})
    await do(s, "system settings set", values=["keyEmailPassword=Opensesame1"])
    await do(
        s,
        "datastore set",
        namespace="app",
        key="conf",
        value='{"url": "https://u:Opensesame1@x.org", "apiKey": "tok-4711"}',
    )
    await pull(s, types=["routes", "userGroups", "dashboards", "settings", "dataStore"])
    everything = "\n".join(files().values())
    assert "Opensesame1" not in everything
    assert "tok-4711" not in everything
    assert not any(
        f"\n{name}:" in everything
        for name in ("lastUpdated", "created", "createdBy", "lastUpdatedBy", "access", "users")
    )
    assert not (D / "metadata" / "users").exists()
    (far,) = of("routes")
    assert "username: reader" in far.read_text("utf-8")
    assert 'password: "(secret)"' in far.read_text("utf-8")
    assert await rows(s) == []


# Into another server ----------------------------------------------------------------------------------------------------


async def test_an_instance_goes_into_an_empty_one_and_one_undo_takes_it_back(small: Session, copy: Session):
    await do(small, "datastore set", namespace="looks", key="theme", value="1")
    await do(small, "system settings set", values=["applicationTitle=Ministry"])
    await pull(small)
    done = await do(copy, "instance apply", directory=D)
    assert done.created > 10
    assert await rows(copy) == []
    assert list((await planned(copy, "instance apply", directory=D)).steps) == []
    await do(copy, "undo")
    assert {row["change"] for row in await rows(copy)} == {"added", "changed"}
    assert (await call(copy, "datastore list")).plain() == []


async def test_changes_are_told_property_by_property_applied_and_taken_back(small: Session):
    await pull(small, types=["dataElements"])
    element = of("dataElements")[0]
    text = element.read_text("utf-8")
    name = next(line for line in text.splitlines() if line.startswith("name: "))
    element.write_text(text.replace(name, f"{name} (new)\ndescription: Said by a file", 1), "utf-8")
    found = await rows(small)
    assert [(row["change"], row["property"], row["file"]) for row in found] == [
        ("changed", "description", f"metadata/dataElements/{element.name}"),
        ("changed", "name", f"metadata/dataElements/{element.name}"),
    ]
    with pytest.raises(CheckFailed) as error:
        await rows(small, check=True)
    assert error.value.exit_code == 8
    assert (await do(small, "instance apply", directory=D)).updated == 1
    assert await rows(small) == []
    await do(small, "undo")
    assert await rows(small) == found


async def test_everything_that_will_be_written_is_in_the_table(small: Session, copy: Session) -> None:
    await route(small)
    await do(small, "datastore set", namespace="looks", key="theme", value="3")
    await pull(small)
    plan = await planned(copy, "instance apply", directory=D)
    report = plan.report
    assert isinstance(report, ImportReport)
    assert report.beside({}).line() == report.line()
    table = {row.type: row.create + row.update + row.delete for row in report.types}
    assert {"routes", "dataStore"} <= table.keys()
    assert sum(table.values()) == len(plan.steps)


@pytest.mark.parametrize("plural", ["dataSets", "optionSets"])
async def test_a_version_that_a_server_counts_is_in_no_file(s: Session, plural: str):
    await pull(s, types=[plural, "options"])
    path = of(plural)[0]
    assert "\nversion: " not in path.read_text("utf-8")
    name = next(line for line in path.read_text("utf-8").splitlines() if line.startswith("name: "))
    edit(path, name, f"{name} (new)")
    await do(s, "instance apply", directory=D)
    assert await rows(s) == []
    await do(s, "undo")
    assert [row["property"] for row in await rows(s)] == ["name"]


async def test_a_line_taken_out_of_a_file_empties_the_property(small: Session):
    await do(small, "metadata update", type="dataElements", uid=await first(small), set=["description=Old"])
    await pull(small, types=["dataElements"])
    path = next(path for path in of("dataElements") if "description: Old" in path.read_text("utf-8"))
    edit(path, "description: Old\n", "")
    assert [(row["property"], row["before"], row["after"]) for row in await rows(small)] == [
        ("description", "Old", None)
    ]
    await do(small, "instance apply", directory=D)
    assert await rows(small) == []


async def first(s: Session) -> str:
    return (await call(s, "metadata list", type="dataElements", fields="id"))[0]["id"]


async def test_nothing_is_deleted_without_prune_and_undo_brings_it_back(small: Session):
    await do(small, "metadata create", type="constants", set=["name=Pi", "shortName=Pi", "value=3.14"])
    await do(small, "datastore set", namespace="looks", key="theme", value="1")
    await pull(small, types=["constants", "dataStore"])
    of("constants")[0].unlink()
    shutil.rmtree(D / "dataStore")
    plan = await planned(small, "instance apply", directory=D)
    assert (list(plan.steps), plan.notes) == (
        [],
        ["2 objects on the server are in no file and stay; --prune deletes them"],
    )
    done = await do(small, "instance apply", directory=D, prune=True)
    assert done.deleted == 2
    assert await rows(small) == []
    await do(small, "undo")
    assert [row["change"] for row in await rows(small)] == ["removed", "removed"]


async def test_what_a_file_refers_to_is_not_pruned(small: Session):
    await pull(small, types=["categoryCombos", "dataElements"])
    combo = of("categoryCombos")[0]
    combo.unlink()
    plan = await planned(small, "instance apply", directory=D, prune=True)
    assert plan.blocked is not None
    assert "refer in their files to what is in no file" in plan.blocked.message


async def test_what_goes_with_what_changes_is_deleted_once_and_comes_back(s: Session):
    """A server lets an action die that its rule lets go of; where it does not, it is deleted."""
    await pull(s, types=["programRules", "programRuleActions"])
    path = next(path for path in of("programRules") if "\nprogramRuleActions:\n  - id: " in path.read_text("utf-8"))
    text = path.read_text("utf-8")
    head, _, rest = text.partition("programRuleActions:\n  - id: ")
    uid = rest[:11]
    path.write_text(head + rest.partition("\n")[2], "utf-8")
    next(path for path in of("programRuleActions") if uid in path.name).unlink()
    plan = await planned(s, "instance apply", directory=D, prune=True)
    assert sorted((step.action, step.type) for step in plan.steps) == [
        ("delete", "programRuleActions"),
        ("update", "programRules"),
    ]
    await do(s, "instance apply", directory=D, prune=True)
    assert await rows(s) == []
    await do(s, "undo")
    path.write_text(text, "utf-8")
    assert [(row["change"], row["id"]) for row in await rows(s)] == [("removed", uid)]


# Secrets ----------------------------------------------------------------------------------------------------------------


async def test_a_secret_is_named_taken_from_a_file_and_never_shown(small: Session, copy: Session, home: Path):
    uid = await route(small, auth={"type": "api-token", "token": "Opensesame1"})
    await pull(small, types=["routes"])
    plan = await planned(copy, "instance apply", directory=D)
    assert plan.blocked is not None
    assert plan.blocked.message == f"1 secret missing: routes/{uid}/auth.token; nothing was written"
    Path("s.yaml").write_text(f"routes/{uid}/auth.token: 'Another1'\n")
    plan = await planned(copy, "instance apply", directory=D, secrets=Path("s.yaml"))
    assert "Another1" not in str(plan.to_json())
    assert (await do(copy, "instance apply", directory=D, secrets=Path("s.yaml"))).created == 1
    assert await rows(copy) == []
    assert b"Another1" not in b"".join(path.read_bytes() for path in home.rglob("*journal*") if path.is_file())


@pytest.mark.parametrize(
    ("kind", "inside", "told"), [("api-headers", "headers", "HEADER"), ("api-query-params", "queryParams", "PARAMETER")]
)
async def test_each_header_and_parameter_of_a_sign_in_is_a_secret_of_its_own(
    small: Session, copy: Session, kind: str, inside: str, told: str
):
    uid = await route(small, auth={"type": kind, inside: {"X-Key": "Opensesame1", "a.b": "Opensesame2"}})
    await pull(small, types=["routes"])
    name, secrets = f"routes/{uid}/auth.{inside}", Path("s.yaml")
    plan = await planned(copy, "instance apply", directory=D)
    assert plan.blocked is not None
    assert plan.blocked.message == f"1 secret missing: {name}.{told}; nothing was written"

    secrets.write_text(f"{name}: 'Another1'\n")
    with pytest.raises(UsageError, match="is one text, and a sign-in has a secret for each name") as refused:
        await planned(copy, "instance apply", directory=D, secrets=secrets)
    assert f"{name}.X-Key: 'value'" in str(refused.value.hint)

    secrets.write_text(f"{name}.X-Key: 'Another1'\n{name}.a.b: 'Another2'\n")
    plan = await planned(copy, "instance apply", directory=D, secrets=secrets)
    assert not [note for note in plan.notes if "nothing asked for" in note]
    assert "Another1" not in str(plan.to_json())
    await do(copy, "instance apply", directory=D, secrets=secrets)
    kept = copy.sandbox_store().connection.execute("SELECT auth FROM route_secret WHERE route = ?", (uid,))
    (stored,) = kept.fetchone()
    assert json.loads(stored)[inside] == {"X-Key": "Another1", "a.b": "Another2"}
    assert await rows(copy) == []


async def test_a_route_whose_secret_goes_along_comes_back_as_it_was(small: Session, copy: Session):
    uid = await route(small, auth={"type": "api-headers", "headers": {"X-Key": "Opensesame1"}})
    secrets = Path("s.yaml")
    secrets.write_text(f"routes/{uid}/auth.headers.X-Key: 'Opensesame1'\n")
    await pull(small, types=["routes"])
    await do(copy, "instance apply", directory=D, secrets=secrets)
    edit(of("routes")[0], "url: https://example.org/x", "url: https://example.org/y")
    before = await rows(copy)
    await do(copy, "instance apply", directory=D, secrets=secrets)
    shown = (await copy.client.get_object(f"routes/{uid}"))["auth"]
    assert shown == {"type": "api-headers"}
    done = await do(copy, "undo")
    assert (done.updated, done.left, done.note) == (1, [], None)
    assert await rows(copy) == before


# Slips ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("valueType: ", "valuType: ", "dataElements have no property 'valuType'"),
        ("valueType: NUMBER", "valueType: NUMBR", "valueType has no value 'NUMBR'"),
        ("name: ", "name: 12\nshortName: ", "'shortName' stands there twice"),
        ("zeroIsSignificant: true", "zeroIsSignificant: nope", "zeroIsSignificant is true or false, not 'nope'"),
        ("categoryCombo: {id: ", "categoryCombo: {id: x", "categoryCombo refers by UID"),
        ("domainType: ", "lastUpdated: 2026-01-01\ndomainType: ", "lastUpdated is in no file"),
        ("domainType: ", "formName: 12\ndomainType: ", "formName: '12', in quotes"),
        ("domainType: ", "displayName: x\ndomainType: ", "displayName is not dataElements' own"),
        ("domainType: ", "dataElementGroups: []\ndomainType: ", "dataElementGroups is not dataElements' own"),
        ("public: ", "publc: ", "sharing has no 'publc' in files"),
        ("public: ", "public: x", "is no access"),
        ("...\n", "", "it is cut off"),
        ("valueType: ", "<<<<<<< HEAD\nvalueType: ", "a conflict that git has left"),
    ],
)
async def test_a_slip_is_told_with_file_and_line(small: Session, old: str, new: str, told: str):
    await pull(small, types=["dataElements"])
    path = next(path for path in of("dataElements") if "stock" in path.name)
    edit(path, old, new)
    for verb in ("diff", "apply") if new == "" else ("diff",):
        with pytest.raises(UsageError, match=r"metadata/dataElements/.*\.yaml:\d+: ") as error:
            await call(small, f"instance {verb}", directory=D)
        assert told in f"{error.value.message}; {error.value.hint}"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("metadata/dataElement/x.yaml", "id: a\n", "metadata/dataElement: there is no such type"),
        ("metadata/dataSets/x.yaml", "id: a\n", "metadata/dataSets: instance.yaml does not name this type"),
        ("metadata/dataElements/x.yaml.orig", "", "dataElements/x.yaml.orig: only files *.yaml belong here"),
        ("metadata/dataElements/x.yaml", "name: x\n", "metadata/dataElements/x.yaml:1: no id"),
        ("metadata/dataElements/x.yaml", "id: short\n", "metadata/dataElements/x.yaml:1: id: short is no UID"),
        ("setings.yaml", "a: 1\n", "setings.yaml: nothing of that name is read"),
        ("settings.yml", "a: 1\n", "settings.yml: nothing of that name is read"),
        ("settings.yaml", "aplicationTitle: x\n", "settings.yaml:1: there is no setting 'aplicationTitle'"),
        ("settings.yaml", "applicationTitle: x\nkeyEmailPort: 'x'\n", "settings.yaml:2: keyEmailPort is a number"),
        ("settings.yaml", "keyEmailPassword: abc\n", "settings.yaml:1: a secret does not stand in a file"),
        ("dataStore/a/b.yaml", "namespace: a\nkey: b\n", "dataStore/a/b.yaml:1: it says no namespace, key and value"),
        ("dataStore/a/b.yaml", "namespace: a\nkey: b\nvalue: 1\nvlue: 1\n", "dataStore/a/b.yaml:4: unknown: vlue"),
        ("instance.yaml", "format: 2\ntypes: []\nalso: []\n", "instance.yaml:1: format 2 is not known"),
        (
            "instance.yaml",
            "format: 1\ntypes:\n  - dataElement\nalso: []\n",
            "instance.yaml:3: there is no 'dataElement'",
        ),
    ],
)
async def test_a_directory_with_a_typo_is_refused(small: Session, name: str, text: str, told: str):
    await pull(small, types=["dataElements", "settings", "dataStore"][: 1 if "metadata" in name else 3])
    (D / name).parent.mkdir(parents=True, exist_ok=True)
    (D / name).write_text(text, "utf-8")
    with pytest.raises(UsageError) as error:
        await call(small, "instance apply", directory=D)
    assert error.value.message.startswith(told)


async def test_two_files_of_one_object_are_refused(small: Session):
    await pull(small, types=["dataElements"])
    shutil.copy(of("dataElements")[0], D / "metadata" / "dataElements" / "again.yaml")
    with pytest.raises(UsageError, match=r"holds \w{11} too"):
        await rows(small)


async def test_no_such_directory(small: Session):
    with pytest.raises(NotFound, match="there is no directory country"):
        await rows(small)


# Work is not lost -------------------------------------------------------------------------------------------------------


async def test_files_that_nobody_keeps_are_not_overwritten(small: Session):
    await pull(small, types=["dataElements"])
    path = of("dataElements")[0]
    edit(path, "name: ", "name: My ")
    edited = path.read_text("utf-8")
    with pytest.raises(UsageError, match="1 file would be replaced or removed, and no git keeps them"):
        await pull(small)
    assert path.read_text("utf-8") == edited
    assert [path.name for path in D.iterdir() if path.name.startswith(".")] == []
    assert (await pull(small, overwrite=True)).written == 1


async def test_what_git_has_may_be_replaced(small: Session):
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-C", str(D), "-c", "user.name=x", "-c", "user.email=x@example.org", *words],
            check=True,
            capture_output=True,
        )

    await pull(small, types=["dataElements"])
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "as it is")
    await do(small, "metadata update", type="dataElements", uid=await first(small), set=["description=Other"])
    assert (await pull(small)).written == 1
    with pytest.raises(UsageError, match="not committed as they are now"):
        await do(small, "metadata update", type="dataElements", uid=await first(small), set=["description=Third"])
        await pull(small)
    git("checkout", "-q", ".")
    assert (await pull(small)).written == 1


async def test_a_pull_of_one_type_leaves_the_others_and_without_takes_them_out(small: Session):
    await pull(small, types=["dataElements", "constants"])
    await pull(small, types=["dataSets"])
    assert of("dataElements")
    assert of("dataSets")
    gone = await pull(small, without=["dataSets"], overwrite=True)
    assert gone.removed
    assert "dataSets" not in (D / "instance.yaml").read_text("utf-8")


async def test_a_directory_of_others_is_not_pulled_into(small: Session):
    (D / "metadata").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds metadata and no instance"):
        await pull(small)


async def test_a_read_only_profile_is_not_written(small: Session, monkeypatch: pytest.MonkeyPatch):
    await pull(small, types=["dataElements"])
    edit(of("dataElements")[0], "name: ", "name: My ")
    monkeypatch.setattr(type(small.profile), "read_only", True, raising=False)
    with pytest.raises(Dhis2Error, match="read-only"):
        await do(small, "instance apply", directory=D)


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
    anna, bob, other = await person(small, "anna"), await person(small, "bob"), await person(copy, "anna")
    assert anna != other
    await person(copy, "eve")
    await do(small, "metadata create", type="userGroups", set=["name=Clerks", f"users={anna},{bob}"])
    await pull(small, types=["userGroups"])
    assert "users:" not in "".join(files().values())
    await pull(small, types=["members"], overwrite=True)
    (path,) = of("userGroups")
    assert "users:\n  - anna\n  - bob\n" in path.read_text("utf-8")
    assert await rows(small) == []

    plan = await planned(copy, "instance apply", directory=D)
    assert "left out of Clerks: no such account on this server: bob" in plan.notes
    await do(copy, "instance apply", directory=D)
    assert await usernames(copy) == ["anna"]
    assert await rows(copy) == []

    edit(path, "  - anna\n  - bob\n", "  - eve\n")
    before = await rows(copy)
    assert [(row["property"], row["before"], row["after"]) for row in before] == [("users", ["anna"], ["eve"])]
    await do(copy, "instance apply", directory=D, types=["userGroups"])
    assert (await usernames(copy), await rows(copy)) == (["eve"], [])
    await do(copy, "undo")
    assert await rows(copy) == before

    edit(path, "users:\n  - eve\n", "")  # a file that says nothing of them changes nothing
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
