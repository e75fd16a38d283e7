"""Metadata of several types at once: search, export, import, and what uses an object.

API source: `MetadataImportExportController.java` (api-facts b).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, overload

from dhis2sh.client import bulk
from dhis2sh.client.bodies import json_rows, pieces_of, save
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.query import list_params, where
from dhis2sh.client.schema import types_of
from dhis2sh.client.sending import BulkResult, DeleteOptions, WriteOptions, attempt, bundle_params, refusal, send
from dhis2sh.client.streams import whole_json
from dhis2sh.client.usage import Usage, Use
from dhis2sh.errors import Dhis2Error, NotFound, PartlyDone, UsageError

if TYPE_CHECKING:
    from dhis2sh.client.bodies import Target
    from dhis2sh.client.bulk import Object
    from dhis2sh.client.jsonpatch import Patch
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Content, Param
    from dhis2sh.types import JsonObject, Row

type Bundle = Mapping[str, Iterable[Object]] | Path | str | bytes | AsyncIterator[bytes]
"""Objects by plural; or their JSON as a file (`.json`, `.json.gz`), bytes, or pieces of bytes as they come."""

WITH_DEPENDENCIES = ("categoryCombos", "dashboards", "dataElementGroups", "dataSets", "optionSets", "programs")
"""Types that export what they need along with an object (`GET /api/{type}/{uid}/metadata`)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An object that a search has found: its type's plural, UID, name and code."""

    type: str
    id: str
    name: str
    code: str | None = None


class Metadata:
    """`client.metadata`."""

    def __init__(self, client: Requests) -> None:
        self._client = client

    async def search(self, text: str, *, types: Sequence[str] = (), limit: int = 50) -> list[Hit]:
        """Objects of any type by UID, the beginning of one, part of a code, or words of a name; the best first.

        Parameters:
            text: what to look for.
            types: only these plurals.
            limit: hits per type.

        Up to three requests at once, merged by UID: `/api/metadata` ignores `rootJunction` (api-facts b.4).
        """
        if not text.strip():
            raise UsageError("search for what?", hint="dhis2 metadata search bcg")
        words = text.replace(",", " ").split()
        wanted = [("id", "$like", text), ("code", "ilike", text), ("name", "token", " ".join(words))]
        if "," in text:  # the server would cut it there; no UID has one, and hardly a code
            wanted = wanted[2:]
        chosen = dict.fromkeys(types, True)
        bodies = await asyncio.gather(
            *(
                self._client.get_object("metadata", {"filter": where(*each), "fields": "id,name,code", **chosen})
                for each in wanted
            )
        )
        hits: dict[str, Hit] = {}
        counts: dict[str, int] = {}
        for body in bodies:
            for hit in _hits(body):
                if hit.id not in hits and counts.get(hit.type, 0) < limit:
                    counts[hit.type] = counts.get(hit.type, 0) + 1
                    hits[hit.id] = hit
        return sorted(hits.values(), key=lambda hit: _rank(text, hit))

    @overload
    async def export(
        self, *types: str, fields: str | None = None, filters: Sequence[str] = (), skip_sharing: bool = False
    ) -> JsonObject: ...
    @overload
    async def export(
        self,
        *types: str,
        fields: str | None = None,
        filters: Sequence[str] = (),
        skip_sharing: bool = False,
        target: Target,
    ) -> int: ...
    async def export(
        self,
        *types: str,
        fields: str | None = None,
        filters: Sequence[str] = (),
        skip_sharing: bool = False,
        target: Target | None = None,
    ) -> JsonObject | int:
        """Metadata as one bundle.

        Parameters:
            types: plurals; every type without any.
            fields: which properties; what objects own without it.
            filters: for all types.
            skip_sharing: leave sharing out.
            target: write it there as it comes; the answer is then the number of bytes.
        """
        params: dict[str, Param] = {**list_params(fields, filters), "skipSharing": skip_sharing or None}
        params |= dict.fromkeys(types, True)
        return await self._fetched("metadata", params, target)

    async def dependencies(self, type: str, uid: str, *, target: Target | None = None) -> JsonObject | int:
        """An object with everything it needs, as one bundle; into a file with `target`.

        Raises `UsageError` for a type that cannot do it.
        """
        if type not in WITH_DEPENDENCIES:
            raise UsageError(
                f"DHIS2 exports no dependencies of {type}", hint=f"types that have it: {', '.join(WITH_DEPENDENCIES)}"
            )
        return await self._fetched(f"{type}/{uid}/metadata", {}, target)

    async def _fetched(self, path: str, params: Mapping[str, Param], target: Target | None) -> JsonObject | int:
        if target is None:
            return await self._client.get_object(path, params)
        return await save(self._client, path, params, target, whole_json, accept="application/json")

    async def import_(self, bundle: Bundle, **options: Unpack[WriteOptions]) -> WebMessage:
        """Import a bundle.

        Parameters:
            bundle: objects by plural, lists or generators; or JSON as a file, bytes or pieces.
            options: as of `WriteOptions`.

        Raises `Refused` when nothing was written, `PartlyDone` (its `summary` is the message) when a part was.
        """
        outcome = await attempt(self._send(bundle, options))
        if isinstance(outcome, Dhis2Error):
            raise outcome
        if outcome.http_status_code == 409 or outcome.status == "ERROR":
            count, refused = outcome.import_count, refusal(outcome)
            if count.total == count.ignored or options.get("dry_run"):
                raise refused
            raise PartlyDone(f"{count.total - count.ignored:,} written; {refused.message}", summary=outcome)
        return outcome

    async def dry_run(self, bundle: Bundle, **options: Unpack[WriteOptions]) -> WebMessage:
        """What an import would do: counts and `conflicts` of the message; nothing is written and no refusal raised."""
        outcome = await attempt(self._send(bundle, {**options, "dry_run": True}))
        if isinstance(outcome, Dhis2Error):
            raise outcome
        return outcome

    async def _send(self, bundle: Bundle, options: WriteOptions) -> WebMessage:
        params = bundle_params(options, await self._client.version())
        return await send(self._client, "POST", "metadata", _content(bundle), params)

    async def save_bulk(
        self,
        objects: Mapping[str, Iterable[Object]],
        *,
        concurrency: int = 4,
        chunk_size: int = 1000,
        **options: Unpack[WriteOptions],
    ) -> BulkResult:
        """Create or update objects of several types, by plural. As `dhis2sh.client.bulk.save`."""
        return await bulk.save(self._client, objects, concurrency=concurrency, chunk_size=chunk_size, **options)

    async def delete_bulk(
        self,
        uids: Mapping[str, Iterable[str]],
        *,
        concurrency: int = 4,
        chunk_size: int = 1000,
        **options: Unpack[DeleteOptions],
    ) -> BulkResult:
        """Delete objects of several types, by plural. As `dhis2sh.client.bulk.delete`."""
        return await bulk.delete(self._client, uids, concurrency=concurrency, chunk_size=chunk_size, **options)

    async def patch_bulk(
        self, patches: Mapping[str, Mapping[str, Patch]], *, concurrency: int = 4, **options: Unpack[WriteOptions]
    ) -> BulkResult:
        """Patch objects of several types, by plural and UID. As `dhis2sh.client.bulk.patch`."""
        return await bulk.patch(self._client, patches, concurrency=concurrency, **options)

    async def usage(self, type: str, uid: str) -> list[Use]:
        """What uses an object: every owned path of every type that can lead to it, and expressions that name it.

        Parameters:
            type, uid: the object.

        Raises `NotFound` when the server's version has no such type. Paths that the server cannot filter by are left
        out; `dhis2sh.client.usage.Usage` says which.
        """
        types = await types_of(self._client)
        if type not in types:
            raise NotFound(f"DHIS2 {await self._client.version()} has no type '{type}'", hint="dhis2 metadata types")
        return await Usage(self._client, types).of(type, uid)


def _content(bundle: Bundle) -> Content:
    if isinstance(bundle, (str, Path)):
        return pieces_of(Path(bundle))
    if not isinstance(bundle, Mapping):
        return bundle
    if all(isinstance(items, list) for items in bundle.values()):  # in memory already: bytes can be sent again
        return {plural: [bulk.plain(item) for item in items] for plural, items in bundle.items()}
    return json_rows({plural: map(bulk.plain, items) for plural, items in bundle.items()})


def _hits(body: JsonObject) -> list[Hit]:
    return [
        Hit(plural, str(row["id"]), str(row.get("name") or ""), _code(row))
        for plural, rows in body.items()
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and "id" in row
    ]


def _code(row: Row) -> str | None:
    code = row.get("code")
    return code if isinstance(code, str) else None


def _rank(text: str, hit: Hit) -> tuple[int, str]:
    """Best hits first: exact, then those that begin so, then the rest by name."""
    wanted, name = text.lower(), hit.name.lower()
    if text in {hit.id, hit.code} or wanted == name:
        return (0, name)
    begins = name.startswith(wanted) or (hit.code or "").lower().startswith(wanted)
    return (1 if begins else 2, name)
