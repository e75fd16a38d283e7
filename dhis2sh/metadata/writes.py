"""The one way in which metadata objects are written: a plan of exact changes, then as few requests as the server allows.

A verb says what each object is and what it shall be (`Write`); `plan` makes the steps, and its writer (`Objects`) sends
them: one object by its own address (POST, PATCH, DELETE), several as one bundle (api-facts a.7, b.1, b.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from dhis2sh.changes.plan import AGAIN, OBJECTS, Part, PartDone, Plan
from dhis2sh.changes.sending import looking_back
from dhis2sh.client import jsonpatch, parts, reading
from dhis2sh.client.messages import WebMessage
from dhis2sh.errors import BrokenAnswer, Forbidden, NetworkError, NotFound, Refused, ServerFault
from dhis2sh.metadata import looked, map_layers, removing
from dhis2sh.metadata.comparing import unchanged
from dhis2sh.metadata.refused import failure_of, failures_of
from dhis2sh.metadata.write import OWNED, Write, called
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Action, WriteSummary
    from dhis2sh.client.sending import ImportStrategy
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

IN_ONE_BUNDLE = parts.OBJECTS_IN_ONE_PART
"""Objects in one import: 2,000 are one request, and an import of 50,000 that is cut off has lost one part of 25."""
OTHER = "another object of the bundle was refused"
NAMED = 5
"""Objects that a note names before it counts the rest."""
MAPS = map_layers.MAPS
SENT_AFTER = (MAPS, "dashboards")
"""Where there are maps, these go after the rest and one after the other: some servers take maps only by their own address."""
STRATEGIES: Mapping[Action, ImportStrategy] = {"create": "CREATE", "update": "UPDATE", "delete": "DELETE"}
"""How an import is told what to do; in this order, so that what is new can be referred to by what changes."""


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
        title if isinstance(title, str) else title(sum(not write.by_server for write in needed)),
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
        atomic: all or none of one bundle (of `IN_ONE_BUNDLE` objects), and of those behind it nothing where one is refused;
            else the server writes what it can, names the rest.
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
    _stopped: bool = field(default=False, init=False)

    @property
    def sent(self) -> list[int]:
        """The numbers of what is sent; the rest the server does by itself."""
        return [number for number, write in enumerate(self.writes) if not write.by_server]

    @property
    def alone(self) -> bool:
        """Does a single object go by its own address? There a server drops the translations of a new one."""
        if len(self.sent) != 1 or self.bundle:
            return False
        write = self.writes[self.sent[0]]
        return write.before is not None or not (write.after or {}).get(map_layers.TRANSLATIONS)

    def parts(self) -> Iterator[Part]:
        """Creations, then updates, then deletions: what is new can be referred to by what changes.

        Deletions go type by type, in the order in which they stand: in one bundle with what it was made of a category
        combination is refused, and half of it is gone. Last what the server does by itself is looked at.
        """
        also = [number for number, write in enumerate(self.writes) if write.by_server]
        stage, before = 0, also
        for action in STRATEGIES:
            for some in self._groups(action):
                size = self._at_once(action, some)
                for at in range(0, len(some), size):
                    if self._stopped:
                        return
                    yield Part(some[at : at + size], stage, also=before)
                    before = []
                stage += 1
        if also:
            yield Part(also, stage)

    def _at_once(self, action: Action, some: Sequence[int]) -> int:
        """How many of a group go in one bundle."""
        return parts.DELETED_IN_ONE_PART if action == "delete" else IN_ONE_BUNDLE

    def _groups(self, *actions: Action) -> list[list[int]]:
        """The numbers of some actions that may go in one bundle: each type of what is deleted, and maps before dashboards."""
        found: dict[str, list[int]] = {}
        numbers = [number for number in self.sent if self.writes[number].action in actions]
        plurals = {self.writes[number].plural for number in numbers}
        for number in numbers:
            plural = self.writes[number].plural
            alone = "delete" in actions or (MAPS in plurals and plural in SENT_AFTER)
            found.setdefault(plural if alone else "", []).append(number)
        if "delete" in actions:
            return [*found.values()]
        return [found[plural] for plural in ("", *SENT_AFTER) if plural in found]

    async def moved(self, s: Session) -> list[str]:
        """Objects that are no longer as they were read: of one by its own address what the change touches, else anything."""
        wanted = [write for write in self.writes if not write.by_server]
        whole = not self.alone or await self._needs_import(s)
        return [f"{called(write.before or {})} {how}" for write, how in await looked.moved(s, wanted, whole=whole)]

    async def send(self, s: Session, part: Part) -> PartDone:
        """One object, or one bundle whose report is read object by object; what the server has done by itself is looked at."""
        writes = [self.writes[number] for number in part.numbers]
        if writes[0].by_server:
            return await self._looked(s, part.numbers)
        try:
            if self.alone and not await self._needs_import(s):
                return await self._one(s, part.numbers[0])
            return await self._bundle(s, part)
        except Refused as error:
            told = await self._in_spite(s, part, error) if part.also and not isinstance(error, ServerFault) else None
            if told is None:
                raise
            return told

    async def _needs_import(self, s: Session) -> bool:
        """Is it a change that the server takes by an import only?"""
        write = self.writes[self.sent[0]]
        changes = write.plural == "visualizations" and write.action == "update"
        return changes and not (await s.client.version()).has("visualization_patch")

    async def _one(self, s: Session, number: int) -> PartDone:
        """One object by its own address."""
        write = self.writes[number]
        uid = write.uid
        became: dict[int, str] = {}
        found: dict[int, JsonObject] = {}
        answer: JsonValue = None
        if write.action == "delete":
            answer = await removing.delete(s, write.plural, uid)
        elif await map_layers.by_address(s, write.plural, alone=write.action == "create"):
            return await self._maps(s, [number], alone=True)
        elif write.action == "create":
            answer = await looked.believed(s, write, await s.client.post(write.plural, write.after))
            created = WebMessage.of(answer).created_uid
            if created is not None and created != uid:  # some types (tokens) get theirs from the server
                became, uid = {number: created}, created
            else:
                found = await looked.made_of(s, {number: write})
        else:
            before, after = write.changed()
            patch: list[JsonValue] = [*jsonpatch.diff(before or {}, after or {})]
            answer = await looked.believed(s, write, await s.client.patch(f"{write.plural}/{uid}", patch))
            found = await looked.made_of(s, {number: write})
        envelope = answer if isinstance(answer, dict) else None
        return _counted(write.action, PartDone([number], became=became, found=found, uids=[uid], envelope=envelope))

    async def _bundle(self, s: Session, part: Part) -> PartDone:
        writes = [self.writes[number] for number in part.numbers]
        action = writes[0].action
        if action != "delete" and await map_layers.by_address(s, writes[0].plural):
            return await self._maps(s, part.numbers)
        message = await _sent(s, writes, atomic=self.atomic)
        count = message.import_count
        failures = failures_of(message, writes)
        if action == "delete":
            failures += await looked.left_over(s, writes, failures)
        elif count.ignored and not failures:  # 200, OK, and some not written: the server does not say which ones
            failures = await looked.ignored(s, self.what, writes, count.ignored)
        unnamed = any(row.get("uid") is None for row in failures)
        reasons = {str(row.get("uid")): str(row["message"]) for row in failures}
        none = self._stopped = self.atomic and bool(failures)
        uids = {number: self.writes[number].uid for number in part.numbers}
        refused = {number: reasons.get(uid, OTHER) for number, uid in uids.items() if uid in reasons or none}
        if refused and not self.atomic and action != "delete":
            refused = await looked.really_refused(s, {number: self.writes[number] for number in refused}, failures)
        done = [] if unnamed else [number for number in part.numbers if number not in refused]
        found = await looked.made_of(s, {number: self.writes[number] for number in done}) if action != "delete" else {}
        return PartDone(
            done, refused, found=found, created=count.created, updated=count.updated,
            deleted=len(done) if action == "delete" and not unnamed else count.deleted, ignored=count.ignored,
            uids=[uids[number] for number in done], failures=failures,
            envelope=message.model_dump(mode="json", by_alias=True, exclude_none=True),
        )  # fmt: skip

    async def _maps(self, s: Session, numbers: Sequence[int], *, alone: bool = False) -> PartDone:
        """Maps one after the other by their own address, since an import of them fails whole; one that is `alone` may raise."""
        done: list[int] = []
        refused: dict[int, str] = {}
        failures: list[Row] = []
        answer: JsonValue = None
        for number in numbers:
            write, after = self.writes[number], self.writes[number].after or {}
            try:
                answer = await map_layers.send(s, write.before, after)
            except (ServerFault, NetworkError):
                raise
            except Refused as error:
                if alone:
                    raise
                refused[number] = str(error)
                failures.append(failure_of(write, error))
                continue
            done.append(number)
            against = await map_layers.translate(s, write.before, after)
            failures += [failure_of(write, against)] if against is not None else []
        uids = [self.writes[number].uid for number in done]
        found = await looked.made_of(s, {number: self.writes[number] for number in done})
        envelope = answer if alone and isinstance(answer, dict) else None
        self._stopped, new = self.atomic and bool(refused), sum(self.writes[number].before is None for number in done)
        return PartDone(done, refused, found=found, uids=uids, created=new, updated=len(done) - new, failures=failures,
                        envelope=envelope)  # fmt: skip

    async def _looked(self, s: Session, numbers: Sequence[int]) -> PartDone:
        """What the server has done by itself, and what not; what it has made of an object is kept as it is."""
        done: list[int] = []
        found: dict[int, JsonObject] = {}
        with looking_back():
            there = await looked.as_they_are(s, [self.writes[number] for number in numbers])
        for number in numbers:
            write = self.writes[number]
            now = there.get((write.plural, write.uid))
            before, _ = write.changed()
            left = (
                {name: now.get(name) for name in before or {}} if now is not None and write.after is not None else None
            )
            if write.action == "delete":
                done += [number] if now is None else []
            elif left is not None and any(not unchanged(left[name], value) for name, value in (before or {}).items()):
                done.append(number)
                found[number] = left
        return PartDone(done, found=found, untouched=[number for number in numbers if number not in done])

    async def _in_spite(self, s: Session, part: Part, error: Refused) -> PartDone | None:
        """What a server has done although it refused (it takes legends out of elements, and keeps the legend set)."""
        looked = await self._looked(s, part.also)
        if not looked.done:
            return None
        refused = dict.fromkeys(part.numbers, str(error))
        failures = [failure_of(self.writes[number], error) for number in part.numbers]
        return PartDone(
            looked.done, refused, found=looked.found, updated=len(looked.done), failures=failures,
            uids=[self.writes[number].uid for number in looked.done], envelope=error.envelope,
        )  # fmt: skip

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """What of a part is on the server, found out by reading, and what the server has done by itself with it."""
        writes = {number: self.writes[number] for number in [*part.numbers, *part.also]}
        there = await looked.written(s, [*writes.values()])
        done = {number: write for number, write in writes.items() if (write.plural, write.uid) in there}
        found = await looked.made_of(s, {number: write for number, write in done.items() if write.after is not None})
        uids = sorted(write.uid for number, write in done.items() if number in part.numbers)
        return _counted(writes[part.numbers[0]].action, PartDone([*done], found=found, uids=uids))

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Say what a server says once and never again: the key of a token that it has made."""
        response = (summary.envelope or {}).get("response")
        key = response.get("key") if self.alone and isinstance(response, dict) else None
        if isinstance(key, str) and summary.created:
            told = f"its key, which is never shown again: {key}"
            summary.note = "; ".join([*([summary.note] if summary.note else []), told])


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


async def _sent(s: Session, writes: Sequence[Write], *, atomic: bool) -> WebMessage:
    """The report of one bundle of one action.

    Raises `Refused` where the server refused it unread; `ServerFault`, `NetworkError` where nobody knows what it did.
    """
    objects: dict[str, list[JsonObject]] = {}
    for write in writes:
        objects.setdefault(write.plural, []).append(write.after or write.before or {})
    actions = {write.action for write in writes}
    strategy: ImportStrategy = STRATEGIES[writes[0].action] if len(actions) == 1 else "CREATE_AND_UPDATE"
    part = parts.Part(strategy, range(len(writes)), objects, wave=0)
    outcome = await parts.send_part(s.client, part, atomic_mode="ALL" if atomic else "NONE")
    if isinstance(outcome, parts.Reported):
        return outcome.message
    unknown = isinstance(outcome, parts.Unanswered) and not isinstance(outcome.error, (ServerFault, NetworkError))
    raise BrokenAnswer(str(outcome.error), hint="dhis2 journal show") if unknown else outcome.error
