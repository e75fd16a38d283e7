"""List reads of `/api/{plural}`: filters, order, paging and the pager's addresses (api-facts a.1, a.5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from dhis2sh.sandbox.fields import parse_fields
from dhis2sh.sandbox.filters import BadFilter, Condition, Filter, parse_filter, split_filters
from dhis2sh.sandbox.render import Renderer

if TYPE_CHECKING:
    from dhis2_models.facts import Resource
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.store import Store
    from dhis2sh.types import JsonObject, JsonValue

DEFAULT_PAGE_SIZE = 50
DEFAULT_FIELDS = "id,displayName"


class BadParameter(Exception):
    """A query parameter that the server refuses with 400 and no error code."""


def _int(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name)
    if text is None or text == "":
        return default
    try:
        return int(text)
    except ValueError:
        raise BadParameter(f"Value '{text}' is not valid for parameter {name}. It should be of type int") from None


def _boolean(query: QueryParams, name: str, default: bool) -> bool:
    text = query.get(name)
    if text is None or text == "":
        return default
    if text.lower() not in {"true", "false"}:
        raise BadParameter(f"Value '{text}' is not valid for parameter {name}. It should be of type boolean")
    return text.lower() == "true"


def _enum(query: QueryParams, name: str, default: str, known: list[str]) -> str:
    text = query.get(name) or default
    if text.upper() not in known:
        raise BadParameter(f"Value '{text}' is not valid for parameter {name}. Valid values are: [{', '.join(known)}]")
    return text.upper()


def matching(store: Store, resource: Resource, query: QueryParams, renderer: Renderer) -> list[JsonObject]:
    """The objects of a type that meet `filter`, `query` and `defaults`, in the order of `order`."""
    filters = [parse_filter(text) for text in split_filters(query.getlist("filter"))]
    conditions = [Condition(item, resource, renderer) for item in filters]
    junction = any if _enum(query, "rootJunction", "AND", ["AND", "OR"]) == "OR" and conditions else all
    found: Iterable[JsonObject] = store.objects(resource.plural).values()
    if conditions:
        found = (body for body in found if junction(condition(body) for condition in conditions))
    text = query.get("query")
    if text and resource.plural != "users":
        operators = {"id": "eq", "code": "eq", "name": "ilike"}
        either = [
            Condition(Filter(path, operator, text), resource, renderer)
            for path, operator in operators.items()
            if path in resource.properties
        ]
        found = (body for body in found if any(condition(body) for condition in either))
    if _enum(query, "defaults", "INCLUDE", ["INCLUDE", "EXCLUDE"]) == "EXCLUDE":
        found = (body for body in found if body.get("name") != "default")
    return _ordered(list(found), resource, query.getlist("order"))


def _ordered(found: list[JsonObject], resource: Resource, orders: list[str]) -> list[JsonObject]:
    """Sort by `order`; what cannot be sorted by is ignored without a word, as on a server."""
    keys: dict[str, str] = {}
    for text in ",".join(orders).split(","):
        name, _, direction = text.strip().partition(":")
        prop = resource.properties.get(name)
        if prop is None or not (prop.simple and prop.persisted) or (direction or "asc") not in _DIRECTIONS:
            continue
        keys.setdefault(name, direction or "asc")
    if not keys:
        return sorted(found, key=lambda body: (str(body.get("name") or "").lower(), str(body["id"])))
    found.sort(key=lambda body: str(body["id"]))
    for name, direction in reversed(keys.items()):
        fold = direction.startswith("i")
        found.sort(key=lambda body: _sort_key(body.get(name), fold), reverse=direction.endswith("desc"))
    return found


_DIRECTIONS = {"asc", "desc", "iasc", "idesc"}


def _sort_key(value: JsonValue, fold: bool) -> tuple[int, float, str]:
    """Null sorts last going up; numbers by size, texts by their characters."""
    if value is None:
        return (2, 0.0, "")
    if isinstance(value, (bool, int, float)):
        return (0, float(value), "")
    text = str(value)
    return (1, 0.0, text.lower() if fold else text)


def list_objects(store: Store, resource: Resource, query: QueryParams, base_url: str, path: str) -> JsonObject:
    """The answer of `GET /api/{plural}`. Raises `BadFilter`, `BadParameter` and `ServerBug`."""
    renderer = Renderer(store, base_url, query.get("locale"))
    size = _int(query, "pageSize", DEFAULT_PAGE_SIZE)
    page = max(1, _int(query, "page", 1))
    paging = _boolean(query, "paging", True)
    if size < 0:
        raise BadParameter("max-results cannot be negative")
    tree = parse_fields(query.get("fields", DEFAULT_FIELDS))
    found = matching(store, resource, query, renderer)
    rows = found[(page - 1) * size : page * size] if paging else found
    shown = cast("list[JsonValue]", [renderer.show(resource, body, tree) for body in rows])
    if not paging:
        return {resource.plural: shown}
    return {"pager": _pager(len(found), page, max(1, size), query, base_url + path), resource.plural: shown}


def _pager(total: int, page: int, size: int, query: QueryParams, address: str) -> JsonObject:
    count = -(-total // size)
    page = max(1, min(page, count))
    pager: JsonObject = {"page": page, "total": total, "pageSize": size}
    if page < count:
        pager["nextPage"] = f"{address}?{_page_query(query, page + 1, size)}"
    if page > 1:
        rest = _page_query(query, page - 1, size)
        pager["prevPage"] = f"{address}?{rest}" if rest else address
    pager["pageCount"] = count
    return pager


def _page_query(query: QueryParams, page: int, size: int) -> str:
    """The parameters of a pager's address, in the order in which DHIS2 writes them."""
    pairs: list[tuple[str, str]] = [("page", str(page))] if page > 1 else []
    if size != DEFAULT_PAGE_SIZE:
        pairs.append(("pageSize", str(size)))
    for name in ("filter", "fields", "order"):
        pairs += [(name, value) for value in query.getlist(name)]
    pairs += [(n, v) for n, v in query.multi_items() if n not in {"page", "pageSize", "filter", "fields", "order"}]
    return urlencode(pairs)


__all__ = ["BadFilter", "BadParameter", "list_objects", "matching"]
