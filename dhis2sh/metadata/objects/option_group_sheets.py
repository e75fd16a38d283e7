"""Option groups in the long form of DHIS2's own CSV metadata files: a row for each member, with its group and its option set.

API source: the metadata import of CSV, `classKey=OPTION_GROUP` (api-facts b.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.objects.sheets import plain
from dhis2sh.rows.rows import Rows
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

GROUPS = "optionGroups"
_COLUMNS = {
    "option-group-name": "name", "option-group-uid": "id", "option-group-code": "code",
    "option-group-short-name": "shortName", "option-set-uid": "set", "option-uid": "option", "option-code": "optionCode",
}  # fmt: skip
_OF_GROUP = ("id", "code", "shortName")


def is_long(rows: Sequence[Row]) -> bool:
    """Do the headers say that each row is a member with its group before it?"""
    headers = {plain(header) for header in rows[0]} if rows else set[str]()
    return "option-group-name" in headers and bool(headers & {"option-uid", "option-code"})


async def groups_of(s: Session, rows: Sequence[Row], where: str, first: int) -> Rows[JsonObject]:
    """The groups of the rows with their members, as rows of `optionGroups`; rows of one name are one group.

    Parameters:
        where: what the file is called in errors.
        first: the number of the first row.

    Raises `UsageError` for a column that the form has not, a row without a name or option set, rows that say different
    things of one group, and an option that its set has not: DHIS2's own import leaves such rows out without a word.
    """
    unknown = sorted({header for row in rows for header in row if plain(header) not in _COLUMNS})
    if unknown:
        hint = "OptionGroupName, OptionGroupUID, OptionGroupCode, OptionGroupShortName, OptionSetUID, OptionUID, OptionCode"
        raise UsageError(f"{where}: a row for each member has no column {', '.join(unknown)}", hint=hint)
    told = [_cells(row, number, where) for number, row in enumerate(rows, first)]
    sets = await names.resolve_all(s, "optionSets", [cells["set"] for cells in told])
    options = await _options(s, sorted(set(sets.values())))
    found: dict[str, JsonObject] = {}
    for number, cells in enumerate(told, first):
        owner = sets[cells["set"]]
        group = found.setdefault(cells["name"], {"name": cells["name"], "optionSet": owner, "options": []})
        for key, value in (("optionSet", owner), *((key, cells[key]) for key in _OF_GROUP if key in cells)):
            if group.setdefault(key, value) != value:
                said = f"the {key} of '{cells['name']}' is {value} here, {group[key]} above"
                raise UsageError(f"row {number} of {where}: {said}", hint="rows of one name are one group")
        option = options.get((owner, cells.get("option") or cells.get("optionCode", "")))
        if option is None:
            wanted = cells.get("option") or cells.get("optionCode") or "nothing"
            hint = f"dhis2 metadata options find {owner}"
            raise UsageError(
                f"row {number} of {where}: the option set '{cells['set']}' has no option '{wanted}'", hint=hint
            )
        members = cast("list[JsonValue]", group["options"])
        members += [option] if option not in members else []
    return Rows(found.values())


def _cells(row: Row, number: int, where: str) -> dict[str, str]:
    texts = {_COLUMNS[plain(header)]: str(value).strip() for header, value in row.items() if value is not None}
    cells = {key: text for key, text in texts.items() if text}
    missing = [title for title, key in (("OptionGroupName", "name"), ("OptionSetUID", "set")) if key not in cells]
    if missing:
        raise UsageError(
            f"row {number} of {where} has no {', '.join(missing)}", hint="each row names group and option set"
        )
    return cells


async def _options(s: Session, sets: Sequence[str]) -> dict[tuple[str, str], str]:
    """The UIDs of the options of some sets, by set and their own UID or code."""
    found: dict[tuple[str, str], str] = {}
    for uid in sets:
        for option in await writes.read_all(s, "options", [f"optionSet.id:eq:{uid}"], fields="id,code"):
            found[uid, str(option["id"])] = str(option["id"])
            found.setdefault((uid, str(option.get("code"))), str(option["id"]))
    return found
