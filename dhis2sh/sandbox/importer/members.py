"""Lists whose members have one owner (`store.owning_lists`): what a write of one side makes of the other.

A member that gets another owner leaves the one that it had, and the answer says nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.store.references import ids

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.sandbox.store.relations import Owning
    from dhis2sh.types import JsonObject

ORPHANS_DIE = {"programRules.programRuleActions"}
"""Lists whose members are deleted when they are taken out (seen on 2.41 to 2.43); others stay and have no owner."""
ORPHANS_STAY = {"optionSets.options", "programs.programStages"}
"""Lists of which it was seen that their members stay."""
NUMBERED = {"optionSets.options": "sortOrder"}
"""Lists that keep their order in a property of the members, counted from 0 whenever the list is written."""
KEPT_BY_OWNER = {"optionSets.options", "programRules.programRuleActions", "programStages.programStageSections"}
"""Lists that write their members back: `DELETE` of one is answered with 200 and does nothing (2.41, 2.42)."""
KEPT_SINCE_43 = {"programStages.programStageSections"}
"""The same on 2.43."""


class Members:
    """The objects that one write changes on the other side.

    Parameters:
        store: the database.
        put: what the write stores, by plural and UID; added to.

    `gone` are the UIDs of members that die, by plural.
    """

    def __init__(self, store: Store, put: dict[str, dict[str, JsonObject]]) -> None:
        self._store = store
        self.put = put
        self.gone: dict[str, list[str]] = {}
        self._written: dict[Owning, dict[str, set[str]]] = {}

    def _current(self, plural: str, uid: str) -> JsonObject | None:
        return self.put.get(plural, {}).get(uid) or self._store.get(plural, uid)

    def _keep(self, plural: str, body: JsonObject) -> None:
        self.put.setdefault(plural, {})[str(body["id"])] = body

    def _keep_list(self, owning: Owning, owner: JsonObject, members: Sequence[str]) -> None:
        """Store an owner with other members."""
        index, uid = self._index(owning), str(owner["id"])
        for member in ids(owner.get(owning.members)):
            index.setdefault(member, set()).discard(uid)
        for member in members:
            index.setdefault(member, set()).add(uid)
        self._keep(owning.owner, {**owner, owning.members: [{"id": one} for one in members]})

    def _index(self, owning: Owning) -> dict[str, set[str]]:
        """Which owners among those that are written list each member."""
        if owning not in self._written:
            index = self._written[owning] = {}
            for uid, body in self.put.get(owning.owner, {}).items():
                for member in ids(body.get(owning.members)):
                    index.setdefault(member, set()).add(uid)
        return self._written[owning]

    def _owners(self, owning: Owning, member: str) -> set[str]:
        """Who lists a member now."""
        stored = self._store.inverse(owning.owner, owning.members).get(member, [])
        written = self.put.get(owning.owner, {})
        return {uid for uid in stored if uid not in written} | self._index(owning).get(member, set())

    def named(self, owning: Owning, member: str, owner: str | None) -> None:
        """A member names its owner: that one lists it, and no other does any more.

        Parameters:
            owner: None for none.
        """
        self._leaves(owning, member, owner)
        body = self._current(owning.owner, owner) if owner is not None else None
        if body is not None and member not in (have := ids(body.get(owning.members))):
            self._keep_list(owning, body, self._placed(owning, [*have, member]))

    def _placed(self, owning: Owning, members: Sequence[str]) -> Sequence[str]:
        """Members in the order of their numbers, where the list keeps its order in those (meta2-options 2-9)."""
        name = NUMBERED.get(f"{owning.owner}.{owning.members}")
        if name is None:
            return members
        numbers = [(self._current(owning.member, uid) or {}).get(name) for uid in members]
        if not all(isinstance(number, int) for number in numbers):
            return members
        return [
            uid for _, uid in sorted(zip(cast("list[int]", numbers), members, strict=True), key=lambda pair: pair[0])
        ]

    def _leaves(self, owning: Owning, member: str, owner: str | None) -> None:
        """No owner but this one lists a member."""
        for uid in self._owners(owning, member) - {owner}:
            body = self._current(owning.owner, uid) or {}
            self._keep_list(owning, body, [one for one in ids(body.get(owning.members)) if one != member])

    def listed(self, owning: Owning, owner: str, before: Sequence[str], after: Sequence[str]) -> None:
        """An owner lists its members: each names it and leaves the owner that it had; those that are out have none, or die."""
        path = f"{owning.owner}.{owning.members}"
        for place, uid in enumerate(after):
            member = self._current(owning.member, uid)
            if member is None:
                continue
            self._leaves(owning, uid, owner)
            changed = dict(member)
            if owning.reference is not None:
                changed[owning.reference] = {"id": owner}
            if path in NUMBERED:
                changed[NUMBERED[path]] = place
            if changed != member:
                self._keep(owning.member, changed)
        listed = set(after)
        for uid in before:
            if uid not in listed and (member := self._current(owning.member, uid)) is not None:
                self._orphaned(owning, path, owner, member)

    def _orphaned(self, owning: Owning, path: str, owner: str, member: JsonObject) -> None:
        named = ids(member.get(owning.reference)) if owning.reference is not None else [owner]
        if named not in ([owner], []):
            return  # the same write has given it to another
        if path in ORPHANS_DIE:
            self.put.get(owning.member, {}).pop(str(member["id"]), None)
            self.gone.setdefault(owning.member, []).append(str(member["id"]))
        elif named and owning.reference is not None:
            self._keep(owning.member, {name: value for name, value in member.items() if name != owning.reference})


def kept_by_owner(store: Store, plural: str, uid: str) -> bool:
    """Is an object in a list that writes it back when it alone is deleted?"""
    keeping = KEPT_SINCE_43 if store.version.minor >= 43 else KEPT_BY_OWNER
    return any(
        store.inverse(owning.owner, owning.members).get(uid)
        for owning in store.owning_lists
        if owning.member == plural and f"{owning.owner}.{owning.members}" in keeping
    )
