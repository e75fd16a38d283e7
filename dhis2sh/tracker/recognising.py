"""Who of what is pushed is on the server already: by UID, by a value that nobody has twice, or by looking the same.

What somebody left out of a row is filled in from there: the type, the unit, the enrollment that is meant. UIDs that were made
here, and that the server has used up since what had them was deleted, are made anew.

API source: `GET /api/tracker/trackedEntities?trackedEntities=`, `filter=`, `includeDeleted=` (api-facts e.2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dhis2sh.client.tracker import IDENTIFIERS
from dhis2sh.errors import Forbidden, NotFound, Refused, UsageError
from dhis2sh.tracker import reading
from dhis2sh.tracker.alike import Alike, names_in, naming
from dhis2sh.tracker.asking import Query, escaped
from dhis2sh.tracker.payloads import next_uid, rename
from dhis2sh.tracker.programs import named
from dhis2sh.tracker.reading import inner
from dhis2sh.tracker.values import day_in, text_of, written_day
from dhis2sh.words import counted, folded, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dhis2sh.session import Session
    from dhis2sh.tracker.checking import Known
    from dhis2sh.tracker.loading import Load
    from dhis2sh.tracker.payloads import Entry
    from dhis2sh.tracker.programs import Item, Program
    from dhis2sh.types import JsonObject, JsonValue, Row

LIVES = 50
"""How often one row may have been pushed and deleted again."""
AT_ONCE = 25
"""Values in one question."""
TOLD = 8
OTHERWISE = "its UID in a column 'trackedEntity' says that it is meant, --repeated that another one is"
_DELETED = "trackedEntity,deleted,enrollments[enrollment,deleted,events[event,deleted]]"


@dataclass(slots=True)
class _Person:
    """An entity of a row, and what it says of it.

    Parameters:
        program: the one that it is enrolled in by the row; None without one.
        values: of its attributes, by UID, as the row has them.
    """

    entry: Entry
    program: Program | None
    values: dict[str, JsonValue] = field(default_factory=dict[str, "JsonValue"])

    @property
    def uid(self) -> str:
        return str(self.entry.body["trackedEntity"])

    @property
    def new(self) -> bool:
        """Has nobody given its UID?"""
        return self.uid in self.entry.made


class Recognising:
    """Looks at what is pushed, batch by batch, before it is checked.

    Parameters:
        s: whose server it is; known: has met the entries; load: how they are pushed.
    """

    def __init__(self, s: Session, known: Known, load: Load) -> None:
        self._s, self._known, self._load = s, known, load
        self._alike = Alike(s)
        self._told: list[str] = []
        self._renewed = 0
        self._unasked: dict[str, str] = {}
        self._there: set[str] = set()
        self._empty: Counter[str] = Counter()

    async def meet(self, entries: Sequence[Entry]) -> None:
        """Look at some entries: UIDs are those of what is there, what was left out is filled in, problems are noted."""
        updating = self._load.strategy in {"CREATE_AND_UPDATE", "UPDATE"}
        if updating:
            await self._whose(entries)
            await self._by_value(entries)
        alive = await self._renew(entries)
        if updating:
            await self._fill(entries)
            await self._fill_events(entries)
        if self._load.strategy != "UPDATE" and not self._load.repeated:
            await self._look_alike(entries, alive)

    def notes(self) -> list[str]:
        """What is to be said of all of them."""
        told = [*self._told[:TOLD], *([f"and {len(self._told) - TOLD:,} more"] if len(self._told) > TOLD else [])]
        if self._renewed:
            told.append(
                f"new UIDs for {counted(self._renewed, 'object')}: written before and deleted since, which keeps the old ones "
                "from being used"
            )
        told += [
            f"'{name}' stays empty in {counted(count, 'new entity', 'new entities')}: apps have the server generate it, an import "
            "does not"
            for name, count in self._empty.items()
        ]
        told += [f"who has the same '{name}' is not looked at: {why}" for name, why in self._unasked.items()]
        told += [f"who looks the same is not looked at: {why}" for why in dict.fromkeys(self._alike.unknown.values())]
        return told

    # Whose a row is --------------------------------------------------------------------------------------------------

    def _persons(self, entries: Iterable[Entry]) -> Iterator[_Person]:
        for entry in entries:
            if entry.kind != "trackedEntities":
                continue
            enrollments = inner(entry.body, "enrollments")
            program = next((found for one in enrollments if (found := self._known.program(one.get("program")))), None)
            kind = self._known.kind(entry.body.get("trackedEntityType"))
            both = [*(program.attributes() if program else ()), *(kind.items if kind else ())]
            items = [*{item.uid: item for item in both}.values()]
            person = _Person(entry, program)
            for body in (entry.body, *enrollments):
                for value in inner(body, "attributes"):
                    item = _item(items, str(value.get("attribute")))
                    if item is not None and text_of(value.get("value")):
                        person.values[item.uid] = text_of(value.get("value"))
            yield person

    async def _whose(self, entries: Sequence[Entry]) -> None:
        """A row that names an enrollment or an event, and not the entity, is of the one that has it."""
        for person in self._persons(entries):
            if not person.new or not person.entry.sheet:
                continue
            entry, of_event = person.entry, False
            given = [one for one in inner(entry.body, "enrollments") if str(one["enrollment"]) not in entry.made]
            key, uid = ("enrollment", str(given[0]["enrollment"])) if given else ("event", None)
            if uid is None:
                events = [event for one in inner(entry.body, "enrollments") for event in inner(one, "events")]
                uid = next((str(event["event"]) for event in events if str(event["event"]) not in entry.made), None)
                of_event = True
            if uid is None:
                continue
            program = person.program.uid if person.program else None
            rows = await reading.by_uid(
                self._s,
                "events" if of_event else "enrollments",
                [uid],
                fields="enrollment,trackedEntity,event",
                program=program,
            )
            row = rows.get(uid)
            if row is None:
                entry.problems.append(
                    f"there is no {key} {uid} that you may see, and the row does not say of whom it is"
                )
                continue
            known = {person.uid: str(row.get("trackedEntity"))}
            if of_event:
                known[str(inner(entry.body, "enrollments")[0]["enrollment"])] = str(row.get("enrollment"))
            rename(entry, known, there=True)

    # By a value that nobody has twice --------------------------------------------------------------------------------

    async def _by_value(self, entries: Sequence[Entry]) -> None:
        wanted: dict[str, tuple[Item, Program | None, dict[str, list[_Person]]]] = {}
        for person in self._persons(entries):
            if not person.new or not person.entry.sheet or person.entry.problems:
                continue
            for item in person.program.attributes() if person.program else ():
                if item.unique and person.values.get(item.uid):
                    _, _, values = wanted.setdefault(item.uid, (item, person.program, {}))
                    values.setdefault(str(person.values[item.uid]), []).append(person)
        for item, program, values in wanted.values():
            found = await self._with_values(item, program, list(values))
            for value, persons in values.items():
                for person in persons:
                    self._is(person, item, value, found.get(value.lower(), []))

    async def _with_values(self, item: Item, program: Program | None, values: Sequence[str]) -> dict[str, list[Row]]:
        """Entities by the value that they have of an attribute, in small letters: a server does not tell them apart."""
        found: dict[str, list[Row]] = {}
        kind = program.type if program else None
        if kind is None or program is None:
            return found
        of_type = item.uid in {own.uid for own in kind.items}
        where = {"trackedEntityType": kind.uid} if of_type else {"program": program.uid}
        plain = [value for value in values if ";" not in value]
        asked = [plain[at : at + AT_ONCE] for at in range(0, len(plain), AT_ONCE)]
        asked += [[value] for value in values if ";" in value]
        for part in asked:
            operator = "in" if len(part) > 1 else "eq"
            text = ";".join(escaped(value) for value in part)
            query = Query("trackedEntities", [], "ACCESSIBLE", {**where, "filter": [f"{item.uid}:{operator}:{text}"]})
            fields = f"{reading.WHOLE},programOwners"
            try:
                async for rows in reading.pages(self._s, query, fields, limit=10 * len(part)):
                    for row in rows:
                        held = reading.held(reading.whole(row), "attributes", "attribute")
                        found.setdefault(str(held.get(item.uid) or "").lower(), []).append(row)
            except (Refused, Forbidden) as error:  # not everybody may search by everything; the import looks too
                self._unasked[item.name] = error.message
                return found
        return found

    def _is(self, person: _Person, item: Item, value: str, others: Sequence[Row]) -> None:
        """A person who has a value that somebody on the server has is that one, unless the names say otherwise."""
        entry = person.entry
        if item.at_unit:
            units = self._known.units(text_of(entry.body.get("orgUnit")))
            others = [row for row in others if row.get("orgUnit") in units]
        uids = [str(row["trackedEntity"]) for row in others]
        if not uids or person.uid in uids:
            return
        if len(uids) > 1:
            entry.problems.append(f"'{item.name}' is '{value}' of {listed(uids, 4)}: which one is meant? {OTHERWISE}")
        elif not person.new:
            entry.problems.append(f"'{item.name}' is '{value}' of {uids[0]}, and the row is of {person.uid}")
        elif person.program is not None and (named_ := self._another(person.program, person.values, others[0])):
            entry.problems.append(
                f"'{item.name}' is '{value}' of {uids[0]}, who is called {named_}: if it is the same one, its UID in a column "
                "'trackedEntity' says so"
            )
        else:
            rename(entry, {person.uid: uids[0]}, there=True)
            self._told.append(f"{entry.label} is {uids[0]}, who has '{item.name}' {value}")

    @staticmethod
    def _another(program: Program, values: Mapping[str, JsonValue], row: Row) -> str | None:
        """What an entity is called where none of the names that a row gives is one of its."""
        there = reading.held(reading.whole(row), "attributes", "attribute")
        both = [item.uid for item in naming(program) if values.get(item.uid) and there.get(item.uid)]
        if not both or any(folded(str(values[uid])) == folded(str(there[uid])) for uid in both):
            return None
        return " ".join(str(there[uid]) for uid in both)

    # UIDs that are used up -------------------------------------------------------------------------------------------

    async def _renew(self, entries: Sequence[Entry]) -> set[str]:
        """Give what was made here other UIDs where the server has deleted those; the UIDs that it has."""
        alive: set[str] = set()
        open_ = [entry for entry in entries if entry.made]
        for life in range(LIVES):
            deleted, there = await self._states(open_)
            alive |= there
            again: list[Entry] = []
            for entry in open_:
                dead = [uid for uid in entry.made if uid in deleted]
                if entry.kind == "trackedEntities" and entry.body["trackedEntity"] in dead:
                    dead = list(entry.made)  # what hung on it went with it
                if dead:
                    rename(entry, {uid: next_uid(uid) for uid in dead})
                    self._renewed += len(dead) if life == 0 else 0
                    again.append(entry)
            if not again:
                break
            open_ = again
        return alive

    async def _states(self, entries: Sequence[Entry]) -> tuple[set[str], set[str]]:
        """The UIDs of what the server has deleted, and of what it has."""
        deleted: set[str] = set()
        there: set[str] = set()
        persons = [str(entry.body["trackedEntity"]) for entry in entries if entry.kind == "trackedEntities"]
        rows = (
            await reading.by_uid(self._s, "trackedEntities", persons, fields=_DELETED, deleted=True) if persons else {}
        )
        for row in rows.values():
            for key, one in _each(row):
                (deleted if one.get("deleted") else there).add(str(one.get(key)))
        for kind in ("enrollments", "events"):
            groups: dict[str, list[str]] = {}
            for entry in entries:
                program = self._known.program(entry.body.get("program")) if entry.kind == kind else None
                if program is not None:
                    groups.setdefault(program.uid, []).append(str(entry.body[IDENTIFIERS[kind]]))
            for program_uid, uids in groups.items():
                found = await reading.by_uid(
                    self._s, kind, uids, fields=f"{IDENTIFIERS[kind]},deleted", program=program_uid, deleted=True
                )
                for uid, row in found.items():
                    (deleted if row.get("deleted") else there).add(uid)
        return deleted, there

    # What is left out ------------------------------------------------------------------------------------------------

    async def _fill(self, entries: Sequence[Entry]) -> None:
        """What rows of entities that are there leave out: their unit, and which of their enrollments and events is meant."""
        persons = [person for person in self._persons(entries) if person.entry.sheet and not person.new]
        rows = await reading.by_uid(
            self._s, "trackedEntities", [person.uid for person in persons], fields=reading.TREE
        ) if persons else {}  # fmt: skip
        self._there |= rows.keys()
        for person in persons:
            row = rows.get(person.uid)
            if row is None:
                continue
            entry = person.entry
            said_unit = entry.body.get("orgUnit")
            if not said_unit:
                entry.body["orgUnit"] = row.get("orgUnit")
            there = [one for one in inner(row, "enrollments") if not one.get("deleted")]
            for one in inner(entry.body, "enrollments"):
                self._enrollment(person, one, there, said_unit)
                known = next((held for held in there if held["enrollment"] == one["enrollment"]), None)
                if known is not None:
                    self._of_known(entry, one, known)
                one["orgUnit"] = one.get("orgUnit") or entry.body["orgUnit"]
                for event in inner(one, "events"):
                    event["orgUnit"] = event.get("orgUnit") or one["orgUnit"]

    async def _fill_events(self, entries: Sequence[Entry]) -> None:
        """What rows of events of a program that registers leave out: all that the event on the server has and a cell does not."""
        groups: dict[str, dict[str, Entry]] = {}
        for entry in entries:
            uid = str(entry.body.get("event"))
            program = self._known.program(entry.body.get("program"))
            if entry.kind == "events" and entry.sheet and uid not in entry.made and program is not None:
                groups.setdefault(program.uid, {})[uid] = entry
        for program_uid, mine in groups.items():
            rows = await reading.by_uid(self._s, "events", mine, program=program_uid)
            for uid, entry in mine.items():
                row = rows.get(uid)
                for name in (
                    "programStage",
                    "enrollment",
                    "trackedEntity",
                    "orgUnit",
                    "occurredAt",
                    "scheduledAt",
                    "status",
                ):
                    if row is not None and row.get(name) and not entry.body.get(name):
                        entry.body[name] = row[name]

    def _enrollment(self, person: _Person, one: JsonObject, there: Sequence[JsonObject], unit: JsonValue) -> None:
        """Which enrollment a row means that names none: that of the day, or the one that is active."""
        entry, program = person.entry, person.program
        uid = str(one["enrollment"])
        if uid not in entry.made or program is None or any(held["enrollment"] == uid for held in there):
            return
        mine = [held for held in there if held.get("program") == program.uid]
        day = written_day(text_of(one.get("enrolledAt")))[:10]
        hits = [held for held in mine if day and str(held.get("enrolledAt"))[:10] == day]
        said = bool(day) and day != self._load.given.get("enrolledAt")
        if not hits and not said:
            hits = [held for held in mine if held.get("status") == "ACTIVE"] or mine
        if len(hits) > 1:
            told = listed((str(held["enrollment"]) for held in hits), 4)
            entry.problems.append(
                f"{person.uid} is enrolled several times: a column 'enrollment' says which one: {told}"
            )
            return
        if not hits:
            active = next((held for held in mine if held.get("status") == "ACTIVE"), None)
            once = next((held for held in mine if program.once and held.get("status") != "CANCELLED"), None)
            if (other := active or once) is not None:
                entry.problems.append(
                    f"{person.uid} is enrolled in '{program.name}' since {str(other.get('enrolledAt'))[:10]} "
                    f"({other['enrollment']}) and not since {day}: a column 'enrollment' with that UID changes it"
                )
            return
        held = hits[0]
        rename(entry, {uid: str(held["enrollment"])}, there=True)
        if unit == one.get("orgUnit"):  # where the row is from; where the enrollment was is said by a column of its own
            one["orgUnit"] = held.get("orgUnit")
        one["enrolledAt"] = held.get("enrolledAt")
        state = "" if held.get("status") == "ACTIVE" else f", which is {str(held.get('status')).lower()}"
        self._told.append(
            f"{entry.label} goes to the enrollment {held['enrollment']} of {str(held.get('enrolledAt'))[:10]}{state}"
        )

    def _of_known(self, entry: Entry, one: JsonObject, known: JsonObject) -> None:
        """What a row leaves out of an enrollment that is there; and which of its events are meant that it does not name."""
        for name in ("orgUnit", "enrolledAt"):
            if not one.get(name):
                one[name] = known.get(name)
        program = self._known.program(one.get("program"))
        taken = {str(event["event"]) for event in inner(one, "events")}
        for event in inner(one, "events"):
            uid = str(event["event"])
            stage = program.stage_by_uid(str(event.get("programStage"))) if program is not None else None
            if uid not in entry.made or stage is None:
                continue
            day = written_day(text_of(event.get("occurredAt")))[:10]
            hits = [
                str(held["event"]) for held in inner(known, "events")
                if held.get("programStage") == stage.uid and not held.get("deleted") and held.get("status") != "SKIPPED"
                and (not stage.repeatable or (day and str(held.get("occurredAt") or "")[:10] == day))
            ]  # fmt: skip
            if uid in hits:
                continue
            free = [hit for hit in hits if hit not in taken]
            if free:
                taken.add(free[0])
                rename(entry, {uid: free[0]}, there=True)
                self._told.append(f"{entry.label} goes to the event {free[0]} of '{stage.name}'")

    # Who looks the same ----------------------------------------------------------------------------------------------

    async def _look_alike(self, entries: Sequence[Entry], alive: set[str]) -> None:
        """Somebody new who looks like somebody who is there is refused: it may be the same one."""
        open_: list[tuple[_Person, str, str]] = []
        wanted: dict[str, list[tuple[str, str]]] = {}
        for person in self._persons(entries):
            if person.uid in alive or person.entry.problems or person.program is None:
                continue
            if not person.new and (not person.entry.sheet or person.uid in self._there):
                continue  # a UID that only the file of refused rows has given is of nobody yet
            self._empty.update(
                item.name for item in person.program.attributes() if item.generated and not person.values.get(item.uid)
            )
            if names_in(person.program, person.values) is None:
                continue
            for one in inner(person.entry.body, "enrollments")[:1]:
                units = self._known.units(text_of(one.get("orgUnit") or person.entry.body.get("orgUnit")))
                day = day_in(text_of(one.get("enrolledAt")))
                if len(units) == 1 and day is not None:
                    open_.append((person, units[0], day))
                    wanted.setdefault(person.program.uid, []).append((units[0], day))
        for uid, pairs in wanted.items():
            try:
                await self._alike.meet(self._known.programs[uid], pairs)
            except Refused as error:  # who cannot be looked for is not sent without a word
                for person in (one for one, _, _ in open_ if one.program is not None and one.program.uid == uid):
                    person.entry.problems.append(f"{error.message}; --repeated sends all the same")
        for person, unit, day in open_:
            program = self._known.programs[person.program.uid] if person.program is not None else None
            others = self._alike.of(program, unit, day, person.values) if program is not None else []
            if others and person.uid not in others:
                person.entry.problems.append(f"same names, unit and day of enrollment as {others[0]}: {OTHERWISE}")


def _item(items: Sequence[Item], text: str) -> Item | None:
    try:
        return named(items, text, "attribute")
    except (NotFound, UsageError):
        return None


def _each(row: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """An entity, its enrollments and events, each with the property that holds its UID."""
    yield "trackedEntity", row
    for one in inner(row, "enrollments"):
        yield "enrollment", one
        yield from (("event", event) for event in inner(one, "events"))
