"""Deletes that take longer than what stands before a server waits: they are a job, which is watched to its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import HTMLResponse, JSONResponse

from dhis2sh import profiles
from dhis2sh.changes.consent import Consent
from dhis2sh.changes.journal import of
from dhis2sh.changes.plan import WriteSummary
from dhis2sh.client.parts import DELETED_AS_A_JOB, Reported, Unanswered, parts_of, send_part
from dhis2sh.errors import BrokenAnswer, NetworkError
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.faults import Faults
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.fakes.objects import Fake
from tests.fakes.serve import served

MANY = DELETED_AS_A_JOB + 20
YES = Consent(yes=True)
JOB = {"id": "jobDeletes1", "jobType": "METADATA_IMPORT", "responseType": "JobConfiguration", "name": "x"}
STARTED = {"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "message": "Initiated", "response": JOB}
TASKS = f"system/tasks/METADATA_IMPORT/{JOB['id']}"
SUMMARY = f"system/taskSummaries/METADATA_IMPORT/{JOB['id']}"
ENDED = [{"uid": "a", "level": "INFO", "message": "Import complete", "completed": True}]


@pytest.fixture
def slow(home: Path, tmp_path: Path) -> Iterator[str]:
    """The profile `slow`: a second for ten deletes, and nobody waits longer than two for an answer."""
    store = open_store(tmp_path / "slow.db")
    store.put_objects(
        {
            "constants": [
                {"id": f"constant{n:03}", "name": str(n), "shortName": str(n), "value": 1.0} for n in range(MANY)
            ]
        }
    )
    with served(create_app(store, faults=Faults.parse(["slow-deletes=100ms"]))) as url:
        profiles.save(profiles.Profile("slow", url, username="admin", retries=0, read_timeout=2.0))
        profiles.get("slow").secrets.write("district")
        yield "slow"
    store.close()


async def test_t5_many_objects_are_deleted_though_nobody_would_wait_for_the_answer(slow: str) -> None:
    session = Session(slow)
    verb = find("metadata delete")
    arguments = {"type": "constants", "objects": [f"constant{n:03}" for n in range(MANY)]}
    done = await run(session, verb, arguments, YES)
    assert isinstance(done, WriteSummary)
    assert done.deleted == MANY
    assert (await session.client.list_page("constants", {})).rows == []
    [entry] = of(slow).entries()
    assert (entry.outcome, entry.states) == ("done", {"done": MANY})
    await session.aclose()


def answering(**answers: object) -> Fake:
    told = {("POST", "metadata"): JSONResponse(STARTED)} | {("GET", path): answer for path, answer in answers.items()}
    return Fake(objects={"constants": {}}, answers=told)


async def outcome_of(fake: Fake) -> object:
    [part] = parts_of([("constants", {"id": f"constant{n:03}"}) for n in range(MANY)], "DELETE")
    async with fake.client() as client:
        outcome = await send_part(client, part)
    assert dict(fake.of("POST")[0].query)["async"] == "true"
    return outcome


async def test_t5_its_report_is_read_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    report = {"status": "OK", "typeReports": [], "stats": {"deleted": MANY}}
    outcome = await outcome_of(answering(**{TASKS: JSONResponse(ENDED), SUMMARY: JSONResponse(report)}))
    assert isinstance(outcome, Reported)
    assert outcome.message.import_count.deleted == MANY


@pytest.mark.parametrize("answer", [HTMLResponse("<h1>504</h1>", 504), JSONResponse({"message": "no"}, 403)])
async def test_t5_where_nobody_says_how_it_ended_it_is_unanswered_and_never_refused(answer: JSONResponse) -> None:
    outcome = await outcome_of(answering(**{TASKS: answer}))
    assert isinstance(outcome, Unanswered)


async def test_t5_a_job_without_a_report_is_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dhis2sh.client.parts.FIRST_WAIT", 0.001)
    outcome = await outcome_of(answering(**{TASKS: JSONResponse(ENDED), SUMMARY: JSONResponse(None)}))
    assert isinstance(outcome, Unanswered)
    assert isinstance(outcome.error, BrokenAnswer)
    assert isinstance(outcome.error, NetworkError)
    assert f"the server deletes as job {JOB['id']}, and says nothing of what came of it" in outcome.error.message


async def test_few_are_deleted_at_once() -> None:
    fake = Fake(objects={"constants": {}})
    [part] = parts_of([("constants", {"id": f"constant{n:03}"}) for n in range(5)], "DELETE")
    async with fake.client() as client:
        await send_part(client, part)
    assert "async" not in dict(fake.of("POST")[0].query)
