"""Where the rows of a pull go: a text, a workbook, Parquet in one file or a folder of them, Arrow, a DuckDB file of tidy tables.

Everything is written beside its place and moved there when it is whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, override

from dhis2sh.dhis2.periods import Period
from dhis2sh.errors import Dhis2Error, MissingExtra, NotWritten, PipelineError, UsageError, is_full
from dhis2sh.rows import sinks
from dhis2sh.rows.formats import Parquet, Writer, check_not_emptied, file_writer, frame_of, text_writer

if TYPE_CHECKING:
    from dhis2sh.analytics.naming import Names
    from dhis2sh.rows.stream import Stream
    from dhis2sh.types import JsonValue, Row

TEXTS = ("csv", "tsv", "json", "ndjson")
FILES = ("xlsx", "parquet", "arrow")
DUCK = ("duckdb", "ddb", "db")
MARK = "_pull"
"""The empty folder that says that a folder of Parquet files is a pull's: one of something else is not replaced."""
HELD = 50_000
"""Rows of a folder of Parquet files that are held before they are written."""

type Kind = Literal["text", "file", "duckdb", "folder"]


class Target(NamedTuple):
    """Where to: what kind of thing the path is, and in which format."""

    path: Path
    kind: Kind
    format: str


def target_of(path: Path) -> Target:
    """What a path is, by its ending; without one it is a folder. Raises `UsageError` for one that could not be written."""
    ending = path.suffix.lower().removeprefix(".")
    kind: Kind | None = (
        "text" if ending in TEXTS else "file" if ending in FILES else "duckdb" if ending in DUCK else None
    )
    if kind is None and ending:
        known = ", ".join(f".{name}" for name in (*TEXTS, *FILES, DUCK[0]))
        raise UsageError(f"{path}: nothing is written as '.{ending}'", hint=f"{known}, or a folder for Parquet files")
    if kind is not None and path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name a file")
    if kind is None:
        check_ours(path)
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="make it, or choose another --out")
    found: Kind = kind if kind is not None else "folder"
    return Target(path, found, ending or "parquet")


async def write(stream: Stream[Row], target: Target, tables: Tables) -> int:
    """Rows to where they belong; how many there were.

    Parameters:
        stream: the rows; of a DuckDB file those without names.
        tables: what a DuckDB file has beside them, and what a folder is cut by.

    Raises `Dhis2Error` where it cannot be written, `MissingExtra`.
    """
    name = str(target.path)
    match target.kind:
        case "text":
            with sinks.text_file(name) as out:
                count = await sinks.write_stream(stream, text_writer(target.format, out, whole=True))
                check_not_emptied(name, count)
                return count
        case "folder":
            with folder_of(target.path) as inside:
                count = await sinks.write_stream(stream, Partitions(inside, tables.by))
                check_folder_not_emptied(target.path, count)
                return count
        case _:
            make: Callable[[Path], Writer] = partial(file_writer, target.format)
            if target.kind == "duckdb":
                make = partial(Duck, tables=tables)
            elif target.format == "parquet":
                make = partial(Parquet, metadata=tables.about)
            with sinks.binary_file(name, make) as writer:
                count = await sinks.write_stream(stream, writer)
                check_not_emptied(name, count)
                return count


# Folders of Parquet files ------------------------------------------------------------------------------------------


def check_ours(path: Path) -> None:
    """Raise `UsageError` for a place that a folder of a pull must not take: a file, and a folder that holds something else."""
    if path.exists() and not (path / MARK).exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} is there already, and is no folder of a pull", hint="choose another --out")


def check_folder_not_emptied(path: Path, count: int) -> None:
    """As `check_not_emptied`, for a folder of Parquet files."""
    for file in () if count else path.glob("**/*.parquet"):
        check_not_emptied(file, count)


def _of_the_disk(error: Exception) -> bool:
    return isinstance(error, OSError) or is_full(error)


class folder_of:  # noqa: N801  (a context manager, as `text_file` is)
    """A new folder beside a path, moved there when the block ends well. Raises `Dhis2Error` for what cannot be written.

    Parameters:
        path: the folder to be; one of an earlier pull is replaced, any other is left as it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new, self._old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")

    def __enter__(self) -> Path:
        for left in (self._new, self._old):
            check_ours(left)
        try:
            if (self._old / MARK).exists() and not self._path.exists():
                self._old.rename(self._path)  # a pull was killed between the two
            shutil.rmtree(self._new, ignore_errors=True)
            self._new.mkdir()
            (self._new / MARK).mkdir()
        except OSError as error:
            raise NotWritten.of(self._path, error, elsewhere="choose another --out") from error
        return self._new

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        if kind is not None:
            shutil.rmtree(self._new, ignore_errors=True)
            if isinstance(error, Exception) and not isinstance(error, Dhis2Error) and _of_the_disk(error):
                raise NotWritten.of(self._path, error, elsewhere="choose another --out") from error
            return
        try:
            check_ours(self._path)  # a pull may take hours
        except UsageError:
            shutil.rmtree(self._new, ignore_errors=True)
            raise
        shutil.rmtree(self._old, ignore_errors=True)
        if self._path.exists():
            self._path.rename(self._old)
        self._new.rename(self._path)
        shutil.rmtree(self._old, ignore_errors=True)


class Partitions(Writer):
    """Parquet files in folders named by one column, `pe=202501/00001.parquet`, as engines read them.

    Parameters:
        path: the folder; by: the column, None for one folder.
    """

    def __init__(self, path: Path, by: str | None) -> None:
        self._path, self._by = path, by
        self._columns: list[str] = []
        self._held: list[Row] = []
        self._count = 0

    @override
    def begin(self, columns: Sequence[str], declared: bool) -> None:
        self._columns = [*columns]

    @override
    def add(self, rows: Sequence[Row]) -> None:
        self._held += rows
        if len(self._held) >= HELD:
            self._flush()

    def _flush(self) -> None:
        self._count += 1
        write_partitions(self._path, f"{self._count:05}", self._held, self._columns, self._by)
        self._held = []

    @override
    def end(self) -> None:
        if self._held or not self._count:
            self._flush()


def write_partitions(path: Path, name: str, rows: Sequence[Row], columns: Sequence[str], by: str | None) -> None:
    """Rows as one Parquet file for each value of a column, all of the same types. Raises `PipelineError`, `MissingExtra`.

    Parameters:
        path: the folder; name: of each file; columns: in order; by: the column that names folders.
    """
    groups: dict[JsonValue, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.get(by) if by else None, []).append(row)
    kept = [column for column in columns if column != by]
    for value, some in (groups or {None: []}).items():
        inside = path / f"{by}={value}" if by and groups else path
        inside.mkdir(exist_ok=True)
        whole = inside / f"{name}.parquet"
        part = inside / f".{name}.part"
        typed(frame_of(some, kept)).write_parquet(part)
        part.replace(whole)


def typed(frame: Any) -> Any:
    """A frame whose numbers are floats and whose empty columns are texts, so that every file has the same types.

    Raises `PipelineError` for values that are numbers here and texts there.
    """
    import polars  # heavy: an extra

    if "value" in frame.columns and len(frame) and frame.schema["value"] == polars.String:
        raise PipelineError("some values are texts and no numbers", hint="--out FILE.csv, or pull them apart")
    kinds = {name: polars.Float64 for name, kind in frame.schema.items() if kind.is_numeric()}
    kinds |= {name: polars.String for name, kind in frame.schema.items() if kind == polars.Null}
    if "value" in frame.columns:
        kinds["value"] = polars.Float64
    return frame.cast(kinds)


# DuckDB ------------------------------------------------------------------------------------------------------------


class Tables(NamedTuple):
    """What a DuckDB file has beside the table `data`, and what a folder of Parquet files is cut by.

    Parameters:
        by: the column of a folder's parts.
        dimensions: of the rows; names: what stands for their identifiers.
        members: what the dimensions hold.
        about: what was asked, of whom and when, by name.
    """

    by: str | None = None
    dimensions: Sequence[str] = ()
    names: Names | None = None
    members: Mapping[str, Sequence[str]] = {}
    about: Mapping[str, str] = {}

    def all(self) -> dict[str, list[Row]]:
        """The tables by name."""
        found: dict[str, list[Row]] = {"about": [{"name": name, "value": value} for name, value in self.about.items()]}
        if self.names is not None:
            found |= {
                "items": self._items(self.names),
                "periods": self._periods(self.names),
                "org_units": self._units(self.names),
            }
        return {name: rows for name, rows in found.items() if rows}

    def _items(self, names: Names) -> list[Row]:
        return [
            {"dimension": name, "id": uid, "name": names.meta.name_of(uid), "code": item and item.code,
             "type": item and item.dimension_item_type}
            for name in self.dimensions if name not in {"pe", "ou"}
            for uid in self.members.get(name, ()) for item in [names.meta.items.get(uid)]
        ]  # fmt: skip

    def _periods(self, names: Names) -> list[Row]:
        found: list[Row] = []
        for iso in self.members.get("pe", ()):
            period = Period.parse(iso)
            found.append({"id": iso, "name": names.meta.name_of(iso), "type": str(period.type),
                          "start_date": str(period.start), "end_date": str(period.end)})  # fmt: skip
        return found

    def _units(self, names: Names) -> list[Row]:
        deepest = max((unit.level for unit in names.units.values()), default=0)
        return [
            {"id": uid, "name": unit.name, "code": unit.code, "path": unit.path, "hierarchy": unit.hierarchy,
             "level": unit.level, "opening_date": unit.opened, "closed_date": unit.closed,
             **{f"level{at}": unit.along[at - 1] if at <= len(unit.along) else None for at in range(1, deepest + 1)}}
            for uid, unit in names.units.items()
        ]  # fmt: skip


class Duck(Parquet):
    """A DuckDB file: the rows as the table `data`, and tables of what their identifiers are.

    Parameters:
        path: the file; tables: beside `data`.
    """

    _name = "duckdb"

    def __init__(self, path: Path, tables: Tables) -> None:
        try:
            import duckdb  # heavy: an extra
        except ImportError:
            raise MissingExtra("a DuckDB file", "duckdb") from None
        super().__init__(path)
        self._duckdb: Any = duckdb
        self._tables = tables

    @override
    def _write(self, frame: Any) -> None:
        self._path.unlink()  # an empty file is no database
        beside = self._path.with_suffix(".parquet")
        base = self._duckdb.connect(str(self._path))
        try:
            frame.lazy().sink_parquet(beside)
            base.read_parquet(str(beside)).create("data")
            for name, rows in self._tables.all().items():
                frame_of(rows, list(rows[0])).write_parquet(beside)
                dates = [f"CAST({column} AS DATE) AS {column}" for column in rows[0] if column.endswith("_date")]
                chosen = f"* REPLACE ({', '.join(dates)})" if dates else "*"
                base.read_parquet(str(beside)).project(chosen).create(name)
        except self._duckdb.Error as error:
            if is_full(error):  # `binary_file` says it
                raise
            raise Dhis2Error(
                f"the DuckDB file cannot be written: {str(error).splitlines()[0]}", hint="--out FILE.parquet"
            ) from error
        finally:
            base.close()
            beside.unlink(missing_ok=True)
