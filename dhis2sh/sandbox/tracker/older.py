"""Names of the tracker's parameters that 2.42 has taken away, and that servers up to 2.41 heed (OpenAPI of each version)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.datastructures import QueryParams

from dhis2sh.sandbox.refused import not_imitated

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
