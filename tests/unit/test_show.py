"""How results look: plans step by step, and types of a plugin's own wherever results are shown."""

import re
from dataclasses import dataclass

import pytest
from IPython.core.interactiveshell import InteractiveShell

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.rows import registry
from dhis2sh.rows.registry import Renderer, register_renderer
from dhis2sh.show import render
from dhis2sh.surfaces.ipython import display
from dhis2sh.words import BOLD, RED, RESET, YELLOW

PLAN = Plan(
    "rename 2 dataElements",
    [
        PlanStep("update", "dataElements", "s46m5MS0hxu", "BCG", None, {"name": "BCG"}, {"name": "BCG doses"}),
        PlanStep("create", "dataElements", None, "OPV", "from a sheet"),
    ],
    notes=["1 already right"],
)


@dataclass
class Weather:
    degrees: int


def test_a_plan_is_its_title_a_line_for_each_step_and_its_notes() -> None:
    assert render.text(PLAN, width=0).splitlines() == [
        "plan: rename 2 dataElements",
        "  update dataElements BCG [s46m5MS0hxu] name: 'BCG' -> 'BCG doses'",
        "  create dataElements OPV from a sheet",
        "  note: 1 already right",
    ]


def test_a_plan_as_a_page_has_a_row_for_each_step() -> None:
    page = render.html(PLAN)

    assert page.count("<tr>") == 1 + len(PLAN.steps)
    assert "<td>update</td><td>dataElements</td><td>BCG</td><td>s46m5MS0hxu</td>" in page
    assert "1 already right" in page


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    monkeypatch.setattr(registry, "_renderers", dict(registry._renderers))
    monkeypatch.setattr(registry, "_told_of_renderers", [])
    shell = InteractiveShell()
    display.install(shell)
    return shell


def test_a_look_that_a_plugin_registers_reaches_the_shell_and_notebooks(shell: InteractiveShell) -> None:
    register_renderer(
        Weather, Renderer(lambda it, _width, _colour: f"{it.degrees} degrees", lambda it: f"<b>{it.degrees}</b>")
    )

    shown, _ = shell.display_formatter.format(Weather(31))

    assert shown == {"text/plain": "31 degrees", "text/html": "<b>31</b>"}
    assert render.text(Weather(31)) == "31 degrees"


def test_the_summary_of_a_write_names_types_and_refusals_in_the_shell_as_on_the_command_line(
    shell: InteractiveShell,
) -> None:
    summary = WriteSummary("import", created=2, types={"dataElements": {"created": 2}}, failures=[{"message": "E4000"}])

    shown, _ = shell.display_formatter.format(summary)

    assert shown["text/plain"] == render.text(summary, width=0)
    assert "dataElements: 2 created" in shown["text/plain"]


def test_u4_the_words_of_a_plan_that_hurt_stand_out_and_its_lines_break_as_without_colour() -> None:
    steps = [
        PlanStep(
            "delete", "dataElements", "deNumber001", "BCG doses given, a name that is long enough to need two lines"
        ),
        PlanStep("update", "dataElements", "deNumber002", "OPV"),
    ]
    plan = Plan("change two", steps)
    plain, colour = render.text(plan, width=60), render.text(plan, width=60, colour=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", colour) == plain
    assert f"  {RED}delete{RESET} dataElements" in colour
    assert f"  {YELLOW}update{RESET} dataElements" in colour
    assert colour.startswith(f"{BOLD}plan: change two{RESET}\n")
