"""`metadata create|update|clone|delete|members|add|remove`: objects of any type, one or many.

The generated verbs of a type (`metadata data-elements create --name ...`) are these with the type bound
(`dhis2sh.plugins.metadata.family`); both end in `plan_create` and `plan_update`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.metadata import expressions, values, writes
from dhis2sh.metadata.hierarchy import check_circles, parents_first
from dhis2sh.metadata.writes import Write, called
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Complete, Doc, Piped, Refers, verb

if TYPE_CHECKING:
    from dhis2_models.facts import Property, Resource


Type = Annotated[str, Doc("The type's plural, such as dataElements."), Complete("types")]
Object = Annotated[str, Doc("UID, code or unique name."), Refers("@type")]
Objects = Annotated[Rows[Row], Piped(), Doc("UIDs, codes or unique names; rows of a pipeline."), Refers("@type")]
SetValues = Annotated[list[str], Doc("property=value or property.part=value; may be repeated.")]
FromFile = Annotated[
    Path | None,
    Doc("A file of objects: JSON, NDJSON, YAML, CSV, TSV or XLSX; columns by header in any order."),
    Complete("files"),
]
SkipExisting = Annotated[bool, Doc("Leave out objects of the file whose id, code or unique name is there already.")]
Edit = Annotated[bool, Doc("Open the object as YAML in $EDITOR first.")]

NOT_CLONED = {"id", "code", "access", "created", "createdBy", "lastUpdated", "lastUpdatedBy", "user", "href", "translations",
              "favorites", "subscribers", "interpretations"}  # fmt: skip
WRONG = "#!"
"""Begins the lines that say in the editor what cannot be used."""
NOT_EDITED = {"created", "createdBy", "lastUpdated", "lastUpdatedBy", "user", "href", "access", "favorites"}


@verb(
    "metadata create",
    effect="write",
    examples=[
        "dhis2 metadata create dataElementGroups --set name=Malaria --set shortName=Malaria",
        "dhis2 metadata create dataElements --from elements.csv --dry-run",
    ],
)
async def create(
    s: Session,
    type: Type,
    *,
    set: SetValues = [],
    from_: FromFile = None,
    edit: Edit = False,
    skip_existing: SkipExisting = False,
) -> Plan:
    """Create one object from its properties, or many from a file.

    References take UIDs, codes or unique names. What is unknown, too long or missing is told before anything is sent.

    API source: `POST /api/{type}`, `POST /api/metadata`.
    """
    return await plan_create(s, type, {}, set=set, from_=from_, edit=edit, skip_existing=skip_existing)


@verb(
    "metadata update",
    effect="write",
    examples=[
        "dhis2 metadata update dataElements s46m5MS0hxu --set description='BCG, first dose'",
        "dhis2 metadata update organisationUnits --from units.csv --dry-run",
    ],
)
async def update(
    s: Session,
    type: Type,
    uid: Annotated[
        str | None, Doc("UID, code or unique name; a file names its objects itself."), Refers("@type")
    ] = None,
    *,
    set: SetValues = [],
    from_: FromFile = None,
    edit: Edit = False,
) -> Plan:
    """Change properties of an object, or of many from a file with a column id or code; the others stay as they are.

    API source: `PATCH /api/{type}/{uid}`, `POST /api/metadata?importStrategy=UPDATE`.
    """
    return await plan_update(s, type, uid, {}, set=set, from_=from_, edit=edit)


async def plan_create(
    s: Session,
    type: str,
    given: Mapping[str, JsonValue],
    *,
    set: Sequence[str] = (),
    from_: Path | None = None,
    edit: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """The plan of a creation.

    Parameters:
        type: the type's plural.
        given: properties from options; they hold for every object of a file too.
        set: `path=value` texts, after the options.
        from_: a file of objects.
        edit: let the user write the object as YAML.
        skip_existing: leave out objects of the file whose id or code the server has; a second run finishes a first one.

    Raises `UsageError` that tells every problem of every row.
    """
    resource = await schema.resource_of(s.client, type)
    reader = values.Reader(resource, str(await s.client.version()))
    rows = _rows_of(resource, from_, reader.version)
    labels = [f"row {number}" if from_ else "" for number, _ in rows]
    objects = [_read(reader, row, given, set, where) for where, (_, row) in zip(labels, rows, strict=True)]
    reader.check()
    if edit:
        objects = [await _edited(s, reader, one_only(objects), values.required_of(resource))]
    objects = [values.with_uid(item) for item in objects]
    await reader.resolved(s, objects)
    objects = [expressions.with_defaults(resource.plural, item) for item in objects]
    _check_whole(resource, reader, objects, labels)
    notes: list[str] = []
    if from_ is not None:
        objects = await _new_ones(s, resource, reader, objects, labels, notes, skip=skip_existing)
    reader.check()
    objects = parents_first(resource, objects)
    notes += await expressions.prepared(s, resource.plural, objects)
    what = f"{len(objects):,} {resource.plural}" if len(objects) != 1 else f"{resource.singular} {called(objects[0])}"
    return writes.plan(
        f"create {what}", [Write(resource.plural, None, item) for item in objects], what=resource.plural, atomic=True,
        again="the same line with --skip-existing", notes=notes, asks=edit,
    )  # fmt: skip


async def with_properties(
    s: Session, type: str, planned: Plan, given: Mapping[str, JsonValue], *, set: Sequence[str] = ()
) -> Plan:
    """The plan of a creation with more properties than it has; `given`, `set` and errors as in `plan_create`."""
    resource = await schema.resource_of(s.client, type)
    reader = values.Reader(resource, str(await s.client.version()))
    [write] = writes.changes_of(planned)
    body = copy.deepcopy(write.after or {})
    for path, value in [*given.items(), *values.pairs(set)]:
        reader.put(body, path, value)
    reader.check()
    await reader.resolved(s, [body])
    return writes.plan(planned.title, [replace(write, after=body)], what=type, notes=planned.notes)


async def plan_update(
    s: Session,
    type: str,
    uid: str | None,
    given: Mapping[str, JsonValue],
    *,
    set: Sequence[str] = (),
    from_: Path | None = None,
    edit: bool = False,
) -> Plan:
    """The plan of an update; parameters and errors as `plan_create`."""
    resource = await schema.resource_of(s.client, type)
    reader = values.Reader(resource, str(await s.client.version()))
    if uid is None and from_ is None:
        line = f"dhis2 metadata update {resource.plural}"
        raise UsageError(f"which {resource.singular}?", hint=f"{line} 'NAME' --set ..., or {line} --from FILE")
    rows = [(1, cast("JsonObject", {}))] if from_ is None else _rows_of(resource, from_, reader.version)
    wanted = [_read(reader, row, {}, (), f"row {number}" if from_ else "") for number, row in rows]
    reader.check()
    uids = [uid] if uid is not None else await _identified(s, resource, wanted)
    found = await writes.read_objects(s, resource.plural, uids)
    changed: list[JsonObject] = []
    for before, new in zip(found, wanted, strict=True):
        after = {**copy.deepcopy(before), **new, "id": before["id"]}
        for path, value in [*given.items(), *values.pairs(set)]:
            reader.put(after, path, value)
        changed.append(after)
    reader.check()
    if edit:
        changed = [await _edited(s, reader, one_only(changed))]
    await reader.resolved(s, changed)
    changed = [{name: value for name, value in item.items() if value is not None} for item in changed]
    await check_circles(s, resource, found, changed)
    notes = await expressions.prepared(s, resource.plural, changed, found)
    pairs = [Write(resource.plural, before, after) for before, after in zip(found, changed, strict=True)]
    what = f"{len(pairs):,} {resource.plural}" if len(pairs) != 1 else f"{resource.singular} {called(found[0])}"
    return writes.plan(f"update {what}", pairs, what=resource.plural, notes=notes, asks=edit)


def one_only(objects: Sequence[JsonObject]) -> JsonObject:
    """The object that an editor opens. Raises `UsageError` for several."""
    if len(objects) != 1:
        raise UsageError(f"--edit opens one object, and these are {len(objects):,}", hint="edit the file, then --from")
    return objects[0]


def _rows_of(resource: Resource, path: Path | None, version: str) -> list[tuple[int, JsonObject]]:
    """The rows of a file with the numbers that a sheet shows; one empty row without a file."""
    if path is None:
        return [(1, {})]
    from dhis2sh.rows.tables import read_rows

    rows = read_rows(path, key=resource.plural)
    if not rows:
        raise UsageError(f"{path} has no rows")
    first = 2 if path.suffix.lower() in {".csv", ".tsv", ".xlsx"} else 1
    values.check_headers(resource, {header for row in rows for header in row}, version)
    return list(enumerate(rows, first))


def _read(
    reader: values.Reader, row: JsonObject, given: Mapping[str, JsonValue], texts: Sequence[str], where: str
) -> JsonObject:
    item = reader.read(row, where)
    for path, value in [*given.items(), *values.pairs(texts)]:
        if value is not None:
            reader.put(item, path, value, where)
    return item


async def _identified(s: Session, resource: Resource, rows: Sequence[JsonObject]) -> list[str]:
    """The UIDs of a file's rows: their id, else their code, else their name."""
    from dhis2sh.verbs import names

    texts: list[str] = []
    for number, row in enumerate(rows, 1):
        text = row.get("id") or row.get("code") or row.get("name")
        if not text:
            raise UsageError(f"object {number} has no id, code or name", hint="add a column id")
        texts.append(str(text))
    doubled = {text for text in texts if texts.count(text) > 1} if len(set(texts)) < len(texts) else set[str]()
    if doubled:
        raise UsageError(f"{', '.join(sorted(doubled)[:5])}: more than once in the file")
    found = await names.resolve_all(s, resource.plural, texts)
    return [found[text] for text in texts]


def _check_whole(
    resource: Resource, reader: values.Reader, objects: Sequence[JsonObject], labels: Sequence[str]
) -> None:
    """What a creation must have, and what two objects of one file may not share."""
    required = values.required_of(resource)
    for item, label in zip(objects, labels, strict=True):
        missing = [name for name in required if item.get(name) in (None, "")]
        if missing:
            where = f"{label} ({item.get('name') or item.get('code') or item['id']})" if label else resource.singular
            reader.problems.append(f"{where} needs {', '.join(missing)}")
    simple = {name for name in resource.unique if resource.properties[name].simple}
    for name in sorted(simple | {"id"}):
        seen: dict[str, str] = {}
        for item, label in zip(objects, labels, strict=True):
            value = item.get(name)
            if value is None:
                continue
            if str(value) in seen:
                reader.problems.append(f"{seen[str(value)]} and {label} have the same {name} '{value}'")
            seen[str(value)] = label


async def _new_ones(
    s: Session,
    resource: Resource,
    reader: values.Reader,
    objects: Sequence[JsonObject],
    labels: Sequence[str],
    notes: list[str],
    *,
    skip: bool,
) -> list[JsonObject]:
    """A file's objects without those that the server has; each of these is a problem, unless they are to be skipped."""
    from dhis2sh.verbs import names

    there: dict[str, str] = {}
    keys = [key for key in ("id", *names.keys_of(resource.plural)) if key == "code" or key in {"id", *resource.unique}]
    for key in keys:
        texts = [str(item[key]) for item in objects if item.get(key)]
        for text, rows in (await names.by_key(s, resource.plural, key, texts)).items():
            there[f"{key} {text}"] = f"{rows[0].get('displayName')} [{rows[0]['id']}]"
    kept: list[JsonObject] = []
    for item, label in zip(objects, labels, strict=True):
        known = next((f"{key} {item[key]}" for key in keys if f"{key} {item.get(key)}" in there), None)
        if known is None:
            kept.append(item)
        elif not skip:
            reader.problems.append(f"{label}: {known} is {there[known]} already (--skip-existing leaves it out)")
    if len(kept) < len(objects) and skip:
        notes.append(f"{len(objects) - len(kept):,} are there already and are left out")
    return kept


async def _edited(s: Session, reader: values.Reader, item: JsonObject, wanted: Sequence[str] = ()) -> JsonObject:
    """An object as the user left it in the editor, references found.

    What cannot be used is opened again with what is wrong above it, until it can, or until it comes back as it was.

    Parameters:
        item: the object as it is.
        wanted: properties that it must have; those that are not there yet are shown empty.

    Raises `UsageError` where there is no editor, nothing was left, or the user has given up.
    """
    if s.editor is None:
        raise UsageError("--edit wants a terminal", hint="--set property=value, or --from FILE")
    shown = {name: value for name, value in item.items() if name not in NOT_EDITED}
    shown |= {name: None for name in wanted if name not in shown}
    text, problem = await _as_yaml(s, reader.resource, shown), ""
    while True:
        left = s.editor(problem + text)
        try:
            return {**{name: item[name] for name in item if name in NOT_EDITED}, **await _understood(s, reader, left)}
        except (UsageError, NotFound) as error:
            again = "".join(line for line in left.splitlines(keepends=True) if not line.startswith(WRONG))
            if (again == text and problem) or not again.strip():
                raise
            told = [error.message, *([f"try: {error.hint}"] if error.hint else [])]
            text, problem = again, "".join(f"{WRONG} {' '.join(line.split())}\n" for line in told)


async def _as_yaml(s: Session, resource: Resource, item: JsonObject) -> str:
    """An object as YAML, with the name of what a UID stands for as a comment beside it."""
    import yaml

    from dhis2sh.verbs import names

    text = yaml.safe_dump(item, allow_unicode=True, sort_keys=False, width=120)
    called = await names.names_in(s, resource, [item])
    return re.sub(
        r"^(?P<line>[ -]+id: (?P<uid>\w{11}))$",
        lambda found: f"{found['line']}  # {called[found['uid']]}" if found["uid"] in called else found["line"],
        text,
        flags=re.MULTILINE,
    )


async def _understood(s: Session, reader: values.Reader, text: str) -> JsonObject:
    """What was written in an editor as an object. Raises `UsageError` and `NotFound` for what cannot be used."""
    from dhis2sh.rows.tables import parse_yaml

    parsed = parse_yaml(text, "what you wrote")
    if not isinstance(parsed, dict) or not parsed:
        raise UsageError("nothing was left: nothing is written")
    reader.problems.clear()
    found = reader.read(parsed)
    reader.check()
    await reader.resolved(s, [found])
    return found


@verb(
    "metadata clone",
    effect="write",
    examples=["dhis2 metadata clone dataElementGroups 'ANC' --name 'ANC (copy)' --dry-run"],
)
async def clone(
    s: Session,
    type: Type,
    uid: Object,
    *,
    name: Annotated[str, Doc("The copy's name.")],
    set: SetValues = [],
) -> Plan:
    """Copy an object under a new name: new UIDs for it and what it holds, no code, no translations.

    Objects with an address of their own that belong to the original alone (options, program stages) are left out and named.

    API source: `POST /api/{type}`.
    """
    resource = await schema.resource_of(s.client, type)
    [before] = await writes.read_objects(s, resource.plural, [uid])
    notes: list[str] = []
    after: JsonObject = {"id": generate_uid()}
    for key, value in before.items():
        prop = resource.properties.get(key)
        if key in NOT_CLONED or (prop is not None and prop.unique and prop.simple):
            continue
        if prop is not None and value and _belong_to_one(prop):
            notes.append(f"{key} belong to the original: not in the copy")
            continue
        after[key] = _fresh(value)
    after["name"] = name
    if "shortName" in {*before, *resource.required}:  # unique in some types
        after["shortName"] = name[: resource.properties["shortName"].length or 50]
    reader = values.Reader(resource)
    for path, value in values.pairs(set):
        reader.put(after, path, value)
    reader.check()
    await reader.resolved(s, [after])
    missing = [key for key in values.required_of(resource) if before.get(key) is not None and after.get(key) is None]
    if missing:
        wanted = " ".join(f"--set {key}=..." for key in missing)
        raise UsageError(f"no two {resource.plural} may have the same {' and '.join(missing)}", hint=wanted)
    title = f"clone {resource.singular} {called(before)} as '{name}'"
    return writes.plan(title, [Write(resource.plural, None, after)], what=resource.plural, notes=notes)


def _belong_to_one(prop: Property) -> bool:
    """Objects with an address of their own that no two objects hold: options of a set, stages of a program."""
    return (
        prop.collection
        and not prop.many_to_many
        and values.refers_to_objects(prop)
        and prop.target in values.importable()
    )


def _fresh(value: JsonValue) -> JsonValue:
    """A copy in which objects that are held (more than a UID) have new UIDs; plain references stay."""
    if isinstance(value, list):
        return [_fresh(item) for item in value]
    if isinstance(value, dict):
        inner = {key: _fresh(item) for key, item in value.items() if key not in NOT_CLONED - {"id", "code"}}
        if "id" in inner and len(inner) > 1 and isinstance(inner["id"], str) and not _only_names(inner):
            inner["id"] = generate_uid()
        return inner
    return value


def _only_names(item: JsonObject) -> bool:
    return set(item) <= {"id", "name", "displayName", "code", "username", "access"}


def uids_of(objects: Rows[Row]) -> list[str]:
    """The UIDs of piped rows; none where nothing was piped. Raises `UsageError` for rows without `id`."""
    rows = objects.plain()
    missing = [number for number, row in enumerate(rows, 1) if not isinstance(row.get("id"), str)]
    if missing:
        raise UsageError(f"row {missing[0]} has no id", hint="... | select(id, name)")
    return list(dict.fromkeys(str(row["id"]) for row in rows))
