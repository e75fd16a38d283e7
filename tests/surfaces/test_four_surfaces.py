"""One table of cases through all four surfaces: the answers are equal."""

import asyncio
import contextlib
import io
import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from dhis2sh.rows.rows import Text, to_json
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.surfaces import mcp
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import magics
from dhis2sh.surfaces.mcp.folders import Folders
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.plugged import plugged
from tests.shared import needs_shared
from tests.surfaces.cases import Case, all_cases

CASES = all_cases()


def settled(value: object, case: Case) -> object:
    if isinstance(value, list):
        return [settled(item, case) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if key not in case.volatile}
    if "out" in case.arguments:  # an agent's file lies in the export folder
        kept["file"] = Path(str(kept["file"])).name
    return kept


def on_the_command_line(case: Case) -> object:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = cli.run([*case.verb.split(), *shlex.split(case.line), "-p", "sandbox", "-o", "json"])
    assert code == 0
    return unnamed(json.loads(out.getvalue()))


def unnamed(value: object) -> object:
    """Where a profile was named the commands that are printed carry it; they are the same but for that."""
    return json.loads(json.dumps(value).replace("dhis2 -p sandbox ", "dhis2 "))


async def over_mcp(case: Case) -> object:
    export = Path("agents")
    export.mkdir(exist_ok=True)
    tools = mcp.Tools(persons=True, folders=Folders([Path.cwd()], export))
    answer = await tools.run(case.verb, case.arguments, "sandbox", "read")
    found = answer["result"]
    while answer.get("truncated"):  # as an agent does, that wants all of it
        answer = await tools.run(case.verb, case.arguments, "sandbox", "read", skip=len(found))
        if not answer["result"]:
            break
        found += answer["result"]
    return unnamed(found)


async def in_python(case: Case) -> object:
    session = Session("sandbox")
    try:
        result = await run(session, find(case.verb), case.arguments)
        return to_json(await result.collect() if isinstance(result, Stream) else result)
    finally:
        await session.aclose()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.verb} {case.line}".strip())
def test_the_same_answer_on_every_surface(case: Case, notebook: magics.Runner, request: pytest.FixtureRequest) -> None:
    if case.needs and shutil.which(case.needs) is None:
        pytest.skip(f"there is no {case.needs} on this machine")
    request.getfixturevalue(case.home)
    for name, body in case.files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(body if isinstance(body, str) else json.dumps(body))
    for line in case.before:
        assert cli.run(shlex.split(line)) == 0
    from_cli = settled(on_the_command_line(case), case)
    result = notebook.shell.run_line_magic("dhis2", f"{case.verb} {case.line}".strip())
    shown = to_json(asyncio.run(result.collect()) if isinstance(result, Stream) else result)
    from_magic = settled(unnamed(shown), case)
    from_mcp = settled(notebook.portal.run(over_mcp(case)), case)
    from_python = settled(notebook.portal.run(in_python(case)), case)

    assert from_cli == from_magic == from_mcp == from_python
    assert bool(from_cli) != case.empty


def test_every_reading_verb_is_in_the_table() -> None:
    from dhis2sh.verbs.registry import load_domains

    reading = {path for path, verb in load_domains().items() if verb.effect == "read" and not verb.left_out}

    assert reading <= {case.verb for case in CASES}


def test_a_pipeline_gives_the_rows_that_a_filter_gives(runner: magics.Runner) -> None:
    piped = runner.line("metadata list organisationUnits | where(level == 2) | select(id, name) | sort(name)")
    filtered = runner.line(
        "metadata list organisationUnits --all --filter level:eq:2 --fields id,name --order name:asc"
    )

    assert (
        to_json(piped)
        == to_json(filtered)
        == [
            {"id": "ouDistrict1", "name": "Bo"},
            {"id": "ouDistrict2", "name": "Kono"},
        ]
    )


def test_a_mistake_in_a_pipeline_is_pointed_at_before_anything_is_sent(
    runner: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(runner.session.client.transport.sent)

    assert runner.line("metadata list dataElements | where(name ==)") is None
    assert len(runner.session.client.transport.sent) == before
    assert "^" in capsys.readouterr().err


def test_variables_are_expanded_in_the_head_alone(runner: magics.Runner) -> None:
    runner.shell.user_ns["wanted"] = "bcg"

    rows = runner.line("metadata list dataElements --filter name:ilike:$wanted | select(name)")

    assert to_json(rows) == [{"name": "BCG doses given"}]


def test_a_cell_magic_runs_several_lines(runner: magics.Runner) -> None:
    result = runner.shell.run_cell_magic("dhis2", "", "metadata count dataElements\nmetadata count organisationUnits")

    assert to_json(result) == {"type": "organisationUnits", "count": 4}


def test_a_line_says_what_it_wrote_into_a_file(
    runner: magics.Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.shell.run_line_magic("metadata", f"list dataElements --out {tmp_path / 'all.csv'}")
    assert capsys.readouterr().err.endswith("all.csv: 3 rows\n")


def test_a_domain_that_is_a_verb_itself_runs_by_its_name_alone(runner: magics.Runner) -> None:
    assert to_json(runner.shell.run_cell("verbs").result)[0]["name"].startswith("analytics ")
    shown = repr(runner.shell.run_cell("metadata").result)
    assert shown.startswith("<metadata: add, add_members, attribute, clone, "), "the others show their verbs"
    assert "types; metadata? tells more>" in shown, "and not seventy types with theirs"
    assert repr(runner.shell.run_cell("analytics").result).startswith("<analytics: "), "none of its verbs runs by it"
    assert runner.shell.run_cell("(await what('DE_1')).name").result == "BCG doses given"
    with pytest.raises(TypeError, match="metadata has verbs and is none: "):
        runner.shell.user_ns["metadata"]()


def test_a_uid_alone_asks_what_it_is(runner: magics.Runner) -> None:
    assert to_json(runner.shell.run_cell("deNumber001").result)["name"] == "BCG doses given"
    assert runner.shell.run_cell("deNumber001 = 3\ndeNumber001").result == 3
    assert runner.shell.run_cell("deNumber001").result == 3, "a name of the user's is Python"


def test_rows_that_go_into_a_variable_say_when_they_are_not_all(
    runner: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.shell.run_cell("kept = %metadata list organisationUnits --page-size 2")
    assert "of 4 rows" not in capsys.readouterr().err, "a page that was asked for is what was wanted"
    store = runner.session.sandbox_store()
    store.put_objects({"constants": [{"id": f"coMany{n:05}", "name": f"Constant {n}", "value": n} for n in range(60)]})
    runner.shell.run_cell("kept = %metadata list constants")
    assert capsys.readouterr().err == "50 of 60 rows; --all for every one\n"
    runner.shell.run_cell("kept = %metadata list constants --all")
    runner.shell.run_cell("few = %metadata list constants | where(value > 57)")
    assert capsys.readouterr().err == ""
    assert (len(runner.shell.user_ns["kept"]), len(runner.shell.user_ns["few"])) == (60, 2)


def test_output_as_json_is_text(runner: magics.Runner) -> None:
    result = runner.line("metadata count dataElements -o json")

    assert isinstance(result, Text)
    assert json.loads(result.text) == {"type": "dataElements", "count": 3}


def test_explain_shows_the_requests_and_sends_nothing(runner: magics.Runner) -> None:
    before = len(runner.session.client.transport.sent)

    shown = str(runner.line("explain metadata list dataElements | where(valueType == 'NUMBER' and len(name) > 3)"))

    assert "GET /api/dataElements?" in shown
    assert "filter=valueType:eq:NUMBER" in shown
    assert "locally   len(name) > 3" in shown
    assert len(runner.session.client.transport.sent) == before


@pytest.fixture
def trial() -> Iterator[None]:
    """The domain of `tests/trial_plugin.py`, as if a distribution had registered it."""
    with plugged("trial", "tests.trial_plugin"):
        yield


def test_rows_are_piped_into_a_verb(trial: None, runner: magics.Runner) -> None:
    line = "metadata list dataElements | where(valueType == 'NUMBER') | trial.label(text='x', {})"

    planned = to_json(runner.line(line.format("dry_run=True")))
    written = to_json(runner.line(line.format("yes=True")))

    assert planned["plan"] == "label 2 dataElements"
    assert written["updated"] == 2
    assert written["uids"] == ["deNumber001", "deNumber002"]


@pytest.mark.parametrize("text", ["deNumber001\ndeNumber002\n", '{"id": "deNumber001"}\n{"id": "deNumber002"}\n'])
def test_objects_come_from_standard_input(
    text: str, trial: None, sandbox_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    assert cli.run(["trial", "label", "dataElements", "-", "--yes", "-p", "sandbox", "-o", "json"]) == 0

    assert json.loads(capsys.readouterr().out)["uids"] == ["deNumber001", "deNumber002"]


async def test_the_client_at_the_prompt_hops_to_the_service_loop(runner: magics.Runner) -> None:
    import asyncio

    me, info = await asyncio.gather(runner.client.get("me"), runner.client.get("system/info"))
    names = [row["name"] async for row in runner.client.iter("dataElements", {"fields": "name"}, page_size=1)]

    assert me["username"] == "admin"
    assert info["version"].startswith("2.42")
    assert names == ["BCG doses given", "OPV doses given", "Remark"]


def test_a_slow_call_is_cancelled_by_ctrl_c(runner: magics.Runner) -> None:
    import _thread
    import asyncio
    import threading
    import time

    ended = threading.Event()

    async def slow() -> None:
        try:
            _thread.interrupt_main()  # as a key does, once it is waited for
            await asyncio.sleep(60)
        finally:
            ended.set()

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        runner.portal.run(slow())
    assert ended.wait(30)
    assert time.monotonic() - started < 50


@needs_shared
def test_the_numbers_of_the_real_metadata(real_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["metadata", "count", "organisationUnits", "-p", "sandbox"]) == 0
    assert capsys.readouterr().out == "1332\n"

    words = "metadata list organisationUnits --all --filter level:eq:2 --fields id,name --order name:asc -o json"
    assert cli.run([*words.split(), "-p", "sandbox"]) == 0
    districts = json.loads(capsys.readouterr().out)
    assert len(districts) == 13
    assert districts[0] == {"id": "O6uvpzGd5pu", "name": "Bo"}

    InteractiveShell.clear_instance()
    runner = magics.load(InteractiveShell.instance(), "sandbox")
    line = "metadata list organisationUnits --all | where(level == 2) | select(id, name) | sort(name)"
    assert to_json(runner.line(line)) == districts
    assert runner.line("metadata list dataElements | where(valueType == 'NUMBER') | len") == 48
    assert runner.line("metadata list dataElements | len") == 69
    runner.portal.run(runner.session.aclose())
    runner.portal.close()
    runner.shell.history_manager.end_session()
    InteractiveShell.clear_instance()
