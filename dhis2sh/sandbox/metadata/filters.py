"""The `filter` parameter: how DHIS2 cuts, reads and applies it, silent behaviours included.

API source: `GetObjectListParams.setFilter`, `DefaultQueryParser` (api-facts a.2, a.3 and the recordings of section j).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.dhis2.uids import is_uid
from dhis2sh.sandbox.java.moments import moment_of
from dhis2sh.sandbox.refused import Refused, bad_filter
from dhis2sh.sandbox.store.relations import inline

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.sandbox.metadata.render import Renderer
    from dhis2sh.types import JsonObject, JsonValue

_PIECE = re.compile(r"([a-zA-Z0-9.]+):([!$a-zA-Z]{2,10})(?::(\[[^\]]*\]|[^,\n\r]+))?(?=,|$)")
IDENTIFIABLE = ("id", "code", "name", "shortName")
_WHOLE = re.compile(r"-?\d+", re.ASCII)
_WORDS = re.compile(r"[^\W_]+")
ALIASES = {"neq": "!eq", "ne": "!eq", "ge": "gte", "le": "lte", "startsWith": "$ilike", "endsWith": "ilike$"}
NO_VALUE = {"null", "!null", "empty", "!empty"}


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition: a property path, an operator and a value."""

    path: str
    operator: str
    value: str | None


def split_filters(values: Sequence[str]) -> list[str]:
    """The filters that a server sees after joining repeated parameters with commas and cutting them again."""
    joined = ",".join(values)
    if "," not in joined:
        return [joined] if joined else []
    return [match[0] for match in _PIECE.finditer(joined)]


def parse_filter(text: str) -> Filter:
    """Read one filter. Raises `Refused` as the server words it."""
    parts = text.split(":", 2)
    if len(parts) < 2:
        raise bad_filter(f"Invalid filter => {text}")
    path, operator = parts[0], ALIASES.get(parts[1], parts[1])
    if operator not in OPERATORS and operator not in NO_VALUE:
        raise bad_filter(f"`{parts[1]}` is not a valid operator.")
    value = parts[2] if len(parts) == 3 else None
    if path == "attributeValues.attribute.id" and operator == "eq" and value is not None:
        return Filter(value, "!null", None)  # "has a value for this attribute"
    if value is None and operator not in NO_VALUE:
        raise Refused(500)
    return Filter(path, operator, value)


def _text(test: Callable[[str, str], bool], fold: bool) -> Callable[[JsonValue, JsonValue], bool]:
    def apply(left: JsonValue, right: JsonValue) -> bool:
        if left is None:
            return False
        a, b = str(left), str(right)
        return test(a.lower(), b.lower()) if fold else test(a, b)

    return apply


def _tokens(text: str, query: str) -> bool:
    words = _WORDS.findall(text)
    return all(any(word.startswith(part) for word in words) for part in _WORDS.findall(query))


def _compare(test: Callable[[object, object], bool]) -> Callable[[JsonValue, JsonValue], bool]:
    return lambda left, right: left is not None and test(left, right)


def _contains(text: str, part: str) -> bool:
    return part in text


OPERATORS: dict[str, Callable[[JsonValue, JsonValue], bool]] = {
    "eq": _compare(lambda a, b: a == b),
    "ieq": _text(str.__eq__, True),
    "gt": _compare(lambda a, b: a > b),  # type: ignore[operator]
    "lt": _compare(lambda a, b: a < b),  # type: ignore[operator]
    "gte": _compare(lambda a, b: a >= b),  # type: ignore[operator]
    "lte": _compare(lambda a, b: a <= b),  # type: ignore[operator]
    "like": _text(_contains, False),
    "ilike": _text(_contains, True),
    "$like": _text(str.startswith, False),
    "$ilike": _text(str.startswith, True),
    "like$": _text(str.endswith, False),
    "ilike$": _text(str.endswith, True),
    "token": _text(_tokens, True),
    "in": lambda a, b: isinstance(b, list) and a in b,
}
OPERATORS.update(
    {f"!{name}": (lambda a, b, test=test: a is None or not test(a, b)) for name, test in list(OPERATORS.items())}
)
OPERATORS["!eq"] = lambda a, b: a is not None and a != b
OPERATORS["!in"] = lambda a, b: a is not None and isinstance(b, list) and a not in b


class Condition:
    """A filter bound to a type: the property is known, the value parsed, the test compiled.

    Parameters:
        item: the filter.
        resource: the type that is listed.
        renderer: resolves property paths, computed ones and references included.

    Raises `Refused` for an unknown path or a value that the property cannot have.

    `test` is the test itself; `referring` says which objects can meet it at most: those that refer by a property to a UID; None for any.
    """

    def __init__(self, item: Filter, resource: Resource, renderer: Renderer) -> None:
        self._operator = item.operator
        self.referring: tuple[str, str] | None = None
        attribute = _attribute_of(item, resource, renderer)
        if attribute is not None:
            self._collection = False
            self._value = _parse_value(item, None)
            self.test = self._any_of([_attribute_value(attribute)])
            return
        paths = [p for p in IDENTIFIABLE if p in resource.properties] if item.path == "identifiable" else [item.path]
        prop = renderer.property_at(resource, paths[0])
        if prop is None:
            raise bad_filter(_wrong_path(resource, item.path, renderer))
        self._collection = prop.collection
        self._value = _parse_value(item, prop)
        self.referring = _referring(item, resource, renderer)
        if len(paths) == 1 and item.operator in OPERATORS and renderer.stored(resource, prop, item.path):
            self.test = _compiled(item.path, item.operator, self._value)
        else:
            self.test = self._any_of([renderer.getter(resource, path) for path in paths])

    def __call__(self, body: JsonObject) -> bool:
        """Does an object meet the condition?"""
        return self.test(body)

    def _any_of(self, getters: list[Callable[[JsonObject], list[JsonValue]]]) -> Callable[[JsonObject], bool]:
        every = all if self._operator.startswith("!") else any
        return lambda body: every(self._holds(getter(body)) for getter in getters)

    def _holds(self, values: list[JsonValue]) -> bool:
        if self._operator in {"null", "!null"}:
            return all(value is None for value in values) == (self._operator == "null")
        if self._operator in {"empty", "!empty"}:
            return (not any(values)) == (self._operator == "empty")
        if self._collection and isinstance(self._value, int):
            items = values[0] if values and isinstance(values[0], list) else []
            return OPERATORS[self._operator](len(items), self._value)
        test = OPERATORS[self._operator]
        flat = [part for value in values for part in (value if isinstance(value, list) else [value])]
        return any(test(_plain(value), self._value) for value in flat)


def _wrong_path(resource: Resource, path: str, renderer: Renderer) -> str:
    """What is wrong with a path that leads to no property."""
    start = path
    while start := start.rpartition(".")[0]:
        prop = renderer.property_at(resource, start)
        if prop is not None and prop.simple:
            return "Simple type was found before finished parsing path expression, please check your path string."
    return f"Unknown path property: {path}"


def _referring(item: Filter, resource: Resource, renderer: Renderer) -> tuple[str, str] | None:
    """For `parent.id:eq:<uid>` the property and the UID: an index answers it."""
    first, _, rest = item.path.partition(".")
    prop = resource.properties.get(first)
    if rest != "id" or item.operator != "eq" or item.value is None or prop is None:
        return None
    indexed = prop.owner and prop.reference and not inline(renderer.resources.get(prop.target or ""))
    return (first, item.value) if indexed else None


def _compiled(name: str, operator: str, value: JsonValue) -> Callable[[JsonObject], bool]:
    """The test of a stored property, with what does not change from object to object done once."""
    if isinstance(value, str):
        wanted = value.lower()
        match operator:
            case "eq":
                return lambda body: body.get(name) == value
            case "ilike":
                return lambda body: (text := body.get(name)) is not None and wanted in str(text).lower()
            case "like":
                return lambda body: (text := body.get(name)) is not None and value in str(text)
            case _:
                pass
    test = OPERATORS[operator]
    return lambda body: test(body.get(name), value)


def _attribute_of(item: Filter, resource: Resource, renderer: Renderer) -> str | None:
    """The UID of the metadata attribute that a filter is about: its path is a UID, not a property."""
    path = item.path
    if path in resource.properties or not is_uid(path) or renderer.find("attributes", path) is None:
        return None
    return path


def _attribute_value(uid: str) -> Callable[[JsonObject], list[JsonValue]]:
    def values(body: JsonObject) -> list[JsonValue]:
        rows = body.get("attributeValues")
        for row in rows if isinstance(rows, list) else []:
            attribute = row.get("attribute") if isinstance(row, dict) else None
            if isinstance(row, dict) and isinstance(attribute, dict) and attribute.get("id") == uid:
                return [row.get("value")]
        return [None]

    return values


def _plain(value: JsonValue) -> JsonValue:
    return value.get("id") if isinstance(value, dict) else value


def _parse_value(item: Filter, prop: Property | None) -> JsonValue:
    """The filter's value as the property's type reads it."""
    text = item.value
    if text is None or item.operator in NO_VALUE:
        return None
    if text.startswith("[") and text.endswith("]"):
        if item.operator not in {"in", "!in"}:
            return text
        parts = [part for part in text[1:-1].split(",") if part]
        return [_parse_one(part, prop, item.operator) for part in parts]
    if item.operator in {"in", "!in"}:
        raise bad_filter(f"Collection size must be integer `{text}`")
    if prop is not None and prop.collection:
        if not text.lstrip("-").isdigit():
            raise bad_filter(f"Collection size must be integer `{text}`")
        return int(text)
    return _parse_one(text, prop, item.operator)


def _parse_one(text: str, prop: Property | None, operator: str) -> JsonValue:
    if prop is None or "like" in operator or "token" in operator:
        return text
    if prop.kind == "CONSTANT" and prop.constants and text not in prop.constants:
        known = ", ".join(prop.constants)
        raise bad_filter(f"Unable to parse `{text}` as `class {prop.klass}`, available values are: [{known}]")
    if prop.kind == "BOOLEAN":
        return text.lower() == "true"
    if prop.kind in {"INTEGER", "NUMBER"} or prop.klass in _NUMBERS:
        return _parse_number(text, prop.klass.rpartition(".")[2])
    if prop.kind == "DATE":
        return _parse_date(text)
    if prop.name == "periodType" or (prop.kind == "REFERENCE" and prop.persisted):
        raise bad_filter(f"Unable to parse `{text}` to `{prop.klass.rpartition('.')[2]}`.")
    return text


_NUMBERS = {"java.lang.Integer", "java.lang.Long", "java.lang.Double"}
"""Java classes of numbers; older servers call the kind of some of them TEXT."""


def _parse_number(text: str, kind: str) -> float:
    """A number as Java reads it: a whole one has no blanks and fits its type."""
    limit = {"Integer": 2**31, "int": 2**31, "Long": 2**63, "long": 2**63}.get(kind)
    try:
        if limit is None:
            return float(text)
        if _WHOLE.fullmatch(text) and -limit <= int(text) < limit:
            return int(text)
    except ValueError:
        pass
    raise bad_filter(f"Unable to parse `{text}` as `{kind}`.")


def _parse_date(text: str) -> str:
    """A date as the server's own text form, so that texts compare like moments."""
    try:
        return moment_of(text)
    except ValueError:
        raise bad_filter(f"Unable to parse `{text}` as `Date`.") from None
