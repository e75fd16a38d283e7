"""A line that is neither Python nor ours says what was probably meant."""

import pytest

from dhis2sh.rows.rows import Rows
from dhis2sh.surfaces.ipython import magics


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("metadta list dataElements", "did you mean metadata?"),
        ("search malaria", "metadata search malaria"),
        ("list dataElements", "metadata list dataElements"),
        ("types data", "did you mean metadata types?"),
        ("journl show 3", "did you mean journal?"),
        ("dashboard describe 'Mother and child'", "did you mean metadata dashboard?"),
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
        ("rows | where(n == 2)", "`where` is a stage", "rows.where('n == 2')"),
        (
            "rows | where(n == 2) | select(n, m=n) | head(3)",
            "is a stage",
            "rows.where('n == 2').select('n', m='n').head(3)",
        ),
        ("y = metadata list dataElements", "in an assignment wants a %", "y = %metadata list dataElements"),
    ],
)
def test_lines_on_variables_are_put_right(
    line: str, says: str, hint: str, notebook: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook.shell.user_ns["rows"] = Rows([{"n": 1}, {"n": 2}])

    notebook.shell.run_cell(line)

    said = capsys.readouterr()
    assert says in said.err and said.err.endswith(f"  try: {hint}\n")
    assert "Traceback" not in said.out
    if "rows" in hint:
        assert notebook.shell.run_cell(hint).result.plain()[0]["n"] == 2


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
