"""What a server has of its own in an object that a package brings: places, people, values of attributes, translations.

A package knows no country. What it says of these adds to what is there and takes nothing away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.references import ATTRIBUTE_VALUES, INSTANCE, PLACES

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue, Row

UNITS, LEVELS = "organisationUnits", "organisationUnitLevels"
OF_CHARTS = "userOrganisationUnit"
"""A type with this property says itself of which places it is: they are what it means, as soon as it names one."""
KEYED: Mapping[str, Callable[[JsonObject], tuple[object, ...]]] = {
    ATTRIBUTE_VALUES: lambda row: (_uid(row.get("attribute")),),
    "translations": lambda row: (row.get("property"), row.get("locale")),
}
"""Collections of rows without a UID, and what tells them apart."""


def with_own(resource: Resource, before: JsonObject, body: Row) -> tuple[Row, dict[str, int]]:
    """What an object shall be where nothing of the server's own goes, and how much of each property that keeps.

    Parameters:
        before: the object as it is; body: as the package has it.
    """
    changed: dict[str, JsonValue] = {}
    kept: dict[str, int] = {}
    for name, said in body.items():
        missing = _missing(resource, name, before.get(name), said)
        if missing:
            there = before[name]
            changed[name] = [*cast("list[JsonValue]", said or []), *missing] if isinstance(there, list) else there
            kept[name] = len(missing)
    return ({**body, **changed}, kept) if changed else (body, kept)


def _missing(resource: Resource, name: str, there: JsonValue, said: JsonValue) -> list[JsonValue]:
    """What of a value would go and stays."""
    if there in (None, "", [], {}) or not isinstance(said, (list, dict, type(None))):
        return []
    if not isinstance(there, list):
        return [there] if _is_own(resource, name, one=True) and not said else []
    rows = said if isinstance(said, list) else []
    if key := KEYED.get(name):
        return [
            row for row in there if key(cast("JsonObject", row)) not in {key(cast("JsonObject", one)) for one in rows}
        ]
    if not _is_own(resource, name, one=False) or (rows and OF_CHARTS in resource.properties):
        return []
    brought = {_uid(row) for row in rows}
    return [row for row in there if not rows or _uid(row) not in brought]


def _is_own(resource: Resource, name: str, *, one: bool) -> bool:
    """Does a property lead to places or people, which no package brings?"""
    prop = resource.properties.get(name)
    if prop is None or prop.collection is one:
        return False
    if OF_CHARTS in resource.properties:
        return prop.target == UNITS
    return name == LEVELS or (prop.reference and prop.target in PLACES | INSTANCE)


def _uid(value: JsonValue) -> str:
    return str(value.get("id")) if isinstance(value, dict) else str(value)
