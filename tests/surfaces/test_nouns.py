"""Nouns that are types of metadata too: what the domain has no verb for is the type's, under one name on every surface."""

import shlex

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import to_json
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import magics
from dhis2sh.verbs import manifest, nouns
from dhis2sh.verbs.completion import candidates
from dhis2sh.verbs.grammar import HelpText, Invocation, parse
from dhis2sh.verbs.registry import find

LINES = [
    ("user update admin --email a@b.example", "metadata users update"),
    ("user list", "user list"),
    ("user create anna --first-name A --surname B", "user create"),
    ("user-group list --all", "metadata user-groups list"),
    ("user-group members add Administrators admin", "user-group members add"),
    ("user-role create --name Clerk", "metadata user-roles create"),
    ("route list", "metadata routes list"),
    ("-p sandbox route get Rain", "metadata routes get"),
    ("route create Rain --url https://x.example.org", "route create"),
    ("sql refresh Totals", "metadata sql-views refresh"),
    ("sql run Totals", "sql run"),
    ("exchange delete Up", "metadata aggregate-data-exchanges delete"),
]


@pytest.mark.parametrize(("line", "path"), LINES, ids=[line for line, _ in LINES])
def test_a_line_is_the_verb_of_the_domain_or_of_its_type(line: str, path: str):
    found = parse(shlex.split(line))
    assert isinstance(found, Invocation)
    assert found.verb.path == path
    tool = path.split()[-1] if path.startswith("metadata") else path.partition(" ")[2]
    assert find(f"{line.removeprefix('-p sandbox ').split()[0]} {tool}").path == path


def test_a_word_that_neither_has_is_said_with_what_is_near():
    with pytest.raises(UsageError, match="user has no verb 'updat'") as refused:
        parse(["user", "updat", "admin"])
    assert refused.value.hint


def test_help_and_completion_know_both(capsys: pytest.CaptureFixture[str]):
    assert cli.run(["route", "update", "--help"]) == 0
    assert "Usage: dhis2 metadata routes update" in capsys.readouterr().out
    assert cli.run(["route", "--help"]) == 0
    assert "Those of `metadata routes` too" in capsys.readouterr().out
    assert {"run", "send", "update", "delete"} <= {*candidates(["route", ""])}
    assert candidates(["user", "l"])[:1] == ["list"] and candidates(["user", "l"]).count("list") == 1
    assert "--url" in candidates(["route", "update", "--u"])


def test_python_and_magics_know_both(notebook: magics.Runner, sandbox_home: object):
    shell = notebook.shell
    assert to_json(shell.run_line_magic("dhis2", "user-group list")) == to_json(
        shell.run_line_magic("dhis2", "metadata user-groups list")
    )
    assert shell.user_ns["user_group"].list.__name__ == "metadata_user_groups_list"
    assert shell.user_ns["user"].list.__name__ == "user_list"
    with pytest.raises(AttributeError):
        _ = shell.user_ns["user"].fly


def test_every_noun_is_a_domain_and_a_type():
    for name, noun in nouns.NOUNS.items():
        assert name in manifest.index()["domains"]
        assert noun in manifest.sections("metadata")
    assert isinstance(parse(["user"]), HelpText)
