"""Names of the tracker's parameters that 2.42 has taken away, and that servers up to 2.41 heed (OpenAPI of each version)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.datastructures import QueryParams

from dhis2sh.sandbox.refused import Refused, not_imitated

if TYPE_CHECKING:
    from dhis2sh.sandbox.tracker.storage import Kind

_MANY = ";"
"""Between UIDs in the older parameters."""
_NAMES: Mapping[Kind, Mapping[str, str]] = {
    "trackedEntity": {
        "orgUnit": "orgUnits", "ouMode": "orgUnitMode", "trackedEntity": "trackedEntities", "assignedUser": "assignedUsers",
    },
    "enrollment": {"orgUnit": "orgUnits", "ouMode": "orgUnitMode", "enrollment": "enrollments"},
    "event": {
        "ouMode": "orgUnitMode", "event": "events", "assignedUser": "assignedUsers", "attributeCc": "attributeCategoryCombo",
        "attributeCos": "attributeCategoryOptions",
    },
    "relationship": {"tei": "trackedEntity"},
}  # fmt: skip
_UNKNOWN = ("query", "attribute", "includeAllAttributes")
"""What lists of tracked entities heed besides, in a way that nobody has looked into."""


_NEWER = ("trackedEntities", "enrollments", "events")
"""What 2.40 does not know; whether it ignores them all nobody has looked into."""
_UNITS = frozenset({"orgUnits", "orgUnitMode"})
_ANYWHERE = frozenset({"ACCESSIBLE", "ALL", "CAPTURE"})
"""Modes that need no unit."""


def oldest(query: QueryParams, kind: Kind) -> QueryParams:
    """A request's parameters as 2.40 heeds them: it does not know the newer names of units (recorded, tracker-read 3 to 12).

    Parameters:
        query: of the request.
        kind: what is listed.

    Raises `Refused` where nothing says of which program and which units, and with 501 where nobody knows.
    """
    if unknown := [name for name in _NEWER if name in query]:
        raise not_imitated(f"the parameter {unknown[0]} of 2.40")
    found = QueryParams([(name, value) for name, value in query.multi_items() if name not in _UNITS])
    if kind == "trackedEntity" and not any(
        found.get(name) for name in ("program", "trackedEntityType", "trackedEntity")
    ):
        raise Refused(409, "Either Program or Tracked entity type should be specified")
    placed = (
        found.get("orgUnit")
        or found.get("ouMode", "").upper() in _ANYWHERE
        or kind not in {"trackedEntity", "enrollment"}
    )
    known = found.get("trackedEntity") if kind == "trackedEntity" else found.get("enrollment")
    if not placed and not known:
        raise Refused(409, "At least one organisation unit must be specified")
    return found


def renamed(query: QueryParams, kind: Kind) -> QueryParams:
    """A request's parameters under the names that all versions know.

    Parameters:
        query: of the request.
        kind: what is listed.

    Raises `Refused` (501) for one that stands there under both its names, or that nobody knows the effect of.
    """
    names = _NAMES[kind]
    for older, name in names.items():
        if older in query and name in query:
            raise not_imitated(f"{older} beside {name}")
    for name in _UNKNOWN if kind == "trackedEntity" else ():
        if name in query:
            raise not_imitated(f"the parameter {name} of tracked entities")
    return QueryParams(
        [
            (names[name], value.replace(_MANY, ",")) if name in names else (name, value)
            for name, value in query.multi_items()
        ]
    )
