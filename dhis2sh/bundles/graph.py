"""Dependencies as a picture: a tree for a terminal, Graphviz DOT, or Mermaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from dhis2sh.bundles.bundle import Bundle
from dhis2sh.client.references import belongs_to_instance, label, references

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

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
    """Objects and the references between them, the first node the one that was asked for."""

    nodes: list[Node]
    arrows: list[Arrow]
    style: Style = "tree"

    def line(self) -> str:
        """The picture as text."""
        return "\n".join({"tree": _tree, "dot": _dot, "mermaid": _mermaid}[self.style](self))


def graph_of(
    bundle: Bundle, types: Mapping[str, Resource], start: tuple[str, str], *, depth: int, style: Style = "tree"
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
    return Graph(nodes=nodes, arrows=list(arrows.values()), style=style)


def _tree(graph: Graph) -> Iterator[str]:
    """Each object once with what it needs; where it comes again, only its name."""
    nodes = {node.id: node for node in graph.nodes}
    needs: dict[str, list[Arrow]] = {}
    for arrow in graph.arrows:
        needs.setdefault(arrow.source, []).append(arrow)
    drawn: set[str] = set()

    def draw(uid: str, lead: str) -> Iterator[str]:
        drawn.add(uid)
        arrows = [arrow for arrow in needs.get(uid, ()) if arrow.target in nodes]
        for number, arrow in enumerate(arrows):
            last = number == len(arrows) - 1
            node = nodes[arrow.target]
            again = node.id in drawn and node.id in needs
            yield f"{lead}{'└── ' if last else '├── '}{node.type} '{node.name}' [{node.id}]{'  (above)' if again else ''}"
            if node.id not in drawn:
                yield from draw(node.id, lead + ("    " if last else "│   "))

    if graph.nodes:
        first = graph.nodes[0]
        yield f"{first.type} '{first.name}' [{first.id}]"
        yield from draw(first.id, "")


def _dot(graph: Graph) -> Iterator[str]:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    yield "digraph metadata {"
    yield "  rankdir=LR; node [shape=box];"
    for node in graph.nodes:
        yield f"  {quoted(node.id)} [label={quoted(f'{node.type}\n{node.name}')}];"
    for arrow in graph.arrows:
        yield f"  {quoted(arrow.source)} -> {quoted(arrow.target)} [label={quoted(arrow.by)}];"
    yield "}"


def _mermaid(graph: Graph) -> Iterator[str]:
    def escaped(text: str) -> str:
        return text.replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")

    yield "graph LR"
    for node in graph.nodes:
        yield f'  {node.id}["{escaped(node.type)}: {escaped(node.name)}"]'
    for arrow in graph.arrows:
        yield f"  {arrow.source} -->|{escaped(arrow.by)}| {arrow.target}"
