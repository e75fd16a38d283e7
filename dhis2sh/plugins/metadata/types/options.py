"""`metadata options sync|find`: the options of a set from a file, and which set has an option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.metadata.types.options import (
    OPTIONS,
    SETS,
    plan_sync,
)
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.declaration import Complete, Doc, Refers, verb

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
        Source, Doc("A table with code and name, in the order that they shall have; - is stdin."), Complete("files")
    ],
    *,
    delete_missing: Annotated[bool, Doc("Delete the options of the set that the file has not.")] = False,
) -> Plan:
    """Make the options of a set those of a file: created, renamed and put in order.

    They are matched by the id of a row where it has one, else by code. A second run changes nothing. Data that hold the code of an option that is deleted or gets another code keep it.

    API source: `POST /api/metadata`; options are deleted by it too, since `DELETE /api/options` leaves them (2.41, 2.42).
    """
    return await plan_sync(s, option_set, file, delete_missing=delete_missing)


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
