"""The one way in which metadata objects are written: a plan of exact changes, then as few requests as the server allows.

A verb says what each object is and what it shall be (`Write`); `plan` makes the steps with the values before and after, and
`apply` sends them: one object by its own address (POST, PATCH, DELETE), several as one bundle (`POST /api/metadata`).
The journal learns of every part before it is sent and of what came of it.

API source: api-facts a.7, b.1, b.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.journal import current
from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.client import jsonpatch, reading
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.sending import attempt, send
from dhis2sh.errors import Dhis2Error, Forbidden, NetworkError, NotFound, PartlyDone, Refused, ServerFault
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Action
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

IN_ONE_BUNDLE = 2000
"""Objects in one import: 1,000 are one request, and an import of 50,000 that is cut off has lost one part of 25."""
OTHER = "another object of the bundle was refused"
AGAIN = "the same line once more"
IGNORED = "the server ignored it and gave no reason"
UIDS_IN_ONE_ADDRESS = 120
"""Objects beyond which what refers to them is not looked for by filter: so many go in one address."""
NAMED = 5
"""Objects that a note names before it counts the rest."""
OWNED = ":owner,access[update,delete]"
"""All that an object owns, and whether this user may change it."""
STRATEGIES: Mapping[Action, str] = {"create": "CREATE", "update": "UPDATE", "delete": "DELETE"}
"""How an import is told what to do; in this order, so that what is new can be referred to by what changes."""
MIDNIGHT = "T00:00:00.000"
"""What a server adds to a date without a time."""
SET_BY_SERVER = frozenset({"lastUpdated", "lastUpdatedBy", "created", "createdBy", "user", "href", "access"})
"""What a server writes itself: no difference in these is a change."""


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


@dataclass(slots=True)
class Payload:
    """What `apply` needs of a plan.

    Parameters:
        what: the objects in words, for the summary.
        writes: one per step, in the same order.
        atomic: all or none of one bundle (of `IN_ONE_BUNDLE` objects); else the server writes what it can, names the rest.
        bundle: send even a single object as a bundle (keeps translations and sharing of a creation).
        concurrency: how many bundles are under way at once.
        again: what finishes the rest where a write was cut off.
        notes: what was left out and why, to be said of the write as of its plan.
    """

    what: str
    writes: list[Write]
    atomic: bool = False
    bundle: bool = False
    concurrency: int = 1
    again: str = AGAIN
    notes: Sequence[str] = ()


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
        atomic, bundle, concurrency, again: see `Payload`.
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
        payload=Payload(what or ", ".join(plurals) or "metadata", needed, atomic, bundle, concurrency, again, left),
    )
    if barred and not needed:
        made.blocked = Forbidden(f"you may not change {listed(barred, NAMED)}", hint="dhis2 system whoami")
    return made


def said(notes: Sequence[str]) -> str | None:
    """The first notes of a plan in one line, for its summary."""
    more = [f"and {len(notes) - NAMED:,} more notes (--dry-run shows them)"] if len(notes) > NAMED else []
    return "; ".join([*notes[:NAMED], *more]) or None


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


async def apply(s: Session, planned: Plan) -> WriteSummary:
    """Carry out a plan of `plan`. What a server refused is among the summary's failures, never silent.

    Raises `Refused` where it refused the only object, `PartlyDone` where the rest was cut off, and network errors; the
    journal says how far it came.
    """
    payload: Payload = planned.payload
    summary = WriteSummary(payload.what, note=said(payload.notes))
    if not payload.writes:
        return summary
    if len(payload.writes) == 1 and not payload.bundle:
        await _one(s, payload.writes[0], summary)
    else:
        try:
            await _many(s, payload, summary)
        except Dhis2Error as error:
            if not summary.uids:
                raise
            raise PartlyDone(
                f"{summary.line()}; then it was cut off: {error}",
                summary=summary,
                hint=f"{payload.again} finishes the rest; dhis2 journal show says how far it came",
            ) from error
    return summary


async def _one(s: Session, write: Write, summary: WriteSummary) -> None:
    entry = current()
    entry.sent([0])
    uid = write.uid
    address = f"{write.plural}/{uid}"
    match write.action:
        case "create":
            answer = await s.client.post(write.plural, write.after)
            summary.created = 1
            created = WebMessage.of(answer).created_uid
            if created is not None and created != write.uid:  # some types (tokens) get theirs from the server
                entry.became(0, created)
                uid = created
        case "delete":
            answer = await s.client.delete(address)
            summary.deleted = 1
        case _:
            before, after = write.changed()
            answer = await s.client.patch(address, [*jsonpatch.diff(before or {}, after or {})])
            summary.updated = 1
    entry.done([0])
    summary.uids = [uid]
    summary.envelope = answer if isinstance(answer, dict) else None


async def _many(s: Session, payload: Payload, summary: WriteSummary) -> None:
    """Bundles of one action each: creations, then updates, then deletions."""
    gate = asyncio.Semaphore(payload.concurrency)
    for action, strategy in STRATEGIES.items():
        numbers = [number for number, write in enumerate(payload.writes) if write.action == action]
        parts = [numbers[at : at + IN_ONE_BUNDLE] for at in range(0, len(numbers), IN_ONE_BUNDLE)]

        async def one(part: list[int], strategy: str = strategy) -> None:
            async with gate:
                await _part(s, payload, part, strategy, summary)

        if payload.concurrency == 1:
            for part in parts:
                await one(part)
        else:
            try:
                async with asyncio.TaskGroup() as group:
                    for part in parts:
                        group.create_task(one(part))
            except* Dhis2Error as failed:
                raise failed.exceptions[0] from None


async def _part(s: Session, payload: Payload, part: Sequence[int], strategy: str, summary: WriteSummary) -> None:
    """One bundle: told to the journal, sent, and its report counted."""
    entry = current()
    entry.sent(part)
    writes = [payload.writes[number] for number in part]
    try:
        message = await send_bundle(s, writes, strategy, atomic=payload.atomic)
    except (ServerFault, NetworkError):
        await _look_back(s, payload, part, strategy, summary)
        raise
    except Refused as error:
        for number in part:
            entry.refused(number, str(error))
        raise
    count = message.import_count
    failures = failures_of(message, writes)
    if count.ignored and not failures:  # 200, OK, and some not written: the server does not say which ones
        failures = await _ignored(s, payload, writes, count.ignored)
    unnamed = any(row.get("uid") is None for row in failures)
    reasons = {str(row.get("uid")): str(row["message"]) for row in failures}
    all_refused = payload.atomic and bool(failures)
    done: list[int] = []
    for number in part:
        uid = payload.writes[number].uid
        if uid in reasons or all_refused:
            entry.refused(number, reasons.get(uid, OTHER))
        elif not unnamed:
            done.append(number)
    entry.done(done)
    summary.created += count.created
    summary.updated += count.updated
    summary.deleted += count.deleted
    summary.ignored += count.ignored
    summary.uids += [payload.writes[number].uid for number in done]
    summary.failures += failures
    summary.envelope = message.model_dump(mode="json", by_alias=True, exclude_none=True)
    s.person.progress(f"write {payload.what}", len(summary.uids) + len(summary.failures), len(payload.writes))


async def _ignored(s: Session, payload: Payload, writes: Sequence[Write], count: int) -> list[Row]:
    """The objects that a server ignored without a word, a row each; one row for all of them where it does not show them."""
    try:
        there = await written(s, writes)
    except Dhis2Error:
        return [{"type": payload.what, "message": f"the server ignored {count:,} and gave no reason"}]
    missing = [write for write in writes if write.uid not in there]
    return [{"type": write.plural, "uid": write.uid, "name": write.name, "message": IGNORED} for write in missing]


async def _look_back(s: Session, payload: Payload, part: Sequence[int], strategy: str, summary: WriteSummary) -> None:
    """A bundle was sent and no answer came: what of it is on the server is done. The rest may still come: nobody knows."""
    try:
        there = await written(s, [payload.writes[number] for number in part])
    except Dhis2Error:  # nor does it answer now: the error that is under way says so
        return
    done = [number for number in part if payload.writes[number].uid in there]
    current().done(done)
    summary.uids += sorted(there)
    word = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted"}[strategy]
    setattr(summary, word, getattr(summary, word) + len(there))


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
        ours, theirs = ids(left), ids(right)
        if not ours or not theirs:
            given, sent = (right, left) if theirs else (left, right)
            added = len(left) == len(right) and all(any(_holds(item, row) for item in given) for row in sent)
            return added or sorted(map(repr, left)) == sorted(map(repr, right))
        return ours.keys() == theirs.keys() and all(same(item, theirs[uid]) for uid, item in ours.items())
    if isinstance(left, dict) and isinstance(right, dict):
        both = "id" in left and "id" in right
        names = left.keys() & right.keys() if both else left.keys() | right.keys()
        return all(same(left.get(name), right.get(name)) for name in names - SET_BY_SERVER)
    if isinstance(left, str) and isinstance(right, str):
        return left.removesuffix(MIDNIGHT) == right.removesuffix(MIDNIGHT)
    return left == right


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


async def send_bundle(s: Session, writes: Sequence[Write], strategy: str, *, atomic: bool) -> WebMessage:
    """One import of some objects, all with the same strategy. Raises `Refused` where the answer is no import report."""
    bundle: dict[str, list[JsonValue]] = {}
    for write in writes:
        whole = write.after or write.before or {}
        bundle.setdefault(write.plural, []).append({"id": write.uid} if strategy == "DELETE" else whole)
    params: dict[str, Param] = {"importStrategy": strategy, "atomicMode": "ALL" if atomic else "NONE"}
    told = await attempt(send(s.client, "POST", "metadata", cast("JsonObject", bundle), params))
    if isinstance(told, WebMessage) and "typeReports" in (told.response or {}):
        return told
    if isinstance(told, Dhis2Error):
        raise told
    raise Refused(f"the server's answer is no import report: {told.message}", status=told.http_status_code)


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
