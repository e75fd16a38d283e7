"""Violations that a server keeps, sessions, second factors, and integrity checks that somebody else has started."""

import asyncio
from typing import Any

import pytest

from dhis2sh.checks import integrity
from dhis2sh.data import kept_violations
from dhis2sh.errors import Refused, TimedOut, UsageError
from dhis2sh.instance import people
from dhis2sh.session import Session
from tests.metadata.calls import call, do, planned

RULE: Any = {
    "id": "vrStock0001", "name": "Little stock", "importance": "HIGH", "operator": "less_than", "periodType": "Monthly",
    "organisationUnitLevels": [],
    "leftSide": {"expression": "#{deStock0001}", "description": "Stock", "missingValueStrategy": "NEVER_SKIP"},
    "rightSide": {"expression": "10", "description": "Ten", "missingValueStrategy": "NEVER_SKIP"},
}  # fmt: skip
GROUP: Any = {"id": "vrgEmpty001", "name": "None of it", "validationRules": []}


@pytest.fixture
async def ruled(s: Session) -> Session:
    """The nation with a rule that two of its values break."""
    await s.client.post("metadata", {"validationRules": [RULE], "validationRuleGroups": [GROUP]})
    return s


async def test_a_run_says_what_it_would_find_and_keeps_nothing_before(ruled: Session):
    plan = await planned(ruled, "validation run", period=["2025Q1"])
    assert plan.notes[0] == "it would find 2 violations now: 'Little stock' 2"
    assert len(await (await call(ruled, "validation results")).collect()) == 0
    done = await do(ruled, "validation run", period=["2025Q1"])
    assert done.created == 2
    rows = (await (await call(ruled, "validation results")).collect()).plain()
    assert [(row["ruleName"], row["period"], row["orgUnitName"], row["left"], row["operator"]) for row in rows] == [
        ("Little stock", "202501", "Clinic A", 100, "<"), ("Little stock", "202503", "Clinic A", 70, "<"),
    ]  # fmt: skip
    await do(ruled, "validation run", period=["2025Q1"])
    assert len(await (await call(ruled, "validation results")).collect()) == 2, "what is kept is kept once"
    with pytest.raises(Refused, match="cannot be told from what was kept before"):
        await do(ruled, "undo")


async def test_a_run_of_a_group_keeps_what_breaks_its_own_rules_alone(ruled: Session):
    """Recorded (validation-runs 8): a key that is not called `vrg` is passed over, and all rules are run."""
    other = RULE | {"id": "vrStock0002", "name": "Less stock", "rightSide": RULE["rightSide"] | {"expression": "20"}}
    group = {"id": "vrgSome0001", "name": "Some of it", "validationRules": [{"id": "vrStock0002"}]}
    await ruled.client.post("metadata", {"validationRules": [other], "validationRuleGroups": [group]})
    done = await do(ruled, "validation run", period=["2025Q1"], group=["Some of it"])
    assert done.created == 2
    rows = (await (await call(ruled, "validation results")).collect()).plain()
    assert {row["ruleName"] for row in rows} == {"Less stock"}


async def test_results_are_chosen_by_period_unit_rule_and_day(ruled: Session):
    await do(ruled, "validation run", period=["2025Q1"])

    async def count(**chosen: Any) -> int:
        return len(await (await call(ruled, "validation results", **chosen)).collect())

    assert await count(period=["202501"]) == 1
    assert await count(org_unit=["Clinic B"]) == 0
    assert await count(rule=["Little stock"]) == 2
    assert await count(since="2099-01-01") == 0


async def test_people_are_told_by_a_job(ruled: Session):
    done = await do(ruled, "validation send", watch=True)
    assert done.note.startswith("VALIDATION_RESULTS_NOTIFICATION completed")
    with pytest.raises(UsageError, match="--timeout is for --watch"):
        await planned(ruled, "validation send", timeout=5)


@pytest.mark.parametrize(
    ("answer", "rows"),
    [
        ({}, []),
        ({"anna": [{"sessionId": "3F2A", "lastRequest": "2026-11-29", "expired": False}]},
         [{"user": "anna", "lastRequest": "2026-11-29", "expired": False}]),
        ({"anna": "3F2A"}, [{"user": "anna"}]),
    ],
)  # fmt: skip
async def test_sessions_are_shown_without_what_opens_them(
    s: Session, monkeypatch: pytest.MonkeyPatch, answer: dict, rows: list
):
    async def said(path: str, params: object = None) -> dict:
        assert path == "sessions"
        return answer

    monkeypatch.setattr(s.client, "get_object", said)
    assert await people.sessions(s) == rows


async def test_what_a_version_does_not_tell_is_refused_or_said(s: Session, monkeypatch: pytest.MonkeyPatch):
    warned: list[str] = []
    monkeypatch.setattr(s.person, "warn", warned.append)
    (row,) = await people.second_factors(s)
    assert (row["username"], row["twoFactor"]) == ("admin", False)
    assert warned == ["since 2.42 a server says this of nobody but who asks"]


async def test_running_checks_are_waited_for_whoever_started_them(s: Session, monkeypatch: pytest.MonkeyPatch):
    left = [["a_check", "b_check"], [], ["b_check"], [], [], []]

    async def running(path: str) -> list[str]:
        assert path.endswith("/running")
        return left.pop(0)

    async def at_once(seconds: float) -> None:
        assert seconds >= 1, "at most one look a second"

    monkeypatch.setattr(s.client, "get", running)
    monkeypatch.setattr(asyncio, "sleep", at_once)
    assert await integrity.under_way(s) == ["a_check", "b_check"]
    left[:] = [["a_check"], []]
    with pytest.raises(TimedOut, match=r"1 integrity check not ended within 0\.5 s"):
        await integrity.under_way(s, timeout=0.5)


def test_a_kept_violation_of_2_43_has_its_period():
    """There a period has no id: its type and days are asked for, and `period[id]` alone gave `{}` (v43 validation-runs 10)."""
    period: Any = {
        "periodType": "Monthly",
        "startDate": "2024-08-01T00:00:00.000",
        "endDate": "2024-08-31T00:00:00.000",
    }
    assert kept_violations._row({"id": 1, "period": period})["period"] == "202408"
    assert "period[id,periodType,startDate,endDate]" in kept_violations.FIELDS
