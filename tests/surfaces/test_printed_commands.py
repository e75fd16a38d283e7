"""A command that we print is typed as it stands: it acts on the profile that the line named, never on the active one."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from dhis2sh import profiles
from dhis2sh.changes import refusals
from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import NotFound, PartlyDone, Refused
from dhis2sh.surfaces import commands, terminal
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import display, magics
from dhis2sh.surfaces.mcp import results
from dhis2sh.surfaces.mcp.answers import Answers
from dhis2sh.surfaces.mcp.folders import Folders

PACKAGE = {
    "package": {"name": "BCG_AGG", "version": "1.0.0", "DHIS2Version": "2.42.0", "type": "AGGREGATE"},
    "dataElementGroups": [
        {"id": "deGroup0009", "name": "All", "shortName": "All", "dataElements": [{"id": "deNumber009"}]}
    ],
}


@pytest.fixture
def package(sandbox_home: Path, tmp_path: Path) -> Path:
    """A package whose installation wants a decision, while another profile than the sandbox is active."""
    profiles.save(profiles.Profile("prod", "https://prod.example.org", username="ann", production=True), activate=True)
    file = tmp_path / "package.json"
    file.write_text(json.dumps(PACKAGE))
    return file


@pytest.mark.parametrize("where", [["-p", "sandbox"], ["--profile=sandbox"]])
def test_hints_1_a_refusal_says_the_next_line_with_the_profile(
    package: Path, capsys: pytest.CaptureFixture[str], where: list[str]
) -> None:
    assert cli.run(["metadata", "package", "install", str(package), *where]) == 5
    err = capsys.readouterr().err
    assert f"  try: dhis2 -p sandbox metadata package install {package} --drop-dangling\n" in err


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_hints_1_so_do_the_decisions_of_a_plan_in_every_form(
    package: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert cli.run(["-p", "sandbox", "metadata", "package", "plan", str(package), "-o", form]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"dhis2 -p sandbox metadata package install {package} --drop-dangling" in out
    assert "dhis2 metadata" not in out


def test_hints_1_and_what_is_said_of_a_line_that_cannot_be_read_or_finds_nothing(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["-p", "sandbox", "metadata", "list", "dataElements", "--filter", "nope:eq:1"]) == 2
    assert "try: dhis2 -p sandbox metadata describe dataElements" in capsys.readouterr().err
    assert cli.run(["-p", "sandbox", "undo"]) == 3
    assert "try: dhis2 -p sandbox journal list" in capsys.readouterr().err


def test_hints_1_a_line_that_names_none_prints_none_nor_does_the_next_line(
    sandbox_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DHIS2_PROFILE", "sandbox")
    assert cli.run(["-p", "sandbox", "undo"]) == 3
    assert cli.run(["undo"]) == 3
    assert capsys.readouterr().err.endswith("try: dhis2 journal list\n")


@pytest.mark.parametrize(
    ("text", "carried"),
    [
        ("dhis2 journal show 3; dhis2 undo 2  takes it back",
         "dhis2 -p box journal show 3; dhis2 -p box undo 2  takes it back"),
        ("dhis2 metadata rename -p live", "dhis2 metadata rename -p live"),
        ("dhis2 -p live metadata list", "dhis2 -p live metadata list"),
        ("dhis2 profile verify", "dhis2 -p box profile verify"),
        ("is it up? dhis2 profile verify  shows which", "is it up? dhis2 -p box profile verify  shows which"),
        ("dhis2 profile verify other", "dhis2 profile verify other"),
        ("check the address: dhis2 profile show", "check the address: dhis2 -p box profile show"),
        ("dhis2 profile show other", "dhis2 profile show other"),
        ("dhis2 profile login box; dhis2 sandbox reset", "dhis2 profile login box; dhis2 sandbox reset"),
        ("dhis2 metadata rename --help", "dhis2 metadata rename --help"),
        ("dhis2\n    metadata types", "dhis2 -p box\n    metadata types"),
        ("in /home/ann/dhis2 metadata, dhis2 export.json, DHIS2 server", None),
    ],
)  # fmt: skip
def test_hints_1_what_has_a_profile_or_is_of_this_machine_stays(text: str, carried: str | None) -> None:
    with commands.of_profile("box"):
        assert commands.carried(text) == (carried or text)
    assert commands.carried(text) == text


def test_hints_1_the_question_before_a_write_names_the_profile(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.readline", lambda: "y\n", raising=False)
    box = profiles.Profile("box", "https://box.example.org")
    plan = Plan("rename", [PlanStep("update", "dataElements", "deText00001", "Text")], made_for=box)
    assert terminal.ask(plan, None)
    assert capsys.readouterr().err.endswith("update 1 dataElements; apply on box? [y/N] ")


# The shell, notebooks, agents ---------------------------------------------------------------------------------------


@pytest.fixture
def at_prod(package: Path) -> Iterator[magics.Runner]:
    """A prompt on the active profile, which is another one than the sandbox."""
    shell = InteractiveShell.instance()
    runner = magics.load(shell)
    yield runner
    runner.close()
    InteractiveShell.clear_instance()


def test_hints_1_a_magic_that_names_its_profile_says_the_next_line_with_it(
    at_prod: magics.Runner, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert at_prod.line("undo -p sandbox") is None
    assert capsys.readouterr().err.endswith("try: dhis2 -p sandbox journal list\n")
    assert at_prod.line("metadata list dataElements --filter nope:eq:1 -p sandbox") is None
    assert "try: dhis2 -p sandbox metadata describe dataElements" in capsys.readouterr().err
    shown = at_prod.line(f"metadata package plan {package} -p sandbox")
    for text in (display.drawn_for_people(shown), display.page(shown)):
        assert "dhis2 -p sandbox metadata package install" in text
        assert "dhis2 metadata package install" not in text
    assert "dhis2 -p sandbox metadata" in str(at_prod.line(f"metadata package plan {package} -p sandbox -o json"))
    assert at_prod.line("journal list --nope") is None
    assert "-p" not in capsys.readouterr().err, "a line that names none prints none"


def test_hints_1_so_does_a_prompt_that_was_bound_to_a_profile(
    at_prod: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    at_prod.line("profile use sandbox")
    capsys.readouterr()
    assert at_prod.line("undo") is None
    assert capsys.readouterr().err.endswith("try: dhis2 -p sandbox journal list\n")
    assert not at_prod.shell.run_cell("await undo()").success
    assert at_prod.last_error is not None
    with pytest.raises(NotFound) as raised:
        asyncio.run(at_prod.shell.user_ns["undo"]())
    assert raised.value.hint == "dhis2 -p sandbox journal list"


async def test_hints_1_so_does_an_agents_answer(package: Path) -> None:
    answers = Answers(folders=Folders([package.parent]))
    given = {"verb": "metadata package install", "arguments": {"file": str(package)}, "profile": "sandbox"}
    refused = await answers.call_tool({"name": "write", "arguments": {**given, "dry_run": True}})
    assert refused["structuredContent"]["result"]["try"] == (
        f"dhis2 -p sandbox metadata package install {package} --drop-dangling"
    )


def test_a_hint_keeps_what_parts_the_command_from_what_it_is_good_for(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.report(PartlyDone("half", summary=None, hint="dhis2 explain  puts the refusal\n   into words"))
    assert capsys.readouterr().err == "error: half\n  try: dhis2 explain  puts the refusal into words\n"


# A hint is never cut ------------------------------------------------------------------------------------------------


def test_an_agent_reads_what_to_type_though_the_note_is_long() -> None:
    long = "a sentence of many words that goes on, " * 10
    plan = Plan("rename", [], notes=[f"{long}; dhis2 metadata usage deNumber001 --all  lists them"] * 7)
    notes = results.of_plan(plan)["result"]["notes"]
    assert len(notes) == 7, "without steps there is room for all"
    assert all(note.endswith("; try: dhis2 metadata usage deNumber001 --all)") for note in notes)


def test_an_agent_reads_the_notes_that_had_no_room_behind_the_last_step() -> None:
    steps = [PlanStep("update", "dataElements", "deText00001", "Text")] * 2
    plan = Plan("rename", steps, notes=[f"note {number}" for number in range(8)])
    first = results.of_plan(plan, plan_id="x")["result"]
    assert first["notes"][5:] == ["... and 3 more notes: the same call with plan_id and skip=2"]
    assert results.of_plan(plan, plan_id="x", skip=2)["result"]["notes"] == ["note 5", "note 6", "note 7"]


def test_an_agent_is_told_a_write_that_ended_half_way_as_data() -> None:
    failures = [{"uid": f"deText000{n:02}", "message": "taken", "code": "E5003"} for n in range(30)]
    summary = WriteSummary("data elements", created=2, uids=["deText00098", "deText00099"], failures=failures)
    told = results.of_partly(PartlyDone("2 created; 30 refused", summary=summary, hint="dhis2 journal show 4"))
    assert (told["applied"], told["created"], told["uids"]) == ("partly", 2, ["deText00098", "deText00099"])
    assert told["refused"][0] == {"uid": "deText00000", "message": "taken", "code": "E5003"}
    assert (len(told["refused"]), told["more_refused"], told["next"]) == (20, 10, "dhis2 journal show 4")


async def test_a_write_that_ends_half_way_is_an_error_with_what_was_written(sandbox_home: Path) -> None:
    new = {"valueType": "NUMBER", "domainType": "AGGREGATE", "aggregationType": "SUM"}
    objects = {"dataElements": [
        {**new, "id": "deNumber009", "name": "New", "shortName": "New"},
        {**new, "id": "deNumber008", "name": "Bad", "shortName": "Bad", "optionSet": {"id": "osMissing01"}},
    ]}  # fmt: skip
    answers = Answers()
    call = {"verb": "metadata import", "arguments": {"objects": objects, "atomic": "none"}, "profile": "sandbox"}
    plan = await answers.call_tool({"name": "write", "arguments": {**call, "dry_run": True}})
    plan_id = plan["structuredContent"]["result"]["plan_id"]
    done = await answers.call_tool({"name": "write", "arguments": {**call, "plan_id": plan_id}})
    assert done["isError"] is True
    told = done["structuredContent"]["result"]
    assert (told["applied"], told["created"]) == ("partly", 2)
    assert told["refused"][0]["message"].startswith("written all the same, without what is at fault: ")
    assert sorted(told["uids"]) == ["deNumber008", "deNumber009"]
    assert json.loads(done["content"][0]["text"].splitlines()[-1]) == told
    assert told["next"] == "dhis2 -p sandbox journal show 1  names what was refused, and what undo takes back"


def test_hints_1_who_looks_whether_a_server_answers_looks_at_the_one_that_did_not() -> None:
    with commands.of_profile("dead"):
        assert (
            commands.carried("is the server up? dhis2 profile verify")
            == "is the server up? dhis2 -p dead profile verify"
        )
        assert commands.carried("dhis2 profile list") == "dhis2 profile list"


def test_the_last_refusal_is_told_with_the_profile_on_which_it_happened(
    sandbox_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever asks from another profile would look into the wrong journal, and take back another write."""
    hint = "dhis2 journal show 1  names what was refused"
    told = PartlyDone("2 created; dhis2 undo 1", summary=None, hint=hint)
    refusals.keep(told, "sandbox")
    profiles.save(profiles.Profile("prod", "https://prod.example.org", username="ann", production=True), activate=True)
    for where in ([], ["-p", "prod"], ["-p", "sandbox"]):
        assert cli.run(["explain", *where]) == 0
        out = capsys.readouterr().out
        assert out == (
            "PartlyDone (on 'sandbox'): 2 created; dhis2 -p sandbox undo 1\n"
            "try: dhis2 -p sandbox journal show 1  names what was refused\n"
        )
    refusals.keep(Refused("no", code="E4030", hint="dhis2 explain"), "sandbox")
    assert cli.run(["explain", "-p", "prod"]) == 0
    assert "try:" not in capsys.readouterr().out
