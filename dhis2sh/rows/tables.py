"""What people keep in files: rows (JSON, NDJSON, YAML, CSV, TSV, XLSX, by the ending), and whole JSON exports."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import re
import shlex
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from dhis2sh.errors import BrokenAnswer, NotFound, UsageError
from dhis2sh.files import checked_size, in_utf8, open_packed, parse_json
from dhis2sh.rows import filling, sheets
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.sheets import BATCH, Where, check_named, check_once
from dhis2sh.rows.stream import Stream

if TYPE_CHECKING:
    from _csv import Reader

    from dhis2sh.types import JsonObject, JsonValue, Row

ENDINGS = (".json", ".ndjson", ".csv", ".tsv", ".txt", ".yaml", ".yml", ".xlsx")


STANDARD_INPUT = "-"


def name_of(path: Source) -> str:
    """What a file is called in messages, and rows that are there already."""
    if isinstance(path, Rows):
        return "what was given"
    return "standard input" if str(path) == STANDARD_INPUT else path.name


def read_text(path: Source, stdin: Callable[[], str | None] | None = None) -> str:
    """The text of a file, without a byte order mark; of `-` that of standard input, of rows their JSON.

    Parameters:
        path: the file.
        stdin: reads standard input (`Person.read`), where there is one.

    Raises `NotFound`, `UsageError` for what is no text, and for `-` where there is no standard input.
    """
    if isinstance(path, Rows):
        return json.dumps(path.plain())
    if str(path) == STANDARD_INPUT:
        read = stdin() if stdin is not None else None
        if read is None:
            raise UsageError("there is no standard input here", hint="give a file")
        return read.removeprefix("\ufeff")
    try:
        return in_utf8(path.read_bytes()).decode()
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error}", hint="is it a file, and may you read it?") from error


def _not_utf8(path: Path, error: UnicodeDecodeError) -> UsageError:
    """A text in another encoding is refused: any of them reads as any other, with other letters, and nobody notices."""
    raw = error.object
    line = raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start]
    word = re.split(r"[\s,;\t\"]", line.decode("utf-8", "replace"))[-1]
    word += re.split(r"[\s,;\t\"]", raw[error.start :][:40].decode("cp1252", "replace"))[0]
    if error.encoding != "utf-8" or not word.isprintable():
        return UsageError(f"{path} cannot be read: it is no text, or cut off ({error.reason})", hint="save it as UTF-8")
    return UsageError(
        f"{path} cannot be read: it is not UTF-8 (as Windows-1252 there would stand '{word}')",
        hint=f"save it as 'CSV UTF-8'; if that word is right: iconv -f CP1252 -t UTF-8 {shlex.quote(str(path))}",
    )


def read_rows(
    path: Source,
    *,
    key: str | None = None,
    stdin: Callable[[], str | None] | None = None,
    plain: bool = False,
    tell: Callable[[str], None] | None = None,
) -> list[Row]:
    """The rows of a file, or those that are there already; of a JSON or YAML bundle (`{"dataElements": [...]}`) those of `key`.

    Parameters:
        path: the file; `-` is standard input, JSON or CSV.
        key: the type's plural.
        stdin: reads standard input (`Person.read`), where there is one.
        plain: as of `parse_yaml`.
        tell: as of `sheets.batches_of`.

    Raises `NotFound`, `UsageError` with the line that cannot be read.
    """
    if isinstance(path, Rows):
        return path.plain()
    ending = path.suffix.lower()
    if str(path) != STANDARD_INPUT and ending not in ENDINGS:
        raise UsageError(f"{path}: rows are read from {', '.join(ENDINGS)}", hint="the ending says what the file is")
    if ending == ".xlsx":
        return list(itertools.chain.from_iterable(sheets.batches_of(path, tell=tell)))
    text = read_text(path, stdin)
    if not ending:
        ending = ".json" if text.lstrip()[:1] in {"{", "["} else ".csv"
    match ending:
        case ".csv" | ".tsv" | ".txt":
            separator = "\t" if ending == ".tsv" else _separator(text)
            return [*_separated(io.StringIO(_SAYS_SEPARATOR.sub("", text), newline=""), separator)]
        case ".yaml" | ".yml":
            return _of(parse_yaml(text, str(path), plain=plain), str(path), key)
        case _:
            return _json(text, str(path), key)


def stream_rows(
    path: Path,
    *,
    key: str | None = None,
    blanks: bool = False,
    where: Where | None = None,
    faults: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Stream[Row]:
    """The rows of a file as they are read, none of it held for longer than a batch; `.gz` is unpacked on the way.

    Columns are those of the first batch. YAML and single objects, which have no rows that could come one by one,
    are read whole.

    Parameters:
        path: the file; its ending says what it is.
        key: of a JSON object the array that holds the rows, such as `dataValues`.
        blanks: lines of a sheet without anything in them are rows without fields, so that rows can be counted.
        where: the sheet and the header; None where nobody can say them.
        faults, tell: as of `sheets.batches_of`.

    Raises `UsageError` for another ending, and where the file has no such sheet or header; from the iteration what `read_rows` raises.
    """
    packed = path.suffix.lower() == ".gz"
    ending = Path(path.stem).suffix.lower() if packed else path.suffix.lower()
    if ending not in ENDINGS or (packed and ending not in _STREAMED):
        raise UsageError(f"{path}: rows are read from {', '.join(ENDINGS)}", hint="the ending says what the file is")
    if where is not None and where.sheet is not None and ending != ".xlsx":
        raise UsageError(f"{path.name} has no sheets", hint="--sheet is for XLSX")
    if where is not None and where.header > 1 and ending not in _SHEETS:
        raise UsageError(f"{path.name} has no header", hint="--header-row is for CSV, TSV and XLSX")
    if where is not None and where.fill_down and ending not in _SHEETS:
        raise UsageError(f"{path.name} has no cells to fill down", hint="--fill-down is for CSV, TSV and XLSX")
    if where is not None and where.skip_hidden and ending != ".xlsx":
        raise UsageError(f"{path.name} has nothing hidden", hint="--skip-hidden is for XLSX")
    return Stream(_batches(path, ending, key, blanks, where, faults, tell))


csv.field_size_limit(16 * 1024 * 1024)  # the outline of a district in one cell is longer than Python's 128 KiB
_STREAMED = {".json", ".ndjson", ".csv", ".tsv", ".txt"}
_SHEETS = {".csv", ".tsv", ".txt", ".xlsx"}


async def _batches(
    path: Path,
    ending: str,
    key: str | None,
    blanks: bool,
    where: Where | None,
    faults: bool,
    tell: Callable[[str], None] | None,
) -> AsyncGenerator[list[Row]]:
    try:
        begins = _begins_with(path) if ending == ".json" else ""
        if begins == "[" or (begins and key is not None):
            async with aclosing(_json_batches(path, key or "")) as batches:
                async for batch in batches:
                    yield batch
        elif ending == ".json" and path.suffix.lower() == ".gz":
            raise UsageError(f"{path} holds one object", hint="name the array in it that holds the rows")
        elif ending == ".xlsx":
            for batch in sheets.batches_of(path, where, blanks=blanks, faults=faults, tell=tell):
                yield batch
        elif ending == ".json" or ending not in _STREAMED:
            yield read_rows(path, key=key)
        else:
            with _open(path) as file:
                separated = ending != ".ndjson"
                above = where.header - 1 if where is not None and separated else 0
                for _ in range(above):
                    file.readline()
                separator = _separator_of(file, ending) if separated else ""
                fill = where.fill_down if where is not None else ()
                rows = _separated(file, separator, blanks, above, fill) if separated else _json_lines(file, path)
                while batch := list(itertools.islice(rows, BATCH)):
                    yield batch
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", hint="is the file complete, and may you read it?"
        ) from error


async def _json_batches(path: Path, key: str) -> AsyncGenerator[list[Row]]:
    """The rows of an array in a JSON file: what reads the answers of servers reads it too."""
    from dhis2sh.client.bodies import pieces_of  # start-up: few lines read a large file
    from dhis2sh.client.streams import rows_of_json  # start-up: as above

    try:
        async with aclosing(pieces_of(path)) as pieces, aclosing(rows_of_json(pieces, key, str(path))) as found:
            async for rows in found:
                for start in range(0, len(rows), BATCH):
                    yield rows[start : start + BATCH]
    except BrokenAnswer as error:
        raise UsageError(str(error), hint="is the file complete?") from error
    except NotFound as error:
        raise UsageError(f"{path} has no '{key}'", hint="name the array that holds the rows") from error


def _open(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return io.TextIOWrapper(open_packed(path), encoding="utf-8-sig", newline="")
    with path.open("rb") as file:
        wide = file.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}  # as a spreadsheet's "Unicode text" is
    return path.open(encoding="utf-16" if wide else "utf-8-sig", newline="")


def _begins_with(path: Path) -> str:
    """The first character of a file that is no blank."""
    with _open(path) as file:
        while (found := file.read(1)).isspace():
            pass
        return found


def _separator_of(file: TextIO, ending: str) -> str:
    """The separator of a file that is open at its header, where it is left; behind a line that says it."""
    if ending == ".tsv":
        return "\t"
    begins = file.tell()
    first = file.readline()
    if _SAYS_SEPARATOR.match(first):
        return _separator(first)
    file.seek(begins)
    sample = file.read(_SAMPLE + 1)
    file.seek(begins)
    return _separator(sample)


def separator_of(path: Path, where: Where) -> str | None:
    """What parts the cells of a file of texts; None of any other. Raises `OSError`, `UsageError` as whoever reads its rows."""
    ending = (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()
    if ending not in {".csv", ".txt"}:
        return None
    with _open(path) as file:
        for _ in range(where.header - 1):
            file.readline()
        return _separator_of(file, ending)


def _json_lines(file: TextIO, path: Path) -> Iterator[Row]:
    """One object a line."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        row = parse_json(line, f"{path} line {number:,}")
        if not isinstance(row, dict):
            raise UsageError(f"{path}: line {number:,} is no object", hint='one object a line: {"id": "..."}')
        yield cast("Row", row)


class Plain(str):
    """A scalar of YAML as it stood there, without quotes: what it is says the property that it is for."""

    __slots__ = ()


_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,300})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]{0,300})(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")


def resolve(value: JsonValue) -> JsonValue:
    """Plain scalars where nobody knows their type, however deep: true, false and decimal numbers as in YAML 1.2, others text.

    So `0301`, `No` and `12:30` are texts, which YAML 1.1 takes for numbers and a truth value.
    """
    if isinstance(value, Plain):
        if value in _WORDS:
            return _WORDS[value]
        if _INTEGER.fullmatch(value):
            return int(value)
        return float(value) if _FLOAT.fullmatch(value) else str(value)
    if isinstance(value, list):
        return [resolve(item) for item in value]
    return {str(name): resolve(item) for name, item in value.items()} if isinstance(value, dict) else value


def parse_yaml(text: str, where: str, *, plain: bool = False) -> JsonValue:
    """YAML as JSON values; dates stay text.

    Parameters:
        where: what the text is called in messages.
        plain: scalars without quotes stay as they stood there (`Plain`), for who knows their types.

    Raises `UsageError` with the line, and for aliases that unfold to too much.
    """
    import yaml  # start-up: few files are YAML

    class Loader(yaml.SafeLoader):
        """Reads every scalar as text but nulls, and no key twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            """A mapping. Raises `ConstructorError` for a key that is there twice."""
            seen: set[str] = set()
            for key, _ in node.value:
                name = str(getattr(key, "value", ""))
                if name in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"'{name}' is there twice", key.start_mark)
                seen.add(name)
            return super().construct_mapping(node, deep)

        def plain(self, node: Any) -> str:
            """A scalar of text, and whether it stood in quotes."""
            return Plain(node.value) if node.style is None else str(node.value)

    kinds = ("bool", "float", "int", "timestamp", "value")
    Loader.yaml_implicit_resolvers = {
        first: [(tag, test) for tag, test in tests if tag.rpartition(":")[2] not in kinds]
        for first, tests in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_constructor("tag:yaml.org,2002:str", Loader.plain)
    loader = Loader(text)
    try:
        found = checked_size(cast("JsonValue", loader.get_single_data()), where)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark is not None else ""
        told = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UsageError(f"{where}{line}: {told}", hint="texts with : or # stand in quotes") from None
    except RecursionError:
        raise UsageError(f"{where} is nested too deeply", hint="objects of DHIS2 are nested a few times") from None
    finally:
        loader.dispose()
    return found if plain else resolve(found)


def _json(text: str, where: str, key: str | None) -> list[Row]:
    try:
        parsed = parse_json(text, where)
    except UsageError:
        try:  # one object a line
            parsed = [parse_json(line, where) for line in text.splitlines() if line.strip()]
        except UsageError:
            parsed = []
        if not parsed:
            raise
    return _of(parsed, where, key)


def _of(value: JsonValue, where: str, key: str | None) -> list[Row]:
    if isinstance(value, dict) and key is not None:
        if isinstance(value.get(key), list):
            value = value[key]
        elif value and all(isinstance(item, list) or name == "system" for name, item in value.items()):
            held = ", ".join(name for name in value if name != "system") or "nothing"
            raise UsageError(f"{where} holds {held}, no {key}", hint="dhis2 metadata import FILE takes whole exports")
    rows = value if isinstance(value, list) else [value]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UsageError(f"{where}: item {number} is no object", hint='rows are objects: [{"name": "..."}, ...]')
    return cast("list[JsonObject]", rows)


_SAYS_SEPARATOR = re.compile(r"\Asep=(.)\r?\n")


_SEPARATORS = "\t;,"
_SAMPLE = 64 * 1024
"""Characters of a file by which its separator is found."""


def _separator(text: str) -> str:
    """What parts the cells of a text that begins with its header: what all rows agree on, as some countries' commas are points.

    Some programs say it in a line before the header (`sep=;`). Raises `UsageError` where two separators make as many columns.
    """
    if said := _SAYS_SEPARATOR.match(text):
        return said[1]
    found = {separator: _agreement(text, separator) for separator in _SEPARATORS}
    best = max(found.values())
    fitting = [separator for separator, agreement in found.items() if agreement == best]
    if best[2] < 2:  # one column, or nobody knows
        return ","
    if len(fitting) > 1:
        names = " or by ".join(f"'{separator}'" for separator in fitting)
        raise UsageError(
            f"its columns may be parted by {names}", hint="write a line sep=; above the header, if it is ';'"
        )
    return fitting[0]


def _agreement(text: str, separator: str) -> tuple[bool, float, int]:
    """How well rows agree on a separator: has none more cells than the header, how many have as many, and how many that are."""
    rows = csv.reader(io.StringIO(text[:_SAMPLE], newline=""), delimiter=separator)
    widths: list[int] = []
    with suppress(csv.Error):  # the sample ends inside of quotes, or whoever reads the rows says what is wrong
        widths += (len(row) for row in rows if any(row))
    if len(text) > _SAMPLE:
        widths = widths[:-1]
    if not widths or widths[0] < 2:
        return False, 0, 0
    return max(widths) == widths[0], widths.count(widths[0]) / len(widths), widths[0]


def _separated(
    file: TextIO, separator: str, blanks: bool = False, above: int = 0, fill: Sequence[str] = ()
) -> Iterator[Row]:
    """The rows below a header, which has so many lines above it.

    Parameters:
        fill: as of `Where.fill_down`.
    """
    lines = csv.reader(file, delimiter=separator)
    try:
        names = next(lines, list[str]())
    except csv.Error as error:
        raise _no_csv(above + lines.line_num, error) from None
    headers = [name.strip() for name in names]
    check_once(headers)
    columns = filling.columns_of(headers, fill)
    rows = _read(lines, headers, above=above)
    return (row for row in filling.filled(rows, columns) if row or blanks)


def _read(lines: Reader, headers: Sequence[str], *, above: int) -> Iterator[Row]:
    """The rows below a header; a line without anything in it is one without fields."""
    number = 0
    try:
        for cells in lines:
            number = above + lines.line_num
            if len(cells) > len(headers):
                raise UsageError(f"line {number} has more cells than the header", hint="quote cells with commas")
            if not any(cell.strip() for cell in cells):  # a line of separators alone, or of nothing
                yield {}
                continue
            there = [*zip(headers, cells, strict=False), *((name, None) for name in headers[len(cells) :])]
            check_named(f"line {number}", there)
            yield {name: cell for name, cell in there if name}
    except csv.Error as error:
        raise _no_csv(number + 1, error) from None


def _no_csv(line: int, error: csv.Error) -> UsageError:
    return UsageError(f"line {line} is no CSV: {error}", hint="is a quote left open?")
