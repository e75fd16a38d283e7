"""Draws a tree: lines for a terminal, and parts that fold for a notebook."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from dhis2sh.words import safe

FOLDED_FROM = 12
"""In a notebook a part with more children than this is closed at first."""
_STYLE = """<style>
.dhis2sh-tree{line-height:1.5;color:inherit}
.dhis2sh-tree details{margin:0}
.dhis2sh-tree summary{cursor:pointer;margin-left:-1.1em}
.dhis2sh-tree details>div{margin-left:.45em;padding-left:1.6em;border-left:1px solid rgba(128,128,128,.35)}
.dhis2sh-tree .aside{opacity:.65;font-size:90%}
</style>"""


@dataclass(slots=True)
class Branch:
    """A thing and what hangs on it.

    Parameters:
        name: what it is called.
        kind: what it is, before the name.
        aside: what is said after the name: a UID, a count.
        foot: of the topmost one: what is said below the tree.
    """

    name: str
    kind: str = ""
    aside: str = ""
    children: list[Branch] = field(default_factory=list["Branch"])
    foot: str = ""


def lines(tree: Branch, paint: Callable[[str, str, str], str]) -> Iterator[str]:
    """A tree as lines; `paint` puts kind, name and aside together."""
    yield paint(tree.kind, tree.name, tree.aside)
    yield from _below(tree.children, "", paint)
    if tree.foot:
        yield paint("", "", tree.foot)


def text(tree: Branch) -> str:
    """A tree without colours."""
    return "\n".join(lines(tree, lambda kind, name, aside: " ".join(filter(None, (kind, name, aside)))))


def _below(children: Sequence[Branch], lead: str, paint: Callable[[str, str, str], str]) -> Iterator[str]:
    for number, child in enumerate(children, 1):
        last = number == len(children)
        yield f"{lead}{'└── ' if last else '├── '}{paint(child.kind, child.name, child.aside)}"
        yield from _below(child.children, lead + ("    " if last else "│   "), paint)


def page(tree: Branch) -> str:
    """A tree as HTML whose parts open and close; it takes its colours from the page."""
    foot = f'<div class="aside">{html.escape(safe(tree.foot))}</div>' if tree.foot else ""
    parts = "".join(_part(tree, first=True))
    return f'{_STYLE}<div class="dhis2sh-tree" style="padding-left:1.2em">{parts}{foot}</div>'


def _part(branch: Branch, *, first: bool = False) -> Iterator[str]:
    kind, aside = html.escape(safe(branch.kind)), html.escape(safe(branch.aside))
    label = (
        f"{f'<span class=aside>{kind}</span> ' if kind else ''}{html.escape(safe(branch.name))}"
        f"{f' <span class=aside>{aside}</span>' if aside else ''}"
    )
    if not branch.children:
        yield f"<div>{label}</div>"
        return
    yield f"<details{' open' if first or len(branch.children) <= FOLDED_FROM else ''}><summary>{label}</summary><div>"
    for child in branch.children:
        yield from _part(child)
    yield "</div></details>"
