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

from dhis2sh.bundles.bundle import Bundle
from dhis2sh.client.references import Reference, belongs_to_instance, label, leads_to_places, references

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.client.client import Client
    from dhis2sh.types import JsonObject, JsonValue, Row

IN_ONE_REQUEST = 60
"""UIDs per request: an address of about 1,000 characters."""
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
        left_out: arrows that were not followed on purpose, counted by the type they lead to.
        dangling: arrows that lead to nothing on this server, with the object they begin at.
    """

    bundle: Bundle
    because: dict[str, tuple[str, str]] = field(default_factory=lambda: {})
    left_out: Counter[str] = field(default_factory=Counter[str])
    dangling: list[tuple[str, str, Reference]] = field(default_factory=lambda: [])

    def notes(self) -> list[str]:
        """What was left out and what leads nowhere, one line each."""
        lines = [
            f"left out on purpose: {count:,} references to {kind}" for kind, count in sorted(self.left_out.items())
        ]
        lines += [
            f"dangling: {name} [{uid}] {reference.path} leads to {reference.type or 'an object'} {reference.uid}, "
            "which is not on this server"
            for uid, name, reference in self.dangling
        ]
        return lines


class Walk:
    """Follows references over one server.

    Parameters:
        client: the server's client.
        types: the types of its version by plural.
        places: follow references to organisation units, their groups and levels.
        sharing: follow references to users, groups and roles, and keep sharing in the objects.
    """

    def __init__(
        self, client: Client, types: Mapping[str, Resource], *, places: bool = False, sharing: bool = False
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
        return body if self._sharing else {key: value for key, value in body.items() if key != "sharing"}

    def _followed(self, plural: str, body: Row, found: Gathered) -> Iterator[Reference]:
        resource = self._types.get(plural)
        if resource is None:
            return
        for reference in references(resource, body, self._types):
            if belongs_to_instance(reference) and not self._sharing:
                if reference.property not in {"createdBy", "lastUpdatedBy", "user"}:
                    found.left_out[reference.type or "users"] += 1
            elif leads_to_places(reference) and not self._places:
                found.left_out[reference.type or "organisationUnits"] += 1
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
            elif kinds[uid] in {"organisationUnits"} and not self._places:
                found.left_out[kinds[uid]] += 1
            else:
                wanted.setdefault(kinds[uid], {})[uid] = reference
        return wanted

    async def types_of(self, uids: Iterable[str]) -> dict[str, str]:
        """The type of each UID that is on the server, by `GET /api/metadata` with a filter."""
        kinds: dict[str, str] = {}
        for part in _chunks(list(uids)):
            params = {"filter": f"id:in:[{','.join(part)}]", "fields": "id"}
            body = await self._client.get_object("metadata", params)
            for plural, rows in body.items():
                if isinstance(rows, list):
                    kinds |= {str(cast("JsonObject", row)["id"]): plural for row in rows}
        return kinds

    async def _fetch(self, plural: str, uids: Sequence[str]) -> dict[str, Row]:
        """Objects of one type by UID, as owner JSON."""
        rows: dict[str, Row] = {}
        for part in _chunks(uids):
            page = await self._client.list_page(
                plural, {"filter": f"id:in:[{','.join(part)}]", "fields": ":owner", "paging": False}
            )
            rows |= {str(row["id"]): row for row in page.rows}
        return {uid: rows[uid] for uid in uids if uid in rows}

    async def _parts(self, wholes: Mapping[str, Sequence[str]]) -> list[tuple[str, Row]]:
        """The parts of these objects that point to their whole."""
        found: list[tuple[str, Row]] = []
        for plural, uids in wholes.items():
            for part, path in BACKWARDS.get(plural, ()):
                if part not in self._types:
                    continue
                for some in _chunks(uids):
                    params: dict[str, JsonValue] = {
                        "filter": f"{path}:in:[{','.join(some)}]",
                        "fields": ":owner",
                        "paging": False,
                    }
                    page = await self._client.list_page(part, cast("dict[str, str]", params))
                    found += [(part, row) for row in page.rows]
        return found


def _chunks(uids: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(uids), IN_ONE_REQUEST):
        yield uids[at : at + IN_ONE_REQUEST]
