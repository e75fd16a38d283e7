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
    with pytest.raises(NotFound, match="there is no conversation aaaaaaaaaaa"):
        await planned(s, "messaging mark-read", ids=["aaaaaaaaaaa"])


async def test_the_plan_names_everybody_who_gets_it(s: Session):
    plan = await planned(s, "messaging send", subject="A", text="B", org_unit=["Nation"])
    assert "to admin" in (plan.steps[0].detail or "")
    with pytest.raises(UsageError, match="'Clinic A' has no users: nobody would get it"):
        await planned(s, "messaging send", subject="A", text="B", org_unit=["Clinic A"])
