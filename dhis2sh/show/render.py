"""Draws results: a plain table for anything that is no terminal, the same with colour on one, HTML in notebooks.

A type that looks special has a renderer, registered beside it or in this room; here is what all others look like:
trees, records in words, records field by field. Text from a server is data: control characters are shown, not obeyed.
"""

from __future__ import annotations

import html as html_module
import json
import sys
from typing import TYPE_CHECKING, cast

from dhis2sh.rows.cells import cell
from dhis2sh.rows.registry import Renderer, register_renderer, renderer_of
from dhis2sh.rows.rows import Text, Value, Verbatim, to_json, to_plain
from dhis2sh.show import heat, plans, rows, trees
from dhis2sh.show.charts import looks
from dhis2sh.show.layout import STYLE, fit, width_of, wrapped
from dhis2sh.words import BOLD, RESET, on_screen, safe

if TYPE_CHECKING:
    from dhis2sh.show.trees import Branch
    from dhis2sh.types import JsonValue, Row

__all__ = ["heat", "html", "looks", "plans", "rows", "text", "tree_of"]  # some of them register their renderers


def text(result: object, *, width: int | None = None, colour: bool = False) -> str:
    """A result as text.

    Parameters:
        result: what a verb returned.
        width: columns of the screen; the terminal's when None, unlimited when 0.
        colour: True draws headings in colour.
    """
    if (renderer := renderer_of(result)) is not None:
        return renderer.text(result, width, colour)
    if (tree := tree_of(result)) is not None:
        return _tree(tree, colour)
    line = getattr(result, "line", None)
    if callable(line):  # a record that people want in words, such as a count
        words = "\n".join(map(safe, str(line()).split("\n")))
        return wrapped(words, width) if getattr(result, "prose", False) else words
    if result is None:
        return ""
    if isinstance(result, (str, int, float)):
        return safe(str(result))
    if not isinstance(result, dict) and not hasattr(result, "model_dump"):
        return repr(result)  # a frame, a drawing, a list: it knows best how it looks
    return _record(to_plain(cast("object", result)), colour)


def html(result: object) -> str:
    """A result as HTML that reads in light and dark: it takes its colours from the page."""
    renderer = renderer_of(result)
    if renderer is not None and renderer.html is not None:
        return renderer.html(result)
    if renderer is None and (tree := tree_of(result)) is not None:
        return trees.page(tree)
    if renderer is None and callable(getattr(result, "line", None)):
        return _html_words(text(result, width=0))
    if renderer is not None or not (isinstance(result, dict) or hasattr(result, "model_dump")):
        return f"<pre>{html_module.escape(text(result, width=0))}</pre>"
    record = to_plain(cast("object", result))
    lines = ((html_module.escape(name), html_module.escape(_told(value))) for name, value in record.items())
    body = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in lines)
    return f'{STYLE}<table class="dhis2sh"><tbody>{body}</tbody></table>'


def tree_of(result: object) -> Branch | None:
    """The tree of a result that is best drawn as one."""
    tree = getattr(result, "tree", None)
    return cast("Branch | None", tree()) if callable(tree) else None


def _tree(tree: Branch, colour: bool) -> str:
    def paint(kind: str, name: str, aside: str) -> str:
        parts = [(kind, ""), (name, BOLD), (aside, "")]
        return " ".join(f"{mark}{safe(part)}{RESET}" if colour and mark else safe(part) for part, mark in parts if part)

    return "\n".join(trees.lines(tree, paint))


def _told(value: JsonValue) -> str:
    """A value of a record, which has room for the UID beside the name."""
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    if isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("id"), str):
        return f"{cell(value)} [{safe(str(value['id']))}]"
    return cell(value)


def _record(row: Row, colour: bool) -> str:
    if not row:
        return "nothing"
    size = max(width_of(name) for name in row)
    lines: list[str] = []
    for name, value in row.items():
        label = fit(safe(name), size)
        lines.append(f"{BOLD}{label}{RESET}  {_told(value)}" if colour else f"{label}  {_told(value)}".rstrip())
    return "\n".join(lines)


def _html_words(words: str) -> str:
    """A record in words: its first line stands out, what is indented stays so."""
    first, _, rest = words.partition("\n")
    below = f"\n{html_module.escape(rest)}" if rest else ""
    return f'<div style="white-space:pre-wrap"><b>{html_module.escape(first)}</b>{below}</div>'


def _as_it_is(result: Text, width: int | None, colour: bool) -> str:
    if result.of is None or width is not None or not sys.stdout.isatty():
        return result.text
    return on_screen(result.text, json="json" in result.of)


def _as_json(result: Verbatim | Value, width: int | None, colour: bool) -> str:
    told = json.dumps(to_json(result), indent=2, ensure_ascii=False)
    return "\n".join(safe(line) for line in told.split("\n"))


register_renderer(Text, Renderer(_as_it_is))
register_renderer(Verbatim, Renderer(_as_json))
register_renderer(Value, Renderer(_as_json))
