"""What can be said of a bundle before a server sees it: arrows that lead nowhere, properties that it does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dhis2sh.bundles.bundle import Bundle
from dhis2sh.bundles.walk import Walk
from dhis2sh.client.references import Reference, label, references
from dhis2sh.errors import did_you_mean

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.client.client import Client

MADE_BY_SERVER = frozenset({"createdBy", "lastUpdatedBy", "user", "sharing"})
"""Arrows that an import sets anew where they lead nowhere; they stop nothing."""


@dataclass(slots=True)
class Findings:
    """What is wrong with a bundle.

    Parameters:
        dangling: arrows to what is neither in the bundle nor on the server, with the object they begin at.
        unknown_types: types that the server does not have; unknown_properties: how often a property that it does not
            know occurs, by type and name.
        doubled: codes and names that must be unique and are not, within the bundle.
    """

    dangling: list[tuple[str, str, str, Reference]] = field(default_factory=lambda: [])
    unknown_types: list[str] = field(default_factory=lambda: [])
    unknown_properties: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    doubled: list[str] = field(default_factory=lambda: [])

    def notes(self) -> list[str]:
        """One line each, the gravest first."""
        arrows: dict[tuple[str, str, str, str, str], list[str]] = {}
        for plural, uid, name, ref in self.dangling:
            arrows.setdefault((plural, name, uid, ref.path, ref.type or "objects"), []).append(ref.uid)
        lines = [
            f"dangling: {plural} '{name}' [{uid}] {path} leads to {len(uids):,} {kind} that are neither in the bundle nor on "
            f"the server: {', '.join(uids[:3])}{' …' if len(uids) > 3 else ''}"
            for (plural, name, uid, path, kind), uids in arrows.items()
        ]
        lines += [f"doubled: {text}" for text in self.doubled]
        lines += [f"unknown type: {plural}; the server leaves it out" for plural in self.unknown_types]
        lines += [
            f"unknown property: {plural}.{name} in {count:,} objects; the server leaves it out"
            for (plural, name), count in sorted(self.unknown_properties.items())
        ]
        return lines


async def check(client: Client, bundle: Bundle, types: Mapping[str, Resource]) -> Findings:
    """Look a bundle through, asking the server only which of the referenced objects it has."""
    found = Findings()
    inside = {uid for objects in bundle.objects.values() for uid in objects}
    outside: dict[str, list[tuple[str, str, str, Reference]]] = {}
    for plural, body in bundle:
        resource = types.get(plural)
        if resource is None or resource.endpoint is None:
            continue
        for name in body.keys() - resource.properties.keys():
            found.unknown_properties[plural, name] += 1
        for ref in references(resource, body, types):
            if ref.uid not in inside and ref.property not in MADE_BY_SERVER:
                outside.setdefault(ref.uid, []).append((plural, str(body["id"]), label(body), ref))
    found.unknown_types = [name for name in bundle.objects if name not in types or types[name].endpoint is None]
    there = await Walk(client, types).types_of(outside)
    found.dangling = [arrow for uid, arrows in outside.items() if uid not in there for arrow in arrows]
    found.doubled = list(_doubled(bundle, types))
    return found


def _doubled(bundle: Bundle, types: Mapping[str, Resource]) -> list[str]:
    lines: list[str] = []
    for plural, objects in bundle.objects.items():
        resource = types.get(plural)
        for name in ("code", "name"):
            prop = resource.properties.get(name) if resource else None
            if prop is None or not prop.unique:
                continue
            counted = Counter(str(body[name]) for body in objects.values() if body.get(name))
            lines += [f"{count} {plural} have the {name} '{text}'" for text, count in counted.items() if count > 1]
    return lines


def nearest_type(name: str, types: Mapping[str, Resource]) -> str | None:
    """A hint for a type that the server does not have."""
    return did_you_mean(name, [plural for plural, item in types.items() if item.endpoint])
