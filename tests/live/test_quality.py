"""Data of the server's own looked at for what is missing, far off, wrong or late: read alone, and nothing is expected of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, cast

import pytest

from dhis2sh.client import reading
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from tests.live.acting import alone, read
from tests.live.place import Place

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
YEAR = str(dt.date.today().year - 1)
MONTH = f"{YEAR}06"


async def a_set(s: Session) -> dict[str, Any]:
    """A monthly data set of the server with a unit of this user's: with the unit, a month and a year. Skips where there is none."""
    me = await s.client.get_object("me", {"fields": "organisationUnits[id]"})
    mine = {str(one["id"]) for one in cast("list[JsonObject]", me["organisationUnits"])}
    fields = "id,periodType,organisationUnits[id,path]"
    for row in await reading.all_of(s.client, "dataSets", [], fields=fields):  # a server filters no period types
        for unit in cast("list[JsonObject]", row["organisationUnits"]):
            if mine & set(str(unit.get("path", "")).split("/")) and row["periodType"] == "Monthly":
                return {"set": row["id"], "unit": unit["id"]}
    pytest.skip("the server has no monthly data set at a unit that this user captures data for")


@pytest.mark.verbs(
    "data completeness", "data outliers", "data validate", "data followup list", "data review", "audit data-values"
)  # fmt: skip
def test_what_is_missing_or_looks_wrong(live: Place) -> None:
    async def looked_at(s: Session) -> None:
        one = await a_set(s)
        asked = {"data_set": one["set"], "period": [MONTH], "org_unit": [one["unit"]]}
        for by in ("registrations", "values"):
            rows = await read(s, "data completeness", **asked, by=by)
            assert all(row["received"] >= 0 and row["expected"] >= 0 for row in rows)
        found = await read(s, "data outliers", data_set=[one["set"]], period=[YEAR], org_unit=[one["unit"]], top=3)
        assert len(found) <= 3
        await read(s, "data validate", period=[MONTH], org_unit=[one["unit"]], data_set=one["set"])
        await read(s, "data followup list", data_set=[one["set"]], period=[YEAR], org_unit=[one["unit"]])
        assert await read(s, "data review", data_set=one["set"], period=MONTH, org_unit=[one["unit"]])
        await read(s, "audit data-values", org_unit=[one["unit"]], period=[MONTH])

    alone(looked_at)


@pytest.mark.verbs("data aggregate export", "data aggregate pull", "data aggregate diff", "data aggregate get")
def test_values_are_the_same_by_every_way(live: Place) -> None:
    async def compared(s: Session) -> None:
        one = await a_set(s)
        asked = {"data_set": [one["set"]], "period": [YEAR], "org_unit": [one["unit"]]}
        got = await read(s, "data aggregate get", **asked, as_text=True)
        await read(s, "data aggregate pull", **asked, out="pulled.csv", fresh=True)
        pulled = Path("pulled.csv").read_text().splitlines()[1:] if Path("pulled.csv").exists() else []
        assert len(pulled) == len(got)
        await read(s, "data aggregate export", file=Path("values.csv"), **asked)
        if got:
            assert await read(s, "data aggregate diff", left="values.csv", right="values.csv") == []

    alone(compared)
