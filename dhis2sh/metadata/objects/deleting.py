"""What a deletion takes with it, what holds the objects, and what refers to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.client import schema
from dhis2sh.client.limits import gather_bounded
from dhis2sh.dhis2.cascades import DELETED_WITH
from dhis2sh.dhis2.references import paths_to
from dhis2sh.errors import Forbidden, NotFound, Refused
from dhis2sh.metadata import values, writes
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.models.facts import Resource


def gone_with_it(parts: Iterable[Mapping[str, Sequence[JsonObject]]]) -> list[str]:
    """What goes with the objects, a line for each type."""
    found: dict[str, list[str]] = {}
    for one in parts:
        for plural, items in one.items():
            found.setdefault(plural, []).extend(f"{item.get('name') or ''} [{item['id']}]".lstrip() for item in items)
    return [
        f"deleted with it: {len(names):,} {plural} ({listed(names, writes.NAMED)})" for plural, names in found.items()
    ]


async def deleted_with(s: Session, plural: str, uids: Sequence[str]) -> dict[str, dict[str, list[JsonObject]]]:
    """What the server deletes together with some objects (`DELETED_WITH`), and with that, all of it by type.

    Returns by the UID of each object; one without parts is not in it.
    """
    known = await schema.resources_of(s.client)
    found: dict[str, dict[str, list[JsonObject]]] = {}
    for reference in DELETED_WITH.get(plural, ()) if uids else ():
        kind, _, name = reference.partition(".")
        if kind not in known:
            continue
        rows = await writes.read_all(s, kind, _pointing(name, uids), fields=":owner")
        owners = {str(row["id"]): str(cast("JsonObject", row.get(name) or {}).get("id")) for row in rows}
        rows = [row for row in rows if owners[str(row["id"])] in uids]
        for row in rows:
            found.setdefault(owners[str(row["id"])], {}).setdefault(kind, []).append(row)
        for uid, inner in (await deleted_with(s, kind, [str(row["id"]) for row in rows])).items():
            for deeper, items in inner.items():
                found[owners[uid]].setdefault(deeper, []).extend(items)
    return found


def _pointing(path: str, uids: Sequence[str]) -> list[str]:
    """Filters for what points to some objects; none for very many, which are picked out here."""
    if len(uids) > writes.UIDS_IN_ONE_ADDRESS:
        return []
    return [f"{path}.id:in:[{','.join(sorted(uids))}]" if len(uids) > 1 else f"{path}.id:eq:{uids[0]}"]


async def holding(s: Session, resource: Resource, objects: Sequence[JsonObject]) -> dict[str, dict[str, list[str]]]:
    """The collections of other objects that hold each of some objects: UIDs of the holders by `type.collection`."""
    gone = {str(item["id"]) for item in objects}

    async def members(plural: str, name: str) -> list[tuple[str, str, str]]:
        try:
            rows = await writes.read_all(s, plural, _pointing(name, [*gone]), fields=f"id,{name}[id]")
        except (Refused, NotFound, Forbidden):
            return []
        return [
            (str(member.get("id")), f"{plural}.{name}", str(row["id"]))
            for row in rows
            for member in cast("list[JsonObject]", row.get(name) or [])
        ]

    known = await schema.resources_of(s.client)
    asked = (
        members(plural, name)
        for plural, item in known.items()
        if item.metadata
        for name, prop in values.collections_of(item).items()
        if prop.target == resource.plural
    )
    found: dict[str, dict[str, list[str]]] = {}
    async for triples in gather_bounded(asked, 4):
        for member, where, holder in triples:
            if member in gone:
                found.setdefault(member, {}).setdefault(where, []).append(holder)
    return found


async def blocking(s: Session, resource: Resource, objects: Sequence[JsonObject]) -> list[str]:
    """What refers to some objects, in words, with the command that shows or deletes it; one request per property that may.

    A collection that holds them (a group's members) loses them when they go and blocks nothing: it is left out.
    """
    gone = {str(item["id"]) for item in objects}
    if len(gone) > writes.UIDS_IN_ONE_ADDRESS:
        return [f"what refers to {len(gone):,} objects was not looked for"]

    async def users(plural: str, path: str) -> str | None:
        params: dict[str, Param] = {"filter": _pointing(path, [*gone]), "fields": "id,displayName", "pageSize": 50}
        try:
            page = await s.client.list_page(plural, params)
        except (Refused, NotFound, Forbidden):
            return None  # this server does not filter by it, or this user may not read it
        rows = [row for row in page.rows if str(row["id"]) not in gone]
        if not rows:
            return None
        count = (page.total or len(page.rows)) - (len(page.rows) - len(rows))
        shown = ", ".join(f"{row.get('displayName')} [{row['id']}]" for row in rows[:3])
        more = f" and {count - 3:,} more" if count > 3 else ""
        return (
            f"in use: {path} of {count:,} {plural} ({shown}{more}); if the server refuses, change or delete those first"
        )

    types = await schema.types_of(s.client)
    known = await schema.resources_of(s.client)
    asked = (
        users(plural, path)
        for plural, path in paths_to(resource.plural, types)
        if plural in known
        and not known[plural].properties[path.partition(".")[0]].many_to_many
        and f"{plural}.{path}" not in DELETED_WITH.get(resource.plural, ())
    )
    return [note async for note in gather_bounded(asked, 4) if note is not None]
