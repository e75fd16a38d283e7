"""Dependencies as a picture: folded, and nothing in a name breaks the text of a picture."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.metadata.bundles.graph import Arrow, Graph, Node, folded
from dhis2sh.show import render

TEXTS = [
    'A "quoted" [bracket] {brace}',
    "æøå 中文",
    "<b>x</b> & back\\slash",
    "`md` #35;",
    "line\nbreak\x1b[31m",
    "end",
    "\\",
    "",
]


def fan(names: list[str], style: str = "tree", fold: int = 0) -> Graph:
    """A data set with elements, all of which need one category combination."""
    elements = [Node(id=f"deElement{number:02}", type="dataElements", name=name) for number, name in enumerate(names)]
    combo = Node(id="ccCombo0001", type="categoryCombos", name="Combo")
    whole = Node(id="dsDataSet01", type="dataSets", name="Set")
    arrows = [Arrow(source=whole.id, target=item.id, by="dataSetElements.dataElement") for item in elements]
    arrows += [Arrow(source=item.id, target=combo.id, by="categoryCombo") for item in elements]
    return Graph(nodes=[whole, *elements, combo], arrows=arrows, style=style, fold=fold)  # type: ignore[arg-type]


def drawn(graph: Graph) -> list[str]:
    return render.text(graph).splitlines()


def test_a_tree_names_each_object_once_and_says_where_it_comes_again():
    assert drawn(fan(["A", "B"])) == [
        "dataSets Set [dsDataSet01]",
        "├── dataElements A [deElement00]",
        "│   └── categoryCombos Combo [ccCombo0001]",
        "└── dataElements B [deElement01]",
        "    └── categoryCombos Combo [ccCombo0001]",
    ]
    deep = fan(["A", "B"])
    deep.nodes.append(Node(id="caCategory1", type="categories", name="Age"))
    deep.arrows.append(Arrow(source="ccCombo0001", target="caCategory1", by="categories"))
    assert drawn(deep)[-1] == "    └── categoryCombos Combo [ccCombo0001] (above)"


def test_many_of_a_kind_are_folded_and_nothing_that_they_need_is_lost():
    graph = fan([f"Element {number}" for number in range(40)], fold=3)
    assert [line.strip("├│└─ ") for line in drawn(graph)][-2:] == [
        "dataElements 37 more",
        "categoryCombos Combo [ccCombo0001]",
    ]
    assert len(graph.nodes) == 42, "data stay whole"
    small = folded(graph, 3)
    assert len(small.nodes) == 6
    assert {arrow.target for arrow in small.arrows if arrow.source.endswith("_dataElements")} == {"ccCombo0001"}


def test_one_more_than_the_most_is_named_and_zero_draws_all():
    assert len(drawn(fan(["A", "B", "C", "D"], fold=3))) == 9
    assert len(folded(fan(list("ABCDE"), fold=4), 4).nodes) == 7
    assert len(drawn(fan(["A"] * 40))) == 81


def test_a_circle_ends():
    nodes = [Node(id=uid, type="organisationUnits", name=uid) for uid in ("ouFirst0001", "ouSecond001")]
    arrows = [Arrow(source=one.id, target=other.id, by="parent") for one, other in (nodes, nodes[::-1])]
    graph = Graph(nodes=nodes, arrows=arrows, fold=5)
    assert drawn(graph)[-1].endswith("organisationUnits ouFirst0001 [ouFirst0001] (above)")


NODE = re.compile(r'  [A-Za-z]\w*\["(?:[^"#`<>&\\]|#(?:\d+|[a-z]+);)*"\]')
ARROW = re.compile(r'  [A-Za-z]\w* -->\|"(?:[^"#`<>&\\]|#(?:\d+|[a-z]+);)*"\| [A-Za-z]\w*')
STRING = r'"(?:[^"\\\n]|\\.)*"'
DOT = re.compile(rf"  (?:rankdir=LR;|node \[shape=box\];|{STRING}(?: -> {STRING})? \[label={STRING}\];)")


@given(st.lists(st.one_of(st.sampled_from(TEXTS), st.text(max_size=20)), min_size=1, max_size=5), st.integers(0, 2))
def test_no_name_breaks_a_picture(names: list[str], fold: int):
    """The grammar of what we write; parsers of both languages took the same texts when this was written."""
    first, *lines = fan(names, "mermaid", fold).line().splitlines()
    assert first == "graph LR"
    assert all(NODE.fullmatch(line) or ARROW.fullmatch(line) for line in lines)
    first, *lines, last = fan(names, "dot", fold).line().splitlines()
    assert (first, last) == ("digraph metadata {", "}")
    assert all(DOT.fullmatch(line) for line in lines)


def test_names_are_what_they_were():
    graph = fan(["5 < 6 & 7"], "mermaid")
    assert '["dataElements: 5 #lt; 6 #amp; 7"]' in graph.line()
    assert graph._repr_markdown_() == f"```mermaid\n{graph.line()}\n```"
    assert '[label="dataElements\\nA \\"b\\" \\\\N"];' in fan(['A "b" \\N'], "dot").line()


@pytest.mark.parametrize("name", TEXTS)
def test_a_notebook_draws_parts_that_fold_and_no_markup_of_a_name(name: str):
    page = render.html(fan([name] * 2))
    assert page.count("<details") == 3
    assert "<b>x" not in page
    assert "\x1b" not in page
