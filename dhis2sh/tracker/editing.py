"""What is there: values and dates changed, completed, deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dhis2sh.errors import Refused, UsageError
from dhis2sh.tracker import changing, programs, reading
from dhis2sh.tracker.changing import Change
from dhis2sh.tracker.held import held, values_of, with_values
from dhis2sh.tracker.registering import called, names_of, unique, unit_name, writable
from dhis2sh.tracker.values import assigned, day_of, pairs, raise_missing, without_value
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.client.tracker import Kind
    from dhis2sh.session import Session
    from dhis2sh.tracker.programs import Program, Stage
    from dhis2sh.types import JsonObject, JsonValue, Row

type AnyStatus = Literal["ACTIVE", "COMPLETED", "CANCELLED", "VISITED", "SCHEDULE", "SKIPPED"]
OF_ENROLLMENT = ("ACTIVE", "COMPLETED", "CANCELLED")
NOT_COME_BACK = (
    "what is deleted cannot come back: the server keeps it hidden under its UID, and takes nothing under that UID again"
)


@dataclass(frozen=True, slots=True)
class Edit:
    """What shall be different of an entity, enrollment or event.

    Parameters:
        sets: `NAME=VALUE`; an empty value takes it away.
        status, unit: as they shall be.
        enrolled, occurred, scheduled: dates.
        follow_up: marked or not.
    """

    sets: Sequence[str] = ()
    status: AnyStatus | None = None
    unit: str | None = None
    enrolled: str | None = None
    occurred: str | None = None
    scheduled: str | None = None
    follow_up: bool | None = None


_OF: Mapping[str, tuple[str, ...]] = {
    "trackedEntities": ("sets", "unit"),
    "enrollments": ("sets", "status", "unit", "enrolled", "occurred", "follow_up"),
    "events": ("sets", "status", "unit", "occurred", "scheduled", "follow_up"),
    "relationships": (),
}
_FLAGS = {
    "sets": "--set", "status": "--status", "unit": "--org-unit", "enrolled": "--enrolled", "occurred": "--occurred",
    "scheduled": "--scheduled", "follow_up": "--follow-up",
}  # fmt: skip


async def update(s: Session, uid: str, edit: Edit, program: str | None = None) -> Plan:
    """The plan of changing an entity, an enrollment or an event, whatever has that UID.

    Parameters:
        program: by UID, through which an entity is looked at, as `reading.find` does.

    Attributes of an entity that its type does not have belong to its enrollment: it is found where there is one.

    Raises `UsageError`, `NotFound`, `Forbidden`, `Refused` for what the server would refuse.
    """
    kind, row = await reading.find(s, uid, fields={**reading.FIELDS, "trackedEntities": reading.TREE}, program=program)
    said = [name for name in _FLAGS if getattr(edit, name) not in (None, (), [])]
    if wrong := next((name for name in said if name not in _OF[kind]), None):
        raise UsageError(f"{_FLAGS[wrong]} is nothing of {_A[kind]}", hint=f"dhis2 data tracker get {uid}")
    if not said:
        raise UsageError("nothing to change", hint="--set NAME=VALUE, --status STATE, ...")
    if kind == "trackedEntities":
        return await _entity(s, uid, row, edit, program)
    before = held(kind, row)
    if kind == "events" and row.get("enrollment"):
        await _warn_of_closed(s, str(row["enrollment"]))
    change, names = await (_enrollment if kind == "enrollments" else _event)(
        s, await programs.read_program(s, str(row["program"])), before, edit
    )
    return changing.plan(f"update {change.name or uid} [{uid}]", [change], names)


async def _warn_of_closed(s: Session, enrollment: str) -> None:
    """Say that an enrollment is complete or cancelled whose event is changed: a server takes it all the same."""
    rows = await reading.by_uid(s, "enrollments", [enrollment], fields="enrollment,status")
    status = rows.get(enrollment, {}).get("status")
    if status in {"COMPLETED", "CANCELLED"}:
        s.person.warn(f"the enrollment {enrollment} is {str(status).lower()}")


_A = {
    "trackedEntities": "an entity",
    "enrollments": "an enrollment",
    "events": "an event",
    "relationships": "a relationship",
}


async def _entity(s: Session, uid: str, row: Row, edit: Edit, through: str | None) -> Plan:
    """Attributes of an entity: those of its type in itself, those of a program in its enrollment."""
    kind = await programs.read_type(s, str(row["trackedEntityType"]))
    enrollments = reading.inner(row, "enrollments")
    known = [await programs.read_program(s, uid) for uid in dict.fromkeys(str(one["program"]) for one in enrollments)]
    items = {item.uid: item for program in known for item in program.attributes()} | {
        item.uid: item for item in kind.items
    }
    values = await pairs(s, edit.sets, list(items.values()), f"attribute of '{kind.name}'", attribute=True)
    own = {item.uid for item in kind.items}
    before = held("trackedEntities", row)
    name = next((found for program in known if (found := called(program, values_of("trackedEntities", before)))), None)
    names = {item.uid: item.name for item in items.values()}
    after = with_values("trackedEntities", before, {uid: value for uid, value in values.items() if uid in own})
    if edit.unit is not None:
        after["orgUnit"] = edit.unit
        names[edit.unit] = await unit_name(s, edit.unit)
    if not kind.writable:
        raise programs.no_access("type", kind.name)
    for program in known:
        await unique(s, program, values, own=uid)
    changes = [Change("trackedEntities", before, after, name, through=through)]
    left = {uid: value for uid, value in values.items() if uid not in own}
    for one in enrollments:
        program = next(found for found in known if found.uid == one["program"])
        mine = {uid: left.pop(uid) for uid in [item.uid for item in program.items] if uid in left}
        if mine:
            writable(program)
            was = held("enrollments", {**one, "trackedEntity": uid})
            changes.append(Change("enrollments", was, with_values("enrollments", was, mine), name or program.name))
            names |= names_of(program)
    return changing.plan(f"update {name or kind.name} [{uid}]", changes, names)


async def _enrollment(s: Session, program: Program, before: JsonObject, edit: Edit) -> tuple[Change, dict[str, str]]:
    writable(program)
    values = await pairs(s, edit.sets, program.attributes(), f"attribute of '{program.name}'", attribute=True)
    await unique(s, program, values, own=str(before.get("trackedEntity")))
    after = with_values("enrollments", before, values) if values else dict(before)
    if edit.status is not None:
        if edit.status not in OF_ENROLLMENT:
            raise UsageError(f"an enrollment is never {edit.status}", hint="ACTIVE, COMPLETED or CANCELLED")
        after["status"] = edit.status
    dates = {
        "enrolledAt": (edit.enrolled, program.enrolled_ahead),
        "occurredAt": (edit.occurred, program.incident_ahead),
    }
    for name, (text, ahead) in dates.items():
        if text is not None:
            after[name] = day_of(text, name, ahead=ahead)
    names = names_of(program)
    await _common(s, program, after, edit, names)
    return Change("enrollments", before, after, program.name), names


async def _event(s: Session, program: Program, before: JsonObject, edit: Edit) -> tuple[Change, dict[str, str]]:
    stage = _stage(program, before)
    writable(program, stage)
    values = await pairs(s, edit.sets, stage.items, f"data element of '{stage.name}'")
    after = with_values("events", before, values) if values else dict(before)
    if edit.status == "CANCELLED":
        raise UsageError("an event is never CANCELLED", hint="ACTIVE, COMPLETED, VISITED, SCHEDULE or SKIPPED")
    if edit.status is not None:
        after["status"] = edit.status
    if edit.occurred is not None:
        after["occurredAt"] = day_of(edit.occurred, "day of the event", ahead=False)
    if edit.scheduled is not None:
        after["scheduledAt"] = day_of(edit.scheduled, "day it is scheduled for", ahead=True)
    if values and after.get("status") in {"SCHEDULE", "OVERDUE", "SKIPPED"}:
        raise UsageError(
            f"an event in state {after['status']} has no values yet",
            hint="--status ACTIVE --occurred DAY  says that it happened",
        )
    if after.get("status") == "COMPLETED":
        raise_missing(without_value(stage.items, values_of("events", after)), f"a completed event of '{stage.name}'")
        if not after.get("occurredAt"):
            raise UsageError("a completed event has a day on which it happened", hint="--occurred 2025-06-30")
    names = names_of(program)
    await _common(s, program, after, edit, names)
    return Change("events", before, after, stage.name), names


def _stage(program: Program, event: JsonObject) -> Stage:
    stage = program.stage_by_uid(str(event.get("programStage")))
    if stage is None:
        raise Refused(
            f"the stage {event.get('programStage')} is none of '{program.name}' any more", hint="dhis2 metadata get"
        )
    return stage


async def _common(s: Session, program: Program, after: JsonObject, edit: Edit, names: dict[str, str]) -> None:
    """What enrollments and events have alike."""
    if edit.unit is not None:
        names[edit.unit] = await unit_name(s, edit.unit)
        assigned(program.units, edit.unit, program.name, f"'{names[edit.unit]}'")
        after["orgUnit"] = edit.unit
    if edit.follow_up is not None:
        after["followUp"] = edit.follow_up


async def complete(s: Session, uids: Sequence[str], *, reopen: bool = False) -> Plan:
    """The plan of completing enrollments and events, or of opening them again.

    Raises `UsageError` for other objects, and for an event that lacks a value which it must have.
    """
    changes: list[Change] = []
    names: dict[str, str] = {}
    notes: list[str] = []
    status: AnyStatus = "ACTIVE" if reopen else "COMPLETED"
    known: dict[str, Program] = {}
    for uid in dict.fromkeys(uids):
        fields: Mapping[Kind, str] = {**reading.FIELDS, "enrollments": f"{reading.ENROLLMENT},events[event,status]"}
        kind, row = await reading.find(s, uid, fields=fields)
        if kind not in {"enrollments", "events"}:
            raise UsageError(
                f"{uid} is {_A[kind]}: enrollments and events are completed", hint=f"dhis2 data tracker get {uid}"
            )
        program = known.setdefault(str(row["program"]), await programs.read_program(s, str(row["program"])))
        before = held(kind, row)
        change, more = await (_enrollment if kind == "enrollments" else _event)(s, program, before, Edit(status=status))
        changes.append(change)
        names |= more
        still = sum(one.get("status") in {"ACTIVE", "SCHEDULE", "OVERDUE"} for one in reading.inner(row, "events"))
        if still and not reopen:
            notes.append(f"{counted(still, 'event')} of {uid} stay as they are, and are not complete")
    word = "open" if reopen else "complete"
    what = f"{changes[0].name} [{changes[0].uid}]" if len(changes) == 1 else f"{len(changes):,} enrollments and events"
    return changing.plan(f"{word} {what}", changes, names, notes=notes)


async def delete(s: Session, uids: Sequence[str], program: str | None = None) -> Plan:
    """The plan of deleting entities, enrollments, events and relationships, with what hangs on them.

    Parameters:
        program: by UID, through which entities are looked at, as `reading.find` does.

    Raises `NotFound`, `Forbidden`, `UsageError`.
    """
    changes: list[Change] = []
    names: dict[str, str] = {}
    fields: Mapping[Kind, str] = {
        **reading.FIELDS, "trackedEntities": reading.TREE,
        "enrollments": f"{reading.ENROLLMENT},events[{reading.EVENT}]",
    }  # fmt: skip
    for uid in dict.fromkeys(uids):
        kind, row = await reading.find(s, uid, fields=fields, program=program)
        tree: JsonValue = row.get("enrollments") if kind == "trackedEntities" else row.get("events")
        name = None
        if kind != "relationships":
            name, more = await _named(s, kind, row)
            names |= more
        through = program if kind == "trackedEntities" else None
        changes.append(Change(kind, held(kind, row), None, name, _with(kind, row), tree, through))
    inside = {str(one.get(key)) for change in changes for one, key in _below(change)}
    changes = [change for change in changes if change.uid not in inside]  # it goes with what it hangs on
    what = (
        f"{changes[0].name or changes[0].kind} [{changes[0].uid}]" if len(changes) == 1 else f"{len(changes):,} objects"
    )
    return changing.plan(f"delete {what}", changes, names, notes=[NOT_COME_BACK])


def _below(change: Change) -> list[tuple[JsonObject, str]]:
    """What hangs on an object that is deleted, each with the property that holds its UID."""
    tree = change.tree if isinstance(change.tree, list) else []
    rows = [row for row in tree if isinstance(row, dict)]
    if change.kind == "enrollments":
        return [(row, "event") for row in rows]
    events = [(event, "event") for row in rows for event in reading.inner(row, "events")]
    return [*((row, "enrollment") for row in rows), *events]


def _with(kind: Kind, row: JsonObject) -> str | None:
    """What goes with an object, in words."""
    enrollments = reading.inner(row, "enrollments") if kind == "trackedEntities" else []
    events = reading.inner(row, "events") if kind == "enrollments" else [
        event for one in enrollments for event in reading.inner(one, "events")
    ]  # fmt: skip
    parts = [
        *([counted(len(enrollments), "enrollment")] if enrollments else []),
        *([counted(len(events), "event")] if events else []),
    ]
    return f"with {' and '.join(parts)}" if parts else None


async def _named(s: Session, kind: Kind, row: JsonObject) -> tuple[str | None, dict[str, str]]:
    """What people call an object, and what UIDs in it stand for."""
    if kind == "trackedEntities":
        held_type = await programs.read_type(s, str(row.get("trackedEntityType")))
        values = reading.held(row, "attributes", "attribute")
        texts = [str(values[item.uid]) for item in held_type.items if values.get(item.uid) and not item.unique]
        return " ".join(texts[:2]) or held_type.name, {item.uid: item.name for item in held_type.items}
    program = await programs.read_program(s, str(row.get("program")))
    stage = program.stage_by_uid(str(row.get("programStage"))) if kind == "events" else None
    return stage.name if stage else program.name, names_of(program)
