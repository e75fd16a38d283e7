"""What a read looks up on its way: objects, who refers to them, and what the user may do with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dhis2sh.sandbox.store.database import Store

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.sandbox.metadata.rights import Rights
    from dhis2sh.sandbox.versions import Version
    from dhis2sh.types import JsonObject

ACCESS: JsonObject = dict.fromkeys(["manage", "externalize", "write", "read", "update", "delete"], True)


class Lookup:
    """The objects of one store, for one user. Lives as long as one request and sees one state of each type.

    Parameters:
        store: where the objects are.
        base_url: what `href` begins with.
        rights: what the user may do; None for everything.
        single: one object is shown, not a list; favourites then say more.
    """

    def __init__(self, store: Store, base_url: str, *, rights: Rights | None = None, single: bool = False) -> None:
        self.store = store
        self.base_url = base_url
        self.single = single
        self.rights = rights
        self.me = rights.uid if rights is not None else None
        self.resources = store.resources
        self._types: dict[str, Mapping[str, JsonObject]] = {}
        self._inverses: dict[tuple[str, str], Mapping[str, list[str]]] = {}

    @property
    def version(self) -> Version:
        """The server version that is mimicked."""
        return self.store.version

    def find(self, plural: str, uid: str) -> JsonObject | None:
        """An object of a type, or None."""
        known = self._types.get(plural)
        if known is None:
            known = self._types[plural] = self.store.objects(plural)
        return known.get(uid)

    def every(self, plural: str) -> Iterable[JsonObject]:
        """Every object of a type."""
        return self.store.objects(plural).values()

    def referring(self, plural: str, prop: str, uid: str) -> list[str]:
        """UIDs of the objects of a type that refer to a UID by a property."""
        known = self._inverses.get((plural, prop))
        if known is None:
            known = self._inverses[(plural, prop)] = self.store.inverse(plural, prop)
        return known.get(uid, [])

    def access(self, resource: Resource, body: JsonObject) -> JsonObject:
        """The `access` property of an object, for this user."""
        if self.rights is not None and not self.rights.superuser and resource.endpoint is not None:
            return self.rights.access(resource, body)
        shown: JsonObject = dict(ACCESS)
        if resource.data_shareable:
            shown["data"] = {"write": True, "read": True}
        return shown
