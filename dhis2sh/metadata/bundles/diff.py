"""What differs between two bundles: objects added, removed and changed, property by property.

What every save changes (`lastUpdated`), what a server computes (`access`, `displayName`) and the order of lists that
have none do not count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from dhis2sh.dhis2.properties import NAMES, VOLATILE
from dhis2sh.dhis2.references import label
from dhis2sh.metadata import map_layers
from dhis2sh.metadata.collections import joins_of
from dhis2sh.metadata.comparing import access_given, empty

if TYPE_CHECKING:
    from dhis2sh.metadata.bundles.bundle import Bundle
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonValue, Row

type Change = Literal["added", "removed", "changed"]

FILLED_IN: Mapping[str, JsonValue] = {"shape": "NORMAL", "hideEmptyRowItems": "NONE", "regressionType": "NONE"}
"""What a server writes into an embedded object that does not say it (a dashboard's item, a map's layer)."""


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
        for uid in sorted({*old, *new}, key=lambda uid: label(new.get(uid) or old[uid]).lower()):
            if uid not in new:
                yield Difference("removed", plural, uid, label(old[uid]))
            elif uid not in old:
                yield Difference("added", plural, uid, label(new[uid]))
            elif old[uid] != new[uid]:
                yield from _changes(plural, types, old[uid], new[uid], ignore)


def _changes(
    plural: str, types: Mapping[str, Resource], old: Row, new: Row, ignore: frozenset[str]
) -> Iterator[Difference]:
    for name in sorted({*old, *new} - ignore):
        before, after = old.get(name), new.get(name)
        if differs(plural, name, before, after, types):
            yield Difference("changed", plural, str(new.get("id")), label(new), name, before, after)


def differs(plural: str, name: str, before: JsonValue, after: JsonValue, types: Mapping[str, Resource]) -> bool:
    """Do two values of one property mean different things? What is computed never does.

    Parameters:
        plural, name: the property; of a type that `types` does not have nothing is known.
    """
    if name in VOLATILE or before == after or (empty(before) and empty(after)):
        return False
    if name == "sharing" and isinstance(before, dict) and isinstance(after, dict):
        return before.get("owner") != after.get("owner") or access_given(before) != access_given(after)
    if plural == map_layers.MAPS and name == map_layers.VIEWS:
        before, after = (map_layers.compared(value) for value in (before, after))
    if (join := joins_of(plural).get(name)) is not None:  # a row may name the object that holds it, or not
        before, after = (_without(join.back, value) for value in (before, after))
    prop = types[plural].properties.get(name) if plural in types else None
    if prop is None:
        return settled(before) != settled(after)
    if not (prop.owner or prop.persisted or prop.writable):
        return False
    inner = types.get(prop.target or "")
    return settled(before, prop.ordered, inner, types) != settled(after, prop.ordered, inner, types)


def _without(key: str, rows: JsonValue) -> JsonValue:
    if not isinstance(rows, list):
        return rows
    return [{name: item for name, item in row.items() if name != key} if isinstance(row, dict) else row for row in rows]


def settled(
    value: JsonValue,
    ordered: bool = False,
    inner: Resource | None = None,
    types: Mapping[str, Resource] = MappingProxyType({}),
) -> JsonValue:
    """A value as it compares: references by their UID, volatile keys out, lists without an order sorted.

    Parameters:
        ordered: whether a list has an order.
        inner: the type of an embedded object; what is computed of it goes out too. Of some (sharing) no property is
            said to be owned: all of it counts.
        types: those that `inner` embeds in turn.
    """
    if isinstance(value, dict):
        if "id" in value and ("username" in value or value.keys() <= NAMES):
            return value["id"]
        properties: Mapping[str, Property] = inner.properties if inner is not None and inner.owner else {}
        return {
            key: settled(item, False, types.get((prop.target if prop else None) or ""), types)
            for key, item in value.items()
            for prop in [properties.get(key)]
            if not _says_nothing(key, item) and (prop is None or prop.owner or prop.persisted)
        }
    if not isinstance(value, list):
        return value
    items = [settled(item, False, inner, types) for item in value]
    return items if ordered else sorted(items, key=_key)


def _says_nothing(key: str, value: JsonValue) -> bool:
    """What an embedded object has and means nothing; its sharing too, since only the whole is shared."""
    return key in VOLATILE or key == "sharing" or empty(value) or FILLED_IN.get(key, "") == value


def _key(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True)
