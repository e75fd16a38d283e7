"""The plan of a creation: one object from its properties, or many from a file."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dhis2sh.changes.left_out import left_out
from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.client.authorities import check_roles
from dhis2sh.dhis2.ordering import parents_first
from dhis2sh.errors import UsageError
from dhis2sh.metadata import expressions, other_side, schedules, values, writes
from dhis2sh.metadata.made_by_server import check_by_hand
from dhis2sh.metadata.objects import option_group_sheets, option_sheets
from dhis2sh.metadata.write import Write, called
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.tables import STANDARD_INPUT, name_of, read_rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
from dhis2sh.metadata.objects.editing import edited, one_only
from dhis2sh.metadata.objects.sheets import first_row, read_row, rows_of
from dhis2sh.words import counted


async def plan_create(
    s: Session,
    type: str,
    given: Mapping[str, JsonValue],
    *,
    set: Sequence[str] = (),
    from_: Source | None = None,
    edit: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """The plan of a creation.

    Parameters:
        type: the type's plural.
        given: properties from options; they hold for every object of a file too.
        set: `path=value` texts, after the options.
        from_: a file of objects, or rows.
        edit: let the user write the object as YAML.
        skip_existing: leave out objects of the file whose id or code the server has; a second run finishes a first one.

    Raises `UsageError` that tells every problem of every row.
    """
    resource = await schema.resource_of(s.client, type)
    check_by_hand(resource, "create")
    if resource.plural in {option_sheets.SETS, option_group_sheets.GROUPS} and from_ is not None and not edit:
        hidden: list[str] = []
        rows = read_rows(from_, key=type, stdin=s.person.read, plain=True, tell=hidden.append)
        if resource.plural == option_group_sheets.GROUPS and option_group_sheets.is_long(rows):
            for note in hidden:
                s.person.warn(note)
            rows = (await option_group_sheets.groups_of(s, rows, name_of(from_), first_row(from_))).plain()
            from_ = Rows(rows)
        if resource.plural == option_sheets.SETS and option_sheets.is_long(rows):
            for note in hidden:
                s.person.warn(note)
            sets = option_sheets.sets_of(rows, name_of(from_), first_row(from_))
            return await _with_options(s, sets, given, set=set, skip_existing=skip_existing)
        from_ = Rows(rows) if str(from_) == STANDARD_INPUT else from_  # what is read from there is gone
    reader = await values.reader_of(s, resource)
    notes: list[str] = []
    skipped: list[Row] = []
    rows = rows_of(resource, from_, reader.version, s.person.read, notes)
    labels = [f"row {number}" if from_ is not None else "" for number, _ in rows]
    objects = [read_row(reader, row, given, set, where) for where, (_, row) in zip(labels, rows, strict=True)]
    reader.check()
    if edit:
        objects = [await edited(s, reader, one_only(objects), values.required_of(resource))]
    objects = [values.with_uid(item) for item in objects]
    await reader.resolved(s, objects)
    await other_side.check(s, resource, objects, labels=labels)
    await check_roles(s.client, resource.plural, objects)
    objects = [expressions.with_defaults(resource.plural, item) for item in objects]
    _check_whole(resource, reader, objects, labels)
    if from_ is not None:
        objects, skipped = await _new_ones(s, resource, reader, objects, labels, skip=skip_existing)
        notes += [f"{len(skipped):,} are there already and are left out"] if skipped else []
    reader.check()
    objects = parents_first(resource, objects)
    notes += await expressions.prepared(s, resource.plural, objects)
    loose = schedules.unscheduled(resource.plural, objects)
    notes += loose.notes
    what = f"{len(objects):,} {resource.plural}" if len(objects) != 1 else f"{resource.singular} {called(objects[0])}"
    made = writes.plan(
        f"create {what}", [Write(resource.plural, None, item) for item in objects], what=resource.plural, atomic=True,
        again="the same line with --skip-existing", notes=notes, asks=edit or loose.asks,
    )  # fmt: skip
    made.left_out = skipped
    return made


async def _with_options(
    s: Session,
    sets: Mapping[str, option_sheets.LongSet],
    given: Mapping[str, JsonValue],
    *,
    set: Sequence[str],
    skip_existing: bool,
) -> Plan:
    """The plan that creates option sets with their options; parameters and errors as in `plan_create`."""
    rows = Rows(
        [{"valueType": "TEXT", **found.row} for found in sets.values()]
    )  # the value type as a server's own import has it
    planned = await plan_create(s, option_sheets.SETS, given, set=set, from_=rows, skip_existing=skip_existing)
    resource = await schema.resource_of(s.client, option_sheets.OPTIONS)
    reader = await values.reader_of(s, resource)
    changes: list[Write] = []
    for write in writes.changes_of(planned):
        body = write.after or {}
        options = [values.with_uid(reader.read(row, str(row["code"]))) for row in sets[str(body["name"])].options]
        owner: JsonObject = {"id": body["id"]}
        changes.append(replace(write, after={**body, "options": [{"id": option["id"]} for option in options]}))
        changes += [
            Write(option_sheets.OPTIONS, None, {**option, "optionSet": owner, "sortOrder": number})
            for number, option in enumerate(options, 1)
        ]
    uids = [write.uid for write in changes if write.plural == option_sheets.OPTIONS]
    there = await names.by_key(s, option_sheets.OPTIONS, "id", uids) if uids else {}
    reader.problems += [
        f"the option {uid} is there already: {rows[0].get('displayName')}" for uid, rows in there.items()
    ]
    reader.check()
    if len(changes) > writes.IN_ONE_BUNDLE:  # sets and options refer to each other
        raise UsageError(
            f"{len(changes):,} objects, and {writes.IN_ONE_BUNDLE:,} go in one import",
            hint="one file for some of the sets",
        )
    created = counted(len(changes) - len(uids), "option set")
    return writes.plan(
        f"create {created} with {counted(len(uids), 'option')}", changes, what=option_sheets.SETS, atomic=True,
        again="the same line with --skip-existing", notes=planned.notes,
    )  # fmt: skip


async def with_properties(
    s: Session, type: str, planned: Plan, given: Mapping[str, JsonValue], *, set: Sequence[str] = ()
) -> Plan:
    """The plan of a creation with more properties than it has; `given`, `set` and errors as in `plan_create`."""
    resource = await schema.resource_of(s.client, type)
    reader = await values.reader_of(s, resource)
    [write] = writes.changes_of(planned)
    body = copy.deepcopy(write.after or {})
    for path, value in [*given.items(), *values.pairs(set)]:
        reader.put_given(body, path, value)
    reader.check()
    await reader.resolved(s, [body])
    await other_side.check(s, resource, [body])
    return writes.plan(planned.title, [replace(write, after=body)], what=type, notes=planned.notes)


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
    *,
    skip: bool,
) -> tuple[list[JsonObject], list[Row]]:
    """A file's objects without those that the server has; each of these is a problem, or to be skipped one left out."""
    there: dict[str, str] = {}
    keys = [key for key in ("id", *names.keys_of(resource.plural)) if key == "code" or key in {"id", *resource.unique}]
    for key in keys:
        texts = [str(item[key]) for item in objects if item.get(key)]
        for text, rows in (await names.by_key(s, resource.plural, key, texts)).items():
            there[f"{key} {text}"] = f"{rows[0].get('displayName')} [{rows[0]['id']}]"
    kept: list[JsonObject] = []
    skipped: list[Row] = []
    for item, label in zip(objects, labels, strict=True):
        known = next((f"{key} {item[key]}" for key in keys if f"{key} {item.get(key)}" in there), None)
        if known is None:
            kept.append(item)
        elif skip:
            name = str(item.get("name") or item.get("username") or there[known])
            skipped += left_out(resource.plural, [(str(item["id"]), name)], f"there already: {known} is {there[known]}")
        else:
            reader.problems.append(f"{label}: {known} is {there[known]} already (--skip-existing leaves it out)")
    return kept, skipped
