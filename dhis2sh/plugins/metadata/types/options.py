"""`metadata options sync|find`: the options of a set from a file, and which set has an option."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.types.options import (
    OPTIONS,
    SETS,
    alike,
    check_codes,
    check_passed_on,
    counts_of,
    numbered,
    position_of,
    read_options,
)
from dhis2sh.metadata.writes import Write, called
from dhis2sh.rows import tables
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Complete, Doc, Refers, applies, verb
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param


@verb(
    "metadata options sync",
    effect="destroy",
    examples=[
        "dhis2 metadata options sync 'Vaccines' vaccines.csv --dry-run",
        "dhis2 metadata options sync 'Vaccines' - --delete-missing --dry-run < vaccines.csv",
    ],
)
async def sync(
    s: Session,
    option_set: Annotated[str, Doc("UID, code or unique name of the set."), Refers(SETS)],
    file: Annotated[
        Path, Doc("A table with code and name, in the order that they shall have; - is stdin."), Complete("files")
    ],
    *,
    delete_missing: Annotated[bool, Doc("Delete the options of the set that the file has not.")] = False,
) -> Plan:
    """Make the options of a set those of a file: created, renamed and put in order.

    They are matched by the id of a row where it has one, else by code. A second run changes nothing. Data that hold the code of an option that is deleted or gets another code keep it.

    API source: `POST /api/metadata`; options are deleted by it too, since `DELETE /api/options` leaves them (2.41, 2.42).
    """
    [owner] = await writes.read_objects(s, SETS, [option_set], fields="id,name,valueType")
    wanted = await read_options(s, file)
    params: dict[str, Param] = {"filter": f"optionSet.id:eq:{option_set}", "fields": ":owner", "paging": False}
    there = sorted((await s.client.list_page(OPTIONS, params)).rows, key=position_of)
    check_codes(wanted, there, str(owner.get("valueType")), file)
    by_code = {str(row.get("code")): row for row in there}
    by_uid = {str(row["id"]): row for row in there}
    pairs: list[tuple[JsonObject | None, JsonObject]] = []
    for row in wanted:
        before = by_uid.get(str(row["id"])) if "id" in row else by_code.get(str(row.get("code")))
        if before is None and "id" in row:
            raise UsageError(
                f"{tables.name_of(file)}: no option of {called(owner)} has the id {row['id']}", hint="leave it out"
            )
        start: JsonObject = before or {"id": generate_uid(), "optionSet": {"id": option_set}, "name": row["code"]}
        pairs.append((before, {**start, **row}))
    kept = {str(after["id"]) for _, after in pairs}
    extra = [row for row in there if str(row["id"]) not in kept]
    if not delete_missing:
        pairs += [(row, row) for row in extra]
    numbers = numbered(there, [str(after["id"]) for _, after in pairs])
    changes = [
        Write(OPTIONS, before, {**after, "sortOrder": number})
        for (before, after), number in zip(pairs, numbers, strict=True)
    ]
    check_passed_on(changes, there)
    notes = [*counts_of(changes), *alike(changes, extra)]
    if delete_missing:
        changes += [Write(OPTIONS, row, None) for row in extra]
    elif extra:
        named = listed(str(row.get("name")) for row in extra)
        notes.append(f"not in the file, they stay at the end (--delete-missing deletes them): {named}")
    title = f"make the options of {called(owner)} those of {tables.name_of(file)}"
    return writes.plan(title, changes, what=OPTIONS, bundle=True, notes=notes)


applies(sync)(writes.apply)


@verb(
    "metadata options find",
    effect="read",
    examples=["dhis2 metadata options find yes", "dhis2 metadata options find oral --option-set 'Vaccine type'"],
)
async def find(
    s: Session,
    text: Annotated[str, Doc("A code, or part of a name.")],
    *,
    option_set: Annotated[str | None, Doc("Only in this set."), Refers(SETS)] = None,
) -> Rows[Row]:
    """Find options by code or part of a name, with the set that each is in.

    API source: `GET /api/options`.
    """
    piece = max(text.replace("[", ",").replace("]", ",").split(","), key=len).strip()  # a server cuts a value there
    params: dict[str, Param] = {
        "filter": [f"code:ilike:{piece}", f"name:ilike:{piece}"], "rootJunction": "OR", "paging": False,
        "fields": "id,code,name,displayName,sortOrder,optionSet[id,displayName]",
    }  # fmt: skip
    rows: list[Row] = []
    for row in (await s.client.list_page(OPTIONS, params)).rows:
        held = cast("JsonObject", row.pop("optionSet", None) or {})
        name, code = str(row.pop("name", "")), str(row.get("code"))
        if (text.casefold() in name.casefold() or text.casefold() == code.casefold()) and (
            option_set is None or option_set == held.get("id")
        ):
            rows.append({**row, "optionSet": held.get("id"), "optionSetName": held.get("displayName")})
    rows.sort(key=lambda row: (str(row["optionSetName"]), cast("int", row.get("sortOrder") or 0)))
    return Rows(rows, columns=["id", "code", "displayName", "optionSetName", "sortOrder"], resource=OPTIONS)
