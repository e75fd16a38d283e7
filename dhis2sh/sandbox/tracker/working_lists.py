"""What the controllers of working lists check and fill in.

API source: `EventFilterController`, `TrackedEntityFilterController`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.refused import Refused
from dhis2sh.sandbox.store.database import Store
from dhis2sh.sandbox.tracker.metadata import objects

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

_EMPTY = {"eventQueryCriteria": ("displayColumnOrder",),
          "programStageQueryCriteria": ("displayColumnOrder", "assignedUsers", "attributeValueFilters")}  # fmt: skip
"""Lists that are empty where they were not sent."""
_LOST = frozenset({"occurredDate"})
"""What a server was seen to leave out of the criteria of events."""


def check_event_filter(store: Store, sent: JsonObject) -> None:
    """A filter of events names a program that there is. Raises `Refused`."""
    wrong: list[str] = []
    program, stage = sent.get("program"), sent.get("programStage")
    if not program:
        wrong.append("Program should be specified for event filters.")
    for plural, words, uid in (("programs", "Program", program), ("programStages", "Program stage", stage)):
        if isinstance(uid, str) and uid and store.get(plural, uid) is None:
            wrong.append(f"{words} is specified but does not exist: {uid}")
    _refuse(wrong)


def check_entity_filter(store: Store, sent: JsonObject) -> None:
    """A filter of tracked entities names attributes that there are. Raises `Refused`."""
    filters = objects(cast("JsonObject", sent.get("entityQueryCriteria") or {}), "attributeValueFilters")
    _refuse(
        [
            f"No tracked entity attribute found for attribute:{one['attribute']}"
            for one in filters
            if one.get("attribute") and store.get("trackedEntityAttributes", str(one["attribute"])) is None
        ]
    )


def _refuse(wrong: list[str]) -> None:
    if wrong:
        raise Refused(409, f"[{', '.join(wrong)}]")


def fill_criteria(bundle: Bundle, item: Item) -> None:
    """The criteria as the server keeps them."""
    del bundle
    for name, lists in _EMPTY.items():
        criteria = item.body.get(name)
        if isinstance(criteria, dict):
            kept = {key: value for key, value in criteria.items() if key not in _LOST}
            item.body[name] = {**{key: [] for key in lists}, **kept}
