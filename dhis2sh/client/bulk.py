"""Many objects at once, of one type or several: saved, deleted or patched in chunks, refusals listed and not raised.

API source: `POST /api/metadata` (api-facts b), `PATCH /api/{type}/{uid}` (a.7).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Unpack, cast

from dhis2sh.client import jsonpatch
from dhis2sh.client.limits import CONCURRENCY, gather_bounded
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.parts import DELETED_IN_ONE_PART, OBJECTS_IN_ONE_PART, NotTaken, Part, Reported, parts_of, send_part
from dhis2sh.client.query import refuse_unknown
from dhis2sh.client.schema import types_of
from dhis2sh.client.sending import (
    BulkResult,
    DeleteOptions,
    WriteOptions,
    attempt,
    bundle_params,
    needs_bundle,
    object_params,
    send,
)
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import Refused

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dhis2sh.client.parts import Outcome
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.sending import ImportStrategy
    from dhis2sh.client.versions import ServerVersion
    from dhis2sh.types import JsonObject, JsonValue

type Object = JsonObject | BaseModel
"""An object to write: a row, or a model of `dhis2_models`."""


async def save(
    client: Requests,
    objects: Mapping[str, Iterable[Object]],
    *,
    concurrency: int = CONCURRENCY,
    chunk_size: int = OBJECTS_IN_ONE_PART,
    **options: Unpack[WriteOptions],
) -> BulkResult:
    """Create or update objects of several types.

    Parameters:
        objects: by the type's plural.
        concurrency: requests at a time.
        chunk_size: objects in one request.
        options: as of `WriteOptions`; `atomic_mode` is `NONE` without one, so that one refusal does not take the others
            along. `ALL` sends everything in one request.

    In which requests and in which order they go says `dhis2sh.client.parts.parts_of`. Raises as that does.
    """
    # what is new gets its UID here: the server does not say which it has chosen
    rows = {plural: [_with_uid(plain(item)) for item in items] for plural, items in objects.items()}
    strategy = options.get("import_strategy", "CREATE_AND_UPDATE")
    return await _bundles(client, rows, strategy, {"atomic_mode": "NONE", **options}, concurrency, chunk_size)


async def delete(
    client: Requests,
    uids: Mapping[str, Iterable[str]],
    *,
    concurrency: int = CONCURRENCY,
    chunk_size: int = DELETED_IN_ONE_PART,
    **options: Unpack[DeleteOptions],
) -> BulkResult:
    """Delete objects of several types, those first that refer to others.

    Parameters:
        uids: by the type's plural.
        concurrency: requests at a time.
        chunk_size: objects in one request.
        options: as of `DeleteOptions`; `atomic_mode` is `NONE` without one.
    """
    refuse_unknown(options, DeleteOptions, "a deletion")
    rows: dict[str, list[JsonObject]] = {plural: [{"id": uid} for uid in found] for plural, found in uids.items()}
    return await _bundles(client, rows, "DELETE", {"atomic_mode": "NONE", **options}, concurrency, chunk_size)


async def patch(
    client: Requests,
    patches: Mapping[str, Mapping[str, jsonpatch.Patch]],
    *,
    concurrency: int = CONCURRENCY,
    **options: Unpack[WriteOptions],
) -> BulkResult:
    """Patch objects of several types, one request each.

    Parameters:
        patches: by the type's plural, then by UID.
        concurrency: requests at a time.
        options: as of `WriteOptions`.
    """
    version = await client.version()
    result = BulkResult(dry_run=bool(options.get("dry_run")))
    work = [(plural, uid, operations) for plural, found in patches.items() for uid, operations in found.items()]
    sending = (
        attempt(patch_one(client, version, plural, uid, operations, options)) for plural, uid, operations in work
    )
    done = iter(work)
    async for outcome in gather_bounded(sending, concurrency):
        plural, uid, _ = next(done)
        result.take(outcome, [uid], plural, single="updated")
    return result


async def patch_one(
    client: Requests,
    version: ServerVersion,
    plural: str,
    uid: str,
    patch: jsonpatch.Patch,
    options: WriteOptions,
) -> WebMessage:
    """Patch one object. `test`, `copy` and `move` read it first; a dry run validates what it would become."""
    operations = list(patch)
    path = f"{plural}/{uid}"
    if needs_bundle(options):
        before = await client.get_object(path, {"fields": ":owner"})
        after = jsonpatch.apply(operations, before)
        params = bundle_params(WriteOptions(**{"import_strategy": "UPDATE", **options}), version)  # type: ignore[typeddict-item]
        return await send(client, "POST", "metadata", {plural: [after]}, params)
    document = None
    if jsonpatch.needs_document(operations):
        document = await client.get_object(path, {"fields": ":owner"})
    body = cast("JsonValue", jsonpatch.sendable(operations, document))
    params = object_params(options, version)
    return await send(client, "PATCH", path, body, params, content_type="application/json-patch+json")


async def _bundles(
    client: Requests,
    objects: Mapping[str, Iterable[JsonObject]],
    strategy: ImportStrategy,
    options: WriteOptions,
    concurrency: int,
    chunk_size: int,
) -> BulkResult:
    result = BulkResult(dry_run=bool(options.get("dry_run")))
    size = None if options.get("atomic_mode") == "ALL" else chunk_size
    each = ((plural, item) for plural, items in objects.items() for item in items)
    parts = parts_of(each, strategy, types=await types_of(client), size=size)
    for _, wave in itertools.groupby(parts, key=lambda part: part.wave):
        together = [*wave]
        sending = (send_part(client, part, **options) for part in together)
        done = iter(together)
        async for outcome in gather_bounded(sending, concurrency):
            _take(result, next(done), outcome)
    return result


def _take(result: BulkResult, part: Part, outcome: Outcome) -> None:
    """Add what came of one part."""
    kind = next(iter(part.objects)) if len(part.objects) == 1 else None
    if isinstance(outcome, Reported):
        result.take(outcome.message, part.uids, kind)
        return
    error = outcome.error
    told = WebMessage.of_refusal(error) if isinstance(outcome, NotTaken) and isinstance(error, Refused) else None
    result.take(told or error, part.uids, kind)


def _with_uid(row: JsonObject) -> JsonObject:
    return row if row.get("id") else {**row, "id": generate_uid()}


def plain(item: Object) -> JsonObject:
    """An object as JSON; of a model only what was set, under its wire names."""
    if isinstance(item, dict):
        return item
    return cast("JsonObject", item.model_dump(mode="json", by_alias=True, exclude_unset=True))
