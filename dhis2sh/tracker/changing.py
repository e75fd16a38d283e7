"""The plan of some changes to entities, enrollments, events and relationships, and the writer that sends them.

What is new and what changes goes in one import, all or nothing; what is deleted afterwards. Each object is read again
when the server has answered: a 200 without effect is no success.

API source: `POST /api/tracker` (api-facts e.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from dhis2sh.changes.plan import AGAIN, Part, PartDone, Plan, PlanStep
from dhis2sh.client.sending import attempt, refusal
from dhis2sh.client.tracker import IDENTIFIERS
from dhis2sh.errors import Dhis2Error
from dhis2sh.tracker import reading, reports
from dhis2sh.tracker.held import changed, held, payload, same, uid_of, unset, values_of
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Action, WriteSummary
    from dhis2sh.client.messages import WebMessage
    from dhis2sh.client.tracker import Kind
    from dhis2sh.errors import Refused
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

NAME = "trackerObjects"
TREE = "$tree"
"""Under this the journal keeps what hung on an object that was deleted."""
_BEFORE_PARENTS: tuple[Kind, ...] = ("relationships", "events", "enrollments", "trackedEntities")


@dataclass(frozen=True, slots=True)
class Change:
    """One object as it is and as it shall be, both as `held` has them.

    Parameters:
        before: None for one that is created.
        after: None for one that is deleted.
        name: what people call it.
        detail: what changes in words, where the properties before and after do not say it.
        tree: what hangs on an object that is deleted, for the journal.
        through: the program by which an entity is looked at, as `reading.find` does.
    """

    kind: Kind
    before: JsonObject | None
    after: JsonObject | None
    name: str | None = None
    detail: str | None = None
    tree: JsonValue = None
    through: str | None = None

    @property
    def uid(self) -> str:
        """The object's UID; new ones get theirs before the plan is shown."""
        return uid_of(self.kind, self.before or self.after or {})

    @property
    def action(self) -> Action:
        """create, update or delete."""
        return "create" if self.before is None else "delete" if self.after is None else "update"

    @property
    def program(self) -> str | None:
        """The program of an enrollment or event, and through which an entity is looked at."""
        found = self.through or (self.before or self.after or {}).get("program")
        return str(found) if found else None

    def step(self, names: Mapping[str, str]) -> PlanStep:
        """This change as a plan shows it."""
        before, after, detail = self.before, self.after, self.detail
        if before is not None and after is not None:
            before, after = changed(before, after)
        elif before is not None and self.tree is not None:
            before = {**before, TREE: self.tree}
        elif after is not None and detail is None:
            detail = _told(self.kind, after, names)
        return PlanStep(self.action, self.kind, self.uid, self.name, detail, before, after)


def _told(kind: Kind, body: JsonObject, names: Mapping[str, str]) -> str:
    """A new object in words."""
    own = {
        name: body[name]
        for name in ("program", "programStage", "orgUnit", "status", "enrolledAt", "occurredAt", "scheduledAt")
        if body.get(name) and name in body
    }
    parts = [f"{name}: {names.get(str(value), value)}" for name, value in own.items()]
    parts += [f"{names.get(uid, uid)}: {value}" for uid, value in values_of(kind, body).items()]
    if kind == "relationships":
        parts = [names.get(str(body.get("relationshipType")), str(body.get("relationshipType")))]
    return "; ".join(str(part) for part in parts)


def plan(
    title: str,
    changes: Iterable[Change],
    names: Mapping[str, str],
    *,
    notes: Sequence[str] = (),
    again: str = AGAIN,
    asks: bool = False,
    left: Sequence[Row] = (),
) -> Plan:
    """The plan of some changes; objects that are as they shall be are no steps.

    Parameters:
        title: one line that says what will happen.
        names: what UIDs in them stand for.
        notes: what was left out and why.
        again: what finishes the rest where it was cut off.
        asks: wants a yes even for one object.
        left: of an undo what stays otherwise than it was before, as the failures of a summary are.
    """
    everything = [_without_day(change) for change in changes]
    needed = [
        change
        for change in everything
        if change.before is None or change.after is None or any(changed(change.before, change.after))
    ]
    told = [*notes, *([f"{len(everything) - len(needed):,} already right"] if len(needed) < len(everything) else [])]
    return Plan(
        title, [change.step(names) for change in needed], notes=told, names={**names}, asks=asks,
        writer=Objects(needed, names, told, again, left=left),
    )  # fmt: skip


def _without_day(change: Change) -> Change:
    """What is not complete has no day of completion: a change that opens it again takes that away, and it is written down."""
    after = change.after
    if after is None or "completedAt" not in after or after.get("status") == "COMPLETED":
        return change
    return replace(change, after={name: value for name, value in after.items() if name != "completedAt"})


@dataclass(slots=True)
class Objects:
    """The writer of single objects.

    Parameters:
        changes: one per step, in the same order.
        names: what UIDs stand for, for what the server says.
        notes: what was left out and why.
        again: what finishes the rest.
        left: of an undo what stays otherwise than it was before.
    """

    name: ClassVar[str] = NAME
    bulk: ClassVar[bool] = False

    changes: Sequence[Change]
    names: Mapping[str, str]
    notes: Sequence[str] = ()
    again: str = AGAIN
    concurrency: int = 1
    what: str = "tracker"
    left: Sequence[Row] = ()
    _warned: list[str] = field(default_factory=list[str])

    def parts(self) -> Iterator[Part]:
        """What is new and what changes, then what is deleted."""
        kept = [number for number, change in enumerate(self.changes) if change.after is not None]
        gone = [number for number, change in enumerate(self.changes) if change.after is None]
        if kept:
            yield Part(kept)
        if gone:
            yield Part(gone, stage=1)

    async def moved(self, s: Session) -> list[str]:
        """Objects that are no longer as they were read, as far as the change touches them."""
        found: list[str] = []
        there = await now(s, [change for change in self.changes if change.before is not None])
        for change in self.changes:
            if change.before is None:
                continue
            current = there.get(change.uid)
            if current is None:
                found.append(f"{change.name or change.uid} is gone since the plan was made")
                continue
            old = changed(change.before, change.after)[0] if change.after is not None else change.before
            was, is_ = changed(_only(change.before, old), _only(current, old))
            if was or is_:
                told = PlanStep("update", change.kind, before=was, after=is_).words(self.names)
                found.append(f"{change.name or change.uid} has changed since the plan was made: {told}")
        return found

    async def send(self, s: Session, part: Part) -> PartDone:
        """One import; every object is looked at afterwards."""
        changes = [self.changes[number] for number in part.numbers]
        deleting = changes[0].after is None
        body: dict[str, JsonValue] = {}
        for kind in reversed(_BEFORE_PARENTS):
            mine = [change for change in changes if change.kind == kind]
            if mine:
                body[kind] = [
                    {IDENTIFIERS[kind]: change.uid}
                    if change.after is None
                    else payload(kind, change.before, change.after)
                    for change in mine
                ]
        strategy = "DELETE" if deleting else "CREATE_AND_UPDATE"
        outcome = await attempt(s.client.tracker.report_of(body, import_strategy=strategy))
        if isinstance(outcome, Dhis2Error):
            raise outcome
        if outcome.status == "ERROR":
            raise self._refused(outcome)
        self._warned += [reports.reason(row, self.names) for row in outcome.conflicts if row.severity == "warning"]
        done = await self._looked(s, part)
        if done.refused:
            self._no_effect(done, changes, part)
        return done

    def _refused(self, message: WebMessage) -> Refused:
        """The server's refusal, with names; nothing was written."""
        error = refusal(message)
        rows = [row for row in message.conflicts if row.severity == "error"]
        if rows:
            called = {change.uid: change.name for change in self.changes}
            told = [
                f"{called.get(row.uid or '') or row.uid or row.type}: {reports.reason(row, self.names)}" for row in rows
            ]
            error.message = listed(told, 5)
        return error

    @staticmethod
    def _no_effect(done: PartDone, changes: Sequence[Change], part: Part) -> None:
        """A 200 without effect: say of each object that it is not as it was sent."""
        by_number = dict(zip(part.numbers, changes, strict=True))
        done.failures = [
            {
                "type": by_number[number].kind,
                "uid": by_number[number].uid,
                "name": by_number[number].name,
                "message": why,
            }
            for number, why in done.refused.items()
        ]

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Which changes of a part the server has carried out."""
        told = await self._looked(s, part)
        told.refused = {}
        return told

    async def _looked(self, s: Session, part: Part) -> PartDone:
        """Each object of a part, read again and compared with what it shall be."""
        changes = {number: self.changes[number] for number in part.numbers}
        there = await now(s, changes.values())
        done: list[int] = []
        refused: dict[int, str] = {}
        for number, change in changes.items():
            why = _differs(change, there.get(change.uid), self.names)
            if why is None:
                done.append(number)
            else:
                refused[number] = why
        counts = {
            word: sum(changes[number].action == word for number in done) for word in ("create", "update", "delete")
        }
        return PartDone(
            done, refused, created=counts["create"], updated=counts["update"], deleted=counts["delete"],
            uids=[changes[number].uid for number in done],
        )  # fmt: skip

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Warnings of the server's program rules are said, and what an undo leaves."""
        summary.left += self.left
        if self._warned:
            summary.note = "; ".join([*([summary.note] if summary.note else []), *self._warned])


def _only(body: JsonObject, names: Mapping[str, JsonValue]) -> JsonObject:
    """The properties that count; of values those alone."""
    found: JsonObject = {}
    for name, value in names.items():
        inside = body.get(name)
        if name in {"attributes", "dataValues"} and isinstance(value, dict):
            values = inside if isinstance(inside, dict) else {}
            found[name] = {uid: values.get(uid) for uid in value}
        else:
            found[name] = inside
    return found


def _differs(change: Change, current: JsonObject | None, names: Mapping[str, str]) -> str | None:
    """How an object is not as a change makes it; None where it is."""
    if change.after is None:
        return None if current is None else "the server said yes and has it still"
    if current is None:
        return "the server said yes and does not show it"
    _old, new = changed(change.before or {}, change.after)
    for name, wanted in new.items():
        is_ = current.get(name)
        if name in {"attributes", "dataValues"}:
            values = is_ if isinstance(is_, dict) else {}
            inside = wanted if isinstance(wanted, dict) else {}
            wrong = [uid for uid, value in inside.items() if not same(values.get(uid), value)]
            if change.kind == "trackedEntities":  # those of a program show where it is enrolled alone
                wrong = [uid for uid in wrong if uid in values or inside[uid] in (None, "")]
            if wrong:
                called = listed((names.get(uid, uid) for uid in wrong), 3)
                return f"the server said yes and has another value of {called}"
        elif name == "completedAt" and unset(wanted):  # the server gives the day where none is said
            continue
        elif name != "potentialDuplicate" and not same(is_, wanted):
            return f"the server said yes and has {name} {is_!r} in place of {wanted!r}"
    return None


async def now(s: Session, changes: Iterable[Change]) -> dict[str, JsonObject]:
    """What is there of the objects of some changes, by UID, as `held` has it."""
    found: dict[str, JsonObject] = {}
    groups: dict[tuple[Kind, str | None], list[str]] = {}
    for change in changes:
        groups.setdefault((change.kind, change.program), []).append(change.uid)
    for (kind, program), uids in groups.items():
        together = len(uids) > 1 or kind == "trackedEntities"
        rows: dict[str, Row] = await reading.by_uid(s, kind, uids, program=program if together else None)
        found |= {uid: held(kind, row) for uid, row in rows.items()}
    return found


async def read(s: Session, kind: Kind, uid: str) -> JsonObject:
    """An object as `held` has it. Raises `NotFound`, `ServerFault`."""
    rows = await reading.by_uid(s, kind, [uid])
    if uid not in rows:
        raise reading.not_found(uid, (kind,))
    return held(kind, rows[uid])
