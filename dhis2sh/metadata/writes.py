"""The one way in which metadata objects are written: a plan of exact changes, then as few requests as the server allows.

A verb says what each object is and what it shall be (`Write`); `plan` makes the steps with the values before and after, and
its writer (`Objects`) sends them: one object by its own address (POST, PATCH, DELETE), several as one bundle
(`POST /api/metadata`).

API source: api-facts a.7, b.1, b.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from dhis2sh.changes.plan import AGAIN, OBJECTS, Part, PartDone, Plan, PlanStep
from dhis2sh.client import jsonpatch, parts, reading
from dhis2sh.client.messages import WebMessage
from dhis2sh.dhis2.properties import SET_BY_SERVER
from dhis2sh.errors import BrokenAnswer, Dhis2Error, Forbidden, NetworkError, NotFound, ServerFault
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Action, WriteSummary
    from dhis2sh.client.sending import ImportStrategy
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

IN_ONE_BUNDLE = parts.OBJECTS_IN_ONE_PART
"""Objects in one import: 2,000 are one request, and an import of 50,000 that is cut off has lost one part of 25."""
OTHER = "another object of the bundle was refused"
IGNORED = "the server ignored it and gave no reason"
UIDS_IN_ONE_ADDRESS = 120
"""Objects beyond which what refers to them is not looked for by filter: so many go in one address."""
NAMED = 5
"""Objects that a note names before it counts the rest."""
OWNED = ":owner,access[update,delete]"
"""All that an object owns, and whether this user may change it."""
STRATEGIES: Mapping[Action, ImportStrategy] = {"create": "CREATE", "update": "UPDATE", "delete": "DELETE"}
"""How an import is told what to do; in this order, so that what is new can be referred to by what changes."""
MIDNIGHT = "T00:00:00.000"
"""What a server adds to a date without a time."""


HELD_BY, PARTS = "$heldBy", "$parts"
"""Under these the journal keeps `Write.held_by` and `Write.parts` with the object."""


@dataclass(frozen=True, slots=True)
class Write:
    """One object as it is and as it shall be, both with all properties that it owns (`fields=:owner`).

    Parameters:
        plural: its type.
        before: None for one that is created.
        after: None for one that is deleted.
        held_by: of one that is deleted the objects that hold it in a collection, UIDs by `type.collection`: they lose it
            without a word, and only what is written down can give it back to them.
        parts: of one that is deleted the objects that the server deletes with it, by type.
        detail: what changes in words, where the properties before and after do not say it to a person.
    """

    plural: str
    before: JsonObject | None
    after: JsonObject | None
    held_by: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])
    parts: Mapping[str, Sequence[JsonObject]] = field(default_factory=dict[str, "Sequence[JsonObject]"])
    detail: str | None = None

    @property
    def action(self) -> Action:
        """create, update or delete."""
        return "create" if self.before is None else "delete" if self.after is None else "update"

    @property
    def uid(self) -> str:
        """The object's UID; creations get theirs before the plan is shown."""
        return str((self.before or self.after or {})["id"])

    @property
    def name(self) -> str | None:
        """What people call it, as it is now."""
        found = self.before or self.after or {}
        return cast("str | None", found.get("name") or found.get("displayName") or found.get("code"))

    @property
    def called(self) -> str:
        """The object in a sentence: its name and its UID."""
        return f"{self.name or self.plural} [{self.uid}]"

    @property
    def allowed(self) -> bool:
        """May this user do it, as far as the server has said with the object? Creations only an import tells."""
        access = cast("JsonObject", (self.before or {}).get("access") or {})
        return access.get(self.action) is not False

    def without_access(self) -> Write:
        """The same without what the user may do, which is no part of the object."""
        if self.before is None or "access" not in self.before:
            return self
        before, after = (
            value and {name: item for name, item in value.items() if name != "access"}
            for value in (self.before, self.after)
        )
        return replace(self, before=before, after=after)

    def changed(self) -> tuple[JsonObject | None, JsonObject | None]:
        """Before and after for the journal: of an update the changed properties, else the whole object."""
        if self.before is not None and self.after is None:
            more: JsonObject = {}
            if self.held_by:
                more[HELD_BY] = {name: [*uids] for name, uids in self.held_by.items()}
            if self.parts:
                more[PARTS] = {plural: [*items] for plural, items in self.parts.items()}
            return {**self.before, **more}, None
        if self.before is None or self.after is None:
            return self.before, self.after
        names = [
            name
            for name in {**self.before, **self.after}
            if name not in SET_BY_SERVER and self.before.get(name) != self.after.get(name)
        ]
        return (
            {name: self.before[name] for name in names if name in self.before},
            {name: self.after[name] for name in names if name in self.after},
        )

    def step(self) -> PlanStep:
        """This change as a plan shows it."""
        before, after = self.changed()
        return PlanStep(self.action, self.plural, self.uid, self.name, self.detail, before, after)


def plan(
    title: str | Callable[[int], str],
    writes: Iterable[Write],
    *,
    what: str | None = None,
    atomic: bool = False,
    bundle: bool = False,
    concurrency: int = 1,
    again: str = AGAIN,
    asks: bool = False,
    notes: Sequence[str] = (),
) -> Plan:
    """The plan of some changes; objects that are right already or not this user's to change are no steps, but noted.

    Parameters:
        title: one line that says what will happen, or what makes it from the number of steps.
        writes: the changes.
        what: the objects in words; their type without it.
        atomic, bundle, concurrency, again: see `Objects`.
        asks: even for one object (see `Plan`).
        notes: what was left out and why.
    """
    everything = list(writes)
    wanted = [write for write in everything if write.action != "update" or any(write.changed())]
    needed = [write.without_access() for write in wanted if write.allowed]
    right, barred = len(everything) - len(wanted), [write.called for write in wanted if not write.allowed]
    left = [*notes]
    if barred and needed:
        left.append(f"you may not change {len(barred):,}: {listed(barred, NAMED)}")
    if right:
        left.append(f"{right:,} already right")
    plurals = list(dict.fromkeys(write.plural for write in everything))
    made = Plan(
        title if isinstance(title, str) else title(len(needed)),
        [write.step() for write in needed],
        notes=left,
        asks=asks,
        writer=Objects(what or ", ".join(plurals) or "metadata", needed, atomic, bundle, concurrency, again, left),
    )
    if barred and not needed:
        made.blocked = Forbidden(f"you may not change {listed(barred, NAMED)}", hint="dhis2 system whoami")
    return made


def changes_of(planned: Plan) -> list[Write]:
    """The changes of a plan of `plan`, for another plan that builds on it. Raises `TypeError` for any other plan."""
    if not isinstance(planned.writer, Objects):
        raise TypeError(f"{planned.title}: no plan of changes to metadata")
    return list(planned.writer.writes)


async def read_objects(
    s: Session, plural: str, uids: Sequence[str], *, fields: str = OWNED, missing_is_fine: bool = False
) -> list[JsonObject]:
    """Objects by UID, in the order asked for, with progress for the person who waits. Raises `NotFound` naming those that are missing."""
    found = await reading.by_uid(
        s.client, plural, uids, fields=fields, on_progress=partial(s.person.progress, f"read {plural}")
    )
    if found.missing and not missing_is_fine:
        raise NotFound(
            f"the server has no {plural} {listed(found.missing, NAMED)}",
            hint=f"dhis2 metadata search {found.missing[0]}",
        )
    return found.rows


async def read_all(s: Session, plural: str, filters: Sequence[str], *, fields: str = OWNED) -> list[JsonObject]:
    """Every object that the filters let through, in one request."""
    return await reading.all_of(s.client, plural, filters, fields=fields)


@dataclass(slots=True)
class Objects:
    """The writer of metadata: one object by its own address, several as bundles, each of one action.

    Parameters:
        what: the objects in words, for the summary.
        writes: one per step, in the same order.
        atomic: all or none of one bundle (of `IN_ONE_BUNDLE` objects); else the server writes what it can, names the rest.
        bundle: send even a single object as a bundle (keeps translations and sharing of a creation).
        concurrency: how many bundles are under way at once.
        again: what finishes the rest where a write was cut off.
        notes: what was left out and why, to be said of the write as of its plan.
    """

    name: ClassVar[str] = OBJECTS
    bulk: ClassVar[bool] = False

    what: str
    writes: Sequence[Write]
    atomic: bool = False
    bundle: bool = False
    concurrency: int = 1
    again: str = AGAIN
    notes: Sequence[str] = ()

    @property
    def alone(self) -> bool:
        """Does a single object go by its own address?"""
        return len(self.writes) == 1 and not self.bundle

    def parts(self) -> Iterator[Part]:
        """Creations, then updates, then deletions: what is new can be referred to by what changes."""
        for stage, action in enumerate(STRATEGIES):
            numbers = [number for number, write in enumerate(self.writes) if write.action == action]
            for at in range(0, len(numbers), IN_ONE_BUNDLE):
                yield Part(numbers[at : at + IN_ONE_BUNDLE], stage)

    async def moved(self, s: Session) -> list[str]:
        """Objects that are no longer as they were read: of one by its own address what the change touches, else anything."""
        return [
            f"{called(write.before or {})} {how}" for write, how in await _moved(s, self.writes, whole=not self.alone)
        ]

    async def send(self, s: Session, part: Part) -> PartDone:
        """One object, or one bundle whose report is read object by object."""
        writes = [self.writes[number] for number in part.numbers]
        if self.alone:
            return await _one(s, writes[0])
        message = await _sent(s, writes, atomic=self.atomic)
        count = message.import_count
        failures = failures_of(message, writes)
        if count.ignored and not failures:  # 200, OK, and some not written: the server does not say which ones
            failures = await _ignored(s, self.what, writes, count.ignored)
        unnamed = any(row.get("uid") is None for row in failures)
        reasons = {str(row.get("uid")): str(row["message"]) for row in failures}
        none = self.atomic and bool(failures)
        uids = {number: self.writes[number].uid for number in part.numbers}
        refused = {number: reasons.get(uid, OTHER) for number, uid in uids.items() if uid in reasons or none}
        done = [] if unnamed else [number for number in part.numbers if number not in refused]
        return PartDone(
            done, refused, created=count.created, updated=count.updated, deleted=count.deleted, ignored=count.ignored,
            uids=[uids[number] for number in done], failures=failures,
            envelope=message.model_dump(mode="json", by_alias=True, exclude_none=True),
        )  # fmt: skip

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """What of a bundle is on the server, found out by reading; a single object is left to whoever tries again."""
        if self.alone:
            return PartDone()
        writes = [self.writes[number] for number in part.numbers]
        there = await written(s, writes)
        done = [number for number in part.numbers if self.writes[number].uid in there]
        return _counted(writes[0].action, PartDone(done, uids=sorted(there)))

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Nothing is left to do."""


def _counted(action: Action, told: PartDone) -> PartDone:
    """What was done, counted under its action."""
    match action:
        case "create":
            told.created = len(told.uids)
        case "delete":
            told.deleted = len(told.uids)
        case _:
            told.updated = len(told.uids)
    return told


async def _one(s: Session, write: Write) -> PartDone:
    uid = write.uid
    address = f"{write.plural}/{uid}"
    became: dict[int, str] = {}
    match write.action:
        case "create":
            answer = await s.client.post(write.plural, write.after)
            created = WebMessage.of(answer).created_uid
            if created is not None and created != uid:  # some types (tokens) get theirs from the server
                became, uid = {0: created}, created
        case "delete":
            answer = await s.client.delete(address)
        case _:
            before, after = write.changed()
            answer = await s.client.patch(address, [*jsonpatch.diff(before or {}, after or {})])
    envelope = answer if isinstance(answer, dict) else None
    return _counted(write.action, PartDone([0], became=became, uids=[uid], envelope=envelope))


async def _moved(s: Session, writes: Sequence[Write], *, whole: bool) -> list[tuple[Write, str]]:
    """The changes whose objects are no longer as they were read, and how they differ.

    They are read again whole: not everything that is done to an object (its sharing, its members) changes `lastUpdated`.

    Parameters:
        whole: any difference counts, since the objects are sent whole; else those in what a change touches.
    """
    found: list[tuple[Write, str]] = []
    held = [(write, write.before) for write in writes if write.before is not None]
    for plural in dict.fromkeys(write.plural for write, _ in held):
        mine = [(write, before) for write, before in held if write.plural == plural]
        rows = await read_objects(s, plural, [write.uid for write, _ in mine], missing_is_fine=True)
        there = {str(row["id"]): row for row in rows}
        for write, before in mine:
            now = there.get(write.uid)
            if now is None:
                found.append((write, "is gone since the plan was made"))
            elif names := _read_again(write, before, now, whole=whole):
                old, new = ({name: item[name] for name in names if name in item} for item in (before, now))
                told = PlanStep("update", plural, before=old, after=new).words()
                found.append((write, f"has changed since the plan was made: {told}"))
    return found


def _read_again(write: Write, before: JsonObject, now: JsonObject, *, whole: bool) -> list[str]:
    """The properties that count and are no longer as they were read."""
    if write.after is not None and not whole:
        names = {name: None for values in write.changed() for name in values or {}}
    else:
        names = dict.fromkeys([*before, *now])
    return [name for name in names if name not in SET_BY_SERVER and not same(now.get(name), before.get(name))]


async def _ignored(s: Session, what: str, writes: Sequence[Write], count: int) -> list[Row]:
    """The objects that a server ignored without a word, a row each; one row for all of them where it does not show them."""
    try:
        there = await written(s, writes)
    except Dhis2Error:
        return [{"type": what, "message": f"the server ignored {count:,} and gave no reason"}]
    missing = [write for write in writes if write.uid not in there]
    return [{"type": write.plural, "uid": write.uid, "name": write.name, "message": IGNORED} for write in missing]


async def written(s: Session, writes: Sequence[Write]) -> set[str]:
    """The UIDs of those changes that the server has carried out, found out by reading the objects."""
    found: set[str] = set()
    for plural in dict.fromkeys(write.plural for write in writes):
        mine = [write for write in writes if write.plural == plural]
        rows = await read_objects(s, plural, [write.uid for write in mine], missing_is_fine=True)
        now = {str(row["id"]): row for row in rows}
        found |= {write.uid for write in mine if _is_done(write, now.get(write.uid))}
    return found


def _is_done(write: Write, now: JsonObject | None) -> bool:
    if write.action != "update" or now is None:
        return (now is None) == (write.action == "delete")
    before, after = write.changed()
    return all(same(now.get(name), (after or {}).get(name)) for name in {**(before or {}), **(after or {})})


def same(left: JsonValue, right: JsonValue) -> bool:
    """Does a server's value (`left`) mean what was sent to it? Sets have no order, and a server leaves empty ones out.

    Of an object with a UID only what both sides say counts: a server adds names and times, and a reference may be a UID
    alone. Rows that were sent without UIDs are those that have what was sent: a server adds UIDs, and arrows to their owner.
    """
    if left in (None, [], {}) and right in (None, [], {}):
        return True
    if isinstance(left, list) and isinstance(right, list):
        return _same_collections(left, right)
    if isinstance(left, dict) and isinstance(right, dict):
        return _same_objects(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return left.removesuffix(MIDNIGHT) == right.removesuffix(MIDNIGHT)
    return left == right


def _same_collections(left: Sequence[JsonValue], right: Sequence[JsonValue]) -> bool:
    ours, theirs = ids(left), ids(right)
    if not ours or not theirs:
        given, sent = (right, left) if theirs else (left, right)
        added = len(left) == len(right) and all(any(_holds(item, row) for item in given) for row in sent)
        return added or sorted(map(repr, left)) == sorted(map(repr, right))
    return ours.keys() == theirs.keys() and all(same(item, theirs[uid]) for uid, item in ours.items())


def _same_objects(left: JsonObject, right: JsonObject) -> bool:
    both = "id" in left and "id" in right
    names = left.keys() & right.keys() if both else left.keys() | right.keys()
    said = names - SET_BY_SERVER
    if isinstance(left.get("access"), str) and "access" in names:  # of one user in a sharing: what was given
        said.add("access")
    return all(same(left.get(name), right.get(name)) for name in said)


def _holds(given: JsonValue, sent: JsonValue) -> bool:
    """Is a row as it was sent, with what the server adds (its own UID, an arrow back to the owner)?"""
    if isinstance(given, dict) and isinstance(sent, dict):
        told = {name: value for name, value in sent.items() if name not in SET_BY_SERVER}
        return all(name in given and _holds(given[name], value) for name, value in told.items())
    return given == sent


def ids(items: Sequence[JsonValue]) -> dict[str, JsonValue]:
    """The items of a collection of objects by their UIDs; empty where one has none."""
    found: dict[str, JsonValue] = {str(item["id"]): item for item in items if isinstance(item, dict) and item.get("id")}
    return found if len(found) == len(items) else {}


async def _sent(s: Session, writes: Sequence[Write], *, atomic: bool) -> WebMessage:
    """The report of one bundle of one action.

    Raises `Refused` where the server refused it unread; `ServerFault`, `NetworkError` where nobody knows what it did.
    """
    objects: dict[str, list[JsonObject]] = {}
    for write in writes:
        objects.setdefault(write.plural, []).append(write.after or write.before or {})
    part = parts.Part(STRATEGIES[writes[0].action], range(len(writes)), objects, wave=0)
    outcome = await parts.send_part(s.client, part, atomic_mode="ALL" if atomic else "NONE")
    if isinstance(outcome, parts.Reported):
        return outcome.message
    unknown = isinstance(outcome, parts.Unanswered) and not isinstance(outcome.error, (ServerFault, NetworkError))
    raise BrokenAnswer(str(outcome.error), hint="dhis2 journal show") if unknown else outcome.error


def failures_of(message: WebMessage, writes: Sequence[Write]) -> list[Row]:
    """The refused objects of a report, one row each, with the names that they have here."""
    known = {write.uid: write for write in writes}
    found: dict[str, Row] = {}
    for conflict in message.conflicts:
        uid = conflict.uid or ""
        write = known.get(uid)
        row: Row = {
            "type": write.plural if write else conflict.type, "uid": uid, "name": write.name if write else None,
            "code": conflict.code, "property": conflict.property, "message": conflict.message,
        }  # fmt: skip
        if uid in found:
            row = {**found[uid], "message": f"{found[uid]['message']}; {conflict.message}"}
        found[uid] = row
    return list(found.values())


def called(item: JsonObject) -> str:
    """An object in a title: its name in quotes and its UID."""
    name = item.get("name") or item.get("displayName") or item.get("code")
    return f"'{name}' [{item['id']}]" if name else f"[{item['id']}]"
