"""What `make conformance` counts, and when it fails; the run itself is the make target's."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import conformance
from tests.sandbox.conformance import FIRST, FLOORS, LEVELS, REVIEWED, Difference, Floors, Score
from tests.shared import needs_shared, shared

FLOOR = dict.fromkeys(LEVELS, 90.0)


def agreeing(exchanges: int, of: int, *differing: str) -> Score:
    differences = [Difference(key, "GET /api/x", "value", {}, {}) for key in differing]
    return Score(of, dict.fromkeys(LEVELS, exchanges), differences=differences)


def test_the_first_round_is_one_group_and_each_later_prefix_another() -> None:
    names = [f"data-{number}" for number in range(conformance.FIRST_ROUND)] + ["data-new", "seen-maps", "data-more"]
    assert {name: len(group) for name, group in conformance.grouped(names).items()} == {
        "first": 66,
        "data": 2,
        "seen": 1,
    }


@pytest.mark.parametrize(("exchanges", "fails"), [(90, False), (91, False), (89, True)])
def test_a_group_fails_below_its_floor(exchanges: int, fails: bool) -> None:
    faults = Floors(frozenset(["data"]), {"data": FLOOR}).faults("data", agreeing(exchanges, 100), {})
    assert bool(faults) is fails
    assert not fails or faults[0] == "data: status is 89.0 %, and was 90.0 %"


def test_a_group_without_a_floor_fails() -> None:
    (fault,) = Floors(frozenset(), {}).faults("new", agreeing(1, 1), {})
    assert "no floor" in fault


def test_a_difference_wants_a_reason_where_the_group_is_not_open() -> None:
    floors = Floors(frozenset(["data"]), {"data": FLOOR, "first": FLOOR})
    found = agreeing(99, 100, "a#1", "a#2")
    assert floors.faults("data", found, {}) == []
    assert floors.faults("first", found, {"a#1": "made-up", "a#2": "made-up"}) == []
    assert floors.faults("first", found, None) == [], "nobody has reviewed that version"
    (fault,) = floors.faults("first", found, {"a#1": "made-up"})
    assert fault.endswith("known_differences.toml: a#2")


def test_floors_only_rise(tmp_path: Path) -> None:
    file = tmp_path / "floors.toml"
    file.write_text("# kept\nopen = []\n")
    conformance.raise_floors("2.42", {"data": agreeing(80, 100), "seen": agreeing(1, 3)}, file)
    conformance.raise_floors("2.42", {"data": agreeing(70, 100), "seen": agreeing(2, 3)}, file)
    floors = Floors.of("2.42", file).groups
    assert (floors["data"]["value"], floors["seen"]["value"]) == (80.0, 66.7)
    assert file.read_text().startswith("# kept")


def test_a_table_names_each_group_and_what_it_must_reach() -> None:
    scores = {"first": agreeing(97, 100, "a#1"), "seen": agreeing(1, 2)}
    head, first, seen, total, refusals = conformance.table(scores, Floors(frozenset(), {"first": FLOOR}), {})
    assert head.split() == ["exchanges", *LEVELS, "floor", "reasons", "missing"]
    assert first.split() == ["first", "100", *["97.0"] * 4, *["90.0"] * 4, "1"]
    assert seen.split() == ["seen", "2", *["50.0"] * 4, "0"]
    assert total.split()[:3] == ["all", "102", "96.1"]
    assert refusals == "refusals right: 0 of 0"


@needs_shared
def test_what_depends_on_the_moment_counts_as_agreeing(tmp_path: Path) -> None:
    def answers(folder: str, body: dict[str, Any]) -> Path:
        response = {"status": 200, "content_type": "application/json", "location": None, "body": body}
        exchange = {"step": 1, "method": "GET", "path": "/api/x", "query": [], "saved": {}, "response": response}
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "jobs.jsonl").write_text(json.dumps({**exchange, "request": {"body": None}}) + "\n")
        return tmp_path / folder

    real, ours = answers("real", {"begun": False}), answers("ours", {"begun": True})
    assert [one.level for one in conformance.score(["jobs"], real, ours, frozenset()).differences] == ["value"]
    assert conformance.score(["jobs"], real, ours, frozenset(["jobs#1"])).differences == []
    assert conformance.score(["absent"], real, ours, frozenset()).exchanges == 0


@needs_shared
def test_every_group_of_scenarios_has_a_floor_and_every_reason_an_exchange() -> None:
    groups = conformance.grouped(conformance.scenarios())
    floors = Floors.of(REVIEWED)
    assert floors.groups.keys() == groups.keys()
    assert floors.open <= groups.keys() - {FIRST}

    files = shared("wire", "v42").glob("*.jsonl")
    asked = {f"{file.stem}#{json.loads(line)['step']}" for file in files for line in file.read_text().splitlines()}
    reasons, by_chance = conformance.reviewed()
    assert reasons.keys() <= asked
    assert by_chance <= reasons.keys()


def test_the_floors_are_percentages_of_versions_and_groups() -> None:
    data = tomllib.loads(FLOORS.read_text())
    assert data.pop("open")
    rows = [row for groups in data.values() for row in groups.values()]
    assert all(row.keys() == {*LEVELS} for row in rows)
    assert all(0 <= figure <= 100 for row in rows for figure in row.values())


def test_the_page_says_what_the_floors_say() -> None:
    page = (FLOORS.parents[2] / "docs/conformance.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| \d+ \| (.+) % \|$", page, re.MULTILINE)
    told = {group: [float(figure) for figure in figures.split(" % | ")] for group, figures in rows}
    floors = tomllib.loads(FLOORS.read_text())["2.42"]
    assert told == {group: [found[level] for level in LEVELS] for group, found in floors.items() if group != FIRST}


def test_a_recording_that_breaks_off_is_not_taken_for_the_one_before(tmp_path: Path):
    for name in ("seen-maps", "data-csv-in"):
        (tmp_path / f"{name}.jsonl").write_text("{}")
    conformance.clear({"seen": ["seen-maps"]}, tmp_path)
    assert [file.name for file in tmp_path.glob("*.jsonl")] == ["data-csv-in.jsonl"]
