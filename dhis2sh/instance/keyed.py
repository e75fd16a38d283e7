"""Values under keys that a server keeps: the data store and the system settings. The writer, and the way back.

API source: `DatastoreController.java`, `SystemSettingsController.java` (recorded `inst-data-store`, `inst-settings`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, cast
from urllib.parse import quote

from dhis2sh.changes.plan import Part, PartDone, PlainWriter, Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client.sending import accepted
from dhis2sh.errors import Forbidden, NotFound, Refused
from dhis2sh.redact import is_secret

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.changes.plan import Action, WriteSummary
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

NAME = "keyed"
STORE, SETTINGS = "dataStore", "systemSettings"
WHAT = {STORE: "data store", SETTINGS: "settings"}
"""What each is called in a summary."""
type Place = Literal["dataStore", "systemSettings"]


@dataclass(frozen=True, slots=True)
class Missing:
    """There is nothing under a key."""


MISSING = Missing()
type Held = JsonValue | Missing


@dataclass(frozen=True, slots=True)
class Keyed:
    """A value that is set, or a key that is deleted.

    Parameters:
        place: where.
        key: of the store `namespace/key`.
        before, after: what is there and what shall be.
    """

    place: Place
    key: str
    before: Held
    after: Held

    @property
    def action(self) -> Action:
        """What happens to it."""
        if self.after is MISSING:
            return "delete"
        return "create" if self.before is MISSING else "update"

    @property
    def address(self) -> str:
        """Below `/api`."""
        return address(self.place, self.key)


def address(place: Place, key: str) -> str:
    """The address of a key; blanks and slashes in it are written as a server wants them."""
    return "/".join((place, *(quote(part, safe="") for part in key.split("/", 1))))


@dataclass(slots=True)
class KeyedValues(PlainWriter):
    """The writer: a request for each key.

    Parameters:
        changes: one a step.
    """

    name: ClassVar[str] = NAME

    changes: Sequence[Keyed]
    what: str = field(default=STORE, kw_only=True)

    def parts(self) -> Iterator[Part]:
        """A request for each key."""
        return self.one_by_one(len(self.changes))

    async def moved(self, s: Session) -> list[str]:
        """Keys whose value is no longer what the plan found."""
        return [
            f"{change.key} has changed since the plan was made"
            for change in self.changes
            if _text(await held(s, change.place, change.key)) != _text(change.before)
        ]

    async def send(self, s: Session, part: Part) -> PartDone:
        """Set or delete one, and read it again."""
        change = self.changes[part.numbers[0]]
        method, body = "DELETE" if change.after is MISSING else "PUT", change.after
        target = change.address
        if change.place == SETTINGS and change.after is not MISSING:
            method, target, body = "POST", SETTINGS, cast("JsonValue", {change.key: change.after})
        content = None if isinstance(body, Missing) else _bytes(body)
        if change.place == STORE:
            await _unmistakable(s, change.key)
        answer = await s.client.write(method, target, content, content_type="application/json")
        accepted(answer)
        done = await self.look_back(s, part)
        if not done.done:
            raise Refused(
                f"the server said yes, and {change.key} is not as it was meant to be", hint="dhis2 journal show"
            )
        return done

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Is it as it was meant to be? A deleted setting is at its default again, which is there."""
        change = self.changes[part.numbers[0]]
        now = await held(s, change.place, change.key)
        deleted = change.after is MISSING
        right = change.place == SETTINGS or now is MISSING if deleted else now == change.after
        if now is MISSING and not deleted and is_secret(change.key):
            right = True  # a server that does not show it: its answer is all that there is
        if not right:
            return PartDone()
        made, gone = change.before is MISSING, deleted
        return PartDone(
            [*part.numbers], uids=[change.key], created=int(made and not gone), updated=int(not made and not gone),
            deleted=int(gone),
        )  # fmt: skip

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """What was read before is no longer known."""
        if any(change.place == SETTINGS for change in self.changes):
            s.client.system.forget()


def _bytes(value: JsonValue) -> bytes:
    import json  # start-up: few verbs write here

    return json.dumps(value, ensure_ascii=False).encode()


async def _unmistakable(s: Session, key: str) -> None:
    """Raise `Refused` for a key of the store that a server could take for another one that is there.

    Of the last part of an address a server may take what follows a dot for a file's ending: `DELETE /api/dataStore/a.b` looks
    for `a` (recorded, inst-data-store 47).
    """
    namespace, _, name = key.partition("/")
    if "." not in name:
        return
    try:
        there = await readable(s, namespace)
    except NotFound:
        return
    meant = {name.partition(".")[0], name.rpartition(".")[0]} & {*there}
    if meant:
        raise Refused(
            f"{key} is left as it is: a server may take what follows the dot for a file's ending, and write to '{meant.pop()}'",
            hint="a key without a dot",
        )


async def held(s: Session, place: Place, key: str) -> Held:
    """What is under a key now. Raises `Forbidden` for a namespace that is an app's."""
    namespace, _, name = key.partition("/")
    if place == STORE and "." in name:
        try:
            if name not in await readable(s, namespace):
                return MISSING  # the address could give another key's value
        except NotFound:
            return MISSING
    try:
        body = await s.client.get(address(place, key))
    except NotFound:
        return MISSING
    if place == SETTINGS and isinstance(body, dict):
        return body.get(key, MISSING)
    return body


def _text(value: Held) -> Held:
    """A value to compare: a setting that was never set is the same as an empty one."""
    return MISSING if value in ("", None) else value


def plan(changes: Sequence[Keyed], title: str, what: str, notes: Sequence[str] = ()) -> Plan:
    """The plan of setting and deleting values; what is so already is counted and left alone.

    Parameters:
        what: what they are, in words.
    """
    needed = [change for change in changes if change.before != change.after]
    same = len(changes) - len(needed)
    told = [*([f"{same:,} already right"] if same else []), *notes]
    return Plan(
        title, [step(change) for change in needed], notes=told, writer=KeyedValues(needed, notes=notes, what=what)
    )


def step(change: Keyed) -> PlanStep:
    """What a plan says of a value."""
    before, after = (_kept(change.key, value) for value in (change.before, change.after))
    return PlanStep(change.action, change.place, uid=change.key, name=change.key, before=before, after=after)


def _kept(key: str, value: Held) -> JsonObject | None:
    """A value as the journal keeps it; under its own name where that says that it is a secret, so that it is not kept."""
    if isinstance(value, Missing):
        return None
    return {key if isinstance(value, str) and is_secret(key) else "value": value}


@takes_back(NAME)
async def set_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What was set is as before, what was made is deleted, what was deleted is there again. Secrets cannot come back."""
    return await set_back_of(s, entry, journal.changes(entry.id))


async def set_back_of(s: Session, entry: Entry, all_: Sequence[Change]) -> Plan:
    """The plan that sets values back.

    Parameters:
        entry: what is taken back; all_: those of its changes that are meant.
    """
    title = f"undo entry {entry.id}: {entry.title}"
    changes: list[Keyed] = []
    lost: list[str] = []
    for change in all_:
        if change.state not in {"done", "sent"} or change.uid is None:
            continue
        if change.before is not None and "value" not in change.before:
            lost.append(change.uid)
            continue
        place = cast("Place", change.type)
        before = MISSING if change.before is None else change.before["value"]
        changes.append(Keyed(place, change.uid, await held(s, place, change.uid), before))
    notes = [f"not brought back, for secrets are not kept: {', '.join(lost)}"] if lost else []
    if not changes:
        return Plan(
            title, blocked=Refused(f"entry {entry.id} has nothing to take back", hint="dhis2 journal list"), notes=notes
        )
    return plan(changes, title, "undone", notes)


async def readable(s: Session, namespace: str) -> list[str]:
    """The keys of a namespace. Raises `NotFound`, and `Forbidden` with a way on for one that is an app's own."""
    path = address(STORE, namespace)
    try:
        # at the end of an address a server may take what follows a dot for a file's ending
        body = await s.client.get(f"{path}/keys" if "." in namespace else path)
    except Forbidden as error:
        error.hint = "an app keeps this namespace for itself"
        raise
    return [str(key) for key in cast("list[JsonValue]", body)]
