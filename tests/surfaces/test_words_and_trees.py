"""What a verb gives as a tree or in words is shown so at the prompt and in a notebook too, never as Python's repr."""

from dataclasses import dataclass

import pytest

from dhis2sh.show.trees import Branch
from dhis2sh.surfaces.ipython import display, magics


@dataclass(slots=True)
class Told:
    """A result in words."""

    count: int

    def line(self) -> str:
        return f"{self.count} units"


@dataclass(slots=True)
class Grown:
    """A result that is a tree."""

    name: str

    def tree(self) -> Branch:
        return Branch(self.name, children=[Branch("Bo", aside="2 of 3")])


@pytest.mark.parametrize(
    ("result", "drawn", "in_html"),
    [(Told(3), "3 units", "<b>3 units</b>"), (Grown("All"), "All\n└── Bo 2 of 3", "dhis2sh-tree")],
)
def test_words_and_trees_are_drawn(result: object, drawn: str, in_html: str, runner: magics.Runner) -> None:
    display.teach_result(runner.shell, result)
    shown, _ = runner.shell.display_formatter.format(result)
    assert shown["text/plain"] == drawn
    assert in_html in shown["text/html"]


def test_what_a_line_gives_is_taught_before_it_is_shown(runner: magics.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    taught: list[object] = []

    def teach(shell: object, result: object) -> None:
        taught.append(result)

    monkeypatch.setattr(display, "teach_result", teach)
    result = runner.line("metadata count dataElements")
    runner.shell.run_cell("other = await metadata.count('dataElements')")
    assert [type(found) for found in taught] == [type(result)] * 2


@pytest.mark.usefixtures("country_home")
def test_who_has_reported_is_a_tree_at_the_prompt(notebook: magics.Runner) -> None:
    result = notebook.line("data completeness 'Vaccine stock' --period 202501 --by values --tree")
    shown, _ = notebook.shell.display_formatter.format(result)
    assert shown["text/plain"].startswith("Vaccine stock, 202501\n└── Maravélia ")
    assert "dhis2sh-tree" in shown["text/html"]
