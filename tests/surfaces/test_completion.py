"""Completion, colours and continued lines of what is typed at the prompt and in notebooks."""

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from pygments.token import Keyword, Name, Number, Operator, String

from dhis2sh.errors import UsageError
from dhis2sh.index.names import Hit
from dhis2sh.surfaces.ipython import lines, magics
from dhis2sh.surfaces.ipython.completion import suggest
from dhis2sh.surfaces.ipython.lexer import Dhis2Lexer
from dhis2sh.verbs.completion import Candidate

DOMAINS = frozenset({"data", "metadata", "profile", "sandbox", "system", "verbs", "analytics", "pull"})


def names(text: str, plural: str | None) -> list[Candidate]:
    return [Candidate("s46m5MS0hxu", f"{text} in {plural}", "BCG doses given")]


@pytest.mark.parametrize(
    ("line", "fragment", "first"),
    [
        ("metadata l", "l", "list"),
        ("%metadata l", "l", "list"),
        ("x = %metadata l", "l", "list"),
        ("%dhis2 meta", "meta", "metadata"),
        ("%dhis2 metadata l", "l", "list"),
        ("explain metadata l", "l", "list"),
        ("explain %metadata list dataElements --fi", "--fi", "--fields"),
        ("metadata list dataElements --fields id,categoryCombo[na", "na", "name"),
        ("metadata get dataElements bcg", "bcg", "s46m5MS0hxu"),
        ("metadata get dataElements 'BCG do", "'BCG do", "s46m5MS0hxu"),
        ("metadata get dataElements bcg do", "bcg do", "s46m5MS0hxu"),
        ("metadata data-elements get bcg  doses gi", "bcg  doses gi", "s46m5MS0hxu"),
        ("data history bcg ", "bcg ", "s46m5MS0hxu"),
        ("analytics query d", "d", "dx="),
        ("analytics query dx=BCG", "BCG", "s46m5MS0hxu"),
        ("analytics query dx='BCG d", "'BCG d", "s46m5MS0hxu"),
        ("analytics query dx=fbfJHSPpUQD;BCG", "BCG", "s46m5MS0hxu"),
        ("analytics query dx=BCG pe=LAST_12_M", "LAST_12_M", "LAST_12_MONTHS"),
        ("analytics query dx=BCG --filter ou=Bo", "Bo", "s46m5MS0hxu"),
        ("pull dx='Meas", "'Meas", "s46m5MS0hxu"),
        ("analytics pull ou=Bo", "Bo", "s46m5MS0hxu"),
        ("metadata list dataElements | wh", "wh", "where"),
        ("metadata list dataElements | where(valueType == 'X') | se", "se", "select"),
        ("metadata list dataElements | where(valueT", "valueT", "valueType"),
        ("metadata list dataElements | where(categoryCombo.na", "na", "name"),
        ("metadata list dataElements | where(valueType == 'NU", "NU", "NUMBER"),
        ("metadata list dataElements | where(valueType in ['TEXT', 'NU", "NU", "NUMBER"),
        ("metadata list dataElements | where(id == 'bc", "bc", "s46m5MS0hxu"),
        ("metadata list dataElements | select(id, na", "na", "name"),
        ("metadata search bcg | where(ty", "ty", "type"),
        ("metadata describe dataElements | select(req", "req", "required"),
        ("metadata list dataElements | metadata.sh", "sh", "share"),
        ("%output js", "js", "json"),
        ("%timing o", "o", "on"),
    ],
)
def test_what_is_offered_at_the_end_of_a_line(line: str, fragment: str, first: str) -> None:
    found = suggest(line, DOMAINS, names)
    assert found is not None
    assert (found.fragment, found.items[0].text) == (fragment, first)


@pytest.mark.parametrize(
    ("line", "fragment", "items"),
    [
        ("metadata get dataElements ", "", ["s46m5MS0hxu"]),
        ("metadata data-elements create --category-combo ", "", ["s46m5MS0hxu"]),
        ("metadata list dataElements ", "", ["--fields", "--filter"]),
        ("metadata data-elements create --name ", "", []),
        ("metadata list dataElements | where(valueType ==", "", ["'TEXT'", "'LONG_TEXT'"]),
        ("metadata list dataElements | where(valueType == NU", "NU", ["'NUMBER'"]),
        ("metadata list dataElements | where(zeroIsSignificant == '", "", ["true", "false"]),
        ('metadata list dataElements | where(name == "bc', "bc", ["BCG doses given"]),
        ("metadata list dataElements | where(categoryCombo.name == '", "", ["BCG doses given"]),
        ("metadata list dataElements | where(name ", "", ["==", "!=", "in"]),
        ("metadata list dataElements | where(name == 'x' ", "", ["and", "or"]),
        ("metadata list dataElements | where(name.st", "st", ["startswith(", "strip()"]),
        ("metadata list dataElements | where(pri", "pri", []),
        ("metadata list dataElements | group(valueType, n=co", "co", ["count()"]),
        ("metadata list dataElements | group(valueType, n=count()) | sort(", "", ["valueType", "n", "reverse="]),
        ("metadata list dataElements | select(id, x=name) | where(", "", ["id", "x", "condition="]),
        ("metadata list dataElements | metadata.", "", ["add", "add_members", "attribute", "create"]),
        ("metadata list dataElements | metadata.share(ov", "ov", ["overwrite="]),
        ("metadata list dataElements | select(id) ", "", ["|"]),
        ("metadata indicators create --numerator '#{bc", "bc", ["s46m5MS0hxu"]),
        ("metadata indicators create --numerator 'C{", "", ["s46m5MS0hxu"]),
        ("metadata create dataElements --set valueT", "valueT", ["valueType="]),
        ("metadata create dataElements --set valueType=NU", "NU", ["NUMBER"]),
        ("metadata create dataElements --set categoryCombo=", "", ["s46m5MS0hxu"]),
        ("metadata get dataElements $m", "m", ["mine"]),
        ("metadata get dataElements {m", "m", ["mine"]),
        ("metadata list dataElements --filter level:eq:$", "", ["mine"]),
        ("metadata list dataElements --filter 'name:$li", "$li", ["$like:"]),
        ("metadata list dataElements --filter categoryCombo.id:eq:d", "d", ["s46m5MS0hxu"]),
        ("metadata list dataElements | where(level == m", "m", ["mine"]),
    ],
)
def test_u1_what_is_offered_for_an_empty_word_and_for_values(line: str, fragment: str, items: list[str]) -> None:
    found = suggest(line, DOMAINS, names, variables=["mine"])
    assert found is not None
    assert found.alone
    assert (found.fragment, [item.text for item in found.items][: len(items) or None]) == (fragment, items)


@pytest.mark.parametrize(
    ("line", "fragment", "items"),
    [
        ("await metadata.list('dataEl", "dataEl", ["dataElementGroupSets"]),
        ("await metadata.list(", "", ["'aggregateDataExchanges'"]),
        ("rows = await metadata.get('dataElements', 'bc", "bc", ["s46m5MS0hxu"]),
        ("await metadata.list('dataElements', fi", "fi", ["fields=", "filter="]),
        ("x = [await metadata.list('dataElements', root_junction='", "", ["AND", "OR"]),
        ("await metadata.data_elements.create(value_type='NU", "NU", ["NUMBER"]),
    ],
)
def test_u1_a_python_call_of_a_verb_offers_what_it_takes(line: str, fragment: str, items: list[str]) -> None:
    found = suggest(line, DOMAINS, names)
    assert found is not None
    assert (found.fragment, [item.text for item in found.items][: len(items)]) == (fragment, items)


def test_what_a_verb_refuses_is_not_offered() -> None:
    asked: list[str | None] = []

    def of_type(text: str, plural: str | None) -> list[Candidate]:
        asked.append(plural)
        return []

    for line in ("viz Immun", "explain BCG", "query ou=Bo", "query gender=Bo"):
        suggest(f"analytics {line}", DOMAINS, of_type)
    assert asked == [
        "visualizations",
        "eventVisualizations",
        "indicators",
        "dataElements",
        "programIndicators",
        "organisationUnits",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "metadata get dataElements ",
        "metadata data-elements create --category-combo ",
        "metadata indicators create --indicator-type per",
        "metadata data-elements create --name pr",
        "metadata list dataElements | where(pri",
        "metadata list dataElements | group(valueType, n=compi",
        "metadata list dataElements | metadata.cop",
        "metadata search pri",
    ],
)
def test_u1_nothing_of_python_is_ever_offered_on_a_line_of_ours(runner: magics.Runner, line: str) -> None:
    assert completions(runner, line) == []


@pytest.mark.parametrize(
    "line",
    ["%meta", "metadata", "x = metadata.li", "metadata = 5", "print(metadata", "metadata in x", "y = 'metadata l"],
)
def test_python_is_left_to_python(line: str) -> None:
    assert suggest(line, DOMAINS, names) is None


def test_files_are_offered_where_a_file_belongs(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").touch()
    found = suggest(f"metadata list dataElements --out {tmp_path}/ro", DOMAINS, names)
    assert found is not None
    assert found.items == [Candidate("rows.csv", "file")]


@pytest.fixture
def runner(sandbox_home: Path) -> Iterator[magics.Runner]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.Completer.use_jedi = False  # as in the shell
    runner = magics.load(shell, "sandbox")
    yield runner
    runner.close()
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def completions(runner: magics.Runner, text: str) -> list[tuple[str, str]]:
    """What IPython offers: the text as it would then stand, and what is shown beside it."""
    with provisionalcompleter():
        found = list(runner.shell.Completer.completions(text, len(text)))
    return [(text[: item.start] + item.text, item.type) for item in found]


def test_ipython_offers_uids_by_name_alone(runner: magics.Runner) -> None:
    runner.background.names.put("dataElements", [Hit("s46m5MS0hxu", "dataElements", "BCG doses given", "DE_1")])
    found = completions(runner, "metadata get dataElements dose")
    assert found == [("metadata get dataElements s46m5MS0hxu", "BCG doses given  DE_1  dataElements")]


def test_in_brackets_the_users_names_stand_after_the_fields(runner: magics.Runner) -> None:
    runner.shell.user_ns["nation"] = "x"
    texts = [text for text, _ in completions(runner, "metadata list dataElements | where(na")]
    assert texts[0].endswith("where(name")
    assert any(text.endswith("where(nation") for text in texts)


def test_a_cell_and_a_continued_line_complete_too(runner: magics.Runner) -> None:
    assert completions(runner, "%%dhis2\nmetadata count dataElements\nmetadata li")[0][0].endswith("metadata list")
    assert completions(runner, "metadata list dataElements |\n  where(valueType == 'TE")[0][0].endswith("'TEXT")


def test_python_completion_still_works(runner: magics.Runner) -> None:
    assert [text for text, _ in completions(runner, "metadata.li")] == ["metadata.list"]


def test_u13_a_verb_as_a_call_shows_what_it_takes(runner: magics.Runner, capsys: pytest.CaptureFixture[str]) -> None:
    signature = inspect.signature(runner.shell.user_ns["metadata"].list)
    assert str(signature).startswith("(type, *, all=False, fields=None, filter=None, ")
    with pytest.raises(UsageError, match="metadata list takes 1 value without a name"):
        runner.shell.user_ns["metadata"].list("dataElements", "more")


def coloured(text: str) -> dict[str, object]:
    return {value: kind for kind, value in Dhis2Lexer(stripnl=False, ensurenl=False).get_tokens(text) if value.strip()}


def test_colours() -> None:
    line = "%metadata list dataElements --filter 'name:ilike:bcg' s46m5MS0hxu | where(valueType == 'TEXT') | select(id)"
    kinds = coloured(line)
    assert kinds["%"] is kinds["metadata"] is Keyword
    assert kinds["list"] is kinds["where"] is kinds["select"] is Name.Function
    assert kinds["--filter"] is Name.Attribute
    assert kinds["'name:ilike:bcg'"] is String
    assert kinds["s46m5MS0hxu"] is Number
    assert kinds["|"] is Operator.Word
    assert coloured("metadata data-elements get x")["data-elements"] is Name.Function
    assert kinds["id"] is Name, "a field, not Python's function"


@pytest.mark.parametrize(
    "text",
    [
        "metadata list",
        "%%dhis2\nmetadata list x\n| head(1)\nsystem info\n",
        "x = %metadata list a |\n  where(b == 'c",
        "explain metadata list a;",
        "# no",
    ],
)
def test_the_lexer_loses_nothing(text: str) -> None:
    pieces = list(Dhis2Lexer().get_tokens_unprocessed(text))
    assert "".join(value for _, _, value in pieces) == text
    assert all(text[at:].startswith(value) for at, _, value in pieces)


typed = st.text(st.sampled_from("metadata list get profile %|()[]{}'\"\\,.:=?$ \n x1--fields"), max_size=60)


@given(st.sampled_from(["", "metadata list dataElements ", "%metadata get dataElements ", "x = %dhis2 "]), typed)
@settings(max_examples=300, deadline=None)
def test_whatever_is_typed_is_coloured_completed_and_read_without_a_fault(before: str, rest: str) -> None:
    text = before + rest
    assert "".join(value for _, _, value in Dhis2Lexer().get_tokens_unprocessed(text)) == text
    line = text.replace("\\\n", "  ").replace("\n", " ")
    found = suggest(line, DOMAINS, names)
    assert found is None or line.endswith(found.fragment)
    lines.Transformer(DOMAINS, lambda name: False, ())(text.splitlines(keepends=True))
    begin, logical = lines.logical(text, len(text))
    assert text[begin:] == logical


def read(text: str) -> str:
    transform = lines.Transformer(DOMAINS, lambda name: name == "where", ("mine",))
    return "".join(transform(text.splitlines(keepends=True)))


def test_a_question_mark_asks_for_help() -> None:
    for text in ("metadata list?", "%metadata list ?", "metadata list?\n"):
        assert read(text).split("'")[3] == "metadata list ?"
    assert "where ??" in read("where??")
    assert read("len?") == "len?"
    assert read("metadata.list?") == "metadata.list?"
    for text in ("help metadata list", "help %metadata list"):
        assert read(text).split("'")[3] == "metadata list ?"
    assert read("help(metadata)") == "help(metadata)"


def test_u8_a_question_mark_or_help_alone_explains_dhis2sh(runner: magics.Runner) -> None:
    for text in ("?", "help", " ? \n"):
        assert "run_line_magic('dhis2', '?')" in read(text)
    shown = str(runner.shell.run_cell("?").result.text)
    assert "Tab completes" in shown and "| where(" in shown and "undo" in shown
    assert all(len(line) <= 80 for line in shown.splitlines()) and len(shown.splitlines()) <= 22, "it fits 80 x 24"
    domains = shown.split("domains:")[1].replace(",", " ")
    assert {"metadata", "sandbox", "journal"} <= set(domains.split())
    runner.shell.user_ns["help"] = "mine"
    assert runner.shell.run_cell("help").result == "mine"


@pytest.mark.parametrize(
    "line", ["what 'BCG doses given'", 'what "DE_1"', "undo 1 --dry-run", "what $n", "what {n}", "usage 'DE_1'"]
)
def test_u5_a_verb_needs_no_percent_sign_before_a_quote_a_number_or_a_variable(line: str) -> None:
    domains = DOMAINS | {"what", "undo", "usage"}
    found = lines.find(line, domains)
    assert found is not None and found.text == line


@pytest.mark.parametrize("line", ["what = 1", "what ('a')", "what + 1", "what # a", "what [0]", "what == 'a'"])
def test_u5_what_python_can_read_is_pythons(line: str) -> None:
    assert lines.find(line, DOMAINS | {"what"}) is None


def test_lines_are_continued_by_bars_and_backslashes() -> None:
    joined = "%metadata list dataElements | \\\n  head(2) \n"
    assert read("metadata list dataElements |\n  head(2)\n") == joined
    assert read("x = 1\n") == "x = 1\n"
    assert lines.unfinished("metadata list dataElements |", DOMAINS)
    assert not lines.unfinished("a = b |", DOMAINS)
    assert lines.joined("metadata list a\n  | head(1)\nsystem info") == ["metadata list a | head(1)", "system info"]


def test_a_continued_line_runs(runner: magics.Runner) -> None:
    runner.shell.run_cell("x = %metadata list dataElements |\\\n  select(name) | head(1)")
    assert runner.shell.user_ns["x"].plain() == [{"name": "BCG doses given"}]
    runner.shell.run_cell("y = %metadata list dataElements\n  | select(name)\n  | len")
    assert runner.shell.user_ns["y"] == 3


def test_the_namespace_holds_the_profile_as_domain_and_as_itself(runner: magics.Runner) -> None:
    profile = runner.shell.user_ns["profile"]
    assert repr(profile) == "<profile sandbox: http://sandbox as admin>"
    assert (profile.name, profile.read_only) == ("sandbox", False)
    rows = asyncio.run(profile.list())
    assert [row.name for row in rows] == ["sandbox"]


def test_where_a_folder_is_wanted_no_file_is_offered() -> None:
    Path("country").mkdir()
    Path("country.zip").touch()
    assert [one.text for one in suggest("instance diff cou", frozenset({"instance"}), names).items] == ["country/"]
    assert [one.text for one in suggest("raw post x --from cou", frozenset({"raw"}), names).items] == [
        "country/",
        "country.zip",
    ]
