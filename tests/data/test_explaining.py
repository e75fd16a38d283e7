"""`analytics explain`: the numbers behind an indicator, and why one is missing."""

from typing import Any

import pytest

from dhis2sh.analytics.entered import since
from dhis2sh.analytics.explaining import Explained
from dhis2sh.errors import NotFound, Refused, UsageError
from dhis2sh.sandbox.analytics import build
from dhis2sh.session import Session
from tests.metadata.calls import call


async def explained(s: Session, indicator: str, unit: str = "Clinic A", period: str = "202501") -> Explained:
    found = await call(s, "analytics explain", indicator=indicator, org_unit=unit, period=period)
    assert isinstance(found, Explained)
    return found


async def indicator(s: Session, **body: Any) -> None:
    """The indicator `Share of women` with another formula."""
    (row,) = (await s.client.list_page("indicators", {"filter": "name:eq:Share of women", "fields": ":owner"})).rows
    await s.client.put(f"indicators/{row['id']}", {**row, **body})


async def test_the_formula_with_names_and_the_numbers_behind_it(s: Session):
    found = await explained(s, "Share of women")
    assert found.value == pytest.approx(66.67)
    assert found.formula == "(Visits | Female) / (Visits) x 100"
    numbers = {(one.side, one.name): one.value for one in found.numbers}
    assert numbers == {("numerator", "Visits | Female"): 20, ("denominator", "Visits"): 30}
    assert (found.numerator, found.denominator, found.factor) == (20, 30, 100)
    assert found.why is None
    assert "66.67" in found.line()


async def test_nothing_was_entered(s: Session):
    found = await explained(s, "Share of women", period="203001")
    assert found.value is None
    assert found.why == "the denominator (Visits) has no value: no data were entered for it"
    assert {one.why for one in found.numbers} == {"no data were entered for it"}


async def test_a_zero_denominator_is_said(s: Session):
    await indicator(s, denominator="#{deVisits001} - #{deVisits001}")
    found = await explained(s, "Share of women")
    assert found.value is None
    assert found.why == "the denominator (Visits - Visits) is 0"
    assert all(one.value is not None for one in found.numbers)


async def test_what_is_entered_and_not_aggregated_yet(s: Session):
    await s.client.post(
        "dataValueSets",
        {"dataValues": [{"dataElement": "deTemp00001", "period": "202505", "orgUnit": "ouClinicA01", "value": "7"}]},
    )
    found = await explained(s, "Temperature", period="202505")
    assert "1 value entered, not aggregated yet" in str(found.why)


@pytest.mark.parametrize(("at", "newer"), [("2026-11-30T13:44:07.000+0000", True), ("2026-11-30T13:44:06.900", False)])
def test_a_value_of_the_second_in_which_the_tables_were_built_may_be_newer(at: str, newer: bool):
    assert since({"lastUpdated": at}, "2026-11-30T13:44:07.313") is newer
    assert since({"lastUpdated": at}, None)


async def test_a_closed_unit_is_said(s: Session):
    (unit,) = (await s.client.list_page("organisationUnits", {"filter": "name:eq:Clinic B", "fields": ":owner"})).rows
    await s.client.put(f"organisationUnits/{unit['id']}", {**unit, "closedDate": "2010-01-01T00:00:00.000"})
    found = await explained(s, "Share of women", unit="Clinic B", period="203001")
    assert found.why == "Clinic B was closed on 2010-01-01"
    found = await explained(s, "Share of women", unit="Clinic A", period="1990")
    assert found.why == "Clinic A was opened on 2000-01-01"


async def test_references_that_are_no_items_of_analytics(s: Session):
    await indicator(s, numerator="[days] + #{deVisits001}.periodOffset(-1)", denominator="1")
    found = await explained(s, "Share of women")
    told = {one.name: (one.value, one.why) for one in found.numbers}
    assert told["days of the period"] == (31, None)
    assert told["Visits periodOffset(-1.0)"] == (None, "analytics cannot be asked for it alone")


async def test_one_period_alone(s: Session):
    with pytest.raises(UsageError, match="is 12 periods"):
        await explained(s, "Share of women", period="LAST_12_MONTHS")
    assert (await explained(s, "Share of women", period="LAST_MONTH")).period.isdigit()


async def test_tables_never_built(country: Session):
    with pytest.raises(Refused, match="E7144") as told:
        await call(country, "analytics explain", indicator="Children reached", org_unit="Okavéri", period="202501")
    assert "maintenance refresh analytics" in str(told.value.hint)


# Why not, looked up -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", ["2025W3", "20250115"])
async def test_a_period_that_is_shorter_than_those_of_the_data_is_no_missing_entry(s: Session, period: str):
    found = await explained(s, "Visits", period=period)
    assert f"{period} is " in str(found.why)
    assert str(found.why).endswith("and these data are Monthly: it begins in 202501")


async def test_an_element_of_programs_is_said_to_be_one(s: Session):
    body = {
        "name": "Seen",
        "shortName": "Seen",
        "domainType": "TRACKER",
        "valueType": "NUMBER",
        "aggregationType": "SUM",
    }
    await s.client.post("dataElements", body)
    found = await explained(s, "Seen")
    assert found.why == "it is collected in programs alone, as  dhis2 analytics events  shows"


async def test_members_of_a_group_are_counted_and_what_is_not_known_is_no_zero(s: Session):
    (group,) = (await s.client.list_page("organisationUnitGroups", {"filter": "name:eq:Urban"})).rows
    await indicator(s, denominator=f"OUG{{{group['id']}}}")
    found = await explained(s, "Share of women", unit="Nation")
    number = found.numbers[-1]
    assert (number.name, number.value, found.denominator) == ("Urban", 2, 2)
    await indicator(s, numerator="#{deVisits001}", denominator="#{deVisits001}.periodOffset(-1)")
    found = await explained(s, "Share of women")
    assert (found.value, found.why) == (
        None,
        "the server gives none, and does not say what Visits periodOffset(-1.0) comes to",
    )


async def test_one_option_combination_of_an_element(s: Session):
    found = await explained(s, "Visits.Female")
    assert (found.name, found.value) == ("Visits | Female", 20)
    with pytest.raises(NotFound, match="'Visits' has no option combination 'Femal'") as missing:
        await explained(s, "Visits.Femal")
    assert missing.value.hint == "did you mean Female?"


async def test_a_rate_is_reports_that_came_and_were_expected(s: Session):
    found = await explained(s, "Monthly.REPORTING_RATE", unit="Nation")
    assert found.formula == "(actual reports) / (expected reports) x 100"
    assert {one.name: one.value for one in found.numbers} == {"actual reports": 0, "expected reports": 3}
    assert found.value == 0
    unlike = await explained(s, "Monthly.REPORTING_RATE", unit="Nation", period="2025W3")
    assert (unlike.value, unlike.why) == (None, "2025W3 is Weekly, and these data are Monthly: it begins in 202501")


async def test_a_program_indicator_has_its_expression_its_filter_and_the_events_there(country: Session):
    build.build(country.sandbox_store())
    page = await country.client.list_page("programIndicators", {"fields": "id,displayName,filter,program[displayName]"})
    body = next(row for row in page.rows if row.get("filter"))
    (top,) = (await country.client.list_page("organisationUnits", {"filter": "level:eq:1"})).rows
    found = await explained(country, str(body["displayName"]), unit=str(top["id"]), period="2030")
    assert found.formula is not None and found.filter is not None and "{" not in found.formula + found.filter
    assert found.why == f"{found.program} has no event there in this time"


# The reason of the whole is the one of its rows -------------------------------------------------------------------------


async def yearly(s: Session) -> None:
    """An element that is entered once a year, with a value in the tables."""
    body = {"id": "dePopul0001", "name": "Population", "shortName": "Population", "domainType": "AGGREGATE",
            "valueType": "NUMBER", "aggregationType": "SUM"}  # fmt: skip
    await s.client.post("dataElements", body)
    sets = {"id": "dsYear00001", "name": "By year", "shortName": "By year", "periodType": "Yearly",
            "dataSetElements": [{"dataElement": {"id": "dePopul0001"}}],
            "organisationUnits": [{"id": "ouClinicA01"}]}  # fmt: skip
    await s.client.post("dataSets", sets)
    await s.client.data_values.stream_in(
        [{"dataElement": "dePopul0001", "period": "2025", "orgUnit": "ouClinicA01", "value": "900"}]
    )
    build.build(s.sandbox_store())


async def test_a_yearly_denominator_asked_by_month_is_no_zero(s: Session):
    await yearly(s)
    await indicator(s, denominator="#{dePopul0001}")
    found = await explained(s, "Share of women")
    unlike = "202501 is Monthly, and these data are Yearly: it begins in 2025"
    assert (found.value, found.numbers[1].why) == (None, unlike)
    assert found.why == f"the denominator (Population) has no value: {unlike}"


async def test_a_denominator_that_is_not_aggregated_yet_is_no_zero(s: Session):
    rows = [{"dataElement": "deTemp00001", "period": "202501", "orgUnit": "ouClinicC01", "value": "7"}]
    await s.client.post("dataValueSets", {"dataValues": rows})
    await indicator(s, denominator="#{deTemp00001}")
    found = await explained(s, "Share of women", unit="Clinic C")
    assert "1 value entered, not aggregated yet" in str(found.numbers[1].why)
    assert found.why == f"the denominator (Temperature) has no value: {found.numbers[1].why}"


async def test_a_denominator_of_which_some_is_missing_says_without_what_it_has_none(s: Session):
    await yearly(s)
    await indicator(s, denominator="#{dePopul0001} + #{deVisits001} - #{deVisits001}")
    found = await explained(s, "Share of women")
    assert str(found.why).startswith(
        "the denominator (Population + Visits - Visits) has no value without Population: 202501 is Monthly"
    )


async def test_a_numerator_alone_says_its_own_reason(s: Session):
    await indicator(s, numerator="#{deVisits001}", denominator="1")
    found = await explained(s, "Share of women", period="2025W3")
    assert found.why == f"there is no Visits: {found.numbers[0].why}"
    assert "2025W3 is Weekly, and these data are Monthly" in found.why


async def test_several_reasons_are_each_said_of_their_numbers(s: Session):
    await yearly(s)
    await indicator(s, numerator="#{deVisits001} + #{dePopul0001}", denominator="1")
    found = await explained(s, "Share of women", unit="Clinic C", period="203001")
    assert found.why is not None
    assert found.why.startswith(
        "there is no Visits and Population: Visits: no data were entered for it; Population: 203001 is"
    )


async def test_an_indicator_within_an_indicator_says_why_the_inner_one_has_none(s: Session):
    (inner,) = (await s.client.list_page("indicators", {"filter": "name:eq:Share of women", "fields": ":owner"})).rows
    outer = {**inner, "id": "inOuter0001", "name": "Outer", "shortName": "Outer", "code": None,
             "numerator": f"N{{{inner['id']}}}", "denominator": "1"}  # fmt: skip
    await s.client.post("indicators", outer)
    found = await explained(s, "Outer", period="203001")
    reason = "the denominator (Visits) has no value: no data were entered for it"
    assert (found.numbers[0].why, found.why) == (reason, f"there is no Share of women: {reason}")


async def test_a_program_indicator_within_an_indicator_says_why_it_has_none(country: Session):
    build.build(country.sandbox_store())
    (inner, *_) = (await country.client.list_page("programIndicators", {"fields": "id,displayName"})).rows
    (body, *_) = (await country.client.list_page("indicators", {"fields": ":owner"})).rows
    await country.client.put(
        f"indicators/{body['id']}", {**body, "numerator": f"I{{{inner['id']}}}", "denominator": "1"}
    )
    (top,) = (await country.client.list_page("organisationUnits", {"filter": "level:eq:1"})).rows
    found = await explained(country, str(body["id"]), unit=str(top["id"]), period="2030")
    assert str(found.why).startswith(f"there is no {inner['displayName']}: ")
    assert "has no event there in this time" in str(found.why)
