"""New entities, enrollments and events: checked against what the program takes, then the plan of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.client import reading as objects
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import Forbidden, Refused, UsageError
from dhis2sh.tracker import changing, programs, reading
from dhis2sh.tracker.alike import Alike
from dhis2sh.tracker.asking import EventStatus, Query, escaped
from dhis2sh.tracker.changing import Change
from dhis2sh.tracker.values import assigned, day_of, pairs, raise_missing, without_value
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.client.tracker import Kind
    from dhis2sh.session import Session
    from dhis2sh.tracker.programs import Program, Stage
    from dhis2sh.types import JsonObject, JsonValue

WITH_VALUES = ("ACTIVE", "VISITED", "COMPLETED")
"""The states of an event that has happened (E1315 for values in any other)."""


@dataclass(frozen=True, slots=True)
class Dates:
    """When somebody was enrolled, and when that what it is about happened; today without a text."""

    enrolled: str | None = None
    occurred: str | None = None


async def unit_name(s: Session, uid: str) -> str:
    """What an organisation unit is called. Raises `NotFound`."""
    body = await s.client.get_object(f"organisationUnits/{uid}", {"fields": "id,displayName"})
    return str(body.get("displayName") or uid)


def names_of(program: Program, **more: str) -> dict[str, str]:
    """What UIDs of a program stand for.

    Parameters:
        more: others, by UID.
    """
    found = {program.uid: program.name, **{item.uid: item.name for item in program.attributes()}, **more}
    if program.type is not None:
        found[program.type.uid] = program.type.name
    for stage in program.stages:
        found[stage.uid] = stage.name
        found |= {item.uid: item.name for item in stage.items}
    return found


def called(program: Program, values: Mapping[str, JsonValue]) -> str | None:
    """What people call an entity: its first two texts."""
    texts = [str(values[item.uid]) for item in program.attributes() if values.get(item.uid) and not item.unique]
    return " ".join(texts[:2]) or None


def writable(program: Program, stage: Stage | None = None) -> None:
    """Raise `Forbidden` where this user enters no data of a program, its type or a stage."""
    if not program.writable:
        raise programs.no_access("program", program.name)
    if program.type is not None and not program.type.writable:
        raise programs.no_access("type", program.type.name)
    if stage is not None and not stage.writable:
        raise programs.no_access("stage", stage.name)


async def register(
    s: Session, program: Program, unit: str, sets: Sequence[str], dates: Dates, *, repeated: bool = False
) -> Plan:
    """The plan of a new entity that is enrolled in a program.

    Parameters:
        unit: where, by UID.
        sets: `NAME=VALUE` of its attributes.
        dates: of the enrollment.
        repeated: also where somebody has the same names, unit and day of enrollment.

    Raises `UsageError`, `NotFound` and `Forbidden` for what the server would refuse; `Refused` for a value that another
    entity has and nobody may have twice, and where somebody looks the same.
    """
    kind = program.type
    if kind is None:
        raise UsageError(
            f"'{program.name}' registers nobody: it has single events",
            hint=f"dhis2 data tracker add-event '{program.name}' --org-unit UNIT --set NAME=VALUE",
        )
    writable(program)
    where = await unit_name(s, unit)
    assigned(program.units, unit, program.name, f"'{where}'")
    given = await pairs(s, sets, program.attributes(), f"attribute of '{program.name}'", attribute=True)
    values = await with_generated(s, program, given)
    raise_missing(without_value(program.attributes(), values), f"an entity of '{program.name}'")
    await unique(s, program, values)
    own = {item.uid for item in kind.items}
    entity, enrollment = generate_uid(), generate_uid()
    body: JsonObject = {
        "trackedEntity": entity, "trackedEntityType": kind.uid, "orgUnit": unit,
        "attributes": {uid: value for uid, value in values.items() if uid in own},
    }  # fmt: skip
    name = called(program, values)
    rest = {uid: value for uid, value in values.items() if uid not in own}
    enrolled = _enrollment(program, enrollment, entity, unit, dates, rest)
    if not repeated:
        await _nobody_alike(s, program, unit, str(enrolled["enrolledAt"]), values)
    changes = [
        Change("trackedEntities", None, body, name),
        Change("enrollments", None, enrolled, program.name),
    ]
    title = f"register {name or kind.name} [{entity}] in '{program.name}' at {where}"
    return changing.plan(title, changes, names_of(program, **{unit: where}))


async def _nobody_alike(s: Session, program: Program, unit: str, day: str, values: Mapping[str, JsonValue]) -> None:
    """Raise `Refused` where somebody is enrolled at the same unit on the same day under the same names."""
    alike = Alike(s)
    await alike.meet(program, [(unit, day[:10])])
    for why in alike.unknown.values():
        s.person.note(f"whether somebody looks the same is not known: {why}")
    if others := alike.of(program, unit, day, values):
        raise Refused(
            f"same names, unit and day of enrollment as {others[0]}",
            hint=f"dhis2 data tracker get {others[0]}  shows who that is; --repeated  registers another one",
        )


def _enrollment(
    program: Program, uid: str, entity: str, unit: str, dates: Dates, values: Mapping[str, JsonValue]
) -> JsonObject:
    enrolled = day_of(dates.enrolled, "day of the enrollment", ahead=program.enrolled_ahead)
    body: JsonObject = {
        "enrollment": uid, "trackedEntity": entity, "program": program.uid, "orgUnit": unit, "status": "ACTIVE",
        "enrolledAt": enrolled, "attributes": {**values},
    }  # fmt: skip
    if dates.occurred is not None:
        body["occurredAt"] = day_of(dates.occurred, "day of the incident", ahead=program.incident_ahead)
    elif program.incident:  # a birth, an infection: seldom the day of the enrollment, and never guessed
        raise UsageError(
            f"the day of the incident is missing: '{program.name}' wants it",
            hint=f"--occurred {enrolled}  if it is that of the enrollment",
        )
    return body


async def with_generated(s: Session, program: Program, given: Mapping[str, str]) -> dict[str, str]:
    """Values with those that the server makes where nobody has given them, as an app asks for them: an import makes none."""
    found = dict(given)
    for item in program.attributes():
        if not item.generated or found.get(item.uid):
            continue
        try:
            made = await s.client.get_object(f"trackedEntityAttributes/{item.uid}/generate")
        except Refused as error:
            if item.mandatory:
                raise
            s.person.note(f"'{item.name}' stays empty, since the server generates none: {error.message}")
            continue
        found[item.uid] = str(made.get("value") or "")
    return {uid: value for uid, value in found.items() if value}


async def unique(s: Session, program: Program, values: Mapping[str, JsonValue], own: str | None = None) -> None:
    """Raise `Refused` where another entity has a value that nobody may have twice.

    Parameters:
        own: the entity whose values they are.
    """
    kind = program.type
    for item in program.attributes():
        value = values.get(item.uid)
        if kind is None or not item.unique or not value:
            continue
        query = Query(
            "trackedEntities", [], "ACCESSIBLE",
            {"trackedEntityType": kind.uid, "filter": [f"{item.uid}:eq:{escaped(str(value))}"]},
        )  # fmt: skip
        try:
            async with aclosing(reading.pages(s, query, "trackedEntity", limit=2)) as batches:
                others = [str(row["trackedEntity"]) async for rows in batches for row in rows]
        except (Refused, Forbidden) as error:  # not everybody may search by everything; the import looks too
            s.person.note(f"whether '{item.name}' is unique the server says when it is sent: {error.message}")
            continue
        if others := [uid for uid in others if uid != own]:
            raise Refused(
                f"'{item.name}' must be unique, and {others[0]} has '{value}' already",
                hint=f"dhis2 data tracker get {others[0]}",
            )


async def enroll(
    s: Session, program: Program, entity: str, unit: str | None, sets: Sequence[str], dates: Dates
) -> Plan:
    """The plan of enrolling an entity that is there; its owner and its own unit stay as they are.

    Parameters:
        entity: its UID; unit: where, its own unit without one.
        sets, dates: as of `register`.

    Raises as `register`, and `Refused` where it is enrolled already.
    """
    kind = program.type
    if kind is None:
        raise UsageError(f"'{program.name}' registers nobody: it has single events", hint="data tracker add-event")
    writable(program)
    _, row = await reading.find(s, entity, fields=_ENTITY_FIELDS, kinds=("trackedEntities",))
    if row.get("trackedEntityType") != kind.uid:
        raise UsageError(
            f"'{program.name}' enrolls '{kind.name}', and {entity} is of another type",
            hint=f"dhis2 data tracker get {entity}",
        )
    _not_enrolled(program, entity, row)
    unit = unit or str(row.get("orgUnit"))
    where = await unit_name(s, unit)
    assigned(program.units, unit, program.name, f"'{where}'")
    given = await pairs(s, sets, program.attributes(), f"attribute of '{program.name}'", attribute=True)
    known = reading.held(row, "attributes", "attribute")
    for one in reading.inner(row, "enrollments"):
        known |= reading.held(one, "attributes", "attribute")
    raise_missing(without_value(program.items, {**known, **given}), f"an enrollment in '{program.name}'")
    await unique(s, program, given, own=entity)
    uid = generate_uid()
    body = _enrollment(program, uid, entity, unit, dates, given)
    name = called(program, known) if s.persons else None
    title = f"enroll {name or entity} in '{program.name}' at {where}"
    return changing.plan(title, [Change("enrollments", None, body, program.name)], names_of(program, **{unit: where}))


_ENTITY_FIELDS: Mapping[Kind, str] = {"trackedEntities": reading.TREE}


def _not_enrolled(program: Program, entity: str, row: JsonObject) -> None:
    for one in reading.inner(row, "enrollments"):
        if one.get("program") != program.uid:
            continue
        status = one.get("status")
        if status == "ACTIVE" or (program.once and status != "CANCELLED"):
            why = "is enrolled in" if status == "ACTIVE" else "was enrolled once, which is all that is allowed, in"
            raise Refused(
                f"{entity} {why} '{program.name}' already: {one.get('enrollment')}",
                hint=f"dhis2 data tracker get {one.get('enrollment')}",
            )


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is to be.

    Parameters:
        program, stage: of what.
        owner: the entity or enrollment that it is of, by UID; None in an event program.
        unit: where, by UID; that of the enrollment without it.
        day: when it happened; today without it, unless it is `scheduled` for a day.
        status: as it shall be.
        sets: `NAME=VALUE` of its data elements.
        combo: the attribute option combination, by UID.
    """

    program: Program
    stage: Stage
    owner: str | None
    unit: str | None
    day: str | None
    scheduled: str | None
    status: EventStatus | None
    sets: Sequence[str]
    combo: str | None = None


async def add_event(s: Session, new: NewEvent) -> Plan:
    """The plan of a new event. Raises `UsageError`, `NotFound`, `Forbidden` and `Refused` for what the server would refuse."""
    program, stage = new.program, new.stage
    writable(program, stage)
    body: JsonObject = {"event": generate_uid(), "program": program.uid, "programStage": stage.uid}
    unit = new.unit
    if program.registers:
        enrollment = await _of_owner(s, new)
        body |= {"enrollment": enrollment["enrollment"], "trackedEntity": enrollment["trackedEntity"]}
        unit = unit or str(enrollment["orgUnit"])
    elif new.owner is not None:
        raise UsageError(f"'{program.name}' has single events, of nobody", hint="leave the entity out")
    if unit is None:
        raise UsageError("at which organisation unit?", hint="--org-unit NAME")
    if program.combo is not None and new.combo is None:
        raise UsageError(
            f"events of '{program.name}' have an attribute option combination",
            hint=f"dhis2 metadata get categoryCombos {program.combo} --fields 'categoryOptionCombos[id,name]'  has them for "
            "--attribute-option-combo",
        )
    where = await unit_name(s, unit)
    assigned(program.units, unit, program.name, f"'{where}'")
    values = await pairs(s, new.sets, stage.items, f"data element of '{stage.name}'")
    body |= {"orgUnit": unit, "attributeOptionCombo": new.combo, **_when(new), "dataValues": {**values}}
    if values and body["status"] not in WITH_VALUES:
        raise UsageError(f"an event in state {body['status']} has no values yet", hint="leave --set out, or --date DAY")
    if body["status"] == "COMPLETED":
        raise_missing(without_value(stage.items, values), f"a completed event of '{stage.name}'")
    title = f"add an event of '{stage.name}' at {where}"
    changes = [Change("events", None, {name: value for name, value in body.items() if value is not None}, stage.name)]
    return changing.plan(title, changes, names_of(program, **{unit: where}))


def _when(new: NewEvent) -> JsonObject:
    """The dates and the state of a new event."""
    if new.scheduled is not None and new.day is None:
        status = new.status or "SCHEDULE"
        return {"scheduledAt": day_of(new.scheduled, "day it is scheduled for", ahead=True), "status": status}
    if new.status in {"SCHEDULE", "OVERDUE"}:
        raise UsageError(f"an event in state {new.status} is scheduled for a day", hint="--scheduled DAY")
    body: JsonObject = {
        "occurredAt": day_of(new.day, "day of the event", ahead=False), "status": new.status or "ACTIVE",
    }  # fmt: skip
    if new.scheduled is not None:
        body["scheduledAt"] = day_of(new.scheduled, "day it is scheduled for", ahead=True)
    return body


async def _of_owner(s: Session, new: NewEvent) -> JsonObject:
    """The enrollment that a new event is of."""
    program, stage = new.program, new.stage
    if new.owner is None:
        raise UsageError(
            f"an event of whom? '{program.name}' follows entities", hint="--of UID of the entity or enrollment"
        )
    fields: Mapping[Kind, str] = {
        **_ENTITY_FIELDS,
        "enrollments": f"{reading.ENROLLMENT},events[event,programStage,status]",
    }
    kind, row = await reading.find(s, new.owner, fields=fields, kinds=("enrollments", "trackedEntities"))
    mine = [row] if kind == "enrollments" else [
        one for one in reading.inner(row, "enrollments") if one.get("program") == program.uid
    ]  # fmt: skip
    if kind == "enrollments" and row.get("program") != program.uid:
        raise UsageError(
            f"the enrollment {new.owner} is in another program", hint=f"dhis2 data tracker get {new.owner}"
        )
    active = [one for one in mine if one.get("status") == "ACTIVE"] or mine
    if not active:
        raise Refused(
            f"{new.owner} is not enrolled in '{program.name}'",
            hint=f"dhis2 data tracker enroll {new.owner} '{program.name}'",
        )
    if len(active) > 1:
        raise UsageError(
            f"{new.owner} is enrolled several times",
            hint=f"--of {listed((str(one['enrollment']) for one in active), 4)}",
        )
    found = {**active[0], "trackedEntity": active[0].get("trackedEntity") or row.get("trackedEntity")}
    if found.get("status") != "ACTIVE":
        s.person.warn(f"the enrollment {found['enrollment']} is {str(found.get('status')).lower()}")
    others = [one for one in reading.inner(found, "events") if one.get("programStage") == stage.uid]
    if not stage.repeatable and any(one.get("status") != "SKIPPED" for one in others):
        raise Refused(
            f"'{stage.name}' takes one event, and there is {others[0].get('event')}",
            hint=f"dhis2 data tracker update {others[0].get('event')} --set NAME=VALUE",
        )
    return found


async def option_combo(s: Session, program: Program, text: str | None) -> str | None:
    """The UID of an attribute option combination of a program, by UID, code or name. Raises `NotFound`."""
    if text is None or program.combo is None:
        return None
    rows = await objects.all_of(
        s.client, "categoryOptionCombos", [f"categoryCombo.id:eq:{program.combo}"], fields="id,name,code,displayName"
    )
    items = [
        programs.Item(
            str(row["id"]),
            str(row.get("displayName")),
            str(row.get("code") or ""),
            "TEXT",
            None,
            also=str(row.get("name")),
        )
        for row in rows
    ]
    return programs.named(items, text, f"attribute option combination of '{program.name}'").uid
