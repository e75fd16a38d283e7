"""What is pushed, from a file or from rows, into a job, and the plan of sending it."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.job_folders import to_mend
from dhis2sh.changes.plan import Plan, PlanStep, StepsInBulk
from dhis2sh.client.sending import attempt
from dhis2sh.client.tracker import IDENTIFIERS
from dhis2sh.errors import Dhis2Error, Forbidden, NotFound, Refused, UsageError
from dhis2sh.files import open_packed, parse_json
from dhis2sh.rows.sheets import Where
from dhis2sh.rows.tables import read_text, stream_rows
from dhis2sh.tracker import comparing, jobs, payloads, sending
from dhis2sh.tracker.checking import Checker, Known
from dhis2sh.tracker.held import VALUES
from dhis2sh.tracker.jobs import Job, Preparing
from dhis2sh.tracker.payloads import Entry, Making
from dhis2sh.tracker.reading import inner
from dhis2sh.tracker.recognising import Recognising
from dhis2sh.tracker.refused import Refused as RefusedEntries
from dhis2sh.tracker.sheets import sheet_of
from dhis2sh.tracker.units import Lying
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.rows.rows import Rows
    from dhis2sh.session import Session
    from dhis2sh.tracker.checking import Strategy
    from dhis2sh.tracker.programs import Program
    from dhis2sh.tracker.sheets import Sheet
    from dhis2sh.types import JsonObject, Row

BATCH = 500
VALIDATED = 1_000
"""Objects up to which the server is asked for its verdict before anything is sent."""
TOLD = 8
ONCE = "take it out, or say --repeated where another one is meant"
VERBS: Mapping[Strategy, str] = {
    "CREATE_AND_UPDATE": "push",
    "CREATE": "create",
    "UPDATE": "update",
    "DELETE": "delete",
}


@dataclass(slots=True)
class Load:
    """How objects are pushed.

    Parameters:
        what: what they are, for titles, such as `children.csv`.
        strategy: what the server does with them; atomic: all or none.
        undo: keep what was there before.
        rejected: where refused ones go when the rest was sent; into the job's folder alone without it.
        program: of the rows of a sheet; given: `orgUnit`, `enrolledAt`, `occurredAt` of all of them.
        repeated: new objects that say the very same as one before them are others.
        size: objects in one request.
    """

    what: str
    strategy: Strategy = "CREATE_AND_UPDATE"
    atomic: bool = False
    undo: bool = True
    rejected: Path | None = None
    program: Program | None = None
    given: Mapping[str, str] = field(default_factory=dict[str, str])
    repeated: bool = False
    size: int = field(default_factory=lambda: jobs.IN_ONE_PART)


class Source:
    """Entries as they are read; how a sheet was read, and what was noticed, are known behind the first of them.

    Parameters:
        load: how they are pushed; making: gives UIDs.
    """

    def __init__(self, load: Load, making: Making) -> None:
        self._load, self._making = load, making
        self.sheet: Sheet | None = None
        self.notes: list[str] = []

    async def of_rows(
        self, batches: AsyncIterable[Sequence[Row]], *, first: int = 1, blanks: bool = False
    ) -> AsyncGenerator[list[Entry]]:
        """Rows of a sheet, or objects, in batches.

        Parameters:
            first: the number of the first of them.
            blanks: rows without fields are lines without anything in them, or hidden ones that are left out.
        """
        place = first - 1
        async for batch in batches:
            entries: list[Entry] = []
            for row in batch:
                place += 1
                if row or not blanks:
                    entries += self._one(row, place, batch)
            yield entries

    def _one(self, row: Row, place: int, batch: Sequence[Row]) -> list[Entry]:
        nested = any(isinstance(value, (list, dict)) for value in row.values())
        kind = payloads.kind_of(row)
        flat = not nested and (self.sheet is not None or any(key not in _OBJECT for key in row))
        if kind is not None and not flat:
            entry, links = payloads.normal(kind, row, self._making, place, f"{_WORD[kind]} {place:,}")
            return [entry, *links]
        if self._load.program is None:
            raise UsageError(f"{self._load.what} is a sheet: of which program?", hint="--program NAME")
        if self.sheet is None:
            headers = list(dict.fromkeys(name for one in batch for name in one))
            self.sheet = sheet_of(self._load.program, headers, self._load.given)
        known = {*self.sheet.columns, *self.sheet.above, *self.sheet.named}
        if new := [name for name in row if name not in known and row[name] not in (None, "")]:
            sheet_of(self._load.program, new, {**self._load.given, "orgUnit": ""})  # a column that nobody knows is said
            headers = list(dict.fromkeys([*known, *new]))
            self.sheet = sheet_of(self._load.program, headers, self._load.given)
        entry = self.sheet.entry(row, place, self._making)
        return [entry] if entry is not None else []

    async def of_bundle(self, body: JsonObject) -> AsyncGenerator[list[Entry]]:
        """The objects of a bundle; relationships that were inside of others come last."""
        self.notes += payloads.said(body)
        links: list[Entry] = []
        entries: list[Entry] = []
        numbers: dict[str, int] = {}
        for kind, item in payloads.in_bundle(body, self._load.what):
            numbers[kind] = numbers.get(kind, 0) + 1
            entry, more = payloads.normal(kind, item, self._making, numbers[kind], f"{_WORD[kind]} {numbers[kind]:,}")
            entries.append(entry)
            links += more
        seen: set[str] = {str(entry.body.get("relationship")) for entry in entries}
        for link in links:  # the same one may stand at both of its ends
            if str(link.body["relationship"]) not in seen:
                seen.add(str(link.body["relationship"]))
                entries.append(link)
        for at in range(0, len(entries), BATCH):
            yield entries[at : at + BATCH]


_WORD = {"trackedEntities": "entity", "enrollments": "enrollment", "events": "event", "relationships": "relationship"}
_OBJECT = {
    "trackedEntity", "trackedEntityType", "orgUnit", "enrollment", "event", "program", "programStage", "status", "enrolledAt",
    "occurredAt", "scheduledAt", "completedAt", "followUp", "inactive", "potentialDuplicate", "attributeOptionCombo",
    "relationship", "relationshipType", "from", "to", *payloads.ALSO_CALLED, *payloads.LEFT_OUT,
}  # fmt: skip
"""The properties of objects: a row with any other that nests nothing is a row of a sheet."""


def of_file(path: Path, load: Load, where: Where | None = None) -> tuple[Source, AsyncGenerator[list[Entry]]]:
    """The entries of a file: a bundle, objects one by one, or a sheet.

    Parameters:
        where: the sheet and the header, and whether what is hidden is left out.

    Raises `NotFound`, `UsageError`.
    """
    where = where or Where()
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    source = Source(load, Making())
    ending = "".join(path.suffixes[-2:]).lower()
    if ending.endswith((".json", ".json.gz")):
        text = _text(path)
        if text.lstrip()[:1] != "[":
            if where != Where():
                raise UsageError(
                    f"{path.name} is no sheet", hint="--sheet, --header-row and --skip-hidden are for sheets"
                )
            body = parse_json(text, path.name)
            if not isinstance(body, dict):
                raise UsageError(
                    f"{path.name} holds no objects", hint="dhis2 data tracker export PROGRAM  shows the form"
                )
            return source, source.of_bundle(body)
    sheet = ending.endswith((".csv", ".tsv", ".txt", ".xlsx", ".csv.gz", ".tsv.gz", ".txt.gz"))
    rows = stream_rows(path, blanks=sheet, where=where, tell=source.notes.append)
    first = 1 + where.header if sheet else 1  # rows count from the sheet's first line
    return source, source.of_rows(rows.plain_batches(), first=first, blanks=sheet)


def _text(path: Path) -> str:
    if path.suffix.lower() != ".gz":
        return read_text(path)
    with open_packed(path) as file:
        return file.read().decode("utf-8-sig")


def of_rows(rows: Rows[Row], load: Load) -> tuple[Source, AsyncGenerator[list[Entry]]]:
    """The entries of rows that are in memory."""
    plain = rows.plain()
    source = Source(load, Making())

    async def one() -> AsyncGenerator[list[Row]]:
        yield plain

    return source, source.of_rows(one())


def _nothing_in(s: Session, load: Load, source: Source) -> NotFound:
    """The error of a push without an object; what was noticed while it was read, such as hidden rows, is said."""
    for note in source.notes:
        s.person.warn(note)
    return NotFound(f"{load.what}: there is no object", hint="dhis2 data tracker export PROGRAM  shows the form")


async def plan(s: Session, source: Source, batches: AsyncIterable[list[Entry]], load: Load) -> Plan:
    """The plan of a push: every object is checked against the server's metadata and laid into the parts of a job.

    Raises errors of what is read.
    """
    known = Known(s)
    checker = Checker(known, load.strategy)
    preparing = Preparing(s.profile.name, load.size if not load.atomic else 10**9)
    refused = RefusedEntries(preparing.path / "refused.ndjson", load.rejected)
    given = 0
    alike = Alike(load)
    lying = Lying(s, known)
    recognising = Recognising(s, known, load)
    try:
        async for entries in batches:
            refused.sheet = source.sheet
            if source.sheet is not None:
                refused.path = refused.path.with_suffix(".csv")
            if load.strategy != "DELETE":
                await known.meet(entries)
                await lying.meet(entries, source.sheet.above if source.sheet is not None else ())
                await recognising.meet(entries)
                await known.meet(entries)
            for entry in entries:
                given += 1
                _check(entry, alike, checker, load)
                if entry.problems:
                    refused.add(entry, entry.problems)
                else:
                    preparing.add(entry)
            s.person.progress(f"check {load.what}", given, None)
        if not given:
            raise _nothing_in(s, load, source)
        refused.close()
        title = f"{VERBS[load.strategy]} {counted(preparing.objects, 'object')}: {load.what}"
        job = preparing.finish(
            title, s.profile.url, load.strategy, atomic=load.atomic, names=known.names, numeric=known.numeric()
        )
    except BaseException:
        refused.close()
        preparing.drop()
        raise
    refused.path = job.path / refused.path.name
    job, there, unchanged = await _narrowed(s, job, load)
    refused.path = job.path / refused.path.name
    if source.sheet is not None and source.sheet.above:
        source.notes.append(f"held against where the units lie: {', '.join(source.sheet.above)}")
    notes = [*source.notes, *lying.notes(), *recognising.notes(), *alike.notes()]
    if unchanged:
        notes.append(f"{counted(unchanged, 'object')} there already as {load.what} says: not sent")
    made = await planned(s, job, refused, notes, given, there)
    made.writer = sending.Bundles(job, refused, notes, undo=load.undo, unchanged=unchanged)
    if made.blocked is None and refused.count and not made.steps and not unchanged:
        made.blocked = Refused(
            f"none of the {given:,} can be sent: {refused.lines()[0]}",
            hint=f"mend them in {to_mend(refused.path, refused.wanted)}",
        )
    if made.blocked is not None:
        made.leave = refused.deliver
    return made


async def _narrowed(s: Session, job: Job, load: Load) -> tuple[Job, dict[str, JsonObject] | None, int]:
    """A small job without what the server has already as it is said; what the server has; how many objects are left out.

    A big one is compared part by part when it is sent, one that was begun goes on as it is.
    """
    if not 0 < job.head.objects <= VALIDATED or load.strategy not in comparing.UPDATES:
        return job, None, 0
    entries = [entry for part in job.left() for entry in job.entries(part)]
    try:
        there = await sending.there(s, entries)
    except (Forbidden, Refused):  # who may write and not read writes without a comparison
        return job, None, 0
    if job.begun:
        return job, there, 0
    for entry in entries:
        copy = deepcopy(entry)  # what a row does not say is filled in when it is sent, as it is then
        if copy.sheet:
            comparing.complete(copy, there, job.head.numeric)
        comparing.compare(copy, there)
        entry.same = copy.same
    unchanged = comparing.unchanged(entries)
    if not unchanged:
        return job, there, 0
    preparing = Preparing(s.profile.name, load.size if not load.atomic else 10**9)
    for entry in entries:
        if entry.weight:
            preparing.add(entry)
    for file in job.path.glob("refused.*"):
        file.replace(preparing.path / file.name)
    shutil.rmtree(job.path, ignore_errors=True)
    title = f"{VERBS[load.strategy]} {counted(preparing.objects, 'object')}: {load.what}"
    made = preparing.finish(
        title, s.profile.url, load.strategy, atomic=load.atomic, names=job.head.names, numeric=job.head.numeric
    )
    return made, there, unchanged


def _check(entry: Entry, alike: Alike, checker: Checker, load: Load) -> None:
    """What is wrong with an entry, into its problems."""
    if not alike.meet(entry):
        checker.check(entry)
    if load.strategy == "DELETE":
        _only_named(entry)


def _only_named(entry: Entry) -> None:
    """Of an entry that is to be deleted what names it; one that nobody has named has a problem."""
    if entry.made:
        entry.problems.append("a deletion names what is deleted: the UID is missing")
    entry.body = payloads.only(entry)


class Alike:
    """New objects that say the very same as one before them: sent only where somebody has said that others are meant.

    Parameters:
        load: how they are pushed.
    """

    def __init__(self, load: Load) -> None:
        self._repeated = load.repeated
        self._first: dict[int, tuple[str, Sequence[str]]] = {}
        self._pairs: list[str] = []

    def meet(self, entry: Entry) -> bool:
        """Look at an entry, before anything in it is resolved. True where it is refused, for saying what one before it says.

        It has the UIDs of the other one then: who pushes what was refused makes no second one of it.
        """
        if str(entry.body.get(IDENTIFIERS[entry.kind])) not in entry.made:
            return False
        text = json.dumps([entry.kind, entry.body], sort_keys=True, default=str)
        for uid in entry.made:
            text = text.replace(uid, "")
        first, uids = self._first.setdefault(hash(text), (entry.label, tuple(entry.made)))
        if first == entry.label:
            return False
        if self._repeated:
            self._pairs.append(f"{entry.label} is the same as {first}")
            return False
        entry.problems.append(f"it says the very same as {first}: {ONCE}")
        same = dict(zip(entry.made, uids, strict=True))
        entry.given = {name: same.get(str(cell), cell) for name, cell in (entry.given or {}).items()} or None
        whole = json.dumps(entry.body, default=str)
        for uid, other in same.items():
            whole = whole.replace(uid, other)
        entry.body = cast("JsonObject", json.loads(whole))
        return True

    def notes(self) -> list[str]:
        """What is to be said of them."""
        told = listed(self._pairs, TOLD)
        return [f"each becomes an object of its own, though {told}"] if told else []


async def planned(
    s: Session, job: Job, refused: RefusedEntries, notes: list[str], given: int, there: Mapping[str, JsonObject] | None
) -> Plan:
    """The plan of what is left of a job.

    Parameters:
        refused: entries that were refused before anything is sent.
        notes: what is to be said of the plan and of what was written.
        given: how many entries there were.
        there: what the server has of the objects, by UID; None where it was not looked at.
    """
    left = job.left()
    if len(left) < job.head.parts:
        notes.append(f"{job.head.parts - len(left)} of {job.head.parts} parts were answered in an earlier run")
    if any(job.was_sent(part) for part in left):
        notes.append("one part was sent and had no answer: it is sent again, under the same UIDs")
    if any(True for _ in jobs.earlier(job)):
        notes.append("the same was pushed before: the same objects are written again, and none is doubled")
    said = [*notes]
    if left and job.head.objects <= VALIDATED and len(left) == job.head.parts:
        said += await _validated(s, job, left, there or {})
    elif left and job.head.objects > VALIDATED:
        said.append(f"the server looks at {job.head.objects:,} objects when they are sent, part by part")
    if refused.count:
        said += [f"refused: {line}" for line in refused.lines()]
        later = f" (and in {refused.wanted} when it has been sent)" if refused.wanted is not None else ""
        said.append(f"what is refused, with the reasons: {refused.path}{later}")
    count = sum(job.count(part) for part in left)
    steps = StepsInBulk({("import", "tracker"): count} if count else {}, _Steps(job, left, there))
    title = f"{job.head.title} into {s.profile.name}" + (
        f"; {refused.count:,} of {given:,} refused" if refused.count else ""
    )
    made = Plan(title, steps, notes=said, names={**job.head.names}, asks=True)
    if refused.count and job.head.atomic:
        made.blocked = Refused(
            f"all or nothing, and {refused.count:,} of {given:,} cannot be sent: {refused.lines()[0]}",
            hint=f"mend them in {to_mend(refused.path, refused.wanted)}, or push without --atomic",
        )
    return made


async def _validated(s: Session, job: Job, left: Sequence[int], there: Mapping[str, JsonObject]) -> list[str]:
    """What the server says of a small push before it is sent."""
    entries = [entry for part in left for entry in job.entries(part)]
    for entry in entries:
        if entry.sheet and there:
            comparing.complete(entry, there, job.head.numeric)
    outcome = await attempt(
        s.client.tracker.dry_run(
            sending.bundle_of(entries),
            import_strategy=job.head.strategy,
            atomic_mode="ALL" if job.head.atomic else "OBJECT",
        )
    )
    if isinstance(outcome, Dhis2Error):
        return [f"the server will refuse all of it: {outcome.message}"]
    reasons = sending.reasons_of(outcome, entries, job.head.names)
    told = [f"the server will refuse {entries[at].label}: {'; '.join(why)}" for at, why in list(reasons.items())[:TOLD]]
    if len(reasons) > TOLD:
        told.append(f"the server will refuse {len(reasons) - TOLD:,} more")
    if outcome.status == "ERROR" and not reasons:
        told.append(f"the server will refuse it: {outcome.message or 'it does not say why'}")
    return told or ["the server has nothing against it"]


class _Steps:
    """Makes the step of one entry, when somebody looks at it."""

    def __init__(self, job: Job, left: Sequence[int], there: Mapping[str, JsonObject] | None) -> None:
        self._job, self._left, self._there = job, left, there
        self._at: tuple[int, int, list[Entry]] = (0, 0, [])

    def __call__(self, number: int) -> PlanStep:
        first, end, entries = self._at
        if not first <= number < end:
            at = 0
            for part in self._left:
                count = self._job.count(part)
                if at <= number < at + count:
                    entries, first = self._job.entries(part), at
                    self._at = (at, at + count, entries)
                    break
                at += count
        entry = entries[number - first]
        return PlanStep("import", "tracker", name=entry.label, detail=self._words(entry))

    def _words(self, entry: Entry) -> str:
        head, there = self._job.head, self._there
        if there is None:
            return words(entry, head)
        if entry.sheet:
            comparing.complete(entry, there, head.numeric)
        return comparing.words(entry, there, head.names) or words(entry, head, new=True)


def words(entry: Entry, head: jobs.Head, *, new: bool = False) -> str:
    """What an entry is, in a line.

    Parameters:
        new: the server was looked at, and has nothing of it.
    """
    if head.strategy == "DELETE":
        return f"delete {_WORD[entry.kind]} {entry.body.get(IDENTIFIERS[entry.kind])}"
    names = head.names
    uid = str(entry.body.get(IDENTIFIERS[entry.kind]))
    parts = [f"{'new' if new or uid in entry.made else 'new or changed'} {_WORD[entry.kind]} {uid}"]
    for key in ("program", "programStage", "orgUnit"):
        if entry.body.get(key):
            parts.append(names.get(str(entry.body[key]), str(entry.body[key])))
    if entry.kind in VALUES:
        name, key = VALUES[entry.kind]
        values = inner(entry.body, name)
        parts += [f"{names.get(str(value[key]), value[key])}: {value.get('value')}" for value in values[:4]]
        parts += [f"and {len(values) - 4} more values"] if len(values) > 4 else []
    enrollments = inner(entry.body, "enrollments")
    events = inner(entry.body, "events") + [event for one in enrollments for event in inner(one, "events")]
    parts += [counted(len(enrollments), "enrollment")] if enrollments else []
    parts += [counted(len(events), "event")] if events else []
    return ", ".join(parts)


def strategy_of(text: str) -> Strategy:
    """A strategy as people write it. Raises `UsageError`."""
    name = text.upper().replace("-", "_")
    if name not in VERBS:
        raise UsageError(f"there is no strategy '{text}'", hint="create-and-update, create, update or delete")
    return cast("Strategy", name)


def given_of(values: Mapping[str, str | None]) -> dict[str, str]:
    """What is said of all rows, without what is not."""
    return {name: value for name, value in values.items() if value is not None}
