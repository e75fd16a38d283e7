"""Bundles out of a server: whole types, or objects with all that they need, and what was left out."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh.client import schema
from dhis2sh.dhis2.references import PLACES
from dhis2sh.errors import NotFound
from dhis2sh.metadata import writes
from dhis2sh.metadata.bundles import exported
from dhis2sh.metadata.bundles.bundle import Bundle, read_bundle
from dhis2sh.metadata.bundles.exported import Exported
from dhis2sh.metadata.bundles.walk import Walk, known
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.metadata.bundles.walk import Gathered


COUNTED_BYTES = 8_000_000
"""An export of some types goes to its file as it comes; up to this size it is read again to say what is left out."""


async def plurals_of(s: Session, types: Sequence[str]) -> list[str]:
    """The plurals of types that a user has named, separated by commas or not. Raises `NotFound` with the nearest."""
    return [(await schema.resource_of(s.client, name)).plural for item in types for name in item.split(",") if name]


async def of_types(
    s: Session, plurals: Sequence[str], fields: str | None, filters: Sequence[str], skip_sharing: bool, out: Path | None
) -> Exported | JsonObject:
    """What the server gives of some types, or of all; into a file as it comes, so that memory stays flat."""
    if out is None:
        return await s.client.metadata.export(*plurals, fields=fields, filters=filters, skip_sharing=skip_sharing)
    size = await s.client.metadata.export(
        *plurals, fields=fields, filters=filters, skip_sharing=skip_sharing, target=out
    )
    report = Exported()
    if (plurals or filters) and size <= COUNTED_BYTES:  # where every type was asked for, nothing is left out
        bundle = await asyncio.to_thread(read_bundle, out, empty=True)
        report = await exported.of_objects(s.client, bundle, await schema.types_of(s.client))
    packed = out.suffix == ".gz"
    report.file, report.bytes = str(out), (await asyncio.to_thread(out.stat)).st_size if packed else size
    return report


async def start_of(
    s: Session, objects: Sequence[str], plurals: Sequence[str] = (), filters: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Type and UID of what is asked for: objects by UID, code or name, or all of some types that filters let through."""
    if not objects:
        found = [
            (plural, str(row["id"]))
            for plural in plurals
            for row in await writes.read_all(s, plural, filters, fields="id")
        ]
        if not found:
            raise NotFound(f"no {' or '.join(plurals)} to export", hint="loosen --filter")
        return found
    uids = list((await names.resolve_all(s, "*", objects)).values())
    kinds = await known(s.client, uids)
    missing = [uid for uid in uids if uid not in kinds]
    if missing:
        raise NotFound(f"not on this server: {', '.join(missing)}", hint=f"dhis2 what {missing[0]}")
    return [(kinds[uid][0], uid) for uid in uids]


async def gathered(
    s: Session, start: Sequence[tuple[str, str]], deps: bool, with_: Sequence[str]
) -> tuple[Bundle, Exported]:
    """Objects as a bundle, with all that they need or alone, and the report of what was left out."""
    types = await schema.types_of(s.client)
    server = await s.client.server()
    if deps:
        walk = Walk(s.client, types, places="org-units" in with_, sharing="sharing" in with_)
        found = await walk.gather(start)
        bundle, report = found.bundle, exported.of_walk(found)
        bundle.outside = await _outside(s, found)
    else:
        bundle = Bundle()
        for plural in dict.fromkeys(plural for plural, _ in start):
            for body in await writes.read_objects(
                s, plural, [uid for kind, uid in start if kind == plural], fields=":owner"
            ):
                bundle.add(plural, body)
        report = await exported.of_objects(s.client, bundle, types)
    bundle.origin = s.profile.name
    bundle.system = {"version": server.version, "rev": server.revision, "date": f"{dt.datetime.now(dt.UTC):%FT%T.000}"}
    return bundle, report


async def _outside(s: Session, found: Gathered) -> dict[str, dict[str, str]]:
    """The names of the places that were left out: whoever imports the bundle can say what is missing, or map it."""
    return {
        plural: {
            str(row["id"]): str(row.get("name"))
            for row in await writes.read_objects(s, plural, list(uids), fields="id,name", missing_is_fine=True)
        }
        for plural, uids in found.left_out.items()
        if plural in PLACES
    }
