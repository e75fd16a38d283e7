"""Members of a collection of plain references, added and taken out. Join rows are in `types.joins`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.collections import references_of
from dhis2sh.metadata.made_by_server import check_by_hand
from dhis2sh.metadata.owned import owned_by_one, with_owners, words_of
from dhis2sh.metadata.writes import Write, called
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs import names


async def with_members(
    s: Session, type: str, uid: str, items: Rows[Row], property: str | None, *, adding: bool
) -> Plan:
    """A plan that adds members to a collection of an object, or takes them out.

    Parameters:
        type, uid: the object.
        items: the members, by UID, code or unique name.
        property: the collection, where the type has several.

    Raises `UsageError` for no members, and for a collection of join rows; as `names.resolve_all` for what they name.
    """
    word = "add" if adding else "remove"
    resource = await schema.resource_of(s.client, type)
    check_by_hand(resource, word)
    prop = references_of(resource, property, word)
    wanted = await _resolved(s, cast("str", prop.target), items)
    [before] = await writes.read_objects(s, resource.plural, [uid])
    have = list(cast("list[JsonObject]", before.get(prop.name) or []))
    after = _with(have, wanted) if adding else _without(have, wanted)
    count = abs(len(after) - len(have))
    right = len(wanted) - count
    there = "there already" if adding else "not there"
    notes = [f"{right:,} {'is' if right == 1 else 'are'} {there}"] if right else []
    where = f"{'to' if adding else 'from'} {prop.name} of {resource.singular} {called(before)}"
    changed = [Write(resource.plural, before, {**before, prop.name: cast("JsonValue", after)})] if count else []
    title = f"{word} {count:,} {where}" if count else f"nothing to {word} {where}"
    whole = await with_owners(s, changed)
    owned = prop.name in owned_by_one(resource)
    if owned and count:
        notes += words_of(whole) or ([] if adding else [f"they belong to no {resource.singular} then"])
    return writes.plan(title, whole, what=resource.plural, notes=notes, asks=owned and (not adding or len(whole) > 1))


async def _resolved(s: Session, plural: str, items: Rows[Row]) -> list[str]:
    """The UIDs of members, each once."""
    texts = [str(row.get("id") or "") for row in items.plain()]
    if not all(texts) or not texts:
        raise UsageError("which members?", hint="UIDs, codes or unique names, or rows of a pipeline")
    resolved = await names.resolve_all(s, plural, texts)
    return list(dict.fromkeys(resolved[text] for text in texts))


def _with(have: Sequence[JsonObject], wanted: Sequence[str]) -> list[JsonObject]:
    uids = {str(item.get("id")) for item in have}
    return [*have, *({"id": member} for member in wanted if member not in uids)]


def _without(have: Sequence[JsonObject], wanted: Sequence[str]) -> list[JsonObject]:
    return [item for item in have if str(item.get("id")) not in wanted]
