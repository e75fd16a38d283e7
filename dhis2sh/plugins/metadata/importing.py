"""`metadata import|merge|merge-bundle`: bundles from files and profiles into a server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.files import check_beside
from dhis2sh.metadata.bundles import exported, importing
from dhis2sh.metadata.bundles.bundle import only, read_bundle, server_bundle
from dhis2sh.metadata.bundles.checking import bringing, require_types
from dhis2sh.metadata.bundles.gathering import gathered, plurals_of, start_of
from dhis2sh.metadata.bundles.mapping import renamed
from dhis2sh.metadata.bundles.merging import ImportOptions, MergeOptions, origin_of, plan_merge
from dhis2sh.metadata.bundles.onto_one import require_apart
from dhis2sh.metadata.bundles.told import given_of
from dhis2sh.metadata.parameters import BundleFile, With
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Complete, Doc, verb


@verb(
    "metadata import",
    effect="write",
    examples=["dhis2 metadata import export.json --dry-run", "dhis2 metadata import export.json --rejected rest.json"],
)
async def import_(s: Session, file: BundleFile, *, options: ImportOptions) -> Plan:
    """Import a bundle: what is new, changed and right already is shown first, and the server validates it before.

    References that lead nowhere and properties that the server does not know are told before anything is written.
    A second run after one that was cut off finishes the rest.

    API source: `POST /api/metadata` with `importMode=VALIDATE`, then without.
    """
    if options.rejected is not None:
        check_beside("--rejected", options.rejected, file if isinstance(file, Path) else None)
    bundle = read_bundle(file)
    if options.types:
        wanted = await plurals_of(s, options.types)
        require_types(bundle, wanted)
        bundle = only(bundle, wanted)
    settings = options.settings()
    if options.map:
        given = await given_of(s, bundle, options.map, await schema.types_of(s.client))
        require_apart(bundle, given)
        bundle = renamed(bundle, given)
        settings = replace(settings, found={*given.values()})
    return await importing.plan(s, bundle, f"import {origin_of(bundle)}", settings)


@verb(
    "metadata merge",
    effect="write",
    examples=[
        "dhis2 metadata merge staging -p prod --types dataElements --by uid --by code --dry-run",
        "dhis2 metadata merge staging 'Child Health' -p prod --by code --by name --on-conflict rename",
    ],
)
async def merge(
    s: Session,
    source: Annotated[
        str, Doc("The profile to take metadata from; it goes into the active one."), Complete("profiles")
    ],
    objects: Annotated[list[str], Doc("Only these objects, with all that they need."), Complete("uids")] = [],
    *,
    with_: With = [],
    options: MergeOptions,
) -> Plan:
    """Merge the metadata of another profile into this one, mapping what is there under another UID.

    Single objects come with all that they need but users, sharing and organisation units, which --with adds. Sharing
    stays the target's unless --include-sharing. Where a unique name is taken, say with --on-conflict or --resolve
    what to do; on a terminal you are asked. Users, their groups and roles, and jobs are left out unless --types names them.

    API source: `GET /api/metadata` of the source, `POST /api/metadata` of the target.
    """
    if with_ and not objects:
        raise UsageError("--with goes with single objects", hint="--types brings whole types")
    if source == s.profile.name:
        raise UsageError(f"'{source}' cannot be merged into itself", hint="-p NAME is the profile to write to")
    async with s.beside(source) as other:
        if objects:
            start = await start_of(other, objects)
            found, left_out = await gathered(other, start, True, with_)
        else:
            found = await server_bundle(other.client, await plurals_of(other, options.types))
            left_out = await exported.of_objects(other.client, found, await schema.types_of(other.client))
        for item in left_out.left_out:
            item.add = item.add and bringing(item.type, "objects" if objects else "types")
        for note in left_out.notes():
            s.person.note(f"{source}: {note}")
        found.origin = source
    return await plan_merge(s, found, options, "objects" if objects else "types")


@verb(
    "metadata merge-bundle",
    effect="write",
    examples=["dhis2 metadata merge-bundle package.json --by code --by name --dry-run"],
)
async def merge_bundle(s: Session, file: BundleFile, *, options: MergeOptions) -> Plan:
    """Merge a bundle from a file into the server, mapping what is there under another UID; its origin is recorded.

    The title of the plan, and the journal with it, say which file and which DHIS2 it came from.

    API source: `POST /api/metadata`.
    """
    bundle = read_bundle(file)
    if options.types:
        require_types(bundle, await plurals_of(s, options.types))
    return await plan_merge(s, bundle, options)
