import dataclasses
import json
from typing import get_args

import pytest

from dhis2sh.client.versions import BEHAVIOUR, Behaviour, Capability, parse_version
from dhis2sh.errors import NotDhis2, Refused
from tests.shared import needs_shared, shared


def test_versions_are_read_and_compared():
    assert parse_version("2.42.5.2").patch == (5, 2)
    assert parse_version("2.44-SNAPSHOT") > parse_version("2.43.1")
    assert parse_version("2.45").newer_than_known
    assert parse_version("2.45").models == "v44"
    assert str(parse_version("2.42.5.2")) == "2.42.5.2"


def test_what_we_cannot_serve():
    with pytest.raises(Refused, match=r"2\.39"):
        parse_version("2.39.1")
    with pytest.raises(NotDhis2):
        parse_version("")


def test_every_capability_is_in_the_table_and_explained():
    asked = set(get_args(Capability.__value__))
    assert asked == {item.name for item in dataclasses.fields(Behaviour) if item.type == "bool"}
    for item in dataclasses.fields(Behaviour):
        assert f"    {item.name}: " in str(Behaviour.__doc__)
        assert len({getattr(row, item.name) for row in BEHAVIOUR.values()}) > 1, f"{item.name} differs nowhere"


def test_behaviour_is_asked_by_name():
    old, new, newer = parse_version("2.40.12"), parse_version("2.42.5.2"), parse_version("2.51")
    assert not old.has("query_alias")
    assert new.has("query_alias")
    assert old.behaviour.acceptance_path == "/dataAcceptances"
    assert new.behaviour.acceptance_path == "/dataApprovals/dataAcceptances"
    assert newer.behaviour is BEHAVIOUR[44]


def recorded(version: str, name: str) -> list[dict]:
    return [json.loads(line) for line in shared("wire", version, f"{name}.jsonl").read_text().splitlines()]


@needs_shared
@pytest.mark.parametrize("minor", BEHAVIOUR)
def test_the_table_says_what_running_servers_answered(minor: int):
    """The rows that a recording can decide, decided by it."""
    version, row = f"v{minor}", BEHAVIOUR[minor]
    tracker = [step for step in recorded(version, "tracker-read") if step["response"]["status"] == 200]
    bodies = [step["response"]["body"] for step in tracker if step["path"] == "/api/tracker/events"]
    lists = [body for body in bodies if isinstance(body, dict)]
    assert lists
    for body in lists:
        assert ("pager" in body) == row.tracker_pager
        assert ("page" in body) == row.tracker_counts_at_root
        assert (row.tracker_rows or "events") in body
        assert bool(body.get("pager", {}).get("nextPage")) == row.tracker_next_page
    paging = {
        tuple(map(tuple, step["query"])): step["response"]["status"] for step in recorded(version, "query-paging")
    }
    assert (paging[("paging", "maybe"),] == 400) == row.refuses_bad_paging
    assert (paging[("order", "noSuch:asc"), ("pageSize", "1")] == 400) == row.refuses_unknown_order
    assert (paging[("pageSize", "0"),] == 200) == row.zero_page_size
    malformed = next(step for step in recorded(version, "auth-errors") if step["path"].endswith("/doesNotExi"))
    assert malformed["response"]["status"] == row.bad_uid_status
    made = next(
        step
        for step in recorded(version, "routes-pat-messages")
        if (step["method"], step["path"]) == ("POST", "/api/apiToken")
    )
    assert made["response"]["body"]["response"]["key"].startswith(row.pat_prefix)
    config = next(step for step in recorded(version, "system-info") if step["path"] == "/api/loginConfig")
    assert (config["response"]["status"] == 200) == row.login_api
    gist = recorded(version, "read-constants")
    empty = [step["response"]["body"] for step in gist if step["path"] == "/api/constants/gist"]
    assert any("nextPage" in body["pager"] for body in empty if not body["constants"]) == row.endless_gist
