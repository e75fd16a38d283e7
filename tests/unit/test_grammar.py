"""How a line's words are understood."""

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.verbs.grammar import HelpText, Invocation, parse


@pytest.mark.parametrize(
    "line",
    [
        "-p sandbox -o json metadata list dataElements",
        "metadata -p sandbox list -o json dataElements",
        "metadata -o json --profile=sandbox list dataElements",
        "metadata list -p sandbox dataElements -o json",
        "metadata list dataElements -p sandbox -o json",
    ],
)
def test_u17_options_may_stand_between_the_words_of_a_verb(line: str) -> None:
    found = parse(line.split())
    assert isinstance(found, Invocation)
    assert (found.verb.path, found.arguments["type"]) == ("metadata list", "dataElements")
    assert (found.options.profile, found.options.format) == ("sandbox", "json")


def test_behind_two_dashes_everything_is_a_name_and_help_is_of_the_words_so_far() -> None:
    found = parse(["metadata", "-p", "sandbox", "delete", "dataElements", "--", "-p"])
    assert isinstance(found, Invocation)
    assert found.options.profile == "sandbox"
    assert "-p" in str(found.arguments["objects"])
    shown = parse(["metadata", "-p", "sandbox", "list", "--help"])
    assert isinstance(shown, HelpText)
    assert "Usage: dhis2 metadata list" in shown.text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("audit who", "Missing argument 'USER': the account: username or UID"),
        (
            "audit who admin",
            "Missing option '--since': not older than this: 2026-11-01, 2026-11-01T08:00, today, yesterday, 7d",
        ),
        ("metadata data-elements get", "Missing argument 'UID': UID, code or unique name"),
    ],
)
def test_a_missing_argument_says_what_to_give(line: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(line.split())
    assert refused.value.message == said
