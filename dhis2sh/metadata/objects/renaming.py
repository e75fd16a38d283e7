"""New names for many objects: what the options of a renaming make of a name, and why it cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.client.reading import MANY
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import chosen, titled, uids_of
from dhis2sh.metadata.made_by_server import check_by_hand
from dhis2sh.metadata.write import Write, called
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


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


async def plan_renaming(
    s: Session,
    type: str,
    objects: Rows[Row] | None,
    filters: Sequence[str],
    field: str,
    new_name: Callable[[str], str],
    *,
    from_nothing: bool,
    everything: bool,
    concurrency: int,
) -> Plan:
    """The plan of a renaming; what would be too long or collide is left out and noted.

    Parameters:
        type: the plural.
        objects, filters, everything: what chooses the objects, see `chosen`.
        field: what changes, such as `name`.
        new_name: what becomes of a text.
        from_nothing: objects without the text get one too.
        concurrency: how many imports run at once.

    Raises `UsageError` where the type has no such field.
    """
    async with s.client.assuming("2.42"):  # what is asked of the type is the same in every version: no request for it
        resource = await schema.resource_of(s.client, type)
        if field != "code":
            check_by_hand(resource, "rename")
        if field not in resource.properties:
            raise UsageError(f"{resource.plural} have no {field}", hint=f"dhis2 metadata describe {resource.plural}")
        found, others = await _with_names(s, resource, objects, filters, field, everything=everything)
    pairs: list[Write] = []
    notes: list[str] = []
    again: str | None = None
    taken = {value: uid for uid, value in others.items()}
    for before in found:
        old = cast("str | None", before.get(field))
        if old is None and not from_nothing:
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
    if objects is not None and unique and len(uids_of(objects)) > MANY:
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
