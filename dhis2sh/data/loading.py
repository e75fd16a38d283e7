"""Values from anywhere into a job, and the plan of sending it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.job_folders import to_mend
from dhis2sh.changes.plan import Plan, PlanStep, StepsInBulk
from dhis2sh.changes.refusals import named
from dhis2sh.client.sending import attempt, send
from dhis2sh.data import jobs, layouts
from dhis2sh.data.cells import ASIDE, DEFAULTED, NAMES, UNREAD, cell_of
from dhis2sh.data.checking import BY_DATE, Checker, Problem, text_of
from dhis2sh.data.headers import OPTIONS
from dhis2sh.data.jobs import Job, Preparing
from dhis2sh.data.reading import cells_now, elements_without_zeros, is_zero
from dhis2sh.data.refused import RefusedRows
from dhis2sh.data.sending import Values, refusals
from dhis2sh.data.target import Target
from dhis2sh.data.totals import Totals
from dhis2sh.dhis2.periods import Period
from dhis2sh.errors import Dhis2Error, NotFound, PartlyDone, Refused, UsageError
from dhis2sh.verbs.places import Places, cells_of
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.data.disaggregation import Columns
    from dhis2sh.data.jobs import Strategy
    from dhis2sh.rows.rows import Rows
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

TOLD = 5
ROWS_BY_SET = 1_000
"""Rows in one request to a server that is told the data set: each is written slowly there (facts, quirk 37)."""
LOOKED_AT = 1_000
"""Rows up to which a plan says what the cells hold now."""
_DECIMAL_COMMA = re.compile(r"-?[\d .]*\d,\d+")
_NEGATIVE = re.compile(r"-[\d.]*[1-9][\d.]*(E-?\d+)?")
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}\.\d{3}")
"""In a sheet of decimal commas a point parts thousands: 1.234 is 1234."""
_POINTED = re.compile(r"-?\d+\.\d+")
"""What is no such number, and tells that points are decimal."""
_MERGED = ", as below merged cells, which hold theirs in the first row alone"
_MAY_BE_MERGED = ("orgUnit", "period", "dataElement")
VERBS = {"CREATE_AND_UPDATE": "import", "CREATE": "create", "UPDATE": "update", "DELETE": "delete"}


@dataclass(slots=True)
class Load:
    """How values are loaded.

    Parameters:
        what: what they are, for titles, such as `values.csv`.
        strategy: what the server does with them.
        undo: keep the values before.
        rejected: where refused rows go when the rest has been sent; into the job's folder alone without it.
        size: rows in one request.
        by_job: the server imports each part in a job of its own, which is watched.
        several_levels: units above others of the load have values of their own; else rows that name such a unit are
            taken for totals and refused.
        by_date: a day stands for the period that it lies in.
        commas: numbers that are texts have decimal commas.
        semicolons: cells are parted by semicolons, as where commas part decimals and points thousands, and nobody has said
            that these do not: values that all have three digits behind a point are refused.
        notes: what is to be said of what is loaded; who reads it may add to it until it is read.
        unread: columns that hold nothing of a value, filled as the notes are.
        called: what the columns of a file are called, by DHIS2's names, filled as the notes are.
        filled: the columns that are filled down.
        given: what options say of all rows, by DHIS2's names of columns: a row that says something else is refused.
        single: it is one value that somebody has typed: what is wrong with it is said, and no file is left behind.
    """

    what: str
    strategy: Strategy = "CREATE_AND_UPDATE"
    undo: bool = True
    rejected: Path | None = None
    size: int = field(default_factory=lambda: jobs.ROWS_IN_ONE_PART)
    by_job: bool = False
    several_levels: bool = True
    by_date: bool = False
    commas: bool = False
    semicolons: bool = False
    notes: list[str] = field(default_factory=list[str])
    unread: list[str] = field(default_factory=list[str])
    called: dict[str, str] = field(default_factory=dict[str, str])
    filled: Sequence[str] = ()
    given: Row = field(default_factory=lambda: {})
    single: bool = False


async def plan(s: Session, batches: AsyncIterable[Sequence[tuple[int, Row]]], load: Load) -> Plan:
    """The plan of a load: every row is checked against the server's metadata and laid into the parts of a job.

    Parameters:
        batches: rows, each with its number in what was given.
        load: how.

    Raises errors of what is read.
    """
    target = Target(s)
    await target.open()
    taking = _Taking(s, target, load, by_set=(await s.client.version()).has("values_by_data_set"))
    try:
        async for batch in batches:
            await meet(target, [row for _, row in batch] + ([load.given] if load.given else []))
            await taking.meet(batch)
            for place, row in batch:
                taking.take(place, row)
            s.person.progress(f"check {load.what}", taking.given, None)
        if not taking.given:
            raise _nothing_in(s, load.what, load.notes)
        if load.single and taking.problem is not None:
            taking.drop()
            return _blocked(load, taking.problem)
        job = taking.finish()
        await taking.look_below(job)
    except BaseException:
        taking.drop()
        raise
    notes = [*load.notes, *taking.notes()]
    if unread := [header for header in (*load.unread, *taking.aside) if header not in taking.above]:
        notes.append(f"columns not read: {', '.join(unread)}")
    if taking.above:
        notes.append(f"held against where the units lie: {', '.join(taking.above)}")
    made = await planned(s, job, target, taking.refused, notes, taking.given)
    if isinstance(made.writer, Values):
        made.writer.by_job = load.by_job
    return made


def _nothing_in(s: Session, what: str, notes: Sequence[str]) -> NotFound:
    """The error of a load without a value; what was noticed while it was read, such as hidden rows, is said."""
    for note in notes:
        s.person.warn(note)
    return NotFound(f"{what}: there is no value", hint="dhis2 data aggregate get  shows what a server has")


def _blocked(load: Load, problem: Problem) -> Plan:
    """The plan of one value that cannot be sent: why, and what to say instead."""
    hint = problem.instead or "dhis2 data aggregate set --help"
    return Plan(f"set {load.what}", blocked=Refused(str(problem).replace(BY_DATE, ""), hint=hint))


class _Taking:
    """Rows on their way into a job: each is checked, and its cell is known by the row that named it first."""

    def __init__(self, s: Session, target: Target, load: Load, *, by_set: bool) -> None:
        self._s, self._url, self._target, self._load, self._by_set = s, s.profile.url, target, load, by_set
        self._preparing = Preparing(s.profile.name, min(load.size, ROWS_BY_SET) if by_set else load.size)
        self.refused = RefusedRows(self._preparing.path / jobs.REFUSED, load.unread, load.rejected)
        self._checker = Checker(target, deleting=load.strategy == "DELETE", by_date=load.by_date, commas=load.commas)
        self._places = Places(s)
        self.above: list[str] = []
        """The columns that say where units lie."""
        self.aside: dict[str, None] = {}
        """The columns of a wide sheet that hold totals or row numbers."""
        self._seen: dict[str, tuple[int, object]] = {}
        self._thousands: list[tuple[int, Row]] = []
        self._commas = self._pointed = False
        self._negative: tuple[int, int] | None = None
        self._totals = Totals(target)
        self._met: set[str] = set()
        self.given = self.repeated = 0
        self.problem: Problem | None = None
        """Why the last refused row is not sent."""

    async def meet(self, batch: Sequence[tuple[int, Row]]) -> None:
        """Read where the units of a batch lie, if it says so itself."""
        self.above = await self._places.columns(self._load.unread)
        if not self.above:
            return
        said = [
            (row, text_of(row["orgUnit"]), cells)
            for _, row in batch
            if row.get("orgUnit") and (cells := cells_of(row.get(UNREAD), self.above))
        ]
        await self._choose([one for one in said if self._target.alike(one[1])])
        found = ((self._target.unit(text_of(row["orgUnit"])), cells) for row, _, cells in said)
        await self._places.meet(
            (unit.uid, cell) for unit, cells in found if not isinstance(unit, str) for _, cell in cells
        )

    async def _choose(self, said: Sequence[tuple[Row, str, list[tuple[str, JsonValue]]]]) -> None:
        """Rows whose unit is called as others are get the one of them that lies where they say, if it is one alone."""
        await self._places.meet(
            (uid, cell) for _, text, cells in said for uid in self._target.alike(text) for _, cell in cells
        )
        for row, text, cells in said:
            if (one := self._places.only(self._target.alike(text), cells)) is not None:
                row["orgUnit"] = one
        await self._target.meet((), _texts([row for row, _, _ in said], "orgUnit"), ())

    def _checked(self, row: Row) -> Row:
        """A row as it is sent. Raises `Problem`, also for one that says that its unit lies where it does not."""
        sent = self._checker.checked(row)
        if self._load.given:
            self._check_given(row, sent)
        for header, cell in cells_of(row.get(UNREAD), self.above):
            if (why := self._places.contradiction(str(sent["orgUnit"]), header, cell)) is not None:
                raise Problem(why)
        return sent

    def _check_given(self, row: Row, sent: Row) -> None:
        """Raise `Problem` for a row that says something else than an option says of all rows."""
        others = {name: text for name, text in self._load.given.items() if row.get(name) not in (None, "", text)}
        if not others:
            return
        for name, text in others.items():
            try:
                meant = self._checker.checked({**row, name: text})[name]
            except Problem:
                meant = None  # what the option says does not even fit this row
            if meant != sent[name]:
                told = self._target.called(str(sent[name]))
                raise Problem(
                    f"the row says {told}, and {OPTIONS[name]} says {self._target.called(str(meant or text))} of all rows:"
                    f" leave {OPTIONS[name]} out, or mend the row"
                )

    def take(self, place: int, row: Row) -> None:
        """One row: into the job, or among the refused."""
        if (header := row.get(ASIDE)) is not None and isinstance(self._target.element(str(header)), str):
            self.aside[str(header)] = None
            return
        self.given += 1
        if isinstance(unread := row.get(UNREAD), dict):
            self.refused.beside[place] = _as_text(unread)
        given = row.get("value")
        if not (self._commas or self._load.commas) and isinstance(given, str) and "," in given:
            self._commas = _DECIMAL_COMMA.fullmatch(given.strip()) is not None
        try:
            sent = self._checked(row)
            if not self._load.several_levels and (why := self._totals.again(row, str(sent["orgUnit"]))) is not None:
                raise Problem(why)
        except Problem as problem:
            self.problem = problem
            beside = self._checker.two_readings(row)
            reason = f"{problem}{self._merged(row)}" + (f"; {beside}" if beside not in {None, str(problem)} else "")
            self.refused.add(place, _as_text(self._checker.plainly(row)), reason)
            self._totals.refused(row)
            return
        self._met.update(name for name in _MAY_BE_MERGED if row.get(name))
        self._totals.met(row, str(sent["orgUnit"]))
        cell = cell_of(sent, self._target.default)
        value = (sent.get("value"), sent.get("comment"), sent.get("deleted"))
        before = self._seen.get(cell)
        if before is None:
            self._seen[cell] = (place, value)
            self._preparing.add(place, sent, data_set_of(self._target, sent) if self._by_set else None)
            self._look_at(place, sent)
        elif before[1] == value:
            self.repeated += 1
        else:
            self._contradicted(place, sent, before[0], _as_text(self._checker.plainly(row)))

    def _merged(self, row: Row) -> str:
        """What to do where a row lacks what rows above it have, and that is why it is refused."""
        if not str(self.problem).startswith("no "):
            return ""
        called = self._load.called
        headers = [
            called[name] for name in _MAY_BE_MERGED if name in called and name in self._met and not row.get(name)
        ]
        filled = {name.strip().casefold() for name in self._load.filled}
        if any(header.casefold() in filled for header in headers):
            return ", which is not filled down into a total or past a blank line"
        return f"{_MERGED} ({' '.join(f"--fill-down '{header}'" for header in headers)})" if headers else ""

    def _look_at(self, place: int, sent: Row) -> None:
        """Remember a value that is looked at again when all have come."""
        text = sent.get("value")
        if not isinstance(text, str):
            return
        if text.startswith("-") and _NEGATIVE.fullmatch(text):
            first, count = self._negative or (place, 0)
            self._negative = (first, count + 1)
        if "." in text and _THOUSANDS.fullmatch(text):
            self._thousands.append((place, sent))
        elif "." in text and _POINTED.fullmatch(text):
            self._pointed = True

    def _contradicted(self, place: int, sent: Row, first: int, given: Row) -> None:
        """Two rows with two values for one cell: nobody knows which is meant, so that neither is sent.

        Parameters:
            given: the later one as it was given; of the first only what is sent is known, and it names the same cell.
        """
        if (row := self._preparing.withdraw(first, sent)) is not None:
            own = {name: row.get(name) for name in ("value", "comment", "deleted") if name in row or name in given}
            self.refused.add(first, {**given, **own}, f"row {place:,} has another value for the same cell")
        self.refused.add(place, given, f"row {first:,} has another value for the same cell")

    def notes(self) -> list[str]:
        """What is to be said of the rows that are sent."""
        said = [f"{counted(self.repeated, 'row')} said again what another row says"] if self.repeated else []
        if self._checker.months_by_day:
            said.append("days that begin a month are read as the month: these data elements are reported by month")
        if self._load.by_date:
            said.append("days are read as the periods that they lie in")
        if self._negative is not None:
            first, count = self._negative
            said.append(f"{counted(count, 'value')} below zero, which counts are not (first: row {first:,})")
        return [*said, *self._totals.notes(), *self._places.notes()]

    def finish(self) -> Job:
        """The job of all that was taken."""
        parted = self._load.semicolons and not self._pointed
        why = "other rows have decimal commas" if self._commas else (
            "its cells are parted by ';', as where points part thousands; if it is no thousand: --decimal ."
        )  # fmt: skip
        for place, sent in self._thousands if self._commas or parted else ():
            if (row := self._preparing.withdraw(place, sent)) is not None:
                reason = f"'{row['value']}' may be a thousand times as much: {why}"
                self.refused.add(place, row, reason)
        self._refuse_totals()
        self.refused.close()
        title = f"{VERBS[self._load.strategy]} {counted(self._preparing.rows, 'data value')}: {self._load.what}"
        job = self._preparing.finish(title, self._url, self._load.strategy, undo=self._load.undo)
        self.refused.path = job.path / jobs.REFUSED
        return job

    def _refuse_totals(self) -> None:
        """Rows of units above those of other rows: a total would be counted once more with what it is the sum of."""
        self.refused.names = self._target.names()
        for place, like, text, reason in [*self._totals.found(self._seen, several_levels=self._load.several_levels)]:
            self._seen.pop(cell_of(like, self._target.default), None)
            if (row := self._preparing.withdraw(place, like)) is not None:
                self.refused.add(place, {**row, "orgUnit": text}, reason)

    async def look_below(self, job: Job) -> None:
        """See whether what is sent is a total of what the server has; what is deleted is none."""
        if self._load.strategy != "DELETE" and self._preparing.rows:
            await self._totals.look_below(self._s, job.head.units, self._seen)

    def drop(self) -> None:
        """Nothing of it is wanted."""
        self.refused.close()
        self._preparing.drop()


async def meet(target: Target, rows: Sequence[Row]) -> None:
    """Read what rows speak of."""
    texts = {name: _texts(rows, name) for name in ("dataElement", "orgUnit", *DEFAULTED)}
    await target.meet(
        texts["dataElement"], texts["orgUnit"], [*texts["categoryOptionCombo"], *texts["attributeOptionCombo"]]
    )


def _texts(rows: Sequence[Row], name: str) -> list[str]:
    """The texts of a column, each once."""
    cells = [row.get(name) for row in rows]
    if set(map(type, cells)) <= {str, type(None)}:  # each once before it is looked at
        cells = list(dict.fromkeys(cells))
    texts = (text_of(cell) for cell in cells if cell is not None and cell != "")
    return list(dict.fromkeys(texts))


def data_set_of(target: Target, sent: Row) -> str | None:
    """The data set that a 2.43 is told, one that takes the value: an import without it fails where an element is in several."""
    element = target.element_of(str(sent["dataElement"]))
    unit, kind = str(sent["orgUnit"]), _kind(str(sent["period"]))
    fitting = [item for item in element.sets if unit in item.units and item.period_type == kind]
    combo = sent.get("attributeOptionCombo") or target.default
    taking = (item for item in fitting if combo in item.attribute_names.values())
    return next((item.uid for item in (*taking, *fitting)), None)


@lru_cache(4096)
def _kind(period: str) -> str:
    """The type of a period that was checked."""
    return Period.parse(period).type.name


def _as_text(row: Row) -> Row:
    if isinstance(beside := row.get(NAMES), dict):
        row = {**row, **{f"{column}Name": text for column, text in beside.items()}}
    return {name: text_of(value) if value is not None else "" for name, value in row.items()}


async def planned(s: Session, job: Job, target: Target, refused: RefusedRows, notes: list[str], given: int) -> Plan:
    """The plan of what is left of a job.

    Parameters:
        target: the server's metadata as far as it was met.
        refused: rows that were refused before anything is sent.
        notes: what is to be said of the plan and of what was written.
        given: how many rows there were.
    """
    refused.names = target.names()
    left = job.left()
    if len(left) < job.head.parts:
        notes.append(f"{job.head.parts - len(left)} of {job.head.parts} parts were answered in an earlier run")
    if any(job.was_sent(part) for part in left):
        notes.append("one part was sent and had no answer: it is sent again, which writes the same values")
    rows = sum(len(job.places(part)) for part in left)
    held = [row for part in left for row in job.rows(part)] if 0 < rows <= LOOKED_AT else []
    now = await cells_now(s, held, target.default) if held else None
    said = [*notes]
    told, wrong = await _validated(s, job, left[0], refused.names, now, target.default) if len(left) == 1 else ([], 0)
    said += told
    if refused.count:
        said += [f"refused: {line}" for line in refused.lines()]
        later = f" (and in {refused.wanted} when the rest has been sent)" if refused.wanted is not None else ""
        said.append(f"refused rows with their reasons: {refused.path}{later}")
    without = await elements_without_zeros(s, held)
    if now and (emptied := _emptied(held, now, without, target)):
        said.append(emptied)
    steps = StepsInBulk({("import", "dataValues"): rows} if rows else {}, _Steps(job, left, target, now, without))
    title = f"{job.head.title} into {s.profile.name}" + (
        f"; {refused.count:,} of {given:,} rows refused" if refused.count else ""
    )
    made = Plan(title, steps, notes=said, writer=Values(job, target.default, refused, notes), asks=True)
    made.partly = _refuses(refused, told[:1], wrong, given)
    if not rows and refused.count:
        made.blocked = Refused(
            f"none of the {given:,} rows can be sent: {refused.lines()[0]}",
            hint=f"mend them in {to_mend(refused.path, refused.wanted)}",
        )
        made.leave = refused.deliver
    return made


def _refuses(refused: RefusedRows, told: Sequence[str], wrong: int, given: int) -> Dhis2Error | None:
    """How a load would end of which some rows are refused; None where none is.

    Parameters:
        refused: before anything is sent; wrong: how many the server would refuse, of which `told` has the first.
    """
    count = refused.count + wrong
    if not count:
        return None
    why = f"{count:,} of {given:,} rows would be refused: {(refused.lines()[:1] or told)[0]}"
    where = f"mend them in {to_mend(refused.path, refused.wanted)}" if refused.count else "mend them in the file"
    return Refused(why, hint=where) if count >= given else PartlyDone(why, summary=None, hint=where)


def _emptied(rows: Sequence[Row], now: Mapping[str, Row], without: Collection[str], target: Target) -> str | None:
    """Why zeros delete values that are there, in words; None where none does."""
    zeros = [row for row in rows if is_zero(row) and row["dataElement"] in without]
    found = [row for row in zeros if cell_of(row, target.default) in now and not row.get("deleted")]
    if not found:
        return None
    elements = dict.fromkeys(f"'{target.called(str(row['dataElement']))}'" for row in found)
    one = len(found) == 1
    return (
        f"{counted(len(found), 'zero')} {'deletes the value that is' if one else 'delete the values that are'} there: "
        f"the server keeps no zero of {listed(elements, TOLD)}, whose zeros are not significant"
    )


def nothing(s: Session, title: str) -> Plan:
    """The plan of a load of which every row is there already."""
    job = Preparing(s.profile.name).finish(title, s.profile.url, "CREATE_AND_UPDATE", undo=False)
    return Plan(title, writer=Values(job, "", RefusedRows(job.path / jobs.REFUSED)))


async def _validated(
    s: Session, job: Job, part: int, names: Mapping[str, str], now: Mapping[str, Row] | None, default: str
) -> tuple[list[str], int]:
    """What the server says of a small load before it is sent, and how many rows it would refuse: of the first it speaks first.

    Parameters:
        names: what UIDs stand for; now: what the cells hold, where it is known; default: the default option combination.
    """
    head, rows = job.content(part)
    params: dict[str, Param] = {"importStrategy": job.head.strategy, "dryRun": "true"}
    body: JsonObject = {**head, "dataValues": [*rows]}
    outcome = await attempt(send(s.client, "POST", "dataValueSets", body, params))
    if isinstance(outcome, Dhis2Error):
        s.person.warn("the server could not check the values before they are sent: nothing of them was written")
        raise outcome
    places = job.places(part)
    reasons = {index: named(reason, names) for index, reason in refusals(outcome, len(rows)).items()}
    told = [f"the server will refuse row {places[index]:,}: {reason}" for index, reason in list(reasons.items())[:TOLD]]
    if len(reasons) > TOLD:
        told.append(f"the server will refuse {len(reasons) - TOLD:,} more")
    count = outcome.import_count
    unchanged = max(0, count.ignored - len(reasons))
    uncounted = len(rows) - count.created - count.updated - count.deleted - count.ignored
    zeros = uncounted > 0 and sum(map(is_zero, rows)) >= uncounted
    created = count.created
    if now is not None and (await s.client.version()).has("counts_updates_alone"):  # it counts what is new as updated
        written = [row for index, row in enumerate(rows) if index not in reasons and not row.get("deleted")]
        created += min(count.updated, sum(cell_of(row, default) not in now for row in written))
    said = [
        *told,
        f"the server would create {created:,}, update {count.created + count.updated - created:,}, delete {count.deleted:,}; "
        f"{unchanged:,} hold these values already{f'; it would refuse {len(reasons):,}' if reasons else ''}",
        *([f"{counted(uncounted, 'zero')} that the server does not keep"] if zeros else []),
    ]
    return said, len(reasons)


class _Steps:
    """Makes the step of one row, when somebody looks at it."""

    def __init__(
        self,
        job: Job,
        left: Sequence[int],
        target: Target,
        now: Mapping[str, Row] | None,
        without_zeros: Collection[str] = (),
    ) -> None:
        self._job, self._left, self._target, self._now = job, left, target, now
        self._without_zeros = without_zeros
        self._at: tuple[int, int, list[Row]] = (0, 0, [])

    def __call__(self, number: int) -> PlanStep:
        first, end, rows = self._at
        if not first <= number < end:
            at = 0
            for part in self._left:
                count = len(self._job.places(part))
                if at <= number < at + count:
                    rows, first = self._job.rows(part), at
                    self._at = (at, at + count, rows)
                    break
                at += count
        row = rows[number - first]
        deleted = row.get("deleted") or self._job.head.strategy == "DELETE"
        new = "nothing" if deleted else str(row.get("value", ""))
        if self._now is not None:
            held = self._now.get(cell_of(row, self._target.default), {}).get("value")
            zero = not deleted and is_zero(row) and row["dataElement"] in self._without_zeros
            if zero:
                new = "nothing"  # a zero over a value deletes it
            new = (
                new
                if held == new or (held is None and (zero or not deleted))
                else f"{'nothing' if held is None else held} -> {new}"
            )
        return PlanStep("import", "dataValues", name=self._target.words(row), detail=new)


async def of_rows(
    rows: Rows[Row], given: Row, unread: list[str], ask: Columns | None = None
) -> AsyncGenerator[list[tuple[int, Row]]]:
    """The values of rows that are in memory, as `layouts.values_of` gives them."""

    async def one() -> AsyncGenerator[list[Row]]:
        yield rows.plain()

    async for batch in layouts.values_of(one(), given, unread, ask=ask):
        yield batch


async def of_combos(
    s: Session, batches: AsyncIterable[Sequence[Row]], texts: Sequence[str]
) -> AsyncGenerator[list[Row]]:
    """Of values of a server those of some category option combinations, each found among those of its data element.

    Raises `NotFound` for a text that is no combination of any data element that came.
    """
    target, unknown = Target(s), dict.fromkeys(texts)
    await target.open()
    async for rows in batches:
        elements = dict.fromkeys(str(row["dataElement"]) for row in rows)
        await target.meet(elements, (), texts)
        wanted = dict[str, set[str]]()
        for uid in elements:
            combos = target.element_of(uid).combos
            found = {text: one for text in texts if (one := target.combo(text, combos)) in combos.values()}
            unknown = {text: None for text in unknown if text not in found}
            wanted[uid] = {one for one in found.values() if one is not None}
        if meant := [row for row in rows if row["categoryOptionCombo"] in wanted[str(row["dataElement"])]]:
            yield meant
    if unknown:
        raise NotFound(
            f"'{next(iter(unknown))}' is no category option combination of these data elements",
            hint="dhis2 data aggregate get --names  with the same options shows which there are",
        )


async def of_batches(batches: AsyncIterable[Sequence[Row]]) -> AsyncGenerator[list[tuple[int, Row]]]:
    """Values of a server, with numbers in the order in which they come."""
    at = 1
    async for rows in batches:
        yield list(enumerate(rows, at))
        at += len(rows)


def strategy_of(text: str) -> Strategy:
    """A strategy as people write it. Raises `UsageError`."""
    name = text.upper().replace("-", "_")
    if name not in {"CREATE_AND_UPDATE", "CREATE", "UPDATE"}:
        raise UsageError(f"there is no strategy '{text}'", hint="create-and-update, create or update")
    return cast("Strategy", name)
