"""Draws results: a plain table for anything that is no terminal, the same with colour on one, HTML in notebooks.

Text from a server is data: control characters and ANSI escapes are shown, not obeyed.
"""

from __future__ import annotations

import html as html_module
import json
import re
import shutil
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.dhis2.properties import AUTHORS
from dhis2sh.rows.rows import Rows, Text, to_plain

if TYPE_CHECKING:
    from dhis2sh.show.trees import Branch
    from dhis2sh.types import JsonValue, Row

NARROWEST = 6
WIDEST_CELL = 60
SENTENCES = {"detail", "fix", "problem"}
"""Columns whose cells go on in the next line where they do not fit: what a check found, and the command that mends it."""
MOST_STEPS, FEW_STEPS = 50, 10
"""So many steps of a plan are drawn; few where a report has said what they come to."""
HEAD_COLOUR = "\x1b[1;36m"
DIM = "\x1b[2m"
RESET = "\x1b[0m"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def safe(text: str) -> str:
    """Text with control characters made visible (`\\x1b` becomes `\\\\x1b`)."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


BESIDE = AUTHORS | {"parent"}
"""References that say nothing of what an object is."""


def cell(value: JsonValue) -> str:
    """One value as a table shows it; references by their name or id, join rows by the names of what they refer to."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        for key in ("displayName", "name"):
            if isinstance(value.get(key), str):
                return safe(str(value[key]))
        if joined := [cell(inner) for key, inner in value.items() if key not in BESIDE and _is_named(inner)]:
            return f"{joined[0]} ({', '.join(joined[1:])})" if joined[1:] else joined[0]
        for key in ("id", "username"):
            if isinstance(value.get(key), str):
                return safe(str(value[key]))
        return safe(json.dumps(value, ensure_ascii=False))
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    return safe(str(value))


def _is_named(value: JsonValue) -> bool:
    return isinstance(value, dict) and isinstance(value.get("displayName") or value.get("name"), str)


def _in_table(value: JsonValue) -> str:
    """One value in a table for people: a geometry by its kind and size, not by its thousand numbers."""
    if isinstance(value, dict) and isinstance(value.get("coordinates"), list):
        points = _points_in(value["coordinates"])
        return f"{cell(value.get('type'))}{f' of {points:,} points' if points > 1 else ''}"
    return cell(value)


def _points_in(coordinates: JsonValue) -> int:
    if not isinstance(coordinates, list):
        return 0
    return sum(map(_points_in, coordinates)) if coordinates and isinstance(coordinates[0], list) else 1


def _width_of(text: str) -> int:
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # comes with prompt_toolkit; only other scripts pay for it

    return max(0, wcswidth(text))


def _fit(text: str, width: int) -> str:
    if _width_of(text) > width:
        while text and _width_of(text) >= width:
            text = text[:-1]
        text += "…"
    return text + " " * (width - _width_of(text))


def text(result: object, *, width: int | None = None, colour: bool = False) -> str:
    """A result as text.

    Parameters:
        result: what a verb returned.
        width: columns of the screen; the terminal's when None, unlimited when 0.
        colour: True draws headings in colour.
    """
    if isinstance(result, Rows):
        return _rows(cast("Rows[object]", result), width, colour)
    if isinstance(result, Plan):
        return _wrapped(_plan(result, colour), width)
    if isinstance(result, WriteSummary):
        return _summary(result)
    if (tree := tree_of(result)) is not None:
        return _tree(tree, colour)
    line = getattr(result, "line", None)
    if callable(line):  # a record that people want in words, such as a count
        words = "\n".join(map(safe, str(line()).split("\n")))
        return _wrapped(words, width) if getattr(result, "prose", False) else words
    if isinstance(result, Text):
        return result.text
    if result is None:
        return ""
    if isinstance(result, (str, int, float)):
        return safe(str(result))
    if not isinstance(result, dict) and not hasattr(result, "model_dump"):
        return repr(result)  # a frame, a drawing, a list: it knows best how it looks
    return _record(to_plain(cast("object", result)), width, colour)


def _wrapped(words: str, width: int | None) -> str:
    """Sentences that end with the screen go on below, further in; without a terminal they stay whole."""
    screen = shutil.get_terminal_size((0, 24)).columns if width is None else width
    lines = words.split("\n")
    if not screen or max(map(len, lines)) <= screen:
        return words
    from textwrap import wrap

    found: list[str] = []
    for line in lines:
        further = " " * (len(line) - len(line.lstrip()) + 2)
        found += wrap(line, screen, subsequent_indent=further, break_long_words=False) if len(line) > screen else [line]
    return "\n".join(found)


def tree_of(result: object) -> Branch | None:
    """The tree of a result that is best drawn as one."""
    tree = getattr(result, "tree", None)
    return cast("Branch | None", tree()) if callable(tree) else None


def _tree(tree: Branch, colour: bool) -> str:
    from dhis2sh.show import trees

    def paint(kind: str, name: str, aside: str) -> str:
        parts = [(kind, DIM), (name, ""), (aside, DIM)]
        return " ".join(f"{mark}{safe(part)}{RESET}" if colour and mark else safe(part) for part, mark in parts if part)

    return "\n".join(trees.lines(tree, paint))


def _summary(summary: WriteSummary) -> str:
    lines = [summary.line()]
    for plural, counts in (summary.types or {}).items():
        lines.append(f"  {plural}: {', '.join(f'{count:,} {word}' for word, count in counts.items())}")
    lines += [f"  refused: {cell(failure)}" for failure in summary.failures[:20]]
    return "\n".join(lines)


def _plan(plan: Plan, colour: bool) -> str:
    mark = HEAD_COLOUR if colour else ""
    lines = [f"{mark}plan: {safe(plan.title)}{RESET if colour else ''}"]
    if plan.report is not None:
        lines += [f"  {safe(line)}" for line in plan.report.line().split("\n")]
    shown = _steps_shown(plan)
    for step in shown:
        parts = [step.action, step.type, step.name or "", f"[{step.uid}]" if step.uid else "", step.words(plan.names)]
        lines.append("  " + safe(" ".join(part for part in parts if part)))
    if len(plan.steps) > len(shown):
        lines.append(f"  ... and {len(plan.steps) - len(shown):,} more")
    return "\n".join([*lines, *(f"  note: {safe(note)}" for note in _plan_notes(plan))])


def _steps_shown(plan: Plan) -> list[PlanStep]:
    return list(plan.steps[: FEW_STEPS if plan.report is not None else MOST_STEPS])


def _plan_notes(plan: Plan) -> list[str]:
    return [*plan.notes, *([f"nothing of this can be written: {plan.blocked}"] if plan.blocked else [])]


def _screen(width: int | None) -> int:
    return shutil.get_terminal_size((120, 24)).columns if width is None else width


def _rows(rows: Rows[object], width: int | None, colour: bool) -> str:
    if not len(rows):
        return "no rows" + _note(rows)
    columns, screen = rows.columns, _screen(width)
    cells = [[_in_table(row.get(column)) for column in columns] for row in rows.plain()]
    longest = [max(_width_of(name), *(_width_of(line[i]) for line in cells)) for i, name in enumerate(columns)]
    widths = _widths(longest, screen)
    if widths is None:
        return _vertical(columns, cells, colour) + _note(rows)
    head = "  ".join(_fit(name, size) for name, size in zip(columns, widths, strict=True)).rstrip()
    lines = [f"{HEAD_COLOUR}{head}{RESET}" if colour else head]
    for line in cells:
        folded = [_folded(*part) for part in zip(columns, line, widths, strict=True)]
        for parts in zip_longest(*folded, fillvalue=""):
            lines.append("  ".join(_fit(part, size) for part, size in zip(parts, widths, strict=True)).rstrip())
    return "\n".join(lines) + _note(rows)


def _folded(column: str, text: str, width: int) -> list[str]:
    """A cell as the lines that it takes: one, unless it holds a sentence, which says nothing when it is cut off."""
    if column not in SENTENCES or _width_of(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(text, width, break_on_hyphens=False)


def _widths(longest: Sequence[int], screen: int) -> list[int] | None:
    """Column widths that fit the screen, or None when the rows are better shown one below the other."""
    widths = [min(size, WIDEST_CELL) if screen else size for size in longest]
    room = screen - 2 * (len(widths) - 1)
    if not screen or sum(widths) <= room:
        return widths
    if room < NARROWEST * len(widths):
        return None
    while sum(widths) > room:
        widest = widths.index(max(widths))
        if widths[widest] <= NARROWEST * 2:
            return None
        widths[widest] -= 1
    return widths


def _vertical(columns: Sequence[str], cells: list[list[str]], colour: bool) -> str:
    size = max(_width_of(name) for name in columns)
    blocks: list[str] = []
    for number, line in enumerate(cells, 1):
        title = f"-- {number} " + "-" * 20
        shown = [f"{_fit(name, size)}  {value}".rstrip() for name, value in zip(columns, line, strict=True)]
        blocks.append("\n".join([f"{DIM}{title}{RESET}" if colour else title, *shown]))
    return "\n".join(blocks)


def _record(row: Row, width: int | None, colour: bool) -> str:
    if not row:
        return "nothing"
    size = max(_width_of(name) for name in row)
    lines: list[str] = []
    for name, value in row.items():
        label = _fit(name, size)
        lines.append(f"{HEAD_COLOUR}{label}{RESET}  {cell(value)}" if colour else f"{label}  {cell(value)}".rstrip())
    return "\n".join(lines)


def _note(rows: Rows[object]) -> str:
    if rows.page is not None and rows.page.truncated:
        return f"\n({rows.page} rows; {rows.page.more})"
    return ""


_STYLE = """<style>
.dhis2sh{border-collapse:collapse;font-size:90%;color:inherit;background:transparent}
.dhis2sh th,.dhis2sh td{text-align:left;vertical-align:top;padding:2px 10px;color:inherit;background:transparent}
.dhis2sh th{border-bottom:1px solid var(--jp-border-color1,rgba(128,128,128,.6))}
.dhis2sh td{border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.25))}
.dhis2sh tbody tr:hover{background:var(--jp-rendermime-table-row-hover-background,rgba(128,128,128,.15))}
.dhis2sh td.number{text-align:right;font-variant-numeric:tabular-nums}
.dhis2sh-note{opacity:.75;font-size:85%}
</style>"""
# No colour of text or ground is set: both are the page's, whatever its theme; lines are the theme's, else half-clear grey.
MOST_HTML_ROWS = 200


def html(result: object) -> str:
    """A result as HTML that reads in light and dark: it takes its colours from the page."""
    if isinstance(result, Rows):
        return _html_rows(cast("Rows[object]", result))
    if (tree := tree_of(result)) is not None:
        from dhis2sh.show import trees

        return trees.page(tree)
    if isinstance(result, Plan):
        return _html_plan(result)
    words = callable(getattr(result, "line", None)) and not isinstance(result, WriteSummary)
    if words:
        return _html_words(text(cast("object", result), width=0))
    if isinstance(result, (WriteSummary, Text)) or not (isinstance(result, dict) or hasattr(result, "model_dump")):
        return f"<pre>{html_module.escape(text(result, width=0))}</pre>"
    record = to_plain(cast("object", result))
    rows = ((html_module.escape(name), html_module.escape(cell(value))) for name, value in record.items())
    body = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f'{_STYLE}<table class="dhis2sh"><tbody>{body}</tbody></table>'


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
    notes = "".join(f'<div class="dhis2sh-note">{escaped(note)}</div>' for note in [*more, *_plan_notes(plan)])
    return f"{_STYLE}<div><b>plan: {escaped(plan.title)}</b></div>{report}{table}{notes}"


def _html_words(words: str) -> str:
    """A record in words: its first line stands out, what is indented stays so."""
    first, _, rest = words.partition("\n")
    below = f"\n{html_module.escape(rest)}" if rest else ""
    return f'<div style="white-space:pre-wrap"><b>{html_module.escape(first)}</b>{below}</div>'


def _html_cell(value: JsonValue) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"<td{' class="number"' if number else ''}>{html_module.escape(_in_table(value))}</td>"


def _html_rows(rows: Rows[object]) -> str:
    head = "".join(f"<th>{html_module.escape(name)}</th>" for name in rows.columns)
    body = "".join(
        "<tr>" + "".join(_html_cell(row.get(name)) for name in rows.columns) + "</tr>"
        for row in rows.plain()[:MOST_HTML_ROWS]
    )
    note = str(rows.page) if rows.page else f"{len(rows):,}"
    shown = f"{min(len(rows), MOST_HTML_ROWS):,} shown; " if len(rows) > MOST_HTML_ROWS else ""
    return (
        f'{_STYLE}<table class="dhis2sh"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        f'<div class="dhis2sh-note">{shown}{note} rows</div>'
    )
