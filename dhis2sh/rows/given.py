"""Rows that somebody has in memory: a frame of pandas, polars or Arrow, a list of objects, what a verb gave."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Rows

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row

type Source = Path | Rows[Row]
"""Where a verb takes rows from: a file, or rows that are there already."""


def rows_given(value: object, name: str) -> Rows[Row]:
    """Rows from whatever holds some; a text is a UID.

    Parameters:
        value: `Rows`, a frame, an object, a list of objects and UIDs.
        name: of the parameter, for messages.

    Raises `UsageError` for anything else.
    """
    if isinstance(value, Rows):
        return cast("Rows[Row]", value)
    frame = _records(value)
    if frame is not None:
        return Rows([{str(key): _cell(item) for key, item in row.items()} for row in frame])
    items = cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else [value]
    rows: list[Row] = []
    for item in items:
        if isinstance(item, str):
            rows.append({"id": item})
        elif isinstance(item, Mapping):
            rows.append({str(key): _cell(part) for key, part in cast("Mapping[object, object]", item).items()})
        else:
            raise UsageError(f"{name}: {str(item)[:100]!r} is neither a UID nor an object", hint=_TAKES)
    return Rows(rows)


_TAKES = "rows, a frame, or a list of objects"


def _records(value: Any) -> Iterable[Mapping[object, object]] | None:
    """The rows of a frame by what frames can do, so that no library is imported for one; None for anything else."""
    if isinstance(value, Mapping):
        return None
    for way, arguments in (("to_dicts", ()), ("to_pylist", ()), ("to_dict", ("records",))):  # polars, Arrow, pandas
        found = getattr(value, way, None)
        if callable(found) and hasattr(value, "columns"):
            return cast("Iterable[Mapping[object, object]]", found(*arguments))
    return None


def _cell(value: Any) -> JsonValue:
    """A cell as JSON: a missing one is null, a date is ISO text, a whole number that a frame keeps as 5.0 is 5."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _cell(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (list, tuple, set)) or type(value).__name__ in {"ndarray", "Series"}:
        return [_cell(item) for item in cast("Iterable[object]", value)]
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(value, (dt.datetime, dt.date)):
        text = value.isoformat()
        return text.removesuffix("T00:00:00")
    number = value.item() if hasattr(value, "item") else value  # of numpy
    if isinstance(number, float):
        return None if math.isnan(number) else int(number) if number.is_integer() else number
    return number if isinstance(number, (int, bool)) else str(number)
