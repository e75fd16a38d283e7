"""Thirty things that people want, in the words in which they want them, and the verbs that do it."""

import json

import pytest

from dhis2sh.surfaces import mcp
from dhis2sh.verbs import manifest
from dhis2sh.verbs.search import exactly, find_verbs, words_of

VALIDATE = {
    f"metadata {name} validate-expression"
    for name in ("indicators", "predictors", "program-indicators", "program-rules", "validation-rules")
}
QUESTIONS = {
    "Which facilities are in Bo district?": {"metadata organisation-units list", "metadata organisation-units tree"},
    "Where is this data element used?": {"metadata usage", "what"},
    "Is anything broken in the configuration of this server?": {"metadata category-combos doctor", "metadata program-rules lint"},
    "Copy what is new on the test server to the other one.": {"metadata merge"},
    "How many indicators do we have?": {"metadata count"},
    'Take "Old " off the names of many data elements at once.': {"metadata rename", "metadata data-elements rename"},
    "I need a new indicator.": {"metadata indicators create", "metadata create"},
    "Get rid of a dashboard nobody wants.": {"metadata dashboards delete", "metadata delete"},
    "I made a mistake, take back my last change.": {"undo"},
    "What have I changed today?": {"journal list", "journal show"},
    "Which accounts can import metadata?": {"user whocan"},
    "Who has permission to approve data?": {"user whocan"},
    "Who may delete data values?": {"user whocan"},
    "How many facilities are in Bo district?": {"metadata organisation-units list", "metadata count", "metadata organisation-units tree"},
    "Who am I logged in as, and what am I allowed to do?": {"system whoami"},
    "Which version of DHIS2 is running there?": {"system info"},
    "Let the malaria team see and edit this chart.": {"metadata share"},
    "A clinic now belongs to another district.": {"metadata organisation-units move"},
    "French names for the data elements.": {"metadata translate export", "metadata translate import"},
    "What differs between two servers?": {"metadata diff-profiles"},
    "Save all the metadata to a file as a backup.": {"metadata export"},
    "Load a WHO package from a JSON file.": {"metadata import", "metadata merge-bundle", "metadata package install"},
    "What fields does a program have?": {"metadata describe"},
    "Explain this indicator's formula in plain words.": {"metadata indicators describe-expression"},
    "Is this expression correct?": VALIDATE,
    "Put five data elements into a group.": {"metadata data-element-groups add", "metadata add"},
    "Coordinates of health posts from a GeoJSON.": {"metadata organisation-units set-geometry"},
    "Which user groups does this person belong to?": {"metadata users get", "metadata users members", "metadata user-groups list"},
    "Change the value type of one data element.": {"metadata data-elements update", "metadata update"},
    "Make a copy of a data set under another name.": {"metadata data-sets clone", "metadata clone"},
    "Show the org unit hierarchy as a tree.": {"metadata organisation-units tree"},
    "What is the object with the UID fbfJHSPpUQD?": {"what"},
    "Set the attribute of many org units from a spreadsheet.": {"metadata attribute set", "metadata organisation-units update"},
    "Why did the server refuse my import?": {"explain"},
}  # fmt: skip
"""Written down before anybody looked at what the verbs are called."""

OF_DATA = {
    "How many BCG doses were given in Bo in 2025?": {"analytics query"},
    "Who did not report last month?": {"data completeness"},
    "Malaria cases by district and month as a table.": {"analytics query", "pull"},
    "Download a year of data for every facility into a Parquet file.": {"pull", "analytics pull", "data aggregate pull"},
    "Upload the values from this spreadsheet.": {"data aggregate push"},
    "Enter a single value for a clinic in June.": {"data aggregate set"},
    "Which values look suspicious?": {"data outliers", "data validate"},
    "Do the numbers break any validation rule?": {"data validate"},
    "Who changed this number, and when?": {"data history"},
    "Put the old value back.": {"data revert"},
    "Mark a report as complete.": {"data complete"},
    "Open a report again that was completed by mistake.": {"data reopen"},
    "Compare the data on two servers.": {"data aggregate diff"},
    "Copy last year's values from the test server to production.": {"data aggregate copy"},
    "Draw this chart with the newest numbers.": {"analytics viz"},
    "List the patients of the malaria program.": {"data tracker list"},
    "Register a new patient.": {"data tracker register"},
    "Show everything about one patient: enrollments and events.": {"data tracker get"},
    "Which visits are overdue?": {"data tracker outstanding"},
    "Import events from a file.": {"data tracker push"},
    "Why is the BCG stock negative in May 2025?": {"analytics explain"},
    "How was the coverage of Bo calculated?": {"analytics explain"},
}  # fmt: skip
"""The same about data: aggregate, analytics, tracker, completeness."""


def tokens(answer: object) -> float:
    return len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()) / 4


def test_what_people_want_of_data_is_among_the_first_three() -> None:
    tools = mcp.Tools()
    first = {question: [row["verb"] for row in tools.search(question)["result"][:3]] for question in OF_DATA}
    missed = {question: found for question, found in first.items() if not set(found) & OF_DATA[question]}
    assert len(OF_DATA) == 22
    assert not missed, missed


def test_u16_what_people_want_is_among_the_first_three() -> None:
    tools = mcp.Tools()
    first = {question: [row["verb"] for row in tools.search(question)["result"][:3]] for question in QUESTIONS}
    missed = {question: found for question, found in first.items() if not set(found) & QUESTIONS[question]}
    assert len(QUESTIONS) == 34
    assert len(missed) <= 2, missed  # at least 26 are wanted; what is found now stays found


@pytest.mark.parametrize(
    "words", [*QUESTIONS, *OF_DATA, "create", "visualization update", "list", "delete everything everywhere"]
)
def test_u16_no_search_costs_more_than_600_tokens(words: str) -> None:
    assert tokens(mcp.Tools().search(words)) <= 600


def test_u16_the_schema_of_a_verb_is_given_by_itself_and_stays_readable() -> None:
    tools = mcp.Tools()
    sizes = [tokens(tools.search(str(verb["path"]))) for verb in manifest.all_verbs() if not verb["left_out"]]
    assert max(sizes) < 2_000
    assert sum(size > 600 for size in sizes) < len(sizes) / 10


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        ("usage", "metadata usage"), ("doctor", "metadata category-combos doctor"), ("merge org units", "metadata organisation-units merge"),
        ("facilities in Bo district", "metadata organisation-units list"), ("what would break if I delete it", "metadata usage"),
        ("rename indicators", "metadata indicators rename"), ("describe a type", "metadata describe"), ("who am i", "system whoami"),
        ("renaming dataElements", "metadata data-elements rename"),
    ],
)  # fmt: skip
def test_u16_the_nearest_verb_comes_first(words: str, verb: str) -> None:
    assert find_verbs(words)[0].verb["path"] == verb


def test_what_means_nothing_finds_nothing() -> None:
    for words in ("zzz", "", "the of and", "ẞ!"):
        assert find_verbs(words) == []
        assert mcp.Tools().search(words) == {"result": []}


def test_only_what_a_surface_offers_is_found() -> None:
    assert "profile remove" in [str(found.verb["path"]) for found in find_verbs("remove a profile", surface="cli")]
    assert "profile remove" not in [str(found.verb["path"]) for found in find_verbs("remove a profile", surface="mcp")]
    assert {str(found.verb["effect"]) for found in find_verbs("delete a user", effects=("read",))} <= {"read"}
    assert exactly("metadata data-elements create") == exactly("metadata_data_elements_create")
    assert exactly("create data element") is None


def test_words_lose_their_endings() -> None:
    assert words_of("dataElements") == words_of("data-element") == words_of("Data elements")
    assert words_of("categories renamed sharing") == words_of("category rename share")
