"""`--edit` on a terminal: the object as YAML in $EDITOR, the difference, a yes."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dhis2sh.sandbox.areas import open_store
from tests.terminal import Terminal

type Start = Callable[..., Terminal]
CHANGE = ["metadata", "data-elements", "update", "'BCG doses given'", "--edit"]


@pytest.fixture
def start(sandbox_home: Path) -> Iterator[Start]:
    """Starts a program whose editor runs `sed` with some rules, one after the other; each text is kept beside it."""
    started: list[Terminal] = []

    def begin(words: list[str], *rules: str) -> Terminal:
        editor = Path("editor.sh")
        lines = [f'  {number}) sed -i "{rule}" "$1" ;;' for number, rule in enumerate(rules, 1)]
        editor.write_text(
            "#!/bin/sh\ncat $(dirname $0)/times >/dev/null 2>&1 || echo 0 > $(dirname $0)/times\n"
            'n=$(($(cat $(dirname $0)/times) + 1)); echo $n > $(dirname $0)/times; cp "$1" $(dirname $0)/seen$n.yaml\n'
            f"case $n in\n{chr(10).join(lines)}\nesac\n"
        )
        editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
        home = {"DHIS2SH_HOME": str(sandbox_home), "EDITOR": str(editor.absolute())}
        terminal = Terminal(*words, environment=home, cwd=str(Path.cwd()))
        started.append(terminal)
        return terminal

    yield begin
    for terminal in started:
        terminal.close()


def element(home: Path) -> dict:
    store = open_store(home / "data" / "sandbox.db")
    found = store.get("dataElements", "deNumber001")
    store.close()
    return found


def words(screen: str) -> str:
    """What stands there, wherever its lines end."""
    return " ".join(screen.split())


def cli_words() -> list[str]:
    return ["dhis2", *(word.strip("'") for word in CHANGE), "-p", "sandbox"]


def test_the_difference_is_shown_and_asked_about(sandbox_home: Path, start: Start) -> None:
    terminal = start(cli_words(), "s/^name: .*/name: BCG/; s/^code: .*//")
    screen = words(terminal.see("apply on sandbox? [y/N]"))
    assert "name: 'BCG doses given' -> 'BCG'" in screen
    assert "code: 'DE_1' -> nothing" in screen
    assert element(sandbox_home)["name"] == "BCG doses given", "nothing is written before the yes"
    terminal.press("y", "enter")
    terminal.see("1 updated")
    assert terminal.ended()
    assert element(sandbox_home)["name"] == "BCG"
    seen = Path("seen1.yaml").read_text()
    assert "  id: bjDvmb4bfuf  # default\n" in seen, "UIDs have their names beside them"
    assert "created" not in seen


def test_a_no_writes_nothing(sandbox_home: Path, start: Start) -> None:
    terminal = start(cli_words(), "s/^name: .*/name: BCG/")
    terminal.see("apply on sandbox? [y/N]")
    terminal.press("enter")
    assert terminal.ended()
    assert element(sandbox_home)["name"] == "BCG doses given"


def test_one_ctrl_c_at_the_question_ends_the_command(sandbox_home: Path, start: Start) -> None:
    terminal = start(cli_words(), "s/^name: .*/name: BCG/")
    terminal.see("apply on sandbox? [y/N]")
    terminal.press("ctrl-c")
    terminal.see("error: interrupted")
    assert terminal.ended()
    assert element(sandbox_home)["name"] == "BCG doses given"


def test_ctrl_c_at_the_question_leads_back_to_the_prompt(sandbox_home: Path, start: Start) -> None:
    terminal = start(["dhis2sh", "-p", "sandbox"], "s/^name: .*/name: BCG/")
    terminal.see("just now")
    terminal.press(f"%{' '.join(CHANGE)}", "enter")
    terminal.see("apply on sandbox? [y/N]")
    terminal.press("ctrl-c")
    terminal.see("error: interrupted")
    terminal.press("%metadata count organisationUnits -o json", "enter")
    terminal.see("organisationUnits")
    assert element(sandbox_home)["name"] == "BCG doses given"


def test_what_cannot_be_used_is_opened_again_with_what_is_wrong_above_it(sandbox_home: Path, start: Start) -> None:
    wrong = "s/^valueType: .*/valueType: NUMBR/; s/^name: .*/name: BCG/"
    terminal = start(cli_words(), wrong, "s/NUMBR$/INTEGER/")
    screen = words(terminal.see("apply on sandbox? [y/N]"))
    assert "valueType: 'NUMBER' -> 'INTEGER'" in screen
    assert "name: 'BCG doses given' -> 'BCG'" in screen, "what was right is kept"
    again = Path("seen2.yaml").read_text()
    assert again.startswith("#! valueType: 'NUMBR' is not one of its values (did you mean NUMBER")


def test_who_leaves_it_wrong_gives_up(sandbox_home: Path, start: Start) -> None:
    terminal = start(cli_words(), "s/^categoryCombo:/categoryCombo: defalt\\nignore:/", "p")
    terminal.see("error: ")
    assert terminal.ended()
    assert element(sandbox_home)["name"] == "BCG doses given"


def test_the_same_inside_the_shell(sandbox_home: Path, start: Start) -> None:
    shell = start(["dhis2sh", "--sandbox"], "s/^name: .*/name: BCG/")
    shell.see(" names, just now")
    shell.press(" ".join(CHANGE), "enter")
    screen = words(shell.see("apply on sandbox? [y/N]"))
    assert "name: 'BCG doses given' -> 'BCG'" in screen
    shell.press("y", "enter")
    shell.see("1 updated")
    assert element(sandbox_home)["name"] == "BCG"


def test_a_new_object_starts_with_what_it_needs(sandbox_home: Path, start: Start) -> None:
    line = ["dhis2", "metadata", "data-element-groups", "create", "--edit", "-p", "sandbox"]
    terminal = start(line, "s/^name: .*/name: New/; s/^shortName: .*/shortName: N/")
    assert "create dataElementGroups New" in terminal.see("apply on sandbox? [y/N]")
    terminal.press("y", "enter")
    terminal.see("1 created")
    assert Path("seen1.yaml").read_text() == "name: null\nshortName: null\n"
