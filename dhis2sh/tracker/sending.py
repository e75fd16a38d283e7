"""The writer of pushes: parts of a job go out one by one, big ones as jobs of the server that are watched.

API source: `POST /api/tracker`, `GET /api/tracker/jobs/{uid}/report` (api-facts e.1).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from dhis2sh.changes.plan import AGAIN, Part, PartDone
from dhis2sh.client.messages import TaskRef, WebMessage
from dhis2sh.client.sending import attempt
from dhis2sh.client.tracker import IDENTIFIERS, TrackerOptions
from dhis2sh.errors import BrokenAnswer, Dhis2Error, NetworkError, NotFound, ServerFault
from dhis2sh.tracker import comparing, reading, reports
from dhis2sh.tracker.held import VALUES, changed, held, said
from dhis2sh.tracker.payloads import KINDS, Entry, walk
from dhis2sh.tracker.shown import Shown
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.client.tracker import Kind
    from dhis2sh.session import Session
    from dhis2sh.tracker.jobs import Job
    from dhis2sh.tracker.refused import Refused as RefusedEntries
    from dhis2sh.types import JsonObject, JsonValue, Row

NAME = "trackerBundle"
HALVED = 64
"""Requests in which a part that a server does not read at all is tried in smaller pieces, to find what spoils it."""
WATCHED = 1_000
"""Objects in one request from which on it is a job of the server, which is watched."""
NOT_DONE_YET = 0.5
"""Seconds between two looks for a report that is not there although its job has ended."""
ALREADY = {"E1002", "E1080", "E1030", "E4015"}
"""It exists already: of what was sent before and got no answer, that is how it came to be."""
GONE = {"E1063", "E1081", "E1032", "E4016", "E1082", "E1113", "E1114", "E4017"}
"""It is not there, or deleted: of a deletion that got no answer, that is how it went."""


_FOLLOWS = "E5000 "
"""Of what hangs on something that was refused."""


@dataclass(slots=True)
class Answered:
    """What became of some entries, by their numbers in the part."""

    refused: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    counts: Counter[str] = field(default_factory=Counter[str])
    warnings: list[str] = field(default_factory=list[str])


def bundle_of(entries: Sequence[Entry]) -> JsonObject:
    """Entries as one import takes them."""
    lists: dict[Kind, list[JsonValue]] = {kind: [] for kind in KINDS}
    for entry in entries:
        if not entry.same:
            lists[entry.kind].append(entry.body)
            continue
        for kind, body in entry.sent():  # each by itself: what it hangs on is there and stays as it is
            lists[kind].append({name: value for name, value in body.items() if name not in {"enrollments", "events"}})
    return {kind: items for kind, items in lists.items() if items}


def reasons_of(message: WebMessage, entries: Sequence[Entry], names: Mapping[str, str]) -> dict[int, list[str]]:
    """Why which entries were refused, by their numbers; what names no object is said of all of them."""
    owners = {_uid(kind, body): at for at, entry in enumerate(entries) for kind, body in entry.objects()}
    kinds: dict[str, tuple[Kind, JsonObject]] = {}
    for entry in entries:
        kinds |= {_uid(kind, body): (kind, body) for kind, body in entry.objects()}
    found: dict[int, list[str]] = {}
    for row in message.conflicts:
        if row.severity != "error":
            continue
        at = owners.get(row.uid or "")
        told = reports.reason(row, names)
        if at is not None:
            about = _about(entries[at], kinds[row.uid or ""], names)
            found.setdefault(at, []).append(f"{about}{told}")
        else:
            for number in range(len(entries)):
                found.setdefault(number, []).append(told)
    return {at: list(dict.fromkeys(_causes(found[at]))) for at in sorted(found)}


def _causes(reasons: Sequence[str]) -> Sequence[str]:
    """Without what was refused only because that on which it hangs was, where that says why."""
    return [told for told in reasons if _FOLLOWS not in told] or reasons


def _about(entry: Entry, inside: tuple[Kind, JsonObject], names: Mapping[str, str]) -> str:
    """Which of the objects of an entry is meant, where it is not the entry itself."""
    kind, body = inside
    if _uid(kind, body) == _uid(entry.kind, entry.body):
        return ""
    stage = body.get("programStage") or body.get("program")
    return f"{kind.removesuffix('s')} '{names.get(str(stage), stage)}': "


def _uid(kind: Kind, body: JsonObject) -> str:
    return str(body.get(IDENTIFIERS[kind]))


@dataclass(slots=True)
class Bundles:
    """The writer: what is left of a job.

    Parameters:
        job: whose parts go out.
        refused: takes what is not written; it may hold some that was refused before anything was sent.
        notes: what was left out and why.
        undo: keep what was there before.
        unchanged: objects that the plan has found there already as they are said.
    """

    name: ClassVar[str] = NAME
    bulk: ClassVar[bool] = True

    job: Job
    refused: RefusedEntries
    notes: Sequence[str] = ()
    undo: bool = True
    unchanged: int = 0
    what: str = "tracker"
    concurrency: int = 1
    again: str = AGAIN
    _first: dict[int, int] = field(default_factory=dict[int, int])
    _warnings: list[str] = field(default_factory=list[str])
    _lost: Counter[str] = field(default_factory=Counter[str])

    def parts(self) -> Iterator[Part]:
        """The parts without an answer, in order."""
        at = 0
        for number in self.job.left():
            count = self.job.count(number)
            self._first[at] = number
            yield Part(range(at, at + count), digest=self.job.digest(number))
            at += count

    async def moved(self, s: Session) -> list[str]:
        """Objects have no version: the later one wins. What each part finds is kept before it goes out."""
        return []

    async def send(self, s: Session, part: Part) -> PartDone:
        """One part; what it finds is kept first, and what it comes to afterwards."""
        number = self._first[part.numbers[0]]
        entries = self.job.entries(number)
        again = self.job.was_sent(number)
        before = self.job.before(number)
        if before is None:
            before = await self._before(s, entries) if not again else {}
            self.job.keep_before(number, before)
        counted_by_plan = comparing.unchanged(entries)
        for entry in entries:
            if entry.sheet and self.job.head.strategy != "DELETE":
                comparing.complete(entry, before, self.job.head.numeric)
            if self.job.head.strategy in comparing.UPDATES:
                comparing.compare(entry, before)
        self.job.mark_sent(number)
        answered = Answered()
        places = [at for at, entry in enumerate(entries) if entry.weight]
        sent = [entries[at] for at in places]
        try:
            if sent:
                await self._send(s, number, sent, 0, answered, [HALVED])
        except (ServerFault, NetworkError) as error:
            answered = await self._looked(s, sent, before, error)
        answered.refused = {places[at]: reasons for at, reasons in answered.refused.items()}
        answered.counts["ignored"] += comparing.unchanged(entries) - counted_by_plan
        if again:
            self._forgive(answered, entries, before)
        self.job.keep_answer(
            number, {"counts": {**answered.counts}, "refused": {str(k): [*v] for k, v in answered.refused.items()}}
        )
        return self._told(part, entries, answered)

    async def _looked(
        self, s: Session, entries: Sequence[Entry], before: Mapping[str, JsonObject], error: Dhis2Error
    ) -> Answered:
        """What became of entries that no answer came for, where all of it is known by looking; else raises the error.

        What is not there and would be refused, as the server says when it is asked without writing, was refused.
        """
        deleting, creating = self.job.head.strategy == "DELETE", self.job.head.strategy == "CREATE"
        found, shown = Answered(), Shown(s)
        try:
            now = await there(s, entries)
            missing = [
                at for at, entry in enumerate(entries)
                if (creating and _uid(entry.kind, entry.body) in before) or not await has(shown, entry, now, deleting=deleting)
            ]  # fmt: skip
        except Dhis2Error:
            raise error from None
        if missing:
            if deleting or self.job.head.atomic:
                raise error
            rest = [entries[at] for at in missing]
            verdict = await attempt(
                s.client.tracker.dry_run(bundle_of(rest), import_strategy=self.job.head.strategy, atomic_mode="OBJECT")
            )
            reasons = {} if isinstance(verdict, Dhis2Error) else reasons_of(verdict, rest, self.job.head.names)
            if len(reasons) < len(missing):  # it may be at work on them still, or never have got them
                raise error
            found.refused = {missing[at]: why for at, why in reasons.items()}
        found.counts = _written(
            [entry for at, entry in enumerate(entries) if at not in found.refused], before, deleting=deleting
        )
        self._lost[error.message] += 1
        return found

    async def _before(self, s: Session, entries: Sequence[Entry]) -> dict[str, JsonObject]:
        """What the server has of the objects of some entries, by UID; of sheets always, since rows say only a part."""
        if (
            not self.undo
            and not any(entry.sheet for entry in entries)
            and self.job.head.strategy not in {"CREATE", "DELETE"}
        ):
            return {}
        return await there(s, entries)

    def _told(self, part: Part, entries: Sequence[Entry], answered: Answered) -> PartDone:
        """What a part came to; what was refused of it goes into the file of that."""
        for index, reasons in sorted(answered.refused.items()):
            self.refused.add(entries[index], reasons)
        self._warnings += answered.warnings
        counts, first = answered.counts, part.numbers[0]
        return PartDone(
            [number for number in part.numbers if number - first not in answered.refused],
            {first + index: "; ".join(reasons) for index, reasons in answered.refused.items()},
            created=counts["created"], updated=counts["updated"], deleted=counts["deleted"], ignored=counts["ignored"],
        )  # fmt: skip

    async def _send(
        self, s: Session, number: int, entries: Sequence[Entry], at: int, found: Answered, left: list[int]
    ) -> None:
        """Entries in one request; those that a server does not read at all in halves, until what spoils them is known."""
        outcome = await self._answer(s, number, entries)
        if isinstance(outcome, Dhis2Error):
            raise outcome
        reasons = reasons_of(outcome, entries, self.job.head.names)
        unread = outcome.status == "ERROR" and not outcome.has_report
        if unread and len(entries) > 1 and left[0] > 0 and not self.job.head.atomic:
            left[0] -= 2
            middle = len(entries) // 2
            await self._send(s, number, entries[:middle], at, found, left)
            await self._send(s, number, entries[middle:], at + middle, found, left)
            return
        if outcome.status == "ERROR" and (self.job.head.atomic or not reasons):
            told = [outcome.message or "the server refused it and does not say why"]
            others = ["another object was refused, and it was all or nothing"]
            reasons = {index: reasons.get(index) or (others if reasons else told) for index in range(len(entries))}
        count = outcome.import_count
        found.refused |= {at + index: why for index, why in reasons.items()}
        found.counts.update(created=count.created, updated=count.updated, deleted=count.deleted)
        if not reasons:  # else it is what was refused
            found.counts["ignored"] += count.ignored
        found.warnings += [
            reports.reason(row, self.job.head.names) for row in outcome.conflicts if row.severity == "warning"
        ]
        if not count.total and not reasons:
            raise BrokenAnswer(
                f"the server counted none of {len(entries):,} objects and says nothing of them",
                hint="the same line once more sends this part again",
            )

    async def _answer(self, s: Session, number: int, entries: Sequence[Entry]) -> WebMessage | Dhis2Error:
        """The report of one import: at once, or of the server's job that does it."""
        options: TrackerOptions = {
            "import_strategy": self.job.head.strategy, "atomic_mode": "ALL" if self.job.head.atomic else "OBJECT",
        }  # fmt: skip
        size = sum(entry.weight for entry in entries)
        task = self.job.task(number)
        if task is None and size < WATCHED:
            return await attempt(s.client.tracker.report_of(bundle_of(entries), **options))
        if task is None:
            started = await attempt(s.client.tracker.start_import(bundle_of(entries), **options))
            if isinstance(started, Dhis2Error) or started.task_ref is None:
                return started
            task = started.task_ref.uid
            self.job.keep_task(number, task)
        report = await self._watched(s, task)
        self.job.keep_task(number, None)
        if report is None:  # a server that was started anew knows nothing of it: the part goes out again
            return await self._answer(s, number, entries)
        return report

    async def _watched(self, s: Session, task: str) -> WebMessage | None:
        """The report of a job of the server, when it has ended; None where the server does not know it (any more)."""
        reference = TaskRef(job_type="TRACKER_IMPORT_JOB", uid=task)
        silent = 0
        while True:
            try:
                body = await s.client.tasks.summary(reference)
                return WebMessage.of(body)
            except NotFound:
                lines = await s.client.get(f"tracker/jobs/{task}")
                rows = lines if isinstance(lines, list) else []
                silent = 0 if rows else silent + 1
                if rows and isinstance(rows[0], dict):
                    s.person.progress(f"server: {rows[0].get('message')}", 0, None)
                if silent > 20:
                    return None
                await asyncio.sleep(NOT_DONE_YET)

    def _forgive(self, answered: Answered, entries: Sequence[Entry], before: Mapping[str, JsonObject]) -> None:
        """Of a part that went out before: what is there already, or gone, came so by the request that got no answer."""
        codes = (
            GONE
            if self.job.head.strategy == "DELETE"
            else ALREADY
            if self.job.head.strategy == "CREATE"
            else set[str]()
        )
        for index in list(answered.refused):
            entry = entries[index]
            known = _uid(entry.kind, entry.body) in before
            ours = known if self.job.head.strategy == "DELETE" else not known
            if codes and ours and all(any(code in reason for code in codes) for reason in answered.refused[index]):
                del answered.refused[index]

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Which entries of a part that no answer came for the server has."""
        number = self._first[part.numbers[0]]
        entries = self.job.entries(number)
        now = await there(s, entries)
        first = part.numbers[0]
        deleting = self.job.head.strategy == "DELETE"
        shown = Shown(s)
        done = [first + index for index, entry in enumerate(entries) if await has(shown, entry, now, deleting=deleting)]
        count = _written([entries[at - first] for at in done], self.job.before(number) or {}, deleting=deleting)
        return PartDone(done, created=count["created"], updated=count["updated"], deleted=count["deleted"])

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """What was refused, before sending or by the server, are failures of the whole; warnings are said."""
        where = self.refused.deliver()
        notes = [summary.note] if summary.note else []
        notes += [
            f"{counted(count, 'part')} got no answer ({text}); looked at afterwards: what became of it is known"
            for text, count in self._lost.items()
        ]
        said = Counter(self._warnings)
        notes += [f"warning{f' ({count:,} times)' if count > 1 else ''}: {text}" for text, count in said.most_common(5)]
        summary.ignored += self.unchanged
        if summary.ignored and self.job.head.strategy in comparing.UPDATES:
            notes.append("ignored is what the server holds already as it was said")
        if not cut_off:
            summary.failures = self.refused.failures()
            notes += [f"{self.refused.count:,} refused: {where}"] if self.refused.count else []
        summary.note = "; ".join(notes) or None


def _written(entries: Sequence[Entry], before: Mapping[str, JsonObject], *, deleting: bool) -> Counter[str]:
    """How many objects of entries were created, changed or deleted, by what was there before."""
    if deleting:
        return Counter(deleted=len(entries))
    return Counter(
        "updated" if _uid(kind, body) in before else "created" for entry in entries for kind, body in entry.sent()
    )


async def there(s: Session, entries: Sequence[Entry]) -> dict[str, JsonObject]:
    """What the server has of the objects of some entries, by UID, as `held` has it."""
    wanted: dict[tuple[Kind, str | None], dict[str, None]] = {}
    for entry in entries:
        for kind, body in entry.objects():
            program = str(body["program"]) if kind in {"enrollments", "events"} and body.get("program") else None
            wanted.setdefault((kind, program), {})[_uid(kind, body)] = None
    found: dict[str, JsonObject] = {}
    if any(kind == "trackedEntities" for kind, _ in wanted):  # what hangs on them comes with them
        uids = [uid for (kind, _), some in wanted.items() if kind == "trackedEntities" for uid in some]
        for row in (await reading.by_uid(s, "trackedEntities", uids, fields=reading.TREE)).values():
            for kind, body in _tree(row):
                found[_uid(kind, body)] = held(kind, body)
    for (kind, program), some in wanted.items():
        uids = [uid for uid in some if uid not in found]
        inside = kind in {"enrollments", "events"} and all(entry.kind == "trackedEntities" for entry in entries)
        if kind == "trackedEntities" or not uids or inside:
            continue
        rows = await reading.by_uid(s, kind, uids, program=program)
        found |= {uid: held(kind, row) for uid, row in rows.items()}
    return found


def _tree(row: Row) -> Iterator[tuple[Kind, Row]]:
    """An entity, its enrollments and events as rows that say whose they are."""
    for kind, body in walk("trackedEntities", row):
        if kind == "enrollments":
            body.setdefault("trackedEntity", row.get("trackedEntity"))
        yield kind, body


async def has(shown: Shown, entry: Entry, now: Mapping[str, JsonObject], *, deleting: bool) -> bool:
    """Has the server what an entry says?"""
    if deleting:
        return _uid(entry.kind, entry.body) not in now
    for kind, body in entry.objects():
        if _uid(kind, body) not in now or await differing(shown, kind, body, now):
            return False
    return True


async def differing(shown: Shown, kind: Kind, body: JsonObject, there: Mapping[str, JsonObject]) -> list[str]:
    """The properties that an object says and that are others on the server; of values those that it names and that show.

    Parameters:
        there: what the server has, by UID, this object too.
    """
    wanted, now = held(kind, body), there[_uid(kind, body)]
    if kind in VALUES and (name := VALUES[kind][0]) in body:  # an empty one takes a value away
        wanted[name] = said(kind, body)
    if kind == "trackedEntities":
        given = {uid: value for uid, value in said(kind, body).items() if value not in (None, "")}
        hidden = await shown.hidden(now, there, given)
        wanted["attributes"] = {uid: value for uid, value in said(kind, body).items() if uid not in hidden}
    found: list[str] = []
    for name, value in wanted.items():
        if name in {"completedAt", "potentialDuplicate"}:
            continue
        is_ = now.get(name)
        if name in {"attributes", "dataValues"} and isinstance(value, dict):
            values = is_ if isinstance(is_, dict) else {}
            is_ = {uid: values.get(uid) for uid in value}
        if any(changed({name: value}, {name: is_})):
            found.append(name)
    return found
