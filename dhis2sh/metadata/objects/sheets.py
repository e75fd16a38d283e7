"""Rows of a file as objects of one type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh.errors import UsageError
from dhis2sh.files import parse_json
from dhis2sh.metadata import values
from dhis2sh.metadata.geometry import Noticed, checked
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.tables import read_rows
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.words import joined, kebab

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
    rows = read_rows(source, key=resource.plural, stdin=stdin, plain=True, tell=notes.append)
    if not rows:
        raise UsageError(f"{'there are' if isinstance(source, Rows) else f'{source} has'} no rows")
    noticed = Noticed()
    rows = [_as_properties(resource, row, noticed) for row in rows]
    notes += noticed.notes()
    headers = {header for row in rows for header in row}
    values.check_headers(resource, headers, version)
    computed = sorted(header for header in headers if _is_computed(resource, header))
    notes += (
        [f"left out {joined(computed)}: the server makes {'it' if len(computed) == 1 else 'them'}"] if computed else []
    )
    return [
        (number, {k: v for k, v in row.items() if k not in computed})
        for number, row in enumerate(rows, first_row(source))
    ]


def first_row(source: Source) -> int:
    """The number of the first row as a sheet shows it: a header is before it."""
    return 2 if isinstance(source, Path) and source.suffix.lower() in {".csv", ".tsv", ".txt", ".xlsx"} else 1


OF_IMPORTS: Mapping[str, str] = {
    "uid": "id", "aggregation-operator": "aggregationType", "category-combination": "categoryCombo",
    "category-combo": "categoryCombo",
}  # fmt: skip
"""What DHIS2's own CSV metadata files call a property otherwise; `... UID` stands behind what refers to another object.

API source: the metadata import of CSV (`classKey`).
"""


def _as_properties(resource: Resource, row: JsonObject, noticed: Noticed) -> JsonObject:
    """A row whose columns are called as in DHIS2's own CSV files, by the names of the properties."""
    found: JsonObject = {}
    shape = {
        plain(header): header for header in row if plain(header) in _OF_SHAPE and "geometry" in resource.properties
    }
    for header, value in row.items():
        if header in shape.values():
            continue
        name = _as_property(resource, header)
        if name in found:
            raise UsageError(f"two columns say the {name} of {resource.plural}", hint="leave one of them in the sheet")
        found[name] = value
    if shape:
        if "geometry" in found:
            raise UsageError("geometry and coordinates say the same", hint="leave one of them in the sheet")
        found["geometry"] = _shape_of(
            row.get(shape.get("feature-type", "")), row.get(shape.get("coordinates", "")), noticed
        )
    return found


def _shape_of(kind: JsonValue, coordinates: JsonValue, noticed: Noticed) -> JsonValue:
    """The geometry of two cells, None where they are empty. Raises `UsageError`."""
    name, text = str(kind or "").strip().upper().replace(" ", "_"), str(coordinates or "").strip()
    if not text:
        return None
    if name not in _SHAPES:
        raise UsageError(
            f"the feature type of {text[:40]} is '{kind or ''}'", hint=f"it is one of {', '.join(_SHAPES)}"
        )
    shape: JsonObject = {"type": _SHAPES[name], "coordinates": parse_json(text, "a cell of coordinates")}
    return checked(shape, f"the geometry {text[:40]}", text[:40], noticed)


_OF_SHAPE = {"feature-type", "coordinates"}
_SHAPES = {"POINT": "Point", "POLYGON": "Polygon", "MULTI_POLYGON": "MultiPolygon", "MULTIPOLYGON": "MultiPolygon"}
"""How CSV files call the type of a unit's geometry."""
_SIDE = re.compile(r"(left|right)-side-(expression|description|missing-value-strategy)")


def plain(header: str) -> str:
    """A header in one spelling, whatever its case and blanks: `option-set-name`."""
    return kebab(header.strip().replace("UID", "Uid").replace(" ", "-").replace("_", "-")).replace("--", "-")


def _as_property(resource: Resource, header: str) -> str:
    text = plain(header)
    if (side := _SIDE.fullmatch(text)) and f"{side[1]}Side" in resource.properties:
        first, *others = side[2].split("-")
        return f"{side[1]}Side.{first}{''.join(map(str.capitalize, others))}"
    name = OF_IMPORTS.get(text) or OF_IMPORTS.get(text.removesuffix("-uid"))
    if name is None and text.endswith("-uid"):
        wanted = text.removesuffix("-uid")
        name = next((one for one, prop in resource.properties.items() if kebab(one) == wanted and prop.reference), None)
    return name if name is not None and name in resource.properties else header


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
            reader.put_given(item, path, value, where)
    return item
