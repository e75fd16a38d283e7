"""A copy of an object under a new name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.client.authorities import check_roles
from dhis2sh.dhis2.properties import NAMES, NOT_CLONED
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError
from dhis2sh.metadata import other_side, values, writes
from dhis2sh.metadata.made_by_server import check_by_hand
from dhis2sh.metadata.write import Write, called
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource


async def plan_clone(s: Session, type: str, uid: str, name: str, *, set: Sequence[str] = ()) -> Plan:
    """The plan of a copy.

    Parameters:
        type, uid: the original.
        name: the copy's name.
        set: `path=value` texts, what else is different.

    Raises `UsageError` for a property that must be unique and was not said.
    """
    resource = await schema.resource_of(s.client, type)
    check_by_hand(resource, "clone")
    [before] = await writes.read_objects(s, resource.plural, [uid])
    after, left_out = _copied(resource, before, name)
    reader = await values.reader_of(s, resource)
    for path, value in values.pairs(set):
        reader.put(after, path, value)
    reader.check()
    await reader.resolved(s, [after])
    await other_side.check(s, resource, [after])
    await check_roles(s.client, resource.plural, [after], [before])
    missing = [key for key in values.required_of(resource) if before.get(key) is not None and after.get(key) is None]
    if missing:
        wanted = " ".join(f"--set {key}=..." for key in missing)
        raise UsageError(f"no two {resource.plural} may have the same {' and '.join(missing)}", hint=wanted)
    title = f"clone {resource.singular} {called(before)} as '{name}'"
    notes = [f"{key} belong to the original: not in the copy" for key in left_out]
    return writes.plan(title, [Write(resource.plural, None, after)], what=resource.plural, notes=notes)


def _copied(resource: Resource, before: JsonObject, name: str) -> tuple[JsonObject, list[str]]:
    """A copy under a new name, and the collections that belong to the original alone."""
    after: JsonObject = {"id": generate_uid()}
    left_out: list[str] = []
    for key, value in before.items():
        prop = resource.properties.get(key)
        if key in NOT_CLONED or (prop is not None and prop.unique and prop.simple):
            continue
        if prop is not None and value and _belong_to_one(prop):
            left_out.append(key)
        else:
            after[key] = _fresh(value)
    after["name"] = name
    if "shortName" in {*before, *resource.required}:  # unique in some types
        after["shortName"] = name[: resource.properties["shortName"].length or 50]
    return after, left_out


def _belong_to_one(prop: Property) -> bool:
    """Objects with an address of their own that no two objects hold: options of a set, stages of a program."""
    return (
        prop.collection
        and not prop.many_to_many
        and values.refers_to_objects(prop)
        and prop.target in values.importable()
    )


def _fresh(value: JsonValue) -> JsonValue:
    """A copy in which objects that are held (more than a UID) have new UIDs; plain references stay."""
    if isinstance(value, list):
        return [_fresh(item) for item in value]
    if isinstance(value, dict):
        inner = {key: _fresh(item) for key, item in value.items() if key not in NOT_CLONED - {"id", "code"}}
        if "id" in inner and len(inner) > 1 and isinstance(inner["id"], str) and not _only_names(inner):
            inner["id"] = generate_uid()
        return inner
    return value


def _only_names(item: JsonObject) -> bool:
    return set(item) <= NAMES | {"access"}
