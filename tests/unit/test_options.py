"""One row of the table of options is an option everywhere."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.surfaces import mcp
from dhis2sh.surfaces.mcp import tools as mcp_tools
from dhis2sh.verbs import build_manifest, completion, grammar, options, piping
from dhis2sh.verbs.options import EVERY, Option, Options
from dhis2sh.verbs.registry import find, load_domain, verbs_of

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

LINE = ["metadata", "count", "dataElements"]


def purpose_of(said: Options) -> object:
    return getattr(said, "purpose", None)


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> Iterator[Option[str | None]]:
    """A new row: nothing else anywhere knows of `--purpose`."""
    made: Option[str | None] = Option(
        "-u", "--purpose", metavar="TEXT", help="Say what it is for, in words.", complete="profiles", keyword=True,
        agents=EVERY,
    )  # fmt: skip
    made.__set_name__(Options, "purpose")
    monkeypatch.setattr(Options, "purpose", made, raising=False)
    grammar.command_of.cache_clear()
    yield made
    grammar.command_of.cache_clear()


def parsed(*words: str) -> grammar.Invocation:
    found = grammar.parse(words)
    assert isinstance(found, grammar.Invocation)
    return found


@pytest.mark.parametrize("flag", ["-u", "--purpose"])
def test_a_row_is_in_the_grammar(row: Option[str | None], flag: str) -> None:
    assert purpose_of(parsed(*LINE, flag, "audit").options) == "audit"
    assert purpose_of(parsed(flag, "audit", *LINE).options) == "audit", "before the domain too"
    assert purpose_of(parsed(*LINE).options) is None


def test_a_row_is_in_help_and_in_the_catalogue(row: Option[str | None]) -> None:
    says = "-u, --purpose TEXT Say what it is for, in words."
    assert says in " ".join(grammar.help_of(["metadata", "count"]).split())
    load_domain("system")
    kept = build_manifest.file_of("system", verbs_of("system"), grammar.help_of)["help"]
    assert isinstance(kept, dict)
    assert says in " ".join(str(kept["info"]).split())


def test_a_row_is_completed_and_so_is_its_value(row: Option[str | None]) -> None:
    assert completion.complete([*LINE, "--pur"]).items == [completion.Candidate("--purpose", "say what it is for")]
    assert completion.candidates([*LINE, "--purpose", "sandb"]) == ["sandbox"]
    assert completion.candidates([*LINE, "--purpose=sandb"]) == ["--purpose=sandbox"]
    assert completion.candidates(["-u", "sandb"]) == ["sandbox"]
    assert completion.candidates(["-u", "x", "metadata", "coun"]) == ["count"]


def test_a_row_is_a_keyword_of_stages_and_of_python_calls(row: Option[str | None]) -> None:
    _, arguments, common = piping.piped("metadata.delete", Rows([{"id": "a"}]), ("users",), {"purpose": "audit"})
    assert purpose_of(common) == "audit"
    assert "purpose" not in arguments
    common, own = options.keywords({"type": "users", "purpose": "audit"})
    assert (purpose_of(common), own) == ("audit", {"type": "users"})


def test_a_row_is_an_argument_of_every_tool(row: Option[str | None]) -> None:
    for entry in mcp.listing():
        properties = cast("JsonObject", cast("JsonObject", entry["input"])["properties"])
        assert entry["name"] == "search" or properties["purpose"] == row.schema()


async def test_what_a_tool_is_told_beside_arguments_or_inside_is_no_argument_of_the_verb(
    row: Option[str | None], sandbox_home: object
) -> None:
    tools = mcp.Tools()
    entries = {str(entry["name"]): entry for entry in mcp.listing()}
    inside = {"type": "dataElements", "purpose": "audit", "profile": "sandbox"}
    beside = {"verb": "metadata count", "arguments": {"type": "dataElements"}, "purpose": "audit", "profile": "sandbox"}
    counted = await mcp_tools.call(tools, entries["metadata_count"], inside)
    assert counted == await mcp_tools.call(tools, entries["read"], beside)
    assert counted == await mcp_tools.call(tools, entries["read"], {"verb": "metadata count", "arguments": inside})


def test_the_table_is_sound() -> None:
    flags = [flag for option in options.table() for flag in option.flags]
    assert len(flags) == len(set(flags))
    for option in options.table():
        assert option.help.endswith(".")
        assert option.flags == () or option.flag in option.flags
        assert option.flags or option.agents, f"{option.name} is offered nowhere"
    assert [option.name for option in options.on_lines("read")] == [
        "profile",
        "format",
        "json",
        "jq",
        "out",
        "safe",
        "debug",
    ]
    assert list(options.for_agents("read")) == ["profile", "skip"]
    assert list(options.for_agents("destroy")) == ["profile", "dry_run", "confirm", "plan_id", "skip"]


def test_a_flag_says_the_opposite_of_its_default() -> None:
    agreed = parsed("metadata", "delete", "users", "x", "--no-journal", "-y").options.consent()
    assert (agreed.journal, agreed.yes, agreed.dry_run, agreed.confirm) == (False, True, False, None)
    assert parsed("metadata", "delete", "users", "x").options.consent().journal
    assert not options.keywords({"journal": False})[0].consent().journal


def test_an_option_of_the_verbs_own_shadows_the_common_one() -> None:
    line = parsed("metadata", "export", "--out", "all.json")
    assert line.options.out is None
    assert "out" in line.arguments
    assert Options.out not in grammar.common_options(find("metadata export"))


@pytest.mark.parametrize(
    "words",
    [("metadata", "merge", "staging", "--deps"), ("metadata", "merge", "staging", "--yess"), ("undo", "--forse")],
)
def test_no_switch_that_writes_unasked_is_proposed_for_another_word(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="has no option") as refused:
        parsed(*words)
    assert "--yes" not in str(refused.value.hint)
    assert "--force" not in str(refused.value.hint)
