"""Objects that point to others of their own type (organisation units) are never put below themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.dhis2.ordering import parents_of
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject


async def check_circles(
    s: Session, resource: Resource, found: Sequence[JsonObject], changed: Sequence[JsonObject]
) -> None:
    """An object that is put below one that is below it: a server answers that with 500. Raises `UsageError`."""
    moved = {
        str(after["id"]): parent
        for before, after in zip(found, changed, strict=True)
        for parent in set(parents_of(resource, after)) - set(parents_of(resource, before))
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
