"""Who owns an entity, what it is related to, and what may be the same: transfers, relationships, duplicates, merges.

API source: `PUT /api/tracker/ownership/transfer`, `POST /api/tracker` with relationships, `/api/potentialDuplicates`
(api-facts e.1; tracker-ownership, tracker-relationships, tracker-duplicates).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Part, PartDone, PlainWriter, Plan, PlanStep
from dhis2sh.client import envelopes
from dhis2sh.dhis2.uids import generate_uid, is_uid
from dhis2sh.errors import Forbidden, NotFound, Refused, UsageError
from dhis2sh.tracker import changing, programs, reading
from dhis2sh.tracker.changing import Change
from dhis2sh.tracker.registering import unit_name
from dhis2sh.tracker.values import assigned
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.tracker.programs import Program
    from dhis2sh.types import JsonObject, Row

OWNERSHIP = "trackerOwnership"
type DuplicateStatus = Literal["OPEN", "INVALID", "MERGED", "ALL"]
type End = Literal["trackedEntity", "enrollment", "event"]
_ENDS: Mapping[str, End] = {"trackedEntities": "trackedEntity", "enrollments": "enrollment", "events": "event"}
_CONSTRAINTS: Mapping[str, End] = {
    "TRACKED_ENTITY_INSTANCE": "trackedEntity", "PROGRAM_INSTANCE": "enrollment", "PROGRAM_STAGE_INSTANCE": "event",
}  # fmt: skip


# Owners ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owned:
    """An entity, the unit that owns it in a program, and the one that shall."""

    entity: str
    program: str
    before: str
    after: str


async def owner_of(s: Session, entity: str, program: str) -> str | None:
    """The unit that owns an entity in a program; None where it has no owner there. Raises `NotFound`, `Forbidden`."""
    row = await s.client.tracker.get("trackedEntities", entity, fields="trackedEntity,programOwners", program=program)
    owners = reading.inner(row, "programOwners")
    return next((str(one.get("orgUnit")) for one in owners if one.get("program") == program), None)


async def transfer(s: Session, program: Program, entities: Sequence[str], unit: str) -> Plan:
    """The plan of giving entities to another unit, in a program. Raises `NotFound`, `Forbidden`, `Refused`, `UsageError`."""
    if not program.registers:
        raise UsageError(
            f"'{program.name}' has single events, which nobody owns",
            hint="dhis2 data tracker update EVENT --org-unit UNIT",
        )
    where = await unit_name(s, unit)  # the server says yes to a unit that it does not have
    assigned(program.units, unit, program.name, f"'{where}'")
    moves: list[Owned] = []
    names = {unit: where, program.uid: program.name}
    for entity in dict.fromkeys(entities):
        if not is_uid(entity):
            raise UsageError(f"'{entity}' is no UID", hint="dhis2 data tracker list PROGRAM  shows UIDs")
        try:
            before = await owner_of(s, entity, program.uid)
        except Forbidden:
            raise reading.refused_access(entity) from None
        except NotFound:
            raise reading.not_found(entity, ("trackedEntities",)) from None
        if before is None:
            raise Refused(
                f"{entity} has no owner in '{program.name}': it was never enrolled there",
                hint=f"dhis2 data tracker get {entity}",
            )
        if before not in names:
            names[before] = await unit_name(s, before)
        moves.append(Owned(entity, program.uid, before, unit))
    title = f"transfer {counted(len(moves), 'entity', 'entities')} of '{program.name}' to {where}"
    return owning(title, moves, names)


def owning(title: str, moves: Sequence[Owned], names: Mapping[str, str], notes: Sequence[str] = ()) -> Plan:
    """The plan of some transfers; what is owned already as it shall be is no step."""
    needed = [move for move in moves if move.before != move.after]
    left = [*notes, *([f"{len(moves) - len(needed):,} already there"] if len(needed) < len(moves) else [])]
    steps = [
        PlanStep(
            "move", "trackedEntities", move.entity, None,
            f"{names.get(move.before, move.before)} -> {names.get(move.after, move.after)} in {names.get(move.program, move.program)}",
            {"program": move.program, "orgUnit": move.before}, {"program": move.program, "orgUnit": move.after},
        )
        for move in needed
    ]  # fmt: skip
    return Plan(title, steps, notes=left, names={**names}, writer=Ownership(needed, names, notes=left))


@dataclass(slots=True)
class Ownership(PlainWriter):
    """The writer of transfers, one request each; the owner is looked at afterwards."""

    name: ClassVar[str] = OWNERSHIP

    moves: Sequence[Owned]
    names: Mapping[str, str]
    what: str = field(default="owners", kw_only=True)

    def parts(self) -> Iterator[Part]:
        """One after the other."""
        return self.one_by_one(len(self.moves))

    async def moved(self, s: Session) -> list[str]:
        """Entities that have another owner since."""
        found: list[str] = []
        for move in self.moves:
            owner = await owner_of(s, move.entity, move.program)
            if owner != move.before:
                found.append(f"{move.entity} is owned by {self.names.get(str(owner), owner)} since the plan was made")
        return found

    async def send(self, s: Session, part: Part) -> PartDone:
        """One transfer."""
        move = self.moves[part.numbers[0]]
        unit_param = (await s.client.version()).behaviour.transfer_unit
        params: dict[str, Param] = {"trackedEntity": move.entity, "program": move.program, unit_param: move.after}
        envelopes.parse(await s.client.write("PUT", "tracker/ownership/transfer", None, params))
        return await self.look_back(s, part)

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Who owns it now? Where that is a unit that this user does not see, nobody answers: that is where it went."""
        number = part.numbers[0]
        move = self.moves[number]
        try:
            owner = await owner_of(s, move.entity, move.program)
        except (NotFound, Forbidden):
            owner = move.after
        if owner == move.after:
            return PartDone([number], updated=1, uids=[move.entity])
        why = f"the server said yes, and {self.names.get(str(owner), owner)} owns it still"
        return PartDone([], {number: why}, failures=[{"type": "trackedEntities", "uid": move.entity, "message": why}])


# Relationships --------------------------------------------------------------------------------------------------------


async def relate(s: Session, kind: str, from_: str, to: str) -> Plan:
    """The plan of a relationship.

    Parameters:
        kind: its type, by UID.
        from_, to: UIDs of entities, enrollments or events, as the type wants them.

    Raises `UsageError`, `NotFound`, `Forbidden`, `Refused`.
    """
    fields = (
        "id,displayName,access[data[write]],fromConstraint[relationshipEntity,trackedEntityType[id,displayName],program[id]],"
        "toConstraint[relationshipEntity,trackedEntityType[id,displayName],program[id]]"
    )
    body = await s.client.get_object(f"relationshipTypes/{kind}", {"fields": fields})
    name = str(body.get("displayName") or kind)
    if from_ == to:
        raise UsageError("nothing is related to itself", hint="two different UIDs")
    ends: dict[str, End] = {side: await _end(s, body, side, uid) for side, uid in (("from", from_), ("to", to))}
    after: JsonObject = {"relationship": generate_uid(), "relationshipType": kind}
    for side, uid in (("from", from_), ("to", to)):
        after[side] = {ends[side]: {ends[side]: uid}}
    rows = await _relationships(s, ends["from"], from_)
    for row in rows:
        if row.get("relationshipType") == kind and {from_, to} == {_uid_of(row, "from"), _uid_of(row, "to")}:
            raise Refused(
                f"'{name}' between {from_} and {to} is there: {row.get('relationship')}",
                hint=f"dhis2 data tracker get {from_}",
            )
    return changing.plan(
        f"relate {from_} to {to} as '{name}'", [Change("relationships", None, after, f"{from_} - {to}")], {kind: name}
    )


async def _relationships(s: Session, what: End, uid: str) -> list[Row]:
    found: list[Row] = []
    async for rows in s.client.tracker.pages("relationships", fields=reading.RELATIONSHIP, params={what: uid}):
        found += rows
    return found


def _uid_of(row: JsonObject, side: str) -> str:
    end = row.get(side)
    return reading.end_of(end)[1] if isinstance(end, dict) else ""


async def _end(s: Session, body: JsonObject, side: str, uid: str) -> End:
    """What one end of a relationship is, where its type takes that."""
    kind, row = await reading.find(s, uid, kinds=("trackedEntities", "enrollments", "events"))
    constraint = body.get(f"{side}Constraint")
    wants = constraint if isinstance(constraint, dict) else {}
    wanted, found = _CONSTRAINTS.get(str(wants.get("relationshipEntity"))), _ENDS[kind]
    name = body.get("displayName")
    if wanted is not None and wanted != found:
        raise UsageError(
            f"'{name}' goes {side} a {wanted}, and {uid} is a {found}", hint=f"dhis2 data tracker get {uid}"
        )
    type_ = wants.get("trackedEntityType")
    if wanted == "trackedEntity" and isinstance(type_, dict) and type_.get("id") != row.get("trackedEntityType"):
        raise UsageError(
            f"'{name}' goes {side} a '{type_.get('displayName')}', and {uid} is of another type",
            hint=f"dhis2 data tracker get {uid}",
        )
    return found


# Duplicates -----------------------------------------------------------------------------------------------------------


class Duplicate(BaseModel):
    """Two entities that somebody has marked as possibly the same."""

    id: str
    original: str
    duplicate: str
    status: str
    created: str | None
    original_name: str | None = None
    duplicate_name: str | None = None


async def duplicates(s: Session, entities: Sequence[str], status: DuplicateStatus) -> list[Duplicate]:
    """The pairs that are marked.

    Parameters:
        entities: only those with one of these; status: in this state.
    """
    separator = (await s.client.version()).behaviour.uid_separator
    params: dict[str, Param] = {
        "status": status,
        "trackedEntities": separator.join(entities) or None,
        "fields": "id,original,duplicate,status,created",
        "order": "created:asc",
    }
    found: dict[str, Duplicate] = {}
    async for rows in s.client.pages("potentialDuplicates", params, size=200):
        for row in rows:
            pair = Duplicate(
                id=str(row["id"]), original=str(row["original"]), duplicate=str(row["duplicate"]), status=str(row["status"]),
                created=str(row["created"]) if row.get("created") else None,
            )  # fmt: skip
            found[pair.id] = pair
    return list(found.values())


async def merge(s: Session, uid: str, take: Sequence[str]) -> Plan:
    """The plan of merging a pair of duplicates: what the duplicate has goes into the original, and it is deleted.

    Parameters:
        uid: of the pair.
        take: attributes whose value of the duplicate is taken, by name; of all others the original's stays.

    Raises `NotFound`, `UsageError`, `Refused` for pairs that the server does not merge.
    """
    pair = await s.client.get_object(f"potentialDuplicates/{uid}", {"fields": "id,original,duplicate,status"})
    original, duplicate = str(pair["original"]), str(pair["duplicate"])
    if pair.get("status") != "OPEN":
        raise Refused(f"the pair {uid} is {str(pair.get('status')).lower()}", hint="dhis2 data tracker duplicates")
    rows = {
        one: (
            await reading.find(
                s,
                one,
                fields={"trackedEntities": f"{reading.TREE},relationships[{reading.RELATIONSHIP}]"},
                kinds=("trackedEntities",),
            )
        )[1]
        for one in (original, duplicate)
    }
    kind = await programs.read_type(s, str(rows[original].get("trackedEntityType")))
    if rows[duplicate].get("trackedEntityType") != kind.uid:
        raise Refused(f"{original} and {duplicate} are of two types", hint=f"dhis2 data tracker get {duplicate}")
    enrolled = {one: {str(item.get("program")) for item in reading.inner(rows[one], "enrollments")} for one in rows}
    known = {uid: await programs.read_program(s, uid) for uid in sorted(enrolled[original] | enrolled[duplicate])}
    if both := enrolled[original] & enrolled[duplicate]:
        raise Refused(
            f"both are enrolled in {listed((f"'{known[one].name}'" for one in both), 3)}, which the server does not merge",
            hint="one of the two enrollments is deleted first: "
            + " or ".join(f"dhis2 data tracker delete {uid}" for uid in _enrollments(rows, next(iter(sorted(both))))),
        )
    has = {one: _attributes(rows[one]) for one in rows}
    items = {item.uid: item for item in kind.items}
    for program in known.values():
        items |= {item.uid: item for item in program.items}
    taken = [programs.named(list(items.values()), text, f"attribute of '{kind.name}'").uid for text in take]
    differing = [
        one for one in {**has[original], **has[duplicate]}
        if has[original].get(one) and has[duplicate].get(one) and has[original][one] != has[duplicate][one]
    ]  # fmt: skip
    names = {one: item.name for one, item in items.items()}
    lost = [names.get(one, one) for one in differing if one not in taken]
    after = {**has[original], **{one: value for one, value in has[duplicate].items() if one in taken}}
    body: JsonObject | None = None
    params: dict[str, Param] = {"mergeStrategy": "AUTO"}
    if differing or taken:
        params = {"mergeStrategy": "MANUAL"}
        relationships = [str(item["relationship"]) for item in reading.inner(rows[duplicate], "relationships")]
        enrollments = [str(item["enrollment"]) for item in reading.inner(rows[duplicate], "enrollments")]
        only = [one for one in has[duplicate] if not has[original].get(one)]
        body = {
            "trackedEntityAttributes": list(dict.fromkeys([*taken, *only])),
            "relationships": [*relationships],
            "enrollments": [*enrollments],
        }
        after |= {one: has[duplicate][one] for one in only}
    else:
        after = {**has[duplicate], **has[original]}
    steps = [
        PlanStep("merge", "trackedEntities", original, None, None, {"attributes": {**has[original]}}, {"attributes": {**after}}),
        PlanStep("delete", "trackedEntities", duplicate, None, f"its enrollments and relationships go to {original}", {"attributes": {**has[duplicate]}}),
    ]  # fmt: skip
    notes = ["a merge cannot be taken back"]
    if lost:
        notes.append(f"of the duplicate these values are given up: {listed(lost, 6)} (--take NAME takes one)")
    request = Request(
        "POST",
        f"potentialDuplicates/{uid}/merge",
        body,
        params,
        steps=(0, 1),
        updated=(original,),
        deleted=(),
        then=_Gone(duplicate),
    )
    return Plan(
        f"merge {duplicate} into {original}", steps, notes=notes, names=names, asks=True,
        writer=ByRequest("tracker", [request]),
    )  # fmt: skip


def _enrollments(rows: Mapping[str, Row], program: str) -> list[str]:
    """The enrollments of some entities in a program."""
    return [
        str(one["enrollment"])
        for row in rows.values()
        for one in reading.inner(row, "enrollments")
        if one.get("program") == program
    ]


async def with_names(s: Session, pairs: Sequence[Duplicate]) -> list[Duplicate]:
    """Pairs with what their entities are called, where this user may see that: the first texts of their type."""
    uids = list(dict.fromkeys(uid for pair in pairs for uid in (pair.original, pair.duplicate)))
    rows = await reading.by_uid(s, "trackedEntities", uids) if uids else {}
    types = {
        uid: await programs.read_type(s, uid) for uid in {str(row.get("trackedEntityType")) for row in rows.values()}
    }
    called: dict[str, str] = {}
    for uid, row in rows.items():
        values = reading.held(row, "attributes", "attribute")
        items = types[str(row.get("trackedEntityType"))].items
        called[uid] = " ".join(
            [str(values[item.uid]) for item in items if values.get(item.uid) and not item.unique][:2]
        )
    return [
        pair.model_copy(
            update={
                "original_name": called.get(pair.original) or None,
                "duplicate_name": called.get(pair.duplicate) or None,
            }
        )
        for pair in pairs
    ]


@dataclass(frozen=True, slots=True)
class _Gone:
    """Looks whether the duplicate is gone after a merge."""

    entity: str

    async def __call__(self, s: Session) -> None:
        """Raise `Refused` where it is there."""
        if self.entity in await reading.by_uid(s, "trackedEntities", [self.entity], fields="trackedEntity"):
            raise Refused(
                f"the server said yes, and {self.entity} is there still", hint=f"dhis2 data tracker get {self.entity}"
            )


def _attributes(row: JsonObject) -> dict[str, str]:
    """All attributes of an entity, those of its programs too."""
    found = reading.held(row, "attributes", "attribute")
    for one in reading.inner(row, "enrollments"):
        found = {**reading.held(one, "attributes", "attribute"), **found}
    return {uid: str(value) for uid, value in found.items() if value not in (None, "")}
