"""Rows and files that are refused: each says why, and can be mended."""

import csv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.errors import NotFound, PartlyDone, Refused, UsageError
from dhis2sh.session import Session
from dhis2sh.tracker import loading
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.metadata.calls import do, planned
from tests.shared import SHARED, needs_shared, shared
from tests.tracker import clinics
from tests.tracker.sheets import SHEET, exported, flat_sheet, people, save, write


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
    """A unique value that another entity has: who only creates looks for nobody, the server does, and says which row."""
    sheet = write(
        "Facility,Given name,Card number,enrolledAt\nClinic A,Mia,A-1,2025-01-01\nClinic A,Ned,N-1,2025-01-01\n"
    )
    new = {"file": sheet, "program": "Children", "strategy": "create"}
    plan = await planned(s, "data tracker push", **new)
    assert any("the server will refuse row 2: E1064" in note and "'Card number'" in note for note in plan.notes)
    assert any("--filter 'Card number:eq:A-1'" in note for note in plan.notes)
    with pytest.raises(PartlyDone, match=r"row 2: .*E1064"):
        await do(s, "data tracker push", **new)
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


MIXED = """Facility,Given name,Card number,enrolledAt
Clinic A,Mia,A-1,2025-01-01
Clinic Z,Nia,N-2,2025-01-01
Clinic A,Ned,N-1,2025-01-01
"""


async def test_what_is_refused_here_and_by_the_server_goes_into_one_file_after_the_send(s: Session):
    """Rows of both kinds in one push, and a dry run leaves files alone."""
    Path("mend.csv").write_text("mine", "utf-8")
    pushed = {"file": write(MIXED), "program": "Children", "rejected": Path("mend.csv"), "strategy": "create"}
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
    rows = "Clinic A,Hal,13-Mar-2025,28.02.2025,03/13/2025,3.5\nClinic A,Ivy,01/02/2025,,,\nClinic A,Jo,2025-01-01,,2025-01-02,nil\n"
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
    assert (hal["enrolledAt"][:10], hal["Born"], hal["Visit #1 | occurredAt"][:10]) == (
        "2025-03-13",
        "2025-02-28",
        "2025-03-13",
    )
    plan = await planned(
        s, "data tracker push", file=write("Facility,Event date,Staff met\nClinic A,2025-03-01,12.0\nClinic A,2025-03-02,1\n"),
        program="Supervision",
    )  # fmt: skip
    assert any("this is '12.0': write 12" in note for note in plan.notes)


async def test_a_file_of_refused_rows_has_what_options_said_of_them(s: Session):
    """Whoever mends it need not say the unit and the day again, and of what is there already nothing is changed."""
    sheet = write("Given name,Sex,trackedEntity,enrollment\nHal,Other,,\nAda,Other,tePerson001,enPerson001\n")
    with pytest.raises((PartlyDone, Refused)):
        await do(s, "data tracker push", file=sheet, program="Children", org_unit="Clinic A", enrolled="2025-01-05",
                 rejected=Path("mend.csv"))  # fmt: skip
    hal, ada = csv.DictReader(Path("mend.csv").read_text("utf-8").splitlines())
    assert (hal["orgUnit"], hal["enrolledAt"]) == ("ouClinicA01", "2025-01-05")
    assert ada["enrolledAt"] == ""
    before = (await people(s))["Ada"]
    Path("mended.csv").write_text(Path("mend.csv").read_text("utf-8").replace(",Other,", ",Female,"), "utf-8")
    await do(s, "data tracker push", file=Path("mended.csv"), program="Children")
    found = await people(s)
    assert (found["Hal"]["enrolledAt"], found["Hal"]["orgUnitName"]) == ("2025-01-05T00:00:00.000", "Clinic A")
    assert found["Ada"]["enrolledAt"] == before["enrolledAt"]


async def test_a_file_of_refused_events_has_what_options_said_of_them(s: Session):
    sheet = write("Staff met,notes\nmany,\n".replace(",notes", "").replace(",", ""))
    with pytest.raises(Refused):
        await do(s, "data tracker push", file=sheet, program="Supervision", org_unit="Clinic C", occurred="2025-03-01",
                 rejected=Path("mend.csv"))  # fmt: skip
    Path("mended.csv").write_text(Path("mend.csv").read_text("utf-8").replace("many", "3"), "utf-8")
    summary = await do(s, "data tracker push", file=Path("mended.csv"), program="Supervision")
    assert summary.created == 1
