"""Fills a name index from a server: names alone, type by type, and later only what has changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dhis2sh.dhis2.references import HELD_BY
from dhis2sh.errors import AccessError, Dhis2Error, NotFound, Refused
from dhis2sh.index.names import Hit, NameIndex
from dhis2sh.models import facts

if TYPE_CHECKING:
    from dhis2sh.client.client import Client
    from dhis2sh.client.requests import Param
    from dhis2sh.types import JsonValue, Row

CONCURRENT = 3
WHOLE_EVERY = 24 * 3600.0
"""Seconds after which a type is read whole again: a change is seen by its time, a deletion only by its absence."""
LEFT_OUT = {"categoryOptionCombos", "dashboardItems", "fileResources", "dataElementOperands", "programDataElements"}
"""Types whose names nobody types, or that are too many for what they help."""


async def refresh(
    index: NameIndex, client: Client, progress: Callable[[int, int], None] | None = None
) -> dict[str, int]:
    """Read the names of every metadata type, or since the last time what has changed.

    Parameters:
        index: what to fill; a cancelled refresh keeps the types that it had finished.
        client: the server. Types that it refuses, or fails at, are left out.
        progress: told how many types of how many are done.

    Returns how many names of each type were read. Raises network errors, and why where nothing at all could be read.
    """
    key = (await client.version()).models
    plurals = [
        plural
        for plural, item in facts.resources(key).items()
        if item.metadata and item.endpoint == f"/{plural}" and "name" in item.properties and plural not in LEFT_OUT
    ]
    limit = asyncio.Semaphore(CONCURRENT)
    found: dict[str, int] = {}
    refusals: list[Dhis2Error] = []
    done = 0

    async def one(plural: str) -> None:
        nonlocal done
        async with limit:
            count = await _refresh_type(index, client, plural, refusals)
        done += 1
        if count is not None:
            found[plural] = count
        if progress is not None:
            progress(done, len(plurals))

    async with asyncio.TaskGroup() as group:
        for plural in plurals:
            group.create_task(one(plural))
    if refusals and not found:
        raise refusals[0]
    return found


async def _refresh_type(index: NameIndex, client: Client, plural: str, refusals: list[Dhis2Error]) -> int | None:
    """Read what has changed of one type, once a day all of it; None where this user or this server has it not."""
    whole = time.time() - index.read_whole_at(plural) > WHOLE_EVERY
    since = None if whole else index.last_updated(plural)
    inside = HELD_BY.get(plural)
    params: dict[str, Param] = {"fields": f"id,name,code,lastUpdated{f',{inside}[name]' if inside else ''}"}
    if since:
        params["filter"] = f"lastUpdated:ge:{since}"
    try:
        rows = [row async for row in client.iter(plural, params, page_size=1000)]
    except (AccessError, NotFound, Refused) as error:
        refusals.append(error)
        return None
    hits = [hit_of(plural, row) for row in rows]
    newest = max([str(row.get("lastUpdated") or "") for row in rows] + [since or ""])
    return await asyncio.to_thread(index.put, plural, hits, last_updated=newest, whole=whole)


def hit_of(plural: str, row: Row) -> Hit:
    """An object of a type as the index keeps it, from what a server says of it."""
    holder = row.get(HELD_BY.get(plural) or "")
    inside = holder.get("name") if isinstance(holder, dict) else None
    name = row.get("name") or row.get("displayName") or ""
    return Hit(str(row["id"]), plural, str(name), _text(row.get("code")), _text(inside))


def _text(value: JsonValue) -> str | None:
    return str(value) if value else None
