"""The objects that a verb acts on: named, piped, or chosen by filters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata import write, writes
from dhis2sh.metadata.filters import checked
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs import names
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


def uids_of(objects: Rows[Row]) -> list[str]:
    """The UIDs of piped rows; none where nothing was piped. Raises `UsageError` for rows without `id`."""
    rows = objects.plain()
    missing = [number for number, row in enumerate(rows, 1) if not isinstance(row.get("id"), str)]
    if missing:
        raise UsageError(f"row {missing[0]} has no id", hint="... | select(id, name)")
    return list(dict.fromkeys(str(row["id"]) for row in rows))


async def chosen(
    s: Session,
    resource: Resource,
    objects: Rows[Row] | None,
    filters: Sequence[str],
    *,
    everything: bool,
    fields: str = write.OWNED,
) -> list[JsonObject]:
    """The objects that a bulk verb acts on.

    Parameters:
        objects, filters, everything: what chooses them, one of the three.
        fields: which properties; all that they own without it.

    Raises `UsageError` when nothing chooses any, or two things do.
    """
    if objects is not None:
        if filters:
            raise UsageError("objects or --filter, not both")
        return await writes.read_objects(s, resource.plural, uids_of(objects), fields=fields)
    if not filters and not everything:
        raise UsageError(f"which {resource.plural}?", hint="name some, --filter name:like:Old, or --all")
    sent = checked(resource, await schema.types_of(s.client), filters)
    found = await writes.read_all(s, resource.plural, sent, fields=fields)
    if not found and sent:
        s.person.warn(await _none_matches(s, resource, sent))
    return found


async def of_their_types(s: Session, objects: Rows[Row], *, fields: str) -> dict[str, list[JsonObject]]:
    """Piped objects of several types, by type: each row says its own under `type`, as those of searches and audits do.

    Parameters:
        fields: which properties are read.

    Raises `UsageError` for rows without a type or `id`.
    """
    rows = objects.plain()
    nameless = [number for number, row in enumerate(rows, 1) if not isinstance(row.get("type"), str) or not row["type"]]
    if nameless:
        raise UsageError(
            f"row {nameless[0]} does not say of which type its object is",
            hint="... | metadata.share('dataElements', public='r') names the type of all",
        )
    by_type: dict[str, list[Row]] = {}
    for row in rows:
        by_type.setdefault(str(row["type"]), []).append(row)
    found: dict[str, list[JsonObject]] = {}
    for text, some in by_type.items():
        plural = (await schema.resource_of(s.client, text)).plural
        given = uids_of(Rows(some))
        uids = await names.resolve_all(s, plural, given)
        found[plural] = await writes.read_objects(s, plural, [uids[text] for text in given], fields=fields)
    return found


async def _none_matches(s: Session, resource: Resource, filters: Sequence[str]) -> str:
    """Which of some filters matches nothing by itself, or that none matches all of them."""
    counts = [len(await writes.read_all(s, resource.plural, [text], fields="id")) for text in filters]
    alone = [text for text, count in zip(filters, counts, strict=True) if not count]
    if alone or len(filters) == 1:
        return f"no {resource.plural} match {joined(alone or filters)}"
    told = joined([f"{text} ({count:,})" for text, count in zip(filters, counts, strict=True)])
    return f"no {resource.plural} match all of {told}"


def titled(verb_word: str, resource: Resource) -> Callable[[int], str]:
    """The title of a bulk plan, by the number of objects that it changes."""
    return lambda count: f"{verb_word} {count:,} {resource.plural if count != 1 else resource.singular}"
