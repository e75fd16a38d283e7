"""What an export holds, what it leaves out and why, and which of its arrows lead nowhere: for people and as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

from dhis2sh.dhis2.references import INSTANCE, PLACES, belongs_to_instance, references
from dhis2sh.metadata.bundles.walk import known

if TYPE_CHECKING:
    from dhis2sh.client.client import Client
    from dhis2sh.metadata.bundles.bundle import Bundle
    from dhis2sh.metadata.bundles.walk import Gathered
    from dhis2sh.models.facts import Resource

UNKNOWN = "objects that the server does not have"
"""What an arrow leads to where not even the server says what it is."""
SHOWN = 10
"""So many dangling arrows are written out for people; the data has them all."""


class LeftOut(BaseModel):
    """Objects of one type that the bundle refers to and does not hold.

    Parameters:
        references: how many arrows lead to them; `objects` how many they are.
        why: the reason in words; `add` the option that brings them.
    """

    type: str
    objects: int
    references: int
    why: str
    add: str | None

    def line(self) -> str:
        """In words."""
        refer = "1 reference" if self.references == 1 else f"{self.references:,} references"
        return f"left out: {self.objects:,} {self.type} ({refer}): {self.why}{f'; {self.add} brings them' if self.add else ''}"


class DanglingArrow(BaseModel):
    """A reference to what the server itself does not have, or does not show to this user."""

    id: str
    name: str
    property: str
    to_type: str | None
    to: str

    def line(self) -> str:
        """In words."""
        return (
            f"dangling: {self.name} [{self.id}] {self.property} leads to {self.to_type or 'an object'} {self.to}, "
            "which this server does not have or does not show you"
        )


class Exported(BaseModel):
    """What was exported.

    Parameters:
        file: where to, with its size in `bytes`; None where the bundle itself is the result.
        types: how many objects of each type; None where the server's bundle went to the file unread.
    """

    file: str | None = None
    bytes: int | None = None
    types: dict[str, int] | None = None
    left_out: list[LeftOut] = []
    dangling: list[DanglingArrow] = []

    def notes(self) -> list[str]:
        """What was left out and what leads nowhere, one line each."""
        more = len(self.dangling) - SHOWN
        return [
            *(item.line() for item in self.left_out),
            *(item.line() for item in self.dangling[:SHOWN]),
            *([f"dangling: {more:,} more; -o json lists them"] if more > 0 else []),
        ]

    def line(self) -> str:
        """The report in words, the file first."""
        counts = self.types or {}
        size = f"{self.bytes or 0:,} bytes"
        total = f"{sum(counts.values()):,} objects of {len(counts):,} types, {size}" if self.types is not None else size
        listed = [", ".join(f"{count:,} {plural}" for plural, count in counts.items())] if counts else []
        return "\n  ".join([f"{self.file}: {total}", *listed, *self.notes()])


def of_walk(gathered: Gathered) -> Exported:
    """The report of a walk over dependencies."""
    return Exported(
        types=gathered.bundle.counts(),
        left_out=_left_out(gathered.left_out, walked=True),
        dangling=[
            DanglingArrow(id=uid, name=name, property=ref.path, to_type=ref.type, to=ref.uid)
            for uid, name, ref in gathered.dangling
        ],
    )


async def of_objects(client: Client, bundle: Bundle, types: Mapping[str, Resource]) -> Exported:
    """The report of objects without their dependencies: what they refer to is left out, and named in the bundle."""
    inside = {uid for objects in bundle.objects.values() for uid in objects}
    arrows: Counter[str] = Counter()
    for plural, body in bundle:
        if plural in types:
            found = references(types[plural], body, types)
            arrows.update(ref.uid for ref in found if ref.uid not in inside and not belongs_to_instance(ref))
    there = await known(client, arrows)
    outside: dict[str, Counter[str]] = {}
    for uid, count in arrows.items():
        plural, name = there.get(uid, (UNKNOWN, ""))
        outside.setdefault(plural, Counter())[uid] = count
        if name:
            bundle.outside.setdefault(plural, {})[uid] = name
    return Exported(types=bundle.counts(), left_out=_left_out(outside, walked=False))


def _left_out(counted: Mapping[str, Counter[str]], *, walked: bool) -> list[LeftOut]:
    return [
        LeftOut(type=plural, objects=len(found), references=found.total(), why=why, add=add)
        for plural, found in sorted(counted.items(), key=lambda item: -item[1].total())
        for why, add in [_reason(plural, walked)]
    ]


def _reason(plural: str, walked: bool) -> tuple[str, str | None]:
    if plural == UNKNOWN:
        return "the references are dangling there too", None
    if plural in INSTANCE:
        return "people and sharing belong to one server", "--with sharing"
    if plural in PLACES:
        return (
            "organisation units are each country's own",
            "--deps --with org-units" if not walked else "--with org-units",
        )
    return "only what was asked for is in it", "--deps"
