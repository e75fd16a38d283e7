"""Who is there already is found again, however the file has changed: nobody is made twice without a word."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh.errors import PartlyDone, Refused
from dhis2sh.session import Session
from dhis2sh.tracker.alike import Alike
from tests.metadata.calls import call, do, planned
from tests.tracker.sheets import SHEET, exported, people, save, write

HEAD, DORA, ELI = SHEET.splitlines()
NUMBERED = "Facility,Given name,Family name,Card number,Enrollment date\n"


async def push(s: Session, text: str, name: str = "persons.csv", **more: object) -> object:
    return await do(s, "data tracker push", file=write(text, name), program="Children", **more)


async def test_a_mended_file_makes_nobody_twice(s: Session):
    with pytest.raises(PartlyDone, match="1 refused"):
        await push(s, f"{HEAD}\n{DORA}\n{ELI.replace('Clinic B', 'Nowhere')}\n")
    summary = await push(s, SHEET)
    assert (summary.created, summary.updated) == (2, 0), "Eli and his enrollment"
    assert sorted(await people(s)) == ["Ada", "Bo", "Cy", "Dora", "Eli"]


def grown() -> Iterator[tuple[str, str, int]]:
    yield "a row more", f"{SHEET}Clinic B,Fay,Fonvik,Female,2025-03-02,,,,,,\n", 2
    yield "a row before", f"{HEAD}\nClinic B,Fay,Fonvik,Female,2025-03-02,,,,,,\n{DORA}\n{ELI}\n", 2
    yield "other line ends", SHEET.replace("\n", "\r"), 0
    yield "another visit", SHEET.replace("Male,2025-03-02,,,,,,", "Male,2025-03-02,,,2025-06-01,7,,"), 1
    yield "another value", SHEET.replace("2025-04-01,4", "2025-04-01,4.5"), 0


@pytest.mark.parametrize(("how", "text", "created"), [*grown()], ids=[row[0] for row in grown()])
async def test_last_weeks_list_with_something_more(s: Session, how: str, text: str, created: int):
    await push(s, SHEET)
    before = len(await people(s))
    path = Path("persons.csv")
    path.write_bytes(text.encode())
    summary = await do(s, "data tracker push", file=path, program="Children")
    assert summary.created == created
    assert len(await people(s)) == before + (how in {"a row more", "a row before"})


async def test_a_changed_cell_of_who_it_is_makes_no_second_one_without_a_word(s: Session):
    await push(s, SHEET)
    text = SHEET.replace("Eli,Estvale,Male", "Eli,Estvale,Female")
    with pytest.raises(PartlyDone, match="same names, unit and day of enrollment as"):
        await push(s, text)
    assert len(await exported(s)) == 5
    await push(s, text, repeated=True)
    assert len(await exported(s)) == 6, "who says that another one is meant gets another one"


@pytest.mark.parametrize("day", ["05/06/2026", "octobre 2026", "2026-13-45", "n/a", "3/10/26", "46300"])
async def test_a_day_that_cannot_be_read_makes_nobody_else_twice(s: Session, day: str):
    """A row that is refused itself does not keep the others from being looked for."""
    await push(s, SHEET)
    text = f"{SHEET.replace('Eli,Estvale,Male', 'Eli,Estvale,Female')}Clinic B,Fay,Fonvik,Female,{day},,,,,,\n"
    with pytest.raises(PartlyDone, match="same names, unit and day of enrollment as"):
        await push(s, text)
    assert sorted(await people(s)) == ["Ada", "Bo", "Cy", "Dora", "Eli"]


async def test_who_cannot_be_looked_for_is_not_sent_without_a_word(s: Session, monkeypatch: pytest.MonkeyPatch):
    async def refused(*_: object) -> None:
        raise Refused("the server is too busy to look", code="E1003")

    monkeypatch.setattr(Alike, "_at", refused)
    with pytest.raises(Refused, match="whether somebody looks the same is not known: the server is too busy to look"):
        await push(s, SHEET)
    assert sorted(await people(s)) == ["Ada", "Bo", "Cy"]
    await push(s, SHEET, repeated=True)
    assert len(await people(s)) == 5


async def test_what_a_sheet_does_not_say_of_who_looks_the_same(s: Session):
    """Other names, another unit or another day are others."""
    await push(s, SHEET)
    others = [ELI.replace("Eli", "Ela"), ELI.replace("Clinic B", "Clinic A"), ELI.replace("03-02", "03-03")]
    await push(s, "\n".join([HEAD, *others]) + "\n", "others.csv")
    assert len(await exported(s)) == 8


async def test_a_value_that_nobody_has_twice_says_who_it_is(s: Session):
    plan = await planned(
        s, "data tracker push", file=write(f"{NUMBERED}Clinic A,Ada,Kamara,a-1,2025-01-01\n"), program="Children"
    )
    assert "row 2 is tePerson001, who has 'Card number' a-1" in plan.notes
    assert "goes to the enrollment enPerson001 of 2025-01-01" in "; ".join(plan.notes)
    summary = await push(s, f"{NUMBERED}Clinic A,Ada,Kamara,A-1,2025-01-01\n")
    assert (summary.created, summary.updated) == (0, 1)
    assert (await people(s))["Ada"]["Family name"] == "Kamara"
    await do(s, "undo")
    assert (await people(s))["Ada"]["Family name"] == "Almoor"


async def test_a_mistyped_number_does_not_make_another_of_somebody(s: Session):
    with pytest.raises(Refused, match="'Card number' is 'A-1' of tePerson001, who is called Ada Almoor"):
        await push(s, f"{NUMBERED}Clinic A,Gus,Gram,A-1,2025-01-05\n")
    assert "Gus" not in await people(s)


async def test_after_an_undo_the_same_file_is_pushed_again(s: Session):
    before = await exported(s)
    for _ in range(3):
        plan = await planned(s, "data tracker push", file=write(SHEET), program="Children")
        assert not any("refuse" in note for note in plan.notes)
        summary = await push(s, SHEET)
        assert (summary.created, summary.failures) == (7, [])
        await do(s, "undo")
        assert await exported(s) == before
    assert any("new UIDs for 7 objects" in note for note in plan.notes)


async def test_after_one_was_deleted_the_file_makes_that_one_alone_again(s: Session):
    await push(s, SHEET)
    eli = (await people(s))["Eli"]["trackedEntity"]
    await do(s, "data tracker delete", uids=[eli])
    summary = await push(s, SHEET)
    assert summary.created == 2
    assert (await people(s))["Eli"]["trackedEntity"] != eli


EVENTS = "Facility,Event date,Staff met\nClinic A,2025-02-04,3\nClinic A,2025-02-05,x\n"


async def test_rows_of_events_are_found_again_too(s: Session):
    with pytest.raises(PartlyDone):
        await do(s, "data tracker push", file=write(EVENTS), program="Supervision")
    mended = EVENTS.replace("x", "4")
    summary = await do(s, "data tracker push", file=write(mended), program="Supervision")
    assert summary.created == 1
    await do(s, "undo")
    summary = await do(s, "data tracker push", file=write(mended), program="Supervision")
    assert (summary.created, summary.failures) == (1, [])


VISIT = "trackedEntity,Facility,Enrollment date,Visit #1 | date,Visit #1 | Weight\ntePerson002,Clinic A,{day},2025-06-0{at},9\n"


@pytest.mark.parametrize("complete", [False, True])
async def test_a_follow_up_enrolls_nobody_again(s: Session, *, complete: bool):
    if complete:
        await do(s, "data tracker complete", uids=["enPerson002"])
    for at in (1, 2):  # next week's list has another visit
        plan = await planned(
            s, "data tracker push", file=write(VISIT.format(day="2025-01-01", at=at)), program="Children"
        )
        said = "; ".join(plan.notes)
        assert "row 2 goes to the enrollment enPerson002 of 2025-01-01" in said
        assert ("which is completed" in said) == complete
        summary = await push(s, VISIT.format(day="2025-01-01", at=at))
        assert summary.created == 1
    (bo,) = [row for row in await exported(s) if row["trackedEntity"] == "tePerson002"]
    (enrollment,) = bo["enrollments"]
    assert enrollment["status"] == ("COMPLETED" if complete else "ACTIVE")
    assert len(enrollment["events"]) == 2


async def test_a_follow_up_of_another_day_than_that_of_the_enrollment_is_refused(s: Session):
    with pytest.raises(
        Refused, match=r"tePerson002 is enrolled in 'Children' since 2025-01-01 .enPerson002. and not since 2025-05-05"
    ):
        await push(s, VISIT.format(day="2025-05-05", at=1))


async def test_without_a_date_the_active_enrollment_is_meant(s: Session):
    text = "trackedEntity,Visit #1 | date,Visit #1 | Weight\ntePerson003,2025-06-01,9\n"
    summary = await push(s, text)
    assert summary.created == 1
    (cy,) = [row for row in await exported(s) if row["trackedEntity"] == "tePerson003"]
    ((event,),) = [one["events"] for one in cy["enrollments"]]
    assert event["orgUnit"] == "ouClinicB01"


async def test_a_correction_needs_the_uid_and_the_cell(s: Session):
    summary = await push(s, "trackedEntity,Family name\ntePerson003,Corrected\n")
    assert (summary.created, summary.updated) == (0, 1)
    (cy,) = [row for row in await exported(s) if row["trackedEntity"] == "tePerson003"]
    assert cy["orgUnit"] == "ouClinicB01"
    assert (await people(s))["Cy"]["Family name"] == "Corrected"
    await push(s, "enrollment,Family name\nenPerson003,Again\n")
    assert (await people(s))["Cy"]["Family name"] == "Again"


async def test_what_list_stage_writes_is_taken(s: Session):
    stream = await call(s, "data tracker list", program="Children", stage="Visit")
    rows = (await stream.collect()).plain()
    assert len(rows) == 2
    same = await planned(s, "data tracker push", file=save(rows, "visits.csv"), program="Children")
    assert not same.steps, "all of it is there"
    rows[0] |= {"Weight": 8.5, "Next visit": "2026-02-02"}
    summary = await do(s, "data tracker push", file=save(rows, "visits.csv"), program="Children")
    assert (summary.created, summary.updated) == (0, 1)
    short = [{"event": rows[1]["event"], "Weight": 9.5}]
    summary = await do(s, "data tracker push", file=save(short, "visits.csv"), program="Children")
    assert (summary.created, summary.updated) == (0, 1)
    event = await s.client.tracker.get("events", str(rows[1]["event"]), fields="status,occurredAt,dataValues[value]")
    assert event["dataValues"] == [{"value": "9.5"}]
    assert str(event["occurredAt"])[:10] == str(rows[1]["occurredAt"])[:10]


async def test_the_same_line_does_not_register_a_second_one_without_a_word(s: Session):
    line = {
        "program": "Children",
        "org_unit": "Clinic A",
        "set": ["Given name=Ida", "Family name=Irving"],
        "enrolled": "2025-03-03",
    }
    await do(s, "data tracker register", **line)
    with pytest.raises(Refused, match="same names, unit and day of enrollment as") as failed:
        await do(s, "data tracker register", **line)
    assert "--repeated" in str(failed.value.hint)
    await do(s, "data tracker register", **line, repeated=True)
    assert len(await exported(s)) == 5


async def test_what_apps_have_generated(s: Session):
    """Registering asks the server for it; a push says that it stays empty."""
    attribute = await s.client.get_object("trackedEntityAttributes/teaNumber01", {"fields": ":owner"})
    await s.client.put(
        "trackedEntityAttributes/teaNumber01", {**attribute, "generated": True, "pattern": "RANDOM(######)"}
    )
    await do(s, "data tracker register", program="Children", org_unit="Clinic A", set=["Given name=Ida"])
    assert len(str((await people(s))["Ida"]["Card number"])) == 6
    plan = await planned(s, "data tracker push", file=write(SHEET), program="Children")
    assert any(note.startswith("'Card number' stays empty in 2 new entities") for note in plan.notes)


@pytest.mark.parametrize("text", ["45", "2025-02-30", "01/02/2025", "2025"])
async def test_an_age_is_a_day_of_birth(s: Session, text: str):
    await s.client.patch("trackedEntityAttributes/teaBorn0001", [{"op": "add", "path": "/valueType", "value": "AGE"}])
    with pytest.raises(Refused, match="'Born' wants a date"):
        await push(s, f"Facility,Given name,Born,Enrollment date\nClinic A,Gil,{text},2025-01-01\n")


async def test_what_was_refused_makes_no_second_one_when_it_is_pushed_as_it_is(s: Session):
    """The file of refused rows gives UIDs, which nobody has yet: they say nothing of who is meant."""
    await push(s, SHEET)
    with pytest.raises(PartlyDone):
        await push(s, SHEET.replace("Eli,Estvale,Male", "Eli,Estvale,Female"), rejected=Path("mend.csv"))
    rows = list(csv.DictReader(Path("mend.csv").read_text("utf-8").splitlines()))
    assert [row["Given name"] for row in rows] == ["Eli"]
    assert rows[0]["trackedEntity"]
    with pytest.raises(Refused, match="same names, unit and day of enrollment"):
        await do(s, "data tracker push", file=Path("mend.csv"), program="Children")
    assert len(await exported(s)) == 5


async def test_a_refused_row_that_is_mended_in_both_files_is_made_once(s: Session):
    wrong = f"{HEAD}\n{DORA}\n{ELI.replace('Clinic B', 'Nowhere')}\n"
    with pytest.raises(PartlyDone):
        await push(s, wrong, rejected=Path("mend.csv"))
    await push(s, SHEET)
    mended = Path("mend.csv").read_text("utf-8").replace("Nowhere", "Clinic B")
    with pytest.raises(Refused, match="same names, unit and day of enrollment"):
        await push(s, mended, "mend.csv")
    assert len(await exported(s)) == 5
