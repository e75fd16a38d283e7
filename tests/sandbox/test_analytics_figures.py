"""Figures of the real export, as analytics gives them and as plain loops over the file come to them."""

from __future__ import annotations

import gzip
import json
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.dhis2.periods import Period
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load_file
from tests.shared import needs_shared, shared

pytestmark = needs_shared

PERIODS = ("202501", "202503", "202512", "2025Q1", "2025Q4", "202502B", "2025S1", "2025", "2024Oct", "2025April")
type Value = dict[str, Any]
type Drawn = tuple[list[str], list[str]]


def read(name: str) -> Any:
    with gzip.open(shared("real", "v42", f"{name}.json.gz"), "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.fixture(scope="module")
def values() -> list[Value]:
    return read("dataValues")["dataValues"]


@pytest.fixture(scope="module")
def paths() -> dict[str, list[str]]:
    """By org unit the units from the root to it."""
    return {unit["id"]: unit["path"].strip("/").split("/") for unit in read("metadata")["organisationUnits"]}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    store = open_store(tmp_path_factory.mktemp("figures") / "sandbox.db")
    for name in ("metadata", "dataValues", "trackedEntities", "events"):
        load_file(store, shared("real", "v42", f"{name}.json.gz"))
    with TestClient(create_app(store)) as caller:
        caller.auth = ("admin", "district")
        yield caller
    store.close()


def ask(real: TestClient, path: str, **query: str | list[str]) -> dict[str, Any]:
    began = time.process_time()
    answer = real.get(path, params={"skipMeta": "true", **query})
    assert answer.status_code == 200, answer.text
    assert time.process_time() - began < 3  # of work, whatever else runs on the machine
    return answer.json()


@cache
def within(period: str, asked: str) -> bool:
    inner, outer = Period.parse(period), Period.parse(asked)
    return outer.start <= inner.start and inner.end <= outer.end


@pytest.fixture(scope="module")
def cells(values: list[Value], paths: dict[str, list[str]], drawn: Drawn) -> dict[tuple[str, str, str], list[Value]]:
    """The values of every element, period and org unit that is asked for."""
    found: dict[tuple[str, str, str], list[Value]] = defaultdict(list)
    elements, units = map(set, drawn)
    for value in values:
        if value["dataElement"] in elements:
            for unit in units.intersection(paths[value["orgUnit"]]):
                for period in PERIODS:
                    if within(value["period"], period):
                        found[value["dataElement"], period, unit].append(value)
    return found


RULES: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "COUNT": lambda numbers: float(len(numbers)),
    "AVERAGE": statistics.fmean,
    "MIN": min,
    "MAX": max,
    "STDDEV": lambda numbers: statistics.stdev(numbers) if len(numbers) > 1 else 0.0,
}


@pytest.fixture(scope="module")
def drawn(values: list[Value], paths: dict[str, list[str]]) -> Drawn:
    """Some elements, and org units of every level."""
    chance = random.Random(20251129)
    elements = chance.sample(sorted({value["dataElement"] for value in values}), 12)
    units = [unit for level in (1, 2, 3, 4) for unit in chance.sample([u for u in paths if len(paths[u]) == level], min(
        6, sum(len(path) == level for path in paths.values())))]  # fmt: skip
    return elements, units


@pytest.mark.parametrize("kind", RULES)
def test_every_total_is_that_of_a_plain_loop(
    real: TestClient, cells: dict[tuple[str, str, str], list[Value]], drawn: Drawn, kind: str
) -> None:
    elements, units = drawn
    dimensions = [f"dx:{';'.join(elements)}", f"pe:{';'.join(PERIODS)}", f"ou:{';'.join(units)}"]
    answer = ask(real, "/api/analytics", dimension=dimensions, aggregationType=kind)
    found = {tuple(row[:3]): float(row[3]) for row in answer["rows"]}
    assert len(cells) > 500 and found.keys() == cells.keys()
    for key, members in cells.items():  # a rounding may fall either way in the last place
        assert abs(found[key] - RULES[kind]([float(value["value"]) for value in members])) <= 0.0101, key


def test_the_newest_value_of_each_place_counts_for_last(
    real: TestClient, cells: dict[tuple[str, str, str], list[Value]], drawn: Drawn
) -> None:
    elements, units = drawn
    dimensions = [f"dx:{';'.join(elements)}", "pe:2025", f"ou:{';'.join(units)}"]
    answer = ask(real, "/api/analytics", dimension=dimensions, aggregationType="LAST")
    found = {(row[0], row[2]): float(row[3]) for row in answer["rows"]}
    for (element, period, unit), members in cells.items():
        if period == "2025":
            newest = {
                (value["orgUnit"], value["categoryOptionCombo"], value["attributeOptionCombo"]): float(value["value"])
                for value in sorted(members, key=lambda one: str(one["period"]))
            }
            assert found[element, unit] == sum(newest.values())


def test_the_parts_of_an_element_come_to_the_whole(real: TestClient, values: list[Value]) -> None:
    element = "s46m5MS0hxu"
    parts = ask(real, "/api/analytics", dimension=[f"dx:{element}", "co", "pe:2025"], filter="ou:ImspTQPwCqd")["rows"]
    by_combo: dict[str, float] = defaultdict(float)
    for value in values:
        if value["dataElement"] == element:
            by_combo[value["categoryOptionCombo"]] += float(value["value"])
    assert {row[1]: float(row[3]) for row in parts} == by_combo
    whole = ask(real, "/api/analytics", dimension=[f"dx:{element};{element}.*", "pe:2025"], filter="ou:ImspTQPwCqd")
    assert {float(row[-1]) for row in whole["rows"]} == {sum(by_combo.values())}


def test_events_are_counted_as_a_plain_loop_counts_them(real: TestClient, paths: dict[str, list[str]]) -> None:
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for entity in read("trackedEntities")["trackedEntities"]:
        for enrollment in entity["enrollments"]:
            for event in enrollment["events"]:
                when = event.get("occurredAt")
                if when and event["programStage"] == "A03MvHHogjR" and when[:4] == "2025":
                    counted[paths[event["orgUnit"]][1], when[:7].replace("-", "")] += 1
    months = ";".join(f"2025{month:02}" for month in range(1, 13))
    answer = ask(
        real, "/api/analytics/events/aggregate/IpHINAT79UW", stage="A03MvHHogjR",
        dimension=["ou:LEVEL-2", f"pe:{months}"],
    )  # fmt: skip
    places = [header["name"] for header in answer["headers"]]
    found = {(row[places.index("ou")], row[places.index("pe")]): int(row[-1]) for row in answer["rows"]}
    assert len(found) > 100 and found == counted
