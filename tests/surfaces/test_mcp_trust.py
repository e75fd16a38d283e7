"""What an agent can rely on: totals that are true, arguments that mean what they say, files that stay as they are."""

from pathlib import Path
from typing import Any

from dhis2sh.surfaces.mcp.answers import Answers


async def called(answers: Answers, name: str, **arguments: object) -> dict[str, Any]:
    """The result of a tool call, which must succeed."""
    answer = await answers.call_tool({"name": name, "arguments": {"profile": "sandbox", **arguments}})
    assert answer["isError"] is False, answer["content"]
    return answer["structuredContent"]


async def refused(answers: Answers, name: str, **arguments: object) -> str:
    """What a tool call was refused with."""
    answer = await answers.call_tool({"name": name, "arguments": {"profile": "sandbox", **arguments}})
    assert answer["isError"] is True, answer
    return answer["content"][0]["text"]


async def test_t13_a_limit_does_not_change_the_total(sandbox_home: Path) -> None:
    answers = Answers()
    filters = ["ancestors.name:eq:Country", "level:ge:2"]
    for how in ({"limit": 2}, {"limit": 2, "page_size": 1}, {"page_size": 2}):
        found = await called(answers, "metadata_list", type="organisationUnits", filter=filters, **how)
        assert (len(found["result"]), found["truncated"], found["total"]) == (2, True, 3), how
    found = await called(answers, "metadata_list", type="organisationUnits", filter=filters, limit=3)
    assert (len(found["result"]), found["truncated"], found["total"]) == (3, False, 3)


async def test_t13_a_search_says_how_many_there_are(sandbox_home: Path) -> None:
    found = await called(Answers(), "metadata_search", query="doses", limit=1)
    assert (len(found["result"]), found["truncated"], found["total"]) == (1, True, 2)


async def test_t13_fields_may_be_a_list_and_what_is_no_text_is_refused(sandbox_home: Path) -> None:
    answers = Answers()
    found = await called(answers, "metadata_list", type="dataElements", fields=["id", "name"], limit=1)
    assert found["result"] == [{"id": "deNumber001", "name": "BCG doses given"}]

    told = await refused(answers, "metadata_list", type="dataElements", filter=[{"name": "BCG"}])
    assert told.startswith("filter takes texts, not an object")
    assert "takes a text, not a list" in await refused(answers, "metadata_list", type=["dataElements"])
    assert "takes texts, not nothing" in await refused(answers, "metadata_list", type="dataElements", order=[None])
