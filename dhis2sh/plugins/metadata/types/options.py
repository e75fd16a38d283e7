"""`metadata options sync|find`: the options of a set from a file, and which set has an option."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh import tables, writes
from dhis2sh.errors import UsageError
from dhis2sh.results import Plan, Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.uids import generate_uid
from dhis2sh.verbs import Complete, Doc, Refers, applies, verb
from dhis2sh.writes import Write

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

OPTIONS, SETS = "options", "optionSets"


@verb(
    "metadata options sync",
    effect="destroy",
    examples=["dhis2 metadata options sync 'Vaccines' vaccines.csv --dry-run"],
)
async def sync(
    s: Session,
    option_set: Annotated[str, Doc("UID, code or unique name of the set."), Refers(SETS)],
    file: Annotated[Path, Doc("A table with code and name, in the order that they shall have."), Complete("files")],
    *,
    delete_missing: Annotated[bool, Doc("Delete the options of the set that the file has not.")] = False,
) -> Plan:
    """Make the options of a set those of a file: created, renamed and put in order; matched by code.

    API source: `POST /api/metadata`; options are deleted by it too, since `DELETE /api/options` leaves them (2.41, 2.42).
    """
    wanted = tables.read_rows(file, key=OPTIONS)
    codes = [str(row.get("code") or "") for row in wanted]
    if not all(codes) or len(set(codes)) != len(codes):
        raise UsageError(f"{file.name}: every row needs a code of its own", hint="columns: code,name")
    params: dict[str, Param] = {"filter": f"optionSet.id:eq:{option_set}", "fields": ":owner", "paging": False}
    known = {str(row.get("code")): row for row in (await s.client.list_page(OPTIONS, params)).rows}
    changes: list[Write] = []
    for number, row in enumerate(wanted, 1):
        before = known.get(codes[number - 1])
        own = {key: value for key, value in row.items() if key not in {"id", "optionSet"} and value not in (None, "")}
        start: JsonObject = before or {"id": generate_uid(), "optionSet": {"id": option_set}, "name": codes[number - 1]}
        changes.append(Write(OPTIONS, before, {**start, **own, "sortOrder": number}))
    extra = [row for code, row in known.items() if code not in set(codes)]
    notes: list[str] = []
    if delete_missing:
        changes += [Write(OPTIONS, row, None) for row in extra]
    elif extra:
        notes.append(f"{len(extra):,} options of the set are not in the file and stay (--delete-missing)")
    return writes.plan(
        f"make the options of {option_set} those of {file.name}", changes, what=OPTIONS, bundle=True, notes=notes
    )


applies(sync)(writes.apply)


@verb("metadata options find", effect="read", examples=["dhis2 metadata options find yes"])
async def find(s: Session, text: Annotated[str, Doc("A code, or part of a name.")]) -> Rows[Row]:
    """Find options by code or part of a name, with the set that each is in.

    API source: `GET /api/options`.
    """
    params: dict[str, Param] = {
        "filter": [f"code:eq:{text}", f"name:ilike:{text}"], "rootJunction": "OR", "paging": False,
        "fields": "id,code,displayName,sortOrder,optionSet[id,displayName]",
    }  # fmt: skip
    if "," in text:
        raise UsageError("a server cuts a search at its comma", hint="search for one part")
    rows: list[Row] = []
    for row in (await s.client.list_page(OPTIONS, params)).rows:
        held = cast("JsonObject", row.pop("optionSet", None) or {})
        rows.append({**row, "optionSet": held.get("id"), "optionSetName": held.get("displayName")})
    return Rows(rows, columns=["id", "code", "displayName", "optionSetName", "sortOrder"], resource=OPTIONS)
