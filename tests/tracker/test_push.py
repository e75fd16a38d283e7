"""Files of entities in: bundles, objects and sheets, what is refused and why, cut off and resumed, taken back."""

import csv
import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.errors import Dhis2Error, NotFound, PartlyDone, Refused, ServerFault, UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.tracker import jobs, loading, sending
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.metadata.calls import call, do, planned
from tests.shared import SHARED, needs_shared, shared
from tests.tracker import clinics

SHEET = """Facility,Given name,Family name,Sex,Enrollment date,Birth | occurredAt,Birth | Weight,Visit #1 | date,Visit #1 | Weight,Visit #2 | date,Visit #2 | Weight
Clinic A,Dora,Dunn,female,2025-03-01,2025-03-01,3.1,2025-04-01,4,2025-05-01,5
Clinic B,Eli,Estvale,Male,2025-03-02,,,,,,
"""


def write(text: str | object, name: str = "persons.csv") -> Path:
    path = Path(name)
    path.write_text(text if isinstance(text, str) else json.dumps(text), "utf-8")
    return path


async def people(s: Session) -> dict[str, Row]:
    stream = await call(s, "data tracker list", program="Children", flat_=True)
    return {str(row["Given name"]): row for row in (await stream.collect()).plain()}


async def exported(s: Session) -> list[Row]:
    """All that there is, without what the server's clock says."""
    stream = await call(s, "data tracker export", program="Children")
    return sorted((await stream.collect()).plain(), key=lambda row: str(row["trackedEntity"]))


async def test_a_sheet_of_new_persons_with_events(s: Session):
    summary = await do(s, "data tracker push", file=write(SHEET), program="Children")
    assert (summary.created, summary.failures) == (7, [])
    found = await people(s)
    dora = found["Dora"]
    assert (dora["Birth | Weight"], dora["Visit #1 | Weight"], dora["Visit #2 | Weight"]) == (3.1, 4, 5)
    assert (dora["Sex"], dora["enrolledAt"], dora["orgUnitName"]) == ("F", "2025-03-01", "Clinic A")
    assert found["Eli"]["Birth | event"] is None


async def test_what_list_flat_writes_is_taken_and_changes_nothing(s: Session):
    before = await exported(s)
    stream = await call(s, "data tracker list", program="Children", flat_=True)
    rows = (await stream.collect()).plain()
    with Path("flat.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    summary = await do(s, "data tracker push", file=Path("flat.csv"), program="Children")
    assert (summary.created, summary.deleted) == (0, 0)
    assert await exported(s) == before


async def test_what_export_writes_is_taken_and_changes_nothing(s: Session):
    before = await exported(s)
    path = write("\n".join(json.dumps(row) for row in before), "persons.ndjson")
    await do(s, "data tracker push", file=path)
    assert await exported(s) == before


async def test_an_empty_cell_leaves_alone_what_is_there(s: Session):
    await do(s, "data tracker update", uid="enPerson001", follow_up=True)
    before = await s.client.tracker.get("enrollments", "enPerson001", fields="*")
    sheet = write(
        "trackedEntity,orgUnit,Family name,Card number,enrollment\ntePerson001,Clinic A,Kamara,,enPerson001\n"
    )
    await do(s, "data tracker push", file=sheet, program="Children")
    after = await s.client.tracker.get("enrollments", "enPerson001", fields="*")
    assert {name: after.get(name) for name in ("followUp", "enrolledAt", "status")} == {
        name: before.get(name) for name in ("followUp", "enrolledAt", "status")
    }
    ada = (await people(s))["Ada"]
    assert (ada["Family name"], ada["Card number"]) == ("Kamara", "A-1")


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


@pytest.mark.parametrize(("row", "reason"), [
    ("Clinic Z,Hal,,,2025-01-01,,,", "there is no organisation unit 'Clinic Z'"),
    ("Clinic C,Hal,,,2025-01-01,,,", "'Children' is not assigned to 'Clinic C'"),
    ("Clinic A,,Hume,,2025-01-01,,,", "'Given name' must have a value"),
    ("Clinic A,Hal,,Other,2025-01-01,,,", "'Other' is no option of 'Sex': Female (F) and Male (M)|'Other' is no option of 'Sex'"),
    ("Clinic A,Hal,,,01/02/2025,,,", "the day of the enrollment is a date such as 2025-06-30, and this is '01/02/2025'"),
    ("Clinic A,Hal,,,2999-01-01,,,", "lies in the future"),
    ("Clinic A,Hal,,,,,,", "enrolledAt is missing: when was the enrollment? (a column 'Enrollment date', or --enrolled DAY)"),
    ("Clinic A,Hal,,,2025-01-01,,3.1,", "occurredAt is missing: when was the event of 'Birth'? (a column 'Birth | Event date')"),
    ("Clinic A,Hal,,,2025-01-01,2025-01-01,heavy,", "'Weight' wants a number"),
    ("Clinic A,Hal,,,2025-01-01,2025-01-01,n/a,", "'Weight' wants a number"),
    ('Clinic A,Hal,,,2025-01-01,2025-01-01,"3,1",', "'Weight' wants a number"),
    ("Clinic A,Hal,,,2025-01-01,,,A-1", "A-1"),
])  # fmt: skip
async def test_a_wrong_row_is_refused_with_its_reason_and_can_be_mended(s: Session, row: str, reason: str):
    sheet = write(
        "Facility,Given name,Family name,Sex,enrolledAt,Birth | occurredAt,Birth | Weight,Card number\n"
        f"{row}\nClinic A,Ivy,Ilmarsh,F,2025-01-01,,,\n"
    )
    with pytest.raises(PartlyDone) as partly:
        await do(s, "data tracker push", file=sheet, program="Children", rejected=Path("mend.csv"))
    assert any(text in partly.value.message for text in reason.split("|"))
    assert "row 2" in partly.value.message
    assert "Ivy" in await people(s)
    [refused] = list(csv.DictReader(Path("mend.csv").read_text("utf-8").splitlines()))
    assert refused["row"] == "2"
    assert any(text in refused["reason"] for text in reason.split("|"))
    mended = {**refused, "Facility": "Clinic A", "Given name": "Hal", "Sex": "M", "enrolledAt": "2025-01-01", "Card number": "H-1",
              "Birth | occurredAt": "2025-01-01", "Birth | Weight": "3.1"}  # fmt: skip
    with Path("mend.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(mended))
        writer.writeheader()
        writer.writerow(mended)
    await do(s, "data tracker push", file=Path("mend.csv"), program="Children")
    found = await people(s)
    assert (found["Hal"]["Birth | Weight"], found["Hal"]["Sex"]) == (3.1, "M")
    assert len(found) == 5


@pytest.mark.parametrize(("text", "told"), [
    ("Facility,Given name,Nickname\nClinic A,Hal,H\n", "knows nothing of 'Nickname'"),
    ("Given name,enrolledAt\nHal,2025-01-01\n", "no column says the organisation unit"),
    ("Facility,Org unit,Given name\nClinic A,Clinic A,Hal\n", "mean the same"),
    ("Facility,Given name,Visit | Nothing\nClinic A,Hal,1\n", "knows nothing of 'Visit | Nothing'"),
])  # fmt: skip
async def test_a_sheet_that_nobody_can_read(s: Session, text: str, told: str):
    with pytest.raises(UsageError, match=told.replace("|", r"\|")):
        await planned(s, "data tracker push", file=write(text), program="Children")


async def test_a_file_of_something_else(s: Session):
    with pytest.raises(UsageError, match="is a sheet: of which program"):
        await planned(s, "data tracker push", file=write(SHEET))
    with pytest.raises(UsageError, match="holds programs, and none of trackedEntities"):
        await planned(s, "data tracker push", file=write({"programs": []}, "programs.json"))
    with pytest.raises(NotFound, match="there is no file"):
        await planned(s, "data tracker push", file=Path("nowhere.json"))
    with pytest.raises(NotFound, match="there is no object"):
        await planned(s, "data tracker push", file=write({"events": []}, "empty.json"))


async def test_all_or_nothing(s: Session):
    good, bad = clinics.person(11, given="Kit"), clinics.person(12, given="Lou", unit="ouClinicC01")
    before = await exported(s)
    with pytest.raises(Refused, match="all or nothing, and 1 of 2 cannot be sent"):
        await do(s, "data tracker push", file=write({"trackedEntities": [good, bad]}, "two.json"), atomic=True)
    assert await exported(s) == before


async def test_what_the_server_refuses_is_told_by_row_with_names(s: Session):
    """A unique value that another entity has: nobody here sees it, the server does, and says which row."""
    sheet = write(
        "Facility,Given name,Card number,enrolledAt\nClinic A,Mia,A-1,2025-01-01\nClinic A,Ned,N-1,2025-01-01\n"
    )
    plan = await planned(s, "data tracker push", file=sheet, program="Children")
    assert any("the server will refuse row 2: E1064" in note and "'Card number'" in note for note in plan.notes)
    with pytest.raises(PartlyDone, match=r"row 2: .*E1064"):
        await do(s, "data tracker push", file=sheet, program="Children")
    found = await people(s)
    assert "Ned" in found
    assert "Mia" not in found


async def test_the_same_unique_value_twice_in_one_sheet(s: Session):
    sheet = write(
        "Facility,Given name,Card number,enrolledAt\nClinic A,Mia,M-1,2025-01-01\nClinic A,Ned,M-1,2025-01-01\n"
    )
    plan = await planned(s, "data tracker push", file=sheet, program="Children")
    assert any("row 3: 'Card number' must be unique, and row 2 has 'M-1' too" in note for note in plan.notes)


async def test_an_object_stands_once(s: Session):
    """Two rows for one person say two things, and the last would win without a word."""
    sheet = write("trackedEntity,Family name\ntePerson001,One\ntePerson001,Two\n")
    plan = await planned(s, "data tracker push", file=sheet, program="Children")
    assert any("row 3: trackedEntity tePerson001 stands in row 2 too" in note for note in plan.notes)


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
        "2025-01-05",
        "17",
        "2025-02-01",
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


async def test_a_push_that_changed_nothing_is_passed_over(s: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "VALIDATED", 0)  # as of many objects, which are compared when they are sent
    before = await exported(s)
    for _ in range(2):
        await do(s, "data tracker push", file=write(SHEET), program="Children")
    named = await planned(s, "undo", id=2)
    assert not named.steps
    assert any("it has changed nothing" in note for note in named.notes)
    await do(s, "undo")
    assert await exported(s) == before
    for more in ({}, {"id": 2}, {"id": 2, "force": True}):
        nothing = await planned(s, "undo", **more)
        assert not nothing.steps, "what was there before a push is never written by its undo"
        assert nothing.blocked is None


async def test_a_push_is_called_as_the_file_that_is_pushed_now(s: Session):
    """The same persons of another file, planned before, do not give it their name."""
    await planned(s, "data tracker push", file=write(SHEET, "may.csv"), program="Children")
    plan = await planned(s, "data tracker push", file=write(SHEET, "june.csv"), program="Children")
    assert "june.csv" in plan.title


async def test_a_row_that_says_the_same_as_another_is_no_second_child(s: Session):
    """The same child twice in a sheet would become two children; who means twins says so."""
    head, first, second = SHEET.splitlines()
    twice = {"file": write(f"{head}\n{first}\n{second}\n{first}\n"), "program": "Children"}
    plan = await planned(s, "data tracker push", **twice)
    assert (
        "refused: row 4: it says the very same as row 2: take it out, or say --repeated where another one is meant"
        in plan.notes
    )
    assert len(plan.steps) == 2
    both = await planned(s, "data tracker push", **twice, repeated=True)
    assert "each becomes an object of its own, though row 4 is the same as row 2" in both.notes
    assert len(both.steps) == 3
    with pytest.raises(PartlyDone):
        await do(s, "data tracker push", **twice, rejected=Path("mend.csv"))
    before = await exported(s)
    await do(s, "data tracker push", file=Path("mend.csv"), program="Children")
    assert await exported(s) == before, "pushed as it is, it is the child that was written"
    alone = await planned(s, "data tracker push", file=write(SHEET), program="Children")
    assert not any("of its own" in note for note in alone.notes)


async def test_a_deletion_by_file_says_that_it_stays(s: Session):
    path = write(
        {"trackedEntities": [{"trackedEntity": "tePerson001"}, {"trackedEntityType": "tetPerson01"}]}, "gone.json"
    )
    with pytest.raises(PartlyDone, match="the UID is missing"):
        await do(s, "data tracker push", file=path, strategy="delete")
    assert "Ada" not in await people(s)
    with pytest.raises(Refused, match="cannot come back"):
        await do(s, "undo")


# Cut off and resumed --------------------------------------------------------------------------------------------------


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "IN_ONE_PART", 1)


MANY = {"trackedEntities": [
    {name: value for name, value in clinics.person(40 + at, visits=at % 3, given=f"P{at}").items() if name != "trackedEntity"}
    for at in range(6)
]}  # fmt: skip


@pytest.mark.parametrize("strategy", ["create-and-update", "create"])
@pytest.mark.parametrize("written", [False, True], ids=["before it was written", "after it was written"])
async def test_a_push_that_is_cut_off_is_finished_by_the_same_line(
    s: Session, small_parts: None, monkeypatch: pytest.MonkeyPatch, strategy: str, written: bool
):
    """Whether the server has written a part whose answer was lost or not: the end is the same, and nobody is there twice."""
    path = write(
        {"trackedEntities": [{k: v for k, v in row.items() if k != "enrollments"} for row in MANY["trackedEntities"]]},
        "many.json",
    )
    real = sending.Bundles._answer
    calls = 0

    async def cut(self, session, number, entries):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += 1
        if calls == 3:
            if written:
                await real(self, session, number, entries)
            raise ServerFault("504 Gateway Time-out")
        return await real(self, session, number, entries)

    monkeypatch.setattr(sending.Bundles, "_answer", cut)
    with pytest.raises(Dhis2Error, match="504"):
        await do(s, "data tracker push", file=path, strategy=strategy)
    monkeypatch.setattr(sending.Bundles, "_answer", real)
    plan = await planned(s, "data tracker push", file=path, strategy=strategy)
    assert any("2 of 6 parts were answered in an earlier run" in note for note in plan.notes)
    summary = await do(s, "data tracker push", file=path, strategy=strategy)
    assert summary.failures == []
    rows = [
        row
        async for row in s.client.tracker.iter(
            "trackedEntities", params={"trackedEntityType": "tetPerson01"}, org_unit_mode="ACCESSIBLE"
        )
    ]
    assert len(rows) == len(clinics.PERSONS) + 6


async def test_the_same_file_again_changes_nothing_and_doubles_nobody(s: Session):
    path = write(SHEET)
    await do(s, "data tracker push", file=path, program="Children")
    once = await exported(s)
    plan = await planned(s, "data tracker push", file=path, program="Children")
    assert not plan.steps
    assert any("7 objects there already as persons.csv says: not sent" in note for note in plan.notes)
    await do(s, "data tracker push", file=path, program="Children")
    assert await exported(s) == once


async def test_a_big_part_is_a_job_of_the_server_that_is_watched(s: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sending, "WATCHED", 2)
    summary = await do(s, "data tracker push", file=write(SHEET), program="Children")
    assert (summary.created, summary.failures) == (7, [])
    assert "Dora" in await people(s)


async def test_a_watched_job_that_we_were_killed_in_is_not_started_again(s: Session, monkeypatch: pytest.MonkeyPatch):
    """The server's job is written down before it is watched: the same line looks for its report."""
    monkeypatch.setattr(sending, "WATCHED", 2)
    real = sending.Bundles._watched

    async def killed(self, session, task):  # type: ignore[no-untyped-def]
        raise KeyboardInterrupt

    monkeypatch.setattr(sending.Bundles, "_watched", killed)
    with pytest.raises(KeyboardInterrupt):
        await do(s, "data tracker push", file=write(SHEET), program="Children")
    monkeypatch.setattr(sending.Bundles, "_watched", real)
    started: list[object] = []
    monkeypatch.setattr(type(s.client.tracker), "start_import", lambda *args, **more: started.append(args))
    summary = await do(s, "data tracker push", file=Path("persons.csv"), program="Children")
    assert started == []
    assert (summary.created, summary.failures) == (7, [])


# Files of others ------------------------------------------------------------------------------------------------------

OUTSIDE = sorted(path.name for path in (SHARED / "real" / "outside" / "tracker").glob("*.json.gz")) if SHARED else []


@pytest.fixture
async def real(real_home: Path) -> AsyncIterator[Session]:
    session = Session("sandbox")
    yield session
    await session.aclose()


@needs_shared
async def test_every_file_of_others_ends_in_a_report_that_a_person_can_read(real: Session):
    """Each is planned, or says what it is; no reason is longer than a few lines, names a placeholder, or is a traceback."""
    told = 0
    for name in OUTSIDE:
        try:
            plan = await run(
                real,
                find("data tracker push"),
                {"file": shared("real", "outside", "tracker", name)},
                Consent(dry_run=True),
            )
        except UsageError as error:
            assert "none of trackedEntities" in error.message, name
            assert error.hint, name
            continue
        told += 1
        assert plan.steps or plan.blocked is not None, name
        for note in [*plan.notes, str(plan.blocked or "")]:
            assert len(note) < 600, (name, note)
            assert not any(word in note for word in ("Traceback", "None", "{", "KeyError")), (name, note)
    assert told > len(OUTSIDE) * 0.8


def test_a_strategy_is_one_of_four():
    assert loading.strategy_of("Create-and-update") == "CREATE_AND_UPDATE"
    with pytest.raises(UsageError, match="there is no strategy 'upsert'"):
        loading.strategy_of("upsert")


async def test_a_district_beside_a_facility_is_held_against_it(s: Session):
    """What no program knows is no reason to refuse a sheet where it only says where the units lie."""
    text = "District,Facility,Given name,Enrollment date\n{},Clinic A,Dora,2025-03-01\nNorth,Clinic B,Eli,2025-03-02\n"
    plan = await planned(s, "data tracker push", file=write(text.format("South")), program="Children")
    assert "refused: row 2: 'Clinic A' does not lie in 'South' (District): it lies in Nation / North" in plan.notes
    assert len(plan.steps) == 1
    right = await planned(s, "data tracker push", file=write(text.format("north")), program="Children")
    assert len(right.steps) == 2
    assert "held against where the units lie: District" in right.notes


async def test_of_two_units_of_one_name_the_district_says_which(s: Session):
    twin = {"id": "ouClinicA02", "name": "Clinic A", "shortName": "A2", "openingDate": "2000-01-01"}
    await s.client.post("metadata", {"organisationUnits": [{**twin, "parent": {"id": "ouSouth0001"}}]})
    text = "District,Facility,Given name,Enrollment date\n{},Clinic A,Dora,2025-03-01\n,Clinic A,Eli,2025-03-02\n"
    plan = await planned(s, "data tracker push", file=write(text.format("North")), program="Children")
    assert len(plan.steps) == 1
    assert any("row 3: 'Clinic A' is ambiguous" in note for note in plan.notes)
    other = await planned(s, "data tracker push", file=write(text.format("South")), program="Children", atomic=False)
    assert any("'Children' is not assigned to 'Clinic A'" in note for note in other.notes), "the other of that name"


async def test_a_push_that_goes_on_is_called_as_its_file_now_and_has_its_refusals(
    s: Session, monkeypatch: pytest.MonkeyPatch
):
    """What is cut off is found again by its objects; title and refused rows are those of the line that goes on with it."""
    head, first, second = SHEET.splitlines()
    wrong = second.replace("Clinic B", "Nowhere")
    monkeypatch.setattr(jobs, "IN_ONE_PART", 1)
    text = f"{head}\n{first}\n{second.replace('Eli', 'Ada')}\n"
    plan = await planned(s, "data tracker push", file=write(text, "may.csv"), program="Children")
    plan.writer.job.mark_sent(1)
    plan.writer.job.keep_answer(1, {})
    again = await planned(s, "data tracker push", file=write(f"{text}{wrong}\n", "june.csv"), program="Children")
    assert again.writer.job.path != plan.writer.job.path, "another file makes other UIDs"
    same = await planned(s, "data tracker push", file=write(text, "july.csv"), program="Children")
    assert same.writer.job.path == plan.writer.job.path
    assert "july.csv" in same.title
    assert "1 of 2 parts were answered in an earlier run" in same.notes


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


MIXED = """Facility,Given name,Card number,enrolledAt
Clinic A,Mia,A-1,2025-01-01
Clinic Z,Nia,N-2,2025-01-01
Clinic A,Ned,N-1,2025-01-01
"""


async def test_what_is_refused_here_and_by_the_server_goes_into_one_file_after_the_send(s: Session):
    """Rows of both kinds in one push, and a dry run leaves files alone."""
    Path("mend.csv").write_text("mine", "utf-8")
    pushed = {"file": write(MIXED), "program": "Children", "rejected": Path("mend.csv")}
    plan = await planned(s, "data tracker push", **pushed)
    assert Path("mend.csv").read_text("utf-8") == "mine"
    assert any("mend.csv when it has been sent" in note for note in plan.notes)
    with pytest.raises(PartlyDone, match="row 3: there is no organisation unit 'Clinic Z'") as partly:
        await do(s, "data tracker push", **pushed)
    assert "mend.csv" in partly.value.message
    rows = list(csv.DictReader(Path("mend.csv").read_text("utf-8").splitlines()))
    assert sorted((row["row"], row["Given name"]) for row in rows) == [("2", "Mia"), ("3", "Nia")]
    assert "Ned" in await people(s)


@pytest.mark.parametrize("other", ["persons.csv", "./persons.csv", "link.csv", "hard.csv", "folder/../persons.csv"])
async def test_what_is_refused_is_never_written_over_what_is_pushed(s: Session, other: str):
    path = write(MIXED)
    Path("folder").mkdir()
    Path("link.csv").symlink_to(path)
    Path("hard.csv").hardlink_to(path)
    with pytest.raises(UsageError, match="is the file that is read"):
        await planned(s, "data tracker push", file=path, program="Children", rejected=Path(other))
    with pytest.raises(UsageError, match="is a folder"):
        await planned(s, "data tracker push", file=path, program="Children", rejected=Path("folder"))
    assert path.read_text("utf-8") == MIXED


async def flat_sheet(s: Session, name: str = "flat.csv") -> list[Row]:
    """What `list --flat` writes of the children, as a sheet."""
    rows = (await (await call(s, "data tracker list", program="Children", flat_=True)).collect()).plain()
    save(rows, name)
    return rows


def save(rows: list[Row], name: str = "flat.csv") -> Path:
    with Path(name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return Path(name)


def posted(s: Session, monkeypatch: pytest.MonkeyPatch) -> list[JsonObject]:
    """The bundles that go out from now on."""
    sent: list[JsonObject] = []
    report_of = s.client.tracker.report_of

    async def kept(body: JsonObject, **options: object) -> object:
        sent.append(json.loads(json.dumps(body)))
        return await report_of(body, **options)

    monkeypatch.setattr(type(s.client.tracker), "report_of", lambda _self, body, **options: kept(body, **options))
    return sent


async def test_a_plan_shows_each_cell_before_and_after_and_sends_nothing_else(
    s: Session, monkeypatch: pytest.MonkeyPatch
):
    """A round trip through a sheet: what is as before is counted and stays away from the server, digits included."""
    event = await s.client.tracker.get("events", "evPers01v00", fields="*")
    event["dataValues"] = [{"dataElement": "deWeight001", "value": "3.400"}]
    await s.client.tracker.report_of({"events": [event]})
    rows = await flat_sheet(s)
    plan = await planned(s, "data tracker push", file=Path("flat.csv"), program="Children")
    assert not plan.steps
    assert "8 objects there already as flat.csv says: not sent" in plan.notes
    summary = await do(s, "data tracker push", file=Path("flat.csv"), program="Children")
    assert (summary.updated, summary.ignored) == (0, 8)
    ada = next(row for row in rows if row["Given name"] == "Ada")
    ada |= {"Family name": "Kamara", "Visit #2 | Weight": 12}
    plan = await planned(s, "data tracker push", file=save(rows), program="Children")
    [step] = plan.steps
    assert step.detail == (
        "tePerson001: Family name: 'Almoor' -> 'Kamara'; event Visit 2025-02-01: Weight: '4' -> '12'"
    )
    sent = posted(s, monkeypatch)
    summary = await do(s, "data tracker push", file=Path("flat.csv"), program="Children")
    assert (summary.updated, summary.ignored) == (2, 6)
    assert [sorted(body) for body in sent if len(body) == 2] == [["events", "trackedEntities"]] * len(sent)
    assert await s.client.tracker.get("events", "evPers01v00", fields="dataValues[value]") == {
        "dataValues": [{"value": "3.400"}]
    }
    assert "'4' -> '12'" in str((await call(s, "journal show")).plain())
    await do(s, "undo")
    assert (await people(s))["Ada"]["Family name"] == "Almoor"


async def test_what_a_bundle_takes_away_is_a_change(s: Session):
    """An empty value, and a property that is not said: both go, and the plan says so."""
    await do(s, "data tracker update", uid="enPerson001", follow_up=True)
    before = next(row for row in await exported(s) if row["trackedEntity"] == "tePerson001")
    person = json.loads(json.dumps(before))
    del person["enrollments"][0]["followUp"]
    person["enrollments"][0]["events"][0]["dataValues"][0]["value"] = ""
    plan = await planned(s, "data tracker push", file=write([person], "one.json"))
    [step] = plan.steps
    assert "enrollment Children: followUp is not said: a server may take it away" in step.detail
    assert "event Visit 2025-01-01: Weight: '3' -> nothing" in step.detail
    summary = await do(s, "data tracker push", file=Path("one.json"))
    assert (summary.updated, summary.ignored) == (2, 2)
    after = next(row for row in await exported(s) if row["trackedEntity"] == "tePerson001")
    assert after["enrollments"][0]["events"][0]["dataValues"] == []
    await do(s, "undo")
    assert next(row for row in await exported(s) if row["trackedEntity"] == "tePerson001") == before


async def test_many_objects_are_compared_when_they_are_sent(s: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "VALIDATED", 2)
    monkeypatch.setattr(jobs, "IN_ONE_PART", 3)
    rows = await flat_sheet(s)
    rows[0]["Family name"] = "Kamara"
    sent = posted(s, monkeypatch)
    summary = await do(s, "data tracker push", file=save(rows), program="Children")
    assert (summary.updated, summary.ignored) == (1, 7)
    assert [list(body) for body in sent] == [["trackedEntities"]]
    assert "enrollments" not in sent[0]["trackedEntities"][0]
    assert "ignored is what the server holds already" in str(summary.note)
    await do(s, "undo")
    assert "Kamara" not in {row["Family name"] for row in (await people(s)).values()}


async def test_a_new_visit_of_a_child_that_is_there_goes_alone(s: Session):
    rows = await flat_sheet(s)
    ada = next(row for row in rows if row["Given name"] == "Ada")
    ada |= {"Visit #3 | occurredAt": "2025-06-01", "Visit #3 | Weight": 7}
    names = dict.fromkeys(("Visit #3 | occurredAt", "Visit #3 | Weight"))
    plan = await planned(s, "data tracker push", file=save([{**names, **row} for row in rows]), program="Children")
    [step] = plan.steps
    assert step.detail == "tePerson001: event Visit 2025-06-01: new, Weight: 7"
    summary = await do(s, "data tracker push", file=Path("flat.csv"), program="Children")
    assert (summary.created, summary.updated) == (1, 0)


async def test_refused_rows_beside_rows_that_are_there_already(s: Session):
    rows = await flat_sheet(s)
    rows[0]["Sex"] = "Other"
    with pytest.raises(PartlyDone, match="no option of 'Sex'"):
        await do(s, "data tracker push", file=save(rows), program="Children", rejected=Path("mend.csv"))
    assert Path("mend.csv").exists()


async def test_of_a_strategy_that_creates_the_server_says_what_is_there(s: Session):
    path = write({"trackedEntities": [clinics.PERSONS[1]]}, "one.json")
    plan = await planned(s, "data tracker push", file=path, strategy="create")
    assert any("E1002" in note for note in plan.notes)


async def test_a_name_beside_a_unit_is_held_against_it_and_stands_for_it(s: Session):
    """What `--flat` writes has both: who edits one of them is asked, who empties the UID means the name."""
    rows = await flat_sheet(s)
    ada, bo = (next(row for row in rows if row["Given name"] == name) for name in ("Ada", "Bo"))
    ada["orgUnitName"] = "Clinic B"
    bo |= {"orgUnit": "", "orgUnitName": "clinic a", "Family name": "Berg"}
    new = {**dict.fromkeys(rows[0]), "orgUnitName": "Clinic B", "Given name": "Hal", "enrolledAt": "2025-01-01"}
    plan = await planned(s, "data tracker push", file=save([*rows, new]), program="Children")
    assert [note for note in plan.notes if note.startswith("refused: ")] == [
        f"refused: row {rows.index(ada) + 2}: ouClinicA01 is not called 'Clinic B'; empty the one that is wrong"
    ]
    assert plan.steps[0].detail.partition(": ")[2] == "Family name: 'Brevik' -> 'Berg'"
    assert "Clinic B" in plan.steps[1].detail
    only = write("orgUnitName,Given name,Enrollment date\nClinic B,Ivy,2025-01-01\n")
    await do(s, "data tracker push", file=only, program="Children")
    assert (await people(s))["Ivy"]["orgUnit"] == "ouClinicB01"
    events = write(
        "orgUnit,orgUnitName,Event date,Staff met\nouClinicC01,Clinic A,2025-03-01,3\n,Clinic C,2025-03-01,3\n"
    )
    plan = await planned(s, "data tracker push", file=events, program="Supervision")
    assert any("row 2: ouClinicC01 is not called 'Clinic A'" in note for note in plan.notes)
    assert len(plan.steps) == 1


async def test_dates_that_can_be_read_in_one_way_are_and_numbers_come_with_advice(s: Session):
    head = "Facility,Given name,Enrollment date,Born,Visit #1 | date,Visit #1 | Weight\n"
    rows = "Clinic A,Hal,13/03/2025,28.02.2025,03/13/2025,3.5\nClinic A,Ivy,01/02/2025,,,\nClinic A,Jo,2025-01-01,,2025-01-02,nil\n"
    with pytest.raises(PartlyDone) as partly:
        await do(
            s,
            "data tracker push",
            file=write(f'{head}{rows}Clinic A,Ki,2025-01-01,,2025-01-02,"3,5"\n'),
            program="Children",
        )
    for told in ("and this is '01/02/2025'", "'nil': write 0 if it is zero", "'3,5': write 3.5, if that"):
        assert told in str(partly.value.summary.failures), told
    hal = (await people(s))["Hal"]
    assert (hal["enrolledAt"], hal["Born"], hal["Visit #1 | occurredAt"]) == ("2025-03-13", "2025-02-28", "2025-03-13")
    plan = await planned(
        s, "data tracker push", file=write("Facility,Event date,Staff met\nClinic A,2025-03-01,12.0\nClinic A,2025-03-02,1\n"),
        program="Supervision",
    )  # fmt: skip
    assert any("this is '12.0': write 12" in note for note in plan.notes)
