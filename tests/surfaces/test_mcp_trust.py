"""What an agent can rely on: totals that are true, arguments that mean what they say, files that stay as they are."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.errors import UsageError
from dhis2sh.sandbox.areas import open_store
from dhis2sh.surfaces import mcp
from dhis2sh.surfaces.mcp import results
from dhis2sh.surfaces.mcp.answers import Answers
from dhis2sh.surfaces.mcp.folders import Folders
from dhis2sh.surfaces.mcp.stdio import Connection, Send
from dhis2sh.verbs.declaration import FILES_OR_PROFILES
from dhis2sh.verbs.registry import find, load_all
from tests.fakes.events import until


async def called(answers: Answers, name: str, **arguments: object) -> dict[str, Any]:
    """The result of a tool call, which must succeed."""
    answer = await answers.call_tool({"name": name, "arguments": {"profile": "sandbox", **arguments}})
    assert answer["isError"] is False, answer["content"]
    return answer["structuredContent"]


async def refused(answers: Answers, name: str, **arguments: object) -> str:
    """What a tool call was refused with."""
    answer = await answers.call_tool({"name": name, "arguments": {"profile": "sandbox", **arguments}})
    assert answer["isError"] is True, answer
    return answer["content"][0]["text"]


async def test_t13_a_limit_does_not_change_the_total(sandbox_home: Path) -> None:
    answers = Answers()
    filters = ["ancestors.name:eq:Country", "level:ge:2"]
    for how in ({"limit": 2}, {"limit": 2, "page_size": 1}, {"page_size": 2}):
        found = await called(answers, "metadata_list", type="organisationUnits", filter=filters, **how)
        assert (len(found["result"]), found["truncated"], found["total"]) == (2, True, 3), how
    found = await called(answers, "metadata_list", type="organisationUnits", filter=filters, limit=3)
    assert (len(found["result"]), found["truncated"], found["total"]) == (3, False, 3)


async def test_t13_a_search_says_how_many_there_are(sandbox_home: Path) -> None:
    found = await called(Answers(), "metadata_search", query="doses", limit=1)
    assert (len(found["result"]), found["truncated"], found["total"]) == (1, True, 2)


async def test_t13_fields_may_be_a_list_and_what_is_no_text_is_refused(sandbox_home: Path) -> None:
    answers = Answers()
    found = await called(answers, "metadata_list", type="dataElements", fields=["id", "name"], limit=1)
    assert found["result"] == [{"id": "deNumber001", "name": "BCG doses given"}]

    told = await refused(answers, "metadata_list", type="dataElements", filter=[{"name": "BCG"}])
    assert told.startswith("filter takes texts, not an object")
    assert "takes a text, not a list" in await refused(answers, "metadata_list", type=["dataElements"])
    assert "takes texts, not nothing" in await refused(answers, "metadata_list", type="dataElements", order=[None])


# Files of this machine ----------------------------------------------------------------------------------------------


READING = [  # every kind of parameter that reads a file
    ("write", "metadata import", {"file": "FILE"}),
    ("write", "metadata merge-bundle", {"file": "FILE"}),
    ("write", "metadata create", {"type": "dataElements", "from": "FILE"}),
    ("write", "metadata update", {"type": "dataElements", "from_": "FILE"}),
    ("write", "metadata data-elements create", {"from_": "FILE"}),
    ("write", "metadata translate import", {"file": "FILE"}),
    ("write", "metadata patch", {"type": "dataElements", "objects": ["DE_1"], "patch": "FILE"}),
    ("write", "metadata organisation-units set-geometry", {"file": "FILE"}),
    ("destroy", "metadata options sync", {"option_set": "x", "file": "FILE"}),
    ("destroy", "metadata category-combos build", {"spec": "FILE"}),
    ("read", "metadata diff", {"before": "FILE"}),
    ("write", "sandbox load", {"files": ["FILE"]}),
]


@pytest.mark.parametrize(("tool", "verb", "arguments"), READING, ids=[verb for _, verb, _ in READING])
async def test_t4_an_agent_reads_no_file_outside_of_its_folders(
    sandbox_home: Path, tmp_path: Path, tool: str, verb: str, arguments: dict[str, Any]
) -> None:
    secret = tmp_path / "id_rsa.json"
    secret.write_text('[{"name": "PRIVATE KEY"}]')
    papers = Path("papers")
    papers.mkdir()
    (papers / "link.json").symlink_to(secret)

    for folders in (Folders(), Folders([papers])):
        for text in (str(secret), f"../../{secret.name}", "~/.ssh/id_rsa", "/etc/passwd", "link.json", "papers/../.."):
            given = {
                name: [text] if value == ["FILE"] else text if value == "FILE" else value
                for name, value in arguments.items()
            }
            told = await refused(Answers(folders=folders), tool, verb=verb, arguments=given)
            assert "PRIVATE" not in told
            assert (
                "started without a folder to read from" in told or "is not below" in told or "there is no file" in told
            )


async def test_t4_an_agent_reads_what_lies_in_its_folder(sandbox_home: Path) -> None:
    Path("papers").mkdir()
    Path("papers/groups.json").write_text('[{"name": "G", "shortName": "G"}]')
    for name in ("groups.json", str(Path("papers/groups.json").absolute())):
        answers = Answers(folders=Folders([Path("papers")]))
        arguments = {"type": "dataElementGroups", "from": name}
        plan = await called(answers, "write", verb="metadata create", arguments=arguments, dry_run=True)
        assert plan["result"]["counts"] == {"create dataElementGroups": 1}


async def test_t4_an_agent_writes_new_files_into_the_export_folder_alone(sandbox_home: Path, tmp_path: Path) -> None:
    export, home = Path("export"), tmp_path / "elsewhere"
    (export / "deep").mkdir(parents=True)
    home.mkdir()
    (home / ".bashrc").write_text("mine")
    (export / "out").symlink_to(home)

    async def exported(answers: Answers, out: str, *, works: bool = False) -> str:
        call = {"verb": "metadata export", "arguments": {"types": ["dataElements"], "out": out}}
        return (
            str((await called(answers, "read", **call))["result"]) if works else await refused(answers, "read", **call)
        )

    for answers in (Answers(), Answers(read_only=True), Answers(folders=Folders([tmp_path]))):
        assert "started without an export folder" in await exported(answers, "~/.bashrc")

    answers = Answers(folders=Folders(export=export))
    for out in (str(home / "new.json"), "../new.json", "out/new.json", "out/.bashrc", "."):
        assert "is not below" in await exported(answers, out), out
    assert "elements.json" in await exported(answers, "deep/elements.json", works=True)
    assert (export / "deep" / "elements.json").is_file()
    assert "agents write over no file" in await exported(answers, "deep/elements.json")
    assert [path.name for path in home.iterdir()] == [".bashrc"]
    assert (home / ".bashrc").read_text() == "mine"


async def test_t4_what_was_exported_can_be_read_again(sandbox_home: Path) -> None:
    Path("export").mkdir()
    answers = Answers(folders=Folders(export=Path("export")))
    await called(answers, "read", verb="metadata export", arguments={"types": ["dataElements"], "out": "all.json"})
    same = await called(answers, "read", verb="metadata diff", arguments={"before": "all.json"})
    assert same["result"] == []


async def test_t4_no_agent_names_the_sandboxs_file(sandbox_home: Path) -> None:
    answers = Answers(folders=Folders([Path.cwd()], Path.cwd()))
    for tool, verb in (("read", "status"), ("write", "seed"), ("destroy", "reset")):
        told = await refused(answers, tool, verb=f"sandbox {verb}", arguments={"db": "any.db"})
        assert told.startswith(f"db of sandbox {verb} is not for agents")
    assert not Path("any.db").exists()


def test_t4_every_parameter_that_names_a_file_is_known_as_one() -> None:
    for verb in load_all().values():
        for param in verb.params:
            names_one = param.kind in {"path", "source"} or param.complete in {"files", FILES_OR_PROFILES}
            assert (param.file is not None) == names_one, f"{verb.path} {param.name}"
    for verb in load_all().values():
        for param in verb.params:
            writes = param.name in {"out", "rejected"} or param.help.lower().startswith(("write ", "save "))
            assert not (param.file == "reads" and writes), f"{verb.path} {param.name} is written to: Touches('writes')"


async def test_u15_a_patch_may_be_json_as_it_is(sandbox_home: Path) -> None:
    patch = [{"op": "add", "path": "/description", "value": "New"}]
    arguments = {"type": "dataElements", "objects": ["DE_1"], "patch": patch}
    done = await called(Answers(), "write", verb="metadata patch", arguments=arguments)
    assert done["result"]["updated"] == 1


def test_t4_a_folder_that_is_not_there_is_said_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        mcp.main(["--export-folder", "nowhere"])
    assert ended.value.code == 3
    assert "there is no folder nowhere" in capsys.readouterr().err


# What is written, and when ------------------------------------------------------------------------------------------


async def test_t10_a_plan_is_applied_by_its_id_once_and_for_the_same_call(sandbox_home: Path) -> None:
    answers = Answers()
    call = {"verb": "metadata rename", "arguments": {"type": "dataElements", "all": True, "prefix": "X "}}
    plan = (await called(answers, "write", **call))["result"]
    assert plan["applied"] is False

    for other in ({"profile": "sandbox:copy"}, {"verb": "metadata patch"}, {"plan_id": "0"}):
        assert "there is no plan" in await refused(answers, "write", **{**call, "plan_id": plan["plan_id"], **other})
    assert (await called(answers, "write", **call, plan_id=plan["plan_id"], skip=1))["result"]["applied"] is False
    done = (await called(answers, "write", **call, plan_id=plan["plan_id"]))["result"]
    assert (done["applied"], done["updated"]) == (True, 3)
    assert "a plan is applied once" in await refused(answers, "write", **call, plan_id=plan["plan_id"])


async def test_t10_a_plan_that_is_out_of_date_is_made_anew(sandbox_home: Path) -> None:
    answers = Answers()
    call = {"verb": "metadata rename", "arguments": {"type": "dataElements", "all": True, "prefix": "X "}}
    plan = (await called(answers, "write", **call))["result"]
    edit = {"type": "dataElements", "uid": "Remark", "set": ["name=Remarks"]}
    assert (await called(answers, "write", verb="metadata update", arguments=edit))["result"]["applied"] is True

    again = await called(answers, "write", **call, plan_id=plan["plan_id"])

    assert "has changed since the plan was made" in again["warnings"][0]
    assert again["result"]["applied"] is False
    assert "name: 'Remarks' -> 'X Remarks'" in {step["change"] for step in again["result"]["steps"]}
    assert "there is no plan" in await refused(answers, "write", **call, plan_id=plan["plan_id"])
    assert (await called(answers, "write", **call, plan_id=again["result"]["plan_id"]))["result"]["updated"] == 3


async def test_t14_whatever_fails_is_an_error_and_whatever_is_not_applied_says_so(sandbox_home: Path) -> None:
    answers = Answers()
    gone = {"type": "dataElements", "uid": "Nothing like it"}
    assert "Nothing like it" in await refused(answers, "metadata_get", **gone)
    wrong = {"type": "dataElements", "set": ["name=X"]}
    assert "needs" in await refused(answers, "write", verb="metadata create", arguments=wrong)
    await refused(answers, "write", verb="metadata create", arguments=wrong, dry_run=True)
    assert "profile 'nowhere'" in await refused(answers, "metadata_types", profile="nowhere")

    delete = {"verb": "metadata delete", "arguments": {"type": "dataElements", "objects": ["Remark"]}}
    for more in ({}, {"dry_run": True}, {"confirm": "sandbox"}):
        assert (await called(answers, "destroy", **delete, **more))["result"]["applied"] is False
    assert (await called(answers, "metadata_count", type="dataElements"))["result"]["count"] == 3


async def test_t14_what_a_check_has_found_is_in_the_error(sandbox_home: Path) -> None:
    Path("old.json").write_text('{"dataElements": []}')
    answers = Answers(folders=Folders([Path.cwd()]))
    arguments = {"before": "old.json", "types": ["dataElements"], "check": True}
    told = await refused(answers, "read", verb="metadata diff", arguments=arguments)
    assert "3 differences" in told
    assert '"name":"Remark"' in told


async def test_t14_a_fault_of_ours_is_an_answer_that_the_agent_sees(
    sandbox_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("id")

    monkeypatch.setattr(find("metadata types"), "function", broken)
    assert await refused(Answers(), "metadata_types") == "a fault of dhis2sh: KeyError: 'id'"


@pytest.mark.parametrize(
    ("name", "value"),
    [("profile", {"name": "sandbox"}), ("dry_run", "false"), ("confirm", 5), ("plan_id", ["x"]), ("skip", "2"), ("skip", True)],
)  # fmt: skip
async def test_r_an_option_of_another_kind_is_an_argument_error(sandbox_home: Path, name: str, value: object) -> None:
    call = {"verb": "metadata delete", "arguments": {"type": "dataElements", "objects": ["Remark"]}}
    assert (await refused(Answers(), "destroy", **{**call, name: value})).startswith(f"{name} takes ")
    inside = {**call, "arguments": {**call["arguments"], name: value}}
    if name != "profile":
        assert (await refused(Answers(), "destroy", **inside)).startswith(f"{name} takes ")


# Room ---------------------------------------------------------------------------------------------------------------


async def test_u16_many_rows_come_in_parts_and_a_record_too_large_is_refused(sandbox_home: Path) -> None:
    store = open_store(sandbox_home / "data" / "sandbox.db")
    words = "many words " * 400
    store.put_objects({"constants": [{"id": f"coMany{n:05}", "name": f"C {n}", "value": n, "description": words} for n in range(30)]})  # fmt: skip
    store.close()
    answers, seen = Answers(), list[str]()
    call = {"verb": "metadata constants list", "arguments": {"fields": "id,description", "all": True}}
    while len(seen) < 30:
        found = await called(answers, "read", **call, skip=len(seen))
        assert len(str(found)) / 4 < 9_000
        seen += [row["id"] for row in found["result"]]
        assert (found["truncated"], found["total"]) == (len(seen) < 30, 30)
    assert sorted(seen) == [f"coMany{n:05}" for n in range(30)]

    told = await refused(answers, "read", verb="metadata export", arguments={"types": ["constants"]})
    assert "too much for one answer" in told


# What a line may hold -----------------------------------------------------------------------------------------------

CALL = '{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "metadata_list", "arguments": %s}}'


@pytest.mark.parametrize(
    ("line", "number", "code"),
    [
        ((CALL % ('{"type": ' + "[" * 200_000 + "]" * 200_000 + "}")).encode(), 7, -32700),
        ((CALL % r'{"type": "\ud800"}').encode(), 7, -32602),
        (rb'{"jsonrpc": "2.0", "method": "tools/list", "id": "\udfff"}', None, -32602),
        ((CALL % '{"type": "x"}').encode().replace(b'"x"', b'"\xff\xfe"'), 7, -32700),
        ((CALL % ('{"limit": ' + "9" * 5000 + "}")).encode(), 7, -32700),
        ((CALL % '{"limit": NaN}').encode(), 7, -32700),
        (b'{"params": {"id": 7}, ' + b"\xff", None, -32700),
        (b'{"id": 1.5, "method": "tools/list"}', None, -32600),
        (b'{"id": null, "method": "tools/list"}', None, -32600),
        (b'{"id": 7, "method": "prompts/get", "params": {"name": "find_object", "arguments": [1]}}', 7, -32602),
        (b'{"id": 7, "method": "completion/complete", "params": {"argument": "x"}}', 7, -32602),
        (b"\x00\x01", None, -32700),
    ],
    ids=range(12),
)
async def test_r_a_line_that_cannot_be_read_is_answered_and_the_next_one_too(
    sandbox_home: Path, line: bytes, number: object, code: int
) -> None:
    sent: list[dict[str, Any]] = []
    connection = Connection(Answers(), sent.append)
    hello = b'{"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}'
    for message in (hello, line, b'{"jsonrpc": "2.0", "id": 8, "method": "ping"}'):
        await connection.receive(message)
    await until(lambda: len(sent) >= 3)
    answers = {message["id"]: message for message in sent}
    assert answers[number]["error"]["code"] == code
    assert answers[8]["result"] == {}


async def test_r_a_number_beyond_every_server_is_refused(sandbox_home: Path) -> None:
    for value in (10**30, 2.5, float("inf"), True):
        told = await refused(Answers(), "metadata_list", type="dataElements", limit=value)
        assert "limit" in told
        assert "whole number" in told


def test_r_half_a_pair_in_a_servers_text_reaches_the_client() -> None:
    stream = io.BytesIO()
    Send(stream)({"jsonrpc": "2.0", "id": 1, "result": {"name": "half \ud83d"}})
    assert json.loads(stream.getvalue())["result"]["name"].startswith("half ")


def test_u16_a_plan_of_any_size_is_read_in_1500_tokens() -> None:
    long = "ü" * 900
    steps = [PlanStep("update", f"type{n % 40}", f"deMany{n:05}", long, before={"name": "a"}, after={"name": long}) for n in range(300)]  # fmt: skip
    plan = Plan(f"change {long}", steps, notes=[long] * 50, blocked=UsageError(long))
    told = results.of_plan(plan, plan_id="0" * 16, apply="the same call with plan_id")
    assert len(json.dumps(told, ensure_ascii=False).encode()) / 4 <= 1_500
    assert sum(told["result"]["counts"].values()) == told["total"] == 300
    assert told["result"]["steps"], "what is one step too long for the room is shown, cut"
    assert "characters more" in told["result"]["steps"][0]["name"]
    assert told["result"]["more"].endswith(f"skip={len(told['result']['steps'])}")


def test_u16_one_name_for_one_thing_and_no_two_things_of_one_name() -> None:
    for verb in load_all().values():
        names = [verb.told(param) for param in verb.params]
        assert len(names) == len(set(names)), verb.path
        for param in verb.params:
            if param.kind in {"rows", "source"}:
                assert verb.told(param) in {"objects", "items"}, verb.path
    told = {path: [find(path).told(param) for param in find(path).params][:2] for path in (
        "metadata dashboards add-item", "metadata data-sets add-element", "metadata programs add-org-units",
        "metadata data-element-groups add", "metadata program-stages reorder",
    )}  # fmt: skip
    assert set(map(tuple, told.values())) == {("uid", "items")}
    for path in ("metadata organisation-units tree", "metadata sql-views execute", "metadata indicators get"):
        assert find(path).told(find(path).params[0]) == "uid"


async def test_u16_a_verb_is_called_by_the_names_that_its_schema_has(sandbox_home: Path) -> None:
    tree = await called(Answers(), "read", verb="metadata organisation-units tree", arguments={"uid": "Bo"})
    assert tree["result"]["id"] == "ouDistrict1"
    [alone] = mcp.Tools().search("metadata organisation-units tree")["result"]
    assert set(alone["input"]["properties"]) == {"uid", "depth"}
