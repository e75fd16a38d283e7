"""Weeks that lie in two months: each belongs to one of them, for every verb and for analytics alike."""

import pytest

from dhis2sh.rows.rows import Rows
from dhis2sh.sandbox.analytics import build
from dhis2sh.session import Session
from dhis2sh.types import Row
from tests.fakes.person import Somebody
from tests.metadata.calls import call, planned

SET = "By week"
OF_JANUARY = (
    "202501 stands for 5 Weekly periods, 2025W1 to 2025W5; a week counts where four or more of its days lie, "
    "as in analytics"
)
WEEKS = [f"2025W{week}" for week in range(1, 7)]
RULE = {
    "id": "vrWeekly001", "name": "Few", "importance": "HIGH", "operator": "less_than", "periodType": "Weekly",
    "leftSide": {"expression": "#{deWeekly001}", "description": "l", "missingValueStrategy": "SKIP_IF_ANY_VALUE_MISSING"},
    "rightSide": {"expression": "0", "description": "r", "missingValueStrategy": "NEVER_SKIP"},
}  # fmt: skip
JANUARY = {"data_set": [SET], "period": ["202501"], "org_unit": ["Clinic C"]}


@pytest.fixture
async def weekly(s: Session) -> Session:
    """The nation with a weekly set, and a value for each of the six weeks from 30 December to 9 February 2025."""
    element = {"id": "deWeekly001", "name": "Cases", "shortName": "Cases", "domainType": "AGGREGATE",
               "valueType": "NUMBER", "aggregationType": "SUM"}  # fmt: skip
    body = {"id": "dsWeekly001", "name": SET, "shortName": SET, "periodType": "Weekly",
            "dataSetElements": [{"dataElement": {"id": "deWeekly001"}}], "organisationUnits": [{"id": "ouClinicC01"}]}  # fmt: skip
    await s.client.post("metadata", {"dataElements": [element], "dataSets": [body], "validationRules": [RULE]})
    rows = [{"dataElement": "deWeekly001", "period": week, "orgUnit": "ouClinicC01", "value": str(10**at)}
            for at, week in enumerate(WEEKS)]  # fmt: skip
    await s.client.data_values.stream_in(rows)
    s.person = Somebody()
    return s


async def rows(s: Session, verb: str, **asked: object) -> list[Row]:
    found = await call(s, verb, **asked)
    return (found if isinstance(found, Rows) else await found.collect()).plain()


@pytest.mark.parametrize("verb", ["data aggregate get", "data aggregate pull"])
async def test_a_month_has_the_weeks_with_four_of_its_days(weekly: Session, verb: str):
    """The fifth begins on 27 January and has five of its days; 2023W5 has three of them (analytics-own-elements)."""
    assert [row["period"] for row in await rows(weekly, verb, **JANUARY)] == WEEKS[:5]
    assert weekly.person.notes == [OF_JANUARY]  # type: ignore[attr-defined]


async def test_the_months_of_a_year_have_each_week_once(weekly: Session):
    months = [f"2025{month:02}" for month in range(1, 13)]
    found = [row["period"] for month in months for row in await rows(weekly, "data aggregate get", **JANUARY | {"period": [month]})]  # fmt: skip
    assert found == WEEKS
    whole = await rows(weekly, "data aggregate get", **JANUARY | {"period": ["2025"]})
    assert [row["period"] for row in whole] == WEEKS


async def test_analytics_adds_up_the_same_weeks(weekly: Session):
    build.build(weekly.sandbox_store())
    found = await rows(weekly, "analytics query", dimensions=["dx=Cases", "pe=202501;202502;2025", "ou=Clinic C"])
    assert {row["pe"]: row["value"] for row in found} == {"202501": 11_111, "202502": 100_000, "2025": 111_111}


async def test_completeness_expects_and_finds_each_of_them(weekly: Session):
    asked = {"data_set": SET, "period": ["202501"], "by": "values"}
    found = await rows(weekly, "data completeness", **asked)
    assert [(row["period"], row["expected"], row["received"]) for row in found] == [(week, 1, 1) for week in WEEKS[:5]]


async def test_outliers_rules_and_what_is_deleted_are_of_the_same_weeks(weekly: Session):
    highest = await rows(weekly, "data outliers", data_set=[SET], period=["202502"], threshold=1.0)
    assert [row["period"] for row in highest] == ["2025W6"]
    broken = await rows(weekly, "data validate", period=["202501"], org_unit=["Clinic C"])
    assert sorted(str(row["period"]) for row in broken) == WEEKS[:5]
    plan = await planned(weekly, "data aggregate delete", **JANUARY)
    assert "5" in plan.title
