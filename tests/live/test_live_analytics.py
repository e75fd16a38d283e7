"""Analytics of a running server: what `pull` gives is what `analytics query` gives, and the other verbs answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from dhis2sh.analytics.pull import Pulled, PullPlan
from dhis2sh.errors import CheckFailed, Dhis2Error, Refused, UsageError
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from tests.live.acting import alone, asked, or_error
from tests.live.place import Place

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
TIME, PLACE = "pe=LAST_5_YEARS", "ou=USER_ORGUNIT"


async def answered(s: Session, verb: str, **arguments: Any) -> Any:
    try:
        return await asked(s, verb, **arguments)
    except Refused as error:
        if error.code in {"E7144"} or "E7144" in str(error):
            pytest.skip("its analytics tables were never built")
        raise


async def unit_of(s: Session) -> str:
    """A unit of this user's."""
    units = (await s.client.get_object("me", {"fields": "organisationUnits[id]"}))["organisationUnits"]
    if not isinstance(units, list) or not units:
        pytest.skip("this user has no organisation unit")
    return str(cast("JsonObject", units[0])["id"])


async def first_of(s: Session, plural: str, *filters: str, fields: str = "id") -> JsonObject:
    """The first object of a type. Skips where there is none."""
    rows = (await s.client.list_page(plural, {"pageSize": 1, "fields": fields, "filter": [*filters]})).rows
    return cast("JsonObject", rows[0]) if rows else pytest.skip(f"it has no {plural}")


async def elements(s: Session) -> list[str]:
    """Some data elements that are reported and can be put together."""
    params = {
        "filter": ["domainType:eq:AGGREGATE", "valueType:eq:NUMBER", "aggregationType:eq:SUM"],
        "pageSize": 20,
        "fields": "id",
    }
    found = [str(row["id"]) for row in (await s.client.list_page("dataElements", params)).rows]
    return found or pytest.skip("it has no data elements")


@pytest.mark.verbs("pull", "analytics pull", "analytics query")
def test_what_is_pulled_is_what_is_asked_for(live: Place, tmp_path: Path) -> None:
    async def both(s: Session) -> None:
        await unit_of(s)
        dimensions = [f"dx={';'.join(await elements(s))}", TIME, PLACE]
        plan = await answered(s, "pull", dimensions=dimensions, explain=True)
        assert isinstance(plan, PullPlan)
        assert plan.cells > 0
        asked = await answered(s, "analytics query", dimensions=dimensions)
        pulled = await answered(s, "pull", dimensions=dimensions, fresh=True)
        names = ("dx", "pe", "ou", "value")
        assert sorted([row[name] for name in names] for row in pulled) == sorted(
            [row[name] for name in names] for row in asked
        )
        assert len(await answered(s, "analytics pull", dimensions=dimensions)) == len(pulled)
        told = await answered(s, "pull", dimensions=dimensions, out=str(tmp_path / "all.csv"))
        assert isinstance(told, Pulled)
        assert told.rows == len(pulled)

    alone(both)


@pytest.mark.verbs("analytics explain")
def test_a_number_is_explained(live: Place) -> None:
    async def explained(s: Session) -> None:
        row, unit = await first_of(s, "indicators"), await unit_of(s)
        found = await answered(s, "analytics explain", indicator=row["id"], org_unit=unit, period="LAST_YEAR")
        assert found.formula
        assert found.value is not None or found.why

    alone(explained)


@pytest.mark.verbs("analytics event-totals", "analytics events")
def test_programs_are_counted(live: Place) -> None:
    async def counted(s: Session) -> None:
        await unit_of(s)
        row = await first_of(s, "programs")
        totals = await answered(s, "analytics event-totals", program=row["id"], dimensions=[TIME, PLACE])
        events = await answered(s, "analytics events", program=row["id"], dimensions=[TIME, PLACE], limit=5)
        assert sum(one["value"] for one in totals.plain()) >= len(events)

    alone(counted)


@pytest.mark.verbs("analytics enrollments", "analytics tracked-entities")
def test_persons_are_read_by_analytics(live: Place) -> None:
    async def listed(s: Session) -> None:
        await unit_of(s)
        program = await first_of(s, "programs", "programType:eq:WITH_REGISTRATION", fields="id,trackedEntityType[id]")
        rows = await answered(s, "analytics enrollments", program=program["id"], dimensions=[TIME, PLACE], limit=3)
        assert len(rows) <= 3
        kind = cast("JsonObject", program["trackedEntityType"])["id"]
        rows = await answered(s, "analytics tracked-entities", type=kind, dimensions=[PLACE], limit=3)
        assert len(rows) <= 3

    alone(listed)


@pytest.mark.verbs("analytics outliers")
def test_values_far_off_are_found_by_analytics(live: Place) -> None:
    async def found(s: Session) -> None:
        unit, data_set = await unit_of(s), await first_of(s, "dataSets")
        rows = await answered(
            s, "analytics outliers", data_set=[data_set["id"]], period="LAST_YEAR", org_unit=[unit], limit=3
        )
        assert len(rows) <= 3

    alone(found)


@pytest.mark.verbs("analytics viz")
def test_saved_charts_are_drawn_or_said_why_not(live: Place) -> None:
    async def drawn(s: Session) -> None:
        rows = (await s.client.list_page("visualizations", {"pageSize": 5, "fields": "id"})).rows
        for row in rows or [await first_of(s, "visualizations")]:
            found = await or_error(answered(s, "analytics viz", visualization=row["id"]))
            assert found is not None
            assert not isinstance(found, Dhis2Error) or (isinstance(found, UsageError) and found.hint)

    alone(drawn)


@pytest.mark.verbs("analytics map")
def test_a_saved_map_is_drawn(live: Place) -> None:
    async def drawn(s: Session) -> None:
        row = await first_of(s, "maps")
        found = await or_error(answered(s, "analytics map", map=row["id"]))
        assert found is not None
        assert not isinstance(found, Dhis2Error) or (isinstance(found, UsageError) and found.hint)

    alone(drawn)


@pytest.mark.verbs("analytics dashboard")
def test_a_dashboard_is_drawn_as_one_page(live: Place) -> None:
    async def drawn(s: Session) -> None:
        row = await first_of(s, "dashboards")
        found = await or_error(answered(s, "analytics dashboard", dashboard=row["id"], out="report.html"))
        assert not isinstance(found, Dhis2Error) or isinstance(found, CheckFailed), "an item without periods is told"
        assert "<html" in Path("report.html").read_text()[:2000].lower()

    alone(drawn)
