"""Rows as text and files, written batch by batch: one writer for each format, for rows and for streams alike."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, override

from dhis2sh.errors import MissingExtra, NotFound, PipelineError, UsageError, is_full
from dhis2sh.rows.books import Book
from dhis2sh.rows.cells import cell

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from dhis2sh.types import JsonValue, Row

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that spreadsheets take for a formula."""
SHEET_ROWS = 1_048_576
"""The rows that a sheet of a workbook has, its header among them."""
SPOOLED = 25_000
"""Rows of a Parquet file that are held before they go to the disk for the time being."""
GROUP = 2 * SPOOLED
"""Rows of one row group of a Parquet file: what is held of them while they are written."""

type Write = Callable[[str], object]


class Writer(ABC):
    """Writes rows in one format: `begin`, then `add` for each batch, then `end`; `drop` in place of what is left.

    `texts` says that lists and objects have to become text.
    """

    texts = False

    def begin(self, columns: Sequence[str], declared: bool) -> None:  # noqa: B027  (what not every format needs)
        """Say which fields there are.

        Parameters:
            columns: in order.
            declared: True when other fields of a row are left out; else they are refused, or written too.
        """

    @abstractmethod
    def add(self, rows: Sequence[Row]) -> None:
        """Write a batch. Raises `PipelineError` for a field that would be lost."""

    def end(self) -> None:  # noqa: B027  (as above)
        """Write what comes last."""

    def drop(self) -> None:  # noqa: B027  (as above)
        """Throw away what is held for the time being: the rows have failed."""


_PLAIN = frozenset((str, int, float, type(None)))
"""What `csv` writes as `flat` has it."""


class Tabular(Writer):
    """What the formats share that fix their columns with the first line that they write."""

    texts = True

    def __init__(self) -> None:
        self.columns: tuple[str, ...] = ()
        self._known: frozenset[str] | None = None
        self._full: itemgetter[tuple[Any, ...]] | None = None
        self._written = 0

    @override
    def begin(self, columns: Sequence[str], declared: bool) -> None:
        self.columns = tuple(columns)
        self._known = None if declared else frozenset(columns)
        self._full = itemgetter(*self.columns) if len(self.columns) > 1 else None

    def values(self, rows: Sequence[Row]) -> Iterable[Sequence[JsonValue]]:
        """The values of rows by column. Raises `PipelineError` for a field that has no column."""
        if self._known is None and self._full is not None:
            with suppress(KeyError):  # many rows have all fields
                return list(map(self._full, rows))
        return self._one_by_one(rows)

    def _one_by_one(self, rows: Sequence[Row]) -> Iterator[Sequence[JsonValue]]:
        for row in rows:
            self._written += 1
            if self._known is not None and not row.keys() <= self._known:
                late = next(name for name in row if name not in self._known)
                raise PipelineError(
                    f"`{late}` comes first in row {self._written:,}, and the columns are written already",
                    hint=f"select({', '.join([*self.columns[:2], late])}) names the columns, collect reads all rows first",
                )
            try:
                yield self._full(row) if self._full is not None else [row.get(name) for name in self.columns]
            except KeyError:
                yield [row.get(name) for name in self.columns]


def flat(value: JsonValue, safe: bool) -> str:
    """A value in a cell of a file; `safe` keeps spreadsheets from taking a text for a formula."""
    text = value if isinstance(value, str) else _whole(value)
    number = isinstance(value, (int, float))
    return f"'{text}" if safe and not number and text.startswith(FORMULA) else text


_SHOWN_WHOLE: tuple[set[str], ...] = ({"id"}, {"name"}, {"displayName"}, {"id", "displayName"})
"""Objects of which a cell loses nothing that was asked for: references as the server gives them, and with `--names`."""


def _whole(value: JsonValue) -> str:
    """A value in a cell of a file that loses nothing: references by what stands for them, other objects as JSON."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, list) or (isinstance(item, dict) and item.keys() not in _SHOWN_WHOLE) for item in items):
        return json.dumps(value, ensure_ascii=False)
    return cell(value)


class Separated(Tabular):
    """CSV and TSV.

    Parameters:
        write: takes the text.
        separator: between cells; `safe` as of `flat`.
    """

    def __init__(self, write: Write, separator: str = ",", safe: bool = False) -> None:
        super().__init__()
        self._write, self._separator, self._safe = write, separator, safe

    @override
    def begin(self, columns: Sequence[str], declared: bool) -> None:
        super().begin(columns, declared)
        self._lines([[*columns]])

    @override
    def add(self, rows: Sequence[Row]) -> None:
        self._lines(self.values(rows))

    def _lines(self, lines: Iterable[Sequence[JsonValue]]) -> None:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self._separator, lineterminator="\n")
        if self._safe:
            writer.writerows([flat(value, True) for value in line] for line in lines)
        else:  # texts and numbers are cells as they are
            writer.writerows([v if v.__class__ in _PLAIN else flat(v, False) for v in line] for line in lines)
        self._write(out.getvalue())


class Markdown(Tabular):
    """A Markdown table."""

    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write

    @override
    def begin(self, columns: Sequence[str], declared: bool) -> None:
        super().begin(columns, declared)
        self._lines([columns, ["---"] * len(columns)])

    @override
    def add(self, rows: Sequence[Row]) -> None:
        self._lines([cell(value).replace("|", "\\|") for value in line] for line in self.values(rows))

    def _lines(self, lines: Iterable[Sequence[str]]) -> None:
        self._write("".join(f"| {' | '.join(line)} |\n" for line in lines))


class Objects(Writer):
    """What the formats share that write objects: a field that comes late is written where it comes.

    Parameters:
        write: takes the text.
        whole: rows as they are; without it those of declared columns have these and no others, null where there is
            none.
    """

    def __init__(self, write: Write, whole: bool = False) -> None:
        self._write, self._whole = write, whole
        self._columns: tuple[str, ...] = ()
        self._declared = False
        self._first = True

    @override
    def begin(self, columns: Sequence[str], declared: bool) -> None:
        self._columns, self._declared = tuple(columns), declared

    def objects(self, rows: Sequence[Row]) -> Iterable[Row]:
        """The rows as they are written."""
        if self._whole:
            return rows
        if self._declared:
            return ({name: row.get(name) for name in self._columns} for row in rows)
        empty: Row = dict.fromkeys(self._columns)
        return ({**empty, **row} for row in rows)


class Ndjson(Objects):
    """JSON, one object a line."""

    @override
    def add(self, rows: Sequence[Row]) -> None:
        self._write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.objects(rows)))


class Json(Objects):
    """JSON, an array of objects."""

    @override
    def add(self, rows: Sequence[Row]) -> None:
        for row in self.objects(rows):
            text = json.dumps(row, indent=2, ensure_ascii=False).replace("\n", "\n  ")
            self._write(f"{'[' if self._first else ','}\n  {text}")
            self._first = False

    @override
    def end(self) -> None:
        self._write("[]\n" if self._first else "\n]\n")


class Names(Objects):
    """UIDs alone, one a line, as other lines take them."""

    @override
    def add(self, rows: Sequence[Row]) -> None:
        self._write("".join(f"{self._uid(row)}\n" for row in rows))

    def _uid(self, row: Row) -> str:
        found = next((row[name] for name in _UIDS if row.get(name)), None)
        if found is None:
            raise PipelineError("these rows have no UIDs", hint=f"-o csv; they have {', '.join(row) or 'no fields'}")
        return str(found)


_UIDS = ("id", "uid", "event", "enrollment", "trackedEntity", "relationship")
"""The fields that hold the UID of what a row is, the nearest first."""


class Yaml(Objects):
    """YAML, a list of mappings."""

    @override
    def add(self, rows: Sequence[Row]) -> None:
        import yaml  # start-up: most lines write none

        if objects := list(self.objects(rows)):
            self._write(yaml.safe_dump(objects, sort_keys=False, allow_unicode=True))
            self._first = False

    @override
    def end(self) -> None:
        if self._first:
            self._write("[]\n")


def _folder() -> TemporaryDirectory[str]:
    """Room for what is written for the time being."""
    from tempfile import TemporaryDirectory  # start-up: few lines write workbooks and Parquet

    return TemporaryDirectory(prefix="dhis2sh-")


class Workbook(Tabular):
    """A workbook of one sheet. Texts are written as texts, never as formulas.

    Parameters:
        path: the file.
        safe: as of `flat`.
        once: all rows are there, and are written by one `add`; without it rows go to the disk as they come.

    Raises `MissingExtra`, and `Dhis2Error` when the file cannot be written.
    """

    def __init__(self, path: Path, safe: bool = False, once: bool = False) -> None:
        super().__init__()
        self._folder = None if once else _folder()
        spooled = {"constant_memory": True, "tmpdir": self._folder.name} if self._folder is not None else {}
        self._book = Book(path, **spooled)
        self._sheet: Any = self._book.pages.add_worksheet()
        self._at = 0
        self._safe = safe

    @override
    def begin(self, columns: Sequence[str], declared: bool) -> None:
        super().begin(columns, declared)
        self._row([*columns])

    @override
    def add(self, rows: Sequence[Row]) -> None:
        for values in self.values(rows):
            self._row([v if isinstance(v, (int, float)) else flat(v, self._safe) for v in values])

    def _row(self, values: Sequence[object]) -> None:
        if self._at == SHEET_ROWS:
            raise UsageError(f"a sheet takes {SHEET_ROWS - 1:,} rows", hint="csv and parquet take any number")
        self._sheet.write_row(self._at, 0, values)
        self._at += 1

    @override
    def end(self) -> None:
        try:
            self._book.close()
        finally:
            self.drop()

    @override
    def drop(self) -> None:
        self._book.drop()
        if self._folder is not None:
            self._sheet.row_data_fh.close()
            self._folder.cleanup()


class Parquet(Writer):
    """A Parquet file, whose columns get the types that all of their values fit into.

    Rows go to the disk for the time being, `SPOOLED` at a time, and the parts are put together at the end.

    Parameters:
        path: the file.
        metadata: what is kept in the file beside its rows; an Arrow file has none.

    Raises `MissingExtra`.
    """

    _name = "parquet"

    def __init__(self, path: Path, metadata: Mapping[str, str] | None = None) -> None:
        try:
            import polars  # heavy: an extra
        except ImportError:
            raise MissingExtra(self._name, "frames") from None
        self._polars: Any = polars
        self._path = path
        self._metadata = dict(metadata) if metadata else None
        self._columns: list[str] = []
        self._declared = False
        self._held: list[Row] = []
        self._folder: TemporaryDirectory[str] | None = None
        self._parts: list[Path] = []

    @override
    def begin(self, columns: Sequence[str], declared: bool) -> None:
        self._columns, self._declared = [*columns], declared

    @override
    def add(self, rows: Sequence[Row]) -> None:
        if len(self._held) >= SPOOLED:
            self._spool()
        self._held += rows

    def _frame(self) -> Any:
        """The held rows as a frame; a field that comes late is one more column."""
        if not self._declared:
            self._columns = list(dict.fromkeys([*self._columns, *(name for row in self._held for name in row)]))
        return frame_of(self._held, self._columns)

    def _spool(self) -> None:
        if self._folder is None:
            self._folder = _folder()
        part = Path(self._folder.name) / f"{len(self._parts):06}.parquet"
        self._frame().write_parquet(part, compression="lz4", statistics=False)  # a mapped Arrow file counts as memory
        self._parts.append(part)
        self._held = []

    @override
    def end(self) -> None:
        if self._folder is None:
            self._write(self._frame())
            return
        self._spool()
        parts = [self._polars.scan_parquet(part) for part in self._parts]
        try:
            self._write(self._polars.concat(parts, how="diagonal_relaxed"))
        except self._polars.exceptions.PolarsError as error:
            if is_full(error):
                raise
            raise PipelineError(
                f"{self._name}: the rows do not fit together: {str(error).splitlines()[0]}",
                hint=f"collect | {self._name}(FILE) takes all of them at once",
            ) from error
        finally:
            self.drop()

    def _write(self, frame: Any) -> None:
        """The frame, or a plan of one that is not in memory, into the file."""
        frame.lazy().sink_parquet(self._path, row_group_size=GROUP, metadata=self._metadata)

    @override
    def drop(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()


class Arrow(Parquet):
    """An Arrow file (IPC, Feather), written as a Parquet file is."""

    _name = "arrow"

    @override
    def _write(self, frame: Any) -> None:
        frame.lazy().sink_ipc(self._path)


def frame_of(rows: Sequence[Row], columns: Sequence[str]) -> Any:
    """Rows as a polars frame. Raises `MissingExtra`."""
    try:
        import polars  # heavy: an extra
    except ImportError:
        raise MissingExtra("pl", "frames") from None
    if rows and (found := _by_column(polars, rows, columns)) is not None:
        return found
    items = [{name: row.get(name) for name in columns} for row in rows]
    return polars.DataFrame(items, schema=None if items else [*columns], infer_schema_length=None, strict=False)


def _by_column(polars: Any, rows: Sequence[Row], columns: Sequence[str]) -> Any | None:
    """Rows as a frame, without another copy of them, where every column holds texts, numbers or booleans of one kind alone."""
    kinds: dict[type, Any] = {str: polars.String, int: polars.Int64, float: polars.Float64, bool: polars.Boolean}
    found: dict[str, Any] = {}
    for name in columns:
        values = [row.get(name) for row in rows]
        of = set(map(type, values)) - {type(None)}
        if len(of) > 1 or not of <= kinds.keys():
            return None
        try:
            found[name] = polars.Series(name, values, dtype=kinds[of.pop()] if of else polars.Null)
        except (OverflowError, TypeError, polars.exceptions.PolarsError):
            return None
    return polars.DataFrame(found)


def text_writer(name: str, write: Write, *, safe: bool = False, whole: bool = False) -> Writer:
    """What writes rows as text in a format: `json`, `ndjson`, `csv`, `tsv`, `yaml`, `md` or `name`.

    Parameters:
        name: the format.
        write: takes the text.
        safe: as of `flat`; whole: as of `Objects`.
    """
    match name:
        case "csv" | "tsv":
            return Separated(write, "\t" if name == "tsv" else ",", safe)
        case "md":
            return Markdown(write)
        case "yaml":
            return Yaml(write, whole)
        case "name":
            return Names(write)
        case "ndjson":
            return Ndjson(write, whole)
        case "json":
            return Json(write, whole)
        case _:
            raise ValueError(f"{name} is no text of rows")


BINARY = ("xlsx", "parquet", "arrow")
"""Formats that want a file."""


def file_writer(name: str, path: Path, *, safe: bool = False, once: bool = False) -> Writer:
    """What writes rows into a file in a format that a library writes: `xlsx`, `parquet` or `arrow`.

    Parameters:
        name: the format; path: the file.
        safe, once: as of `Workbook`.

    Raises `MissingExtra`.
    """
    if name == "xlsx":
        return Workbook(path, safe, once)
    return Arrow(path) if name == "arrow" else Parquet(path)


SMALL = 4096
"""Bytes within which a line of headers ends."""


def check_not_emptied(file: str | Path, count: int) -> None:
    """Raise `NotFound` where nothing would take the place of a file that holds something: what is kept there was wanted.

    Parameters:
        file: where rows are written to; count: how many there are.
    """
    path = Path(file).expanduser()
    if not count and path.is_file() and not _without_rows(path):
        raise NotFound(
            f"there are no rows, and {file} is left as it was", hint="choose another file, or delete that one first"
        )


def _without_rows(path: Path) -> bool:
    """Has a file nothing but what is written where there are no rows: nothing, a line of headers, an empty array?"""
    with path.open("rb") as held:
        start = held.read(SMALL).strip()
    headers = path.suffix in {".csv", ".tsv"} and b"\n" not in start and path.stat().st_size < SMALL
    return not start or start == b"[]" or headers
