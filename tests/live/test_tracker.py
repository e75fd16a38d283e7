"""Tracker on a running server, in a program that it has: read in every form, and one person from birth to deletion.

Nothing of ours can be a program with persons: what is deleted of tracker stays hidden in the database, and would keep the
program from being deleted. So a program of the server's own takes the person, who is deleted again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.client import reading
from dhis2sh.errors import Dhis2Error, NotFound, Refused
from dhis2sh.rows.rows import to_json
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.tracker import programs
from dhis2sh.tracker.programs import Item, Program
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.live.place import YES, Place, own_uids, within

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
VALUES = {
    "TEXT": "Lv", "LONG_TEXT": "Lv", "NUMBER": "1", "INTEGER": "1", "INTEGER_POSITIVE": "1", "INTEGER_ZERO_OR_POSITIVE": "1",
    "DATE": "2020-01-01", "AGE": "2000-01-01", "BOOLEAN": "true", "TRUE_ONLY": "true", "PERCENTAGE": "5", "LETTER": "L",
}  # fmt: skip
TODAY = dt.date.today()


async def program_of(s: Session, *, registers: bool) -> Program:
    """A program of the server that this user may use. Skips where there is none."""
    kind = "WITH_REGISTRATION" if registers else "WITHOUT_REGISTRATION"
    rows = await reading.all_of(
        s.client, "programs", [f"programType:eq:{kind}"], fields="id,name,organisationUnits~size"
    )
    for row in rows:
        found = await programs.read_program(s, str(row["id"]))
        if (
            found.writable
            and found.units
            and found.stages
            and found.combo is None
            and given(found.attributes()) is not None
        ):
            return found
    pytest.skip(f"the server has no program {kind} that this user may use")


def given(items: list[Item]) -> list[str] | None:
    """What is set of items that must have a value; None where nobody knows one."""
    found: list[str] = []
    for item in items:
        if not item.mandatory or item.generated:
            continue
        value = next(iter(item.options), None) if item.options else VALUES.get(item.value_type)
        if value is None or item.unique:
            return None
        found.append(f"{item.uid}={value}")
    return found


async def read(s: Session, verb: str, **arguments: object) -> Any:
    result = await run(s, find(verb), arguments)
    return to_json(await result.collect() if isinstance(result, Stream) else result)


def alone(call: Any) -> Any:
    with own_uids():
        return asyncio.run(within(call)())


def test_data_tracker_is_read_in_every_form(live: Place) -> None:
    async def all_of_it(s: Session) -> None:
        program = await program_of(s, registers=True)
        rows = await read(s, "data tracker list", program=program.uid, limit=60)
        assert len({row["trackedEntity"] for row in rows}) == len(rows)
        flat = await read(s, "data tracker list", program=program.uid, flat_=True, limit=60)
        assert [row["trackedEntity"] for row in flat] == [row["trackedEntity"] for row in rows]
        counts = await read(s, "data tracker count", program=program.uid)
        assert {row["status"] for row in counts} == {"ACTIVE", "COMPLETED", "CANCELLED"}
        await read(s, "data tracker outstanding", program=program.uid, by="unit")
        await read(s, "data tracker list", program=program.uid, events=True, limit=5)
        await read(s, "data tracker duplicates", status="ALL")
        if rows:
            assert (await read(s, "data tracker get", uid=rows[0]["trackedEntity"]))["enrollments"]
            assert len(await read(s, "data tracker export", program=program.uid, limit=1)) == 1
        single = await program_of(s, registers=False)
        await read(s, "data tracker list", program=single.uid, limit=5)

    alone(all_of_it)


def test_data_tracker_one_life(live: Place) -> None:
    """Registered, seen, changed, completed, taken back, deleted, gone; and once more by a file."""

    async def a_life(s: Session) -> None:
        program = await program_of(s, registers=True)
        unit, day = sorted(program.units)[0], (TODAY - dt.timedelta(30)).isoformat()
        attributes = given(program.attributes()) or []
        made = await run(
            s, find("data tracker register"),
            {"program": program.uid, "org_unit": unit, "set": attributes, "enrolled": day, "occurred": day}, YES,
        )  # fmt: skip
        entity, enrollment = made.uids
        try:
            stage = program.stages[0]
            seen = await run(
                s, find("data tracker add-event"),
                {"program": program.uid, "of": entity, "stage": stage.uid, "date": day, "set": given(list(stage.items)) or []}, YES,
            )  # fmt: skip
            [event] = seen.uids
            found = await read(s, "data tracker get", uid=entity)
            assert [one["event"] for one in found["enrollments"][0]["events"]] == [event]
            await run(s, find("data tracker update"), {"uid": enrollment, "follow_up": True}, YES)
            assert (await read(s, "data tracker get", uid=enrollment))["followUp"] is True
            await run(s, find("undo"), {}, YES)
            assert "followUp" not in await read(s, "data tracker get", uid=enrollment)
            await run(s, find("data tracker complete"), {"uids": [enrollment]}, YES)
            assert (await read(s, "data tracker get", uid=enrollment))["status"] == "COMPLETED"
        finally:
            await run(s, find("data tracker delete"), {"uids": [entity]}, YES)
        for uid in (entity, enrollment):
            with pytest.raises((NotFound, Dhis2Error)):
                await read(s, "data tracker get", uid=uid)
        with pytest.raises(Refused, match="cannot come back"):
            await run(s, find("undo"), {}, YES)

    alone(a_life)


def test_data_tracker_push_and_back(live: Place) -> None:
    async def there_and_back(s: Session) -> None:
        program = await program_of(s, registers=True)
        assert program.type is not None
        unit, day = sorted(program.units)[0], (TODAY - dt.timedelta(30)).isoformat()
        pairs = [text.split("=", 1) for text in given(program.attributes()) or []]
        body = {"trackedEntities": [
            {"trackedEntityType": program.type.uid, "orgUnit": unit, "enrollments": [
                {"program": program.uid, "orgUnit": unit, "enrolledAt": day, "occurredAt": day, "status": "COMPLETED",
                 "attributes": [{"attribute": uid, "value": value} for uid, value in pairs]}]}
            for _ in range(2)
        ]}  # fmt: skip
        path = Path("push.json")
        path.write_text(json.dumps({**body, "made": TODAY.isoformat() + str(dt.datetime.now())}))
        summary = await run(s, find("data tracker push"), {"file": path}, YES)
        assert (summary.created, summary.failures) == (4, [])
        back = await run(s, find("undo"), {}, YES)
        assert back.deleted == 2

    alone(there_and_back)
