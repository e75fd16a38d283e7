"""Undo where something went wrong on the way, and where somebody else has been at it since."""

import contextlib
import datetime as dt
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from dhis2sh.changes.journal import Change, journal_of
from dhis2sh.changes.plan import Part, Plan, PlanStep
from dhis2sh.client.client import Client
from dhis2sh.errors import NotFound, PartlyDone, Refused, ServerFault
from dhis2sh.metadata import edited, looked, write, writes
from dhis2sh.metadata.not_taken_back import Notes
from dhis2sh.sandbox.app import create_app
from dhis2sh.session import Session
from tests.metadata.calls import YES, call, planned
from tests.metadata.test_journal import settled

RENAME = {"type": "dataElements", "all": True, "prefix": "X "}
NEW = {"type": "dataElementGroups", "set": ["name=New", "shortName=New"]}


class Failing:
    """A server that carries out some bundles and then answers as a proxy does that has lost patience.

    Parameters:
        good: so many bundles are answered as they should be.
        carries_out: the others are carried out, too.
    """

    def __init__(self, app: ASGIApp, good: int, *, carries_out: bool) -> None:
        self.app = app
        self.good = good
        self.carries_out = carries_out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def unheard(message: dict) -> None:
            pass

        writes = scope["type"] == "http" and scope["method"] != "GET"
        if not writes or self.good > 0:
            self.good -= writes
            await self.app(scope, receive, send)
            return
        if self.carries_out:
            await self.app(scope, receive, unheard)
        body = b'{"message": "The upstream server is timing out"}'
        await send({"type": "http.response.start", "status": 504, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})


def failing(session: Session, good: int, *, carries_out: bool = False) -> None:
    app = Failing(create_app(session.sandbox_store()), good, carries_out=carries_out)
    session._client = Client(session.profile.settings(), session.profile.sign_in(), asgi_app=app)


def mended(session: Session) -> None:
    failing(session, 1_000_000)


async def names(session: Session) -> list[object]:
    return sorted([row["name"] async for row in session.client.iter("dataElements", {"fields": "name"})])


async def test_an_undo_that_was_cut_off_is_the_next_to_be_taken_back(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes, "IN_ONE_BUNDLE", 1)
    await call(session, "metadata update", YES, type="dataElements", uid="deText00001", set=["description=Before"])
    await call(session, "metadata rename", YES, **RENAME)
    renamed = journal_of(session).entries()[0]
    failing(session, good=1)

    with pytest.raises(PartlyDone) as partly:
        await call(session, "undo", YES)

    assert partly.value.hint == f"dhis2 undo {renamed.id}  finishes the rest; the journal has how far it came"
    undone = journal_of(session).entries()[0]
    assert str(partly.value).endswith(f"dhis2 -p {session.profile.name} journal show {undone.id}"), (
        "to undo the undo is not meant"
    )
    assert ", 1 sent without an answer, 1 not sent; dhis2 -p " in partly.value.message
    assert journal_of(session).entry(renamed.id).undone_by is None
    mended(session)
    assert len([name for name in await names(session) if str(name).startswith("X ")]) == 2

    plan = await planned(session, "undo")
    assert plan.undoes == renamed.id
    assert len(plan.steps) == 2
    assert plan.notes == ["1 already right"]
    await call(session, "undo", YES)
    assert await names(session) == ["BCG doses given", "OPV doses given", "Remark"]
    assert (await planned(session, "undo")).undoes == renamed.id - 1, "and now the write before"


@pytest.mark.parametrize("carries_out", [True, False])
async def test_a_proxys_fault_in_json_is_no_refusal(session: Session, *, carries_out: bool) -> None:
    failing(session, 0, carries_out=carries_out)

    with contextlib.nullcontext() if carries_out else pytest.raises(ServerFault):
        await call(session, "metadata rename", YES, **RENAME)

    [entry] = journal_of(session).entries()
    assert entry.states == ({"done": 3} if carries_out else {"sent": 3}), "found by looking back, or not known"
    mended(session)
    plan = await planned(session, "undo")
    assert len(plan.steps) == (3 if carries_out else 0)
    assert carries_out or all(note.startswith("sent without an answer, and as before now: ") for note in plan.notes)


async def test_hints_2_an_account_that_is_made_again_has_no_password(session: Session) -> None:
    body = {"username": "kofi", "firstName": "Kofi", "surname": "Mensah", "password": "Kofi_2026!"}
    roles = [row["id"] async for row in session.client.iter("userRoles", {"fields": "id"})]
    await session.client.post("users", {**body, "userRoles": [{"id": roles[0]}]})
    await call(session, "metadata delete", YES, type="users", objects=["kofi"])

    plan = await planned(session, "undo")
    assert any("comes back without password, which nobody keeps: users Kofi Mensah" in note for note in plan.notes)


async def test_what_was_created_and_edited_since_stays_unless_forced(session: Session) -> None:
    made = (await call(session, "metadata create", YES, **NEW)).uids[0]
    await session.client.patch(
        f"dataElementGroups/{made}", [{"op": "replace", "path": "/name", "value": "Someone else's"}]
    )

    plan = await planned(session, "undo")
    assert plan.steps == []
    assert plan.notes == [
        f"name was changed again since, it stays (--force deletes it too): dataElementGroups New [{made}]"
    ]

    await call(session, "undo", YES, force=True)
    with pytest.raises(NotFound):
        await session.client.get_object(f"dataElementGroups/{made}")


def test_undo2_what_was_edited_and_goes_with_its_owner_is_not_said_to_stay() -> None:
    notes = Notes()
    notes.edited("prVariable1", "name", "programRuleVariables dob [prVariable1]")
    notes.edited("deElement01", "name", "dataElements A [deElement01]")

    notes.settle({"prVariable1"})

    assert notes.lines() == [
        "name was changed again since, it is deleted with what it belongs to: programRuleVariables dob [prVariable1]",
        "name was changed again since, it stays (--force deletes it too): dataElements A [deElement01]",
    ]
    assert len(notes.stays) == 1


def test_undo2_the_value_type_of_a_variable_is_what_its_server_makes_of_it() -> None:
    """It was sent as AGE, and the attribute that it stands for is a date on this server: nobody has changed it."""
    made = edited.own("programRuleVariables", None, {"name": "dob", "valueType": "AGE"})
    assert edited.changed_since({"name": "dob", "valueType": "DATE"}, {**made, "created": "now"}) == []


async def test_undo1_a_single_new_object_keeps_its_translations(session: Session) -> None:
    """By its own address a server drops them: it goes as a bundle."""
    french = [{"locale": "fr", "property": "NAME", "value": "Nouveau"}]
    body = {"id": "deGroupNew1", "name": "New", "shortName": "New", "translations": french}
    told = await writes.plan("create", [write.Write("dataElementGroups", None, body)]).writer.send(
        session, Part([0], 0)
    )
    assert told.created == 1
    assert (await session.client.get_object("dataElementGroups/deGroupNew1"))["translations"] == french


async def test_what_was_created_and_filled_since_stays(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server made of it could not be read: somebody has saved it again."""

    async def unread(*_: object) -> dict[int, object]:
        return {}

    monkeypatch.setattr(looked, "made_of", unread)
    monkeypatch.setattr(edited, "SETTLED", dt.timedelta(0))
    made = (await call(session, "metadata create", YES, **NEW)).uids[0]
    await session.client.patch(
        f"dataElementGroups/{made}", [{"op": "add", "path": "/dataElements", "value": [{"id": "deNumber001"}]}]
    )

    plan = await planned(session, "undo")

    assert plan.steps == []
    assert plan.notes[0].startswith("it was changed again since, it stays")


async def test_what_was_created_and_left_alone_is_deleted(session: Session, tmp_path: Path) -> None:
    sheet = tmp_path / "groups.csv"
    sheet.write_text("name,shortName\n" + "\n".join(f"Group {n},G{n}" for n in range(5)))
    await call(session, "metadata create", YES, type="dataElementGroups", from_=sheet)

    plan = await planned(session, "undo")

    assert [step.action for step in plan.steps] == ["delete"] * 5
    assert plan.notes == []


async def test_an_undo_whose_answer_was_lost_and_that_is_done_says_so(session: Session) -> None:
    before = await names(session)
    await call(session, "metadata rename", YES, **RENAME)
    failing(session, good=0, carries_out=True)

    undone = await call(session, "undo", YES)

    assert "looked at afterwards: all of it is done" in undone.note
    assert await names(session) == before
    assert journal_of(session).entries()[0].outcome == "done"


async def test_what_was_added_to_a_new_object_is_not_deleted_without_a_word(session: Session) -> None:
    """At once, and in a property of which the creation said nothing."""
    made = (await call(session, "metadata create", YES, **NEW)).uids[0]
    await call(session, "metadata update", YES, type="dataElementGroups", uid=made, set=["code=LATER"])

    with pytest.raises(Refused, match="code was changed again since by entry 2, it stays"):
        await call(session, "undo", YES, id=1)
    assert (await session.client.get_object(f"dataElementGroups/{made}"))["code"] == "LATER"

    await call(session, "undo", YES, id=2)
    await call(session, "undo", YES, id=1)
    with pytest.raises(NotFound):
        await session.client.get_object(f"dataElementGroups/{made}")


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("/dataElements", [{"id": "deNumber001"}], "dataElements"),
        ("/sharing/public", "rw------", "sharing"),
        ("/translations", [{"locale": "fr", "property": "NAME", "value": "Nouveau"}], "translations"),
    ],
)
async def test_members_sharing_and_translations_of_a_new_object_are_later_work(
    session: Session, path: str, value: object, named: str
) -> None:
    made = (await call(session, "metadata create", YES, **NEW)).uids[0]
    now = (await session.client.get_object(f"dataElementGroups/{made}"))["sharing"]
    value = "r-------" if named == "sharing" and now["public"] == value else value
    await session.client.patch(f"dataElementGroups/{made}", [{"op": "add", "path": path, "value": value}])

    plan = await planned(session, "undo")

    assert plan.steps == []
    assert plan.notes[0].startswith(f"{named} was changed again since, it stays")


def test_what_the_same_entry_created_afterwards_is_no_later_work() -> None:
    made = {"name": "Set", "options": []}
    current = {"name": "Set", "options": [{"id": "optionNew01"}, {"id": "optionOld01"}]}
    assert edited.without_new(current, made, {"optionNew01"})["options"] == [{"id": "optionOld01"}]


def test_what_the_same_entry_changed_afterwards_is_no_later_work() -> None:
    created = Change(
        0, "create", "userGroups", "userGroup01", None, None, None, {"name": "G", "users": []}, "done", None
    )
    filled = Change(
        1,
        "update",
        "userGroups",
        "userGroup01",
        None,
        None,
        {"users": []},
        {"users": [{"id": "user0000001"}]},
        "done",
        None,
    )
    assert edited.as_left(created, [filled, created]) == {"name": "G", "users": [{"id": "user0000001"}]}


@pytest.mark.parametrize("given", [{"group": "{}=r"}, {"user": "admin=rw"}, {"public": "rw"}])
async def test_sharing_of_what_has_a_group_already_is_as_before_after_an_undo(
    country: Session, given: dict[str, str]
) -> None:
    """The copy before has no names of groups, and a server shows them: no difference; another access is one."""
    [group, *_] = (await country.client.list_page("userGroups", {"fields": "id,name"})).rows
    [found, *_] = (await country.client.list_page("dataSets", {"fields": "id"})).rows
    uid = str(found["id"])
    share = {"type": "dataSets", "objects": [uid]}
    await call(country, "metadata share", YES, **share, public="r", group=[f"{group['name']}=rw/rw"])
    before = await country.client.sharing.get("dataSets", uid)

    wanted = {name: text if name == "public" else [text.format(group["name"])] for name, text in given.items()}
    await call(country, "metadata share", YES, **share, **wanted)
    assert await country.client.sharing.get("dataSets", uid) != before
    summary = await call(country, "undo", YES)

    assert summary.updated == 1
    assert not summary.left
    assert await country.client.sharing.get("dataSets", uid) == before


SINGLE = (
    ("metadata create", NEW),
    ("metadata update", {"type": "dataElements", "uid": "deText00001", "set": ["description=Words"]}),
    ("metadata delete", {"type": "dataElements", "objects": ["deText00001"]}),
    ("metadata data-element-groups add", {"uid": "deGroup0001", "items": ["deText00001"]}),
)


@pytest.mark.parametrize(("verb", "arguments"), SINGLE)
async def test_a_single_write_whose_answer_was_lost_is_looked_at_and_so_is_its_undo(
    session: Session, verb: str, arguments: dict[str, object]
) -> None:
    async def all_() -> object:
        wanted = {"dataElements": True, "dataElementGroups": True}
        return settled(await session.client.get("metadata", wanted))

    await call(session, "metadata rename", YES, **RENAME)
    before = await all_()
    failing(session, 0, carries_out=True)
    for line, more in ((verb, arguments), ("undo", {})):
        told = await call(session, line, YES, **more)
        assert "looked at afterwards: all of it is done" in told.note
        assert journal_of(session).entries()[0].outcome == "done"
    assert await all_() == before


@pytest.mark.parametrize(("verb", "arguments"), SINGLE)
async def test_a_single_write_that_was_lost_with_its_answer_is_no_reason_to_take_back_the_one_before(
    session: Session, verb: str, arguments: dict[str, object]
) -> None:
    await call(session, "metadata rename", YES, **RENAME)
    before = await names(session)
    failing(session, 0)
    with pytest.raises(ServerFault):
        await call(session, verb, YES, **arguments)
    with pytest.raises(Refused, match=r"entry 2 .* has nothing to take back: sent without an answer, and ") as told:
        await call(session, "undo", YES)
    assert str(told.value.hint).startswith("dhis2 undo 1  takes back the write before it")
    assert await names(session) == before


def test_what_a_server_leaves_out_when_it_is_false_is_no_change_of_somebody_else() -> None:
    """2.41 and 2.43 show no `external` of what was shared with nobody outside."""
    sent = {"public": "r-------", "external": False, "users": {}, "userGroups": {}}
    now = {"public": "r-------", "users": {}, "userGroups": {}, "owner": "admin"}
    assert edited.is_still("dataSets", "sharing", {"sharing": {**now, "owner": None}}, {"sharing": sent}, {})
    assert edited.is_still("dataSets", "mobile", {}, {"mobile": False}, {})
    assert edited.is_still("dataSets", "formName", {}, {"formName": ""}, {})
    assert not edited.is_still("dataSets", "mobile", {}, {"mobile": True}, {})
    assert not edited.is_still("dataSets", "sharing", {"sharing": now}, {"sharing": {**sent, "external": True}}, {})
    assert not edited.is_still("options", "sortOrder", {}, {"sortOrder": 0}, {})


async def test_what_a_server_counts_itself_is_no_change_of_somebody_else(country: Session) -> None:
    [found, *_] = (await country.client.list_page("dataSets", {"fields": "id,version"})).rows
    journal, uid, counted = journal_of(country), str(found["id"]), int(str(found.get("version") or 0))
    before, after = {"version": counted + 5, "name": "A"}, {"version": counted + 9, "name": "B"}
    for names_ in (["version"], ["version", "name"]):
        old, new = ({name: body[name] for name in names_} for body in (before, after))
        step = PlanStep("update", "dataSets", uid=uid, name="A", before=old, after=new)
        entry = journal.begin(Plan("much", [step]), country.profile.url)
        journal.mark(entry, [0], "done")
        journal.end(entry, "done")
        plan = await planned(country, "undo", id=entry)
        assert not plan.steps
        assert not any("version" in note for note in plan.notes), plan.notes
