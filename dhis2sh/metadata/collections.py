"""What an object holds: collections of references, and join rows, which refer to an object and say something about it.

A data set holds its elements as `dataSetElements[{dataElement, categoryCombo}]`, a program its attributes with
`mandatory` and `searchable`. `metadata members` lists them; `types/joins.py` adds and removes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.properties import WORKED_OUT
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.metadata import values
from dhis2sh.words import kebab

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Join:
    """A collection of rows that refer to objects.

    Parameters:
        owner: the type that holds it; property: its name there.
        item: the property of a row that refers to the object; target: that object's type.
        back: the property of a row that refers to the owner; a server gives it and refuses it back (quirk D4).
        verbs: `add` and `remove` of one type that write such rows, without `add-`.
        says: what a row says besides, as `fields` asks for it.
    """

    owner: str
    property: str
    item: str
    target: str
    back: str
    verbs: str
    says: tuple[str, ...]

    def uid_of(self, row: JsonValue) -> str:
        """The object that a row is about."""
        held = cast("JsonObject", row).get(self.item)
        return str(cast("JsonObject", held or {}).get("id"))

    def rows(self, body: Mapping[str, JsonValue]) -> list[JsonObject]:
        """The rows of an object, without the arrow back to it and what a server works out itself."""
        found = cast("list[JsonObject]", body.get(self.property) or [])
        left_out = {self.back, *WORKED_OUT}
        return [{key: value for key, value in row.items() if key not in left_out} for row in found]

    def columns(self) -> list[str]:
        """The names of what a row says besides."""
        return [field.partition("[")[0] for field in self.says]


SET_ELEMENTS = Join(
    "dataSets", "dataSetElements", "dataElement", "dataElements", "dataSet", "element", ("categoryCombo[id,displayName]",)
)  # fmt: skip
STAGE_ELEMENTS = Join(
    "programStages", "programStageDataElements", "dataElement", "dataElements", "programStage", "element",
    ("compulsory", "displayInReports", "allowFutureDate"),
)  # fmt: skip
PROGRAM_ATTRIBUTES = Join(
    "programs", "programTrackedEntityAttributes", "trackedEntityAttribute", "trackedEntityAttributes", "program",
    "attribute", ("mandatory", "searchable", "displayInList"),
)  # fmt: skip
TYPE_ATTRIBUTES = Join(
    "trackedEntityTypes", "trackedEntityTypeAttributes", "trackedEntityAttribute", "trackedEntityAttributes",
    "trackedEntityType", "attribute", ("mandatory", "searchable", "displayInList"),
)  # fmt: skip
JOINS = (SET_ELEMENTS, STAGE_ELEMENTS, PROGRAM_ATTRIBUTES, TYPE_ATTRIBUTES)
MEANT = {
    "dataSets": "dataSetElements", "programStages": "programStageDataElements", "programStageSections": "dataElements",
    "sections": "dataElements", "userGroups": "users",
}  # fmt: skip
"""What people mean by the members of a type that has several collections."""


def joins_of(plural: str) -> dict[str, Join]:
    """The collections of join rows of a type."""
    return {join.property: join for join in JOINS if join.owner == plural}


def readable_of(resource: Resource) -> list[str]:
    """The names of a type's collections whose members can be listed, what is meant without a name first."""
    known = [*joins_of(resource.plural), *values.collections_of(resource)]
    return sorted(known, key=lambda name: name != MEANT.get(resource.plural))


def collection_of(resource: Resource, name: str | None) -> Property | Join:
    """The collection that is meant: the one that is named, the only one, or the one in `MEANT`. Raises `UsageError`."""
    known: dict[str, Property | Join] = {**joins_of(resource.plural), **values.collections_of(resource)}
    if not known:
        raise UsageError(f"{resource.plural} have no members", hint=f"dhis2 metadata describe {resource.plural}")
    meant = name or (next(iter(known)) if len(known) == 1 else MEANT.get(resource.plural))
    if meant is None:
        raise UsageError(f"{resource.plural} have several collections", hint=f"--property {'|'.join(known)}")
    for key, found in known.items():
        if kebab(meant).replace("-", "") == key.lower():
            return found
    hint = did_you_mean(meant, list(known)) or f"--property {'|'.join(known)}"
    raise UsageError(f"{resource.plural} have no collection '{meant}'", hint=hint)


def references_of(resource: Resource, name: str | None, verb: str) -> Property:
    """The collection of plain references that is meant, to be changed by a verb. Raises `UsageError`."""
    found = collection_of(resource, name)
    if isinstance(found, Join):
        own = f"dhis2 metadata {kebab(found.owner)} {verb}-{found.verbs}"
        raise UsageError(f"{found.property} say more than which {kebab(found.target).replace('-', ' ')}", hint=own)
    return found
