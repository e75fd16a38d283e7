"""Metadata of several types at once: search, export, import, and what uses an object.

API source: `MetadataImportExportController.java` (api-facts b).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, cast, overload

from dhis2sh.client.messages import WebMessage
from dhis2sh.client.query import list_params, where
from dhis2sh.client.writes import BulkResult, WriteOptions, attempt, bundle_params, gather_bounded, send
from dhis2sh.errors import Dhis2Error, NotFound, PartlyDone, Refused, UsageError

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.client.bodies import Target
    from dhis2sh.client.bulk import Object
    from dhis2sh.client.client import Client, Content
    from dhis2sh.client.jsonpatch import Patch
    from dhis2sh.client.requests import Param
    from dhis2sh.types import JsonObject, Row

type Bundle = Mapping[str, Iterable[Object]] | Path | str | bytes | AsyncIterator[bytes]
"""Objects by plural; or their JSON as a file (`.json`, `.json.gz`), bytes, or pieces of bytes as they come."""

WITH_DEPENDENCIES = ("categoryCombos", "dashboards", "dataElementGroups", "dataSets", "optionSets", "programs")
"""Types that export what they need along with an object (`GET /api/{type}/{uid}/metadata`)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An object that a search has found, or that uses another one.

    Parameters:
        type: its plural; `id`, `name`, `code` its identifiers.
        property: of a use: the path by which it refers to the other.
    """

    type: str
    id: str
    name: str
    code: str | None = None
    property: str | None = None


class Metadata:
    """`client.metadata`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def search(self, text: str, *, types: Sequence[str] = (), limit: int = 50) -> list[Hit]:
        """Objects of any type by UID, the beginning of one, part of a code, or words of a name; the best first.

        Parameters:
            text: what to look for.
            types: only these plurals.
            limit: hits per type.

        Three requests at once, merged by UID: `/api/metadata` ignores `rootJunction` (api-facts b.4).
        """
        if not text.strip():
            raise UsageError("search for what?", hint="dhis2 metadata search bcg")
        words = text.split()
        wanted = [("id", "$like", text), ("code", "ilike", text), ("name", "token", " ".join(words))]
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
        from dhis2sh.client.bodies import write_to

        async with self._client.stream("GET", path, params, accept="application/json") as answer:
            return await write_to(target, aiter(answer))

    async def import_(self, bundle: Bundle, **options: Unpack[WriteOptions]) -> WebMessage:
        """Import a bundle.

        Parameters:
            bundle: objects by plural, or JSON as a file, bytes or pieces; never held twice.
            options: as of `WriteOptions`.

        Raises `Refused` when nothing was written, `PartlyDone` (its `summary` is the message) when a part was.
        """
        outcome = await attempt(self._send(bundle, options))
        if isinstance(outcome, Dhis2Error):
            raise outcome
        if outcome.http_status_code == 409 or outcome.status == "ERROR":
            count = outcome.import_count
            first = next(iter(outcome.conflicts), None)
            text = first.message if first else outcome.message or "the import was refused"
            more = f" (and {len(outcome.conflicts) - 1:,} more)" if len(outcome.conflicts) > 1 else ""
            if count.total == count.ignored or options.get("dry_run"):
                raise Refused(
                    f"{text}{more}",
                    code=first.code if first else outcome.error_code,
                    status=outcome.http_status_code,
                    envelope=cast("JsonObject", outcome.model_dump(mode="json", by_alias=True, exclude_none=True)),
                    hint="dhis2 explain  puts the refusal into words",
                )
            raise PartlyDone(f"{count.total - count.ignored:,} written; {text}{more}", summary=outcome)
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
        from dhis2sh.client import bulk

        return await bulk.save(self._client, objects, concurrency=concurrency, chunk_size=chunk_size, **options)

    async def delete_bulk(
        self,
        uids: Mapping[str, Iterable[str]],
        *,
        concurrency: int = 4,
        chunk_size: int = 1000,
        **options: Unpack[WriteOptions],
    ) -> BulkResult:
        """Delete objects of several types, by plural. As `dhis2sh.client.bulk.delete`."""
        from dhis2sh.client import bulk

        return await bulk.delete(self._client, uids, concurrency=concurrency, chunk_size=chunk_size, **options)

    async def patch_bulk(
        self, patches: Mapping[str, Mapping[str, Patch]], *, concurrency: int = 4, **options: Unpack[WriteOptions]
    ) -> BulkResult:
        """Patch objects of several types, by plural and UID. As `dhis2sh.client.bulk.patch`."""
        from dhis2sh.client import bulk

        return await bulk.patch(self._client, patches, concurrency=concurrency, **options)

    async def usage(self, type: str, uid: str, *, limit: int = 50, concurrency: int = 4) -> list[Hit]:
        """What refers to an object: one request for each property of any type that can.

        Parameters:
            type, uid: the object.
            limit: hits per property.
            concurrency: requests at a time.

        Raises `NotFound` when the server's version has no such type. Types that the user may not read, and properties
        that the server cannot filter by, are left out.
        """
        from dhis2_models import facts

        version = await self._client.version()
        resources = facts.resources(version.models)
        if type not in resources:
            raise NotFound(f"DHIS2 {version} has no type '{type}'", hint="dhis2 metadata types")
        paths = [(plural, path) for plural, item in resources.items() for path in paths_to(type, item, version.models)]
        asked = (self._users(plural, path, uid, limit) for plural, path in paths)
        return [hit async for found in gather_bounded(asked, concurrency) for hit in found if hit.id != uid]

    async def _users(self, plural: str, path: str, uid: str, limit: int) -> list[Hit]:
        params = {**list_params("id,name,code", where(f"{path}.id", "eq", uid)), "pageSize": limit}
        try:
            page = await self._client.list_page(plural, params)
        except (Refused, NotFound):
            return []  # a property that is computed cannot be filtered by, and some lists are not there
        return [Hit(plural, str(row["id"]), str(row.get("name") or ""), _code(row), path) for row in page.rows]


def paths_to(target: str, resource: Resource, models: str) -> list[str]:
    """The properties of a type by which it may refer to another: its own, and those of what is embedded in it."""
    from dhis2_models import facts

    if not resource.metadata or resource.endpoint != f"/{resource.plural}":
        return []
    found: list[str] = []
    for name, known in resource.properties.items():
        if not known.persisted or known.target is None:
            continue
        if known.target == target and known.reference:
            found.append(name)
            continue
        inner = facts.types(models).get(known.target)
        if inner is not None and (inner.embedded or inner.endpoint is None):
            found += [
                f"{name}.{deeper}"
                for deeper, property in inner.properties.items()
                if property.reference and property.persisted and property.target == target
            ]
    return found


def _content(bundle: Bundle) -> Content:
    from dhis2sh.client.bodies import pieces_of
    from dhis2sh.client.bulk import plain

    if isinstance(bundle, (str, Path)):
        return pieces_of(Path(bundle))
    if isinstance(bundle, Mapping):
        return {plural: [plain(item) for item in items] for plural, items in bundle.items()}
    return bundle


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
