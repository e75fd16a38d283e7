"""`metadata export|import|diff|diff-profiles|merge|merge-bundle`: whole sets of metadata, between files and servers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

from dhis2_models import facts
from pydantic import BaseModel

from dhis2sh import writes
from dhis2sh.bundles.bundle import Bundle, bundle_of, by_type, read_bundle
from dhis2sh.bundles.checking import Findings, check
from dhis2sh.bundles.diff import VOLATILE, Difference, diff, settled
from dhis2sh.bundles.mapping import Choice, Clash, Key, Mapped, fit
from dhis2sh.bundles.walk import Walk
from dhis2sh.client.messages import WebMessage
from dhis2sh.errors import CheckFailed, Dhis2Error, Refused, UsageError
from dhis2sh.plugins import metadata_query as queries
from dhis2sh.plugins.metadata.reading import Filter
from dhis2sh.results import Plan, Rows, Text, WriteSummary
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs import Complete, Doc, applies, verb
from dhis2sh.writes import Write

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

    from dhis2sh.client.client import Client
    from dhis2sh.client.requests import Param

Types = Annotated[list[str], Doc("Only these types; may be repeated or separated by commas."), Complete("types")]
File = Annotated[Path, Doc("A bundle: JSON as /api/metadata gives it, gzipped or not."), Complete("files")]
Strategy = Annotated[
    Literal["create-and-update", "create", "update"], Doc("What to write: new objects, known ones, or both.")
]
Atomic = Annotated[Literal["all", "none"], Doc("all: all of it or nothing; none: what the server takes.")]
IncludeSharing = Annotated[bool, Doc("Write sharing too; without it the target keeps its own.")]
Rejected = Annotated[Path | None, Doc("Write the objects that were refused to this file."), Complete("files")]
By = Annotated[list[Literal["uid", "code", "name"]], Doc("How counterparts are found, in this order; uid without it.")]
Resolve = Annotated[list[str], Doc("UID=map, UID=rename or UID=skip for an object whose name is taken.")]
With = Annotated[list[Literal["org-units", "sharing"]], Doc("Follow these references too.")]
SHARING = frozenset({"sharing", "publicAccess", "externalAccess", "userAccesses", "userGroupAccesses"})
LISTED_NOTES = 30
"""So many notes of one plan are shown; the rest is counted."""


class DifferenceRow(BaseModel):
    """One difference between two sets of metadata."""

    change: str
    type: str
    id: str
    name: str
    property: str | None
    before: JsonValue
    after: JsonValue


async def _version_types(client: Client) -> Mapping[str, Resource]:
    """Every type of a server's version; of another profile's server too, so by its client."""
    return facts.types((await client.version()).models)


async def _plurals(s: Session, types: Sequence[str]) -> list[str]:
    names = [name for item in types for name in item.split(",") if name]
    return [(await queries.resource_of(s, name)).plural for name in names]


# Export -----------------------------------------------------------------------------------------------------------


@verb(
    "metadata export",
    effect="read",
    examples=[
        "dhis2 metadata export --types dataElements,indicators --out export.json",
        "dhis2 metadata export 'Immunization data' --deps --out immunization.json",
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
    out: Annotated[Path | None, Doc("Write to this file, gzipped when it ends in .gz."), Complete("files")] = None,
) -> Text | Row:
    """Export metadata as one bundle: types as the server gives them, or single objects with all that they need.

    The walk over dependencies follows every owned reference of every type but those to users, sharing and organisation
    units, which --with adds; what was left out, and what leads nowhere, is told.

    API source: `GET /api/metadata`; with objects `GET /api/{type}`, many objects a request.
    """
    if objects:
        bundle = await _gathered(s, objects, deps, with_)
        if out is None:
            return bundle.to_json()
        size = bundle.write(out)
        counts = ", ".join(f"{count:,} {plural}" for plural, count in bundle.counts().items())
        return Text(f"{out}: {counts}; {size:,} bytes")
    if deps or with_:
        raise UsageError("--deps and --with go with single objects", hint="dhis2 metadata export UID --deps --out FILE")
    params: dict[str, Param] = {"fields": fields, "filter": filter, "skipSharing": skip_sharing or None}
    params |= dict.fromkeys(await _plurals(s, types), True)
    if out is None:
        return await s.client.get_object("metadata", params)
    content = await s.client.get_bytes("metadata", params, accept="application/json")
    size = queries.write_export(out, content)
    return Text(f"{out}: {size:,} bytes")


async def _gathered(s: Session, objects: Sequence[str], deps: bool, with_: Sequence[str]) -> Bundle:
    from dhis2sh import names

    types = await _version_types(s.client)
    uids = list((await names.resolve_all(s, "*", objects)).values())
    walk = Walk(s.client, types, places="org-units" in with_, sharing="sharing" in with_)
    kinds = await walk.types_of(uids)
    missing = [uid for uid in uids if uid not in kinds]
    if missing:
        raise UsageError(f"not on this server: {', '.join(missing)}", hint=f"dhis2 metadata what {missing[0]}")
    if not deps:
        found = Bundle(origin=s.profile.name)
        for plural, some in by_type((kinds[uid], {"id": uid}) for uid in uids).items():
            for body in await writes.read_objects(s, plural, [str(row["id"]) for row in some], fields=":owner"):
                found.add(plural, body)
        return found
    gathered = await walk.gather([(kinds[uid], uid) for uid in uids])
    for note in _shortened(gathered.notes()):
        s.reporter.warn(note)
    return gathered.bundle


def _shortened(notes: Sequence[str]) -> list[str]:
    """Notes of one kind are many at a time: the first ones, and how many more."""
    if len(notes) <= LISTED_NOTES:
        return list(notes)
    kinds = Counter(note.partition(":")[0] for note in notes[LISTED_NOTES:])
    return [*notes[:LISTED_NOTES], *(f"{count:,} more: {kind}" for kind, count in kinds.items())]


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
    sharing: Annotated[bool, Doc("Compare sharing too.")] = False,
    check: Annotated[bool, Doc("End with exit code 8 when there are differences.")] = False,
) -> Rows[DifferenceRow]:
    """Show what differs between two bundles, or between a bundle and the server: objects and properties.

    What every save changes and what a server computes do not count, nor does the order of lists that have none.
    """
    first = read_bundle(before)
    wanted = set(await _plurals(s, types)) if types else set(first.objects)
    if after is not None:
        known: Mapping[str, Resource] = facts.types(facts.VERSIONS[-1])
        second = read_bundle(after)
        wanted |= set() if types else set(second.objects)
    else:
        known = await _version_types(s.client)
        second = await _server_bundle(s.client, sorted(wanted & set(known)))
    return _rows(_only(first, wanted), _only(second, wanted), known, sharing, check)


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
    sharing: Annotated[bool, Doc("Compare sharing too.")] = False,
    check: Annotated[bool, Doc("End with exit code 8 when there are differences.")] = False,
) -> Rows[DifferenceRow]:
    """Show what differs between the metadata of two servers.

    API source: `GET /api/metadata` of both.
    """
    plurals = [name for item in types for name in item.split(",") if name]
    async with s.beside(before) as left, s.beside(after) as right:
        first, second = await asyncio.gather(
            _server_bundle(left.client, plurals), _server_bundle(right.client, plurals)
        )
        known = await _version_types(right.client)
    return _rows(first, second, known, sharing, check)


async def _server_bundle(client: Client, plurals: Sequence[str], fields: str | None = None) -> Bundle:
    """The metadata of a server; with names everything, or of some types only those."""
    params: dict[str, Param] = {**dict.fromkeys(plurals, True), "fields": fields}
    body = await client.get_object("metadata", params)
    if not any(isinstance(value, list) for value in body.values()):
        return Bundle(origin=client.settings.profile)
    return bundle_of(body, client.settings.profile)


def _only(bundle: Bundle, plurals: set[str]) -> Bundle:
    chosen = {plural: objects for plural, objects in bundle.objects.items() if plural in plurals}
    return Bundle(chosen, bundle.system, bundle.origin)


def _rows(
    first: Bundle, second: Bundle, known: Mapping[str, Resource], sharing: bool, check: bool
) -> Rows[DifferenceRow]:
    found = diff(first, second, known, ignore=frozenset() if sharing else SHARING)
    rows = Rows([_row(one) for one in found], columns=["change", "type", "id", "name", "property", "before", "after"])
    if check and len(rows):
        raise CheckFailed(f"{len(rows):,} differences", findings=rows, hint="the same line without --check lists them")
    return rows


def _row(one: Difference) -> DifferenceRow:
    return DifferenceRow(
        change=one.change, type=one.type, id=one.uid, name=one.name, property=one.property, before=one.before,
        after=one.after,
    )  # fmt: skip


# Import and merge -------------------------------------------------------------------------------------------------


@verb(
    "metadata import",
    effect="write",
    examples=["dhis2 metadata import export.json --dry-run", "dhis2 metadata import export.json --rejected rest.json"],
)
async def import_(
    s: Session,
    file: File,
    *,
    types: Types = [],
    strategy: Strategy = "create-and-update",
    atomic: Atomic = "all",
    include_sharing: IncludeSharing = False,
    rejected: Rejected = None,
) -> Plan:
    """Import a bundle: what is new, changed and right already is shown first, and the server validates it before.

    References that lead nowhere and properties that the server does not know are told before anything is written.

    API source: `POST /api/metadata` with `importMode=VALIDATE`, then without.
    """
    bundle = await _chosen(s, read_bundle(file), types, include_sharing)
    findings = await check(s.client, bundle, await _version_types(s.client))
    return await _import_plan(s, bundle, findings, strategy, atomic == "all", rejected, f"import {file.name}")


@applies(import_)
async def _(s: Session, plan: Plan) -> WriteSummary:
    return await _apply(s, plan)


@verb(
    "metadata merge",
    effect="write",
    examples=["dhis2 metadata merge staging -p prod --types dataElements --by uid --by code --dry-run"],
)
async def merge(
    s: Session,
    source: Annotated[
        str, Doc("The profile to take metadata from; it goes into the active one."), Complete("profiles")
    ],
    objects: Annotated[list[str], Doc("Only these objects, with all that they need."), Complete("uids")] = [],
    *,
    types: Types = [],
    by: By = ["uid"],
    resolve: Resolve = [],
    strategy: Strategy = "create-and-update",
    atomic: Atomic = "all",
    include_sharing: IncludeSharing = False,
    rejected: Rejected = None,
) -> Plan:
    """Merge the metadata of another profile into this one, mapping what is there under another UID.

    Sharing stays the target's unless --include-sharing. Where a unique name is taken, say with --resolve what to do;
    on a terminal you are asked.

    API source: `GET /api/metadata` of the source, `POST /api/metadata` of the target.
    """
    if source == s.profile.name:
        raise UsageError(f"'{source}' cannot be merged into itself", hint="-p NAME is the profile to write to")
    async with s.beside(source) as other:
        if objects:
            found = await _gathered(other, objects, True, ["sharing"] if include_sharing else [])
        else:
            found = await _server_bundle(other.client, await _plurals(other, types))
        found.origin = source
    return await _merge_plan(s, found, types, by, resolve, strategy, atomic, include_sharing, rejected)


@applies(merge)
async def _(s: Session, plan: Plan) -> WriteSummary:
    return await _apply(s, plan)


@verb(
    "metadata merge-bundle",
    effect="write",
    examples=["dhis2 metadata merge-bundle package.json --by code --by name --dry-run"],
)
async def merge_bundle(
    s: Session,
    file: File,
    *,
    types: Types = [],
    by: By = ["uid"],
    resolve: Resolve = [],
    strategy: Strategy = "create-and-update",
    atomic: Atomic = "all",
    include_sharing: IncludeSharing = False,
    rejected: Rejected = None,
) -> Plan:
    """Merge a bundle from a file into the server, mapping what is there under another UID; its origin is recorded.

    API source: `POST /api/metadata`.
    """
    found = read_bundle(file)
    return await _merge_plan(s, found, types, by, resolve, strategy, atomic, include_sharing, rejected)


@applies(merge_bundle)
async def _(s: Session, plan: Plan) -> WriteSummary:
    return await _apply(s, plan)


async def _chosen(s: Session, bundle: Bundle, types: Sequence[str], include_sharing: bool) -> Bundle:
    """The part of a bundle that is asked for, with or without its sharing."""
    chosen = _only(bundle, set(await _plurals(s, types))) if types else bundle
    if not include_sharing:
        for objects in chosen.objects.values():
            for uid, body in objects.items():
                objects[uid] = {name: value for name, value in body.items() if name not in SHARING}
    return chosen


async def _merge_plan(
    s: Session, found: Bundle, types: Sequence[str], by: Sequence[Key], resolve: Sequence[str],
    strategy: str, atomic: str, include_sharing: bool, rejected: Path | None,
) -> Plan:  # fmt: skip
    known = await _version_types(s.client)
    chosen = await _chosen(s, found, types, include_sharing)
    there = await _server_bundle(s.client, [plural for plural in chosen.objects if plural in known], "id,name,code")
    mapped = fit(chosen, there, known, by, _chooser(s, resolve))
    if mapped.clashes:
        shown = "; ".join(str(clash) for clash in mapped.clashes[:3])
        more = f" (and {len(mapped.clashes) - 3:,} more)" if len(mapped.clashes) > 3 else ""
        first = mapped.clashes[0].uid
        raise UsageError(
            f"{shown}{more}",
            hint=f"--by {mapped.clashes[0].property} maps them all; or --resolve {first}=map, ={'rename'} or =skip",
        )
    findings = await check(s.client, mapped.bundle, known)
    plan = await _import_plan(s, mapped.bundle, findings, strategy, atomic == "all", rejected, f"merge {found.origin}")
    plan.notes = [*_mapping_notes(mapped), *plan.notes]
    return plan


def _mapping_notes(mapped: Mapped) -> list[str]:
    notes = [f"mapped to the target's UIDs: {len(mapped.uids):,}"] if mapped.uids else []
    notes += [f"renamed: {clash.name}" for clash in mapped.renamed]
    return [*notes, *(f"skipped: {clash}" for clash in mapped.skipped)]


def _chooser(s: Session, resolve: Sequence[str]) -> Callable[[Clash], Choice | None]:
    """Resolves clashes as `--resolve` says, else as the user says on a terminal."""
    told: dict[str, Choice] = {}
    for text in resolve:
        uid, _, choice = text.partition("=")
        if choice not in {"map", "rename", "skip"}:
            raise UsageError(f"--resolve {text}: say UID=map, UID=rename or UID=skip")
        told[uid] = cast("Choice", choice)

    def choose(clash: Clash) -> Choice | None:
        if clash.uid in told or s.chooser is None:
            return told.get(clash.uid)
        return cast("Choice | None", s.chooser(str(clash), ("map", "rename", "skip")))

    return choose


async def _import_plan(
    s: Session, bundle: Bundle, findings: Findings, strategy: str, atomic: bool, rejected: Path | None, title: str
) -> Plan:
    """Compare with the server, let it validate, and say what would happen."""
    known = await _version_types(s.client)
    changes: list[Write] = []
    skipped = Counter[str]()
    for plural, objects in sorted(
        bundle.objects.items(), key=lambda item: known[item[0]].order if item[0] in known else 0
    ):
        if plural not in known or known[plural].endpoint is None:
            continue
        there = await _there(s, plural, list(objects))
        for uid, body in objects.items():
            before = there.get(uid)
            if (before is None and strategy == "update") or (before is not None and strategy == "create"):
                skipped["not there" if before is None else "there already"] += 1
            else:
                changes.append(Write(plural, before, _merged(before, body)))
    plan = writes.plan(title, changes, what="metadata", atomic=atomic, bundle=True, notes=_shortened(findings.notes()))
    plan.notes += [f"{count:,} skipped: {why}" for why, count in skipped.items()]
    payload = cast("writes.Payload", plan.payload)
    refused = await _validated(s, payload, atomic)
    plan.notes += [
        f"the server would refuse {row['type']} '{row['name']}': {_first(row)}" for row in refused[:LISTED_NOTES]
    ]
    if refused and rejected is not None:
        _save(rejected, payload, refused)
    if refused and atomic:
        first = refused[0]
        more = f" (and {len(refused) - 1:,} more objects)" if len(refused) > 1 else ""
        plan.blocked = Refused(
            f"{first['type']} '{first['name']}': {_first(first)}{more}; nothing was written",
            code=cast("str | None", first.get("code")),
            envelope={"response": {"conflicts": cast("JsonValue", refused)}},
            hint=f"{'' if rejected else '--rejected FILE keeps them; '}--atomic none writes the others",
        )
    plan.payload = (payload, rejected)
    return plan


def _first(row: Row) -> str:
    """The first of an object's reasons, and how many more."""
    first, *rest = str(row["message"]).split("; ")
    return f"{first} (and {len(rest):,} more reasons)" if rest else first


def _merged(before: JsonObject | None, body: Row) -> JsonObject:
    """What an object shall be: of one that is there, what the bundle does not say stays."""
    if before is None:
        return body
    same = {name for name, value in body.items() if name in before and settled(before[name]) == settled(value)}
    return {**before, **{name: value for name, value in body.items() if name not in VOLATILE and name not in same}}


async def _there(s: Session, plural: str, uids: Sequence[str]) -> dict[str, JsonObject]:
    """Those of some objects that the server has, as owner JSON."""
    found: dict[str, JsonObject] = {}
    for at in range(0, len(uids), writes.UIDS_IN_ONE_ADDRESS):
        part = uids[at : at + writes.UIDS_IN_ONE_ADDRESS]
        params: dict[str, Param] = {"filter": f"id:in:[{','.join(part)}]", "fields": ":owner", "paging": False}
        found |= {str(row["id"]): row for row in (await s.client.list_page(plural, params)).rows}
    return found


async def _validated(s: Session, payload: writes.Payload, atomic: bool) -> list[Row]:
    """What the server would refuse, one row an object, with names."""
    if not payload.writes:
        return []
    bundle: dict[str, list[JsonValue]] = {}
    for write in payload.writes:
        bundle.setdefault(write.plural, []).append(write.after)
    params: dict[str, Param] = {"importMode": "VALIDATE", "atomicMode": "ALL" if atomic else "NONE"}
    try:
        message = WebMessage.of(await s.client.post("metadata", cast("JsonObject", bundle), params))
    except Refused as refusal:
        told = WebMessage.of_refusal(refusal)
        if told is None or "typeReports" not in (told.response or {}):
            raise
        message = told
    return writes.failures_of(message, payload.writes)


async def _apply(s: Session, plan: Plan) -> WriteSummary:
    payload, rejected = cast("tuple[writes.Payload, Path | None]", plan.payload)
    plan.payload = payload
    summary = await writes.apply(s, plan)
    if summary.failures and rejected is not None:
        _save(rejected, payload, summary.failures)
        summary.note = f"refused objects: {rejected}"
    return summary


def _save(path: Path, payload: writes.Payload, refused: Sequence[Row]) -> None:
    """The refused objects as a bundle of their own, to be mended and imported again."""
    uids = {str(row["uid"]) for row in refused}
    bundle = Bundle(origin=path.name)
    for write in payload.writes:
        if write.uid in uids and write.after is not None:
            bundle.add(write.plural, write.after)
    try:
        bundle.write(path)
    except Dhis2Error as error:
        raise UsageError(f"the refused objects could not be kept: {error}") from error
