"""A line that is neither Python nor ours says what was probably meant."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import Dhis2Error
from dhis2sh.rows.rows import Rows
from dhis2sh.surfaces.ipython import magics, running


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("metadta list dataElements", "did you mean metadata?"),
        ("search malaria", "metadata search malaria"),
        ("list dataElements", "metadata list dataElements"),
        ("types data", "did you mean jobs types or metadata types or task types?"),
        ("journl show 3", "did you mean journal?"),
        (
            "dashboard describe 'Mother and child'",
            "did you mean analytics dashboard or browser dashboard or metadata dashboard?",
        ),
    ],
)
def test_a_line_that_was_meant_for_us(
    line: str, hint: str, notebook: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.shell.run_cell(line)

    said = capsys.readouterr()
    assert said.err.splitlines() == [f"error: there is no command '{line.split()[0]}'", f"  try: {hint}"]
    assert "SyntaxError" not in said.out


@pytest.mark.parametrize("line", ["x = = 3", "print 'x'", "import a b", "mine is not = 3", "for x y"])
def test_python_keeps_its_own_errors(line: str, notebook: magics.Runner, capsys: pytest.CaptureFixture[str]) -> None:
    notebook.shell.user_ns["mine"] = 1

    notebook.shell.run_cell(line)

    said = capsys.readouterr()
    assert "SyntaxError" in said.out + said.err
    assert "there is no command" not in said.err


@pytest.mark.parametrize(
    ("line", "says", "hint"),
    [
        ("y = metadata list dataElements", "in an assignment wants a %", "y = %metadata list dataElements"),
    ],
)
def test_lines_on_variables_are_put_right(
    line: str, says: str, hint: str, notebook: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.shell.run_cell(line)

    said = capsys.readouterr()
    assert says in said.err and said.err.endswith(f"  try: {hint}\n")
    assert "Traceback" not in said.out


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("rows | where(n == 2)", [{"n": 2, "name": "Kono"}]),
        ("plain | where(n == 2) | select(n, m=n) | head(3)", [{"n": 2, "m": 2}]),
        ("rows | where(n == $n) | select name", [{"name": "Bo"}]),
        ("rows.select('n') | sort -n | head 1", [{"n": 2}]),
        ("frame | where(n == 2) | select(n)", [{"n": 2}]),
        ("rows[0:1] | group(first=name[0])", [{"first": "B", "n": 1}]),
    ],
)
def test_u12_values_go_into_pipelines(line: str, found: list[object], notebook: magics.Runner) -> None:
    """The variable n is 1, and `n` in a condition is the row's."""
    import pandas

    items: list[dict[str, object]] = [{"n": 1, "name": "Bo"}, {"n": 2, "name": "Kono"}]
    notebook.shell.user_ns |= {"rows": Rows(items), "plain": items, "n": 1, "frame": pandas.DataFrame(items)}
    assert notebook.shell.run_cell(line).result.plain() == found
    notebook.shell.run_cell(f"kept = {line}")
    assert notebook.shell.user_ns["kept"].plain() == found


def test_values_go_into_verbs_of_two_words(notebook: magics.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python itself would try to combine a list and a coroutine."""
    seen: list[tuple[str, object]] = []

    async def called(
        s: object, name: str, rows: Rows[Any], args: tuple[object, ...], options: dict[str, object]
    ) -> object:
        seen.append((name, options))
        return rows

    monkeypatch.setattr(running, "_called", called)
    notebook.shell.user_ns["plain"] = [{"dataElement": "x"}]
    for line in ("plain | data.aggregate.push(dry_run=True)", "plain | metadata.rename(dry_run=True)"):
        assert notebook.shell.run_cell(line).result.plain() == [{"dataElement": "x"}]
    assert seen == [("data.aggregate.push", {"dry_run": True}), ("metadata.rename", {"dry_run": True})]


def test_u12_the_fields_of_a_row_are_attributes(notebook: magics.Runner) -> None:
    notebook.shell.user_ns["rows"] = Rows([{"name": "Bo", "parent": {"name": "Country"}}], columns=["name", "code"])
    assert notebook.shell.run_cell("rows[0].name, rows[0].parent.name, rows[0].code").result == ("Bo", "Country", None)
    assert notebook.shell.run_cell("[row.name for row in rows]").result == ["Bo"]
    with pytest.raises(AttributeError, match="did you mean name"):
        notebook.shell.run_cell("rows[0].nmae").raise_error()


def test_t14_a_line_that_has_failed_fails_its_cell(notebook: magics.Runner, capsys: pytest.CaptureFixture[str]) -> None:
    shell = notebook.shell
    shell.user_ns["kept"] = "before"
    for line in (
        "%metadata get dataElements Nowhere",
        "kept = %metadata get dataElements Nowhere",
        "%metadata list nothing",
    ):
        outcome = shell.run_cell(f"{line}\nkept = 'after'")
        assert not outcome.success
        assert isinstance(outcome.error_in_exec, Dhis2Error)
        assert shell.user_ns["kept"] == "before"
        said = capsys.readouterr()
        assert said.err.count("error: ") == 1
        assert "Traceback" not in said.out + said.err
    assert not shell.run_cell("%%dhis2\nmetadata get dataElements Nowhere\nmetadata list dataElements").success


def test_other_errors_are_pythons(notebook: magics.Runner, capsys: pytest.CaptureFixture[str]) -> None:
    notebook.shell.run_cell("nothing_of_that_name")
    assert "NameError" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("await client.get('nix')", "error: GET /api/nix"),
        ("rows = await metadata.list('dataElements')\nrows.where('nmae == 3')", "error: "),
        ("await metadata.get('dataElements', 'Remrk')", "error: none of the dataElements has"),
    ],
)
def test_our_errors_are_two_lines_where_python_calls_too(
    cell: str, error: str, runner: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.shell.run_cell(cell)

    said = capsys.readouterr()
    assert said.out.startswith(error)
    assert "Traceback" not in said.out + said.err
    assert len(said.out.strip().splitlines()) <= 2


def test_l10_a_file_stops_at_the_first_line_that_fails(sandbox_home: Path, tmp_path: Path) -> None:
    """`kept = %...` that fails ends `dhis2sh FILE` with the error's own code, and what follows is not run."""
    file = tmp_path / "lines"
    file.write_text("kept = %metadata get dataElements Nowhere\nprint('went on')\n")
    command = [sys.executable, "-m", "dhis2sh.surfaces.ipython.shell", "--sandbox", str(file)]
    ended = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "DHIS2SH_HOME": str(sandbox_home)}, check=False
    )
    assert (ended.returncode, "went on" in ended.stdout) == (3, False)
    assert ended.stderr.count("error: ") == 1
