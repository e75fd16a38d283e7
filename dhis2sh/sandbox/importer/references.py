"""What an object refers to, by its schema, whatever embeds the reference."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from dhis2sh.sandbox.store.relations import USER_REFERENCES, inline

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject


def references(
    types: Mapping[str, Resource], resource: Resource, body: JsonObject, leave_out: Collection[str] = ()
) -> Iterator[tuple[Property, Resource, JsonObject]]:
    """Every reference of an object to another: the property, the other's type, and the reference itself.

    Parameters:
        types: the schemas by plural.
        resource: the object's type.
        leave_out: embedded types that are not looked into.
    """
    for name, value in body.items():
        prop = resource.properties.get(name)
        target = types.get(prop.target or "") if prop is not None else None
        if prop is None or target is None or name in USER_REFERENCES or name == "sharing":
            continue
        for row in value if isinstance(value, list) else [value]:
            if not isinstance(row, dict):
                continue
            if prop.reference and not inline(target):
                yield prop, target, row
            elif target.plural not in leave_out:
                yield from references(types, target, row, leave_out)
