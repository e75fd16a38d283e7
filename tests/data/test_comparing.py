"""Files and servers compared cell by cell: the question holds for both sides, and nothing of a file is lost without a word."""

from pathlib import Path

import pytest

from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from tests.data.sheets import workbook
from tests.metadata.calls import call, do

ASKED: dict[str, object] = {
    "data_element": ["Stock", "Temperature"], "period": ["202501"], "org_unit": ["Nation"], "children": True,
}  # fmt: skip
HEADER = "dataElement,period,orgUnit,value\n"
ALL = HEADER + "Stock,202501,Clinic A,100\nTemperature,202501,Clinic A,20\nTemperature,202501,Clinic B,25\n"
"""What the server has of these."""


@pytest.fixture
def notes(s: Session, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(s.person, "note", found.append)
    return found


def write(text: str, name: str = "values.csv") -> str:
    Path(name).write_text(text, "utf-8")
    return name


async def compared(s: Session, left: str, right: str = "sandbox", **asked: object) -> list[tuple[object, ...]]:
    rows = (await (await call(s, "data aggregate diff", left=left, right=right, names=True, **asked)).collect()).plain()
    return [(row["dataElementName"], row["orgUnitName"], row["left"], row["right"], row["difference"]) for row in rows]


async def test_what_agrees_is_no_difference(s: Session, notes: list[str]):
    assert await compared(s, write(ALL), **ASKED) == []
    assert await compared(s, "sandbox", write(ALL), **ASKED) == []
    assert notes == []


@pytest.mark.parametrize(
    "narrower",
    [{"org_unit": ["Clinic B"], "children": False}, {"data_element": ["Stock"]}, {"period": ["202502"]},
     {"org_unit": ["South"]}],
)  # fmt: skip
@pytest.mark.parametrize("sides", [("values.csv", "sandbox"), ("sandbox", "values.csv")])
async def test_the_question_holds_for_a_file_as_for_a_server(
    s: Session, notes: list[str], narrower: dict[str, object], sides: tuple[str, str]
):
    """A row of another place, time or element was only there, though the server holds the same."""
    write(ALL)
    found = await compared(s, *sides, **{**ASKED, **narrower})
    assert [row for row in found if row[-1] == ("only left" if sides[0] == "values.csv" else "only right")] == []
    assert any("of other data, times or units than the question's, and left out" in note for note in notes)


async def test_the_question_holds_for_two_files(s: Session, notes: list[str]):
    write(ALL)
    write(ALL.replace(",25", ",26").replace(",100", ",101"), "other.csv")
    assert len(await compared(s, "values.csv", "other.csv")) == 2
    told = await compared(s, "values.csv", "other.csv", data_element=["Stock"])
    assert told == [("Stock", "Clinic A", "100", "101", "other value")]
    assert "values.csv: 2 of 3 values are of other data, times or units than the question's, and left out" in notes


@pytest.mark.parametrize("sides", [("values.csv", "sandbox"), ("sandbox", "values.csv")])
async def test_two_values_for_a_cell_are_a_difference(s: Session, sides: tuple[str, str]):
    write(ALL + "Stock,202501,Clinic A,99\n")
    ((*_, left, right, how),) = await compared(s, *sides, **ASKED)
    assert (how, {left, right}) == ("two values", {"100 and 99", "100"})
    write(ALL + "Stock,202501,Clinic A,100\n")
    assert await compared(s, *sides, **ASKED) == []


async def test_a_row_that_cannot_be_read_stops_nothing_and_is_no_silence(s: Session):
    write(ALL.replace("Temperature,202501,Clinic B,25", "Temperature,202501,Clinic Z,25"))
    found = await compared(s, "values.csv", **ASKED)
    assert found[0] == ("Temperature", "Clinic B", None, "25", "only right")
    assert found[1][2:4] == ("25", None)
    assert str(found[1][4]).startswith("values.csv row 4: there is no organisation unit with the UID, code or name")


async def test_a_sheet_is_read_as_push_reads_it(s: Session):
    """The same options; what no column says, the question's only period or data element says."""
    rows: list[list[object]] = [["Health report"], [], ["Facility", "Value"], ["Clinic A", 100]]
    sheet = str(workbook(rows))
    asked = {**ASKED, "data_element": ["Stock"]}
    assert await compared(s, sheet, header_row=3, **asked) == []
    write("Facility;date;Value\nClinic A;2025-01-31;100,0\n")
    assert await compared(s, "values.csv", decimal=",", by_date=True, **asked) == []


@pytest.mark.parametrize(("version", "differences"), [("2.42", 0), ("2.43", 1)])
async def test_a_zero_that_a_server_does_not_keep_is_no_difference(nation_home: Path, version: str, differences: int):
    open_store(nation_home / "data" / "sandbox.db", version=version).close()
    s = Session("sandbox")
    write("dataElement,period,orgUnit,categoryOptionCombo,value\nVisits,202506,Clinic C,Male,0\n")
    asked = {**ASKED, "data_element": ["Visits"], "period": ["202506"]}
    for sides in (("values.csv", "sandbox"), ("sandbox", "values.csv")):
        assert len(await compared(s, *sides, **asked)) == differences
    await do(s, "data aggregate push", file=Path("values.csv"))
    assert await compared(s, "values.csv", **asked) == []
    await s.aclose()
