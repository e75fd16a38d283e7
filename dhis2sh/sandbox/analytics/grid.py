"""A grid: headers and rows of texts, written as JSON, CSV, XML or HTML the way DHIS2 writes its grids."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from xml.sax.saxutils import escape

if TYPE_CHECKING:
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
            "width": len(self.rows[0]) if self.rows else 0,
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
        """As CSV: the column names, then the rows."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        shown = [at for at, header in enumerate(self.headers) if not header.hidden]
        writer.writerow([self.headers[at].column or self.headers[at].name for at in shown])
        writer.writerows([[row[at] for at in shown] for row in self.rows])
        return out.getvalue()

    def xml(self) -> str:
        """As the server's grid XML."""
        heads = "".join(
            f"<header><name>{escape(header.name)}</name><column>{escape(header.column or '')}</column>"
            f"<type>{header.shown()['type']}</type><meta>{str(header.meta).lower()}</meta>"
            f"<hidden>{str(header.hidden).lower()}</hidden></header>"
            for header in self.headers
        )
        rows = "".join(
            "<row>" + "".join(f"<field>{escape(cell)}</field>" for cell in row) + "</row>" for row in self.rows
        )
        return (
            "<?xml version='1.0' encoding='UTF-8'?>"
            f'<grid xmlns="http://dhis2.org/schema/dxf/2.0" width="{len(self.headers)}" height="{len(self.rows)}">'
            f"<headers>{heads}</headers><rows>{rows}</rows></grid>"
        )

    def html(self) -> str:
        """As an HTML table."""
        heads = "".join(f"<th>{html.escape(h.column or h.name)}</th>" for h in self.headers if not h.hidden)
        shown = [at for at, header in enumerate(self.headers) if not header.hidden]
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(row[at])}</td>" for at in shown) + "</tr>" for row in self.rows
        )
        return (
            '<div class="gridDiv"><table class="listTable gridTable">'
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        )


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
