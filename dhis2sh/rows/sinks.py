"""Where a pipeline ends: frames, texts and files. Each takes rows, the user's namespace and its arguments.

A stream is written as it comes: what it gives is awaited. Frames and the clipboard hold all of it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Awaitable, Callable, Generator
from contextlib import aclosing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dhis2sh import paths
from dhis2sh.errors import Dhis2Error, MissingExtra, NotWritten, is_full
from dhis2sh.rows.flat import flat, in_json
from dhis2sh.rows.formats import Objects, Write, Writer, check_not_emptied, file_writer, frame_of, text_writer
from dhis2sh.rows.rows import Rows, Text
from dhis2sh.rows.stage import stage
from dhis2sh.rows.stages import length_of
from dhis2sh.rows.stream import MANY, Stream

if TYPE_CHECKING:
    from dhis2sh.types import Row

type Either = Rows[Any] | Stream[Any]
type Written = Text | Awaitable[Text]
"""What a sink gives: of rows the text, of a stream what is awaited for it."""


@stage(sink=True, literal=True)
def df(rows: Rows[Any], space: object) -> object:
    """A pandas frame."""
    try:
        import pandas  # heavy: an extra
    except ImportError:
        raise MissingExtra("df", "frames") from None
    columns, plain = flat(rows)
    return pandas.DataFrame([{name: row.get(name) for name in columns} for row in plain], columns=list(columns))


@stage(sink=True, literal=True)
def pl(rows: Rows[Any], space: object) -> object:
    """A polars frame."""
    columns, plain = flat(rows)
    return frame_of(plain, columns)


def write_rows(rows: Rows[Any], writer: Writer) -> int:
    """Rows through a writer; returns how many there were."""
    whole = isinstance(writer, Objects)
    columns, plain = (rows.columns, rows.plain()) if whole else flat(rows, in_json if writer.texts else None)
    writer.begin(columns, True)
    writer.add(plain)
    writer.end()
    return len(rows)


class Pouring:
    """Batches of a stream on their way through a writer, whoever reads them; `with` it ends the writing, or drops it.

    Parameters:
        stream: whose batches are given to `add`.
        writer: writes them.
    """

    def __init__(self, stream: Stream[Any], writer: Writer) -> None:
        self._stream, self._writer = stream, writer
        self.count = 0
        """How many rows have been written."""

    def add(self, batch: list[Row]) -> None:
        """Write a batch."""
        self._begin()
        self._writer.add(batch)
        self.count += len(batch)

    def _begin(self) -> None:
        if not self.count:  # what the columns are is known from the first batch on
            self._writer.begin(self._stream.columns, self._stream.declared)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._begin()
                self._writer.end()
        except BaseException:
            self._writer.drop()
            raise
        if kind is not None:
            self._writer.drop()


async def write_stream(
    stream: Stream[Any], writer: Writer, progress: Callable[[int], object] = lambda count: None
) -> int:
    """A stream through a writer, as it comes; returns how many rows there were.

    Parameters:
        stream: read to its end.
        writer: writes it.
        progress: told how many rows have been written, after each batch.
    """
    with Pouring(stream, writer) as pouring:
        async with aclosing(stream.plain_batches()) as batches:
            async for batch in batches:
                pouring.add(batch)
                progress(pouring.count)
    return pouring.count


@contextmanager
def text_file(file: str) -> Generator[Write]:
    """A text file to write into, under a temporary name until the block ends well. Raises `Dhis2Error`."""
    with _writable(file), paths.writing(Path(file).expanduser()) as out:
        yield out.write


@contextmanager
def binary_file(file: str, make: Callable[[Path], Writer]) -> Generator[Writer]:
    """A file that a library writes, under a temporary name until the block ends well. Raises `Dhis2Error`."""
    with _writable(file), paths.replacing(Path(file).expanduser()) as temporary:
        yield make(temporary)


@contextmanager
def _writable(file: str) -> Generator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, Dhis2Error) or not (isinstance(error, OSError) or is_full(error)):
            raise
        raise NotWritten.of(file, error, elsewhere="choose another file") from None


def given(text: str, file: str | None, name: str) -> Text:
    """Text of a format as the result, or written to a file."""
    if file is None:
        return Text(text, of=name)
    text = text + "\n" if text and not text.endswith("\n") else text  # no row is no line
    with text_file(file) as write:
        write(text)
    return Text(f"{file}: {len(text.encode()):,} bytes")


def _texts(rows: Either, file: str | None, name: str, safe: bool = False) -> Written:
    """Rows as text of a format, or written to a file."""
    make = partial(text_writer, name, safe=safe)
    if isinstance(rows, Rows):
        if file is not None:
            check_not_emptied(file, len(rows))
        out = io.StringIO()
        write_rows(rows, make(out.write))
        return given(_as_result(out.getvalue(), name), file, name)
    return _texts_of_stream(rows, make, file, name)


async def _texts_of_stream(stream: Stream[Any], make: Callable[[Write], Writer], file: str | None, name: str) -> Text:
    if file is not None:
        return await _file_of_stream(stream, make, file)
    out = io.StringIO()
    said = False

    def progress(count: int) -> None:
        nonlocal said
        if count >= MANY and not said:
            said = True
            stream.say_many(f"{name} without a file", count)

    await write_stream(stream, make(out.write), progress)
    return Text(_as_result(out.getvalue(), name), of=name)


def _as_result(text: str, name: str) -> str:
    """Lines that are shown end without a break; those of a table for programs are a file's already."""
    return text.removesuffix("\n") if name in {"json", "ndjson", "md"} else text


async def _file_of_stream(stream: Stream[Any], make: Callable[[Write], Writer], file: str) -> Text:
    size = 0
    with text_file(file) as write:

        def counting(text: str) -> None:
            nonlocal size
            size += len(text.encode())
            write(text)

        check_not_emptied(file, await write_stream(stream, make(counting)))
    return Text(f"{file}: {size:,} bytes")


@stage(takes="either", sink=True, literal=True)
def json(rows: Either, space: object, file: str | None = None) -> Written:
    """JSON, an array of objects: json, json('rows.json')."""
    return _texts(rows, file, "json")


@stage(takes="either", sink=True, literal=True)
def ndjson(rows: Either, space: object, file: str | None = None) -> Written:
    """JSON, one object a line."""
    return _texts(rows, file, "ndjson")


@stage(takes="either", sink=True, literal=True)
def csv(rows: Either, space: object, file: str | None = None, safe: bool = False) -> Written:
    """CSV: csv, csv('rows.csv', safe=True) so that no cell is taken for a formula."""
    return _texts(rows, file, "csv", safe)


@stage(takes="either", sink=True, literal=True)
def tsv(rows: Either, space: object, file: str | None = None, safe: bool = False) -> Written:
    """Tab-separated values."""
    return _texts(rows, file, "tsv", safe)


@stage(takes="either", sink=True, literal=True)
def yaml(rows: Either, space: object, file: str | None = None) -> Written:
    """YAML."""
    return _texts(rows, file, "yaml")


@stage(takes="either", sink=True, literal=True)
def md(rows: Either, space: object, file: str | None = None) -> Written:
    """A Markdown table."""
    return _texts(rows, file, "md")


def _binary(rows: Either, make: Callable[[Path], Writer], file: str) -> Written:
    """A file that a library writes, under a temporary name first."""
    if isinstance(rows, Rows):
        check_not_emptied(file, len(rows))
        with binary_file(file, make) as writer:
            return Text(f"{file}: {write_rows(rows, writer):,} rows")
    return _binary_of_stream(rows, make, file)


async def _binary_of_stream(stream: Stream[Any], make: Callable[[Path], Writer], file: str) -> Text:
    with binary_file(file, make) as writer:
        count = await write_stream(stream, writer)
        check_not_emptied(file, count)
    return Text(f"{file}: {count:,} rows")


@stage(takes="either", sink=True, literal=True)
def xlsx(rows: Either, space: object, file: str, safe: bool = False) -> Written:
    """A workbook: xlsx('rows.xlsx'). Texts are written as texts, never as formulas."""
    return _binary(rows, partial(file_writer, "xlsx", safe=safe, once=isinstance(rows, Rows)), file)


@stage(takes="either", sink=True, literal=True)
def parquet(rows: Either, space: object, file: str) -> Written:
    """A Parquet file: parquet('rows.parquet')."""
    return _binary(rows, partial(file_writer, "parquet"), file)


@stage(takes="either", sink=True, literal=True)
def arrow(rows: Either, space: object, file: str) -> Written:
    """An Arrow file (IPC, Feather): arrow('rows.arrow')."""
    return _binary(rows, partial(file_writer, "arrow"), file)


@stage(sink=True, literal=True)
def clip(rows: Rows[Any], space: object) -> Text:
    """Copy as tab-separated text to the terminal's clipboard (OSC 52)."""
    out = io.StringIO()
    write_rows(rows, text_writer("tsv", out.write))
    data = base64.b64encode(out.getvalue().encode()).decode()
    return Text(f"\x1b]52;c;{data}\x07{len(rows):,} rows copied")


@stage(takes="either", sink=True, literal=True, name="len")
def length(rows: Either, space: object) -> int | Awaitable[int]:
    """How many rows."""
    return len(rows) if isinstance(rows, Rows) else length_of(rows)
