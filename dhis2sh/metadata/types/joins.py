"""Join rows (`collections.Join`) are added, taken out and put in order by one function each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from dhis2sh.changes.plan import Plan
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.collections import Join
from dhis2sh.metadata.write import Write, called
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs import names
from dhis2sh.words import counted_objects, kebab, listed, nouns

MOST_NAMED = 5
"""So many objects are named in a plan's line; the rest is counted."""


async def add(
    s: Session,
    join: Join,
    owner: str,
    texts: Sequence[str],
    extra: Mapping[str, JsonValue],
    *,
    told: str | None = None,
    notes: Sequence[str] = (),
) -> Plan:
    """A plan that adds rows, or changes what those that are there say.

    Parameters:
        owner: UID of the object that gets the rows.
        texts: UIDs, codes or unique names of what they refer to.
        extra: what each row says besides; None is left out.
        told: `extra` in words, where its keys do not say it.
        notes: what the user should know besides.
    """
    if not texts:
        raise UsageError(f"which {nouns(join.target)[1]}?", hint=f"UIDs, codes or unique names of {join.target}")
    named = await _named(s, join.target, texts)
    [before] = await writes.read_objects(s, join.owner, [owner])
    rows = join.rows(before)
    given = {key: value for key, value in extra.items() if value is not None}
    new, changed = _differing(join, rows, named, given)
    after = [{**row, **given} if join.uid_of(row) in named else row for row in rows]
    after += [cast("JsonObject", {join.item: {"id": uid}, **given}) for uid in new]
    does = [
        f"{verb} {listed((named[uid] for uid in uids), MOST_NAMED)}"
        for verb, uids in (("adds", new), ("changes", changed))
        if uids
    ]
    words = told or ", ".join(_said(key, value) for key, value in given.items())
    detail = "; ".join(does) + (f" ({words})" if words else "")
    there = [name for uid, name in named.items() if uid not in {*new, *changed}]
    told_there = [f"{listed(there, MOST_NAMED)} there already"] if there and does else []
    return _plan(
        join, before, after, f"add {counted_objects(len(named), join.target)} to", detail, [*notes, *told_there]
    )


def _differing(
    join: Join, rows: Sequence[JsonObject], named: Collection[str], given: Mapping[str, JsonValue]
) -> tuple[list[str], list[str]]:
    """The UIDs of objects that no row is about yet, and of those whose row says something else than is given."""
    known = {join.uid_of(row): row for row in rows}
    new = [uid for uid in named if uid not in known]
    return new, [uid for uid in named if uid in known and known[uid] != {**known[uid], **given}]


def _said(key: str, value: JsonValue) -> str:
    """What a row says besides: `compulsory`, `not searchable`."""
    word = kebab(key).replace("-", " ")
    return word if value is True else f"not {word}" if value is False else f"{word} {value}"


async def remove(s: Session, join: Join, owner: str, texts: Sequence[str]) -> Plan:
    """A plan that takes rows out. Raises `UsageError` for what is not there."""
    named = await _named(s, join.target, texts)
    [before] = await writes.read_objects(s, join.owner, [owner])
    rows = join.rows(before)
    _check_there(before, named, {join.uid_of(row) for row in rows}, join.property)
    return _plan(
        join,
        before,
        [row for row in rows if join.uid_of(row) not in named],
        f"take {counted_objects(len(named), join.target)} out of",
        f"takes out {listed(named.values(), MOST_NAMED)}",
    )


async def reorder(s: Session, plural: str, property: str, owner: str, texts: Sequence[str], target: str) -> Plan:
    """A plan that puts a collection in an order; what is not named stays behind in the order that it has.

    Parameters:
        plural, property: the type and the collection: plain references, or rows that refer to objects.
        owner: UID of the object.
        texts: UIDs, codes or unique names, in the order wanted.
        target: the type of what is put in order.
    """
    named = await _named(s, target, texts)
    [before] = await writes.read_objects(s, plural, [owner])
    items = cast("list[JsonObject]", before.get(property) or [])
    by_uid = {_referred(item, target): item for item in items}
    _check_there(before, named, by_uid, property)
    rest = [item for uid, item in by_uid.items() if uid not in named]
    ordered = [*(by_uid[uid] for uid in named), *rest]
    numbered = [{**item, "sortOrder": at} if "sortOrder" in item else item for at, item in enumerate(ordered, 1)]
    before = {**before, property: cast("JsonValue", items)}
    unchanged = [_referred(item, target) for item in ordered] == [*by_uid]
    after = before if unchanged else {**before, property: cast("JsonValue", numbered)}
    detail = listed(named.values(), MOST_NAMED) + (f", then {len(rest):,} as they are" if rest else "")
    title = f"put the {nouns(target)[1]} of {called(before)} in order"
    return writes.plan(title, [Write(plural, before, after, detail=detail)], what=plural)


async def _named(s: Session, plural: str, texts: Sequence[str]) -> dict[str, str]:
    """Objects in the order in which they are named, each once: UID and name."""
    resolved = await names.resolve_all(s, plural, texts)
    uids = [resolved[text] for text in texts]
    rows = await writes.read_objects(s, plural, uids, fields="id,name")
    return {str(row["id"]): str(row.get("name")) for row in rows}


def _check_there(owner: JsonObject, named: Mapping[str, str], there: Collection[str], property: str) -> None:
    missing = [f"{name} [{uid}]" for uid, name in named.items() if uid not in there]
    if missing:
        raise UsageError(
            f"not in {called(owner)}: {listed(missing, MOST_NAMED)}",
            hint=f"see its {property}: dhis2 what {owner['id']}",
        )


def _referred(item: JsonObject, target: str) -> str:
    """The UID of an item, or of the object of a type that a row refers to."""
    held = item.get(target.removesuffix("s"))
    return str((held if isinstance(held, dict) else item).get("id"))


def _plan(
    join: Join, before: JsonObject, after: Sequence[JsonObject], title: str, detail: str, notes: Sequence[str] = ()
) -> Plan:
    clean = {**before, join.property: cast("JsonValue", join.rows(before))}
    changed = {**clean, join.property: cast("JsonValue", list(after))}
    write = Write(join.owner, clean, changed, detail=detail)
    return writes.plan(f"{title} {nouns(join.owner)[0]} {called(before)}", [write], what=join.owner, notes=notes)
