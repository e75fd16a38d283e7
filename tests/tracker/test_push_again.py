"""What is there already is left alone: a push compared with it, cut off and resumed."""

import csv
import json
from pathlib import Path

import pytest

from dhis2sh.errors import Dhis2Error, PartlyDone, Refused, ServerFault
from dhis2sh.session import Session
from dhis2sh.tracker import jobs, loading, sending
from dhis2sh.types import JsonObject
from tests.metadata.calls import call, do, planned
from tests.tracker import clinics
from tests.tracker.sheets import SHEET, exported, flat_sheet, people, save, write


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


async def test_a_push_that_changed_nothing_is_not_taken_back(s: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "VALIDATED", 0)  # as of many objects, which are compared when they are sent
    before = await exported(s)
    for _ in range(2):
        await do(s, "data tracker push", file=write(SHEET), program="Children")
    named = await planned(s, "undo", id=2)
    assert not named.steps
    assert any("it has changed nothing" in note for note in named.notes)
    with pytest.raises(Refused, match=r"entry 2 .* has nothing to take back: it has changed nothing"):
        await do(s, "undo")
    await do(s, "undo", id=1)
    assert await exported(s) == before
    for more in ({"id": 2}, {"id": 2, "force": True}):
        nothing = await planned(s, "undo", **more)
        assert not nothing.steps, "what was there before a push is never written by its undo"
        assert nothing.blocked is None


async def test_a_push_is_called_as_the_file_that_is_pushed_now(s: Session):
    """The same persons of another file, planned before, do not give it their name."""
    await planned(s, "data tracker push", file=write(SHEET, "may.csv"), program="Children")
    plan = await planned(s, "data tracker push", file=write(SHEET, "june.csv"), program="Children")
    assert "june.csv" in plan.title


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
    if written:
        summary = await do(s, "data tracker push", file=path, strategy=strategy)
        assert (summary.created, summary.updated, summary.failures) == (6, 0, [])
        assert "1 part got no answer (504 Gateway Time-out); looked at afterwards" in str(summary.note)
        return
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
    assert again.writer.job.path == plan.writer.job.path, "the same rows have the same UIDs in any file"
    assert "june.csv" in again.title
    assert "1 of 3 refused" in again.title
    same = await planned(s, "data tracker push", file=write(text, "july.csv"), program="Children")
    assert same.writer.job.path == plan.writer.job.path
    assert "july.csv" in same.title
    assert "1 of 2 parts were answered in an earlier run" in same.notes


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


@pytest.mark.parametrize("rows", [SHEET, SHEET + "Clinic A,Zoe,Zander,Female,2025-01-05,2025-01-05,3,2025-13-01,4,,\n"])
async def test_behind_a_proxy_that_gives_every_answer_itself_a_push_ends(
    s: Session, small_parts: None, monkeypatch: pytest.MonkeyPatch, rows: str
):
    """What is there was written, and is counted as what it is; what the server would refuse, asked without writing, was refused."""
    real = sending.Bundles._answer

    async def lost(self, session, number, entries):  # type: ignore[no-untyped-def]
        await real(self, session, number, entries)
        raise ServerFault("504 Gateway Time-out")

    monkeypatch.setattr(sending.Bundles, "_answer", lost)
    taken = await people(s)
    new = {"file": write(rows.replace("Eli,Estvale", "Ada,Estvale")), "program": "Children"}
    if rows == SHEET:
        summary = await do(s, "data tracker push", **new)
        assert (summary.created, summary.updated, summary.failures) == (7, 0, [])
    else:
        with pytest.raises(PartlyDone, match=r"7 created .*1 refused"):
            await do(s, "data tracker push", **new)
    monkeypatch.setattr(sending.Bundles, "_answer", real)
    await do(s, "undo")
    assert await people(s) == taken


async def test_what_would_be_refused_behind_such_a_proxy_is_told(
    s: Session, small_parts: None, monkeypatch: pytest.MonkeyPatch
):
    real = sending.Bundles._answer

    async def lost(self, session, number, entries):  # type: ignore[no-untyped-def]
        await real(self, session, number, entries)
        raise ServerFault("504 Gateway Time-out")

    monkeypatch.setattr(sending.Bundles, "_answer", lost)
    text = "Facility,Given name,Card number,enrolledAt\nClinic A,Mia,A-1,2025-01-01\nClinic A,Ned,N-1,2025-01-01\n"
    with pytest.raises(PartlyDone, match=r"2 created .*1 refused: row 2: E1064"):
        await do(s, "data tracker push", file=write(text), program="Children", strategy="create")
