"""What an answer may weigh, and what an agent is told that makes it smaller: by the verb's own parameters."""

import json

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.surfaces.mcp import results
from dhis2sh.verbs.registry import find, load_all


@pytest.mark.parametrize(
    ("path", "less"),
    [
        ("analytics map", "period: a shorter one; org_unit: fewer or smaller ones; out: a file in the export folder"),
        ("analytics query", "dimensions: fewer items; filter: one that leaves less"),
        ("metadata get", "fields: fewer"),
        ("data tracker get", "a person has all of it at a prompt"),
    ],
)
def test_too_much_is_told_by_the_parameters_that_the_verb_has(path: str, less: str) -> None:
    with pytest.raises(UsageError, match="too much for one answer") as refused:
        results.of_verb({"text": "x" * results.ROOM}, 0, results.narrower(find(path)))
    assert refused.value.hint == less


def test_no_verb_is_told_of_a_parameter_that_it_has_not() -> None:
    for verb in load_all().values():
        names = {param.name for param in verb.params}
        ways = [way.partition(":") for way in results.narrower(verb).split("; ")]
        assert all(name in names for name, colon, _ in ways if colon), verb.path


def test_rows_come_in_pages_that_are_cheap_to_read_and_lose_none() -> None:
    rows = [{"n": number, "text": "y" * 200} for number in range(150)]
    seen: list[object] = []
    while len(seen) < len(rows):
        answer = results.of_verb(Rows(rows), len(seen))
        page = answer["result"]
        assert isinstance(page, list) and page and len(json.dumps(page)) / 4 < 3_500
        assert (answer["truncated"], answer["total"]) == (len(seen) + len(page) < len(rows), 150)
        seen += page
    assert seen == rows


def test_one_row_that_is_larger_than_a_page_comes_alone() -> None:
    answer = results.of_verb(Rows([{"text": "z" * (results.PAGE_ROOM + 1)}, {"text": ""}]))
    assert isinstance(answer["result"], list) and len(answer["result"]) == 1
    assert answer["truncated"] is True
