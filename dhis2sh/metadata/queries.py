"""What metadata verbs share: finding the type, checking filters, and warning of what a server would silently ignore."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.client import schema
from dhis2sh.dhis2.fields import PRESETS, Asked, parse_fields
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.metadata.filters import notes
from dhis2sh.rows.pushdown import Head, Wants, prepare
from dhis2sh.rows.rows import Rows

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import Row

DIRECTIONS = ("asc", "desc", "iasc", "idesc")
WHICH = "?"
"""Instead of fields: which there are."""


async def prepared(s: Session, type: str, arguments: Mapping[str, object], wants: Wants) -> Head:
    """A list's arguments made ready for the pipeline that follows it. Raises `NotFound`, `PipelineError`."""
    resource = await schema.resource_of(s.client, type)
    return prepare(arguments, wants, resource, await schema.types_of(s.client), default_fields(resource))


def default_fields(resource: Resource) -> str:
    """What a list asks for when nobody says: id and name, code and a type's own kind; and `name` for who goes on with the
    rows, which a table shows as `displayName`.
    """
    return ",".join([*default_columns(resource), *(["name"] if "name" in resource.properties else [])])


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


def language(translate: bool | None, locale: str | None) -> dict[str, Param]:
    """The parameters that translate display names; a server ignores `locale` without `translate=true`.

    Raises `UsageError` for a locale of names that shall not be translated.
    """
    if locale is not None and translate is False:
        raise UsageError("display names are translated into a locale or not at all", hint="--locale LOCALE alone")
    return {"translate": True if locale else translate, "locale": locale}


def which_fields(resource: Resource) -> Rows[Row]:
    """The fields that a type has, as rows: what `--fields ?` shows."""
    rows: list[Row] = [
        {
            "field": name,
            "type": f"list of {prop.item_kind}" if prop.collection else prop.kind,
            "references": prop.target,
            "presets": ", ".join(
                f":{preset}" for preset in PRESETS if name in parse_fields(f":{preset}").columns({name: prop})
            ),
        }
        for name, prop in resource.properties.items()
        if prop.readable
    ]
    return Rows(sorted(rows, key=lambda row: str(row["field"])), columns=["field", "type", "references", "presets"])


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


def silently_ignored(
    resource: Resource,
    types: Mapping[str, Resource],
    fields: str | None,
    order: Sequence[str],
    filters: Sequence[str],
) -> list[str]:
    """What a server would drop without a word: unknown fields, presets and orders, filters cut at a comma.

    Parameters:
        resource: the type.
        types: all types of its version, embedded ones included.
        fields, order, filters: as the user wrote them.
    """
    asked = parse_fields(fields or "")
    return [*_ignored_fields(resource, types, asked), *_ignored_orders(resource, order), *notes(filters)]


def _ignored_fields(resource: Resource, types: Mapping[str, Resource], asked: Asked) -> Iterator[str]:
    for name in [*asked.names, *(name for name in asked.excluded if name not in PRESETS)]:
        if name not in resource.properties and not is_uid(name):
            hint = did_you_mean(name, list(resource.properties))
            yield f"fields: {resource.plural} have no property '{name}'; the server leaves it out{'; ' + hint if hint else ''}"
    for preset in asked.presets:
        if preset not in PRESETS:
            yield f"fields: there is no preset ':{preset}'; the server leaves it out"
    for name, below in asked.names.items():
        prop = resource.properties.get(name)
        inner = types.get(prop.target or "") if prop else None
        if inner is not None:
            yield from _ignored_fields(inner, types, below)


def _ignored_orders(resource: Resource, order: Sequence[str]) -> Iterator[str]:
    for text in (part for item in order for part in item.split(",")):
        name, _, direction = text.partition(":")
        prop = resource.properties.get(name)
        if prop is None or not (prop.simple and prop.persisted):
            yield f"order: {resource.plural} cannot be sorted by '{name}'; the server ignores it"
        elif direction and direction not in DIRECTIONS:
            yield f"order: '{direction}' is no direction; the server ignores it"
