"""Where a pipeline ends: frames, texts and files. Each takes rows, the user's namespace and its arguments."""

from __future__ import annotations

import base64
import csv as csv_module
import io
import json as json_module
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhis2sh import paths
from dhis2sh.errors import Dhis2Error, MissingExtra, UsageError
from dhis2sh.rows.rows import Rows, Text
from dhis2sh.show.render import cell
from dhis2sh.types import JsonValue, Row

if TYPE_CHECKING:
    from dhis2sh.show.maps import Map

NAMES = ("displayName", "name", "orgUnitName", "id", "event", "trackedEntity")
"""The fields that may say what a shape on a map is called."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _frame_rows(rows: Rows[Any]) -> list[Row]:
    columns = rows.columns
    return [{name: row.get(name) for name in columns} for row in rows.plain()]


def df(rows: Rows[Any], space: object) -> object:
    """A pandas frame."""
    try:
        import pandas
    except ImportError:
        raise MissingExtra("df", "frames") from None
    return pandas.DataFrame(_frame_rows(rows), columns=list(rows.columns))


def pl(rows: Rows[Any], space: object) -> object:
    """A polars frame."""
    try:
        import polars
    except ImportError:
        raise MissingExtra("pl", "frames") from None
    return polars.DataFrame(_frame_rows(rows), infer_schema_length=None, strict=False)


def _given(text: str, file: str | None) -> Text:
    """Text as the result, or written to a file."""
    if file is None:
        return Text(text)
    try:
        paths.write_atomic(Path(file).expanduser(), text if text.endswith("\n") else text + "\n")
    except OSError as error:
        raise Dhis2Error(f"{file} cannot be written: {error.strerror}") from error
    return Text(f"{file}: {len(text.encode()):,} bytes")


def json(rows: Rows[Any], space: object, file: str | None = None) -> Text:
    """JSON, an array of objects: json, json('rows.json')."""
    return _given(json_module.dumps(_frame_rows(rows), indent=2, ensure_ascii=False), file)


def ndjson(rows: Rows[Any], space: object, file: str | None = None) -> Text:
    """JSON, one object a line."""
    return _given("\n".join(json_module.dumps(row, ensure_ascii=False) for row in _frame_rows(rows)), file)


def _flat(value: JsonValue, safe: bool) -> str:
    text = value if isinstance(value, str) else cell(value)
    number = isinstance(value, (int, float))
    return f"'{text}" if safe and not number and text.startswith(FORMULA) else text


def _separated(rows: Rows[Any], separator: str, safe: bool) -> str:
    out = io.StringIO()
    writer = csv_module.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow([_flat(name, safe) for name in rows.columns])
    writer.writerows([_flat(value, safe) for value in row.values()] for row in _frame_rows(rows))
    return out.getvalue()


def csv(rows: Rows[Any], space: object, file: str | None = None, safe: bool = False) -> Text:
    """CSV: csv, csv('rows.csv', safe=True) so that no cell is taken for a formula."""
    return _given(_separated(rows, ",", safe), file)


def tsv(rows: Rows[Any], space: object, file: str | None = None, safe: bool = False) -> Text:
    """Tab-separated values."""
    return _given(_separated(rows, "\t", safe), file)


def yaml(rows: Rows[Any], space: object, file: str | None = None) -> Text:
    """YAML."""
    import yaml as yaml_module

    return _given(yaml_module.safe_dump(_frame_rows(rows), sort_keys=False, allow_unicode=True), file)


def geojson(rows: Rows[Any], space: object, file: str | None = None) -> Text:
    """GeoJSON of rows that have a geometry; the other columns are properties: geojson('districts.geojson')."""
    features = [
        {
            "type": "Feature",
            **({"id": row["id"]} if row.get("id") else {}),
            "geometry": row.get("geometry"),
            "properties": {name: value for name, value in row.items() if name != "geometry"},
        }
        for row in _located(rows)
    ]
    return _given(json_module.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False), file)


def _located(rows: Rows[Any]) -> list[Row]:
    """The rows, where one at least has a geometry. Raises `UsageError`."""
    plain = rows.plain()
    if not any(row.get("geometry") for row in plain):
        what = f"none of {len(plain):,} rows has a geometry" if plain else "there are no rows"
        raise UsageError(what, hint="metadata list organisationUnits --fields displayName,geometry --all")
    return plain


def md(rows: Rows[Any], space: object, file: str | None = None) -> Text:
    """A Markdown table."""
    lines = [rows.columns, ["---"] * len(rows.columns)]
    lines += [[cell(value).replace("|", "\\|") for value in row.values()] for row in _frame_rows(rows)]
    return _given("\n".join(f"| {' | '.join(line)} |" for line in lines), file)


def _binary(file: str, what: str, write: Callable[[Path], object]) -> Text:
    """A file that a library writes, under a temporary name first."""
    path = Path(file).expanduser()
    try:
        with paths.replacing(path) as temporary:
            write(temporary)
    except OSError as error:
        raise Dhis2Error(f"{file} cannot be written: {error.strerror}") from error
    return Text(f"{file}: {what}")


def xlsx(rows: Rows[Any], space: object, file: str, safe: bool = False) -> Text:
    """A workbook: xlsx('rows.xlsx'). Texts are written as texts, never as formulas."""
    try:
        import xlsxwriter
        from xlsxwriter.exceptions import FileCreateError
    except ImportError:
        raise MissingExtra("xlsx", "frames") from None

    def write(path: Path) -> None:
        with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, rows.columns)
            for number, row in enumerate(_frame_rows(rows), 1):
                values = [v if isinstance(v, (int, float)) else _flat(v, safe) for v in row.values()]
                sheet.write_row(number, 0, values)

    try:
        return _binary(file, f"{len(rows):,} rows", write)
    except FileCreateError as error:
        raise Dhis2Error(f"{file} cannot be written: {error}") from error


def parquet(rows: Rows[Any], space: object, file: str) -> Text:
    """A Parquet file: parquet('rows.parquet')."""
    frame: Any = pl(rows, space)
    return _binary(file, f"{len(rows):,} rows", frame.write_parquet)


def chart(rows: Rows[Any], space: object, x: object = None, y: object = None, kind: object = "bar") -> Text:
    """A chart in the terminal: chart(name, value), chart(period, value, kind='line')."""
    try:
        import plotext
    except ImportError:
        raise MissingExtra("chart", "charts") from None
    columns = list(rows.columns)
    across = str(x or columns[0]).strip("'\"")
    up = str(y or columns[-1]).strip("'\"")
    plain = rows.plain()
    labels = [cell(row.get(across)) for row in plain]
    values = [_number(row.get(up), up) for row in plain]
    figure: Any = plotext.figure
    figure.clear()
    if str(kind).strip("'\"") == "line":
        figure.signal(values)
    else:
        figure.bar(labels, values)
    return Text(str(figure.build()))


def _number(value: JsonValue, name: str) -> float:
    try:
        return float(str(value or 0))
    except ValueError:
        raise UsageError(f"{name} is no number: {cell(value)[:40]!r}", hint="chart(name, value)") from None


def map_(rows: Rows[Any], space: object, file: str | None = None) -> Map | Text:
    """A map of rows that have a geometry: `map`, `map('districts.svg')`, `map('districts.html')`.

    In a notebook a picture, at the prompt dots; names are its titles.
    """
    from dhis2sh.dhis2.geometry import Shape, shape_of
    from dhis2sh.show.maps import Map

    shapes: list[Shape] = []
    missing, unreadable = 0, list[str]()
    for row in _located(rows):
        name = cell(next((row[key] for key in NAMES if row.get(key)), ""))
        if not row.get("geometry"):
            missing += 1
        elif shape := shape_of(name, row["geometry"]):
            shapes.append(shape)
        else:
            unreadable.append(name)
    drawing = Map(shapes, missing, unreadable)
    if file is None:
        return drawing
    if not file.endswith((".svg", ".html")):
        raise UsageError(f"{file}: a map is written as .svg or .html", hint="map('districts.svg')")
    return _given(drawing.page() if file.endswith(".html") else drawing.svg(), file)


def clip(rows: Rows[Any], space: object) -> Text:
    """Copy as tab-separated text to the terminal's clipboard (OSC 52)."""
    data = base64.b64encode(_separated(rows, "\t", False).encode()).decode()
    return Text(f"\x1b]52;c;{data}\x07{len(rows):,} rows copied")


def length(rows: Rows[Any], space: object) -> int:
    """How many rows."""
    return len(rows)


SINKS: dict[str, Callable[..., object]] = {
    "df": df, "pl": pl, "json": json, "ndjson": ndjson, "csv": csv, "tsv": tsv, "yaml": yaml, "md": md,
    "xlsx": xlsx, "parquet": parquet, "chart": chart, "map": map_,
    "geojson": geojson, "clip": clip, "len": length,
}  # fmt: skip
