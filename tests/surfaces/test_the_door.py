"""The one door of every write: what it refuses is refused unsent on every surface."""

import json
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from dhis2sh import profiles
from dhis2sh.changes import journal
from dhis2sh.changes.apply import apply_plan
from dhis2sh.changes.consent import Consent
from dhis2sh.changes.plan import Plan
from dhis2sh.errors import Dhis2Error, NeedsConfirmation, ReadOnlyProfile, Refused
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import magics
from dhis2sh.surfaces.mcp.answers import Answers
from dhis2sh.surfaces.mcp.folders import Folders
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.conftest import small_metadata
from tests.fakes.person import Somebody
from tests.fakes.serve import served

RENAME = {"type": "dataElements", "all": True, "prefix": "X "}
RENAME_LINE = "metadata rename dataElements --all --prefix 'X '"
DELETE = {"type": "dataElements", "objects": ["deText00001"]}
DELETE_LINE = "metadata delete dataElements deText00001"
CREATE = {"type": "dataElementGroups", "set": ["name=New", "shortName=New"]}
CREATE_LINE = "metadata create dataElementGroups --set name=New --set shortName=New"


class Heard:
    """A server that remembers what was written to it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.writes: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reading = scope["type"] != "http" or scope["method"] == "GET" or b"VALIDATE" in scope["query_string"]
        if not reading:
            self.writes.append(f"{scope['method']} {scope['path']}")
        await self.app(scope, receive, send)


@pytest.fixture
def server(sandbox_home: Path, tmp_path: Path) -> Iterator[Heard]:
    """A server with a dozen objects: the profile `live` of it is for production, `test` is not, `look` is read-only."""
    store = open_store(tmp_path / "server.db")
    store.put_objects(small_metadata())
    heard = Heard(create_app(store))
    with served(heard) as url:
        for name, marks in (("live", {"production": True}), ("test", {}), ("look", {"read_only": True})):
            profiles.save(profiles.Profile(name, url, username="admin", **marks))
            profiles.get(name).secrets.write("district")
        yield heard
    store.close()


type On = Callable[[str], Session]


@pytest.fixture
async def on(server: Heard) -> AsyncIterator[On]:
    """A session on a profile; all are closed afterwards."""
    opened: list[Session] = []

    def session(profile: str) -> Session:
        opened.append(Session(profile))
        return opened[-1]

    yield session
    for one in opened:
        await one.aclose()


@pytest.fixture
def live(on: On) -> Session:
    return on("live")


async def told(answers: Answers, name: str, **arguments: object) -> dict | str:
    """What a tool answers: its result, or what it refused with."""
    answer = await answers.call_tool({"name": name, "arguments": arguments})
    return answer["content"][0]["text"] if answer["isError"] else answer["structuredContent"]["result"]


def on_the_command_line(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = cli.run(shlex.split(line))
    return code, capsys.readouterr().err


# A plan that is blocked --------------------------------------------------------------------------------------------


@pytest.fixture
def conflicts(server: Heard) -> Path:
    """A bundle that a server would refuse: its element refers to a combination that is nowhere."""
    element = {
        "id": "deForeign01", "name": "Foreign", "shortName": "Foreign", "valueType": "NUMBER", "domainType": "AGGREGATE",
        "aggregationType": "SUM", "categoryCombo": {"id": "ccNowhere01"},
    }  # fmt: skip
    path = Path("conflicts.json")
    path.write_text(json.dumps({"dataElements": [element]}))
    return path


async def test_a_blocked_plan_is_not_sent_by_its_id(server: Heard, conflicts: Path) -> None:
    answers = Answers(folders=Folders([conflicts.parent]))
    call = {"verb": "metadata import", "profile": "test", "arguments": {"file": str(conflicts)}}
    plan = await told(answers, "write", **call, dry_run=True)
    assert isinstance(plan, dict)
    assert plan["blocked"]
    assert "plan_id" not in plan, "there is nothing that could be applied"

    for more in ({}, {"confirm": "test"}, {"plan_id": "0"}):
        assert isinstance(await told(answers, "write", **call, **more), str)
    assert "nothing was written" in await told(answers, "write", **call)
    assert server.writes == []


async def test_a_blocked_plan_is_not_sent_from_python(server: Heard, on: On, conflicts: Path) -> None:
    session = on("test")
    verb = find("metadata import")
    plan = await run(session, verb, {"file": conflicts}, Consent(dry_run=True))
    assert isinstance(plan, Plan)

    with pytest.raises(Refused, match="nothing was written"):
        await apply_plan(session, verb, plan, Consent(yes=True))
    with pytest.raises(Refused, match="nothing was written"):
        await run(session, verb, {"file": conflicts}, Consent(yes=True))

    assert server.writes == []


def test_a_blocked_plan_is_not_sent_by_a_line(
    server: Heard, conflicts: Path, notebook: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = on_the_command_line(f"metadata import {conflicts} --yes -p test", capsys)
    assert (code, "nothing was written" in said) == (5, True)

    with pytest.raises(Refused):
        notebook.shell.run_line_magic("dhis2", f"metadata import {conflicts} --yes -p test")
    assert isinstance(notebook.last_error, Refused)
    assert server.writes == []


# A production profile ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "verb", "arguments"), [
    (RENAME_LINE, "metadata rename", RENAME),
    (DELETE_LINE, "metadata delete", DELETE),
])  # fmt: skip
async def test_the_name_of_a_production_profile_is_no_yes(
    server: Heard, live: Session, line: str, verb: str, arguments: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NeedsConfirmation) as waiting:
        await run(live, find(verb), arguments, Consent(confirm="live"))
    assert waiting.value.hint == "add --yes to apply this plan"
    assert isinstance(waiting.value.plan, Plan)

    with pytest.raises(NeedsConfirmation, match="'live' is a production profile: nothing was written") as waiting:
        await run(live, find(verb), arguments, Consent(yes=True))
    assert waiting.value.hint == "add --confirm live to write"
    assert server.writes == []

    await run(live, find(verb), arguments, Consent(confirm="live", yes=True))
    assert len(server.writes) == 1


@pytest.mark.parametrize("line", [RENAME_LINE, DELETE_LINE])
def test_nor_is_it_one_in_a_line(
    server: Heard, line: str, notebook: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = on_the_command_line(f"{line} -p live --confirm live", capsys)
    assert code == 2
    assert "plan: " in said
    assert "try: add --yes to apply this plan" in said

    with pytest.raises(NeedsConfirmation):
        notebook.shell.run_line_magic("dhis2", f"{line} -p live --confirm live")
    assert isinstance(notebook.last_error, NeedsConfirmation)
    assert server.writes == []

    assert on_the_command_line(f"{line} -p live --confirm live --yes", capsys)[0] == 0
    assert len(server.writes) == 1


@pytest.mark.parametrize("typed", [Consent(), Consent(confirm="live")])
async def test_whoever_types_the_name_below_the_plan_has_said_yes_once(
    server: Heard, live: Session, typed: Consent
) -> None:
    live.person = somebody = Somebody(agrees=True)
    await run(live, find("metadata rename"), RENAME, typed)
    [(_, wanted)] = somebody.asked
    assert wanted == ("live" if typed.confirm is None else None)
    assert server.writes == ["POST /api/metadata"]


async def test_one_object_wants_the_name_alone_as_a_test_server_asks_nothing(
    server: Heard, live: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(live, find("metadata create"), CREATE, Consent(confirm="live"))
    assert server.writes == ["POST /api/dataElementGroups"]


async def test_an_agent_that_confirms_gets_the_plan_first(server: Heard) -> None:
    answers = Answers()
    call = {"verb": "metadata rename", "profile": "live", "arguments": RENAME, "confirm": "live"}
    plan = await told(answers, "write", **call)
    assert isinstance(plan, dict)
    assert len(plan["steps"]) == 3
    assert server.writes == []

    unnamed = {name: value for name, value in call.items() if name != "confirm"}
    assert "pass confirm='live'" in await told(answers, "write", **unnamed, plan_id=plan["plan_id"])
    assert server.writes == []
    done = await told(answers, "write", **call, plan_id=plan["plan_id"])
    assert isinstance(done, dict)
    assert done["updated"] == 3


async def test_a_raw_request_does_not_write_to_production(server: Heard, on: On, live: Session) -> None:
    group = {"name": "New", "shortName": "New"}
    with pytest.raises(Dhis2Error, match="'live' is a production profile: POST /api/dataElementGroups was not sent"):
        await live.client.post("dataElementGroups", group)
    with pytest.raises(Dhis2Error, match="DELETE /api/dataElements/deText00001 was not sent"):
        await live.client.delete("dataElements/deText00001")
    assert server.writes == []

    test = on("test")
    await test.client.post("dataElementGroups", group)
    assert server.writes == ["POST /api/dataElementGroups"]


async def test_what_a_verb_has_begun_may_not_go_on_beside_it(server: Heard, live: Session) -> None:
    await run(live, find("metadata create"), CREATE, Consent(confirm="live"))
    with pytest.raises(Dhis2Error, match="was not sent"):
        await live.client.post("dataElementGroups", {"name": "Other", "shortName": "Other"})
    assert len(server.writes) == 1


# A read-only profile -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{"importMode": ["COMMIT", "VALIDATE"]}, {"importMode": ["VALIDATE", "COMMIT"]}])
async def test_a_parameter_said_twice_is_no_validation(server: Heard, on: On, params: dict) -> None:
    session = on("look")
    with pytest.raises(ReadOnlyProfile):
        await session.client.post("metadata", {"dataElements": []}, params)
    await session.client.post("metadata", {"dataElements": []}, {"importMode": "VALIDATE"})
    assert server.writes == []


async def test_a_read_only_profile_is_told_before_anything_is_written_down(server: Heard, on: On) -> None:
    with pytest.raises(ReadOnlyProfile, match="profile 'look' is read-only"):
        await run(on("look"), find("metadata rename"), RENAME, Consent(yes=True))
    answers = Answers()
    call = {"verb": "metadata rename", "profile": "look", "arguments": RENAME}
    assert "is read-only" in await told(answers, "write", **call)
    plan = await told(answers, "write", **call, dry_run=True)
    assert isinstance(plan, dict)
    assert "is read-only" in await told(answers, "write", **call, plan_id=plan["plan_id"])

    assert server.writes == []
    assert journal.of("look").entries() == []


def test_a_read_only_profile_is_told_in_a_line(
    server: Heard, notebook: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = on_the_command_line(f"{RENAME_LINE} -p look --yes", capsys)
    assert (code, "is read-only" in said) == (5, True)
    with pytest.raises(ReadOnlyProfile):
        notebook.shell.run_line_magic("dhis2", f"{RENAME_LINE} -p look --yes")
    assert isinstance(notebook.last_error, ReadOnlyProfile)

    assert server.writes == []
    assert journal.of("look").entries() == []


# What has changed since the plan was made --------------------------------------------------------------------------

type Edit = Callable[[Session], Awaitable[object]]


async def renamed(other: Session) -> object:
    patch = [{"op": "replace", "path": "/name", "value": "Memo"}]
    return await other.client.patch("dataElements/deText00001", patch)


async def deleted(other: Session) -> object:
    return await other.client.delete("dataElements/deText00001")


async def shared(other: Session) -> object:
    return await run(other, find("metadata share"), {**SHARE, "public": "r"}, Consent(yes=True))


SHARE = {"type": "dataElements", "objects": ["deText00001"]}
UPDATE = {"type": "dataElements", "uid": "deText00001", "set": ["name=Words"]}
MEMO = "'Remark' [deText00001] has changed since the plan was made: name: 'Remark' -> 'Memo'"
GONE = "'Remark' [deText00001] is gone since the plan was made"


@pytest.mark.parametrize(
    ("verb", "arguments", "edit", "said"),
    [
        ("metadata rename", RENAME, renamed, MEMO),
        ("metadata rename", RENAME, deleted, GONE),
        ("metadata delete", DELETE, renamed, MEMO),
        ("metadata delete", DELETE, deleted, GONE),
        ("metadata update", UPDATE, renamed, MEMO),
        ("metadata update", UPDATE, deleted, GONE),
        ("metadata share", {**SHARE, "public": "rw"}, shared, "has changed since the plan was made: sharing.public: "),
        ("metadata share", {**SHARE, "public": "rw"}, deleted, GONE),
    ],
)
async def test_a_plan_is_not_applied_to_what_has_changed_meanwhile(
    server: Heard, on: On, verb: str, arguments: dict, edit: Edit, said: str
) -> None:
    session = on("test")
    plan = await run(session, find(verb), arguments, Consent(dry_run=True))
    assert isinstance(plan, Plan)
    await edit(on("test"))
    server.writes.clear()

    with pytest.raises(Refused) as refused:
        await apply_plan(session, find(verb), plan, Consent(yes=True))

    assert said in str(refused.value)
    assert server.writes == []


async def test_what_a_patch_does_not_touch_may_have_changed_and_stays(server: Heard, on: On) -> None:
    session, other = on("test"), on("test")
    verb = find("metadata update")
    arguments = {"type": "dataElements", "uid": "deText00001", "set": ["description=Words"]}
    plan = await run(session, verb, arguments, Consent(dry_run=True))
    assert isinstance(plan, Plan)
    await renamed(other)

    await apply_plan(session, verb, plan, Consent(yes=True))

    now = await other.client.get_object("dataElements/deText00001")
    assert (now["name"], now["description"]) == ("Memo", "Words")


async def test_an_agents_plan_is_not_applied_to_what_has_changed_meanwhile(server: Heard, on: On) -> None:
    answers, other = Answers(), on("test")
    call = {"verb": "metadata rename", "profile": "test", "arguments": RENAME}
    plan = await told(answers, "write", **call)
    assert isinstance(plan, dict)
    await renamed(other)
    server.writes.clear()

    stale = {**call, "plan_id": plan["plan_id"]}
    answer = (await answers.call_tool({"name": "write", "arguments": stale}))["structuredContent"]

    assert "has changed since the plan was made" in answer["warnings"][0]
    assert answer["result"]["applied"] is False
    assert answer["result"]["plan_id"] != plan["plan_id"], "planned anew, for how things are now"
    assert server.writes == []
    assert "there is no plan" in await told(answers, "write", **stale)


async def test_a_plan_is_not_applied_to_another_server(server: Heard, on: On, live: Session) -> None:
    session = on("sandbox")
    plan = await run(session, find("metadata rename"), RENAME, Consent(dry_run=True))
    assert isinstance(plan, Plan)

    with pytest.raises(Dhis2Error, match="was planned on"):
        await apply_plan(live, find("metadata rename"), plan, Consent(yes=True, confirm="live"))
    assert server.writes == []


async def test_an_agents_plan_goes_to_the_server_that_it_was_made_for(server: Heard) -> None:
    """Whoever gives no profile means the active one: it may be another by the time the plan is applied."""
    answers = Answers()
    profiles.activate("test")
    call = {"verb": "metadata rename", "arguments": RENAME}
    plan = await told(answers, "write", **call)
    assert isinstance(plan, dict)
    profiles.activate("sandbox")

    assert "was planned on" in await told(answers, "write", **call, plan_id=plan["plan_id"])
    assert server.writes == []
