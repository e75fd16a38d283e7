"""Headers, titles and periods as people write them: read as they are meant, or asked about."""

import csv
import datetime as dt
from pathlib import Path

import pytest

from dhis2sh.errors import NotFound, PartlyDone, Refused, UsageError
from dhis2sh.rows.rows import to_json
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.verbs import periods
from tests.data.sheets import refused, workbook
from tests.data.test_aggregate import values, write
from tests.metadata.calls import call, do, planned


async def test_a_merged_header(s: Session):
    """A merged cell names one column, and the values of the others stand below nothing."""
    sheet = workbook([["orgUnit", "202501", ""], ["Clinic A", 1, 2]], merged="B1:C1")
    assert "row 2: '2' stands in a column without a name" in await refused(s, sheet, data_element="Stock")


async def test_a_workbook_of_several_sheets(s: Session):
    book = workbook([["orgUnit", "202501"], ["Clinic C", 1]], sheets=2)
    with pytest.raises(UsageError, match="2 sheets with rows, and one is read") as caught:
        await do(s, "data aggregate push", file=book, data_element="Stock")
    assert caught.value.hint == "--sheet 'Sheet1'"
    with pytest.raises(UsageError, match="has no sheet 'March'") as caught:
        await do(s, "data aggregate push", file=book, data_element="Stock", sheet="March")
    assert caught.value.hint == "it has Sheet1, Sheet2"
    await do(s, "data aggregate push", file=book, data_element="Stock", sheet="sheet2")
    assert (await values(s))["Stock", "default", "Clinic C", "202501"] == "1"


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
async def test_titles_above_the_header(s: Session, ending: str):
    rows: list[list[object]] = [
        ["Ministry of Health"], ["Return of January, by clinic"], [], ["Facility", "Stock"], ["Clinic C", 4], ["Clinic B", "x"],
    ]  # fmt: skip
    lines = [",".join(f'"{cell}"' for cell in row) for row in rows]
    file = workbook(rows) if ending == "xlsx" else write("\n".join(lines) + "\n")
    if ending == "xlsx":
        with pytest.raises(UsageError, match="without a name") as caught:
            await do(s, "data aggregate push", file=file, period="202501")
        assert "--header-row" in str(caught.value.hint)
    with pytest.raises(PartlyDone, match="row 6"):
        await do(s, "data aggregate push", file=file, period="202501", header_row=4)
    assert (await values(s))["Stock", "default", "Clinic C", "202501"] == "4"


async def test_what_has_no_sheets_and_no_header(s: Session):
    for name, more, why in (
        ("v.csv", {"sheet": "June"}, "has no sheets"), ("v.json", {"header_row": 2}, "has no header"),
        ("v.xml", {"header_row": 2}, "neither sheets nor a header"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=why):
            await do(s, "data aggregate push", file=write("<dataValueSet/>", name), **more)


async def test_rows_are_counted_as_the_sheet_shows_them(s: Session):
    with pytest.raises(PartlyDone, match=r"row 4"):
        await do(
            s,
            "data aggregate push",
            file=write("dataElement,period,orgUnit,value\nStock,202502,Clinic A,1\n,,,\nStock,202502,Clinic B,x\n"),
        )
    sheet = workbook([["dataElement", "period", "orgUnit", "value"], [], ["Stock", "202502", "Clinic B", "x"]])
    with pytest.raises(Refused, match="first: row 3"):
        await do(s, "data aggregate push", file=sheet)


async def test_columns_that_are_not_read_are_named_and_kept_with_refused_rows(s: Session):
    """A long sheet has room for more than values; what was passed over is said, and nobody's remarks are lost."""
    sheet = write(
        "District,Facility,Data element,Period,Value,Remarks\n"
        "North,Clinic A,Stock,202502,x,checked\nNorth,Clinic B,Stock,202502,1,first\nNorth,Clinic B,Stock,202502,2,then\n"
    )
    Path("mend.csv").write_text("mine")
    plan = await planned(s, "data aggregate push", file=sheet, rejected=Path("mend.csv"))
    assert Path("mend.csv").read_text() == "mine"
    with pytest.raises(Refused, match="none of the 3 rows"):
        await do(s, "data aggregate push", file=sheet, rejected=Path("mend.csv"))
    assert "columns not read: Remarks" in plan.notes
    assert "held against where the units lie: District" in plan.notes
    rows = list(csv.DictReader(Path("mend.csv").read_text("utf-8").splitlines()))
    assert [(row["District"], row["Remarks"]) for row in rows] == [
        ("North", "checked"), ("North", "first"), ("North", "then"),
    ]  # fmt: skip
    again = await planned(s, "data aggregate push", file=Path("mend.csv"), rejected=Path("more.csv"))
    assert "columns not read: Remarks" in again.notes


async def test_a_column_of_categories_is_one_of_option_combinations(s: Session):
    await do(
        s, "data aggregate push",
        file=write("Facility,Data element,Category,Month,Value\nClinic C,Visits,Male,202501,8\n"),
    )  # fmt: skip
    assert (await values(s))["Visits", "Male", "Clinic C", "202501"] == "8"


async def test_months_that_a_spreadsheet_keeps_as_days(s: Session):
    """`Jan-25` is the first of January to a spreadsheet; beside it a month may stand as text."""
    day = dt.date(2025, 1, 1)
    sheet = workbook([["Facility", day, dt.date(2025, 2, 1), "Mar-25"], ["Clinic A", 1, 2, 3]])
    plan = await planned(s, "data aggregate push", file=sheet, data_element="Stock")
    assert any(note.startswith("days that begin a month are read as the month") for note in plan.notes)
    await do(s, "data aggregate push", file=sheet, data_element="Stock")
    found = await values(s, period=["2025"])
    assert [found["Stock", "default", "Clinic A", f"20250{month}"] for month in (1, 2, 3)] == ["1", "2", "3"]
    head = ["Facility", "Data element", "Month", "Value"]
    await do(
        s,
        "data aggregate push",
        file=workbook([head, ["Clinic B", "Stock", day, 6], ["Clinic B", "Stock", "Feb-25", 8]]),
    )
    long = workbook([head, ["Clinic C", "Stock", day, 7]])
    await do(s, "data aggregate push", file=long)
    assert (await values(s))["Stock", "default", "Clinic C", "202501"] == "7"


@pytest.mark.parametrize(
    "header", ["Health facility", "Facility name", "Health unit", "Site", "Facility", "Organisation unit", "OU"]
)
async def test_what_people_call_the_column_of_units(s: Session, header: str):
    await do(s, "data aggregate push", file=write(f"{header},202501\nClinic C,3\n"), data_element="Stock")
    assert (await values(s))["Stock", "default", "Clinic C", "202501"] == "3"


async def test_a_header_that_is_not_understood_is_named_with_those_that_are(s: Session):
    with pytest.raises(UsageError, match="not understood are Wherever, 202501") as caught:
        await do(s, "data aggregate push", file=write("Wherever,202501\nClinic C,3\n"), data_element="Stock")
    assert "'Health facility'" in str(caught.value.hint)


@pytest.mark.parametrize(("header", "cell", "period"), [
    ("Month,Year", "2,2025", "202502"), ("Month,Year", "Feb,2025", "202502"), ("Month,Year", "February,2025", "202502"),
    ("Month,Year", "Feb-25,2025", "202502"), ("Period,Year", "202502,2025", "202502"),
    ("Month,Year", "Jan-26,2025", "'Jan-26 in 2025' is not a period"), ("Month,Year", "13,2025", "is not a period"),
    ("Quarter,Year", "Q1,2025", "2025Q1 is Quarterly"), ("Week,Year", "5,2025", "2025W5 is Weekly"),
    ("Year,Remark", "2025,x", "2025 is Yearly"),
])  # fmt: skip
async def test_a_column_of_years_beside_what_is_in_them(s: Session, header: str, cell: str, period: str):
    sheet = write(f"Facility,Data element,{header},Value\nClinic C,Stock,{cell},3\n")
    if not period.isdigit():
        assert period in await refused(s, sheet)
        return
    await do(s, "data aggregate push", file=sheet)
    assert (await values(s, period=["2025"]))["Stock", "default", "Clinic C", period] == "3"


@pytest.mark.parametrize(
    "month",
    ["2025/02", "2025/2", "02-2025", "2-2025", "2025 Feb", "2025-February", "2025M02", "2025M2", "02.2025"],
)
async def test_months_as_people_write_them(s: Session, month: str):
    sheet = write(f"Facility,Data element,Month,Value\nClinic C,Stock,{month},3\n")
    await do(s, "data aggregate push", file=sheet)
    assert (await values(s, period=["2025"]))["Stock", "default", "Clinic C", "202502"] == "3"
    set_ = {"element": "Stock", "period": month, "org_unit": "Clinic C", "value": "5"}
    await do(s, "data aggregate set", **set_)
    assert (await values(s, period=["2025"]))["Stock", "default", "Clinic C", "202502"] == "5"


@pytest.mark.parametrize("verb", ["data completeness", "data review", "data history", "data validate", "data outliers"])
async def test_one_reading_of_periods_everywhere(s: Session, verb: str):
    """What one verb takes for a period every verb takes."""
    where = {"org_unit": ["Nation"]}
    arguments: dict[str, dict[str, object]] = {
        "data completeness": {"data_set": "Monthly", **where},
        "data review": {"data_set": "Monthly", **where},
        "data history": {"element": "Visits", "org_unit": "Clinic A"},
        "data validate": where,
        "data outliers": {"data_set": ["Monthly"], **where},
    }
    many = verb not in {"data review", "data history"}
    told: list[object] = []
    for text in ("202501", "January 2025", "2025/01", "Jan-25"):
        try:
            told.append(to_json(await rows_of(await call(s, verb, **arguments[verb], period=[text] if many else text))))
        except NotFound as none:
            told.append(str(none))
    assert told[1:] == told[:1] * 3


async def test_the_period_of_all_rows_is_read_so_too(s: Session):
    sheet = write("dataElement,orgUnit,value\nStock,Clinic A,9\n")
    for text in ("March 2025", "202503", "2025-03-01"):
        plan = await planned(s, "data aggregate push", file=sheet, period=text)
        assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202503"], text
    with pytest.raises(UsageError, match="'LAST_12_MONTHS' is 12 periods"):
        await planned(s, "data aggregate push", file=sheet, period="LAST_12_MONTHS")


async def rows_of(found: object) -> object:
    return await found.collect() if isinstance(found, Stream) else found


async def test_a_financial_year_is_the_servers(s: Session):
    await s.client.post("systemSettings", {"analyticsFinancialYearStart": "FINANCIAL_YEAR_APRIL"})
    [period] = await periods.meant(s, "LAST_FINANCIAL_YEAR")
    assert period.start.month == 4


async def test_a_text_far_below_numbers_is_not_lost(s: Session):
    """A column is what all of its rows hold, not the first thousand."""
    rows: list[list[object]] = [["orgUnit", "dataElement", "period", "value"]]
    rows += [["Clinic A", "Stock", "202502", 1]] * 1_100
    plan = await planned(s, "data aggregate push", file=workbook([*rows, ["Clinic B", "Stock", "202502", "twelve"]]))
    assert "this is 'twelve'" in "; ".join(plan.notes)


async def test_two_header_lines_are_said_to_be_two(s: Session):
    """What is advised leads on: the line that names the columns, and then to make one of two."""
    sheet = workbook([
        ["Return of June"], ["Facility", "Stock", "", "Visits"], ["", "Old", "New", "Male"], ["Clinic A", 1, 2, 3],
    ])  # fmt: skip
    for line, advice in ((None, "--header-row 2"), (2, "of two header lines"), (3, "of two header lines")):
        with pytest.raises(UsageError) as caught:
            await planned(
                s, "data aggregate push", file=sheet, period="202502", **({"header_row": line} if line else {})
            )
        assert advice in str(caught.value.hint)
        assert line is None or "--header-row" not in str(caught.value.hint)
    with pytest.raises(UsageError, match="names Old more than once") as caught:
        await planned(s, "data aggregate push", file=workbook([["Facility", "Old", "Old"], ["Clinic A", 1, 2]]))
    assert "of two header lines" in str(caught.value.hint)


async def test_a_unit_in_the_first_row_of_merged_cells_is_asked_to_be_filled_down(s: Session):
    sheet = write("Facility,Data element,Month,Value\nClinic A,Stock,202502,1\n,Temperature,202502,2\n")
    plan = await planned(s, "data aggregate push", file=sheet)
    assert "no organisation unit, as below merged cells" in "; ".join(plan.notes)
    assert "(--fill-down 'Facility')" in "; ".join(plan.notes)
    plan = await planned(s, "data aggregate push", file=sheet, fill_down=["facility"])
    assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202502", "Temperature, Clinic A, 202502"]
    assert "filled down: facility" in plan.notes


@pytest.mark.parametrize("blank", [",,", "", " "])
async def test_what_is_filled_down_ends_with_a_blank_line_and_holds_no_values(s: Session, blank: str):
    sheet = write(f"Facility,Month,Stock\nClinic A,202502,1\n,202503,2\n{blank}\n,202501,3\n")
    plan = await planned(s, "data aggregate push", file=sheet, fill_down=["Facility"])
    assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202502", "Stock, Clinic A, 202503"]
    assert "(first: row 5): no organisation unit" in "; ".join(plan.notes)
    with pytest.raises(UsageError, match="'Stock' holds values"):
        await planned(s, "data aggregate push", file=sheet, fill_down=["Facility", "Stock"])
    with pytest.raises(UsageError, match="no column 'Site' to fill down") as caught:
        await planned(s, "data aggregate push", file=sheet, fill_down=["Site"])
    assert caught.value.hint == "there are Facility, Month, Stock"


@pytest.mark.parametrize("left", [0, 2])
async def test_merged_cells_of_a_workbook_are_filled_within_and_nowhere_else(s: Session, left: int):
    """Two months of Clinic A are merged; below them a unit is missing. Nothing stands left of the table, or two columns."""
    sheet = workbook([
        ["Facility", "Month", "Stock"], ["Clinic A", "202501", 1], ["", "202502", 2], ["", "202503", 3],
    ], blocks=[(1, 0, 2, 0, "Clinic A")], left=left)  # fmt: skip
    plan = await planned(s, "data aggregate push", file=sheet, fill_down=["Facility"])
    assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202501", "Stock, Clinic A, 202502"]
    assert "(first: row 4): no organisation unit" in "; ".join(plan.notes)


async def test_row_numbers_and_totals_of_a_wide_sheet_are_said_once(s: Session):
    """A word for each column, so that what is wrong with a row is seen; one whose data element is misspelt is refused."""
    sheet = write("S/N,Facility,Stock,Stcok,Total\n1,Clinic A,1,5,6\n2,Clinic B,x,5,6\n")
    plan = await planned(s, "data aggregate push", file=sheet, period="202502")
    assert "columns not read: S/N, Total" in plan.notes
    assert plan.title.endswith("3 of 4 rows refused")
    assert "no data element with the UID, code or name 'Stcok'" in "; ".join(plan.notes)


@pytest.mark.parametrize("header", ["Jan,Feb,Mar", "January,february,Sept.", "Q1,Q2", "Week 1,W2"])
async def test_months_without_a_year_are_no_data_elements(s: Session, header: str):
    sheet = write(f"Facility,{header}\nClinic A{',1' * len(header.split(','))}\n")
    with pytest.raises(UsageError, match="a period without a year") as caught:
        await planned(s, "data aggregate push", file=sheet)
    assert caught.value.hint == "write the year into the header, such as Jan-25 or 2025Q1"


async def test_a_day_stands_for_its_month_where_it_is_said_to(s: Session):
    sheet = write("dataElement,period,orgUnit,value\nStock,2025-02-28,Clinic A,1\nStock,20250103,Clinic B,2\n")
    assert "its month is 202502, which --by-date takes" in await refused(s, sheet)
    plan = await planned(s, "data aggregate push", file=sheet, by_date=True)
    assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202502", "Stock, Clinic B, 202501"]
    assert "days are read as the periods that they lie in" in plan.notes


async def test_a_total_beside_months_is_named_and_not_read(s: Session):
    sheet = write("S/N,Facility,Data element,Jan-25,Feb-25,Mar 2025,Total\n1,Clinic A,Stock,1,2,3,6\n")
    plan = await planned(s, "data aggregate push", file=sheet)
    assert "columns not read: S/N, Total" in plan.notes
    assert (await do(s, "data aggregate push", file=sheet)).failures == []


async def test_refused_rows_are_counted_and_not_their_reasons(s: Session):
    lines = [f"Stock,202502,Clinic A,{word}" for word in ("x", "y", "x", "x")]
    sheet = write("dataElement,period,orgUnit,value\nTemperature,202502,Clinic B,7\n" + "\n".join(lines) + "\n")
    with pytest.raises(PartlyDone, match=r"; 4 refused: row 3: .* .3 rows. .and 1 more reason.$") as caught:
        await do(s, "data aggregate push", file=sheet)
    assert sum(row["rows"] for row in caught.value.summary.failures) == 4  # type: ignore[attr-defined]


async def test_a_cell_of_a_workbook_keeps_its_own_type_among_numbers(s: Session):
    """TRUE among numbers is no 1, and what a formula could not work out is no empty cell."""
    head = ["Facility", "Stock"]
    plan = await planned(
        s, "data aggregate push", file=workbook([head, ["Clinic A", 1], ["Clinic B", True]]), period="202502"
    )
    assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202502"]
    assert "(first: row 3): 'Stock' wants a number such as 12 or -3.5, and this is 'true'" in "; ".join(plan.notes)
    sheet = workbook([head, ["Clinic A", 1], ["Clinic B", "=1/0"], ["Clinic C", "=1/0"]])
    plan = await planned(s, "data aggregate push", file=sheet, period="202502")
    assert "(first: row 3): column B: a formula without a result" in "; ".join(plan.notes)


@pytest.mark.parametrize("value", ["#REF!", "#N/A", "#DIV/0!"])
async def test_the_error_of_a_formula_is_no_text_either(s: Session, value: str):
    assert f"the value is '{value}'" in await refused(
        s, write(f"dataElement,period,orgUnit,value\nColour,202502,Clinic A,{value}\n")
    )


@pytest.mark.parametrize(
    "word", ["Total", "SUB-TOTAL", "Grand total:", "Sum", "Somme", "Total général", "Bo total", "Total Bo"]
)
async def test_a_total_is_not_filled_down(s: Session, word: str):
    """Nor is a row below it, which may be under one merged cell with it."""
    sheet = write(
        f"S/N,Facility,Month,Stock\n1,Clinic A,202501,1\n,,202502,2\n{word},,202503,3\n,,202504,4\n2,Clinic B,202503,5\n"
    )
    plan = await planned(s, "data aggregate push", file=sheet, fill_down=["Facility"])
    assert [step.name.split(", ")[1:] for step in plan.steps] == [
        ["Clinic A", "202501"], ["Clinic A", "202502"], ["Clinic B", "202503"],
    ]  # fmt: skip
    assert "2 rows (first: row 4): no organisation unit, which is not filled down into a total" in "; ".join(plan.notes)


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
async def test_a_total_within_a_block_is_not_filled_and_ends_nothing(s: Session, ending: str):
    """A comment says that one row is a total; the block goes on below it, and a comment that speaks of totals is none."""
    rows: list[list[object]] = [
        ["Facility", "Month", "Stock", "Comment"], ["Clinic A", "202501", 1, "total was not given"],
        ["", "202502", 2, "Sub-total"], ["", "202503", 3, ""],
    ]  # fmt: skip
    csv = "\n".join(",".join(map(str, row)) for row in rows)
    sheet = workbook(rows, blocks=[(1, 0, 3, 0, "Clinic A")]) if ending == "xlsx" else write(csv)
    plan = await planned(s, "data aggregate push", file=sheet, fill_down=["Facility"])
    assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202501", "Stock, Clinic A, 202503"]


async def test_days_as_people_write_them_stand_for_their_month_where_they_can_be_read_in_one_way(s: Session):
    sheet = write(
        "dataElement,period,orgUnit,value\nStock,31/12/2024,Clinic A,1\nStock,31-Jan-2025,Clinic B,2\nStock,05/02/2025,Clinic C,3\n"
    )
    told = "; ".join(
        [*(await planned(s, "data aggregate push", file=sheet, by_date=True)).notes, await refused(s, sheet)]
    )
    assert (
        "'05/02/2025' may be 5 February 2025 (2025-02-05) or 2 May 2025 (2025-05-02): write the one that is meant"
        in told
    )
    assert "20241231 is Daily: its month is 202412, which --by-date takes" in told
    plan = await planned(s, "data aggregate push", file=sheet, by_date=True)
    assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202412", "Stock, Clinic B, 202501"]


WIDE = "Facility,Data element,{},202501,202502\nClinic A,Visits,Male,1,2\nClinic A,Visits,Female,3,4\n,,Total,4,6\n"


@pytest.mark.parametrize(
    "sheet",
    [
        WIDE,
        "Facility,{},Visits\nClinic A,Male,1\nClinic B,Female,2\n",
        "orgUnit,{},dataElement,value\nClinic A,Male,Visits,1\n",
    ],
)
async def test_a_column_of_option_combinations_is_told_what_to_be_called(s: Session, sheet: str):
    with pytest.raises(UsageError, match=r"the cells of 'Who' are category option combinations .'Male'.") as caught:
        await planned(
            s, "data aggregate push", file=write(sheet.format("Who")), period=None if sheet == WIDE else "202502"
        )
    assert caught.value.hint == "call the column 'Who' 'Category option combo'"


async def test_a_column_that_is_called_as_a_category_has_its_options(s: Session):
    plan = await planned(s, "data aggregate push", file=write(WIDE.format("Sex")))
    assert [step.name for step in plan.steps] == [
        f"Visits, {sex}, Clinic A, {month}" for sex in ("Male", "Female") for month in ("202501", "202502")
    ]
    wide = write("Facility,Sex,Visits\nClinic A,Male,1\nClinic B,Femail,2\n")
    plan = await planned(s, "data aggregate push", file=wide, period="202502")
    assert [step.name for step in plan.steps] == ["Visits, Male, Clinic A, 202502"]
    assert "there is no category option combination 'Sex=Femail'" in "; ".join(plan.notes)


async def test_remarks_in_a_wide_sheet_are_not_read_and_texts_of_an_element_are(s: Session):
    sheet = write("Facility,Colour,Remarks\nClinic A,RED,all well\n")
    plan = await planned(s, "data aggregate push", file=sheet, period="202502")
    assert [step.name for step in plan.steps] == ["Colour, Clinic A, 202502"]
    assert "columns not read: Remarks" in plan.notes


async def test_decimal_commas_are_read_where_somebody_says_so(s: Session):
    """A count may be written 3,0; what may be a thousand times as much is refused, and so is another mark."""
    cells = ["12,5", "3,0", "-0,25", "1.234,5", "1 234,75", "1,234", "1.234", "12.5", "7", "1,2,3"]
    lines = [f"Temperature;{202301 + at};Clinic A;{cell}" for at, cell in enumerate(cells)]
    sheet = write("dataElement;period;orgUnit;value\n" + "\n".join(lines) + "\n")
    plan = await planned(s, "data aggregate push", file=sheet, decimal=",")
    assert [step.detail for step in plan.steps] == ["12.5", "3", "-0.25", "1234.5", "1234.75", "7"]
    told = "; ".join(plan.notes)
    assert "'1,234' may be 1.234 or 1234: write 1,2340 or 1234" in told
    assert "'1.234' may be 1.234 or 1234: write 1,2340 or 1234" in told
    assert "'12.5' has a decimal point, and --decimal says" in told
    assert "this is '1,2,3'" in told
    told = "; ".join((await planned(s, "data aggregate push", file=sheet)).notes)
    assert "'12,5': write 12.5, if that is a decimal comma" in told
