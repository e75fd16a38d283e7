"""A grid: headers and rows of texts, written as JSON, CSV, XML or HTML the way DHIS2 writes its grids."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from dhis2sh.sandbox.data.model import Model
    from dhis2sh.types import JsonObject, JsonValue

JAVA = {"TEXT": "java.lang.String", "NUMBER": "java.lang.Double", "DATETIME": "java.time.LocalDateTime",
        "INTEGER": "java.lang.Integer", "BOOLEAN": "java.lang.Boolean", "DATE": "java.time.LocalDate",
        "ORGANISATION_UNIT": "org.hisp.dhis.organisationunit.OrganisationUnit",
        "FILE_RESOURCE": "org.hisp.dhis.fileresource.FileResource", "COORDINATE": "org.opengis.geometry.primitive.Point",
        "TRUE_ONLY": "java.lang.Boolean", "AGE": "java.time.LocalDate", "TIME": "java.time.LocalTime"}  # fmt: skip
_NUMBERS = {"INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE"}


@dataclass(slots=True)
class Header:
    """One column of a grid."""

    name: str
    column: str | None
    value_type: str = "TEXT"
    meta: bool = True
    hidden: bool = False
    extra: JsonObject = field(default_factory=dict[str, "JsonValue"])

    def shown(self) -> JsonObject:
        """As JSON."""
        kind = JAVA.get(self.value_type) or ("java.lang.Integer" if self.value_type in _NUMBERS else (
            "java.lang.Double" if self.value_type in {"PERCENTAGE", "UNIT_INTERVAL"} else "java.lang.String"))  # fmt: skip
        body: JsonObject = {"name": self.name}
        if self.column is not None:
            body["column"] = self.column
        return body | {
            "valueType": self.value_type, "type": kind, "hidden": self.hidden, "meta": self.meta, **self.extra,
        }  # fmt: skip


def number(name: str, column: str, *, meta: bool = False) -> Header:
    """A column of numbers."""
    return Header(name, column, "NUMBER", meta)


def moment(name: str, column: str, *, meta: bool = True) -> Header:
    """A column of times."""
    return Header(name, column, "DATETIME", meta)


@dataclass(slots=True)
class Grid:
    """A table with what its cells mean."""

    headers: list[Header]
    rows: list[list[str]]
    meta: JsonObject = field(default_factory=dict[str, "JsonValue"])
    contexts: JsonObject = field(default_factory=dict[str, "JsonValue"])

    def shown(self) -> JsonObject:
        """As JSON."""
        return {
            "headers": [header.shown() for header in self.headers],
            "metaData": self.meta,
            "rowContext": self.contexts,
            "width": self.width,
            "rows": cast("list[JsonValue]", self.rows),
            "headerWidth": len(self.headers),
            "height": len(self.rows),
        }

    def only(self, names: Sequence[str]) -> None:
        """Keep these columns, in this order."""
        places = {header.name: at for at, header in enumerate(self.headers)}
        kept = [places[name] for name in names if name in places]
        self.headers = [self.headers[at] for at in kept]
        self.rows = [[row[at] for at in kept] for row in self.rows]

    def csv(self) -> str:
        """As CSV: the column names, then the rows, hidden columns too."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([header.column or "" for header in self.headers])
        writer.writerows(self.rows)
        return out.getvalue()

    def xml(self) -> str:
        """As the server's grid XML."""
        heads = "".join(
            f"<header name={quoteattr(header.name)} column={quoteattr(header.column or '')} "
            f'type="{header.shown()["type"]}" hidden="{str(header.hidden).lower()}" meta="{str(header.meta).lower()}">'
            "</header>"
            for header in self.headers
        )
        rows = "".join(
            "<row>" + "".join(f"<field>{escape(cell)}</field>" for cell in row) + "</row>" for row in self.rows
        )
        return (
            "<?xml version='1.0' encoding='UTF-8'?>"
            f'<grid width="{self.width}" height="{len(self.rows)}">'
            f"<headers>{heads}</headers><rows>{rows}</rows></grid>"
        )

    def html(self, *, styled: bool = False, aligned: bool = False) -> str:
        """As an HTML table.

        Parameters:
            styled: with a style sheet before it.
            aligned: cells are aligned as the heads of their columns are.
        """
        shown = [at for at, header in enumerate(self.headers) if not header.hidden]
        left = [' style="text-align:left"' if self.headers[at].meta else "" for at in shown]
        heads = [
            f"<th{style}>{html.escape(self.headers[at].column or self.headers[at].name)}</th>"
            for at, style in zip(shown, left, strict=True)
        ]
        styles = left if aligned else [""] * len(shown)
        lines = ['<div class="gridDiv">', "<h3></h3>", "<h4></h4>", '<table class="listTable gridTable">', "<thead>",
                 "<tr>", *heads, "</tr>", "</thead>", "<tbody>"]  # fmt: skip
        for row in self.rows:
            lines += [
                "<tr>",
                *(f"<td{style}>{html.escape(row[at])}</td>" for at, style in zip(shown, styles, strict=True)),
                "</tr>",
            ]
        return (_STYLE if styled else "") + "\n".join([*lines, "</tbody>", "</table>", "</div>"])

    @property
    def width(self) -> int:
        """How many columns the rows have; without any it is 0."""
        return len(self.rows[0]) if self.rows else 0


_STYLE = """<style type="text/css">
.gridDiv {
  font-family: sans-serif, arial;
}

table.gridTable {
  border-collapse: collapse;
  font-size: 11pt;
}

.gridTable th, .gridTable td {
  padding: 8px 4px 7px 4px;
  border: 1px solid #e7e7e7;
}

.gridTable th {
  background-color: #f3f3f3;
  font-weight: bold;
}
</style>

"""


def name_path(model: Model, uid: str) -> str:
    """The names of what lies above an org unit and its own, as `ouNameHierarchy` has them; a root begins with two strokes."""
    *above, own = (model.name("organisationUnits", part) for part in model.path(uid))
    return f"/{'/'.join(above)}/{own}"


def renamed(grid: Grid, names: Mapping[str, Mapping[str, str]]) -> None:
    """Put other identifiers into a grid's rows.

    Parameters:
        names: for each column, the words for its identifiers; what is not there stays.
    """
    for at, header in enumerate(grid.headers):
        words = names.get(header.name)
        if words:
            for row in grid.rows:
                row[at] = words.get(row[at], row[at])
