"""Rows of a file as objects of one type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh.errors import UsageError
from dhis2sh.metadata import values
from dhis2sh.rows.tables import read_rows
from dhis2sh.types import JsonObject, JsonValue

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


def rows_of(resource: Resource, path: Path | None, version: str) -> list[tuple[int, JsonObject]]:
    """The rows of a file with the numbers that a sheet shows; one empty row without a file."""
    if path is None:
        return [(1, {})]
    rows = read_rows(path, key=resource.plural, plain=True)
    if not rows:
        raise UsageError(f"{path} has no rows")
    first = 2 if path.suffix.lower() in {".csv", ".tsv", ".xlsx"} else 1
    values.check_headers(resource, {header for row in rows for header in row}, version)
    return list(enumerate(rows, first))


def read_row(
    reader: values.Reader, row: JsonObject, given: Mapping[str, JsonValue], texts: Sequence[str], where: str
) -> JsonObject:
    """One row as an object, with the properties that hold for all; problems stay with the reader."""
    item = reader.read(row, where)
    for path, value in [*given.items(), *values.pairs(texts)]:
        if value is not None:
            reader.put(item, path, value, where)
    return item
