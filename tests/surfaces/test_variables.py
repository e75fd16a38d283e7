"""The user's variables in the head of a line."""

import datetime as dt
from types import SimpleNamespace

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Rows, to_json
from dhis2sh.surfaces.ipython import magics, variables

NAMES: dict[str, object] = {
    "x": "BCG doses given",
    "n": "X --yes",
    "rows": [{"id": "s46m5MS0hxu", "name": "it's"}],
    "unit": SimpleNamespace(id="ImspTQPwCqd", parent=SimpleNamespace(name="Bo | Kono")),
    "level": 3,
    "since": dt.date(2024, 1, 31),
    "like": "z",
}


@pytest.mark.parametrize(
    ("head", "last"),
    [
        ("get $x", ["BCG doses given"]),
        ("get '$x'", ["BCG doses given"]),
        ("get $rows[0]['id']", ["s46m5MS0hxu"]),
        ("get {rows[0]['name']}", ["it's"]),
        ("get $unit.id", ["ImspTQPwCqd"]),
        ("get {unit.parent.name}", ["Bo | Kono"]),
        ("get a,$unit.id,b", ["a,ImspTQPwCqd,b"]),
        ("get --filter level:eq:$level", ["level:eq:3"]),
        ("get --filter level:in:[$level,{level + 1}]", ["level:in:[3,4]"]),
        ("get {','.join(row['id'] for row in rows)}", ["s46m5MS0hxu"]),
        ("get $since", ["2024-01-31"]),
        ("get --filter 'name:$like:$x'", ["name:$like:BCG doses given"]),
        ("get '#{x} + A{x}'", ["#{x} + A{x}"]),  # a formula
        ("get '{\"name\": 5}'", ['{"name": 5}']),
        ("get {unknown}", ["{unknown}"]),
    ],
)
def test_u10_expressions_of_the_user_stand_in_a_head(head: str, last: list[str]) -> None:
    assert variables.words(head, NAMES)[-1:] == [*last]


def test_t7_a_value_is_one_word_whatever_a_server_wrote_in_it() -> None:
    assert variables.words("delete dataElements $n", NAMES) == ["delete", "dataElements", "X --yes"]
    assert variables.words("delete dataElements {n}", NAMES) == ["delete", "dataElements", "X --yes"]
    assert variables.words("rename $rows[0]['name'] b", NAMES) == ["rename", "it's", "b"]


@pytest.mark.parametrize("text", ["--yes", "-y", "--confirm=prod"])
def test_t7_a_value_is_never_an_option(text: str) -> None:
    with pytest.raises(UsageError, match="would be read as an option"):
        variables.words("delete dataElements $n", {"n": text})
    assert variables.words("list --longitude $n", {"n": -12.5})[-1] == "-12.5"
    assert variables.words("list --name=$n", {"n": text})[-1] == f"--name={text}"


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("get $rows[7]", r"\$rows\[7\]: IndexError: list index out of range"),
        ("get {x / 2}", "unsupported operand"),
        ("get $rows", "is a list, and a word of a line is a text or a number"),
        ("get $unit", "is a SimpleNamespace"),
        ("get $nothing", "is nothing"),
        ("get $objects", "is a Rows"),
        ("get $missing", "there is no variable 'missing'"),
        ("get $rows[0]", "is a dict"),
    ],
)
def test_u10_what_is_no_text_is_refused_and_not_sent_as_python_writes_it(head: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        variables.words(head, {**NAMES, "nothing": None, "objects": Rows([{"id": "a"}])})
    assert refused.value.hint


def test_t7_a_name_of_the_server_deletes_nothing(runner: magics.Runner, capsys: pytest.CaptureFixture[str]) -> None:
    runner.shell.user_ns["n"] = "BCG doses given --yes"

    runner.shell.run_cell("metadata delete dataElements $n")

    assert "the UID, code or name 'BCG doses given --yes'" in capsys.readouterr().err
    assert to_json(runner.line("metadata count dataElements"))["count"] == 3
