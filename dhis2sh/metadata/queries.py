"""What metadata verbs share: finding the type, checking filters, and warning of what a server would silently ignore."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.client import schema
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.rows.pushdown import Head, Wants, prepare

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session

OPERATORS = (
    "eq", "ieq", "!eq", "neq", "ne", "gt", "lt", "gte", "ge", "lte", "le", "like", "!like", "$like", "!$like", "like$",
    "!like$", "ilike", "!ilike", "$ilike", "!$ilike", "ilike$", "!ilike$", "startsWith", "endsWith", "token", "!token",
    "in", "!in", "null", "!null", "empty", "!empty",
)  # fmt: skip
DIRECTIONS = ("asc", "desc", "iasc", "idesc")
PRESETS = ("all", "owner", "persisted", "simple", "identifiable", "nameable")
_NO_VALUE = {"null", "!null", "empty", "!empty"}
_VIRTUAL = {"identifiable", "mentions"}


async def prepared(s: Session, type: str, arguments: Mapping[str, object], wants: Wants) -> Head:
    """A list's arguments made ready for the pipeline that follows it. Raises `NotFound`, `PipelineError`."""
    resource = await schema.resource_of(s.client, type)
    return prepare(arguments, wants, resource, await schema.types_of(s.client), default_fields(resource))


def default_fields(resource: Resource) -> str:
    """What a list shows when nobody says: id and name, code and a type's own kind."""
    return ",".join(default_columns(resource))


def default_columns(resource: Resource) -> list[str]:
    """The columns of `default_fields`."""
    wanted = (
        "id",
        "displayName",
        "code",
        "valueType",
        "domainType",
        "level",
        "periodType",
        "programType",
        "username",
        "type",
    )
    found = [name for name in wanted if name in resource.properties or name in {"id", "displayName"}]
    return found[:6]


def columns(fields: str | None) -> list[str] | None:
    """The top-level names of a `fields` text, or None when it has presets."""
    if fields is None or re.search(r"[:*!~|]", fields):
        return None
    depth, names, word = 0, list[str](), ""
    for mark in fields + ",":
        if mark in "[(":
            depth += 1
        elif mark in "])":
            depth -= 1
        elif depth == 0 and mark == ",":
            if word.strip():
                names.append(word.strip().partition(".")[0])
            word = ""
        elif depth == 0:
            word += mark
    return list(dict.fromkeys(names))


def with_names(resource: Resource, fields: str, types: Mapping[str, Resource]) -> str:
    """Fields in which each reference brings its name: `categoryCombo` becomes `categoryCombo[id,displayName]`.

    References inside rows do so too: `dataSetElements` becomes `dataSetElements[:owner,dataElement[id,displayName]]`.

    Parameters:
        resource: the type; fields: as the user wrote them.
        types: all types of its version, embedded ones included.
    """
    named: dict[str, str] = {}
    for name, prop in resource.properties.items():
        row = types.get(prop.target or "")
        inner = list[str]()
        if prop.collection and row is not None and row.endpoint is None:
            others = ((key, held) for key, held in row.properties.items() if held.reference)
            inner = [key for key, held in others if held.target not in {resource.plural, "users"}]
        if inner:
            named[name] = f"{name}[{','.join([':owner', *(f'{key}[id,displayName]' for key in inner)])}]"
        elif prop.reference:
            named[name] = f"{name}[id,displayName]"
    if ":" in fields or "*" in fields:
        return ",".join([fields, *(text for name, text in named.items() if resource.properties[name].owner)])
    return re.sub(r"(?<![\w\[.])(\w+)(?![\w\[.~|(])", lambda found: named.get(found[1], found[1]), fields)


def checked_filters(resource: Resource, filters: Sequence[str]) -> list[str]:
    """Filters that the server will understand. Raises `UsageError` with the nearest property or operator."""
    for text in filters:
        parts = text.split(":", 2)
        if len(parts) < 2 or not parts[0]:
            raise UsageError(f"filter '{text}' is malformed", hint="filters look like name:ilike:bcg")
        path, operator = parts[0], parts[1]
        if operator not in OPERATORS:
            hint = did_you_mean(operator, OPERATORS) or f"operators: {' '.join(OPERATORS)}"
            raise UsageError(f"filter '{text}': '{operator}' is not an operator", hint=hint)
        if operator not in _NO_VALUE and len(parts) < 3:
            raise UsageError(f"filter '{text}' has no value", hint=f"{path}:{operator}:VALUE")
        first = path.partition(".")[0]
        if first not in resource.properties and first not in _VIRTUAL and not is_uid(first):
            hint = did_you_mean(first, list(resource.properties)) or f"dhis2 metadata describe {resource.plural}"
            raise UsageError(f"filter '{text}': {resource.plural} have no property '{first}'", hint=hint)
    return list(filters)


def silently_ignored(resource: Resource, fields: str | None, order: Sequence[str], filters: Sequence[str]) -> list[str]:
    """What a server would drop without a word: unknown fields, presets and orders, filters cut at a comma."""
    return [*_ignored_fields(resource, fields), *_ignored_orders(resource, order), *_cut_filters(filters)]


def _ignored_fields(resource: Resource, fields: str | None) -> Iterator[str]:
    for name in columns(fields) or []:
        if name not in resource.properties:
            hint = did_you_mean(name, list(resource.properties))
            yield f"fields: {resource.plural} have no property '{name}'; the server leaves it out{'; ' + hint if hint else ''}"
    for preset in re.findall(r"(?<![:\w]):(\w+)", fields or ""):
        if preset not in PRESETS:
            yield f"fields: there is no preset ':{preset}'; the server leaves it out"


def _ignored_orders(resource: Resource, order: Sequence[str]) -> Iterator[str]:
    for text in (part for item in order for part in item.split(",")):
        name, _, direction = text.partition(":")
        prop = resource.properties.get(name)
        if prop is None or not (prop.simple and prop.persisted):
            yield f"order: {resource.plural} cannot be sorted by '{name}'; the server ignores it"
        elif direction and direction not in DIRECTIONS:
            yield f"order: '{direction}' is no direction; the server ignores it"


def _cut_filters(filters: Sequence[str]) -> Iterator[str]:
    if len(filters) > 1 or any("," in text for text in filters):
        for text in filters:
            value = text.split(":", 2)[-1]
            if "," in value and not value.startswith("["):
                yield f"filter '{text}': the server cuts its value at the comma"
