"""A verb that gives a stream, on the command line, at the prompt, for an agent and in Python."""

import asyncio
import io
import itertools
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh.errors import Dhis2Error, PipelineError
from dhis2sh.rows.rows import Rows, Text
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.surfaces import mcp
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import magics
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.plugged import plugged

UNITS = [
    {"id": "ouDistrict1", "name": "Bo", "level": 2},
    {"id": "ouCountry01", "name": "Country", "level": 1},
    {"id": "ouDistrict2", "name": "Kono", "level": 2},
    {"id": "ouFacility1", "name": "Ngele CHC", "level": 3},
]


@pytest.fixture(autouse=True)
def trial(sandbox_home: Path) -> Iterator[list[str]]:
    """The domain of `tests/trial_plugin.py`, as if a distribution had registered it; what its stream has read."""
    with plugged("trial", "tests.trial_plugin"):
        import tests.trial_plugin

        yield tests.trial_plugin.READ


def test_the_same_rows_on_every_surface(runner: magics.Runner, capsys: pytest.CaptureFixture[str]) -> None:
    async def in_python() -> list[object]:
        session = Session("sandbox")
        try:
            return [row async for row in await run(session, find("trial units"), {})]  # type: ignore[attr-defined]
        finally:
            await session.aclose()

    assert cli.run(["trial", "units", "-o", "json", "-p", "sandbox"]) == 0
    assert json.loads(capsys.readouterr().out) == UNITS
    assert json.loads(str(runner.line("trial units -o json"))) == UNITS
    assert runner.portal.run(mcp.Tools().run("trial units", {}, "sandbox", "read"))["result"] == UNITS
    assert asyncio.run(in_python()) == UNITS


# The command line ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ("", "n  even\n0  true\n1  false\n2  true\n"),
        ("-o csv", "n,even\n0,true\n1,false\n2,true\n"),
        ("-o ndjson", '{"n": 0, "even": true}\n{"n": 1, "even": false}\n{"n": 2, "even": true}\n'),
        ("-o md", "| n | even |\n| --- | --- |\n| 0 | true |\n| 1 | false |\n| 2 | true |\n"),
        ("-o yaml", "- n: 0\n  even: true\n- n: 1\n  even: false\n- n: 2\n  even: true\n"),
        ("--jq .[].n", "0\n1\n2\n"),
    ],
)
def test_a_stream_is_printed(options: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["trial", "numbers", "--count", "3", *options.split(), "-p", "sandbox"]) == 0
    assert capsys.readouterr().out == printed


def test_no_rows_are_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["trial", "numbers", "--count", "0", "-p", "sandbox"]) == 0
    assert capsys.readouterr().out == "no rows\n"


@pytest.mark.parametrize("name", ["rows.csv", "rows.json", "rows.xlsx", "rows.parquet"])
def test_a_stream_is_written_to_a_file(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    import polars

    assert cli.run(["trial", "numbers", "--count", "1234", "--out", name, "-p", "sandbox"]) == 0
    assert capsys.readouterr().err == f"{name}: 1,234 rows\n"
    read = {".csv": polars.read_csv, ".json": polars.read_json, ".xlsx": polars.read_excel}
    frame = read.get(Path(name).suffix, polars.read_parquet)(name)
    assert (frame.columns, frame["n"].to_list()) == (["n", "even"], list(range(1234)))
    assert [path.name for path in Path.cwd().iterdir()] == [name]


def test_a_reader_that_has_seen_enough_ends_the_stream(trial: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.StringIO):
        def write(self, text: str) -> int:
            if "\n250 " in text:
                raise BrokenPipeError
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", Pipe())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert cli.run(["trial", "numbers", "-p", "sandbox"]) == 0
    assert trial == ["from 0", "from 100", "from 200", "closed"]


# The prompt ---------------------------------------------------------------------------------------------------------


def test_the_prompt_shows_the_first_rows_and_reads_no_further(trial: list[str], runner: magics.Runner) -> None:
    result = runner.line("trial numbers")
    assert repr(result).splitlines()[0] == " n  even"
    assert repr(result).splitlines()[20:] == [
        "19  false",
        "(the first 20 rows; the rest is unread: | csv('FILE'), | where(...), or rows = await _.collect())",
    ]
    assert "the first 20 rows; the rest is unread" in result._repr_html_()  # type: ignore[attr-defined]
    assert trial == ["from 0"]
    runner._lines.close()
    assert trial[-1] == "closed"
    assert repr(result) == "a stream that has been read, or closed"


def test_a_short_stream_is_shown_whole(trial: list[str], runner: magics.Runner) -> None:
    assert repr(runner.line("trial numbers --count 2")) == "n  even\n0  true\n1  false"
    assert trial[-1] == "closed"
    assert repr(runner.line("trial numbers --count 0")) == "no rows"


def test_a_pipeline_reads_as_far_as_it_must(trial: list[str], runner: magics.Runner) -> None:
    told = runner.line("trial numbers | where(even) | select(n) | head(60) | csv('even.csv')")
    assert isinstance(told, Text)
    assert Path("even.csv").read_text().split() == ["n", *map(str, range(0, 120, 2))]
    assert trial == ["from 0", "from 100", "closed"]
    assert runner.line("trial numbers | where(n > 2) | len") == 997
    assert isinstance(runner.line("trial numbers | sort(-n) | head(1)"), Rows)


def test_a_preview_may_be_read_on_at_the_prompt(trial: list[str], runner: magics.Runner) -> None:
    shell = runner.shell
    shell.user_ns["some"] = runner.line("trial numbers --count 500")
    assert trial == ["from 0"]
    assert len(shell.run_cell("await some.where('even').collect()").result) == 250
    assert trial[-1] == "closed"
    assert str(shell.run_cell("await (await trial.numbers(count=300)).csv('all.csv')").result).startswith("all.csv")
    assert len(Path("all.csv").read_text().splitlines()) == 301
    assert shell.run_cell("[row['n'] async for row in (await trial.numbers(count=3))]").result == [0, 1, 2]


@pytest.mark.parametrize(
    "cell",
    [
        "rows = %trial numbers --count 300",
        "rows = %dhis2 trial numbers --count 300",
        "# the numbers\nfirst = 1\nrows = %trial numbers --count 300 | where(n >= 0)",
        "rows = %trial numbers --count 300 \\\n  | where(n >= 0)\n",
        "for _ in range(1):\n    rows = %trial numbers --count 300\n",
    ],
)
def test_what_a_variable_is_given_is_rows(cell: str, trial: list[str], runner: magics.Runner) -> None:
    shell = runner.shell
    assert shell.run_cell(cell).success
    assert trial[-1] == "closed"
    for _ in range(2):  # and not only once
        assert shell.run_cell("len(rows), [row['n'] for row in rows][-1], rows.df().shape").result == (
            300,
            299,
            (300, 2),
        )


def test_what_is_only_shown_stays_a_preview(trial: list[str], runner: magics.Runner) -> None:
    assert isinstance(runner.shell.run_cell("x = 1\n%trial numbers --count 300").result, Stream)
    assert trial == ["from 0"]
    runner.shell.run_cell("kept = _.where('n < 250')")
    runner.shell.run_cell("rows = kept | head(200)")
    assert len(runner.shell.user_ns["rows"]) == 200


def test_more_rows_than_memory_should_hold_stay_a_stream_and_it_is_said(
    trial: list[str], runner: magics.Runner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dhis2sh.surfaces.ipython.running.MANY", 150)
    assert runner.shell.run_cell("rows = %trial numbers").success
    assert trial == ["from 0", "from 100"]
    assert "more than 150 rows: the variable is a stream" in capsys.readouterr().err
    assert len(runner.shell.run_cell("await rows.collect()").result) == 1000


@pytest.mark.parametrize("use", ["len(_)", "list(_)", "[row for row in _]", "import pandas\npandas.DataFrame(_)"])
def test_a_stream_that_is_used_as_rows_says_so_in_two_lines(
    use: str, runner: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.shell.run_cell("%trial numbers")
    capsys.readouterr()
    runner.shell.run_cell(use)
    said = [line for line in capsys.readouterr().out.splitlines() if line]
    assert [line.partition(":")[0] for line in said] == ["error", "  try"]


def test_the_oldest_of_many_previews_is_closed(runner: magics.Runner) -> None:
    kept = [runner.line("trial numbers") for _ in range(4)]
    assert [stream.taken for stream in kept if isinstance(stream, Stream)] == [True, False, False, False]
    with pytest.raises(PipelineError, match="has been read"):
        runner.portal.run(kept[0].collect())  # type: ignore[attr-defined]


def test_a_line_writes_a_stream_to_a_file(runner: magics.Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.line("trial numbers --out all.ndjson") is None
    assert capsys.readouterr().err == "all.ndjson: 1,000 rows\n"
    assert len(Path("all.ndjson").read_text().splitlines()) == 1000
    assert runner.line("trial numbers;") is None


def test_where_nobody_can_ask_for_the_rest_all_of_it_is_printed(
    runner: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.line("trial numbers | where(n > 997)", whole=True) is None
    assert capsys.readouterr().out == "  n  even\n998  true\n999  false\n"
    runner.output = "csv"
    assert runner.line("trial numbers --count 2", whole=True) is None
    assert capsys.readouterr().out == "n,even\n0,true\n1,false\n"


def test_ctrl_c_closes_the_request(trial: list[str], runner: magics.Runner) -> None:
    import _thread

    rows = itertools.count()

    def slow(row: object) -> bool:
        threading.Event().wait(0.001)
        if next(rows) == 50:
            _thread.interrupt_main()  # as a key does, in the middle
        return True

    runner.shell.user_ns["slow"] = slow
    assert runner.line("trial numbers --count 100000 | where(slow(n)) | csv('all.csv')") is None
    assert runner.failed
    for _ in range(300):
        if trial[-1] == "closed":
            break
        threading.Event().wait(0.1)
    assert trial[-1] == "closed"
    assert list(Path.cwd().iterdir()) == []


def test_a_stream_of_another_profile_keeps_its_session_until_it_ends(
    runner: magics.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str | None] = []
    close = Session.aclose

    async def closing(session: Session) -> None:
        closed.append(session.bound)
        await close(session)

    monkeypatch.setattr(Session, "aclose", closing)
    units = [{"id": f"ouMany{n:05}", "name": f"Unit {n:02}", "shortName": f"U{n}"} for n in range(30)]
    filling = Session("sandbox:other")
    filling.sandbox_store().put_objects({"organisationUnits": units})
    runner.portal.run(close(filling))

    stream = runner.line("trial units -p sandbox:other")

    assert isinstance(stream, Stream)
    assert (len(stream.ahead), closed) == (21, [])
    assert len(runner.portal.run(stream.collect())) == 30
    assert closed == ["sandbox:other"]


def test_explain_shows_the_request_of_a_stream(runner: magics.Runner) -> None:
    before = len(runner.session.client.transport.sent)
    shown = str(runner.line("explain trial units | where(level == 2)"))
    assert "GET /api/organisationUnits?" in shown
    assert "locally   level == 2" in shown
    assert len(runner.session.client.transport.sent) == before


# Agents -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "total"), [(150, 150), (200, 200), (201, None), (1000, None)])
async def test_an_agent_gets_the_first_rows_and_is_told(count: int, total: int | None, trial: list[str]) -> None:
    answer = await mcp.Tools().run("trial numbers", {"count": count}, "sandbox", "read")
    assert answer["result"] == [{"n": n, "even": n % 2 == 0} for n in range(min(count, 200))]
    assert (answer["truncated"], answer["total"]) == (total is None, total)
    assert (trial[-1], len(trial) <= 4) == ("closed", True)


# What a stream asks for is a read -----------------------------------------------------------------------------------


async def test_a_stream_may_not_write(session: Session) -> None:
    async def writing():
        await session.client.post("dataElements", {"name": "x"})
        yield []

    stream = await run(session, find("trial numbers"), {})
    stream._source = writing()  # type: ignore[attr-defined]
    with pytest.raises(Dhis2Error, match="read"):
        await stream.collect()  # type: ignore[attr-defined]


async def test_rows_know_where_they_came_from(session: Session) -> None:
    stream = await run(session, find("trial units"), {})
    rows = await stream.where("level == 2").collect()  # type: ignore[attr-defined]
    assert (rows.provenance.verb, rows.provenance.profile, rows.resource) == (
        "trial units",
        "sandbox",
        "organisationUnits",
    )
    assert rows.provenance.at is not None
