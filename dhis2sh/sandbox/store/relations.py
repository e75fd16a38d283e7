"""Which type refers to which, and by what: read once from the schemas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from dhis2sh.sandbox.store.schemas import schemas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dhis2_models.facts import Resource

USER_REFERENCES = {"user", "createdBy", "lastUpdatedBy"}
"""Who made an object: no relation between objects."""


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
    return found


@dataclass(frozen=True, slots=True)
class Pair:
    """A relation that both sides keep: an option set its options, an option its set.

    Parameters:
        owner: plural of the type with the list.
        members: its list.
        member: plural of the type with the single reference.
        reference: that reference.
    """

    owner: str
    members: str
    member: str
    reference: str


@cache
def pairs(version: str) -> Sequence[Pair]:
    """Every relation of a version's types of which a write of one side must change the other."""
    resources = schemas(version)
    found: list[Pair] = []
    for plural, resource in resources.items():
        for name, prop in resource.properties.items():
            target = resources.get(prop.target or "")
            if inline(resource) or target is None or inline(target) or not (prop.owner and prop.collection):
                continue
            for other, back in target.properties.items():
                if back.owner and back.kind == "REFERENCE" and back.target == plural and other not in USER_REFERENCES:
                    found.append(Pair(plural, name, target.plural, other))
    return found
