"""What an undo leaves since others stand on it: what a later write uses, what a server is certain to keep, and what both need.

Who takes writes back in their order, the last first, meets none of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.way_back import way_back
from dhis2sh.client import schema
from dhis2sh.dhis2.references import references
from dhis2sh.dhis2.uids import found_in
from dhis2sh.errors import Dhis2Error
from dhis2sh.metadata import writes
from dhis2sh.metadata.bundles.walk import BACKWARDS
from dhis2sh.metadata.objects.deleting import Deletion, deletion
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.changes.plan import Plan
    from dhis2sh.metadata.write import Write
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

type Objects = Mapping[str, Sequence[JsonObject]]
"""Objects by type, with all that they own."""

NEEDED = "it stays, since what stays needs it"
NAMED = 3
"""So many objects that use one are named before the rest is counted."""


@dataclass(slots=True)
class Staying:
    """Objects that a write created and that are not deleted when it is taken back.

    Parameters:
        why: by UID, in words.
        first: the numbers of the later entries that use some, the newest first.
    """

    why: dict[str, str] = field(default_factory=dict[str, str])
    first: list[int] = field(default_factory=list[int])

    def without(self, created: Objects) -> dict[str, list[JsonObject]]:
        """What is left to be deleted."""
        left = {plural: [item for item in items if item["id"] not in self.why] for plural, items in created.items()}
        return {plural: items for plural, items in left.items() if items}

    def keep_needs(
        self, roots: Iterable[tuple[str, JsonObject]], created: Objects, types: Mapping[str, Resource]
    ) -> None:
        """Let stay what some objects need that stay, and their parts: a program is none without its rules."""
        places = {str(item["id"]): (plural, item) for plural, items in created.items() for item in items}
        open_ = list(roots)
        while open_:
            plural, body = open_.pop()
            needed = {ref.uid for ref in references(types[plural], body, types)} if plural in types else set[str]()
            for uid in sorted(needed | {*_parts(plural, str(body["id"]), created)}):
                if uid in places and uid not in self.why:
                    self.why[uid] = NEEDED
                    open_.append(places[uid])


def _parts(plural: str, uid: str, created: Objects) -> Iterator[str]:
    """What belongs to an object and points to it, of what was created with it."""
    for part, path in BACKWARDS.get(plural, ()):
        for item in created.get(part, ()):
            whole = item.get(path.partition(".")[0])
            if isinstance(whole, dict) and whole.get("id") == uid:
                yield str(item["id"])


async def in_order(
    s: Session, journal: Journal, entry: Entry, staying: Staying, created: Objects, *, edited: bool
) -> str:
    """The command that takes back the newest write of those that stand on what an entry has made, and which are next.

    That all of it goes then is said where both were planned and nothing stays; what others have changed is never in it.

    Parameters:
        created: what the entry has made and is there.
        edited: has somebody else changed some of it since?
    """
    newest, *others = staying.first
    plan = await _without_force(s, journal, newest)
    if plan is None or plan.blocked is not None or not plan.steps:
        return f"dhis2 undo {newest} --dry-run  says why entry {newest}, which uses it, stays"
    then = ", then ".join(f"undo {number}" for number in (*others, entry.id))
    if plan.rest:
        return f"dhis2 undo {newest}  comes first, and leaves what others use or have changed; then {then}"
    whole = not others and not edited and await _both_go(s, journal, newest, created)
    return f"dhis2 undo {newest}  comes first; then {then}{' takes back all of it' if whole else ''}"


async def _without_force(s: Session, journal: Journal, number: int) -> Plan | None:
    """The plan that takes back an entry, but for what others have changed; None where there is none."""
    entry = journal.entry(number)
    back = way_back(entry)
    try:
        return await back(s, journal, entry, force=False) if back is not None else None
    except Dhis2Error:  # who takes it back will hear of it
        return None


async def _both_go(s: Session, journal: Journal, number: int, created: Objects) -> bool:
    """Does a server let go all that an entry has made when a later one is taken back before it?"""
    known, types = await schema.resources_of(s.client), await schema.types_of(s.client)
    together = {plural: [*items] for plural, items in created.items()}
    of_later: dict[str, list[str]] = {}
    for change in journal.changes(number):
        if change.written and change.action == "create" and change.uid is not None and change.type in known:
            of_later.setdefault(change.type, []).append(change.uid)
    for plural, uids in of_later.items():
        rows = await writes.read_objects(s, plural, uids, missing_is_fine=True)
        together.setdefault(plural, []).extend(rows)
    gone = await deletion(s, {plural: items for plural, items in together.items() if plural in types})
    return not gone.held


async def deletion_of_unused(
    s: Session, journal: Journal, entry: Entry, created: Objects, *, edited: Objects, changed: Sequence[Write]
) -> tuple[Deletion, Staying]:
    """The deletion of what an entry has created, but for what others stand on.

    Parameters:
        created: the objects that are to be deleted, as they are now.
        edited: what the entry created and somebody has changed since: it stays, unless it goes with what it belongs to.
        changed: what else is taken back, so that it may refer to less than it does now.

    Raises what reading raises.
    """
    types = await schema.types_of(s.client)
    found = Staying()
    await _keep_used(s, journal, entry, created, changed, found)
    while True:
        staying = [(plural, item) for plural, items in created.items() for item in items if item["id"] in found.why]
        found.keep_needs(staying, created, types)
        gone = await deletion(s, found.without(created))
        going = {write.uid for write in gone.writes if write.after is None}
        before = len(found.why)
        found.why |= {uid: f"it stays, the server keeps what is in use (E4030: {by})" for uid, by in gone.held.items()
                      if uid not in found.why}  # fmt: skip
        roots = [(plural, item) for plural, items in edited.items() for item in items
                 if item["id"] not in going and not plural.endswith(("Groups", "GroupSets"))]  # fmt: skip
        found.keep_needs(roots, created, types)
        if len(found.why) == before:
            return gone, found


async def _keep_used(
    s: Session, journal: Journal, entry: Entry, created: Objects, changed: Sequence[Write], found: Staying
) -> None:
    """Let stay what writes after an entry use of what it created."""
    wanted = {str(item["id"]) for items in created.values() for item in items}
    for other in journal.after(entry) if wanted else ():
        changes = journal.changes(other.id)
        meant = [(change, uids) for change in changes if (uids := _put_in(change, wanted))]
        users: dict[str, list[str]] = {}
        for change, used in await _still(s, meant, changed):
            for uid in sorted(used):
                users.setdefault(uid, []).append(f"{change.type} {change.name or change.uid}")
        if users:
            found.first.append(other.id)
        for uid, held in users.items():
            found.why.setdefault(uid, f"it stays, entry {other.id} uses it ({listed(held, NAMED)})")
        back = _shared_before(changes, wanted)
        if back and not users:
            found.first.append(other.id)
        for uid, held in back.items():
            why = f"it stays, what entry {other.id} has shared otherwise was shared with it ({listed(held, NAMED)})"
            found.why.setdefault(uid, why)


def _put_in(change: Change, wanted: Collection[str]) -> set[str]:
    """Which objects a change has made another one refer to, or name in an expression."""
    if not change.written or change.action not in {"create", "update"} or change.uid in wanted:
        return set()
    return _named(change.after, wanted) - _named(change.before, wanted)


def _shared_before(changes: Iterable[Change], wanted: Collection[str]) -> dict[str, list[str]]:
    """By UID the objects that changes have shared with somebody no more: who takes those back shares them so again."""
    found: dict[str, list[str]] = {}
    for change in changes:
        if change.written and change.action == "update":
            before, after = ((body or {}).get("sharing") for body in (change.before, change.after))
            for uid in sorted(_named(before, wanted) - _named(after, wanted)):
                found.setdefault(uid, []).append(f"{change.type} {change.name or change.uid}")
    return found


def _named(body: JsonValue, wanted: Collection[str]) -> set[str]:
    return {uid for uid in found_in(json.dumps(body)) if uid in wanted} if body else set()


async def _still(
    s: Session, meant: Sequence[tuple[Change, set[str]]], changed: Sequence[Write]
) -> list[tuple[Change, set[str]]]:
    """Those changes whose objects refer still to what they were made to refer to, when the rest is taken back."""
    types = await schema.resources_of(s.client)
    after = {(write.plural, write.uid): write.after for write in changed}
    found: list[tuple[Change, set[str]]] = []
    for plural in dict.fromkeys(change.type for change, _ in meant if change.type in types):
        mine = [(change, uids) for change, uids in meant if change.type == plural]
        uids = list(dict.fromkeys(cast("str", change.uid) for change, _ in mine))
        rows = await writes.read_objects(s, plural, uids, missing_is_fine=True)
        there = {str(row["id"]): row for row in rows}
        for change, put_in in mine:
            body = after.get((plural, cast("str", change.uid)), there.get(cast("str", change.uid)))
            left = _named(body, put_in)
            if left:
                found.append((change, left))
    return found
