"""Rows without objects in their cells: `parent[id,name]` becomes the columns `parent.id` and `parent.name`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.rows.cells import cell

if TYPE_CHECKING:
    from dhis2sh.rows.rows import Rows
    from dhis2sh.types import JsonValue, Row

type Items = Callable[[list[JsonValue], Sequence[str]], JsonValue]
"""Writes a list of objects of which several fields were asked for: the list, and their names."""


def in_words(items: list[JsonValue], names: Sequence[str]) -> JsonValue:
    """For people: `Bo O6uvpzGd5pu; Kailahun jUb8gELQApl`."""
    parts = (" ".join(filter(None, (cell(value_at(item, name)) for name in names))) for item in items)
    return "; ".join(parts)


def in_json(items: list[JsonValue], names: Sequence[str]) -> JsonValue:
    """For files: the list as JSON."""
    return json.dumps(items, ensure_ascii=False)


def value_at(value: JsonValue, path: str) -> JsonValue:
    """What is at a dotted path of an object, a list on the way gone through; None where nothing is."""
    if isinstance(value, list):
        return [value_at(item, path) for item in value]
    if not isinstance(value, dict):
        return None
    if path in value:
        return value[path]
    first, _, rest = path.partition(".")
    return value_at(value[first], rest) if rest and first in value else None


def flat(rows: Rows[Any], items: Items | None = None) -> tuple[tuple[str, ...], list[Row]]:
    """The columns and the rows, with a column for each field that was asked for inside of an object.

    Parameters:
        rows: of which `asked` says what was asked for.
        items: writes lists of objects of which several fields were asked for; without it they stay as they are.
    """
    plain = rows.plain()
    if not any("." in path for path in rows.asked):
        return rows.columns, plain
    columns: dict[str, Sequence[str]] = {}
    for name in rows.columns:
        columns |= _leaves(name, _below(name, rows.asked), [row.get(name) for row in plain])
    found: list[Row] = []
    for row in plain:
        flattened: Row = {}
        for path, names in columns.items():
            value = value_at(row, path)
            if names and items is not None and isinstance(value, list) and value:
                value = items(value, names)
            flattened[path] = value
        found.append(flattened)
    return tuple(columns), found


def _below(name: str, asked: Iterable[str]) -> list[str]:
    """What was asked for below a field; nothing where a preset may have brought more."""
    inner = [path.removeprefix(f"{name}.") for path in asked if path.startswith(f"{name}.")]
    return [] if any(path.rpartition(".")[2] == "*" for path in inner) else inner


def _leaves(path: str, below: Sequence[str], values: Sequence[JsonValue]) -> dict[str, Sequence[str]]:
    """The columns that a field becomes; those of lists with the names of what was asked for in them."""
    ends = [name for name in below if not any(other.startswith(f"{name}.") for other in below)]
    if any(isinstance(value, list) for value in values):
        return {path: ends if len(ends) > 1 else ()}
    if not ends or (ends == below[:1] and "." not in ends[0]):
        return {path: ()}
    found: dict[str, Sequence[str]] = {}
    for name in (name for name in below if "." not in name):
        inner = [cast("Row", value).get(name) for value in values if isinstance(value, dict)]
        found |= _leaves(f"{path}.{name}", _below(name, below), inner)
    return found
