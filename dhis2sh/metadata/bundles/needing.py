"""What of a bundle cannot be without another object: its parts, and what a server takes only with a reference to it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

from dhis2sh.metadata.bundles.mapping import PART_OF

if TYPE_CHECKING:
    from dhis2sh.metadata.bundles.bundle import Bundle
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import Row


def needs(resource: Resource | None, body: Row, gone: Container[str]) -> str | None:
    """The property by which an object cannot be without one of some others; None where it can."""
    if resource is None:
        return None
    for name, value in body.items():
        prop = resource.properties.get(name)
        if prop is None or prop.collection or not isinstance(value, dict) or str(value.get("id")) not in gone:
            continue
        if PART_OF.get(resource.plural) == name or (prop.required and prop.reference):
            return name
    return None


def parts_of(bundle: Bundle, gone: set[str]) -> set[str]:
    """The UIDs of the parts of some objects, and of their parts."""
    found: set[str] = set()
    for plural, whole in PART_OF.items():  # wholes stand before their parts
        for uid, body in bundle.objects.get(plural, {}).items():
            held = body.get(whole)
            if uid not in gone and isinstance(held, dict) and held.get("id") in gone | found:
                found.add(uid)
    return found


def needing(bundle: Bundle, gone: set[str], types: Mapping[str, Resource]) -> dict[str, str]:
    """What cannot be without some objects, and without what cannot be without them in turn: the property by UID."""
    found: dict[str, str] = {}
    while more := {
        str(body["id"]): name
        for plural, body in bundle
        if body["id"] not in gone
        and body["id"] not in found
        and (name := needs(types.get(plural), body, gone | found.keys())) is not None
    }:
        found |= more
    return found
