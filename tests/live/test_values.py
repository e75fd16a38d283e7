"""Data values on a running server, in a data set that it has: written, marked, set back, completed, deleted.

A server keeps what is deleted of values, and an element that ever had one cannot be deleted: so a set of the server's own
takes them, in a month long ago in which nobody has reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from dhis2sh.client import reading
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from tests.live import acting
from tests.live.acting import alone, read
from tests.live.place import Place

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
MONTHS = ("199807", "200307", "200907", "201507")
NUMBERS = {"NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_ZERO_OR_POSITIVE"}
FIELDS = (
    "id,periodType,expiryDays,dataInputPeriods,categoryCombo[name],organisationUnits[id,path,openingDate,closedDate],"
    "dataSetElements[dataElement[id,valueType,optionSet,categoryCombo[categoryOptionCombos[id]]]]"
)


@dataclass(frozen=True)
class Cell:
    """Where a value may be put: a data set of the server, an element and a combination of it, a unit, a month."""

    data_set: str
    element: str
    combo: str
    unit: str
    month: str


async def cell_of(s: Session) -> Cell:
    """A cell of a monthly set that is open to everybody, at a unit of this user's that was open, without a value."""
    me = await s.client.get_object("me", {"fields": "organisationUnits[id]"})
    mine = {str(one["id"]) for one in cast("list[JsonObject]", me["organisationUnits"])}
    for row in await reading.all_of(s.client, "dataSets", [], fields=FIELDS):
        if row["periodType"] != "Monthly" or cast("JsonObject", row["categoryCombo"])["name"] != "default":
            continue
        if row.get("dataInputPeriods") or float(str(row.get("expiryDays") or 0)):
            continue
        element = next(
            (
                cast("JsonObject", one["dataElement"])
                for one in cast("list[JsonObject]", row["dataSetElements"])
                if _plain(cast("JsonObject", one["dataElement"]))
            ),
            None,
        )
        units = [one for one in cast("list[JsonObject]", row["organisationUnits"])
                 if not one.get("closedDate") and mine & set(str(one.get("path", "")).split("/"))]  # fmt: skip
        for month in MONTHS if element is not None else ():
            unit = next((one for one in units if str(one["openingDate"])[:7] < f"{month[:4]}-{month[4:]}"), None)
            asked = {"data_set": [row["id"]], "period": [month], "org_unit": [unit["id"]] if unit else []}
            if unit is None or await read(s, "data aggregate get", **asked):
                continue
            combos = cast(
                "list[JsonObject]",
                cast("JsonObject", cast("JsonObject", element)["categoryCombo"])["categoryOptionCombos"],
            )
            return Cell(
                str(row["id"]), str(cast("JsonObject", element)["id"]), str(combos[0]["id"]), str(unit["id"]), month
            )
    pytest.skip(f"the server has no open monthly data set whose units were open and silent in {', '.join(MONTHS)}")


def _plain(element: JsonObject) -> bool:
    return element["valueType"] in NUMBERS and not element.get("optionSet")


@pytest.mark.verbs(
    "data aggregate get", "data aggregate set", "data aggregate push", "data aggregate delete", "data followup mark",
    "data followup unmark", "data followup list", "data complete", "data reopen", "data completeness", "data revert",
    "data history", "undo",
)  # fmt: skip
def test_data_values_one_life(live: Place) -> None:
    """Set, changed by a sheet, marked, set back, completed, opened, deleted: and each is taken back."""

    async def a_life(s: Session) -> None:
        cell = await cell_of(s)
        one = {"element": cell.element, "period": cell.month, "org_unit": cell.unit, "combo": cell.combo}
        found = {"data_element": [cell.element], "period": [cell.month], "org_unit": [cell.unit]}
        of_set = {"data_set": cell.data_set, "period": cell.month, "org_units": [cell.unit]}

        async def write(verb: str, **arguments: object) -> Any:
            return await acting.write(s, verb, **arguments)

        async def history() -> Any:
            return await read(s, "data history", **one)

        async def value() -> str | None:
            rows = await read(s, "data aggregate get", **found, as_text=True)
            return rows[0]["value"] if rows else None

        async def marked() -> list[object]:
            return await read(s, "data followup list", **found)

        try:
            await write("data aggregate set", **one, value="7")
            assert await value() == "7"
            Path("sheet.csv").write_text(
                f"dataElement,categoryOptionCombo,period,orgUnit,value\n{cell.element},{cell.combo},{cell.month},{cell.unit},8\n"
            )
            assert (await write("data aggregate push", file=Path("sheet.csv"))).updated == 1
            assert await value() == "8"
            await write("undo")
            assert await value() == "7"
            await write("data followup mark", **one)
            assert await marked()
            await write("data followup unmark", **one)
            assert not await marked()
            await _set_back(write, history, value, one)
            await write("data complete", **of_set)
            asked = {"data_set": cell.data_set, "period": [cell.month], "org_unit": [cell.unit]}
            assert sum(row["received"] for row in await read(s, "data completeness", **asked)) == 1
            await write("data reopen", **of_set)
            assert sum(row["received"] for row in await read(s, "data completeness", **asked)) == 0
        finally:
            if await value() is not None:
                await write("data aggregate delete", **found)
        assert await value() is None
        await write("undo")
        assert await value() == "7"
        await write("data aggregate delete", **found)
        assert await value() is None

    alone(a_life)


async def _set_back(write: Any, history: Any, value: Any, one: dict[str, str]) -> None:
    """The value before the last change, where the server writes changes down."""
    await write("data aggregate set", **one, value="9")
    try:
        await history()
        await write("data revert", **one)
    except (NotFound, UsageError):  # no audit of values is switched on there
        await write("undo")
    assert await value() == "7"
