"""Objects that are named by UID, by what they point to, or by nothing at all: read in as few requests as make sense.

The one place that knows how many UIDs go in an address, and from where on a whole type is less work than its parts.

API source: `GET /api/{type}` and `GET /api/metadata` with `filter` (api-facts a.2, b.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import quote

from dhis2sh.client.limits import CONCURRENCY, gather_bounded
from dhis2sh.client.query import address_of, list_params, where

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Param
    from dhis2sh.client.settings import ConnectionSettings
    from dhis2sh.types import Row

MANY = 600
"""UIDs of one type from which on one request for the whole type is less work than many for its parts."""
BESIDE = 220
"""Characters of an address that are kept for what stands beside the values of a filter: server, path, fields. With the
1,900 that every proxy takes 120 UIDs go in one (a comma takes three)."""


class Objects(NamedTuple):
    """What was read.

    Parameters:
        rows: the objects, in the order asked for.
        missing: the UIDs that the server does not have, or does not show to this user.
    """

    rows: list[Row]
    missing: list[str]


def in_lists(
    settings: ConnectionSettings, property: str, values: Iterable[str], beside: Sequence[str] = ()
) -> Iterator[str]:
    """Filters for a property (`id`, `program.id`, `code`) that has one of some values, each short enough for an address.

    Parameters:
        settings: of the server; property, values: what is compared.
        beside: what else stands in the address, where it is more than usual.

    Raises `UsageError` for a value that the server would cut.
    """
    room = settings.max_url - BESIDE - sum(len(quote(text, safe="")) + len("=true&") for text in beside)
    part: list[str] = []
    size = 0
    for value in values:
        length = len(quote(value, safe="")) + 3
        if part and size + length > room:
            yield _one_of(property, part)
            part, size = [], 0
        part.append(value)
        size += length
    if part:
        yield _one_of(property, part)


def _one_of(property: str, values: Sequence[str]) -> str:
    return where(property, "in", values) if len(values) > 1 else where(property, "eq", values[0])


async def by_uid(
    client: Requests,
    plural: str,
    uids: Iterable[str],
    *,
    fields: str | Sequence[str] = ":owner",
    concurrency: int = CONCURRENCY,
    on_progress: Callable[[int, int], None] | None = None,
    whole: bool = True,
) -> Objects:
    """Objects of one type by UID, in the order of the UIDs, each once.

    Parameters:
        client: the server.
        plural: the type.
        uids: a long list is asked for in several requests, a very long one as the whole type in one.
        fields: DHIS2's field expression, or names; the UID comes with them.
        concurrency: requests at a time.
        on_progress: told how many of how many UIDs were asked for, where it takes several requests.
        whole: may a very long list be asked for as the whole type?

    What is not there is said, and no error.
    """
    wanted = list(dict.fromkeys(uids))
    found: dict[str, Row] = {}
    if whole and len(wanted) > MANY:
        found.update((str(row["id"]), row) for row in await all_of(client, plural, fields=fields))
    else:
        filters = list(in_lists(client.settings, "id", wanted))
        asked = (all_of(client, plural, [text], fields=fields) for text in filters)
        done = 0
        async for rows in gather_bounded(asked, concurrency):
            found |= {str(row["id"]): row for row in rows}
            done += 1
            if on_progress is not None and len(filters) > 1:
                on_progress(len(wanted) * done // len(filters), len(wanted))
    return Objects([found[uid] for uid in wanted if uid in found], [uid for uid in wanted if uid not in found])


async def all_of(
    client: Requests, plural: str, filters: Sequence[str] = (), *, fields: str | Sequence[str] = ":owner"
) -> list[Row]:
    """Every object of a type that the filters let through, in one request; parameters as of `by_uid`."""
    params = {**list_params(_with_uid(fields), filters), "paging": False}
    return (await client.list_page(address_of(plural), params, key=plural)).rows


async def deepest_level(client: Requests) -> int:
    """The lowest level that an organisation unit is on; 0 where there are none. Levels without a name count too."""
    page = await client.list_page("organisationUnits", {"fields": "level", "order": "level:desc", "pageSize": 1})
    return int(str(page.rows[0].get("level") or 0)) if page.rows else 0


async def pointing_to(
    client: Requests, plural: str, property: str, uids: Iterable[str], *, fields: str | Sequence[str] = ":owner"
) -> list[Row]:
    """Objects of a type that refer to one of some others.

    Parameters:
        client, plural, fields: as of `by_uid`.
        property: the path that ends with what is compared, such as `program.id`.
        uids: the others.
    """
    asked = (
        all_of(client, plural, [text], fields=fields)
        for text in in_lists(client.settings, property, dict.fromkeys(uids))
    )
    found = {str(row["id"]): row async for rows in gather_bounded(asked, CONCURRENCY) for row in rows}
    return list(found.values())


async def of_any_type(
    client: Requests, uids: Iterable[str], *, fields: str = "id,name,code", types: Iterable[str] = ()
) -> dict[str, list[Row]]:
    """Objects by UID whatever their type, by plural.

    Parameters:
        client, uids: as of `by_uid`.
        fields: which properties.
        types: only these plurals; all without any.
    """
    types = list(types)
    params: dict[str, Param] = {"fields": fields, **dict.fromkeys(types, True)}
    asked = (
        client.get_object("metadata", {**params, "filter": text})
        for text in in_lists(client.settings, "id", dict.fromkeys(uids), (fields, *types))
    )
    found: dict[str, list[Row]] = {}
    async for body in gather_bounded(asked, CONCURRENCY):
        for plural, rows in body.items():
            if isinstance(rows, list):
                found.setdefault(plural, []).extend(cast("list[Row]", rows))
    return found


def _with_uid(fields: str | Sequence[str]) -> str:
    """Fields with the UID: what was asked for names it, or `:owner` of a few types (tokens) leaves it out."""
    text = fields if isinstance(fields, str) else ",".join(fields)
    return text if "id" in text.split(",") else f"id,{text}"
