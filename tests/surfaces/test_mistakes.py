"""A line that is neither Python nor ours says what was probably meant."""

import pytest

from dhis2sh.surfaces import magics


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("metadta list dataElements", "did you mean metadata?"),
        ("search malaria", "did you mean metadata search?"),
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
