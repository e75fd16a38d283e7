"""Analytics of a running server: what `pull` gives is what `analytics query` gives, and the other verbs answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.analytics.pull import Pulled, PullPlan
from dhis2sh.errors import Refused
from dhis2sh.rows.rows import to_json
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.live.place import Place, within

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
TIME, PLACE = "pe=LAST_5_YEARS", "ou=USER_ORGUNIT"


async def answered(s: Session, verb: str, **arguments: Any) -> Any:
    try:
        result = await run(s, find(verb), arguments)
        return to_json(await result.collect()) if isinstance(result, Stream) else result
    except Refused as error:
        if error.code == "E7144":
            pytest.skip("its analytics tables were never built")
        raise


async def elements(s: Session) -> list[str]:
    """Some data elements that are reported and can be put together."""
    params = {
        "filter": ["domainType:eq:AGGREGATE", "valueType:eq:NUMBER", "aggregationType:eq:SUM"],
        "pageSize": 20,
        "fields": "id",
    }
    found = [str(row["id"]) for row in (await s.client.list_page("dataElements", params)).rows]
    return found or pytest.skip("it has no data elements")


def test_what_is_pulled_is_what_is_asked_for(live: Place, tmp_path: Path) -> None:
    async def both(s: Session) -> None:
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
        told = await answered(s, "pull", dimensions=dimensions, out=str(tmp_path / "all.csv"))
        assert isinstance(told, Pulled)
        assert told.rows == len(pulled)

    asyncio.run(within(both)())


def test_a_number_is_explained(live: Place) -> None:
    async def explained(s: Session) -> None:
        (row, *_) = (await s.client.list_page("indicators", {"pageSize": 1, "fields": "id"})).rows or [None]
        if row is None:
            pytest.skip("it has no indicators")
        unit = (await s.client.get_object("me", {"fields": "organisationUnits[id]"}))["organisationUnits"][0]["id"]
        found = await answered(s, "analytics explain", indicator=row["id"], org_unit=unit, period="LAST_YEAR")
        assert found.formula
        assert found.value is not None or found.why

    asyncio.run(within(explained)())


def test_programs_are_counted(live: Place) -> None:
    async def counted(s: Session) -> None:
        (row, *_) = (await s.client.list_page("programs", {"pageSize": 1, "fields": "id"})).rows or [None]
        if row is None:
            pytest.skip("it has no programs")
        totals = await answered(s, "analytics event-totals", program=row["id"], dimensions=[TIME, PLACE])
        events = await answered(s, "analytics events", program=row["id"], dimensions=[TIME, PLACE], limit=5)
        assert sum(one["value"] for one in totals.plain()) >= len(events)

    asyncio.run(within(counted)())
