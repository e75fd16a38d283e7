"""Gathers an object and all that it needs, for any type: the walk that the server offers for six types only.

References are followed type by type, many objects in one request. People, sharing and organisation units are left out
unless asked for, and the report says what was left out and which arrows lead nowhere.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.dhis2.properties import AUTHORS, OF_PEOPLE
from dhis2sh.dhis2.references import PLACES, Reference, belongs_to_instance, label, leads_to_places, references
from dhis2sh.metadata.bundles.bundle import Bundle

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonValue, Row

BACKWARDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "programs": (("programRules", "program.id"), ("programRuleVariables", "program.id"), ("programIndicators", "program.id"),
                 ("programSections", "program.id")),
    "programRules": (("programRuleActions", "programRule.id"),),
    "dataSets": (("sections", "dataSet.id"),),
    "optionSets": (("options", "optionSet.id"), ("optionGroups", "optionSet.id")),
    "categoryCombos": (("categoryOptionCombos", "categoryCombo.id"),),
}  # fmt: skip
"""Parts that point to their whole and not the other way round: a program without its rules is not the program."""


@dataclass(slots=True)
class Gathered:
    """What a walk found.

    Parameters:
        bundle: the objects, those asked for first.
        because: for each object that was not asked for, which object needed it and where.
        left_out: arrows that were not followed on purpose, counted by the type and UID that they lead to.
        dangling: arrows that lead to nothing on this server: UID and name of the object they begin at.
    """

    bundle: Bundle
    because: dict[str, tuple[str, str]] = field(default_factory=lambda: {})
    left_out: dict[str, Counter[str]] = field(default_factory=lambda: {})
    dangling: list[tuple[str, str, Reference]] = field(default_factory=lambda: [])

    def leave_out(self, kind: str, uid: str) -> None:
        """Count an arrow that is not followed."""
        self.left_out.setdefault(kind, Counter())[uid] += 1


async def known(client: Requests, uids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Type and name of each UID that is on a server, whatever its type."""
    found = await reading.of_any_type(client, uids)
    return {str(row["id"]): (plural, label(row)) for plural, rows in found.items() for row in rows}


def stripped(value: JsonValue) -> JsonValue:
    """An object without what it says of people and sharing, on every level."""
    if isinstance(value, dict):
        return {key: stripped(item) for key, item in value.items() if key not in OF_PEOPLE}
    return [stripped(item) for item in value] if isinstance(value, list) else value


class Walk:
    """Follows references over one server.

    Parameters:
        client: the server's client.
        types: the types of its version by plural.
        places: follow references to organisation units, their groups and levels.
        sharing: follow references to users, groups and roles, and keep sharing in the objects.
    """

    def __init__(
        self, client: Requests, types: Mapping[str, Resource], *, places: bool = False, sharing: bool = False
    ) -> None:
        self._client = client
        self._types = types
        self._places = places
        self._sharing = sharing
        self._seen: set[str] = set()

    async def gather(self, start: Sequence[tuple[str, str]]) -> Gathered:
        """The objects named by type and UID, and all that they need.

        Raises what a request raises; objects that are not there are dangling, not an error.
        """
        found = Gathered(Bundle())
        wanted: dict[str, dict[str, Reference | None]] = {}
        for plural, uid in start:
            wanted.setdefault(plural, {})[uid] = None
        origins: dict[str, tuple[str, str]] = {}
        while wanted:
            fetched = await asyncio.gather(*(self._fetch(plural, list(uids)) for plural, uids in wanted.items()))
            pieces = await self._parts(
                {plural: list(objects) for (plural, _), objects in zip(wanted.items(), fetched, strict=True)}
            )
            arrived: list[tuple[str, Row]] = []
            for (plural, uids), objects in zip(wanted.items(), fetched, strict=True):
                arrived += [(plural, body) for body in objects.values()]
                for uid in uids.keys() - objects.keys():
                    self._missing(found, uid, uids[uid], origins)
            self._seen |= {uid for uids in wanted.values() for uid in uids}
            arrived += [item for item in pieces if str(item[1]["id"]) not in self._seen]
            self._seen |= {str(body["id"]) for _, body in pieces}
            wanted = {}
            for plural, body in arrived:
                found.bundle.add(plural, self._kept(body))
                for reference in self._followed(plural, body, found):
                    origins.setdefault(reference.uid, (str(body["id"]), label(body)))
                    found.because.setdefault(reference.uid, (label(body), reference.path))
                    wanted.setdefault(reference.type or "", {}).setdefault(reference.uid, reference)
            wanted = await self._typed(wanted, found, origins)
        return found

    def _kept(self, body: Row) -> Row:
        return body if self._sharing else cast("Row", stripped(body))

    def _followed(self, plural: str, body: Row, found: Gathered) -> Iterator[Reference]:
        resource = self._types.get(plural)
        if resource is None:
            return
        for reference in references(resource, body, self._types):
            if belongs_to_instance(reference) and not self._sharing:
                if reference.property not in AUTHORS:
                    found.leave_out(reference.type or "users", reference.uid)
            elif leads_to_places(reference) and not self._places:
                found.leave_out(reference.type or "organisationUnits", reference.uid)
            elif reference.uid not in self._seen:
                yield reference

    def _missing(
        self, found: Gathered, uid: str, reference: Reference | None, origins: Mapping[str, tuple[str, str]]
    ) -> None:
        origin, name = origins.get(uid, ("", "the request"))
        found.dangling.append((origin, name, reference or Reference("id", uid, None)))

    async def _typed(
        self, wanted: dict[str, dict[str, Reference | None]], found: Gathered, origins: Mapping[str, tuple[str, str]]
    ) -> dict[str, dict[str, Reference | None]]:
        """References of which only the server knows the type: one request says it for all of them."""
        unknown = wanted.pop("", {})
        known = {uid for uids in wanted.values() for uid in uids}
        unknown = {uid: reference for uid, reference in unknown.items() if uid not in known}
        kinds = await self.types_of(unknown)
        for uid, reference in unknown.items():
            if uid not in kinds:
                self._seen.add(uid)
                self._missing(found, uid, reference, origins)
            elif kinds[uid] in PLACES and not self._places:
                found.leave_out(kinds[uid], uid)
            else:
                wanted.setdefault(kinds[uid], {})[uid] = reference
        return wanted

    async def types_of(self, uids: Iterable[str]) -> dict[str, str]:
        """The type of each UID that is on the server."""
        return {uid: kind for uid, (kind, _) in (await known(self._client, uids)).items()}

    async def _fetch(self, plural: str, uids: Sequence[str]) -> dict[str, Row]:
        """Objects of one type by UID, as owner JSON."""
        return {str(row["id"]): row for row in (await reading.by_uid(self._client, plural, uids)).rows}

    async def _parts(self, wholes: Mapping[str, Sequence[str]]) -> list[tuple[str, Row]]:
        """The parts of these objects that point to their whole."""
        found: list[tuple[str, Row]] = []
        for plural, uids in wholes.items():
            for part, path in BACKWARDS.get(plural, ()):
                if part in self._types:
                    found += [(part, row) for row in await reading.pointing_to(self._client, part, path, uids)]
        return found
