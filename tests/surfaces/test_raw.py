"""`raw`: any address of the API, under the guards of every other write (U17, T10)."""

import json
from pathlib import Path

import pytest

from dhis2sh import profiles
from dhis2sh.changes.apply import apply_plan
from dhis2sh.changes.consent import Consent
from dhis2sh.changes.journal import journal_of
from dhis2sh.changes.plan import Plan
from dhis2sh.errors import Declined, Dhis2Error, NeedsConfirmation, ReadOnlyProfile, UsageError
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.mcp.tools import Tools
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.fakes.person import Somebody

PATCH = '[{"op": "replace", "path": "/code", "value": "RAW"}]'


@pytest.fixture
def line(sandbox_home: Path, capsys: pytest.CaptureFixture[str]):
    def run_line(*words: str) -> tuple[int, str, str]:
        code = cli.run(["-p", "sandbox", *words])
        return code, *capsys.readouterr()

    return run_line


def test_a_raw_write_is_shown_asked_for_written_down_and_never_taken_back(line) -> None:
    code, _, err = line("raw", "patch", "dataElements/deNumber001", "--body", PATCH)
    assert (code, "nothing was written" in err, "add --yes" in err) == (2, True, True)

    code, out, _ = line("raw", "patch", "dataElements/deNumber001", "--body", PATCH, "--yes")
    assert (code, out.startswith("PATCH /api/dataElements/deNumber001: 1 sent")) == (0, True)
    assert json.loads(line("raw", "get", "dataElements/deNumber001?fields=code")[1]) == {"code": "RAW"}

    entry, tried = json.loads(line("journal", "list", "-o", "json")[1])
    assert (tried["outcome"], tried["done"], tried["refused"]) == ("refused", 0, 0)
    assert (entry["title"], entry["outcome"], entry["done"]) == ("PATCH /api/dataElements/deNumber001", "done", 1)
    for how in ("--yes", "--dry-run"):
        code, _, err = line("undo", how)
        assert (code, "cannot be taken back: PATCH /api/dataElements/deNumber001" in err) == (5, True)


def test_a_dry_run_of_which_nothing_can_be_written_ends_as_the_write_would(line, tmp_path: Path) -> None:
    sheet = tmp_path / "wrong.csv"
    sheet.write_text("dataElement,period,orgUnit,value\nNothing,202501,Nowhere,1\n", "utf-8")
    for how in ("--yes", "--dry-run"):
        code, _, err = line("data", "aggregate", "push", str(sheet), how)
        assert (code, "none of the 1 rows can be sent" in err) == (5, True)


def test_a_body_is_checked_before_anything_is_sent_and_its_secrets_stay_out_of_the_journal(
    line, tmp_path: Path
) -> None:
    for words in (["--body", '{"a":'], ["--body", "{}", "--from", "x.json"], ["--from", "gone.json"]):
        assert line("raw", "post", "options", *words, "--yes")[0] in {2, 3}
    tried = json.loads(line("journal", "list", "-o", "json")[1])
    assert [(one["title"], one["outcome"], one["done"]) for one in tried] == [("raw post", "refused", 0)] * 3

    secret = '{"username": "eve", "password": "S3cret-word-1"}'
    code, out, _ = line("raw", "post", "users?token=S3cret-word-1", "--body", secret, "--dry-run", "-o", "json")
    assert (code, "S3cret" in out) == (0, False)
    line("raw", "post", "users?token=S3cret-word-1", "--body", secret, "--yes")
    kept = (tmp_path / "home" / "data" / "journal" / "sandbox.db").read_bytes()
    assert b"S3cret" not in kept


async def test_a_read_only_profile_and_production_are_guarded_as_by_any_verb(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    verb = find("raw delete")
    plan = await run(session, verb, {"path": "dataElements/deText00001"}, Consent(dry_run=True))
    assert isinstance(plan, Plan)
    for setting, error in (({"read_only": True}, ReadOnlyProfile), ({"production": True}, NeedsConfirmation)):
        plan.target = profiles.Profile("sandbox", session.profile.url, **setting)
        with pytest.raises(error):
            await apply_plan(session, verb, plan, Consent(yes=True))
    assert [entry.reason for entry in journal_of(session).entries()] == [
        "'sandbox' is a production profile: nothing was written"
    ]
    assert await session.client.get_object("dataElements/deText00001")


async def test_somebody_who_says_no_has_sent_nothing(sandbox_home: Path) -> None:
    person = Somebody(agrees=False)
    session = Session("sandbox", person=person)
    try:
        with pytest.raises(Declined):
            await run(session, find("raw post"), {"path": "maintenance"})
    finally:
        await session.aclose()
    assert len(person.asked) == 1


async def test_an_agent_gets_the_plan_first(sandbox_home: Path) -> None:
    tools = Tools()
    arguments = {"path": "dataElements/deText00001"}
    planned = await tools.run("raw delete", arguments, "sandbox", "destroy")
    assert "plan_id" in planned["result"]  # type: ignore[operator]
    plan_id = planned["result"]["plan_id"]  # type: ignore[index,call-overload]
    await tools.run("raw delete", arguments, "sandbox", "destroy", plan_id=plan_id)
    with pytest.raises(Dhis2Error):
        await tools.run("raw get", arguments, "sandbox", "read")


@pytest.mark.parametrize(
    "path",
    ["https://evil.example.org/api/me", "http://sandbox.evil.org/api/me", "dataElements/#x", "file:///etc/passwd"],
)
@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
async def test_nothing_goes_to_another_address(session: Session, path: str, verb: str) -> None:
    with pytest.raises(UsageError):
        await run(session, find(f"raw {verb}"), {"path": path}, Consent(yes=True))


def test_an_answer_goes_into_a_file_as_it_comes(line, tmp_path: Path) -> None:
    out = tmp_path / "elements.json"
    code, said, _ = line("raw", "get", "dataElements?paging=false&fields=id", "--out", str(out))
    assert (code, f"{out}: " in said, len(json.loads(out.read_text())["dataElements"])) == (0, True, 3)


async def test_a_request_that_a_200_refuses_is_refused(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from dhis2sh.client.answers import Answer

    async def write(*_: object, **__: object) -> Answer:
        body = b'{"httpStatus":"OK","httpStatusCode":200,"status":"ERROR","message":"nothing done"}'
        return Answer(200, {"content-type": "application/json"}, body, "POST", "http://sandbox/api/x")

    monkeypatch.setattr(session.client, "write", write)
    with pytest.raises(Dhis2Error, match="nothing done"):
        await run(session, find("raw post"), {"path": "x"}, Consent(yes=True))
    [entry] = journal_of(session).entries()
    assert entry.outcome == "refused"


async def test_a_merge_that_gets_no_answer_is_looked_back_at(country: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from dhis2sh.errors import TimedOut

    sent = country.client.write

    async def silent(method: str, path: str, *args: object, **how: object) -> object:
        await sent(method, path, *args, **how)  # type: ignore[arg-type]
        raise TimedOut("no answer")

    verb = find("metadata organisation-units merge")
    plan = await run(
        country, verb, {"sources": ["Alagård Hospital"], "into": "Isehaven Health Post"}, Consent(dry_run=True)
    )
    monkeypatch.setattr(country.client, "write", silent)
    done = await apply_plan(country, verb, plan, Consent(yes=True))  # type: ignore[arg-type]
    assert "looked at afterwards: all of it is done" in str(done.note)
    [entry] = journal_of(country).entries()
    assert entry.states == {"done": 1}, "its source is gone: it was carried out"
