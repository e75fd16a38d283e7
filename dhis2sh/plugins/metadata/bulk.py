"""`metadata rename|retag|patch`: the same change to many objects, in as few requests as the server allows.

Objects are named, chosen by filters, or piped. Their owned properties are read, changed here, and sent as one import; a
second run finds nothing to change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import jsonpatch, schema
from dhis2sh.errors import Dhis2Error, Refused, UsageError
from dhis2sh.files import parse_json
from dhis2sh.metadata import other_side, values, writes
from dhis2sh.metadata.choosing import chosen, titled
from dhis2sh.metadata.objects.renaming import plan_renaming, renamer
from dhis2sh.metadata.objects.retagging import retagged, tags_of
from dhis2sh.metadata.owned import with_owners, words_of
from dhis2sh.metadata.parameters import All, Filter, Some, Type
from dhis2sh.metadata.write import Write, called
from dhis2sh.rows.tables import read_rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, verb

Concurrency = Annotated[int, Bounds(1, 8), Doc(f"How many imports of {writes.IN_ONE_BUNDLE:,} objects run at once.")]


@verb(
    "metadata rename",
    effect="write",
    examples=[
        "dhis2 metadata rename dataElements --filter name:like:HIV_ --replace 's/^HIV_/HIV - /' --dry-run",
        '%metadata list dataElements --filter name:like:Old | metadata.rename(strip_prefix="Old ", dry_run=True)',
    ],
)
async def rename(
    s: Session,
    type: Type,
    objects: Some = None,
    *,
    field: Annotated[Literal["name", "shortName", "description", "formName", "code"], Doc("What to change.")] = "name",
    prefix: Annotated[str | None, Doc("Put this before, where it is not.")] = None,
    suffix: Annotated[str | None, Doc("Put this after, where it is not.")] = None,
    strip_prefix: Annotated[str | None, Doc("Take this away at the beginning.")] = None,
    strip_suffix: Annotated[str | None, Doc("Take this away at the end.")] = None,
    replace: Annotated[list[str], Doc("s/from/to/ with a regular expression, flags g and i; may be repeated.")] = [],
    set: Annotated[str | None, Doc("The whole new text.")] = None,
    filter: Filter = [],
    all: All = False,
    concurrency: Concurrency = 1,
) -> Plan:
    """Rename objects; those that would be too long or collide are left out and named.

    API source: `PATCH /api/{type}/{uid}`, `POST /api/metadata?importStrategy=UPDATE`.
    """
    if not any((prefix, suffix, strip_prefix, strip_suffix, replace, set is not None)):
        raise UsageError("rename to what?", hint="--set, --prefix, --suffix, --strip-prefix, --strip-suffix, --replace")
    new_name = renamer(
        prefix=prefix, suffix=suffix, strip_prefix=strip_prefix, strip_suffix=strip_suffix, replace=replace, set=set
    )
    return await plan_renaming(
        s, type, objects, filter, field, new_name, from_nothing=set is not None, everything=all, concurrency=concurrency
    )


@verb(
    "metadata retag",
    effect="write",
    examples=[
        "dhis2 metadata retag dataElements --filter name:like:ANC --set aggregationType=SUM --dry-run",
        "dhis2 metadata retag dataElements --filter name:like:ANC --add legendSets='ANC Coverage' --dry-run",
    ],
)
async def retag(
    s: Session,
    type: Type,
    objects: Some = None,
    *,
    set: Annotated[
        list[str], Doc("property=value: a reference by UID, code or name, an enum value; may be repeated.")
    ] = [],
    add: Annotated[list[str], Doc("collection=object: put it in; may be repeated.")] = [],
    remove: Annotated[list[str], Doc("collection=object: take it out; may be repeated.")] = [],
    filter: Filter = [],
    all: All = False,
    concurrency: Concurrency = 1,
) -> Plan:
    """Point many objects at other ones, or give them another enum value: category combos, legend sets, value types.

    API source: `PATCH /api/{type}/{uid}`, `POST /api/metadata?importStrategy=UPDATE`.
    """
    if not (set or add or remove):
        raise UsageError(
            "retag with what?", hint="--set categoryCombo='Age and Sex', --add legendSets=..., --remove ..."
        )
    resource = await schema.resource_of(s.client, type)
    wanted, added, removed = [await tags_of(s, resource, texts) for texts in (set, add, remove)]
    for name in [*added, *removed]:
        if not resource.properties[name].collection:
            raise UsageError(f"{name} is no collection", hint=f"--set {name}=...")
    found = await chosen(s, resource, objects, filter, everything=all)
    pairs = [Write(resource.plural, before, retagged(before, wanted, added, removed)) for before in found]
    whole = await with_owners(s, pairs)
    return writes.plan(
        titled("retag", resource), whole, what=resource.plural, concurrency=concurrency, notes=words_of(whole),
        asks=len(whole) > len(pairs),
    )  # fmt: skip


@verb(
    "metadata patch",
    effect="write",
    examples=[
        """dhis2 metadata patch dataElements s46m5MS0hxu --patch '[{"op": "remove", "path": "/description"}]' --dry-run""",
        "dhis2 metadata patch dataElements --filter name:like:ANC --patch change.json --dry-run",
    ],
)
async def patch(
    s: Session,
    type: Type,
    objects: Some = None,
    *,
    patch: Annotated[str, Doc("The JSON patch (RFC 6902): a file, or its text."), Complete("files")],
    filter: Filter = [],
    all: All = False,
    concurrency: Concurrency = 1,
) -> Plan:
    """Apply one JSON patch (RFC 6902) to objects: add, replace, remove, copy, move, test.

    API source: `PATCH /api/{type}/{uid}`, `POST /api/metadata?importStrategy=UPDATE`.
    """
    operations = _operations(patch)
    resource = await schema.resource_of(s.client, type)
    for operation in operations:
        first = str(operation.get("path", "")).split("/")[1:2]
        if first and first[0] not in resource.properties:
            values.property_of(resource, first[0])
        await other_side.refuse(s, resource, first)
    found = await chosen(s, resource, objects, filter, everything=all)
    pairs: list[Write] = []
    unfit: list[tuple[str, Dhis2Error]] = []
    for before in found:
        try:
            after = cast("JsonObject", jsonpatch.apply(operations, before))
        except (Refused, UsageError) as error:
            unfit.append((called(before), error))
            continue
        pairs.append(Write(resource.plural, before, {**after, "id": before["id"]}))
    if unfit and not pairs:
        raise unfit[0][1]
    whole = await with_owners(s, pairs)
    notes = [*(f"left out {which}: {error.message}" for which, error in unfit), *words_of(whole)]
    return writes.plan(
        titled("patch", resource), whole, what=resource.plural, notes=notes, concurrency=concurrency,
        asks=len(whole) > len(pairs),
    )  # fmt: skip


def _operations(text: str) -> list[JsonObject]:
    """The operations of a patch that is a text or stands in a file. Raises `UsageError`, `NotFound`."""
    if not text.lstrip().startswith(("[", "{")):
        return read_rows(Path(text).expanduser())
    parsed = parse_json(text, "the patch")
    operations = parsed if isinstance(parsed, list) else [parsed]
    if not all(isinstance(item, dict) for item in operations):
        raise UsageError("a patch is a list of operations", hint='[{"op": "replace", "path": "/name", "value": "..."}]')
    return cast("list[JsonObject]", operations)
