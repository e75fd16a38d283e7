"""Join collections as data: rows that hold a reference and say something about it.

A data set holds its elements as `dataSetElements[{dataElement, categoryCombo}]`, a program its attributes with
`mandatory` and `searchable`. Adding and removing such rows is one function for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from dhis2sh import names, writes
from dhis2sh.errors import UsageError
from dhis2sh.results import Plan
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.writes import Write


@dataclass(frozen=True, slots=True)
class Join:
    """A collection of rows that refer to objects.

    Parameters:
        owner: the type that holds it; property: its name there.
        item: the property of a row that refers to the object; target: that object's type.
        back: the property of a row that refers to the owner; a server gives it and refuses it back (quirk D4).
    """

    owner: str
    property: str
    item: str
    target: str
    back: str | None = None

    def uid_of(self, row: JsonValue) -> str:
        """The object that a row is about."""
        held = cast("JsonObject", row).get(self.item)
        return str(cast("JsonObject", held or {}).get("id"))

    def rows(self, body: Mapping[str, JsonValue]) -> list[JsonObject]:
        """The rows of an object, without the arrow back to it."""
        found = cast("list[JsonObject]", body.get(self.property) or [])
        return [{key: value for key, value in row.items() if key != self.back} for row in found]


async def add(s: Session, join: Join, owner: str, texts: Sequence[str], extra: Mapping[str, JsonValue]) -> Plan:
    """A plan that adds rows, or changes what those that are there say.

    Parameters:
        owner: UID of the object that gets the rows.
        texts: UIDs, codes or unique names of what they refer to.
        extra: what each row says besides; None is left out.
    """
    if not texts:
        raise UsageError(f"which {join.target}?", hint=f"UIDs, codes or unique names of {join.target}")
    uids = list((await names.resolve_all(s, join.target, texts)).values())
    [before] = await writes.read_objects(s, join.owner, [owner])
    rows = join.rows(before)
    given = {key: value for key, value in extra.items() if value is not None}
    known = {join.uid_of(row) for row in rows}
    after = [{**row, **given} if join.uid_of(row) in uids else row for row in rows]
    after += [cast("JsonObject", {join.item: {"id": uid}, **given}) for uid in uids if uid not in known]
    return _plan(join, before, after, f"add {len(uids):,} {join.target} to")


async def remove(s: Session, join: Join, owner: str, texts: Sequence[str]) -> Plan:
    """A plan that takes rows out. Raises `UsageError` for what is not there."""
    uids = set((await names.resolve_all(s, join.target, texts)).values())
    [before] = await writes.read_objects(s, join.owner, [owner])
    rows = join.rows(before)
    missing = uids - {join.uid_of(row) for row in rows}
    if missing:
        raise UsageError(f"not in {before.get('name')}: {', '.join(sorted(missing))}", hint=f"see its {join.property}")
    return _plan(
        join, before, [row for row in rows if join.uid_of(row) not in uids], f"take {len(uids):,} {join.target} out of"
    )


async def reorder(s: Session, plural: str, property: str, owner: str, texts: Sequence[str], target: str) -> Plan:
    """A plan that puts a collection in an order; what is not named stays behind in the order that it has."""
    uids = list((await names.resolve_all(s, target, texts)).values())
    [before] = await writes.read_objects(s, plural, [owner])
    items = cast("list[JsonObject]", before.get(property) or [])
    by_uid = {_any_uid(item): item for item in items}
    missing = [uid for uid in uids if uid not in by_uid]
    if missing:
        raise UsageError(f"not in {before.get('name')}: {', '.join(missing)}", hint=f"see its {property}")
    ordered = [by_uid[uid] for uid in uids] + [item for item in items if _any_uid(item) not in set(uids)]
    numbered = [{**item, "sortOrder": at} if "sortOrder" in item else item for at, item in enumerate(ordered, 1)]
    after = {**before, property: cast("JsonValue", numbered)}
    return writes.plan(f"reorder {property} of {before.get('name')}", [Write(plural, before, after)], what=plural)


def _any_uid(item: JsonObject) -> str:
    """The UID of an item, or of what a row refers to."""
    held = next((value for value in item.values() if isinstance(value, dict) and "id" in value), None)
    return str((held or item).get("id"))


def _plan(join: Join, before: JsonObject, after: Sequence[JsonObject], title: str) -> Plan:
    clean = {**before, join.property: cast("JsonValue", join.rows(before))}
    changed = {**clean, join.property: cast("JsonValue", list(after))}
    return writes.plan(
        f"{title} {before.get('name')} [{before['id']}]", [Write(join.owner, clean, changed)], what=join.owner
    )
