"""What is written is in the journal, and undo takes it back."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dhis2sh.changes import journal
from dhis2sh.changes.apply import apply_plan
from dhis2sh.changes.consent import Consent
from dhis2sh.changes.journal import journal_of
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.errors import NotFound, PartlyDone, Refused, UsageError
from dhis2sh.metadata import writes
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.verbs.registry import find
from tests.metadata.calls import YES, do
from tests.shared import needs_shared


async def test_a_write_is_kept_before_and_after(session: Session) -> None:
    await do(session, "metadata update", type="dataElements", uid="deNumber001", set=["name=BCG", "code="])

    [entry] = journal_of(session).entries()
    [change] = journal_of(session).changes(entry.id)

    assert (entry.verb, entry.outcome) == ("metadata update", "done")
    assert (change.action, change.type, change.uid, change.state) == ("update", "dataElements", "deNumber001", "done")
    assert change.before == {"name": "BCG doses given", "code": "DE_1"}
    assert change.after == {"name": "BCG"}


async def test_nothing_is_kept_of_a_dry_run_a_local_write_or_with_no_journal(session: Session) -> None:
    await do(session, "metadata rename", Consent(dry_run=True), type="dataElements", all=True, prefix="X ")
    await do(session, "metadata rename", Consent(journal=False, yes=True), type="dataElements", all=True, prefix="X ")
    await do(session, "metadata rename", type="dataElements", all=True, prefix="X ")  # changes nothing

    [tried] = journal_of(session).entries()
    assert (tried.outcome, tried.undoable) == ("unchanged", False)


async def test_undo_takes_back_creations_updates_and_deletions(session: Session) -> None:
    before = await session.client.get("metadata", {"dataElementGroups": True, "dataElements": True})
    made = await do(session, "metadata create", type="dataElementGroups", set=["name=New", "shortName=New"])
    await do(session, "metadata update", type="dataElements", uid="deText00001", set=["description=Words"])
    await do(session, "metadata delete", type="dataElements", objects=["deText00001", "deNumber001"])

    for _ in range(3):
        await do(session, "undo")

    after = await session.client.get("metadata", {"dataElementGroups": True, "dataElements": True})
    assert settled(after) == settled(before)
    assert made.uids[0] not in json.dumps(after)
    with pytest.raises(NotFound, match="nothing to take back"):
        await do(session, "undo")


PROGRAM = [
    "programSections",
    "programStages",
    "programStageSections",
    "programRules",
    "programRuleActions",
    "programRuleVariables",
    "programIndicators",
]


@pytest.mark.parametrize(
    ("plural", "name", "parts"),
    [
        ("dataSets", "Health facility monthly report", ["sections"]),
        ("programs", "Pregnancy follow-up", PROGRAM),
    ],
)
async def test_what_a_server_deletes_with_an_object_is_said_and_comes_back(
    plural: str, name: str, parts: list[str], country: Session
) -> None:
    with country.sandbox_store().writing() as connection:
        for table in ("event", "enrollment"):  # no data is in the way
            connection.execute(f"DELETE FROM {table}")

    async def held() -> dict:
        found = settled(await country.client.get("metadata", dict.fromkeys([plural, *parts], True)))
        for row in found.get("programs", []):  # a server makes up what these are called
            kept = ("id", "trackedEntityAttribute", "mandatory", "sortOrder")
            rows = row["programTrackedEntityAttributes"]
            row["programTrackedEntityAttributes"] = [{key: item[key] for key in kept} for item in rows]
        return found

    before = await held()
    plan = await do(country, "metadata delete", Consent(dry_run=True), type=plural, objects=[name])
    told = [note for note in plan.notes if note.startswith("deleted with it: ")]
    assert {note.split()[4] for note in told} == {*parts}

    done = await do(country, "metadata delete", type=plural, objects=[name])
    also = sum(step.action == "also delete" for step in plan.steps)
    assert f"{also:,} gone with what they belong to" in done.note, "its count is what was sent, the plan has these too"
    after = await held()
    assert all(len(after.get(kind, [])) < len(before[kind]) for kind in (plural, *parts))
    await do(country, "undo")
    assert await held() == before


async def test_hundreds_of_members_come_back_into_their_groups(session: Session) -> None:
    kind = {"valueType": "NUMBER", "domainType": "AGGREGATE", "aggregationType": "SUM"}
    rows = [{"id": f"deMany{n:05}", "name": f"Many {n}", "shortName": f"{n}", **kind} for n in range(300)]
    group = {
        "id": "deGroupMany",
        "name": "Many",
        "shortName": "Many",
        "dataElements": [{"id": row["id"]} for row in rows],
    }
    session.sandbox_store().put_objects({"dataElements": rows, "dataElementGroups": [group]})

    await do(session, "metadata delete", type="dataElements", objects=[row["id"] for row in rows])
    assert not (await session.client.get_object("dataElementGroups/deGroupMany"))["dataElements"]
    await do(session, "undo")
    assert len((await session.client.get_object("dataElementGroups/deGroupMany"))["dataElements"]) == 300


async def test_an_undo_is_a_write_that_is_kept_too_and_happens_once(session: Session) -> None:
    await do(session, "metadata rename", type="dataElements", all=True, prefix="X ")
    await do(session, "undo")

    undone, renamed = journal_of(session).entries()[0], journal_of(session).entries()[1]
    assert undone.undoes == renamed.id
    assert renamed.undone_by == undone.id
    with pytest.raises(UsageError, match=f"was taken back by entry {undone.id}"):
        await do(session, "undo", id=renamed.id)


async def test_what_somebody_has_changed_again_stays_unless_forced(session: Session) -> None:
    await do(session, "metadata rename", type="dataElements", objects=["deText00001"], set="Note")
    await session.client.patch("dataElements/deText00001", [{"op": "replace", "path": "/name", "value": "Memo"}])

    plan = await do(session, "undo", Consent(dry_run=True))
    assert isinstance(plan, Plan)
    assert plan.steps == []
    assert "changed again since" in plan.notes[0]

    await do(session, "undo", force=True)
    assert (await session.client.get_object("dataElements/deText00001"))["name"] == "Remark"


async def test_members_are_taken_back_one_by_one_whatever_was_done_to_the_others_since(session: Session) -> None:
    group = {"type": "dataElementGroups", "uid": "Vaccines"}
    await do(session, "metadata add", **group, items=["Remark"])
    await do(session, "metadata remove", **group, items=["DE_1"])
    first, second = [entry.id for entry in reversed(journal_of(session).entries())]

    plan = await do(session, "undo", Consent(dry_run=True), id=first)
    assert plan.notes == []
    await do(session, "undo", id=first)
    left = await session.client.get_object("dataElementGroups/deGroup0001")
    assert [item["id"] for item in left["dataElements"]] == ["deNumber002"]
    await do(session, "undo", id=second)
    left = await session.client.get_object("dataElementGroups/deGroup0001")
    assert sorted(item["id"] for item in left["dataElements"]) == ["deNumber001", "deNumber002"]


async def test_a_date_that_a_server_writes_in_full_is_no_change_of_somebody_else(session: Session) -> None:
    unit = {"type": "organisationUnits", "uid": "Country"}
    await do(session, "metadata update", **unit, set=["closedDate=2020-01-31"])
    plan = await do(session, "undo", Consent(dry_run=True))
    assert plan.notes == []
    assert [step.action for step in plan.steps] == ["update"]


async def test_what_was_sent_and_never_written_is_not_taken_back(session: Session) -> None:
    journal = journal_of(session)
    steps = [
        PlanStep("create", "dataElements", uid="deNever0001", name="Never", after={"name": "Never"}),
        PlanStep("update", "dataElements", uid="deText00001", name="Remark", before={"name": "Remark"}, after={"name": "X"}),
        PlanStep("delete", "dataElements", uid="deNumber001", name="BCG doses given", before={"name": "BCG doses given"}),
    ]  # fmt: skip
    entry = journal.begin(Plan("much", steps), session.profile.url)
    journal.mark(entry, range(3), "sent")
    journal.end(entry, "interrupted")

    plan = await do(session, "undo", Consent(dry_run=True))
    assert plan.steps == []
    assert plan.notes == [
        "sent without an answer, and still there now: dataElements BCG doses given [deNumber001]",
        "sent without an answer, and as before now: dataElements Remark [deText00001]",
        "sent without an answer, and not there now: dataElements Never [deNever0001]",
    ]


async def test_what_is_no_metadata_cannot_be_taken_back_and_is_refused(session: Session) -> None:
    journal = journal_of(session)
    entry = journal.begin(
        Plan("import 3 values", [PlanStep("import", "dataValues", name="3 values")]), session.profile.url
    )
    journal.mark(entry, [0], "done")
    journal.end(entry, "done")

    with pytest.raises(Refused, match=r"entry 1 cannot be taken back: import 3 values"):
        await do(session, "undo")


async def test_an_interrupted_bulk_write_is_known_to_be_open(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "IN_ONE_BUNDLE", 1)
    sent = session.client.transport.send
    posts = 0

    async def cut_off_after_the_first(method: str, *rest: object, **more: object) -> object:
        nonlocal posts
        posts += method == "POST"
        if posts == 2:
            raise KeyboardInterrupt
        return await sent(method, *rest, **more)

    monkeypatch.setattr(session.client.transport, "send", cut_off_after_the_first)
    with pytest.raises(KeyboardInterrupt):
        await do(session, "metadata rename", type="dataElements", all=True, prefix="X ")

    [entry] = journal_of(session).entries()
    assert entry.outcome == "interrupted"
    assert entry.states == {"done": 1, "sent": 1, "planned": 1}


async def test_what_a_server_refuses_of_many_is_named_and_the_rest_is_done(session: Session) -> None:
    plan = await do(session, "metadata rename", Consent(dry_run=True), type="dataElements", all=True, prefix="X ")
    broken = writes.changes_of(plan)[1].after
    broken["valueType"] = None

    with pytest.raises(PartlyDone, match="1 refused: OPV doses given") as partly:
        await apply_plan(session, find("metadata rename"), plan, YES)

    assert partly.value.exit_code == 7
    assert partly.value.summary.updated == 2
    [entry] = journal_of(session).entries()
    assert (entry.outcome, entry.states) == ("partly", {"done": 2, "refused": 1})


async def test_a_200_with_ignored_objects_is_no_success(session: Session) -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Mount, Route

    from dhis2sh.client.client import Client
    from dhis2sh.sandbox.app import create_app

    plan = await do(session, "metadata rename", Consent(dry_run=True), type="dataElements", all=True, prefix="X ")
    stats = {"created": 0, "updated": 2, "deleted": 0, "ignored": 1, "total": 3}
    report = {"responseType": "ImportReport", "status": "OK", "stats": stats, "typeReports": []}
    answer = {"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "response": report}
    app = Starlette()

    async def told(_: Request) -> JSONResponse:
        del app.routes[1]  # what came of it nobody can read
        return JSONResponse(answer)

    app.routes[:] = [Route("/api/metadata", told, methods=["POST"]), Mount("/", create_app(session.sandbox_store()))]
    silent = Session("sandbox")
    silent._client = Client(session.profile.settings(), session.profile.sign_in(), asgi_app=app)

    with pytest.raises(PartlyDone, match="the server ignored 1 and gave no reason"):
        await apply_plan(silent, find("metadata rename"), plan, YES)

    [entry] = journal_of(session).entries()
    assert (entry.outcome, entry.states) == ("partly", {"sent": 3}), "nobody knows which one it was"
    await silent.aclose()


async def test_a_refused_write_is_kept_as_refused(session: Session) -> None:
    with pytest.raises(Refused):
        await do(session, "metadata create", type="dataElementGroups", set=["name=Vaccines", "shortName=Vaccines"])

    [entry] = journal_of(session).entries()
    assert (entry.outcome, entry.states) == ("refused", {"refused": 1})


def test_no_secret_reaches_the_file(home: Path) -> None:
    kept = journal.Journal(home / "journal.db")
    secrets = {"password": "Hunter2!", "auth": {"type": "api-token", "token": "d2pat_abc"}, "clientSecret": "s3cr3t"}
    plan = Plan("create a route", [PlanStep("create", "routes", uid="abcdefghij1", after={"name": "R", **secrets})])

    kept.begin(plan, "http://example.org")

    written = (home / "journal.db").read_bytes()
    assert all(secret.encode() not in written for secret in ("Hunter2!", "d2pat_abc", "s3cr3t"))
    [change] = kept.changes(1)
    assert change.after["auth"] == {"type": "api-token", "token": "(secret)"}
    assert (home / "journal.db").stat().st_mode & 0o077 == 0
    assert "Hunter2!" not in plan.steps[0].words() + json.dumps(plan.to_json())


def test_processes_share_a_journal(home: Path) -> None:
    one, other = journal.Journal(home / "j.db"), journal.Journal(home / "j.db")
    plan = Plan("rename", [PlanStep("update", "dataElements", uid="abcdefghij1")])

    first, second = one.begin(plan, "u"), other.begin(plan, "u")
    one.end(first, "done")
    other.end(second, "failed", "why")

    assert [(entry.id, entry.outcome) for entry in one.entries()] == [(second, "failed"), (first, "done")]
    with closing(sqlite3.connect(home / "j.db")) as connection:
        assert connection.execute("SELECT count(*) FROM change").fetchone() == (2,)


def settled(value: object) -> object:
    """Without what a server sets itself when an object is created."""
    if isinstance(value, dict):
        own = {"created", "createdBy", "lastUpdated", "lastUpdatedBy", "date", "sharing", "zeroIsSignificant"}
        kept = {key: item for key, item in value.items() if key not in own}
        return {key: settled(item) for key, item in kept.items()}
    if isinstance(value, list):
        rows = [settled(item) for item in value]
        return sorted(rows, key=lambda row: row.get("id", "") if isinstance(row, dict) else "")
    return value


@needs_shared
def test_rename_with_undo_gives_the_same_export(real_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def export(name: str) -> object:
        assert cli.run(["metadata", "export", "-p", "sandbox", "--out", name]) == 0
        return json.loads(Path(name).read_bytes())

    before = export("before.json")
    rename = ["metadata", "rename", "organisationUnits", "--all", "--suffix", " (x)", "-p", "sandbox"]
    assert cli.run([*rename, "--yes", "--debug"]) == 0
    sent = [line for line in capsys.readouterr().err.splitlines() if line.startswith("http")]
    assert len(sent) <= 4, "1,332 objects: read, looked at again before they are sent, and sent"
    assert cli.run([*rename, "--yes"]) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert export("renamed.json") != before
    assert cli.run(["undo", "-p", "sandbox", "--yes"]) == 5, "the second changed nothing, and the first is not meant"
    assert "try: dhis2 -p sandbox undo 1  takes back" in capsys.readouterr().err
    assert cli.run(["undo", "1", "-p", "sandbox", "--yes"]) == 0

    assert without_times(export("after.json")) == without_times(before)


def without_times(bundle: dict) -> dict:
    bundle["system"].pop("date")
    for rows in bundle.values():
        for row in rows if isinstance(rows, list) else []:
            row.pop("lastUpdated", None)
            row.pop("lastUpdatedBy", None)
    return bundle


def test_a_journal_goes_with_its_sandbox(sandbox_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(line: str, code: int = 0) -> str:
        assert cli.run([*line.split(), "-p", "sandbox"]) == code
        return "".join(capsys.readouterr())

    said("metadata update dataElements Remark --set description=Words")
    assert "its journal of 1 write goes with it" in said("sandbox reset --dry-run")
    assert "its journal of 1 write went with it" in said("sandbox reset --yes")
    assert "nothing to take back" in said("undo --yes", code=3)
    assert "its journal" not in said("sandbox reset --yes")


def test_another_file_is_no_reason_to_forget(sandbox_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["metadata", "update", "dataElements", "Remark", "--set", "description=Words", "-p", "sandbox"]) == 0
    open_store(Path("other.db")).close()
    assert cli.run(["sandbox", "reset", "--db", "other.db", "--yes"]) == 0
    assert len(journal.of("sandbox").entries()) == 1


def test_a_short_list_names_the_option_that_it_has(sandbox_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("One", "Two", "Three"):
        assert cli.run(f"metadata update dataElements Remark --set description={word} -p sandbox".split()) == 0
    capsys.readouterr()
    assert cli.run(["journal", "list", "--limit", "2", "-p", "sandbox"]) == 0
    assert capsys.readouterr().out.endswith("(2 of 3 rows; --limit 3 for every one)\n")
