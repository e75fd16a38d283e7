"""Many objects at once, of one type or several: saved, deleted or patched in chunks, refusals listed and not raised.

API source: `POST /api/metadata` (api-facts b), `PATCH /api/{type}/{uid}` (a.7).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Unpack, cast

from dhis2sh.client import jsonpatch
from dhis2sh.client.query import chunked, refuse_unknown
from dhis2sh.client.sending import (
    CONCURRENCY,
    BulkResult,
    DeleteOptions,
    WriteOptions,
    attempt,
    bundle_params,
    gather_bounded,
    needs_bundle,
    object_params,
    send,
)
from dhis2sh.dhis2.uids import generate_uid

if TYPE_CHECKING:
    from dhis2_models.facts import Resource
    from pydantic import BaseModel

    from dhis2sh.client.client import Client
    from dhis2sh.client.messages import WebMessage
    from dhis2sh.client.versions import ServerVersion
    from dhis2sh.types import JsonObject, JsonValue

CHUNK = 1000
"""Objects in one request: a few megabytes, some seconds of a server's time."""

type Object = JsonObject | BaseModel
"""An object to write: a row, or a model of `dhis2_models`."""


async def save(
    client: Client,
    objects: Mapping[str, Iterable[Object]],
    *,
    concurrency: int = CONCURRENCY,
    chunk_size: int = CHUNK,
    **options: Unpack[WriteOptions],
) -> BulkResult:
    """Create or update objects of several types.

    Parameters:
        objects: by the type's plural.
        concurrency: requests at a time.
        chunk_size: objects in one request.
        options: as of `WriteOptions`; `atomic_mode` is `NONE` without one, so that one refusal does not take the others
            along. `ALL` sends everything in one request.

    What fits in one request goes in one, since objects may refer to each other both ways. More goes type by type in the
    server's own import order; types that refer to each other (programs and their stages) together in one request, a type
    that refers to itself (organisation units) one chunk after the other, parents first.
    """
    # what is new gets its UID here: the server does not say which it has chosen
    rows = {plural: [_with_uid(plain(item)) for item in items] for plural, items in objects.items()}
    strategy = options.get("import_strategy", "CREATE_AND_UPDATE")
    sent = WriteOptions(**{"atomic_mode": "NONE", **options, "import_strategy": strategy})  # type: ignore[typeddict-item]
    return await _bundles(client, rows, sent, concurrency, chunk_size)


async def delete(
    client: Client,
    uids: Mapping[str, Iterable[str]],
    *,
    concurrency: int = CONCURRENCY,
    chunk_size: int = CHUNK,
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
    sent: WriteOptions = {"atomic_mode": "NONE", **options, "import_strategy": "DELETE"}
    return await _bundles(client, rows, sent, concurrency, chunk_size)


async def patch(
    client: Client,
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
    client: Client,
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
    client: Client, rows: dict[str, list[JsonObject]], options: WriteOptions, concurrency: int, chunk_size: int
) -> BulkResult:
    version = await client.version()
    params = bundle_params(options, version)
    result = BulkResult(dry_run=bool(options.get("dry_run")))
    rows = {plural: found for plural, found in rows.items() if found}
    if not rows:
        return result
    if sum(map(len, rows.values())) <= chunk_size or options.get("atomic_mode") == "ALL":
        result.take(await attempt(send(client, "POST", "metadata", _body(rows), params)), _uids(rows), None)
        return result
    from dhis2_models import facts

    types = facts.types(version.models)
    deleting = options.get("import_strategy") == "DELETE"
    for group in _groups(rows, types, deleting=deleting):
        ordered, alone = [], len(group) > 1
        if not alone:
            ordered, alone = _in_order(rows[group[0]], types.get(group[0]), deleting=deleting)
        parts = [{group[0]: part} for part in chunked(ordered, chunk_size)] or [{name: rows[name] for name in group}]
        sending = (attempt(send(client, "POST", "metadata", _body(part), params)) for part in parts)
        done = iter(parts)
        async for outcome in gather_bounded(sending, 1 if alone else concurrency):
            result.take(outcome, _uids(next(done)), group[0])
    return result


def _groups(plurals: Iterable[str], types: Mapping[str, Resource], *, deleting: bool) -> list[list[str]]:
    """Types in the server's import order, those together that refer to each other both ways (programs and stages)."""
    from dhis2sh.client.usage import paths_to

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
    return groups


def _body(rows: Mapping[str, Sequence[JsonObject]]) -> JsonObject:
    return {plural: [*found] for plural, found in rows.items()}


def _uids(rows: Mapping[str, Sequence[JsonObject]]) -> list[str]:
    return [str(row["id"]) for found in rows.values() for row in found if row.get("id")]


def _in_order(rows: list[JsonObject], resource: Resource | None, *, deleting: bool) -> tuple[list[JsonObject], bool]:
    """Objects with those first that others of the same type refer to, and whether chunks must follow each other."""
    parents = [] if resource is None else [
        name
        for name, target in resource.references.items()
        if target == resource.plural and resource.properties[name].owner and not name.endswith("By")
    ]  # fmt: skip
    if not parents:
        return rows, False
    by_uid = {str(row.get("id")): row for row in rows}
    ordered: dict[int, JsonObject] = {}

    def visit(row: JsonObject, above: frozenset[int]) -> None:
        if id(row) in ordered or id(row) in above:
            return
        for name in parents:
            value = row.get(name)
            for reference in value if isinstance(value, list) else [value]:
                parent = by_uid.get(str(reference.get("id"))) if isinstance(reference, dict) else None
                if parent is not None:
                    visit(parent, above | {id(row)})
        ordered[id(row)] = row

    for row in rows:
        visit(row, frozenset())
    found = list(ordered.values())
    # Only rows that are deleted by UID alone have no parents in them; their order is then the caller's.
    return (found[::-1] if deleting else found), True


def _with_uid(row: JsonObject) -> JsonObject:
    return row if row.get("id") else {**row, "id": generate_uid()}


def plain(item: Object) -> JsonObject:
    """An object as JSON; of a model only what was set, under its wire names."""
    if isinstance(item, dict):
        return item
    return cast("JsonObject", item.model_dump(mode="json", by_alias=True, exclude_unset=True))
