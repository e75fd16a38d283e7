"""Every object of several types: read side by side, and types of which there is never much several to a request.

API source: `GET /api/{type}`, and `GET /api/metadata` with `{type}=true` and `{type}:fields` (api-facts b.4). A server leaves a
type without objects out of the latter (seen).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import quote

from dhis2sh.client import reading, schema
from dhis2sh.client.limits import CONCURRENCY
from dhis2sh.errors import AccessError, NotFound, Refused, TimedOut

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Param
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import Row

LARGE = frozenset({
    "organisationUnits", "dataElements", "indicators", "categoryOptions", "categoryOptionCombos", "dataSets", "programs",
    "programStages", "programRules", "programIndicators", "optionSets", "options", "users", "userGroups", "visualizations",
    "dashboards",
})  # fmt: skip
"""Types of which an instance may have so much that each is a request of its own: a server puts an answer of `/api/metadata`
together as a whole before it sends any of it."""
OWN_LISTS = frozenset({"apiToken", "dataApprovalLevels", "interpretations", "jobConfigurations"})
"""Types whose own address chooses what it lists (tokens: those of who asks)."""


class WholeTypes:
    """Types each of which is read once, whoever asks; what is still under way when the block ends is cancelled.

    Parameters:
        client: the server.
        fields: DHIS2's field expression of each type, the UID in it, by plural.
        ahead: those that are read from when the block begins, all without it; any other when it is first asked for.
    """

    def __init__(self, client: Requests, fields: Mapping[str, str], ahead: Iterable[str] | None = None) -> None:
        self._client, self._fields = client, dict(fields)
        self._ahead = [*fields] if ahead is None else [*dict.fromkeys(ahead)]
        self._places = asyncio.Semaphore(CONCURRENCY)
        self._read: dict[str, asyncio.Task[list[Row]]] = {}
        self._packs: list[asyncio.Task[dict[str, list[Row]]]] = []

    async def __aenter__(self) -> Self:
        if not self._ahead:
            return self
        known = await schema.resources_of(self._client)
        small = {plural: self._fields[plural] for plural in self._ahead if _small(known.get(plural))}
        alone = [plural for plural in self._ahead if plural not in small]
        together = packs(small, self._client.settings.max_url - reading.BESIDE)
        for plural in [*alone, *(pack[0] for pack in together if len(pack) == 1)]:
            self._begin(plural)
        for pack in together:
            if len(pack) == 1:
                continue
            whole = asyncio.ensure_future(self._together(pack))
            self._packs.append(whole)
            self._read |= {plural: asyncio.ensure_future(self._out_of(whole, plural)) for plural in pack}
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (*self._read.values(), *self._packs):
            task.cancel()
        await asyncio.gather(*self._read.values(), return_exceptions=True)
        await asyncio.gather(*self._packs, return_exceptions=True)

    def __contains__(self, plural: str) -> bool:
        """Has somebody asked for it, or is it read ahead?"""
        return plural in self._read

    def _begin(self, plural: str) -> asyncio.Task[list[Row]]:
        if plural not in self._read:
            self._read[plural] = asyncio.ensure_future(self._alone(plural))
        return self._read[plural]

    async def rows(self, plural: str) -> list[Row]:
        """Every object of one of the types, as this user may see them. Raises errors of the client, to each who asks."""
        return await asyncio.shield(self._begin(plural))

    async def _alone(self, plural: str) -> list[Row]:
        async with self._places:
            return await reading.all_of(self._client, plural, fields=self._fields[plural])

    async def _together(self, pack: Collection[str]) -> dict[str, list[Row]]:
        async with self._places:
            body = await self._client.get_object("metadata", _params({one: self._fields[one] for one in pack}))
        return {plural: cast("list[Row]", body.get(plural) or []) for plural in pack}

    async def _out_of(self, whole: asyncio.Task[dict[str, list[Row]]], plural: str) -> list[Row]:
        try:
            return (await asyncio.shield(whole))[plural]
        except (AccessError, NotFound, Refused, TimedOut):
            return await self._alone(plural)  # one of them may be what was refused, and the rest is to be had


def _small(resource: Resource | None) -> bool:
    return resource is not None and resource.metadata and resource.plural not in LARGE | OWN_LISTS


def packs(fields: Mapping[str, str], room: int) -> list[list[str]]:
    """Which types go in one request, in the order of their fields.

    Parameters:
        fields: the field expression of each type, by plural.
        room: characters of an address.
    """
    found: list[list[str]] = []
    for plural in sorted(fields, key=lambda one: fields[one]):
        together = [*(found[-1] if found else ()), plural]
        size = sum(
            len(f"{name}={quote(str(value), safe='')}&") + 2 * name.count(":")
            for name, value in _params({one: fields[one] for one in together}).items()
        )
        if found and size <= room:
            found[-1] = together
        else:
            found.append([plural])
    return found


def _params(fields: Mapping[str, str]) -> dict[str, Param]:
    """What asks for several types; the fields that most of them have stand once."""
    ((common, _),) = Counter(fields.values()).most_common(1)
    own = {f"{plural}:fields": text for plural, text in fields.items() if text != common}
    # names in the language of the user, as lists have them
    return {"fields": common, "translate": "true", **dict.fromkeys(fields, "true"), **own}
