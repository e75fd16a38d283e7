"""Members of a collection of plain references, added and taken out. Join rows are in `types.joins`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from dhis2sh.changes.left_out import left_out
from dhis2sh.changes.plan import Plan
from dhis2sh.client import reading, schema
from dhis2sh.errors import Forbidden, UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.collections import references_of
from dhis2sh.metadata.comparing import ids
from dhis2sh.metadata.made_by_server import check_by_hand
from dhis2sh.metadata.objects.sheets import first_row, plain
from dhis2sh.metadata.owned import owned_by_one, with_owners, words_of
from dhis2sh.metadata.write import Write, called
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.tables import name_of, read_rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs import names
from dhis2sh.words import counted, counted_objects, listed, nouns

USER_GROUPS = "userGroups"


async def with_members(
    s: Session, type: str, uid: str, items: Rows[Row], property: str | None, *, adding: bool
) -> Plan:
    """A plan that adds members to a collection of an object, or takes them out.

    Parameters:
        type, uid: the object.
        items: the members, by UID, code or unique name.
        property: the collection, where the type has several.

    Raises `UsageError` for no members, and for a collection of join rows; as `names.resolve_all` for what they name.
    """
    word = "add" if adding else "remove"
    resource = await schema.resource_of(s.client, type)
    check_by_hand(resource, word)
    prop = references_of(resource, property, word)
    wanted = await _resolved(s, cast("str", prop.target), items)
    [before] = await writes.read_objects(s, resource.plural, [uid])
    have = list(cast("list[JsonObject]", before.get(prop.name) or []))
    after = _with(have, wanted) if adding else _without(have, wanted)
    count = abs(len(after) - len(have))
    inside = {str(item.get("id")) for item in have}
    right = [member for member in wanted if (member in inside) is adding]
    named = await _named(s, cast("str", prop.target), right)
    same = left_out(cast("str", prop.target), named, "there already" if adding else "not there")
    notes = [f"{len(same):,} {'is' if len(same) == 1 else 'are'} {same[0]['reason']}"] if same else []
    where = f"{'to' if adding else 'from'} {prop.name} of {resource.singular} {called(before)}"
    changed = [Write(resource.plural, before, {**before, prop.name: cast("JsonValue", after)})] if count else []
    title = f"{word} {count:,} {where}" if count else f"nothing to {word} {where}"
    whole = await with_owners(s, changed)
    owned = prop.name in owned_by_one(resource)
    if owned and count:
        notes += words_of(whole) or ([] if adding else [f"they belong to no {resource.singular} then"])
    made = writes.plan(title, whole, what=resource.plural, notes=notes, asks=owned and (not adding or len(whole) > 1))
    made.left_out = same
    return made


async def plan_members(s: Session, type: str, file: Source, property: str | None) -> Plan:
    """A plan that adds members to many objects, of a table with an object and a member in each row.

    Parameters:
        type: of the objects.
        file: two columns: `group` or the type (`data element group uid`), and `member` or its type, or the end of that (`unit`).
        property: the collection, where the type has several.

    Raises `UsageError` for other columns, a row that lacks one of them, a collection of join rows or of what belongs to one
    object alone; as `names.resolve_all` for what the cells name.
    """
    resource = await schema.resource_of(s.client, type)
    check_by_hand(resource, "add")
    prop = references_of(resource, property, "add")
    target = cast("str", prop.target)
    if prop.name in owned_by_one(resource):
        raise UsageError(
            f"{nouns(target)[1]} belong to one {nouns(resource.plural)[0]} alone",
            hint=f"dhis2 metadata add {resource.plural}",
        )
    where = name_of(file)
    rows = read_rows(file, key=resource.plural, stdin=s.person.read, tell=s.person.warn)
    if not rows:
        raise UsageError(f"{where} has no rows", hint="columns: group,member")
    group, member = _columns(
        list(dict.fromkeys(header for row in rows for header in row)), resource.plural, target, where
    )
    pairs = [(str(row.get(group) or "").strip(), str(row.get(member) or "").strip()) for row in rows]
    empty = next((number for number, pair in enumerate(pairs, first_row(file)) if not all(pair)), None)
    if empty is not None:
        raise UsageError(f"row {empty} of {where} names not both", hint=f"{group} and {member}")
    owners = await names.resolve_all(s, resource.plural, [owner for owner, _ in pairs])
    members = await names.resolve_all(s, target, [one for _, one in pairs], there=True)
    wanted: dict[str, dict[str, None]] = {}
    for owner, one in pairs:
        wanted.setdefault(owners[owner], {})[members[one]] = None
    changes: list[Write] = []
    new, told = 0, {members[one]: one for _, one in pairs}
    same: list[Row] = []
    for before in await writes.read_objects(s, resource.plural, [*wanted]):
        have = list(cast("list[JsonObject]", before.get(prop.name) or []))
        after = _with(have, list(wanted[str(before["id"])]))
        inside = {str(item.get("id")) for item in have}
        there = ((uid, told[uid]) for uid in wanted[str(before["id"])] if uid in inside)
        same += left_out(target, there, f"there already: {called(before)}")
        new += len(after) - len(have)
        words = f"{prop.name}: {len(have):,} -> {len(after):,}"
        changes.append(Write(resource.plural, before, {**before, prop.name: cast("JsonValue", after)}, detail=words))
    title = f"add {counted(new, 'member')} to {prop.name} of {counted_objects(len(changes), resource.plural)}"
    notes = [f"{len(same):,} {'is' if len(same) == 1 else 'are'} there already"] if same else []
    made = writes.plan(title, changes, what=resource.plural, notes=notes)
    made.left_out = same
    return made


async def with_groups(s: Session, planned: Plan, accounts: Sequence[JsonObject], *, again: str) -> Plan:
    """A plan of creating accounts which puts them into their groups too; blocked where a group is not to be changed.

    Parameters:
        planned: creates the accounts.
        accounts: with their `userGroups`, which the plan leaves out.
        again: what finishes the rest where the write was cut off and nobody was to be in a group.

    Raises `NotFound` for a group that is gone.
    """
    wanted: dict[str, dict[str, str]] = {}
    for one in accounts:
        for uid in ids(cast("list[JsonValue]", one.get(USER_GROUPS) or [])):
            wanted.setdefault(uid, {})[str(one["id"])] = str(one["username"])
    changes = writes.changes_of(planned)
    barred: list[str] = []
    for before in await writes.read_objects(s, USER_GROUPS, [*wanted]) if wanted else []:
        new = wanted[str(before["id"])]
        members: list[JsonValue] = [*cast("list[JsonValue]", before.get("users") or []), *({"id": uid} for uid in new)]
        write = Write(USER_GROUPS, before, {**before, "users": members}, detail=f"users: + {listed(new.values(), 5)}")
        barred += [] if write.allowed else [write.called]
        changes.append(write)
    if wanted:  # the same line leaves out who is there, and would put nobody into a group
        again = f"dhis2 undo, and {again}"
    made = writes.plan(planned.title, changes, what="users", atomic=True, again=again, notes=planned.notes)
    made.left_out = planned.left_out
    if barred:
        made.blocked = Forbidden(f"you may not put accounts into {listed(barred)}", hint="leave the group out")
    return made


def _columns(headers: Sequence[str], plural: str, target: str, where: str) -> tuple[str, str]:
    """The column of the object and that of the member, by their headers. Raises `UsageError`."""
    found: dict[str, str] = {}
    for header in headers:
        text = plain(header).removesuffix("-uid").removesuffix("-id").removesuffix("-code").removesuffix("-name")
        for role, known in (("group", plural), ("member", target)):
            noun = nouns(known)[0].replace(" ", "-")
            if (
                text in {role, noun} or noun.endswith(f"-{text}")
            ) and role not in found:  # a unit is one of organisation
                found[role] = header
    if len(found) < 2 or len(headers) != 2:
        raise UsageError(
            f"{where} has the columns {', '.join(headers)}",
            hint=f"two columns: group or {nouns(plural)[0]}, and member or {nouns(target)[0]}",
        )
    return found["group"], found["member"]


async def _named(s: Session, plural: str, uids: Sequence[str]) -> list[tuple[str, str | None]]:
    """Objects by their UIDs and names; each has one, and of what the signed-in user may not see its UID stands for it."""
    rows = (await reading.by_uid(s.client, plural, uids, fields="id,name,displayName")).rows if uids else []
    known = {str(row["id"]): str(row.get("displayName") or row.get("name") or row["id"]) for row in rows}
    return [(uid, known.get(uid)) for uid in uids]


async def _resolved(s: Session, plural: str, items: Rows[Row]) -> list[str]:
    """The UIDs of members, each once."""
    texts = [str(row.get("id") or "") for row in items.plain()]
    if not all(texts) or not texts:
        raise UsageError("which members?", hint="UIDs, codes or unique names, or rows of a pipeline")
    resolved = await names.resolve_all(s, plural, texts)
    return list(dict.fromkeys(resolved[text] for text in texts))


def _with(have: Sequence[JsonObject], wanted: Sequence[str]) -> list[JsonObject]:
    uids = {str(item.get("id")) for item in have}
    return [*have, *({"id": member} for member in wanted if member not in uids)]


def _without(have: Sequence[JsonObject], wanted: Sequence[str]) -> list[JsonObject]:
    return [item for item in have if str(item.get("id")) not in wanted]
