"""The filters and orders of a gist: a grammar of their own, groups of filters, and who may do what with an object.

API source: `GistQuery.Filter`, `GistValidator` (api-facts a.6).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dhis2sh.sandbox.http.params import choice
from dhis2sh.sandbox.metadata.filters import Condition, Filter
from dhis2sh.sandbox.metadata.rights import Rights
from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from dhis2_models.facts import Resource
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.metadata.render import Renderer
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject

type Test = Callable[[JsonObject], bool]

_CUT = re.compile(r",(?![^\[\]]*\]|[^\(\)]*\))")
_FILTER = re.compile(r"(?:(\d+)[:~@]{1,2})?([^:~@]+)[:~@]{1,2}([^:~@]+)(?:[:~@]{1,2}(.*))?", re.DOTALL)
OPERATORS = {
    "null": "null", "!null": "!null", "eq": "eq", "ieq": "ieq", "!eq": "!eq", "ne": "!eq", "neq": "!eq", "lt": "lt",
    "le": "lte", "lte": "lte", "gt": "gt", "ge": "gte", "gte": "gte", "in": "in", "!in": "!in", "empty": "empty",
    "!empty": "!empty", "like": "like", "!like": "!like", "$like": "$like", "!$like": "!$like", "like$": "like$",
    "!like$": "!like$", "ilike": "ilike", "!ilike": "!ilike", "$ilike": "$ilike", "startswith": "$ilike",
    "!$ilike": "!$ilike", "!startswith": "!$ilike", "ilike$": "ilike$", "endswith": "ilike$", "!ilike$": "!ilike$",
    "!endswith": "!ilike$",
}  # fmt: skip
"""The operators of a gist, whatever their case, and what they are called in a list."""
UNARY = {"null", "!null", "empty", "!empty"}
SEVERAL = {"in", "!in", "canaccess"}
ACCESS = {"canread": "r", "canwrite": "_w", "candataread": "__r", "candatawrite": "___w"}
"""Operators on what a user may do with an object, and the access string that they mean."""
_PATTERN = re.compile(r"[_%rw]{2,8}")


def no_property(name: str, resource: Resource) -> Refused:
    """A property that a type does not have."""
    return Refused(400, f"Property `{name}` does not exist in {resource.singular}")


def gist_filter(store: Store, resource: Resource, query: QueryParams, renderer: Renderer) -> Test:
    """The test that objects of a gist must meet. Raises `Refused`.

    Filters with the same number before them are joined the other way than the groups are: any of them where all groups
    must hold.
    """
    texts = [text for text in _CUT.split(",".join(query.getlist("filter"))) if text]
    groups: dict[str, list[Test]] = {}
    for at, text in enumerate(texts):
        found = _FILTER.fullmatch(text)
        if found is None:
            raise Refused(400, f"Not a valid filter expression: {text}")
        group, path, operator, value = found.groups()
        test = _test(store, resource, renderer, path, operator, value)
        groups.setdefault(group if group is not None else f"alone {at}", []).append(test)
    either = choice(query, "rootJunction", "AND", ["AND", "OR"]) == "OR"
    outer, inner = (any, all) if either and groups else (all, any)

    def meets(body: JsonObject) -> bool:
        return outer(inner(test(body) for test in tests) for tests in groups.values())

    return meets


def _test(
    store: Store, resource: Resource, renderer: Renderer, path: str, operator: str, value: str | None
) -> Test:  # fmt: skip
    word = operator.lower()
    values = [value] if value else []
    if value and value.startswith("[") and value.endswith("]"):
        values = value[1:-1].split(",")
    if not values and (word in ACCESS or word == "canaccess") and renderer.rights is not None:
        values = [renderer.rights.uid]
    shown = f"{path}:{word}:[{', '.join(values)}]"
    if word not in OPERATORS and word not in ACCESS and word != "canaccess":
        raise Refused(400, f"Not an comparison operator symbol: {operator}")
    if word in UNARY and values:
        raise Refused(400, f"Filter `{shown}` uses an unary operator and does not need an argument.")
    if word not in UNARY and not values:
        raise Refused(400, f"Filter `{shown}` uses a binary operator that does need an argument.")
    if word not in SEVERAL and len(values) > 1:
        raise Refused(400, f"Filter `{shown}` can only be used with a single argument.")
    if word not in OPERATORS:
        return _may(store, resource, renderer.rights, word, values, shown)
    return _condition(resource, renderer, path, OPERATORS[word], values)


def _condition(resource: Resource, renderer: Renderer, path: str, operator: str, values: list[str]) -> Test:
    several = operator in {"in", "!in"}
    text = None if operator in UNARY else f"[{','.join(values)}]" if several else values[0]
    try:
        return Condition(Filter(path, operator, text), resource, renderer)
    except Refused:
        if renderer.property_at(resource, path) is None:
            raise no_property(path, resource) from None
        raise


def _may(
    store: Store, resource: Resource, asking: Rights | None, operator: str, values: list[str], shown: str
) -> Test:  # fmt: skip
    """May a user do something with an object, by its sharing?"""
    pattern = ACCESS.get(operator)
    if pattern is None:
        if len(values) != 2:
            raise Refused(400, f"Filter `{shown}` requires a user ID and an access pattern argument.")
        pattern = values[1]
        if not _PATTERN.fullmatch(pattern):
            raise Refused(
                400, f"Filter `{shown}` pattern argument must be 2 to 8 letters allowing letters 'r', 'w', '_' and '%'."
            )
    user = store.get("users", values[0])
    other = asking is not None and asking.uid != values[0] and not asking.superuser
    if user is None or other:
        words = f"Filtering by user access in filter `{shown}` requires permissions to manage the user {values[0]}."
        raise Refused(403, words)
    rights = Rights(store, user)
    places = [place for place, letter in enumerate(pattern[:4]) if letter in "rw"]
    return lambda body: rights.superuser or not resource.shareable or all(rights.shared(body, at) for at in places)


def in_order(resource: Resource, query: QueryParams, found: Iterable[JsonObject]) -> list[JsonObject]:
    """Objects as `order` says, else as they were made. Raises `Refused`."""
    rows = list(found)
    keys: list[tuple[str, bool]] = []
    for text in ",".join(query.getlist("order")).split(","):
        if not text:
            continue
        name, *rest = re.split(r"::|:|~|@", text)
        prop = resource.properties.get(name)
        if len(rest) > 1:
            raise Refused(400, f"Not a valid order expression: {text}")
        if prop is None:
            raise no_property(name, resource)
        if not (prop.simple and prop.persisted):
            raise Refused(400, f"Property `{prop.schema_name}` cannot be used as order property.")
        word = (rest or ["asc"])[0].upper()
        if word not in {"ASC", "DESC"}:
            raise Refused(400, f"No enum constant org.hisp.dhis.gist.GistQuery.Direction.{word}")
        keys.append((name, word == "DESC"))
    for name, down in reversed(keys):
        rows.sort(key=lambda body, name=name: _sort_key(body, name), reverse=down)
    return rows


def _sort_key(body: JsonObject, name: str) -> tuple[int, float, str]:
    """Null last going up, numbers by size, texts by their characters."""
    value = body.get(name)
    if value is None:
        return (2, 0.0, "")
    return (0, float(value), "") if isinstance(value, (bool, int, float)) else (1, 0.0, str(value))
