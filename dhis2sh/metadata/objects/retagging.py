"""References and enum values of many objects, set, added and taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import UsageError
from dhis2sh.metadata import other_side, values
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


async def tags_of(s: Session, resource: Resource, texts: Sequence[str]) -> JsonObject:
    """`property=value` texts as values; only references and enums."""
    reader = await values.reader_of(s, resource)
    found: JsonObject = {}
    for path, value in values.pairs(texts):
        prop = values.property_of(resource, path)
        if not (values.refers_to_objects(prop) or prop.constants):
            raise UsageError(
                f"{prop.name} is neither a reference nor an enum",
                hint=f"dhis2 metadata patch {resource.plural} --help  sets any property of many objects",
            )
        reader.put(found, path, value)
    reader.check()
    await other_side.refuse(s, resource, found)
    await reader.resolved(s, [found])
    return found


def retagged(before: JsonObject, wanted: JsonObject, added: JsonObject, removed: JsonObject) -> JsonObject:
    """An object with other values, with members put into collections and taken out."""
    after = {**before, **wanted}
    for name, items in added.items():
        have = list(cast("list[JsonValue]", after.get(name) or []))
        after[name] = have + [item for item in cast("list[JsonValue]", items) if _key(item) not in map(_key, have)]
    for name, items in removed.items():
        gone = {_key(item) for item in cast("list[JsonValue]", items)}
        after[name] = [item for item in cast("list[JsonValue]", after.get(name) or []) if _key(item) not in gone]
    return after


def _key(item: JsonValue) -> str:
    return str(item.get("id")) if isinstance(item, dict) else str(item)
