"""Tracker on a running server, in a program that it has: read in every form, and persons from birth to deletion.

Nothing of ours can be a program with persons: what is deleted of tracker stays hidden in the database, and would keep the
program from being deleted. So a program of the server's own takes the persons, who are deleted again. It has rules of its
own: where they refuse what is registered here, another program is tried.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from dhis2sh.client import reading
from dhis2sh.errors import Dhis2Error, NotFound, PartlyDone, Refused
from dhis2sh.session import Session
from dhis2sh.tracker import programs
from dhis2sh.tracker.programs import Item, Program
from dhis2sh.types import JsonObject
from tests.live.acting import alone, planned, read, write
from tests.live.place import Place

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
VALUES = {
    "TEXT": "Lv", "LONG_TEXT": "Lv", "NUMBER": "1", "INTEGER": "1", "INTEGER_POSITIVE": "1", "INTEGER_ZERO_OR_POSITIVE": "1",
    "DATE": "2020-01-01", "AGE": "2000-01-01", "BOOLEAN": "true", "TRUE_ONLY": "true", "PERCENTAGE": "5", "LETTER": "L",
}  # fmt: skip
TODAY = dt.date.today()
DAY = (TODAY - dt.timedelta(30)).isoformat()


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


async def programs_of(s: Session, *, registers: bool) -> AsyncIterator[Program]:
    """The programs of the server that this user may write to, and whose attributes anybody can give."""
    kind = "WITH_REGISTRATION" if registers else "WITHOUT_REGISTRATION"
    for row in await reading.all_of(s.client, "programs", [f"programType:eq:{kind}"], fields="id,name"):
        found = await programs.read_program(s, str(row["id"]))
        usable = found.writable and found.units and found.stages and found.combo is None
        if usable and given(found.attributes()) is not None:
            yield found


async def program_of(s: Session, *, registers: bool) -> Program:
    """One of them. Skips where there is none."""
    async for found in programs_of(s, registers=registers):
        return found
    pytest.skip(f"the server has no program with{'' if registers else 'out'} registration that this user may use")


async def units_of(s: Session, program: Program) -> list[str]:
    """Units of a program that are open, and that this user captures data for."""
    me = await s.client.get_object("me", {"fields": "organisationUnits[id]"})
    mine = {str(one["id"]) for one in cast("list[JsonObject]", me["organisationUnits"])}
    rows = (
        await reading.by_uid(s.client, "organisationUnits", sorted(program.units)[:300], fields="id,path,closedDate")
    ).rows
    return [
        str(row["id"]) for row in rows if not row.get("closedDate") and mine & set(str(row.get("path", "")).split("/"))
    ]


def of_rules(error: Dhis2Error) -> bool:
    """Did rules or the access of a program refuse it, and not its form?"""
    return "E13" in str(error) or "E1000" in str(error) or str(error.code).startswith(("E13", "E1000"))


@dataclass
class Person:
    """Somebody who was registered."""

    program: Program
    unit: str
    other_unit: str | None
    entity: str
    enrollment: str


@asynccontextmanager
async def person(s: Session, like: Program | None = None) -> AsyncIterator[Person]:
    """Somebody in the first program whose rules take them, deleted in the end. Skips where there is none.

    Parameters:
        like: in this program.
    """
    why = "no program with registration that this user may use"
    made: Person | None = None
    async for program in programs_of(s, registers=True):
        if like is not None and program.uid != like.uid:
            continue
        units = await units_of(s, program)
        if not units:
            why = "none of its programs has a unit that this user captures data for"
            continue
        try:
            done = await write(
                s, "data tracker register", program=program.uid, org_unit=units[0],
                set=given(program.attributes()) or [], enrolled=DAY, occurred=DAY,
            )  # fmt: skip
        except (Refused, PartlyDone) as error:
            if not of_rules(error):
                raise
            why = f"the rules of its programs refuse: {error.message}"
            continue
        made = Person(program, units[0], next(iter(units[1:]), None), *done.uids)
        break
    if made is None:
        pytest.skip(f"the server has {why}")
    try:
        yield made
    finally:
        await write(s, "data tracker delete", uids=[made.entity])


@pytest.mark.verbs(
    "data tracker list", "data tracker count", "data tracker outstanding", "data tracker duplicates", "data tracker get",
    "data tracker export", "data tracker pull", "data tracker find-duplicates",
)  # fmt: skip
def test_data_tracker_is_read_in_every_form(live: Place) -> None:
    async def all_of_it(s: Session) -> None:
        program = await program_of(s, registers=True)
        rows = await read(s, "data tracker list", program=program.uid, limit=60)
        assert len({row["trackedEntity"] for row in rows}) == len(rows)
        flat = await read(s, "data tracker list", program=program.uid, flat_=True, limit=60)
        assert [row["trackedEntity"] for row in flat] == [row["trackedEntity"] for row in rows]
        counts = await read(s, "data tracker count", program=program.uid)
        assert {row["status"] for row in counts} == {"ACTIVE", "COMPLETED", "CANCELLED"}
        units = await units_of(s, program)
        await read(s, "data tracker outstanding", program=program.uid, by="unit", org_unit=units[:1])
        await read(s, "data tracker list", program=program.uid, events=True, limit=5)
        await read(s, "data tracker duplicates", status="ALL")
        await read(s, "data tracker find-duplicates", program=program.uid, org_unit=units[:1], limit=5)
        if units:
            await read(s, "data tracker pull", program=program.uid, org_unit=units[:1])
        if rows:
            assert (await read(s, "data tracker get", uid=rows[0]["trackedEntity"]))["enrollments"]
            assert len(await read(s, "data tracker export", program=program.uid, limit=1)) == 1
        async for single in programs_of(s, registers=False):
            await read(s, "data tracker list", program=single.uid, limit=5)
            break

    alone(all_of_it)


@pytest.mark.verbs(
    "data tracker register", "data tracker add-event", "data tracker get", "data tracker update", "data tracker complete",
    "data tracker delete", "audit changelog", "undo",
)  # fmt: skip
def test_data_tracker_one_life(live: Place) -> None:
    """Registered, seen, changed, completed, taken back, deleted, gone."""

    async def a_life(s: Session) -> None:
        async with person(s) as one:
            await _seen(s, one)
            await write(s, "data tracker update", uid=one.enrollment, follow_up=True)
            assert (await read(s, "data tracker get", uid=one.enrollment))["followUp"] is True
            await write(s, "undo")
            assert not (await read(s, "data tracker get", uid=one.enrollment)).get("followUp")
            await read(s, "audit changelog", kind="trackedEntities", uid=one.entity)
            await write(s, "data tracker complete", uids=[one.enrollment])
            assert (await read(s, "data tracker get", uid=one.enrollment))["status"] == "COMPLETED"
        for uid in (one.entity, one.enrollment):
            with pytest.raises((NotFound, Dhis2Error)):
                await read(s, "data tracker get", uid=uid)
        with pytest.raises(Refused, match="cannot come back"):
            await write(s, "undo")

    alone(a_life)


async def _seen(s: Session, one: Person) -> None:
    """An event in the first stage whose rules take it; a server may make events of its own beside it."""
    for stage in one.program.stages:
        values = given(list(stage.items))
        if values is None or not stage.writable:
            continue
        try:
            done = await write(
                s,
                "data tracker add-event",
                program=one.program.uid,
                of=one.entity,
                stage=stage.uid,
                date=DAY,
                set=values,
            )
        except (Refused, PartlyDone) as error:
            if not of_rules(error):
                raise
            continue
        found = await read(s, "data tracker get", uid=one.entity)
        assert set(done.uids) <= {event["event"] for event in found["enrollments"][0]["events"]}
        return


@pytest.mark.verbs("data tracker enroll", "data tracker transfer", "undo")
def test_an_entity_is_enrolled_again_and_handed_over(live: Place) -> None:
    async def handed_over(s: Session) -> None:
        async with person(s) as one:
            if one.other_unit is not None:
                await write(
                    s, "data tracker transfer", entities=[one.entity], program=one.program.uid, to=one.other_unit
                )
                assert await owner(s, one) == one.other_unit
                await write(s, "undo")
                assert await owner(s, one) == one.unit
            if one.program.once:
                return
            await write(s, "data tracker complete", uids=[one.enrollment])
            await write(
                s, "data tracker enroll", uid=one.entity, program=one.program.uid, org_unit=one.unit,
                enrolled=TODAY.isoformat(), occurred=TODAY.isoformat(), set=given(one.program.attributes()) or [],
            )  # fmt: skip
            assert len((await read(s, "data tracker get", uid=one.entity))["enrollments"]) == 2
            await write(s, "undo")
            assert len((await read(s, "data tracker get", uid=one.entity))["enrollments"]) == 1

    alone(handed_over)


async def owner(s: Session, one: Person) -> str | None:
    row = await s.client.tracker.get(
        "trackedEntities", one.entity, fields="trackedEntity,programOwners", program=one.program.uid
    )
    owners = cast("list[JsonObject]", row.get("programOwners") or [])
    return next((str(found["orgUnit"]) for found in owners if found.get("program") == one.program.uid), None)


@pytest.mark.verbs("data tracker relationship")
def test_two_entities_are_related_and_not_any_more(live: Place) -> None:
    async def related(s: Session) -> None:
        async with person(s) as one, person(s, one.program) as other:
            types = await reading.all_of(
                s.client, "relationshipTypes", [], fields="id,access[data[write]],fromConstraint,toConstraint"
            )
            kind = next((row for row in types if _links(row, cast("Any", one.program.type).uid)), None)
            if kind is None:
                pytest.skip("the server has no relationship type between two entities of that type")
            await write(s, "data tracker relationship", from_=one.entity, to=other.entity, type=kind["id"])
            assert len((await read(s, "data tracker get", uid=one.entity)).get("relationships") or []) == 1
            await write(s, "undo")
            assert not (await read(s, "data tracker get", uid=one.entity)).get("relationships")

    alone(related)


def _links(row: Any, entity_type: str) -> bool:
    """May this user relate two entities of a type, whatever their program?"""
    ends = [row.get(f"{end}Constraint") or {} for end in ("from", "to")]
    return bool(((row.get("access") or {}).get("data") or {}).get("write")) and all(
        end.get("relationshipEntity") == "TRACKED_ENTITY_INSTANCE"
        and (end.get("trackedEntityType") or {}).get("id") == entity_type
        and not end.get("program")
        for end in ends
    )


@pytest.mark.verbs("data tracker mark-duplicate")
def test_a_mark_of_duplicates_is_only_planned(live: Place) -> None:
    """A server keeps every mark."""

    async def looked_at(s: Session) -> None:
        program = await program_of(s, registers=True)
        rows = await read(s, "data tracker list", program=program.uid, limit=2)
        if len(rows) < 2:
            pytest.skip("there are no two entities")
        first, second = (row["trackedEntity"] for row in rows)
        try:
            plan = await planned(s, "data tracker mark-duplicate", original=first, duplicate=second)
        except Dhis2Error as error:
            pytest.skip(f"its first two entities: {error.message}")
        assert len(plan.steps) == 1

    alone(looked_at)


@pytest.mark.verbs("data tracker merge")
def test_a_merge_of_duplicates_is_only_planned(live: Place) -> None:
    """Nothing brings back what was merged, and a server keeps every flag: only a pair that is there is looked at."""

    async def looked_at(s: Session) -> None:
        pairs = await read(s, "data tracker duplicates", status="OPEN")
        if not pairs:
            pytest.skip("nobody has flagged two entities as duplicates")
        try:
            await planned(s, "data tracker merge", uid=pairs[0]["id"])
        except Dhis2Error as error:  # other people's pair may be gone, or be of two types
            pytest.skip(f"its first pair of duplicates: {error.message}")

    alone(looked_at)


@pytest.mark.verbs("data tracker push", "undo")
def test_data_tracker_push_and_back(live: Place) -> None:
    async def there_and_back(s: Session) -> None:
        async with person(s) as one:  # in a program that takes persons like this one
            program = one.program
        assert program.type is not None
        pairs = [text.split("=", 1) for text in given(program.attributes()) or []]
        of_type = {item.uid for item in program.type.items}
        own = [{"attribute": uid, "value": value} for uid, value in pairs if uid in of_type]
        body = {"trackedEntities": [
            {"trackedEntityType": program.type.uid, "orgUnit": one.unit, "attributes": own, "enrollments": [
                {"program": program.uid, "orgUnit": one.unit, "enrolledAt": day, "occurredAt": day, "status": "COMPLETED",
                 "attributes": [{"attribute": uid, "value": value} for uid, value in pairs if uid not in of_type]}]}
            for day in (DAY, (TODAY - dt.timedelta(31)).isoformat())  # the same twice would be taken for a mistake
        ]}  # fmt: skip
        path = Path("push.json")
        path.write_text(json.dumps({**body, "made": TODAY.isoformat() + str(dt.datetime.now())}))
        summary = await write(s, "data tracker push", file=path)
        assert (summary.created, summary.failures) == (4, [])
        back = await write(s, "undo")
        assert back.deleted == 2

    alone(there_and_back)
