"""What of an object stands in its file, and in which order: the same for the same object, whatever order a server has it in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh.as_code.secret import hidden
from dhis2sh.dhis2.as_code import left_out
from dhis2sh.dhis2.properties import DEFAULT_NAME, DEFAULT_OBJECTS
from dhis2sh.metadata.bundles.adapting import Adapted, adapt
from dhis2sh.metadata.bundles.bundle import Bundle
from dhis2sh.metadata.bundles.report import AdaptedProperty

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue, Row

FIRST = ("id", "code", "name", "shortName", "description", "formName")
LAST = ("attributeValues", "translations", "sharing")
NOT_KEPT = "is left out: this version does not keep it"
JOBS, ONCE = "jobConfigurations", "ONCE_ASAP"


def is_managed(plural: str, raw: Row, job_types: Collection[str] = ()) -> bool:
    """Is an object one that a file may hold? Not the defaults that every server has, nor jobs that a server plans by itself.

    Parameters:
        raw: the object as the server has it.
        job_types: the types of jobs that can be configured.
    """
    if plural in DEFAULT_OBJECTS and raw.get("name") == DEFAULT_NAME:
        return False
    return plural != JOBS or (str(raw.get("jobType")) in job_types and raw.get("schedulingType") != ONCE)


def adapted(plural: str, objects: Iterable[Row], types: Mapping[str, Resource], *, newer: bool) -> Adapted:
    """Objects of one type as a version says them, without what is in no file, with `(secret)` in place of secrets.

    Parameters:
        types, newer: the version, as of `adapt`.
    """
    found = adapt(Bundle({plural: {str(body["id"]): body for body in objects}}), types, newer=newer)
    some, lost = found.bundle.objects.get(plural, {}), Counter[str]()
    for uid, body in some.items():
        properties = types[plural].properties
        passing = [name for name in body if name in properties and not properties[name].owner]
        lost.update(passing)
        some[uid] = arranged(plural, {name: body[name] for name in body if name not in passing}, types)
    found.changes += [
        AdaptedProperty(type=plural, property=name, how=NOT_KEPT, count=count) for name, count in lost.items()
    ]
    return found


def arranged(plural: str, body: Row, types: Mapping[str, Resource]) -> JsonObject:
    """One object as its file has it: keys and sets in a fixed order, empty properties left out."""
    resource = types[plural]
    kept = {name: value for name, value in body.items() if not left_out(plural, name)}
    if isinstance(sharing := kept.get("sharing"), dict):
        kept["sharing"] = _shared(sharing)
    plain = cast("JsonObject", hidden(cast("JsonValue", kept)))
    names = sorted(plain, key=_place)
    found: JsonObject = {}
    for name in names:
        value = _settled(plain[name], resource.properties.get(name), types)
        if value not in (None, "", [], {}):
            found[name] = value
    return found


def _place(name: str) -> tuple[int, str]:
    if name in FIRST:
        return FIRST.index(name), name
    return (len(FIRST) + 1 + LAST.index(name), name) if name in LAST else (len(FIRST), name)


def _shared(sharing: JsonObject) -> JsonObject:
    """Sharing as a file has it: what everybody and what groups may do, nothing of single people."""
    groups = cast("Mapping[str, JsonObject]", sharing.get("userGroups") or {})
    found: JsonObject = {"public": sharing.get("public") or "--------"}
    if sharing.get("external") is True:
        found["external"] = True
    if groups:
        found["userGroups"] = {uid: {"access": groups[uid].get("access")} for uid in sorted(groups)}
    return found


def strangers(body: Row, groups: Collection[str]) -> list[str]:
    """The groups that the sharing of an object names and that are not among some."""
    sharing = body.get("sharing")
    named = sharing.get("userGroups") if isinstance(sharing, dict) else None
    return [uid for uid in named if uid not in groups] if isinstance(named, dict) else []


def shared_without(body: Row, gone: Collection[str]) -> JsonObject:
    """An object whose sharing does not name some groups."""
    sharing = cast("JsonObject", body["sharing"])
    named = cast("JsonObject", sharing["userGroups"])
    return {**body, "sharing": {**sharing, "userGroups": {uid: row for uid, row in named.items() if uid not in gone}}}


def sharing_of(sharing: JsonObject, before: JsonObject | None) -> JsonObject:
    """The sharing of a file as a server takes it; who owns the object and what single people may do stays."""
    groups = cast("Mapping[str, JsonObject]", sharing.get("userGroups") or {})
    kept = {name: value for name, value in (before or {}).items() if name in {"owner", "users"}}
    return {
        **kept, "public": sharing.get("public") or "--------", "external": sharing.get("external") is True,
        "userGroups": {uid: {"id": uid, "access": row.get("access")} for uid, row in groups.items()},
    }  # fmt: skip


def _settled(value: JsonValue, prop: Property | None, types: Mapping[str, Resource]) -> JsonValue:
    """A value with its keys in order, and lists that have none sorted; of what no facts tell lists stay as they are."""
    inner = types.get((prop.target if prop is not None else None) or "")
    if isinstance(value, dict):
        properties: Mapping[str, Property] = inner.properties if inner is not None else {}
        return {name: _settled(value[name], properties.get(name), types) for name in sorted(value, key=_place)}
    if not isinstance(value, list):
        return value
    items = [_settled(item, prop, types) for item in value]
    if prop is None or not prop.collection or prop.ordered:
        return items
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True, ensure_ascii=False))


def sorted_keys(value: JsonValue) -> JsonValue:
    """A value of JSON with its keys in order: a server of PostgreSQL has them in another one than who has set it."""
    if isinstance(value, dict):
        return {name: sorted_keys(value[name]) for name in sorted(value)}
    return [sorted_keys(item) for item in value] if isinstance(value, list) else value
