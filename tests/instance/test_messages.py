"""Messages: sent, answered, marked; and what a server would take without a word."""

import pytest

from dhis2sh.errors import NotFound, UsageError
from dhis2sh.session import Session
from tests.metadata.calls import call, do, planned

REPORT = {"subject": "September", "text": "Please send it", "user": ["admin"]}


async def test_a_message_is_sent_answered_marked_and_deleted(s: Session):
    await do(s, "messaging send", **REPORT)
    (found,) = (await call(s, "messaging list")).plain()
    await do(s, "messaging reply", id=found["id"], text="It is on its way")
    rows = (await call(s, "messaging get", id=found["id"])).plain()
    assert [row["text"] for row in rows] == ["Please send it", "It is on its way"]
    await do(s, "messaging mark-unread", ids=[found["id"]])
    assert len((await call(s, "messaging list", unread=True)).plain()) == 1
    assert (await do(s, "messaging mark-read", ids=[found["id"]])).updated == 1
    assert (await planned(s, "messaging mark-read", ids=[found["id"]])).notes == ["1 already read"]
    assert (await do(s, "messaging delete", ids=[found["id"]])).deleted == 1
    assert (await call(s, "messaging list")).plain() == []


async def test_a_conversation_is_named_by_its_subject(s: Session):
    await do(s, "messaging send", **{**REPORT, "subject": "September, [urgent]"})
    rows = (await call(s, "messaging get", id="september, [urgent]")).plain()
    assert [row["text"] for row in rows] == ["Please send it"]
    await do(s, "messaging reply", id="September, [urgent]", text="It is on its way")
    await do(s, "messaging mark-unread", ids=["September, [urgent]"])
    with pytest.raises(NotFound, match="'Septembre'") as unknown:
        await planned(s, "messaging delete", ids=["Septembre"])
    assert "September, [urgent]" in str(unknown.value.hint)
    assert (await do(s, "messaging delete", ids=["September, [urgent]"])).deleted == 1


async def test_two_conversations_of_one_subject_are_told_apart_by_their_dates(s: Session):
    for _ in range(2):
        await do(s, "messaging send", **REPORT)
    rows = (await call(s, "messaging list")).plain()
    for verb, arguments in (
        ("messaging get", {"id": "September"}),
        ("messaging reply", {"id": "september", "text": "Yes"}),
        ("messaging mark-read", {"ids": ["September"]}),
        ("messaging delete", {"ids": ["September"]}),
    ):
        with pytest.raises(UsageError, match="is ambiguous among messageConversations") as several:
            await call(s, verb, **arguments)
        for row in rows:
            assert f"[{row['id']}] of {row['lastMessage'][:16].replace('T', ' ')}, admin" in str(several.value)


@pytest.mark.parametrize(
    ("more", "why"),
    [({"text": " "}, "wants a subject and a text"), ({"subject": ""}, "wants a subject"), ({"user": []}, "to whom")],
)
async def test_a_message_without_text_subject_or_reader_is_refused(s: Session, more: dict, why: str):
    """Recorded (inst-messages 6): a server sends one without a text."""
    with pytest.raises(UsageError, match=why):
        await planned(s, "messaging send", **{**REPORT, **more})


async def test_a_conversation_that_is_not_there_is_no_empty_one(s: Session):
    """Recorded (inst-messages 27): 200 and a sentence."""
    with pytest.raises(NotFound, match="aaaaaaaaaaa"):
        await call(s, "messaging get", id="aaaaaaaaaaa")
    with pytest.raises(NotFound, match="none of your conversations has the UID or subject 'aaaaaaaaaaa'"):
        await planned(s, "messaging mark-read", ids=["aaaaaaaaaaa"])


async def test_the_plan_names_everybody_who_gets_it(s: Session):
    plan = await planned(s, "messaging send", subject="A", text="B", org_unit=["Nation"])
    assert "to admin" in (plan.steps[0].detail or "")
    with pytest.raises(UsageError, match="'Clinic A' has no users: nobody would get it"):
        await planned(s, "messaging send", subject="A", text="B", org_unit=["Clinic A"])


@pytest.mark.parametrize(
    ("to", "asks"),
    [({"user": ["admin"]}, False), ({"user": ["admin", "anna"]}, True), ({"org_unit": ["Nation"]}, True)],
)
async def test_a_message_to_more_than_one_asks_and_every_plan_says_that_it_stays_sent(s: Session, to: dict, asks: bool):
    roles = [{"id": "yrB6vc5Ip3r"}]
    body = {
        "username": "anna",
        "firstName": "Anna",
        "surname": "Example",
        "password": "Example_2026!",
        "userRoles": roles,
    }
    await s.client.post("users", body)  # pyright: ignore[reportArgumentType]
    plan = await planned(s, "messaging send", subject="A", text="B", **to)
    assert plan.asks is asks
    assert plan.notes == ["this cannot be undone: people have read it by then"]
