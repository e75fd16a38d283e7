"""How plans and summaries of writes look."""

from __future__ import annotations

import html as html_module
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.changes.plan import Plan, StepsInBulk, WriteSummary
from dhis2sh.rows.cells import cell
from dhis2sh.rows.registry import Renderer, register_renderer
from dhis2sh.show.layout import STYLE, wrapped
from dhis2sh.words import BOLD, GREEN, RED, RESET, YELLOW, safe

if TYPE_CHECKING:
    from dhis2sh.changes.plan import PlanStep
    from dhis2sh.types import Row

ACTIONS: Mapping[str, str] = {"delete": RED, "update": YELLOW, "create": GREEN}
"""How the word of an action stands out."""
_ACTION = re.compile(rf"^(  (?:also )?)({'|'.join(ACTIONS)})(?= )", re.MULTILINE)
MOST_LEFT_OUT = 20
MOST_STEPS, FEW_STEPS = 50, 10
"""So many steps of a plan are drawn; few where a report has said what they come to."""


def _summary(summary: WriteSummary, width: int | None, colour: bool) -> str:
    lines = [summary.line()]
    for plural, counts in (summary.types or {}).items():
        lines.append(f"  {plural}: {', '.join(f'{count:,} {word}' for word, count in counts.items())}")
    lines += [f"  refused: {_refused(failure)}" for failure in summary.failures[:20]]
    lines += [f"  not as before: {_left(row)}" for row in summary.left[:20]]
    lines += _left_out(summary.left_out)
    if summary.report is not None and (told := summary.report.afterwards()):
        lines += [f"  {safe(line)}" for line in told.split("\n")]
    return "\n".join(lines)


def _left_out(rows: Sequence[Row]) -> list[str]:
    """What a write of many leaves out, and why."""
    named = [safe(f"  left out: {row['name']}: {row['reason']}") for row in rows[:MOST_LEFT_OUT]]
    more = [f"  ... and {len(rows) - MOST_LEFT_OUT:,} more left out (-o json names all)"]
    return [*named, *(more if len(rows) > MOST_LEFT_OUT else [])]


def _left(row: Row) -> str:
    """What an undo has left, and how."""
    name = f"{row['name']} [{row.get('uid')}]" if row.get("name") else str(row.get("uid"))
    return safe(f"{row.get('type')} {name}: {row.get('message')}")


def _refused(failure: Row) -> str:
    """What was refused and why, where it is said of it."""
    message = failure.get("message")
    return f"{cell(failure)}: {safe(str(message))}" if message and failure.get("name") else cell(failure)


def _plan(plan: Plan, width: int | None, colour: bool) -> str:
    lines = [f"plan: {safe(plan.title)}"]
    if plan.report is not None:
        lines += [f"  {safe(line)}" for line in plan.report.line().split("\n")]
    shown = _steps_shown(plan)
    lines += [safe(f"  {step.line(plan.names)}") for step in shown]
    if len(plan.steps) > len(shown):
        lines.append(f"  ... and {len(plan.steps) - len(shown):,} more")
    lines += _left_out(plan.left_out)
    text = wrapped("\n".join([*lines, *(f"  note: {safe(note)}" for note in _plan_notes(plan))]), width)
    return _painted(text) if colour else text


def _painted(text: str) -> str:
    """A plan whose title and actions stand out; lines that go on are further in, and begin with no action."""
    title, line, rest = text.partition("\n")
    actions = _ACTION.sub(lambda found: f"{found[1]}{ACTIONS[found[2]]}{found[2]}{RESET}", rest)
    return f"{BOLD}{title}{RESET}{line}{actions}"


def _steps_shown(plan: Plan) -> list[PlanStep]:
    """The first steps; of many different ones what changes or destroys comes before what is new."""
    most = FEW_STEPS if plan.report is not None else MOST_STEPS
    if isinstance(plan.steps, StepsInBulk):
        return list(plan.steps[:most])
    hard = [step for step in plan.steps if step.action != "create"]
    new = [step for step in plan.steps if step.action == "create"]
    if not hard or not new:
        return list(plan.steps[: MOST_STEPS if hard else most])
    hard.sort(key=lambda step: "delete" not in step.action)
    return [*hard[:MOST_STEPS], *new[:most]]


def _plan_notes(plan: Plan) -> list[str]:
    return [*plan.notes_beside, *([f"nothing of this can be written: {plan.blocked}"] if plan.blocked else [])]


def _html_plan(plan: Plan) -> str:
    """A plan as a table of its steps, with its report above and its notes below."""

    def escaped(text: str) -> str:
        return html_module.escape(safe(text))

    shown = _steps_shown(plan)
    columns = ("action", "type", "name", "uid", "change")
    rows = [(step.action, step.type, step.name or "", step.uid or "", step.words(plan.names)) for step in shown]
    used = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    head = "".join(f"<th>{columns[number]}</th>" for number in used)
    body = "".join("<tr>" + "".join(f"<td>{escaped(row[number])}</td>" for number in used) + "</tr>" for row in rows)
    table = f'<table class="dhis2sh"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>' if rows else ""
    report = f"<pre>{'\n'.join(map(escaped, plan.report.line().split('\n')))}</pre>" if plan.report else ""
    more = [f"... and {len(plan.steps) - len(shown):,} more"] if len(plan.steps) > len(shown) else []
    told = [*more, *(line.strip() for line in _left_out(plan.left_out)), *_plan_notes(plan)]
    notes = "".join(f'<div class="dhis2sh-note">{escaped(note)}</div>' for note in told)
    return f"{STYLE}<div><b>plan: {escaped(plan.title)}</b></div>{report}{table}{notes}"


register_renderer(Plan, Renderer(_plan, _html_plan))
register_renderer(WriteSummary, Renderer(_summary))
