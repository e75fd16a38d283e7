"""Completion in the system's shells: each is started, told the script, and a line is completed with Tab."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh.index.names import Hit, index_of
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.cli.shell_completion import SCRIPTS
from tests.terminal import BIN, Terminal

START = {
    "bash": ("--norc", "--noprofile", "-i"),
    "zsh": ("-f", "-i"),
    "fish": ("--no-config", "-i"),
}
LINES = [
    ("dhis2 metadata coun", "dhis2 metadata count"),
    ("dhis2 metadata list dataElements --fil", "--filter"),
    ("dhis2 metadata list dataElements --filter valueType:eq:NUMB", "--filter valueType:eq:NUMBER"),
    ("dhis2 metadata list dataElements --filter categoryCombo.na", "--filter categoryCombo.name:"),
    ("dhis2 metadata list dataElements --fields id,categoryCombo[na", "[name"),
    ("dhis2 -p sandbox profile sho", "dhis2 -p sandbox profile show"),
]


@pytest.fixture(params=START)
def system_shell(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Iterator[Terminal]:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not here")
    script = tmp_path / "completion"
    script.write_text(SCRIPTS[name])
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "DHIS2SH_HOME": str(home), "HOME": str(tmp_path), "PS1": "> "}
    shell = Terminal(shutil.which(name) or name, *START[name], environment=environment, cwd=str(tmp_path))
    shell.settle(0.5)
    shell.press(f"source {script}; echo rea''dy", "enter")
    shell.see("ready")
    yield shell
    shell.close()


def test_a_line_is_completed(system_shell: Terminal) -> None:
    for typed, wanted in LINES:
        system_shell.press("ctrl-l")
        system_shell.settle(0.1)
        system_shell.press(typed, "tab")
        system_shell.see(wanted, 10)
        system_shell.press("ctrl-c")
        system_shell.settle(0.1)


def test_u17_objects_are_completed_by_their_names(sandbox_home: Path, system_shell: Terminal) -> None:
    index = index_of("sandbox", "http://sandbox")
    hits = [("s46m5MS0hxu", "BCG doses given"), ("s3x46MS0hxu", "BCG stock"), ("x46m5MS0hxu", "Maravélia")]
    index.put("dataElements", [Hit(uid, "dataElements", name, None) for uid, name in hits])
    index.close()
    line = "dhis2 -p sandbox metadata get dataElements"
    system_shell.press(f"{line} maravel", "tab")
    system_shell.see(f"{line} x46m5MS0hxu", 10)
    system_shell.press("ctrl-c", "ctrl-l", f"{line} bcg", "tab", "tab")
    screen = system_shell.see("BCG stock", 10)
    assert "s46m5MS0hxu  " in screen and f"{line} bcg" in screen, "what is typed stays"


def test_the_index_of_the_shell_gives_uids_to_the_shells_that_show_notes(
    sandbox_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = index_of("sandbox", "http://sandbox")
    index.put("dataElements", [Hit("s46m5MS0hxu", "dataElements", "BCG doses given", None)])
    index.close()
    assert cli.run(["--complete", "--describe", "-p", "sandbox", "metadata", "get", "dataElements", "dose"]) == 0
    assert capsys.readouterr().out == "s46m5MS0hxu\tBCG doses given dataElements\n"
    assert cli.run(["--complete", "--describe", "metadata", "get", "dataElements", "dose"]) == 0
    assert capsys.readouterr().out == "\n", "no profile is active: nothing is offered, nothing is said"
