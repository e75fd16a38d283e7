"""Lines cut into head and tail, tails compiled before any request, and names looked up in a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.errors import PipelineError
from dhis2sh.rows.expressions import Expression
from dhis2sh.rows.pipeline import split
from dhis2sh.rows.rows import Rows
from dhis2sh.verbs.piping import compile_tail

PLAIN = st.text(alphabet="abc =,.:-", max_size=12)
INSIDE = st.text(alphabet="abc |,=", max_size=12)
CLOSED = st.one_of(
    INSIDE.map(lambda text: f"'{text}'"),
    INSIDE.map(lambda text: f'"{text}"'),
    INSIDE.map(lambda text: f"({text})"),
    INSIDE.map(lambda text: f"[{text}]"),
    INSIDE.map(lambda text: f"{{{text}}}"),
    INSIDE.map(lambda text: f"([{text}] '){text}')"),
    st.just("\\|"),
)
HEAD = st.lists(st.one_of(PLAIN, CLOSED), max_size=6).map("".join)


def units() -> Rows[dict[str, object]]:
    return Rows([
        {"id": "a", "name": "Bo", "level": 2, "parent": {"name": "Sierra Leone"}},
        {"id": "b", "name": "Ngelehun", "level": 4, "parent": {"name": "Badjia"}},
        {"id": "c", "name": "Root", "level": None},
    ])  # fmt: skip


async def run(tail: str, rows: Rows[dict[str, object]] | None = None, **names: object) -> object:
    return await compile_tail(tail, names=names).run(units() if rows is None else rows, names)


@given(head=HEAD, tail=PLAIN)
def test_split_never_cuts_inside_quotes_brackets_or_after_a_backslash(head: str, tail: str):
    parts = split(f"{head}|{tail}")
    assert (parts.head, parts.tail, parts.tail_at) == (head, tail, len(head) + 1)


@given(head=HEAD)
def test_a_line_without_a_top_level_bar_has_no_tail(head: str):
    assert split(head).tail is None
    assert split(head).head == head


def test_split_gives_the_rest_to_the_tail_and_sees_the_semicolon():
    parts = split("metadata list x | where(a | b) | head(3);")
    assert parts.head == "metadata list x "
    assert parts.tail == " where(a | b) | head(3)"
    assert parts.quiet
    assert not split("metadata list x").quiet


def test_a_tail_is_compiled_into_its_steps():
    where, head = compile_tail("where(level == 2) | head(n=3)").steps
    assert (where.name, where.args, where.kind) == ("where", ["level == 2"], "stage")
    assert (head.name, head.options) == ("head", {"n": "3"})


def test_a_syntax_error_has_its_position_in_the_whole_line():
    line = "metadata list x | where(level = = 2)"
    parts = split(line)
    with pytest.raises(PipelineError, match="not Python") as caught:
        compile_tail(parts.tail or "", offset=parts.tail_at, source=line)
    assert caught.value.source == line
    assert caught.value.position is not None
    assert line.index("where") <= caught.value.position <= line.rindex("=") + 1


@pytest.mark.parametrize("before", ["where(level == 2)", "where(name == 'Tomé é')"])
def test_an_unknown_stage_has_a_hint_and_its_position(before: str):
    line = f"x | {before} | selct(id)"
    with pytest.raises(PipelineError, match="no stage `selct`") as caught:
        compile_tail(line[3:], offset=3, source=line, names={"other": 1})
    assert "select" in str(caught.value.hint)
    assert caught.value.position == line.index("selct")


@pytest.mark.parametrize(
    ("tail", "says", "hint"),
    [
        ("where(name = 'A')", "= gives a name, == compares", "where(name == 'A')"),
        ("where(name.startwith('A'))", "no attribute 'startwith'", "did you mean startswith"),
    ],
)
async def test_what_people_mistype_in_a_condition_is_put_right(tail: str, says: str, hint: str):
    with pytest.raises(PipelineError, match=says) as caught:
        await run(tail)
    assert hint in str(caught.value.hint)


def test_something_that_is_no_name_is_no_stage():
    with pytest.raises(PipelineError, match="is no stage"):
        compile_tail("where(level == 2) | 3")


async def test_without_known_names_an_unknown_stage_is_found_when_it_runs():
    with pytest.raises(PipelineError, match="no stage `selct`"):
        await run("selct(id)")


@pytest.mark.parametrize(
    ("tail", "needed"),
    [
        ("where(level == 2)", ["level"]),
        ("where(categoryCombo.name == 'default')", ["categoryCombo.name"]),
        ("where(name.startswith('ANC'))", ["name"]),
        ("where(type == 'X' and id in ('a', 'b'))", ["type", "id"]),
        ("select(id, combo=categoryCombo.name) | where(combo == 'x')", ["id", "categoryCombo.name"]),
        ("sort(-level, name, reverse=True) | head(3)", ["level", "name"]),
        ("group(valueType, total=sum(value))", ["valueType", "value"]),
        ("derive(length=len(name)) | where(length > 3 and level == 2)", ["name", "level"]),
        ("head(3) | csv('x.csv')", []),
        ("get(0)", []),
    ],
)
def test_the_fields_that_a_tail_needs(tail: str, needed: list[str]):
    assert list(compile_tail(tail).wants().fields) == needed


async def test_a_pipeline_runs_stage_by_stage():
    found = await run("where(level >= 2) | select(id, above=parent.name) | sort(-id)")
    assert isinstance(found, Rows)
    assert found.plain() == [{"id": "b", "above": "Badjia"}, {"id": "a", "above": "Sierra Leone"}]


async def test_a_function_of_the_user_is_a_stage_and_may_be_async():
    async def first(rows: Rows[dict[str, object]], n: int) -> Rows[dict[str, object]]:
        return rows[:n]

    assert await run("first(2) | len", first=first) == 2


def test_a_verb_as_a_stage_must_exist_and_take_rows():
    with pytest.raises(PipelineError, match="no verb 'metadata vanish'"):
        compile_tail("metadata.vanish(1)")
    with pytest.raises(PipelineError, match="metadata count does not take piped rows"):
        compile_tail("metadata.count()")


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("level > 2 or name == 'Root'", "bc"),
        ("not (level > 2)", "ac"),
        ("level != 2", "bc"),
        ("level is None", "c"),
        ("parent.name is None", "c"),
        ("parent.name is not None", "ab"),
        ("parent.name == None", "c"),
        ("'Sierra' in parent.name", "a"),
        ("'Sierra' not in parent.name", "bc"),
        ("parent.name.startswith('B')", "b"),
        ("len(parent.name) > 6", "a"),
        ("level + 1 > 3", "b"),
        ("1 < level < 3", "a"),
        ("parent.name[0] == 'B'", "b"),
    ],
)
async def test_a_null_equals_none_and_every_other_comparison_with_it_is_false(condition: str, kept: str):
    found = await run(f"where({condition}) | get(id)")
    assert "".join(found) == kept  # type: ignore[arg-type]


async def test_what_is_computed_from_a_null_is_null():
    rows = await run("derive(up=parent.name.upper(), next=level + 1) | select(id, up, next)")
    assert isinstance(rows, Rows)
    assert rows[2] == {"id": "c", "up": None, "next": None}


async def test_nothing_follows_a_stage_that_gives_no_rows():
    with pytest.raises(PipelineError, match="`head` wants rows"):
        await run("count | head(2)")


@pytest.mark.parametrize("tail", ["csv(rows.csv)", "head(many)", "head('x')", "head(1, 2, 3)", "sample(-1)"])
async def test_wrong_arguments_are_errors_of_the_pipeline(tail: str):
    with pytest.raises(PipelineError):
        await run(tail)


def value(text: str, row: dict[str, object], **names: object) -> object:
    expression = Expression(text)
    return expression.value(expression.bind([row], names), row)


def test_a_row_wins_over_a_variable_and_a_variable_over_a_builtin():
    assert value("max", {"max": 1}, max=2) == 1
    assert value("max", {"other": 1}, max=2) == 2
    assert value("max(1, 3)", {"other": 1}) == 3
    assert value("id + type", {"id": "a", "type": "b"}, id="x") == "ab"


@pytest.mark.parametrize("name", ["id", "type"])
def test_id_and_type_are_fields_and_never_builtins(name: str):
    with pytest.raises(PipelineError, match=f"`{name}` is missing in 1 of 1 rows"):
        value(name, {"name": "x"})


@pytest.mark.parametrize(
    "text",
    ["level > 3", "level + 1", "name.startswith('A')", "len(name)", "combo.name", "combo.level > 3", "combo.code + 'x'",
     "full.level > 3", "full.level.deeper.upper()", "names[5].upper()", "any(x.name == 'Bo' for x in name)"],
)  # fmt: skip
def test_nulls_do_not_raise(text: str):
    assert not value(text, {"level": None, "name": None, "combo": None, "full": {"level": None}, "names": []})


ABOVE: list[dict[str, object]] = [
    {"name": "Badjia", "ancestors": [{"name": "Sierra Leone"}, {"name": "Bo"}], "parent": {"name": "Bo"}},
    {"name": "Sierra Leone", "ancestors": []},
]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("any(a.name == 'Bo' for a in ancestors)", [True, False]),
        ("[a['name'] for a in ancestors if a.name]", [["Sierra Leone", "Bo"], []]),
        ("ancestors[0].name", ["Sierra Leone", None]),
        ("sorted(ancestors, key=lambda a: a.name)[0].name", ["Bo", None]),
        ("list(map(lambda a: a.name, ancestors))", [["Sierra Leone", "Bo"], []]),
        ("[f'{n} {a.name}' for n, a in enumerate(ancestors)]", [["0 Sierra Leone", "1 Bo"], []]),
        ("parent.name", ["Bo", None]),
        ("parent['name']", ["Bo", None]),
        ("parent.get('name')", ["Bo", None]),
    ],
)
def test_t11_loops_and_subscripts_read_fields_of_fields(text: str, values: list[object]):
    expression = Expression(text)
    bound = expression.bind(ABOVE)
    assert [expression.value(bound, row) for row in ABOVE] == values
    typo = Expression(text.replace("name", "nmae"))
    with pytest.raises(PipelineError, match=r"`(ancestors|parent)\.nmae` is missing in 2 of 2 rows"):
        typo.bind(ABOVE)


def test_t11_a_field_of_a_field_that_was_asked_for_is_null_where_no_row_has_it():
    top = Rows([{"id": "a", "parent": {"id": "b"}}], asked=["id", "parent", "parent.code"])
    assert top.where("parent.code is None").plain() == top.plain()
    with pytest.raises(PipelineError, match=r"`parent\.name` is missing"):
        top.where("parent.name is None")


def test_t11_a_key_that_an_own_object_has_not_is_no_null():
    rows = Rows([{"level": 2}])
    assert len(rows.where("level == 2")) == 1
    with pytest.raises(PipelineError, match=r"nothing is called `lvl` there; it has level"):
        value("level == wanted.lvl", {"level": 2}, wanted={"level": 2})
    with pytest.raises(PipelineError, match="out of range"):
        value("wanted[5]", {"level": 2}, wanted=[1])


def test_t11_a_field_with_the_name_of_a_builtin_is_a_field():
    """Programme indicators have a `filter`, and `where(filter is None)` is about that."""
    assert Expression("filter is None and len(name) > 2").field_paths() == {"filter": True, "name": True}
    with pytest.raises(PipelineError, match="`filter` is missing"):
        value("filter is None", {"name": "Bo"})


def test_a_type_error_without_a_null_is_shown():
    with pytest.raises(PipelineError, match="not supported"):
        value("level > word", {"level": 1}, word="x")


def test_python_inside_an_expression():
    row: dict[str, object] = {"name": "Bo", "items": [{"n": 1}, {}], "style": {"color": "red"}}
    assert value("[e.n for e in items]", row) == [1, None]
    assert value("(size := len(name)) == 2 and size", row) == 2
    assert value("(lambda *a, k=1: a[0] + k)(2)", row) == 3
    assert value("style.get('color')", row) == "red"
    assert value("f'{style.color.gone}'", {**row, "style": {"color": None}}) == "None"


@pytest.mark.parametrize("text", ["1 / zero", "name.nope", "name.nope()", "int(name)"])
def test_what_an_expression_raises_is_an_error_of_the_pipeline(text: str):
    with pytest.raises(PipelineError):
        value(text, {"zero": 0, "name": "x", "names": []})


def test_a_number_in_a_text_says_how_it_is_compared():
    with pytest.raises(PipelineError, match="not supported between") as caught:
        Rows([{"value": "5"}]).where("value > 20")
    assert caught.value.hint == "`value` is text here: float(value) is its number"
    assert Rows([{"value": "5"}, {"value": "30"}]).where("float(value) > 20").plain() == [{"value": "30"}]


@pytest.mark.parametrize(("tail", "expected"), [
    ("sort('-n') | select('name')", ["b", "a"]), ("where('n == 1') | select(name)", ["a"]), ("uniq('name') | select(name)", ["a", "b"]),
])  # fmt: skip
async def test_a_field_in_quotes_is_that_field(tail: str, expected: list[str]):
    """As in plain Python; taken as a constant it left every row as it was, without a word."""
    rows = Rows([{"name": "a", "n": 1}, {"name": "b", "n": 2}])
    found = await compile_tail(tail).run(rows, {})
    assert [row["name"] for row in found.plain()] == expected
