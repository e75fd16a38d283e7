"""What a sheet shows and what it holds: merged values, struck-out ones, years, numbers that are shown as others, thousands."""

import datetime as dt
from pathlib import Path

import pytest

from dhis2sh.errors import PartlyDone, Refused
from dhis2sh.rows.number_formats import format_of
from dhis2sh.session import Session
from tests.data.sheets import refused, workbook
from tests.data.test_aggregate import values, write
from tests.metadata.calls import do, planned


async def test_a_value_in_merged_cells_is_nobodys(s: Session):
    """It was sent for the first of the facilities or months, and the others were missing without a word."""
    rows: list[list[object]] = [
        ["Facility", "202501", "202502", "202503"], ["Clinic A", 1, 2, 3], ["Clinic B", 4, 5, 6], ["Clinic C", 7, 8, 9],
    ]  # fmt: skip
    sheet = workbook(rows, blocks=[(1, 1, 2, 1, "100"), (3, 1, 3, 3, "300")])
    with pytest.raises(PartlyDone):
        await do(s, "data aggregate push", file=sheet, data_element="Stock", rejected=Path("mend.csv"))
    told = Path("mend.csv").read_text("utf-8")
    for cells in ("B2:B3", "B4:D4"):
        assert f"one value in the merged cells {cells}, for all of them" in told
    found = await values(s, period=["2025"])
    assert found["Stock", "default", "Clinic A", "202502"] == "2"
    assert ("Stock", "default", "Clinic C", "202501") not in found


async def test_a_value_in_merged_cells_of_a_long_sheet(s: Session):
    rows: list[list[object]] = [
        ["Facility", "Period", "Data element", "Value"], ["Clinic A", "202503", "Stock", 1], ["Clinic B", "202503", "Stock"],
    ]  # fmt: skip
    sheet = workbook(rows, blocks=[(1, 3, 2, 3, "100")])
    assert "column D: one value in the merged cells D2:D3" in await refused(s, sheet)


def styled(cells: list[tuple[object, str | dict[str, object]]], header: str = "Stock") -> Path:
    """A sheet of one month with a value and its format in each row; the units are the clinics in turn."""
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook("styled.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["Facility", header])
    for at, (value, how) in enumerate(cells):
        sheet.write(at + 1, 0, f"Clinic {'ABC'[at % 3]}")
        sheet.write_number(at + 1, 1, value, book.add_format({"num_format": how} if isinstance(how, str) else how))
    book.close()
    return Path("styled.xlsx")


async def test_numbers_that_are_shown_as_others_are_said(s: Session):
    sheet = styled([(12345, "0,"), (5, '"n/a"'), (12, '0"00"')])
    notes = (await planned(s, "data aggregate push", file=sheet, period="202503")).notes
    for cell, code in (("B2", "0,"), ("B3", '"n/a"'), ("B4", '0"00"')):
        assert (
            f"1 number is shown otherwise than it is stored, by the format '{code}', and read as stored: {cell}"
            in notes
        )


async def test_struck_out_values_are_said(s: Session):
    sheet = styled([(1, {}), (2, {"font_strikeout": True}), (3, {})])
    notes = (await planned(s, "data aggregate push", file=sheet, period="202503")).notes
    assert "1 cell struck out and read all the same: B3" in notes


@pytest.mark.parametrize(("code", "number", "another"), [
    ("0,", 1, True), ('0.0,,"M"', 1, True), ('"n/a"', 1, True), ('0"00"', 1, True), (";;;", 1, True), ("0;-0;;@", 0, True),
    ("0;-0;;@", 4, False), ("#,##0", 1, False), ("0.00", 1, False), ("General", 1, False), ('0" cases"', 1, False),
    ('_(* #,##0_);_(* (#,##0);_(* "-"_);_(@_)', 0, False), ("@", 1, False), ("[Red]0", 1, False), ("[>99]0,;0", 1, False),
    (r"0\0", 1, True), ("#,##0 _€", 1, False), ("[$-409]#,##0", 1, False),
])  # fmt: skip
def test_formats_that_show_another_number(code: str, number: float, another: bool):
    assert format_of(164, code).shows_another(number) is another


async def test_a_day_that_is_shown_as_a_year_is_no_january(s: Session):
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook("year.xlsx")
    sheet, year = book.add_worksheet(), book.add_format({"num_format": "yyyy"})
    sheet.write_row(0, 0, ["Facility", "Period", "Stock"])
    sheet.write(1, 0, "Clinic A")
    sheet.write_datetime(1, 1, dt.datetime(2025, 1, 1), year)
    sheet.write(1, 2, 5)
    book.close()
    assert "is reported Monthly, and 2025 is Yearly" in await refused(s, Path("year.xlsx"))


async def test_points_may_part_thousands_where_semicolons_part_cells(s: Session):
    text = "Facility;Period;Stock\nClinic B;202503;1.500\nClinic C;202503;2.250\n"
    assert "'1.500' may be a thousand times as much" in await refused(s, write(text))
    assert [step.detail for step in (await planned(s, "data aggregate push", file=write(text), decimal=".")).steps] == [
        "1.500", "2.250",
    ]  # fmt: skip
    plan = await planned(s, "data aggregate push", file=write(f"{text}Clinic A;202503;7.5\n"))
    assert plan.blocked is None and "refused" not in plan.title
    plan = await planned(s, "data aggregate push", file=write(text.replace(";", ",")))
    assert plan.blocked is None
    with pytest.raises(Refused, match=r"'1\.500' may be"):
        await do(s, "data aggregate push", file=write(text), decimal=",")
