"""`metadata export|diff|diff-profiles`: whole sets of metadata, out of servers and compared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel

from dhis2sh.client import schema
from dhis2sh.dhis2.properties import SHARING
from dhis2sh.errors import CheckFailed, UsageError
from dhis2sh.metadata.bundles.bundle import Bundle, only, read_bundle, server_bundle
from dhis2sh.metadata.bundles.diff import Difference, diff
from dhis2sh.metadata.bundles.exported import Exported
from dhis2sh.metadata.bundles.gathering import gathered, of_types, plurals_of, start_of
from dhis2sh.metadata.filters import checked
from dhis2sh.metadata.parameters import File, Filter, Types, With
from dhis2sh.models import facts
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs.declaration import Complete, Doc, Touches, verb

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


Sharing = Annotated[bool, Doc("Compare sharing too.")]
Check = Annotated[bool, Doc("End with exit code 8 when there are differences.")]
MANY_ROWS = 20
"""From so many differences on it is said how many they are."""


class DifferenceRow(BaseModel):
    """One difference between two sets of metadata."""

    change: str
    type: str
    id: str
    name: str
    property: str | None
    before: JsonValue
    after: JsonValue


# Export -----------------------------------------------------------------------------------------------------------


@verb(
    "metadata export",
    effect="read",
    examples=[
        "dhis2 metadata export --types dataElements,indicators --out export.json",
        "dhis2 metadata export 'Immunization data' --deps --out immunization.json",
        "dhis2 metadata export --types dataSets --filter name:ilike:child --deps --with org-units --out child.json.gz",
    ],
)
async def export(
    s: Session,
    objects: Annotated[
        list[str], Doc("Single objects: UIDs, codes or unique names of any type."), Complete("uids")
    ] = [],
    *,
    types: Types = [],
    deps: Annotated[bool, Doc("With the objects everything that they need.")] = False,
    with_: With = [],
    fields: Annotated[str | None, Doc("Which properties; :owner without it.")] = None,
    filter: Filter = [],
    skip_sharing: Annotated[bool, Doc("Leave sharing out.")] = False,
    out: Annotated[
        Path | None, Doc("Write to this file, gzipped when it ends in .gz."), Complete("files"), Touches("writes")
    ] = None,
) -> Exported | JsonObject:
    """Export metadata as one bundle: types as the server gives them, or objects with all that they need.

    --deps follows every owned reference of every type but those to users, sharing and organisation units, which --with
    adds. What was left out and why, and what leads nowhere, is told; with --out as data too (-o json).

    API source: `GET /api/metadata`; with objects or --deps `GET /api/{type}`, many objects a request.
    """
    if with_ and not deps:
        raise UsageError("--with goes with --deps", hint="dhis2 metadata export UID --deps --with org-units --out FILE")
    if deps and not (objects or types):
        raise UsageError("--deps of which objects?", hint="dhis2 metadata export 'NAME' --deps --out FILE")
    if objects and (types or filter or fields):
        raise UsageError("single objects are exported whole, without --types, --filter and --fields", hint="--deps")
    wanted = await plurals_of(s, types)
    for plural in wanted:
        filter = checked(await schema.resource_of(s.client, plural), await schema.types_of(s.client), filter)
    if not (objects or deps):
        return await of_types(s, wanted, fields, filter, skip_sharing, out)
    bundle, report = await gathered(s, await start_of(s, objects, wanted, filter), deps, with_)
    if out is None:
        for note in report.notes():
            s.person.warn(note)
        return bundle.to_json()
    report.file, report.bytes = str(out), await bundle.write(out)
    return report


# Differences ------------------------------------------------------------------------------------------------------


@verb(
    "metadata diff",
    effect="read",
    examples=["dhis2 metadata diff old.json new.json", "dhis2 metadata diff export.json.gz --types dataElements"],
)
async def diff_(
    s: Session,
    before: File,
    after: Annotated[
        Path | None, Doc("The other file; the server of the profile without it."), Complete("files")
    ] = None,
    *,
    types: Types = [],
    sharing: Sharing = False,
    check: Check = False,
) -> Rows[DifferenceRow]:
    """Show what differs between two bundles, or between a bundle and the server: objects and properties.

    What every save changes and what a server computes do not count, nor does the order of lists that have none.

    API source: `GET /api/metadata`, where a bundle is compared with the server.
    """
    first = read_bundle(before)
    wanted = set(await plurals_of(s, types)) if types else set(first.objects)
    if after is not None:
        types_known: Mapping[str, Resource] = facts.types(facts.VERSIONS[-1])
        second = read_bundle(after)
        wanted |= set() if types else set(second.objects)
    else:
        types_known = await schema.types_of(s.client)
        second = await server_bundle(s.client, sorted(wanted & set(types_known)))
    return _rows(s, only(first, wanted), only(second, wanted), types_known, sharing, check)


@verb(
    "metadata diff-profiles",
    effect="read",
    examples=["dhis2 metadata diff-profiles staging prod --types dataElements,indicators"],
)
async def diff_profiles(
    s: Session,
    before: Annotated[str, Doc("A profile."), Complete("profiles")],
    after: Annotated[str, Doc("Another profile."), Complete("profiles")],
    *,
    types: Types = [],
    sharing: Sharing = False,
    check: Check = False,
) -> Rows[DifferenceRow]:
    """Show what differs between the metadata of two servers.

    API source: `GET /api/metadata` of both.
    """
    async with s.beside(before) as left, s.beside(after) as right:
        plurals = await plurals_of(left, types)
        clients = left.client, right.client  # where one cannot be opened, the other is not left waiting
        first, second = await asyncio.gather(*(server_bundle(client, plurals) for client in clients))
        types_known = await schema.types_of(right.client)
    return _rows(s, first, second, types_known, sharing, check)


def _rows(
    s: Session, first: Bundle, second: Bundle, types: Mapping[str, Resource], sharing: bool, check: bool
) -> Rows[DifferenceRow]:
    found = diff(first, second, types, ignore=frozenset() if sharing else SHARING)
    rows = Rows([_row(one) for one in found], columns=["change", "type", "id", "name", "property", "before", "after"])
    if len(rows) > MANY_ROWS:
        s.person.note(_counted(rows))
    if check and len(rows):
        raise CheckFailed(f"{len(rows):,} differences", findings=rows, hint="the same line without --check lists them")
    return rows


def _counted(rows: Rows[DifferenceRow]) -> str:
    """How many objects were added, removed and changed."""
    objects: dict[str, set[str]] = {}
    for row in rows:
        objects.setdefault(row.change, set()).add(row.id)
    types = len({row.type for row in rows})
    counts = ", ".join(f"{len(uids):,} {change}" for change, uids in sorted(objects.items()))
    return f"objects: {counts}; of {types:,} type{'s' if types > 1 else ''}"


def _row(one: Difference) -> DifferenceRow:
    return DifferenceRow(
        change=one.change, type=one.type, id=one.uid, name=one.name, property=one.property, before=one.before,
        after=one.after,
    )  # fmt: skip
