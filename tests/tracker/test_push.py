"""Files of entities in: bundles, objects and sheets, written and taken back."""

import datetime as dt
from pathlib import Path

import pytest

from dhis2sh.errors import PartlyDone, Refused, UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.tracker import sending
from dhis2sh.types import JsonObject
from tests.data.test_hidden import workbook
from tests.metadata.calls import call, do, planned
from tests.tracker import clinics
from tests.tracker.sheets import SHEET, exported, people, write


async def test_a_sheet_of_new_persons_with_events(s: Session):
    summary = await do(s, "data tracker push", file=write(SHEET), program="Children")
    assert (summary.created, summary.failures) == (7, [])
    found = await people(s)
    dora = found["Dora"]
    assert (dora["Birth | Weight"], dora["Visit #1 | Weight"], dora["Visit #2 | Weight"]) == (3.1, 4, 5)
    assert (dora["Sex"], dora["enrolledAt"], dora["orgUnitName"]) == ("F", "2025-03-01T00:00:00.000", "Clinic A")
    assert found["Eli"]["Birth | event"] is None


async def test_an_event_program_takes_a_sheet_of_events(s: Session):
    summary = await do(
        s,
        "data tracker push",
        file=write("Org unit,Event date,Staff met\nClinic C,2025-03-01,3\n"),
        program="Supervision",
    )
    assert summary.created == 1
    stream = await call(s, "data tracker list", program="Supervision")
    assert {(row["orgUnitName"], row["Staff met"]) for row in (await stream.collect()).plain()} == {
        ("Clinic A", 4),
        ("Clinic C", 3),
    }


async def test_rows_of_a_pipeline(s: Session):
    rows = Rows([{"orgUnit": "Clinic A", "Given name": "Fay", "enrolledAt": "2025-01-01"}])
    await do(s, "data tracker push", objects=rows, program="Children")
    assert "Fay" in await people(s)


async def test_a_bundle_with_names_in_place_of_uids_and_without_its_own(s: Session):
    bundle: JsonObject = {
        "trackedEntities": [
            {"trackedEntityType": "Person", "orgUnit": "Clinic A", "attributes": [{"attribute": "GIVEN", "value": "Gil"}],
             "enrollments": [
                {"program": "CHILDREN", "orgUnit": "Clinic A", "enrolledAt": "2025-01-01", "attributes": [{"attribute": "Sex", "value": "Male"}],
                 "events": [{"programStage": "Visit", "orgUnit": "Clinic A",
                                "occurredAt": "2025-01-02", "dataValues": [{"dataElement": "Weight", "value": 3}]}]},
             ]},
        ],
    }  # fmt: skip
    summary = await do(s, "data tracker push", file=write(bundle, "bundle.json"))
    assert summary.created == 3
    gil = (await people(s))["Gil"]
    assert (gil["Sex"], gil["Visit #1 | Weight"]) == ("M", 3)


async def test_names_of_the_old_api_and_references_by_scheme(s: Session):
    bundle: JsonObject = {"importStrategy": "CREATE", "events": [
        {"program": {"idScheme": "UID", "identifier": "prSupervis1"}, "orgUnit": {"idScheme": "NAME", "identifier": "Clinic B"},
         "programStage": "psSuperv001", "eventDate": "2025-05-05", "dataValues": [{"dataElement": "deStaff0001", "value": "1"}]}]}  # fmt: skip
    plan = await planned(s, "data tracker push", file=write(bundle, "old.json"))
    assert any("importStrategy=CREATE" in note for note in plan.notes)
    summary = await do(s, "data tracker push", file=Path("old.json"))
    assert summary.created == 1


async def test_a_workbook(s: Session):
    import xlsxwriter

    def saved(weight: str) -> None:
        book = xlsxwriter.Workbook("book.xlsx", {"default_date_format": "yyyy-mm-dd"})
        page = book.add_worksheet()
        page.write_row(0, 0, ["Facility", "Given name", "Enrollment date", "Card number", "Visit #1 | date", weight])
        page.write_row(1, 0, ["Clinic A", "Xia", dt.datetime(2025, 1, 5), 17, dt.date(2025, 2, 1), 4.0])
        book.close()

    saved("Weight")
    with pytest.raises(UsageError, match="'Weight'"):  # of two stages: which?
        await planned(s, "data tracker push", file=Path("book.xlsx"), program="Children")
    saved("Visit #1 | Weight")
    await do(s, "data tracker push", file=Path("book.xlsx"), program="Children")
    xia = (await people(s))["Xia"]
    assert (xia["enrolledAt"], xia["Card number"], xia["Visit #1 | occurredAt"], xia["Visit #1 | Weight"]) == (
        "2025-01-05T00:00:00.000",
        "17",
        "2025-02-01T00:00:00.000",
        4,
    )


async def test_undo_takes_a_push_back_to_the_last_property(s: Session):
    before = await exported(s)
    bundle: JsonObject = {
        "trackedEntities": [
            clinics.person(21, visits=1, given="Oda"),
            {**clinics.person(1, visits=3, given="Ada", family="Changed"), "geometry": None},
        ]
    }
    await do(s, "data tracker push", file=write(bundle, "bundle.json"))
    assert await exported(s) != before
    await do(s, "undo")
    assert await exported(s) == before


async def test_a_deletion_by_file_says_that_it_stays(s: Session):
    path = write(
        {"trackedEntities": [{"trackedEntity": "tePerson001"}, {"trackedEntityType": "tetPerson01"}]}, "gone.json"
    )
    with pytest.raises(PartlyDone, match="the UID is missing"):
        await do(s, "data tracker push", file=path, strategy="delete")
    assert "Ada" not in await people(s)
    with pytest.raises(Refused, match="cannot come back"):
        await do(s, "undo")


async def test_a_big_part_is_a_job_of_the_server_that_is_watched(s: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sending, "WATCHED", 2)
    summary = await do(s, "data tracker push", file=write(SHEET), program="Children")
    assert (summary.created, summary.failures) == (7, [])
    assert "Dora" in await people(s)


async def referring(s: Session) -> None:
    """Children get an attribute that is a unit, and one that is an account; visits a unit."""
    store = s.sandbox_store()
    attribute = {"aggregationType": "NONE", "sharing": clinics.PUBLIC}
    store.put_objects({
        "trackedEntityAttributes": [
            {"id": "teaFromUnit", "name": "Sent by", "shortName": "Sent by", "valueType": "ORGANISATION_UNIT", **attribute},
            {"id": "teaNurse001", "name": "Nurse", "shortName": "Nurse", "valueType": "USERNAME", **attribute},
        ],
        "users": [{"id": "usAnna00001", "username": "anna", "firstName": "Anna", "surname": "Alm", "name": "Anna Alm"}],
    })  # fmt: skip
    body = store.get("programs", "prChildren1")
    links = [*body["programTrackedEntityAttributes"], *({"trackedEntityAttribute": {"id": uid}, "mandatory": False,
             "sortOrder": 9} for uid in ("teaFromUnit", "teaNurse001"))]  # fmt: skip
    store.put_objects({"programs": [{**body, "programTrackedEntityAttributes": links}]})


async def test_values_that_name_units_and_accounts_are_found_by_name_and_shown_with_it(s: Session):
    await referring(s)
    text = "Facility,Given name,Enrollment date,Sent by,Nurse\nClinic A,Dora,2025-03-01,clinic b,Anna Alm\n"
    await do(s, "data tracker push", file=write(text), program="Children")
    dora = (await people(s))["Dora"]
    assert (dora["Sent by"], dora["Sent by (name)"], dora["Nurse"]) == ("ouClinicB01", "Clinic B", "anna")
    stream = await call(s, "data tracker list", program="Children", filter=["Sent by:eq:Clinic B"])
    assert [row["Given name"] for row in await stream.collect()] == ["Dora"]
    await do(s, "data tracker update", uid=dora["trackedEntity"], set=["Sent by=Clinic A"])
    assert (await people(s))["Dora"]["Sent by"] == "ouClinicA01"
    with pytest.raises(
        UsageError, match="'Sent by': none of the organisationUnits has the UID, code or name 'Clinic Z'"
    ):
        await do(s, "data tracker update", uid=dora["trackedEntity"], set=["Sent by=Clinic Z"])
    plan = await planned(s, "data tracker push", file=write(text.replace("clinic b", "Clinic Z")), program="Children")
    assert any("row 2: 'Sent by': none of the organisationUnits has" in note for note in plan.notes)


async def test_the_name_beside_a_unit_is_read_back_with_it(s: Session):
    """A sheet that was written out: nothing changes; who edits one of the two cells is asked which is meant."""
    await referring(s)
    one = next(iter((await people(s)).values()))
    start = f"trackedEntity,orgUnit,enrollment,Sent by,Sent by (name)\n{one['trackedEntity']},{one['orgUnit']},{one['enrollment']}"
    await do(s, "data tracker push", file=write(f"{start},ouClinicB01,Clinic B\n"), program="Children")
    before = await exported(s)
    plan = await planned(s, "data tracker push", file=write(f"{start},ouClinicB01,Clinic A\n"), program="Children")
    assert any(
        "'Sent by': ouClinicB01 is not called 'Clinic A'; empty the one that is wrong" in note for note in plan.notes
    )
    assert await exported(s) == before
    await do(s, "data tracker push", file=write(f"{start},,Clinic A\n"), program="Children")
    assert {row["Sent by"] for row in (await people(s)).values()} == {"ouClinicA01", None}


async def test_hidden_rows_of_a_sheet_are_said_and_left_out_where_that_is_asked_for(s: Session):
    rows = [
        ["Facility", "Given name", "Enrollment date"],
        ["Clinic A", "Ida", "2025-03-01"],
        ["Clinic B", "Jon", "2025-03-01"],
    ]
    book = workbook(rows, [3])
    told = "1 hidden row (3) of sheet 'June' is read too; --skip-hidden leaves it out"
    assert told in (await planned(s, "data tracker push", file=book, program="Children")).notes
    summary = await do(s, "data tracker push", file=book, program="Children", sheet="June", skip_hidden=True)
    assert "1 hidden row (3) of sheet 'June' is left out" in (summary.note or "")
    found = await people(s)
    assert ("Ida" in found, "Jon" in found) == (True, False)


async def test_rows_of_a_sheet_are_counted_as_it_shows_them(s: Session):
    """Blank lines count, and so do the titles above the header."""
    text = "Children of March\nFacility,Given name,Enrollment date\n\nClinic A,Ida,2025-03-01\nNowhere,Jon,2025-03-01\n"
    plan = await planned(s, "data tracker push", file=write(text), program="Children", header_row=2)
    assert any("row 5" in note for note in plan.notes), plan.notes
