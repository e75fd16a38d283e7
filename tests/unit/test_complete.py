"""What completion offers at the end of a command line, from the manifest and the facts alone."""

import pytest

from dhis2sh.verbs.completion import Candidate, candidates, complete


def offered(line: str) -> list[str]:
    return candidates(line.split(" "))


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("meta", ["metadata"]),
        ("metadata l", ["list", "legend-sets"]),
        ("-p sandbox metadata co", ["count", "constants"]),
        ("metadata list dataElementGr", ["dataElementGroupSets", "dataElementGroups"]),
        ("metadata list DATAELEMENTS", ["dataElements"]),
        ("metadata list dataElements --fi", ["--fields", "--filter"]),
        ("metadata list dataElements --fields id,na", ["id,name"]),
        ("metadata list dataElements --fields=na", ["--fields=name"]),
        ("metadata list dataElements --fields id,categoryCombo[na", ["id,categoryCombo[name"]),
        ("metadata list dataElements --fields categoryCombo[categories[dataDim", ["categoryCombo[categories[dataDimension", "categoryCombo[categories[dataDimensionType"]),
        ("metadata list dataElements --fields categoryCombo[name],cod", ["categoryCombo[name],code"]),
        ("metadata list dataElements --fields categoryCombo.na", ["categoryCombo.name"]),
        ("metadata list dataElements --fields :ow", [":owner"]),
        ("metadata list dataElements --fields legendSets::si", ["legendSets::size"]),
        ("metadata list dataElements --filter valueTy", ["valueType:", "valueTypeOptions:"]),
        ("metadata list dataElements --filter categoryCombo.na", ["categoryCombo.name:"]),
        ("metadata list dataElements --filter name:il", ["name:ilike:", "name:ilike$:"]),
        ("metadata list dataElements --filter code:nu", ["code:null"]),
        ("metadata list dataElements --filter valueType:eq:NU", ["valueType:eq:NUMBER"]),
        ("metadata list dataElements --filter valueType:in:[NUMBER,TEX", ["valueType:in:[NUMBER,TEXT"]),
        ("metadata list dataElements --filter zeroIsSignificant:eq:t", ["zeroIsSignificant:eq:true"]),
        ("metadata list dataElements --filter categoryCombo.dataDimensionType:eq:D", ["categoryCombo.dataDimensionType:eq:DISAGGREGATION"]),
        ("metadata list dataElements --order name:asc,co", ["name:asc,code:"]),
        ("metadata list dataElements --order name:d", ["name:desc"]),
        ("metadata list dataElements --root-junction O", ["OR"]),
        ("metadata export --types dataElements,indicatorT", ["dataElements,indicatorTypes"]),
        ("metadata list dataElements -o js", ["json"]),
        ("profile use sand", ["sandbox"]),
        ("metadata -p sandbox co", ["count", "constants"]),
        ("metadata -p sand", ["sandbox"]),
        ("metadata data-elements -p sandbox li", ["list"]),
        ("-p sandbox -o js", ["json"]),
        ("metadata count dataElements --dry", []),
        ("sandbox reset --dry", ["--dry-run"]),
    ],
)  # fmt: skip
def test_what_is_offered(line: str, first: list[str]) -> None:
    assert offered(line) == first


def test_an_option_is_offered_once_unless_it_may_be_repeated() -> None:
    after = offered("metadata list dataElements --fields id --filter name:null --")
    assert "--fields" not in after
    assert "--filter" in after


def test_each_candidate_says_what_it_is() -> None:
    assert complete(["metadata", "l"]).items[0].note.startswith("List objects of a type")
    assert complete(["metadata", "list", "dataElements", "--filter", "valueType"]).items[0].note == "enum, required"
    assert complete(["metadata", "list", "dataElements", "--fields", "categoryCo"]).items[0].note == "categoryCombos"


def test_uids_come_from_the_index_of_the_type_that_the_line_is_about() -> None:
    asked: list[tuple[str, str | None]] = []

    def names(text: str, plural: str | None) -> list[Candidate]:
        asked.append((text, plural))
        return [Candidate("s46m5MS0hxu", "BCG doses given")]

    assert complete(["metadata", "get", "dataElements", "bcg"], names).items == [
        Candidate("s46m5MS0hxu", "BCG doses given")
    ]
    assert asked == [("bcg", "dataElements")]
    assert complete(["metadata", "get", "dataElements", "bcg"]).items == [], "without an index there are none"


def test_nothing_is_offered_where_nothing_is_known() -> None:
    assert offered("metadata list noSuchType --filter na") == []
    assert offered("nosuch ") == []
    assert complete(["", "", ""]).items, "empty words count for nothing"
    assert offered("metadata search bc") == []


@pytest.mark.parametrize("line", ["-o js", "-p sandbox -o js", "metadata -o js", "metadata list dataElements -o js"])
def test_a_common_option_is_completed_wherever_it_stands(line: str) -> None:
    assert offered(line) == ["json"]
