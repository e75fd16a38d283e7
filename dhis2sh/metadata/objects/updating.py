"""The plan of an update: one object, or many from a file."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.client.authorities import check_roles
from dhis2sh.errors import UsageError
from dhis2sh.metadata import expressions, other_side, schedules, values, writes
from dhis2sh.metadata.hierarchy import check_circles
from dhis2sh.metadata.owned import with_owners, words_of
from dhis2sh.metadata.write import Write, called
from dhis2sh.rows.given import Source
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
from dhis2sh.metadata.objects.editing import edited, one_only
from dhis2sh.metadata.objects.sheets import read_row, rows_of


async def plan_update(
    s: Session,
    type: str,
    uid: str | None,
    given: Mapping[str, JsonValue],
    *,
    set: Sequence[str] = (),
    from_: Source | None = None,
    edit: bool = False,
) -> Plan:
    """The plan of an update; parameters and errors as `plan_create`."""
    resource = await schema.resource_of(s.client, type)
    reader = await values.reader_of(s, resource)
    if uid is None and from_ is None:
        line = f"dhis2 metadata update {resource.plural}"
        raise UsageError(f"which {resource.singular}?", hint=f"{line} 'NAME' --set ..., or {line} --from FILE")
    notes: list[str] = []
    rows = rows_of(resource, from_, reader.version, s.person.read, notes)
    if uid is not None and len(rows) > 1:
        raise UsageError(
            f"{len(rows):,} rows for one {resource.singular}", hint="rows name their objects themselves, by id"
        )
    labels = [f"row {number}" if from_ is not None else "" for number, _ in rows]
    wanted = [read_row(reader, row, {}, (), label) for label, (_, row) in zip(labels, rows, strict=True)]
    reader.check()
    uids = [uid] if uid is not None else await _identified(s, resource, wanted, [f"row {number}" for number, _ in rows])
    found = await writes.read_objects(s, resource.plural, uids)
    changed: list[JsonObject] = []
    for before, new in zip(found, wanted, strict=True):
        after = {**copy.deepcopy(before), **new, "id": before["id"]}
        for path, value in [*given.items(), *values.pairs(set)]:
            reader.put_given(after, path, value)
        changed.append(after)
    reader.check()
    if edit:
        changed = [await edited(s, reader, one_only(changed))]
    await reader.resolved(s, changed)
    await other_side.check(s, resource, changed, found, labels)
    await check_roles(s.client, resource.plural, changed, found)
    changed = [{name: value for name, value in item.items() if value is not None} for item in changed]
    await check_circles(s, resource, found, changed)
    notes += await expressions.prepared(s, resource.plural, changed, found)
    loose = schedules.unscheduled(resource.plural, changed, found)
    notes += loose.notes
    pairs = [Write(resource.plural, before, after) for before, after in zip(found, changed, strict=True)]
    what = f"{len(pairs):,} {resource.plural}" if len(pairs) != 1 else f"{resource.singular} {called(found[0])}"
    whole = await with_owners(s, pairs)
    notes = [*notes, *words_of(whole)]
    return writes.plan(
        f"update {what}", whole, what=resource.plural, notes=notes, asks=edit or loose.asks or len(whole) > len(pairs)
    )


async def _identified(s: Session, resource: Resource, rows: Sequence[JsonObject], places: Sequence[str]) -> list[str]:
    """The UIDs of a file's rows: their id, else their code, else their name.

    Parameters:
        places: where each row stands, for errors.
    """
    texts: list[str] = []
    for place, row in zip(places, rows, strict=True):
        text = row.get("id") or row.get("code") or row.get("name")
        if not text:
            raise UsageError(f"{place} has no id, code or name", hint="add a column id")
        texts.append(str(text))
    doubled = {text for text in texts if texts.count(text) > 1} if len(set(texts)) < len(texts) else set[str]()
    if doubled:
        raise UsageError(f"{', '.join(sorted(doubled)[:5])}: more than once in the file")
    found = await names.resolve_all(s, resource.plural, texts, places=dict(zip(texts, places, strict=True)))
    return [found[text] for text in texts]
