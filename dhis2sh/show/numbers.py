"""The numbers behind a picture as a plain table, for CSV and its like."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.rows.rows import Rows

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row


@dataclass(frozen=True, slots=True)
class Numbers:
    """A table: its headers, of which one may stand there twice, and its lines."""

    headers: Sequence[str]
    lines: Sequence[Sequence[JsonValue]]

    def csv(self) -> str:
        """As CSV; nothing where there is no number."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.headers)
        writer.writerows(["" if cell is None else _short(cell) for cell in line] for line in self.lines)
        return out.getvalue()

    def rows(self) -> Rows[Row]:
        """As rows; a header that stands there again is numbered."""
        seen: dict[str, int] = {}
        columns: list[str] = []
        for header in self.headers:
            seen[header] = seen.get(header, 0) + 1
            columns.append(header if seen[header] == 1 else f"{header} ({seen[header]})")
        return Rows([dict(zip(columns, map(_short, line), strict=True)) for line in self.lines], columns=columns)


def _short(cell: JsonValue) -> JsonValue:
    """A whole number without a point."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
