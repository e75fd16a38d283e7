"""The writer of data values: parts of a job go out one by one.

API source: `POST /api/dataValueSets` (api-facts f.1).
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from dhis2sh.changes.plan import AGAIN, Part, PartDone
from dhis2sh.changes.refusals import named
from dhis2sh.client.messages import TaskRef, WebMessage
from dhis2sh.client.sending import attempt, send
from dhis2sh.client.tasks import FIRST_WAIT, notifications_of
from dhis2sh.data.cells import cell_of
from dhis2sh.data.reading import cells_now, elements_without_zeros, is_zero, values_now
from dhis2sh.errors import BrokenAnswer, Dhis2Error, NetworkError, NotFound, ServerFault
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.client.requests import Param
    from dhis2sh.data.jobs import Job
    from dhis2sh.data.refused import RefusedRows
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

NAME = "dataValues"
JOB = "DATAVALUE_IMPORT"
REPORTED_WITHIN = 10
"""Looks at the report of a job that has said its last word."""
HALVED = 64
"""Requests in which a part that was refused whole is tried in smaller pieces, to find the rows that spoil it."""


@dataclass(slots=True)
class Answered:
    """What became of some rows, by their numbers in the part; zeros that the server does not keep are no changes."""

    refused: dict[int, str] = field(default_factory=dict[int, str])
    zeros: list[int] = field(default_factory=list[int])
    counts: Counter[str] = field(default_factory=Counter[str])


@dataclass(slots=True)
class Values:
    """The writer: what is left of a job.

    Parameters:
        job: whose parts go out.
        default: the server's default option combination.
        refused: takes the rows that are not written; it may hold some that were refused before anything was sent.
        notes: what was left out and why.
        by_job: the server imports each part in a job of its own, which is watched.
    """

    name: ClassVar[str] = NAME
    bulk: ClassVar[bool] = True

    job: Job
    default: str
    refused: RefusedRows
    notes: Sequence[str] = ()
    what: str = "data values"
    concurrency: int = 1
    again: str = AGAIN
    by_job: bool = False
    _first: dict[int, int] = field(default_factory=dict[int, int])
    _zeros: int = 0
    _before: set[str] | None = None
    """The cells that had a value before."""
    _lost: Counter[str] = field(default_factory=Counter[str])

    def parts(self) -> Iterator[Part]:
        """The parts without an answer, in order."""
        at = 0
        for number in self.job.left():
            count = len(self.job.places(number))
            self._first[at] = number
            yield Part(range(at, at + count), digest=self.job.digest(number))
            at += count

    async def moved(self, s: Session) -> list[str]:
        """Values have no version: the later one wins. What the cells hold now is kept, before anything is sent."""
        if self.job.head.undo and not self.job.has_before:
            await self._keep_before(s)
        return []

    async def send(self, s: Session, part: Part) -> PartDone:
        """One part."""
        number = self._first[part.numbers[0]]
        self.job.mark_sent(number)
        head, rows = self.job.content(number)
        answered = Answered()
        try:
            await self._send(s, head, rows, 0, answered, [HALVED], number)
        except (ServerFault, NetworkError) as error:
            answered = await self._looked(s, part, error)
        else:
            if (await s.client.version()).has("counts_updates_alone"):
                self._tell_new(rows, answered)
        self.job.keep_answer(
            number, {"counts": {**answered.counts}, "refused": {str(k): v for k, v in answered.refused.items()}}
        )
        return self._told(part, number, rows, answered)

    def _tell_new(self, rows: Sequence[Row], answered: Answered) -> None:
        """Of what a server calls updated, count as created what was not there before, where that is known."""
        if not self.job.has_before or answered.counts["created"]:
            return
        had = self._cells_before()
        written = (row for index, row in enumerate(rows) if index not in answered.refused and not row.get("deleted"))
        new = sum(cell_of(row, self.default) not in had for row in written)
        new = min(new, answered.counts["updated"])
        answered.counts.update(created=new, updated=-new)

    def _cells_before(self) -> set[str]:
        if self._before is None:
            self._before = {cell_of(row, self.default) for row in self.job.before()}
        return self._before

    async def _looked(self, s: Session, part: Part, error: Dhis2Error) -> Answered:
        """What a part came to that no answer came for, where the server has all of it; else raises the error."""
        try:
            told = await self.look_back(s, part)
        except Dhis2Error:
            raise error from None
        if len(told.done) < len(part.numbers):
            raise error
        self._lost[error.message] += 1
        return Answered(counts=Counter(created=told.created, updated=told.updated, deleted=told.deleted))

    def _told(self, part: Part, number: int, rows: Sequence[Row], answered: Answered) -> PartDone:
        """What a part came to; its refused rows go into the file of those."""
        places = self.job.places(number)
        refused = {index: named(reason, self.refused.names) for index, reason in sorted(answered.refused.items())}
        for index, reason in refused.items():
            self.refused.add(places[index], rows[index], reason)
        counts = answered.counts
        self._zeros += counts["zeros"]
        first, not_done = part.numbers[0], {*answered.refused, *answered.zeros}
        return PartDone(
            [number for number in part.numbers if number - first not in not_done],
            {first + index: reason for index, reason in refused.items()},
            untouched=[first + index for index in sorted(answered.zeros)],
            created=counts["created"], updated=counts["updated"], deleted=counts["deleted"], ignored=counts["ignored"],
        )  # fmt: skip

    async def _send(
        self, s: Session, head: JsonObject, rows: Sequence[Row], at: int, found: Answered, left: list[int],
        part: int | None = None,
    ) -> None:  # fmt: skip
        """Rows in one request; those that a server refuses whole because of a few, in halves until the few are known.

        Parameters:
            part: the number of the part, where it is sent whole.
        """
        params: dict[str, Param] = {"importStrategy": self.job.head.strategy}
        body: JsonObject = {**head, "dataValues": [*rows]}
        if self.by_job:
            outcome = await self._in_a_job(s, body, params, part)
        else:
            outcome = await attempt(send(s.client, "POST", "dataValueSets", body, params))
        if isinstance(outcome, Dhis2Error):
            raise outcome
        reasons = refusals(outcome, len(rows))
        if len(reasons) == len(rows) > 1 and len(set(reasons.values())) == 1 and _whole(outcome) and left[0] > 0:
            left[0] -= 2
            middle = len(rows) // 2
            await self._send(s, head, rows[:middle], at, found, left)
            await self._send(s, head, rows[middle:], at + middle, found, left)
            return
        count = outcome.import_count
        found.refused |= {at + index: reason for index, reason in reasons.items()}
        unchanged = max(0, count.ignored - len(reasons))
        found.counts.update(created=count.created, updated=count.updated, deleted=count.deleted, ignored=unchanged)
        missing = len(rows) - count.created - count.updated - count.deleted - count.ignored
        if missing > 0 and not reasons:
            without = await elements_without_zeros(s, rows)
            zeros = [index for index, row in enumerate(rows) if is_zero(row) and str(row["dataElement"]) in without]
            if missing <= len(zeros):
                found.counts["zeros"] += missing
                found.zeros += [at + index for index in self._not_kept(rows, zeros, missing)]
                return
            raise BrokenAnswer(
                f"the server counted {count.total:,} of {len(rows):,} data values and says nothing of the rest",
                hint="the same line once more sends this part again",
            )

    def _not_kept(self, rows: Sequence[Row], zeros: Sequence[int], count: int) -> list[int]:
        """Which zeros a server has not kept, of some of which others have deleted a value: those of cells that had none."""
        had = self._cells_before() if self.job.has_before else set[str]()
        return sorted(zeros, key=lambda at: cell_of(rows[at], self.default) in had)[:count]

    async def _in_a_job(
        self, s: Session, body: JsonObject, params: dict[str, Param], part: int | None
    ) -> WebMessage | Dhis2Error:
        """What a job of the server's said of rows: of the one that an earlier run has started, or of a new one."""
        uid = self.job.task(part) if part is not None else None
        if uid is not None and await _known(s, uid) and (told := await _told_of(s, uid)) is not None:
            return told
        started = await attempt(send(s.client, "POST", "dataValueSets", body, {**params, "async": "true"}))
        if isinstance(started, Dhis2Error) or started.task_ref is None:
            return started
        uid = started.task_ref.uid
        if part is not None:
            self.job.keep_task(part, uid)
        told = await _told_of(s, uid)
        if told is None:
            raise BrokenAnswer(
                f"the server's job {uid} has ended and says nothing of its import",
                hint="the same line once more sends this part again",
            )
        return told

    async def _keep_before(self, s: Session) -> None:
        """Read what the cells of the job hold now, into the job."""
        head = self.job.head
        cells = {cell_of(row, self.default) for part in range(1, head.parts + 1) for row in self.job.rows(part)}
        found = values_now(s, head.elements, head.periods, head.units, lambda row: cell_of(row, self.default) in cells)
        await self.job.keep_before(found)

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Which of the rows of a part that no answer came for the server has."""
        rows = self.job.rows(self._first[part.numbers[0]])
        now = await cells_now(s, rows, self.default)
        deleting = self.job.head.strategy == "DELETE"
        without = await elements_without_zeros(s, rows)
        first = part.numbers[0]
        done = [
            first + index
            for index, row in enumerate(rows)
            if holds(now.get(cell_of(row, self.default)), row, deleting=deleting, without_zeros=without)
        ]
        if deleting:
            return PartDone(done, deleted=len(done))
        if not self.job.has_before:
            return PartDone(done, updated=len(done))
        before = {cell_of(row, self.default) for row in self.job.before()}
        updated = sum(cell_of(rows[number - first], self.default) in before for number in done)
        return PartDone(done, created=len(done) - updated, updated=updated)

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Rows that were refused, before sending or by the server, are failures of the whole."""
        where = self.refused.deliver()
        if cut_off:
            return
        summary.failures = self.refused.failures()
        if self._zeros:
            summary.say(f"{counted(self._zeros, 'zero')} that the server does not keep")
        for text, count in self._lost.items():
            summary.say(f"{counted(count, 'part')} got no answer ({text}); looked at afterwards: all of it is there")
        if summary.ignored and self.job.head.strategy == "CREATE_AND_UPDATE":
            summary.say("ignored is what the server holds already as it was sent")
        if self.refused.count:
            summary.say(f"{self.refused.count:,} refused rows: {where}")


async def _told_of(s: Session, uid: str) -> WebMessage | None:
    """What a job of the server's said of its import in the end; None of one that says nothing of it.

    Raises `NetworkError`, and what was interrupted: the job goes on.
    """
    job = TaskRef(uid=uid, job_type=JOB)
    try:
        async for line in s.client.tasks.iter_notifications(job):
            s.person.progress(f"job {uid}: {line.message or 'import'}", 0, None)
        for _ in range(REPORTED_WITHIN):  # its last word comes before its report
            if (report := await _report(s, job)) is not None:
                return WebMessage.of(report, status=200)
            await asyncio.sleep(FIRST_WAIT)
    except asyncio.CancelledError:
        s.person.note(
            f"the server's job {uid} goes on importing: the same line once more waits for it and takes its answer"
        )
        raise
    return None


async def _report(s: Session, job: TaskRef) -> JsonObject | None:
    try:
        report = await s.client.tasks.summary(job)
    except BrokenAnswer:  # an empty body
        return None
    return report if isinstance(report, dict) and "importCount" in report else None


async def _known(s: Session, uid: str) -> bool:
    """Has the server a job, or something that it has said?"""
    if await notifications_of(s.client, TaskRef(uid=uid, job_type=JOB)):
        return True
    try:
        body = await s.client.get_object(f"jobConfigurations/{uid}", {"fields": "jobStatus"})
    except NotFound:
        return False
    return body.get("jobStatus") in {"NOT_STARTED", "SCHEDULED", "RUNNING"}


def holds(now: Row | None, row: Row, *, deleting: bool, without_zeros: Collection[str] = ()) -> bool:
    """Does a cell hold what was sent to it?

    Parameters:
        without_zeros: data elements of which a zero is no value.
    """
    if deleting or row.get("deleted"):
        return now is None
    if now is None and is_zero(row) and row["dataElement"] in without_zeros:
        return True
    return now is not None and str(now.get("value", "")) == str(row.get("value", ""))


def _whole(message: WebMessage) -> bool:
    """Has the server written nothing of a request, because of some of its rows?"""
    return message.status == "ERROR" and message.import_count.total == message.import_count.ignored


ADVICE: Mapping[str, tuple[str, str]] = {
    "E7617": (
        "the unit is none of those that this account enters data for, nor below them; after a change of them it signs in anew",
        "dhis2 system whoami",
    ),
    "E7640": ("its time of entry is over: ask for a lock exception, or for whoever may edit expired data", ""),
    "E7641": (
        "the data set takes no period so far ahead",
        "dhis2 metadata get dataSets {data_set} --fields name,openFuturePeriods",
    ),
    "E7642": ("it is unapproved first; who approved it", "dhis2 approval status {data_set} {period} {org_unit}"),
    "E7643": (
        "the data set takes these periods on these days alone",
        "dhis2 metadata get dataSets {data_set} --fields dataInputPeriods",
    ),
    "E7644": ("the data sets of the element take other periods alone (dataInputPeriods)", ""),
}
"""What to do about a row that is refused for its time or place, and what to look at, by code (api-facts f.1); others are left in the server's own words."""
_ABOUT = re.compile(r"(data set|period|org unit)(?: at this time)?: `?(\w+)`?", re.IGNORECASE)
"""What a conflict of these codes is about, as its message says it."""


def _advice(code: str | None, message: str) -> str:
    """What to do about a conflict; its command has what the message names, and is left out where that says too little."""
    if (found := ADVICE.get(code or "")) is None:
        return ""
    why, command = found
    about = {name.lower().replace(" ", "_"): text for name, text in _ABOUT.findall(message)}
    try:
        told = command.format(**about)
    except KeyError:
        told = ""
    return f" ({why}: {told})" if told else f" ({why})"


def refusals(message: WebMessage, size: int) -> dict[int, str]:
    """Why which rows of a request were refused, by their place in it. Raises `Refused` for one that was not read at all."""
    conflicts = [row for row in message.conflicts if row.severity == "error"]
    reasons: dict[int, str] = {}
    for conflict in conflicts:
        text = f"{conflict.code} {conflict.message}" if conflict.code else conflict.message
        text += _advice(conflict.code, conflict.message)
        for index in conflict.indexes:
            reasons[index] = f"{reasons[index]}; {text}" if index in reasons else text
    nameless = next((row for row in conflicts if not row.indexes), None)
    told = f"{nameless.code or ''} {nameless.message}".strip() if nameless else message.message or "refused"
    for index in message.rejected_indexes:
        reasons.setdefault(index, told)
    if message.status == "ERROR" and not reasons:
        reasons = dict.fromkeys(range(size), told)
    return {index: reason for index, reason in reasons.items() if index < size}
