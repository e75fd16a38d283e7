"""A server as a directory: the same each time, nothing left to do, and into another server and back."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dhis2sh.changes.journal import journal_of
from dhis2sh.client.requests import effect_scope
from dhis2sh.errors import CheckFailed, Dhis2Error, NotFound, PartlyDone, Refused, UsageError
from dhis2sh.metadata.bundles.report import ImportReport
from dhis2sh.session import Session
from tests.as_code.directory import D, edit, files, first, of, pull, rows
from tests.metadata.calls import call, do, planned


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


async def test_undo_does_what_the_server_lets_it_and_names_the_rest(small: Session, copy: Session):
    """A level that approvals name stays on a server, for ever: nothing else waits for it."""
    await do(small, "system settings set", values=["applicationTitle=Ministry"])
    await do(small, "datastore set", namespace="looks", key="theme", value="1")
    await pull(small)
    await do(copy, "instance apply", directory=D)
    levels = {row["name"]: row["id"] async for row in copy.client.iter("dataApprovalLevels", {"fields": "id,name"})}
    store = copy.sandbox_store()
    with store.connection as connection:
        connection.execute(
            "INSERT INTO approval_audit (workflow, period, org_unit, attribute_option_combo, level, action, created, creator) "
            "VALUES ('w', '202501', 'o', 'c', ?, 'APPROVE', '2025-01-01', 'u')",
            (levels["Country"],),
        )
    for _ in range(2):  # the same line again finds the same, and says so
        with pytest.raises((PartlyDone, Refused), match="violates foreign key constraint") as told:
            await do(copy, "undo")
        assert "finishes the rest" not in f"{told.value} {told.value.hint}"
        assert "--force" not in str(told.value.hint)
        left = [row["name"] async for row in copy.client.iter("dataApprovalLevels", {"fields": "name"})]
        assert left == ["Country"]
        held = {row["type"] for row in await rows(copy) if row["change"] != "added"}
        assert held == {"settings", "dataApprovalWorkflows"}, "a workflow stays as long as it has a level (E4030)"
        assert (await call(copy, "datastore list")).plain() == []
    entry = journal_of(copy).entry(1)
    assert entry.undone_by is None
