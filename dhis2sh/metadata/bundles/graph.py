"""Dependencies as a picture: a tree for a terminal, Graphviz DOT, or Mermaid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from dhis2sh.dhis2.references import belongs_to_instance, label, references
from dhis2sh.metadata.bundles.bundle import Bundle
from dhis2sh.show import trees
from dhis2sh.show.trees import Branch

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource

type Style = Literal["tree", "dot", "mermaid"]


class Node(BaseModel):
    """One object."""

    id: str
    type: str
    name: str


class Arrow(BaseModel):
    """One reference: the object that needs, the object that it needs, and by which property."""

    source: str
    target: str
    by: str


class Graph(BaseModel):
    """Objects and the references between them, the first node the one that was asked for.

    Parameters:
        nodes, arrows: all of them.
        style: how it is drawn.
        fold: where an object needs more than so many of one type, the picture counts the rest; 0 draws every one.
    """

    nodes: list[Node]
    arrows: list[Arrow]
    style: Style = "tree"
    fold: int = 0

    def tree(self) -> Branch | None:
        """The picture as a tree; None for the other styles, which are text."""
        return _tree(self._pictured()) if self.style == "tree" and self.nodes else None

    def line(self) -> str:
        """The picture as text."""
        tree = self.tree()
        return trees.text(tree) if tree else "\n".join(_PICTURES.get(self.style, _dot)(self._pictured()))

    def _pictured(self) -> Graph:
        return folded(self, self.fold) if self.fold else self

    def _repr_markdown_(self) -> str | None:
        """JupyterLab draws Mermaid in Markdown itself."""
        return f"```mermaid\n{self.line()}\n```" if self.style == "mermaid" else None


def graph_of(
    bundle: Bundle,
    types: Mapping[str, Resource],
    start: tuple[str, str],
    *,
    depth: int,
    style: Style = "tree",
    fold: int = 0,
) -> Graph:
    """The graph of a gathered bundle from one object on, as deep as asked for."""
    kinds = {uid: plural for plural, objects in bundle.objects.items() for uid in objects}
    seen, arrows = {start[1]: None}, dict[tuple[str, str], Arrow]()
    ring = [start[1]]
    for _ in range(depth):
        following: list[str] = []
        for uid in ring:
            plural = kinds.get(uid)
            if plural is None or plural not in types:
                continue
            for ref in references(types[plural], bundle.objects[plural][uid], types):
                if belongs_to_instance(ref) or ref.uid not in kinds:
                    continue
                arrows.setdefault((uid, ref.uid), Arrow(source=uid, target=ref.uid, by=ref.path))
                if ref.uid not in seen:
                    seen[ref.uid] = None
                    following.append(ref.uid)
        ring = following
    nodes = [Node(id=uid, type=kinds[uid], name=label(bundle.objects[kinds[uid]][uid])) for uid in seen if uid in kinds]
    return Graph(nodes=nodes, arrows=list(arrows.values()), style=style, fold=fold)


def folded(graph: Graph, most: int) -> Graph:
    """The same graph where at the most so many objects of one type hang on another; the rest are one node.

    What the folded objects need is needed by their node, so nothing is cut off. One object is never folded.
    """
    nodes = {node.id: node for node in graph.nodes}
    needs = _needs(graph)
    stands_for: dict[str, str] = {}
    kept: list[Node] = []
    ring: list[tuple[str, list[str]]] = []

    def keep(node: Node, members: list[str]) -> None:
        kept.append(node)
        stands_for.update(dict.fromkeys(members, node.id))
        ring.append((node.id, members))

    for first in graph.nodes[:1]:
        keep(first, [first.id])
    for uid, members in ring:  # grows while it is read
        kinds: dict[str, list[str]] = {}
        for arrow in (arrow for member in members for arrow in needs.get(member, ())):
            if arrow.target not in stands_for and arrow.target not in (
                known := kinds.setdefault(nodes[arrow.target].type, [])
            ):
                known.append(arrow.target)
        for kind, targets in kinds.items():
            shown = targets[:most] if len(targets) > most + 1 else targets
            for target in shown:
                keep(nodes[target], [target])
            if rest := targets[len(shown) :]:
                keep(Node(id=f"{uid}_{kind}", type=kind, name=f"{len(rest):,} more"), rest)
    arrows: dict[tuple[str, str], Arrow] = {}
    for arrow in graph.arrows:
        ends = stands_for[arrow.source], stands_for[arrow.target]
        if ends[0] != ends[1]:
            arrows.setdefault(ends, Arrow(source=ends[0], target=ends[1], by=arrow.by))
    return Graph(nodes=kept, arrows=[*arrows.values()], style=graph.style)


def _needs(graph: Graph) -> dict[str, list[Arrow]]:
    known = {node.id for node in graph.nodes}
    needs: dict[str, list[Arrow]] = {}
    for arrow in graph.arrows:
        if arrow.target in known:
            needs.setdefault(arrow.source, []).append(arrow)
    return needs


def _tree(graph: Graph) -> Branch:
    """Each object once with what it needs; where it comes again, only its name."""
    nodes, needs = {node.id: node for node in graph.nodes}, _needs(graph)
    drawn: set[str] = set()

    def draw(uid: str) -> Branch:
        node, again = nodes[uid], uid in drawn and uid in needs
        counted = node.id.endswith(f"_{node.type}")
        aside = ("" if counted else f"[{node.id}]") + (" (above)" if again else "")
        branch = Branch(node.name, node.type, aside.strip())
        if uid not in drawn:
            drawn.add(uid)
            branch.children = [draw(arrow.target) for arrow in needs.get(uid, ())]
        return branch

    return draw(graph.nodes[0].id)


def _plain(text: str) -> str:
    """A name on one line, without control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _dot(graph: Graph) -> Iterator[str]:
    def quoted(*lines: str) -> str:
        escaped = (_plain(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
        return '"' + "\\n".join(escaped) + '"'

    yield "digraph metadata {"
    yield "  rankdir=LR;"
    yield "  node [shape=box];"
    for node in graph.nodes:
        yield f"  {quoted(node.id)} [label={quoted(node.type, node.name)}];"
    for arrow in graph.arrows:
        yield f"  {quoted(arrow.source)} -> {quoted(arrow.target)} [label={quoted(arrow.by)}];"
    yield "}"


MERMAID = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;", "\\": "#92;"}
"""What ends a quoted text or begins markup in it."""


def _mermaid(graph: Graph) -> Iterator[str]:
    def quoted(text: str) -> str:
        return '"' + "".join(MERMAID.get(char, char) for char in _plain(text)) + '"'

    yield "graph LR"
    for node in graph.nodes:
        yield f"  {node.id}[{quoted(f'{node.type}: {node.name}')}]"
    for arrow in graph.arrows:
        yield f"  {arrow.source} -->|{quoted(arrow.by)}| {arrow.target}"


_PICTURES: Mapping[Style, Callable[[Graph], Iterator[str]]] = {"dot": _dot, "mermaid": _mermaid}
