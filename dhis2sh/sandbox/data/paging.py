"""Pages of rows that are no metadata: their pager has neither addresses nor the order of a metadata pager."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.metadata.fields import parse_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import QueryParams

    from dhis2sh.types import JsonObject, JsonValue


def paged(query: QueryParams, key: str, rows: Sequence[JsonObject]) -> JsonObject:
    """Rows with their pager, or all of them with `paging=false` and `skipPaging=true`."""
    if not params.boolean(query, "paging", True) or params.boolean(query, "skipPaging"):
        return {key: cast("list[JsonValue]", list(rows))}
    page, size = max(1, params.integer(query, "page", 1)), max(1, params.integer(query, "pageSize", 50))
    pager: JsonObject = {"page": page, "pageCount": -(-len(rows) // size), "total": len(rows), "pageSize": size}
    return {"pager": pager, key: cast("list[JsonValue]", list(rows[(page - 1) * size : page * size]))}


def picked(query: QueryParams, rows: Sequence[JsonObject]) -> list[JsonObject]:
    """Rows with only the fields that `fields` names at the top; everything without it."""
    text = query.get("fields")
    tree = parse_fields(text) if text else None
    if tree is None or tree.presets or not tree.children:
        return list(rows)
    return [{name: row[name] for name in tree.children if name in row} for row in rows]
