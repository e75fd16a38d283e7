"""A write is a write: whatever was tried and refused stands between `undo` and the write before it, on every surface."""

import asyncio
import json
import shlex
from pathlib import Path

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.changes.journal import of
from dhis2sh.errors import Declined, Dhis2Error, NetworkError, Refused
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import magics
from dhis2sh.surfaces.mcp.answers import Answers
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.fakes.person import Somebody
from tests.metadata.calls import YES

FIRST = "metadata update dataElements Remark --set description=Words"
REFUSED = (
    "metadata import nowhere.json --yes",  # no such file
    "metadata update dataElements Nothing --set name=X",  # no such object
    "metadata create dataElements --set name=X --yes",  # what the server wants is missing
    "metadata create dataElements --set nonsense=X --yes",
    "metadata rename dataElements --all --yes",  # how is not said
    "metadata delete dataElements deText00001",  # nobody said yes
    "metadata delete dataElements deText00001 --yess",  # a mistyped option
    "metadata delete dataElements --yes",  # an argument is missing
    "-p sandbox metadata delete dataElements --yes",
    "metadata delete dataElements deText00001 --yes -o nonsense",
    "user-role authorities remove Nobody F_METADATA_IMPORT --yes",
    "system settings set nonsense=1 --yes",
    "jobs run Nobody --yes",
    "instance apply nowhere --yes",
    "raw delete nonsense/deText00001 --yes",
    "datastore set nowhere --yes",
)
NO_ATTEMPTS = (
    "metadata import nowhere.json --dry-run",
    "metadata delete dataElements --dry-run",
    "metadata delete dataElements --help",
    "metadata list nonsense",
    "metadata update dataElements Nothing --set name=X --no-journal",
    "metadata nonsense dataElements --yes",
    "profile use nobody",
    "profile add --nonsense",
    "sandbox load nowhere.json",
    "journal prune",
    "undo 99 --yes",
)


@pytest.fixture
def said(sandbox_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a line on the sandbox: its exit code and what it printed."""
    monkeypatch.setenv("DHIS2_PROFILE", "sandbox")

    def line(text: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.run(shlex.split(text))
        return code, "".join(capsys.readouterr())

    assert line(FIRST)[0] == 0
    return line


def described() -> str | None:
    """What the description is now."""

    async def look() -> str | None:
        session = Session("sandbox")
        try:
            return (await session.client.get_object("dataElements/deText00001")).get("description")
        finally:
            await session.aclose()

    return asyncio.run(look())


def test_what_was_refused_is_what_undo_means(said):
    for number, refused in enumerate(REFUSED, 2):
        code, told = said(refused)
        assert code, told
        attempt = of("sandbox").entries()[0]
        assert (attempt.id, attempt.undoable) == (number, False), refused
        assert attempt.reason, refused
        code, told = said("undo --yes")
        assert (code, f"the last attempt, entry {number}, wrote nothing" in told) == (5, True), told
        assert "try: dhis2 undo 1  takes back the write before it: update dataElement 'Remark'" in told
    assert described() == "Words"
    assert said("undo 1 --yes")[0] == 0
    assert described() is None


def test_a_large_write_is_not_planned_for_a_hint(said, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dhis2sh.plugins.undo.PLANNED", 0)
    assert said(FIRST)[0] == 0
    told = said("undo --yes")[1]
    assert "try: dhis2 undo 1 --dry-run  says whether a large write before it can be taken back: update" in told


UNCHANGED = (
    FIRST,
    "user enable admin --yes",
    "system settings set keyCacheStrategy=CACHE_30_MINUTES --yes",
)


@pytest.mark.parametrize("line", UNCHANGED)
def test_what_was_right_already_is_what_undo_means(said, line: str):
    assert said("system settings set keyCacheStrategy=CACHE_30_MINUTES --yes")[0] == 0
    assert said(f"{line}")[0] == 0
    assert [(entry.id, entry.outcome) for entry in of("sandbox").entries()][:2] == [(3, "unchanged"), (2, "done")]
    code, told = said("undo --yes")
    assert (code, "the last attempt, entry 3, wrote nothing" in told) == (5, True), told
    assert "try: dhis2 undo 2  takes back the write before it" in told
    assert described() == "Words"
    assert "unchanged" in said("journal list")[1]
    assert said("undo 2 --yes")[0] == 0
    assert said("undo --yes")[0] == 0, "who has gone back behind the attempt is asked no more"
    assert described() is None


def test_attempts_and_writes_can_be_listed_apart_and_are_called_what_they_are(said):
    for line in ("user enable admin --yes", REFUSED[1], FIRST.replace("Words", "More")):
        said(line)

    def listed(how: str) -> list[tuple[object, ...]]:
        rows = json.loads(said(f"journal list {how} --json")[1])
        return [(row["id"], row["title"], row["outcome"], row["reason"]) for row in rows]

    update = "update dataElement 'Remark' [deText00001]"
    nothing = "none of the dataElements has the UID, code or name 'Nothing'"
    tried = [
        (3, "metadata update", "refused", nothing),
        (2, "user enable", "unchanged", "1 user already enabled"),
    ]
    assert listed("--tried") == tried
    assert listed("--written") == [(4, update, "done", None), (1, update, "done", None)]
    assert listed("--written --limit 1") == [(4, update, "done", None)]
    assert listed("") == [(4, update, "done", None), *tried, (1, update, "done", None)]
    assert "already enabled" in said("journal list")[1]
    assert said("journal list --written --tried")[0] == 2


def test_what_others_have_set_back_is_no_reason_to_take_back_an_older_write(said):
    assert said("metadata update dataElements Remark --set 'formName=Mark'")[0] == 0
    assert said("metadata update dataElements Remark --set formName= --no-journal")[0] == 0
    code, told = said("undo --yes")
    assert (code, "update dataElement 'Remark' [deText00001] has nothing to take back: 1 already right" in told) == (
        5,
        True,
    )
    assert "try: dhis2 undo 1  takes back the write before it" in told
    assert described() == "Words"
    assert "1 already right" in said("undo --dry-run")[1]


def test_what_is_no_attempt_to_write_is_passed_over(said):
    for line in NO_ATTEMPTS:
        said(line)
        assert [entry.id for entry in of("sandbox").entries()] == [1], line
        assert "undo entry 1 (" in said("undo --dry-run")[1], line
    code, told = said("undo --yes")
    entry = of("sandbox").entries()[1]
    assert code == 0
    assert f"undone {entry.told}" in told
    assert described() is None


def test_the_plan_and_the_result_say_which_write_is_taken_back(said):
    entry = of("sandbox").entries()[0]
    told = f"entry 1 ({entry.at[:10]} {entry.at[11:16]} UTC): update dataElement 'Remark' [deText00001]"
    assert f"undo {told}" in said("undo --dry-run")[1]
    assert f"undo {told}" in said("undo")[1], "without a yes the plan is shown"
    assert json.loads(said("undo --dry-run --json")[1])["plan"].startswith(f"undo {told}")
    assert f"undone {told}: 1 updated" in said("undo --yes")[1]


async def test_so_in_a_notebook_and_in_python(runner: magics.Runner):
    shell = runner.shell
    shell.run_line_magic("dhis2", FIRST)
    for line in (
        "metadata list dataElements | metadata.rename(prefix='X ', yes=True) | nonsense()",
        "metadata list dataElements | metadata.rename(1, 2, 3, 4, yes=True)",
        "metadata delete dataElements --yes",
        "metadata delete dataElements deText00001 | nonsense(",
        REFUSED[0],
    ):
        before = len(of("sandbox").entries())
        with pytest.raises(Dhis2Error):
            shell.run_line_magic("dhis2", line)
        assert len(of("sandbox").entries()) == before + 1, line
    with pytest.raises(Refused, match="the last attempt, entry 6, wrote nothing"):
        shell.run_line_magic("dhis2", "undo --yes")
    shell.run_line_magic("dhis2", "explain metadata delete dataElements deText00001 --yes")
    assert len(of("sandbox").entries()) == 6, "a line that is explained is not tried"


async def test_an_agent_is_refused_alike(sandbox_home: Path):
    answers = Answers()

    async def told(tool: str, verb: str, **more: object) -> str:
        call = {"verb": verb, "profile": "sandbox", **more}
        return json.dumps(await answers.call_tool({"name": tool, "arguments": call}))

    update = {"type": "dataElements", "uid": "deText00001", "set": ["description=Words"]}
    await told("write", "metadata update", arguments=update)
    delete = {"type": "dataElements", "objects": ["deText00001"]}
    assert "plan_id" in await told("destroy", "metadata delete", arguments=delete)
    assert "plan_id" in await told("destroy", "metadata delete", arguments=delete, dry_run=True)
    assert len(of("sandbox").entries()) == 1, "a plan that waits is no refused write"
    assert "undo entry 1 (" in await told("destroy", "undo")
    await told("write", "metadata update", arguments={**update, "uid": "nobody"}, dry_run=True)
    assert len(of("sandbox").entries()) == 1

    for number, (tool, verb, arguments) in enumerate([
        ("write", "metadata update", {**update, "uid": "nobody"}),
        ("write", "metadata update", {**update, "nonsense": 1}),
        ("write", "metadata import", {"file": "/nowhere.json"}),
        ("destroy", "metadata delete", {"type": "nonsense", "objects": ["deText00001"]}),
    ]):  # fmt: skip
        await told(tool, verb, arguments=arguments)
        assert len(of("sandbox").entries()) == number + 2, (verb, arguments)
    assert "the last attempt, entry 5, wrote nothing" in await told("destroy", "undo")
    assert "no plan 'gone'" in await told("destroy", "metadata delete", arguments=delete, plan_id="gone")
    assert len(of("sandbox").entries()) == 6


async def test_so_is_what_was_right_already_to_an_agent_and_in_a_notebook(sandbox_home: Path, runner: magics.Runner):
    answers = Answers()

    async def told(tool: str, verb: str, **arguments: object) -> str:
        call = {"verb": verb, "profile": "sandbox", "arguments": arguments}
        return json.dumps(await answers.call_tool({"name": tool, "arguments": call}))

    await told("write", "system settings set", values=["applicationTitle=Ministry"])
    await told("write", "system settings set", values=["applicationTitle=Ministry"])
    assert "the last attempt, entry 2, wrote nothing" in await told("destroy", "undo")
    runner.shell.run_line_magic("dhis2", "user enable admin --yes")
    with pytest.raises(Refused, match="the last attempt, entry 3, wrote nothing"):
        runner.shell.run_line_magic("dhis2", "undo --yes")
    assert [entry.outcome for entry in of("sandbox").entries()] == ["unchanged", "unchanged", "done"]


async def test_a_no_is_no_refusal_and_silence_is_one(session: Session, monkeypatch: pytest.MonkeyPatch):
    await run(
        session, find("metadata update"), {"type": "dataElements", "uid": "deText00001", "set": ["description=W"]}
    )
    session.person = Somebody(agrees=False)
    with pytest.raises(Declined):
        await run(session, find("metadata delete"), {"type": "dataElements", "objects": ["deText00001"]})
    assert len(of("sandbox").entries()) == 1

    async def silent(*_: object, **__: object) -> None:
        raise NetworkError("no answer came")

    with monkeypatch.context() as patch, pytest.raises(NetworkError):
        patch.setattr(session.client.transport, "send", silent)
        await run(session, find("metadata delete"), {"type": "dataElements", "objects": ["deText00001"]}, YES)
    assert of("sandbox").entries()[0].outcome == "failed"
    with pytest.raises(Refused, match=r"the last attempt, entry 2, wrote nothing \(metadata delete: no answer came\)"):
        await run(session, find("undo"), {}, YES)


async def test_what_went_stale_meanwhile_counts(session: Session, monkeypatch: pytest.MonkeyPatch):
    from dhis2sh.metadata.writes import Objects

    async def moved(*_: object) -> list[str]:
        return ["'Remark' has changed since the plan was made"]

    monkeypatch.setattr(Objects, "moved", moved)
    with pytest.raises(Refused, match="has changed since"):
        await run(session, find("metadata delete"), {"type": "dataElements", "objects": ["deText00001"]}, YES)
    assert [(entry.outcome, entry.title) for entry in of("sandbox").entries()] == [
        ("refused", "delete dataElement 'Remark' [deText00001]")
    ]


async def test_the_journal_keeps_no_secret_and_no_person_of_an_attempt(session: Session):
    with pytest.raises(Dhis2Error):
        await run(session, find("raw post"), {"path": "nonsense?token=d2pat_abcdefgh"}, YES)
    for uid in ("Anna Kelly", "w9wDBv99aRt"):
        with pytest.raises(Dhis2Error):
            await run(session, find("data tracker update"), {"uid": uid, "set": ["name=Anna"]}, YES)
    entries = of("sandbox").entries()
    assert not any("abcdefgh" in f"{entry.title} {entry.reason}" for entry in entries)
    assert [entry.of_persons for entry in entries] == [True, True, False]
    session.persons = False
    rows = await run(session, find("journal list"), {}, Consent())
    assert "Kelly" not in str(rows.plain())  # type: ignore[attr-defined]


SINGLE = {"type": "dataElements", "uid": "deText00001", "set": ["description=Words"]}
TOLD = "update dataElements Remark [deText00001] description: nothing -> 'Words'"


def test_a_single_change_is_told_before_it_is_written(
    sandbox_home: Path, notebook: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    """One rule at a terminal and without one, on all four surfaces; what destroys waits on all of them."""

    def undone() -> None:
        assert cli.run(["undo", "--yes", "-p", "sandbox"]) == 0
        capsys.readouterr()

    delete = "metadata delete dataElements deText00001 -p sandbox"
    assert cli.run(shlex.split(f"{FIRST} -p sandbox")) == 0
    printed = capsys.readouterr()
    assert (printed.err.strip(), "1 updated" in printed.out) == (TOLD, True)
    undone()
    assert cli.run(shlex.split(f"{FIRST} -p sandbox --yes")) == 0
    assert capsys.readouterr().err == "", "who says yes beforehand has seen it, or does not want to"
    undone()
    assert cli.run(shlex.split(delete)) == 2

    notebook.shell.run_line_magic("dhis2", f"{FIRST} -p sandbox")
    assert TOLD in "".join(capsys.readouterr())
    undone()
    with pytest.raises(Dhis2Error, match="nothing was written"):
        notebook.shell.run_line_magic("dhis2", delete)

    async def by_an_agent() -> None:
        call = {"verb": "metadata update", "profile": "sandbox", "arguments": SINGLE}
        answer = await Answers().call_tool({"name": "write", "arguments": call})
        assert answer["structuredContent"]["warnings"] == [TOLD]
        gone = {"verb": "metadata delete", "profile": "sandbox", "arguments": {**SINGLE, "objects": ["deText00001"]}}
        del gone["arguments"]["uid"], gone["arguments"]["set"]
        answer = await Answers().call_tool({"name": "destroy", "arguments": gone})
        assert answer["structuredContent"]["result"]["applied"] is False

    asyncio.run(by_an_agent())
    undone()


async def test_so_in_a_python_call(session: Session):
    session.person = somebody = Somebody()
    await run(session, find("metadata update"), SINGLE)
    assert somebody.notes == [TOLD]
