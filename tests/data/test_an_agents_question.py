"""An agent is asked: how many BCG doses in Bo in 2025, and who did not report? Two calls, and no more than it can read."""

import gzip
import json
from pathlib import Path

from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load_file
from dhis2sh.surfaces.mcp.answers import Answers
from tests.shared import needs_shared, shared

BCG, BO = "s46m5MS0hxu", "O6uvpzGd5pu"


@needs_shared
async def test_doses_and_who_did_not_report_are_two_calls_and_under_3000_tokens(real_home: Path) -> None:
    recorded = shared("real", "v42", "dataValues.json.gz")
    store = open_store(real_home / "data" / "sandbox.db")
    load_file(store, recorded)
    below = {uid for uid, unit in store.objects("organisationUnits").items() if f"/{BO}" in str(unit["path"])}
    store.close()

    answers, on = Answers(), {"profile": "sandbox"}
    doses = {"dimensions": ["dx=BCG doses given", "pe=2025", "ou=Bo"], **on}
    silent = {"data_set": "BCG doses given", "period": ["2025"], "org_unit": ["Bo"], "missing": True, **on}
    told = [
        await answers.call_tool({"name": "analytics_query", "arguments": doses}),
        await answers.call_tool({"name": "data_completeness", "arguments": silent}),
    ]

    assert [one["isError"] for one in told] == [False, False]
    assert sum(len(one["content"][0]["text"].encode()) / 4 for one in told) < 3_000
    given, missing = (one["structuredContent"] for one in told)
    values = json.loads(gzip.decompress(recorded.read_bytes()))["dataValues"]
    mine = (v for v in values if v["dataElement"] == BCG and v["period"][:4] == "2025" and v["orgUnit"] in below)
    assert given["result"][0]["value"] == sum(float(value["value"]) for value in mine)
    assert len(missing["result"]) == 126
    assert {row["orgUnit"] for row in missing["result"]} <= below
    assert {(row["missing"], row["periods"]) for row in missing["result"]} == {(12, "all")}
    assert missing["warnings"] == [
        "'BCG doses given' is one of the dataElements of 'Child Health'",
        "2025 stands for 12 Monthly periods, 202501 to 202512",
        "counted are registrations of the whole set; --by values counts 'BCG doses given' itself",
        "nobody has registered 'Child Health' as complete: --by values counts who has sent values",
    ]


async def test_what_a_person_is_told_beside_an_answer_an_agent_is_told_too(nation_home: Path) -> None:
    """A list that is empty because of units below, and a year that stands for months, are no plain nothing."""
    arguments = {"data_set": ["Monthly"], "period": ["2025"], "org_unit": ["North"]}
    given = {"verb": "data aggregate get", "arguments": arguments, "profile": "sandbox"}
    answer = (await Answers().call_tool({"name": "read", "arguments": given}))["structuredContent"]
    assert answer["result"] == []
    assert answer["warnings"] == [
        "2025 stands for 12 Monthly periods, 202501 to 202512",
        "no values of these units themselves; 2 units right below: --children asks for all",
    ]
