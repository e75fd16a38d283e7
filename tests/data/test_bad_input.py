"""What people's sheets hold besides values: each is read as it is meant, or refused with the row and the reason."""

import csv
import errno
from pathlib import Path

import pytest

from dhis2sh.client.messages import WebMessage
from dhis2sh.data import jobs
from dhis2sh.data.checking import nearest
from dhis2sh.data.sending import refusals
from dhis2sh.errors import Dhis2Error, PartlyDone, Refused, UsageError
from dhis2sh.session import Session
from dhis2sh.show import render
from dhis2sh.types import JsonObject
from tests.data.sheets import refused
from tests.data.test_aggregate import values, write
from tests.fakes.person import Somebody
from tests.metadata.calls import call, do, planned
from tests.sandbox.nation import MALE


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


async def test_why_nothing_is_sent_is_said_once(s: Session):
    s.person = somebody = Somebody()
    sheet = write(
        "orgUnit,dataElement,period,value\nNowhere,Stock,202502,1\nNowhere,Stock,202503,1\nClinic A,Stock,202503,x\n"
    )
    told = await refused(s, sheet)
    plan = await planned(s, "data aggregate push", file=sheet)
    for said in ("\n".join([*somebody.warnings, told]), render.text(plan)):
        assert said.count("there is no organisation unit with the UID, code or name 'Nowhere'") == 1
        assert said.count("this is 'x'") <= 1


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
    assert "'Clinic A' is ambiguous" in said
    assert "[ouClinicA01] in North" in said and "[ouClinicA02] in " in said
    said = await refused(s, write("orgUnit,202502\nclinic  a,7\n"), data_element="Stock")
    assert "'clinic  a' is ambiguous" in said and "[ouClinicA02] in " in said


@pytest.mark.parametrize(("cell", "why"), [
    ("12,5", "such as 12 or -3.5, and this is '12,5': write 12.5, if that"), ("12,0", "this is '12,0': write 12"), ("nil", "write 0 if it is zero"), ("1 234", "wants a number"), ("12%", "write 12 or 0.12, whichever is meant"),
    ("n/a", "wants a number"), ("=A1", "wants a number"), ("1e400", "wants a number"), ("12 cases", "wants a number"),
])  # fmt: skip
async def test_what_is_no_number(s: Session, cell: str, why: str):
    said = await refused(s, write(f"dataElement;period;orgUnit;value\nTemperature;202502;Clinic A;{cell}\n"))
    assert why in said


@pytest.mark.parametrize(("period", "why"), [
    ("31/12/2025", "20251231 is Daily: its month is 202512"), ("2025-13", "is not a period"), ("December", "is not a period"),
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
    with pytest.raises(PartlyDone, match=r"2 created .*2 refused rows"):
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


async def test_a_total_of_what_the_server_has_is_told(s: Session):
    """A sheet of districts alone: what their clinics reported is counted with it."""
    await _all_report(s)
    told = "the server has values of 'Visits' for 202501 below 'North', such as of 'Clinic A'"
    plan = await planned(s, "data aggregate push", file=write("Facility,Visits|Male\nNorth,30\n"), period="202501")
    assert len(plan.steps) == 1
    assert told in "; ".join(plan.notes)
    for sheet, period in (
        ("Facility,Visits|Male\nClinic A,30\n", "202501"),
        ("Facility,Visits|Male\nNorth,30\n", "202012"),
    ):
        plan = await planned(s, "data aggregate push", file=write(sheet), period=period)
        assert "the server has values" not in "; ".join(plan.notes)


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
