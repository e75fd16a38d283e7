"""No rows, or too few: an answer says why where the period asked for is of another type than the data."""

import pytest

from dhis2sh.errors import NotFound, UsageError
from dhis2sh.session import Session
from tests.data.test_aggregate import JANUARY, values
from tests.data.test_quality import RULE
from tests.fakes.person import Somebody
from tests.metadata.calls import call, do

WEEK = {**JANUARY, "period": ["2025W3"]}
UNLIKE = "2025W3 is Weekly, and these data are Monthly: it begins in 202501"
WITHIN = (
    "no values: within these days there are some of other periods, such as 2025Q1 (Quarterly): "
    "--start-date 2025-01-01 --end-date 2025-03-31 instead of --period finds them"
)


@pytest.fixture
def heard(s: Session) -> Somebody:
    """What a person is told."""
    s.person = found = Somebody()
    return found


async def quarterly(s: Session) -> None:
    """A data set of another type that has one element of the monthly set too, and a value for a quarter that nobody checks."""
    element = {"dataElement": {"id": "deStock0001"}}
    units = [{"id": "ouClinicA01"}]
    body = {"id": "dsQuarter01", "name": "By quarter", "shortName": "By quarter", "periodType": "Quarterly",
            "dataSetElements": [element], "organisationUnits": units}  # fmt: skip
    await s.client.post("dataSets", body)
    row = {"dataElement": "deStock0001", "period": "2025Q1", "orgUnit": "ouClinicA01", "value": "77"}
    await s.client.data_values.stream_in([row])


async def test_a_period_shorter_than_those_of_the_data_is_said_and_why_there_is_nothing(s: Session, heard: Somebody):
    assert not await values(s, period=["2025W3"])
    other = "no values: for this time there are none; there are some of other periods, such as 202501 (Monthly)"
    assert heard.notes == [UNLIKE, other]


async def test_many_periods_are_said_in_one_line(s: Session, heard: Somebody):
    await values(s, period=["2025W1..2025W12", "2024Q4", "2025Q1"])
    assert heard.notes == [
        "2024Q4 and 2025Q1 stand for 6 Monthly periods, 202410 to 202503",
        "2025W1, 2025W2 and 10 more are Weekly, and these data are Monthly: they begin in 202412, 202501, 202502 and 1 more",
    ]


async def test_values_of_another_type_than_their_set_are_found_by_their_days(s: Session, heard: Somebody):
    row = {"dataElement": "deColour001", "period": "2025Q1", "orgUnit": "ouClinicC01", "value": "RED"}
    await s.client.data_values.stream_in([row])
    asked = {"data_set": [], "data_element": ["Colour"], "org_unit": ["Clinic C"], "children": False}
    assert not await values(s, **asked, period=["202501", "202503"])
    assert heard.notes == [WITHIN]
    found = await values(s, **asked, period=[], start_date="2025-01-01", end_date="2025-03-31")
    assert {period for *_, period in found} == {"2025Q1"}


async def test_data_of_two_types_that_are_asked_for_by_one_of_them_are_said(s: Session, heard: Somebody):
    await quarterly(s)
    found = await values(s, data_set=[], data_element=["Stock"], period=["2025Q1"])
    assert list(found.values()) == ["77"]
    assert heard.notes == ["2025Q1: Quarterly values alone, though these data are Monthly and Quarterly"]


@pytest.mark.parametrize("verb", ["data aggregate get", "data aggregate pull", "data followup list"])
async def test_every_stream_of_values_says_why_it_is_empty(s: Session, heard: Somebody, verb: str):
    stream = await call(s, verb, **WEEK)
    assert not (await stream.collect()).plain()
    assert heard.notes[0] == UNLIKE
    assert heard.notes[-1].startswith("no values: ")


async def test_what_compares_deletes_or_writes_files_says_why_there_is_nothing(s: Session, heard: Somebody):
    stream = await call(s, "data aggregate diff", left="sandbox", right="sandbox", **WEEK)
    assert not (await stream.collect()).plain()
    await call(s, "data aggregate export", file="week.csv", **WEEK)
    with pytest.raises(NotFound, match="there is no value"):
        await call(s, "data aggregate delete", **WEEK)
    assert heard.notes.count(UNLIKE) == 4
    assert len([note for note in heard.notes if note.startswith("no values: ")]) == 4


@pytest.mark.parametrize(
    ("verb", "asked"),
    [
        ("data completeness", {"data_set": "Monthly", "period": ["2025W3"]}),
        ("data complete", {"data_set": "Monthly", "period": "2025W3", "org_units": ["Clinic A"]}),
        ("data review", {"data_set": "Monthly", "period": "2025W3"}),
    ],
)
async def test_a_period_that_no_unit_can_report_for_is_refused(s: Session, verb: str, asked: dict[str, object]):
    """Every unit would be missing, and a registration would be of a period that the set has not."""
    with pytest.raises(UsageError, match="2025W3 is Weekly, and these data are Monthly") as refused:
        await call(s, verb, **asked)
    assert refused.value.hint == "a period such as 202501"


@pytest.mark.parametrize("verb", ["data history", "data revert", "data followup mark"])
async def test_no_value_of_another_type_is_said_to_be_one(s: Session, verb: str):
    with pytest.raises(NotFound, match=r"2025W3.*: 2025W3 is Weekly, and these data are Monthly") as missing:
        await call(s, verb, element="Stock", period="2025W3", org_unit="Clinic A")
    assert missing.value.hint == "a period such as 202501"


async def test_a_registration_of_another_type_can_be_taken_away(s: Session, heard: Somebody):
    row = {"dataSet": "dsMonthly01", "period": "2025W3", "organisationUnit": "ouClinicA01", "completed": True}
    await s.client.post("completeDataSetRegistrations", {"completeDataSetRegistrations": [row]})
    await do(s, "data reopen", data_set="Monthly", period="2025W3", org_units=["Clinic A"])
    there = await s.client.get_object(
        "completeDataSetRegistrations", {"dataSet": "dsMonthly01", "period": "2025W3", "orgUnit": "ouClinicA01"}
    )
    assert not there.get("completeDataSetRegistrations")


async def test_rules_without_a_period_in_those_asked_for_are_said(s: Session, heard: Somebody):
    await s.client.post("validationRules", RULE)
    stream = await call(s, "data validate", period=["2025W3"], org_unit=["North"])
    assert not (await stream.collect()).plain()
    assert heard.notes == ["1 Monthly rule not looked at: no period of theirs lies in 2025W3, such as 202501"]


async def test_outliers_outside_of_limits_say_how_many_limits_there_are(s: Session, heard: Somebody):
    asked = {"data_set": ["Monthly"], "period": ["202501"], "algorithm": "min-max"}
    await call(s, "data outliers", **asked)
    limit = {"dataElement": {"id": "deStock0001"}, "source": {"id": "ouClinicA01"},
             "optionCombo": {"id": "HllvX50cXC0"}, "min": 0, "max": 10_000}  # fmt: skip
    await s.client.post("minMaxDataElements", limit)
    assert not (await call(s, "data outliers", **asked)).plain()
    assert [note.split(":")[0] for note in heard.notes] == [
        "no minimum and maximum is set for these data elements at any unit, so that nothing can lie outside of one",
        "no value lies outside of the 1 minimum and maximum set for these data elements, at whatever units; "
        "where none is set, nothing can",
    ]


async def test_outliers_of_analytics_say_that_a_period_is_too_short(s: Session, heard: Somebody):
    asked = {"data_set": ["Monthly"], "org_unit": ["Nation"]}
    assert not (await call(s, "analytics outliers", **asked, period="2025W3")).plain()
    assert heard.notes == ["no value to look at: 2025W3 is Weekly, and these data are Monthly: it begins in 202501"]
