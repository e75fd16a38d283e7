"""The options of a set as the rows of a file: read, checked, put in order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.metadata import values, writes
from dhis2sh.metadata.objects.deleting import deletion
from dhis2sh.metadata.write import Write, called
from dhis2sh.rows import tables
from dhis2sh.rows.given import Source
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

OPTIONS, SETS = "options", "optionSets"


async def plan_sync(s: Session, option_set: str, file: Source, *, delete_missing: bool) -> Plan:
    """The plan that makes the options of a set those of a file.

    Parameters:
        option_set: its UID.
        file: a table with code and name, in the order wanted; `-` is standard input.
        delete_missing: delete the options that the file has not; without it they stay at the end.

    Raises `UsageError` for what cannot be in a set, or not in one import.
    """
    [owner] = await writes.read_objects(s, SETS, [option_set], fields="id,name,valueType")
    wanted = await _read_options(s, file)
    params: dict[str, Param] = {"filter": f"optionSet.id:eq:{option_set}", "fields": ":owner", "paging": False}
    there = sorted((await s.client.list_page(OPTIONS, params)).rows, key=_position)
    _check_codes(wanted, there, str(owner.get("valueType")), file)
    pairs = _paired(owner, option_set, wanted, there, tables.name_of(file))
    kept = {str(after["id"]) for _, after in pairs}
    extra = [row for row in there if str(row["id"]) not in kept]
    if not delete_missing:
        pairs += [(row, row) for row in extra]
    numbers = _numbered(there, [str(after["id"]) for _, after in pairs])
    changes = [
        Write(OPTIONS, before, {**after, "sortOrder": number})
        for (before, after), number in zip(pairs, numbers, strict=True)
    ]
    _check_passed_on(changes, there)
    notes = [*_counts(changes), *_alike(changes, extra)]
    if delete_missing:
        gone = await deletion(s, {OPTIONS: extra})
        changes += gone.writes
        notes += gone.notes
    elif extra:
        named = listed(str(row.get("name")) for row in extra)
        notes.append(f"not in the file, they stay at the end (--delete-missing deletes them): {named}")
    title = f"make the options of {called(owner)} those of {tables.name_of(file)}"
    return writes.plan(title, changes, what=OPTIONS, bundle=True, notes=notes)


def _paired(
    owner: JsonObject, option_set: str, wanted: Sequence[JsonObject], there: Sequence[JsonObject], where: str
) -> list[tuple[JsonObject | None, JsonObject]]:
    """Each option wanted, as it is and as it shall be: found by its id where a row has one, else by code."""
    by_code = {str(row.get("code")): row for row in there}
    by_uid = {str(row["id"]): row for row in there}
    pairs: list[tuple[JsonObject | None, JsonObject]] = []
    for row in wanted:
        before = by_uid.get(str(row["id"])) if "id" in row else by_code.get(str(row.get("code")))
        if before is None and "id" in row:
            raise UsageError(f"{where}: no option of {called(owner)} has the id {row['id']}", hint="leave it out")
        start: JsonObject = before or {"id": generate_uid(), "optionSet": {"id": option_set}, "name": row["code"]}
        pairs.append((before, {**start, **row}))
    return pairs


async def _read_options(s: Session, file: Source) -> list[JsonObject]:
    """The rows of a file as options. Raises `UsageError` that names every wrong row, and the nearest of an unknown column."""
    resource = await schema.resource_of(s.client, OPTIONS)
    rows = tables.read_rows(file, key=OPTIONS, stdin=s.person.read, plain=True, tell=s.person.warn)
    if not rows:
        raise UsageError(f"{tables.name_of(file)} has no rows", hint="columns: code,name")
    for header in dict.fromkeys(header for row in rows for header in row):
        values.property_of(resource, header.partition(".")[0])
    reader = await values.reader_of(s, resource)
    read = [reader.read(row, f"row {number}") for number, row in enumerate(rows, _first_row(file))]
    reader.check()
    for number, row in enumerate(read, _first_row(file)):
        row.pop("optionSet", None)
        row.pop("sortOrder", None)  # the order of the rows says it
        row |= {key: row[key].strip() for key in ("code", "name") if isinstance(row.get(key), str)}  # type: ignore[union-attr]
        if "code" not in row and "id" not in row:
            hint = did_you_mean("code", [*rows[0]]) if "code" not in rows[0] else None
            raise UsageError(f"row {number} of {tables.name_of(file)} has no code", hint=hint or "columns: code,name")
    return read


def _first_row(file: Source) -> int:
    """The number of the first row as a sheet shows it: a header is before it."""
    return 2 if isinstance(file, Path) and file.suffix.lower() in {".csv", ".tsv", ".txt", ".xlsx", ""} else 1


def _check_codes(wanted: Sequence[JsonObject], there: Sequence[JsonObject], value_type: str, file: Source) -> None:
    """Raise `UsageError` for a code or name that is there twice, and for a code that the set's value type does not take."""
    for key in ("code", "name"):
        seen: dict[str, int] = {}
        for number, row in enumerate(wanted, _first_row(file)):
            text = str(row.get(key) or "")
            if text and text in seen:
                raise UsageError(
                    f"{tables.name_of(file)}: rows {seen[text]} and {number} have the same {key} '{text}'",
                    hint=f"each {key} once",
                )
            seen[text] = number
    codes = {str(row.get("code")) for row in there}
    strange = [
        str(row["code"])
        for row in wanted
        if "code" in row and row["code"] not in codes and not _fits(str(row["code"]), value_type)
    ]
    if strange:
        raise UsageError(
            f"the set holds {value_type}: no code of it can be {listed(strange)}", hint="correct the codes"
        )


def _check_passed_on(changes: Sequence[Write], there: Sequence[JsonObject]) -> None:
    """Raise `UsageError` for a code or name that an option takes over from another one of the set.

    A server compares with the set as it was before the import, and refuses that (E4028), also where the other goes.
    """
    for key in ("code", "name"):
        holders = {str(row.get(key)): row for row in there}
        for write in changes:
            text = str((write.after or {}).get(key))
            other = holders.get(text)
            if other is not None and other["id"] != write.uid and (write.before or {}).get(key) != text:
                code, slip = str((write.after or {}).get("code")), str(other.get("code"))
                raise UsageError(
                    f"'{text}' is the {key} of {called(other)} now: a server refuses to give it to {called(write.after or {})} "
                    "in the same import (E4028)",
                    hint=f"did you mean the code '{slip}'?"
                    if _bare(code) == _bare(slip)
                    else f"give the one that has it another {key}, or delete it, and run this again",
                )


def _fits(code: str, value_type: str) -> bool:
    """Is a code a value of the set's type? Texts take any."""
    if value_type in {"INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "NUMBER"}:
        try:
            number = float(code)
        except ValueError:
            return False
        return value_type == "NUMBER" or number.is_integer()
    return True


def _position(row: JsonObject) -> int:
    """Where an option stands in its set; 0 where nothing says so."""
    return cast("int", row.get("sortOrder") or 0)


def _numbered(there: Sequence[JsonObject], wanted: Sequence[str]) -> list[int]:
    """The sort orders of options in the order wanted: as they are where that is the order already, else counted anew.

    Parameters:
        there: the options of the set, in order; some servers count from 0.
        wanted: UIDs.
    """
    known = {str(row["id"]): _position(row) for row in there}
    first = min(known.values(), default=1)
    as_is = [known.get(uid) for uid in wanted]
    numbers = [number for number in as_is if number is not None]
    if len(numbers) == len(as_is) and all(a < b for a, b in pairwise(numbers)):
        return numbers
    return [*range(first, first + len(wanted))]


def _counts(changes: Sequence[Write]) -> list[str]:
    """What happens to the options, in one line."""
    new = sum(write.before is None for write in changes)
    changed = [write.changed()[1] or {} for write in changes if write.before is not None]
    moved = sum(set(after) == {"sortOrder"} for after in changed)
    edited = sum(bool(set(after) - {"sortOrder"}) for after in changed)
    recoded = sum("code" in after for after in changed)
    parts = [
        f"{number:,} {word}" for number, word in ((new, "new"), (edited, "changed"), (moved, "only moved")) if number
    ]
    notes = [", ".join(parts)] if parts else []
    if recoded:
        notes.append(
            f"{counted(recoded, 'code')} change: data that hold the old one keep it, and do not match any more"
        )
    return notes


def _alike(changes: Sequence[Write], extra: Sequence[JsonObject]) -> list[str]:
    """New codes that differ from an old one, which the file has not, by capitals or spaces only: most likely a slip."""
    old = {_bare(str(row.get("code"))): str(row.get("code")) for row in extra}
    new = [str((write.after or {}).get("code")) for write in changes if write.before is None]
    pairs = [(code, old.get(_bare(code))) for code in new]
    return [f"the new code '{code}' looks like '{known}', which the file has not" for code, known in pairs if known]


def _bare(code: str) -> str:
    """A code without what is easily mistyped."""
    return "".join(code.split()).casefold()
