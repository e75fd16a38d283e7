"""Entities, enrollments and events of a server: in pages that lose nothing, by UID, counted, and as one record with names."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.client.query import chunked
from dhis2sh.client.tracker import IDENTIFIERS
from dhis2sh.dhis2 import value_types
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import Forbidden, NotFound, UsageError
from dhis2sh.tracker import programs
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.client.tracker import Kind
    from dhis2sh.session import Session
    from dhis2sh.tracker.asking import Query
    from dhis2sh.tracker.programs import Item, Program
    from dhis2sh.types import JsonObject, JsonValue, Row

VALUES = "dataValues[dataElement,value,providedElsewhere]"
EVENT = (
    "event,status,program,programStage,enrollment,trackedEntity,orgUnit,occurredAt,scheduledAt,followUp,completedAt,geometry,"
    f"attributeOptionCombo,assignedUser,{VALUES}"
)
ENROLLMENT = (
    "enrollment,trackedEntity,program,status,orgUnit,enrolledAt,occurredAt,followUp,completedAt,geometry,"
    "attributes[attribute,value]"
)
ENTITY = "trackedEntity,trackedEntityType,orgUnit,inactive,potentialDuplicate,geometry,attributes[attribute,value]"
TREE = f"{ENTITY},enrollments[{ENROLLMENT},events[{EVENT}]]"
"""All that a server takes again, of an entity and what hangs on it."""
RELATIONSHIP = (
    "relationship,relationshipType,relationshipName,bidirectional,"
    "from[trackedEntity[trackedEntity],enrollment[enrollment],event[event]],"
    "to[trackedEntity[trackedEntity],enrollment[enrollment],event[event]]"
)
WHOLE = f"{ENTITY},enrollments[enrollment,program,attributes[attribute,value]]"
"""An entity with all of its values, for `whole`."""
FIELDS: Mapping[Kind, str] = {
    "trackedEntities": ENTITY, "enrollments": ENROLLMENT, "events": EVENT, "relationships": RELATIONSHIP,
}  # fmt: skip
IN_ONE_PAGE = 200
AT_ONCE = 50
"""UIDs in one question."""
KINDS: tuple[Kind, ...] = ("trackedEntities", "enrollments", "events", "relationships")


async def pages(
    s: Session, query: Query, fields: str, *, limit: int | None = None, size: int = IN_ONE_PAGE
) -> AsyncGenerator[list[Row]]:
    """What a query finds, page by page, each object once.

    Pages are in an order that does not change while they are read. Where the number at the end is not that of the
    beginning, it is said.

    Parameters:
        fields: which properties, with the object's own UID.
        limit: so many at the most; size: of a page.
    """
    order = (await s.client.version()).behaviour.tracker_order.get(query.kind)
    key = IDENTIFIERS[query.kind]
    params: dict[str, Param] = {**query.params, "order": order}
    total = None
    if limit is None:
        total = await count(s, query)
    before: set[str] = set()
    read = 0
    found = s.client.tracker.pages(
        query.kind, org_units=query.units, org_unit_mode=query.mode, fields=fields, page_size=size, limit=limit,
        params=params,
    )  # fmt: skip
    async with aclosing(found) as batches:
        async for rows in batches:
            new = [row for row in rows if str(row[key]) not in before]  # one that came meanwhile moves the rest back
            before = {str(row[key]) for row in rows}
            read += len(new)
            if total is not None:
                s.person.progress(f"read {query.kind}", min(read, total), total)
            if new:
                yield new
    if total is not None and read != total:
        s.person.warn(
            f"the server counted {total:,} {query.kind} at first and gave {read:,}: "
            "some came or went meanwhile; the same line once more reads them anew"
        )


async def count(s: Session, query: Query) -> int:
    """How many objects a query finds."""
    return await s.client.tracker.count(
        query.kind,
        org_units=query.units,
        org_unit_mode=query.mode,
        params={**query.params, "fields": IDENTIFIERS[query.kind]},
    )


async def by_uid(
    s: Session, kind: Kind, uids: Iterable[str], *, fields: str | None = None, program: str | None = None,
    deleted: bool = False,
) -> dict[str, Row]:  # fmt: skip
    """Objects by UID, those that are there and that this user may see.

    Parameters:
        fields: which properties; all that a server takes again without it.
        program: of enrollments and events, where all are of one: then they come together, else one by one, since a
            2.43 gives lists of them of one program alone. Entities are looked at through it one by one, as `find` does.
        deleted: those too that the server keeps hidden since they were deleted; of entities and of lists alone.

    Entities come with all of their values, as `whole` says.
    """
    own = WHOLE if kind == "trackedEntities" else FIELDS[kind]
    wanted, key, asked = list(dict.fromkeys(uids)), IDENTIFIERS[kind], fields or own
    found: dict[str, Row] = {}
    if kind == "relationships" or (kind == "trackedEntities") is (program is not None):
        through = program if kind == "trackedEntities" else None
        for uid in wanted:
            try:
                row = await s.client.tracker.get(kind, uid, fields=asked, program=through)
            except (NotFound, Forbidden):
                continue
            found[uid] = whole(row) if kind == "trackedEntities" else row
        return found
    version = await s.client.version()
    for part in chunked(wanted, AT_ONCE):
        params: dict[str, Param] = {
            kind: version.behaviour.uid_separator.join(part),
            "program": program,
            "includeDeleted": True if deleted else None,
        }
        mode = None if kind == "trackedEntities" else "ACCESSIBLE"
        rows = s.client.tracker.pages(kind, org_unit_mode=mode, fields=asked, page_size=len(part) + 1, params=params)
        async with aclosing(rows) as batches:
            async for batch in batches:
                found |= {str(row[key]): whole(row) if kind == "trackedEntities" else row for row in batch}
    return found


def whole(entity: Row) -> Row:
    """An entity with those of its values too that a server shows with its enrollments alone.

    Without `program` in the question an entity shows the attributes of its type, and none that only a program has.
    """
    values = inner(entity, "attributes")
    seen = {str(value.get("attribute")) for value in values}
    for one in inner(entity, "enrollments"):
        values += [value for value in inner(one, "attributes") if str(value.get("attribute")) not in seen]
        seen |= {str(value.get("attribute")) for value in inner(one, "attributes")}
    return {**entity, "attributes": [*values]} if values else entity


async def find(
    s: Session, uid: str, *, fields: Mapping[Kind, str] = FIELDS, kinds: Sequence[Kind] = KINDS,
    program: str | None = None,
) -> tuple[Kind, Row]:  # fmt: skip
    """The entity, enrollment, event or relationship with a UID.

    Parameters:
        program: by UID, that an entity is looked at through: of one that a protected program hides, a server shows to whom
            it has let in what is in that program, and that alone.

    Raises `UsageError` for what is no UID, `NotFound`, `Forbidden` where the server says that it is somebody else's.
    """
    if not is_uid(uid):
        raise UsageError(f"'{uid}' is no UID", hint="dhis2 data tracker list PROGRAM  shows UIDs")
    denied: Forbidden | None = None
    for kind in kinds:
        try:
            through = program if kind == "trackedEntities" else None
            return kind, await s.client.tracker.get(kind, uid, fields=fields[kind], program=through)
        except NotFound:
            continue
        except Forbidden as error:
            denied = error
    raise refused_access(uid) if denied is not None else not_found(uid, kinds)


def not_found(uid: str, kinds: Sequence[Kind] = KINDS) -> NotFound:
    """The error for a UID that the server does not know, or does not show: a 2.42 does not tell the one from the other."""
    told = " or ".join(_SINGULAR[kind] for kind in kinds)
    return NotFound(
        f"there is no {told} {uid} that you may see: it is not there, was deleted, or another unit owns it",
        hint="dhis2 data tracker override --help  says how to see one of a protected program; of any other whoever owns it "
        "transfers it to a unit of yours",
    )


def refused_access(uid: str) -> Forbidden:
    """The error for an object that a unit owns which this user does not work for (`OWNERSHIP_ACCESS_DENIED`)."""
    return Forbidden(
        f"{uid} is owned by an organisation unit that you do not capture or search for, in that program",
        hint="dhis2 data tracker override --help  says how to break the glass, with a reason; or whoever owns it transfers it "
        "to a unit of yours",
    )


_SINGULAR: Mapping[Kind, str] = {
    "trackedEntities": "tracked entity", "enrollments": "enrollment", "events": "event", "relationships": "relationship",
}  # fmt: skip


class Names:
    """Names of organisation units and options beside what holds their UIDs; each is asked for once."""

    def __init__(self, s: Session) -> None:
        self._s = s
        self._units: dict[str, str | None] = {}

    async def meet(self, units: Iterable[object]) -> None:
        """Read the names of units that were not met before."""
        new = [uid for uid in dict.fromkeys(str(unit) for unit in units if unit) if uid not in self._units]
        if new:
            found = await reading.by_uid(self._s.client, "organisationUnits", new, fields="id,displayName")
            self._units |= dict.fromkeys(new)
            self._units |= {str(row["id"]): str(row.get("displayName")) for row in found.rows}

    def unit(self, uid: object) -> str | None:
        """What a unit is called; None where this user may not see it."""
        return self._units.get(str(uid))


def typed(item: Item | None, value: JsonValue) -> JsonValue:
    """A value as what it is: a number where its item is one of numbers."""
    return value_types.number(value) if item is not None and item.value_type in value_types.NUMERIC else value


def held(row: JsonObject, name: str, key: str) -> dict[str, JsonValue]:
    """Values of an object by UID: its `attributes` or `dataValues`."""
    rows = row.get(name)
    pairs = [item for item in rows if isinstance(item, dict)] if isinstance(rows, list) else []
    return {str(item.get(key)): item.get("value") for item in pairs}


def inner(row: JsonObject, name: str) -> list[JsonObject]:
    """The objects in a list of an object."""
    rows = row.get(name)
    return [item for item in rows if isinstance(item, dict)] if isinstance(rows, list) else []


class Records:
    """Makes records with names; programs and units are read as they are met."""

    def __init__(self, s: Session) -> None:
        self._s, self.names = s, Names(s)
        self._programs: dict[str, Program] = {}

    async def program(self, uid: str) -> Program:
        """A program, read once."""
        if uid not in self._programs:
            self._programs[uid] = await programs.read_program(self._s, uid)
        return self._programs[uid]

    async def entity(self, row: JsonObject) -> JsonObject:
        """An entity with its enrollments and events, names in place of UIDs of metadata."""
        kind = await programs.read_type(self._s, str(row.get("trackedEntityType")))
        enrollments: list[JsonValue] = [await self.enrollment(one) for one in inner(row, "enrollments")]
        links: list[JsonValue] = [_link(one, str(row.get("trackedEntity"))) for one in inner(row, "relationships")]
        await self.names.meet([row.get("orgUnit")])
        return {
            "trackedEntity": row.get("trackedEntity"),
            "type": kind.name,
            "orgUnit": self.names.unit(row.get("orgUnit")) or row.get("orgUnit"),
            **({"potentialDuplicate": True} if row.get("potentialDuplicate") else {}),
            **({"inactive": True} if row.get("inactive") else {}),
            **({"geometry": row["geometry"]} if row.get("geometry") else {}),
            "attributes": _with_names(held(row, "attributes", "attribute"), kind.items),
            "enrollments": enrollments,
            "relationships": links,
        }

    async def enrollment(self, row: JsonObject) -> JsonObject:
        """An enrollment with its events."""
        program = await self.program(str(row.get("program")))
        await self.names.meet([row.get("orgUnit")])
        events: list[JsonValue] = [await self.event(one) for one in inner(row, "events")]
        return {
            "enrollment": row.get("enrollment"),
            "program": program.name,
            "status": row.get("status"),
            "orgUnit": self.names.unit(row.get("orgUnit")) or row.get("orgUnit"),
            "enrolledAt": day(row.get("enrolledAt")),
            **({"occurredAt": day(row.get("occurredAt"))} if program.incident else {}),
            **({"followUp": True} if row.get("followUp") else {}),
            "attributes": _with_names(held(row, "attributes", "attribute"), program.attributes()),
            "events": events,
        }

    async def event(self, row: JsonObject) -> JsonObject:
        """An event with its values."""
        program = await self.program(str(row.get("program")))
        stage = program.stage_by_uid(str(row.get("programStage")))
        await self.names.meet([row.get("orgUnit")])
        return {
            "event": row.get("event"),
            "stage": stage.name if stage else row.get("programStage"),
            "status": row.get("status"),
            "orgUnit": self.names.unit(row.get("orgUnit")) or row.get("orgUnit"),
            **({"occurredAt": day(row["occurredAt"])} if row.get("occurredAt") else {}),
            **({"scheduledAt": day(row["scheduledAt"])} if row.get("scheduledAt") else {}),
            "values": _with_names(held(row, "dataValues", "dataElement"), stage.items if stage else ()),
        }


def day(value: JsonValue) -> JsonValue:
    """A moment at midnight as the day that it is; any other as it is."""
    return value[:10] if isinstance(value, str) and value[10:].startswith("T00:00:00") else value


def _with_names(values: Mapping[str, JsonValue], items: Iterable[Item]) -> JsonObject:
    """Values by the names of what holds them, in its order; an option by its name and code where they differ."""
    found: JsonObject = {}
    known = {item.uid: item for item in items}
    for uid in [*(uid for uid in known if uid in values), *(uid for uid in values if uid not in known)]:
        item, value = known.get(uid), values[uid]
        name = item.name if item else uid
        option = item.options.get(str(value)) if item and item.options else None
        found[name if name not in found else f"{name} [{uid}]"] = (
            f"{option} ({value})" if option and option != value else typed(item, value)
        )
    return found


def _link(row: JsonObject, own: str) -> JsonObject:
    """A relationship as the entity at one end of it sees it."""
    ends = {side: end_of(cast("JsonObject", row.get(side) or {})) for side in ("from", "to")}
    other = "from" if ends["to"][1] == own else "to"
    kind, uid = ends[other]
    return {
        "relationship": row.get("relationship"),
        "type": row.get("relationshipName") or row.get("relationshipType"),
        other: f"{kind} {uid}",
    }


def end_of(end: JsonObject) -> tuple[str, str]:
    """What an end of a relationship is, and its UID."""
    for kind in ("trackedEntity", "enrollment", "event"):
        inside = end.get(kind)
        if isinstance(inside, dict) and inside.get(kind):
            return kind, str(inside[kind])
        if isinstance(inside, str):
            return kind, inside
    return "", ""


async def record(s: Session, uid: str, program: str | None = None) -> JsonObject:
    """An entity, enrollment or event as one record with names; `program` as of `find`. Raises `NotFound`, `Forbidden`, `UsageError`."""
    fields: Mapping[Kind, str] = {
        "trackedEntities": f"{TREE},relationships[{RELATIONSHIP}]",
        "enrollments": f"{ENROLLMENT},events[{EVENT}]",
        "events": EVENT,
        "relationships": RELATIONSHIP,
    }
    kind, row = await find(s, uid, fields=fields, program=program)
    records = Records(s)
    match kind:
        case "trackedEntities":
            return await records.entity(row)
        case "enrollments":
            told = await records.enrollment(row)
            return {"trackedEntity": row.get("trackedEntity"), **told}
        case "events":
            told = await records.event(row)
            owner = {name: row[name] for name in ("trackedEntity", "enrollment") if row.get(name)}
            return {**owner, "program": (await records.program(str(row["program"]))).name, **told}
        case _:
            return row


async def totals(s: Session, query: Query, wanted: Sequence[str]) -> list[Row]:
    """How many objects there are by state, one question for each.

    Parameters:
        wanted: the states.
    """
    rows: list[Row] = []
    for status in wanted:
        rows.append({"status": status, "count": await count(s, _with_status(query, status))})
    return rows


def _with_status(query: Query, status: str) -> Query:
    return replace(query, params={**query.params, "status": status})


def told(number: int, kind: Kind) -> str:
    """A number of objects in words: `3 tracked entities`."""
    return counted(number, _SINGULAR[kind], plural(kind))


def plural(kind: Kind) -> str:
    """What objects of a kind are called: `tracked entities`."""
    return {"trackedEntities": "tracked entities"}.get(kind, str(kind))
