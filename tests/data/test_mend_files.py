"""Files of refused rows: pushed again as they are, with the options of the load or without, and nothing in them changes its meaning."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from dhis2sh.errors import PartlyDone, Refused
from dhis2sh.session import Session
from tests.data.test_aggregate import values, write
from tests.data.test_hidden import workbook
from tests.metadata.calls import do, planned

COMMAS = "dataElement;period;orgUnit;value\nTemperature;202501;Clinic A;36,5\nTemperature;202501;Clinic Z;37,5\n"
MEND = Path("mend.csv")


async def refused(s: Session, file: Path, **how: object) -> dict[str, dict[str, str]]:
    """A load of which some or all rows are refused: those by their values, as the file has them."""
    with pytest.raises((PartlyDone, Refused)):
        await do(s, "data aggregate push", file=file, rejected=MEND, **how)
    return {row["value"]: row for row in csv.DictReader(MEND.read_text("utf-8").splitlines())}


def mend(**changes: str) -> Path:
    """The file with some texts changed, under another name."""
    text = MEND.read_text("utf-8")
    for old, new in changes.items():
        text = text.replace(old.replace("_", " "), new)
    Path("mended.csv").write_text(text, "utf-8")
    return Path("mended.csv")


@pytest.mark.parametrize("how", [{}, {"decimal": ","}])
async def test_decimal_commas_are_points_in_the_file_and_are_read_with_the_option_and_without(
    s: Session, how: Mapping[str, object]
):
    assert [*await refused(s, write(COMMAS), decimal=",")] == ["37.5"]
    await do(s, "data aggregate push", file=mend(Clinic_Z="Clinic B"), **how)
    assert (await values(s))["Temperature", "default", "Clinic B", "202501"] == "37.5"


@pytest.mark.parametrize("how", [{}, {"decimal": ","}])
async def test_a_value_with_two_readings_stays_refused_until_somebody_says_which(s: Session, how: Mapping[str, object]):
    sheet = write(COMMAS.replace("37,5", "1.234"))
    found = await refused(s, sheet, decimal=",")
    assert "'Clinic Z'" in found["1.234"]["reason"]
    assert "; '1.234' may be 1.234 or 1234: write 1,2340 or 1234" in found["1.234"]["reason"]
    for file in (mend(Clinic_Z="Clinic B"), mend()):  # also behind a second refusal for the unit
        with pytest.raises(Refused, match=r"'1\.234' may be 1\.234 or 1234|Clinic Z"):
            await do(s, "data aggregate push", file=file, rejected=MEND, **how)
        assert "'1.234' may be 1.234 or 1234" in MEND.read_text("utf-8")
    await do(s, "data aggregate push", file=mend(Clinic_Z="Clinic B", **{",1.234,": ",1234,"}), **how)
    assert (await values(s))["Temperature", "default", "Clinic B", "202501"] == "1234"


async def test_a_point_among_decimal_commas_stays_refused_too(s: Session):
    """Nobody said --decimal: the point of the one row parts thousands or decimals, as before."""
    sheet = write(
        "dataElement;period;orgUnit;value\nTemperature;202501;Clinic A;1.234\nTemperature;202501;Clinic B;12,5\n"
    )
    await refused(s, sheet)
    with pytest.raises(PartlyDone, match=r"'1\.234' may be a thousand times as much"):
        await do(s, "data aggregate push", file=mend(**{'"12,5"': "12.5"}))
    assert (await values(s))["Temperature", "default", "Clinic B", "202501"] == "12.5"


async def test_days_that_stand_for_periods_are_those_periods_in_the_file(s: Session):
    sheet = write("dataElement,period,orgUnit,value\nStock,30/01/2025,Clinic A,many\nStock,2025-02-28,Clinic Z,5\n")
    found = await refused(s, sheet, by_date=True)
    assert {value: row["period"] for value, row in found.items()} == {"many": "202501", "5": "202502"}
    plan = await planned(s, "data aggregate push", file=mend(Clinic_Z="Clinic B", many="7"))
    assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202501", "Stock, Clinic B, 202502"]


async def test_what_options_and_sheets_said_stands_in_the_file(s: Session):
    """The sheet, its header, what was filled down, what is hidden, and what was said of all rows."""
    rows = [["Stock of clinics", "", ""], ["Facility", "Value", "Remarks"], ["Clinic A", "many", "x"], ["", 5, "hidden"],
            ["Clinic Z", 6, "y"]]  # fmt: skip
    book = workbook(rows, [4])
    said = {"data_element": "Stock", "period": "202502", "header_row": 2, "sheet": "June", "skip_hidden": True}
    found = await refused(s, book, **said, fill_down=["Facility"])
    assert {value: (row["dataElement"], row["period"], row["Remarks"]) for value, row in found.items()} == {
        "many": ("deStock0001", "202502", "x"), "6": ("deStock0001", "202502", "y"),
    }  # fmt: skip
    await do(s, "data aggregate push", file=mend(Clinic_Z="Clinic B", many="7"))
    after = await values(s, period=["202502"])
    assert (after["Stock", "default", "Clinic A", "202502"], after["Stock", "default", "Clinic B", "202502"]) == (
        "7",
        "6",
    )


async def test_two_values_of_one_cell_are_given_back_alike(s: Session):
    sheet = write(
        "dataElement;period;orgUnit;value\nTemperature;202501;Clinic A;36,5\nTemperature;202501;Clinic A;37,5\n"
    )
    assert [*await refused(s, sheet, decimal=",")] == ["36.5", "37.5"]
