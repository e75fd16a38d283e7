"""What people's sheets hold besides values: each is read as it is meant, or refused with the row and the reason."""

import csv
import datetime as dt
import errno
from pathlib import Path

import pytest

from dhis2sh.client.messages import WebMessage
from dhis2sh.data import jobs
from dhis2sh.data.checking import nearest
from dhis2sh.data.sending import refusals
from dhis2sh.errors import Dhis2Error, NotFound, PartlyDone, Refused, UsageError
from dhis2sh.rows.rows import to_json
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs import periods
from tests.data.test_aggregate import values, write
from tests.metadata.calls import call, do, planned
from tests.sandbox.nation import MALE


def workbook(rows: list[list[object]], sheets: int = 1, merged: str | None = None) -> Path:
    """A workbook as a person makes it."""
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook("sheet.xlsx", {"default_date_format": "mmm yy"})
    for _ in range(sheets):
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        if merged is not None:
            sheet.merge_range(merged, rows[0][1])
    book.close()
    return Path("sheet.xlsx")


async def refused(s: Session, sheet: Path, **more: object) -> str:
    """The reasons of a load of which nothing is sent."""
    with pytest.raises((Refused, UsageError)) as caught:
        await do(s, "data aggregate push", file=sheet, rejected=Path("mend.csv"), **more)
    return str(caught.value)


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


async def test_a_row_and_a_column_of_totals(s: Session):
    sheet = write("orgUnit,Stock,Temperature,Total\nClinic B,1,2,3\nTotal,1,2,3\n")
    with pytest.raises(PartlyDone) as caught:
        await do(s, "data aggregate push", file=sheet, period="202502", rejected=Path("mend.csv"))
    assert "there is no organisation unit with the UID, code or name 'Total'" in str(caught.value)
    plan = await planned(s, "data aggregate push", file=sheet, period="202502")
    assert "columns not read: Total" in plan.notes
    found = await values(s, period=["202502"])
    assert found["Stock", "default", "Clinic B", "202502"] == "1"
    assert "there is no organisation unit with the UID, code or name 'Total'" in Path("mend.csv").read_text()


async def test_a_total_at_a_unit_that_does_not_report(s: Session):
    assert "'North' is not assigned" in await refused(s, write("orgUnit,202502\nNorth,7\n"), data_element="Stock")


async def test_units_of_one_name(s: Session):
    body = {
        "id": "ouClinicA02",
        "name": "Clinic A",
        "shortName": "A2",
        "openingDate": "2000-01-01",
        "parent": {"id": "ouSouth0001"},
    }
    await s.client.post("organisationUnits", body)
    said = await refused(s, write("orgUnit,202502\nClinic A,7\n"), data_element="Stock")
    assert "'Clinic A' is ambiguous" in said and "ouClinicA01" in said and "ouClinicA02" in said


@pytest.mark.parametrize(("cell", "why"), [
    ("12,5", "such as 12 or -3.5, and this is '12,5': write 12.5, if that"), ("12,0", "this is '12,0': write 12"), ("nil", "write 0 if it is zero"), ("1 234", "wants a number"), ("12%", "wants a number"),
    ("n/a", "wants a number"), ("=A1", "wants a number"), ("1e400", "wants a number"), ("12 cases", "wants a number"),
])  # fmt: skip
async def test_what_is_no_number(s: Session, cell: str, why: str):
    said = await refused(s, write(f"dataElement;period;orgUnit;value\nTemperature;202502;Clinic A;{cell}\n"))
    assert why in said


@pytest.mark.parametrize(("period", "why"), [
    ("31/12/2025", "'31/12/2025' is not a period"), ("2025-13", "is not a period"), ("December", "is not a period"),
    ("20251231", "20251231 is Daily: its month is 202512"), ("2025-12-02", "20251202 is Daily: its month is 202512"),
    ("2025", "reported Monthly, and 2025 is Yearly"),
])  # fmt: skip
async def test_what_is_no_period_of_the_element(s: Session, period: str, why: str):
    said = await refused(s, write(f"dataElement,period,orgUnit,value\nStock,{period},Clinic A,1\n"))
    assert why in said


async def test_counts_below_zero_are_sent_and_said(s: Session):
    """A number may be below zero; of a count it is a slip of the hand, which nobody but a person can tell."""
    plan = await planned(
        s,
        "data aggregate push",
        file=write("dataElement,period,orgUnit,value\nTemperature,202502,Clinic A,-5\nStock,202502,Clinic A,-0\n"),
    )
    assert "1 value below zero, which counts are not (first: row 2)" in plan.notes


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


async def test_an_attribute_option_combination_of_others(s: Session):
    said = await refused(
        s, write(f"dataElement,period,orgUnit,attributeOptionCombo,value\nStock,202502,Clinic A,{MALE},1\n")
    )
    assert f"'{MALE}' is no attribute option combination of 'Monthly'" in said


async def _close_february(s: Session) -> None:
    """Nobody may report February 2025 any more."""
    closed = {
        "period": {"id": "202502"},
        "openingDate": "2020-01-01T00:00:00.000",
        "closingDate": "2020-02-01T00:00:00.000",
    }
    changes = [("/shortName", "Monthly"), ("/dataInputPeriods", [closed])]
    await s.client.patch(
        "dataSets/dsMonthly01", [{"op": "add", "path": path, "value": value} for path, value in changes]
    )


async def test_a_period_that_is_not_open(s: Session):
    """What only the server knows is said before anything is sent, with the server's code."""
    await _close_february(s)
    sheet = write("dataElement,period,orgUnit,value\nStock,202502,Clinic A,1\n")
    plan = await planned(s, "data aggregate push", file=sheet)
    assert any(note.startswith("the server will refuse row 2: E7643 Period") for note in plan.notes)
    with pytest.raises(Refused, match="E7643"):
        await do(s, "data aggregate push", file=sheet)


async def test_a_full_disk(s: Session, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(jobs.Path, "write_bytes", full)
    with pytest.raises(Dhis2Error, match=r"the job cannot be kept in .*: No space left on device") as caught:
        await do(s, "data aggregate push", file=write("dataElement,period,orgUnit,value\nStock,202502,Clinic A,1\n"))
    assert caught.value.hint == "make room on the disk"


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


@pytest.mark.parametrize(
    ("sheet", "more"),
    [
        (
            "District,Facility,Data element,Period,Value\n{},Clinic A,Stock,202502,4\nNorth,Clinic B,Stock,202502,5\n",
            {},
        ),
        ("District,Facility,202502\n{},Clinic A,4\nNorth,Clinic B,5\n", {"data_element": "Stock"}),
        ("District,Facility,Stock\n{},Clinic A,4\nNorth,Clinic B,5\n", {"period": "202502"}),
        ("Level_District_name,Facility,Stock\n{},Clinic A,4\nNorth,Clinic B,5\n", None),
    ],
)
async def test_a_district_that_contradicts_its_facility_is_refused(s: Session, sheet: str, more: dict | None):
    """Whoever wrote South beside Clinic A meant another unit, or another row: nobody knows which."""
    if more is None:  # the server's own word for a level
        sheet, more = sheet.replace("Level_District_name", "Cercle"), {"period": "202502"}
        await s.client.post(
            "metadata", {"organisationUnitLevels": [{"id": "oulLevel002", "name": "Cercle", "level": 2}]}
        )
        sheet = "Cercle,Facility,Data element,Value\n{},Clinic A,Stock,4\nNorth,Clinic B,Stock,5\n"
    plan = await planned(s, "data aggregate push", file=write(sheet.format("South")), rejected=Path("mend.csv"), **more)
    header = sheet.partition(",")[0]
    assert f"'Clinic A' does not lie in 'South' ({header}): it lies in Nation / North" in "; ".join(plan.notes)
    assert [step.name for step in plan.steps] == ["Stock, Clinic B, 202502"]
    right = await planned(s, "data aggregate push", file=write(sheet.format("NORTH ")), **more)
    assert len(right.steps) == 2


async def test_a_district_that_is_no_unit_is_said_and_refuses_nothing(s: Session):
    sheet = write("District,Facility,Stock\nFar away,Clinic A,4\n")
    plan = await planned(s, "data aggregate push", file=sheet, period="202502")
    assert len(plan.steps) == 1
    assert "nobody knows whether units lie in 'Far away': no unit is called so" in plan.notes


async def test_a_column_of_categories_is_one_of_option_combinations(s: Session):
    await do(
        s, "data aggregate push",
        file=write("Facility,Data element,Category,Month,Value\nClinic C,Visits,Male,202501,8\n"),
    )  # fmt: skip
    assert (await values(s))["Visits", "Male", "Clinic C", "202501"] == "8"


async def test_what_the_server_refuses_stands_beside_what_was_refused_before(s: Session):
    """One file has both, whoever refused a row."""
    await _close_february(s)
    sheet = write(
        "Facility,Data element,Period,Value,Remarks\nClinic A,Stock,202502,x,one\nClinic B,Stock,202502,1,two\n"
    )
    with pytest.raises(Refused):
        await do(s, "data aggregate push", file=sheet, rejected=Path("mend.csv"))
    rows = list(csv.DictReader(Path("mend.csv").read_text("utf-8").splitlines()))
    assert [row["Remarks"] for row in rows] == ["one", "two"]
    assert "E7643" in rows[1]["reason"]


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


@pytest.mark.parametrize("cell", ["1,234", "1 234", "1'234", "12,345,678"])
async def test_thousands_that_are_parted(s: Session, cell: str):
    sheet = write(f"Facility;Data element;Month;Value\nClinic C;Stock;202502;{cell}\n")
    assert "take out what parts the thousands" in await refused(s, sheet)


@pytest.mark.parametrize(("combo", "meant"), [("Mal", "'Male'"), ("Femal", "'Female'"), ("Male,", "'Male'")])
async def test_an_option_combination_that_is_written_otherwise(s: Session, combo: str, meant: str):
    sheet = write(f"Facility;Data element;Month;Combination;Value\nClinic C;Visits;202502;{combo};3\n")
    assert f"did you mean {meant}?" in await refused(s, sheet)


def test_options_in_another_order_are_what_was_meant():
    names = ["'Fixed, <1y'", "'Fixed, >1y'", "'Outreach, <1y'"]
    for text, meant in (
        ("Fixed <1y", names[0]),
        ("Fixed, > 1y", names[1]),
        ("<1y, Fixed", names[0]),
        ("<1y,outreach", names[2]),
    ):
        assert nearest(text, names) == f"did you mean {meant}?"
    assert nearest("zzz", names) is None


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


async def test_of_two_units_of_one_name_the_district_says_which(s: Session):
    twin = {"id": "ouClinicA02", "name": "Clinic A", "shortName": "A2", "openingDate": "2000-01-01"}
    await s.client.post("metadata", {"organisationUnits": [{**twin, "parent": {"id": "ouSouth0001"}}]})
    await s.client.post("dataSets/dsMonthly01/organisationUnits/ouClinicA02", None)
    rows = "South,Clinic A,4\nNorth,Clinic A,5\n,Clinic A,6\nNation,Clinic A,7\n"
    plan = await planned(
        s, "data aggregate push", file=write(f"District,Facility,202502\n{rows}"), data_element="Stock"
    )
    assert [step.detail for step in plan.steps] == ["4", "5"]
    assert any("2 rows (first: row 4): 'Clinic A' is ambiguous" in note for note in plan.notes)
    with pytest.raises(PartlyDone, match="2 created  2 refused rows"):
        await do(s, "data aggregate push", file=write(f"District,Facility,202502\n{rows}"), data_element="Stock")
    stream = await call(
        s, "data aggregate get", data_element=["Stock"], period=["202502"], org_unit=["Nation"], children=True
    )
    found = {row["orgUnit"]: row["value"] for row in await stream.collect()}
    assert (found["ouClinicA01"], found["ouClinicA02"]) == (5, 4)


async def test_rows_that_the_server_refuses_come_back_with_names(s: Session):
    """Who mends the file knows facilities and elements by name; pushed again it is read by its UIDs."""
    store = s.sandbox_store()
    only = [
        {"period": {"id": "202503"}, "openingDate": "2025-01-01T00:00:00.000", "closingDate": "2099-01-01T00:00:00.000"}
    ]
    store.put_objects({"dataSets": [{**store.get("dataSets", "dsMonthly01"), "dataInputPeriods": only}]})
    rows = "dataElement,period,orgUnit,value\nStock,202503,Clinic A,1\nStock,202501,Clinic B,2\n"
    with pytest.raises(PartlyDone) as caught:
        await do(s, "data aggregate push", file=write(rows), rejected=Path("mend.csv"))
    (row,) = csv.DictReader(Path("mend.csv").read_text("utf-8").splitlines())
    assert (row["orgUnit"], row["orgUnitName"]) == ("ouClinicB01", "Clinic B")
    assert (row["dataElement"], row["dataElementName"]) == ("deStock0001", "Stock")
    assert "E7643" in row["reason"]
    assert "'Monthly' [dsMonthly01]" in row["reason"]
    assert row["reason"] in str(caught.value)
    store.put_objects({"dataSets": [{**store.get("dataSets", "dsMonthly01"), "dataInputPeriods": []}]})
    assert (await do(s, "data aggregate push", file=Path("mend.csv"))).failures == []
    assert (await values(s))["Stock", "default", "Clinic B", "202501"] == "2"


async def test_approved_data_is_refused_in_the_servers_words_with_names_and_says_how_to_go_on(s: Session):
    store = s.sandbox_store()
    store.put_objects({"dataSets": [{**store.get("dataSets", "dsMonthly01"), "workflow": {"id": "dawMonthly1"}}]})
    await do(s, "approval approve", data_set="Monthly", period="202501", org_units=["Clinic A"])
    rows = "dataElement,period,orgUnit,value\nTemperature,202501,Clinic A,31\nTemperature,202501,Clinic B,26\n"
    plan = await planned(s, "data aggregate push", file=write(rows))
    (told,) = [note for note in plan.notes if "will refuse row 2" in note]
    assert "E7642 Data already approved for data set" in told
    assert "'Monthly' [dsMonthly01]" in told and "'Clinic A' [ouClinicA01]" in told
    assert "dhis2 approval status dsMonthly01 202501 ouClinicA01)" in told
    with pytest.raises(PartlyDone, match="E7642"):
        await do(s, "data aggregate push", file=write(rows))
    assert (await values(s))["Temperature", "default", "Clinic B", "202501"] == "26"
    assert (await values(s))["Temperature", "default", "Clinic A", "202501"] == "20"


async def _all_report(s: Session) -> None:
    for unit in ("ouNation001", "ouNorth0001"):
        await s.client.post(f"dataSets/dsMonthly01/organisationUnits/{unit}", None)


@pytest.mark.parametrize(
    "sheet",
    [
        "Facility,Data element,Period,Value\nClinic A,Stock,202502,1\nClinic B,Stock,202502,x\n"
        "NORTH ,Stock,202502,3\nN,Stock,202502,3\nNorth,Stock,202501,9\n",
        "Facility,202502,202501\nNation,3,\nClinic A,1,\nClinic B,x,\nNorth,3,9\n",
    ],
)
async def test_a_total_at_a_unit_above_others_is_refused(s: Session, sheet: str):
    """Districts that report too take their own total as a value, which is then counted twice."""
    await _all_report(s)
    more = {} if "Value" in sheet else {"data_element": "Stock"}
    plan = await planned(s, "data aggregate push", file=write(sheet), rejected=Path("mend.csv"), **more)
    assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202502", "Stock, North, 202501"]
    said = "; ".join(plan.notes)
    assert "'North' lies above units of other rows" in said and "'Nation' lies above units of other rows" in said
    meant = await planned(s, "data aggregate push", file=write(sheet), several_levels=True, **more)
    assert len(meant.steps) == 4
    assert "2 values of units above those of other rows" in "; ".join(meant.notes)


async def test_a_total_in_the_file_of_refused_rows_stays_refused(s: Session):
    """There it stands without the rows that it is the sum of, which were sent."""
    await _all_report(s)
    with pytest.raises(PartlyDone, match="lies above"):
        sheet = write("Facility,Data element,Period,Value\nClinic A,Stock,202502,1\nNorth,Stock,202502,3\n")
        await do(s, "data aggregate push", file=sheet, rejected=Path("mend.csv"))
    with pytest.raises(Refused, match="'North' lies above units of other rows"):
        await do(s, "data aggregate push", file=Path("mend.csv"))
    mended = write(Path("mend.csv").read_text("utf-8").replace(",North,", ",Clinic B,"), "mended.csv")
    assert len((await planned(s, "data aggregate push", file=mended)).steps) == 1
    assert len((await planned(s, "data aggregate push", file=Path("mend.csv"), several_levels=True)).steps) == 1


async def test_a_total_of_rows_that_are_refused_is_refused_too(s: Session):
    await _all_report(s)
    sheet = write("Facility,202502\nClinic A,x\nNorth,3\n")
    plan = await planned(s, "data aggregate push", file=sheet, data_element="Stock")
    assert not plan.steps
    assert "'North' lies above" in "; ".join(plan.notes)


async def test_units_by_uid_may_have_values_at_several_levels(s: Session):
    """What a server exports has values where they were entered."""
    await _all_report(s)
    sheet = write(
        "dataElement,period,orgUnit,value\ndeStock0001,202502,ouClinicA01,1\ndeStock0001,202502,ouNorth0001,3\n"
    )
    plan = await planned(s, "data aggregate push", file=sheet)
    assert len(plan.steps) == 2
    assert "1 value of units above those of other rows (first: row 3)" in "; ".join(plan.notes)


async def test_refused_rows_are_never_written_over_what_is_pushed(s: Session):
    sheet = write("dataElement,period,orgUnit,value\nStock,202502,Clinic A,x\nStock,202502,Clinic B,1\n")
    text = sheet.read_text()
    Path("link.csv").symlink_to(sheet)
    Path("hard.csv").hardlink_to(sheet)
    for path in (sheet, Path("../" + Path.cwd().name) / sheet, Path("link.csv"), Path("hard.csv")):
        with pytest.raises(UsageError, match="is the file that is read"):
            await planned(s, "data aggregate push", file=sheet, rejected=path)
        with pytest.raises(UsageError, match="is the file that is read"):
            await planned(s, "metadata import", file=sheet, rejected=path)
    assert sheet.read_text() == text


HEADER = "dataElement,dataElementName,period,orgUnit,orgUnitName,categoryOptionCombo,categoryOptionComboName,value\n"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("deStock0001,Temperature,202502,ouClinicA01,Clinic A,,,1", "deStock0001 is 'Stock', and beside it stands 'Temperature'"),
        ("deStock0001,Stock,202502,ouClinicA01,Clinic B,,,1", "ouClinicA01 is 'Clinic A', and beside it stands 'Clinic B'"),
        ("deVisits001,Visits,202502,ouClinicA01,Clinic A,combMale001,Female,1", "combMale001 is 'Male', and beside it stands 'Female'"),
    ],
)  # fmt: skip
async def test_a_name_that_contradicts_its_uid_is_refused(s: Session, row: str, why: str):
    """Who copies a row and changes the name alone means the other one, or not: nobody knows."""
    sheet = write(f"{HEADER}{row}\ndeStock0001,stock ,202502,ouClinicC01,CLINIC C,,default,2\n")
    with pytest.raises(PartlyDone, match=why):
        await do(s, "data aggregate push", file=sheet, rejected=Path("mend.csv"))
    (kept,) = csv.DictReader(Path("mend.csv").read_text("utf-8").splitlines())
    assert [kept[name] for name in HEADER.strip().split(",")] == row.split(",")


async def test_a_name_without_its_uid_is_the_name(s: Session):
    sheet = write(f"{HEADER},Visits,202502,,Clinic A,,Male,4\n")
    await do(s, "data aggregate push", file=sheet)
    assert (await values(s, period=["202502"]))["Visits", "Male", "Clinic A", "202502"] == "4"
    wide = write("orgUnit,orgUnitName,202502\nouClinicA01,Clinic B,4\n,Clinic C,5\n")
    with pytest.raises(PartlyDone, match="ouClinicA01 is 'Clinic A'"):
        await do(s, "data aggregate push", file=wide, data_element="Stock")
    assert (await values(s, period=["202502"]))["Stock", "default", "Clinic C", "202502"] == "5"


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


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("E7641", "Period: `209901` is after latest open future period: `202612` for data element: `deStock0001` and data set: `dsMonthly01`", "far ahead: dhis2 metadata get dataSets dsMonthly01 --"),
        ("E7643", "Period: `202501` is not open for this data set at this time: `dsMonthly01`", "dataSets dsMonthly01 --fields dataInputPeriods)"),
        ("E7643", "Not open", "on these days alone)"),
        ("E7644", "Period: `202501` does not conform to the open periods of associated data sets", "(dataInputPeriods))"),
    ],
)  # fmt: skip
def test_what_is_advised_names_what_it_is_about(code: str, message: str, told: str):
    """Never a placeholder in a command."""
    conflict: JsonObject = {"object": "x", "value": message, "errorCode": code, "property": "period", "indexes": [0]}
    response: JsonObject = {"responseType": "ImportSummary", "status": "ERROR", "conflicts": [conflict]}
    body: JsonObject = {
        "httpStatus": "Conflict",
        "httpStatusCode": 409,
        "status": "ERROR",
        "message": "x",
        "response": response,
    }
    (reason,) = refusals(WebMessage.of(body, status=409), 1).values()
    assert told in reason and "UID" not in reason


async def test_a_day_stands_for_its_month_where_it_is_said_to(s: Session):
    sheet = write("dataElement,period,orgUnit,value\nStock,2025-02-28,Clinic A,1\nStock,20250103,Clinic B,2\n")
    assert "its month is 202502, which --by-date takes" in await refused(s, sheet)
    plan = await planned(s, "data aggregate push", file=sheet, by_date=True)
    assert [step.name for step in plan.steps] == ["Stock, Clinic A, 202502", "Stock, Clinic B, 202501"]
    assert "days are read as the periods that they lie in" in plan.notes
