"""Option sets in the long form of DHIS2's own CSV metadata files: a row for each option, with its set before it.

API source: the metadata import of CSV, `classKey=OPTION_SET` (api-facts b.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError
from dhis2sh.metadata.objects.sheets import plain
from dhis2sh.types import JsonObject, Row

SETS, OPTIONS = "optionSets", "options"
_OF_SET = {"option-set-name": "name", "option-set-uid": "id", "option-set-code": "code"}
_OF_OPTION = {"option-name": "name", "option-uid": "id", "option-code": "code"}


@dataclass(slots=True)
class LongSet:
    """One set of such a file, and its options in their order."""

    row: JsonObject
    options: list[JsonObject] = field(default_factory=list["JsonObject"])


def is_long(rows: Sequence[Row]) -> bool:
    """Do the headers say that each row is an option with its set before it?"""
    headers = {plain(header) for header in rows[0]} if rows else set[str]()
    return "option-set-name" in headers and "option-code" in headers


def sets_of(rows: Sequence[Row], where: str, first: int) -> dict[str, LongSet]:
    """The sets of the rows by name; rows of one name are one set.

    Parameters:
        where: what the file is called in errors.
        first: the number of the first row.

    Raises `UsageError` for a column that the form has not, a row without a name or code, rows that say different things of
    one set, and two options of a set that share a UID, code or name.
    """
    _check_headers({header for row in rows for header in row}, where)
    found: dict[str, LongSet] = {}
    seen: dict[tuple[str, str, str], int] = {}
    for number, row in enumerate(rows, first):
        owner, option = _part(row, _OF_SET), _part(row, _OF_OPTION)
        missing = [
            title
            for title, part, key in (
                ("OptionSetName", owner, "name"), ("OptionName", option, "name"), ("OptionCode", option, "code"),
            )
            if not part.get(key)
        ]  # fmt: skip
        if missing:
            raise UsageError(f"row {number} of {where} has no {', '.join(missing)}", hint="each row names both")
        name = str(owner["name"])
        known = found.setdefault(name, LongSet(owner))
        for key, value in owner.items():
            if known.row.setdefault(key, value) != value:
                raise UsageError(
                    f"row {number} of {where}: the {key} of '{name}' is {value} here, {known.row[key]} above",
                    hint="rows of one name are one set",
                )
        for key, value in option.items():
            of = "" if key == "id" else name
            if (before := seen.setdefault((of, key, str(value)), number)) != number:
                raise UsageError(
                    f"{where}: rows {before} and {number} have the same option {key} '{value}'", hint=f"each {key} once"
                )
        if "id" in option and not is_uid(str(option["id"])):
            raise UsageError(
                f"row {number} of {where}: '{option['id']}' is no UID", hint="leave it empty for a new one"
            )
        known.options.append(option)
    return found


def _check_headers(headers: Iterable[str], where: str) -> None:
    known = {*_OF_SET, *_OF_OPTION}
    unknown = sorted(header for header in headers if plain(header) not in known)
    if unknown:
        raise UsageError(
            f"{where}: a row for each option has no column {', '.join(unknown)}",
            hint="OptionSetName, OptionSetUID, OptionSetCode, OptionName, OptionUID, OptionCode",
        )


def _part(row: Row, columns: Mapping[str, str]) -> JsonObject:
    """The cells of a row that are of the set, or of the option; empty ones left out."""
    cells = {columns[plain(header)]: value for header, value in row.items() if plain(header) in columns}
    texts = {key: str(value).strip() for key, value in cells.items() if value is not None}
    return {key: text for key, text in texts.items() if text}
