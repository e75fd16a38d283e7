"""Filters as people write them (`property:operator:value`), checked and written as a server understands them.

API source: `QueryUtils.parseValue` (api-facts a.2): values are read by the property's type, lists stand in brackets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.dhis2 import dates
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource

OPERATORS = (
    "eq", "ieq", "!eq", "neq", "ne", "gt", "lt", "gte", "ge", "lte", "le", "like", "!like", "$like", "!$like", "like$",
    "!like$", "ilike", "!ilike", "$ilike", "!$ilike", "ilike$", "!ilike$", "startsWith", "endsWith", "token", "!token",
    "in", "!in", "null", "!null", "empty", "!empty",
)  # fmt: skip
ELSEWHERE = {
    "contains": "ilike", "has": "ilike", "includes": "ilike", "equals": "eq", "is": "eq", "=": "eq", "==": "eq", "!=": "!eq",
    "not": "!eq", "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "starts": "$ilike", "prefix": "$ilike", "ends": "ilike$",
    "suffix": "ilike$", "search": "token", "exists": "!null", "missing": "null", "none": "null",
    "notnull": "!null", "notin": "!in",
}  # fmt: skip
"""What operators are called elsewhere."""
_NO_VALUE = {"null", "!null", "empty", "!empty"}
_LISTS = {"in", "!in"}
_EXACT = {"eq", "!eq", "neq", "ne", "gt", "lt", "gte", "ge", "lte", "le", *_LISTS}
"""Operators whose values the server reads by the property's type."""
_VIRTUAL = {"identifiable", "mentions"}
_MOST = {"java.lang.Long": 2**63 - 1, "java.math.BigInteger": 10**300}
_MOST_INTEGER = 2**31 - 1


def checked(resource: Resource, types: Mapping[str, Resource], filters: Sequence[str]) -> list[str]:
    """Filters that the server will understand: lists in brackets and without blanks.

    Parameters:
        resource: the type that is filtered.
        types: all types of its version, which paths lead through.
        filters: as the user wrote them.

    Raises `UsageError` with the nearest property, operator or value.
    """
    return [_checked(resource, types, text) for text in filters]


def _checked(resource: Resource, types: Mapping[str, Resource], text: str) -> str:
    parts = text.split(":", 2)
    if len(parts) < 2 or not parts[0]:
        raise UsageError(f"filter '{text}' is malformed", hint="filters look like name:ilike:bcg")
    path, operator = parts[0], parts[1]
    if operator not in OPERATORS:
        meant = ELSEWHERE.get(operator.lower())
        hint = f"did you mean {meant}?" if meant else did_you_mean(operator, OPERATORS)
        raise UsageError(
            f"filter '{text}': '{operator}' is not an operator", hint=hint or f"operators: {' '.join(OPERATORS)}"
        )
    if operator not in _NO_VALUE and len(parts) < 3:
        raise UsageError(
            f"filter '{text}' has no value", hint=f"{path}:{operator}:{'[A,B]' if operator in _LISTS else 'A'}"
        )
    prop = _property(resource, types, path, text)
    if operator not in _EXACT:
        return text
    values = _listed(parts[2], text) if operator in _LISTS else [parts[2]]
    if prop is not None:
        for value in values:
            if wrong := _unreadable(prop, value, within=operator in _LISTS):
                raise UsageError(f"filter '{text}': {wrong[0]}", hint=wrong[1])
    return f"{path}:{operator}:[{','.join(values)}]" if operator in _LISTS else text


def _property(resource: Resource, types: Mapping[str, Resource], path: str, text: str) -> Property | None:
    """The property at the end of a path; None for an attribute, and behind what no schema describes."""
    names = path.split(".")
    if names[0] in _VIRTUAL or any(is_uid(name) and name not in resource.properties for name in names[:2]):
        return None
    here: Resource | None = resource
    prop: Property | None = None
    for number, name in enumerate(names):
        if here is None:
            if prop is not None and prop.kind != "COMPLEX":
                raise UsageError(
                    f"filter '{text}': {names[number - 1]} has no properties", hint=".".join(names[:number])
                )
            return None
        prop = here.properties.get(name)
        if prop is None:
            hint = did_you_mean(name, list(here.properties)) or f"dhis2 metadata describe {resource.plural}"
            raise UsageError(f"filter '{text}': {here.plural} have no property '{name}'", hint=hint)
        here = types.get(prop.target or "")
    return prop


def _listed(text: str, whole: str) -> list[str]:
    """The values of a list, which may lack its brackets; the blanks around them are nobody's."""
    inner = text.strip().removeprefix("[").removesuffix("]").strip()
    values = [value.strip() for value in inner.split(",")] if inner else []
    if "" in values:
        raise UsageError(f"filter '{whole}': a value of its list is empty", hint=f"[{','.join(filter(None, values))}]")
    return values


def _unreadable(prop: Property, value: str, *, within: bool) -> tuple[str, str] | None:
    """Why the server cannot read a value, and what to write; None where it can."""
    if prop.collection:
        counts = within or _whole(value, _MOST_INTEGER)
        return (
            None
            if counts
            else (f"{prop.name} is a list, compared by its size: '{value}' is none", f"{prop.name}.id:eq:UID")
        )
    match prop.kind:
        case "CONSTANT" if prop.constants and value not in prop.constants:
            known = ", ".join(prop.constants[:12])
            return f"'{value}' is not one of the values of {prop.name}", did_you_mean(
                value, prop.constants
            ) or f"one of {known}"
        case "DATE" if dates.moment(value) is None and not _date(value):
            return f"{prop.name} is a date, '{value}' is none", "year, month and day: 2026-01-31"
        case "INTEGER" if not _whole(value, _MOST.get(prop.klass, _MOST_INTEGER)):
            return f"{prop.name} is an integer, '{value}' is none", "a whole number of at most 2,147,483,647"
        case "NUMBER" if not _number(value):
            return f"{prop.name} is a number, '{value}' is none", "digits, with a point before decimals"
        case "BOOLEAN" if value not in {"true", "false"}:
            return f"{prop.name} is true or false, not '{value}'", f"{prop.name}:eq:true"
        case _:
            return None


def _date(value: str) -> bool:
    try:
        dates.written(value)
    except ValueError:
        return False
    return True


def _whole(value: str, most: int) -> bool:
    digits = value.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 400 and int(digits) <= most


def _number(value: str) -> bool:
    try:
        return abs(float(value)) < 1e308  # neither NaN nor infinite
    except ValueError:
        return False


def notes(filters: Sequence[str]) -> Iterator[str]:
    """What a server would drop without a word, and what is sent instead of what was written."""
    for text in filters:
        operator, _, value = text.partition(":")[2].partition(":")
        if operator in _LISTS and any(part != part.strip() for part in value.strip("[] ").split(",")):
            values = _listed(value, text)
            yield f"filter '{text}': the blanks are left out: {len(values):,} values, {', '.join(map(repr, values[:5]))}"
        elif operator not in _LISTS and "," in value and not value.startswith("["):
            yield f"filter '{text}': the server cuts its value at the comma"
