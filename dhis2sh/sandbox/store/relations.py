"""Which type refers to which, and by what: read once from the schemas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from dhis2sh.sandbox.store.schemas import schemas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dhis2sh.models.facts import Property, Resource

USER_REFERENCES = {"user", "createdBy", "lastUpdatedBy"}
"""Who made an object: no relation between objects."""


DATA_ITEMS = {
    "dataElement": "dataElements", "dataElementOperand.dataElement": "dataElements",
    "expressionDimensionItem": "expressionDimensionItems", "indicator": "indicators",
    "programIndicator": "programIndicators",
}  # fmt: skip
"""What a row of `dataDimensionItems` refers to, by what stands in it; the schemas do not describe these rows."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A property that refers to objects of another type.

    Parameters:
        owner: plural of the type that has it.
        prop: its name, with the name inside an embedded value after a dot (`dataSetElements.dataElement`).
        single: it holds one object, not a list.
    """

    owner: str
    prop: str
    single: bool


def inline(target: Resource | None) -> bool:
    """Is a reference to this type kept whole inside the object that refers (legends, dashboard items)?"""
    return target is None or target.embedded or target.endpoint is None


@cache
def relations(version: str) -> Mapping[str, Sequence[Relation]]:
    """For each type of a version, by plural, the properties of other types that refer to it."""
    resources = schemas(version)
    found: dict[str, list[Relation]] = {plural: [] for plural in resources}
    for plural, resource in resources.items():
        if inline(resource):
            continue
        for name, prop in resource.properties.items():
            target = resources.get(prop.target or "")
            if not prop.owner or target is None or name in USER_REFERENCES:
                continue
            if prop.reference and not inline(target):
                found[target.plural].append(Relation(plural, name, not prop.collection))
            elif prop.reference or "COMPLEX" in (prop.kind, prop.item_kind):
                for inner, deeper in target.properties.items():
                    other = resources.get(deeper.target or "")
                    if other is not None and deeper.reference and inner not in USER_REFERENCES and not inline(other):
                        found[other.plural].append(Relation(plural, f"{name}.{inner}", False))
        for path in _data_items(resources, resource):
            for inner, target in DATA_ITEMS.items():
                found.setdefault(target, []).append(Relation(plural, f"{path}.{inner}", False))
    return found


def _data_items(resources: Mapping[str, Resource], resource: Resource) -> Iterator[str]:
    """Where a type has rows of data items: its own, or those of what it embeds (`mapViews.dataDimensionItems`)."""
    for name, prop in resource.properties.items():
        target = resources.get(prop.target or "")
        if name == "dataDimensionItems":
            yield name
        elif target is not None and prop.owner and inline(target) and "dataDimensionItems" in target.properties:
            yield f"{name}.dataDimensionItems"


@dataclass(frozen=True, slots=True)
class Owning:
    """A list whose members have no other owner: an option set its options, a program its notification templates.

    Parameters:
        owner: plural of the type with the list.
        members: its list.
        member: plural of the type of the members.
        reference: the property by which a member names its owner, None where it does not.
    """

    owner: str
    members: str
    member: str
    reference: str | None


@cache
def owning_lists(version: str) -> Sequence[Owning]:
    """Every list of a version's types whose members leave one owner when another gets them."""
    resources = schemas(version)
    found: list[Owning] = []
    for plural, resource in resources.items():
        for name, prop in resource.properties.items() if not inline(resource) else ():
            target = resources.get(prop.target or "")
            if not (prop.owner and prop.item_kind == "REFERENCE") or prop.many_to_many or inline(target):
                continue
            back = (
                (other for other, one in target.properties.items() if _names_owner(other, one, plural))
                if target
                else ()
            )
            found.append(Owning(plural, name, prop.target or "", next(iter(back), None)))
    return found


def _names_owner(name: str, prop: Property, owner: str) -> bool:
    return prop.owner and prop.kind == "REFERENCE" and prop.target == owner and name not in USER_REFERENCES
