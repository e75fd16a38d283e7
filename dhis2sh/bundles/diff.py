"""What differs between two bundles: objects added, removed and changed, property by property.

What every save changes (`lastUpdated`), what a server computes (`access`, `displayName`) and the order of lists that
have none do not count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.client.references import label

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.bundles.bundle import Bundle
    from dhis2sh.types import JsonObject, JsonValue, Row

type Change = Literal["added", "removed", "changed"]

VOLATILE = frozenset({"lastUpdated", "lastUpdatedBy", "created", "createdBy", "user", "href", "access", "favorite",
                      "favorites", "subscribers", "subscribed", "lastLogin", "interpretations", "interpretationCount",
                      "interpretationLikeCount", "contentCount", "parentGraphMap", "columns", "rows", "filters"})  # fmt: skip
"""What is not part of an object's meaning: who saved it when, and what the server computes for whoever asks."""
EMPTY: tuple[JsonValue, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Difference:
    """One property of one object; for a whole object `property` is None."""

    change: Change
    type: str
    uid: str
    name: str
    property: str | None = None
    before: JsonValue = None
    after: JsonValue = None


def diff(
    before: Bundle, after: Bundle, types: Mapping[str, Resource], *, ignore: frozenset[str] = frozenset()
) -> Iterator[Difference]:
    """The differences from one bundle to the other, by type and name.

    Parameters:
        before, after: the two; types that only one of them was asked for differ as a whole.
        types: the types of the server's version, which know what is ordered and what is computed.
        ignore: further properties that do not count (`sharing`).
    """
    for plural in sorted({*before.objects, *after.objects}):
        old, new = before.objects.get(plural, {}), after.objects.get(plural, {})
        resource = types.get(plural)
        for uid in sorted({*old, *new}, key=lambda uid: label(new.get(uid) or old[uid]).lower()):
            if uid not in new:
                yield Difference("removed", plural, uid, label(old[uid]))
            elif uid not in old:
                yield Difference("added", plural, uid, label(new[uid]))
            elif old[uid] != new[uid]:
                yield from _changes(plural, resource, old[uid], new[uid], ignore)


def _changes(
    plural: str, resource: Resource | None, old: Row, new: Row, ignore: frozenset[str]
) -> Iterator[Difference]:
    for name in sorted({*old, *new} - VOLATILE - ignore):
        before, after = old.get(name), new.get(name)
        if before == after or (before in EMPTY and after in EMPTY):
            continue
        prop = resource.properties.get(name) if resource else None
        if prop is not None and not (prop.owner or prop.persisted or prop.writable):
            continue
        ordered = prop.ordered if prop is not None else False
        if settled(before, ordered) != settled(after, ordered):
            yield Difference("changed", plural, str(new.get("id")), label(new), name, before, after)


def settled(value: JsonValue, ordered: bool = False) -> JsonValue:
    """A value as it compares: references by their UID, volatile keys out, lists without an order sorted."""
    if isinstance(value, dict):
        if "id" in value and "username" in value:
            return value["id"]
        return {key: settled(item) for key, item in value.items() if key not in VOLATILE and item not in EMPTY}
    if not isinstance(value, list):
        return value
    items = [settled(item) for item in value]
    return items if ordered else sorted(items, key=_key)


def _key(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True)


def in_words(value: JsonValue) -> str:
    """A value as a person reads it in a table of differences: lists by their length and first UIDs."""
    if isinstance(value, list):
        shown = ", ".join(in_words(item) for item in value[:3])
        return f"{len(value)}: {shown}{' …' if len(value) > 3 else ''}" if value else "none"
    if isinstance(value, dict):
        found = cast("JsonObject", value)
        return str(found["id"]) if "id" in found else ", ".join(f"{k}={in_words(v)}" for k, v in found.items())
    return "none" if value is None else str(value)
