"""A load whose parts the server imports in jobs of its own: exact counts, and what goes on when nobody watches."""

import asyncio

import pytest

from dhis2sh.data import jobs
from dhis2sh.errors import PartlyDone
from dhis2sh.session import Session
from tests.data.test_aggregate import values, write
from tests.metadata.calls import do

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
