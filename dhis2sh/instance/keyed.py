"""Values under keys that a server keeps: the data store and the system settings. The writer, and the way back.

API source: `DatastoreController.java`, `SystemSettingsController.java` (recorded `inst-data-store`, `inst-settings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, cast
from urllib.parse import quote

from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client.sending import accepted
from dhis2sh.errors import Forbidden, NotFound, Refused
from dhis2sh.instance.one_by_one import OneByOne
from dhis2sh.redact import is_secret

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.changes.plan import Action
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
    def step(self) -> PlanStep:
        """What a plan says of it."""
        before, after = (_kept(self.key, value) for value in (self.before, self.after))
        return PlanStep(self.action, self.place, uid=self.key, name=self.key, before=before, after=after)

    async def moved(self, s: Session) -> str | None:
        """Has somebody set it to something else?"""
        now = _text(await held(s, self.place, self.key))
        return None if now == _text(self.before) else f"{self.key} has changed since the plan was made"

    async def carry_out(self, s: Session) -> None:
        """Set it, or delete it."""
        method, body, target = "PUT", self.after, address(self.place, self.key)
        if self.after is MISSING:
            method = "DELETE"
        elif self.place == SETTINGS:
            method, target, body = "POST", SETTINGS, cast("JsonValue", {self.key: self.after})
        content = None if isinstance(body, Missing) else _bytes(body)
        if self.place == STORE:
            await _unmistakable(s, self.key)
        try:
            accepted(await s.client.write(method, target, content, content_type="application/json"))
        finally:
            if self.place == SETTINGS:
                s.client.system.forget()

    async def is_done(self, s: Session) -> bool:
        """Is it as it was meant to be? A deleted setting is at its default again, which is there."""
        now = await held(s, self.place, self.key)
        if self.after is MISSING:
            return self.place == SETTINGS or now is MISSING
        # a server that does not show a secret: its answer is all that there is
        return now == self.after or (now is MISSING and is_secret(self.key))


def address(place: Place, key: str) -> str:
    """The address of a key; blanks and slashes in it are written as a server wants them."""
    return "/".join((place, *(quote(part, safe="") for part in key.split("/", 1))))


@dataclass(slots=True)
class KeyedValues(OneByOne):
    """The writer: a request for each key."""

    name: ClassVar[str] = NAME

    what: str = field(default=STORE, kw_only=True)


def _bytes(value: JsonValue) -> bytes:
    import json  # start-up: few verbs write here

    return json.dumps(value, ensure_ascii=False).encode()


def ending_cut(name: str) -> set[str]:
    """The keys for which a server could take one with a dot in it."""
    return {name.partition(".")[0], name.rpartition(".")[0]} if "." in name else set()


async def _there(s: Session, namespace: str) -> set[str]:
    """The keys of a namespace; none where it is not there."""
    try:
        return {*await readable(s, namespace)}
    except NotFound:
        return set()


def _mistakable(key: str, meant: str) -> Refused:
    return Refused(
        f"{key} is left as it is: a server may take what follows the dot for a file's ending, and write to '{meant}'",
        hint="a key without a dot",
    )


async def _unmistakable(s: Session, key: str) -> None:
    """Raise `Refused` for a key of the store that a server could take for another one that is there.

    Of the last part of an address a server may take what follows a dot for a file's ending: `DELETE /api/dataStore/a.b` looks
    for `a` (recorded, inst-data-store 47).
    """
    namespace, _, name = key.partition("/")
    if (others := ending_cut(name)) and (meant := others & await _there(s, namespace)):
        raise _mistakable(key, min(meant))


async def _told_apart(s: Session, changes: Sequence[Keyed]) -> tuple[list[Keyed], list[Refused]]:
    """Changes in an order in which no key is taken for another one, and why the rest cannot be made.

    A key that another one hides behind goes before that one, and comes after it.
    """
    found: list[Keyed] = []
    refused: list[Refused] = []
    gone = {change.key for change in changes if change.after is MISSING}
    there: dict[str, set[str]] = {}
    for change in changes:
        namespace, _, name = change.key.partition("/")
        others = ending_cut(name) if change.place == STORE else set[str]()
        if others and namespace not in there:
            there[namespace] = await _there(s, namespace)
        meant = {other for other in others & there.get(namespace, set()) if f"{namespace}/{other}" not in gone}
        if meant:
            refused.append(_mistakable(change.key, min(meant)))
        else:
            found.append(change)
    dots = [(change, change.key.partition("/")[2].count(".")) for change in found]
    going = sorted((pair for pair in dots if pair[0].after is MISSING), key=lambda pair: pair[1])
    coming = sorted((pair for pair in dots if pair[0].after is not MISSING), key=lambda pair: -pair[1])
    return [change for change, _ in (*going, *coming)], refused


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


async def plan(s: Session, changes: Sequence[Keyed], title: str, what: str, notes: Sequence[str] = ()) -> Plan:
    """The plan of setting and deleting values; what is so already is counted and left alone.

    A key that a server could take for another one is left out and named; where nothing else is left the plan is blocked.

    Parameters:
        what: what they are, in words.
    """
    needed = [change for change in changes if change.before != change.after]
    same = len(changes) - len(needed)
    needed, refused = await _told_apart(s, needed)
    notes = [*notes, *(str(one) for one in refused if needed or len(refused) > 1)]
    told = [*([f"{same:,} already right"] if same else []), *notes]
    made = Plan(
        title, [change.step for change in needed], notes=told, writer=KeyedValues(needed, notes=notes, what=what)
    )
    if refused and not needed:
        made.blocked = refused[0]
    return made


def _kept(key: str, value: Held) -> JsonObject | None:
    """A value as the journal keeps it; under its own name where that says that it is a secret, so that it is not kept."""
    if isinstance(value, Missing):
        return None
    return {key if isinstance(value, str) and value and is_secret(key) else "value": value}


@takes_back(NAME)
async def set_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What was set is as before, what was made is deleted, what was deleted is there again. Secrets cannot come back."""
    return await set_back_of(s, entry, journal.changes(entry.id))


async def set_back_of(s: Session, entry: Entry, all_: Sequence[Change]) -> Plan:
    """The plan that sets values back.

    Parameters:
        entry: what is taken back; all_: those of its changes that are meant.
    """
    title = entry.undo_title
    changes: list[Keyed] = []
    lost: list[str] = []
    for change in all_:
        if not change.written or change.uid is None:
            continue
        if change.before is not None and "value" not in change.before:
            lost.append(change.uid)
            continue
        place = cast("Place", change.type)
        before = MISSING if change.before is None else change.before["value"]
        changes.append(Keyed(place, change.uid, await held(s, place, change.uid), before))
    notes = [f"not brought back, for secrets are not kept: {', '.join(lost)}"] if lost else []
    if not changes:
        return Plan(title, blocked=Refused(f"entry {entry.id} has nothing to take back"), notes=notes)
    return await plan(s, changes, title, "undone", notes)


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
