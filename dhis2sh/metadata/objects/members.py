"""Members of a collection of plain references, added and taken out. Join rows are in `types.joins`."""

from __future__ import annotations

from typing import cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.membership import references_of
from dhis2sh.metadata.writes import Write, called
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row


async def with_members(
    s: Session, type: str, uid: str, items: Rows[Row], property: str | None, *, adding: bool
) -> Plan:
    """A plan that adds members to a collection of an object, or takes them out.

    Parameters:
        type, uid: the object.
        items: the members, by UID, code or unique name.
        property: the collection, where the type has several.
    """
    from dhis2sh.verbs import names

    resource = await schema.resource_of(s.client, type)
    prop = references_of(resource, property, "add" if adding else "remove")
    texts = [str(row.get("id") or "") for row in items.plain()]
    if not all(texts) or not texts:
        raise UsageError("which members?", hint="UIDs, codes or unique names, or rows of a pipeline")
    resolved = await names.resolve_all(s, cast("str", prop.target), texts)
    wanted = list(dict.fromkeys(resolved[text] for text in texts))
    [before] = await writes.read_objects(s, resource.plural, [uid])
    have = list(cast("list[JsonObject]", before.get(prop.name) or []))
    uids = {str(item.get("id")) for item in have}
    if adding:
        after = have + [cast("JsonObject", {"id": member}) for member in wanted if member not in uids]
        right = sum(member in uids for member in wanted)
    else:
        after = [item for item in have if str(item.get("id")) not in wanted]
        right = sum(member not in uids for member in wanted)
    is_ = "is" if right == 1 else "are"
    notes = [f"{right:,} {is_} {'there already' if adding else 'not there'}"] if right else []
    count = abs(len(after) - len(have))
    word = "add" if adding else "remove"
    where = f"{'to' if adding else 'from'} {prop.name} of {resource.singular} {called(before)}"
    changed = [Write(resource.plural, before, {**before, prop.name: cast("JsonValue", after)})] if count else []
    title = f"{word} {count:,} {where}" if count else f"nothing to {word} {where}"
    return writes.plan(title, changed, what=resource.plural, notes=notes)
