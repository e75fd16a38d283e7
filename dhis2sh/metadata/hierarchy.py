"""Objects that point to others of their own type (organisation units): in which order, and never in a circle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject


def leaves_first(resource: Resource, objects: Sequence[JsonObject]) -> list[JsonObject]:
    """Objects of a type that points to itself (organisation units), children before their parents."""
    depths = _depths(resource, objects)
    return sorted(objects, key=lambda item: -depths[str(item["id"])])


def parents_first(resource: Resource, objects: Sequence[JsonObject]) -> list[JsonObject]:
    """The same the other way round, as they can be created. Raises `UsageError` for one that is above itself."""
    depths = _depths(resource, objects)
    return sorted(objects, key=lambda item: depths[str(item["id"])])


def _depths(resource: Resource, objects: Sequence[JsonObject]) -> dict[str, int]:
    """How many of the objects are above each one, by UID."""
    above = {str(item["id"]): _parents(resource, item) for item in objects}
    depths: dict[str, int] = {}

    def depth(uid: str, below: tuple[str, ...] = ()) -> int:
        if uid in below:
            raise UsageError(
                f"{resource.plural}: {' is under '.join([*below[below.index(uid) :], uid])}: that is a circle"
            )
        if uid not in depths:
            depths[uid] = max((1 + depth(one, (*below, uid)) for one in above[uid] if one in above), default=0)
        return depths[uid]

    for uid in above:
        depth(uid)
    return depths


def _parents(resource: Resource, item: JsonObject) -> list[str]:
    """The objects of its own type that an object points to."""
    return [
        str(value.get("id"))
        for name, prop in resource.properties.items()
        if prop.target == resource.plural and prop.kind == "REFERENCE" and isinstance(value := item.get(name), dict)
    ]


async def check_circles(
    s: Session, resource: Resource, found: Sequence[JsonObject], changed: Sequence[JsonObject]
) -> None:
    """An object that is put below one that is below it: a server answers that with 500. Raises `UsageError`."""
    moved = {
        str(after["id"]): parent
        for before, after in zip(found, changed, strict=True)
        for parent in set(_parents(resource, after)) - set(_parents(resource, before))
    }
    if not moved or "path" not in resource.properties:
        return
    for parent in await writes.read_objects(s, resource.plural, [*moved.values()], fields="id,name,path"):
        for uid, wanted in moved.items():
            if wanted == parent["id"] and uid in str(parent.get("path")).split("/"):
                raise UsageError(
                    f"{uid} cannot be put under '{parent.get('name')}' [{parent['id']}]: that is a circle",
                    hint="--set parent=...",
                )
