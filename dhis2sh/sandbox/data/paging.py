"""Pages of rows that are no metadata: their pager has neither addresses nor the order of a metadata pager."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.select import select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue


def paged(query: QueryParams, key: str, rows: Sequence[JsonObject], *, last_page: bool = False) -> JsonObject:
    """Rows with their pager, or all of them with `paging=false` and `skipPaging=true`.

    Parameters:
        last_page: a page behind the last one is the last one.
    """
    if not params.boolean(query, "paging", True) or params.boolean(query, "skipPaging"):
        return {key: cast("list[JsonValue]", list(rows))}
    page, size = max(1, params.integer(query, "page", 1)), max(1, params.integer(query, "pageSize", 50))
    if last_page:
        page = min(page, max(1, -(-len(rows) // size)))
    pager: JsonObject = {"page": page, "pageCount": -(-len(rows) // size), "total": len(rows), "pageSize": size}
    return {"pager": pager, key: cast("list[JsonValue]", list(rows[(page - 1) * size : page * size]))}


def picked(
    query: QueryParams, rows: Sequence[JsonObject], store: Store | None = None, types: Mapping[str, str] | None = None
) -> list[JsonObject]:
    """Rows with what `fields` names; everything without it.

    Parameters:
        store: where references are looked up, to show more of an object than the row has.
        types: the plural of what a property refers to, by property.
    """
    text = query.get("fields")
    tree = parse_fields(text) if text else None
    if tree is None or tree.presets or not tree.children:
        return list(rows)
    found: list[JsonObject] = []
    for row in rows:
        whole = dict(row)
        for name, plural in (types or {}).items() if store is not None else ():
            child, value = tree.children.get(name), row.get(name)
            if child is not None and not child.bare and isinstance(value, dict) and store is not None:
                whole[name] = (store.get(plural, str(value.get("id"))) or {}) | value
        found.append(cast("JsonObject", select(whole, tree)))
    return found
