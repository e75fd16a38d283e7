"""In which order a server can take objects, or lose them: types in its own import order, parents before their children."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.dhis2.properties import PEOPLE
from dhis2sh.dhis2.references import paths_to
from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject


def groups_of_types(
    plurals: Iterable[str], types: Mapping[str, Resource], *, deleting: bool = False
) -> list[list[str]]:
    """Types with those first that others refer to; those stand together that refer to each other both ways (programs and stages).

    Where none leads to the other it is the server's import order.

    Parameters:
        plurals: the types to order; one that the version does not know comes first.
        types: every type of the version by plural.
        deleting: the other way round, those first that refer to others.
    """
    ordered = sorted(plurals, key=lambda name: types[name].order if name in types else 0, reverse=deleting)
    leads = {name: {kind for kind, _ in paths_to(name, types) if kind in ordered} for name in ordered}
    for middle, one in itertools.product(ordered, ordered):  # all ways, not only the direct ones
        if middle in leads[one]:
            leads[one] |= leads[middle]
    groups: list[list[str]] = []
    for name in ordered:
        mutual = next((group for group in groups if group[0] in leads[name] and name in leads[group[0]]), None)
        if mutual is None:
            groups.append([name])
        else:
            mutual.append(name)
    return _after_what_they_need(groups, leads, deleting=deleting)


def _after_what_they_need(
    groups: Sequence[list[str]], leads: Mapping[str, set[str]], *, deleting: bool
) -> list[list[str]]:
    """Groups in their order, but each after those that it refers to, or with `deleting` after those that refer to it.

    Parameters:
        leads: by type those that refer to it, over others too.
    """

    def waits_for(one: list[str], other: list[str]) -> bool:
        return other[0] in leads[one[0]] if deleting else one[0] in leads[other[0]]

    left, ordered = [*groups], list[list[str]]()
    while left:  # no circle: what leads both ways is one group
        free = next(one for one in left if not any(waits_for(one, other) for other in left if other is not one))
        left.remove(free)
        ordered.append(free)
    return ordered


def self_references(resource: Resource) -> list[str]:
    """The properties by which objects of a type refer to others of it (`parent` of organisation units)."""
    return [
        name
        for name, prop in resource.properties.items()
        if prop.target == resource.plural and prop.owner and name not in PEOPLE
    ]


def parents_of(resource: Resource, item: JsonObject) -> list[str]:
    """The UIDs of the objects of its own type that an object refers to."""
    found: list[str] = []
    for name in self_references(resource):
        value = item.get(name)
        for reference in value if isinstance(value, list) else [value]:
            if isinstance(reference, dict) and isinstance(uid := reference.get("id"), str):
                found.append(uid)
    return found


def parents_first(resource: Resource, objects: Sequence[JsonObject]) -> list[JsonObject]:
    """Objects as they can be created: those first that others refer to, else in the order given.

    Raises `UsageError` for one of a hierarchy (organisation units) that is above itself; groups may manage each other.
    """
    return [objects[number] for number in in_order(resource, objects)]


def leaves_first(resource: Resource, objects: Sequence[JsonObject]) -> list[JsonObject]:
    """The same the other way round, as they can be deleted. Raises as `parents_first`."""
    return [objects[number] for number in in_order(resource, objects, deleting=True)]


def in_order(resource: Resource, objects: Sequence[JsonObject], *, deleting: bool = False) -> list[int]:
    """The places of objects as `parents_first` has them, or with `deleting` as `leaves_first`. Raises as they do."""
    depths = _depths(resource, objects)
    return sorted(range(len(objects)), key=lambda number: -depths[number] if deleting else depths[number])


def _depths(resource: Resource, objects: Sequence[JsonObject]) -> list[int]:
    """How many of the objects are above each one. A hierarchy may be deep: no recursion."""
    if not self_references(resource):
        return [0] * len(objects)
    numbers = {str(item["id"]): number for number, item in enumerate(objects) if item.get("id")}
    above = [[numbers[uid] for uid in parents_of(resource, item) if uid in numbers] for item in objects]
    depths = [-1] * len(objects)
    for first in range(len(objects)):
        way = [first]  # from an object up to the one whose parents are looked at
        while way:
            number = way[-1]
            open_ = [one for one in above[number] if depths[one] < 0 and one not in way]
            if depths[number] < 0 and not open_:
                _check_circle(resource, objects, way, above[number])
                depths[number] = max((1 + depths[one] for one in above[number]), default=0)
            if open_:
                way.append(open_[0])
            else:
                way.pop()
    return depths


def _check_circle(
    resource: Resource, objects: Sequence[JsonObject], way: Sequence[int], parents: Sequence[int]
) -> None:
    """Raise for an object that is above itself. Only a hierarchy has a `path`, and a server answers that with 500."""
    again = next((one for one in parents if one in way), None)
    if again is None or "path" not in resource.properties:
        return
    circle = [str(objects[number]["id"]) for number in [*way[way.index(again) :], again]]
    raise UsageError(f"{resource.plural}: {' is under '.join(circle)}: that is a circle")
