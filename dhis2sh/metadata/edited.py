"""Has somebody edited an object since it was written? What its server makes of what it was sent is no edit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.plan import PlanStep
from dhis2sh.dhis2.properties import COUNTED, FOLLOWERS, OF_RUNS, SAVED_BY, SET_BY_SERVER, VOLATILE, name_of
from dhis2sh.metadata import map_layers
from dhis2sh.metadata.bundles.diff import differs
from dhis2sh.metadata.collections import joins_of
from dhis2sh.metadata.comparing import as_made, as_written, ids, same
from dhis2sh.redact import has_secret
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue

NOT_EDITED = SET_BY_SERVER | OF_RUNS
"""What is another one although nobody has edited the object."""
NOT_COMPARED = NOT_EDITED | {"version"}
"""What is another one when an object is made again."""
WORKED_OUT = {
    "programRuleVariables": frozenset({"valueType"}),
    "jobConfigurations": frozenset({"jobStatus", "executedBy", "errorCodes", "queueName", "queuePosition"}),
    **COUNTED,
}
"""What a server sets by itself although an object owns it: a variable has the value type of what it stands for."""
NOT_ADDED = VOLATILE | FOLLOWERS
"""What others add to an object without editing it."""
SETTLED = dt.timedelta(minutes=1)
"""So long after an object was created its server may save it again by itself."""


def changed_since(current: JsonObject, made: JsonObject) -> list[str]:
    """What somebody has changed of an object since it was created: its properties, or that it was saved again.

    What a server adds by itself is no change, but it adds it at once.
    """
    plain, _ = without_secrets(made)
    named = [
        name
        for name, value in plain.items()
        if name not in NOT_EDITED and not same(current.get(name), value) and not _untouched(name, current, value)
    ]
    created, saved = (_time(current.get(name)) for name in ("created", "lastUpdated"))
    if "lastUpdated" in made:  # the whole object, as its server had it; of what was sent the journal leaves that out
        named += [name for name in current if name not in made and name not in NOT_ADDED and _says(current[name])]
    if named or "created" in made or "lastUpdated" in made:
        return named
    return ["it"] if created is not None and saved is not None and saved - created > SETTLED else []


def told_edit(plural: str, names: Sequence[str], made: JsonObject, current: JsonObject) -> str:
    """What somebody has made of some properties of an object, and who has saved it last; a secret is only named."""
    shown = [name for name in names if name in made or name in current]
    old, new = ({name: body[name] for name in shown if name in body} for body in (made, current))
    words = PlanStep("update", plural, before=old, after=new).words() if shown else ""
    by = current.get(SAVED_BY)
    who = name_of(by) if isinstance(by, dict) else None
    saved = str(current.get("lastUpdated") or "")[:16].replace("T", " ")
    last = f"last saved {saved}{f' by {who}' if who else ''}" if saved else ""
    return ", ".join(part for part in (words or f"{joined(names)} is another one", last) if part)


def as_left(made: Change, changes: Sequence[Change], earlier: Sequence[Change] = ()) -> JsonObject:
    """A created object as its entry left it: a later part may have changed it (its members), and what was taken back before."""
    found = dict(made.after or {})
    later = [change for change in sorted(changes, key=lambda one: one.number) if change.number > made.number]
    for change in [*later, *earlier]:
        if change.uid != made.uid:
            continue
        after = change.after or {}
        if change.action == "create":  # it was deleted, and that was taken back
            found = dict(after)
        elif change.action.endswith("update"):
            found |= {name: after.get(name) for name in {**(change.before or {}), **after}}
    return found


def without(made: JsonObject, gone: Collection[str]) -> JsonObject:
    """An object without its references to what is gone."""

    def there(value: JsonValue) -> bool:
        return not isinstance(value, dict) or value.get("id") not in gone

    lists = {name: [*filter(there, value)] if isinstance(value, list) else value for name, value in made.items()}
    return {name: value if there(value) else None for name, value in lists.items()}


@dataclass(frozen=True, slots=True)
class LaterWrites:
    """What later entries of the journal have changed that can be taken back before: by UID the changes, the oldest first."""

    found: Mapping[str, Sequence[tuple[int, Change]]]

    @classmethod
    def of(cls, journal: Journal, entry: Entry) -> LaterWrites:
        """Those after an entry, on the same server."""
        found: dict[str, list[tuple[int, Change]]] = {}
        for other in reversed([*journal.after(entry)]):
            for change in journal.changes(other.id):
                if change.written and change.uid is not None and change.action.endswith("update"):
                    found.setdefault(change.uid, []).append((other.id, change))
        return cls(found)

    def of_object(self, uid: str) -> list[Change]:
        """The changes of one object."""
        return [change for _, change in self.found.get(uid, ())]

    def last(self, uid: str, names: Collection[str]) -> int | None:
        """The newest entry that has changed one of some properties of an object."""
        return next(
            (
                number
                for number, change in reversed(self.found.get(uid, ()))
                if not {*(change.before or {}), *(change.after or {})}.isdisjoint(names)
            ),
            None,
        )


def _says(value: JsonValue) -> bool:
    """Is a value more than what a server shows of a property that nobody has set?"""
    return value not in (None, False, "", [], {})


def without_new(current: JsonObject, made: JsonObject, new: Collection[str]) -> JsonObject:
    """An object without those of its members that the same entry has created after it: they go, too."""
    found = dict(current)
    for name, value in current.items():
        if isinstance(value, list):
            first = made.get(name)
            then = ids(first) if isinstance(first, list) else {}
            later = {uid for uid in ids(value) if uid in new and uid not in then}
            if later:
                found[name] = [item for item in value if not isinstance(item, dict) or item.get("id") not in later]
    return found


def own(plural: str, resource: Resource | None, made: JsonObject) -> JsonObject:
    """What an object owns of what it was created with: what a server works out or numbers anew may differ from what was sent."""
    properties: Mapping[str, Property] = resource.properties if resource is not None else {}
    worked_out = {name for name, prop in properties.items() if not prop.owner} | WORKED_OUT.get(plural, frozenset())
    return {name: value for name, value in made.items() if name not in worked_out and name != "sortOrder"}


def _untouched(name: str, current: JsonObject, made: JsonValue) -> bool:
    """Has nobody changed a property since, where a server has added to it: the owner to sharing, defaults to what is embedded?"""
    now = current.get(name)
    if name == "sharing":
        return same(plain_sharing(now, owner=False), plain_sharing(made, owner=False))
    if name == map_layers.VIEWS:
        now, made = map_layers.comparable(now), map_layers.comparable(made)
    return as_made(now, made)


def _time(value: JsonValue) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError:
        return None


def plain_sharing(sharing: JsonValue, *, owner: bool) -> JsonValue:
    """Sharing to compare: a server may leave out that nobody else sees an object, and an owner counts only where it is meant to."""
    if not isinstance(sharing, dict):
        return sharing
    return {**sharing, "external": sharing.get("external") is True, **({} if owner else {"owner": None})}


def without_secrets(value: JsonObject) -> tuple[JsonObject, list[str]]:
    """An object without what the journal did not keep of it, and the names of that."""
    secret = [name for name, item in value.items() if has_secret(item)]
    return {name: item for name, item in value.items() if name not in secret}, secret


def is_again(plural: str, name: str, now: JsonObject, before: JsonObject, types: Mapping[str, Resource]) -> bool:
    """Is a property what it was? Of join rows what a server calls them does not count, nor what it counts itself."""
    if name in COUNTED.get(plural, ()):
        return True
    join = joins_of(plural).get(name)
    if join is not None:
        return not differs(plural, name, [*join.rows(before)], [*join.rows(now)], types)
    return not differs(plural, name, before.get(name), now.get(name), types)


def is_still(plural: str, name: str, current: JsonObject, after: JsonObject, types: Mapping[str, Resource]) -> bool:
    """Is a property what a change has made of it? It was sent, so that a server may have added to it."""
    now, sent = current.get(name), after.get(name)
    if plural == map_layers.MAPS and name == map_layers.VIEWS:
        now, sent = map_layers.comparable(now), map_layers.comparable(sent)
    return as_written(types[plural].properties.get(name) if plural in types else None, now, sent)


def members_restored(current: JsonValue, before: JsonValue, after: JsonValue) -> JsonValue:
    """A collection without what a change put in and with what it took out; None where it is none of plain references."""
    if not all(isinstance(value, (list, type(None))) for value in (current, before, after)):
        return None
    lists = [cast("list[JsonValue]", value or []) for value in (current, before, after)]
    if any(not isinstance(item, dict) or set(item) != {"id"} for item in (*lists[1], *lists[2])):
        return None
    now, old, new = (ids(items) for items in lists)
    kept = [item for uid, item in now.items() if uid in old or uid not in new]
    return [*kept, *(item for uid, item in old.items() if uid not in new and uid not in now)]
