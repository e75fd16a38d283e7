"""U16: never a row of a person for an agent without `--person-data`, whichever way it asks; numbers always."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.dhis2.persons import holds_persons
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.mcp.answers import Answers
from dhis2sh.verbs.registry import find, load_all

WOMAN, NAME = "Pkg5smLUz1Q", "Amarel"


async def asked(answers: Answers, effect: str, verb: str, **arguments: object) -> dict[str, Any]:
    call = {"name": effect, "arguments": {"profile": "sandbox", "verb": verb, "arguments": arguments}}
    return await answers.call_tool(call)


@pytest.mark.parametrize(("effect", "verb", "arguments"), [
    ("read", "data tracker list", {"program": "Pregnancy follow-up"}),
    ("read", "data tracker get", {"uid": WOMAN}),
    ("read", "data tracker export", {"program": "Pregnancy follow-up"}),
    ("read", "data tracker duplicates", {}),
    ("write", "data tracker update", {"uid": WOMAN, "set": ["Given name=X"]}),
    ("destroy", "data tracker delete", {"uids": [WOMAN]}),
    ("read", "raw get", {"path": f"tracker/trackedEntities/{WOMAN}"}),
    ("read", "raw get", {"path": f"/api/42/tracker/trackedEntities/{WOMAN}?fields=*"}),
    ("read", "raw get", {"path": f"system/../%74racker/trackedEntities/{WOMAN}"}),
    ("read", "raw get", {"path": "tracker;x=1/events", "param": ["program=PR_PREGNANCY"]}),
    ("read", "raw get", {"path": "analytics/events/query/x"}),
    ("read", "metadata sql-views execute", {"view": "x"}),
])  # fmt: skip
async def test_u16_no_row_of_a_person_without_being_allowed(
    country_home: Path, effect: str, verb: str, arguments: dict
):
    answer = await asked(Answers(), effect, verb, **arguments)
    assert answer["isError"] is True
    text = answer["content"][0]["text"]
    assert "--person-data" in text
    assert "data tracker count" in text
    assert NAME not in text


def test_u16_nor_by_the_journal_undo_or_the_last_refusal(country_home: Path):
    line = ["data", "tracker", "update", WOMAN, "--set", "Given name=Zuleika", "-p", "sandbox", "--yes"]
    assert cli.run(line) == 0
    answers = Answers()
    for effect, verb in (("read", "journal show"), ("destroy", "undo")):
        answer = asyncio.run(asked(answers, effect, verb))
        assert answer["isError"] is True
        assert "Zuleika" not in str(answer)
        assert NAME not in str(answer)
    listed = asyncio.run(asked(answers, "read", "journal list"))
    assert listed["isError"] is False
    assert NAME not in str(listed)


async def test_u16_numbers_are_for_everybody(country_home: Path):
    answers = Answers()
    for verb in ("data tracker count", "data tracker outstanding"):
        answer = await asked(answers, "read", verb, program="Pregnancy follow-up")
        assert answer["isError"] is False, answer
        assert NAME not in str(answer)


async def test_u16_whoever_starts_the_server_may_allow_it(country_home: Path):
    answer = await asked(Answers(persons=True), "read", "data tracker get", uid=WOMAN)
    assert answer["isError"] is False
    assert NAME in str(answer)


def test_u16_every_verb_of_tracker_says_whether_it_shows_persons():
    """What only counts, or shows nothing but what was given, is named here; a new verb has to be judged."""
    shows_nobody = {"count", "outstanding", "register", "enroll", "add-event", "transfer", "relationship"}
    load_all()
    from dhis2sh.verbs.declaration import REGISTRY

    verbs = {
        path.removeprefix("data tracker "): verb for path, verb in REGISTRY.items() if path.startswith("data tracker ")
    }
    assert len(verbs) >= 16
    assert {name for name, verb in verbs.items() if not verb.persons} == shows_nobody
    assert find("data tracker list").persons


@pytest.mark.parametrize("address", [
    "tracker/events", "/tracker", "tracker/trackedEntities.csv", "http://host/dhis/api/tracker/enrollments", "41/events",
    "trackedEntityInstances/query", "potentialDuplicates", "analytics/enrollments/query/x", "analytics/trackedEntities/query/x",
    "audits/trackedEntity", "sqlViews/x/data.csv", "metadata/../tracker/events", "%2574racker/events", "./tracker//events",
])  # fmt: skip
def test_addresses_of_persons(address: str):
    assert holds_persons(address)


@pytest.mark.parametrize("address", [
    "trackedEntityTypes", "trackedEntityAttributes", "relationshipTypes", "eventVisualizations", "eventFilters", "programs",
    "analytics", "analytics/events/aggregate/x", "sqlViews/x", "dataValueSets", "me",
])  # fmt: skip
def test_addresses_of_nobody(address: str):
    assert not holds_persons(address)
