"""`analytics explain`: the numbers behind an indicator, and why one is missing."""

from typing import Any

import pytest

from dhis2sh.analytics.explaining import Explained
from dhis2sh.errors import Refused, UsageError
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
    assert found.why == "the denominator (Visits) is 0: there is no Visits | Female and Visits"
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
