"""Fills a name index from a server: names alone, type by type, and later only what has changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dhis2_models import facts

from dhis2sh.errors import AccessError, NotFound, Refused
from dhis2sh.index.names import Hit, NameIndex

if TYPE_CHECKING:
    from dhis2sh.client.client import Client
    from dhis2sh.client.transport import Param

CONCURRENT = 3
LEFT_OUT = {"categoryOptionCombos", "dashboardItems", "fileResources", "dataElementOperands", "programDataElements"}
"""Types whose names nobody types, or that are too many for what they help."""


async def refresh(index: NameIndex, client: Client) -> dict[str, int]:
    """Read the names of every metadata type, or since the last time what has changed.

    Parameters:
        index: what to fill; a cancelled refresh keeps the types that it had finished.
        client: the server. Types that it refuses are left out.

    Returns how many names of each type were read. Raises network errors.
    """
    key = (await client.version()).models
    plurals = [
        plural
        for plural, item in facts.resources(key).items()
        if item.metadata and item.endpoint == f"/{plural}" and "name" in item.properties and plural not in LEFT_OUT
    ]
    limit = asyncio.Semaphore(CONCURRENT)
    found: dict[str, int] = {}

    async def one(plural: str) -> None:
        async with limit:
            since = index.last_updated(plural)
            params: dict[str, Param] = {"fields": "id,name,code,lastUpdated"}
            if since is not None:
                params["filter"] = f"lastUpdated:ge:{since}"
            try:
                rows = [row async for row in client.iter(plural, params, page_size=1000)]
            except (AccessError, NotFound, Refused):
                return  # this user may not read the type, or the server has it not
        hits = [
            Hit(str(row["id"]), plural, str(row.get("name") or ""), str(row["code"]) if row.get("code") else None)
            for row in rows
        ]
        newest = max([str(row.get("lastUpdated") or "") for row in rows] + [since or ""])
        found[plural] = await asyncio.to_thread(index.put, plural, hits, last_updated=newest)

    async with asyncio.TaskGroup() as group:
        for plural in plurals:
            group.create_task(one(plural))
    return found
