"""`metadata rename|retag|patch`: the same change to many objects, in as few requests as the server allows.

Objects are named, chosen by filters, or piped. Their owned properties are read, changed here, and sent as one import; a
second run finds nothing to change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import jsonpatch, schema
from dhis2sh.errors import Dhis2Error, Refused, UsageError
from dhis2sh.metadata import queries, values, writes
from dhis2sh.metadata.writes import Write, called
from dhis2sh.plugins.metadata.writing import Type, uids_of
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Piped, Refers, verb

if TYPE_CHECKING:
    from dhis2_models.facts import Resource

Some = Annotated[
    Rows[Row] | None,
    Piped(),
    Doc("UIDs, codes or unique names; rows of a pipeline; without them --filter or --all chooses."),
    Refers("@type"),
]
Filter = Annotated[list[str], Doc("property:operator:value; may be repeated."), Complete("filter")]
All = Annotated[bool, Doc("Every object of the type.")]
Concurrency = Annotated[int, Bounds(1, 8), Doc(f"How many imports of {writes.IN_ONE_BUNDLE:,} objects run at once.")]


async def chosen(
    s: Session, resource: Resource, objects: Rows[Row] | None, filters: Sequence[str], *, everything: bool
) -> list[JsonObject]:
    """The objects that a bulk verb acts on, with all that they own. Raises `UsageError` when nothing chooses any."""
    if objects is not None:
        if filters:
            raise UsageError("objects or --filter, not both")
        return await writes.read_objects(s, resource.plural, uids_of(objects))
    if not filters and not everything:
        raise UsageError(f"which {resource.plural}?", hint="name some, --filter name:like:Old, or --all")
    return await writes.read_all(s, resource.plural, queries.checked_filters(resource, filters))


def titled(verb_word: str, resource: Resource) -> Callable[[int], str]:
    """The title of a bulk plan, by the number of objects that it changes."""
    return lambda count: f"{verb_word} {count:,} {resource.plural if count != 1 else resource.singular}"


def renamer(
    *,
    prefix: str | None = None,
    suffix: str | None = None,
    strip_prefix: str | None = None,
    strip_suffix: str | None = None,
    replace: Sequence[str] = (),
    set: str | None = None,
) -> Callable[[str], str]:
    """What the options of `rename` make of a name: set, strip, replace, then what is put before and after.

    What is there already is not put there again: a prefix, a suffix, and what a pattern is to become. Where something
    changes, spaces at the ends go too. Raises `UsageError` for a bad `s/.../.../`.
    """
    rules = [_substitution(text) for text in replace]
    first, last = (prefix or "").lstrip(), (suffix or "").rstrip()

    def renamed(name: str) -> str:
        new = name if set is None else set
        new = new.removeprefix(strip_prefix or "").removesuffix(strip_suffix or "")
        for rule in rules:
            new = rule(new)
        if not new.startswith(first):
            new = first + new
        if not new.endswith(last):
            new += last
        return name if new == name else new.strip()

    return renamed


def _substitution(text: str) -> Callable[[str], str]:
    """`s/from/to/flags` as sed has it, with any mark in place of `/`; flags `g` (every time) and `i` (any case).

    Where the text already reads as it shall (`s/^MCH /MCH - /` in "MCH - ANC") it is left alone.
    """
    mark = text[1:2]
    parts = re.split(rf"(?<!\\){re.escape(mark)}", text[2:]) if text[:1] == "s" and mark else []
    if len(parts) != 3 or set(parts[2]) - {"g", "i"}:
        raise UsageError(f"'{text}' is not s/from/to/", hint="--replace 's/^HIV_/HIV - /'")
    pattern, by = (part.replace(f"\\{mark}", mark) for part in parts[:2])
    try:
        compiled = re.compile(pattern, re.IGNORECASE if "i" in parts[2] else 0)
        compiled.sub(by, "")
    except (re.error, IndexError) as error:
        raise UsageError(f"'{text}': {error}", hint=r"groups are \1, \2, ...") from None

    def new_text(found: re.Match[str]) -> str:
        new, old = found.expand(by), found[0]
        text = found.string + " " * len(new)  # spaces at the end were taken away
        at = new.find(old) if old else -1
        while at >= 0:
            if text.startswith(new, found.start() - at) and found.start() >= at:
                return old
            at = new.find(old, at + 1)
        return new

    return lambda name: compiled.sub(new_text, name, count=0 if "g" in parts[2] else 1)


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
    async with s.client.assuming("2.42"):  # what is asked of the type is the same in every version: no request for it
        resource = await schema.resource_of(s.client, type)
        if field not in resource.properties:
            raise UsageError(f"{resource.plural} have no {field}", hint=f"dhis2 metadata describe {resource.plural}")
        found, others = await _with_names(s, resource, objects, filter, field, everything=all)
    pairs: list[Write] = []
    notes: list[str] = []
    again: str | None = None
    taken = {value: uid for uid, value in others.items()}
    for before in found:
        old = cast("str | None", before.get(field))
        if old is None and set is None:
            continue
        new = new_name(old or "")
        problem = _problem(resource, field, before, new, taken)
        if problem is not None:
            notes.append(f"left out {called(before)}: {problem}")
            continue
        if new != old:
            taken[new] = str(before["id"])
        pairs.append(Write(resource.plural, before, {**before, field: new}))
        if again is None and new != old and new_name(new) != new:
            again = f"a second run would change '{new}' again, to '{new_name(new)}'"
    if again is not None:
        notes.append(again)
    return writes.plan(titled("rename", resource), pairs, what=resource.plural, notes=notes, concurrency=concurrency)


async def _with_names(
    s: Session, resource: Resource, objects: Rows[Row] | None, filters: Sequence[str], field: str, *, everything: bool
) -> tuple[list[JsonObject], dict[str, str]]:
    """The objects to rename, and by UID what all others are called where no two may be called the same.

    Where many are piped, one request for everything gives both.
    """
    unique = field in resource.unique
    if objects is not None and unique and len(uids_of(objects)) > writes.MANY:
        wanted = {uid: number for number, uid in enumerate(uids_of(objects))}
        whole = await writes.read_all(s, resource.plural, ())
        found = sorted((row for row in whole if row["id"] in wanted), key=lambda row: wanted[str(row["id"])])
        if len(found) < len(wanted):
            missing = set(wanted) - {str(row["id"]) for row in found}
            raise UsageError(f"the server has no {resource.plural} {', '.join(sorted(missing)[:5])}")
        return found, {str(row["id"]): str(row[field]) for row in whole if row.get(field)}
    found = await chosen(s, resource, objects, filters, everything=everything)
    if not unique or not found:
        return found, {}
    named = found if everything else await writes.read_all(s, resource.plural, (), fields=f"id,{field}")
    return found, {str(row["id"]): str(row[field]) for row in named if row.get(field)}


def _problem(resource: Resource, field: str, before: JsonObject, new: str, taken: dict[str, str]) -> str | None:
    """Why a new text cannot be."""
    if not new:
        return f"its {field} would be empty"
    most = resource.properties[field].length
    if most and len(new) > most:
        return f"'{new}' has {len(new)} characters, {field} takes {most}"
    holder = taken.get(new)
    if field in resource.unique and holder not in (None, str(before["id"])):
        return f"'{new}' is the {field} of {holder} already"
    return None


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
    wanted, added, removed = [await _tags(s, resource, texts) for texts in (set, add, remove)]
    for name in [*added, *removed]:
        if not resource.properties[name].collection:
            raise UsageError(f"{name} is no collection", hint=f"--set {name}=...")
    found = await chosen(s, resource, objects, filter, everything=all)
    pairs = [Write(resource.plural, before, _retagged(before, wanted, added, removed)) for before in found]
    return writes.plan(titled("retag", resource), pairs, what=resource.plural, concurrency=concurrency)


async def _tags(s: Session, resource: Resource, texts: Sequence[str]) -> JsonObject:
    """`property=value` texts as values; only references and enums."""
    reader = values.Reader(resource)
    found: JsonObject = {}
    for path, value in values.pairs(texts):
        prop = values.property_of(resource, path)
        if not (values.refers_to_objects(prop) or prop.constants):
            raise UsageError(f"{prop.name} is neither a reference nor an enum", hint="dhis2 metadata update, or patch")
        reader.put(found, path, value)
    reader.check()
    await reader.resolved(s, [found])
    return found


def _retagged(before: JsonObject, wanted: JsonObject, added: JsonObject, removed: JsonObject) -> JsonObject:
    after = {**before, **wanted}
    for name, items in added.items():
        have = list(cast("list[JsonValue]", after.get(name) or []))
        after[name] = have + [item for item in cast("list[JsonValue]", items) if _key(item) not in map(_key, have)]
    for name, items in removed.items():
        gone = {_key(item) for item in cast("list[JsonValue]", items)}
        after[name] = [item for item in cast("list[JsonValue]", after.get(name) or []) if _key(item) not in gone]
    return after


def _key(item: JsonValue) -> str:
    return str(item.get("id")) if isinstance(item, dict) else str(item)


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
    notes = [f"left out {which}: {error.message}" for which, error in unfit]
    return writes.plan(titled("patch", resource), pairs, what=resource.plural, notes=notes, concurrency=concurrency)


def _operations(text: str) -> list[JsonObject]:
    """The operations of a patch that is a text or stands in a file. Raises `UsageError`, `NotFound`."""
    import json

    from dhis2sh.rows.tables import read_rows

    if not text.lstrip().startswith(("[", "{")):
        return read_rows(Path(text).expanduser())
    try:
        parsed: JsonValue = json.loads(text)
    except ValueError as error:
        raise UsageError(f"the patch is not JSON: {error}") from None
    operations = parsed if isinstance(parsed, list) else [parsed]
    if not all(isinstance(item, dict) for item in operations):
        raise UsageError("a patch is a list of operations", hint='[{"op": "replace", "path": "/name", "value": "..."}]')
    return cast("list[JsonObject]", operations)
