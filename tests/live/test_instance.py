"""The data store, messages, approval and audits of a running server: with keys and words of our own, else only read and planned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dhis2sh.client import reading
from dhis2sh.errors import Dhis2Error
from dhis2sh.session import Session
from tests.live.acting import alone, or_error, planned, read, taken_back, write
from tests.live.place import PREFIX, Place

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
SPACE = f"{PREFIX}space"
MONTH = "202501"


@pytest.mark.verbs(
    "datastore set", "datastore get", "datastore list", "datastore export", "datastore import", "datastore diff",
    "datastore delete", "undo",
)  # fmt: skip
def test_keys_live_and_go(live: Place) -> None:
    async def life(s: Session) -> None:
        try:
            await write(s, "datastore set", namespace=SPACE, key="theme", value='{"colour": "green"}')
            assert await read(s, "datastore get", namespace=SPACE, key="theme") == {"colour": "green"}
            Path("space.json").write_text(
                json.dumps({"namespace": SPACE, "entries": {"theme": {"colour": "blue"}, "size": 3}})
            )
            assert len(await read(s, "datastore diff", file="space.json")) == 2
            await write(s, "datastore import", file=Path("space.json"))
            assert await read(s, "datastore diff", file="space.json") == []
            exported = await read(s, "datastore export", namespace=SPACE)
            assert exported["entries"] == {"theme": {"colour": "blue"}, "size": 3}
            await write(s, "datastore delete", namespace=SPACE, key="size")
            assert [row["key"] for row in await read(s, "datastore list", namespace=SPACE)] == ["theme"]
            await write(s, "undo")
            assert [row["key"] for row in await read(s, "datastore list", namespace=SPACE)] == ["size", "theme"]
        finally:
            stays = await taken_back(s)
        assert stays == []
        assert SPACE not in {row["namespace"] for row in await read(s, "datastore list")}

    alone(life)


@pytest.mark.verbs(
    "messaging send", "messaging list", "messaging get", "messaging reply", "messaging mark-read",
    "messaging mark-unread", "messaging delete",
)  # fmt: skip
def test_a_message_to_oneself(live: Place) -> None:
    async def life(s: Session) -> None:
        me = (await s.client.get_object("me", {"fields": "username"}))["username"]
        subject = f"{PREFIX} of the tests"
        await write(s, "messaging send", subject=subject, text="Nothing to do.", user=[me])
        rows = [row for row in await read(s, "messaging list", limit=50) if row["subject"] == subject]
        found = [row["id"] for row in rows]
        try:
            assert len(found) == 1
            await write(s, "messaging reply", id=found[0], text="Nothing was done.")
            texts = [row["text"] for row in await read(s, "messaging get", id=found[0])]
            assert texts == ["Nothing to do.", "Nothing was done."]
            await write(s, "messaging mark-unread", ids=found)
            await write(s, "messaging mark-read", ids=found)
        finally:
            await write(s, "messaging delete", ids=found)
        assert subject not in {row["subject"] for row in await read(s, "messaging list", limit=50)}

    alone(life)


@pytest.mark.verbs(
    "approval status", "approval approve", "approval unapprove", "approval accept", "approval unaccept", "audit approvals"
)  # fmt: skip
def test_an_approval_is_read_and_planned(live: Place) -> None:
    """A server writes down every approval for good, and keeps the level for it: nothing is approved here."""

    async def looked_at(s: Session) -> None:
        fields = "id,periodType,organisationUnits[id]"
        sets = await reading.all_of(s.client, "dataSets", ["workflow:!null"], fields=fields)
        sets = [row for row in sets if row["organisationUnits"] and row["periodType"] == "Monthly"]
        if not sets:
            pytest.skip("the server has no monthly data set with an approval workflow")
        units = sets[0]["organisationUnits"]
        assert isinstance(units, list)
        cell = {"data_set": sets[0]["id"], "period": MONTH, "org_units": [units[0]["id"]]}
        (row,) = await read(s, "approval status", **cell)
        assert row["state"]
        for word in ("approve", "unapprove", "accept", "unaccept"):
            plan = await or_error(planned(s, f"approval {word}", **cell))
            assert isinstance(plan, Dhis2Error) or plan.steps or plan.notes or plan.blocked
        await read(s, "audit approvals", since="2026-01-01")

    alone(looked_at)
