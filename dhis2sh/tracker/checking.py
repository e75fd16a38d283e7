"""What is pushed, against what the server takes: programs, units, values, dates. Names become UIDs on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from dhis2sh.client import reading as objects
from dhis2sh.client.tracker import IDENTIFIERS
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.dhis2.value_types import NUMERIC
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.tracker import programs, registering
from dhis2sh.tracker.programs import named
from dhis2sh.tracker.reading import inner
from dhis2sh.tracker.referred import REFERRING, Referred
from dhis2sh.tracker.values import Problem, checked_day, text_of, value_of
from dhis2sh.verbs import names
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.tracker.payloads import Entry
    from dhis2sh.tracker.programs import Item, Program, Stage, Type
    from dhis2sh.types import JsonObject

type Strategy = Literal["CREATE_AND_UPDATE", "CREATE", "UPDATE", "DELETE"]
_PLURALS = {
    "program": "programs",
    "orgUnit": "organisationUnits",
    "trackedEntityType": "trackedEntityTypes",
    "relationshipType": "relationshipTypes",
}
SOUGHT = 20
"""Names of one batch that are looked for one by one where nothing has that very code or name."""
_HAPPENED = {"ACTIVE", "VISITED", "COMPLETED"}


class Known:
    """What the server has of what is spoken of, by UID, code or name; each is asked for once."""

    def __init__(self, s: Session) -> None:
        self._s = s
        self._uids: dict[str, dict[str, str]] = {plural: {} for plural in _PLURALS.values()}
        self._problems: dict[tuple[str, str], str] = {}
        self._alike: dict[str, list[str]] = {}
        self.programs: dict[str, Program] = {}
        self.types: dict[str, Type] = {}
        self.names: dict[str, str] = {}
        """What UIDs stand for."""
        self.referred = Referred(s)

    async def meet(self, entries: Sequence[Entry]) -> None:
        """Read what some entries speak of and was not met before."""
        wanted: dict[str, dict[str, None]] = {plural: {} for plural in _PLURALS.values()}
        for entry in entries:
            for _, body in entry.objects():
                for key, plural in _PLURALS.items():
                    if body.get(key):
                        wanted[plural][str(body[key])] = None
        for plural, texts in wanted.items():
            await self._named(plural, texts)
        for uid in dict.fromkeys(self._uids["programs"].values()):
            if uid not in self.programs:
                program = await programs.read_program(self._s, uid)
                self.programs[uid] = program
                self.names |= registering.names_of(program)
        for uid in dict.fromkeys(self._uids["trackedEntityTypes"].values()):
            if uid not in self.types:
                kind = await programs.read_type(self._s, uid)
                self.types[uid] = kind
                self.names |= {kind.uid: kind.name, **{item.uid: item.name for item in kind.items}}
        await self.referred.meet(self._referring(entries))
        units = [uid for uid in dict.fromkeys(self._uids["organisationUnits"].values()) if uid not in self.names]
        if units:
            rows = (await objects.by_uid(self._s.client, "organisationUnits", units, fields="id,name,displayName")).rows
            self.names |= {str(row["id"]): str(row.get("displayName")) for row in rows}
            self.referred.learn(rows)

    def _items(self) -> list[Item]:
        """What the values of all that was met are of."""
        return [item for one in self.programs.values() for item in one.everything()] + [
            item for one in self.types.values() for item in one.items
        ]

    def _referring(self, entries: Iterable[Entry]) -> Iterator[tuple[Item, str]]:
        """The values of entries that name objects, each with what takes it."""
        called = {
            text: item for item in self._items() if item.value_type in REFERRING
            for text in (item.uid, item.code, item.name, item.also) if text
        }  # fmt: skip
        for entry in entries if called else ():
            for _, body in entry.objects():
                for name, key in (("attributes", "attribute"), ("dataValues", "dataElement")):
                    for value in inner(body, name):
                        if (item := called.get(str(value.get(key)))) is not None:
                            yield item, text_of(value.get("value"))

    async def _named(self, plural: str, texts: Iterable[str]) -> None:
        known = self._uids[plural]
        open_ = [text for text in texts if text not in known and (plural, text) not in self._problems]
        for key in ("id", *names.keys_of(plural)):
            asked = [text for text in open_ if key != "id" or is_uid(text)]
            hits = await names.by_key(self._s, plural, key, asked) if asked else {}
            for text, rows in hits.items():
                if len(rows) == 1:
                    known[text] = str(rows[0]["id"])
                else:
                    told = listed((f"{row.get('displayName')} [{row['id']}]" for row in rows), 4)
                    self._problems[plural, text] = f"'{text}' is ambiguous: {told}"
                    if plural == "organisationUnits":
                        self._alike[text] = [str(row["id"]) for row in rows]
            open_ = [text for text in open_ if text not in hits]
        for number, text in enumerate(open_):
            near = None
            if number < SOUGHT and not is_uid(text):
                near = await self._as_others_find_it(plural, text)
            if text not in known:
                told = f" ({near})" if near else ""
                self._problems.setdefault((plural, text), f"there is no {_ONE[plural]} '{text}' that you may see{told}")

    async def _as_others_find_it(self, plural: str, text: str) -> str | None:
        """A name without regard to case, accents and blanks, as every verb takes it; else what comes nearest."""
        try:
            self._uids[plural][text] = await names.resolve(self._s, plural, text)
        except NotFound as error:
            return error.hint if error.hint and error.hint.startswith("did you mean") else None
        except names.Ambiguous as error:
            self._problems[plural, text] = error.message
            if plural == "organisationUnits":
                self._alike[text] = [*error.uids]
        except UsageError as error:
            self._problems[plural, text] = error.message
        return None

    def numeric(self) -> list[str]:
        """The UIDs of what was met that holds numbers."""
        return sorted({item.uid for item in self._items() if item.value_type in NUMERIC and item.options is None})

    def units(self, text: str) -> list[str]:
        """The organisation units, by UID, that a text may mean: one, several of one name, or none."""
        uid = self._uids["organisationUnits"].get(text)
        return self._alike.get(text, []) if uid is None else [uid]

    def program(self, text: object) -> Program | None:
        """The program that a text names, where it was met."""
        uid = self._uids["programs"].get(str(text))
        return self.programs.get(uid) if uid else None

    def kind(self, text: object) -> Type | None:
        """The tracked entity type that a text names, where it was met."""
        uid = self._uids["trackedEntityTypes"].get(str(text))
        return self.types.get(uid) if uid else None

    def resolve(self, body: JsonObject, key: str) -> str:
        """The UID of what a property names, which it has from now on. Raises `Problem`."""
        text = str(body[key])
        plural = _PLURALS[key]
        if (plural, text) in self._problems:
            raise Problem(self._problems[plural, text])
        uid = self._uids[plural][text]
        body[key] = uid
        return uid


_ONE = {
    "programs": "program", "organisationUnits": "organisation unit", "trackedEntityTypes": "tracked entity type",
    "relationshipTypes": "relationship type",
}  # fmt: skip


class Checker:
    """Checks the entries of one push.

    Parameters:
        known: has met what they speak of.
        strategy: what shall be done with them.
    """

    def __init__(self, known: Known, strategy: Strategy) -> None:
        self._known, self._strategy = known, strategy
        self._seen: dict[str, str] = {}
        self._unique: dict[tuple[str, str], tuple[str, str]] = {}

    def check(self, entry: Entry) -> None:
        """Look at an entry and all that hangs on it: names become UIDs, and what is wrong is said in its `problems`."""
        for kind, body in entry.objects():
            uid = str(body[IDENTIFIERS[kind]])
            first = self._seen.setdefault(uid, entry.label)
            if first != entry.label:
                entry.problems.append(f"{IDENTIFIERS[kind]} {uid} stands in {first} too: an object stands once")
        if self._strategy == "DELETE":
            return
        owners: dict[str, Program] = {}
        for kind, body in entry.objects():
            look = {"trackedEntities": self._entity, "enrollments": self._enrollment, "events": self._event}.get(kind)
            try:
                if look is not None:
                    look(entry, body, owners)
                else:
                    self._reference(body, "relationshipType")
            except Problem as problem:
                entry.problems.append(str(problem))

    def _reference(self, body: JsonObject, key: str) -> str:
        if not body.get(key):
            raise Problem(f"{key} is missing")
        return self._known.resolve(body, key)

    def _unit(self, entry: Entry, body: JsonObject, program: Program | None) -> None:
        given = text_of(body.get("orgUnit"))
        try:
            unit = self._reference(body, "orgUnit")
        except Problem as problem:
            entry.problems.append(str(problem))
            return
        called = entry.said.get(given)
        why = f"{given} is not called '{called}'; empty the one that is wrong"
        if called and self._known.referred.contradicted(unit, called) and why not in entry.problems:
            entry.problems.append(why)
        if program is not None and unit not in program.units:
            entry.problems.append(f"'{program.name}' is not assigned to '{self._known.names.get(unit, unit)}'")

    def _entity(self, entry: Entry, body: JsonObject, owners: dict[str, Program]) -> None:
        kind = self._known.types[self._reference(body, "trackedEntityType")]
        if not kind.writable:
            raise Problem(f"you may not enter data of the type '{kind.name}'")
        self._unit(entry, body, None)
        inside = [one.get("program") for one in inner(body, "enrollments")]
        more = [self._known.programs[uid] for uid in map(self._program_uid, inside) if uid is not None]
        items = {item.uid: item for program in more for item in program.attributes()} | {
            item.uid: item for item in kind.items
        }
        given = self._values(entry, body, ("attributes", "attribute"), list(items.values()), str(body["trackedEntity"]))
        if str(body["trackedEntity"]) not in entry.made:
            return
        for one in inner(body, "enrollments"):
            given |= {
                str(item.get("attribute")) for item in inner(one, "attributes") if item.get("value") not in (None, "")
            }
            for name in [str(item.get("attribute")) for item in inner(one, "attributes")]:
                found = _find(list(items.values()), name)
                given |= {found.uid} if found else set()
        wanted = {item.uid: item for item in [*kind.items, *(item for program in more for item in program.items)]}
        missing = [
            item.name for item in wanted.values() if item.mandatory and not item.generated and item.uid not in given
        ]
        if missing:
            entry.problems.append(f"{listed((repr(name) for name in missing), 5)} must have a value")

    def _program_uid(self, text: object) -> str | None:
        try:
            return self._known.resolve({"program": str(text)}, "program") if text else None
        except Problem:
            return None  # said of the enrollment

    def _enrollment(self, entry: Entry, body: JsonObject, owners: dict[str, Program]) -> None:
        program = self._known.programs[self._reference(body, "program")]
        owners[str(body["enrollment"])] = program
        if not program.registers:
            raise Problem(f"'{program.name}' has single events and enrolls nobody")
        if not program.writable:
            raise Problem(f"you may not enter data of the program '{program.name}'")
        if not body.get("trackedEntity"):
            raise Problem("trackedEntity is missing: whose enrollment is it?")
        self._unit(entry, body, program)
        if body.get("enrolledAt"):
            _day(entry, body, "enrolledAt", "day of the enrollment", ahead=program.enrolled_ahead)
        elif not (entry.sheet and str(body["enrollment"]) not in entry.made):
            entry.problems.append(
                f"enrolledAt is missing: when was the enrollment?{_column(entry, 'Enrollment date', '--enrolled DAY')}"
            )
        if body.get("occurredAt"):
            _day(entry, body, "occurredAt", "day of the incident", ahead=program.incident_ahead)
        elif program.incident and str(body["enrollment"]) in entry.made:
            told = f"occurredAt is missing: '{program.name}' wants the day of the incident"
            entry.problems.append(f"{told}{_column(entry, 'Incident date')}")
        self._values(entry, body, ("attributes", "attribute"), program.attributes(), str(body["trackedEntity"]))
        stages = Counter(
            str(event.get("programStage")) for event in inner(body, "events") if event.get("status") != "SKIPPED"
        )
        for text, count in stages.items():
            stage = _find(program.stages, text)
            if stage is not None and count > 1 and not stage.repeatable:
                raise Problem(f"'{stage.name}' takes one event, and there are {count}")

    def _event(self, entry: Entry, body: JsonObject, owners: dict[str, Program]) -> None:
        owner = owners.get(str(body.get("enrollment")))
        if not body.get("program") and owner is not None:
            body["program"] = owner.uid
        program = self._known.programs[self._reference(body, "program")]
        if not body.get("programStage") and not program.registers:
            body["programStage"] = program.stages[0].uid
        if not body.get("programStage"):
            raise Problem("programStage is missing")
        try:
            stage = named(program.stages, str(body["programStage"]), f"stage of '{program.name}'")
        except (NotFound, UsageError) as error:
            raise Problem(error.message) from None
        body["programStage"] = stage.uid
        if not (program.writable and stage.writable):
            raise Problem(f"you may not enter data of '{stage.name}'")
        if program.registers and not body.get("enrollment"):
            raise Problem(f"enrollment is missing: '{program.name}' follows entities")
        self._unit(entry, body, program)
        self._dates(entry, body, stage)
        given = self._values(entry, body, ("dataValues", "dataElement"), stage.items, None)
        if given and str(body.get("status") or "ACTIVE") not in _HAPPENED and not entry.sheet:
            raise Problem(f"an event in state {body.get('status')} has no values yet")
        if body.get("status") == "COMPLETED" and str(body["event"]) in entry.made:
            missing = [item.name for item in stage.items if item.mandatory and item.uid not in given]
            if missing:
                raise Problem(
                    f"a completed event of '{stage.name}' needs {listed((repr(name) for name in missing), 5)}"
                )

    @staticmethod
    def _dates(entry: Entry, body: JsonObject, stage: Stage) -> None:
        status = str(body.get("status") or "ACTIVE")
        new = str(body["event"]) in entry.made or not entry.sheet
        for key, what in (("occurredAt", "day of the event"), ("scheduledAt", "day it is scheduled for")):
            if body.get(key):
                _day(entry, body, key, what, ahead=True)
        if new and status in _HAPPENED and not body.get("occurredAt"):
            column = f"{stage.name} | Event date" if entry.kind == "trackedEntities" else "Event date"
            told = f"occurredAt is missing: when was the event of '{stage.name}'?"
            entry.problems.append(f"{told}{_column(entry, column)}")
        if new and status == "SCHEDULE" and not body.get("scheduledAt"):
            entry.problems.append(f"scheduledAt is missing: for when is the event of '{stage.name}' scheduled?")

    def _values(
        self, entry: Entry, body: JsonObject, where: tuple[str, str], items: Sequence[Item], owner: str | None
    ) -> set[str]:
        """Look at the values of an object; the UIDs of what has one. What is wrong is added to the entry's problems."""
        name, key = where
        known = {item.uid: item for item in items}
        found: set[str] = set()
        for value in inner(body, name):
            text = str(value.get(key) or "")
            item = known.get(text) or _find(items, text)
            if item is None:
                if name == "attributes" and is_uid(text):  # of another program: the server knows
                    continue
                what = "attribute" if name == "attributes" else "data element of the stage"
                entry.problems.append(f"there is no {what} '{text}'")
                continue
            value[key] = item.uid
            given = value.get("value")
            if given in (None, ""):
                if item.mandatory:
                    entry.problems.append(f"'{item.name}' must have a value")
                continue
            try:
                value["value"] = value_of(item, given, attribute=name == "attributes", referred=self._known.referred)
            except Problem as problem:
                entry.problems.append(str(problem))
                continue
            found.add(item.uid)
            called = entry.said.get(text_of(given))
            if (
                item.value_type in REFERRING
                and called
                and self._known.referred.contradicted(str(value["value"]), called)
            ):
                entry.problems.append(f"'{item.name}': {given} is not called '{called}'; empty the one that is wrong")
            if item.unique and owner is not None:
                self._only_once(entry, item, str(value["value"]), owner)
        return found

    def _only_once(self, entry: Entry, item: Item, value: str, owner: str) -> None:
        """A value that nobody may have twice stands in one entity of what is pushed."""
        first = self._unique.setdefault((item.uid, value.lower()), (owner, entry.label))
        if first[0] != owner:
            entry.problems.append(f"'{item.name}' must be unique, and {first[1]} has '{value}' too")


def _column(entry: Entry, name: str, option: str | None = None) -> str:
    """How a sheet says what is missing."""
    return f" (a column '{name}'{f', or {option}' if option else ''})" if entry.sheet else ""


def _day(entry: Entry, body: JsonObject, key: str, what: str, *, ahead: bool) -> None:
    """Look at a date, which is as the server takes it from now on; what is wrong with it is added to the entry's problems."""
    try:
        body[key] = checked_day(str(body[key]), what, ahead=ahead)
    except Problem as problem:
        entry.problems.append(str(problem))


def _find[T: (Item, Stage)](items: Sequence[T], text: str) -> T | None:
    try:
        return named(items, text, "")
    except (NotFound, UsageError):
        return None
