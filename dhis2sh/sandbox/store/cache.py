"""A parsed copy of one type of objects, with the orders and inverse sides that reads need.

A copy is never changed once readers may hold it: a write makes the next one, which shares all that the write left alone.
So a write of one object costs a shallow copy of a few dictionaries, not a parse of the type.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.store.references import referred

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

type _Key = tuple[str, str]


class TypeCache:
    """The objects of one type at one version.

    Parameters:
        version: the type's version in the file.
        objects: by UID.
        by_case: names are in order by their characters, else without regard to case.
    """

    def __init__(self, version: int, objects: dict[str, JsonObject], *, by_case: bool = False) -> None:
        self.version = version
        self.by_case = by_case
        self.objects: Mapping[str, JsonObject] = objects
        self._keys: list[_Key] | None = None
        self._ordered: list[JsonObject] | None = None
        self._inverse: dict[str, dict[str, list[str]]] = {}
        self._unique: dict[str, dict[JsonValue, str]] = {}

    def ordered(self) -> list[JsonObject]:
        """By name, then by UID. Shared: callers must not change the list."""
        if self._ordered is None:
            if self._keys is None:
                self._keys = sorted(self._key(body) for body in self.objects.values())
            self._ordered = [self.objects[uid] for _, uid in self._keys]
        return self._ordered

    def inverse(self, prop: str) -> Mapping[str, list[str]]:
        """Who refers by `prop` to each UID. A dotted path goes through an embedded list."""
        index = self._inverse.get(prop)
        if index is None:
            index = {}
            for uid, body in self.objects.items():
                for target in referred(body, prop):
                    index.setdefault(target, []).append(uid)
            self._inverse[prop] = index
        return index

    def unique(self, prop: str) -> Mapping[JsonValue, str]:
        """Who has each value of a property that is text or a number."""
        index = self._unique.get(prop)
        if index is None:
            index = self._unique[prop] = _by_value(prop, self.objects)
        return index

    def changed(self, version: int, put: Mapping[str, JsonObject], delete: Iterable[str]) -> TypeCache:
        """The copy after a write."""
        gone = {uid for uid in (*delete, *put) if uid in self.objects}
        objects = dict(self.objects)
        for uid in gone:
            if uid not in put:
                del objects[uid]
        objects.update(put)
        after = TypeCache(version, objects, by_case=self.by_case)
        if len(gone) + len(put) > 1000:  # cheaper to build again when somebody asks
            return after
        if self._keys is not None:
            after._keys = self._moved(self._keys, [self.objects[uid] for uid in gone], put.values())
        for prop, values in list(self._unique.items()):
            lost = {
                value for value in (self.objects[uid].get(prop) for uid in gone) if not isinstance(value, (dict, list))
            }
            kept = {value: uid for value, uid in values.items() if value not in lost or uid not in gone}
            after._unique[prop] = kept | _by_value(prop, put)
        for prop, index in list(self._inverse.items()):
            after._inverse[prop] = _reindexed(index, prop, {uid: self.objects[uid] for uid in gone}, put)
        return after

    def _key(self, body: JsonObject) -> _Key:
        return name_key(body, self.by_case)

    def _moved(self, keys: list[_Key], gone: Iterable[JsonObject], put: Iterable[JsonObject]) -> list[_Key]:
        after = list(keys)
        for body in gone:
            del after[bisect_left(after, self._key(body))]
        for body in put:
            insort(after, self._key(body))
        return after


def name_key(body: JsonObject, by_case: bool) -> tuple[str, str]:
    """By what a list without `order` is in order: the name, then the UID."""
    name = str(body.get("name") or "")
    return name if by_case else name.lower(), cast("str", body["id"])


def _by_value(prop: str, objects: Mapping[str, JsonObject]) -> dict[JsonValue, str]:
    pairs = ((body.get(prop), uid) for uid, body in objects.items())
    return {value: uid for value, uid in pairs if value is not None and not isinstance(value, (dict, list))}


def _reindexed(
    index: dict[str, list[str]], prop: str, gone: Mapping[str, JsonObject], put: Mapping[str, JsonObject]
) -> dict[str, list[str]]:
    """An inverse index after a write; the lists that change are copied first."""
    before = {uid: set(referred(body, prop)) for uid, body in gone.items()}
    now = {uid: set(referred(body, prop)) for uid, body in put.items()}
    lost = [(target, uid) for uid, targets in before.items() for target in targets - now.get(uid, set())]
    won = [(target, uid) for uid, targets in now.items() for target in targets - before.get(uid, set())]
    if not lost and not won:
        return index
    after = dict(index)
    for target in {target for target, _ in (*lost, *won)}:
        after[target] = list(after.get(target, ()))
    for target, uid in lost:
        after[target].remove(uid)
    for target, uid in won:
        after[target].append(uid)
    return after
