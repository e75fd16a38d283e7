"""Rows of a file as objects of one type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh.errors import UsageError
from dhis2sh.metadata import values
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.tables import read_rows
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


def rows_of(
    resource: Resource, source: Source | None, version: str, stdin: Callable[[], str | None], notes: list[str]
) -> list[tuple[int, JsonObject]]:
    """The rows of a file with the numbers that a sheet shows, or those that are there; one empty row without any.

    Parameters:
        stdin: reads standard input; `notes` gets what was left out.
    """
    if source is None:
        return [(1, {})]
    rows = read_rows(source, key=resource.plural, stdin=stdin, plain=True)
    if not rows:
        raise UsageError(f"{'there are' if isinstance(source, Rows) else f'{source} has'} no rows")
    first = 2 if isinstance(source, Path) and source.suffix.lower() in {".csv", ".tsv", ".xlsx"} else 1
    headers = {header for row in rows for header in row}
    values.check_headers(resource, headers, version)
    computed = sorted(header for header in headers if _is_computed(resource, header))
    notes += (
        [f"left out {joined(computed)}: the server makes {'it' if len(computed) == 1 else 'them'}"] if computed else []
    )
    return [(number, {k: v for k, v in row.items() if k not in computed}) for number, row in enumerate(rows, first)]


def _is_computed(resource: Resource, header: str) -> bool:
    """Does a server make this of others (`displayName`)? A list has such columns, and nobody can write them."""
    found = resource.properties.get(header)
    return found is not None and not found.writable and not found.persisted


def read_row(
    reader: values.Reader, row: JsonObject, given: Mapping[str, JsonValue], texts: Sequence[str], where: str
) -> JsonObject:
    """One row as an object, with the properties that hold for all; problems stay with the reader."""
    item = reader.read(row, where)
    for path, value in [*given.items(), *values.pairs(texts)]:
        if value is not None:
            reader.put(item, path, value, where)
    return item
