"""A load whose parts the server imports in jobs of its own: exact counts, and what goes on when nobody watches."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from dhis2sh.changes import job_folders
from dhis2sh.changes.apply import apply_plan
from dhis2sh.changes.consent import Consent
from dhis2sh.changes.journal import journal_of
from dhis2sh.data import jobs
from dhis2sh.errors import Dhis2Error, PartlyDone, ServerFault
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from tests.data.test_aggregate import values, write
from tests.metadata.calls import do, planned

SHEET = "dataElement,period,orgUnit,value\nStock,202501,Clinic A,1\nStock,202502,Clinic B,2\nTemperature,202501,Clinic A,20\n"


async def test_the_counts_are_those_of_the_servers_own_report(s: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "ROWS_IN_ONE_PART", 2)
    sent: list[object] = []
    write_ = s.client.write

    async def watched(method: str, path: str, body: object = None, params: object = None, **more: object) -> object:
        if "dryRun" not in dict(params or {}):  # type: ignore[call-overload]
            sent.append((path, dict(params or {}).get("async")))  # type: ignore[call-overload]
        return await write_(method, path, body, params, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(s.client, "write", watched)
    summary = await do(s, "data aggregate push", file=write(SHEET), async_=True)
    assert sent == [("dataValueSets", "true")] * 2
    assert (summary.created, summary.updated, summary.ignored) == (1, 1, 1)
    assert summary.note == "ignored is what the server holds already as it was sent"
    await do(s, "undo")
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "100"


async def test_what_the_server_refuses_in_a_job_is_refused(s: Session):
    closed = {
        "period": {"id": "202502"},
        "openingDate": "2020-01-01T00:00:00.000",
        "closingDate": "2020-02-01T00:00:00.000",
    }
    january = {**closed, "period": {"id": "202501"}, "closingDate": "2099-01-01T00:00:00.000"}
    changes = [("/shortName", "Monthly"), ("/dataInputPeriods", [closed, january])]
    await s.client.patch(
        "dataSets/dsMonthly01", [{"op": "add", "path": path, "value": value} for path, value in changes]
    )
    with pytest.raises(PartlyDone, match="E7643"):
        await do(s, "data aggregate push", file=write(SHEET), async_=True)
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "1"


async def test_a_job_that_nobody_waited_for_is_asked_and_not_started_again(s: Session, monkeypatch: pytest.MonkeyPatch):
    """Interrupted while the server imports: it goes on, and the same line once more takes its answer."""
    notes: list[str] = []
    started: list[str] = []
    monkeypatch.setattr(s.person, "note", notes.append)
    write_ = s.client.write

    async def counted(method: str, path: str, body: object = None, params: object = None, **named: object) -> object:
        if "async" in dict(params or {}):  # type: ignore[call-overload]
            started.append(path)
        return await write_(method, path, body, params, **named)  # type: ignore[arg-type]

    async def interrupted(*_: object, **__: object) -> object:
        raise asyncio.CancelledError
        yield

    monkeypatch.setattr(s.client, "write", counted)
    with monkeypatch.context() as patch:
        patch.setattr("dhis2sh.client.tasks.Tasks.iter_notifications", interrupted)
        with pytest.raises(asyncio.CancelledError):
            await do(s, "data aggregate push", file=write(SHEET), async_=True)
    assert any("goes on importing: the same line once more waits for it" in note for note in notes)
    summary = await do(s, "data aggregate push", file=write(SHEET), async_=True)
    assert len(started) == 1
    assert (summary.created, summary.updated, summary.ignored) == (1, 1, 1)


# Folders that nobody needs --------------------------------------------------------------------------------------------


def folders(s: Session, *, days_old: float = 0) -> set[str]:
    """The names of the folders, which are made so many days old."""
    home = job_folders.folder(s.profile.name)
    at = time.time() - days_old * 86_400
    for path in home.iterdir():
        os.utime(path, (at, at))
    return {path.name for path in home.iterdir()}


async def test_what_was_only_planned_goes_after_a_day(s: Session):
    await planned(s, "data aggregate push", file=write(SHEET))
    before = folders(s)
    job_folders.sweep(s.profile.name)
    assert folders(s, days_old=1.1) == before
    await planned(s, "data aggregate push", file=write(SHEET.replace("A,20", "A,21")))
    assert len(folders(s)) == 1
    assert folders(s) != before


async def test_a_load_that_can_be_taken_back_stays_and_goes_when_it_was(s: Session):
    await do(s, "data aggregate push", file=write(SHEET))
    [name] = folders(s, days_old=30)
    assert job_folders.sweep(s.profile.name) == 0
    await do(s, "undo")
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "100"
    folders(s, days_old=1.1)
    job_folders.sweep(s.profile.name)
    assert name not in folders(s)


async def test_a_load_that_the_journal_has_forgotten_goes(s: Session):
    await do(s, "data aggregate push", file=write(SHEET))
    folders(s, days_old=2)
    await do(s, "journal prune", keep=0)
    assert folders(s) == set()


async def test_a_load_that_was_cut_off_stays_without_a_journal_too(s: Session, monkeypatch: pytest.MonkeyPatch):
    await cut_off(s, monkeypatch, write(SHEET))
    journal_of(s).path.unlink()
    folders(s, days_old=2)
    assert job_folders.sweep(s.profile.name) == 0
    await do(s, "data aggregate push", file=write(SHEET))
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "1"
    journal_of(s).path.unlink()
    folders(s, days_old=2)
    assert job_folders.sweep(s.profile.name) == 1


async def test_a_load_that_was_cut_off_and_taken_back_goes(s: Session, monkeypatch: pytest.MonkeyPatch):
    await cut_off(s, monkeypatch, write(SHEET))
    [name] = folders(s)
    await do(s, "undo")
    folders(s, days_old=2)
    job_folders.sweep(s.profile.name)
    assert name not in folders(s)


async def test_a_journal_that_cannot_be_read_lets_every_folder_stay(s: Session):
    await do(s, "data aggregate push", file=write(SHEET))
    folders(s, days_old=2)
    Path(journal_of(s).path).write_text("no journal at all, and longer than the head of one" * 9)
    assert job_folders.sweep(s.profile.name) == 0


async def test_a_plan_whose_folder_went_says_so(s: Session):
    plan = await planned(s, "data aggregate push", file=write(SHEET))
    folders(s, days_old=2)
    assert job_folders.sweep(s.profile.name) == 1
    with pytest.raises(Dhis2Error, match="what was planned is not kept any more"):
        await apply_plan(s, find("data aggregate push"), plan, Consent(yes=True))


# Who loads it now -----------------------------------------------------------------------------------------------------
ONE = "dataElement,period,orgUnit,value\nStock,202501,Clinic A,1\n"


async def test_a_load_is_called_as_who_loads_it_now_calls_it(s: Session):
    """The same values of another file, planned before, give it neither their name nor their refused rows."""
    other = await planned(s, "data aggregate push", file=write(f"{ONE}Stock,202501,Clinic B,x\n", "march.csv"))
    assert "march.csv" in other.title
    plan = await planned(s, "data aggregate push", file=write(f"{ONE}Stock,202501,Nowhere,7\n", "june.csv"))
    assert "june.csv" in plan.title
    told = next(note for note in plan.notes if note.startswith("refused rows with their reasons"))
    assert "Nowhere" in Path(told.partition(": ")[2]).read_text("utf-8")
    await planned(s, "data aggregate push", file=write(ONE, "no-undo.csv"), no_undo=True)
    await do(s, "data aggregate push", file=write(ONE, "april.csv"))
    assert "april.csv" in (undoing := await planned(s, "undo")).title and undoing.blocked is None


async def cut_off(s: Session, monkeypatch: pytest.MonkeyPatch, sheet: Path) -> None:
    """A push whose second part is lost on its way."""
    monkeypatch.setattr(jobs, "ROWS_IN_ONE_PART", 1)
    write_ = s.client.write
    sent: list[object] = []

    async def cutting(method: str, path: str, body: object = None, params: object = None, **named: object) -> object:
        if "dryRun" not in dict(params or {}):  # type: ignore[call-overload]
            sent.append(body)
            if len(sent) > 1:
                raise ServerFault("504 Gateway Time-out")
        return await write_(method, path, body, params, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(s.client, "write", cutting)
        with pytest.raises(PartlyDone, match="504"):
            await do(s, "data aggregate push", file=sheet)


async def test_what_was_cut_off_goes_on_under_the_name_and_with_the_refused_rows_of_now(
    s: Session, monkeypatch: pytest.MonkeyPatch
):
    await cut_off(s, monkeypatch, write(f"{ONE}Stock,202502,Clinic B,2\n", "march.csv"))
    plan = await planned(
        s, "data aggregate push", file=write(f"{ONE}Stock,202502,Clinic B,2\nStock,202501,Nowhere,7\n", "june.csv")
    )
    assert "june.csv" in plan.title
    assert any("it is sent again" in note for note in plan.notes)
    told = next(note for note in plan.notes if note.startswith("refused rows with their reasons"))
    assert "Nowhere" in Path(told.partition(": ")[2]).read_text("utf-8")


async def test_what_was_cut_off_and_taken_back_begins_anew(s: Session, monkeypatch: pytest.MonkeyPatch):
    """It keeps the values that are there now: undoing it again must not bring back those of before the first time."""
    await cut_off(s, monkeypatch, sheet := write(SHEET))
    await do(s, "undo")
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "100"
    await do(s, "data aggregate set", element="Stock", period="202501", org_unit="Clinic A", value="55")
    plan = await planned(s, "data aggregate push", file=sheet)
    assert not any("it is sent again" in note for note in plan.notes)
    await do(s, "data aggregate push", file=sheet)
    await do(s, "undo")
    assert (await values(s))["Stock", "default", "Clinic A", "202501"] == "55"
