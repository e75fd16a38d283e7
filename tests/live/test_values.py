"""Data values on a running server, in a data set that it has: written, marked, set back, completed, deleted.

A server keeps what is deleted of values, and an element that ever had one cannot be deleted: so a set of the server's own
takes them, in a month long ago in which nobody has reported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from dhis2sh.client import reading
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.live.place import YES, Place
from tests.live.test_tracker import alone, read

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
MONTH = "199807"
NUMBERS = {"NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_ZERO_OR_POSITIVE"}
FIELDS = (
    "id,periodType,categoryCombo[name],organisationUnits[id,openingDate,closedDate],"
    "dataSetElements[dataElement[id,valueType,optionSet,categoryCombo[categoryOptionCombos[id]]]]"
)


async def cell_of(s: Session) -> tuple[str, str, str, str]:
    """A data set of the server, an element of numbers in it, a combination of it and a unit that was open: with no value in `MONTH`."""
    rows = await reading.all_of(s.client, "dataSets", [], fields=FIELDS)
    for row in rows:
        if row["periodType"] != "Monthly" or cast("JsonObject", row["categoryCombo"])["name"] != "default":
            continue
        elements = [
            cast("JsonObject", cast("JsonObject", one)["dataElement"])
            for one in cast("list[Any]", row["dataSetElements"])
        ]
        element = next((one for one in elements if _plain(one)), None)
        units = cast("list[JsonObject]", row["organisationUnits"])
        unit = next((one for one in units if str(one["openingDate"]) < "1998" and not one.get("closedDate")), None)
        if element is None or unit is None:
            continue
        asked = {"data_set": [row["id"]], "period": [MONTH], "org_unit": [unit["id"]]}
        if not await read(s, "data aggregate get", **asked):
            combos = cast("list[JsonObject]", cast("JsonObject", element["categoryCombo"])["categoryOptionCombos"])
            return str(row["id"]), str(element["id"]), str(combos[0]["id"]), str(unit["id"])
    pytest.skip(f"the server has no monthly data set whose units were open in {MONTH} and sent nothing")


def _plain(element: JsonObject) -> bool:
    return element["valueType"] in NUMBERS and not element.get("optionSet")


def test_data_values_one_life(live: Place) -> None:
    """Set, changed by a sheet, marked, set back, completed, opened, deleted: and each is taken back."""

    async def a_life(s: Session) -> None:
        data_set, element, combo, unit = await cell_of(s)
        one = {"element": element, "period": MONTH, "org_unit": unit, "combo": combo}
        found = {"data_element": [element], "period": [MONTH], "org_unit": [unit]}
        of_set = {"data_set": data_set, "period": MONTH, "org_units": [unit]}

        async def write(verb: str, **arguments: object) -> Any:
            return await run(s, find(verb), arguments, YES)

        async def value() -> str | None:
            rows = await read(s, "data aggregate get", **found, as_text=True)
            return rows[0]["value"] if rows else None

        async def marked() -> list[object]:
            return await read(s, "data followup list", **found)

        try:
            await write("data aggregate set", **one, value="7")
            assert await value() == "7"
            Path("sheet.csv").write_text(
                f"dataElement,categoryOptionCombo,period,orgUnit,value\n{element},{combo},{MONTH},{unit},8\n"
            )
            assert (await write("data aggregate push", file=Path("sheet.csv"))).updated == 1
            assert await value() == "8"
            await write("undo")
            assert await value() == "7"
            await write("data followup mark", **one)
            assert await marked()
            await write("data followup unmark", **one)
            assert not await marked()
            await _set_back(write, value, one)
            await write("data complete", **of_set)
            asked = {"data_set": data_set, "period": [MONTH], "org_unit": [unit]}
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


async def _set_back(write: Any, value: Any, one: dict[str, str]) -> None:
    """The value before the last change, where the server writes changes down."""
    await write("data aggregate set", **one, value="9")
    try:
        await write("data revert", **one)
    except (NotFound, UsageError):  # no audit of values is switched on there
        await write("undo")
    assert await value() == "7"
