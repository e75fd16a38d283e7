"""List reads of `/api/{plural}`: filters, order, paging and the pager's addresses (api-facts a.1, a.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from dhis2sh.sandbox.http.params import boolean, choice, integer, joined
from dhis2sh.sandbox.metadata.fields import parse_fields
from dhis2sh.sandbox.metadata.filters import Condition, parse_filter, split_filters
from dhis2sh.sandbox.metadata.user_query import Test, user_tests
from dhis2sh.sandbox.refused import Refused, bad_filter
from dhis2sh.sandbox.store.cache import name_key
from dhis2sh.sandbox.store.fresh import (
    DEFAULT_CATEGORY,
    DEFAULT_CATEGORY_COMBO,
    DEFAULT_CATEGORY_OPTION,
    DEFAULT_OPTION_COMBO,
)

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.models.facts import Resource
    from dhis2sh.sandbox.metadata.render import Renderer
    from dhis2sh.sandbox.metadata.rights import Rights
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

DEFAULT_PAGE_SIZE = 50
DEFAULT_FIELDS = "id,displayName"


def matching(
    store: Store, resource: Resource, query: QueryParams, renderer: Renderer, *, of: list[JsonObject] | None = None,
    by_name: bool = True,
) -> list[JsonObject]:  # fmt: skip
    """The objects of a type that meet `filter`, `query` and `defaults` and that the user may read, as `order` says.

    Parameters:
        of: only these objects; by default all of the type.
        by_name: without `order`, sort by name; else keep the order in which they were made.
    """
    if store.version.lenient_parameters:
        query = _readable(query)
    conditions = _conditions(store, resource, query, renderer)
    if store.version.query_alone and _words(resource, query):
        conditions = []
    junction = any if choice(query, "rootJunction", "AND", ["AND", "OR"]) == "OR" and conditions else all
    orders = _orders(store, resource, query.getlist("order"))
    in_order = by_name and not orders
    found: Iterable[JsonObject] | None = of
    if found is None and junction is all:
        found = _indexed(store, resource, conditions, by_name=in_order)
    if found is None:
        found = store.ordered(resource.plural) if in_order else store.objects(resource.plural).values()
    rights = renderer.rights
    if rights is not None and not rights.superuser:
        found = (body for body in found if rights.can_read(resource, body))
    tests = [condition.test for condition in conditions]
    further = list(_further(store, resource, query, rights))
    words = _words(resource, query)
    if junction is any:
        alternatives = [*tests, *words]
        found = (body for body in found if any(test(body) for test in alternatives))
    else:
        further = [*tests, *words, *further]
    for test in further:
        found = filter(test, found)
    return _sorted(list(found), orders)


def _called(text: str) -> Test:
    """Has an object these words in its name, or is it its UID or code?"""
    part = text.lower()
    return lambda body: part in str(body.get("name") or "").lower() or text in (body["id"], body.get("code"))


def _words(resource: Resource, query: QueryParams) -> list[Test]:
    """The words of a name in `query`; of users they are among what else a request asks of them."""
    text = query.get("query")
    return [_called(text)] if text and resource.plural != "users" else []


def _further(store: Store, resource: Resource, query: QueryParams, rights: Rights | None) -> Iterator[Test]:
    """What a request asks of objects besides `filter` and `query`: for users more, no default objects."""
    if resource.plural == "users":
        yield from user_tests(store, query, rights)
    if excludes_defaults(query) and resource.plural in DEFAULTS:
        yield lambda body: body.get("name") != "default"


DEFAULTS = {"categories": DEFAULT_CATEGORY, "categoryCombos": DEFAULT_CATEGORY_COMBO, "categoryOptionCombos": DEFAULT_OPTION_COMBO,
            "categoryOptions": DEFAULT_CATEGORY_OPTION}  # fmt: skip
"""The types that have a default object, and its UID."""


def excludes_defaults(query: QueryParams) -> bool:
    """Does a request ask to leave the default category model out? Raises `Refused`."""
    return choice(query, "defaults", "INCLUDE", ["INCLUDE", "EXCLUDE"]) == "EXCLUDE"


def _conditions(store: Store, resource: Resource, query: QueryParams, renderer: Renderer) -> list[Condition]:
    given = query.getlist("filter")
    texts = split_filters(given) if store.version.cuts_filters else [text for text in given if text]
    if not texts and "filter" in query and store.version.refuses_empty_filter:
        raise bad_filter("Invalid filter => ")
    return [Condition(parse_filter(text), resource, renderer) for text in texts]


def _indexed(
    store: Store, resource: Resource, conditions: list[Condition], *, by_name: bool
) -> list[JsonObject] | None:  # fmt: skip
    """The objects that can meet the conditions at most, where an index of references says it; else None."""
    narrow = next((one.referring for one in conditions if one.referring is not None), None)
    if narrow is None:
        return None
    known = store.objects(resource.plural)
    found = [known[uid] for uid in store.inverse(resource.plural, narrow[0]).get(narrow[1], []) if uid in known]
    if by_name:
        found.sort(key=lambda body: name_key(body, store.version.sorts_by_case))
    return found


def _is_junction(text: str) -> bool:
    return text.upper() in {"AND", "OR"}


def _readable(query: QueryParams) -> QueryParams:
    """The parameters without those that this server cannot read and takes for missing; a yes or no is then no."""
    known = {"page": str.isdigit, "pageSize": str.isdigit, "rootJunction": _is_junction}
    pairs = [(n, v) for n, v in query.multi_items() if n not in known or known[n](v.lstrip("-"))]
    pairs = [(n, v if n != "paging" or v.lower() in {"true", "false"} else "false") for n, v in pairs]
    return type(query)(pairs)


def _orders(store: Store, resource: Resource, orders: list[str]) -> dict[str, str]:
    """Properties and directions of `order`; what cannot be sorted by is ignored without a word, as on a server."""
    keys: dict[str, str] = {}
    for text in ",".join(orders).split(","):
        name, _, direction = text.strip().partition(":")
        prop = resource.properties.get(name)
        if name and prop is None and store.version.refuses_unknown_order:
            raise Refused(400, f"No such property: {name}")
        if prop is None or not (prop.simple and prop.persisted) or (direction or "asc") not in _DIRECTIONS:
            continue
        keys.setdefault(name, direction or "asc")
    return keys


def _sorted(found: list[JsonObject], keys: dict[str, str]) -> list[JsonObject]:
    if not keys:
        return found
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


def list_objects(
    store: Store, resource: Resource, query: QueryParams, renderer: Renderer, path: str, *,
    of: list[JsonObject] | None = None,
) -> JsonObject:  # fmt: skip
    """The answer of `GET /api/{plural}`. Raises `Refused`.

    Parameters:
        of: only these objects; by default all of the type.
    """
    if store.version.lenient_parameters:
        query = _readable(query)
    size = integer(query, "pageSize", DEFAULT_PAGE_SIZE)
    page = max(1, integer(query, "page", 1))
    paging = boolean(query, "paging", True)
    gist = store.version.lists_by_gist and paging and gist_can(resource, query)
    if gist and size == 0:
        raise Refused(500, "/ by zero")
    if size < 0 and not gist:
        raise Refused(400, "max-results cannot be negative")
    size = abs(size)
    tree = parse_fields(joined(query, "fields", DEFAULT_FIELDS))
    found = matching(store, resource, query, renderer, of=of, by_name=not gist)
    rows = found[(page - 1) * size : page * size] if paging else found
    shown = cast("list[JsonValue]", [renderer.show(resource, body, tree) for body in rows])
    if not paging:
        return {resource.plural: shown}
    if gist:
        pager = _gist_pager(len(found), page, size, query, renderer.base_url + path)
        return {"pager": pager, "gist": True, resource.plural: shown}
    return {"pager": _pager(len(found), page, max(1, size), query, renderer.base_url + path), resource.plural: shown}


NOT_BY_GIST = {"jobConfigurations", "programRuleActions", "users"}
"""Types whose lists the gist engine never reads."""


def gist_can(resource: Resource, query: QueryParams) -> bool:
    """Can the gist engine read a list? Not with presets, nested fields, filters on what an object refers to."""
    fields = joined(query, "fields", DEFAULT_FIELDS)
    simple = not re.search(r"[:*]|\[[^\]]*\[|\btranslations\b|\bauthorities\b", fields)
    plain = all("." not in text.partition(":")[0] and "token" not in text for text in query.getlist("filter"))
    ordered = all(text.partition(":")[2] in {"", "asc", "desc"} for text in query.getlist("order"))
    known = query.keys() <= {"fields", "filter", "order", "page", "pageSize", "paging", "rootJunction"}
    return resource.plural not in NOT_BY_GIST and simple and plain and ordered and known


def _gist_pager(total: int, page: int, size: int, query: QueryParams, address: str) -> JsonObject:
    """The pager of a list that the gist engine has read: its addresses keep the request's order, the page last."""
    count = -(-total // size)
    pager: JsonObject = {"page": page, "pageSize": size, "total": total, "pageCount": count}
    rest = [(name, value) for name, value in query.multi_items() if name != "page"]
    for name, number, there in (("prevPage", page - 1, page > 1), ("nextPage", page + 1, page < count)):
        if there:
            pager[name] = f"{address}?{urlencode([*rest, ('page', str(number))])}"
    return pager


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
    for name in _IN_ORDER:
        pairs += [(name, value) for value in query.getlist(name)]
    pairs += [(n, v) for n, v in query.multi_items() if n not in {"page", "pageSize", *_IN_ORDER}]
    return urlencode(pairs)


_IN_ORDER = ("filter", "query", "rootJunction", "fields", "order")
