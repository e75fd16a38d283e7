"""Exchanges: what would be sent, where it goes, what became of it; a `dryRun` in the address is no dry run."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.changes.journal import journal_of
from dhis2sh.client.answers import Answer
from dhis2sh.errors import NotFound, PartlyDone, Refused
from dhis2sh.instance import exchanges
from dhis2sh.rows.rows import to_json
from dhis2sh.sandbox.analytics import build
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from tests.metadata.calls import call, do, planned

HERE = {"type": "INTERNAL", "request": {}}
STOCK = {"name": "stock", "dx": ["deStock0001"], "pe": ["202501"], "ou": ["ouNorth0001"]}


@pytest.fixture
async def s(nation_home: Path, request: pytest.FixtureRequest) -> AsyncIterator[Session]:
    """The nation, with its analytics tables; as the version that a test names."""
    if version := getattr(request, "param", None):
        open_store(nation_home / "data" / "sandbox.db", version=version).close()
    session = Session("sandbox")
    build.build(session.sandbox_store())
    yield session
    await session.aclose()


async def made(s: Session, *requests: dict, uid: str = "exNation001", target: Any = None, name: str = "Up") -> None:
    body: Any = {"id": uid, "name": name, "source": {"params": {}, "requests": [*requests]}, "target": target or HERE}
    await s.client.post(exchanges.EXCHANGES, body)


async def stock(s: Session) -> list[str]:
    found: Any = await s.client.get(
        "dataValueSets", {"dataElement": "deStock0001", "period": "202501", "orgUnit": "ouNorth0001"}
    )
    return [row["value"] for row in found.get("dataValues", [])]


async def test_what_would_be_sent_is_shown_with_names(s: Session):
    await made(s, STOCK)
    (listed,) = (await call(s, "exchange list")).plain()
    assert (listed["name"], listed["target"], listed["requests"], listed["dryRun"]) == ("Up", "this server", 1, False)
    (row,) = (await call(s, "exchange preview", exchange="Up")).plain()
    assert (row["dataElementName"], row["orgUnitName"], row["period"]) == ("Stock", "North", "202501")
    shown = to_json(await call(s, "exchange show", exchange="Up"))
    assert (shown["target"], shown["strategy"]) == ("this server", "CREATE_AND_UPDATE")
    assert await stock(s) == [], "nothing was sent"


async def test_a_run_says_before_and_after_what_becomes_of_it(s: Session):
    await made(s, STOCK)
    plan = await planned(s, "exchange run", exchange="Up")
    assert plan.steps[0].detail == "1 value to this server: 1 new"
    assert await stock(s) == [], "a dry run here sends no exchange: a server would carry it out"
    done = await do(s, "exchange run", exchange="Up")
    assert (done.created, done.note) == (1, "to this server: stock: 1 new")
    (row,) = (await call(s, "exchange preview", exchange="Up")).plain()
    assert await stock(s) == [row["value"]]
    assert (await planned(s, "exchange run", exchange="Up")).steps[0].detail == "1 value to this server: 1 ignored"
    with pytest.raises(Refused, match="cannot be taken back: what an exchange has sent is its target's"):
        await do(s, "undo", id=journal_of(s).entries()[0].id)


async def test_a_target_that_only_checks_stores_nothing_and_says_so(s: Session):
    await made(s, STOCK, target={"type": "INTERNAL", "request": {"dryRun": True}})
    plan = await planned(s, "exchange run", exchange="Up")
    assert "its target is told to check the values and to store none (target.request.dryRun)" in plan.notes
    done = await do(s, "exchange run", exchange="Up")
    assert "checked only, nothing was stored" in done.note
    assert await stock(s) == []


async def test_a_target_that_cannot_be_reached_is_named_and_its_password_is_not(s: Session):
    api = {"url": "http://127.0.0.1:1", "username": "u", "password": "s3cret-word"}
    await made(s, STOCK, target={"type": "EXTERNAL", "api": api, "request": {}})
    plan = await planned(s, "exchange run", exchange="Up")
    assert plan.steps[0].detail == "1 value to http://127.0.0.1:1"
    with pytest.raises(
        Refused, match=r'request stock: I/O error on POST request for "http://127.0.0.1:1/api/dataValueSets'
    ):
        await do(s, "exchange run", exchange="Up")
    shown = to_json(await call(s, "exchange show", exchange="Up"))
    kept = to_json(await call(s, "journal show"))
    whole = to_json(await call(s, "metadata get", type="aggregateDataExchanges", uid="Up"))
    assert "s3cret" not in f"{shown} {kept} {whole}"
    assert journal_of(s).entries()[0].outcome == "refused"


async def test_without_data_nothing_is_sent(s: Session):
    await made(s, {**STOCK, "dx": ["deTemp00001"], "pe": ["203001"]})
    plan = await planned(s, "exchange run", exchange="Up")
    assert (list(plan.steps), plan.notes) == ([], ["analytics have no data for it"])
    with pytest.raises(NotFound):
        await call(s, "exchange show", exchange="Down")


ONE = {"status": "SUCCESS", "importCount": {"imported": 2, "updated": 1, "deleted": 0, "ignored": 0}, "conflicts": []}
E8024 = {
    "status": "ERROR", "importCount": {"imported": 0, "updated": 0, "ignored": 0, "deleted": 0},
    "conflicts": [{"value": "Data set x + data element y not usable", "errorCode": "E8024", "indexes": [0]}],
}  # fmt: skip
DEAD = {"status": "ERROR", "description": "I/O error: Connection refused", "conflicts": []}


@pytest.mark.parametrize(
    ("bad", "told"), [(E8024, "E8024 Data set x \\+ data element y"), (DEAD, "I/O error: Connection refused")]
)
async def test_one_request_may_get_through_where_another_does_not(
    s: Session, monkeypatch: pytest.MonkeyPatch, bad: dict, told: str
):
    """A 409 stands for all of an exchange: what was imported is counted, what was refused is named (2.43, inst-exchanges 6)."""
    await made(s, STOCK, {**STOCK, "name": "more", "pe": ["202502"]})
    body = {
        "httpStatus": "Conflict",
        "httpStatusCode": 409,
        "status": "ERROR",
        "response": {"status": "ERROR", "importSummaries": [ONE, bad]},
    }
    _answering(s, monkeypatch, body)
    with pytest.raises(PartlyDone, match=f"2 created, 1 updated.*1 refused: request more: {told}"):
        await do(s, "exchange run", exchange="Up")
    states = {row["name"]: row["state"] for row in to_json(await call(s, "journal show"))}
    assert states == {"stock": "done", "more": "refused"}


def _answering(s: Session, monkeypatch: pytest.MonkeyPatch, body: dict) -> None:
    real = s.client.write

    async def write(method: str, path: str, *args: Any, **how: Any) -> Any:
        if not path.endswith("/exchange"):
            return await real(method, path, *args, **how)
        return Answer(409, {"content-type": "application/json"}, json.dumps(body).encode(), method=method, url=path)

    monkeypatch.setattr(s.client, "write", write)


@pytest.mark.parametrize("s", ["2.43"], indirect=True)
async def test_a_2_43_says_before_what_it_says_of_totals_over_combinations(s: Session):
    """Recorded (2.43, inst-exchanges 6): what names no combination goes with the default, which such an element has not."""
    await made(s, {"name": "cases", "dx": ["deVisits001"], "pe": ["202501"], "ou": ["ouClinicA01"]})
    plan = await planned(s, "exchange run", exchange="Up")
    assert "E8024" in str(plan.steps[0].detail)
    with pytest.raises(Refused, match="E8024"):
        await do(s, "exchange run", exchange="Up")


async def test_one_that_leads_elsewhere_meanwhile_is_not_run(s: Session):
    await made(s, STOCK)
    one = await exchanges.exchange(s, "exNation001")
    assert await exchanges.Running(one).moved(s) == []
    patch: Any = [{"op": "add", "path": "/target/request/dryRun", "value": True}]
    await s.client.patch(f"{exchanges.EXCHANGES}/exNation001", patch)
    assert await exchanges.Running(one).moved(s) == ["the exchange 'Up' has changed since the plan was made"]
